//! One machine: what it is configured to do, the physics inside, what is wrong with it, and what it
//! has counted.

mod ailing;
mod fans;
mod heat;
mod life;
mod meter;
mod orders;
mod pools;
mod sensors;
mod show;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use fastrand::Rng;
use sl_scenario::{Span, Timeline, derive};
use sl_units::{HashRate, Mono};

use crate::conf::{Conf, Kept, Network, PoolConf};
use crate::fault::{Effects, Fault};
use crate::model::Model;
use crate::physics::{Board, Chip, Environment, Plant};
use crate::release::Release;
use fans::Fans;
use life::Life;
use meter::Meter;
use pools::Pools;
pub(crate) use pools::Tally;
use sensors::Sensors;

/// The most seconds that are simulated at once; of a longer pause the rest is left out.
const MOST_SECONDS: u64 = 86_400;
/// Lines of the log.
const LOG_LINES: usize = 500;

/// What a machine is made from.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its model.
    pub model: &'static Model,
    /// Its firmware.
    pub release: Release,
    /// What its quality and its noise derive from; two machines of one seed are the same.
    pub seed: u64,
    /// The address it answers at.
    pub ip: Ipv4Addr,
    /// The mask of its net.
    pub netmask: Ipv4Addr,
    /// The pools it is configured with, at most three.
    pub pools: Vec<PoolConf>,
    /// Which of the model's nameplates, from 0.
    pub variant: usize,
    /// Where it stands.
    pub place: Environment,
    /// How long it has been on when it is made, a pool answering: zero for one that is switched on
    /// just now and takes its minutes to start, ten minutes for one that hashes at once.
    pub already_on: Duration,
    /// What goes wrong with it, from the instant at which it is made. The subject is not looked at.
    pub faults: Vec<Span<Fault>>,
}

impl Spec {
    /// A machine that is switched on just now, in a net of 256 addresses, without pools and without
    /// faults.
    #[must_use]
    pub const fn new(model: &'static Model, release: Release, seed: u64, ip: Ipv4Addr) -> Self {
        Self {
            model,
            release,
            seed,
            ip,
            netmask: Ipv4Addr::new(255, 255, 255, 0),
            pools: Vec::new(),
            variant: 0,
            place: Environment::NOMINAL,
            already_on: Duration::ZERO,
            faults: Vec::new(),
        }
    }
}

/// What a machine does at this instant, for whoever runs its pool connection and its face.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    /// Good hashes a second that it makes now: what its pool must see.
    pub hash_rate: HashRate,
    /// Whether the mining program runs and wants a pool, hashing or not.
    pub wants_pool: bool,
    /// Rises whenever the pools must be connected anew: another configuration, a restart.
    pub generation: u64,
    /// Share of the nonces that are bad.
    pub bad_nonces: f64,
    /// Share of what it sends to its pool that misses the target.
    pub bad_shares: f64,
    /// How often the report button was pressed with effect; each time one report is due.
    pub reports: u64,
    /// Whether the network is reachable, in both directions.
    pub reachable: bool,
}

/// What the pool connection tells the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PoolEvent {
    /// The pool answers.
    Alive,
    /// The pool does not answer.
    Dead,
    /// Work comes from this pool from now on.
    Active,
    /// Work comes from this pool no more: its connection ends.
    Left,
    /// A job came.
    Job,
    /// The pool set the difficulty of shares, in Scrypt share difficulty.
    Difficulty(f64),
    /// The pool took a share of this difficulty.
    Accepted(f64),
    /// The pool refused a share of this difficulty.
    Rejected(f64),
    /// A share came too late.
    Stale(f64),
    /// A share of this difficulty was found; it counts for the best share.
    Found(f64),
}

/// What a command led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is kept and nothing else happens.
    Kept,
    /// The pools are read again.
    Reloaded,
    /// The mining program restarts: seconds, then the minutes of the chips.
    Restarting,
    /// The control board restarts: nothing answers for a while.
    Rebooting,
    /// An IP report is due, see [`Output::reports`].
    Report,
}

/// How it really is inside: what no reply tells, for tests, plots and meters at the wall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Power at the wall, watts.
    pub power_w: f64,
    /// Air that it draws in, °C.
    pub inlet_c: f64,
    /// The hottest chips, °C.
    pub chip_c: f64,
    /// The hottest printed board, °C.
    pub board_c: f64,
    /// Mean speed of the fans, revolutions per minute.
    pub fan_rpm: f64,
    /// Good hashes a second.
    pub hash_rate: HashRate,
}

/// A virtual machine. See [`State`](crate::State) for what it goes through.
///
/// Inside, time goes by whole seconds from the instant at which it was made. However often it is
/// stepped, and whenever: the same machine told the same things at the same seconds does the same.
#[derive(Debug, Clone)]
pub struct Machine {
    spec: Spec,
    plant: Plant,
    kept: Kept,
    /// When second `lead` was.
    start: Mono,
    /// Seconds that it was on before it was made.
    lead: u64,
    /// Seconds that have passed.
    seconds: u64,
    inlet_c: f64,
    power_w: f64,
    life: Life,
    fans: Fans,
    slots: Vec<Slot>,
    pools: Pools,
    faults: Timeline<Fault>,
    effects: Effects,
    /// Chips that dying boards have lost.
    gone: usize,
    /// The owner's pool that a thief has replaced.
    stolen: Option<PoolConf>,
    generation: u64,
    reports: u64,
    rng: Rng,
    log: VecDeque<(Duration, String)>,
}

/// A place for a hash board, with its board.
#[derive(Debug, Clone)]
struct Slot {
    board: Board,
    sensors: Sensors,
    meter: Meter,
    /// Chips that were found when the board was last started; 0: it is not used.
    found: usize,
    serial: String,
    /// Voltage over it, volts.
    voltage_v: f64,
    /// Good hashes and all hashes of the last second, per second.
    rate: (f64, f64),
}

impl Machine {
    /// A machine that is made at `now`.
    #[must_use]
    pub fn new(spec: Spec, now: Mono) -> Self {
        let Spec { model, seed, .. } = spec;
        let plant = plant(model, spec.variant);
        let mut conf = factory(model, &plant);
        for (place, pool) in conf.pools.iter_mut().zip(&spec.pools) {
            place.clone_from(pool);
        }
        let network = Network { netmask: spec.netmask, ..Network::factory(seed, spec.ip) };
        let place = spec.place.sane();
        let mut rng = Rng::with_seed(derive(seed, 0));
        let slots = (0..model.boards).map(|at| Slot::new(model, at, place.inlet_c, seed)).collect();
        let mut machine = Self {
            plant,
            kept: Kept { conf, network, login: None, light: false },
            start: now,
            lead: spec.already_on.as_secs().min(MOST_SECONDS),
            seconds: 0,
            inlet_c: place.inlet_c,
            power_w: 0.0,
            life: Life::default(),
            fans: Fans::new(model, &mut rng),
            slots,
            pools: Pools::default(),
            faults: Timeline::new(spec.faults.clone()),
            effects: Effects::default(),
            gone: 0,
            stolen: None,
            generation: 0,
            reports: 0,
            rng,
            log: VecDeque::new(),
            spec,
        };
        machine.boot();
        machine.step(now);
        machine
    }

    /// What was kept from an earlier life comes back. A work mode that its firmware does not know,
    /// because the earlier life had another one, is the normal mode; the nominal clock and voltage,
    /// which no call writes, are those of the model that it is now.
    pub fn restore(&mut self, mut kept: Kept) {
        if !self.spec.release.modes().contains(&kept.conf.work_mode) {
            kept.conf.work_mode = 0;
        }
        let made = factory(self.spec.model, &self.plant);
        (kept.conf.freq, kept.conf.voltage) = (made.freq, made.voltage);
        self.steal_from(&mut kept.conf);
        let network = Network {
            mac: self.kept.network.mac.clone(),
            ip: self.kept.network.ip,
            netmask: self.kept.network.netmask,
            ..kept.network
        };
        let driven = |conf: &Conf| (conf.work_mode, conf.freq_level.clone());
        let other = driven(&kept.conf) != driven(&self.kept.conf);
        let old = std::mem::replace(&mut self.kept, Kept { network, ..kept });
        self.reload(&old.conf.pools);
        if other {
            self.restart();
        }
    }

    /// What must be kept. A thief's pool is gone with his fault: the owner's is kept.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let mut kept = self.kept.clone();
        if let (Some(owners), [first, ..]) = (self.robbed(), &mut kept.conf.pools) {
            first.clone_from(owners);
        }
        kept
    }

    /// Its model.
    #[must_use]
    pub const fn model(&self) -> &'static Model {
        self.spec.model
    }

    /// Its firmware.
    #[must_use]
    pub const fn release(&self) -> Release {
        self.spec.release
    }

    /// The digest secret, where it was changed from the factory's.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.kept.login.as_deref()
    }

    /// Time passes: everything is brought to `now`.
    pub fn step(&mut self, now: Mono) -> Output {
        self.leave_out(MOST_SECONDS, now);
        let due = self.due(now);
        while self.seconds < due {
            self.seconds += 1;
            self.second();
        }
        self.output()
    }

    /// Of a pause that ends at `now` no more than so many seconds are made up for: it is as if the
    /// rest had not been.
    pub(crate) fn leave_out(&mut self, most: u64, now: Mono) {
        let behind = self.due(now).saturating_sub(self.seconds);
        self.start = self.start + Duration::from_secs(behind.saturating_sub(most));
    }

    /// Its second at `now`.
    fn due(&self, now: Mono) -> u64 {
        now.since(self.start).as_secs().saturating_add(self.lead)
    }

    /// Something happened with a pool.
    pub fn pool(&mut self, place: usize, event: PoolEvent, now: Mono) {
        self.pool_of(self.generation, place, event, now);
    }

    /// The same, heard by a connection that was made in a generation: a verdict that comes after a
    /// restart of the mining program is not counted by the program that runs now.
    pub(crate) fn pool_of(&mut self, generation: u64, place: usize, event: PoolEvent, now: Mono) {
        self.pools.event(generation, place, event, now);
    }

    /// Verdicts in all lives of the mining program.
    pub(crate) const fn tally(&self) -> Tally {
        self.pools.tally()
    }

    /// The lines of the kernel log, oldest first, at most 500: how long after the start of the
    /// control board, and what.
    pub fn log(&self) -> impl Iterator<Item = (Duration, &str)> {
        self.log.iter().map(|(at, line)| (*at, line.as_str()))
    }

    /// The slot of each board in use, from 0, and its rates a minute apart, oldest first, at most a
    /// day: what the chart shows.
    pub fn chart(&self) -> impl Iterator<Item = (usize, Vec<HashRate>)> {
        let used = self.slots.iter().enumerate().filter(|(_, slot)| slot.found > 0);
        let minutes = used.clone().map(|(_, slot)| slot.meter.minutes()).max().unwrap_or(0);
        let rate = |slot: &Slot, minute| {
            HashRate::from_hs(slot.meter.minute(minute) * self.plant.hashes_per_nonce)
        };
        used.map(move |(at, slot)| (at, (0..minutes).map(|minute| rate(slot, minute)).collect()))
    }

    /// How it really is inside.
    #[must_use]
    pub fn truth(&self) -> Truth {
        let hottest = |of: fn(&Board) -> f64| {
            self.slots.iter().map(|slot| of(&slot.board)).fold(f64::MIN, f64::max)
        };
        let rpm = self.fans.rpm();
        Truth {
            power_w: self.power_w,
            inlet_c: self.inlet_c,
            chip_c: hottest(|board| board.temperatures()[1].chip.max(board.temperatures()[0].chip)),
            board_c: hottest(|board| {
                board.temperatures()[1].board.max(board.temperatures()[0].board)
            }),
            fan_rpm: rpm.iter().sum::<f64>() / rpm.len().max(1) as f64,
            hash_rate: self.output().hash_rate,
        }
    }

    /// One second of it all.
    fn second(&mut self) {
        self.pass_faults();
        self.proceed();
        self.look();
        self.heat();
    }

    fn output(&self) -> Output {
        let (good, all) = self
            .slots
            .iter()
            .fold((0.0, 0.0), |sum, slot| (sum.0 + slot.rate.0, sum.1 + slot.rate.1));
        Output {
            hash_rate: HashRate::from_hs(good),
            wants_pool: self.wants_pool(),
            generation: self.generation,
            bad_nonces: if all > 0.0 { 1.0 - good / all } else { 0.0 },
            bad_shares: self.effects.bad_shares,
            reports: self.reports,
            reachable: self.reachable(),
        }
    }

    fn say(&mut self, line: impl Into<String>) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        let at = Duration::from_secs(self.uptime());
        self.log.push_back((at, line.into()));
    }
}

impl Slot {
    fn new(model: &Model, at: usize, ambient_c: f64, seed: u64) -> Self {
        let seed = derive(seed, 1 + at as u64);
        let mut rng = Rng::with_seed(seed);
        Self {
            board: Board::new(Chip::lot(model.chips, seed), ambient_c),
            sensors: Sensors::new(ambient_c, &mut rng),
            meter: Meter::default(),
            found: 0,
            serial: format!("TWIN{:012X}", rng.u64(..) >> 16),
            voltage_v: 0.0,
            rate: (0.0, 0.0),
        }
    }
}

/// The configuration from the factory, with the clock of the variant.
fn factory(model: &Model, plant: &Plant) -> Conf {
    Conf { freq: format!("{:.0}", plant.freq_mhz), ..Conf::factory(model) }
}

/// The constants of a variant; the first where there is no such one.
fn plant(model: &'static Model, variant: usize) -> Plant {
    let plates = model.row().map_or(&[][..], |row| row.nameplates);
    let plate = plates.get(variant).or(plates.first());
    let (mhs, watts) = plate.map_or((1000.0, 1000.0), |plate| {
        (plate.hashrate_mhs, plate.power_w.unwrap_or(plate.hashrate_mhs * 0.36))
    });
    Plant::new(model, mhs * 1e6, watts)
}
