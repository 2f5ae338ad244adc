//! Who is left, who takes over, and what the leases are given then.

use std::time::Duration;

use sl_units::Mono;
use sl_work::SourceId;

use super::{
    super::{Candidate, status::KEPT_CHANGES},
    Change, Core, LeaseNo, MemberNo, Outage, Standing, State,
};

impl Core {
    /// Looks at all members, changes if that is right, and gives everybody the work of this instant.
    pub(super) fn decide(&mut self, now: Mono) {
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
    pub(super) fn usable(&self) -> Vec<MemberNo> {
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
        // Nor is the one that is worked for left because another said a word sooner.
        let awaited = |member: &State| self.current == Some(member.no) && member.is_untold();
        let some = |member: &State| {
            served.is_empty() || awaited(member) || served.iter().any(|it| member.serves(*it))
        };
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
                + member.unjudged(),
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
}

fn named(source: Option<&SourceId>) -> String {
    source.map_or("nobody".into(), ToString::to_string)
}
