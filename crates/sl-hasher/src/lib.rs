//! This machine's engines, shared by leases of any source of work.
//!
//! For: hashing on the CPU for a pool, for own nodes, for simulated ones: a [`Hasher`] takes
//! leases and runs its threads over all of them in turn, as many, where and as much of their time
//! as its settings say.
//!
//! Not for: kernels (`sl-scrypt`), protocols, or what a share is worth.
//!
//! ```text
//!  lease.work ──▶ thread: slice of nonces ──▶ Prover::scan ──▶ verify ──▶ lease.submitter
//!                   ▲ share of time, pause
//!  settings, battery, load ──▶ the service's task ──▶ watch HasherStatus
//!  lease.verdicts ───────────────▲
//! ```
//!
//! Each thread takes its place (a CPU of its own, or the CPUs of one NUMA node), makes and tests its
//! own engine there, and works in slices of some milliseconds, so that a new job, a pause or the
//! word to stop is heard at once.
//!
//! ```
//! use sl_hasher::{Habit, HasherSettings, Machine};
//!
//! // Beside a farm, half of the CPUs; `silverlode mine` takes them all.
//! let machine = Machine::of(8, 4);
//! assert_eq!(HasherSettings::default().threads_on(&machine, Habit::Beside), 4);
//! assert_eq!(HasherSettings::default().threads_on(&machine, Habit::Alone), 8);
//! ```
#![forbid(unsafe_code)]

mod cursor;
mod machine;
pub mod pause;
mod ration;
mod service;
mod settings;
mod status;
mod thread;
mod threads;

pub use machine::{Machine, Surroundings};
pub use service::{Hasher, HasherError};
pub use settings::{CpuShare, Habit, HasherSettings, Priority, Threads};
pub use status::{HasherStatus, LeaseStatus, Reasons};
