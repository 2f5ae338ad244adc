//! Plays a scenario at full speed, tells what happens and writes a picture of each machine:
//! `cargo run --release -p sl-twin --example day -- examples/scenarios/bad-day.yaml 7 /tmp`.

use std::error::Error;
use std::time::Duration;

use sl_twin::day::Day;
use sl_twin::plot::svg;
use sl_twin::scenario::Scenario;
use sl_twin::{Model, Release, Spec};

#[expect(clippy::print_stdout, reason = "an example prints")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let path = words.next().ok_or("allowed: SCENARIO [SEED [FOLDER]]")?;
    let seed = words.next().unwrap_or_default().parse().unwrap_or(0);
    let scenario = Scenario::read(&path, &std::fs::read_to_string(&path)?)?;
    let model = Model::by_id("antminer-l7").ok_or("no L7 in the table")?;
    let specs = (0..scenario.machines().max(1) as u64).map(|at| Spec {
        already_on: Duration::from_secs(600),
        ..Spec::new(model, Release::R202405, at, [127, 7, 0, 1].into())
    });
    let traces = Day::new(&scenario, specs.collect(), seed).play(|event| println!("{event}"));
    if let Some(folder) = words.next() {
        for (at, trace) in traces.iter().enumerate() {
            std::fs::write(format!("{folder}/machine-{at}.svg"), svg(trace))?;
        }
    }
    Ok(())
}
