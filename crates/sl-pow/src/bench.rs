//! Measuring engines: hash rate by rounds, what a batch costs beside a scan, the fastest of several,
//! and a checksum by which two machines are compared.

mod batch;
mod frequency;
mod race;
mod round;
mod spread;

use std::time::Duration;

use sl_units::{HashRate, Mono};

use crate::{Algorithm, HEADER_LEN, Prover, Vector};

pub use batch::{BatchFigures, batches};
pub use frequency::frequency;
pub use race::{RacePlan, Ranked, race};
pub use round::{CHECKSUM_NONCES, Round, checksum, reference_checksum, round};
pub use spread::Spread;

/// How to measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BenchPlan {
    /// Rounds; the median counts. At least one is made.
    pub rounds: usize,
    /// The least time of a round.
    pub round: Duration,
}

impl Default for BenchPlan {
    /// Seven rounds of 300 ms.
    fn default() -> Self {
        Self { rounds: 7, round: Duration::from_millis(300) }
    }
}

/// What was measured.
#[derive(Clone, PartialEq, Debug)]
pub struct BenchFigures {
    /// The engine's name.
    pub engine: &'static str,
    /// Headers hashed side by side by one thread.
    pub lanes: usize,
    /// Threads, one prover each.
    pub threads: usize,
    /// All threads together, median of the rounds.
    pub hashrate: HashRate,
    /// (fastest − slowest round) / median; 0.02 is a quiet machine.
    pub spread: f64,
    /// Fold of the hashes of the first nonces of the algorithm's first vector: the same on every
    /// machine and with every engine.
    pub checksum: u64,
    /// Whether the scalar reference gives this checksum too.
    pub verified: bool,
}

/// Measures provers of one kind, each in a thread of its own, all at once.
///
/// `now` is the caller's clock; it must move on while hashes are made, or the rounds never end.
/// Blocks for `rounds × round` and the time of some hundred hashes of the scalar reference.
///
/// An empty slice of provers measures nothing: engine "none", rate zero, not verified.
///
/// Who compares engines takes their [`round`]s in turns instead, so that a moment in which the
/// machine was busy hits all of them.
pub fn measure(
    provers: &mut [Prover],
    algorithm: &dyn Algorithm,
    plan: BenchPlan,
    now: impl Fn() -> Mono + Sync,
) -> BenchFigures {
    let header = header_of(algorithm);
    let (engine, lanes) = provers.first().map_or(("none", 0), |p| (p.name(), p.lanes()));
    let reference = reference_checksum(algorithm);
    let mut sums = provers.iter_mut().map(|prover| checksum(prover, &header));
    let first = sums.next();
    let verified = first == Some(reference) && sums.all(|sum| sum == reference);
    let rates = (0..plan.rounds.max(1))
        .map(|number| round(provers, &header, number as u32, plan.round, &now).hashrate.hs());
    let Spread { median, relative } = Spread::of(rates);
    BenchFigures {
        engine,
        lanes,
        threads: provers.len(),
        hashrate: HashRate::from_hs(median),
        spread: relative,
        checksum: first.unwrap_or_default(),
        verified,
    }
}

/// The header that a bench hashes: that of the algorithm's first vector.
#[must_use]
pub fn header_of(algorithm: &dyn Algorithm) -> [u8; HEADER_LEN] {
    algorithm.vectors().first().map_or([0; HEADER_LEN], |vector: &Vector| vector.header)
}
