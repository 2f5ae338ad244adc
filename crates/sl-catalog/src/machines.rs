//! Machine models: nameplates, boards and chips. A new model is one row.
mod table;

use sl_units::HashRate;

use crate::Date;
use table::TABLE;

/// Every model, in the order of the table.
#[must_use]
pub fn all() -> &'static [Machine] {
    &TABLE
}

/// The model with this id, as in `antminer-l7`.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Machine> {
    TABLE.iter().find(|machine| machine.id == id)
}

/// The model that a machine names in its replies, as in `Antminer L7`, in upper or lower case.
#[must_use]
pub fn by_reported_name(name: &str) -> Option<&'static Machine> {
    let name = name.trim();
    TABLE
        .iter()
        .find(|machine| machine.reported_as.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// A model of an ASIC machine for Scrypt.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Key in settings, lower case.
    pub id: &'static str,
    /// Who makes it.
    pub make: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Names it gives itself in its API, where recorded or published.
    pub reported_as: &'static [&'static str],
    /// Variants sold, the usual one first.
    pub nameplates: &'static [Nameplate],
    /// Hash boards.
    pub boards: Option<u16>,
    /// Chips on a board.
    pub chips_per_board: Option<u16>,
    /// Fans.
    pub fans: Option<u16>,
    /// How sure boards, chips and fans are.
    pub evidence: Evidence,
    /// Day the layout was read.
    pub as_of: Date,
    /// Where the layout is from.
    pub source: &'static str,
}

/// What a variant of a model is sold as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nameplate {
    /// Nominal rate, megahashes per second.
    pub hashrate_mhs: f64,
    /// Power at the wall, watts.
    pub power_w: Option<f64>,
    /// How sure the figures are.
    pub evidence: Evidence,
    /// Day of the source, or the day it was read.
    pub as_of: Date,
    /// Where the figures are from.
    pub source: &'static str,
}

/// How sure a row is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// Stands in a reply recorded from a device.
    Recorded,
    /// Stands in the maker's datasheet or manual.
    Datasheet,
    /// Stands in the sources of published fleet tools.
    FleetTools,
    /// Claimed by a vendor, not verified.
    Unverified,
}

impl Machine {
    /// The usual variant.
    #[must_use]
    pub fn nominal(&self) -> Option<&'static Nameplate> {
        self.nameplates.first()
    }

    /// Chips of a whole machine, where known.
    #[must_use]
    pub fn chips(&self) -> Option<u32> {
        Some(u32::from(self.boards?) * u32::from(self.chips_per_board?))
    }
}

impl Nameplate {
    /// The nominal rate.
    #[must_use]
    pub fn hash_rate(&self) -> HashRate {
        HashRate::from_hs(self.hashrate_mhs * 1e6)
    }

    /// Joules per megahash, where the power is known.
    #[must_use]
    pub fn joules_per_megahash(&self) -> Option<f64> {
        Some(self.power_w? / self.hashrate_mhs)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn rows_are_distinct_sourced_and_plausible() {
        let today = Date::new(2026, 11, 22);
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        for machine in all() {
            assert!(ids.insert(machine.id), "{} twice", machine.id);
            assert_eq!(machine.id, machine.id.to_lowercase());
            assert!(!machine.source.is_empty() && machine.as_of <= today, "{}", machine.id);
            assert!(!machine.nameplates.is_empty(), "{}", machine.id);
            for name in machine.reported_as {
                assert!(names.insert(name.to_lowercase()), "{name} twice");
            }
            for plate in machine.nameplates {
                assert!(!plate.source.is_empty() && plate.as_of <= today, "{}", machine.id);
                assert!((100.0..30_000.0).contains(&plate.hashrate_mhs), "{}", machine.id);
                // From the newest (about 0.2) to the oldest (L3+, about 1.6).
                let efficiency = plate.joules_per_megahash();
                assert!(
                    efficiency.is_none_or(|joules| (0.15..2.0).contains(&joules)),
                    "{} {efficiency:?}",
                    machine.id
                );
            }
            assert!(machine.chips().is_none_or(|chips| (30..1000).contains(&chips)));
            assert!(machine.boards.is_none_or(|boards| (1..=4).contains(&boards)));
        }
    }

    #[test]
    fn the_l7_is_known_by_its_manual() {
        let l7 = by_reported_name("antminer l7").expect("in the catalogue");
        assert_eq!(l7, by_id("antminer-l7").expect("in the catalogue"));
        assert_eq!(l7.chips(), Some(360));
        let plate = l7.nominal().expect("a nameplate");
        assert_eq!(plate.hash_rate().to_string(), "9.50 GH/s");
        assert_eq!(plate.joules_per_megahash(), Some(0.36));
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        assert_eq!(by_id("antminer-l11").and_then(|l11| l11.nominal()?.power_w), None);
        assert_eq!(by_id("hammer-d10").and_then(|d10| d10.nominal()?.joules_per_megahash()), None);
        assert_eq!(by_reported_name("Antminer L99"), None);
    }
}
