//! From the rows of open days to the sums in the roll-ups.

use std::path::Path;

use sl_store::rollup::Rollup;
use tokio::{sync::watch, task::JoinHandle};

use super::{Day, MOST_POINTS, set_aside};
use crate::{
    JournalStatus, LedgerError,
    day::{DayFile, WINDOW},
    files::{ROLLUP, day_text},
    schema::{self, COUNTS, SUMS},
    tally::{self, Sums},
};

/// Bites of old minutes that go at each step: twenty of its minutes for each that is added, so that
/// what has piled up goes in hours, and a step stays short.
const BITES: u32 = 4;

/// The roll-ups, which are written beside the commits: those of ten thousand workers take longer
/// than a machine should wait for its answer.
#[derive(Debug)]
pub(super) enum Rolling {
    Idle(Box<Summed>),
    Busy(JoinHandle<Rolled>),
    /// They could not be opened; tried again when they are due.
    Closed,
}

/// The roll-ups after a step for each day, and whether each step was done.
pub(super) type Rolled = (Box<Summed>, Vec<(i64, bool)>);
pub(super) type Summed = Rollup<COUNTS, SUMS>;

/// Brings the sums of an open day into the roll-ups. What fails is tried again later: the rows
/// are there.
pub(super) async fn roll_up_day(rollup: &mut Summed, open: &mut Day) {
    for _ in 0..2 {
        if open.again {
            make_again(rollup, open).await;
        }
        if open.sums.is_empty() {
            return;
        }
        let head = &open.file.head;
        match rollup.add(&head.identity(), &day_text(head.day), &open.sums).await {
            Ok(true) => {
                open.sums = Sums::after(open.sums.upto);
                return;
            }
            // They do not fit on the watermark: made again from the rows they do.
            Ok(false) => open.again = true,
            Err(error) => {
                tracing::warn!(%error, "the roll-ups wait");
                return;
            }
        }
    }
}

/// Makes the sums of an open day from its rows behind the watermark.
pub(super) async fn make_again(rollup: &mut Summed, open: &mut Day) {
    match catch_up(rollup, &mut open.file).await {
        Ok(sums) => (open.sums, open.again) = (sums, false),
        Err(error) => tracing::warn!(%error, "the roll-ups wait"),
    }
}

/// Adds the rows behind the watermark, a stretch at a time; the sums of the last stretch, not yet
/// in the roll-ups, come back.
pub(super) async fn catch_up(rollup: &mut Summed, file: &mut DayFile) -> Result<Sums, LedgerError> {
    let identity = file.head.identity();
    let mut sums = Sums::after(rollup.watermark(&identity).await?);
    while sums.upto < file.last {
        let after = sums.upto;
        let upto = (after + WINDOW).min(file.last);
        for stored in file.rows(after, upto).await? {
            tally::add(&mut sums, file.head.day, &file.dictionary, &stored);
        }
        sums.upto = upto;
        if sums.len() > MOST_POINTS
            && rollup.add(&identity, &day_text(file.head.day), &sums).await?
        {
            sums = Sums::after(upto);
        }
    }
    Ok(sums)
}

pub(super) async fn open_rollup(
    folder: &Path,
    status: &watch::Sender<JournalStatus>,
) -> Result<Summed, LedgerError> {
    let path = folder.join(ROLLUP);
    match Rollup::open(&path, &schema::ROLLUP).await {
        Err(error) if error.is_damage() => {
            set_aside(&path, &error.to_string(), status)?;
            Ok(Rollup::open(&path, &schema::ROLLUP).await?)
        }
        other => Ok(other?),
    }
}

/// Lets minutes of single workers go that are older than the raw rows.
pub(super) async fn thin(rollup: &mut Summed, before: i64) {
    for _ in 0..BITES {
        match rollup.thin(before).await {
            Ok(0) => return,
            Ok(gone) => tracing::debug!(gone, "minutes of single workers removed"),
            Err(error) => return tracing::warn!(%error, "the roll-ups are not thinned"),
        }
    }
}
