//! What becomes of the blocks found: told to people, tallied by chain, written into the journal.

use std::collections::BTreeMap;

use sl_chain::coins::Ticker;
use sl_ledger::{BlockEntry, BlockJob, Entry, Journal};
use sl_ports::Clock;
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

/// Who tells what became of blocks.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    pub(crate) tallies: watch::Sender<Tallies>,
    pub(crate) journal: Option<Journal>,
    pub(crate) clock: Clock,
}

impl Teller {
    /// The service: takes events until told to stop and none are left.
    pub(crate) async fn tell(
        &self,
        events: &mut mpsc::Receiver<BlockEvent>,
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
                Some(event) => self.take(&event),
                None => {
                    ctx.stopped().await;
                    break;
                }
            }
        }
        while let Ok(event) = events.try_recv() {
            self.take(&event);
        }
        Ok(())
    }

    fn take(&self, event: &BlockEvent) {
        take(event, &self.tallies);
        let Some(journal) = &self.journal else { return };
        let entry = BlockEntry {
            at: self.clock.wall(),
            chain: event.chain,
            height: event.height,
            hash: event.hash,
            worker: event.worker.clone(),
            // The gateway numbers jobs for the journal, and nodes do not know its numbers.
            job: BlockJob::Id(event.job.clone()),
            event: match &event.outcome {
                BlockOutcome::Accepted => sl_ledger::BlockEvent::Accepted,
                BlockOutcome::Refused(why) => sl_ledger::BlockEvent::Rejected(why.clone()),
                BlockOutcome::Unreachable(why) => sl_ledger::BlockEvent::Rejected(
                    format!("the node could not be reached: {why}").into(),
                ),
            },
        };
        if journal.append(vec![Entry::Block(entry)]).is_err() {
            tracing::warn!(chain = %event.chain, "a block is not in the journal: it has no room");
        }
    }
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
