//! One hash board: chips, heat, a step of time.

use super::Plant;
use super::air::{Environment, Flow, within};
use super::plant::{BOARD_SHARE, Segment};
use super::quality::{Chip, Sums};

/// Temperatures of one segment, °C.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperatures {
    /// The printed board.
    pub board: f64,
    /// The chips' cases.
    pub chip: f64,
    /// The heat sink.
    pub sink: f64,
}

/// How a board is driven.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drive {
    /// Clock, as a share of the nominal one; 0: the chips stand.
    pub clock: f64,
    /// Voltage, as a share of the nominal one; 0: without power.
    pub volts: f64,
    /// Whether the chips have work; without it they are clocked and idle.
    pub works: bool,
    /// Bad nonces on top of those of the chips, as a share of all.
    pub bad_share: f64,
}

impl Drive {
    /// Without power.
    pub const OFF: Self = Self { clock: 0.0, volts: 0.0, works: false, bad_share: 0.0 };
    /// The nominal point.
    pub const NOMINAL: Self = Self { clock: 1.0, volts: 1.0, works: true, bad_share: 0.0 };

    /// The same within what is possible: half as much again as nominal at most; what is no number
    /// is zero.
    fn sane(self) -> Self {
        Self {
            clock: within(self.clock, 1.5),
            volts: within(self.volts, 1.5),
            works: self.works,
            bad_share: within(self.bad_share, 1.0),
        }
    }
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// What the board drew, watts.
    pub power_w: f64,
    /// What went into the air, watts, at the end of the step.
    pub heat_w: f64,
    /// Good hashes a second.
    pub good_hs: f64,
    /// Hashes a second that came to nothing.
    pub bad_hs: f64,
}

/// A hash board.
#[derive(Debug, Clone)]
pub struct Board {
    chips: Box<[Chip]>,
    sums: [Sums; 2],
    temperatures: [Temperatures; 2],
}

impl Board {
    /// A board of these chips that has long stood at `ambient_c`.
    #[must_use]
    pub fn new(chips: Box<[Chip]>, ambient_c: f64) -> Self {
        let sums = Sums::of(&chips);
        let cold = Temperatures { board: ambient_c, chip: ambient_c, sink: ambient_c };
        Self { chips, sums, temperatures: [cold; 2] }
    }

    /// Its chips.
    #[must_use]
    pub fn chips(&self) -> &[Chip] {
        &self.chips
    }

    /// Something happens to the chips.
    pub fn change(&mut self, change: impl FnOnce(&mut [Chip])) {
        change(&mut self.chips);
        self.sums = Sums::of(&self.chips);
    }

    /// Counts the chips that answer; only they are given work from now on.
    pub fn count_chips(&mut self) -> usize {
        self.change(|chips| chips.iter_mut().for_each(|chip| chip.counted = chip.answers));
        self.chips.iter().filter(|chip| chip.counted).count()
    }

    /// The temperatures of the inlet and the outlet segment.
    #[must_use]
    pub const fn temperatures(&self) -> &[Temperatures; 2] {
        &self.temperatures
    }

    /// Heat stored above 0 °C, joules.
    #[must_use]
    pub fn stored_j(&self, plant: &Plant) -> f64 {
        let one = |(segment, at): (&Segment, &Temperatures)| {
            let [board, chip, sink] = segment.capacity;
            board * at.board + chip * at.chip + sink * at.sink
        };
        plant.segments.iter().zip(&self.temperatures).map(one).sum()
    }

    /// Lets `dt_s` seconds pass, air coming in at `inlet_c`. Nothing passes when `dt_s` is not
    /// positive; more than an hour counts as an hour.
    pub fn step(
        &mut self,
        plant: &Plant,
        flow: &Flow,
        drive: Drive,
        inlet_c: f64,
        dt_s: f64,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        if dt_s.is_nan() || dt_s <= 0.0 {
            return outcome;
        }
        let (drive, dt_s) = (drive.sane(), dt_s.clamp(1e-3, 3600.0));
        let inlet_c = Environment { inlet_c, altitude_m: 0.0 }.sane().inlet_c;
        let mut air_c = inlet_c;
        // Of a chip all of whose cores work, a second.
        let hashes = plant.hashes_per_cycle * plant.cores * plant.freq_mhz * 1e6 * drive.clock;
        let switching_w = plant.switching_w(drive.clock, drive.volts, drive.works);
        for at in 0..2 {
            let (sums, now, segment) =
                (&self.sums[at], &mut self.temperatures[at], &plant.segments[at]);
            if drive.volts > 0.0 {
                let power = sums.switching * switching_w
                    + sums.leakage * plant.leak_w(drive.volts, now.chip);
                outcome.power_w += power;
                if drive.works {
                    let made = hashes * sums.yields;
                    let own = plant.bad_share(drive.clock, drive.volts, now.chip);
                    let bad = (own * hashes * sums.badness + drive.bad_share * made).min(made);
                    outcome.bad_hs += bad;
                    outcome.good_hs += made - bad;
                }
                *now = solve(segment, now, power, [flow.board[at], flow.sink[at]], air_c, dt_s);
            } else {
                *now = solve(segment, now, 0.0, [flow.board[at], flow.sink[at]], air_c, dt_s);
            }
            let heat = flow.board[at] * (now.board - air_c) + flow.sink[at] * (now.sink - air_c);
            outcome.heat_w += heat;
            air_c += heat / flow.carries;
        }
        outcome
    }
}

/// One implicit step of board, chips and sink: three equations in a row, eliminated from both ends.
fn solve(
    segment: &Segment,
    now: &Temperatures,
    power_w: f64,
    to_air: [f64; 2],
    air_c: f64,
    dt_s: f64,
) -> Temperatures {
    let [board_air, sink_air] = to_air;
    let (pc, cs) = (segment.board_chip, segment.chip_sink);
    let [cap_board, cap_chip, cap_sink] = segment.capacity.map(|capacity| capacity / dt_s);

    let a_board = cap_board + pc + board_air;
    let b_board = cap_board * now.board + BOARD_SHARE * power_w + board_air * air_c;
    let a_sink = cap_sink + cs + sink_air;
    let b_sink = cap_sink * now.sink + sink_air * air_c;
    let a_chip = cap_chip + pc + cs - pc * pc / a_board - cs * cs / a_sink;
    let b_chip = cap_chip * now.chip
        + (1.0 - BOARD_SHARE) * power_w
        + pc * b_board / a_board
        + cs * b_sink / a_sink;

    let chip = b_chip / a_chip;
    Temperatures {
        board: (b_board + pc * chip) / a_board,
        chip,
        sink: (b_sink + cs * chip) / a_sink,
    }
}

#[cfg(test)]
mod tests;
