use std::fmt;

use ethnum::U256;
use thiserror::Error;

use crate::Target;

/// Scrypt pools count difficulty this many times higher than nodes for the same target.
const SHARE_SCALE: f64 = 65_536.0;

/// Why a number is no difficulty.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("difficulty {0} is not a positive finite number")]
pub struct DifficultyError(pub f64);

/// Difficulty as coin nodes count it: difficulty 1 is the target 0xffff × 2²⁰⁸.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct NodeDifficulty(f64);

/// Difficulty as Scrypt pools and machines count it: difficulty 1 is the target 0xffff × 2²²⁴,
/// 65,536 expected hashes.
///
/// Source: a live session of 2018 and 65 recorded shares (`testdata/stratum`).
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct ShareDifficulty(f64);

impl NodeDifficulty {
    /// A difficulty in the nodes' scale.
    ///
    /// # Errors
    /// The number is not positive and finite.
    pub fn new(value: f64) -> Result<Self, DifficultyError> {
        positive(value).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl ShareDifficulty {
    /// A difficulty in the scale of Scrypt pools.
    ///
    /// # Errors
    /// The number is not positive and finite.
    pub fn new(value: f64) -> Result<Self, DifficultyError> {
        positive(value).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// How many hashes a share of this difficulty takes on average.
    #[must_use]
    pub fn expected_hashes(self) -> f64 {
        Target::from(self).expected_hashes()
    }
}

fn positive(value: f64) -> Result<f64, DifficultyError> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(DifficultyError(value)) }
}

impl From<ShareDifficulty> for NodeDifficulty {
    fn from(difficulty: ShareDifficulty) -> Self {
        Self(difficulty.0 / SHARE_SCALE)
    }
}

impl From<NodeDifficulty> for ShareDifficulty {
    fn from(difficulty: NodeDifficulty) -> Self {
        Self(difficulty.0 * SHARE_SCALE)
    }
}

impl From<ShareDifficulty> for Target {
    /// ⌊0xffff × 2²²⁴ / difficulty⌋, in integers: the fraction of the difficulty is kept to 2⁻³².
    fn from(difficulty: ShareDifficulty) -> Self {
        divide(U256::new(0xffff) << 224, difficulty.0)
    }
}

impl From<NodeDifficulty> for Target {
    fn from(difficulty: NodeDifficulty) -> Self {
        divide(U256::new(0xffff) << 208, difficulty.0)
    }
}

impl From<Target> for NodeDifficulty {
    fn from(target: Target) -> Self {
        Self((U256::new(0xffff) << 208u32).as_f64() / target.to_u256().as_f64().max(1.0))
    }
}

impl From<Target> for ShareDifficulty {
    fn from(target: Target) -> Self {
        NodeDifficulty::from(target).into()
    }
}

/// `one / difficulty`, at most 2²⁵⁶ − 1. A float is mantissa × 2^exponent exactly, so integer
/// division by the mantissa and one shift lose nothing a pool could notice.
fn divide(one: U256, difficulty: f64) -> Target {
    let exponent = difficulty.log2().floor() as i32 - 30;
    let mantissa = (difficulty / 2f64.powi(exponent)).round().max(1.0) as u64;
    let divisor = U256::from(mantissa);
    let value = if exponent >= 0 {
        one.checked_shr(exponent.unsigned_abs()).unwrap_or(U256::ZERO) / divisor
    } else {
        let shift = exponent.unsigned_abs();
        // Shift left as far as there is room before dividing, the rest after.
        let room = one.leading_zeros().min(shift);
        let quotient = (one << room) / divisor;
        let rest = shift - room;
        if rest >= 256 || (rest > 0 && quotient.leading_zeros() < rest) {
            U256::MAX
        } else {
            quotient << rest
        }
    };
    Target::from_u256(value.max(U256::ONE))
}

impl fmt::Display for NodeDifficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for ShareDifficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Bits;

    #[test]
    fn the_two_scales_of_the_live_session_of_2018() {
        let difficulty = ShareDifficulty::new(2048.0).expect("positive");
        let target = Target::from(difficulty);
        assert_eq!(
            target.to_string(),
            "0000001fffe00000000000000000000000000000000000000000000000000000"
        );
        assert_eq!(Target::from(NodeDifficulty::from(difficulty)), target);
    }

    #[test]
    fn litecoins_first_block_has_difficulty_two_to_the_minus_twelve() {
        let target = Bits::from_u32(0x1e0f_fff0).target().expect("valid");
        assert_eq!(NodeDifficulty::from(target).get(), 0.000_244_140_625);
    }

    #[test]
    fn a_difficulty_is_positive() {
        for wrong in [0.0, -1.0, f64::INFINITY] {
            assert_eq!(ShareDifficulty::new(wrong), Err(DifficultyError(wrong)));
        }
        assert!(ShareDifficulty::new(f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn any_positive_difficulty_has_a_target(raw in 1e-300f64..1e300) {
            let target = Target::from(ShareDifficulty::new(raw).expect("positive"));
            prop_assert!(target.to_u256() > U256::ZERO);
        }

        #[test]
        fn difficulty_survives_the_target(exponent in -15f64..180.0) {
            let raw = 2f64.powf(exponent);
            let back = ShareDifficulty::from(Target::from(ShareDifficulty::new(raw).expect("positive"))).get();
            prop_assert!((back / raw - 1.0).abs() < 1e-8, "{} {}", raw, back);
        }
    }
}
