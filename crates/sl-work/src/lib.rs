//! The nouns of the flow: work comes down as jobs in leases, shares go up, each gets one verdict.
//!
//! For: the waist between whoever has work (a pool, own nodes, a failover group) and whoever
//! hashes or serves machines. Both sides meet in [`WorkSource`] and know nothing else of each
//! other.
//!
//! Not for: protocols, sockets, clocks, accounts. Tokio is here for its `sync` channels only.
//!
//! ```text
//!  source                                            consumer
//!    SourceEnd ──leases──▶ jobs (watch) ───────────▶ Lease.work
//!    Intake    ◀─────────── Pending ◀── submit ───── Submitter   (a ticket, or the share back)
//!    Pending::settle ─────▶ Verdict (exactly one) ─▶ Lease.verdicts
//! ```
//!
//! The chain of evidence for a share: a [`Claim`] is what somebody says; `sl_pow::Hashed` is what
//! a tested engine computed of it; [`verify`] makes a [`Proven`] of the two, and only a [`Proven`]
//! can be submitted. Nothing is hashed twice, and no unverified share goes up.
//!
//! ```
//! use sl_work::{Ask, SourceId, Unfit, WorkSource, source};
//!
//! let (handle, end) = source(SourceId::new("pool.example"));
//! end.set_widest(4);
//! let asked = handle.lease(Ask { free: 8, consumer: "gateway".into() });
//! assert_eq!(asked.err(), Some(Unfit::TooNarrow { asked: 8, widest: 4 }));
//! ```
#![forbid(unsafe_code)]

mod job;
mod lane;
mod share;
mod source;

pub use job::{CoinbaseTemplate, Goal, HeaderTemplate, Job, JobId, NtimeRange, SourceId, Work};
pub use lane::{
    Intake, Outcome, Pending, Refused, RefusedWhy, Submitter, Ticket, Verdict, WorkerName,
};
pub use share::{Claim, Fault, Proven, verify};
pub use source::{
    Ask, Lease, Leased, SourceEnd, SourceHandle, SourceState, SourceStatus, Unfit, WorkSource,
    source,
};
