use sl_pow::{Algorithm, Door, Prover, with_nonce};
use sl_units::Target;

use crate::toy::{Fault, Toy, ToyEngine, toy_hash};

/// Which door and lane the self-test names for a fault; `None` when it passes.
fn check(lanes: usize, fault: Fault, expect: Option<(Door, usize)>) {
    let engine = Box::new(ToyEngine { name: "faulty", lanes, fault });
    let found = Prover::new(engine, &Toy("toy", Vec::new));
    let found = found.map(|_| ()).map_err(|failed| {
        assert_eq!((failed.0.engine, failed.0.algorithm.as_str()), ("faulty", "toy"));
        assert_ne!(failed.0.found, failed.0.expected);
        (failed.0.door, failed.0.lane)
    });
    assert_eq!(found.err(), expect, "{fault:?} with {lanes} lanes");
}

#[test]
fn a_right_engine_of_any_width_passes() {
    for lanes in [1, 2, 3, 8, 16, 100, 3000] {
        check(lanes, Fault::None, None);
    }
}

/// Who divides by it must not be stopped by an engine that says so.
#[test]
fn an_engine_of_no_lanes_has_one() {
    let engine = Box::new(ToyEngine { name: "none", lanes: 0, fault: Fault::None });
    assert_eq!(Prover::new(engine, &Toy("toy", Vec::new)).expect("right").lanes(), 1);
}

#[test]
fn a_wrong_lane_is_found_and_named() {
    for lane in 0..16 {
        check(16, Fault::Batch(lane), Some((Door::Batch, lane)));
        check(16, Fault::Scan(lane), Some((Door::Scan, lane)));
        check(16, Fault::Misses(lane), Some((Door::Scan, lane)));
        check(16, Fault::NeverHits(lane), Some((Door::Scan, lane)));
    }
    check(3000, Fault::Batch(1234), Some((Door::Batch, 1234)));
    check(3000, Fault::Scan(2345), Some((Door::Scan, 2345)));
}

#[test]
fn a_wrong_scan_is_found() {
    check(8, Fault::HitsTooEasily, Some((Door::Scan, 0)));
    check(8, Fault::TellsTwice, Some((Door::Scan, 0)));
    check(8, Fault::LeavesTheRange, Some((Door::Scan, 9)));
    check(8, Fault::StopsAtTheEnd, Some((Door::Scan, 5)));
    check(8, Fault::ForgetsTheRest, Some((Door::Scan, 8)));
}

#[test]
fn an_engine_that_writes_nothing_is_found() {
    check(4, Fault::WritesNothing, Some((Door::Batch, 0)));
}

#[test]
fn a_batch_that_does_not_fill_the_lanes_is_tested_in_each_length() {
    for length in 1..16 {
        check(16, Fault::Short(length), Some((Door::Batch, length - 1)));
    }
}

#[test]
fn the_failure_reads_as_a_sentence() {
    let engine = Box::new(ToyEngine { name: "avx9", lanes: 4, fault: Fault::Misses(2) });
    let error = Prover::new(engine, &Toy("toy", Vec::new)).expect_err("wrong").to_string();
    let expect = "engine avx9 of toy is wrong in scan, lane 2, vector first with nonce 4294967295: \
                  found no hit, expected ";
    assert!(error.starts_with(expect), "{error}");
}

#[test]
fn a_prover_joins_each_header_with_its_hash() {
    let engine = Box::new(ToyEngine { name: "toy", lanes: 4, fault: Fault::None });
    let mut prover = Prover::new(engine, &Toy("toy", Vec::new)).expect("right");
    assert_eq!((prover.name(), prover.algorithm(), prover.lanes()), ("toy", "toy", 4));

    let headers = [[1; 80], [2; 80], [3; 80]];
    for (hashed, header) in prover.batch(&headers).iter().zip(headers) {
        assert_eq!((*hashed.header(), hashed.hash()), (header, toy_hash(&header)));
    }
    let found = prover.scan(&[9; 80], u32::MAX, 3, Target::MAX);
    assert_eq!(found.iter().map(|hashed| hashed.nonce()).collect::<Vec<_>>(), [u32::MAX, 0, 1]);
    for hashed in found {
        assert_eq!(*hashed.header(), with_nonce(&[9; 80], hashed.nonce()));
        assert!(hashed.meets(Target::MAX));
        assert_eq!(hashed, prover.hash(hashed.header()));
    }
}

#[test]
fn a_prover_moves_between_threads() {
    fn sends<T: Send>(_: &T) {}
    let engine = Box::new(ToyEngine { name: "toy", lanes: 1, fault: Fault::None });
    sends(&Prover::new(engine, &Toy("toy", Vec::new)).expect("right"));
    assert_eq!(Toy("toy", Vec::new).vectors().len(), 3);
}
