//! Solo merged mining as one source of work: a parent node, any number of auxiliary nodes.
//!
//! For: turning the templates of one's own nodes into jobs (coinbase, merged-mining tree, goals),
//! judging shares against every chain, and handing blocks in, after checking here what a node
//! would check, because a node that refuses an auxiliary block gives no reason.
//!
//! Not for: serving machines (`sl-gateway`), hashing (`sl-hasher`), pools (`sl-upstream`), or
//! simulated nodes: they speak the same RPC and are not told apart.
//!
//! ```text
//!  parent node ── long poll ──▶ watcher ─┐                         ┌─▶ jobs, one a lease
//!  auxiliary   ── tip watch ──▶ watcher ─┼─▶ planner ─▶ assemble ──┤
//!  nodes                                 │   (what, when, epoch)   └─▶ job store (old jobs live on)
//!                                        │                                     ▲
//!  every node  ◀── block ── submitter ◀──┴── goals met ◀── judge ◀── shares ───┘
//! ```
//!
//! The pure parts are public for whoever wants to look into a job: [`assemble`], [`planner`].
//!
//! ```
//! use sl_ports::{Clock, HttpClient, Randomness};
//! use sl_solo::{NodeSettings, Solo, SoloPorts, SoloSettings};
//! use sl_work::{Ask, WorkSource};
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use sl_chain::{address::Address, coins};
//!
//! let node = |coin: &str, port: u16| {
//!     let row = coins::by_ticker(coin).expect("in the table");
//!     NodeSettings {
//!         coin: row.ticker,
//!         url: format!("http://127.0.0.1:{port}"),
//!         user: "rpc".into(),
//!         password: "secret".into(),
//!         address: Address::example(row).to_string(),
//!     }
//! };
//! let settings = SoloSettings::new(node("LTC", 9332), vec![node("DOGE", 22555)]);
//! let ports = SoloPorts {
//!     clock: Clock::real(),
//!     http: HttpClient::default(),
//!     randomness: Randomness::seeded(1),
//! };
//! let (events, _blocks) = tokio::sync::mpsc::channel(64);
//! let solo = Solo::build(settings, ports, events).expect("good settings");
//! // Leases can be taken before the service runs; they are idle until there is work.
//! let lease = solo.source.lease(Ask { free: 4, consumer: "gateway".into() }).expect("wide enough");
//! assert!(lease.work.borrow().job().is_none());
//! assert_eq!(&**solo.service.id(), "solo");
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod assemble;
mod finds;
mod jobs;
mod nodes;
pub mod planner;
mod section;
mod service;
mod settings;
mod status;
mod value;

pub use section::{CoinName, NodeSection, SoloSection};
pub use service::{LiveSettings, Solo, SoloPorts};
pub use settings::{MAX_TAG, NodeSettings, SettingsError, SettingsErrors, SoloSettings};
pub use status::{BlockEvent, BlockOutcome, ChainStatus, NodeState, SoloStatus};
