use std::{fmt, sync::Arc};

use sl_chain::coins::Ticker;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::{Proven, SourceId};

/// The name under which a share is counted: `account.rig7`.
pub type WorkerName = Arc<str>;

/// A submitted share's number within its lease. Each ticket gets exactly one verdict.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Ticket(u64);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What became of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which share.
    pub ticket: Ticket,
    /// What became of it.
    pub outcome: Outcome,
    /// Which member of a group said so; `None` where the source is one.
    pub by: Option<SourceId>,
}

/// What became of a share. What a node says of a block is no verdict; it comes later, as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It counts on these chains; on the others its tip had fallen. Both lists are empty where
    /// the source does not tell chains apart.
    Accepted {
        /// Chains it is credited to.
        credited: Vec<Ticker>,
        /// Chains whose tip no longer stood.
        missed: Vec<Ticker>,
    },
    /// No chain takes it any more.
    Stale {
        /// In the source's words.
        reason: String,
    },
    /// The source refuses it.
    Rejected {
        /// In the source's words.
        reason: String,
    },
    /// Nobody will ever say.
    Lost {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { .. } => f.write_str("accepted"),
            Self::Stale { reason } => write!(f, "stale: {reason}"),
            Self::Rejected { reason } => write!(f, "rejected: {reason}"),
            Self::Lost { reason } => write!(f, "lost: {reason}"),
        }
    }
}

/// Why a share came back at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RefusedWhy {
    /// The source takes no more at this instant; later it will.
    #[error("the source has no room for another share at this instant")]
    Full,
    /// The source is gone.
    #[error("the source is gone")]
    Gone,
}

/// A share that came back at once.
#[derive(Debug)]
pub struct Refused {
    /// The share, as it was.
    pub share: Proven,
    /// Why.
    pub why: RefusedWhy,
}

/// The way up for the shares of one lease.
#[derive(Clone, Debug)]
pub struct Submitter {
    pub(crate) lanes: Lanes,
    pub(crate) verdicts: mpsc::Sender<Verdict>,
    /// Tickets count up over all clones of a lease's submitter.
    pub(crate) next: Arc<std::sync::atomic::AtomicU64>,
}

/// Two lanes to a source: shares that meet a goal never wait behind those that do not.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    pub(crate) shares: mpsc::Sender<Pending>,
    pub(crate) goals: mpsc::Sender<Pending>,
}

impl Submitter {
    /// Sends a share up and answers at once: with its ticket, or with the share itself. The place
    /// for its verdict is reserved here, so that one always arrives.
    ///
    /// # Errors
    /// The lane or the lease's room for verdicts is full, or the source is gone.
    pub fn submit(&self, share: Proven, worker: WorkerName) -> Result<Ticket, Box<Refused>> {
        let refuse = |share, why| Err(Box::new(Refused { share, why }));
        let reply = match self.verdicts.clone().try_reserve_owned() {
            Ok(permit) => permit,
            Err(mpsc::error::TrySendError::Full(_)) => return refuse(share, RefusedWhy::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => return refuse(share, RefusedWhy::Gone),
        };
        let ticket = Ticket(self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let lane =
            if share.goals_met().next().is_some() { &self.lanes.goals } else { &self.lanes.shares };
        match lane.try_send(Pending { ticket, worker, inner: Some((share, reply)) }) {
            Ok(()) => Ok(ticket),
            Err(mpsc::error::TrySendError::Full(pending)) => {
                refuse(pending.take_back(), RefusedWhy::Full)
            }
            Err(mpsc::error::TrySendError::Closed(pending)) => {
                refuse(pending.take_back(), RefusedWhy::Gone)
            }
        }
    }
}

/// A share on its way, with the place for its verdict. Dropped unsettled, it is lost and says so.
#[derive(Debug)]
pub struct Pending {
    ticket: Ticket,
    worker: WorkerName,
    /// Empty only after settling.
    inner: Option<(Proven, mpsc::OwnedPermit<Verdict>)>,
}

impl Pending {
    /// The share.
    #[must_use]
    pub fn share(&self) -> &Proven {
        &self.inner.as_ref().expect("only settling empties it, and that takes it").0
    }

    /// The ticket that its consumer holds.
    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Under whose name it counts.
    #[must_use]
    pub const fn worker(&self) -> &WorkerName {
        &self.worker
    }

    /// Gives the verdict.
    pub fn settle(mut self, outcome: Outcome) {
        self.send(outcome, None);
    }

    /// Gives the verdict of a group's member.
    pub fn settle_by(mut self, member: SourceId, outcome: Outcome) {
        self.send(outcome, Some(member));
    }

    fn send(&mut self, outcome: Outcome, by: Option<SourceId>) {
        if let Some((_, reply)) = self.inner.take() {
            reply.send(Verdict { ticket: self.ticket, outcome, by });
        }
    }

    fn take_back(mut self) -> Proven {
        let (share, _reply) =
            self.inner.take().expect("only settling empties it, and that takes it");
        share
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let reason = "the source stopped before it could say".into();
        self.send(Outcome::Lost { reason }, None);
    }
}

/// A source's end of the lanes.
#[derive(Debug)]
pub struct Intake {
    pub(crate) shares: mpsc::Receiver<Pending>,
    pub(crate) goals: mpsc::Receiver<Pending>,
}

impl Intake {
    /// The next share, those that meet a goal first; `None` when every submitter is gone.
    ///
    /// Cancel-safe: a share is taken or it is not.
    pub async fn next(&mut self) -> Option<Pending> {
        tokio::select! {
            biased;
            Some(pending) = self.goals.recv() => Some(pending),
            Some(pending) = self.shares.recv() => Some(pending),
            else => None,
        }
    }
}
