use std::process::ExitCode;

use serde_json::json;
use sl_app::{ALGORITHM, EngineFigures, bench_algorithm, registry};
use sl_pow::bench::BenchPlan;

use crate::{
    args::{Bench, Global},
    failure::Failure,
    output,
};

/// Hash rate of each engine, after its self-test.
pub(super) fn run(bench: &Bench, global: &Global) -> Result<ExitCode, Failure> {
    let plan =
        (!bench.verify).then(|| BenchPlan { rounds: bench.rounds.into(), round: bench.round });
    let registry = registry();
    let names = match &bench.algorithm {
        Some(name) => vec![name.clone()],
        None if bench.verify => registry.examples(),
        None => vec![ALGORITHM.to_owned()],
    };
    let mut figures = Vec::new();
    for name in &names {
        let threads = bench.threads.map(usize::from);
        figures.extend(bench_algorithm(&registry, name, threads, plan)?);
    }
    let best = figures
        .iter()
        .filter_map(|engine| Some((engine.name, engine.hashrate_hs?)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    if global.json {
        let engines: Vec<_> = figures.iter().map(as_json).collect();
        let mut algorithms: Vec<_> = figures.iter().map(|engine| &engine.algorithm).collect();
        algorithms.dedup();
        output::print_json(&json!({
            "algorithm": algorithms.first(), "algorithms": algorithms, "engines": engines,
            "best": best.map(|(name, _)| name),
        }));
    } else {
        for engines in figures.chunk_by(|a, b| a.algorithm == b.algorithm) {
            if names != [ALGORITHM] {
                output::print(&format!("{}\n", engines[0].algorithm));
            }
            output::print(
                "engine      lanes  threads       hash rate  spread  checksum          self-test\n",
            );
            engines.iter().for_each(|engine| output::print(&as_text(engine)));
        }
    }
    let all_right = figures.iter().all(|engine| engine.verified != Some(false));
    Ok(if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(engine: &EngineFigures) -> serde_json::Value {
    json!({
        "algorithm": engine.algorithm, "name": engine.name, "lanes": engine.lanes, "threads": engine.threads,
        "hashrate_hs": engine.hashrate_hs, "spread": engine.spread,
        "checksum": engine.checksum.map(|checksum| format!("{checksum:016x}")),
        "verified": engine.verified, "available": engine.available, "fault": engine.fault,
    })
}

fn as_text(engine: &EngineFigures) -> String {
    let rate =
        engine.hashrate_hs.map_or("-".into(), |rate| sl_units::HashRate::from_hs(rate).to_string());
    let spread = engine.spread.map_or("-".into(), |spread| format!("{:.1} %", spread * 100.0));
    let checksum = engine.checksum.map_or("-".into(), |checksum| format!("{checksum:016x}"));
    let verdict = match (engine.available, engine.verified, &engine.fault) {
        (false, ..) => "not on this machine".to_owned(),
        (_, _, Some(fault)) => format!("FAILED, not used: {fault}"),
        (_, Some(true), _) => "passed".to_owned(),
        (_, Some(false), _) => "FAILED: another checksum than the reference".to_owned(),
        (_, None, None) => "passed".to_owned(),
    };
    format!(
        "{:<10} {:>6} {:>8} {rate:>15} {spread:>7}  {checksum:<16}  {verdict}\n",
        engine.name, engine.lanes, engine.threads
    )
}
