//! A node: chain, mempool and auxiliary blocks behind the calls of its RPC. Pure: no socket, and
//! time comes in with each call.

mod submit;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    net::SocketAddr,
    sync::Arc,
};

use sl_chain::coins::{CoinRow, Ticker};
use sl_units::{Bits, Hash256, Mono, NodeDifficulty};

use crate::{
    auxiliary::AuxBlocks,
    chain::Chain,
    offer::{Offer, first_hogex},
    template::Template,
    validate::Pow,
    world::World,
};

pub(crate) use submit::{Known, Submitted};

/// Computes the proof-of-work hash of a header.
pub type PowHash = Arc<Pow>;

/// Refused blocks that are remembered as invalid, and headers remembered without a body.
const REMEMBERED: usize = 256;

/// A simulated coin node. [`Node::call`](Self::call) is its one door.
pub struct Node {
    pub(crate) row: &'static CoinRow,
    pub(crate) world: World,
    pub(crate) pow: PowHash,
    pub(crate) chain: Chain,
    pub(crate) aux: AuxBlocks,
    offers: VecDeque<(Hash256, Arc<Offer>)>,
    invalid: VecDeque<Hash256>,
    headers: VecDeque<Hash256>,
    status: NodeStatus,
    revision: u64,
}

/// How a node stands; for screens, and for measuring how fast a new tip becomes a job.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeStatus {
    /// The coin.
    pub ticker: Ticker,
    /// Where its RPC listens; `None` while it does not.
    pub listen: Option<SocketAddr>,
    /// Height of the best chain.
    pub height: u64,
    /// Hash of its last block.
    pub tip: Hash256,
    /// When that block became the last one.
    pub tip_since: Mono,
    /// Target that the next block must meet, in compact form.
    pub bits: Bits,
    /// The same as the nodes' difficulty.
    pub difficulty: NodeDifficulty,
    /// Hashes that the next block takes on average.
    pub expected_hashes_per_block: f64,
    /// Submitted blocks that extended the best chain, or became it.
    pub blocks_accepted: u64,
    /// Submitted blocks that were valid, but came to stand beside the best chain.
    pub blocks_beside: u64,
    /// Submitted blocks that were refused, by the daemons' word for it.
    pub blocks_rejected: BTreeMap<String, u64>,
    /// How often the best chain was left for another.
    pub reorgs: u64,
    /// Blocks given up by the deepest of these reorganisations.
    pub deepest_reorg: u64,
}

impl Node {
    /// A node of a coin at the start of a world, with a chain of one synthetic checkpoint at
    /// [`CoinRow::start_height`].
    #[must_use]
    pub fn new(row: &'static CoinRow, world: World, pow: PowHash) -> Self {
        let (limit, bits) = (world.pow_limit(), world.start_bits(row));
        let start = world.chain_time(world.started);
        let chain = Chain::new(row, limit, bits, start, first_hogex(row, world.seed));
        let status = NodeStatus {
            ticker: row.ticker,
            listen: None,
            height: chain.tip_entry().height,
            tip: chain.tip(),
            tip_since: world.started,
            bits,
            difficulty: NodeDifficulty::from(limit),
            expected_hashes_per_block: 0.0,
            blocks_accepted: 0,
            blocks_beside: 0,
            blocks_rejected: BTreeMap::new(),
            reorgs: 0,
            deepest_reorg: 0,
        };
        let mut node = Self {
            row,
            world,
            pow,
            chain,
            aux: AuxBlocks::default(),
            offers: VecDeque::new(),
            invalid: VecDeque::new(),
            headers: VecDeque::new(),
            status,
            revision: 0,
        };
        node.note_tip(world.started);
        node
    }

    /// How the node stands.
    #[must_use]
    pub const fn status(&self) -> &NodeStatus {
        &self.status
    }

    /// A number that changes whenever the status does.
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// The template of the next block.
    pub(crate) fn template(&mut self, now: Mono) -> Template {
        let offer = self.offer(self.chain.tip());
        Template::next(&self.chain, offer, self.world.chain_time(now))
    }

    /// What this node offers for the block after `prev`; the last few are kept.
    pub(crate) fn offer(&mut self, prev: Hash256) -> Arc<Offer> {
        if let Some((_, offer)) = self.offers.iter().find(|(hash, _)| *hash == prev) {
            return Arc::clone(offer);
        }
        let (height, hogex) = self
            .chain
            .get(&prev)
            .map_or((0, Hash256::ZERO), |entry| (entry.height.saturating_add(1), entry.hogex));
        let offer = Arc::new(Offer::at(self.row, self.world.seed, height, hogex));
        self.offers.push_back((prev, Arc::clone(&offer)));
        if self.offers.len() > 4 {
            self.offers.pop_front();
        }
        offer
    }

    fn note_tip(&mut self, now: Mono) {
        let (tip, entry) = (self.chain.tip(), self.chain.tip_entry());
        let bits = self.chain.branch(tip).map_or(entry.header.bits, |branch| branch.next_bits());
        self.status.height = entry.height;
        self.status.tip = tip;
        self.status.tip_since = now;
        self.status.bits = bits;
        if let Ok(target) = bits.target() {
            self.status.difficulty = NodeDifficulty::from(target);
            self.status.expected_hashes_per_block = target.expected_hashes();
        }
        self.revision += 1;
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sl_chain::coins;
    use sl_units::{HashRate, Wall};

    use super::*;
    use crate::{
        chain::KEPT_BLOCKS,
        validate::{Mark, Refused},
    };

    /// A node of a coin in the easiest world, where every header has done its work.
    fn node(ticker: &str) -> Node {
        let start = Wall::from_secs(1_800_000_000);
        let mut world = World::new(start, Mono::default(), 3, HashRate::from_hs(1.0));
        world.min_hashes_per_block = 1.0;
        let row = coins::by_ticker(ticker).expect("in the table");
        Node::new(row, world, Arc::new(|_: &[u8; 80]| Hash256::ZERO))
    }

    #[test]
    fn memory_is_bounded_whatever_the_height() {
        for ticker in ["LTC", "DOGE"] {
            let mut node = node(ticker);
            let headers = node.row.retarget.look_back() + KEPT_BLOCKS;
            let version = node.row.block_version(false);
            let mut now = Mono::default();
            for round in 0..10_000u32 {
                now = now + Duration::from_secs(6);
                let template = node.template(now);
                let mut block = template.block(version, &[0x51]).expect("builds");
                // Every tenth block has siblings, every hundredth height loses to a branch.
                if round % 10 == 0 {
                    for nonce in 1..4 {
                        block.header.nonce = nonce;
                        node.submit(block.clone(), now);
                    }
                }
                block.header.nonce = 0;
                let verdict = node.submit(block, now);
                assert!(matches!(verdict, Submitted::Tip | Submitted::Beside), "{verdict:?}");
                node.refuse(
                    Hash256::from_bytes([round as u8; 32]),
                    Refused {
                        reason: format!("bad-version(0x{round:08x})").into(),
                        detail: None,
                        mark: Mark::Invalid,
                    },
                );
            }
            let (kept, bodies) = node.chain.kept();
            assert!(kept as u64 <= headers + 128 + 1, "{ticker}: {kept} headers");
            assert!(bodies as u64 <= KEPT_BLOCKS + 128 + 1, "{ticker}: {bodies} bodies");
            assert!(node.offers.len() <= 4 && node.invalid.len() <= REMEMBERED);
            assert_eq!(node.status.blocks_rejected.len(), 1);
            assert!(node.status.height >= node.row.start_height + 9_000);
        }
    }

    #[test]
    fn auxiliary_blocks_are_bounded() {
        let mut node = node("DOGE");
        let template = node.template(Mono::default());
        for payout in 0..2_000u32 {
            let script = payout.to_le_bytes();
            let build = || template.block(1, &script);
            let made = node.aux.obtain(template.prev, &script, template.time, build);
            assert!(made.is_some());
        }
        assert!(node.aux.len() <= 256);
    }
}
