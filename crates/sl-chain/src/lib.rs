//! Chains: headers, transactions, merkle trees, blocks, AuxPoW, the coin table, addresses,
//! retargets and rewards.
//!
//! For: building and checking the bytes that coin nodes exchange, and knowing each coin by its row.
//!
//! Not for: hashing proofs of work (`sl-pow`; whoever verifies passes the hash in), talking to
//! nodes, or money.
//!
//! ```
//! use sl_chain::auxpow::{least_height, slot};
//!
//! // Dogecoin (98) and Dingocoin (50) need a tree of 32 slots, whatever the nonce.
//! assert_eq!(least_height(&[98, 50]), Ok(5));
//! assert_eq!((slot(0, 98, 5), slot(0, 50, 5)), (24, 8));
//! ```
#![forbid(unsafe_code)]

pub mod address;
pub mod auxpow;
pub mod block;
pub mod codec;
pub mod coinbase;
pub mod coins;
mod digest;
pub mod explain;
mod header;
pub mod merkle;
mod tx;

pub use digest::sha256d;
pub use header::{AUXPOW_FLAG, Header};
pub use tx::{Transaction, TxIn, TxOut};
