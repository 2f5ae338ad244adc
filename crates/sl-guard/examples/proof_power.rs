//! What the shortfall test can do: its thresholds, how rare false alarms are, and how long it takes to
//! find a machine. Prints the tables of `docs/proof-of-work-done.md`.
//!
//! ```sh
//! cargo run --release -p sl-guard --example proof_power            # 2,000 machines a row
//! cargo run --release -p sl-guard --example proof_power -- 20000
//! ```
#![expect(clippy::print_stdout, reason = "its tables are its product")]

use std::time::Duration;

use sl_guard::proof::{Input, Requirement, ShortfallRules, ShortfallTest};
use sl_units::{HashRate, Mono, Target};

const CLAIM: f64 = 9.5e9;

fn main() {
    let machines = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(2000);
    let rules = design(Requirement::default());
    thresholds(&rules);
    false_alarms(&rules, machines * 20);
    let missing = [0.03, 0.04, 0.05, 0.06, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 0.999];
    delays(&rules, machines, &missing);
    at_work(&rules, machines);
    other_tests();
    println!("\nThe same at 11 shares a minute:");
    let quicker = Requirement { shares_per_minute: 11.0, ..Requirement::default() };
    delays(&design(quicker), machines, &[0.03, 0.05, 0.1]);
    trade_offs();
}

fn design(requirement: Requirement) -> ShortfallRules {
    ShortfallRules::design(requirement).expect("requirements of this file are in range")
}

fn thresholds(rules: &ShortfallRules) {
    println!("| made for | threshold | one false alarm in |");
    println!("|---|---|---|");
    for arm in rules.arms() {
        let months = arm.false_alarm_after / rules.requirement().shares_per_minute / 43_200.0;
        let (missing, threshold) = (100.0 * arm.missing, arm.threshold);
        println!("| {missing:.0} % missing | {threshold:.3} | {months:.0} machine-months |");
    }
}

/// A machine at its claim's pace; steps the test share by share.
struct Machine<'r> {
    rules: &'r ShortfallRules,
    test: ShortfallTest,
    random: fastrand::Rng,
    now: f64,
    /// Mean seconds between shares of an honest machine, and of this one.
    promised: f64,
    gap: f64,
    target: Target,
}

impl<'r> Machine<'r> {
    fn new(rules: &'r ShortfallRules, seed: u64, missing: f64) -> Self {
        let promised = 60.0 / rules.requirement().shares_per_minute;
        let target = Target::from_expected_hashes(CLAIM * promised);
        let start = Mono::default();
        let mut test = ShortfallTest::new(rules, start);
        test.step(rules, Input::Claim(Some(HashRate::from_hs(CLAIM))), start);
        test.step(rules, Input::Target(target), start);
        test.step(rules, Input::Working(true), start);
        let gap = promised / (1.0 - missing);
        let random = fastrand::Rng::with_seed(seed);
        // The warm-up is over, and nothing has been gathered yet.
        let now = 3600.0;
        test.step(rules, Input::Restart, Mono::from_start(Duration::from_secs_f64(now)));
        Self { rules, test, random, now, promised, gap, target }
    }

    /// The same after so many hours in which nothing is missing, and no false alarm comes.
    fn after(rules: &'r ShortfallRules, seed: u64, missing: f64, honest_hours: f64) -> Self {
        let mut machine = Self::new(rules, seed, 0.0);
        let end = machine.now + honest_hours * 3600.0;
        while machine.now < end {
            assert!(!machine.step(), "seed {seed}: a false alarm");
        }
        machine.gap = machine.promised / (1.0 - missing);
        machine
    }

    /// Goes to the next share, or a minute on; says whether the machine was found short.
    fn step(&mut self) -> bool {
        let gap = -(1.0 - self.random.f64()).ln() * self.gap;
        self.now += gap.min(60.0);
        let now = Mono::from_start(Duration::from_secs_f64(self.now));
        let input = if gap <= 60.0 { Input::Share(self.target) } else { Input::Tick };
        self.test.step(self.rules, input, now).is_some()
    }
}

/// By a change of measure; see `tests/it/shortfall.rs`. Of the first arm, which has 90 % of them.
fn false_alarms(rules: &ShortfallRules, excursions: u64) {
    let arm = rules.arms()[0];
    let run = |missing: f64, count: u64| {
        let mut machine = Machine::new(rules, 1, missing);
        let (mut passed, mut gone, mut lengths, mut squares) = (0_u64, 0, 0.0, 0.0);
        let mut begun = machine.now;
        while gone < count {
            let found = machine.step();
            let zero = machine.test.suspicion(rules).next().is_some_and(|it| it.part <= 0.0);
            passed += u64::from(found);
            if found || zero {
                let length = (machine.now - begun) / machine.promised;
                (gone, lengths, squares) = (gone + 1, lengths + length, squares + length * length);
                begun = machine.now;
            }
        }
        let (count, mean) = (count as f64, lengths / count as f64);
        let error = (squares / count - mean * mean).sqrt() / count.sqrt() / mean;
        (passed as f64 / count, mean, error)
    };
    let (chance, ..) = run(arm.missing, excursions);
    let (_, length, length_error) = run(0.0, excursions * 50);
    let shares = length / (chance * (-arm.threshold).exp());
    let error = (length_error.powi(2) + (1.0 - chance) / chance / excursions as f64).sqrt();
    println!(
        "\nMean run of an honest machine under the first arm: {:.3e} expected shares by the \
         recursion, {shares:.3e} ± {:.1} % by simulation",
        arm.false_alarm_after,
        100.0 * error
    );
}

fn delays(rules: &ShortfallRules, machines: u64, list: &[f64]) {
    println!("\n| missing | mean, computed | mean | median | 95 % found within | found in 30 h |");
    println!("|---|---|---|---|---|---|");
    for &missing in list {
        let exact = rules.mean_delay(missing).as_secs_f64() / 3600.0;
        let found = found(machines, |seed| Machine::new(rules, seed, missing));
        println!("| {:.1} % | {exact:.2} h | {found} |", 100.0 * missing);
    }
}

/// How long it takes to find each of so many machines, in four columns.
fn found<'r>(machines: u64, machine: impl Fn(u64) -> Machine<'r>) -> String {
    let hours = |seed| {
        let mut machine = machine(seed);
        let begun = machine.now;
        while !machine.step() {}
        (machine.now - begun) / 3600.0
    };
    let mut hours: Vec<f64> = (0..machines).map(hours).collect();
    hours.sort_by(f64::total_cmp);
    let quantile = |part: f64| hours.get((part * machines as f64) as usize).copied();
    let (median, late) = (quantile(0.5).unwrap_or(f64::NAN), quantile(0.95).unwrap_or(f64::NAN));
    let mean = hours.iter().sum::<f64>() / machines as f64;
    let in_time = hours.iter().filter(|it| **it <= 30.0).count() as f64 / machines as f64;
    format!("{mean:.2} h | {median:.2} h | {late:.2} h | {:.1} %", 100.0 * in_time)
}

/// A loss that begins while the machine works: its statistic is seldom at zero then.
fn at_work(rules: &ShortfallRules, machines: u64) {
    println!("\n| 5 % missing, begun | mean | median | 95 % found within | found in 30 h |");
    println!("|---|---|---|---|---|");
    for (begun, honest_hours) in [("with the statistic at zero", 0.0), ("while it works", 80.0)] {
        let found = found(machines, |seed| Machine::after(rules, seed, 0.05, honest_hours));
        println!("| {begun} | {found} |");
    }
}

/// What else could be done at the same rate of false alarms, for a loss of 5 %.
fn other_tests() {
    println!("\n| the first sum | threshold | 5 % missing, mean |");
    println!("|---|---|---|");
    // With 10/9 of its share of the false alarms it would have all of them.
    let all = Requirement { machines: 9000.0, ..Requirement::default() };
    let made_for = |missing| Requirement { missing, ..Requirement::default() };
    for (name, requirement) in [
        ("made for 5 %, with 90 % of the false alarms", Requirement::default()),
        ("made for 5 %, with all of them", all),
        ("made for 4 %", made_for(0.04)),
        ("made for 4.5 %", made_for(0.045)),
        ("made for 5.5 %", made_for(0.055)),
        ("made for 6 %", made_for(0.06)),
    ] {
        let rules = design(requirement);
        let hours = rules.mean_delay(0.05).as_secs_f64() / 3600.0;
        println!("| {name} | {:.3} | {hours:.2} h |", rules.arms()[0].threshold);
    }
}

fn trade_offs() {
    println!("\n| shares a minute | tolerance | 5 % missing | 10 % | 20 % | 50 % |");
    println!("|---|---|---|---|---|---|");
    for (shares_per_minute, tolerance) in [
        (3.0, 0.0),
        (6.0, 0.0),
        (6.0, 0.0025),
        (6.0, 0.005),
        (6.0, 0.01),
        (12.0, 0.0),
        (12.0, 0.01),
        (20.0, 0.01),
    ] {
        let rules = design(Requirement { shares_per_minute, tolerance, ..Requirement::default() });
        let hours = |missing: f64| rules.mean_delay(missing).as_secs_f64() / 3600.0;
        println!(
            "| {shares_per_minute} | {:.2} % | {:.1} h | {:.1} h | {:.1} h | {:.2} h |",
            100.0 * tolerance,
            hours(0.05),
            hours(0.1),
            hours(0.2),
            hours(0.5)
        );
    }
}
