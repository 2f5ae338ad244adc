//! Proof-of-work algorithms and the engines that compute them: traits, registry, self-test, bench.
//!
//! For: naming an algorithm, choosing the fastest engine that is right on this machine, and
//! turning headers into [`Hashed`] pairs that the rest of the house may believe.
//!
//! Not for: kernels (they live in the crates of their algorithms), shares, jobs, difficulty of
//! pools, threads that mine.
//!
//! The chain of evidence: an [`Engine`] is only believed after its self-test made it a
//! [`Prover`], and only a [`Prover`] makes a [`Hashed`].
//!
//! An algorithm has a fixed name (`scrypt`), or it is made by an [`AlgorithmFamily`] from a name
//! with parameters (`scrypt-n:N=2048`). [`Registry::resolve`] reads both.
//!
//! ```
//! use std::sync::Arc;
//!
//! use sl_pow::{Algorithm, Engine, EngineRow, Registry, ScalarEngine, Vector, HEADER_LEN};
//! use sl_units::{Hash256, Target};
//!
//! /// The last 32 bytes of the header: an algorithm for this page, not for a chain.
//! struct Tail;
//!
//! static VECTORS: [Vector; 1] =
//!     [Vector { name: "zeros", header: [0; HEADER_LEN], hash: Hash256::ZERO }];
//!
//! impl Algorithm for Tail {
//!     fn name(&self) -> &str {
//!         "tail"
//!     }
//!     fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256 {
//!         Hash256::from_bytes(*header.last_chunk().expect("80 is more than 32"))
//!     }
//!     fn vectors(&self) -> &[Vector] {
//!         &VECTORS
//!     }
//!     fn engines(&self) -> Vec<EngineRow> {
//!         vec![EngineRow {
//!             name: "scalar",
//!             lanes: 1,
//!             available: || true,
//!             make: Arc::new(|| Ok(Box::new(ScalarEngine::new(Tail)))),
//!         }]
//!     }
//! }
//!
//! let mut registry = Registry::new();
//! registry.register(Tail).expect("a new name");
//! let mut prover = registry.best("tail").expect("its engine is right");
//! let found = prover.scan(&[0; HEADER_LEN], 5, 3, Target::MAX);
//! assert_eq!(found.iter().map(|hashed| hashed.nonce()).collect::<Vec<_>>(), [5, 6, 7]);
//! ```
#![forbid(unsafe_code)]

mod algorithm;
pub mod bench;
mod engine;
mod family;
mod prover;
mod registry;
mod selftest;

pub use algorithm::{
    Algorithm, HEADER_LEN, NONCE_OFFSET, TIME_OFFSET, Vector, nonce_of, time_of, with_nonce,
};
pub use engine::{Engine, EngineFault, EngineRow, Hit, MakeEngine, NotMade, ScalarEngine};
pub use family::{AlgorithmFamily, BadAlgorithm, BadParameter, Parameter, Refused};
pub use prover::{Hashed, Prover};
pub use registry::{Failures, NameTaken, Names, NoProver, Registry};
pub use selftest::{Door, SelfTestFailed, WrongAnswer};
