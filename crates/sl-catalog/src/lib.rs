//! Pools and machine models of the field, as rows with their source and date.
//!
//! For: endpoints by region, what a pool pays and since when, payout minima, login templates;
//! nameplate rates and watts, boards and chips of the machines.
//!
//! Not for: what a pool says now (ask it) or a machine reports (poll it). The rows age: they carry
//! the day they were true, and what no source states is `None`, never a guess.
//!
//! Coins go by their ticker, as in the coin table of `sl-chain`.
//!
//! ```
//! use sl_catalog::{Date, Pays, Region, machines, pools};
//!
//! let f2pool = pools::by_id("f2pool").expect("in the catalogue");
//! let europe: Vec<_> = f2pool.endpoints_in(Region::Europe).map(|e| e.to_string()).collect();
//! assert_eq!(europe, ["stratum+tcp://ltc-euro.f2pool.com:3335"]);
//! let paid = f2pool.pays("SHIC", Date::new(2026, 11, 22));
//! assert!(matches!(paid, Pays::No { .. }));
//!
//! let l7 = machines::by_id("antminer-l7").expect("in the catalogue");
//! assert_eq!((l7.boards, l7.chips_per_board), (Some(3), Some(120)));
//! ```
#![forbid(unsafe_code)]

mod date;
pub mod machines;
pub mod pools;
mod region;

pub use date::{Date, DateError};
pub use machines::{Evidence, Machine, Nameplate};
pub use pools::{Endpoint, Listing, Minimum, NameRule, Pays, Pool, Removal};
pub use region::{Region, RegionError};
