//! The blocks that `createauxblock` has given out and `submitauxblock` may complete.

use std::collections::{HashMap, VecDeque};

use sl_chain::block::Block;
use sl_units::Hash256;

/// A block is built anew after so long, in chain seconds (as real ones are when their mempool
/// changed, which is always).
const MAX_AGE: u32 = 60;
/// Most blocks kept; the oldest goes first.
const KEPT: usize = 256;

/// The blocks given out on one tip, one at a time for each payout script.
///
/// As in the Dogecoin family, a new tip empties it at the next `createauxblock`, not before: until
/// then, a block accepted from here may be submitted again and is accepted again.
#[derive(Debug, Default)]
pub(crate) struct AuxBlocks {
    tip: Hash256,
    made: HashMap<Hash256, Block>,
    order: VecDeque<Hash256>,
    current: HashMap<Vec<u8>, (Hash256, u32)>,
}

impl AuxBlocks {
    /// The block for a payout script: the last one while tip and age allow, else what `build`
    /// makes. `now` is chain time.
    pub(crate) fn obtain(
        &mut self,
        tip: Hash256,
        script: &[u8],
        now: u32,
        build: impl FnOnce() -> Option<Block>,
    ) -> Option<(Hash256, &Block)> {
        if self.tip != tip {
            *self = Self { tip, ..Self::default() };
        }
        let hash = match self.current.get(script) {
            Some((hash, made_at)) if now <= made_at.saturating_add(MAX_AGE) => *hash,
            _ => {
                let block = build()?;
                let hash = block.header.hash();
                if self.made.insert(hash, block).is_none() {
                    self.order.push_back(hash);
                }
                self.current.insert(script.to_vec(), (hash, now));
                self.drop_oldest();
                hash
            }
        };
        Some((hash, self.made.get(&hash)?))
    }

    /// A block given out.
    pub(crate) fn get(&self, hash: &Hash256) -> Option<&Block> {
        self.made.get(hash)
    }

    /// How many blocks are in memory.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.made.len().max(self.current.len())
    }

    fn drop_oldest(&mut self) {
        while self.order.len() > KEPT {
            if let Some(old) = self.order.pop_front() {
                self.made.remove(&old);
                self.current.retain(|_, (hash, _)| *hash != old);
            }
        }
    }
}
