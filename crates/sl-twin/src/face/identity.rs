//! Who a machine says it is: one row a model. What no source tells is marked as assumed.

use crate::model::Model;
use crate::release::Release;

/// Which family of calls a machine understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// JSON bodies, `summary.cgi` and its kin, `new_api` on 4028: L7, L9.
    Modern,
    /// Forms, cgminer's own API on 4028 for everything that is measured: L3+.
    Old,
}

/// What a model says of itself, whatever it does.
#[derive(Debug)]
pub(super) struct Identity {
    model: &'static str,
    pub(super) dialect: Dialect,
    /// `Miner` and `miner_version`.
    pub(super) miner_version: &'static str,
    /// When the firmware was built: for each release, or one date for all.
    compile_times: &'static [(Release, &'static str)],
    /// `subtype` of `miner_type.cgi`.
    pub(super) subtype: &'static str,
    /// What `uname -srv` prints.
    pub(super) kernel: &'static str,
    /// `Mode` of the legacy statistics in normal mode.
    pub(super) normal_mode: u8,
    /// How the map of chips is cut.
    pub(super) map: ChipMap,
    /// Whether the legacy statistics tell the board's outlet as the chip's.
    pub(super) outlet_twice: bool,
}

/// How the map of chips is cut into groups of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChipMap {
    /// A blank after each group.
    After,
    /// Blanks between groups; the first group has nine.
    NineFirst,
    /// A blank before each group.
    Before,
}

/// The realm of every login.
pub(super) const REALM: &str = "antMiner Configuration";
/// The one user.
pub(super) const USER: &str = "root";
/// The factory's password.
pub(super) const PASSWORD: &str = "root";

static IDENTITIES: [Identity; 3] = [
    // Compile times and subtype: testdata/asic-api/antminer-l7/compile_time_by_release.txt; the
    // version: recorded fragments; the kernel is assumed.
    Identity {
        model: "antminer-l7",
        dialect: Dialect::Modern,
        miner_version: "81.0-1.0.0",
        compile_times: &[
            (Release::R202201, "Mon Jan 24 16:01:20 CST 2022"),
            (Release::R202211, "Wed Nov 30 12:00:11 CST 2022"),
            (Release::R202301, "Mon Jan 30 09:39:14 CST 2023"),
            (Release::R202405, "Tue May 14 14:13:55 CST 2024"),
        ],
        subtype: "zynq7007_BSL39601",
        kernel: "Linux 4.6.0-xilinx-g03c746f7 #1 SMP PREEMPT",
        normal_mode: 0,
        map: ChipMap::After,
        outlet_twice: false,
    },
    // testdata/asic-api/antminer-l9; the subtype is a folder of the maker's image of 2025; the
    // kernel is assumed. Web calls are those of the L7 of 2024.
    Identity {
        model: "antminer-l9",
        dialect: Dialect::Modern,
        miner_version: "86.48-2.0.0",
        compile_times: &[(Release::R202405, "Mon Mar  2 17:06:41 CST 2026")],
        subtype: "AMLCtrl_BSL4160X",
        kernel: "Linux 4.9.113 #1 SMP PREEMPT",
        normal_mode: 2,
        map: ChipMap::NineFirst,
        outlet_twice: true,
    },
    // testdata/asic-api/antminer-l3plus.
    Identity {
        model: "antminer-l3plus",
        dialect: Dialect::Old,
        miner_version: "1.0.1.3",
        compile_times: &[(Release::R202405, "Fri Aug 25 17:28:57 CST 2017")],
        subtype: "",
        kernel: "Linux 3.8.13 #22 SMP Tue Dec 2 15:26:11 CST 2014",
        normal_mode: 0,
        map: ChipMap::Before,
        outlet_twice: false,
    },
];

impl Identity {
    /// The row of a model; a model without one shows itself as the first.
    pub(super) fn of(model: &Model) -> &'static Self {
        let [first, ..] = &IDENTITIES;
        IDENTITIES.iter().find(|row| row.model == model.id).unwrap_or(first)
    }

    pub(super) fn compile_time(&self, release: Release) -> &'static str {
        let exact = self.compile_times.iter().find(|(known, _)| *known == release);
        exact.or(self.compile_times.last()).map_or("", |(_, time)| time)
    }

    /// The release whose web calls it has: models of one firmware have the newest.
    pub(super) fn calls_of(&self, release: Release) -> Release {
        if self.compile_times.len() > 1 { release } else { Release::R202405 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MODELS;

    #[test]
    fn every_model_has_a_row() {
        for model in &MODELS {
            let row = Identity::of(model);
            assert_eq!(row.model, model.id);
            for release in Release::ALL {
                assert!(!row.compile_time(release).is_empty(), "{} {release}", model.id);
            }
        }
    }
}
