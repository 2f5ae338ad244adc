//! The nodes' wire encoding: little-endian integers, compact sizes, length-prefixed bytes.

use sl_units::Hash256;
use thiserror::Error;

/// Why bytes do not decode; offsets count from the first byte given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the bytes end at {end} inside {what}, which needs {wanted} more from {offset}")]
    Short {
        /// The field that is cut.
        what: &'static str,
        /// Where the field begins.
        offset: usize,
        /// How many bytes it needs.
        wanted: usize,
        /// How many bytes there are in all.
        end: usize,
    },
    /// A count or a marker that no valid encoding holds.
    #[error("{what} at byte {offset}: found {found}, allowed: {allowed}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// Where it stands.
        offset: usize,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: &'static str,
    },
    /// Bytes are left over.
    #[error("{count} bytes are left over from byte {offset} on, after {what}")]
    Trailing {
        /// What was decoded.
        what: &'static str,
        /// Where the rest begins.
        offset: usize,
        /// How long the rest is.
        count: usize,
    },
}

/// A cursor over foreign bytes that knows its offset and never reads past the end.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// How many bytes have been read.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The bytes not yet read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    /// The bytes between an earlier offset and here.
    #[must_use]
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.offset).unwrap_or_default()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let taken = self.rest().get(..count).ok_or(DecodeError::Short {
            what,
            offset: self.offset,
            wanted: count,
            end: self.bytes.len(),
        })?;
        self.offset += count;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    /// One byte.
    ///
    /// # Errors
    /// None is left.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// A 32-bit integer, least significant byte first.
    ///
    /// # Errors
    /// Fewer than four bytes are left.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// A 64-bit integer, least significant byte first.
    ///
    /// # Errors
    /// Fewer than eight bytes are left.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// 32 bytes as a hash in internal order.
    ///
    /// # Errors
    /// Fewer than 32 bytes are left.
    pub fn hash(&mut self, what: &'static str) -> Result<Hash256, DecodeError> {
        self.array(what).map(Hash256::from_bytes)
    }

    /// A compact size, refused when it is not in its shortest form, as nodes do.
    ///
    /// # Errors
    /// Too few bytes, or a longer form than needed.
    pub fn compact_size(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let offset = self.offset;
        let (value, least) = match self.u8(what)? {
            0xfd => (u64::from(u16::from_le_bytes(self.array(what)?)), 0xfd),
            0xfe => (u64::from(self.u32(what)?), 0x1_0000),
            0xff => (self.u64(what)?, 0x1_0000_0000),
            small => (u64::from(small), 0),
        };
        if value < least {
            return Err(DecodeError::Invalid {
                what,
                offset,
                found: format!("{value} in a longer form"),
                allowed: "the shortest form of a compact size",
            });
        }
        Ok(value)
    }

    /// A count of things of which each takes at least `least` bytes, so that no count can ask for
    /// more memory than the bytes that are there.
    ///
    /// # Errors
    /// A count that the remaining bytes cannot hold.
    pub fn count(&mut self, least: usize, what: &'static str) -> Result<usize, DecodeError> {
        let offset = self.offset;
        let count = self.compact_size(what)?;
        usize::try_from(count)
            .ok()
            .filter(|count| count.saturating_mul(least) <= self.rest().len())
            .ok_or(DecodeError::Invalid {
                what,
                offset,
                found: format!("a count of {count}"),
                allowed: "no more than the remaining bytes can hold",
            })
    }

    /// Bytes behind their compact size.
    ///
    /// # Errors
    /// The size exceeds the bytes that are left.
    pub fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let count = self.count(1, what)?;
        self.take(count, what)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is left.
    pub fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        match self.rest().len() {
            0 => Ok(()),
            count => Err(DecodeError::Trailing { what, offset: self.offset, count }),
        }
    }
}

/// Appends a compact size.
pub fn put_compact_size(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0xfc => out.push(value as u8),
        0xfd..=0xffff => {
            out.push(0xfd);
            out.extend_from_slice(&(value as u16).to_le_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xfe);
            out.extend_from_slice(&(value as u32).to_le_bytes());
        }
        _ => {
            out.push(0xff);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// Appends bytes behind their compact size.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_compact_size(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn compact_sizes_round_trip(value: u64) {
            let mut out = Vec::new();
            put_compact_size(&mut out, value);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.compact_size("n"), Ok(value));
            prop_assert_eq!(reader.finish("n"), Ok(()));
        }
    }

    #[test]
    fn a_count_cannot_ask_for_more_than_there_is() {
        let mut reader = Reader::new(&[0xfe, 0xff, 0xff, 0xff, 0x7f, 0]);
        assert!(matches!(reader.count(1, "n"), Err(DecodeError::Invalid { .. })));
    }

    #[test]
    fn a_longer_form_is_refused() {
        assert!(matches!(
            Reader::new(&[0xfd, 1, 0]).compact_size("n"),
            Err(DecodeError::Invalid { .. })
        ));
    }
}
