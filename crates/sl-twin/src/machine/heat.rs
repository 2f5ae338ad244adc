//! A second of the physics: how the boards are driven, what they make of it, and the air.

use super::Machine;
use crate::physics::{Air, Drive, Environment};
use crate::readings::State;

/// The air of a room follows what heats it with this time constant, seconds. Assumed.
const ROOM_S: f64 = 240.0;

impl Machine {
    /// Whether the boards have power.
    pub(super) fn powered(&self) -> bool {
        match self.life.state {
            State::Mining => true,
            // Fans and sensors first.
            State::Starting => self.started().is_some_and(|started| started >= 0.2),
            _ => false,
        }
    }

    /// How boards in use are driven.
    fn drive(&self) -> Drive {
        /// Clock at which the chips are counted.
        const FIRST_CLOCK: f64 = 0.25;
        let (clock, volts) = self.life.point;
        let volts = volts * self.effects.volts;
        let bad_share = self.effects.bad_share;
        if !self.powered() {
            return Drive::OFF;
        }
        match self.started() {
            None => Drive { clock, volts, works: self.has_work(), bad_share },
            // The clock climbs in the second half of the start.
            Some(started) => {
                let climbed = ((started - 0.5) / 0.5).max(0.0);
                let clock = FIRST_CLOCK.min(clock) + (clock - FIRST_CLOCK).max(0.0) * climbed;
                Drive { clock, volts, works: false, bad_share }
            }
        }
    }

    /// One second of electricity, heat and air.
    pub(super) fn heat(&mut self) {
        let place = self.spec.place.sane();
        let wanted = place.inlet_c + self.effects.rise_k;
        self.inlet_c += (wanted - self.inlet_c) / ROOM_S;
        let place = Environment { inlet_c: self.inlet_c, ..place };

        self.fans.turn(&self.effects.fans);
        let air = Air::new(&self.plant, self.fans.rpm(), place);
        let drive = self.drive();
        let counted = !matches!(self.life.state, State::Starting) || self.any_found();
        let (mut boards_w, mut good_hs) = (0.0, 0.0);
        for (slot, lost) in self.slots.iter_mut().zip(self.effects.lost) {
            let drive = if lost || counted && slot.found == 0 { Drive::OFF } else { drive };
            let outcome = slot.board.step(&self.plant, &air.flow, drive, self.inlet_c, 1.0);
            boards_w += outcome.power_w;
            good_hs += outcome.good_hs;
            slot.voltage_v = drive.volts * self.plant.voltage_v;
            slot.rate = (outcome.good_hs, outcome.good_hs + outcome.bad_hs);
            slot.meter.second(&outcome, self.plant.hashes_per_nonce, &mut self.rng);
        }
        self.power_w = self.plant.wall_w(boards_w, air.fans_w);
        self.smooth(good_hs);
    }

    fn any_found(&self) -> bool {
        self.slots.iter().any(|slot| slot.found > 0)
    }
}
