//! Algorithms that cost nothing, for tests of the way a share goes and not of its work.

use std::sync::Arc;

use sl_pow::{Algorithm, EngineRow, HEADER_LEN, ScalarEngine, Vector};
use sl_units::Hash256;

/// The last 32 bytes of the header, so that the nonce alone says how good a hash is: nonce *n* has
/// share difficulty 65,535 / *n*, and a test can make a share of any difficulty.
#[derive(Clone, Copy, Debug)]
pub struct Tail;

/// Zero for every header: it meets whatever target there is.
#[derive(Clone, Copy, Debug)]
pub struct Zero;

static VECTORS: [Vector; 1] =
    [Vector { name: "zeros", header: [0; HEADER_LEN], hash: Hash256::ZERO }];

impl Algorithm for Tail {
    fn name(&self) -> &'static str {
        "tail"
    }

    fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256 {
        Hash256::from_bytes(*header.last_chunk().expect("80 is more than 32"))
    }

    fn vectors(&self) -> &'static [Vector] {
        &VECTORS
    }

    fn engines(&self) -> Vec<EngineRow> {
        vec![scalar(*self)]
    }
}

impl Algorithm for Zero {
    fn name(&self) -> &'static str {
        "zero"
    }

    fn hash(&self, _: &[u8; HEADER_LEN]) -> Hash256 {
        Hash256::ZERO
    }

    fn vectors(&self) -> &'static [Vector] {
        &VECTORS
    }

    fn engines(&self) -> Vec<EngineRow> {
        vec![scalar(*self)]
    }
}

fn scalar(algorithm: impl Algorithm + Copy + 'static) -> EngineRow {
    EngineRow {
        name: "scalar",
        lanes: 1,
        available: || true,
        make: Arc::new(move || Ok(Box::new(ScalarEngine::new(algorithm)))),
    }
}
