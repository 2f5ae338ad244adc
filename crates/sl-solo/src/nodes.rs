//! The tasks that speak with the nodes: a watcher and a submitter for each.

mod auxiliary;
mod parent;
mod submit;

use std::{pin::Pin, sync::Arc, time::Duration};

use sl_noderpc::{ChainInfo, NodeClient, NodeError, NodeFault};
use sl_ports::Clock;
use sl_units::{Hash256, Mono};
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use crate::{
    assemble::{AuxWork, ParentWork},
    settings::Member,
    status::{BlockEvent, NodeState},
};

pub(crate) use auxiliary::watch_auxiliary;
pub(crate) use parent::watch_parent;
pub(crate) use submit::{Find, Submitter};

/// What the tasks tell the source.
#[derive(Debug)]
pub(crate) enum Report {
    /// The parent's node has a template.
    Parent { work: Arc<ParentWork>, learned: Mono },
    /// An auxiliary's node has a block to be won.
    Auxiliary { seat: usize, work: AuxWork, learned: Mono },
    /// A node gives no work. The parent's is seat `None`.
    Trouble { seat: Option<usize>, state: NodeState },
    /// A node answered about a block on `tip`.
    Settled { event: BlockEvent, tip: Hash256, event_lost: bool },
}

/// What a watcher works with.
pub(crate) struct Watcher {
    pub(crate) member: Member,
    pub(crate) client: NodeClient,
    pub(crate) clock: Clock,
    pub(crate) reports: mpsc::Sender<Report>,
    /// Rung after an accepted block: there is a new tip.
    pub(crate) poke: Arc<Notify>,
    pub(crate) refresh: Duration,
    pub(crate) tip_poll: Duration,
    pub(crate) backoff: Backoff,
}

/// A call under way that is never dropped while its node works: a node serves few calls at once,
/// and one that waits would hold its place.
type Waiting<T> = Pin<Box<dyn Future<Output = Result<T, NodeError>> + Send>>;

impl Watcher {
    /// Tells of trouble and waits before the next attempt.
    async fn trouble(&mut self, seat: Option<usize>, state: NodeState) {
        // A source that is gone needs no news; the task is aborted with it.
        let _ = self.reports.send(Report::Trouble { seat, state }).await;
        sleep(self.backoff.next_delay()).await;
    }
}

/// Why a session with a node ended.
enum Ended {
    Node(NodeError),
    WrongChain(String),
}

impl From<NodeError> for Ended {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

impl Ended {
    fn state(&self) -> NodeState {
        match self {
            Self::Node(error) => NodeState::Down(error.to_string().into()),
            Self::WrongChain(why) => NodeState::WrongChain(why.as_str().into()),
        }
    }
}

/// Whether a node says that its coins are play coins.
fn says_simulated(info: &ChainInfo) -> bool {
    info.warnings.contains("simulated chain")
}

/// A call, and once more if its connection broke: nodes close idle connections when they like.
async fn steady<T, F>(mut call: impl FnMut() -> F) -> Result<T, NodeError>
where
    F: Future<Output = Result<T, NodeError>>,
{
    match call().await {
        Err(NodeError { fault: NodeFault::Unreachable { .. }, .. }) => {
            sleep(Duration::from_millis(50)).await;
            call().await
        }
        other => other,
    }
}

/// Delays that double from a quarter of a second to ten, each between half and whole by chance.
#[derive(Debug)]
pub(crate) struct Backoff {
    rng: fastrand::Rng,
    attempt: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(10);

    pub(crate) const fn new(rng: fastrand::Rng) -> Self {
        Self { rng, attempt: 0 }
    }

    pub(crate) const fn reset(&mut self) {
        self.attempt = 0;
    }

    pub(crate) fn next_delay(&mut self) -> Duration {
        let whole = Self::FIRST.saturating_mul(1 << self.attempt.min(10)).min(Self::LONGEST);
        self.attempt = self.attempt.saturating_add(1);
        whole.mul_f64(0.5 + self.rng.f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_within_bounds() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        let delays: Vec<Duration> = (0..40).map(|_| backoff.next_delay()).collect();
        for (at, delay) in delays.iter().enumerate() {
            let whole = Backoff::FIRST.saturating_mul(1 << at.min(10)).min(Backoff::LONGEST);
            assert!(*delay >= whole / 2 && *delay <= whole, "{at}: {delay:?}");
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Backoff::FIRST);
    }
}
