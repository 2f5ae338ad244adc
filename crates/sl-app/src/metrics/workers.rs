//! What is told of each worker; the state tree has at most 1000 of them.

use std::collections::BTreeMap;

use sl_view::{State, Worker};

use super::{Metric, Samples, counter, gauge, of_gateway};

// tidy: table
/// Of each worker.
pub(super) const METRICS: &[Metric] = &[
    counter(
        "silverlode_worker_shares_total",
        "Shares of each worker: accepted, rejected, stale; at most 1000 workers.",
        &["worker", "verdict"],
        shares,
    ),
    counter(
        "silverlode_worker_rejected_total",
        "Refused shares of each worker, by reason; at most 1000 workers.",
        &["worker", "reason"],
        rejected,
    ),
    counter(
        "silverlode_worker_stale_shares_total",
        "Proven shares of each worker that came after a chain's tip had fallen; at most 1000 workers.",
        &["worker", "chain"],
        stale,
    ),
    counter(
        "silverlode_worker_forwarded_total",
        "What the source said of each worker's shares: accepted, rejected, stale, lost (no verdict), differing (from ours).",
        &["worker", "verdict"],
        forwarded,
    ),
    gauge(
        "silverlode_worker_best_share_difficulty",
        "The difficulty of each worker's best share since the start.",
        &["worker"],
        best,
    ),
    gauge(
        "silverlode_worker_last_share_age_seconds",
        "Time since each worker's last proven share.",
        &["worker"],
        last_share,
    ),
    gauge(
        "silverlode_worker_hashrate_hashes_per_second",
        "The rate that a worker's shares prove, over 5m, 1h and 24h; at most 1000 workers.",
        &["worker", "window"],
        hashrate,
    ),
    gauge(
        "silverlode_worker_hashrate_bound_hashes_per_second",
        "The ends, low and high, of the interval that holds the true rate 95 times of 100.",
        &["worker", "window", "bound"],
        hashrate_bounds,
    ),
    gauge(
        "silverlode_worker_suspicion_ratio",
        "Evidence that a worker hashes less than it claims: 0 none, 1 found short.",
        &["worker"],
        suspicion,
    ),
];
// tidy: end

/// The samples that a worker has, each behind its name.
fn each<I>(state: &State, of: impl Fn(&Worker) -> I) -> Samples
where
    I: IntoIterator<Item = (Vec<String>, f64)>,
{
    let all = |worker: &Worker| {
        let named = |(mut labels, value): (Vec<String>, f64)| {
            labels.insert(0, worker.worker.clone());
            (labels, value)
        };
        of(worker).into_iter().map(named).collect::<Vec<_>>()
    };
    of_gateway(state, |gateway| gateway.workers.iter().flat_map(all).collect())
}

fn counts(counts: &BTreeMap<String, u64>) -> Samples {
    counts.iter().map(|(label, count)| (vec![label.clone()], *count as f64)).collect()
}

fn shares(state: &State) -> Samples {
    each(state, |worker| {
        [("accepted", worker.accepted), ("rejected", worker.rejected), ("stale", worker.stale)]
            .map(|(verdict, count)| (vec![verdict.to_owned()], count as f64))
    })
}

fn rejected(state: &State) -> Samples {
    each(state, |worker| counts(&worker.rejected_by_reason))
}

fn stale(state: &State) -> Samples {
    each(state, |worker| counts(&worker.stale_by_coin))
}

fn forwarded(state: &State) -> Samples {
    each(state, |worker| {
        let counts = &worker.forwarded;
        let all = [
            ("accepted", counts.accepted),
            ("rejected", counts.rejected),
            ("stale", counts.stale),
            ("lost", counts.lost + counts.no_room),
            ("differing", counts.differing),
        ];
        let told = all.into_iter().filter(|_| counts.sent + counts.no_room > 0);
        told.map(|(verdict, count)| (vec![verdict.to_owned()], count as f64)).collect::<Vec<_>>()
    })
}

fn best(state: &State) -> Samples {
    each(state, |worker| worker.best_difficulty.map(|best| (Vec::new(), best)))
}

fn last_share(state: &State) -> Samples {
    each(state, |worker| worker.last_share_age_s.map(|age| (Vec::new(), age)))
}

fn hashrate(state: &State) -> Samples {
    each(state, |worker| {
        let proven = worker.proven.iter();
        proven
            .map(|(window, proven)| (vec![window.clone()], proven.hashrate_hs))
            .collect::<Vec<_>>()
    })
}

fn hashrate_bounds(state: &State) -> Samples {
    each(state, |worker| {
        let proven = worker.proven.iter();
        let both = proven.flat_map(|(window, proven)| {
            [("low", proven.low_hs), ("high", proven.high_hs)]
                .map(|(bound, rate)| (vec![window.clone(), bound.to_owned()], rate))
        });
        both.collect::<Vec<_>>()
    })
}

fn suspicion(state: &State) -> Samples {
    each(state, |worker| worker.work_done.as_ref().map(|done| (Vec::new(), done.suspicion)))
}
