//! The rows. Recorded replies are those of the public captures that each source names.
use super::{Evidence, Machine, Nameplate};
use crate::Date;

/// Day on which the sources were read.
const READ: Date = Date::new(2026, 11, 22);

const ASIC_RS: &str = "256foundation/asic-rs 0.8.6, recorded replies";
const PYASIC: &str = "UpstreamData/pyasic, recorded replies and model table (2026-03-26)";

const fn plate(
    hashrate_mhs: f64,
    power_w: Option<f64>,
    evidence: Evidence,
    as_of: Date,
    source: &'static str,
) -> Nameplate {
    Nameplate { hashrate_mhs, power_w, evidence, as_of, source }
}

const L9_SHEET: &str = "Bitmain L9 datasheet v1.1.0";
const VENDOR: &str = "vendor's page";
const D1_TOOLS: &str = "pyasic pull request 263, variants of the D1; power not stated";

pub(super) static TABLE: [Machine; 12] = [
    Machine {
        id: "antminer-l3plus",
        make: "Bitmain",
        name: "Antminer L3+",
        reported_as: &["Antminer L3+"],
        nameplates: &[plate(
            504.0,
            Some(800.0),
            Evidence::FleetTools,
            READ,
            "recorded replies (2018) and pyasic's model table",
        )],
        boards: Some(4),
        chips_per_board: Some(72),
        fans: Some(2),
        evidence: Evidence::Recorded,
        as_of: READ,
        source: "delawr0190/foreman-apps, replies of 2018",
    },
    Machine {
        id: "antminer-l3plusplus",
        make: "Bitmain",
        name: "Antminer L3++",
        reported_as: &["Antminer L3++"],
        nameplates: &[plate(580.0, Some(942.0), Evidence::FleetTools, READ, PYASIC)],
        boards: Some(4),
        chips_per_board: Some(72),
        fans: Some(2),
        evidence: Evidence::FleetTools,
        as_of: READ,
        source: PYASIC,
    },
    Machine {
        id: "antminer-l7",
        make: "Bitmain",
        name: "Antminer L7",
        reported_as: &["Antminer L7"],
        nameplates: &[
            plate(
                9_500.0,
                Some(3_420.0),
                Evidence::Datasheet,
                Date::new(2022, 1, 1),
                "Bitmain L7 server guide, January 2022: ±3 % rate, ±10 % power",
            ),
            plate(
                9_050.0,
                Some(3_260.0),
                Evidence::Datasheet,
                Date::new(2023, 11, 1),
                "Bitmain L7 product manual, November 2023 and April 2024",
            ),
        ],
        boards: Some(3),
        chips_per_board: Some(120),
        fans: Some(4),
        evidence: Evidence::Datasheet,
        as_of: Date::new(2023, 11, 1),
        source: "Bitmain L7 product manual, November 2023",
    },
    Machine {
        id: "antminer-l9",
        make: "Bitmain",
        name: "Antminer L9",
        reported_as: &["Antminer L9"],
        nameplates: &[
            plate(16_000.0, Some(3_360.0), Evidence::Datasheet, READ, L9_SHEET),
            plate(15_000.0, Some(3_150.0), Evidence::Datasheet, READ, L9_SHEET),
            plate(17_000.0, Some(3_570.0), Evidence::Datasheet, READ, L9_SHEET),
        ],
        boards: Some(3),
        chips_per_board: Some(110),
        fans: Some(4),
        evidence: Evidence::Recorded,
        as_of: READ,
        source: ASIC_RS,
    },
    Machine {
        id: "antminer-l11",
        make: "Bitmain",
        name: "Antminer L11",
        reported_as: &["Antminer L11"],
        // The rate is the theoretical one of a recorded reply; 3,680 W circulates unconfirmed.
        nameplates: &[plate(20_530.0, None, Evidence::Recorded, READ, ASIC_RS)],
        boards: Some(3),
        chips_per_board: Some(88),
        fans: Some(4),
        evidence: Evidence::Recorded,
        as_of: READ,
        source: ASIC_RS,
    },
    Machine {
        id: "elphapex-dg1",
        make: "ElphaPex",
        name: "DG1",
        reported_as: &["DG1"],
        nameplates: &[plate(11_000.0, Some(3_420.0), Evidence::Unverified, READ, VENDOR)],
        boards: Some(4),
        chips_per_board: Some(144),
        fans: None,
        evidence: Evidence::FleetTools,
        as_of: READ,
        source: "pyasic's model table (2026-03-26)",
    },
    Machine {
        id: "elphapex-dg1plus",
        make: "ElphaPex",
        name: "DG1+",
        reported_as: &["DG1+"],
        nameplates: &[plate(
            14_229.0,
            Some(3_950.0),
            Evidence::Unverified,
            READ,
            "rate recorded by pyasic (September 2024); power from the vendor's page",
        )],
        boards: Some(4),
        // asic-rs says 210; the recorded reply says 204.
        chips_per_board: Some(204),
        fans: Some(4),
        evidence: Evidence::Recorded,
        as_of: READ,
        source: PYASIC,
    },
    Machine {
        id: "elphapex-dg-home1",
        make: "ElphaPex",
        name: "DG Home 1",
        reported_as: &["DG-Home1"],
        nameplates: &[plate(
            2_160.0,
            Some(630.0),
            Evidence::Unverified,
            READ,
            "vendor's page; a recorded reply states 3003.75 MH/s as ideal",
        )],
        // The recorded reply lists four places and chips on one only.
        boards: None,
        chips_per_board: Some(120),
        fans: Some(4),
        evidence: Evidence::Recorded,
        as_of: READ,
        source: ASIC_RS,
    },
    Machine {
        id: "hammer-d10",
        make: "Hammer",
        name: "Hammer D10",
        reported_as: &["Hammer D10"],
        nameplates: &[plate(4_900.0, None, Evidence::Recorded, READ, PYASIC)],
        boards: Some(3),
        chips_per_board: Some(108),
        fans: None,
        evidence: Evidence::Recorded,
        as_of: READ,
        source: PYASIC,
    },
    Machine {
        id: "volcminer-d1",
        make: "VolcMiner",
        name: "VolcMiner D1",
        reported_as: &["VolcMiner D1"],
        nameplates: &[
            plate(15_150.0, None, Evidence::FleetTools, READ, D1_TOOLS),
            plate(17_000.0, None, Evidence::FleetTools, READ, D1_TOOLS),
            plate(
                18_500.0,
                None,
                Evidence::Recorded,
                READ,
                "rate over 5 s in a reply of October 2025, not a nameplate",
            ),
        ],
        // Four places, the third empty.
        boards: Some(3),
        chips_per_board: Some(105),
        fans: Some(4),
        evidence: Evidence::Recorded,
        as_of: READ,
        source: ASIC_RS,
    },
    Machine {
        id: "goldshell-mini-doge",
        make: "Goldshell",
        name: "Mini-DOGE",
        reported_as: &[],
        nameplates: &[plate(
            185.0,
            None,
            Evidence::FleetTools,
            READ,
            "pyasic pull request 375: 0.174 to 0.187 GH/s seen",
        )],
        boards: Some(1),
        chips_per_board: Some(40),
        fans: Some(2),
        evidence: Evidence::FleetTools,
        as_of: READ,
        source: "pyasic pull request 375",
    },
    Machine {
        id: "goldshell-mini-doge-pro",
        make: "Goldshell",
        name: "Mini-DOGE Pro",
        reported_as: &[],
        nameplates: &[plate(205.0, Some(220.0), Evidence::Unverified, READ, VENDOR)],
        boards: None,
        chips_per_board: None,
        fans: None,
        evidence: Evidence::Unverified,
        as_of: READ,
        source: VENDOR,
    },
];
