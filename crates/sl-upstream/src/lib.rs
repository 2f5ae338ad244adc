//! A pool over Stratum V1 as one source of work.
//!
//! For: keeping a connection with a pool, turning its jobs into leased jobs and our proven shares
//! into its submissions, and the pool's answers into verdicts.
//!
//! Not for: choosing among pools (a failover group is its own source), hashing, or accounts.
//!
//! ```text
//!  pool ── lines ──▶ sl_stratum::client::Session ──▶ Desk ──▶ lease.work
//!  pool ◀── lines ── Session ◀───────────────────── Desk ◀── Intake
//! ```
//!
//! The [`Session`](sl_stratum::client::Session) speaks, the `Desk` (pure) knows which job of ours
//! is which of the pool's, the [`Upstream`] service owns the socket and the clock.
//!
//! ```
//! use sl_upstream::Endpoint;
//!
//! let pool: Endpoint = "stratum+tcp://ltc.f2pool.com:3335".parse().expect("an endpoint");
//! assert_eq!((pool.host(), pool.port()), ("ltc.f2pool.com", 3335));
//! assert!("stratum+tcp://ltc.f2pool.com".parse::<Endpoint>().is_err());
//! ```
#![forbid(unsafe_code)]

mod desk;
mod endpoint;
mod service;
mod settings;
mod space;
mod status;

pub use endpoint::{Endpoint, EndpointError};
pub use service::{Pool, Upstream};
pub use settings::{PoolAddress, PoolSettings};
pub use status::{PoolState, PoolStatus};
