//! This machine's engines, shared by leases of any source of work.
//!
//! For: hashing on the CPU for a pool, for own nodes, for simulated ones: a [`Hasher`] takes
//! leases and runs its threads over all of them in turn.
//!
//! Not for: kernels (`sl-scrypt`), protocols, or what a share is worth.
//!
//! ```text
//!  lease.work ──▶ thread: slice of nonces ──▶ Prover::scan ──▶ verify ──▶ lease.submitter
//!  lease.verdicts ──▶ the service's task: counters ──▶ watch HasherStatus
//! ```
//!
//! Each thread owns one tested engine and works in slices of some milliseconds, so that a new job
//! or the word to stop is heard at once.
//!
//! ```
//! use sl_hasher::HasherSettings;
//!
//! // Half of the cores by default, at idle priority.
//! assert_eq!(HasherSettings::default().threads_of(8), 4);
//! assert_eq!(HasherSettings::default().threads_of(1), 1);
//! ```
#![forbid(unsafe_code)]

mod cursor;
mod service;
mod settings;
mod status;
mod thread;

pub use service::{Hasher, HasherError};
pub use settings::HasherSettings;
pub use status::{HasherStatus, LeaseStatus};
