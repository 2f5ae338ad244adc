//! Several pools in the state tree.

use std::time::Duration;

use sl_units::Mono;
use sl_upstream::{Change, GroupStatus, MemberStatus, PoolFigures};
use sl_view::{FailoverEvent, Pool, Upstream, UpstreamAddress, UpstreamPool};
use sl_work::SourceId;

use super::as_pool;

/// All pools, and the one in use as the pool above.
pub(super) fn upstream(status: &GroupStatus, widest: usize, now: Mono) -> (Upstream, Option<Pool>) {
    let (failover, pools) = (status.failover.borrow(), status.pools.borrow());
    let figures = |id: &SourceId| pools.iter().find(|pool| pool.id == *id);
    let told = Upstream {
        active: failover.current.as_ref().map(name),
        extranonce_bytes: widest as u64,
        pools: failover.members.iter().map(|it| pool(it, figures(&it.id), now)).collect(),
        failovers: failover.failovers.iter().map(event).collect(),
        changes: failover.changes,
        too_old: failover.too_old,
    };
    // Without work it is the first, so that what is wrong with it is told.
    let above = failover.current.as_ref().or(failover.members.first().map(|first| &first.id));
    let above = above.and_then(figures);
    (told, above.map(|above| as_pool(&above.endpoint.to_string(), &above.status.borrow(), now)))
}

fn pool(member: &MemberStatus, figures: Option<&PoolFigures>, now: Mono) -> UpstreamPool {
    let address = |figures: &PoolFigures| {
        let in_use = figures.endpoint.clone();
        let one =
            move |(url, latency): &(sl_upstream::Endpoint, Option<Duration>)| UpstreamAddress {
                url: url.to_string(),
                latency_ms: latency.map(millis),
                in_use: *url == in_use,
            };
        figures.distances.iter().map(one).collect()
    };
    UpstreamPool {
        name: name(&member.id),
        state: member.standing.word().to_owned(),
        why: member.standing.detail().map(str::to_owned),
        breaker: member.breaker.word().to_owned(),
        priority: member.priority,
        weight: member.weight,
        part: member.part,
        part_wanted: member.part_wanted,
        accepted: member.tally.accepted,
        rejected: member.tally.rejected,
        stale: member.tally.stale,
        lost: member.tally.lost,
        in_flight: member.in_flight as u64,
        difficulty: member.tally.difficulty,
        active_s: member.tally.active.as_secs_f64(),
        latency_ms: member.latency.map(millis),
        answer_ms: member.answers_in.map(millis),
        addresses: figures.map(address).unwrap_or_default(),
        client: figures.map(|it| as_pool(&it.endpoint.to_string(), &it.status.borrow(), now)),
    }
}

fn event(change: &Change) -> FailoverEvent {
    FailoverEvent {
        at_s: change.at.since_start().as_secs_f64(),
        from: change.from.as_ref().map(name),
        to: name(&change.to),
        why: change.why.to_string(),
        detected_s: change.detected.map(|detected| detected.as_secs_f64()),
        switched_s: change.switched.as_secs_f64(),
    }
}

/// As the settings name it.
fn name(id: &SourceId) -> String {
    let id = id.to_string();
    id.strip_prefix("pool.").map_or(id.clone(), str::to_owned)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
