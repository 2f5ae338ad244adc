//! How rows are written: numbers, rewards and hashes as people read them.

use std::time::Duration;

use ethnum::U256;
use sl_units::{Bits, CoinAmount, Hash256, Target};

use crate::coins::{Ratio, ReferenceFigures, Retarget, Schedule, Step, Subsidy};

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// 00000fff…ff, the easiest target of every main network of the table.
pub(super) const MAIN_LIMIT: Target =
    Target::from_u256(U256::from_words(u128::MAX >> 20, u128::MAX));
/// 7fff…ff, the easiest target of local test networks.
pub(super) const REGTEST_LIMIT: Target =
    Target::from_u256(U256::from_words(u128::MAX >> 1, u128::MAX));
/// Compact form of `MAIN_LIMIT`.
pub(super) const LIMIT_BITS: Bits = Bits::from_u32(0x1e0f_ffff);
/// Target of the genesis blocks of Litecoin and its descendants.
pub(super) const LITECOIN_GENESIS_BITS: Bits = Bits::from_u32(0x1e0f_fff0);

/// Luckycoin, Junkcoin, Craftcoin from height 69,360: every so many blocks, 3/4 to 5/4.
pub(super) const fn narrow(blocks: u64) -> Retarget {
    Retarget::Interval {
        blocks,
        least: Ratio { numerator: 3, denominator: 4 },
        most: Ratio { numerator: 5, denominator: 4 },
    }
}

pub(super) const fn steps(steps: &'static [Step]) -> Subsidy {
    Subsidy { schedule: Schedule::Steps(steps), bonus: None }
}

/// A reward in whole coins from a height on.
pub(super) const fn step(from: u64, coins: u64) -> Step {
    Step { from, reward: CoinAmount::from_coins(coins), random: false }
}

/// A reward in smallest units from a height on.
pub(super) const fn units(from: u64, units: u64) -> Step {
    Step { from, reward: CoinAmount::from_units(units), random: false }
}

/// An expected reward, in thousandths of a coin, from a height on.
pub(super) const fn expected(from: u64, thousandths: u64) -> Step {
    Step { from, reward: CoinAmount::from_units(thousandths * 100_000), random: true }
}

/// A hash from its 64 hexadecimal digits as people read it; a wrong digit fails the build.
pub(super) const fn hash(display: &str) -> Hash256 {
    let digits = display.as_bytes();
    assert!(digits.len() == 64, "a hash has 64 digits");
    let mut internal = [0; 32];
    let mut at = 0;
    while at < 32 {
        internal[31 - at] = nibble(digits[2 * at]) << 4 | nibble(digits[2 * at + 1]);
        at += 1;
    }
    Hash256::from_bytes(internal)
}

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => panic!("a hexadecimal digit in lower case"),
    }
}

/// Figures of the report `merged-mining` §4 for 26 January 2026, from a pool's public page.
pub(super) const fn january_2026(
    price_usd: Option<f64>,
    node_difficulty: f64,
) -> Option<ReferenceFigures> {
    Some(ReferenceFigures {
        as_of: "2026-01-26",
        price_usd,
        node_difficulty: Some(node_difficulty),
        source: "viabtc.com, coins per GH/s and day of 2026-01-26; difficulty implied by them",
    })
}
