use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sl_pow::{
    EngineRow, Prover,
    bench::{BenchPlan, RacePlan, batches, frequency, header_of, measure, race, round},
};
use sl_units::Mono;

use crate::toy::{Fault, Toy, ToyEngine};

fn provers(count: usize, lanes: usize) -> Vec<Prover> {
    (0..count)
        .map(|_| {
            let engine = Box::new(ToyEngine { name: "toy", lanes, fault: Fault::None });
            Prover::new(engine, &Toy("toy", Vec::new)).expect("right")
        })
        .collect()
}

/// Each look at the clock finds it a millisecond later.
fn ticking() -> impl Fn() -> Mono + Sync {
    let ticks = AtomicU64::new(0);
    move || Mono::from_start(Duration::from_millis(ticks.fetch_add(1, Ordering::Relaxed)))
}

#[test]
fn a_rate_is_hashes_over_the_callers_time() {
    let plan = BenchPlan { rounds: 3, round: Duration::from_millis(10) };
    let toy = Toy("toy", Vec::new);
    let figures = measure(&mut provers(1, 5), &toy, plan, ticking());
    // Four groups of five lanes between two looks at the clock.
    assert_eq!(figures.hashrate.hs(), 20_000.0);
    assert_eq!(figures.spread, 0.0);
    assert_eq!((figures.engine, figures.lanes, figures.threads), ("toy", 5, 1));
    assert!(figures.verified);
}

#[test]
fn the_checksum_is_the_algorithms_and_not_the_engines() {
    let plan = BenchPlan { rounds: 1, round: Duration::from_millis(2) };
    let toy = Toy("toy", Vec::new);
    let sums = [(1, 1), (1, 7), (3, 16)]
        .map(|(count, lanes)| measure(&mut provers(count, lanes), &toy, plan, ticking()));
    for figures in &sums {
        assert_eq!(figures.checksum, sums[0].checksum);
        assert!(figures.verified);
    }
    assert_eq!(sums[2].threads, 3);
}

#[test]
fn nothing_is_measured_without_a_prover() {
    let plan = BenchPlan { rounds: 2, round: Duration::from_millis(2) };
    let figures = measure(&mut [], &Toy("toy", Vec::new), plan, ticking());
    assert_eq!((figures.threads, figures.hashrate.hs(), figures.verified), (0, 0.0, false));
}

#[test]
fn cycles_are_those_of_every_thread() {
    let toy = Toy("toy", Vec::new);
    let done =
        round(&mut provers(1, 5), &header_of(&toy), 0, Duration::from_millis(10), &ticking());
    assert_eq!(done.hashes, 200.0);
    // A look of 65,536 cycles between two ticks.
    assert_eq!(done.frequency_hz, Some(65_536_000.0));
    assert_eq!(done.cycles_per_hash(1), Some(3276.8));
    assert_eq!(done.cycles_per_hash(2), Some(6553.6));
    let nothing = round(&mut [], &[0; 80], 0, Duration::ZERO, &ticking());
    assert_eq!((nothing.hashes, nothing.cycles_per_hash(0)), (0.0, None));
}

#[test]
fn a_clock_that_stands_still_tells_no_frequency() {
    assert_eq!(frequency(&Mono::default), None);
}

#[test]
fn a_batch_is_compared_with_full_groups() {
    let toy = Toy("toy", Vec::new);
    // Each call takes one tick: 16 headers of a batch beside 20 nonces of a scan.
    let figures =
        batches(&mut provers(1, 5)[0], &header_of(&toy), Duration::from_millis(50), &ticking());
    assert_eq!(figures.one.hs(), 1000.0);
    assert!((figures.mixed_16_ratio - 0.8).abs() < 1e-9, "{}", figures.mixed_16_ratio);
}

/// A row of a toy engine that is made in no time.
fn row(name: &'static str, lanes: usize, available: fn() -> bool) -> EngineRow {
    let make = move || -> Result<Box<dyn sl_pow::Engine>, sl_pow::NotMade> {
        Ok(Box::new(ToyEngine { name, lanes, fault: Fault::None }))
    };
    EngineRow { name, lanes, available, make: std::sync::Arc::new(make) }
}

fn rows() -> Vec<EngineRow> {
    let yes = || true;
    vec![row("one", 1, yes), row("four", 4, yes), row("absent", 64, || false), row("two", 2, yes)]
}

fn ranking(plan: RacePlan) -> Vec<(&'static str, Option<f64>)> {
    let ranked = race(&Toy("toy", rows), plan, &ticking());
    ranked.into_iter().map(|it| (it.engine, it.hashrate.map(|rate| rate.hs()))).collect()
}

#[test]
fn a_race_ranks_what_this_machine_can_run() {
    // With a tick a group, the rate is the width.
    let plan = RacePlan { budget: Duration::from_secs(10), ..RacePlan::default() };
    let expect = [("four", Some(4000.0)), ("two", Some(2000.0)), ("one", Some(1000.0))];
    assert_eq!(ranking(plan), expect);
    assert_eq!(ranking(RacePlan { near: 8.0, ..plan }), expect, "looked at again, in turns");
}

#[test]
fn other_work_does_not_decide_a_race() {
    let plan = RacePlan { budget: Duration::from_secs(10), ..RacePlan::default() };
    // Whichever look an interruption hits, another one tells what the engine can.
    for hit in 1..20 {
        let ticks = AtomicU64::new(0);
        let now = || {
            let tick = ticks.fetch_add(1, Ordering::Relaxed);
            Mono::from_start(Duration::from_millis(tick + if tick >= hit { 25 } else { 0 }))
        };
        let ranked = race(&Toy("toy", rows), plan, &now);
        let order: Vec<_> = ranked.iter().map(|it| it.engine).collect();
        assert_eq!(order, ["four", "two", "one"], "at the look at the clock number {hit}");
    }
}

#[test]
fn a_race_ends_in_its_time_and_the_rest_has_no_rate() {
    let plan = RacePlan { budget: Duration::from_millis(9), ..RacePlan::default() };
    assert_eq!(ranking(plan), [("four", Some(4000.0)), ("two", None), ("one", None)]);
    // One group is longer than a look: it is the look.
    let plan = RacePlan { look: Duration::ZERO, budget: Duration::from_secs(1), ..plan };
    assert_eq!(ranking(plan)[0], ("four", Some(4000.0)));
    assert!(race(&Toy("toy", Vec::new), plan, &ticking()).is_empty());
}
