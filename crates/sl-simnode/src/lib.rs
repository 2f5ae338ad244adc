//! Simulated coin nodes that validate fully, reached only by RPC.
//!
//! For: a chain of any coin of the table, in process, behind the JSON-RPC of the coin's real
//! daemon on loopback. What is submitted is checked by the daemons' rules and refused in their
//! words; answers, errors and HTTP codes are those recorded in `testdata/`.
//!
//! Not for: talking to nodes (`sl-noderpc`, with which this crate shares no wire type, so that a
//! bug cannot agree with itself), mining, money. The coins of these chains have no value, and the
//! server listens on loopback only.
//!
//! The world is one: the clock of the chains runs [`World::time_factor`] times faster than the
//! wall, and all constants and rules of the coins stay as they are.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use sl_chain::{coins, sha256d};
//! use sl_simnode::{Node, Reply, World};
//! use sl_units::{HashRate, Mono, Wall};
//!
//! let world = World::new(Wall::from_secs(1_795_353_326), Mono::default(), 7, HashRate::from_hs(1e5));
//! let doge = coins::by_ticker("DOGE").expect("in the table");
//! // The proof-of-work hash is a parameter; on a real simulation it is Scrypt.
//! let mut node = Node::new(doge, world, Arc::new(|header: &[u8; 80]| sha256d(header)));
//!
//! let now = Mono::from_start(Duration::from_secs(2));
//! let Reply::Done(answer) = node.call("getblockcount", &[], now, false) else { panic!("no wait") };
//! assert_eq!(answer.expect("a height").get(), "6481000");
//! ```
#![forbid(unsafe_code)]

mod auxiliary;
mod chain;
mod crowd;
mod node;
mod offer;
mod rpc;
mod server;
mod service;
mod template;
mod validate;
mod world;

pub use node::{Node, NodeStatus, PowHash};
pub use rpc::{Answer, Reply, RpcError, Wait};
pub use service::{NodeHandle, NodeSettings, ServeError, SimNode};
pub use world::World;
