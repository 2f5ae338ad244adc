use serde::{Deserialize, Serialize};

/// The virtual machines of this program. Rates that machines show, and difficulties on their pages,
/// are claimed ones: `hash_scale` times the real ones.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Twins {
    /// What they are, as in `Antminer L7`.
    pub model: String,
    /// Their addresses, as in `127.7.0.0/22`.
    pub net: String,
    /// How many there are.
    pub total: u64,
    /// On the network, their mining program up.
    pub online: u64,
    /// Hashing a job of their pool.
    pub mining: u64,
    /// Ready to hash, and no pool gives them a job.
    pub waiting: u64,
    /// In sleep mode.
    pub asleep: u64,
    /// Stopped by a protection, or without a pool for too long.
    pub stopped: u64,
    /// With a pool that gives them work.
    pub connected: u64,
    /// What they show together over five seconds.
    pub hashrate_shown_hs: f64,
    /// Shares that pools took.
    pub accepted: u64,
    /// Shares that pools refused.
    pub rejected: u64,
    /// Shares that were too late to be sent, or got no verdict.
    pub stale: u64,
    /// Bad nonces.
    pub hw_errors: u64,
    /// Claimed hashes for each real one.
    pub hash_scale: f64,
    /// Threads that hash for them.
    pub engine_threads: u64,
    /// Real hashes made for them since the start.
    pub hashes: u64,
    /// Real hashes a second made for them.
    pub hashrate_hs: f64,
    /// Real hashes a second that their rates ask for.
    pub hashrate_wanted_hs: f64,
    /// Real hashes that they should have made and that the engine had no time for.
    pub hashes_missed: f64,
}
