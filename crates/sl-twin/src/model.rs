//! The models that can be simulated: what the catalogue's row does not say, as a table.

use sl_catalog::machines;

/// A model of a virtual machine. Nameplates stand in the catalogue's row alone; boards, chips and
/// fans stand there too, and a test holds both to the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    /// Key of the catalogue's row, as in `antminer-l7`.
    pub id: &'static str,
    /// Name it gives itself, as in `Antminer L7`.
    pub reported: &'static str,
    /// Hash boards.
    pub boards: usize,
    /// Chips on a board.
    pub chips: usize,
    /// Hash cores on a chip.
    pub cores: u32,
    /// Fans.
    pub fans: usize,
    /// Clock of the chips at the nominal point, MHz.
    pub freq_mhz: f64,
    /// Voltage over a board at the nominal point, volts.
    pub voltage_v: f64,
    /// Sensors at the nominal point (25 °C, sea level), °C: board inlet, board outlet, chip inlet,
    /// chip outlet. The fans keep the last: the firmware's 87 °C are taken for the hottest core,
    /// some kelvin above any sensor.
    pub temps_c: [f64; 4],
    /// Speed of the fans at the nominal point, revolutions per minute.
    pub fan_rpm: f64,
    /// Full speed of the fans, revolutions per minute.
    pub fan_full_rpm: f64,
    /// What one fan takes at full speed, watts.
    pub fan_full_w: f64,
    /// Outlet temperature of a printed board that stops the machine, °C.
    pub trip_c: i32,
    /// Temperature of a chip above which the machine complains, °C.
    pub warn_c: i32,
    /// Whether a board of which not all chips answer is not used at all.
    pub drops_short_boards: bool,
    /// From the start of the mining program to the first hash.
    pub start_s: u32,
    /// Where the figures are from, and which are assumed.
    pub source: &'static str,
}

/// Every model that can be simulated.
pub static MODELS: [Model; 3] = [
    Model {
        id: "antminer-l7",
        reported: "Antminer L7",
        boards: 3,
        chips: 120,
        cores: 117,
        fans: 4,
        freq_mhz: 1850.0,
        voltage_v: 14.7,
        temps_c: [45.0, 62.0, 58.0, 76.0],
        fan_rpm: 4200.0,
        fan_full_rpm: 6150.0,
        fan_full_w: 32.0,
        trip_c: 80,
        warn_c: 81,
        drops_short_boards: true,
        start_s: 150,
        source: "L7 product manual (layout, 80 °C), factory configuration (1850, 1470), firmware \
                 (81 °C, short boards), a public driver (117 cores); temperatures, fan speed, fan \
                 power and start time are assumed",
    },
    Model {
        id: "antminer-l9",
        reported: "Antminer L9",
        boards: 3,
        chips: 110,
        cores: 169,
        fans: 4,
        freq_mhz: 1262.0,
        voltage_v: 12.6,
        temps_c: [40.0, 64.0, 59.0, 81.0],
        fan_rpm: 4180.0,
        fan_full_rpm: 6150.0,
        fan_full_w: 32.0,
        trip_c: 80,
        warn_c: 90,
        drops_short_boards: false,
        start_s: 150,
        source: "a recorded reply of March 2026 (1262 MHz, temperatures, fans, a board of 25 chips \
                 in use); cores, voltage, limits, fan power and start time are assumed",
    },
    Model {
        id: "antminer-l3plus",
        reported: "Antminer L3+",
        boards: 4,
        chips: 72,
        cores: 12,
        fans: 2,
        freq_mhz: 384.0,
        voltage_v: 10.0,
        temps_c: [38.0, 46.0, 46.0, 55.0],
        fan_rpm: 3840.0,
        fan_full_rpm: 6000.0,
        fan_full_w: 20.0,
        trip_c: 80,
        warn_c: 81,
        drops_short_boards: false,
        start_s: 45,
        source: "recorded replies of 2018 (384 MHz, temperatures, fans); cores, voltage, limits, \
                 fan power and start time are assumed",
    },
];

impl Model {
    /// The model with this id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<&'static Self> {
        MODELS.iter().find(|model| model.id == id)
    }

    /// The catalogue's row.
    #[must_use]
    pub fn row(&self) -> Option<&'static machines::Machine> {
        machines::by_id(self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_that_of_the_catalogue() {
        for model in &MODELS {
            let row = model.row().expect("a row");
            let stated = [row.boards, row.chips_per_board, row.fans].map(|it| it.map(usize::from));
            assert_eq!(stated, [model.boards, model.chips, model.fans].map(Some), "{}", model.id);
            assert!(row.reported_as.contains(&model.reported), "{}", model.id);
            assert!(row.nominal().is_some_and(|plate| plate.power_w.is_some()), "{}", model.id);
        }
    }
}
