//! A pool over Stratum V1 as one source of work, and several sources as one.
//!
//! For: keeping a connection with a pool, turning its jobs into leased jobs and our proven shares
//! into its submissions, and the pool's answers into verdicts; making one source of several, of
//! whatever kind, with the next one ready when one fails.
//!
//! Not for: hashing, serving machines, or accounts.
//!
//! ```text
//!  pool ── lines ──▶ sl_stratum::client::Session ──▶ Desk ──▶ lease.work
//!  pool ◀── lines ── Session ◀───────────────────── Desk ◀── Intake
//! ```
//!
//! The [`Session`](sl_stratum::client::Session) speaks, the `Desk` (pure) knows which job of ours
//! is which of the pool's and holds what is in flight when a connection breaks, the `Vigil` (pure)
//! says when a pool is gone, the [`Upstream`] service owns the sockets and the clock.
//!
//! Several sources are one through [`Failover`], itself a source: it leases from every member, and
//! its pure core decides by a [`Breaker`] for each and a [`Strategy`]. [`PoolGroup`] keeps the pools
//! of the settings behind one, each at the address that suits.
//!
//! ```text
//!  Upstream ─┐ leases from all        ┌─ lease.work: the running one's jobs, renamed
//!  Upstream ─┼──────────▶ Failover ───┤
//!  any source┘                        └─ a share goes up to the source of its job
//! ```
//!
//! ```
//! use sl_upstream::Endpoint;
//!
//! let pool: Endpoint = "stratum+tcp://ltc.f2pool.com:3335".parse().expect("an endpoint");
//! assert_eq!((pool.host(), pool.port()), ("ltc.f2pool.com", 3335));
//! assert!("stratum+tcp://ltc.f2pool.com".parse::<Endpoint>().is_err());
//! ```
#![forbid(unsafe_code)]

mod connection;
mod demand;
mod desk;
mod dial;
mod endpoint;
mod failover;
mod group;
mod link;
mod login;
mod names;
mod probe;
mod record;
mod service;
mod settings;
mod space;
mod status;
mod vigil;

pub use demand::DemandRules;
pub use dial::DialError;
pub use endpoint::{Endpoint, EndpointError};
pub use failover::{
    Breaker, BreakerRules, BreakerState, ByLatency, ByPriority, Candidate, Change, Choice,
    Evidence, Failover, FailoverRules, FailoverStatus, Member, MemberStanding, MemberStatus,
    Strategies, Strategy, StrategyError, StrategyRules, Tally, Wanted,
};
pub use group::{
    FailoverSettings, GroupStatus, Nearest, Plans, PoolEntry, PoolEntryError, PoolFigures,
    PoolGroup, PoolPlan, RegionChoice, RegionWord,
};
pub use login::{Login, LoginError, LoginParts, Wallet};
pub use probe::{Knock, Probe, Reached, probe};
pub use service::{Pool, PoolOptions, Upstream};
pub use settings::{CertificatePin, PoolAddress, PoolSettings, PoolSettingsError, WalletAddress};
pub use status::{OverDifficulty, PoolState, PoolStatus};
pub use vigil::Patience;
