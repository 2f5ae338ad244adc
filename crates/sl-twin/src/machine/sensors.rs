//! The temperature sensors of a board, and what faults make of them.

use sl_scenario::Span;

use crate::fault::{Fault, Sensor};
use crate::physics::{Board, normal};

/// What a sensor may tell; anything else is no temperature.
const PLAUSIBLE: std::ops::RangeInclusive<i32> = -40..=120;

/// Six pairs of sensors.
#[derive(Debug, Clone)]
pub(super) struct Sensors {
    /// How far each of the twelve is off, K.
    off: [f32; 12],
    /// What each tells, °C.
    shown: [i32; 12],
    /// What a fault makes of each pair.
    forced: [Forced; 6],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Forced {
    No,
    /// It tells what it told.
    Stuck,
    Told(i32),
}

impl Sensors {
    pub(super) fn new(ambient_c: f64, rng: &mut fastrand::Rng) -> Self {
        let off = std::array::from_fn(|_| (0.4 * normal(rng)) as f32);
        Self { off, shown: [ambient_c.round() as i32; 12], forced: [Forced::No; 6] }
    }

    /// The faults that hold from now on.
    pub(super) fn faults<'a>(
        &mut self,
        slot: usize,
        faults: impl Iterator<Item = &'a Span<Fault>>,
    ) {
        self.forced = [Forced::No; 6];
        for span in faults {
            let (sensor, forced) = match &span.effect {
                Fault::SensorStuck { board, sensor } if *board == slot => (*sensor, Forced::Stuck),
                Fault::SensorAbsurd { board, sensor, shows_c } if *board == slot => {
                    (*sensor, Forced::Told(*shows_c))
                }
                _ => continue,
            };
            if let Some(place) = self.forced.get_mut(sensor as usize) {
                *place = forced;
            }
        }
    }

    /// Looks at the board.
    pub(super) fn look(&mut self, board: &Board) {
        let [inlet, outlet] = board.temperatures();
        // In the order of `Sensor`.
        let truth = [inlet.board, outlet.board, inlet.board, outlet.board, inlet.chip, outlet.chip];
        for (pair, truth) in truth.into_iter().enumerate() {
            for one in [2 * pair, 2 * pair + 1] {
                self.shown[one] = match self.forced[pair] {
                    Forced::No => (truth + f64::from(self.off[one])).round() as i32,
                    Forced::Stuck => self.shown[one],
                    Forced::Told(shows) => shows,
                };
            }
        }
    }

    /// What a group of four tells, inlet first: 0 controller, 1 board, 2 chips.
    pub(super) fn group(&self, group: usize) -> [i32; 4] {
        let mut four = [0; 4];
        four.copy_from_slice(&self.shown[4 * group..4 * group + 4]);
        four
    }

    /// The hottest of a pair.
    pub(super) fn hottest(&self, sensor: Sensor) -> i32 {
        let at = 2 * sensor as usize;
        self.shown[at].max(self.shown[at + 1])
    }

    /// The first that tells what cannot be, °C.
    pub(super) fn absurd(&self) -> Option<i32> {
        self.shown.iter().copied().find(|shown| !PLAUSIBLE.contains(shown))
    }

    /// Whether what this sensor tells can be.
    pub(super) fn plausible(&self, sensor: Sensor) -> bool {
        PLAUSIBLE.contains(&self.hottest(sensor))
    }
}
