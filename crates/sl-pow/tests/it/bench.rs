use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sl_pow::{
    Prover,
    bench::{BenchPlan, measure},
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
