//! The air: what comes in, how much of it, and what fans take to move it.

use super::Plant;

/// Density falls by a factor of e in so many metres.
const SCALE_HEIGHT_M: f64 = 8434.0;
const KELVIN: f64 = 273.15;
/// Temperature of the nominal point, °C.
pub(crate) const NOMINAL_INLET_C: f64 = 25.0;
/// Share of the nominal stream that flows by itself past boards that are warm.
const CALM: f64 = 0.03;

/// Where a machine stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Environment {
    /// Temperature of the air that it draws in, °C.
    pub inlet_c: f64,
    /// Metres above the sea.
    pub altitude_m: f64,
}

impl Default for Environment {
    fn default() -> Self {
        Self::NOMINAL
    }
}

impl Environment {
    /// 25 °C at sea level.
    pub const NOMINAL: Self = Self { inlet_c: NOMINAL_INLET_C, altitude_m: 0.0 };

    /// The same within what is possible: −40 to 80 °C, −500 to 6,000 m; what is no number is the
    /// nominal value.
    #[must_use]
    pub fn sane(self) -> Self {
        let or = |value: f64, nominal: f64| if value.is_nan() { nominal } else { value };
        Self {
            inlet_c: or(self.inlet_c, NOMINAL_INLET_C).clamp(-40.0, 80.0),
            altitude_m: or(self.altitude_m, 0.0).clamp(-500.0, 6000.0),
        }
    }

    /// Density of the air against that of the nominal point.
    #[must_use]
    pub fn density(self) -> f64 {
        (-self.altitude_m / SCALE_HEIGHT_M).exp() * (NOMINAL_INLET_C + KELVIN)
            / (self.inlet_c + KELVIN)
    }
}

/// How heat gets into the stream of air at this instant, for each segment of a board.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// Heat that the stream past one board takes up, watts per kelvin.
    pub carries: f64,
    /// From sink to air, watts per kelvin.
    pub sink: [f64; 2],
    /// From board to air, watts per kelvin.
    pub board: [f64; 2],
}

/// The stream for these fans, and what they draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Air {
    /// How heat gets into it.
    pub flow: Flow,
    /// What the fans draw, watts.
    pub fans_w: f64,
}

impl Air {
    /// The stream that fans at these speeds make in this place.
    #[must_use]
    pub fn new(plant: &Plant, rpm: &[f64], place: Environment) -> Self {
        let density = place.density();
        let (mut speed, mut cubes) = (0.0, 0.0);
        for rpm in rpm {
            let share = within(rpm / plant.fan_full_rpm, 1.5);
            speed += share;
            cubes += share * share * share;
        }
        let speed = speed * plant.fan_full_rpm / (rpm.len().max(1) as f64 * plant.fan_rpm);
        let mass = (speed * density).max(CALM);
        Self { flow: plant.flow(mass), fans_w: plant.fan_full_w * cubes * density }
    }
}

/// A number from 0 to `most`; what is no number is 0.
pub(super) fn within(value: f64, most: f64) -> f64 {
    if value > 0.0 { value.min(most) } else { 0.0 }
}
