use std::{cmp::Reverse, fmt, sync::Arc};

use thiserror::Error;

use crate::{Algorithm, EngineRow, Prover, SelfTestFailed};

/// The algorithms this program knows, by name.
///
/// Cheap to clone: clones share the algorithms.
#[derive(Clone, Default)]
pub struct Registry {
    algorithms: Vec<Arc<dyn Algorithm>>,
}

impl Registry {
    /// A registry without an algorithm.
    #[must_use]
    pub const fn new() -> Self {
        Self { algorithms: Vec::new() }
    }

    /// Adds an algorithm.
    ///
    /// # Errors
    /// When its name is taken.
    pub fn register(&mut self, algorithm: impl Algorithm + 'static) -> Result<(), NameTaken> {
        let name = algorithm.name();
        if self.get(name).is_some() {
            return Err(NameTaken(name));
        }
        self.algorithms.push(Arc::new(algorithm));
        Ok(())
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Algorithm>> {
        self.algorithms.iter().find(|algorithm| algorithm.name() == name)
    }

    /// The names, in the order of registration.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.algorithms.iter().map(|algorithm| algorithm.name())
    }

    /// The widest engine that this machine can run and that passes its self-test. Those that
    /// failed before it are told by [`Prover::passed_over`].
    ///
    /// # Errors
    /// When the name is unknown, or no engine is left.
    pub fn best(&self, name: &str) -> Result<Prover, NoProver> {
        let algorithm = self.known(name)?;
        let mut rows = algorithm.engines();
        rows.retain(|row| (row.available)());
        rows.sort_by_key(|row| Reverse(row.lanes));
        let mut failed = Vec::new();
        for row in rows {
            match Prover::new((row.make)(), algorithm.as_ref()) {
                Ok(prover) => return Ok(prover.after(failed)),
                Err(failure) => failed.push(failure),
            }
        }
        Err(NoProver::NoneLeft { algorithm: algorithm.name(), failed: Failures(failed) })
    }

    /// The engine of this name, for an operator who wants that one and no other.
    ///
    /// # Errors
    /// When a name is unknown, this machine cannot run the engine, or it fails its self-test.
    pub fn named(&self, name: &str, engine: &str) -> Result<Prover, NoProver> {
        let algorithm = self.known(name)?;
        let rows = algorithm.engines();
        let usable = |row: &&EngineRow| (row.available)();
        let row = rows.iter().filter(usable).find(|row| row.name == engine).ok_or_else(|| {
            NoProver::UnknownEngine {
                algorithm: algorithm.name(),
                found: engine.chars().take(80).collect(),
                allowed: Names(rows.iter().filter(usable).map(|row| row.name).collect()),
            }
        })?;
        Ok(Prover::new((row.make)(), algorithm.as_ref())?)
    }

    fn known(&self, name: &str) -> Result<&Arc<dyn Algorithm>, NoProver> {
        self.get(name).ok_or_else(|| NoProver::UnknownAlgorithm {
            found: name.chars().take(80).collect(),
            allowed: Names(self.names().collect()),
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Why an algorithm was not registered.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("an algorithm named {0} is registered already; give this one another name")]
pub struct NameTaken(&'static str);

/// Why there is no prover.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NoProver {
    /// The registry holds no algorithm of this name.
    #[error("found algorithm {found:?}, allowed are: {allowed}")]
    UnknownAlgorithm {
        /// The name that was found, cut to 80 characters.
        found: String,
        /// The names of the registry.
        allowed: Names,
    },
    /// The algorithm has no engine of this name that this machine can run.
    #[error("found engine {found:?} of {algorithm}, this machine can run: {allowed}")]
    UnknownEngine {
        /// The algorithm.
        algorithm: &'static str,
        /// The name that was found, cut to 80 characters.
        found: String,
        /// The names of the engines that this machine can run.
        allowed: Names,
    },
    /// The engine that was asked for failed.
    #[error(transparent)]
    Failed(#[from] SelfTestFailed),
    /// Every engine failed, or none is available.
    #[error("no engine of {algorithm} is right on this machine: {failed}")]
    NoneLeft {
        /// The algorithm.
        algorithm: &'static str,
        /// What each engine did wrong.
        failed: Failures,
    },
}

/// Names, printed with commas.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names(pub Vec<&'static str>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("none") } else { f.write_str(&self.0.join(", ")) }
    }
}

/// Failed self-tests, printed one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failures(pub Vec<SelfTestFailed>);

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none is available");
        }
        for (i, failure) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            failure.fmt(f)?;
        }
        Ok(())
    }
}
