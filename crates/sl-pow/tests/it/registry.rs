use std::sync::Arc;

use sl_pow::{
    Algorithm, AlgorithmFamily, EngineFault, EngineRow, NoProver, NotMade, Parameter, Refused,
    Registry,
};

use crate::toy::{Fault, Toy, ToyEngine};

/// A row without a state: the function that makes the engine is its own type.
macro_rules! row {
    ($name:literal, $lanes:literal, $fault:expr, available: $available:literal) => {
        EngineRow {
            name: $name,
            lanes: $lanes,
            available: || $available,
            make: Arc::new(|| {
                Ok(Box::new(ToyEngine { name: $name, lanes: $lanes, fault: $fault }))
            }),
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
    let told: Vec<_> = prover.passed_over().iter().filter_map(lane_that_is_wrong).collect();
    assert_eq!(told, [("wider", 3), ("wide", 7)]);

    assert_eq!(registry.named("toy", "narrow").expect("right").name(), "narrow");
    assert!(matches!(registry.named("toy", "wide"), Err(NoProver::Failed(_))));
}

fn lane_that_is_wrong(fault: &EngineFault) -> Option<(&'static str, usize)> {
    match fault {
        EngineFault::Wrong(wrong) => Some((wrong.0.engine, wrong.0.lane)),
        EngineFault::NotMade(_) => None,
    }
}

#[test]
fn an_engine_without_memory_is_passed_over_and_told() {
    let greedy = || NotMade::NoMemory { engine: "greedy", bytes: 99, cause: "none left".into() };
    let registry = registry(|| {
        let mut rows = vec![row!("narrow", 1, Fault::None, available: true)];
        let make = Arc::new(|| {
            Err(NotMade::NoMemory { engine: "greedy", bytes: 99, cause: "none left".into() })
        });
        rows.push(EngineRow { name: "greedy", lanes: 8, available: || true, make });
        rows
    });
    let prover = registry.best("toy").expect("one is right");
    assert_eq!(prover.name(), "narrow");
    assert_eq!(prover.passed_over(), [EngineFault::NotMade(greedy())]);
    let found = registry.named("toy", "greedy").expect_err("no memory");
    assert_eq!(found, NoProver::Failed(EngineFault::NotMade(greedy())));
    assert_eq!(
        found.to_string(),
        "engine greedy needs 99 bytes of memory, which cannot be had (none left); use fewer \
         threads or an engine with fewer lanes"
    );
}

#[test]
fn a_preference_comes_before_the_width() {
    let mut registry = registry(|| {
        vec![
            row!("narrow", 1, Fault::None, available: true),
            row!("wide", 8, Fault::None, available: true),
            row!("broken", 2, Fault::Batch(1), available: true),
            row!("absent", 16, Fault::None, available: false),
        ]
    });
    let before = registry.clone();
    let toy = registry.resolve("toy").expect("registered");
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut check = |order: &[&str], expect: &str, failed: usize| {
        registry.prefer(toy.as_ref(), named(order));
        let prover = registry.best("toy").expect("one is right");
        assert_eq!((prover.name(), prover.passed_over().len()), (expect, failed), "{order:?}");
        assert_eq!(registry.preference(toy.as_ref()), named(order));
    };
    check(&["narrow", "wide"], "narrow", 0);
    check(&["absent", "gone", "broken"], "wide", 1);
    check(&["broken", "narrow"], "narrow", 1);
    check(&[], "wide", 0);
    check(&["narrow"], "narrow", 0);
    assert_eq!(before.best("toy").expect("right").name(), "wide", "clones keep what they have");
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
    assert!(registry.register(Toy("toy:3", Vec::new)).is_err());
    assert_eq!(registry.examples(), ["toy", "toy-2"]);
    assert!(registry.resolve("toy").is_ok() && registry.resolve("x11").is_err());
    let error = registry.best("toy").expect_err("it has no engine").to_string();
    assert_eq!(error, "no engine of toy is right on this machine: none is available");
}

/// A family with a parameter that must be said, and one with a default; odd rows are refused.
struct Toys;

static TOY_PARAMETERS: [Parameter; 2] = [
    Parameter { name: "Rows", default: None, least: 2, most: 64, meaning: "an even number" },
    Parameter { name: "turns", default: Some(7), least: 0, most: 9, meaning: "turns of each row" },
];

impl AlgorithmFamily for Toys {
    fn name(&self) -> &'static str {
        "toys"
    }

    fn varies(&self) -> Option<&'static str> {
        Some("toy")
    }

    fn parameters(&self) -> &'static [Parameter] {
        &TOY_PARAMETERS
    }

    fn example(&self) -> &'static str {
        "toys:4"
    }

    fn make(&self, values: &[u64]) -> Result<Arc<dyn Algorithm>, Refused> {
        let &[rows, turns] = values else { return Err(Refused("two values".into())) };
        if rows % 2 == 1 {
            return Err(Refused(format!("Rows is {rows}, allowed are even numbers")));
        }
        // The name tells the test what arrived.
        let name = format!("toys:Rows={rows},turns={turns}").leak();
        Ok(Arc::new(Toy(name, || vec![row!("toy", 2, Fault::None, available: true)])))
    }
}

fn family() -> Registry {
    let mut registry = registry(|| vec![row!("toy", 2, Fault::None, available: true)]);
    registry.register_family(Toys).expect("a new name");
    registry
}

#[test]
fn a_family_makes_algorithms_by_name() {
    let registry = family();
    let check = |name: &str, expect: &str| {
        let made = registry.resolve(name).map(|algorithm| algorithm.name().to_owned());
        assert_eq!(made.as_deref(), Ok(expect), "{name}");
    };
    check("toy", "toy");
    check("toys:4", "toys:Rows=4,turns=7");
    check("toy:4", "toys:Rows=4,turns=7");
    check("toys:4,1", "toys:Rows=4,turns=1");
    check("toys:rows=6", "toys:Rows=6,turns=7");
    check("toys: turns=0 , Rows=64", "toys:Rows=64,turns=0");
    check("toys:4,turns=9", "toys:Rows=4,turns=9");
    let prover = registry.best("toys:4").expect("right");
    assert_eq!(prover.algorithm(), "toys:Rows=4,turns=7");
    assert_eq!(registry.examples(), ["toy", "toys:4"]);
    assert_eq!(registry.usages(), ["toy", "toys:Rows,turns=7"]);
}

#[test]
fn a_wrong_name_tells_what_was_found_what_is_allowed_and_what_is_near() {
    let registry = family();
    let check = |name: &str, expect: &str| {
        let error = registry.resolve(name).map(|_| ()).expect_err(name).to_string();
        assert_eq!(error, expect, "{name}");
    };
    check("x11", "found algorithm \"x11\", allowed are: toy, toys:Rows,turns=7");
    check(
        "tois:4",
        "found algorithm \"tois:4\", allowed are: toy, toys:Rows,turns=7; did you mean toys?",
    );
    check("toys", "algorithm toys: Rows (an even number) is missing; an example: toys:4");
    check("toys:", "algorithm toys: Rows (an even number) is missing; an example: toys:4");
    check("toys:3", "algorithm toys: Rows is 3, allowed are even numbers; an example: toys:4");
    check(
        "toys:4,5,6",
        "algorithm toys: found value \"6\" too many, the parameters are: Rows, turns; an example: toys:4",
    );
    check(
        "toys:turn=3",
        "algorithm toys: found parameter \"turn\", allowed are: Rows, turns; did you mean turns?; \
         an example: toys:4",
    );
    check("toys:4,rows=4", "algorithm toys: found Rows twice, say it once; an example: toys:4");
    check(
        "toys:turns=1,4",
        "algorithm toys: found \"4\" without a name after one with a name; write name=value; \
         an example: toys:4",
    );
    for wrong in ["1", "65", "-4", "four", "", "99999999999999999999999"] {
        check(
            &format!("toys:Rows={wrong}"),
            &format!(
                "algorithm toys: Rows (an even number) is {wrong:?}, allowed is a whole number from 2 \
                 to 64; an example: toys:4"
            ),
        );
    }
    assert!(family().register_family(Toys).is_err());
}
