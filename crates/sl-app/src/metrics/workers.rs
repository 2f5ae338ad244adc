//! What is told of each worker; the state tree has at most 1000 of them.

use std::collections::BTreeMap;

use sl_view::{State, Worker};

use super::{Samples, of_gateway};

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

pub(super) fn shares(state: &State) -> Samples {
    each(state, |worker| {
        [("accepted", worker.accepted), ("rejected", worker.rejected), ("stale", worker.stale)]
            .map(|(verdict, count)| (vec![verdict.to_owned()], count as f64))
    })
}

pub(super) fn rejected(state: &State) -> Samples {
    each(state, |worker| counts(&worker.rejected_by_reason))
}

pub(super) fn stale(state: &State) -> Samples {
    each(state, |worker| counts(&worker.stale_by_coin))
}

pub(super) fn forwarded(state: &State) -> Samples {
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

pub(super) fn best(state: &State) -> Samples {
    each(state, |worker| worker.best_difficulty.map(|best| (Vec::new(), best)))
}

pub(super) fn last_share(state: &State) -> Samples {
    each(state, |worker| worker.last_share_age_s.map(|age| (Vec::new(), age)))
}

pub(super) fn hashrate(state: &State) -> Samples {
    each(state, |worker| {
        let proven = worker.proven.iter();
        proven
            .map(|(window, proven)| (vec![window.clone()], proven.hashrate_hs))
            .collect::<Vec<_>>()
    })
}

pub(super) fn hashrate_bounds(state: &State) -> Samples {
    each(state, |worker| {
        let proven = worker.proven.iter();
        let both = proven.flat_map(|(window, proven)| {
            [("low", proven.low_hs), ("high", proven.high_hs)]
                .map(|(bound, rate)| (vec![window.clone(), bound.to_owned()], rate))
        });
        both.collect::<Vec<_>>()
    })
}

pub(super) fn suspicion(state: &State) -> Samples {
    each(state, |worker| worker.work_done.as_ref().map(|done| (Vec::new(), done.suspicion)))
}
