//! Real work: each machine is a Stratum client of the pool that its configuration names, and its
//! hashes are made by an engine that all machines share.
//!
//! A machine claims gigahashes; this computer makes kilohashes. The farm's *scale* is the first
//! over the second, fixed when it starts. The engine makes each machine's rate divided by the scale,
//! no more and no less; shares are hashed, none is made up. What a machine shows of its pool's
//! difficulty carries the scale, so that difficulty, shares and rate agree on its pages; on the wire
//! stands the difficulty that the pool set. With scale 1 it is a CPU miner with an ASIC's face.

mod client;
mod dealer;
mod dial;
mod engine;
mod habits;
mod job;
mod link;
mod prober;

pub use engine::{EngineError, EngineStatus};
pub use habits::{HABITS, Habit};

pub(crate) use client::{Client, PoolPlan};
pub(crate) use engine::{Engine, FOUND, Found, WorkOrder, orders};
pub(crate) use habits::Patience;
pub(crate) use prober::{Answering, Prober};
