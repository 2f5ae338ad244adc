//! Which engine is the fastest on this host: measured once, kept in a file, measured anew when it no
//! longer fits.
//!
//! ```text
//!  start ─▶ file fits this host, program and set of engines ──────────────▶ its order holds
//!             │ missing, unreadable, damaged, of another host or program        ▲
//!             └─▶ race, a tenth of a second ─▶ file is written (or it is said why not)
//! ```
//!
//! The order only says which engine is tried first: each one passes its self-test before it is used.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sl_ports::{Clock, cpu_time, folders, machine::cpu::Cpu};
use sl_pow::{
    Algorithm, BadAlgorithm, Registry,
    bench::{RacePlan, Ranked, race},
};
use sl_units::{HashRate, Mono, Wall};
use thiserror::Error;

/// The file's name in the data folder.
pub const CHOICE_FILE: &str = "engines.json";
/// How the file is written; another number is another format.
const FORMAT: u32 = 1;
/// A file that is longer is none of ours.
const MOST_BYTES: u64 = 64 << 10;
/// Algorithms whose order is kept.
const MOST_ALGORITHMS: usize = 32;

/// The engines of one algorithm in the order in which they are tried on this host.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineChoice {
    /// The fastest first; those without a rate were not measured.
    pub engines: Vec<(String, Option<HashRate>)>,
    /// When it was measured.
    pub measured: Wall,
}

impl EngineChoice {
    /// The engine that is tried first.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.engines.first().map(|(name, _)| name.as_str())
    }
}

/// Why a file gives no choice.
#[derive(Debug, Error)]
pub enum NoChoice {
    /// Nothing was measured yet.
    #[error("not measured yet")]
    Missing,
    /// The file is there and cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system answered.
        cause: io::Error,
    },
    /// What is in the file makes no sense.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It was measured elsewhere, or before this program.
    #[error("measured with another {what}: found {found}, this is {here}")]
    Other {
        /// What differs: processor, instruction sets, version, engines.
        what: &'static str,
        /// What the file says.
        found: String,
        /// What is so here.
        here: String,
    },
}

/// The file, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    version: String,
    processor: String,
    features: Vec<String>,
    algorithms: BTreeMap<String, Order>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    measured_ms: u64,
    engines: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    hashrate_hs: Option<f64>,
}

impl File {
    fn of(cpu: &Cpu) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            processor: cpu.model.clone().unwrap_or_else(|| "unknown".to_owned()),
            features: cpu.features.iter().map(|&feature| feature.to_owned()).collect(),
            algorithms: BTreeMap::new(),
        }
    }

    /// Whether it was written on a host like this one, by a program like this one.
    fn fits(&self, here: &Self) -> Result<(), NoChoice> {
        let differs = |what, found: String, here: String| match found == here {
            true => Ok(()),
            false => Err(NoChoice::Other { what, found, here }),
        };
        differs("version", self.version.clone(), here.version.clone())?;
        differs("processor", self.processor.clone(), here.processor.clone())?;
        differs("set of instructions", self.features.join(" "), here.features.join(" "))
    }

    fn read(path: &Path) -> Result<Self, NoChoice> {
        let unreadable = |cause: io::Error| match cause.kind() {
            io::ErrorKind::NotFound => NoChoice::Missing,
            _ => NoChoice::Unreadable { path: path.to_owned(), cause },
        };
        let damaged = |why: String| NoChoice::Damaged { path: path.to_owned(), why };
        let file = fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(damaged(format!("longer than {MOST_BYTES} bytes")));
        }
        let file: Self = serde_json::from_slice(&bytes).map_err(|why| damaged(why.to_string()))?;
        match file.format {
            FORMAT => Ok(file),
            other => Err(damaged(format!("format {other}, allowed is {FORMAT}"))),
        }
    }
}

impl Order {
    fn check(self, path: &Path, algorithm: &dyn Algorithm) -> Result<EngineChoice, NoChoice> {
        let damaged = |why: &str| NoChoice::Damaged { path: path.to_owned(), why: why.to_owned() };
        let rates: Vec<Option<f64>> = self.engines.iter().map(|entry| entry.hashrate_hs).collect();
        if rates.iter().flatten().any(|rate| !(rate.is_finite() && *rate > 0.0)) {
            return Err(damaged("a rate is not above zero"));
        }
        if rates.first().is_none_or(Option::is_none) {
            return Err(damaged("no engine has a rate"));
        }
        let found: BTreeSet<&str> = self.engines.iter().map(|entry| entry.name.as_str()).collect();
        let rows = algorithm.engines();
        let here: BTreeSet<&str> =
            rows.iter().filter(|row| (row.available)()).map(|row| row.name).collect();
        if found != here || found.len() != self.engines.len() {
            let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
            let (found, here) = (list(found), list(here));
            return Err(NoChoice::Other { what: "set of engines", found, here });
        }
        let rated = |entry: Entry| (entry.name, entry.hashrate_hs.map(HashRate::from_hs));
        Ok(EngineChoice {
            engines: self.engines.into_iter().map(rated).collect(),
            measured: Wall::from_millis(self.measured_ms),
        })
    }
}

/// What the file says of an algorithm, if that still holds on this processor.
///
/// # Errors
/// Why it does not.
pub fn remembered(
    path: &Path,
    algorithm: &dyn Algorithm,
    cpu: &Cpu,
) -> Result<EngineChoice, NoChoice> {
    let mut file = File::read(path)?;
    file.fits(&File::of(cpu))?;
    file.algorithms.remove(algorithm.name()).ok_or(NoChoice::Missing)?.check(path, algorithm)
}

/// Writes a choice into the file, beside those of other algorithms that still hold. The folder is
/// made if it is missing, and only its owner may read it.
///
/// # Errors
/// What the operating system answers.
pub fn remember(
    path: &Path,
    algorithm: &dyn Algorithm,
    cpu: &Cpu,
    choice: &EngineChoice,
) -> io::Result<()> {
    let here = File::of(cpu);
    let mut file = match File::read(path) {
        Ok(found) if found.fits(&here).is_ok() => found,
        _ => here,
    };
    let entry = |(name, rate): &(String, Option<HashRate>)| Entry {
        name: name.clone(),
        hashrate_hs: rate.map(HashRate::hs),
    };
    let order = Order {
        measured_ms: choice.measured.millis(),
        engines: choice.engines.iter().map(entry).collect(),
    };
    file.algorithms.insert(algorithm.name().to_owned(), order);
    while file.algorithms.len() > MOST_ALGORITHMS {
        let others = file.algorithms.iter().filter(|(name, _)| *name != algorithm.name());
        let Some(oldest) = others.min_by_key(|(_, order)| order.measured_ms) else { break };
        let oldest = oldest.0.clone();
        file.algorithms.remove(&oldest);
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        folders::create_private(folder)?;
    }
    let mut text = serde_json::to_vec_pretty(&file)?;
    text.push(b'\n');
    folders::write_atomic(path, &text)
}

/// How a choice came about.
#[derive(Debug)]
pub enum Tuned {
    /// The file's still holds.
    Remembered(EngineChoice),
    /// It was measured now, because the file gave none.
    Measured {
        /// What came out.
        choice: EngineChoice,
        /// Why the file gave none.
        because: NoChoice,
        /// Why it could not be kept.
        unkept: Option<io::Error>,
    },
    /// No engine could be measured; they are tried by their width.
    ByWidth,
}

impl Tuned {
    /// Tells the operator.
    pub(crate) fn log(&self, algorithm: &str) {
        match self {
            Self::Remembered(choice) => {
                tracing::debug!(
                    algorithm,
                    engine = choice.first(),
                    "the fastest engine, as measured before"
                );
            }
            Self::Measured { choice, because, unkept } => {
                let [engine, rate] = match choice.engines.first() {
                    Some((name, Some(rate))) => [name.clone(), rate.to_string()],
                    _ => Default::default(),
                };
                tracing::info!(algorithm, engine, rate, %because, "measured which engine is the fastest");
                if let Some(wrong) = unkept {
                    tracing::warn!(%wrong, "which engine is the fastest cannot be kept, and is measured at each start");
                }
            }
            Self::ByWidth => {
                tracing::warn!(algorithm, "no engine could be measured; they go by their width");
            }
        }
    }
}

/// Has the registry prefer the engines of an algorithm in the order that is the fastest here: the
/// file's if it holds, else by a race of a tenth of a second of this thread's processor time, whose
/// outcome is kept in the file.
///
/// # Errors
/// A name that gives no algorithm.
pub fn tune(
    registry: &mut Registry,
    algorithm: &str,
    path: &Path,
    clock: Clock,
) -> Result<Tuned, BadAlgorithm> {
    let algorithm = registry.resolve(algorithm)?;
    let cpu = Cpu::look();
    let because = match remembered(path, algorithm.as_ref(), &cpu) {
        Ok(choice) => {
            prefer(registry, algorithm.as_ref(), &choice);
            return Ok(Tuned::Remembered(choice));
        }
        Err(because) => because,
    };
    // Time in which others had the processor says nothing about an engine.
    let now = || cpu_time::of_this_thread().map_or_else(|| clock.mono(), Mono::from_start);
    let ranked = race(algorithm.as_ref(), RacePlan::default(), &now);
    let choice =
        EngineChoice { engines: ranked.iter().map(of_rank).collect(), measured: clock.wall() };
    if choice.engines.first().is_none_or(|(_, rate)| rate.is_none()) {
        return Ok(Tuned::ByWidth);
    }
    prefer(registry, algorithm.as_ref(), &choice);
    let unkept = remember(path, algorithm.as_ref(), &cpu, &choice).err();
    Ok(Tuned::Measured { choice, because, unkept })
}

fn prefer(registry: &mut Registry, algorithm: &dyn Algorithm, choice: &EngineChoice) {
    registry.prefer(algorithm, choice.engines.iter().map(|(name, _)| name.clone()));
}

fn of_rank(ranked: &Ranked) -> (String, Option<HashRate>) {
    (ranked.engine.to_owned(), ranked.hashrate)
}

#[cfg(test)]
mod tests;
