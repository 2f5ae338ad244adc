use std::{fmt, sync::Arc};

use sl_units::{Hash256, Target};
use thiserror::Error;

use crate::{Algorithm, HEADER_LEN, Prover, SelfTestFailed, with_nonce};

/// A raw engine of one algorithm: several lanes hashed side by side.
///
/// It is believed by nobody until [`Prover::new`](crate::Prover::new) has tested it. An engine
/// takes its memory when it is made; `scan` and `batch` take none (`hits` may grow).
pub trait Engine: Send {
    /// The name of its row: `avx2`.
    fn name(&self) -> &'static str;

    /// How many headers it hashes side by side. Other numbers are allowed, and waste lanes.
    fn lanes(&self) -> usize;

    /// Hashes the header with each of the `count` nonces from `first` on (after `u32::MAX` comes
    /// 0), and appends each one whose hash is at or below the target, in any order. The nonce
    /// that stands in `header` does not matter.
    fn scan(
        &mut self,
        header: &[u8; HEADER_LEN],
        first: u32,
        count: u32,
        target: Target,
        hits: &mut Vec<Hit>,
    );

    /// Hashes any headers, each into its place.
    ///
    /// # Panics
    /// May panic when the two slices differ in length: a fault of the caller.
    fn batch(&mut self, headers: &[[u8; HEADER_LEN]], out: &mut [Hash256]);
}

/// A nonce whose hash met the target of a scan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hit {
    /// The nonce.
    pub nonce: u32,
    /// The hash of the header with this nonce.
    pub hash: Hash256,
}

/// An engine is a row: its name and width, whether this machine can run it, and how it is made.
#[derive(Clone)]
pub struct EngineRow {
    /// The name, unique among the engines of an algorithm.
    pub name: &'static str,
    /// Headers hashed side by side. A row wider than another is tried before it, unless somebody
    /// [prefers](crate::Registry::prefer) otherwise.
    pub lanes: usize,
    /// Whether this machine has what the engine needs.
    pub available: fn() -> bool,
    /// Makes one, with its memory.
    pub make: MakeEngine,
}

/// Makes an engine of one row, as often as there are threads, or says why there is none.
pub type MakeEngine = Arc<dyn Fn() -> Result<Box<dyn Engine>, NotMade> + Send + Sync>;

impl EngineRow {
    /// Makes the engine and tests it against the algorithm it is a row of.
    ///
    /// # Errors
    /// When it cannot be made, or answers wrong.
    pub fn prover(&self, algorithm: &dyn Algorithm) -> Result<Prover, EngineFault> {
        Ok(Prover::new((self.make)()?, algorithm)?)
    }
}

/// Why an engine was not made.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NotMade {
    /// Its memory cannot be had.
    #[error(
        "engine {engine} needs {bytes} bytes of memory, which cannot be had ({cause}); use fewer \
         threads or an engine with fewer lanes"
    )]
    NoMemory {
        /// The engine.
        engine: &'static str,
        /// Bytes asked for.
        bytes: usize,
        /// What the operating system answered.
        cause: String,
    },
    /// This machine lacks what it needs.
    #[error("engine {engine} cannot run here: {cause}")]
    Unavailable {
        /// The engine.
        engine: &'static str,
        /// What is missing.
        cause: String,
    },
}

/// Why an engine is not used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum EngineFault {
    /// There is none.
    #[error(transparent)]
    NotMade(#[from] NotMade),
    /// It answers wrong.
    #[error(transparent)]
    Wrong(#[from] SelfTestFailed),
}

impl fmt::Debug for EngineRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineRow")
            .field("name", &self.name)
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}

/// The plainest engine: the algorithm's own scalar reference, one lane. It serves an algorithm
/// that has no kernel yet.
pub struct ScalarEngine<A>(A);

impl<A: Algorithm> ScalarEngine<A> {
    /// An engine of this algorithm's reference.
    pub const fn new(algorithm: A) -> Self {
        Self(algorithm)
    }
}

impl<A: Algorithm> Engine for ScalarEngine<A> {
    fn name(&self) -> &'static str {
        "scalar"
    }

    fn lanes(&self) -> usize {
        1
    }

    fn scan(
        &mut self,
        header: &[u8; HEADER_LEN],
        first: u32,
        count: u32,
        target: Target,
        hits: &mut Vec<Hit>,
    ) {
        for offset in 0..count {
            let nonce = first.wrapping_add(offset);
            let hash = self.0.hash(&with_nonce(header, nonce));
            if target.is_met_by(&hash) {
                hits.push(Hit { nonce, hash });
            }
        }
    }

    fn batch(&mut self, headers: &[[u8; HEADER_LEN]], out: &mut [Hash256]) {
        assert_eq!(headers.len(), out.len(), "one hash for each header");
        for (header, hash) in headers.iter().zip(out) {
            *hash = self.0.hash(header);
        }
    }
}

impl<A: Algorithm> fmt::Debug for ScalarEngine<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScalarEngine({})", self.0.name())
    }
}
