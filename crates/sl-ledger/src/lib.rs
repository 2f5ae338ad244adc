//! The journal: every share, verdict, block, job, change of a source and slot of a machine, kept
//! in SQLite, one file a day, so that what was acknowledged survives a power cut.
//!
//! For: the gateway, which appends and waits for its [`Receipt`] before it answers a machine, and
//! [recalls](Journal::recall) after a restart; whoever reads, exports, verifies or copies the
//! files, also while they are written.
//!
//! Not for: deciding anything about a share, knowing prices, or talking to a pool.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sl_ledger::{Entry, Journal, Judged, Options, ShareEntry};
//! use sl_supervise::{ServiceSpec, Supervisor};
//! # let place = tempfile::tempdir()?;
//! # let folder = place.path().join("journal");
//! # let clock = sl_ports::Clock::real();
//!
//! let (journal, writer) = Journal::new(Options::new(folder), clock);
//! let spec = ServiceSpec::new("journal", "keeps every share", move |ctx| writer.clone().run(ctx));
//! let stop = tokio_util::sync::CancellationToken::new();
//! let rng = sl_ports::Randomness::seeded(1).rng("restarts");
//! let running = tokio::spawn(Supervisor::new(vec![spec], rng)?.run(stop.clone()));
//!
//! let share = ShareEntry {
//!     at: clock.wall(),
//!     worker: "rig7".into(),
//!     slot: 7,
//!     job: 0,
//!     difficulty: sl_units::ShareDifficulty::new(65_536.0)?,
//!     achieved: None,
//!     judged: Judged::Accepted,
//!     missed: Vec::new(),
//!     ticket: None,
//!     solution: None,
//! };
//! let receipt = journal.append(vec![Entry::Share(share)])?;
//! receipt.await?; // on the disk: now the machine may be told
//! # stop.cancel();
//! # running.await?;
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod backup;
mod day;
mod desk;
mod dictionary;
mod draft;
mod entry;
mod error;
mod export;
mod files;
mod job;
mod journal;
mod proof;
mod recall;
mod schema;
mod status;
mod table;
mod tally;
mod verify;
mod writer;

pub use backup::{BackedUp, backup};
pub use entry::{
    BlockEntry, BlockEvent, BlockJob, Entry, JobEntry, Judged, Reason, ShareEntry, SlotEntry,
    SlotEvent, Solution, UpstreamEntry, VerdictEntry,
};
pub use error::LedgerError;
pub use export::{Exported, Format, export};
pub use files::instant;
pub use job::{decode_job, encode_job};
pub use journal::{Journal, Options};
pub use proof::Proofs;
pub use recall::{Recalled, RecalledJob, RecalledShare, WorkerMemory};
pub use sl_store::{Full, Receipt, Unwritten};
pub use status::JournalStatus;
pub use verify::{Finding, ShareSums, Verified, VerifiedFile, verify};
pub use writer::Writer;
