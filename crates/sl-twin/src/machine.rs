//! One machine: what it is configured to do, the physics inside, what is wrong with it, and what it
//! has counted.

use std::net::Ipv4Addr;
use std::time::Duration;

use sl_units::{HashRate, Mono};

use crate::conf::{Command, Conf, Kept, Network, PoolConf};
use crate::model::Model;
use crate::readings::{Manners, PoolReading, Readings, State, Status};
use crate::release::Release;

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
    /// The pools it is configured with, at most three.
    pub pools: Vec<PoolConf>,
}

impl Spec {
    /// A machine without pools and without faults.
    #[must_use]
    pub const fn new(model: &'static Model, release: Release, seed: u64, ip: Ipv4Addr) -> Self {
        Self { model, release, seed, ip, pools: Vec::new() }
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
    /// Work was thrown away unworked.
    Discarded,
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
    /// An IP report is due.
    Report,
}

/// A virtual machine. See [`State`] for what it goes through.
#[derive(Debug, Clone)]
pub struct Machine {
    spec: Spec,
    conf: Conf,
    network: Network,
}

impl Machine {
    /// A machine that is switched on at `now`.
    #[must_use]
    pub fn new(spec: Spec, now: Mono) -> Self {
        let _ = now;
        let mut conf = Conf::factory(spec.model);
        for (place, pool) in conf.pools.iter_mut().zip(&spec.pools) {
            place.clone_from(pool);
        }
        let network = Network::factory(spec.seed, spec.ip);
        Self { spec, conf, network }
    }

    /// What was kept from an earlier life comes back.
    pub fn restore(&mut self, kept: Kept) {
        self.conf = kept.conf;
        self.network = kept.network;
    }

    /// What must be kept.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept { conf: self.conf.clone(), network: self.network.clone(), login: None, light: false }
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
        None
    }

    /// Time passes: everything is brought to `now`.
    pub fn step(&mut self, now: Mono) -> Output {
        let _ = now;
        Output::default()
    }

    /// Somebody tells the machine to do something.
    pub fn command(&mut self, command: Command, now: Mono) -> Applied {
        let _ = (command, now);
        Applied::Kept
    }

    /// Something happened with a pool.
    pub fn pool(&mut self, place: usize, event: PoolEvent, now: Mono) {
        let _ = (place, event, now);
    }

    /// What the machine shows at `now`.
    #[must_use]
    pub fn readings(&self, now: Mono) -> Readings {
        let _ = now;
        Readings {
            elapsed_s: 0,
            uptime_s: 0,
            state: State::Booting,
            rate_5s: HashRate::default(),
            rate_30m: HashRate::default(),
            rate_avg: HashRate::default(),
            rate_ideal: HashRate::default(),
            boards: Vec::new(),
            fans_rpm: Vec::new(),
            fan_pwm_percent: 0,
            hw_errors: 0,
            hw_percent: 0.0,
            nonces: 0,
            status: Status::default(),
            pools: std::array::from_fn(|_| PoolReading::default()),
            best_share: 0.0,
            conf: self.conf.clone(),
            network: self.network.clone(),
            light: false,
            manners: Manners::default(),
        }
    }

    /// The lines of the kernel log, oldest first, at most 500: how long after the start of the
    /// machine, and what.
    pub fn log(&self) -> impl Iterator<Item = (Duration, &str)> {
        std::iter::empty()
    }

    /// The rate of each board a minute apart, oldest first, at most a day: what the chart shows.
    pub fn chart(&self) -> impl Iterator<Item = &[HashRate]> {
        std::iter::empty()
    }
}
