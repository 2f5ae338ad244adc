//! What keeps a gateway safe and honest.
//!
//! For: how much a peer may send ([`bucket`]), whether it may connect and how it must behave
//! ([`admission`], [`conduct`]), who is kept out and for how long ([`ban`]), whom a balancer speaks
//! for ([`proxy_protocol`]), which messages are fit to be read ([`validate`]), and whether a machine
//! makes the hashes that it claims ([`proof`]). [`Guard`] puts admission and bans behind one door.
//! Each refusal has a typed reason and a counter ([`GuardCounters`]).
//!
//! Not for: sockets, clocks, randomness, a protocol's messages, or what is done to a machine that was
//! found short. Everything is a pure state machine that takes a [`Mono`](sl_units::Mono); memory is
//! bounded everywhere, and what happens at a bound is counted.
//!
//! ```
//! use std::{net::IpAddr, time::Duration};
//!
//! use sl_guard::{Conduct, ConductLimits, Guard, GuardLimits, Offence, RefuseWhy, Step};
//! use sl_units::Mono;
//!
//! let mut guard = Guard::new(GuardLimits::default());
//! let limits = ConductLimits::default();
//! let address: IpAddr = "203.0.113.9".parse().expect("an address");
//! let now = Mono::default();
//!
//! let pass = guard.connect(address, now).expect("there is room");
//! let mut conduct = Conduct::new(now);
//! assert_eq!(conduct.on_bytes(&limits, 40, now), Step::Ok);
//! assert_eq!(conduct.on_line(&limits, now), Step::Ok);
//! guard.leave(pass, now);
//!
//! // Twenty malformed messages in a row, and the address is kept out for a minute.
//! for _ in 0..20 {
//!     guard.offence(address, Offence::Malformed, 0, now);
//! }
//! let refused = guard.connect(address, now).expect_err("banned");
//! assert_eq!(refused.why, RefuseWhy::Banned);
//! assert_eq!(refused.retry_after, Some(Duration::from_secs(60)));
//! ```
#![forbid(unsafe_code)]

pub mod admission;
pub mod ban;
mod bounded;
pub mod bucket;
pub mod conduct;
mod counters;
mod guard;
mod network;
pub mod proof;
pub mod proxy_protocol;
pub mod validate;

pub use admission::{Admission, AdmissionLimits, Pass, RefuseWhy, Refused};
pub use ban::{Ban, BanRules, BanWhy, Bans, Judged, Offence};
pub use bounded::Bounded;
pub use bucket::{Bucket, Buckets, Rate, RateError};
pub use conduct::{CloseWhy, Conduct, ConductLimits, ShareOutcome, Step};
pub use counters::{CounterRow, GuardCounters};
pub use guard::{Guard, GuardLimits};
pub use network::{Network, NetworkError};
