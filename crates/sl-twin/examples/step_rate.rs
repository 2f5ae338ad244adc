//! How long a second of ten thousand machines takes on one core:
//! `cargo run --release -p sl-twin --example step_rate`.

use std::time::Duration;

use sl_twin::{Machine, Model, Release, Spec};
use sl_units::Mono;

const MACHINES: usize = 10_000;
const SECONDS: u64 = 60;

fn main() {
    let Some(model) = Model::by_id("antminer-l7") else { return };
    let mut machines: Vec<Machine> = (0..MACHINES)
        .map(|at| {
            let spec = Spec {
                already_on: Duration::from_secs(300),
                ..Spec::new(model, Release::R202405, at as u64, [127, 7, 0, 1].into())
            };
            Machine::new(spec, Mono::default())
        })
        .collect();
    #[expect(clippy::disallowed_methods, reason = "a measurement asks the real clock")]
    let begun = std::time::Instant::now();
    let mut rate = 0.0;
    for second in 1..=SECONDS {
        let now = Mono::from_start(Duration::from_secs(second));
        rate = machines.iter_mut().map(|machine| machine.step(now).hash_rate.hs()).sum();
    }
    let took = begun.elapsed().as_secs_f64() / SECONDS as f64;
    let now = Mono::from_start(Duration::from_secs(SECONDS));
    #[expect(clippy::disallowed_methods, reason = "a measurement asks the real clock")]
    let begun = std::time::Instant::now();
    let boards: usize = machines.iter().map(|machine| machine.readings(now).boards.len()).sum();
    let shown = begun.elapsed().as_secs_f64();
    #[expect(clippy::print_stdout, reason = "an example prints")]
    {
        println!(
            "a second of {MACHINES} machines ({:.1} TH/s): {:.1} ms, {:.0} ns a machine",
            rate / 1e12,
            took * 1e3,
            took * 1e9 / MACHINES as f64
        );
        println!(
            "what they show, once ({boards} boards): {:.1} ms, {:.0} ns a machine",
            shown * 1e3,
            shown * 1e9 / MACHINES as f64
        );
    }
}
