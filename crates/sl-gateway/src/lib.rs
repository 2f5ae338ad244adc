//! The Stratum server for machines: slots, difficulty per machine, every share proven.
//!
//! For: serving the work of any [`WorkSource`](sl_work::WorkSource) to machines over Stratum V1,
//! proving each share they send, and sending up those that the source wants. It does not know
//! which source it has: a pool, own nodes, simulated ones, a failover group.
//!
//! Not for: the protocol's lines (`sl-stratum`), where work comes from, what a share pays.
//!
//! ```text
//!  lease.work ─▶ Gateway ── watch: Board ──────────▶ connection of each machine ─▶ notify
//!                   │                                   │ share: job known? new? shape?
//!                   │                                   ▼
//!                   │                        verifier thread: hashes a batch, sl_work::verify
//!                   │                                   ▼
//!                   └─ JobSent ─▶ accounts ◀── Proven ── connection ─▶ our verdict to the machine
//!                                    │
//!  lease.submitter ◀── wanted ───────┤ lease.verdicts ─▶ the source's verdict, reconciled
//!                                    └─▶ watch GatewayStatus
//! ```
//!
//! Each machine gets a short extranonce1 of its own, its slot, which never changes: what the source
//! puts into the coinbase stands in the job's first part, so another pool is one clean notify, no
//! machine is dropped, and one serialised line serves all. A machine that comes back with its
//! session id gets its slot again; another machine gets it only when all jobs that were out with it
//! are forgotten.
//!
//! ```
//! use sl_gateway::GatewaySettings;
//!
//! let settings = GatewaySettings::default();
//! assert_eq!(settings.listen.to_string(), "127.0.0.1:3333");
//! assert!(settings.may_listen().is_ok());
//!
//! let wide = GatewaySettings { listen: "0.0.0.0:3333".parse().expect("an address"), ..settings };
//! assert!(wide.may_listen().is_err(), "other computers are only served when told so");
//! ```
#![forbid(unsafe_code)]

mod accounts;
mod admission;
mod board;
mod connection;
mod difficulty;
mod door;
mod entrance;
mod error;
mod forward;
mod ledger;
mod live;
mod machine;
mod outgoing;
mod own;
mod recall;
mod recorder;
mod service;
mod settings;
mod shard;
mod share;
mod slots;
mod standing;
mod status;
mod transport;
mod vardiff;
mod verifier;

pub use admission::wished_difficulty;
pub use difficulty::{Adjustment, Banded, DifficultyManager, Fixed, Poisson, ShareWindow};
pub use error::GatewayError;
pub use service::{Gateway, LiveGateway};
pub use settings::{Balancer, Claim, GatewaySettings, ValidatorName, VardiffRule};
pub use slots::slots_for;
pub use status::{
    ChainShares, Forwarded, GatewayStatus, JobSent, MachineStatus, Protection, ShareCounts,
    SlotCounts, WorkDone, WorkerStatus,
};
pub use transport::{Closed, SideDoor, Transport};
