use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::Instant,
};

/// The bounds of a [lane](lane()).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Most entries that wait or are being written; more are given back.
    pub waiting: usize,
    /// Entries after which a commit takes no further group.
    pub commit: usize,
    /// A commit begins no sooner than so long after the one before began. It costs nothing while
    /// groups come seldom, and makes commits larger when they come often.
    pub gather: Duration,
}

/// A lane of entries to one writer, in groups that become durable together.
///
/// ```text
///  Lane::append ──group──▶ Intake::take ──▶ Batch ──commit──▶ Batch::settle
///      │                   (whatever came while the former commit was syncing)    │
///      └── Receipt ◀────────────────── the commit's number, or why not ───────────┘
/// ```
#[must_use]
pub fn lane<T>(bounds: Bounds) -> (Lane<T>, Intake<T>) {
    let (sender, receiver) = mpsc::channel(bounds.waiting.max(1));
    let room = Arc::new(Semaphore::new(bounds.waiting));
    (Lane { sender, room }, Intake { receiver, bounds, begun: None })
}

/// The end that takes entries. Cheap to clone.
pub struct Lane<T> {
    sender: mpsc::Sender<Group<T>>,
    room: Arc<Semaphore>,
}

/// The writer's end.
#[derive(Debug)]
pub struct Intake<T> {
    receiver: mpsc::Receiver<Group<T>>,
    bounds: Bounds,
    /// When the last batch was taken.
    begun: Option<Instant>,
}

/// What goes into one commit. Dropping it tells its receipts that nobody writes any more.
#[derive(Debug)]
pub struct Batch<T> {
    items: Vec<T>,
    groups: Vec<Waiting>,
}

#[derive(Debug)]
struct Group<T> {
    items: Vec<T>,
    answer: oneshot::Sender<Result<u64, Unwritten>>,
    permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Waiting {
    /// How many items of the batch come before the end of this group.
    end: usize,
    answer: oneshot::Sender<Result<u64, Unwritten>>,
    /// Gives the group's room back when it is settled.
    _permit: OwnedSemaphorePermit,
}

/// The lane has no room: the entries come back, and whoever makes them had better wait.
#[derive(thiserror::Error)]
#[error("the lane to the disk is full; {} entries come back", .0.len())]
pub struct Full<T>(pub Vec<T>);

/// Why entries are not on the disk.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unwritten {
    /// The commit failed.
    #[error("not on the disk: {0}")]
    Failed(Arc<str>),
    /// Nobody writes any more.
    #[error("not on the disk: the writer has stopped")]
    Stopped,
}

/// Resolves when the commit that holds a group's entries has been brought to the disk, with the
/// commit's number, or with why not. Dropping it changes nothing: the entries are written.
#[derive(Debug)]
#[must_use = "entries are on the disk only when their receipt has resolved"]
pub struct Receipt(Option<oneshot::Receiver<Result<u64, Unwritten>>>);

impl<T> Lane<T> {
    /// Puts a group of entries into the next commit. Never waits.
    ///
    /// # Errors
    /// [`Full`] gives them back when there is no room, or the writer is gone for good.
    pub fn append(&self, items: Vec<T>) -> Result<Receipt, Full<T>> {
        let Ok(many) = u32::try_from(items.len()) else { return Err(Full(items)) };
        let Ok(permit) = Arc::clone(&self.room).try_acquire_many_owned(many.max(1)) else {
            return Err(Full(items));
        };
        let (answer, receipt) = oneshot::channel();
        match self.sender.try_send(Group { items, answer, permit }) {
            Ok(()) => Ok(Receipt(Some(receipt))),
            Err(error) => Err(Full(error.into_inner().items)),
        }
    }

    /// Whether the writer's end is there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// How many further entries there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room.available_permits()
    }
}

impl<T> Intake<T> {
    /// The next batch: all that waits, up to the bound of a commit; `None` once the intake is
    /// [closed](Self::close) or the last [`Lane`] dropped, and nothing is left.
    ///
    /// Cancel-safe: entries leave the lane only in the last step, which does not wait.
    pub async fn take(&mut self) -> Option<Batch<T>> {
        if let Some(begun) = self.begun
            && !self.receiver.is_closed()
        {
            let next = begun + self.bounds.gather;
            if next > Instant::now() {
                tokio::time::sleep_until(next).await;
            }
        }
        let first = self.receiver.recv().await?;
        self.begun = Some(Instant::now());
        let mut batch = Batch { items: Vec::new(), groups: Vec::new() };
        batch.add(first);
        while batch.items.len() < self.bounds.commit
            && let Ok(group) = self.receiver.try_recv()
        {
            batch.add(group);
        }
        Some(batch)
    }

    /// Takes no further groups; those that wait still come out of [`take`](Self::take).
    pub fn close(&mut self) {
        self.receiver.close();
    }
}

impl<T> Batch<T> {
    /// The entries, in the order in which they came.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// Tells each group what became of it: those that lie wholly within the first `written`
    /// entries are in `commit`, the others failed as `failure` says.
    pub fn settle(self, written: usize, commit: u64, failure: Option<&Unwritten>) {
        for group in self.groups {
            let answer = match failure {
                Some(failure) if group.end > written => Err(failure.clone()),
                _ => Ok(commit),
            };
            // Nobody has to wait for a receipt.
            let _unheard = group.answer.send(answer);
        }
    }

    fn add(&mut self, group: Group<T>) {
        self.items.extend(group.items);
        let end = self.items.len();
        self.groups.push(Waiting { end, answer: group.answer, _permit: group.permit });
    }
}

impl Receipt {
    /// A receipt for what nobody keeps: it resolves at once, as commit 0.
    pub const fn of_nothing() -> Self {
        Self(None)
    }
}

impl Future for Receipt {
    type Output = Result<u64, Unwritten>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            None => Poll::Ready(Ok(0)),
            Some(receipt) => {
                Pin::new(receipt).poll(context).map(|it| it.unwrap_or(Err(Unwritten::Stopped)))
            }
        }
    }
}

impl<T> Clone for Lane<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), room: Arc::clone(&self.room) }
    }
}

impl<T> fmt::Debug for Lane<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("room", &self.room()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Full").field(&self.0.len()).finish()
    }
}
