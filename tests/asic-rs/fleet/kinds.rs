//! The machines that are tried, and what asic-rs must make of each.

/// A model with a firmware release.
pub(crate) struct Kind {
    /// As `--model` takes it.
    pub(crate) model: &'static str,
    /// The release, as `--firmware` takes it; of another model than the L7, the one it is like.
    pub(crate) firmware: &'static str,
    /// The model as asic-rs calls it.
    pub(crate) called: &'static str,
    /// Chips of each board.
    pub(crate) boards: &'static [u16],
    pub(crate) fans: usize,
    /// Nominal rate, GH/s.
    pub(crate) rate_ghs: f64,
    /// How many times too much asic-rs takes the rate for: it believes the `GHS` of the key, where an
    /// L7 tells megahashes.
    pub(crate) misread: f64,
    /// Whether the firmware knows low power.
    pub(crate) low_power: bool,
    /// Whether asic-rs sees by the configuration that a machine sleeps: its backend for firmware
    /// before July 2023 wants a text, and the release of January 2023 writes a number.
    pub(crate) sleep_is_seen: bool,
    /// Whether the machine speaks the forms of before 2020, which asic-rs does not: it is found and
    /// read in part, and not ruled.
    pub(crate) old_dialect: bool,
}

const L7: Kind = Kind {
    model: "l7",
    firmware: "2024-05",
    called: "L7",
    boards: &[120; 3],
    fans: 4,
    rate_ghs: 9.5,
    misread: 1000.0,
    low_power: true,
    sleep_is_seen: true,
    old_dialect: false,
};

/// All of them.
pub(crate) const KINDS: &[Kind] = &[
    Kind { firmware: "2022-01", low_power: false, ..L7 },
    Kind { firmware: "2022-11", low_power: false, ..L7 },
    Kind { firmware: "2023-01", sleep_is_seen: false, ..L7 },
    L7,
    Kind { model: "l9", called: "L9", boards: &[110; 3], rate_ghs: 16.0, misread: 1.0, ..L7 },
    Kind {
        model: "l3+",
        called: "L3Plus",
        boards: &[72; 4],
        fans: 2,
        rate_ghs: 0.504,
        old_dialect: true,
        ..L7
    },
];

impl Kind {
    /// As arguments and the table have it.
    pub(crate) fn name(&self) -> String {
        self.release().unwrap_or(self.model).to_owned()
    }

    /// The release to be named: models but the L7 have one.
    pub(crate) fn release(&self) -> Option<&'static str> {
        (self.model == "l7").then_some(self.firmware)
    }

    /// Whether a word names it.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.name() == word
    }
}
