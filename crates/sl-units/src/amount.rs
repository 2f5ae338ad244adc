use std::{fmt, iter::Sum};

/// An amount of a coin in its smallest unit, 10⁻⁸ of a coin on every chain of the coin table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CoinAmount(u64);

impl CoinAmount {
    /// Smallest units in one coin.
    pub const UNITS_PER_COIN: u64 = 100_000_000;

    /// An amount in smallest units.
    #[must_use]
    pub const fn from_units(units: u64) -> Self {
        Self(units)
    }

    /// An amount in whole coins.
    #[must_use]
    pub const fn from_coins(coins: u64) -> Self {
        Self(coins * Self::UNITS_PER_COIN)
    }

    /// The amount in smallest units.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// The amount in coins, for estimates and screens only.
    #[must_use]
    pub fn as_coins(self) -> f64 {
        self.0 as f64 / Self::UNITS_PER_COIN as f64
    }

    /// The sum, at most the largest amount.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for CoinAmount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Self::plus)
    }
}

impl fmt::Display for CoinAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (coins, units) = (self.0 / Self::UNITS_PER_COIN, self.0 % Self::UNITS_PER_COIN);
        let text = format!("{coins}.{units:08}");
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_coins() {
        for (units, text) in
            [(0, "0"), (1, "0.00000001"), (625_000_000, "6.25"), (1_000_000_000_000, "10000")]
        {
            assert_eq!(CoinAmount::from_units(units).to_string(), text);
        }
    }
}
