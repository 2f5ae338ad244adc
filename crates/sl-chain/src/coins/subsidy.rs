use sl_units::CoinAmount;

use super::CoinRow;

/// Rule of the reward of a block, fees aside.
///
/// Some coins draw part of the reward at random, from the height or the previous hash. Here such
/// a reward is its expected value ([`CoinRow::reward_is_expected_at`] says when): good for
/// simulation and estimates; a real node's `coinbasevalue` goes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subsidy {
    /// The reward by height.
    pub schedule: Schedule,
    /// What chance adds to it.
    pub bonus: Option<Bonus>,
}

/// The reward by height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// `initial` shifted right once every `interval` blocks.
    Halving {
        /// Reward of the first interval.
        initial: CoinAmount,
        /// Blocks between halvings.
        interval: u64,
    },
    /// Each step holds from its height to the next one's, in rising order. Heights below the first
    /// step, of which the sources say nothing, count as the first step.
    Steps(&'static [Step]),
}

/// A reward from a height on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// First height.
    pub from: u64,
    /// Reward, or its expected value when drawn at random.
    pub reward: CoinAmount,
    /// Whether the node draws it at random.
    pub random: bool,
}

/// The expected value of what chance adds: reward × `multiplier_ppm` / 1,000,000 + `plus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bonus {
    /// Expected multiplier, in millionths.
    pub multiplier_ppm: u64,
    /// Expected addition that does not depend on the reward.
    pub plus: CoinAmount,
}

/// The part of the reward that consensus gives to a foundation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevFund {
    /// Hundredths of the reward.
    pub percent: u64,
    /// First height.
    pub from_height: u64,
    /// Last height.
    pub to_height: u64,
}

impl CoinRow {
    /// The whole reward of the block at a height, fees aside; the expected value where it is
    /// random.
    #[must_use]
    pub fn reward_at(&self, height: u64) -> CoinAmount {
        let base = match self.subsidy.schedule {
            Schedule::Halving { initial, interval } => {
                let halvings = height.checked_div(interval).unwrap_or(0);
                let shift = u32::try_from(halvings).unwrap_or(u32::MAX);
                CoinAmount::from_units(initial.units().checked_shr(shift).unwrap_or(0))
            }
            Schedule::Steps(steps) => {
                step_at(steps, height).map_or(CoinAmount::default(), |step| step.reward)
            }
        };
        match self.subsidy.bonus {
            None => base,
            Some(bonus) => scaled(base.units(), bonus.multiplier_ppm, 1_000_000).plus(bonus.plus),
        }
    }

    /// Whether [`CoinRow::reward_at`] is an expected value at this height.
    #[must_use]
    pub fn reward_is_expected_at(&self, height: u64) -> bool {
        self.subsidy.bonus.is_some()
            || match self.subsidy.schedule {
                Schedule::Halving { .. } => false,
                Schedule::Steps(steps) => step_at(steps, height).is_some_and(|step| step.random),
            }
    }

    /// The miner's part of the reward at a height, fees aside: without the development fund.
    #[must_use]
    pub fn miner_reward_at(&self, height: u64) -> CoinAmount {
        let reward = self.reward_at(height);
        match self.dev_fund {
            Some(fund) if (fund.from_height..=fund.to_height).contains(&height) => {
                let share = scaled(reward.units(), fund.percent, 100);
                CoinAmount::from_units(reward.units().saturating_sub(share.units()))
            }
            _ => reward,
        }
    }
}

fn step_at(steps: &'static [Step], height: u64) -> Option<&'static Step> {
    steps.iter().rev().find(|step| step.from <= height).or(steps.first())
}

fn scaled(units: u64, numerator: u64, denominator: u64) -> CoinAmount {
    let product = u128::from(units) * u128::from(numerator) / u128::from(denominator.max(1));
    CoinAmount::from_units(u64::try_from(product).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use crate::coins::{all, by_ticker};

    use super::*;

    fn check(ticker: &str, height: u64, coins: &str) {
        let row = by_ticker(ticker).expect("in the table");
        assert_eq!(row.reward_at(height).to_string(), coins, "{ticker} at {height}");
    }

    #[test]
    fn litecoin_halves() {
        check("LTC", 0, "50");
        check("LTC", 839_999, "50");
        check("LTC", 840_000, "25");
        check("LTC", 2_519_999, "12.5");
        check("LTC", 2_520_000, "6.25");
        check("LTC", 3_360_000, "3.125");
        check("LTC", 64 * 840_000, "0");
        check("LTC", u64::MAX, "0");
    }

    #[test]
    fn dogecoins_family_steps_down_to_a_constant() {
        check("DOGE", 145_000, "250000");
        check("DOGE", 371_337, "62500");
        check("DOGE", 599_999, "15625");
        check("DOGE", 600_000, "10000");
        check("DOGE", u64::MAX, "10000");
        check("PEP", 26, "500000");
        check("TRMP", 699_999, "15625");
        check("TRMP", 700_000, "10000");
        check("SHIC", 100_000, "250000");
        check("DINGO", 600_000, "10000");
        check("CRC", 31_999, "10");
        check("CRC", 32_000, "2");
    }

    #[test]
    fn random_rewards_are_expected_values() {
        check("BELLS", 300_000, "16.395");
        check("BELLS", 144_500, "2");
        check("BELLS", 518_400, "2");
        // 88 coins ÷ 4096 × 1.0957.
        check("LKY", 1_220_000, "0.02354042");
        // 12.5 × (0.9899 + 0.01 × 3) + 0.0001 × 1000.
        check("JKC", 520_000, "12.84875");
        let random = |ticker: &str, height| {
            by_ticker(ticker).expect("in the table").reward_is_expected_at(height)
        };
        assert!(random("BELLS", 300_000) && random("LKY", 1) && random("JKC", 1));
        assert!(random("DOGE", 144_999) && !random("DOGE", 145_000));
        assert!(!random("BELLS", 518_400) && !random("LTC", 1));
    }

    #[test]
    fn junkcoins_miner_gets_four_fifths() {
        let row = by_ticker("JKC").expect("in the table");
        assert_eq!(row.miner_reward_at(364_999), row.reward_at(364_999));
        assert_eq!(row.miner_reward_at(520_000).to_string(), "10.279");
        let doge = by_ticker("DOGE").expect("in the table");
        assert_eq!(doge.miner_reward_at(1), doge.reward_at(1));
    }

    #[test]
    fn steps_rise() {
        for row in all() {
            if let Schedule::Steps(steps) = row.subsidy.schedule {
                assert!(steps.is_sorted_by(|a, b| a.from < b.from), "{}", row.ticker);
                assert!(!steps.is_empty(), "{}", row.ticker);
            }
        }
    }
}
