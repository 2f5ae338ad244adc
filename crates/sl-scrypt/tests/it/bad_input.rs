//! What callers may do wrong, or a machine lack: right answers or typed errors, never a panic.

use proptest::prelude::*;
use sl_pow::{Algorithm, Hit, with_nonce};
use sl_scrypt::{HugePages, Params, ParamsError, Scrypt, ScryptN, candidates, scrypt};
use sl_units::{Hash256, Target};

use crate::engines::{for_each_engine, header};

#[test]
fn an_empty_range_and_an_empty_batch_give_nothing() {
    for_each_engine(|engine| {
        let mut hits = Vec::new();
        for first in [0, 1, u32::MAX] {
            engine.scan(&header(1), first, 0, Target::MAX, &mut hits);
        }
        assert_eq!(hits, []);
        engine.batch(&[], &mut []);
    });
}

/// No hash is zero, all are at or below the number of all ones.
#[test]
fn targets_of_zero_and_of_all_ones() {
    for_each_engine(|engine| {
        for count in [1, engine.lanes() as u32, engine.lanes() as u32 + 1] {
            let mut hits = Vec::new();
            engine.scan(&header(2), 7, count, Target::from_le_bytes([0; 32]), &mut hits);
            assert_eq!(hits, [], "{}", engine.name());
            engine.scan(&header(2), 7, count, Target::from_le_bytes([0xff; 32]), &mut hits);
            assert_eq!(hits.len(), count as usize, "{}", engine.name());
        }
    });
}

/// Headers at any address.
#[test]
fn unaligned_headers() {
    let mut bytes = [0; 8 + 7 * 80];
    bytes.iter_mut().zip(1u8..=u8::MAX).for_each(|(byte, value)| *byte = value);
    for_each_engine(|engine| {
        for shift in 0..8 {
            let headers = &bytes[shift..].as_chunks::<80>().0[..7];
            let expect: Vec<_> = headers.iter().map(|header| Scrypt.hash(header)).collect();
            let mut found = [Hash256::ZERO; 7];
            engine.batch(headers, &mut found);
            assert_eq!(found[..], expect, "{} from address {shift}", engine.name());
            let mut hits = Vec::new();
            engine.scan(&headers[0], 5, 1, Target::MAX, &mut hits);
            let hash = Scrypt.hash(&with_nonce(&headers[0], 5));
            assert_eq!(hits, [Hit { nonce: 5, hash }]);
        }
    });
}

/// Both may be one too many, or there may be none at all.
#[test]
fn counts_around_the_lanes_over_the_end_of_the_nonces() {
    for_each_engine(|engine| {
        let lanes = engine.lanes() as u32;
        for count in [0, 1, lanes - 1, lanes, lanes + 1] {
            for first in [0, u32::MAX, 0u32.wrapping_sub(lanes), 0u32.wrapping_sub(lanes - 1)] {
                let mut hits = Vec::new();
                engine.scan(&header(3), first, count, Target::MAX, &mut hits);
                let mut nonces: Vec<_> = hits.iter().map(|hit| hit.nonce).collect();
                nonces.sort_by_key(|nonce| nonce.wrapping_sub(first));
                let expect: Vec<_> = (0..count).map(|i| first.wrapping_add(i)).collect();
                assert_eq!(nonces, expect, "{}: {count} from {first}", engine.name());
            }
        }
    });
}

#[test]
fn what_cannot_be_is_refused_before_any_memory_is_taken() {
    let gibibyte = Params::new(1 << 24, 2, 1).expect("lawful by the RFC");
    let refused = ScryptN::new(gibibyte).expect_err("4 GiB");
    assert_eq!(refused, ParamsError::MemoryTooLarge { n: 1 << 24, r: 2, p: 1 });
    let wide = Params::new(2, 1 << 16, 1 << 13).expect("lawful by the RFC");
    assert!(matches!(ScryptN::new(wide), Err(ParamsError::MemoryTooLarge { .. })));
}

#[test]
fn scratch_memory_is_counted_and_given_back() {
    let engines: Vec<_> = Scrypt.engines().into_iter().chain(candidates()).collect();
    for row in engines.iter().filter(|row| (row.available)()) {
        let engine = (row.make)().expect("little memory");
        let report = sl_scrypt::scratch_report();
        assert!(report.in_use >= engine.lanes() * 128 * 1024, "{report:?}");
        if engine.lanes() >= 16 {
            assert!(report.huge_asked > 0 || report.huge_refused.is_some());
            assert_ne!(report.huge_pages(Some("always [madvise] never")), HugePages::NotAsked);
        }
    }
}

/// One engine with N beyond each small number, made and dropped over and over: what the process
/// holds has a bound.
#[test]
fn memory_does_not_grow() {
    for round in 0..200 {
        let algorithm = ScryptN::new(Params::new(1 << (1 + round % 12), 1, 1).expect("lawful"));
        for row in algorithm.expect("little memory").engines() {
            if (row.available)() {
                drop((row.make)());
            }
        }
        assert!(sl_scrypt::scratch_report().kept <= 64 << 20);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any three numbers are parameters or an error, and no size of lawful ones overflows.
    #[test]
    fn any_numbers_are_parameters_or_an_error(
        n in prop_oneof![any::<u64>(), (0u32..64).prop_map(|log| 1 << log), 0u64..70_000],
        r in prop_oneof![any::<u32>(), 0u32..20],
        p in prop_oneof![any::<u32>(), 0u32..20],
    ) {
        if let Ok(params) = Params::new(n, r, p) {
            prop_assert!(n.is_power_of_two() && n > 1 && r > 0 && p > 0);
            prop_assert_eq!(params.memory() as u128, 128 * u128::from(r) * u128::from(n));
            // What is small enough is made, the rest is an error.
            if params.memory() <= 1 << 16 && params.r() * params.p() <= 64 {
                let mut out = [0; 32];
                prop_assert_eq!(scrypt(b"", b"", &params, &mut out), Ok(()));
                prop_assert!(ScryptN::new(params).is_ok());
            } else if params.memory() > 1 << 40 {
                prop_assert!(ScryptN::new(params).is_err());
            }
        }
    }
}
