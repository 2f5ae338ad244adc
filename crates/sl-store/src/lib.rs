//! SQLite files written in groups: a lane to one writer, commits that take whatever came
//! meanwhile, migrations, roll-ups, a disk budget.
//!
//! For: whoever keeps rows that must survive a power cut. [`lane()`] carries entries to a writer
//! and brings back a [`Receipt`] when they are on the disk; [`Database`] is a file with its
//! pragmas, its schema and its migrations; [`Insert`] puts many rows in with few statements;
//! [`rollup`] keeps sums that agree with the rows; [`budget`] says which files must go.
//!
//! Not for: knowing what a row means. Tables, entries and their order belong to the crates above.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sl_store::{Access, Bounds, Database, Durability, Schema, lane};
//!
//! const NOTES: Schema = Schema { application: 0x6e6f_7465, steps: &["CREATE TABLE notes(text TEXT)"] };
//! # let folder = tempfile::tempdir()?;
//! let access = Access { durability: Durability::EveryCommit, most_pages: None, shrinks: false };
//! let mut file = Database::open(&folder.path().join("notes.db"), &NOTES, access).await?;
//!
//! let bounds = Bounds { waiting: 100, commit: 10, gather: std::time::Duration::ZERO };
//! let (lane, mut intake) = lane(bounds);
//! let receipt = lane.append(vec!["milk", "bread"])?;
//!
//! // The writer's side.
//! let batch = intake.take().await.ok_or("the lane is gone")?;
//! file.begin().await?;
//! for note in batch.items() {
//!     sqlx::query("INSERT INTO notes VALUES(?1)").bind(*note).execute(file.connection()).await?;
//! }
//! file.commit().await?;
//! batch.settle(2, 1, None);
//!
//! assert_eq!(receipt.await, Ok(1));
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

pub mod budget;
mod database;
mod error;
mod insert;
mod lane;
pub mod rollup;

pub use database::{Access, Database, Durability, Schema, set_aside, size, unlink};
pub use error::StoreError;
pub use insert::{Insert, Values};
pub use lane::{Batch, Bounds, Full, Intake, Lane, Receipt, Unwritten, lane};
