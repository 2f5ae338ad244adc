use std::{num::NonZeroU64, sync::Arc};

use bytes::Bytes;
use sl_chain::coins::Ticker;
use sl_units::{Hash256, ShareDifficulty, Wall};
use sl_work::{JobId, Outcome, SourceId, WorkerName};

/// One thing that happened, to be kept. The UTC day of its instant names its file.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A share was judged.
    Share(ShareEntry),
    /// A source said what it thinks of a share that went up.
    Verdict(VerdictEntry),
    /// Something happened to a block.
    Block(BlockEntry),
    /// A job was given to machines.
    Job(JobEntry),
    /// A source of work changed its state.
    Upstream(UpstreamEntry),
    /// A machine got a slot or gave it back.
    Slot(SlotEntry),
}

/// A share and our own verdict on it.
#[derive(Clone, Debug)]
pub struct ShareEntry {
    /// When it was judged.
    pub at: Wall,
    /// Whose it is.
    pub worker: WorkerName,
    /// The machine's slot, as in [`SlotEntry::slot`].
    pub slot: u64,
    /// The job it was made for, as in [`JobEntry::number`]; 0 if it named none that we know.
    pub job: u64,
    /// What it counts for: the difficulty that the machine was asked for.
    pub difficulty: ShareDifficulty,
    /// What its hash reaches; `None` if it was refused before it was hashed.
    pub achieved: Option<ShareDifficulty>,
    /// Our verdict.
    pub judged: Judged,
    /// Chains of the job whose tip no longer stood.
    pub missed: Vec<Ticker>,
    /// Given if it went up: a number of the caller's that never comes twice. Its
    /// [`VerdictEntry`] has the same. Count on from [`Recalled::last_ticket`](crate::Recalled).
    pub ticket: Option<NonZeroU64>,
    /// What makes the header out of the job, so that the hash can be made again.
    pub solution: Option<Solution>,
}

/// What a miner chose.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Solution {
    /// All free bytes of the job's coinbase, the slot's included; at most 32 are kept.
    pub extranonce: Box<[u8]>,
    /// The header's version.
    pub version: u32,
    /// The header's time.
    pub ntime: u32,
    /// The header's nonce.
    pub nonce: u32,
}

/// Our own verdict on a share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judged {
    /// It is proven and counts.
    Accepted,
    /// It is proven, and no chain can take it any more.
    Stale,
    /// It does not count.
    Rejected(Reason),
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal $word:literal,)+) => {
        /// Why a share does not count. The numbers are those of the files and never change.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// All reasons.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The number in the files.
            #[must_use]
            pub const fn code(self) -> i64 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The word in exports and roll-ups.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

reasons! {
    /// None of the others.
    Other = 16 "other",
    /// It names a job that is not known, or no more.
    UnknownJob = 17 "unknown_job",
    /// It came before.
    Duplicate = 18 "duplicate",
    /// Its hash is above the target.
    LowDifficulty = 19 "low_difficulty",
    /// Its time is outside what the job takes.
    Ntime = 20 "ntime",
    /// It rolls version bits that it must not.
    Version = 21 "version",
    /// Its extranonce has the wrong length.
    Extranonce = 22 "extranonce",
    /// It could not be read.
    Malformed = 23 "malformed",
    /// Its worker is not authorised.
    Unauthorized = 24 "unauthorized",
    /// The machine has not subscribed.
    NotSubscribed = 25 "not_subscribed",
    /// We had no time for it.
    Busy = 26 "busy",
}

impl Judged {
    /// The number in the files.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::Accepted => 0,
            Self::Stale => 1,
            Self::Rejected(reason) => reason.code(),
        }
    }

    /// The verdict of a number in the files; `None` if there is no such.
    #[must_use]
    pub fn of_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Accepted),
            1 => Some(Self::Stale),
            _ => Reason::ALL.iter().find(|it| it.code() == code).map(|it| Self::Rejected(*it)),
        }
    }

    /// The word in exports: "accepted", "stale", or the reason's.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Stale => "stale",
            Self::Rejected(reason) => reason.word(),
        }
    }
}

/// A source's verdict on a share that went up.
#[derive(Clone, Debug)]
pub struct VerdictEntry {
    /// When it came.
    pub at: Wall,
    /// The share's [`ShareEntry::ticket`].
    pub ticket: NonZeroU64,
    /// Whose share it is.
    pub worker: WorkerName,
    /// Who says so.
    pub source: SourceId,
    /// What it says.
    pub outcome: Outcome,
}

/// Something that happened to a block.
#[derive(Clone, Debug)]
pub struct BlockEntry {
    /// When.
    pub at: Wall,
    /// Its chain.
    pub chain: Ticker,
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: Hash256,
    /// Whose share found it.
    pub worker: WorkerName,
    /// The job it was made for.
    pub job: BlockJob,
    /// What happened.
    pub event: BlockEvent,
}

/// Which job a block was made for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlockJob {
    /// As in [`JobEntry::number`].
    Number(u64),
    /// By its source, as a node's answer knows it: the writer finds the number among the last jobs
    /// that were written. In the files it is 0 if it is not found.
    Id(JobId),
}

/// What happens to a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlockEvent {
    /// A share meets its target.
    Found,
    /// The node took it.
    Accepted,
    /// The node refused it, and why.
    Rejected(Arc<str>),
    /// It is no longer in the chain.
    Orphaned,
}

/// A job as machines got it.
#[derive(Clone, Debug)]
pub struct JobEntry {
    /// When it was given out.
    pub at: Wall,
    /// The caller's number of it, which never comes twice. Count on from
    /// [`Recalled::last_job`](crate::Recalled).
    pub number: u64,
    /// Who made it.
    pub source: SourceId,
    /// Its sequence within the source.
    pub sequence: u64,
    /// Its epoch within the source.
    pub epoch: u64,
    /// All that makes a header of it: what [`encode_job`](crate::encode_job) gives.
    pub blob: Bytes,
}

/// A source of work changed its state.
#[derive(Clone, Debug)]
pub struct UpstreamEntry {
    /// When.
    pub at: Wall,
    /// Which source.
    pub source: SourceId,
    /// What it is now, in a word: "active", "standby", "lost".
    pub event: Arc<str>,
    /// Why, for people; at most 200 bytes are kept.
    pub why: Arc<str>,
}

/// A machine got a slot or gave it back.
#[derive(Clone, PartialEq, Debug)]
pub struct SlotEntry {
    /// When.
    pub at: Wall,
    /// The slot's number: the machine's part of the extranonce.
    pub slot: u64,
    /// Which of the two.
    pub event: SlotEvent,
    /// The session by which the machine comes back.
    pub session: Arc<str>,
    /// The worker's name.
    pub worker: WorkerName,
    /// The machine's address, without its port.
    pub address: Arc<str>,
    /// What the machine calls itself.
    pub user_agent: Option<Arc<str>>,
    /// Its difficulty then.
    pub difficulty: Option<ShareDifficulty>,
}

/// Whether a slot is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotEvent {
    /// The machine has it from now on. Say so again when something of it changes.
    Held,
    /// It is free again.
    Released,
}

impl Entry {
    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> Wall {
        match self {
            Self::Share(it) => it.at,
            Self::Verdict(it) => it.at,
            Self::Block(it) => it.at,
            Self::Job(it) => it.at,
            Self::Upstream(it) => it.at,
            Self::Slot(it) => it.at,
        }
    }
}
