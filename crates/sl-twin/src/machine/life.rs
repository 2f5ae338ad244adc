//! What the machine goes through: starting, mining, sleeping, waiting, stopping; and the protections.

use super::Machine;
use crate::fault::Sensor;
use crate::readings::{State, Stop};

/// From the start of the control board to its network, seconds. Assumed.
const BOOT_S: u64 = 25;
/// From the start of the mining program to its port, seconds.
const PROGRAM_S: u64 = 5;
/// Without a pool the boards are switched off after so many seconds.
const POOL_PATIENCE_S: u64 = 20 * 60;
/// A pool that the machine cannot reach for so long is dead to it, seconds. Assumed.
const POOL_LOST_S: u64 = 60;
/// The last job is worked on for so long after the last pool is gone, seconds: a connection that is
/// made anew at once is no gap. The hashes that the machine's pool sees end with the connection, and
/// so must those that it claims.
const LAST_JOB_S: u64 = 1;
/// Readings until a protection stops the machine: too hot, no temperature at all, a fan, voltage,
/// too cold. Those of fans and voltage are assumed.
const STRIKES: [u8; 5] = [3, 7, 15, 3, 3];
/// A printed board is too cold below this at its outlet, °C. That the firmware stops then is known,
/// its limit is not: assumed, the lowest temperature at which the maker lets an L9 stand.
const LEAST_C: i32 = -20;
/// Share of its voltage below which the supply has failed. Assumed.
const LEAST_VOLTS: f64 = 0.8;
/// Steps of the loop in which the fans come up to speed.
const SPIN_UP_S: u64 = 20;

/// Where in its life a machine is. Instants are seconds of the machine.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) state: State,
    /// When the state began.
    pub(super) since: u64,
    /// When the control board started.
    board: u64,
    /// When the mining program started.
    program: u64,
    /// When a pool last gave work.
    pool: u64,
    /// Seconds in a row off the network.
    offline: u64,
    /// Clock and voltage that the mining program wants, as shares of the nominal ones.
    pub(super) point: (f64, f64),
    /// Readings in a row that were over each limit.
    strikes: [u8; 5],
    /// Whether what a protection stopped was too cold, or seemed so.
    pub(super) cold: bool,
    /// Good hashes a second, smoothed over a minute.
    smoothed_hs: f64,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            state: State::Booting,
            since: 0,
            board: 0,
            program: 0,
            pool: 0,
            offline: 0,
            point: (1.0, 1.0),
            strikes: [0; 5],
            cold: false,
            smoothed_hs: 0.0,
        }
    }
}

impl Machine {
    /// What the mining program does.
    #[must_use]
    pub const fn state(&self) -> State {
        self.life.state
    }

    /// The control board starts.
    pub(super) fn boot(&mut self) {
        self.life.board = self.seconds;
        self.log.clear();
        self.enter(State::Booting);
        self.say("Booting Linux on physical CPU 0x0");
        self.fans.command(100.0);
        self.restart_program();
    }

    /// The mining program starts anew, with the configuration as it is; while the control board
    /// starts it does so anyway, in its time. Whether it starts now.
    pub(super) fn restart(&mut self) -> bool {
        let up = self.life.state != State::Booting;
        if up {
            self.start_program();
        }
        up
    }

    fn start_program(&mut self) {
        self.enter(State::Starting);
        self.restart_program();
    }

    fn restart_program(&mut self) {
        self.life.program = self.seconds;
        self.life.point = operating_point(&self.kept.conf);
        self.generation += 1;
        self.pools.begin(self.generation);
        for slot in &mut self.slots {
            (slot.meter, slot.found) = (super::Meter::default(), 0);
        }
        self.fans.begin();
    }

    fn enter(&mut self, state: State) {
        (self.life.state, self.life.since) = (state, self.seconds);
        (self.life.strikes, self.life.cold) = ([0; 5], false);
    }

    /// Seconds since the control board started.
    pub(super) const fn uptime(&self) -> u64 {
        self.seconds.saturating_sub(self.life.board)
    }

    /// Seconds since the mining program started.
    pub(super) const fn elapsed(&self) -> u64 {
        self.seconds.saturating_sub(self.life.program)
    }

    /// Seconds in this state.
    pub(super) const fn in_state(&self) -> u64 {
        self.seconds.saturating_sub(self.life.since)
    }

    pub(super) const fn reachable(&self) -> bool {
        !self.effects.network_lost && !matches!(self.life.state, State::Booting)
    }

    /// Whether the mining program is up.
    pub(super) const fn program_up(&self) -> bool {
        !matches!(self.life.state, State::Booting) && self.elapsed() >= PROGRAM_S
    }

    pub(super) const fn wants_pool(&self) -> bool {
        self.program_up() && !matches!(self.life.state, State::Asleep)
    }

    /// Whether there is a job to work on.
    pub(super) const fn has_work(&self) -> bool {
        self.seconds.saturating_sub(self.life.pool) <= LAST_JOB_S
    }

    /// How far the start of the boards is, from 0 to 1; `None` when they are not being started.
    pub(super) fn started(&self) -> Option<f64> {
        let starts = matches!(self.life.state, State::Starting);
        starts.then(|| self.in_state() as f64 / f64::from(self.spec.model.start_s.max(1)))
    }

    /// Whether the rate is below nine tenths of what it should be, once it had time to come. Share
    /// and time are assumed.
    pub(super) fn rate_is_low(&self) -> bool {
        let wanted = self.plant.rate_hs * self.life.point.0;
        match self.life.state {
            State::Mining => self.in_state() >= 180 && self.life.smoothed_hs < 0.9 * wanted,
            State::Stopped(_) | State::WaitsForPool => true,
            State::Booting | State::Starting | State::Asleep => false,
        }
    }

    pub(super) fn smooth(&mut self, good_hs: f64) {
        self.life.smoothed_hs += (good_hs - self.life.smoothed_hs) / 60.0;
    }

    /// What time alone brings.
    pub(super) fn proceed(&mut self) {
        self.life.offline = if self.effects.network_lost { self.life.offline + 1 } else { 0 };
        if self.life.offline == POOL_LOST_S {
            self.pools.lose_all();
        }
        // One in reserve that answers is none yet.
        if self.seconds <= self.lead || self.pools.any_active() {
            self.life.pool = self.seconds;
        }
        let sleeps = self.kept.conf.work_mode == 1;
        match self.life.state {
            State::Booting if self.in_state() >= BOOT_S => {
                self.start_program();
                self.say("eth0: link up, 100 Mbps, full duplex");
            }
            State::Starting if sleeps && self.elapsed() >= PROGRAM_S => {
                self.find_boards();
                self.enter(State::Asleep);
                self.say("miner is in sleep mode, power off");
            }
            State::Starting => {
                let started = self.started().unwrap_or(0.0);
                let unfound = self.slots.iter().all(|slot| slot.found == 0);
                if started >= 1.0 {
                    self.enter(State::Mining);
                    self.say("start to mine");
                } else if started >= 0.3 && unfound {
                    self.find_boards();
                }
            }
            State::Mining => {
                let since = self.life.pool.max(self.life.since);
                if self.seconds.saturating_sub(since) >= POOL_PATIENCE_S {
                    self.enter(State::WaitsForPool);
                    self.say("no pool for 20 minutes, power off");
                }
            }
            State::WaitsForPool if self.pools.any_active() => {
                self.enter(State::Starting);
                self.say("pool is back, power on");
            }
            _ => {}
        }
    }

    /// The chips of each board are counted.
    fn find_boards(&mut self) {
        let chips = self.spec.model.chips;
        let mut lines = Vec::new();
        for (place, slot) in self.slots.iter_mut().enumerate() {
            if self.effects.has_lost(place) {
                slot.found = 0;
                lines.push(format!("chain[{place}]: not found"));
                continue;
            }
            let answers = slot.board.count_chips();
            let short = answers < chips && self.spec.model.drops_short_boards;
            slot.found = if short { 0 } else { answers };
            let what = if short { ", chain is not used" } else { "" };
            lines.push(format!("chain[{place}]: found {answers} of {chips} asic{what}"));
        }
        for line in lines {
            self.say(line);
        }
        if self.slots.iter().all(|slot| slot.found == 0) {
            self.stop(Stop::NoBoards, "no chain found");
        }
    }

    fn stop(&mut self, why: Stop, line: &str) {
        self.enter(State::Stopped(why));
        self.say(line);
    }

    /// The loop of the mining program: sensors, protections, fans.
    pub(super) fn look(&mut self) {
        if matches!(self.life.state, State::Booting) || !self.fans.due() {
            return;
        }
        for slot in &mut self.slots {
            slot.sensors.look(&slot.board);
        }
        let powered = self.powered();
        if powered {
            self.guard();
        }
        let conf = &self.kept.conf;
        let hottest = self.in_use().filter(|slot| slot.sensors.plausible(Sensor::ChipOutlet));
        let hottest = hottest.map(|slot| slot.sensors.hottest(Sensor::ChipOutlet)).max();
        match (self.life.state, hottest) {
            (State::Stopped(_), _) => self.fans.command(100.0),
            _ if conf.fan_fixed => self.fans.command(conf.fan_pwm_percent()),
            (_, Some(hottest)) => {
                self.fans.control(f64::from(hottest), self.spec.model.temps_c[3], powered);
            }
            (_, None) if powered => self.fans.command(100.0),
            (_, None) => self.fans.command(30.0),
        }
    }

    /// Boards that are used and have power.
    pub(super) fn in_use(&self) -> impl Iterator<Item = &super::Slot> + Clone {
        let slots = self.slots.iter().enumerate();
        let used = |(place, slot): &(usize, &super::Slot)| {
            slot.found > 0 && !self.effects.has_lost(*place)
        };
        slots.filter(used).map(|(_, slot)| slot)
    }

    fn guard(&mut self) {
        let trip = self.spec.model.trip_c;
        let outlets = self.in_use().filter(|slot| slot.sensors.plausible(Sensor::PcbOutlet));
        let outlets = outlets.map(|slot| slot.sensors.hottest(Sensor::PcbOutlet));
        let hot = outlets.clone().max().filter(|hottest| *hottest >= trip);
        let cold = outlets.min().filter(|coldest| *coldest < LEAST_C);
        let absurd = self.in_use().find_map(|slot| slot.sensors.absurd());
        let fans = self.elapsed() > SPIN_UP_S && self.fans.wrong() > 0;
        let volts = self.effects.volts < LEAST_VOLTS;
        let over = [hot.is_some(), absurd.is_some(), fans, volts, cold.is_some()];
        for (strikes, over) in self.life.strikes.iter_mut().zip(over) {
            *strikes = if over { strikes.saturating_add(1) } else { 0 };
        }
        let out = |at: usize| self.life.strikes[at] >= STRIKES[at];
        if out(0) {
            let line = format!("over max temp, pcb temp {} (max {trip})", hot.unwrap_or(trip));
            self.stop(Stop::OverTemperature, &line);
        } else if out(1) {
            self.stop(Stop::Sensor, "temperature sensor error");
            self.life.cold = absurd.is_some_and(|shown| shown < 0);
        } else if out(2) {
            self.stop(Stop::Fan, "fan error exceed limit");
        } else if out(3) {
            self.stop(Stop::Power, "power voltage is below its limit");
        } else if out(4) {
            let line =
                format!("over min temp, pcb temp {} (min {LEAST_C})", cold.unwrap_or(LEAST_C));
            self.stop(Stop::UnderTemperature, &line);
            self.life.cold = true;
        }
    }
}

/// Clock and voltage that a configuration asks for, as shares of the nominal ones. Those of low
/// power are assumed. The public firmware lists `freq-level` and does not read it; here it is read
/// when the mining program starts, so that software that writes it has something to see.
fn operating_point(conf: &crate::Conf) -> (f64, f64) {
    let (clock, volts) = if conf.work_mode == 3 { (0.85, 0.95) } else { (1.0, 1.0) };
    (clock * conf.freq_share(), volts)
}
