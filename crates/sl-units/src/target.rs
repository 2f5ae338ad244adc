use std::{fmt, str::FromStr};

use ethnum::U256;
use thiserror::Error;

use crate::Hash256;

/// The largest 256-bit number whose hashes count: a proof of work holds when hash ≤ target.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target(U256);

impl Target {
    /// The target that every hash meets.
    pub const MAX: Self = Self(U256::MAX);

    /// A target from a 256-bit number.
    #[must_use]
    pub const fn from_u256(value: U256) -> Self {
        Self(value)
    }

    /// The 256-bit number.
    #[must_use]
    pub const fn to_u256(self) -> U256 {
        self.0
    }

    /// A target from its 32 bytes, least significant first (the order of `createauxblock.target`).
    #[must_use]
    pub fn from_le_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_le_bytes(bytes))
    }

    /// The 32 bytes, least significant first.
    #[must_use]
    pub fn to_le_bytes(self) -> [u8; 32] {
        self.0.to_le_bytes()
    }

    /// Whether a hash is at or below this target.
    #[must_use]
    pub fn is_met_by(self, hash: &Hash256) -> bool {
        U256::from_le_bytes(*hash.as_bytes()) <= self.0
    }

    /// The target that one hash in `hashes` meets on average (at least 1).
    #[must_use]
    pub fn from_expected_hashes(hashes: f64) -> Self {
        if hashes.is_nan() || hashes <= 1.0 {
            return Self::MAX;
        }
        // 53 significant bits are ample: scale the divisor to an integer and shift back.
        let exponent = (hashes.log2().floor() as i32 - 52).clamp(-52, 203);
        let mantissa = (hashes / 2f64.powi(exponent)).round() as u64;
        let quotient = U256::MAX / U256::from(mantissa.max(1));
        Self(if exponent >= 0 {
            quotient >> exponent.unsigned_abs()
        } else {
            quotient << exponent.unsigned_abs()
        })
    }

    /// How many hashes it takes on average to meet this target: 2²⁵⁶ / (target + 1).
    #[must_use]
    pub fn expected_hashes(self) -> f64 {
        2f64.powi(256) / (self.0.as_f64() + 1.0)
    }

    /// What a block at this target adds to the chain's work: ⌊2²⁵⁶ / (target + 1)⌋, computed as
    /// the nodes do (`GetBlockProof`): (~target / (target + 1)) + 1.
    #[must_use]
    pub fn work(self) -> Work {
        match self.0.checked_add(U256::ONE) {
            Some(next) => Work(!self.0 / next + U256::ONE),
            None => Work(U256::ONE),
        }
    }

    /// The compact form that headers carry; it keeps the 24 most significant bits, rounding down.
    #[must_use]
    pub fn to_bits(self) -> Bits {
        let mut size = (256 - self.0.leading_zeros()).div_ceil(8);
        let mut mantissa = if size <= 3 {
            (self.0.as_u32()) << (8 * (3 - size))
        } else {
            (self.0 >> (8 * (size - 3))).as_u32()
        };
        if mantissa & 0x0080_0000 != 0 {
            mantissa >>= 8;
            size += 1;
        }
        Bits((size << 24) | mantissa)
    }

    /// The easier (larger) of two targets.
    #[must_use]
    pub fn easier(self, other: Self) -> Self {
        self.max(other)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:064x}", self.0)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// Why a text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("found {found:?}, allowed are 64 hexadecimal digits, most significant first")]
pub struct TargetParseError {
    /// The text that was found, cut to 80 characters.
    pub found: String,
}

impl FromStr for Target {
    type Err = TargetParseError;

    fn from_str(text: &str) -> Result<Self, TargetParseError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| TargetParseError { found: text.chars().take(80).collect() })?;
        Ok(Self(U256::from_be_bytes(bytes)))
    }
}

/// A target in the compact form of headers (`nBits`): size in the top byte, 23-bit mantissa below.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bits(u32);

/// Why a compact target is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BitsError {
    /// The sign bit is set.
    #[error("compact target {0:08x} is negative")]
    Negative(u32),
    /// The number is zero.
    #[error("compact target {0:08x} is zero")]
    Zero(u32),
    /// The number exceeds 256 bits.
    #[error("compact target {0:08x} exceeds 256 bits")]
    Overflow(u32),
}

impl Bits {
    /// The compact form as it stands in a header, unchecked until [`Bits::target`].
    #[must_use]
    pub const fn from_u32(raw: u32) -> Self {
        Self(raw)
    }

    /// The raw 32 bits.
    #[must_use]
    pub const fn to_u32(self) -> u32 {
        self.0
    }

    /// The target it stands for.
    ///
    /// # Errors
    /// A negative, zero or overflowing compact form, which nodes refuse too.
    pub fn target(self) -> Result<Target, BitsError> {
        let size = self.0 >> 24;
        let mantissa = self.0 & 0x007f_ffff;
        if mantissa == 0 {
            return Err(BitsError::Zero(self.0));
        }
        if self.0 & 0x0080_0000 != 0 {
            return Err(BitsError::Negative(self.0));
        }
        if size > 34 || (size > 33 && mantissa > 0xff) || (size > 32 && mantissa > 0xffff) {
            return Err(BitsError::Overflow(self.0));
        }
        let value = if size <= 3 {
            U256::from(mantissa >> (8 * (3 - size)))
        } else {
            U256::from(mantissa) << (8 * (size - 3))
        };
        if value == U256::ZERO { Err(BitsError::Zero(self.0)) } else { Ok(Target(value)) }
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bits({self})")
    }
}

/// Accumulated work of a chain, in expected hashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Work(U256);

impl Work {
    /// Work as a 256-bit number of expected hashes.
    #[must_use]
    pub const fn from_u256(hashes: U256) -> Self {
        Self(hashes)
    }

    /// The sum of two works, at most 2²⁵⁶ − 1.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:064x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn compact_forms_of_real_chains() {
        for (bits, target) in [
            (0x1e0f_fff0, "00000ffff0000000000000000000000000000000000000000000000000000000"),
            (0x207f_ffff, "7fffff0000000000000000000000000000000000000000000000000000000000"),
            (0x1b36_4184, "0000000000364184000000000000000000000000000000000000000000000000"),
        ] {
            let found = Bits::from_u32(bits).target().expect("valid");
            assert_eq!(found.to_string(), target);
            assert_eq!(found.to_bits().to_u32(), bits);
        }
    }

    #[test]
    fn compact_forms_that_nodes_refuse() {
        assert_eq!(Bits::from_u32(0x0492_3456).target(), Err(BitsError::Negative(0x0492_3456)));
        assert_eq!(Bits::from_u32(0x0000_0000).target(), Err(BitsError::Zero(0)));
        assert_eq!(Bits::from_u32(0xff12_3456).target(), Err(BitsError::Overflow(0xff12_3456)));
        assert_eq!(Bits::from_u32(0x0100_0012).target(), Err(BitsError::Zero(0x0100_0012)));
    }

    #[test]
    fn work_is_that_of_the_nodes() {
        let target = Bits::from_u32(0x207f_ffff).target().expect("valid");
        assert_eq!(target.work(), Work::from_u256(U256::new(2)));
        assert_eq!(Target::MAX.work(), Work::from_u256(U256::ONE));
    }

    proptest! {
        #[test]
        fn compact_form_never_rounds_up(high in 1u128.., low: u128, shift in 0u32..200) {
            let target = Target::from_u256(U256::from_words(high, low) >> shift);
            if let Ok(back) = target.to_bits().target() {
                prop_assert!(back <= target);
                prop_assert_eq!(back.to_bits(), target.to_bits());
            }
        }

        #[test]
        fn any_bits_decode_or_refuse(raw: u32) {
            if let Ok(target) = Bits::from_u32(raw).target() {
                prop_assert_eq!(target.to_bits().target(), Ok(target));
            }
        }

        #[test]
        fn expected_hashes_and_target_agree(exponent in 0f64..200.0) {
            let hashes = 2f64.powf(exponent);
            let back = Target::from_expected_hashes(hashes).expected_hashes();
            prop_assert!((back / hashes - 1.0).abs() < 1e-6, "{} {}", hashes, back);
        }
    }
}
