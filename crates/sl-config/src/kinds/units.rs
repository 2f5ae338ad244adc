//! The quantities of `sl-units` that settings speak of.

use std::borrow::Cow;

use sl_units::{HashRate, ShareDifficulty};

use crate::kinds::{Kind, Ranged, Setting, within};
use crate::problem::Wrong;

/// `9.5 GH/s`.
impl Setting for HashRate {
    type Value = Self;
    const KIND: Kind = Kind::Text;

    fn allowed() -> Cow<'static, str> {
        "a hash rate in H/s, kH/s, MH/s, GH/s, TH/s, PH/s or EH/s, such as 9.5 GH/s".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| match text.parse::<f64>() {
            Ok(_) => Wrong::value("no unit").hint(format!("add one: {text} MH/s")),
            Err(_) => Wrong::value(""),
        })
    }
}

impl Ranged for HashRate {
    fn within(value: &Self, low: &str, high: &str) -> Result<bool, Wrong> {
        within::<Self>(value, low, high)
    }
}

/// A bare number, as pools and machines count.
impl Setting for ShareDifficulty {
    type Value = Self;
    const KIND: Kind = Kind::Number;

    fn allowed() -> Cow<'static, str> {
        "a difficulty above 0 as Scrypt pools count it (65,536 hashes at 1)".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Self::new(f64::parse(text)?).map_err(|_| Wrong::range("not above 0"))
    }
}

impl Ranged for ShareDifficulty {
    fn within(value: &Self, low: &str, high: &str) -> Result<bool, Wrong> {
        within::<Self>(value, low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::tests::check;

    #[test]
    fn rates_and_difficulties() {
        check::<HashRate>("9.5 GH/s", "HashRate(9500000000.0)");
        check::<HashRate>("9.5", "no unit, hint: add one: 9.5 MH/s");
        check::<HashRate>("fast", "");
        check::<ShareDifficulty>("0.001", "ShareDifficulty(0.001)");
        check::<ShareDifficulty>("0", "not above 0");
    }
}
