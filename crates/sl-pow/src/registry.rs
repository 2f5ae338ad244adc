use std::{cmp::Reverse, fmt, sync::Arc};

use thiserror::Error;

use crate::{
    Algorithm, AlgorithmFamily, BadAlgorithm, EngineFault, EngineRow, Prover,
    family::{self, cut},
};

/// The algorithms this program knows, by name, and the families that make further ones.
///
/// Cheap to clone: clones share the algorithms.
#[derive(Clone, Default)]
pub struct Registry {
    algorithms: Vec<Arc<dyn Algorithm>>,
    families: Vec<Arc<dyn AlgorithmFamily>>,
    /// By the algorithm's name with all its parameters.
    preferences: Vec<(String, Arc<[String]>)>,
}

impl Registry {
    /// A registry without an algorithm.
    #[must_use]
    pub const fn new() -> Self {
        Self { algorithms: Vec::new(), families: Vec::new(), preferences: Vec::new() }
    }

    /// Adds an algorithm.
    ///
    /// # Errors
    /// When its name is taken, or has the colon by which families are known.
    pub fn register(&mut self, algorithm: impl Algorithm + 'static) -> Result<(), NameTaken> {
        let name = algorithm.name();
        if self.is_taken(name) {
            return Err(NameTaken(cut(name)));
        }
        self.algorithms.push(Arc::new(algorithm));
        Ok(())
    }

    /// Adds a family of algorithms.
    ///
    /// # Errors
    /// When its name is taken, or has a colon.
    pub fn register_family(
        &mut self,
        family: impl AlgorithmFamily + 'static,
    ) -> Result<(), NameTaken> {
        let name = family.name();
        if self.is_taken(name) {
            return Err(NameTaken(cut(name)));
        }
        self.families.push(Arc::new(family));
        Ok(())
    }

    /// The algorithm of this name: one that was registered, or one that its family makes of the
    /// parameters behind the colon.
    ///
    /// # Errors
    /// An unknown name, with the nearest; parameters that are wrong, with what is allowed.
    pub fn resolve(&self, name: &str) -> Result<Arc<dyn Algorithm>, BadAlgorithm> {
        if let Some(algorithm) = self.algorithms.iter().find(|it| it.name() == name) {
            return Ok(algorithm.clone());
        }
        let colon = name.split_once(':');
        let (head, parameters) = colon.unwrap_or((name, ""));
        let is_meant = |family: &&Arc<dyn AlgorithmFamily>| {
            family.name() == head || colon.is_some() && family.varies() == Some(head)
        };
        if let Some(family) = self.families.iter().find(is_meant) {
            return family::make(family.as_ref(), parameters);
        }
        let fixed = self.algorithms.iter().map(|it| it.name());
        let heads = self.families.iter().map(|family| family.name());
        Err(BadAlgorithm::Unknown {
            found: cut(name),
            allowed: Names(self.usages()),
            nearest: family::nearest(head, fixed.chain(heads)),
        })
    }

    /// How algorithms are named: each fixed name, each family with its parameters and defaults
    /// (`scrypt-n:N,r=1,p=1`), in the order of registration.
    #[must_use]
    pub fn usages(&self) -> Vec<String> {
        let fixed = self.algorithms.iter().map(|algorithm| algorithm.name().to_owned());
        fixed.chain(self.families.iter().map(|it| family::usage(it.as_ref()))).collect()
    }

    /// A name for each thing that is registered: the fixed algorithms, and each family's example.
    /// Who proves all of them has proved every kernel.
    #[must_use]
    pub fn examples(&self) -> Vec<String> {
        let fixed = self.algorithms.iter().map(|algorithm| algorithm.name().to_owned());
        fixed.chain(self.families.iter().map(|family| family.example().to_owned())).collect()
    }

    /// The families, in the order of registration.
    pub fn families(&self) -> impl Iterator<Item = &dyn AlgorithmFamily> {
        self.families.iter().map(AsRef::as_ref)
    }

    fn is_taken(&self, name: &str) -> bool {
        let mut fixed = self.algorithms.iter().map(|it| it.name());
        let mut heads = self.families.iter().map(|family| family.name());
        name.contains(':') || fixed.any(|it| it == name) || heads.any(|it| it == name)
    }

    /// Has [`best`](Self::best) try the engines of an algorithm in this order, as somebody has
    /// measured it; those that are not named come after, the widest first. Clones that were made
    /// before keep what they have.
    pub fn prefer(&mut self, algorithm: &dyn Algorithm, engines: impl IntoIterator<Item = String>) {
        let name = algorithm.name();
        self.preferences.retain(|(of, _)| of != name);
        self.preferences.push((name.to_owned(), engines.into_iter().collect()));
    }

    /// The order in which engines of an algorithm are tried, as far as somebody has said it.
    #[must_use]
    pub fn preference(&self, algorithm: &dyn Algorithm) -> &[String] {
        let found = self.preferences.iter().find(|(of, _)| of == algorithm.name());
        found.map_or(&[], |(_, engines)| engines)
    }

    /// The first engine that this machine can run and that passes its self-test, in the order
    /// [preferred](Self::prefer), then by width. Those that failed before it are told by
    /// [`Prover::passed_over`].
    ///
    /// # Errors
    /// When the name is unknown, or no engine is left.
    pub fn best(&self, name: &str) -> Result<Prover, NoProver> {
        let algorithm = self.resolve(name)?;
        let mut rows = algorithm.engines();
        rows.retain(|row| (row.available)());
        let order = self.preference(algorithm.as_ref());
        let place = |row: &EngineRow| order.iter().position(|name| name == row.name);
        rows.sort_by_key(|row| (place(row).unwrap_or(usize::MAX), Reverse(row.lanes)));
        let mut failed = Vec::new();
        for row in rows {
            match row.prover(algorithm.as_ref()) {
                Ok(prover) => return Ok(prover.after(failed)),
                Err(failure) => failed.push(failure),
            }
        }
        Err(NoProver::NoneLeft { algorithm: algorithm.name().to_owned(), failed: Failures(failed) })
    }

    /// The engine of this name, for an operator who wants that one and no other.
    ///
    /// # Errors
    /// When a name is unknown, this machine cannot run the engine or has no memory for it, or it
    /// fails its self-test.
    pub fn named(&self, name: &str, engine: &str) -> Result<Prover, NoProver> {
        let algorithm = self.resolve(name)?;
        let rows = algorithm.engines();
        let usable = |row: &&EngineRow| (row.available)();
        let row = rows.iter().filter(usable).find(|row| row.name == engine).ok_or_else(|| {
            NoProver::UnknownEngine {
                algorithm: algorithm.name().to_owned(),
                found: cut(engine),
                allowed: Names(rows.iter().filter(usable).map(|row| row.name.to_owned()).collect()),
            }
        })?;
        Ok(row.prover(algorithm.as_ref())?)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.usages()).finish()
    }
}

/// Why an algorithm was not registered.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "an algorithm named {0} is registered already, or the name has a colon; choose another name"
)]
pub struct NameTaken(String);

/// Why there is no prover.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NoProver {
    /// The name gives no algorithm.
    #[error(transparent)]
    Algorithm(#[from] BadAlgorithm),
    /// The algorithm has no engine of this name that this machine can run.
    #[error("found engine {found:?} of {algorithm}, this machine can run: {allowed}")]
    UnknownEngine {
        /// The algorithm.
        algorithm: String,
        /// The name that was found, cut to 80 characters.
        found: String,
        /// The names of the engines that this machine can run.
        allowed: Names,
    },
    /// The engine that was asked for cannot be made, or failed its self-test.
    #[error(transparent)]
    Failed(#[from] EngineFault),
    /// Every engine failed, or none is available.
    #[error("no engine of {algorithm} is right on this machine: {failed}")]
    NoneLeft {
        /// The algorithm.
        algorithm: String,
        /// What each engine did wrong.
        failed: Failures,
    },
}

/// Names, printed with commas.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("none") } else { f.write_str(&self.0.join(", ")) }
    }
}

/// What is wrong with engines, printed one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failures(pub Vec<EngineFault>);

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
