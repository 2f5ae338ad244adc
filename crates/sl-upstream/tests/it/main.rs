//! Pools on real sockets: what goes down as jobs, what comes up as shares, and what faults mean.

mod failover;
mod faults;
mod network;
mod pool;
mod pools;
mod scripted;

pub(crate) use scripted::soon;
