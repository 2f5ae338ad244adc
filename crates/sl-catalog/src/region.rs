use std::{fmt, str::FromStr};

use thiserror::Error;

/// Where an endpoint stands, as its pool says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    /// No region stated; the pool routes.
    Global,
    /// Europe.
    Europe,
    /// North America.
    NorthAmerica,
    /// Asia.
    Asia,
}

impl Region {
    /// Every region.
    pub const ALL: [Self; 4] = [Self::Global, Self::Europe, Self::NorthAmerica, Self::Asia];

    /// The name in settings: `global`, `europe`, `north-america`, `asia`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Europe => "europe",
            Self::NorthAmerica => "north-america",
            Self::Asia => "asia",
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is no region.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("found region {found:?}, allowed are global, europe, north-america, asia")]
pub struct RegionError {
    /// The text that was found, cut to 80 characters.
    pub found: String,
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        Self::ALL
            .into_iter()
            .find(|region| region.as_str() == text)
            .ok_or_else(|| RegionError { found: text.chars().take(80).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_survive_their_text() {
        for region in Region::ALL {
            assert_eq!(region.to_string().parse(), Ok(region));
        }
        let error = "mars".parse::<Region>().expect_err("no region");
        assert_eq!(
            error.to_string(),
            "found region \"mars\", allowed are global, europe, north-america, asia"
        );
    }
}
