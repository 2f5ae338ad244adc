//! This machine's engines: their registry, their measured rate, which of them is the fastest.

mod bench;
mod choice;
mod floor;

use sl_ports::Clock;
use sl_pow::{Registry, bench::measure};
use sl_scrypt::{Scrypt, ScryptFamily, ScryptJaneFamily};
use sl_units::HashRate;

use self::bench::QUICK;
pub use self::{
    bench::{BenchAsk, BenchError, BenchReport, EngineFigures, bench, usual_threads, verify_alone},
    choice::{CHOICE_FILE, EngineChoice, NoChoice, Tuned, remember, remembered, tune},
    floor::{Floor, floor},
};

/// The algorithm of pools, and of the bench if none is named: Litecoin's. Nodes have that of their
/// coin's row (`sl_chain::coins`).
pub const ALGORITHM: &str = "scrypt";

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
