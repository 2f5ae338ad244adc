//! The block tree: headers, the best chain by work, reorganisations. Bounded memory, no I/O.

mod branch;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use ethnum::U256;
use sl_chain::{Header, block::Block, coins::CoinRow, sha256d};
use sl_units::{Bits, Hash256, Target, Work};

pub(crate) use branch::Branch;

/// Bodies are kept, and forks allowed, this many blocks deep.
pub(crate) const KEPT_BLOCKS: u64 = 100;
/// Blocks beside the best chain that are kept.
const KEPT_SIDE_BLOCKS: usize = 128;

/// A header in the tree.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) header: Header,
    pub(crate) height: u64,
    /// Of the whole chain up to here.
    pub(crate) work: Work,
    /// Median of the times of the last 11 headers, this one included.
    pub(crate) median_time: u32,
    /// Id of the last HogEx on this branch.
    pub(crate) hogex: Hash256,
    pub(crate) tx_count: usize,
    /// The whole block, while it is recent; the checkpoint has none.
    pub(crate) body: Option<Arc<Block>>,
}

/// Where a new block came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// On top of the best chain, `left` blocks of which were given up for it.
    Tip {
        /// Blocks given up; 0 unless it is a reorganisation.
        left: usize,
    },
    /// Beside the best chain.
    Side,
}

/// A chain that begins with a checkpoint at the coin's start height. The headers before it are
/// synthetic: on schedule, at the start target.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) row: &'static CoinRow,
    pub(crate) pow_limit: Target,
    start_bits: Bits,
    start_time: u32,
    entries: HashMap<Hash256, Entry>,
    /// The best chain from `base` to the tip; never empty.
    active: VecDeque<Hash256>,
    /// Height of the first of `active`.
    base: u64,
    /// Blocks that stand, or once stood, beside the best chain, oldest first.
    side: VecDeque<Hash256>,
    kept_headers: usize,
}

impl Chain {
    /// A chain whose checkpoint is one spacing older than `now`.
    pub(crate) fn new(
        row: &'static CoinRow,
        pow_limit: Target,
        start_bits: Bits,
        now: u32,
        hogex: Hash256,
    ) -> Self {
        let spacing = u32::try_from(row.block_spacing.as_secs()).unwrap_or(u32::MAX);
        let start_time = now.saturating_sub(spacing);
        let header = Header {
            version: row.block_version(false),
            prev: Hash256::ZERO,
            merkle_root: sha256d(
                &[row.ticker.as_str().as_bytes(), hogex.as_bytes(), b"checkpoint"].concat(),
            ),
            time: start_time,
            bits: start_bits,
            nonce: 0,
        };
        let height = row.start_height;
        let each = start_bits.target().unwrap_or(pow_limit).to_u256();
        let work = (U256::MAX / each.max(U256::ONE)).saturating_mul(U256::from(height));
        let entry = Entry {
            header,
            height,
            work: Work::from_u256(work),
            median_time: start_time.saturating_sub(spacing.saturating_mul(5)),
            hogex,
            tx_count: 1,
            body: None,
        };
        let hash = header.hash();
        Self {
            row,
            pow_limit,
            start_bits,
            start_time,
            entries: HashMap::from([(hash, entry)]),
            active: VecDeque::from([hash]),
            base: height,
            side: VecDeque::new(),
            kept_headers: usize::try_from(row.retarget.look_back() + KEPT_BLOCKS)
                .unwrap_or(usize::MAX),
        }
    }

    /// The hash of the best chain's last block.
    pub(crate) fn tip(&self) -> Hash256 {
        self.active.back().copied().unwrap_or_default()
    }

    /// The best chain's last block.
    pub(crate) fn tip_entry(&self) -> &Entry {
        self.entries.get(&self.tip()).expect("the tip's entry is never dropped")
    }

    /// A block of the tree.
    pub(crate) fn get(&self, hash: &Hash256) -> Option<&Entry> {
        self.entries.get(hash)
    }

    /// The hash at a height of the best chain; `None` above the tip and where it is not kept.
    pub(crate) fn hash_at(&self, height: u64) -> Option<Hash256> {
        let index = usize::try_from(height.checked_sub(self.base)?).ok()?;
        self.active.get(index).copied()
    }

    /// Whether a block of the tree stands on the best chain.
    pub(crate) fn is_active(&self, hash: &Hash256, height: u64) -> bool {
        self.hash_at(height).as_ref() == Some(hash)
    }

    /// The history that ends with `tip`; `None` when it leaves the best chain below what is kept.
    pub(crate) fn branch(&self, tip: Hash256) -> Option<Branch<'_>> {
        Branch::new(self, tip)
    }

    /// Height of the checkpoint.
    pub(crate) fn start_height(&self) -> u64 {
        self.row.start_height
    }

    /// Lowest height of which the whole block is kept.
    pub(crate) fn prune_height(&self) -> u64 {
        self.tip_entry().height.saturating_sub(KEPT_BLOCKS - 1).max(self.start_height() + 1)
    }

    /// How many headers and bodies are in memory.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> (usize, usize) {
        let bodies = self.entries.values().filter(|entry| entry.body.is_some()).count();
        (self.entries.len(), bodies)
    }

    /// Adds a block that is known to be valid and whose parent is in the tree.
    pub(crate) fn insert(&mut self, hash: Hash256, entry: Entry) -> Placed {
        let (prev, height, work) = (entry.header.prev, entry.height, entry.work);
        let best = work > self.tip_entry().work;
        self.entries.insert(hash, entry);
        if !best {
            self.put_aside(hash);
            return Placed::Side;
        }
        // Back from the new tip to the best chain.
        let mut path = vec![hash];
        let (mut at, mut at_height) = (prev, height.saturating_sub(1));
        while !self.is_active(&at, at_height) {
            let Some(entry) = self.entries.get(&at) else {
                self.put_aside(hash);
                return Placed::Side;
            };
            path.push(at);
            at = entry.header.prev;
            at_height = at_height.saturating_sub(1);
        }
        let mut left = 0;
        while self.active.len() > 1 && self.tip() != at {
            if let Some(old) = self.active.pop_back() {
                self.put_aside(old);
                left += 1;
            }
        }
        for hash in path.into_iter().rev() {
            self.active.push_back(hash);
            self.drop_old();
        }
        Placed::Tip { left }
    }

    fn drop_old(&mut self) {
        if let Some(old) = self
            .active
            .len()
            .checked_sub(KEPT_BLOCKS as usize + 1)
            .and_then(|index| self.active.get(index))
            && let Some(entry) = self.entries.get_mut(old)
        {
            entry.body = None;
        }
        while self.active.len() > self.kept_headers {
            if let Some(old) = self.active.pop_front() {
                self.entries.remove(&old);
                self.base += 1;
            }
        }
    }

    fn put_aside(&mut self, hash: Hash256) {
        self.side.push_back(hash);
        if self.side.len() > KEPT_SIDE_BLOCKS
            && let Some(old) = self.side.pop_front()
            && let Some(height) = self.entries.get(&old).map(|entry| entry.height)
            && !self.is_active(&old, height)
            && !self.side.contains(&old)
        {
            self.entries.remove(&old);
        }
    }
}
