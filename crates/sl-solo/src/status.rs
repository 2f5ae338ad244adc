use std::sync::Arc;

use sl_chain::coins::Ticker;
use sl_units::{CoinAmount, Hash256, Mono, NodeDifficulty};
use sl_work::{JobId, WorkerName};

/// How the source fares, chain by chain.
#[derive(Clone, Debug, Default)]
pub struct SoloStatus {
    /// The parent first, then the auxiliaries as in the settings.
    pub chains: Vec<ChainStatus>,
    /// Jobs made; each goes to every lease.
    pub jobs: u64,
    /// Jobs that made earlier ones stale.
    pub epochs: u64,
    /// Leases that hold work.
    pub leases: usize,
    /// Shares that count on one chain at least.
    pub shares_accepted: u64,
    /// Shares that count on none.
    pub shares_stale: u64,
    /// Block events that nobody took.
    pub events_lost: u64,
}

/// How one chain fares.
#[derive(Clone, Debug)]
pub struct ChainStatus {
    /// The chain.
    pub chain: Ticker,
    /// Height of its tip.
    pub height: Option<u64>,
    /// Its tip.
    pub tip: Option<Hash256>,
    /// Difficulty of its next block.
    pub difficulty: Option<NodeDifficulty>,
    /// Its node.
    pub node: NodeState,
    /// Since when its node stands so.
    pub since: Mono,
    /// Blocks handed in.
    pub blocks_found: u64,
    /// Blocks that the node took.
    pub blocks_accepted: u64,
    /// Blocks that the node, or our own check, refused.
    pub blocks_rejected: u64,
    /// Blocks that the node could not be reached for.
    pub blocks_unreachable: u64,
    /// Finds beyond the first on a tip, not handed in.
    pub spare: u64,
    /// Finds on a tip that no longer stood.
    pub late: u64,
    /// Shares that counted on this chain.
    pub shares_credited: u64,
    /// Shares that did not, because its tip had fallen.
    pub shares_missed: u64,
    /// What last went wrong, with its node or a block.
    pub last_error: Option<Arc<str>>,
}

impl ChainStatus {
    pub(crate) const fn new(chain: Ticker) -> Self {
        Self {
            chain,
            height: None,
            tip: None,
            difficulty: None,
            node: NodeState::Connecting,
            since: Mono::from_start(std::time::Duration::ZERO),
            blocks_found: 0,
            blocks_accepted: 0,
            blocks_rejected: 0,
            blocks_unreachable: 0,
            spare: 0,
            late: 0,
            shares_credited: 0,
            shares_missed: 0,
            last_error: None,
        }
    }
}

/// How a node stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NodeState {
    /// Nothing is known of it yet.
    Connecting,
    /// It gives work, which is mined.
    Ok,
    /// It gives none.
    Down(Arc<str>),
    /// It is a node of another chain.
    WrongChain(Arc<str>),
    /// It gives work that cannot be mined with the others.
    LeftOut(Arc<str>),
}

impl NodeState {
    /// What is wrong, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<&Arc<str>> {
        match self {
            Self::Connecting | Self::Ok => None,
            Self::Down(why) | Self::WrongChain(why) | Self::LeftOut(why) => Some(why),
        }
    }
}

/// A block that was found, and what its node said.
#[derive(Clone, Debug)]
pub struct BlockEvent {
    /// The chain.
    pub chain: Ticker,
    /// Its height.
    pub height: u64,
    /// Its hash, as explorers show it.
    pub hash: Hash256,
    /// What it pays to us, by the node's own template.
    pub reward: CoinAmount,
    /// The job it was found on.
    pub job: JobId,
    /// Who found it.
    pub worker: WorkerName,
    /// When the node's answer came.
    pub at: Mono,
    /// What became of it.
    pub outcome: BlockOutcome,
    /// Whether its share misses the parent's target: an auxiliary block without a parent's.
    pub missed_parent_target: bool,
}

/// What became of a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlockOutcome {
    /// The node took it.
    Accepted,
    /// The node, or our own check before it, refused it.
    Refused(Arc<str>),
    /// The node could not be reached in time.
    Unreachable(Arc<str>),
}
