//! Figures in the form of the firmware: rates, maps of chips, times.

use std::time::Duration;

use sl_units::HashRate;

use super::identity::ChipMap;
use crate::readings::{BoardReading, ChipMark};

/// The unit of all rates in a reply. The firmware takes it from the theoretical rate, so an L7
/// counts megahashes and an L9 gigahashes under keys that say `GHS` for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Mega,
    Giga,
}

impl Scale {
    /// From 10 GH/s on it is gigahashes.
    pub(super) fn of(theory: HashRate) -> Self {
        if theory.hs() < 1e10 { Self::Mega } else { Self::Giga }
    }

    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Mega => "MH/s",
            Self::Giga => "GH/s",
        }
    }

    const fn hashes(self) -> f64 {
        match self {
            Self::Mega => 1e6,
            Self::Giga => 1e9,
        }
    }

    /// A rate with two digits, the rest cut off. Recorded replies of three models have 11.48 where
    /// the text beside it says 11.49.
    pub(super) fn rate(self, rate: HashRate) -> f64 {
        let hundredth = match self {
            Self::Mega => 10_000,
            Self::Giga => 10_000_000,
        };
        real(whole(rate.hs().round()) / hundredth) / 100.0
    }

    /// A rate with all its digits.
    pub(super) fn exact(self, rate: HashRate) -> f64 {
        rate.hs().round() / self.hashes()
    }

    /// As in `9529.46 MH/s`, rounded.
    pub(super) fn text(self, rate: HashRate) -> String {
        format!("{:.2} {}", rate.hs() / self.hashes(), self.unit())
    }
}

/// A rate with the unit that its own size asks for.
pub(super) fn own_scale(rate: HashRate) -> String {
    Scale::of(rate).text(rate)
}

/// So many digits after the point.
pub(super) fn round(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    let rounded = (value * factor).round() / factor;
    if rounded.is_finite() { rounded } else { 0.0 }
}

/// A share of a whole, percent.
pub(super) fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole * 100.0 } else { 0.0 }
}

/// A count as a number that divides; beyond 2^53 its last digits do not matter here.
pub(super) const fn real(count: u64) -> f64 {
    count as f64
}

/// A sum of difficulties as the whole number that older fields hold; it saturates.
pub(super) const fn whole(value: f64) -> u64 {
    value as u64
}

/// The map of a board: `o` for a chip that works, `x` for one that does not.
pub(super) fn chips(board: &BoardReading, cut: ChipMap) -> String {
    let mut map = String::with_capacity(board.chips.len() * 9 / 8 + 2);
    let marks = board.chips.iter().filter_map(|mark| match mark {
        ChipMark::Good => Some('o'),
        ChipMark::Bad => Some('x'),
        ChipMark::Missing => None,
    });
    for (place, mark) in marks.enumerate() {
        match cut {
            ChipMap::Before if place % 8 == 0 => map.push(' '),
            ChipMap::NineFirst if place > 8 && place % 8 == 1 => map.push(' '),
            _ => {}
        }
        map.push(mark);
        if cut == ChipMap::After && place % 8 == 7 {
            map.push(' ');
        }
    }
    map
}

/// How long ago, as in `0:00:05`; `0` for never.
pub(super) fn ago(since: Option<Duration>) -> String {
    since.map_or_else(
        || "0".to_owned(),
        |since| {
            let seconds = since.as_secs();
            format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        },
    )
}

/// A difficulty as the program of the L3+ prints it: three digits and a letter, `65.5K`.
pub(super) fn suffixed(value: f64) -> String {
    let steps = [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")];
    let Some((step, letter)) = steps.into_iter().find(|(step, _)| value >= *step) else {
        return format!("{:.0}", value.floor());
    };
    let short = value / step;
    let digits = if short >= 100.0 {
        0
    } else if short >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{short:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text.as_str()
    };
    format!("{text}{letter}")
}

/// A difficulty in seven characters, `524288.`; one that needs more keeps its whole part.
pub(super) fn seven(value: f64) -> String {
    let text = format!("{value:.6}");
    let most = text.find('.').unwrap_or(0).max(7);
    text.get(..most).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_follows_the_theoretical_rate() {
        let l7 = HashRate::from_hs(9.52945e9);
        assert_eq!(Scale::of(l7), Scale::Mega);
        assert_eq!(Scale::Mega.rate(l7), 9529.45);
        assert_eq!(own_scale(l7), "9529.45 MH/s");
        let more = HashRate::from_hs(9.529_456e9);
        assert_eq!((Scale::Mega.rate(more), own_scale(more)), (9529.45, "9529.46 MH/s".to_owned()));
        let l9 = HashRate::from_hs(17.03e9);
        assert_eq!(Scale::of(l9), Scale::Giga);
        // A board of an L9, recorded: 5.659831296 beside "5659.83 MH/s".
        let board = HashRate::from_hs(5_659_831_296.0);
        assert_eq!(Scale::Giga.exact(board), 5.659_831_296);
        assert_eq!(own_scale(board), "5659.83 MH/s");
    }

    #[test]
    fn difficulties_are_shortened_as_recorded() {
        for (value, text) in [(65_536.0, "65.5K"), (524_288.0, "524K"), (512.0, "512"), (1e6, "1M")]
        {
            assert_eq!(suffixed(value), text);
        }
    }

    #[test]
    fn seven_characters_hold_a_difficulty() {
        for (value, text) in
            [(524_288.0, "524288."), (0.5, "0.50000"), (65_536.0, "65536.0"), (1e9, "1000000000")]
        {
            assert_eq!(seven(value), text);
        }
    }

    #[test]
    fn times_are_told_in_hours() {
        assert_eq!(ago(None), "0");
        assert_eq!(ago(Some(Duration::from_secs(5))), "0:00:05");
        assert_eq!(ago(Some(Duration::from_secs(90_061))), "25:01:01");
    }
}
