//! The face of a machine: what it answers on port 80 and on port 4028, and what it sends when its
//! report button is pressed. Figures come from [`Readings`] alone; the face gives them form.
//!
//! ```text
//!   port 80 ──▶ http ──▶ web ──▶ cgi ────▶ pages, conf, writes, forms (L3+)
//!                         └──▶ digest        ▲
//!   port 4028 ──────────▶ rpc ───────────────┘──▶ legacy, old (L3+) ──▶ lineage
//! ```
//!
//! Everything below [`serve_http`] and [`serve_rpc`] is pure: bytes and a [`Look`] in, bytes and
//! perhaps a [`Command`] out. Each release and each model has its differences in tables.
//!
//! Known of the firmware are the calls, their keys, order, types and codes (from its scripts and
//! from recorded replies, `testdata/asic-api`). What is not known is said where it stands.

mod cgi;
mod digest;
mod figures;
mod http;
mod identity;
mod legacy;
mod lineage;
mod old;
mod pages;
mod record;
mod rpc;
mod section;
mod serve;
mod web;

use std::sync::Arc;
use std::time::Duration;

use sl_units::{HashRate, Wall};

use self::figures::Scale;
use self::identity::{Dialect, Identity};
use self::record::Form;
use crate::conf::Command;
use crate::machine::Machine;
use crate::model::Model;
use crate::readings::Readings;
use crate::release::Release;

pub use serve::{Limits, serve_http, serve_rpc};

/// UDP port of the report.
pub const REPORT_PORT: u16 = 14235;

/// One machine, as its face reaches it.
///
/// A face holds no state of the machine; each request looks anew.
pub trait Host: Send + Sync {
    /// How the machine is now. `None` when it is no more: the connection is closed.
    fn look(&self, want: Want) -> impl Future<Output = Option<Look>> + Send;

    /// Tells the machine what to do; it is done when this is over.
    fn tell(&self, command: Command) -> impl Future<Output = ()> + Send;
}

/// What a request needs beside the readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Want {
    /// Nothing more.
    #[default]
    Figures,
    /// The lines of the log.
    Log,
    /// The rates of the last day.
    Chart,
}

/// A machine at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Its model.
    pub model: &'static Model,
    /// Its firmware.
    pub release: Release,
    /// What it shows.
    pub readings: Arc<Readings>,
    /// The digest secret, where it was changed from the factory's.
    pub login: Option<String>,
    /// The time of day.
    pub now: Wall,
    /// Lines of the log, oldest first; empty unless they were [wanted](Want::Log).
    pub log: Vec<String>,
    /// Slots of the boards in use, from 0, each with its rates a minute apart, oldest first; empty
    /// unless they were [wanted](Want::Chart).
    pub chart: Vec<(usize, Vec<HashRate>)>,
}

impl Look {
    /// A machine that shows these readings now.
    #[must_use]
    pub fn of(machine: &Machine, want: Want, readings: Arc<Readings>, now: Wall) -> Self {
        let line = |(at, text): (Duration, &str)| {
            format!("[{:>9}.{:03}] {text}", at.as_secs(), at.subsec_millis())
        };
        Self {
            model: machine.model(),
            release: machine.release(),
            login: machine.login().map(ToOwned::to_owned),
            log: match want {
                Want::Log => machine.log().map(line).collect(),
                Want::Figures | Want::Chart => Vec::new(),
            },
            chart: match want {
                Want::Chart => machine.chart().collect(),
                Want::Figures | Want::Log => Vec::new(),
            },
            readings,
            now,
        }
    }

    fn identity(&self) -> &'static Identity {
        Identity::of(self.model)
    }

    fn dialect(&self) -> Dialect {
        self.identity().dialect
    }

    fn compile_time(&self) -> &'static str {
        self.identity().compile_time(self.release)
    }

    /// The release whose calls it has.
    fn calls_of(&self) -> Release {
        self.identity().calls_of(self.release)
    }

    fn is_newest(&self) -> bool {
        self.calls_of() >= Release::R202405
    }

    fn scale(&self) -> Scale {
        Scale::of(self.readings.rate_ideal)
    }

    fn form(&self) -> Form {
        Form { lost_commas: self.readings.manners.damaged_json }
    }

    /// The time of day in seconds.
    fn seconds(&self) -> u64 {
        self.now.millis() / 1000
    }

    fn secret(&self) -> String {
        self.login.clone().unwrap_or_else(|| digest::secret(identity::PASSWORD))
    }
}

/// What the report button sends to [`REPORT_PORT`]: address and hardware address.
#[must_use]
pub fn announcement(readings: &Readings) -> Vec<u8> {
    format!("{},{}", readings.network.ip, readings.network.mac).into_bytes()
}
