//! Numbers with a unit: durations and sizes in bytes. A number without its unit is refused.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::kinds::{Kind, Ranged, Setting, within};
use crate::problem::Wrong;

/// `30s`, `500ms`, `1h 30m`, `1.5h`; units `us`, `ms`, `s`, `m`, `h`, `d`.
impl Setting for Duration {
    type Value = Self;
    const KIND: Kind = Kind::Text;

    fn allowed() -> Cow<'static, str> {
        "a duration, such as 500ms, 30s, 5m or 2h".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let mut total = Self::ZERO;
        for (number, unit) in parts(text, "s")? {
            let micros: u64 = match unit {
                "us" => 1,
                "ms" => 1_000,
                "s" => 1_000_000,
                "m" => 60_000_000,
                "h" => 3_600_000_000,
                "d" => 86_400_000_000,
                _ => return Err(Wrong::value(format!("{unit:?} is no unit of time"))),
            };
            let part = number.times(micros).map(Self::from_micros);
            total = part
                .and_then(|part| total.checked_add(part))
                .ok_or_else(|| Wrong::range("too long"))?;
        }
        Ok(total)
    }
}

impl Ranged for Duration {
    fn within(value: &Self, low: &str, high: &str) -> Result<bool, Wrong> {
        within::<Self>(value, low, high)
    }
}

/// A number of bytes, written `4096B`, `64KiB`, `10MB` or `1GiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    /// The largest binary unit that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let fits =
            units.iter().find(|(scale, _)| self.0 >= *scale && self.0.is_multiple_of(*scale));
        let (scale, unit) = fits.copied().unwrap_or((1, "B"));
        write!(f, "{}{unit}", self.0 / scale)
    }
}

impl Setting for ByteSize {
    type Value = Self;
    const KIND: Kind = Kind::Text;

    fn allowed() -> Cow<'static, str> {
        "a size, such as 4096B, 64KiB, 10MB or 1GiB".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let mut total = 0_u64;
        for (number, unit) in parts(text, "B")? {
            let scale: u64 = match unit.to_ascii_lowercase().as_str() {
                "b" => 1,
                "kb" => 1_000,
                "mb" => 1_000_000,
                "gb" => 1_000_000_000,
                "tb" => 1_000_000_000_000,
                "kib" => 1 << 10,
                "mib" => 1 << 20,
                "gib" => 1 << 30,
                "tib" => 1 << 40,
                _ => return Err(Wrong::value(format!("{unit:?} is no unit of size"))),
            };
            let part = number.times(scale);
            total = part
                .and_then(|part| total.checked_add(part))
                .ok_or_else(|| Wrong::range("too large"))?;
        }
        Ok(Self(total))
    }
}

impl Ranged for ByteSize {
    fn within(value: &Self, low: &str, high: &str) -> Result<bool, Wrong> {
        within::<Self>(value, low, high)
    }
}

/// A decimal number kept exactly: digits and how many of them stand behind the point.
struct Decimal {
    digits: u128,
    behind: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || whole.len() > 20 || fraction.len() > 12 {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { digits, behind: u32::try_from(fraction.len()).ok()? })
    }

    fn times(&self, scale: u64) -> Option<u64> {
        let product = self.digits.checked_mul(u128::from(scale))?;
        u64::try_from(product / 10_u128.checked_pow(self.behind)?).ok()
    }
}

/// Numbers with their units; `usual` is the unit to propose when there is none.
fn parts<'a>(text: &'a str, usual: &str) -> Result<Vec<(Decimal, &'a str)>, Wrong> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    if rest.starts_with('-') {
        return Err(Wrong::range("negative"));
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !matches!(letter, '0'..='9' | '.'));
        let (number, behind) = rest.split_at(end.unwrap_or(rest.len()));
        let number = Decimal::parse(number).ok_or_else(|| Wrong::value("not a number"))?;
        let behind = behind.trim_start();
        let end = behind.find(|letter: char| !letter.is_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        if unit.is_empty() {
            return Err(Wrong::value("no unit").hint(format!("add one: {text}{usual}")));
        }
        parts.push((number, unit));
        rest = behind.trim_start();
    }
    match parts.is_empty() {
        true => Err(Wrong::value("nothing")),
        false => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::tests::check;

    #[test]
    fn durations() {
        check::<Duration>("30s", "30s");
        check::<Duration>("500ms", "500ms");
        check::<Duration>("1h 30m", "5400s");
        check::<Duration>("1.5h", "5400s");
        check::<Duration>("2d", "172800s");
        check::<Duration>("0s", "0ns");
        check::<Duration>("30", "no unit, hint: add one: 30s");
        check::<Duration>("5 weeks", "\"weeks\" is no unit of time");
        check::<Duration>("soon", "not a number");
        check::<Duration>("-5s", "negative");
        check::<Duration>("99999999999999999999d", "too long");
        check::<Duration>("", "nothing");
        check::<Duration>("1..5s", "not a number");
    }

    #[test]
    fn sizes() {
        check::<ByteSize>("64KiB", "ByteSize(65536)");
        check::<ByteSize>("1.5 MB", "ByteSize(1500000)");
        check::<ByteSize>("512", "no unit, hint: add one: 512B");
        check::<ByteSize>("1 parsec", "\"parsec\" is no unit of size");
        check::<ByteSize>("99999999TiB", "too large");
        assert_eq!(ByteSize(65_536).to_string(), "64KiB");
        assert_eq!(ByteSize(1_000).to_string(), "1000B");
    }
}
