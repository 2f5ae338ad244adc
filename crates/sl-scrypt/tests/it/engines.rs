use proptest::prelude::*;
use sl_pow::{Algorithm, Engine, Hit, Registry, with_nonce};
use sl_scrypt::{Scrypt, candidates};
use sl_units::{Hash256, Target};

const NOTHING: [u8; 32] = [0; 32];

#[expect(clippy::print_stdout, reason = "a run elsewhere shall tell which engines it ran")]
pub(crate) fn for_each_engine(mut test: impl FnMut(&mut dyn Engine)) {
    let mut names = Vec::new();
    for row in Scrypt.engines().into_iter().chain(candidates()) {
        if (row.available)() {
            let mut engine = (row.make)().expect("memory");
            assert_eq!((engine.name(), engine.lanes()), (row.name, row.lanes));
            test(engine.as_mut());
            names.push(row.name);
        }
    }
    println!("engines that ran: {}", names.join(", "));
    assert!(names.contains(&"portable"));
}

/// Headers that differ in all of their bytes.
pub(crate) fn header(seed: u64) -> [u8; 80] {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::array::from_fn(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    })
}

fn check_batch(engine: &mut dyn Engine, headers: &[[u8; 80]], expect: &[Hash256]) {
    let mut found = vec![Hash256::ZERO; headers.len()];
    engine.batch(headers, &mut found);
    assert_eq!(found, expect, "{} with {} headers", engine.name(), headers.len());
}

fn check_scan(engine: &mut dyn Engine, header: &[u8; 80], first: u32, count: u32, target: Target) {
    let mut expect: Vec<Hit> = (0..count)
        .map(|offset| first.wrapping_add(offset))
        .map(|nonce| Hit { nonce, hash: Scrypt.hash(&with_nonce(header, nonce)) })
        .filter(|hit| target.is_met_by(&hit.hash))
        .collect();
    // What is in the vector stays there.
    let before = Hit { nonce: 0, hash: Hash256::ZERO };
    let mut found = vec![before];
    engine.scan(header, first, count, target, &mut found);
    assert_eq!(found.remove(0), before);
    found.sort();
    expect.sort();
    assert_eq!(found, expect, "{}: {count} nonces from {first}", engine.name());
}

#[test]
fn every_available_engine_passes_its_self_test() {
    let mut registry = Registry::new();
    registry.register(Scrypt).expect("a new name");
    for row in Scrypt.engines().into_iter().chain(candidates()) {
        if (row.available)() {
            let prover = row.prover(&Scrypt).expect("right");
            assert_eq!((prover.name(), prover.lanes()), (row.name, row.lanes));
        }
    }
    let best = registry.best("scrypt").expect("one is right");
    assert!(best.passed_over().is_empty(), "{:?}", best.passed_over());
}

#[test]
fn batches_of_any_length() {
    let headers: Vec<_> = (0..33).map(header).collect();
    let hashes: Vec<_> = headers.iter().map(|header| Scrypt.hash(header)).collect();
    for_each_engine(|engine| {
        for length in 0..=(2 * engine.lanes() + 1) {
            check_batch(engine, &headers[..length], &hashes[..length]);
        }
    });
}

#[test]
fn scans_of_any_length_over_the_end_of_the_nonces() {
    for_each_engine(|engine| {
        for count in 0..=(2 * engine.lanes() as u32 + 1) {
            check_scan(engine, &header(1), u32::MAX - count / 2, count, Target::MAX);
        }
    });
}

#[test]
fn no_hash_meets_zero_and_some_meet_an_easy_target() {
    for_each_engine(|engine| {
        check_scan(engine, &header(2), 77, 40, Target::from_le_bytes(NOTHING));
        check_scan(engine, &header(2), 77, 40, Target::from_expected_hashes(4.0));
    });
}

#[test]
fn a_hash_meets_itself_and_not_the_number_below() {
    let hash = Scrypt.hash(&with_nonce(&header(3), 9));
    let itself = Target::from_le_bytes(*hash.as_bytes());
    let below = Target::from_u256(itself.to_u256() - 1);
    for_each_engine(|engine| {
        for (target, expect) in [(itself, true), (below, false)] {
            let mut hits = Vec::new();
            engine.scan(&header(3), 0, 32, target, &mut hits);
            assert_eq!(hits.contains(&Hit { nonce: 9, hash }), expect, "{}", engine.name());
        }
    });
}

#[test]
fn batch_and_scan_do_not_disturb_each_other() {
    let headers = [header(4), header(5), header(6)];
    let hashes = headers.map(|header| Scrypt.hash(&header));
    for_each_engine(|engine| {
        check_batch(engine, &headers, &hashes);
        let lanes = engine.lanes() as u32;
        check_scan(engine, &header(7), 0, lanes, Target::MAX);
        check_batch(engine, &headers[..1], &hashes[..1]);
        check_batch(engine, &headers, &hashes);
    });
}

#[test]
fn a_prover_joins_header_and_hash() {
    let engine = Scrypt.engines().remove(0);
    let mut prover = engine.prover(&Scrypt).expect("right");
    let hashed = prover.hash(&header(8));
    assert_eq!((*hashed.header(), hashed.hash()), (header(8), Scrypt.hash(&header(8))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn engines_agree_with_the_reference(
        seed in any::<u64>(),
        length in 1usize..=40,
        first in any::<u32>(),
        count in 0u32..20,
        odds in 1f64..8.0,
    ) {
        let headers: Vec<_> = (0..length as u64).map(|i| header(seed.wrapping_add(i))).collect();
        let hashes: Vec<_> = headers.iter().map(|header| Scrypt.hash(header)).collect();
        for_each_engine(|engine| {
            check_batch(engine, &headers, &hashes);
            check_scan(engine, &headers[0], first, count, Target::from_expected_hashes(odds));
        });
    }
}
