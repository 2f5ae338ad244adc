//! The bench: every engine and number of threads in turns, beside the floor of this processor.

use std::{sync::Arc, thread, time::Duration};

use sl_ports::{
    Clock,
    machine::{cpu::Cpu, energy::EnergyMeter},
};
use sl_pow::{
    Algorithm, BadAlgorithm, EngineRow, NoProver, Prover, Registry,
    bench::{self, BatchFigures, BenchPlan, Round, Spread},
};
use thiserror::Error;

use super::floor::{Floor, floor};

/// Threads that are measured at the most; each takes a prover of each engine.
const MOST_THREADS: usize = 1024;
/// The share of a round that measuring batches takes.
const BATCH_SHARE: u32 = 2;

/// Why engines cannot be measured.
#[derive(Debug, Error)]
pub enum BenchError {
    /// No engine is right.
    #[error(transparent)]
    NoProver(#[from] NoProver),
    /// The name gives no algorithm.
    #[error(transparent)]
    Algorithm(#[from] BadAlgorithm),
    /// So many threads cannot be measured.
    #[error("found {0} threads, allowed are 1 to {MOST_THREADS}")]
    Threads(usize),
    /// The algorithm has no engine of this name.
    #[error("found engine {found:?}, allowed for {algorithm} are: {allowed}")]
    Engine {
        /// The name.
        found: String,
        /// The algorithm.
        algorithm: String,
        /// Its engines.
        allowed: sl_pow::Names,
    },
}

impl BenchError {
    /// Whether the user can mend it by other words.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Algorithm(_) | Self::Threads(_) | Self::Engine { .. })
    }
}

/// What is to be measured.
#[derive(Clone, Debug, Default)]
pub struct BenchAsk {
    /// The algorithm, with its parameters.
    pub algorithm: String,
    /// This engine alone; `None` is all of them.
    pub engine: Option<String>,
    /// Numbers of threads; none is [`usual_threads`].
    pub threads: Vec<usize>,
    /// How; `None` makes the self-test alone.
    pub plan: Option<BenchPlan>,
}

/// One thread, one for each physical core, one for each logical CPU: as far as they differ.
#[must_use]
pub fn usual_threads(cpu: &Cpu) -> Vec<usize> {
    let mut counts = vec![1, cpu.cores.max(1), cpu.threads.max(1)];
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// What a bench found.
#[derive(Clone, Debug)]
pub struct BenchReport {
    /// The algorithm, with all its parameters.
    pub algorithm: String,
    /// A row for each engine and number of threads; one for an engine that is not used.
    pub engines: Vec<EngineFigures>,
    /// The clock of the processor under its load: the median of all rounds, in cycles a second.
    pub frequency_hz: Option<f64>,
    /// Why no energy was measured.
    pub no_energy: Option<String>,
}

impl BenchReport {
    /// The row with the most hashes a second.
    #[must_use]
    pub fn best(&self) -> Option<&EngineFigures> {
        let rate = |row: &&EngineFigures| row.hashrate_hs.unwrap_or(0.0);
        let right = self.engines.iter().filter(|row| row.verified == Some(true));
        let rated = right.filter(|row| row.hashrate_hs.is_some());
        rated.max_by(|a, b| rate(a).total_cmp(&rate(b)))
    }
}

/// An engine as measured on this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineFigures {
    /// The engine.
    pub name: &'static str,
    /// Headers hashed side by side.
    pub lanes: usize,
    /// Threads it was measured with.
    pub threads: usize,
    /// Whether this machine has what it needs.
    pub available: bool,
    /// Hashes a second of all threads, median of the rounds; `None` if it was not measured.
    pub hashrate_hs: Option<f64>,
    /// Fastest less slowest round over the median.
    pub spread: Option<f64>,
    /// Cycles of one thread for one hash: the clock right after the hashes, by
    /// [`sl_pow::bench::frequency`], over the rate of a thread. Time that the operating system or
    /// the host gave to others counts as cycles.
    pub cycles_per_hash: Option<f64>,
    /// What the ports of this processor allow at best; `None` where no row tells.
    pub floor: Option<Floor>,
    /// Hashes for a joule of all processor packages, whoever used it.
    pub hashes_per_joule: Option<f64>,
    /// Batches of 16 mixed headers over scans, and a batch of one, on one thread. In the row with
    /// the fewest threads of an engine only.
    pub batch: Option<BatchFigures>,
    /// Fold of the hashes of a fixed range of nonces: the same on every machine.
    pub checksum: Option<u64>,
    /// Whether every lane agreed with the scalar reference; `None` if it could not be tried.
    pub verified: Option<bool>,
    /// Why the engine is not used.
    pub fault: Option<String>,
}

impl EngineFigures {
    fn new(row: &EngineRow, threads: usize) -> Self {
        Self {
            name: row.name,
            lanes: row.lanes,
            threads,
            available: (row.available)(),
            hashrate_hs: None,
            spread: None,
            cycles_per_hash: None,
            floor: None,
            hashes_per_joule: None,
            batch: None,
            checksum: None,
            verified: None,
            fault: None,
        }
    }

    /// Hashes a second of each thread.
    #[must_use]
    pub fn hashrate_per_thread_hs(&self) -> Option<f64> {
        Some(self.hashrate_hs? / self.threads.max(1) as f64)
    }

    /// How near it comes to the floor: 1 is the wall.
    #[must_use]
    pub fn floor_share(&self) -> Option<f64> {
        Some(self.floor.as_ref()?.cycles_per_hash / self.cycles_per_hash?)
    }
}

/// Each engine of an algorithm on this machine: self-tested in every lane, and measured if there is
/// a plan. In each round all engines with all numbers of threads have their turn, so that ratios
/// hold on a machine with other work.
///
/// # Errors
/// A name that gives no algorithm or no engine; no threads, or too many.
pub fn bench(
    registry: &Registry,
    ask: &BenchAsk,
    cpu: &Cpu,
    clock: Clock,
) -> Result<BenchReport, BenchError> {
    let algorithm = registry.resolve(&ask.algorithm)?;
    let rows = rows(algorithm.as_ref(), ask.engine.as_deref())?;
    let mut counts = match ask.threads.as_slice() {
        [] if ask.plan.is_none() => vec![1],
        [] => usual_threads(cpu),
        counts => counts.to_vec(),
    };
    counts.sort_unstable();
    counts.dedup();
    if let Some(wrong) = counts.iter().find(|count| !(1..=MOST_THREADS).contains(*count)) {
        return Err(BenchError::Threads(*wrong));
    }
    let most = counts.last().copied().unwrap_or(1);
    let mut contest = Contest { algorithm, clock, counts, contenders: Vec::new() };
    let mut unused = Vec::new();
    for row in rows {
        let mut figures = EngineFigures::new(&row, most);
        match figures.available.then(|| contest.provers(&row, most)) {
            None => unused.push(figures),
            Some(Err(fault)) => {
                figures.verified = Some(false);
                figures.fault = Some(fault);
                unused.push(figures);
            }
            Some(Ok(provers)) => contest.add(row, provers),
        }
    }
    let meter = EnergyMeter::find();
    if let Some(plan) = ask.plan {
        contest.run(plan, meter.as_ref().ok());
    }
    Ok(contest.report(cpu, ask.plan.is_some(), meter.err().map(|why| why.to_string()), unused))
}

fn rows(algorithm: &dyn Algorithm, named: Option<&str>) -> Result<Vec<EngineRow>, BenchError> {
    let mut rows = algorithm.engines();
    let Some(named) = named else { return Ok(rows) };
    let allowed = rows.iter().map(|row| row.name.to_owned()).collect();
    rows.retain(|row| row.name == named);
    match rows.is_empty() {
        false => Ok(rows),
        true => Err(BenchError::Engine {
            found: named.chars().take(80).collect(),
            algorithm: algorithm.name().to_owned(),
            allowed: sl_pow::Names(allowed),
        }),
    }
}

/// All engines that passed their self-test, with what was measured so far.
struct Contest {
    algorithm: Arc<dyn Algorithm>,
    clock: Clock,
    /// Numbers of threads, rising.
    counts: Vec<usize>,
    contenders: Vec<Contender>,
}

struct Contender {
    row: EngineRow,
    /// As many as the largest number of threads.
    provers: Vec<Prover>,
    /// One for each number of threads.
    turns: Vec<Turns>,
    mixed: Vec<f64>,
    one: Vec<f64>,
}

/// The rounds of an engine with one number of threads.
#[derive(Clone, Default)]
struct Turns {
    rounds: Vec<Round>,
    joules: f64,
    /// Hashes while the meter was read.
    metered: f64,
}

impl Contest {
    /// The provers of an engine, tested side by side in threads of their own; or why it has none.
    fn provers(&self, row: &EngineRow, count: usize) -> Result<Vec<Prover>, String> {
        let algorithm = self.algorithm.as_ref();
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..count).map(|_| scope.spawn(|| row.prover(algorithm))).collect();
            let joined = threads.into_iter().map(|thread| match thread.join() {
                Ok(made) => made.map_err(|fault| fault.to_string()),
                Err(_) => Err(format!("engine {} broke off in its self-test", row.name)),
            });
            joined.collect()
        })
    }

    fn add(&mut self, row: EngineRow, provers: Vec<Prover>) {
        let turns = vec![Turns::default(); self.counts.len()];
        let (mixed, one) = (Vec::new(), Vec::new());
        self.contenders.push(Contender { row, provers, turns, mixed, one });
    }

    fn run(&mut self, plan: BenchPlan, meter: Option<&EnergyMeter>) {
        let clock = self.clock;
        let now = move || clock.mono();
        let header = bench::header_of(self.algorithm.as_ref());
        for number in 0..plan.rounds.max(1) {
            for (at, &count) in self.counts.iter().enumerate() {
                for contender in &mut self.contenders {
                    let Some(provers) = contender.provers.get_mut(..count) else { continue };
                    let Some(turns) = contender.turns.get_mut(at) else { continue };
                    let before = meter.and_then(|meter| meter.read().ok());
                    let done = bench::round(provers, &header, number as u32, plan.round, &now);
                    let after = meter.and_then(|meter| meter.read().ok());
                    if let (Some(meter), Some(before), Some(after)) = (meter, before, after) {
                        turns.joules += meter.joules(&before, &after);
                        turns.metered += done.hashes;
                    }
                    turns.rounds.push(done);
                }
            }
            for contender in &mut self.contenders {
                let Some(prover) = contender.provers.first_mut() else { continue };
                let figures = bench::batches(prover, &header, plan.round / BATCH_SHARE, &now);
                contender.mixed.push(figures.mixed_16_ratio);
                contender.one.push(figures.one.hs());
            }
        }
    }

    fn report(
        mut self,
        cpu: &Cpu,
        measured: bool,
        no_energy: Option<String>,
        unused: Vec<EngineFigures>,
    ) -> BenchReport {
        let mut engines = Vec::new();
        let mut clocks = Vec::new();
        let algorithm = self.algorithm.name().to_owned();
        let reference = measured.then(|| bench::reference_checksum(self.algorithm.as_ref()));
        let header = bench::header_of(self.algorithm.as_ref());
        for contender in &mut self.contenders {
            let sums = contender.provers.iter_mut().map(|it| bench::checksum(it, &header));
            // Each prover's, so that the memory of each thread is tried.
            let sums: Vec<u64> = if measured { sums.collect() } else { Vec::new() };
            let verified = sums.iter().all(|sum| Some(*sum) == reference);
            for (at, (count, turns)) in self.counts.iter().zip(&contender.turns).enumerate() {
                clocks.extend(turns.rounds.iter().filter_map(|round| round.frequency_hz));
                let mut figures = EngineFigures::new(&contender.row, *count);
                figures.verified = Some(verified);
                figures.fault = (!verified).then(|| {
                    let name = contender.row.name;
                    format!("engine {name} of {algorithm} has another checksum than the reference")
                });
                figures.checksum = sums.first().copied();
                figures.floor = floor(cpu, &algorithm, contender.row.name);
                if measured {
                    turns.fill(&mut figures);
                    figures.batch = (at == 0).then(|| contender.batch());
                }
                engines.push(figures);
                if !measured {
                    break;
                }
            }
        }
        engines.extend(unused);
        // As the algorithm lists them.
        let order: Vec<&str> = self.algorithm.engines().iter().map(|row| row.name).collect();
        engines.sort_by_key(|row| order.iter().position(|name| *name == row.name));
        let clock = Spread::of(clocks).median;
        let frequency_hz = (clock > 0.0).then_some(clock);
        BenchReport { algorithm, engines, frequency_hz, no_energy }
    }
}

impl Turns {
    fn fill(&self, figures: &mut EngineFigures) {
        let rate = Spread::of(self.rounds.iter().map(|round| round.hashrate.hs()));
        let threads = figures.threads;
        let cycles = self.rounds.iter().filter_map(|round| round.cycles_per_hash(threads));
        let cycles = Spread::of(cycles).median;
        figures.hashrate_hs = Some(rate.median);
        figures.spread = Some(rate.relative);
        figures.cycles_per_hash = (cycles > 0.0).then_some(cycles);
        figures.hashes_per_joule = (self.joules > 0.0).then(|| self.metered / self.joules);
    }
}

impl Contender {
    fn batch(&self) -> BatchFigures {
        BatchFigures {
            mixed_16_ratio: Spread::of(self.mixed.iter().copied()).median,
            one: sl_units::HashRate::from_hs(Spread::of(self.one.iter().copied()).median),
        }
    }
}

/// What a bench of the self-test alone asks.
#[must_use]
pub fn verify_alone(algorithm: &str) -> BenchAsk {
    BenchAsk { algorithm: algorithm.to_owned(), ..BenchAsk::default() }
}

/// Long enough to be right within some per cent, short enough not to be felt at the start.
pub(super) const QUICK: BenchPlan = BenchPlan { rounds: 3, round: Duration::from_millis(60) };

#[cfg(test)]
mod tests;
