use std::{fmt, str::FromStr};

use thiserror::Error;

/// A day of the calendar; a source that states only a month or a year counts as its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// A day of the calendar. In a constant, a day that does not exist fails the build.
    ///
    /// # Panics
    /// The day does not exist. Texts go through [`FromStr`], which refuses instead.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Self {
        assert!(exists(year, month, day), "the day exists");
        Self { year, month, day }
    }

    /// The year.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.day
    }
}

const fn exists(year: u16, month: u8, day: u8) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    year <= 9999 && day >= 1 && day <= days
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}-{:02}-{:02}", self.year, self.month, self.day))
    }
}

/// Why a text is no day.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("found {found:?}, allowed is a day of the calendar as in 2026-11-22")]
pub struct DateError {
    /// The text that was found, cut to 80 characters.
    pub found: String,
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let wrong = || DateError { found: text.chars().take(80).collect() };
        let plain = |part: &str, len: usize| {
            part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let mut parts = text.split('-');
        let (Some(year), Some(month), Some(day), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        if !(plain(year, 4) && plain(month, 2) && plain(day, 2)) {
            return Err(wrong());
        }
        let year = year.parse().map_err(|_| wrong())?;
        let month = month.parse().map_err(|_| wrong())?;
        let day = day.parse().map_err(|_| wrong())?;
        if exists(year, month, day) { Ok(Self { year, month, day }) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_exist_survive_their_text() {
        for text in ["2026-11-22", "2024-02-29", "2000-02-29", "0001-01-01"] {
            assert_eq!(text.parse::<Date>().expect(text).to_string(), text);
        }
        assert!(Date::new(2026, 1, 31) < Date::new(2026, 2, 1));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "1900-02-29",
            "2026-1-1",
            "2026-11-22-",
            "+026-11-22",
            "2026-00-10",
            "2026-01-00",
        ] {
            assert_eq!(text.parse::<Date>(), Err(DateError { found: text.to_owned() }));
        }
    }
}
