use serde::{Deserialize, Serialize};

use crate::Pool;

/// Several pools as one source of work.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Upstream {
    /// For which pool the machines work; `null` while there is no work.
    pub active: Option<String>,
    /// Free bytes of extranonce that every usable pool can hold.
    pub extranonce_bytes: u64,
    /// All pools, in the order of the settings.
    pub pools: Vec<UpstreamPool>,
    /// The latest changes because a pool failed, and back.
    pub failovers: Vec<FailoverEvent>,
    /// Changes of pool since the start, those by weight included.
    pub changes: u64,
    /// Shares that came for a job that was no longer known.
    pub too_old: u64,
}

/// A pool among several.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct UpstreamPool {
    /// Its name in the settings.
    pub name: String,
    /// `active`, `standby`, `idle`, `unfit`, `resting` or `leaving`.
    pub state: String,
    /// Why, where it neither works nor stands by.
    pub why: Option<String>,
    /// Its circuit breaker: `closed`, `open` or `half_open`.
    pub breaker: String,
    /// The lower, the sooner.
    pub priority: u32,
    /// Its weight among pools of one priority.
    pub weight: u32,
    /// Its part of all difficulty accepted since the start, 0 to 1; `null` while there is none.
    pub part: Option<f64>,
    /// The part that its weight asks for at this moment; `null` where it does not share.
    pub part_wanted: Option<f64>,
    /// Shares that it took.
    pub accepted: u64,
    /// Shares that it refused.
    pub rejected: u64,
    /// Shares that came too late for it.
    pub stale: u64,
    /// Shares that it never judged.
    pub lost: u64,
    /// Shares that wait for its verdict.
    pub in_flight: u64,
    /// Difficulty of the shares that it took, in the pools' scale.
    pub difficulty: f64,
    /// Time in which the machines worked for it.
    pub active_s: f64,
    /// Time to connect, by measurement; `null` where it is not known.
    pub latency_ms: Option<f64>,
    /// From a share to its verdict, of late.
    pub answer_ms: Option<f64>,
    /// All its addresses, with the time to connect.
    pub addresses: Vec<UpstreamAddress>,
    /// Its client's own figures; `null` before it is connected to.
    pub client: Option<Pool>,
}

/// An address of a pool.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct UpstreamAddress {
    /// The address.
    pub url: String,
    /// Time to connect; `null` where nobody answered, or it is not measured yet.
    pub latency_ms: Option<f64>,
    /// Whether it is the one in use.
    pub in_use: bool,
}

/// A change from one pool to another.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct FailoverEvent {
    /// When it was decided, in seconds since the start.
    pub at_s: f64,
    /// For whom the machines worked; `null` where there was no work.
    pub from: Option<String>,
    /// For whom they work now.
    pub to: String,
    /// Why.
    pub why: String,
    /// From the first sign of the failure to the decision; `null` where nothing failed.
    pub detected_s: Option<f64>,
    /// From the decision until the new pool's job was given to the machines.
    pub switched_s: f64,
}
