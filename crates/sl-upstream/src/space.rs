use std::ops::Range;

/// The extranonce2 of a pool connection, cut into pieces that never overlap.
///
/// A piece of *w* free bytes is an aligned run of 256^w values; its upper bytes are the piece's
/// prefix. Pieces of different widths may stand beside each other.
#[derive(Debug)]
pub(crate) struct Space {
    len: usize,
    taken: Vec<Range<u128>>,
}

impl Space {
    /// A space of `len` bytes; beyond 15 the upper ones stay zero, which leaves room enough.
    pub(crate) const fn new(len: usize) -> Self {
        Self { len, taken: Vec::new() }
    }

    /// Bytes of the whole.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// A free piece of `free` bytes: the prefix of `len − free` bytes that is its alone.
    pub(crate) fn take(&mut self, free: usize) -> Option<Vec<u8>> {
        let wide = self.len.min(15);
        if free > wide {
            // Too wide to count in 128 bits: such a lease can only be the only one.
            return (free <= self.len && self.taken.is_empty()).then(|| {
                self.taken.push(0..u128::MAX);
                vec![0; self.len - free]
            });
        }
        let (size, end) = (1u128 << (8 * free), 1u128 << (8 * wide));
        let mut start = 0;
        while let Some(hit) =
            self.taken.iter().find(|taken| taken.start < start + size && start < taken.end)
        {
            if hit.end >= end {
                return None;
            }
            start = hit.end.next_multiple_of(size);
        }
        if start + size > end {
            return None;
        }
        self.taken.push(start..start + size);
        let mut prefix = vec![0; self.len - free];
        for (place, byte) in prefix.iter_mut().rev().zip((start / size).to_le_bytes()) {
            *place = byte;
        }
        Some(prefix)
    }

    /// Gives a piece back.
    pub(crate) fn give_back(&mut self, prefix: &[u8]) {
        let free = self.len.saturating_sub(prefix.len());
        if free > self.len.min(15) {
            self.taken.clear();
            return;
        }
        let index = prefix
            .iter()
            .rev()
            .take(16)
            .rev()
            .fold(0u128, |value, byte| (value << 8) | u128::from(*byte));
        let start = index << (8 * free);
        self.taken.retain(|taken| taken.start != start);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_never_overlap(len in 0usize..=20, widths in prop::collection::vec(0usize..=20, 1..40), drop_each in 2usize..5) {
            let mut space = Space::new(len);
            let mut held: Vec<(Vec<u8>, usize)> = Vec::new();
            for (at, free) in widths.into_iter().enumerate() {
                if let Some(prefix) = space.take(free) {
                    prop_assert_eq!(prefix.len() + free, len);
                    for (other, _) in &held {
                        prop_assert!(!other.starts_with(&prefix) && !prefix.starts_with(other));
                    }
                    held.push((prefix, free));
                } else {
                    prop_assert!(free > len || !held.is_empty());
                }
                if at % drop_each == 0 && let Some((prefix, _)) = held.pop() {
                    space.give_back(&prefix);
                }
            }
        }
    }

    #[test]
    fn a_space_is_used_up() {
        let mut space = Space::new(2);
        for index in 0..=255 {
            assert_eq!(space.take(1), Some(vec![index]));
        }
        assert_eq!(space.take(1), None);
        space.give_back(&[7]);
        assert_eq!(space.take(1), Some(vec![7]));
        assert_eq!(space.take(2), None);
    }
}
