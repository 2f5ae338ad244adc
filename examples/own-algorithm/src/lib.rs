//! A proof of work of one's own: what is to be written, and no more.
//!
//! For: showing how to implement [`sl_pow::Algorithm`] and [`sl_pow::AlgorithmFamily`].
//!
//! Not for: mining Bitcoin, where a CPU has nothing to win.
//!
//! ```
//! use own_algorithm::Sha256d;
//! use sl_pow::Algorithm;
//!
//! let genesis = Sha256d.vectors()[0];
//! assert_eq!(Sha256d.hash(&genesis.header), genesis.hash);
//! ```
#![forbid(unsafe_code)]

use std::sync::Arc;

use sha2::{Digest, Sha256};
use sl_pow::{
    Algorithm, AlgorithmFamily, EngineRow, HEADER_LEN, Parameter, Refused, ScalarEngine, Vector,
};
use sl_units::Hash256;

/// SHA-256 of SHA-256 of the header.
#[derive(Clone, Copy, Debug)]
pub struct Sha256d;

/// At least one known answer, from outside: engines are held to it.
static VECTORS: [Vector; 1] = [Vector::from_hex(
    "Bitcoin block 0",
    "010000000000000000000000000000000000000000000000000000000000000000000000\
     3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
    "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
)];

impl Algorithm for Sha256d {
    fn name(&self) -> &str {
        "sha256d"
    }

    fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256 {
        sha256(2, header)
    }

    fn vectors(&self) -> &[Vector] {
        &VECTORS
    }

    /// The plainest engine there is: the function above, header by header.
    fn engines(&self) -> Vec<EngineRow> {
        vec![EngineRow {
            name: "scalar",
            lanes: 1,
            available: || true,
            make: Arc::new(|| Ok(Box::new(ScalarEngine::new(Sha256d)))),
        }]
    }
}

/// `sha256-n`: SHA-256 so many times, as in `sha256-n:3`.
#[derive(Clone, Copy, Debug)]
pub struct Sha256Family;

static PARAMETERS: [Parameter; 1] = [Parameter {
    name: "times",
    default: Some(2),
    least: 1,
    most: 1000,
    meaning: "how often it is applied",
}];

impl AlgorithmFamily for Sha256Family {
    fn name(&self) -> &'static str {
        "sha256-n"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
    }

    fn example(&self) -> &'static str {
        "sha256-n:times=3"
    }

    fn make(&self, values: &[u64]) -> Result<Arc<dyn Algorithm>, Refused> {
        let &[times] = values else { return Err(Refused("one value is wanted".into())) };
        let header = VECTORS[0].header;
        // Nobody published answers for any number of times: the function itself gives one, and what
        // the self-test then finds are engines that disagree with it.
        let vector = Vector { name: "made by the reference", header, hash: sha256(times, &header) };
        let name = format!("sha256-n:times={times}");
        Ok(Arc::new(Sha256N { times, name, vectors: [vector] }))
    }
}

/// One of the family.
#[derive(Clone, Debug)]
struct Sha256N {
    times: u64,
    name: String,
    vectors: [Vector; 1],
}

impl Algorithm for Sha256N {
    fn name(&self) -> &str {
        &self.name
    }

    fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256 {
        sha256(self.times, header)
    }

    fn vectors(&self) -> &[Vector] {
        &self.vectors
    }

    fn engines(&self) -> Vec<EngineRow> {
        let algorithm = self.clone();
        vec![EngineRow {
            name: "scalar",
            lanes: 1,
            available: || true,
            make: Arc::new(move || Ok(Box::new(ScalarEngine::new(algorithm.clone())))),
        }]
    }
}

/// SHA-256 applied `times` times, at least once.
fn sha256(times: u64, header: &[u8; HEADER_LEN]) -> Hash256 {
    let first = Sha256::digest(header).into();
    Hash256::from_bytes((1..times).fold(first, |hash: [u8; 32], _| Sha256::digest(hash).into()))
}
