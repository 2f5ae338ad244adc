use std::fmt;

use thiserror::Error;

/// The most bytes an extranonce part may have. Pools in the field give 4 to 8, and 16 behind some
/// translators.
const MAX_LEN: usize = 32;

/// An extranonce, or a part of one: up to 32 bytes that stand in the coinbase as they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Extranonce {
    bytes: [u8; MAX_LEN],
    len: u8,
}

/// Why bytes are no extranonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("extranonce has {found} bytes, at most 32 are allowed")]
pub struct ExtranonceError {
    /// How many bytes were found.
    pub found: usize,
}

impl Extranonce {
    /// The most bytes an extranonce can have.
    pub const MAX_LEN: usize = MAX_LEN;

    /// An extranonce of these bytes.
    ///
    /// # Errors
    /// More than 32 bytes.
    pub fn new(from: &[u8]) -> Result<Self, ExtranonceError> {
        let wrong = ExtranonceError { found: from.len() };
        let mut bytes = [0; MAX_LEN];
        bytes.get_mut(..from.len()).ok_or(wrong)?.copy_from_slice(from);
        Ok(Self { bytes, len: u8::try_from(from.len()).map_err(|_| wrong)? })
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Display for Extranonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for Extranonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extranonce({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_part_of_it() {
        let short = Extranonce::new(&[0, 1]).expect("short");
        let long = Extranonce::new(&[0, 1, 0]).expect("short");
        assert_ne!(short, long);
        assert_eq!(long.to_string(), "000100");
        assert_eq!(Extranonce::new(&[0; 33]), Err(ExtranonceError { found: 33 }));
        assert_eq!(Extranonce::new(&[7; 32]).map(|full| full.len()), Ok(32));
    }
}
