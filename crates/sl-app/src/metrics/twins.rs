//! Virtual machines.

use sl_view::State;

use super::{Metric, Samples, counter, gauge, labelled, one};

// tidy: table
/// Of virtual machines.
pub(super) const METRICS: &[Metric] = &[
    gauge(
        "silverlode_twin_machines",
        "Virtual machines by what they do: mining, waiting (for a job), asleep, stopped, starting.",
        &["state"],
        |state| {
            of_twins(state, |twins| {
                let others = twins.mining + twins.waiting + twins.asleep + twins.stopped;
                labelled([
                    ("mining", twins.mining),
                    ("waiting", twins.waiting),
                    ("asleep", twins.asleep),
                    ("stopped", twins.stopped),
                    ("starting", twins.total.saturating_sub(others)),
                ])
            })
        },
    ),
    gauge(
        "silverlode_twin_shown_hashes_per_second",
        "Hash rate that virtual machines show together, which carries the scale.",
        &[],
        |state| of_twins(state, |twins| one(Some(twins.hashrate_shown_hs))),
    ),
    gauge(
        "silverlode_twin_hash_scale",
        "Hashes that virtual machines claim for each real one.",
        &[],
        |state| of_twins(state, |twins| one(Some(twins.hash_scale))),
    ),
    counter(
        "silverlode_twin_shares_total",
        "Shares of virtual machines by what their pools said: accepted, rejected, stale (none).",
        &["verdict"],
        |state| {
            of_twins(state, |twins| {
                labelled([
                    ("accepted", twins.accepted),
                    ("rejected", twins.rejected),
                    ("stale", twins.stale),
                ])
            })
        },
    ),
    counter(
        "silverlode_twin_hashes_total",
        "Real hashes made for virtual machines.",
        &[],
        |state| of_twins(state, |twins| one(Some(twins.hashes as f64))),
    ),
    counter(
        "silverlode_twin_hashes_missed_total",
        "Real hashes that virtual machines should have made and that the engine had no time for.",
        &[],
        |state| of_twins(state, |twins| one(Some(twins.hashes_missed))),
    ),
];
// tidy: end

fn of_twins(state: &State, value: impl Fn(&sl_view::Twins) -> Samples) -> Samples {
    state.summary.twins.as_ref().map(value).unwrap_or_default()
}
