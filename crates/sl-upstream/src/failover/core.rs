use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;
use sl_units::{Mono, ShareDifficulty};
use sl_work::{Leased, Outcome, Pending, SourceId, SourceState, SourceStatus, Submitter, Verdict};

use super::{
    Breaker, Change, FailoverRules, FailoverStatus, MemberNo, MemberStanding, MemberStatus,
    Strategy, Tally,
    book::{Book, LeaseNo, Origin},
    member::{Hold, Sent, Standing, State},
};

mod decide;

/// How long the width that all can hold is waited for after the first has told its own.
const WIDTHS: Duration = Duration::from_secs(3);
/// How long a member that was taken out may still judge.
const LINGER: Duration = Duration::from_secs(10);
/// How often everything is looked at, whatever happens.
const LOOK: Duration = Duration::from_secs(1);

/// Who works for whom, and why: the group without its tasks. It owns the members' submitters and the
/// consumers' leases, and knows no clock.
///
/// ```text
///                    none is usable ┌──────┐ one becomes usable: its job at once
///             ┌───────────────────▶ │ idle │ ───────────────────┐
///             │                     └──────┘                    ▼
///        ┌────────┐ ── it fails: the next one's job at once ▶ ┌────────┐
///        │ active │                                           │ active │
///        │   A    │ ◀─ the strategy prefers it again ──────── │   B    │
///        └────────┘     (dwell, weights)                      └────────┘
///  fails: no job · breaker opens · left out of the group
/// ```
#[derive(Debug)]
pub(crate) struct Core {
    rules: FailoverRules,
    strategy: Box<dyn Strategy>,
    rng: Rng,
    book: Book,
    members: Vec<State>,
    tallies: BTreeMap<SourceId, Tally>,
    next_member: MemberNo,
    current: Option<MemberNo>,
    active_since: Mono,
    /// Work stopped, and nobody has taken over yet.
    outage: Option<Outage>,
    /// When the strategy wants to be asked again.
    again: Option<Mono>,
    first_width: Option<Mono>,
    failovers: VecDeque<Change>,
    changes: u64,
    too_old: u64,
}

#[derive(Debug)]
struct Outage {
    from: SourceId,
    why: Arc<str>,
    detected_at: Mono,
    detected_in: Duration,
}

impl Core {
    pub(crate) fn new(
        id: SourceId,
        rules: FailoverRules,
        strategy: Box<dyn Strategy>,
        rng: Rng,
    ) -> Self {
        Self {
            rules,
            strategy,
            rng,
            book: Book::new(id),
            members: Vec::new(),
            tallies: BTreeMap::new(),
            next_member: 0,
            current: None,
            active_since: Mono::default(),
            outage: None,
            again: None,
            first_width: None,
            failovers: VecDeque::new(),
            changes: 0,
            too_old: 0,
        }
    }

    /// Other rules, and the strategy made by them.
    pub(crate) fn rule(&mut self, rules: FailoverRules, strategy: Box<dyn Strategy>, now: Mono) {
        for member in &mut self.members {
            member.breaker.set_rules(rules.breaker.clone());
        }
        self.rules = rules;
        self.strategy = strategy;
        self.decide(now);
    }

    pub(crate) fn join(&mut self, id: SourceId, priority: u32, weight: u32) -> MemberNo {
        self.next_member += 1;
        let no = self.next_member;
        let state = SourceState::Idle { why: "it has not started".into(), since: Mono::default() };
        self.tallies.entry(id.clone()).or_default();
        self.members.push(State {
            no,
            id,
            priority,
            weight,
            breaker: Breaker::new(self.rules.breaker.clone(), self.rng.fork()),
            status: SourceStatus { widest: 0, state },
            latency: None,
            leases: self.book.leases().map(|(lease, _)| (lease, Hold::default())).collect(),
            in_flight: BTreeMap::new(),
            answers_in: None,
            back_since: None,
            was_usable: false,
            leaving: None,
            gone: false,
        });
        no
    }

    /// The members' order, priorities and weights are these now.
    pub(crate) fn rank(&mut self, ranks: &[(MemberNo, u32, u32)], now: Mono) {
        for (no, priority, weight) in ranks {
            if let Some(member) = self.members.iter_mut().find(|member| member.no == *no) {
                (member.priority, member.weight) = (*priority, *weight);
            }
        }
        let place = |no| ranks.iter().position(|rank| rank.0 == no).unwrap_or(usize::MAX);
        self.members.sort_by_key(|member| place(member.no));
        self.again = None;
        self.decide(now);
    }

    pub(crate) fn leave(&mut self, no: MemberNo, now: Mono) {
        if let Some(member) = self.member(no) {
            member.leaving = Some(now);
        }
        self.decide(now);
    }

    pub(crate) fn lease(&mut self, leased: Leased) -> LeaseNo {
        let lease = self.book.open(leased);
        for member in &mut self.members {
            member.leases.insert(lease, Hold::default());
        }
        lease
    }

    pub(crate) fn status_of(&mut self, no: MemberNo, status: SourceStatus, now: Mono) {
        if status.widest > 0 {
            self.first_width.get_or_insert(now);
        }
        if let Some(member) = self.member(no) {
            member.status = status;
        }
        self.decide(now);
    }

    pub(crate) fn latency_of(&mut self, no: MemberNo, latency: Option<Duration>) {
        if let Some(member) = self.member(no) {
            member.latency = latency;
        }
    }

    pub(crate) fn leased(&mut self, no: MemberNo, lease: LeaseNo, submitter: Submitter) {
        if let Some(hold) = self.member(no).and_then(|member| member.leases.get_mut(&lease)) {
            *hold = Hold { standing: Standing::Untold, submitter: Some(submitter) };
        }
    }

    pub(crate) fn stands(&mut self, no: MemberNo, lease: LeaseNo, standing: Standing, now: Mono) {
        let Some(hold) = self.member(no).and_then(|member| member.leases.get_mut(&lease)) else {
            return;
        };
        hold.standing = standing;
        self.decide(now);
    }

    /// A member will say nothing any more.
    pub(crate) fn gone(&mut self, no: MemberNo, now: Mono) {
        let tallies = &mut self.tallies;
        if let Some(member) = self.members.iter_mut().find(|member| member.no == no) {
            member.gone = true;
            let tally = tallies.entry(member.id.clone()).or_default();
            member.lose_all("the pool was stopped before it could say", tally);
        }
        self.decide(now);
    }

    /// A share on its way up.
    pub(crate) fn share(&mut self, pending: Pending, now: Mono) {
        let origin = match self.book.origin(pending.share()) {
            Ok(Some(origin)) => origin,
            Ok(None) => {
                self.too_old += 1;
                let reason = "its job is too old to be known".into();
                return pending.settle(Outcome::Stale { reason });
            }
            Err(wrong) => return pending.settle(Outcome::Rejected { reason: wrong.to_string() }),
        };
        let Origin { lease, member, share } = origin;
        let worker = pending.worker().clone();
        let difficulty = ShareDifficulty::from(share.job().wanted).get();
        let found = self.members.iter_mut().find(|state| state.no == member);
        let submitter = found.and_then(|state| {
            let submitter = state.leases.get(&lease)?.submitter.clone()?;
            Some((state, submitter))
        });
        let Some((state, submitter)) = submitter else {
            let reason = "the pool that gave its job is no longer there".into();
            return pending.settle(Outcome::Lost { reason });
        };
        match submitter.submit(share, worker) {
            Ok(ticket) => {
                let sent = Sent { pending, at: now, difficulty };
                state.in_flight.entry(lease).or_default().insert(ticket, sent);
            }
            Err(refused) => {
                self.tallies.entry(state.id.clone()).or_default().lost += 1;
                let reason = format!("{} took no share: {}", state.id, refused.why);
                pending.settle(Outcome::Lost { reason });
            }
        }
    }

    pub(crate) fn verdict(&mut self, no: MemberNo, lease: LeaseNo, verdict: Verdict, now: Mono) {
        let Some(member) = self.members.iter_mut().find(|member| member.no == no) else { return };
        let tally = self.tallies.entry(member.id.clone()).or_default();
        if member.verdict(lease, verdict, tally, now) == Some(true) {
            self.decide(now);
        }
    }

    /// Shares that wait for a verdict.
    pub(crate) fn in_flight(&self) -> usize {
        self.members.iter().map(State::waiting).sum()
    }

    /// Time has passed; the members that need no task any more.
    pub(crate) fn tick(&mut self, now: Mono) -> (Vec<MemberNo>, Vec<LeaseNo>) {
        let closed = self.book.drop_closed();
        for member in &mut self.members {
            member.leases.retain(|lease, _| !closed.contains(lease));
            // Their consumer is gone: nobody hears these verdicts.
            member.in_flight.retain(|lease, _| !closed.contains(lease));
        }
        self.decide(now);
        let over = |member: &State| {
            let leaving = member.leaving?;
            let judged =
                member.in_flight.is_empty() && now.since(leaving) >= Duration::from_secs(2);
            let done = member.gone || judged || now.since(leaving) >= LINGER;
            (done && self.current != Some(member.no)).then_some(member.no)
        };
        let done: Vec<MemberNo> = self.members.iter().filter_map(over).collect();
        for no in &done {
            self.book.forget(*no);
            if let Some(at) = self.members.iter().position(|member| member.no == *no) {
                let mut member = self.members.remove(at);
                let tally = self.tallies.entry(member.id.clone()).or_default();
                member.lose_all("the pool was taken out of the group before it could say", tally);
            }
        }
        (done, closed)
    }

    /// Nothing will be heard any more: what waits is lost.
    pub(crate) fn stop(&mut self, now: Mono) {
        for member in &mut self.members {
            let tally = self.tallies.entry(member.id.clone()).or_default();
            member.lose_all("the stop came before the pool's verdict", tally);
        }
        let leases: Vec<LeaseNo> = self.book.leases().map(|(lease, _)| lease).collect();
        for lease in leases {
            self.book.idle(lease, &"stopped".into(), now);
        }
    }

    /// When [`Core::tick`] is wanted next.
    pub(crate) fn next_tick(&self, now: Mono) -> Mono {
        let answer = self.rules.breaker.answer;
        let breakers = self.members.iter().filter_map(|member| member.breaker.next_look());
        let answers = self.members.iter().filter_map(State::waits_since).map(|sent| sent + answer);
        let next = breakers.chain(answers).chain(self.again).filter(|at| *at > now).min();
        next.map_or(now + LOOK, |next| next.min(now + LOOK))
    }

    /// Free bytes that every usable member can hold; 0 while that is not known.
    pub(crate) fn widest(&self, now: Mono) -> usize {
        let there =
            || self.members.iter().filter(|member| member.leaving.is_none() && !member.gone);
        let all_told = there().all(|member| member.status.widest > 0);
        let waited = self.first_width.is_some_and(|first| now.since(first) >= WIDTHS);
        if !all_told && !waited {
            return 0;
        }
        let fit = there().filter(|member| member.unfit(self.rules.least_width).is_none());
        fit.map(|member| member.status.widest).filter(|widest| *widest > 0).min().unwrap_or(0)
    }

    pub(crate) fn is_working(&self) -> bool {
        self.current.is_some()
    }

    /// Why nobody works, with each member's reason.
    pub(crate) fn idle_why(&self) -> Arc<str> {
        if self.members.is_empty() {
            return "no pool is configured".into();
        }
        let why = |member: &State| {
            let why = member.unfit(self.rules.least_width).unwrap_or_else(|| member.idle_why().0);
            format!("{}: {why}", member.id)
        };
        self.members.iter().map(why).collect::<Vec<_>>().join("; ").into()
    }

    fn member(&mut self, no: MemberNo) -> Option<&mut State> {
        self.members.iter_mut().find(|member| member.no == no)
    }

    /// How all fare.
    pub(crate) fn status(&self, now: Mono) -> FailoverStatus {
        let total: f64 = self.tallies.values().map(|tally| tally.difficulty).sum();
        let usable = self.usable();
        let running = self.members.iter().find(|member| Some(member.no) == self.current);
        let sharers = |member: &State| {
            usable.contains(&member.no) && running.is_some_and(|it| it.priority == member.priority)
        };
        let weights: f64 =
            self.members.iter().filter(|it| sharers(it)).map(|it| f64::from(it.weight)).sum();
        let of = |member: &State| {
            let mut tally = self.tallies.get(&member.id).copied().unwrap_or_default();
            if self.current == Some(member.no) {
                tally.active += now.since(self.active_since);
            }
            MemberStatus {
                id: member.id.clone(),
                standing: self.standing(member),
                breaker: member.breaker.state().clone(),
                priority: member.priority,
                weight: member.weight,
                tally,
                in_flight: member.waiting(),
                part: (total > 0.0).then(|| tally.difficulty / total),
                part_wanted: (sharers(member) && weights > 0.0)
                    .then(|| f64::from(member.weight) / weights),
                latency: member.latency,
                answers_in: member.answers_in,
            }
        };
        FailoverStatus {
            current: running.map(|member| member.id.clone()),
            members: self.members.iter().map(of).collect(),
            failovers: self.failovers.clone(),
            changes: self.changes,
            too_old: self.too_old,
        }
    }

    fn standing(&self, member: &State) -> MemberStanding {
        if member.leaving.is_some() {
            MemberStanding::Leaving
        } else if self.current == Some(member.no) {
            MemberStanding::Active
        } else if let Some(why) = member.unfit(self.rules.least_width) {
            MemberStanding::Unfit { why }
        } else if !member.has_job() {
            MemberStanding::Idle { why: member.idle_why().0 }
        } else if member.breaker.lets_pass() {
            MemberStanding::Standby
        } else {
            MemberStanding::Resting { why: member.rests().unwrap_or_else(|| "open".into()) }
        }
    }
}
