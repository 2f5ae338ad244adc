//! `silverlode bench`

mod table;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use serde_json::{Value, json};
use sl_app::{
    ALGORITHM, BenchAsk, BenchError, BenchReport, CHOICE_FILE, EngineChoice, EngineFigures, bench,
    registry, remember, remembered,
};
use sl_ports::{Clock, machine::cpu::Cpu};
use sl_pow::{Algorithm, bench::BenchPlan};
use sl_units::HashRate;

use crate::{
    args::{Bench, BenchThreads, Global},
    commands::farm,
    failure::Failure,
    layers::Environment,
    output,
};

/// An engine that was measured for less than this is not kept as the fastest unless that is asked
/// for.
const ENOUGH: std::time::Duration = std::time::Duration::from_millis(50);

/// Hash rate of each engine, after its self-test.
pub(super) fn run(
    words: &Bench,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let registry = registry();
    let (cpu, clock) = (Cpu::look(), Clock::real());
    let plan = BenchPlan { rounds: words.rounds.into(), round: words.round };
    let names = match &words.algorithm {
        Some(name) => vec![name.clone()],
        None if words.verify => registry.examples(),
        None => vec![ALGORITHM.to_owned()],
    };
    let mut reports = Vec::new();
    let mut kept = None;
    for name in names {
        let algorithm = registry.resolve(&name).map_err(BenchError::from)?;
        let ask = BenchAsk {
            algorithm: name,
            engine: words.engine.clone(),
            threads: words.threads.iter().map(|count| count.of(&cpu)).collect(),
            plan: (!words.verify).then_some(plan),
        };
        let report = bench(&registry, &ask, &cpu, clock)?;
        if !words.verify && words.engine.is_none() {
            let folder = farm::data_folder(global, environment)?;
            let keeper = Keeper { algorithm, cpu: &cpu, file: folder.join(CHOICE_FILE) };
            let enough = ENOUGH <= words.round.saturating_mul(words.rounds.into());
            kept = keeper.keep(&report, clock, words.autotune, enough)?;
        }
        reports.push(report);
    }
    if global.json {
        output::print_json(&document(&reports, &cpu, kept.as_ref()));
    } else {
        output::print(&table::machine(&cpu, &reports));
        for report in &reports {
            output::print(&table::report(report, (!words.verify).then_some(plan)));
        }
        if let Some(kept) = &kept {
            output::print(&table::kept(kept));
        }
    }
    let mut rows = reports.iter().flat_map(|report| &report.engines);
    let all_right = rows.all(|engine| engine.verified != Some(false));
    Ok(if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl BenchThreads {
    fn of(self, cpu: &Cpu) -> usize {
        match self {
            Self::All => cpu.threads,
            Self::Number(number) => number.into(),
        }
    }
}

/// The engine that `mine`, `up` and `gateway` try first.
struct Kept {
    choice: EngineChoice,
    file: PathBuf,
    /// It comes from this bench.
    new: bool,
}

/// Where the fastest engine of an algorithm is kept.
struct Keeper<'a> {
    algorithm: Arc<dyn Algorithm>,
    cpu: &'a Cpu,
    file: PathBuf,
}

impl Keeper<'_> {
    /// What was kept before, or else this report's.
    fn keep(
        self,
        report: &BenchReport,
        clock: Clock,
        anew: bool,
        enough: bool,
    ) -> Result<Option<Kept>, Failure> {
        let Self { algorithm, cpu, file } = self;
        let before = remembered(&file, algorithm.as_ref(), cpu).ok().filter(|_| !anew);
        if let Some(choice) = before {
            return Ok(Some(Kept { choice, file, new: false }));
        }
        let Some(choice) = choice_of(report, clock).filter(|_| anew || enough) else {
            return Ok(None);
        };
        match remember(&file, algorithm.as_ref(), cpu, &choice) {
            Ok(()) => Ok(Some(Kept { choice, file, new: true })),
            Err(cause) if anew => Err(Failure::File { path: file, doing: "write", cause }),
            Err(cause) => {
                let file = file.display();
                output::tell(&format!(
                    "cannot write {file}: {cause}; the next start measures again\n"
                ));
                Ok(None)
            }
        }
    }
}

/// The engines by their rate with the fewest threads; those that are not right come last.
fn choice_of(report: &BenchReport, clock: Clock) -> Option<EngineChoice> {
    let mut engines: Vec<(String, Option<HashRate>)> = Vec::new();
    for row in report.engines.iter().filter(|row| row.available) {
        if engines.iter().all(|(name, _)| name != row.name) {
            let right = row.verified == Some(true);
            let rate = row.hashrate_per_thread_hs().filter(|rate| right && *rate > 0.0);
            engines.push((row.name.to_owned(), rate.map(HashRate::from_hs)));
        }
    }
    let rate = |it: &(String, Option<HashRate>)| it.1.map_or(0.0, HashRate::hs);
    engines.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    let measured = engines.first().is_some_and(|(_, rate)| rate.is_some());
    measured.then(|| EngineChoice { engines, measured: clock.wall() })
}

fn document(reports: &[BenchReport], cpu: &Cpu, kept: Option<&Kept>) -> Value {
    let algorithms: Vec<&str> = reports.iter().map(|report| report.algorithm.as_str()).collect();
    let rows =
        reports.iter().flat_map(|report| report.engines.iter().map(move |row| (report, row)));
    let engines: Vec<Value> = rows.map(|(report, row)| of_engine(report, row)).collect();
    let best = reports.iter().find_map(BenchReport::best);
    let frequency = reports.iter().find_map(|report| report.frequency_hz);
    let energy = reports.iter().find_map(|report| report.no_energy.as_deref());
    json!({
        "algorithm": algorithms.first(), "algorithms": algorithms, "engines": engines,
        "best": best.map(|row| row.name),
        "cpu": {
            "model": cpu.model, "threads": cpu.threads, "cores": cpu.cores,
            "features": cpu.features, "frequency_hz": frequency,
        },
        "no_energy": energy,
        "autotune": kept.map(|kept| json!({
            "engine": kept.choice.first(), "file": kept.file, "measured_now": kept.new,
            "measured_at_ms": kept.choice.measured.millis(),
        })),
    })
}

fn of_engine(report: &BenchReport, row: &EngineFigures) -> Value {
    json!({
        "algorithm": report.algorithm, "name": row.name, "lanes": row.lanes, "threads": row.threads,
        "hashrate_hs": row.hashrate_hs, "hashrate_per_thread_hs": row.hashrate_per_thread_hs(),
        "spread": row.spread, "cycles_per_hash": row.cycles_per_hash,
        "floor_cycles_per_hash": row.floor.as_ref().map(|floor| floor.cycles_per_hash),
        "floor_share": row.floor_share(), "hashes_per_joule": row.hashes_per_joule,
        "batch_16_mixed_ratio": row.batch.map(|batch| batch.mixed_16_ratio),
        "batch_1_hs": row.batch.map(|batch| batch.one.hs()),
        "checksum": row.checksum.map(|checksum| format!("{checksum:016x}")),
        "verified": row.verified, "available": row.available, "fault": row.fault,
    })
}
