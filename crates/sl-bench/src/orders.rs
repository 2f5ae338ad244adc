//! What the leader and a process of load say to each other: one JSON document a line, one answer
//! to each order.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// The first word of a process of load.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Hello {
    /// Which one it is.
    pub(crate) number: usize,
}

/// An order to a process of load.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Connects machines; answered when all have a job.
    Machines(Machines),
    /// Answered when every machine has a job.
    Ready,
    /// Answered when none has one.
    Gone,
    /// So many of the machines fall silent, their connections left open, and come back on new ones.
    Vanish { count: u32 },
    /// How many of the connections that were left open the other side has ended.
    Buried,
    /// Connects what only reads, or answers each line with one of its own; answered when all are.
    Peers(Peers),
    /// How machines send shares from now on.
    Pace(Pace),
    /// What happened since the last time this was asked.
    Figures,
    /// Jobs are timed from now on.
    TimeJobs,
    /// How often a job came to a machine since then.
    Arrived,
    /// When each job came to each machine.
    Arrivals,
    /// Acknowledged shares are kept from now on.
    KeepAcknowledged,
    /// The shares that were kept.
    Acknowledged,
    /// Misbehaves until told otherwise.
    Flood(Flood),
    /// What the flood did so far.
    FloodSoFar,
    /// What the flood did; it ends.
    EndFlood,
    /// Burns this part of the CPU for so long.
    Burn { share: f64, seconds: f64 },
}

/// Machines to be connected.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Machines {
    /// Where to.
    pub(crate) gateway: SocketAddr,
    /// The file with their shares.
    pub(crate) shares: PathBuf,
    /// How many.
    pub(crate) count: u32,
    /// The number of the first; it is in the worker's name.
    pub(crate) first: u32,
    /// Where they connect from: this address of the loopback network and those after it.
    pub(crate) source: Ipv4Addr,
    /// New connections a second.
    pub(crate) per_second: u32,
    /// Whether each names an address of its own by a PROXY header.
    pub(crate) proxied: bool,
    /// Whether they come back when their connection ends, with their session id.
    pub(crate) return_after_ms: Option<u64>,
    /// How they send shares at first.
    pub(crate) pace: Pace,
}

/// How machines send shares.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// Not at all.
    Quiet,
    /// By chance, each machine once in so many seconds in the mean.
    Mean { seconds: f64 },
    /// Each machine as fast as it gets answers, so many at once.
    Closed { in_flight: usize },
    /// As real machines: each makes so many hashes a second, and sends those that reach the
    /// difficulty that it was told.
    Hashes { per_second: f64 },
}

/// Connections without a machine.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Peers {
    /// Where to.
    pub(crate) to: SocketAddr,
    /// How many.
    pub(crate) count: u32,
    /// Where they connect from: this address of the loopback network and those after it.
    pub(crate) source: Ipv4Addr,
    /// New connections a second.
    pub(crate) per_second: u32,
    /// What each says at once, and again after each line that it hears; nothing: it only reads.
    pub(crate) says: Option<String>,
}

/// How to misbehave.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Flood {
    /// Which one it is, at most 15: each has addresses of its own.
    pub(crate) number: u8,
    /// Where to.
    pub(crate) gateway: SocketAddr,
    /// The file with nonces that are no shares.
    pub(crate) shares: PathBuf,
    /// Where it connects from: this address of the loopback network and those after it.
    pub(crate) source: Ipv4Addr,
    /// Connections that send malformed messages, and come back at once.
    pub(crate) malformed: u32,
    /// Connections that send one byte a second, and come back at once.
    pub(crate) slow: u32,
    /// Connections that send shares that prove nothing, and come back at once.
    pub(crate) invalid: u32,
}

/// The answer to an order.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// It is done.
    Done,
    /// So many there are of what was asked for.
    Count(u64),
    /// What happened.
    Figures(Figures),
    /// When each job came, in nanoseconds of the common clock.
    Arrivals(BTreeMap<String, Vec<u64>>),
    /// Shares that were acknowledged.
    Acknowledged(Vec<Acknowledged>),
    /// What the flood did.
    Flood(FloodFigures),
    /// It could not be done.
    Failed(String),
}

/// What machines saw since the last time it was asked.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Machines that have a job now.
    pub(crate) ready: u64,
    /// Connections that ended.
    pub(crate) disconnects: u64,
    /// Machines that fell silent when they were told to.
    pub(crate) vanished: u64,
    /// Machines that came back and were given another slot.
    pub(crate) strangers: u64,
    /// Shares sent.
    pub(crate) sent: u64,
    /// Shares accepted.
    pub(crate) accepted: u64,
    /// Shares refused, by the code.
    pub(crate) refused: BTreeMap<i64, u64>,
    /// Shares without an answer when their connection ended.
    pub(crate) unanswered: u64,
    /// Shares that wait for their answer now.
    pub(crate) in_flight: u64,
    /// Times that a machine had no share left of its job.
    pub(crate) exhausted: u64,
    /// Shares found and not sent, because too many waited for their answers.
    pub(crate) unsent: u64,
    /// Times that a machine was told another difficulty than before.
    pub(crate) retargets: u64,
    /// From a share to its answer, in microseconds.
    pub(crate) latencies: Vec<u32>,
}

impl Figures {
    /// The figures of several processes together.
    pub(crate) fn add(&mut self, other: Self) {
        self.ready += other.ready;
        self.disconnects += other.disconnects;
        self.vanished += other.vanished;
        self.strangers += other.strangers;
        self.sent += other.sent;
        self.accepted += other.accepted;
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        self.unanswered += other.unanswered;
        self.in_flight += other.in_flight;
        self.exhausted += other.exhausted;
        self.unsent += other.unsent;
        self.retargets += other.retargets;
        self.latencies.extend(other.latencies);
    }

    /// Shares that were refused, whatever the code.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// A share that the gateway acknowledged.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Acknowledged {
    /// The job, as the gateway names it.
    pub(crate) job: String,
    /// The slot and the machine's own bytes, in hexadecimal.
    pub(crate) extranonce: String,
    /// The nonce.
    pub(crate) nonce: u32,
}

/// What a flood did.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default)]
pub(crate) struct FloodFigures {
    /// Malformed messages written.
    pub(crate) malformed: u64,
    /// Connections made by those who sent them.
    pub(crate) malformed_connections: u64,
    /// Connections made to send slowly.
    pub(crate) slow_connections: u64,
    /// Shares sent that prove nothing.
    pub(crate) invalid: u64,
    /// Connections made to send them.
    pub(crate) invalid_connections: u64,
    /// Connections that could not be made.
    pub(crate) refused: u64,
}

impl FloodFigures {
    /// What two floods did together.
    pub(crate) const fn add(&mut self, other: Self) {
        self.malformed += other.malformed;
        self.malformed_connections += other.malformed_connections;
        self.slow_connections += other.slow_connections;
        self.invalid += other.invalid;
        self.invalid_connections += other.invalid_connections;
        self.refused += other.refused;
    }
}
