//! The one serialisable state tree: what every face of the program shows.
//!
//! For: the types behind `--json`, the control door, and later the API, the page and MQTT. Keys are
//! in snake case with base units as suffixes; what is unknown is `null`.
//!
//! Not for: where figures come from (`sl-app` fills the tree), or how they look to people.
//!
//! ```
//! use sl_view::{Mode, Summary};
//!
//! let summary = Summary::empty(Mode::Educational);
//! let json = serde_json::to_value(&summary).expect("a tree of plain values");
//! assert_eq!(json["mode"], "educational");
//! assert_eq!(json["shares"]["rejected"], 0);
//! assert!(json["hashrate_hs"].is_null(), "unknown is not zero");
//! ```
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod gateway;
mod plan;
mod twins;
mod upstream;

pub use gateway::{Credited, Gateway, Journal, ProvenRate, Slots, WorkDone, Worker};
pub use plan::{FarmPlan, PlannedGateway, PlannedPool, PlannedSlots};
pub use twins::Twins;
pub use upstream::{FailoverEvent, Upstream, UpstreamAddress, UpstreamPool};

/// What a running program is for.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Simulated chains, no money.
    Educational,
    /// Real pools and nodes.
    Production,
}

/// The state of the whole at an instant, and at the end the summary of a run. Later parts add
/// keys; none is renamed.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Summary {
    /// What it is for.
    pub mode: Mode,
    /// Seconds since the start.
    pub uptime_s: f64,
    /// The simulated world, where there is one.
    pub world: Option<World>,
    /// Shares of machines at the gateway; without a gateway, of this machine at its source.
    pub shares: Shares,
    /// Hashes per second of this machine's engines; `null` where none run or none is measured yet.
    /// While all runs, over the last ten seconds; of a run that has ended, `hashes` (times the scale
    /// of a simulated world) over `hashing_s`.
    pub hashrate_hs: Option<f64>,
    /// Hashes made by this machine's engines since the start; `null` where none run.
    #[serde(default)]
    pub hashes: Option<u64>,
    /// Seconds from the first of these hashes to the last: without the start, the choice of an engine
    /// and the wait for the first job, with pauses and waits after it; `null` before the first, and
    /// where only virtual machines hash.
    #[serde(default)]
    pub hashing_s: Option<f64>,
    /// Why this machine's engines rest: `battery` or `load`; `null` while they do not.
    #[serde(default)]
    pub paused: Option<String>,
    /// The engine in use.
    pub engine: Option<String>,
    /// Threads of this machine that hash; `null` where no engines run.
    pub engine_threads: Option<u64>,
    /// Each chain by its ticker.
    pub chains: BTreeMap<String, Chain>,
    /// The Stratum server; `null` where none runs.
    pub gateway: Option<Gateway>,
    /// The journal; `null` where none is kept.
    #[serde(default)]
    pub journal: Option<Journal>,
    /// The pool above; `null` where there is none.
    pub pool: Option<Pool>,
    /// Several pools above; `null` where there are none.
    #[serde(default)]
    pub upstream: Option<Upstream>,
    /// Machines.
    pub machines: Machines,
    /// The virtual machines of this program; `null` where there are none.
    #[serde(default)]
    pub twins: Option<Twins>,
    /// Each service's state in one word.
    pub services: BTreeMap<String, String>,
    /// The process itself.
    pub process: Process,
}

/// A simulated world.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct World {
    /// Chain seconds in a second.
    pub time_factor: f64,
    /// Claimed hash rate over the real one.
    pub hash_scale: f64,
    /// What all chance derives from.
    pub seed: u64,
}

/// Counts of shares.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Shares {
    /// Taken.
    pub accepted: u64,
    /// Refused, other than stale.
    pub rejected: u64,
    /// Too late.
    pub stale: u64,
    /// Refused, by reason.
    pub rejected_by_reason: BTreeMap<String, u64>,
    /// Not sent up, or never judged; machines' shares are lost at `gateway.forwarded` only.
    #[serde(default)]
    pub lost: u64,
    /// Lost, by reason.
    #[serde(default)]
    pub lost_by_reason: BTreeMap<String, u64>,
    /// Seconds from the start to the first accepted share; `null` while there is none.
    pub first_accepted_s: Option<f64>,
}

/// A chain as this program mines it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// Height of the tip; `null` while its node has not told.
    pub height: Option<u64>,
    /// Difficulty of the next block in the nodes' scale.
    pub difficulty: Option<f64>,
    /// How the node fares: `ok`, or what is wrong.
    pub node: String,
    /// Shares that won the chain.
    pub blocks_found: u64,
    /// Blocks that the node took.
    pub blocks_accepted: u64,
    /// Blocks that the node refused.
    pub blocks_rejected: u64,
    /// Blocks that the node could not be reached for.
    #[serde(default)]
    pub blocks_unreachable: u64,
    /// Shares that won it while a block of ours for the same height was on its way; not submitted.
    pub blocks_spare: u64,
    /// Shares that would have won it, on a tip that had fallen.
    #[serde(default)]
    pub blocks_late: u64,
    /// Blocks that a share won which missed the parent's target.
    pub blocks_below_parent: u64,
    /// What the accepted blocks pay, in the chain's coins; play coins on a simulated chain.
    pub coins: f64,
    /// The node's last refusal or fault.
    pub last_error: Option<String>,
}

/// Shares sent up to the source of work.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Forwarded {
    /// Sent.
    pub sent: u64,
    /// Taken.
    pub accepted: u64,
    /// Refused.
    pub rejected: u64,
    /// Too late.
    pub stale: u64,
    /// Never judged.
    pub lost: u64,
    /// Not sent, because the source had no room and they won no chain.
    pub no_room: u64,
    /// On which the source said another thing than we did.
    #[serde(default)]
    pub differing: u64,
}

/// Durations, as a histogram tells them.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half of them were at most so long.
    pub p50_ms: Option<f64>,
    /// All but one in a hundred were at most so long.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

/// The pool above.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Pool {
    /// Its address.
    pub url: String,
    /// Whether it is connected and gives work.
    pub connected: bool,
    /// The difficulty it asks for, in the pools' scale.
    pub difficulty: Option<f64>,
    /// Shares that it took.
    pub accepted: u64,
    /// Shares that it refused.
    pub rejected: u64,
    /// Shares that came too late for it.
    pub stale: u64,
    /// Shares that it never judged.
    pub lost: u64,
    /// What it refused, by the kind of refusal.
    pub rejected_by_reason: BTreeMap<String, u64>,
    /// What it never judged, by the reason.
    pub lost_by_reason: BTreeMap<String, u64>,
    /// Shares sent again over a resumed session.
    pub resubmitted: u64,
    /// Shares held until the pool resumes its session.
    pub held: u64,
    /// The difficulty of all it took, as it credits them, in the pools' scale.
    pub accepted_difficulty: f64,
    /// The difficulty of what was refused, stale or lost.
    pub missed_difficulty: f64,
    /// Connections of this moment.
    pub connections: u64,
    /// Connections made since the start.
    pub connections_total: u64,
    /// Time with work since the start.
    pub working_s: f64,
    /// Age of its last job.
    pub last_job_age_s: Option<f64>,
    /// The time that the last connection took to stand.
    pub connect_ms: Option<f64>,
    /// The time of its TLS handshake.
    pub tls_ms: Option<f64>,
    /// The time of its subscription.
    pub subscribe_ms: Option<f64>,
    /// From a share to its verdict.
    pub round_trip: Latency,
    /// Bytes of extranonce that the pool keeps.
    pub extranonce1_bytes: Option<u64>,
    /// Bytes of extranonce that it leaves to us.
    pub extranonce2_bytes: Option<u64>,
    /// What is withheld while the pool asks for too easy shares; `null` where nothing is.
    pub over_difficulty: Option<OverDifficulty>,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
}

/// Fewer, harder shares are sent than a pool asks for, so that it is not flooded; it credits each
/// as one of its own.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct OverDifficulty {
    /// What the pool asks for, in the pools' scale.
    pub asked: f64,
    /// What is sent.
    pub sent: f64,
    /// The part of this pool's pay that is given up meanwhile, 0 to 1.
    pub price: f64,
    /// The difficulty given up so far, as expected from the shares that were taken.
    pub forgone_difficulty: f64,
    /// For how long.
    pub for_s: f64,
}

/// Counts of machines.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Machines {
    /// Connected now.
    pub online: u64,
    /// Known.
    pub total: u64,
}

/// The process itself; `null` where the operating system does not tell.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Resident memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Processor time in seconds.
    pub cpu_s: Option<f64>,
    /// Open files and sockets.
    pub open_files: Option<u64>,
}

/// A row of the graph of services, in the order of start.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name.
    pub id: String,
    /// What it is.
    pub description: String,
    /// `critical` or `optional`.
    pub class: String,
    /// What it starts after.
    pub after: Vec<String>,
    /// Its state in one word; `null` when nothing runs.
    pub state: Option<String>,
    /// What there is to say of it.
    pub detail: Option<String>,
    /// How often it was started again.
    pub restarts: u32,
    /// Seconds in this state.
    pub for_s: Option<f64>,
}

/// What a running program answers at its control door.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct State {
    /// The process's id.
    pub pid: u32,
    /// All figures.
    pub summary: Summary,
    /// The graph of services.
    pub services: Vec<Service>,
}

impl Summary {
    /// The summary of a run that has ended: what ends with the run (connections, machines, rates)
    /// is told as it was before the stop.
    #[must_use]
    pub fn after(mut self, before: Self) -> Self {
        if let (Some(gateway), Some(before)) = (&mut self.gateway, before.gateway) {
            gateway.connections = before.connections;
            gateway.disconnects = before.disconnects;
            gateway.shares_per_s = before.shares_per_s;
        }
        if let (Some(pool), Some(before)) = (&mut self.pool, before.pool) {
            pool.connected = before.connected;
        }
        if let (Some(upstream), Some(before)) = (&mut self.upstream, before.upstream) {
            upstream.active = before.active;
            for (pool, before) in upstream.pools.iter_mut().zip(before.pools) {
                (pool.state, pool.why) = (before.state, before.why);
            }
        }
        if let (Some(twins), Some(before)) = (&mut self.twins, before.twins) {
            let Twins { connected, hashrate_hs, hashrate_wanted_hs, .. } = before;
            (twins.connected, twins.hashrate_hs) = (connected, hashrate_hs);
            twins.hashrate_wanted_hs = hashrate_wanted_hs;
        }
        if let (Some(hashes), Some(time)) = (self.hashes, self.hashing_s) {
            let scale = self.world.as_ref().map_or(1.0, |world| world.hash_scale);
            self.hashrate_hs = Some(hashes as f64 * scale / time);
        }
        self.machines = before.machines;
        self.process = before.process;
        self
    }

    /// A summary of nothing yet.
    #[must_use]
    pub fn empty(mode: Mode) -> Self {
        Self {
            mode,
            uptime_s: 0.0,
            world: None,
            shares: Shares::default(),
            hashrate_hs: None,
            hashes: None,
            hashing_s: None,
            paused: None,
            engine: None,
            engine_threads: None,
            chains: BTreeMap::new(),
            gateway: None,
            journal: None,
            pool: None,
            upstream: None,
            machines: Machines::default(),
            twins: None,
            services: BTreeMap::new(),
            process: Process::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While all runs a rate is that of the last seconds; of a run, hashes over the time of hashing.
    #[test]
    fn the_rate_of_a_run_is_its_hashes_over_their_time() {
        let mut before = Summary::empty(Mode::Educational);
        (before.uptime_s, before.hashrate_hs) = (20.0, Some(900.0));
        let mut after = before.clone();
        (after.hashes, after.hashing_s) = (Some(12_000), Some(16.0));
        assert_eq!(after.clone().after(before.clone()).hashrate_hs, Some(750.0));
        after.world = Some(World { time_factor: 1.0, hash_scale: 4.0, seed: 1 });
        assert_eq!(after.clone().after(before.clone()).hashrate_hs, Some(3000.0));
        (after.hashes, after.hashing_s) = (Some(0), None);
        assert_eq!(after.after(before).hashrate_hs, Some(900.0), "nothing was hashed");
    }
}
