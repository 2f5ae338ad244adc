use std::{collections::BTreeMap, collections::VecDeque, sync::Arc, time::Duration};

use fastrand::Rng;
use sl_units::{Mono, ShareDifficulty};
use sl_work::{Leased, Outcome, Pending, SourceId, SourceState, SourceStatus, Submitter, Verdict};

use super::{
    Breaker, Candidate, Change, FailoverRules, FailoverStatus, MemberNo, MemberStanding,
    MemberStatus, Strategy, Tally,
    book::{Book, LeaseNo, Origin},
    member::{Hold, Sent, Standing, State},
    status::KEPT_CHANGES,
};

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
                state.in_flight.insert((lease, ticket), Sent { pending, at: now, difficulty });
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
        self.members.iter().map(|member| member.in_flight.len()).sum()
    }

    /// Time has passed; the members that need no task any more.
    pub(crate) fn tick(&mut self, now: Mono) -> (Vec<MemberNo>, Vec<LeaseNo>) {
        let closed = self.book.drop_closed();
        for member in &mut self.members {
            member.leases.retain(|lease, _| !closed.contains(lease));
            // Their consumer is gone: nobody hears these verdicts.
            member.in_flight.retain(|(lease, _), _| !closed.contains(lease));
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

    /// Looks at all members, changes if that is right, and gives everybody the work of this instant.
    fn decide(&mut self, now: Mono) {
        for member in &mut self.members {
            member.look(now);
        }
        let usable = self.usable();
        for member in &mut self.members {
            let is_usable = usable.contains(&member.no);
            let came = is_usable && !member.was_usable && member.back_since.is_some();
            // From the first failure on there is a dwell; it begins when the member is back.
            if came || (!is_usable && member.was_usable) {
                member.back_since = Some(now);
            }
            member.was_usable = is_usable;
        }
        let failed = match self.current.filter(|current| !usable.contains(current)) {
            Some(no) => self.fail(no, now),
            None => false,
        };
        if usable.is_empty() {
            let why = self.idle_why();
            let leases: Vec<LeaseNo> = self.book.leases().map(|(lease, _)| lease).collect();
            for lease in leases {
                self.book.idle(lease, &why, now);
            }
            self.again = None;
            return;
        }
        let due = self.again.is_none_or(|again| again <= now);
        if self.current.is_none() || due || usable.len() > 1 {
            self.choose(&usable, now);
        }
        self.show(failed, now);
    }

    /// The members that can be worked for: those that serve every lease that anybody serves, and are
    /// trusted; where none is trusted, a job is better than none.
    fn usable(&self) -> Vec<MemberNo> {
        let served: Vec<LeaseNo> = self
            .book
            .leases()
            .map(|(lease, _)| lease)
            .filter(|lease| self.members.iter().any(|member| member.serves(*lease)))
            .collect();
        let fit: Vec<&State> = self
            .members
            .iter()
            .filter(|member| member.leaving.is_none() && member.has_job())
            .filter(|member| member.unfit(self.rules.least_width).is_none())
            .collect();
        // One that has not been told of a lease yet is not behind the others for that.
        let all = |member: &State| {
            served.iter().all(|lease| {
                member.serves(*lease)
                    || member
                        .leases
                        .get(lease)
                        .is_some_and(|hold| matches!(hold.standing, Standing::Untold))
            })
        };
        let some = |member: &State| served.is_empty() || served.iter().any(|it| member.serves(*it));
        let tiers: [&dyn Fn(&State) -> bool; 3] = [
            &|member| member.breaker.lets_pass() && all(member) && some(member),
            &|member| all(member) && some(member),
            &|member| some(member),
        ];
        let pick = |tier: &&dyn Fn(&State) -> bool| {
            let found: Vec<MemberNo> =
                fit.iter().filter(|member| tier(member)).map(|member| member.no).collect();
            (!found.is_empty()).then_some(found)
        };
        tiers.iter().find_map(pick).unwrap_or_default()
    }

    /// The running member can no longer be worked for; whether because it failed.
    fn fail(&mut self, no: MemberNo, now: Mono) -> bool {
        self.rest(now);
        self.current = None;
        let Some(member) = self.members.iter().find(|member| member.no == no) else { return false };
        if member.leaving.is_some() {
            tracing::info!(pool = %member.id, "the pool leaves the group");
            return false;
        }
        let (why, since) = match (member.unfit(self.rules.least_width), member.rests()) {
            (Some(why), _) => (why, None),
            (None, Some(why)) if member.has_job() => {
                let long = |sent: &Mono| now.since(*sent) >= self.rules.breaker.answer;
                (why, member.waits_since().filter(long))
            }
            _ => member.idle_why(),
        };
        let detected_in = since.map_or(Duration::ZERO, |since| now.since(since));
        tracing::warn!(pool = %member.id, %why, "the pool is left");
        self.outage = Some(Outage { from: member.id.clone(), why, detected_at: now, detected_in });
        true
    }

    fn choose(&mut self, usable: &[MemberNo], now: Mono) {
        let candidate = |member: &State| Candidate {
            id: member.id.clone(),
            priority: member.priority,
            weight: member.weight,
            current: self.current == Some(member.no),
            back_since: member.back_since,
            latency: member.latency.or(member.answers_in),
            credited: self.tallies.get(&member.id).map_or(0.0, |tally| tally.difficulty)
                + member.in_flight.values().map(|sent| sent.difficulty).sum::<f64>(),
        };
        let there: Vec<&State> =
            self.members.iter().filter(|member| usable.contains(&member.no)).collect();
        let candidates: Vec<Candidate> = there.iter().map(|member| candidate(member)).collect();
        let numbers: Vec<MemberNo> = there.iter().map(|member| member.no).collect();
        let choice = self.strategy.choose(&candidates, now);
        self.again = choice.again;
        // A strategy that names nobody has the first.
        let Some(to) = numbers.get(choice.at).or(numbers.first()).copied() else { return };
        if self.current != Some(to) {
            self.change(to, now);
        }
    }

    fn change(&mut self, to: MemberNo, now: Mono) {
        let name = |no| self.members.iter().find(|member| member.no == no).map(|m| m.id.clone());
        let (Some(to_name), from) = (name(to), self.current.and_then(name)) else { return };
        let rank = |no| self.members.iter().find(|it| it.no == no).map(|it| it.priority);
        let by_weight = self.current.is_some_and(|from| rank(from) == rank(to));
        let is_back = self.members.iter().any(|it| it.no == to && it.back_since.is_some());
        self.rest(now);
        self.active_since = now;
        self.current = Some(to);
        self.changes += 1;
        let change = match (self.outage.take(), from) {
            (Some(Outage { from, why, detected_at, detected_in }), _) => Change {
                at: detected_at,
                from: Some(from),
                to: to_name,
                why,
                detected: Some(detected_in),
                switched: now.since(detected_at),
            },
            (None, Some(from)) if !by_weight && is_back => Change {
                at: now,
                from: Some(from),
                to: to_name,
                why: "it is back, and preferred".into(),
                detected: None,
                switched: Duration::ZERO,
            },
            // The first choices of all, or one by weight.
            (None, from) => {
                tracing::debug!(from = %named(from.as_ref()), to = %to_name, "work goes to");
                return;
            }
        };
        let (from, to, why) = (named(change.from.as_ref()), &change.to, &change.why);
        tracing::info!(%from, %to, %why, "the machines work for another pool");
        self.failovers.push_back(change);
        while self.failovers.len() > KEPT_CHANGES {
            self.failovers.pop_front();
        }
    }

    /// The time of the running member is counted.
    fn rest(&mut self, now: Mono) {
        let current = self.current;
        if let Some(member) = self.members.iter().find(|member| Some(member.no) == current) {
            let tally = self.tallies.entry(member.id.clone()).or_default();
            tally.active += now.since(self.active_since);
        }
        self.active_since = now;
    }

    /// Gives every lease the running member's work.
    fn show(&mut self, failed: bool, now: Mono) {
        let Some(member) = self.members.iter().find(|it| Some(it.no) == self.current) else {
            return;
        };
        let leases: Vec<LeaseNo> = self.book.leases().map(|(lease, _)| lease).collect();
        for lease in leases {
            match member.leases.get(&lease).map(|hold| &hold.standing) {
                Some(Standing::Job(job)) => self.book.show(lease, member.no, job, failed, now),
                Some(Standing::Untold) | None => {}
                Some(_) => {
                    let why =
                        member.unfit(self.rules.least_width).unwrap_or_else(|| member.idle_why().0);
                    self.book.idle(lease, &why, now);
                }
            }
        }
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
                in_flight: member.in_flight.len(),
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

fn named(source: Option<&SourceId>) -> String {
    source.map_or("nobody".into(), ToString::to_string)
}
