use std::sync::{Arc, atomic::AtomicU64};

use sl_units::Mono;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::{Intake, SourceId, Submitter, Verdict, Work, lane::Lanes};

/// Shares on their way to a source that meet no goal; beyond, they come back to the consumer.
const SHARE_LANE: usize = 4096;
/// Shares on their way that meet a goal: each costs a block's work, so this is hours of them.
const GOAL_LANE: usize = 1024;
/// Shares of one lease without a verdict; beyond, they come back to the consumer.
const VERDICTS: usize = 4096;
/// Leases asked for and not yet seen by the source.
const LEASES: usize = 1024;

/// Whoever has work: one pool, own nodes, simulated nodes, a failover group. Nothing in it waits.
pub trait WorkSource: Send + Sync {
    /// The source's name.
    fn id(&self) -> SourceId;

    /// How it fares.
    fn status(&self) -> watch::Receiver<SourceStatus>;

    /// A disjoint piece of the source's extranonce space. The lease ends when it is dropped.
    ///
    /// # Errors
    /// The source is too narrow, has no piece left, or is gone. It never resizes a lease.
    fn lease(&self, ask: Ask) -> Result<Lease, Unfit>;
}

/// What a consumer asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Bytes of the coinbase that the consumer will vary.
    pub free: usize,
    /// Who asks, for logs and screens.
    pub consumer: Arc<str>,
}

/// Why a source gives no lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Unfit {
    /// The source's extranonce is too short.
    #[error("{asked} free bytes are asked for, the source has {widest} at most")]
    TooNarrow {
        /// Bytes asked for.
        asked: usize,
        /// Bytes it can give.
        widest: usize,
    },
    /// Too many leases are asked for at once.
    #[error("the source takes no further lease at this instant")]
    Exhausted,
    /// The source has stopped.
    #[error("the source has stopped")]
    Gone,
}

/// How a source fares.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    /// Most free bytes that a lease can have. A consumer should ask for less: a source that gives
    /// all it has can give one lease only.
    pub widest: usize,
    /// Whether it has work.
    pub state: SourceState,
}

/// Whether a source has work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It has none.
    Idle {
        /// Why, for people.
        why: Arc<str>,
        /// Since when.
        since: Mono,
    },
    /// It has some.
    Working {
        /// Since when.
        since: Mono,
    },
}

/// A disjoint piece of a source's extranonce space, of a fixed width.
#[derive(Debug)]
pub struct Lease {
    /// Bytes of the coinbase that the consumer may vary.
    pub free: usize,
    /// The work of this moment.
    pub work: watch::Receiver<Work>,
    /// The way up.
    pub submitter: Submitter,
    /// What became of each share, one verdict for each ticket.
    pub verdicts: mpsc::Receiver<Verdict>,
}

/// A source's end of a lease.
#[derive(Debug)]
pub struct Leased {
    /// Bytes of the coinbase that the consumer may vary.
    pub free: usize,
    /// Who holds it.
    pub consumer: Arc<str>,
    /// Where its work goes; closed when the consumer has dropped the lease.
    pub work: watch::Sender<Work>,
}

/// The consumers' side of a source: cheap to clone, the [`WorkSource`] of every crate that owns one.
#[derive(Clone, Debug)]
pub struct SourceHandle {
    id: SourceId,
    status: watch::Receiver<SourceStatus>,
    leases: mpsc::Sender<Leased>,
    lanes: Lanes,
}

/// The task's side of a source.
#[derive(Debug)]
pub struct SourceEnd {
    /// Leases to be served, as they are asked for.
    pub leases: mpsc::Receiver<Leased>,
    /// Shares to be judged.
    pub intake: Intake,
    status: watch::Sender<SourceStatus>,
}

/// Both sides of a source, which starts idle and gives no width.
#[must_use]
pub fn source(id: SourceId) -> (SourceHandle, SourceEnd) {
    let state = SourceState::Idle { why: "not started".into(), since: Mono::default() };
    let (status_in, status) = watch::channel(SourceStatus { widest: 0, state });
    let (leases, leases_out) = mpsc::channel(LEASES);
    let (shares, shares_out) = mpsc::channel(SHARE_LANE);
    let (goals, goals_out) = mpsc::channel(GOAL_LANE);
    let handle = SourceHandle { id, status, leases, lanes: Lanes { shares, goals } };
    let intake = Intake { shares: shares_out, goals: goals_out };
    (handle, SourceEnd { leases: leases_out, intake, status: status_in })
}

impl WorkSource for SourceHandle {
    fn id(&self) -> SourceId {
        self.id.clone()
    }

    fn status(&self) -> watch::Receiver<SourceStatus> {
        self.status.clone()
    }

    fn lease(&self, ask: Ask) -> Result<Lease, Unfit> {
        let widest = self.status.borrow().widest;
        if ask.free > widest {
            return Err(Unfit::TooNarrow { asked: ask.free, widest });
        }
        let idle =
            Work::Idle { why: "the source has not given work yet".into(), since: Mono::default() };
        let (work_in, work) = watch::channel(idle);
        let (verdicts_in, verdicts) = mpsc::channel(VERDICTS);
        let leased = Leased { free: ask.free, consumer: ask.consumer, work: work_in };
        self.leases.try_send(leased).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Unfit::Exhausted,
            mpsc::error::TrySendError::Closed(_) => Unfit::Gone,
        })?;
        let next = Arc::new(AtomicU64::new(1));
        let submitter = Submitter { lanes: self.lanes.clone(), verdicts: verdicts_in, next };
        Ok(Lease { free: ask.free, work, submitter, verdicts })
    }
}

impl SourceEnd {
    /// Tells how many free bytes a lease can have.
    pub fn set_widest(&self, widest: usize) {
        self.status
            .send_if_modified(|status| std::mem::replace(&mut status.widest, widest) != widest);
    }

    /// Tells that there is no work, and why.
    pub fn set_idle(&self, why: &str, since: Mono) {
        self.status.send_if_modified(|status| match &status.state {
            SourceState::Idle { why: known, .. } if &**known == why => false,
            _ => {
                status.state = SourceState::Idle { why: why.into(), since };
                true
            }
        });
    }

    /// Tells that there is work.
    pub fn set_working(&self, since: Mono) {
        self.status.send_if_modified(|status| match status.state {
            SourceState::Working { .. } => false,
            SourceState::Idle { .. } => {
                status.state = SourceState::Working { since };
                true
            }
        });
    }
}
