//! What happens to the pools, written into the journal: who works, stands by, rests, and why.

use std::{collections::BTreeMap, sync::Arc};

use sl_ledger::{Entry, Journal, UpstreamEntry};
use sl_ports::Clock;
use sl_supervise::{Ctx, ServiceError};
use sl_upstream::{Change, FailoverStatus};
use sl_work::SourceId;
use tokio::sync::watch;

/// The service: writes each change until told to stop.
pub(crate) async fn write(
    mut pools: watch::Receiver<FailoverStatus>,
    journal: Journal,
    clock: Clock,
    ctx: Ctx,
) -> Result<(), ServiceError> {
    ctx.ready();
    let mut known = Known::default();
    loop {
        let changes = known.changes(&pools.borrow_and_update());
        let at = clock.wall();
        let entry = |(source, event, why): Told| {
            Entry::Upstream(UpstreamEntry { at, source, event: event.into(), why })
        };
        let entries: Vec<Entry> = changes.into_iter().map(entry).collect();
        let many = entries.len();
        if many > 0 && journal.append(entries).is_err() {
            tracing::warn!(many, "changes of the pools are not in the journal: it has no room");
        }
        // Cancel-safe: a watch, a token.
        tokio::select! {
            changed = pools.changed() => if changed.is_err() {
                ctx.stopped().await;
                return Ok(());
            },
            () = ctx.stopped() => return Ok(()),
        }
    }
}

/// A source, what it is now, why.
type Told = (SourceId, &'static str, Arc<str>);

/// What has been written.
#[derive(Debug, Default)]
struct Known {
    standings: BTreeMap<SourceId, (&'static str, Arc<str>)>,
    failover: Option<Change>,
}

impl Known {
    /// What is new in a state: standings of pools, and failovers with their times.
    fn changes(&mut self, now: &FailoverStatus) -> Vec<Told> {
        let mut told = Vec::new();
        for member in &now.members {
            let (word, why) = (member.standing.word(), member.standing.detail().unwrap_or(""));
            let known = self.standings.get(&member.id);
            if known.is_none_or(|(known, of)| *known != word || **of != *why) {
                let why: Arc<str> = why.into();
                self.standings.insert(member.id.clone(), (word, why.clone()));
                told.push((member.id.clone(), word, why));
            }
        }
        let is_there = |id: &SourceId| now.members.iter().any(|member| member.id == *id);
        for id in self.standings.keys().filter(|id| !is_there(id)) {
            told.push((id.clone(), "gone", "".into()));
        }
        self.standings.retain(|id, _| is_there(id));
        let new =
            now.failovers.iter().rev().take_while(|change| Some(*change) != self.failover.as_ref());
        let new: Vec<&Change> = new.collect();
        told.extend(
            new.into_iter()
                .rev()
                .map(|change| (change.to.clone(), "failover", words(change).into())),
        );
        self.failover = now.failovers.back().cloned();
        told
    }
}

fn words(change: &Change) -> String {
    let from = change.from.as_ref().map_or("nobody".into(), ToString::to_string);
    let noticed = change.detected.map_or(String::new(), |detected| {
        format!("noticed after {:.3} s, ", detected.as_secs_f64())
    });
    // First what is short: a long reason is cut off in the journal.
    let switched = change.switched.as_secs_f64();
    format!("from {from}, {noticed}switched in {switched:.3} s: {}", change.why)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sl_units::Mono;
    use sl_upstream::{BreakerState, MemberStanding, MemberStatus, Tally};

    use super::*;

    fn member(name: &str, standing: MemberStanding) -> MemberStatus {
        MemberStatus {
            id: SourceId::new(name),
            standing,
            breaker: BreakerState::Closed,
            priority: 0,
            weight: 1,
            tally: Tally::default(),
            in_flight: 0,
            part: None,
            part_wanted: None,
            latency: None,
            answers_in: None,
        }
    }

    #[test]
    fn each_change_is_told_once() {
        let mut known = Known::default();
        let mut check = |now: &FailoverStatus, expect: &[&str]| {
            let told = known.changes(now);
            let words = told.iter().map(|(id, word, why)| format!("{id} {word} {why}"));
            assert_eq!(words.collect::<Vec<_>>(), expect);
        };
        let idle = MemberStanding::Idle { why: "it broke".into() };
        let mut now = FailoverStatus {
            members: vec![
                member("a", MemberStanding::Active),
                member("b", MemberStanding::Standby),
            ],
            ..FailoverStatus::default()
        };
        check(&now, &["a active ", "b standby "]);
        check(&now, &[]);
        now.members = vec![member("a", idle), member("b", MemberStanding::Active)];
        now.failovers.push_back(Change {
            at: Mono::default(),
            from: Some(SourceId::new("a")),
            to: SourceId::new("b"),
            why: "it broke".into(),
            detected: Some(Duration::from_millis(2)),
            switched: Duration::ZERO,
        });
        let failover = "b failover from a, noticed after 0.002 s, switched in 0.000 s: it broke";
        check(&now, &["a idle it broke", "b active ", failover]);
        check(&now, &[]);
        now.members.remove(0);
        check(&now, &["a gone "]);
    }
}
