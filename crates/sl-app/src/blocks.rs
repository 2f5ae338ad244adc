//! What becomes of the blocks found: told to people, and tallied by chain.

use std::collections::BTreeMap;

use sl_chain::coins::Ticker;
use sl_solo::{BlockEvent, BlockOutcome};
use sl_supervise::{Ctx, ServiceError};
use sl_units::CoinAmount;
use tokio::sync::{mpsc, watch};

/// What the accepted blocks of a chain amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// What they pay.
    pub(crate) coins: CoinAmount,
    /// How many came from a share that missed the parent's target.
    pub(crate) below_parent: u64,
}

pub(crate) type Tallies = BTreeMap<Ticker, Tally>;

/// The service: takes events until told to stop and none are left.
pub(crate) async fn tally(
    events: &mut mpsc::Receiver<BlockEvent>,
    tallies: &watch::Sender<Tallies>,
    ctx: Ctx,
) -> Result<(), ServiceError> {
    ctx.ready();
    loop {
        // Cancel-safe: a receive, a token.
        let event = tokio::select! {
            biased;
            event = events.recv() => event,
            () = ctx.stopped() => break,
        };
        match event {
            Some(event) => take(&event, tallies),
            None => {
                ctx.stopped().await;
                break;
            }
        }
    }
    while let Ok(event) = events.try_recv() {
        take(&event, tallies);
    }
    Ok(())
}

fn take(event: &BlockEvent, tallies: &watch::Sender<Tallies>) {
    let BlockEvent { chain, height, hash, reward, worker, .. } = event;
    match &event.outcome {
        BlockOutcome::Accepted => {
            let below = if event.missed_parent_target {
                ", its share missed the parent's target"
            } else {
                ""
            };
            tracing::info!(%chain, height, %reward, %worker, "block accepted{below}");
            tallies.send_modify(|tallies| {
                let tally = tallies.entry(*chain).or_default();
                tally.coins = tally.coins.plus(*reward);
                tally.below_parent += u64::from(event.missed_parent_target);
            });
        }
        BlockOutcome::Refused(why) => tracing::warn!(%chain, height, %hash, %why, "block refused"),
        BlockOutcome::Unreachable(why) => {
            tracing::error!(%chain, height, %hash, %why, "block could not be handed in");
        }
    }
}
