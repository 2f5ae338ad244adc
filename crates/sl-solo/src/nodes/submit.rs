use std::{sync::Arc, time::Duration};

use sl_chain::sha256d;
use sl_noderpc::{AuxCall, NodeClient, NodeError, NodeFault, SubmitOutcome};
use sl_ports::Clock;
use sl_units::Hash256;
use sl_work::{Goal, JobId, Proven, WorkerName};
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use super::{Backoff, Report};
use crate::{
    assemble::Unsolved,
    jobs::Issued,
    status::{BlockEvent, BlockOutcome},
};

/// Attempts while the connection fails: half a minute at least when it is refused at once, so that
/// a node has time to restart.
const ATTEMPTS: u32 = 11;
/// How long a full lane of events is waited for.
const EVENT_PATIENCE: Duration = Duration::from_secs(5);

/// A share that wins a block.
#[derive(Clone, Debug)]
pub(crate) struct Find {
    pub(crate) issued: Arc<Issued>,
    pub(crate) share: Arc<Proven>,
    pub(crate) goal: Goal,
    pub(crate) worker: WorkerName,
}

impl Find {
    fn is_parent(&self) -> bool {
        self.issued.blueprint.parent_chain() == self.goal.chain
    }

    /// The block's hash, as explorers show it.
    fn hash(&self) -> Hash256 {
        match self.issued.blueprint.auxiliary(self.goal.chain) {
            Some(work) => work.template.hash,
            None => sha256d(self.share.header()),
        }
    }

    pub(crate) fn event(&self, outcome: BlockOutcome, clock: &Clock) -> BlockEvent {
        let job: &JobId = &self.share.job().id;
        BlockEvent {
            chain: self.goal.chain,
            height: self.goal.height,
            hash: self.hash(),
            reward: self.goal.reward,
            job: job.clone(),
            worker: Arc::clone(&self.worker),
            at: clock.mono(),
            outcome,
            missed_parent_target: self.issued.blueprint.misses_parent(&self.share),
        }
    }
}

/// Hands the finds of one chain in, one after the other.
pub(crate) struct Submitter {
    pub(crate) client: NodeClient,
    pub(crate) clock: Clock,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) events: mpsc::Sender<BlockEvent>,
    pub(crate) poke: Arc<Notify>,
    pub(crate) backoff: Backoff,
}

impl Submitter {
    /// Until the lane is closed and empty.
    pub(crate) async fn run(mut self, mut lane: mpsc::Receiver<Find>) {
        while let Some(find) = lane.recv().await {
            let outcome = self.hand_in(&find).await;
            if outcome == BlockOutcome::Accepted {
                // The node has a new tip: do not wait until it says so.
                self.poke.notify_one();
            }
            let event = find.event(outcome, &self.clock);
            let event_lost = timeout(EVENT_PATIENCE, self.events.send(event.clone()))
                .await
                .map_or(true, |sent| sent.is_err());
            let settled = Report::Settled { event, tip: find.goal.tip, event_lost };
            let _ = self.reports.send(settled).await;
        }
    }

    async fn hand_in(&mut self, find: &Find) -> BlockOutcome {
        let solved = if find.is_parent() {
            find.issued.blueprint.solve_parent(&find.share)
        } else {
            find.issued.blueprint.solve_aux(&find.share, find.goal.chain)
        };
        let bytes = match solved {
            Ok(bytes) => bytes,
            Err(why) => return not_sent(&why),
        };
        self.backoff.reset();
        let mut attempt = 1;
        loop {
            match self.once(find, &bytes).await {
                Ok(SubmitOutcome::Accepted) => return BlockOutcome::Accepted,
                // The attempt before had reached the node after all.
                Ok(SubmitOutcome::Refused(reason)) if attempt > 1 && reason == "duplicate" => {
                    return BlockOutcome::Accepted;
                }
                // A node that took an auxiliary block forgets its template, and refuses the rest.
                Ok(SubmitOutcome::Refused(_))
                | Err(NodeError { fault: NodeFault::Rpc { code: -8, .. }, .. })
                    if attempt > 1 && self.has(find).await =>
                {
                    return BlockOutcome::Accepted;
                }
                Ok(SubmitOutcome::Refused(reason)) => {
                    return BlockOutcome::Refused(reason.into());
                }
                Err(error) if error.fault.is_connection() => {
                    if attempt == ATTEMPTS {
                        return BlockOutcome::Unreachable(
                            format!("{error} ({attempt} attempts)").into(),
                        );
                    }
                    attempt += 1;
                    sleep(self.backoff.next_delay()).await;
                }
                Err(NodeError { node, fault: NodeFault::Rpc { code: -8, message, .. } }) => {
                    let why = format!(
                        "{node}: {message}; hint: it has forgotten the block, was it restarted?"
                    );
                    return BlockOutcome::Refused(why.into());
                }
                Err(error) => return BlockOutcome::Refused(error.to_string().into()),
            }
        }
    }

    /// Whether the block stands in the node's chain.
    async fn has(&self, find: &Find) -> bool {
        self.client.block_hash(find.goal.height).await == Ok(find.hash())
    }

    async fn once(&self, find: &Find, bytes: &[u8]) -> Result<SubmitOutcome, NodeError> {
        let Some(work) = find.issued.blueprint.auxiliary(find.goal.chain) else {
            return self.client.submit_block(bytes).await;
        };
        let taken = match work.call {
            AuxCall::Create => self.client.submit_aux_block(work.template.hash, bytes).await?,
            AuxCall::Get => self.client.submit_get_aux_block(work.template.hash, bytes).await?,
        };
        Ok(if taken {
            SubmitOutcome::Accepted
        } else {
            let why = "the node said false without a reason, and our own check of the proof found \
                       nothing; hint: the node's debug.log has the rule";
            SubmitOutcome::Refused(why.into())
        })
    }
}

fn not_sent(why: &Unsolved) -> BlockOutcome {
    BlockOutcome::Refused(format!("not sent: {why}").into())
}
