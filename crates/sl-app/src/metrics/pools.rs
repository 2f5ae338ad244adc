//! The pool above, and each of several.

use sl_view::{State, UpstreamPool};

use super::{Metric, Samples, counter, gauge, labelled, one, reasons, statistics};

// tidy: table
/// Of pools.
pub(super) const METRICS: &[Metric] = &[
    gauge("silverlode_pool_connected", "1 if the pool above gives work, 0 if not.", &[], |state| {
        one(state.summary.pool.as_ref().map(|pool| f64::from(u8::from(pool.connected))))
    }),
    counter(
        "silverlode_pool_shares_total",
        "What the pool above said of our shares: accepted, rejected, stale, lost.",
        &["verdict"],
        |state| {
            let Some(pool) = &state.summary.pool else { return Vec::new() };
            labelled([
                ("accepted", pool.accepted),
                ("rejected", pool.rejected),
                ("stale", pool.stale),
                ("lost", pool.lost),
            ])
        },
    ),
    counter(
        "silverlode_pool_rejected_total",
        "Shares that the pool above refused, by the kind of refusal.",
        &["reason"],
        |state| of_pool(state, |pool| reasons(&pool.rejected_by_reason)),
    ),
    counter(
        "silverlode_pool_lost_total",
        "Shares that the pool above never judged, by the reason.",
        &["reason"],
        |state| of_pool(state, |pool| reasons(&pool.lost_by_reason)),
    ),
    counter(
        "silverlode_pool_resubmitted_total",
        "Shares sent again to the pool above over a resumed session.",
        &[],
        |state| of_pool(state, |pool| one(Some(pool.resubmitted as f64))),
    ),
    counter(
        "silverlode_pool_difficulty_total",
        "Difficulty of shares as the pool above credits them: accepted, missed.",
        &["verdict"],
        |state| {
            of_pool(state, |pool| {
                let accepted = (vec!["accepted".to_owned()], pool.accepted_difficulty);
                vec![accepted, (vec!["missed".to_owned()], pool.missed_difficulty)]
            })
        },
    ),
    counter(
        "silverlode_pool_connections_total",
        "Connections made with the pool above since the start.",
        &[],
        |state| of_pool(state, |pool| one(Some(pool.connections_total as f64))),
    ),
    counter(
        "silverlode_pool_working_seconds_total",
        "Time in which the pool above gave work.",
        &[],
        |state| of_pool(state, |pool| one(Some(pool.working_s))),
    ),
    gauge(
        "silverlode_pool_last_job_age_seconds",
        "Age of the last job of the pool above.",
        &[],
        |state| of_pool(state, |pool| one(pool.last_job_age_s)),
    ),
    gauge(
        "silverlode_pool_round_trip_seconds",
        "From a share to the verdict of the pool above, since the start: p50, p99, max.",
        &["statistic"],
        |state| of_pool(state, |pool| statistics(&pool.round_trip)),
    ),
    gauge(
        "silverlode_pool_withheld_ratio",
        "Part of the pay of the pool above that is given up so that it is not flooded, 0 to 1.",
        &[],
        |state| {
            of_pool(state, |pool| {
                one(Some(pool.over_difficulty.as_ref().map_or(0.0, |over| over.price)))
            })
        },
    ),
    gauge(
        "silverlode_upstream_state",
        "1 for the state that each of several pools is in: active, standby, idle, unfit, resting, leaving.",
        &["pool", "state"],
        |state| {
            let one = |pool: &UpstreamPool| (vec![pool.name.clone(), pool.state.clone()], 1.0);
            upstream_pools(state).map(one).collect()
        },
    ),
    gauge(
        "silverlode_upstream_breaker_open",
        "1 if the circuit breaker of one of several pools is open, 0.5 if it is on trial, 0 if it is closed.",
        &["pool"],
        |state| {
            by_pool(state, |pool| match pool.breaker.as_str() {
                "closed" => Some(0.0),
                "half_open" => Some(0.5),
                _ => Some(1.0),
            })
        },
    ),
    counter(
        "silverlode_upstream_shares_total",
        "What each of several pools said of our shares: accepted, rejected, stale, lost.",
        &["pool", "verdict"],
        |state| {
            let verdicts = |pool: &UpstreamPool| {
                [
                    ("accepted", pool.accepted),
                    ("rejected", pool.rejected),
                    ("stale", pool.stale),
                    ("lost", pool.lost),
                ]
                .map(|(verdict, count)| (vec![pool.name.clone(), verdict.to_owned()], count as f64))
            };
            upstream_pools(state).flat_map(verdicts).collect()
        },
    ),
    counter(
        "silverlode_upstream_difficulty_total",
        "Difficulty of the shares that each of several pools took, in the pools' scale.",
        &["pool"],
        |state| by_pool(state, |pool| Some(pool.difficulty)),
    ),
    gauge(
        "silverlode_upstream_part_ratio",
        "Part of all accepted difficulty that each of several pools has had, 0 to 1.",
        &["pool"],
        |state| by_pool(state, |pool| pool.part),
    ),
    counter(
        "silverlode_upstream_active_seconds_total",
        "Time in which the machines worked for each of several pools.",
        &["pool"],
        |state| by_pool(state, |pool| Some(pool.active_s)),
    ),
    gauge(
        "silverlode_upstream_latency_seconds",
        "Time to connect to each of several pools, by measurement.",
        &["pool"],
        |state| by_pool(state, |pool| pool.latency_ms.map(|millis| millis / 1000.0)),
    ),
    counter(
        "silverlode_upstream_changes_total",
        "Changes of pool since the start, those by weight included.",
        &[],
        |state| one(state.summary.upstream.as_ref().map(|upstream| upstream.changes as f64)),
    ),
];
// tidy: end

fn of_pool(state: &State, value: impl Fn(&sl_view::Pool) -> Samples) -> Samples {
    state.summary.pool.as_ref().map_or_else(Vec::new, value)
}

fn upstream_pools(state: &State) -> impl Iterator<Item = &UpstreamPool> {
    state.summary.upstream.iter().flat_map(|upstream| &upstream.pools)
}

fn by_pool(state: &State, value: impl Fn(&UpstreamPool) -> Option<f64>) -> Samples {
    upstream_pools(state).filter_map(|pool| Some((vec![pool.name.clone()], value(pool)?))).collect()
}
