use serde::{Deserialize, Serialize};

use crate::Service;

/// What a gateway over several pools would do: shown, not run.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct FarmPlan {
    /// How one of the pools is chosen.
    pub strategy: String,
    /// How long a pool that failed must be back before it is preferred again.
    pub dwell_s: f64,
    /// The least time for one pool while several share the work.
    pub slice_s: f64,
    /// The pools in the order in which they are tried.
    pub pools: Vec<PlannedPool>,
    /// The server for machines.
    pub gateway: PlannedGateway,
    /// What must be mended before it can run.
    pub notes: Vec<String>,
    /// The services in the order of start.
    pub services: Vec<Service>,
}

/// A pool of a plan.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct PlannedPool {
    /// Its name.
    pub name: String,
    /// The lower, the sooner.
    pub priority: u32,
    /// Its weight among pools of one priority.
    pub weight: u32,
    /// The part of the work that it gets while all of its priority work and none of a higher does.
    pub part: f64,
    /// `first` where it gets work from the start, `standby` where it waits for the failure of others.
    pub role: String,
    /// Under which name it is worked for.
    pub user: String,
    /// Whether each machine goes under its own name.
    pub machine_names: bool,
    /// Its addresses in the order to try them.
    pub addresses: Vec<String>,
    /// How one of them is chosen: `nearest` by measurement, or `first` that answers.
    pub choice: String,
    /// A share may wait so long for its verdict.
    pub answer_within_s: f64,
    /// It may be silent so long.
    pub silence_s: f64,
}

/// The server for machines in a plan.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct PlannedGateway {
    /// Where it will listen.
    pub listen: String,
    /// Most machines at once.
    pub max_connections: u64,
    /// Shares a minute asked of each machine.
    pub shares_per_minute: f64,
    /// How many slots there are, by what the narrowest usable pool leaves to us.
    pub slots: Vec<PlannedSlots>,
    /// Limits by the name of their setting.
    pub limits: Vec<(String, String)>,
}

/// Slots by the width of a pool's extranonce2.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct PlannedSlots {
    /// Bytes that every usable pool leaves to us.
    pub extranonce_bytes: u64,
    /// Machines that can have a slot of their own.
    pub slots: u64,
    /// Bytes that each machine has of its own.
    pub machine_bytes: u64,
}
