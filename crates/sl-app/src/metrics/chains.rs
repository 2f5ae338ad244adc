//! Chains and our blocks on them.

use sl_view::State;

use super::{Metric, Samples, counter, gauge};

// tidy: table
/// Of chains.
pub(super) const METRICS: &[Metric] = &[
    gauge("silverlode_chain_height", "Height of the tip of a chain's node.", &["chain"], |state| {
        by_chain(state, |chain| chain.height.map(|height| height as f64))
    }),
    gauge(
        "silverlode_chain_difficulty",
        "Difficulty of a chain's next block, in the scale of nodes.",
        &["chain"],
        |state| by_chain(state, |chain| chain.difficulty),
    ),
    gauge(
        "silverlode_chain_node_up",
        "1 if a chain's node gives work that is mined, 0 if not.",
        &["chain"],
        |state| by_chain(state, |chain| Some(f64::from(u8::from(chain.node == "ok")))),
    ),
    counter(
        "silverlode_blocks_total",
        "Blocks of ours, by outcome: found, accepted, rejected, unreachable, spare, late.",
        &["chain", "outcome"],
        |state| {
            let outcomes = |(ticker, chain): (&String, &sl_view::Chain)| {
                [
                    ("found", chain.blocks_found),
                    ("accepted", chain.blocks_accepted),
                    ("rejected", chain.blocks_rejected),
                    ("unreachable", chain.blocks_unreachable),
                    ("spare", chain.blocks_spare),
                    ("late", chain.blocks_late),
                ]
                .map(|(outcome, count)| (vec![ticker.clone(), outcome.to_owned()], count as f64))
            };
            state.summary.chains.iter().flat_map(outcomes).collect()
        },
    ),
    counter(
        "silverlode_coins_mined_total",
        "What our accepted blocks pay, in the chain's coins; play coins on simulated chains.",
        &["chain"],
        |state| by_chain(state, |chain| Some(chain.coins)),
    ),
];
// tidy: end

fn by_chain(state: &State, value: impl Fn(&sl_view::Chain) -> Option<f64>) -> Samples {
    let chains = state.summary.chains.iter();
    chains.filter_map(|(ticker, chain)| Some((vec![ticker.clone()], value(chain)?))).collect()
}
