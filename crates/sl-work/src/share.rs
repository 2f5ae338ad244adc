use std::sync::Arc;

use sl_pow::{HEADER_LEN, Hashed};
use sl_units::{Hash256, Target};
use thiserror::Error;

use crate::{Goal, Job};

/// What somebody says about a job: "with these bytes the header has a good hash". Its shape is
/// checked, its hash is not.
#[derive(Clone, Debug)]
pub struct Claim {
    job: Arc<Job>,
    extranonce: Vec<u8>,
    version: u32,
    ntime: u32,
    nonce: u32,
    header: [u8; HEADER_LEN],
}

/// Why a claim or its proof fails.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The free bytes have another length.
    #[error("the extranonce has {found} bytes, {allowed} are allowed")]
    ExtranonceLength {
        /// Bytes given.
        found: usize,
        /// Bytes that the lease has.
        allowed: usize,
    },
    /// The header time lies outside what the source takes.
    #[error("ntime {found} is outside {earliest} to {latest}")]
    Ntime {
        /// Time given.
        found: u32,
        /// The earliest allowed.
        earliest: u32,
        /// The latest allowed.
        latest: u32,
    },
    /// Version bits were changed that may not be.
    #[error("version {found:08x} changes bits outside the mask {mask:08x} of {template:08x}")]
    Version {
        /// Version given.
        found: u32,
        /// The job's version.
        template: u32,
        /// Bits that may change.
        mask: u32,
    },
    /// The hash is above the target.
    #[error("hash {hash} is above the target {target}")]
    LowDifficulty {
        /// The hash.
        hash: Hash256,
        /// What it had to meet.
        target: Target,
    },
    /// The hash belongs to another header: a fault in this program.
    #[error("the hash was computed of another header")]
    OtherHeader,
}

impl Claim {
    /// A claim on a job, its shape checked. `version` is the whole version, not the rolled bits.
    ///
    /// # Errors
    /// A wrong length, a time or a version that the job does not allow.
    pub fn new(
        job: Arc<Job>,
        extranonce: Vec<u8>,
        version: u32,
        ntime: u32,
        nonce: u32,
    ) -> Result<Self, Fault> {
        if extranonce.len() != job.coinbase.free {
            return Err(Fault::ExtranonceLength {
                found: extranonce.len(),
                allowed: job.coinbase.free,
            });
        }
        let range = job.header.ntime;
        if !(range.earliest..=range.latest).contains(&ntime) {
            return Err(Fault::Ntime {
                found: ntime,
                earliest: range.earliest,
                latest: range.latest,
            });
        }
        let (template, mask) = (job.header.version, job.header.roll_mask);
        if (version ^ template) & !mask != 0 {
            return Err(Fault::Version { found: version, template, mask });
        }
        let header = job.header_bytes(&extranonce, version, ntime, nonce);
        Ok(Self { job, extranonce, version, ntime, nonce, header })
    }

    /// The job it is about.
    #[must_use]
    pub const fn job(&self) -> &Arc<Job> {
        &self.job
    }

    /// The 80 bytes to hash.
    #[must_use]
    pub const fn header(&self) -> &[u8; HEADER_LEN] {
        &self.header
    }
}

/// A share whose hash a tested engine computed and whose target it meets. Made only by [`verify`].
#[derive(Clone, Debug)]
pub struct Proven {
    claim: Claim,
    hash: Hash256,
}

/// Makes a proven share of a claim and the hash of its header, if the hash meets the target.
///
/// # Errors
/// A hash above the target, or one of another header.
pub fn verify(claim: Claim, hashed: &Hashed, target: Target) -> Result<Proven, Fault> {
    if hashed.header() != claim.header() {
        return Err(Fault::OtherHeader);
    }
    let hash = hashed.hash();
    if target.is_met_by(&hash) {
        Ok(Proven { claim, hash })
    } else {
        Err(Fault::LowDifficulty { hash, target })
    }
}

impl Proven {
    /// The same share under the job's other name: a group of sources gives the jobs of its members
    /// identities of its own, and a share of one is a share of the other. Nothing is hashed.
    ///
    /// # Errors
    /// [`Fault::OtherHeader`]: the two jobs are not the same work.
    pub fn renamed(&self, job: &Arc<Job>) -> Result<Self, Fault> {
        let own = self.job();
        let same =
            own.header == job.header && own.coinbase == job.coinbase && own.branch == job.branch;
        if !same {
            return Err(Fault::OtherHeader);
        }
        Ok(Self { claim: Claim { job: job.clone(), ..self.claim.clone() }, hash: self.hash })
    }

    /// The job it is a share of.
    #[must_use]
    pub const fn job(&self) -> &Arc<Job> {
        &self.claim.job
    }

    /// The proof-of-work hash.
    #[must_use]
    pub const fn hash(&self) -> Hash256 {
        self.hash
    }

    /// The 80 bytes that were hashed.
    #[must_use]
    pub const fn header(&self) -> &[u8; HEADER_LEN] {
        &self.claim.header
    }

    /// The lease's free bytes.
    #[must_use]
    pub fn extranonce(&self) -> &[u8] {
        &self.claim.extranonce
    }

    /// The header's version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.claim.version
    }

    /// The header's time, in seconds since the Unix epoch.
    #[must_use]
    pub const fn ntime(&self) -> u32 {
        self.claim.ntime
    }

    /// The nonce.
    #[must_use]
    pub const fn nonce(&self) -> u32 {
        self.claim.nonce
    }

    /// Whether it is worth sending up.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.claim.job.wanted.is_met_by(&self.hash)
    }

    /// The goals it wins.
    pub fn goals_met(&self) -> impl Iterator<Item = &Goal> {
        self.claim.job.goals.iter().filter(|goal| goal.target.is_met_by(&self.hash))
    }
}
