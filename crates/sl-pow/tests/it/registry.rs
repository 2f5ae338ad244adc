use sl_pow::{EngineRow, NoProver, Registry};

use crate::toy::{Fault, Toy, ToyEngine};

/// A row without a state: the function that makes the engine is its own type.
macro_rules! row {
    ($name:literal, $lanes:literal, $fault:expr, available: $available:literal) => {
        EngineRow {
            name: $name,
            lanes: $lanes,
            available: || $available,
            make: || Box::new(ToyEngine { name: $name, lanes: $lanes, fault: $fault }),
        }
    };
}

fn registry(rows: fn() -> Vec<EngineRow>) -> Registry {
    let mut registry = Registry::new();
    registry.register(Toy("toy", rows)).expect("a new name");
    registry
}

#[test]
fn the_widest_engine_that_is_there_is_chosen() {
    let registry = registry(|| {
        vec![
            row!("narrow", 1, Fault::None, available: true),
            row!("wide", 8, Fault::None, available: true),
            row!("absent", 16, Fault::Batch(0), available: false),
        ]
    });
    let prover = registry.best("toy").expect("one is right");
    assert_eq!(prover.name(), "wide");
    assert!(prover.passed_over().is_empty());
}

#[test]
fn a_wrong_engine_is_passed_over_and_told() {
    let registry = registry(|| {
        vec![
            row!("narrow", 1, Fault::None, available: true),
            row!("wide", 8, Fault::Scan(7), available: true),
            row!("wider", 16, Fault::Batch(3), available: true),
        ]
    });
    let prover = registry.best("toy").expect("one is right");
    assert_eq!(prover.name(), "narrow");
    let told: Vec<_> = prover.passed_over().iter().map(|f| (f.0.engine, f.0.lane)).collect();
    assert_eq!(told, [("wider", 3), ("wide", 7)]);

    assert_eq!(registry.named("toy", "narrow").expect("right").name(), "narrow");
    assert!(matches!(registry.named("toy", "wide"), Err(NoProver::Failed(_))));
}

#[test]
fn names_that_are_not_there() {
    let registry = registry(|| {
        vec![
            row!("wide", 8, Fault::Scan(7), available: true),
            row!("absent", 16, Fault::None, available: false),
        ]
    });
    let check = |found: Result<_, NoProver>, expect: &str| {
        let error = found.map(|prover: sl_pow::Prover| prover.name()).expect_err("no prover");
        assert!(error.to_string().starts_with(expect), "{error}");
    };
    check(registry.best("x11"), "found algorithm \"x11\", allowed are: toy");
    check(
        registry.named("toy", "absent"),
        "found engine \"absent\" of toy, this machine can run: wide",
    );
    check(
        registry.best("toy"),
        "no engine of toy is right on this machine: engine wide of toy is wrong in scan, lane 7",
    );
}

#[test]
fn a_name_is_registered_once() {
    let mut registry = registry(Vec::new);
    assert!(registry.register(Toy("toy", Vec::new)).is_err());
    registry.register(Toy("toy-2", Vec::new)).expect("a new name");
    assert_eq!(registry.names().collect::<Vec<_>>(), ["toy", "toy-2"]);
    assert!(registry.get("toy").is_some() && registry.get("x11").is_none());
    let error = registry.best("toy").expect_err("it has no engine").to_string();
    assert_eq!(error, "no engine of toy is right on this machine: none is available");
}
