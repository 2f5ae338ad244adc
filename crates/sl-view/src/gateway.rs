use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Forwarded, Latency};

/// The Stratum server.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Gateway {
    /// Where it listens.
    pub listen: Option<String>,
    /// Where it listens for machines that speak TLS.
    #[serde(default)]
    pub tls_listen: Option<String>,
    /// Machines connected.
    pub connections: u64,
    /// Connections of machines since the start.
    pub connections_total: u64,
    /// Connections of machines that ended; those that the stop ended are not counted.
    #[serde(default)]
    pub disconnects: u64,
    /// Shares accepted each second, of late.
    pub shares_per_s: f64,
    /// Proven shares that the journal did not take, so that they were not acknowledged.
    #[serde(default)]
    pub shares_unrecorded: u64,
    /// Proven shares whose job's tip on a chain had fallen when they came, by ticker.
    #[serde(default)]
    pub stale_by_coin: BTreeMap<String, u64>,
    /// The machines' part of the extranonce.
    #[serde(default)]
    pub slots: Slots,
    /// How often each protection acted, by its name: `refused_banned`, `closed_too_slow`.
    #[serde(default)]
    pub protections: BTreeMap<String, u64>,
    /// Workers, by name, at most 1000.
    #[serde(default)]
    pub workers: Vec<Worker>,
    /// Workers that are known altogether.
    #[serde(default)]
    pub workers_total: u64,
    /// Times that a worker was found to hash less than it claims.
    #[serde(default)]
    pub shortfalls: u64,
    /// Shares sent up, and what the source said of them.
    #[serde(default)]
    pub forwarded: Forwarded,
    /// From the instant that a job was born until the last machine's socket had it.
    pub job_latency: Latency,
    /// From the instant that a node had a new tip until the last machine's socket had the job; only
    /// where the nodes are simulated here, so that both instants are known.
    pub tip_latency: Option<Latency>,
}

/// The machines' part of the extranonce: a number each, that never collides.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Slots {
    /// Held by machines that are connected.
    pub in_use: u64,
    /// Kept for machines that are away, or while jobs live that were out with them.
    pub away: u64,
    /// Altogether.
    pub capacity: u64,
    /// Machines that were refused because none was left.
    pub refused: u64,
}

/// A worker's account since the start.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Worker {
    /// Its name.
    pub worker: String,
    /// Its machines that are connected.
    pub machines: u64,
    /// Shares accepted.
    pub accepted: u64,
    /// Shares that were late.
    pub stale: u64,
    /// Shares refused.
    pub rejected: u64,
    /// Shares refused, by reason.
    pub rejected_by_reason: BTreeMap<String, u64>,
    /// Proven shares whose job's tip on a chain had fallen when they came, by ticker.
    pub stale_by_coin: BTreeMap<String, u64>,
    /// Its best share's difficulty.
    pub best_difficulty: Option<f64>,
    /// Seconds since its last share.
    pub last_share_age_s: Option<f64>,
    /// The rate that its shares prove, by window: `5m`, `1h`, `24h`.
    pub proven: BTreeMap<String, ProvenRate>,
    /// What it claims against what it proves; `null` where nothing is claimed.
    pub work_done: Option<WorkDone>,
    /// Its shares that were sent up, and what the source said of them.
    #[serde(default)]
    pub forwarded: Forwarded,
    /// What the source said of them, by ticker.
    #[serde(default)]
    pub credited_by_coin: BTreeMap<String, Credited>,
}

/// What the source said of shares on one chain.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Credited {
    /// Shares that count on it.
    pub credited: u64,
    /// Shares that came after its tip had fallen.
    pub missed: u64,
}

/// A hash rate as shares prove it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct ProvenRate {
    /// The most likely rate.
    pub hashrate_hs: f64,
    /// Lower end of the interval that holds the truth 95 times of 100.
    pub low_hs: f64,
    /// Upper end.
    pub high_hs: f64,
    /// Shares that prove it; those of different difficulty counted as so many equal ones.
    pub shares: f64,
    /// Seconds with work in the window.
    pub working_s: f64,
    /// Seconds since it was computed.
    pub age_s: f64,
}

/// A claim against what is proven, by a sequential test.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct WorkDone {
    /// What is claimed.
    pub claimed_hs: f64,
    /// The part of it that is proven, since evidence began to gather.
    pub proven_ratio: f64,
    /// How far the evidence has come: 0 none, 1 found short.
    pub suspicion: f64,
    /// Whether the worker was found short.
    pub short: bool,
    /// How often.
    pub shortfalls: u64,
    /// The last decision in words: what it rests on and what would have changed it.
    pub last_decision: Option<String>,
}

/// The journal.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Journal {
    /// Whether entries are being written.
    pub writing: bool,
    /// Why the last commit failed.
    pub failing: Option<String>,
    /// Commits that are on the disk, since the start.
    pub commits: u64,
    /// Entries in them.
    pub entries: u64,
    /// Shares among them.
    pub shares: u64,
    /// Entries whose commit failed.
    pub failed: u64,
    /// Size of all its files.
    pub size_bytes: u64,
    /// Days whose shares are there one by one.
    pub days: u64,
    /// Whether it is over its budget, and nothing more may be removed.
    pub over_budget: bool,
}
