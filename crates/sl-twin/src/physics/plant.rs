//! The constants of a model, solved from its nominal point.

use super::air::{Flow, NOMINAL_INLET_C};
use super::quality::MARGIN_SPREAD;
use crate::model::Model;

/// What the control board takes, watts. Assumed, as all constants here.
const CONTROL_W: f64 = 12.0;
/// What the power supply itself takes without load, watts.
const STANDBY_W: f64 = 9.0;
/// What the supply is made to give, as a share of what the machine takes at the wall.
const CAPACITY: f64 = 1.02;
/// Best efficiency of the supply, how it falls off with the square of the distance from the best
/// load, and that load.
const EFFICIENCY: (f64, f64, f64) = (0.955, 0.04, 0.65);
/// Share of the chips' power at the nominal point that leaks.
pub(super) const LEAK_SHARE: f64 = 0.08;
/// Leakage grows by a factor of e in so many kelvin.
const LEAK_K: f64 = 45.0;
/// Share of a board's power that becomes heat in the board itself, not in chips.
pub(super) const BOARD_SHARE: f64 = 0.03;
/// Share of the heat that leaves through the board.
const THROUGH_BOARD: f64 = 0.10;
/// Share of the drop from chip to air that lies between chip and sink.
const CHIP_TO_SINK: f64 = 0.30;
/// Heat capacities for one chip: its own, its part of the board, its part of the sink; J/K.
const CAPACITIES: [f64; 3] = [2.0, 1.2, 15.0];
/// How conductance to air grows with the stream: forced convection over plates.
const STREAM_POWER: f64 = 0.8;
/// Bad nonces of all at the nominal point, and how the clock that a chip bears falls by kelvin.
const BAD_SHARE: f64 = 1.5e-4;
const MARGIN_PER_K: f64 = 0.0006;
/// What chips switch that are clocked and have no work, against those that hash.
const IDLE: f64 = 0.25;
/// Nonces a second that a board returns at its nominal rate, about: its chips return those that
/// meet a target of a power of two.
const NONCES_PER_BOARD: f64 = 750.0;

/// One segment of a board.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Segment {
    /// From board to chips, watts per kelvin.
    pub(super) board_chip: f64,
    /// From chips to sink, watts per kelvin.
    pub(super) chip_sink: f64,
    /// From board to air at the nominal stream.
    board_air: f64,
    /// From sink to air at the nominal stream, were the air not warmed.
    sink_air: f64,
    /// Heat capacities of board, chips and sink, J/K.
    pub(super) capacity: [f64; 3],
}

/// The constants of a model, and its nominal point. Where a figure is not stated by the model's
/// source it is assumed; the comments beside the constants say so.
#[derive(Debug, Clone, PartialEq)]
pub struct Plant {
    /// The model.
    pub model: &'static Model,
    /// Nominal rate of a whole machine, hashes per second.
    pub rate_hs: f64,
    /// Nominal power at the wall, watts.
    pub power_w: f64,
    /// Clock at the nominal point, MHz.
    pub freq_mhz: f64,
    /// Voltage over a board at the nominal point.
    pub voltage_v: f64,
    /// Hash cores on a chip.
    pub cores: f64,
    /// Hashes of one core of a mean chip in one cycle of its clock.
    pub hashes_per_cycle: f64,
    /// Hashes that stand behind one nonce that a board returns.
    pub hashes_per_nonce: f64,
    /// Speed of the fans at the nominal point.
    pub fan_rpm: f64,
    /// Full speed of the fans.
    pub fan_full_rpm: f64,
    /// What one fan takes at full speed at the nominal density, watts.
    pub fan_full_w: f64,
    /// What the supply is made for, watts of output.
    pub capacity_w: f64,
    /// Switching power of one chip at the nominal point, watts.
    switching_w: f64,
    /// Leakage of one chip at `leak_c`, watts.
    leak_w: f64,
    /// Temperature of the leakage, °C.
    leak_c: f64,
    /// Heat that the nominal stream past one board takes up, watts per kelvin.
    carries: f64,
    pub(super) segments: [Segment; 2],
}

impl Plant {
    /// The constants for a variant of a model that makes `rate_hs` at `power_w`. The variants of a
    /// model differ in their clock.
    #[must_use]
    pub fn new(model: &'static Model, rate_hs: f64, power_w: f64) -> Self {
        let nominal = model.row().and_then(|row| row.nominal());
        let full = nominal.map_or(rate_hs, |plate| plate.hash_rate().hs());
        let freq_mhz = (model.freq_mhz * rate_hs / full).round();
        let chips = (model.boards * model.chips) as f64;
        let cores = f64::from(model.cores.max(1));
        let capacity_w = power_w * CAPACITY;
        let fan_share = model.fan_rpm / model.fan_full_rpm;
        let fans_w = model.fans as f64 * model.fan_full_w * fan_share.powi(3);
        let board_w = (output_for(power_w, capacity_w) - CONTROL_W - fans_w) / model.boards as f64;
        let [board_in, board_out, chip_in, chip_out] = model.temps_c;

        // Leakage of the two halves at their own temperatures, its mean as wanted.
        let leak_c = f64::midpoint(chip_in, chip_out);
        let grown = [chip_in, chip_out].map(|at| ((at - leak_c) / LEAK_K).exp());
        let chip_w = board_w / model.chips as f64;
        let leak_w = chip_w * LEAK_SHARE * 2.0 / (grown[0] + grown[1]);
        let switching_w = chip_w * (1.0 - LEAK_SHARE);
        let half = model.chips as f64 / 2.0;
        let heat = grown.map(|grown| half * (switching_w + leak_w * grown));

        let carries = heat[0] / (chip_out - chip_in);
        let air = [NOMINAL_INLET_C, NOMINAL_INLET_C + heat[0] / carries];
        let segment = |heat: f64, board: f64, chip: f64, air: f64| {
            let board_w = THROUGH_BOARD * heat;
            let sink_w = heat - board_w;
            let effective = sink_w / ((1.0 - CHIP_TO_SINK) * (chip - air));
            // The effectiveness of an exchanger, solved for its transfer units.
            let units = -(1.0 - (effective / carries).min(0.98)).ln();
            Segment {
                board_chip: (board_w - BOARD_SHARE * heat) / (chip - board),
                chip_sink: sink_w / (CHIP_TO_SINK * (chip - air)),
                board_air: board_w / (board - air),
                sink_air: units * carries,
                capacity: CAPACITIES.map(|one| one * half),
            }
        };
        Self {
            model,
            rate_hs,
            power_w,
            freq_mhz,
            voltage_v: model.voltage_v,
            cores,
            hashes_per_cycle: rate_hs / (freq_mhz * 1e6 * chips * cores),
            hashes_per_nonce: (rate_hs / model.boards as f64 / NONCES_PER_BOARD)
                .log2()
                .round()
                .exp2(),
            fan_rpm: model.fan_rpm,
            fan_full_rpm: model.fan_full_rpm,
            fan_full_w: model.fan_full_w,
            capacity_w,
            switching_w,
            leak_w,
            leak_c,
            carries,
            segments: [
                segment(heat[0], board_in, chip_in, air[0]),
                segment(heat[1], board_out, chip_out, air[1]),
            ],
        }
    }

    /// What is drawn at the wall when the machine draws `boards_w` and `fans_w` from its supply,
    /// watts. It grows with either.
    #[must_use]
    pub fn wall_w(&self, boards_w: f64, fans_w: f64) -> f64 {
        let output = boards_w + fans_w + CONTROL_W;
        output / efficiency(output / self.capacity_w) + STANDBY_W
    }

    /// How heat gets into a stream of so much of the nominal mass.
    pub(super) fn flow(&self, mass: f64) -> Flow {
        let carries = self.carries * mass;
        let grown = mass.powf(STREAM_POWER);
        let exchange =
            |segment: &Segment| carries * -(-segment.sink_air * grown / carries).exp_m1();
        let [inlet, outlet] = &self.segments;
        Flow {
            carries,
            sink: [exchange(inlet), exchange(outlet)],
            board: [inlet.board_air * grown, outlet.board_air * grown],
        }
    }

    /// Switching power of a mean chip at this clock and voltage, as shares of the nominal ones.
    pub(super) fn switching_w(&self, clock: f64, volts: f64, works: bool) -> f64 {
        self.switching_w * clock * volts * volts * if works { 1.0 } else { IDLE }
    }

    /// Leakage of a mean chip at this voltage and temperature. Beyond 150 °C it grows no more: the
    /// chip is gone by then.
    pub(super) fn leak_w(&self, volts: f64, chip_c: f64) -> f64 {
        self.leak_w * volts * volts * ((chip_c.min(150.0) - self.leak_c) / LEAK_K).exp()
    }

    /// Share of bad nonces of a mean chip, before its own margin; may be above 1.
    pub(super) fn bad_share(&self, clock: f64, volts: f64, chip_c: f64) -> f64 {
        let bears = volts - MARGIN_PER_K * (chip_c - self.leak_c);
        // The exponent is bounded, so that no product with it is infinite.
        BAD_SHARE * ((clock - bears) / MARGIN_SPREAD).clamp(-40.0, 40.0).exp()
    }
}

/// The supply's efficiency at a load.
fn efficiency(load: f64) -> f64 {
    let (best, falls, at) = EFFICIENCY;
    best - falls * (load.clamp(0.0, 1.5) - at).powi(2)
}

/// The output for which a supply draws `wall_w`.
fn output_for(wall_w: f64, capacity_w: f64) -> f64 {
    (0..40).fold(wall_w, |output, _| (wall_w - STANDBY_W) * efficiency(output / capacity_w))
}
