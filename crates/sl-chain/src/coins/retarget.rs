use std::time::Duration;

use ethnum::U256;
use sl_units::{Bits, Target};

/// What a retarget rule reads of a chain. Heights count from the genesis block, times are those
/// of the headers, in seconds since the Unix epoch.
pub trait History {
    /// Height of the tip.
    fn height(&self) -> u64;
    /// Time of the header at a height; `None` where it is not kept.
    fn time(&self, height: u64) -> Option<u32>;
    /// Target of the header at a height; `None` where it is not kept.
    fn bits(&self, height: u64) -> Option<Bits>;
    /// Median of the times of the 11 headers up to a height; `None` where they are not kept.
    fn median_time_past(&self, height: u64) -> Option<u32>;
}

/// Rule of the next target: the rules of the nodes as they are from [`CoinRow::start_height`]
/// on. Older rules of a chain's youth are not told apart.
///
/// [`CoinRow::start_height`]: super::CoinRow::start_height
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retarget {
    /// Every `blocks` blocks the target is scaled by actual ÷ intended time of the last interval,
    /// within `least` and `most`. The interval looks back `blocks` blocks, the first one after
    /// genesis one less (Art Forz's cure for a time-warp attack). Litecoin: 2016, 1/4 to 4.
    /// Luckycoin, Junkcoin, Craftcoin: 3/4 to 5/4.
    Interval {
        /// Blocks between changes.
        blocks: u64,
        /// Least factor of the timespan.
        least: Ratio,
        /// Greatest factor of the timespan.
        most: Ratio,
    },
    /// Every block: the last spacing, with its distance from the intended one divided by 8
    /// (truncated toward zero), within 3/4 and 3/2. Dogecoin's family.
    DigiShield,
    /// Every block: the mean target of the last `window` blocks, scaled by the time between the
    /// medians of 11 before and after them, damped and limited. Zcash's form; Bellscoin.
    Averaged {
        /// Blocks in the mean.
        window: u64,
        /// Divisor of the distance from the intended time.
        damping: i64,
        /// How much longer the time may count, in percent (difficulty down).
        max_down_percent: i64,
        /// How much shorter the time may count, in percent (difficulty up).
        max_up_percent: i64,
    },
}

/// A factor of a timespan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// Above the line.
    pub numerator: i64,
    /// Below the line, positive.
    pub denominator: i64,
}

impl Ratio {
    fn of(self, timespan: i64) -> i64 {
        timespan.saturating_mul(self.numerator) / self.denominator.max(1)
    }
}

impl Retarget {
    /// How many headers a node must keep, the tip included, to find the next target.
    #[must_use]
    pub const fn look_back(&self) -> u64 {
        match self {
            Self::Interval { blocks, .. } => *blocks + 1,
            Self::DigiShield => 2,
            // The block before the window, and the ten before it that its median needs.
            Self::Averaged { window, .. } => *window + 11,
        }
    }
}

/// The target of the block after the tip.
///
/// `pow_limit` and `spacing` are parameters because simulated chains have a limit of their own;
/// the timespan is `spacing` times the rule's blocks.
///
/// Where the nodes' 256-bit product would wrap (targets above 2²⁵⁶ ÷ timespan, easier than any
/// real chain allows) the result here is `pow_limit`. Litecoin halves a target near its limit
/// before it multiplies and doubles it after: that changes no bit of the compact form, which is
/// the only result. A header that the history does not keep counts as on schedule: the tip's
/// target stands, as on the first blocks after a synthetic checkpoint.
#[must_use]
pub fn next_bits(
    rule: Retarget,
    pow_limit: Target,
    spacing: Duration,
    history: &impl History,
) -> Bits {
    let tip = history.height();
    let Some(old) = history.bits(tip) else { return pow_limit.to_bits() };
    let Ok(target) = old.target() else { return pow_limit.to_bits() };
    // Within 32 bits no product of times below can overflow.
    let spacing = i64::from(u32::try_from(spacing.as_secs()).unwrap_or(u32::MAX).max(1));
    let next = match rule {
        Retarget::Interval { blocks, least, most } => {
            by_interval(history, target, spacing, blocks, (least, most))
        }
        Retarget::DigiShield => by_digishield(history, target, spacing),
        Retarget::Averaged { window, damping, max_down_percent, max_up_percent } => {
            by_average(history, spacing, window, damping, (max_down_percent, max_up_percent))
        }
    };
    next.map_or(old, |next| next.min(pow_limit).to_bits())
}

fn by_interval(
    history: &impl History,
    target: Target,
    spacing: i64,
    blocks: u64,
    (least, most): (Ratio, Ratio),
) -> Option<Target> {
    let next = history.height().checked_add(1)?;
    if !next.is_multiple_of(blocks) {
        return None;
    }
    let back = if next == blocks { blocks - 1 } else { blocks };
    let actual = elapsed(history, back)?;
    let timespan = spacing.saturating_mul(i64::try_from(blocks).unwrap_or(i64::MAX));
    let counted = actual.max(least.of(timespan)).min(most.of(timespan));
    Some(scale(target, counted, timespan))
}

fn by_digishield(history: &impl History, target: Target, spacing: i64) -> Option<Target> {
    let actual = elapsed(history, 1)?;
    // Division of signed integers truncates toward zero here as in C++.
    let damped = spacing + (actual - spacing) / 8;
    let counted = damped.max(spacing - spacing / 4).min(spacing + spacing / 2);
    Some(scale(target, counted, spacing))
}

fn by_average(
    history: &impl History,
    spacing: i64,
    window: u64,
    damping: i64,
    (max_down_percent, max_up_percent): (i64, i64),
) -> Option<Target> {
    let tip = history.height();
    let before = tip.checked_sub(window)?;
    let divisor = U256::from(window.max(1));
    // Sum of quotients and sum of remainders: the exact mean without a sum that could overflow.
    let (mut quotients, mut remainders) = (U256::ZERO, U256::ZERO);
    for height in before + 1..=tip {
        let target = history.bits(height)?.target().ok()?.to_u256();
        quotients += target / divisor;
        remainders += target % divisor;
    }
    let mean = quotients + remainders / divisor;
    let timespan = spacing.saturating_mul(i64::try_from(window).unwrap_or(i64::MAX));
    let actual =
        i64::from(history.median_time_past(tip)?) - i64::from(history.median_time_past(before)?);
    let damped = timespan + (actual - timespan) / damping.max(1);
    let least = timespan.saturating_mul(100 - max_up_percent) / 100;
    let most = timespan.saturating_mul(100 + max_down_percent) / 100;
    let counted = damped.max(least).min(most);
    // This node divides before it multiplies.
    let per_second = mean / U256::from(timespan.unsigned_abs().max(1));
    Some(Target::from_u256(per_second.saturating_mul(U256::from(counted.unsigned_abs()))))
}

/// Time between the tip and the block so many before it; negative when the clocks say so.
fn elapsed(history: &impl History, back: u64) -> Option<i64> {
    let tip = history.height();
    let first = history.time(tip.checked_sub(back)?)?;
    Some(i64::from(history.time(tip)?) - i64::from(first))
}

/// ⌊target × counted ÷ timespan⌋ exactly, at most 2²⁵⁶ − 1. Both times are positive here.
fn scale(target: Target, counted: i64, timespan: i64) -> Target {
    let counted = U256::from(counted.max(0).unsigned_abs());
    let timespan = U256::from(timespan.max(1).unsigned_abs());
    let (quotient, remainder) = (target.to_u256() / timespan, target.to_u256() % timespan);
    Target::from_u256(
        quotient.saturating_mul(counted).saturating_add(remainder * counted / timespan),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use crate::coins::{CoinRow, all, by_ticker};

    use super::*;

    /// Headers by height: time and bits; the last is the tip.
    struct Headers(BTreeMap<u64, (u32, u32)>);

    impl History for Headers {
        fn height(&self) -> u64 {
            *self.0.last_key_value().expect("a tip").0
        }
        fn time(&self, height: u64) -> Option<u32> {
            self.0.get(&height).map(|header| header.0)
        }
        fn bits(&self, height: u64) -> Option<Bits> {
            self.0.get(&height).map(|header| Bits::from_u32(header.1))
        }
        fn median_time_past(&self, height: u64) -> Option<u32> {
            let first = height.checked_sub(10)?;
            let mut times = (first..=height).map(|at| self.time(at)).collect::<Option<Vec<_>>>()?;
            times.sort_unstable();
            times.get(5).copied()
        }
    }

    fn row(ticker: &str) -> &'static CoinRow {
        by_ticker(ticker).expect("in the table")
    }

    fn next(ticker: &str, headers: &Headers) -> u32 {
        let row = row(ticker);
        next_bits(row.retarget, row.pow_limit, row.block_spacing, headers).to_u32()
    }

    fn chain(from: u64, spacings: &[i64], bits: u32) -> Headers {
        let mut time = 1_700_000_000;
        let mut headers = BTreeMap::from([(from, (time, bits))]);
        for (height, spacing) in (from + 1..).zip(spacings) {
            time = u32::try_from(i64::from(time) + spacing).expect("fits");
            headers.insert(height, (time, bits));
        }
        Headers(headers)
    }

    /// Time and bits of a recorded plain or auxiliary header.
    fn recorded(vectors: &serde_json::Value, name: &str) -> (u32, u32) {
        let vector = vectors.as_array().expect("a list").iter().find(|v| v["name"] == name);
        let text = vector.expect(name)["aux_header_hex"].as_str().expect("hex");
        let bytes = hex::decode(text).expect("hex");
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        (word(68), word(72))
    }

    #[test]
    fn digishield_gives_the_bits_of_recorded_dogecoin_headers() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/auxpow/auxpow_vectors.json");
        let text = std::fs::read_to_string(path).expect("testdata");
        let vectors = serde_json::from_str(&text).expect("JSON");
        // The second is 30 s before its predecessor: truncated toward zero, not down. The third
        // is testnet, eleven seconds after its predecessor.
        for (chain, first) in [("mainnet", 151_556), ("mainnet", 400_000), ("testnet", 158_378)] {
            let header = |height: u64| recorded(&vectors, &format!("doge_{chain}_{height}"));
            let history =
                Headers((first..first + 2).map(|height| (height, header(height))).collect());
            let expected = header(first + 2).1;
            assert_eq!(next("DOGE", &history), expected, "after {chain} {}", first + 1);
        }
        // 151,557 changed from 151,556 by a whole number of seconds: 74 of 60.
        let (old, new) = (
            recorded(&vectors, "doge_mainnet_151556").1,
            recorded(&vectors, "doge_mainnet_151557").1,
        );
        let history = chain(151_555, &[60 + 14 * 8], old);
        assert_eq!(next("DOGE", &history), new);
    }

    #[test]
    fn digishield_is_clamped() {
        let bits = 0x1b10_0000;
        for (spacing, seconds) in
            [(60, 60), (0, 53), (-10_000, 45), (10_000, 90), (67, 60), (68, 61)]
        {
            let target = Bits::from_u32(bits).target().expect("valid").to_u256();
            let expected = Target::from_u256(target * U256::new(seconds) / U256::new(60));
            assert_eq!(
                next("DOGE", &chain(9, &[spacing], bits)),
                expected.to_bits().to_u32(),
                "{spacing}"
            );
        }
        // A shorter history leaves the target, an unknown tip the limit.
        assert_eq!(next("DOGE", &chain(9, &[], bits)), bits);
        // Never easier than the limit.
        assert_eq!(next("DOGE", &chain(9, &[10_000], 0x1e0f_ffff)), 0x1e0f_ffff);
    }

    #[test]
    fn litecoin_changes_every_2016_blocks_and_looks_back_a_whole_interval() {
        let bits = 0x1a01_7580;
        let on_time = chain(2016, &[150; 2015], bits);
        assert_eq!(on_time.height(), 4031);
        // 2016 spacings are needed and 2015 kept: on schedule by definition.
        assert_eq!(next("LTC", &on_time), bits);
        let full = chain(2015, &[150; 2016], bits);
        assert_eq!(next("LTC", &full), bits);
        // One block earlier nothing changes, whatever the clock.
        assert_eq!(next("LTC", &chain(2015, &[1; 2015], bits)), bits);
        // Twice as fast: half the target; a hundred times: a quarter; slow: at most four times.
        for (spacing, factor) in [(75, (1, 2)), (1, (1, 4)), (300, (2, 1)), (10_000, (4, 1))] {
            let target = Bits::from_u32(bits).target().expect("valid").to_u256();
            let (numerator, denominator) = factor;
            let expected =
                Target::from_u256(target * U256::new(numerator) / U256::new(denominator));
            assert_eq!(
                next("LTC", &chain(2015, &[spacing; 2016], bits)),
                expected.to_bits().to_u32(),
                "{spacing}"
            );
        }
    }

    #[test]
    fn litecoins_first_interval_looks_back_one_block_less() {
        // 2015 spacings of 150 s are 150 s short of the timespan.
        let history = chain(0, &[150; 2015], 0x1d01_0000);
        let target = Bits::from_u32(0x1d01_0000).target().expect("valid").to_u256();
        let expected = target * U256::new(2015) / U256::new(2016);
        assert_eq!(next("LTC", &history), Target::from_u256(expected).to_bits().to_u32());
    }

    #[test]
    fn litecoins_limit_holds_without_overflow() {
        assert_eq!(next("LTC", &chain(2015, &[10_000; 2016], 0x1e0f_ffff)), 0x1e0f_ffff);
        // A simulated chain's easy target: 2²⁵⁴ × 4 exceeds 256 bits.
        let rule = row("LTC").retarget;
        let limit = Target::from_u256(U256::MAX >> 1);
        let history = chain(2015, &[10_000; 2016], 0x2040_0000);
        let spacing = Duration::from_secs(150);
        assert_eq!(next_bits(rule, limit, spacing, &history), limit.to_bits());
    }

    #[test]
    fn luckycoin_and_junkcoin_step_within_a_quarter() {
        let bits = 0x1b10_0000;
        let target = Bits::from_u32(bits).target().expect("valid").to_u256();
        for (ticker, blocks) in [("LKY", 20), ("JKC", 1440), ("CRC", 1440)] {
            for (spacing, (numerator, denominator)) in
                [(1, (3u32, 4u32)), (1000, (5, 4)), (54, (9, 10)), (60, (1, 1))]
            {
                let from = 100 * blocks as u64 - 1;
                let history = chain(from, &vec![spacing; blocks], bits);
                let expected = target * U256::from(numerator) / U256::from(denominator);
                let expected = Target::from_u256(expected).to_bits().to_u32();
                assert_eq!(next(ticker, &history), expected, "{ticker} {spacing}");
            }
            assert_eq!(next(ticker, &chain(100 * blocks as u64, &[1; 3], bits)), bits);
        }
    }

    #[test]
    fn bellscoin_averages_seventeen_blocks() {
        let bits = 0x1b10_0000;
        let mean = Bits::from_u32(bits).target().expect("valid").to_u256();
        // 17 × 60 = 1020 s; a quarter of the distance counts; 856 to 1346 s.
        for (spacing, seconds) in
            [(60, 1020), (62, 1028), (56, 1003), (0, 856), (-5, 856), (500, 1346)]
        {
            let expected = mean / U256::new(1020) * U256::new(seconds);
            assert_eq!(
                next("BELLS", &chain(1000, &[spacing; 27], bits)),
                Target::from_u256(expected).to_bits().to_u32(),
                "{spacing}"
            );
        }
        // One header less than the rule needs.
        assert_eq!(next("BELLS", &chain(1000, &[1; 26], bits)), bits);
        // The mean of different targets.
        let mut mixed = chain(1000, &[60; 27], bits);
        mixed.0.insert(1027, (mixed.0[&1027].0, 0x1b20_0000));
        let sum =
            mean * U256::new(16) + Bits::from_u32(0x1b20_0000).target().expect("valid").to_u256();
        let expected = sum / U256::new(17) / U256::new(1020) * U256::new(1020);
        assert_eq!(next("BELLS", &mixed), Target::from_u256(expected).to_bits().to_u32());
    }

    #[test]
    fn look_back_is_what_each_rule_reads() {
        let look_back = |ticker: &str| row(ticker).retarget.look_back();
        assert_eq!(look_back("LTC"), 2017);
        assert_eq!(look_back("DOGE"), 2);
        assert_eq!(look_back("BELLS"), 28);
        assert_eq!(look_back("LKY"), 21);
        assert_eq!(look_back("JKC"), 1441);
    }

    #[test]
    fn an_unknown_tip_has_the_limit() {
        struct Empty;
        impl History for Empty {
            fn height(&self) -> u64 {
                u64::MAX
            }
            fn time(&self, _: u64) -> Option<u32> {
                None
            }
            fn bits(&self, _: u64) -> Option<Bits> {
                None
            }
            fn median_time_past(&self, _: u64) -> Option<u32> {
                None
            }
        }
        for row in all() {
            let bits = next_bits(row.retarget, row.pow_limit, row.block_spacing, &Empty);
            assert_eq!(bits.to_u32(), 0x1e0f_ffff);
        }
    }

    proptest! {
        #[test]
        fn any_history_gives_a_target_within_the_limit(
            coin in 0..10usize,
            spacings in proptest::collection::vec(-100_000i64..100_000, 40),
            raw: u32,
            spacing in 0u64..u64::MAX,
        ) {
            let row = &all()[coin];
            let history = chain(19, &spacings, raw);
            for spacing in [row.block_spacing, Duration::from_secs(spacing)] {
                let limit = Target::from_u256(U256::MAX >> 1);
                let bits = next_bits(row.retarget, limit, spacing, &history);
                if bits.to_u32() != raw && let Ok(target) = bits.target() {
                    prop_assert!(target <= limit);
                }
            }
        }
    }
}
