use std::{fmt, iter::Sum, str::FromStr, time::Duration};

use thiserror::Error;

/// Hashes per second.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug, Default)]
pub struct HashRate(f64);

const PREFIXES: [(&str, f64); 7] =
    [("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18)];

impl HashRate {
    /// A rate in hashes per second; what is not a positive finite number counts as zero.
    #[must_use]
    pub fn from_hs(hashes_per_second: f64) -> Self {
        Self(if hashes_per_second.is_finite() { hashes_per_second.max(0.0) } else { 0.0 })
    }

    /// The rate that made so many hashes in so long; zero when no time has passed.
    #[must_use]
    pub fn from_work(hashes: f64, elapsed: Duration) -> Self {
        Self::from_hs(hashes / elapsed.as_secs_f64())
    }

    /// Hashes per second.
    #[must_use]
    pub const fn hs(self) -> f64 {
        self.0
    }
}

impl Sum for HashRate {
    fn sum<I: Iterator<Item = Self>>(rates: I) -> Self {
        Self(rates.map(Self::hs).sum())
    }
}

impl fmt::Display for HashRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, scale) =
            PREFIXES.iter().rev().find(|(_, scale)| self.0 >= *scale).unwrap_or(&PREFIXES[0]);
        f.pad(&format!("{:.2} {prefix}H/s", self.0 / scale))
    }
}

/// Why a text is not a hash rate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "found {found:?}, allowed is a number with H/s, kH/s, MH/s, GH/s, TH/s, PH/s or EH/s, as in 9.5 GH/s"
)]
pub struct RateParseError {
    /// The text that was found, cut to 80 characters.
    pub found: String,
}

impl FromStr for HashRate {
    type Err = RateParseError;

    fn from_str(text: &str) -> Result<Self, RateParseError> {
        let wrong = || RateParseError { found: text.chars().take(80).collect() };
        let unitless = text.trim().strip_suffix("H/s").ok_or_else(wrong)?;
        let (number, scale) = PREFIXES
            .iter()
            .rev()
            .find_map(|(prefix, scale)| Some((unitless.strip_suffix(prefix)?, scale)))
            .ok_or_else(wrong)?;
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        if number.is_finite() && number >= 0.0 { Ok(Self(number * scale)) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_formatter_and_one_parser() {
        for (rate, text) in [
            (0.0, "0.00 H/s"),
            (950.0, "950.00 H/s"),
            (12_340.0, "12.34 kH/s"),
            (9.5e9, "9.50 GH/s"),
            (2.4e15, "2.40 PH/s"),
        ] {
            assert_eq!(HashRate::from_hs(rate).to_string(), text);
            assert_eq!(text.parse(), Ok(HashRate::from_hs(rate)));
        }
        assert!("9.5".parse::<HashRate>().is_err());
        assert!("-1 H/s".parse::<HashRate>().is_err());
        assert!("x GH/s".parse::<HashRate>().is_err());
    }
}
