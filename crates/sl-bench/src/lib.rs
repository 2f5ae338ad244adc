//! The gateway under load: load generators, scripted pools, and the figures that come of them.
//!
//! For: `cargo xtask bench gateway`. It runs the program as an operator would, on a core of its own,
//! and lets machines, floods and failures loose on it from other processes on another core. Shares
//! were mined before and lie in a file, so that the load does not hash; the gateway hashes each of
//! them with its real engine.
//!
//! Not for: the program. Nothing depends on it.
//!
//! ```text
//!  leader ── orders ─▶ load processes ── machines, floods ─▶ silverlode gateway ─▶ scripted pools
//!    │ ◀── figures ──────┘        (core of the load)          (core of the gateway)      │
//!    └───────────────────── the pools are the leader's own ◀─────────────────────────────┘
//! ```
//!
//! Processes of load end with their connection to the leader, and the gateway after a time that it
//! is given, so that nothing stays behind whatever happens to the leader.
//!
//! ```
//! use sl_bench::Scenario;
//!
//! let names: Vec<&str> = Scenario::ALL.iter().map(|it| it.name()).collect();
//! assert_eq!(names[..3], ["sockets", "sessions", "steady"]);
//! ```
#![forbid(unsafe_code)]

mod error;
mod floor;
mod gateway;
mod herd;
mod instant;
mod load;
mod orders;
mod others;
mod pool;
mod premined;
mod report;
mod rig;
mod scenarios;
mod sessions;

use std::{net::SocketAddr, path::Path};

pub use error::BenchError;
pub use floor::Bare;
pub use report::{Bound, Figure, Report};
pub use scenarios::Scenario;

/// Runs one scenario or all. After each its figures stand in the file `bench/gateway.json` of the target
/// folder that this program lies in, and `show` gets its rows of the table; figures of scenarios that
/// are not run stay there. At the end all of the file goes into `page`, under its heading
/// `## Figures`. `tell` hears what goes on.
///
/// The report has the scenarios that were run.
///
/// # Errors
/// A file or a program is missing. What could not be carried out stands in the report, and a figure
/// that falls short is no error.
pub fn bench(
    only: Option<Scenario>,
    quick: bool,
    page: Option<&Path>,
    tell: impl Fn(&str),
    show: impl Fn(&str),
) -> Result<Report, BenchError> {
    scenarios::run(only, quick, page, &scenarios::Hear { tell: &tell, show: &show })
}

/// A process of load: follows the orders of the leader at `control` until it is gone.
///
/// # Errors
/// The leader is not there, or says what is not understood.
pub fn load(control: SocketAddr, number: usize) -> Result<(), BenchError> {
    load::run(control, number)
}

/// Sessions over transports in memory in this process: the figures as JSON.
///
/// # Errors
/// The gateway does not come up.
pub fn sessions(count: u32) -> Result<serde_json::Value, BenchError> {
    sessions::run(count)
}

/// What the machine itself asks for a gateway's work, with nothing around it. `say` hears where it
/// listens, if it does, and then what its rounds took, as JSON.
///
/// # Errors
/// It cannot listen, or a connection ends.
pub fn bare(bare: Bare, sockets: u32, say: impl Fn(&str)) -> Result<(), BenchError> {
    floor::run(bare, sockets, &say)
}
