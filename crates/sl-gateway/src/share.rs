//! A share on its way from its machine to its verdict.

use sl_chain::coins::Ticker;
use sl_stratum::{ErrorCode, Refusal};
use sl_units::{Hash256, Mono, ShareDifficulty, Target};
use sl_work::{Fault, Proven, WorkerName};
use tokio::sync::oneshot;

/// What a share's connection will hear.
pub(crate) type Answer = oneshot::Receiver<Told>;

/// A share that is well-formed and new, and was never hashed here.
///
/// ```text
///  connection ── Filed, with its claim ─▶ verifier ── Judged ─▶ accounts ─▶ journal
///       ▲                                                          │  counted; up to the source
///       └────────────────── Told, when it is recorded ─────────────┘
/// ```
#[derive(Debug)]
pub(crate) struct Filed {
    /// The machine's number among the connections of this run.
    pub(crate) machine: u64,
    /// Its slot.
    pub(crate) slot: u64,
    pub(crate) worker: WorkerName,
    /// The first issue of its job, which is the job's number in the journal.
    pub(crate) job: u64,
    /// What it counts for.
    pub(crate) difficulty: ShareDifficulty,
    /// Whether no chain can take it any more.
    pub(crate) stale: bool,
    /// Chains of the job whose tip no longer stands.
    pub(crate) missed: Vec<Ticker>,
    /// Its job was given out by an earlier run of the program: no source knows it now.
    pub(crate) orphan: bool,
    pub(crate) answer: oneshot::Sender<Told>,
}

/// A share that was hashed.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) filed: Filed,
    pub(crate) verdict: Result<Proven, Fault>,
    pub(crate) at: Mono,
}

/// A share that was turned away before it was hashed.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) machine: u64,
    pub(crate) slot: u64,
    /// The first issue of its job; 0 where it named none that is known.
    pub(crate) job: u64,
    pub(crate) worker: WorkerName,
    /// The machine's difficulty; `None` before its first job.
    pub(crate) difficulty: Option<ShareDifficulty>,
    pub(crate) reason: Reason,
}

/// What a connection is told of its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Proven, and recorded where a journal is kept.
    Accepted,
    /// Proven and recorded, and too late.
    Stale,
    /// It proves nothing.
    Refused(Fault),
    /// Proven, counted and sent up, but the journal did not take it.
    Unrecorded,
}

/// Why a share is refused before it is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    UnknownJob,
    Duplicate,
    LowDifficulty,
    Ntime,
    Malformed,
    Busy,
}

impl Reason {
    /// What kind of fault it is, to be counted.
    pub(crate) const fn of(fault: &Fault) -> Self {
        match fault {
            Fault::LowDifficulty { .. } => Self::LowDifficulty,
            Fault::Ntime { .. } => Self::Ntime,
            _ => Self::Malformed,
        }
    }
}

impl Told {
    /// The answer on the wire.
    pub(crate) fn answer(&self) -> Result<(), Refusal> {
        match self {
            Self::Accepted => Ok(()),
            Self::Stale => Err(Refusal::new(ErrorCode::JobNotFound, "Stale share")),
            Self::Refused(fault) => Err(refusal(fault)),
            Self::Unrecorded => {
                Err(Refusal::new(ErrorCode::Other, "the share is counted, but the journal failed"))
            }
        }
    }
}

/// The difficulty that a share's hash reaches.
pub(crate) fn reached(hash: Hash256) -> ShareDifficulty {
    Target::from_le_bytes(*hash.as_bytes()).into()
}

/// The words for a share that proves nothing.
pub(crate) fn refusal(fault: &Fault) -> Refusal {
    match fault {
        Fault::LowDifficulty { .. } => ErrorCode::LowDifficulty.into(),
        _ => Refusal::new(ErrorCode::Other, &fault.to_string()),
    }
}
