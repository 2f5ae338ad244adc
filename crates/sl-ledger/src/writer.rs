use std::{sync::Arc, time::Duration};

use sl_ports::Clock;
use sl_store::{Batch, Intake, Unwritten};
use sl_supervise::{Ctx, ServiceError};
use tokio::sync::{Mutex, watch};

use crate::{Entry, JournalStatus, LedgerError, Options, desk::Desk, files::day_of};

/// How often the writer looks whether roll-ups, the budget or a day's end are due.
const LOOK: Duration = Duration::from_secs(1);

/// The service that writes the journal. One run at a time.
///
/// ```text
///            ┌────────────── batch: commit, sync, answer ◀─┐
///  open ──▶ write ──── every second: roll-ups, budget, day ┤
///            └── stop: no further groups ──▶ what waits ───┘──▶ roll up, close
/// ```
#[derive(Clone, Debug)]
pub struct Writer {
    options: Options,
    clock: Clock,
    intake: Arc<Mutex<Intake<Entry>>>,
    status: watch::Sender<JournalStatus>,
}

impl Writer {
    pub(crate) fn new(options: Options, clock: Clock, intake: Intake<Entry>) -> Self {
        let status = watch::Sender::new(JournalStatus::default());
        Self { options, clock, intake: Arc::new(Mutex::new(intake)), status }
    }

    /// How it fares.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<JournalStatus> {
        self.status.subscribe()
    }

    /// Writes until told to stop; what waits then is written first. Ready when today's file is
    /// open and the roll-ups have caught up; degraded while commits fail.
    ///
    /// # Errors
    /// The folder cannot be made, or a file of a newer version stands there.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        let intake = Arc::clone(&self.intake);
        let mut intake = intake.try_lock().map_err(|_| LedgerError::Written)?;
        let mut desk = Desk::open(self.options, self.clock, self.status.clone()).await?;
        ctx.ready();
        self.status.send_modify(|status| status.writing = true);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stopping = false;
        loop {
            // `take`, `tick` and `stopped` are cancel-safe.
            tokio::select! {
                batch = intake.take() => match batch {
                    Some(batch) => {
                        let failing = write(&mut desk, batch, &self.status).await;
                        match failing {
                            Some(why) => ctx.degraded(why.as_ref()),
                            None if desk.recovered() => ctx.ready(),
                            None => {}
                        }
                    }
                    None => break,
                },
                _ = look.tick() => desk.look().await,
                () = ctx.stopped(), if !stopping => {
                    stopping = true;
                    intake.close();
                }
            }
        }
        desk.close().await;
        self.status.send_modify(|status| status.writing = false);
        Ok(())
    }
}

/// Commits a batch and answers its groups; why it failed, if it did.
async fn write(
    desk: &mut Desk,
    batch: Batch<Entry>,
    status: &watch::Sender<JournalStatus>,
) -> Option<Arc<str>> {
    let items = batch.items();
    let mut written = 0;
    let mut commit = 0;
    let mut failure = None;
    // Entries of one day go into its file together; at midnight a batch may have two.
    for entries in items.chunk_by(|one, other| day_of(one.at()) == day_of(other.at())) {
        match desk.commit(entries).await {
            Ok(number) => {
                commit = number;
                written += entries.len();
            }
            Err(error) => {
                failure = Some(Arc::<str>::from(error.to_string()));
                break;
            }
        }
    }
    let shares = items.iter().take(written).filter(|it| matches!(it, Entry::Share(_))).count();
    let failed = items.len() - written;
    status.send_if_modified(|status| {
        status.commits += u64::from(written > 0);
        status.entries += written as u64;
        status.shares += shares as u64;
        status.failed += failed as u64;
        // Counters alone wake nobody: they change hundreds of times a second.
        let changed = status.failing != failure;
        status.failing.clone_from(&failure);
        changed
    });
    if let Some(why) = &failure {
        tracing::error!(entries = failed, %why, "journal entries are not on the disk");
    } else {
        tracing::trace!(
            target: "journal.synced",
            commit,
            entries = written,
            "journal synced"
        );
    }
    // From here on receipts resolve: everything that counts as written has been synced.
    batch.settle(written, commit, failure.clone().map(Unwritten::Failed).as_ref());
    failure
}
