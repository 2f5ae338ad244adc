use std::{fmt, str::FromStr};

use thiserror::Error;

/// A 256-bit hash in internal byte order, the order in which it stands in headers and merkle trees.
///
/// People, RPC and explorers read it reversed; [`Display`](fmt::Display) and [`FromStr`] use that
/// reversed, big-endian form of 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Hash256([u8; 32]);

impl Hash256 {
    /// The hash whose 32 bytes are all zero: the previous hash of a genesis block, an empty leaf.
    pub const ZERO: Self = Self([0; 32]);

    /// A hash from its 32 bytes in internal order.
    #[must_use]
    pub const fn from_bytes(internal: [u8; 32]) -> Self {
        Self(internal)
    }

    /// A hash from its 32 bytes in display order.
    #[must_use]
    pub fn from_display_bytes(mut reversed: [u8; 32]) -> Self {
        reversed.reverse();
        Self(reversed)
    }

    /// The 32 bytes in internal order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 32 bytes in display order.
    #[must_use]
    pub fn to_display_bytes(self) -> [u8; 32] {
        let mut bytes = self.0;
        bytes.reverse();
        bytes
    }
}

impl fmt::Display for Hash256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_display_bytes()))
    }
}

impl fmt::Debug for Hash256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash256({self})")
    }
}

/// Why a text is not a 256-bit hash.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("found {found:?}, allowed are 64 hexadecimal digits")]
pub struct HashParseError {
    /// The text that was found, cut to 80 characters.
    pub found: String,
}

impl FromStr for Hash256 {
    type Err = HashParseError;

    fn from_str(text: &str) -> Result<Self, HashParseError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| HashParseError { found: text.chars().take(80).collect() })?;
        Ok(Self::from_display_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_a_hash_reversed() {
        let mut internal = [0; 32];
        internal[0] = 0xab;
        let hash = Hash256::from_bytes(internal);
        let text = hash.to_string();
        assert!(text.ends_with("ab"));
        assert_eq!(text.parse(), Ok(hash));
    }

    #[test]
    fn a_wrong_text_is_named() {
        assert_eq!("zz".parse::<Hash256>(), Err(HashParseError { found: "zz".into() }));
    }
}
