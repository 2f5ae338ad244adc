//! The bench as people read it.

use std::fmt::Write as _;

use sl_app::{BenchReport, EngineFigures};
use sl_ports::machine::cpu::Cpu;
use sl_pow::bench::{BenchPlan, CHECKSUM_NONCES};
use sl_units::HashRate;

use super::Kept;

/// What was measured on.
pub(super) fn machine(cpu: &Cpu, reports: &[BenchReport]) -> String {
    let model = cpu.model.as_deref().unwrap_or("unknown processor");
    let frequency = reports.iter().find_map(|report| report.frequency_hz);
    let clock = frequency.map_or(String::new(), |hz| format!(", {:.2} GHz under load", hz / 1e9));
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let (cores, threads) = (plural(cpu.cores, "core"), plural(cpu.threads, "logical CPU"));
    format!("{model}: {cores}, {threads}{clock}\n")
}

/// The rows of one algorithm, and what there is to say of them.
pub(super) fn report(report: &BenchReport, plan: Option<BenchPlan>) -> String {
    let Some(plan) = plan else { return verified(report) };
    let mut text = format!(
        "{}: median of {} rounds of {:?}, all engines in turns\n\n{}\n",
        report.algorithm,
        plan.rounds,
        plan.round,
        line([
            "engine",
            "lanes",
            "threads",
            "hash rate",
            "a thread",
            "spread",
            "cycles",
            "of floor",
            "H/J",
            "batch 16",
            "batch 1"
        ])
    );
    for row in &report.engines {
        text += &measured(row);
    }
    text.push('\n');
    if let Some(best) = report.best() {
        let threads = if best.threads == 1 { "thread" } else { "threads" };
        let rate = best.hashrate_hs.map(rate).unwrap_or_default();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "fastest   {} with {} {threads}: {rate}", best.name, best.threads);
    }
    text += &floors(report);
    if report.engines.iter().any(|row| row.batch.is_some()) {
        text += "batch     16 headers that have nothing in common, beside a scan; and one header alone (one thread)\n";
    }
    if let Some(why) = &report.no_energy {
        let _ = writeln!(text, "H/J       {why}");
    }
    if let Some(sum) = report.engines.iter().find_map(|row| row.checksum) {
        let last = CHECKSUM_NONCES - 1;
        let _ =
            writeln!(text, "checksum  {sum:016x} of nonces 0 to {last}, the same on every machine");
    }
    text
}

/// Which engine is tried first from now on.
pub(super) fn kept(kept: &Kept) -> String {
    let engine = kept.choice.first().unwrap_or("none");
    let file = kept.file.display();
    match kept.new {
        true => {
            format!("autotune  mine, up and gateway use {engine} from their next start ({file})\n")
        }
        false => format!(
            "autotune  mine, up and gateway use {engine}, as measured before (anew: silverlode bench --autotune)\n"
        ),
    }
}

fn verified(report: &BenchReport) -> String {
    let mut text = format!("{}\n", report.algorithm);
    for row in &report.engines {
        let lanes = if row.lanes == 1 { "lane" } else { "lanes" };
        let verdict = match (row.available, &row.fault) {
            (false, _) => "not on this machine".to_owned(),
            (true, Some(fault)) => format!("FAILED, not used: {fault}"),
            (true, None) => "passed: each lane in batch and in scan, as the reference".to_owned(),
        };
        let _ = writeln!(text, "  {:<12} {:>2} {lanes:<5}  {verdict}", row.name, row.lanes);
    }
    text
}

fn measured(row: &EngineFigures) -> String {
    let number =
        |value: Option<f64>, shown: &dyn Fn(f64) -> String| value.map_or("-".into(), shown);
    let lanes = row.lanes.to_string();
    let verdict = match (row.available, &row.fault) {
        (false, _) => Some("not on this machine".to_owned()),
        (true, Some(fault)) => Some(format!("FAILED, not used: {fault}")),
        (true, None) => None,
    };
    if let Some(verdict) = verdict {
        return format!("{:<12} {lanes:>5}  {verdict}\n", row.name);
    }
    let per_cent = |share: f64| format!("{:.0} %", share * 100.0);
    let spread = number(row.spread, &|spread| format!("{:.1} %", spread * 100.0));
    let cycles = number(row.cycles_per_hash, &|cycles| format!("{:.1} k", cycles / 1e3));
    let share = number(row.floor_share(), &per_cent);
    let joule = number(row.hashes_per_joule, &|hashes| format!("{hashes:.0}"));
    let mixed = row.batch.map_or(String::new(), |batch| per_cent(batch.mixed_16_ratio));
    let one = row.batch.map_or(String::new(), |batch| batch.one.to_string());
    let all = number(row.hashrate_hs, &rate);
    let each = number(row.hashrate_per_thread_hs(), &rate);
    let threads = row.threads.to_string();
    let columns =
        [row.name, &lanes, &threads, &all, &each, &spread, &cycles, &share, &joule, &mixed, &one];
    line(columns) + "\n"
}

fn rate(hs: f64) -> String {
    HashRate::from_hs(hs).to_string()
}

fn line(columns: [&str; 11]) -> String {
    const WIDTHS: [usize; 11] = [0, 6, 8, 13, 13, 8, 9, 9, 6, 9, 13];
    let mut text = format!("{:<12}", columns[0]);
    for (column, width) in columns.iter().zip(WIDTHS).skip(1) {
        let _ = write!(text, "{column:>width$}");
    }
    text.trim_end().to_owned()
}

/// The walls that the shares are of, each instruction set once.
fn floors(report: &BenchReport) -> String {
    let mut told: Vec<&str> = Vec::new();
    let mut text = String::new();
    let mut ports = None;
    for floor in report.engines.iter().filter_map(|row| row.floor.as_ref()) {
        if told.contains(&floor.instructions) {
            continue;
        }
        match told.is_empty() {
            true => {
                text += &format!("floor     cycles of the arithmetic alone on {}: ", floor.core);
            }
            false => text.push_str(", "),
        }
        told.push(floor.instructions);
        text += &format!("{} {:.1} k", floor.instructions, floor.cycles_per_hash / 1e3);
        // Said once where the next ones have the same.
        if ports.replace(floor.ports) != Some(floor.ports) {
            let (any, shifts) = floor.ports;
            text += &format!(" ({any} operations a cycle, {shifts} of them shifts)");
        }
    }
    if told.is_empty() { text } else { text + "\n" }
}
