//! This machine's engines: their registry, their measured rate.

use std::time::Duration;

use sl_ports::{Clock, process};
use sl_pow::{
    BadAlgorithm, Registry,
    bench::{BenchPlan, measure},
};
use sl_scrypt::{Scrypt, ScryptFamily, ScryptJaneFamily};
use sl_units::HashRate;
use thiserror::Error;

/// The algorithm of pools, and of the bench if none is named: Litecoin's. Nodes have that of their
/// coin's row (`sl_chain::coins`).
pub const ALGORITHM: &str = "scrypt";

/// Long enough to be right within some per cent, short enough not to be felt at the start.
const QUICK: BenchPlan = BenchPlan { rounds: 3, round: Duration::from_millis(60) };

/// Why engines cannot be measured.
#[derive(Debug, Error)]
pub enum BenchError {
    /// No engine is right.
    #[error(transparent)]
    NoProver(#[from] sl_pow::NoProver),
    /// The name gives no algorithm.
    #[error(transparent)]
    Algorithm(#[from] BadAlgorithm),
    /// No threads to measure with.
    #[error("0 threads were asked for, at least 1 is needed")]
    NoThreads,
}

/// An engine as measured on this machine.
#[derive(Clone, Debug)]
pub struct EngineFigures {
    /// The algorithm, with all its parameters.
    pub algorithm: String,
    /// The engine.
    pub name: &'static str,
    /// Headers hashed side by side.
    pub lanes: usize,
    /// Threads it was measured with.
    pub threads: usize,
    /// Whether this machine has what it needs.
    pub available: bool,
    /// Hashes a second of all threads; `None` if it was not measured.
    pub hashrate_hs: Option<f64>,
    /// Fastest less slowest round over the median.
    pub spread: Option<f64>,
    /// Fold of the hashes of a fixed range of nonces: the same on every machine.
    pub checksum: Option<u64>,
    /// Whether the reference gives this checksum; `None` if it was only self-tested.
    pub verified: Option<bool>,
    /// Its self-test's failure.
    pub fault: Option<String>,
}

/// The algorithms of this program, and the families that make further ones by name.
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    let added = registry
        .register(Scrypt)
        .and_then(|()| registry.register_family(ScryptFamily))
        .and_then(|()| registry.register_family(ScryptJaneFamily));
    added.expect("three names that differ");
    registry
}

/// What so many hashing threads make of this machine, measured for a fifth of a second.
///
/// # Errors
/// No engine is right on this machine.
pub fn quick_rate(
    registry: &Registry,
    algorithm: &str,
    threads: usize,
    clock: Clock,
) -> Result<HashRate, BenchError> {
    let name = algorithm;
    let algorithm = registry.resolve(name)?;
    let mut provers =
        (0..threads.max(1)).map(|_| registry.best(name)).collect::<Result<Vec<_>, _>>()?;
    Ok(measure(&mut provers, algorithm.as_ref(), QUICK, || clock.mono()).hashrate)
}

/// Each engine of [`ALGORITHM`] on this machine: self-tested, and measured if there is a plan.
///
/// # Errors
/// Zero threads.
pub fn bench_engines(
    threads: Option<usize>,
    plan: Option<BenchPlan>,
) -> Result<Vec<EngineFigures>, BenchError> {
    bench_algorithm(&registry(), ALGORITHM, threads, plan)
}

/// Each engine of an algorithm on this machine: self-tested, and measured if there is a plan.
///
/// # Errors
/// A name that gives no algorithm; zero threads.
pub fn bench_algorithm(
    registry: &Registry,
    algorithm: &str,
    threads: Option<usize>,
    plan: Option<BenchPlan>,
) -> Result<Vec<EngineFigures>, BenchError> {
    let clock = Clock::real();
    let threads = threads.unwrap_or_else(process::cpus);
    if threads == 0 {
        return Err(BenchError::NoThreads);
    }
    let algorithm = registry.resolve(algorithm)?;
    let mut all = Vec::new();
    for row in algorithm.engines() {
        let mut figures = EngineFigures {
            algorithm: algorithm.name().to_owned(),
            name: row.name,
            lanes: row.lanes,
            threads,
            available: (row.available)(),
            hashrate_hs: None,
            spread: None,
            checksum: None,
            verified: None,
            fault: None,
        };
        if figures.available {
            let provers: Result<Vec<_>, _> =
                (0..threads).map(|_| row.prover(algorithm.as_ref())).collect();
            match (provers, plan) {
                (Err(failed), _) => {
                    figures.verified = Some(false);
                    figures.fault = Some(failed.to_string());
                }
                (Ok(_), None) => figures.verified = Some(true),
                (Ok(mut provers), Some(plan)) => {
                    let measured = measure(&mut provers, algorithm.as_ref(), plan, || clock.mono());
                    figures.hashrate_hs = Some(measured.hashrate.hs());
                    figures.spread = Some(measured.spread);
                    figures.checksum = Some(measured.checksum);
                    figures.verified = Some(measured.verified);
                }
            }
        }
        all.push(figures);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use sl_chain::coins;

    use super::*;

    #[test]
    fn every_coins_algorithm_is_known_and_an_auxiliary_has_its_parents() {
        let registry = registry();
        for row in coins::all() {
            let algorithm = registry.resolve(row.algorithm).expect(row.name);
            assert_eq!(algorithm.name(), row.algorithm, "{}", row.name);
            assert!(coins::parents().any(|parent| parent.algorithm == row.algorithm));
        }
    }

    #[test]
    fn names_are_told_with_their_parameters() {
        let usages = registry().usages();
        assert_eq!(
            usages,
            ["scrypt", "scrypt-n:N,r=1,p=1", "scrypt-jane:nmin=4,nmax=30,start=1367991200"]
        );
    }
}
