//! What a running service is given, and the side of it that its keeper holds.

use crate::health::State;
use crate::spec::ServiceId;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Given to each run of a service: how it hears that it must stop, and how it tells how it stands.
/// Cheap to clone, for the children of a service. What a clone says after its run has ended is not
/// heard.
#[derive(Clone)]
pub struct Ctx {
    run: Arc<Shared>,
}

/// What a run says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    Starting,
    Ready,
    Degraded(String),
}

impl Declared {
    pub(crate) fn state(&self) -> State {
        match self {
            Self::Starting => State::Starting,
            Self::Ready => State::Ready,
            Self::Degraded(why) => State::Degraded { why: why.clone() },
        }
    }
}

struct Shared {
    id: ServiceId,
    stop: CancellationToken,
    declared: watch::Sender<Declared>,
    began: Instant,
    /// The last mark of progress, in milliseconds after `began`: an atomic, since marks are made
    /// from loops that do real work.
    mark: AtomicU64,
    /// The keeper shows the service as stalled and wants to hear of the next mark.
    stalled: AtomicBool,
    moved: Notify,
}

impl Ctx {
    pub(crate) fn new(id: ServiceId, stop: CancellationToken) -> (Self, Hearing) {
        let (declared, heard) = watch::channel(Declared::Starting);
        let run = Arc::new(Shared {
            id,
            stop,
            declared,
            began: Instant::now(),
            mark: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            moved: Notify::new(),
        });
        (Self { run: Arc::clone(&run) }, Hearing { declared: heard, marks: Marks { run } })
    }

    /// The service's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.run.id
    }

    /// It works: those after it may start. Also takes back an earlier [`Ctx::degraded`].
    pub fn ready(&self) {
        self.declare(Declared::Ready);
    }

    /// It works, but not as it should, for the reason given to people: those after it may start.
    pub fn degraded(&self, why: impl Into<String>) {
        self.declare(Declared::Degraded(why.into()));
    }

    /// It moves: to be called in the loop of a service that has a progress deadline, also from
    /// threads. Costs some nanoseconds. [`Ctx::ready`] and [`Ctx::degraded`] count as marks.
    pub fn progress(&self) {
        self.run.mark.store(self.run.elapsed_ms(), Ordering::SeqCst);
        if self.run.stalled.load(Ordering::SeqCst) {
            self.run.moved.notify_one();
        }
    }

    /// Waits until the service is told to stop. Cancel-safe.
    pub async fn stopped(&self) {
        self.run.stop.cancelled().await;
    }

    /// Whether it was told to stop: for threads, which ask at least every 50 ms.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.run.stop.is_cancelled()
    }

    /// The token of this run, for children; cancelled when the service is told to stop, and when
    /// the run ends in any other way. To stop the children alone, use a child token of it.
    #[must_use]
    pub fn stop_token(&self) -> CancellationToken {
        self.run.stop.clone()
    }

    fn declare(&self, now: Declared) {
        self.progress();
        self.run.declared.send_if_modified(|declared| {
            let changed = *declared != now;
            *declared = now;
            changed
        });
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx").field("id", &self.run.id).finish_non_exhaustive()
    }
}

impl Shared {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The keeper's side of a run.
pub(crate) struct Hearing {
    /// What it says of itself.
    pub(crate) declared: watch::Receiver<Declared>,
    pub(crate) marks: Marks,
}

/// The marks of progress of a run.
pub(crate) struct Marks {
    run: Arc<Shared>,
}

impl Marks {
    /// How long ago the last mark was made.
    pub(crate) fn idle(&self) -> Duration {
        let mark = self.run.mark.load(Ordering::SeqCst);
        Duration::from_millis(self.run.elapsed_ms().saturating_sub(mark))
    }

    /// From now on (or no more) [`Marks::moved`] hears of marks. To be set before the idle time
    /// is read for the last time, so that no mark falls between.
    pub(crate) fn listen(&self, on: bool) {
        self.run.stalled.store(on, Ordering::SeqCst);
    }

    /// Waits for a mark while listening. Cancel-safe.
    pub(crate) async fn moved(&self) {
        self.run.moved.notified().await;
    }
}
