use std::{fmt, sync::Arc};

use bytes::Bytes;
use sl_chain::{Header, coins::Ticker, merkle, sha256d};
use sl_units::{Bits, CoinAmount, Hash256, Mono, Target};

/// The name of a source of work: `solo`, `pool.f2pool`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SourceId(Arc<str>);

impl SourceId {
    /// A source's name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job's identity: source and sequence. A sequence is never reused, so a pool's "1" is not
/// another pool's "1", nor its own "1" of yesterday.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct JobId {
    /// Who made the job.
    pub source: SourceId,
    /// Counts up within the source.
    pub sequence: u64,
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.source, self.sequence)
    }
}

/// What a lease holds at an instant.
#[derive(Clone, Debug)]
pub enum Work {
    /// Nothing to do.
    Idle {
        /// Why, for people.
        why: Arc<str>,
        /// Since when: the first sign of it, where it shows late, as with a pool that falls silent.
        since: Mono,
    },
    /// A job to hash.
    Job(Arc<Job>),
}

impl Work {
    /// The job, if there is one.
    #[must_use]
    pub const fn job(&self) -> Option<&Arc<Job>> {
        match self {
            Self::Idle { .. } => None,
            Self::Job(job) => Some(job),
        }
    }
}

/// A piece of work for one lease.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its identity.
    pub id: JobId,
    /// A job is stale when a later job of its source has a higher epoch. There is no clean flag:
    /// a reader that skips a job loses nothing.
    pub epoch: u64,
    /// When the source learned what made this job.
    pub born: Mono,
    /// What the header starts from.
    pub header: HeaderTemplate,
    /// The coinbase around the bytes that the lease may vary.
    pub coinbase: CoinbaseTemplate,
    /// From the coinbase to the merkle root, lowest first.
    pub branch: Vec<Hash256>,
    /// The easiest target worth sending up, frozen in the job.
    pub wanted: Target,
    /// The chains that a share may win. Empty where the source does not tell.
    pub goals: Vec<Goal>,
}

/// What a header starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderTemplate {
    /// Version as given.
    pub version: u32,
    /// Version bits that may be rolled; never bits 16 and up on merged work, which auxiliary
    /// nodes read as a chain id.
    pub roll_mask: u32,
    /// Hash of the block before.
    pub prev: Hash256,
    /// The parent's target.
    pub bits: Bits,
    /// Times that the source takes.
    pub ntime: NtimeRange,
}

/// Header times, in seconds since the Unix epoch, that a source takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtimeRange {
    /// The earliest.
    pub earliest: u32,
    /// The one to start from.
    pub start: u32,
    /// The latest.
    pub latest: u32,
}

/// A coinbase around the bytes that a lease may vary: `prefix ‖ free ‖ suffix`. The prefix ends
/// with the extranonce of the source and of the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoinbaseTemplate {
    /// Everything before the free bytes.
    pub prefix: Bytes,
    /// How many bytes are free; the width of the lease.
    pub free: usize,
    /// Everything after them.
    pub suffix: Bytes,
}

/// A chain that a share may win.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The chain.
    pub chain: Ticker,
    /// Height of the block to be found.
    pub height: u64,
    /// The block before it; the goal stands while this is the chain's tip.
    pub tip: Hash256,
    /// The target that wins it.
    pub target: Target,
    /// What the block pays.
    pub reward: CoinAmount,
    /// This chain's part of what one hash earns over all goals of the job, 0 to 1; `None` where no
    /// price is known.
    pub weight: Option<f64>,
}

impl Job {
    /// The 80 bytes to hash for a choice of everything that a miner may vary. The caller has
    /// checked the choice (see [`Claim`](crate::Claim)); here every choice has a header.
    #[must_use]
    pub fn header_bytes(
        &self,
        extranonce: &[u8],
        version: u32,
        ntime: u32,
        nonce: u32,
    ) -> [u8; 80] {
        let leaf = sha256d(&self.coinbase_bytes(extranonce));
        Header {
            version,
            prev: self.header.prev,
            merkle_root: merkle::fold(leaf, &self.branch, 0),
            time: ntime,
            bits: self.header.bits,
            nonce,
        }
        .to_bytes()
    }

    /// The coinbase in its plain form for a choice of the free bytes.
    #[must_use]
    pub fn coinbase_bytes(&self, extranonce: &[u8]) -> Vec<u8> {
        [&self.coinbase.prefix[..], extranonce, &self.coinbase.suffix[..]].concat()
    }
}
