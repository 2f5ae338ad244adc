//! The journal through its public door: files in a folder of their own, the writer under its
//! supervisor, entries as a gateway makes them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod crash;
mod damage;
mod days;
mod kept;
mod reading;
mod schemas;
mod size;

use std::{num::NonZeroU64, path::Path, sync::Arc};

use sl_ledger::{
    Entry, Journal, JournalStatus, Judged, Options, Receipt, ShareEntry, Solution, Verified,
};
use sl_ports::Clock;
use sl_supervise::{Outcome, ServiceSpec, Supervisor};
use sl_units::{Hash256, ShareDifficulty, Wall};
use sqlx::Connection as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Midday of 2026-11-22.
pub(crate) const NOON: Wall = Wall::from_secs(1_795_348_800);
pub(crate) const DAY_MS: u64 = 86_400_000;

/// A writer that runs.
pub(crate) struct Run {
    pub(crate) journal: Journal,
    stop: CancellationToken,
    running: JoinHandle<Outcome>,
}

impl Run {
    /// Starts a writer whose clock stands at `now`, and waits until it writes.
    pub(crate) async fn start(folder: &Path, now: Wall) -> Self {
        Self::with(Options::new(folder.to_path_buf()), now).await
    }

    pub(crate) async fn with(options: Options, now: Wall) -> Self {
        let run = Self::unready(options, now);
        run.until(|status| status.writing).await;
        run
    }

    pub(crate) fn unready(options: Options, now: Wall) -> Self {
        let (journal, writer) = Journal::new(options, Clock::simulated(now));
        let spec = ServiceSpec::new("journal", "", move |ctx| writer.clone().run(ctx));
        let stop = CancellationToken::new();
        let rng = sl_ports::Randomness::seeded(1).rng("restarts");
        let supervisor = Supervisor::new(vec![spec], rng).unwrap();
        let running = tokio::spawn(supervisor.run(stop.clone()));
        Self { journal, stop, running }
    }

    pub(crate) async fn until(&self, wanted: impl Fn(&JournalStatus) -> bool) -> JournalStatus {
        let mut status = self.journal.status();
        let guard = std::time::Duration::from_secs(60);
        let found = tokio::time::timeout(guard, status.wait_for(|it| wanted(it))).await;
        found.expect("in time").expect("the writer lives").clone()
    }

    pub(crate) fn append(&self, entries: Vec<Entry>) -> Receipt {
        self.journal.append(entries).expect("room")
    }

    /// Appends, and waits until it is on the disk.
    pub(crate) async fn write(&self, entries: Vec<Entry>) {
        self.append(entries).await.expect("on the disk");
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

/// A share of one of 100 workers; its number is its job's.
pub(crate) fn share(number: u64, at: Wall) -> ShareEntry {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let difficulty = 65_536.0;
    ShareEntry {
        at,
        worker: format!("account.rig{:02}", number % 100).into(),
        slot: number % 100,
        job: number,
        difficulty: ShareDifficulty::new(difficulty).unwrap(),
        achieved: ShareDifficulty::new(difficulty * 1.37 + (mixed >> 40) as f64).ok(),
        judged: Judged::Accepted,
        missed: Vec::new(),
        ticket: NonZeroU64::new(number).filter(|it| it.get().is_multiple_of(8)),
        solution: Some(Solution {
            extranonce: mixed.to_le_bytes().into(),
            version: 0x2000_0000,
            ntime: at.header_time(),
            nonce: (mixed >> 17) as u32,
        }),
    }
}

pub(crate) fn shares(numbers: std::ops::Range<u64>, at: Wall) -> Vec<Entry> {
    numbers.map(|number| Entry::Share(share(number, at))).collect()
}

/// Verifies without proofs.
pub(crate) async fn verify(folder: &Path) -> Verified {
    sl_ledger::verify(folder, 0, &mut |_| Hash256::from_bytes([0; 32])).await.unwrap()
}

/// One number that a statement of a stranger's SQL answers.
pub(crate) async fn sql(file: &Path, statement: &'static str) -> i64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let number = sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    number
}

/// Changes a file as a stranger would.
pub(crate) async fn tamper(file: &Path, statement: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let done = sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    assert!(done.rows_affected() > 0, "{statement} changed nothing");
    connection.close().await.unwrap();
}

pub(crate) fn text(text: &str) -> Arc<str> {
    text.into()
}
