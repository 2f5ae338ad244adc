use std::{path::PathBuf, sync::Arc, time::Duration};

use sl_ports::Clock;
use sl_store::{Bounds, Full, Lane, Receipt};
use sl_units::Wall;
use tokio::sync::watch;

use crate::{Entry, JournalStatus, LedgerError, Recalled, Writer, recall::recall};

/// Entries that may wait or be in the commit being written: at 13,000 shares a second, two seconds
/// of a disk that stands still.
const WAITING: usize = 32_768;
/// Entries after which a commit takes no further group.
const COMMIT: usize = 4096;
/// Commits begin no sooner after each other, so that under load each takes many shares.
///
/// A commit costs some 0.3 ms of CPU however small it is: at 100 a second that is 3 % of a core.
const GATHER: Duration = Duration::from_millis(10);

/// What a journal is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The folder of the files, as in `DATA/journal`; it is made if missing.
    pub folder: PathBuf,
    /// Days of raw rows that are kept, today included.
    pub keep_raw: u32,
    /// The most bytes of the whole folder; the oldest raw days go first, never today's.
    pub disk_budget: Option<u64>,
    /// The most pages of 4 KiB of a day's file, for tests of a full disk.
    pub most_pages: Option<u32>,
}

impl Options {
    /// A journal in this folder that keeps seven raw days.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder, keep_raw: 7, disk_budget: None, most_pages: None }
    }
}

/// The handle of the journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    /// `None`: nothing is kept.
    lane: Option<Lane<Entry>>,
    folder: Option<Arc<PathBuf>>,
    status: watch::Receiver<JournalStatus>,
}

impl Journal {
    /// A journal in files, and the service that writes it. Nothing is touched before the service
    /// runs; entries wait for it.
    #[must_use]
    pub fn new(options: Options, clock: Clock) -> (Self, Writer) {
        let bounds = Bounds { waiting: WAITING, commit: COMMIT, gather: GATHER };
        let (lane, intake) = sl_store::lane(bounds);
        let folder = Some(Arc::new(options.folder.clone()));
        let writer = Writer::new(options, clock, intake);
        (Self { lane: Some(lane), folder, status: writer.status() }, writer)
    }

    /// A journal that keeps nothing: its receipts resolve at once.
    #[must_use]
    pub fn off() -> Self {
        Self {
            lane: None,
            folder: None,
            status: watch::Sender::new(JournalStatus::default()).subscribe(),
        }
    }

    /// Puts entries into the next group commit. Never waits. Dropping the receipt changes nothing.
    ///
    /// # Errors
    /// [`Full`] gives them back: 32,768 entries wait for the disk already. Read no further shares
    /// until there is [room](Self::room).
    pub fn append(&self, entries: Vec<Entry>) -> Result<Receipt, Full<Entry>> {
        match &self.lane {
            Some(lane) => lane.append(entries),
            None => Ok(Receipt::of_nothing()),
        }
    }

    /// How many further entries there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.lane.as_ref().map_or(WAITING, Lane::room)
    }

    /// Whether somebody writes, or will: when not, [`append`](Self::append) gives everything back
    /// for ever.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lane.as_ref().is_none_or(Lane::is_open)
    }

    /// How the writer fares.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<JournalStatus> {
        self.status.clone()
    }

    /// What a gateway needs to go on where the last one ended: call it once, when the writer is
    /// ready, before the first append. Jobs and shares are recalled back to `since`, slots as they
    /// were left.
    ///
    /// # Errors
    /// A file cannot be read.
    pub async fn recall(&self, since: Wall) -> Result<Recalled, LedgerError> {
        match &self.folder {
            Some(folder) => recall(folder, since).await,
            None => Ok(Recalled::default()),
        }
    }
}
