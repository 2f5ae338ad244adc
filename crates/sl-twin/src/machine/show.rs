//! What the machine shows: the truth through its sensors and counters.

use sl_units::{HashRate, Mono};

use super::{Machine, Slot};
use crate::fault::Sensor;
use crate::physics::Chip;
use crate::readings::{BoardReading, ChipMark, Light, Manners, Readings, State, Status, Stop};

/// The code of a light that is not good; no source tells the real ones.
const BAD: u32 = 1;

impl Machine {
    /// What the machine shows at `now`: the second that it was last stepped to.
    #[must_use]
    pub fn readings(&self, now: Mono) -> Readings {
        let elapsed = self.elapsed();
        let rate = |of: &dyn Fn(&Slot) -> f64| {
            let nonces: f64 = self.slots.iter().map(of).sum();
            HashRate::from_hs(nonces * self.plant.hashes_per_nonce)
        };
        let boards: Vec<_> = (0..self.slots.len()).filter_map(|slot| self.board(slot)).collect();
        let ideal = boards.iter().map(|board| board.rate_ideal.hs()).sum();
        let (good, bad) = self.slots.iter().fold((0, 0), |sum, slot| {
            let (good, bad) = slot.meter.nonces();
            (sum.0 + good, sum.1 + bad)
        });
        Readings {
            elapsed_s: elapsed,
            uptime_s: self.uptime(),
            state: self.state(),
            rate_5s: rate(&|slot| slot.meter.short(elapsed)),
            rate_30m: rate(&|slot| slot.meter.half_hour(elapsed)),
            rate_avg: rate(&|slot| slot.meter.average(elapsed)),
            rate_ideal: HashRate::from_hs(ideal),
            boards,
            fans_rpm: self.fans.shown().collect(),
            fan_pwm_percent: self.fans.percent().round() as u8,
            hw_errors: bad,
            hw_percent: 100.0 * bad as f64 / (good + bad).max(1) as f64,
            nonces: good + bad,
            status: self.status(),
            pools: self.pools.readings(&self.kept.conf.pools, now),
            best_share: self.pools.best_share(),
            conf: self.kept.conf.clone(),
            network: self.kept.network.clone(),
            light: self.kept.light,
            manners: self.manners(),
        }
    }

    /// The four lights of the summary.
    #[must_use]
    pub fn status(&self) -> Status {
        let light = |bad: bool, message| match bad {
            false => Light::Good,
            true => Light::Bad { code: BAD, message },
        };
        let state = self.state();
        let chips = self.in_use().map(|slot| slot.sensors.hottest(Sensor::ChipOutlet));
        let hot = chips.max().is_some_and(|hottest| hottest > self.spec.model.warn_c);
        let stopped =
            [Stop::OverTemperature, Stop::UnderTemperature, Stop::Sensor].map(State::Stopped);
        // Of the two texts the first is the firmware's; that it has another for cold is assumed.
        let temp = if self.life.cold { "Temp is too low" } else { "Temp is too high" };
        let spins = self.program_up() && !matches!(state, State::Starting);
        let fans = spins && self.fans.wrong() > 0 || state == State::Stopped(Stop::Fan);
        let network = self.wants_pool() && !self.pools.any_alive();
        Status {
            rate: light(self.rate_is_low(), "Rate is lower than ideal rate"),
            network: light(network, "Can not connect to pool"),
            fans: light(fans, "Wrong number"),
            temp: light(hot || stopped.contains(&state), temp),
        }
    }

    fn manners(&self) -> Manners {
        Manners {
            reachable: self.reachable(),
            web: self.reachable(),
            api: self.reachable() && self.program_up(),
            web_delay: self.effects.web_delay,
            web_hangs: self.effects.web_hangs,
            damaged_json: self.effects.damaged_json,
            login_refused: self.effects.login_refused,
        }
    }

    /// A board that is used, through its sensors.
    fn board(&self, index: usize) -> Option<BoardReading> {
        let slot = self.slots.get(index).filter(|slot| slot.found > 0)?;
        let lost = self.effects.has_lost(index);
        let (clock, _) = self.life.point;
        let share = clock * slot.found as f64 / (self.spec.model.chips * self.slots.len()) as f64;
        let rate = |nonces: f64| HashRate::from_hs(nonces * self.plant.hashes_per_nonce);
        let elapsed = self.elapsed();
        // Without power no sensor answers.
        let temps = |group: usize| if lost { [0; 4] } else { slot.sensors.group(group) };
        Some(BoardReading {
            index,
            chips: marks(slot, lost),
            freq_mhz: (self.plant.freq_mhz * clock).round() as u32,
            voltage_v: slot.voltage_v,
            rate_ideal: HashRate::from_hs(self.plant.rate_hs * share),
            rate_real: rate(slot.meter.short(elapsed)),
            rate_avg: rate(slot.meter.average(elapsed)),
            temp_pic_c: temps(0),
            temp_pcb_c: temps(1),
            temp_chip_c: temps(2),
            hw_errors: slot.meter.nonces().1,
            eeprom_loaded: true,
            serial: slot.serial.clone(),
        })
    }
}

fn marks(slot: &Slot, lost: bool) -> Vec<ChipMark> {
    let mark = |chip: &Chip| match chip {
        chip if !chip.counted => ChipMark::Missing,
        chip if lost || !chip.works || !chip.answers => ChipMark::Bad,
        _ => ChipMark::Good,
    };
    slot.board.chips().iter().map(mark).collect()
}
