use sl_chain::coins::{History, next_bits};
use sl_units::{Bits, Hash256};

use super::{Chain, Entry};

/// A chain as it looks from one of its blocks: that block's ancestors, side blocks included, and
/// the synthetic headers before the checkpoint.
pub(crate) struct Branch<'a> {
    chain: &'a Chain,
    /// Blocks beside the best chain, from the tip down.
    side: Vec<&'a Entry>,
    height: u64,
}

impl<'a> Branch<'a> {
    pub(super) fn new(chain: &'a Chain, tip: Hash256) -> Option<Self> {
        let mut entry = chain.get(&tip)?;
        let (height, mut hash, mut side) = (entry.height, tip, Vec::new());
        while !chain.is_active(&hash, entry.height) {
            side.push(entry);
            hash = entry.header.prev;
            entry = chain.get(&hash)?;
        }
        Some(Self { chain, side, height })
    }

    /// Height at which the branch leaves the best chain.
    pub(crate) fn fork_height(&self) -> u64 {
        self.height - self.side.len() as u64
    }

    /// The compact target of the block after the branch's tip, by the coin's own rule.
    pub(crate) fn next_bits(&self) -> Bits {
        let row = self.chain.row;
        next_bits(row.retarget, self.chain.pow_limit, row.block_spacing, self)
    }

    /// Median of the times of the last 11 headers when one at `time` follows.
    pub(crate) fn median_with(&self, time: u32) -> u32 {
        let mut times: Vec<u32> = (0..10)
            .filter_map(|back| self.time(self.height.checked_sub(back)?))
            .chain([time])
            .collect();
        median(&mut times)
    }

    /// Expected hashes and chain seconds of the last `count` blocks.
    pub(crate) fn recent_work(&self, count: u64) -> (f64, u32) {
        let first = self.height.saturating_sub(count);
        let hashes = (first + 1..=self.height)
            .filter_map(|height| Some(self.bits(height)?.target().ok()?.expected_hashes()))
            .sum();
        let times = (first..=self.height).filter_map(|height| self.time(height));
        let (least, most) =
            times.fold((u32::MAX, 0), |(least, most), time| (least.min(time), most.max(time)));
        (hashes, most.saturating_sub(least))
    }

    fn entry(&self, height: u64) -> Option<&Entry> {
        if height > self.fork_height() {
            let from_tip = usize::try_from(self.height.checked_sub(height)?).ok()?;
            self.side.get(from_tip).copied()
        } else {
            self.chain.get(&self.chain.hash_at(height)?)
        }
    }

    /// Blocks that a height is below the checkpoint.
    fn below_start(&self, height: u64) -> Option<u64> {
        self.chain.start_height().checked_sub(height).filter(|below| *below > 0)
    }
}

impl History for Branch<'_> {
    fn height(&self) -> u64 {
        self.height
    }

    fn time(&self, height: u64) -> Option<u32> {
        match self.below_start(height) {
            Some(below) => {
                let before = below.saturating_mul(self.chain.row.block_spacing.as_secs());
                let before = u32::try_from(before).unwrap_or(u32::MAX);
                Some(self.chain.start_time.saturating_sub(before))
            }
            None => Some(self.entry(height)?.header.time),
        }
    }

    fn bits(&self, height: u64) -> Option<Bits> {
        match self.below_start(height) {
            Some(_) => Some(self.chain.start_bits),
            None => Some(self.entry(height)?.header.bits),
        }
    }

    fn median_time_past(&self, height: u64) -> Option<u32> {
        if self.below_start(height).is_none() {
            return Some(self.entry(height)?.median_time);
        }
        // On schedule, the median of 11 is the sixth from the end.
        self.time(height.checked_sub(5)?)
    }
}

fn median(times: &mut [u32]) -> u32 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
