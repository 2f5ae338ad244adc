use sl_pow::{Algorithm, AlgorithmFamily, Engine, Registry, TIME_OFFSET, with_nonce};
use sl_scrypt::{Params, Schedule, ScryptJane, ScryptJaneFamily, scrypt_jane};
use sl_units::{Bits, Hash256, Target};

/// `testdata/scrypt-jane/vectors.json`.
fn recorded() -> serde_json::Value {
    let text = include_str!("../../../../testdata/scrypt-jane/vectors.json");
    serde_json::from_str(text).expect("recorded")
}

fn text<'a>(row: &'a serde_json::Value, name: &str) -> &'a str {
    row[name].as_str().expect(name)
}

/// The recorded headers with hash and N factor.
fn headers() -> Vec<([u8; 80], Hash256, u8)> {
    let rows = recorded()["headers"].as_array().expect("an array").clone();
    rows.iter()
        .map(|row| {
            let mut header = [0; 80];
            hex::decode_to_slice(text(row, "header"), &mut header).expect("80 bytes");
            let factor = row["n_factor"].as_u64().expect("a number") as u8;
            (header, text(row, "hash").parse().expect("a hash"), factor)
        })
        .collect()
}

fn yacoin() -> ScryptJane {
    ScryptJane::new(Schedule::YACOIN).expect("some kilobytes")
}

fn with_time(time: u32, nonce: u32) -> [u8; 80] {
    let mut header = with_nonce(&headers()[0].0, nonce);
    header[TIME_OFFSET..TIME_OFFSET + 4].copy_from_slice(&time.to_le_bytes());
    header
}

fn for_each_engine(algorithm: &ScryptJane, mut test: impl FnMut(&mut dyn Engine)) {
    for row in algorithm.engines().into_iter().chain(algorithm.candidates()) {
        if (row.available)() {
            let mut engine = (row.make)().expect("memory");
            assert_eq!((engine.name(), engine.lanes()), (row.name, row.lanes));
            test(engine.as_mut());
        }
    }
}

#[test]
fn the_published_answers() {
    for row in recorded()["scrypt"].as_array().expect("an array") {
        let number = |name: &str| row[name].as_u64().expect(name);
        let params = Params::new(number("n"), number("r") as u32, number("p") as u32);
        let mut out = [0; 64];
        let (password, salt) = (text(row, "password"), text(row, "salt"));
        scrypt_jane(password.as_bytes(), salt.as_bytes(), &params.expect("lawful"), &mut out)
            .expect("64 bytes");
        assert_eq!(hex::encode(out), text(row, "derived"), "{row}");
    }
}

#[test]
fn the_first_block_of_yacoin_has_its_hash_and_meets_its_target() {
    let (header, hash, factor) = headers()[0];
    assert_eq!((factor, yacoin().schedule().factor(1_367_991_220)), (4, 4));
    assert_eq!(yacoin().hash(&header), hash);
    let target = Bits::from_u32(0x1e0f_ffff).target().expect("a target");
    assert!(target.is_met_by(&hash));
}

#[test]
fn reference_and_engines_hash_as_the_authors_code_does() {
    let (headers, hashes): (Vec<_>, Vec<_>) =
        headers().into_iter().map(|(header, hash, _)| (header, hash)).unzip();
    let yacoin = yacoin();
    for (header, hash) in headers.iter().zip(&hashes) {
        assert_eq!(yacoin.hash(header), *hash);
    }
    for_each_engine(&yacoin, |engine| {
        let mut found = vec![Hash256::ZERO; headers.len()];
        engine.batch(&headers, &mut found);
        assert_eq!(found, hashes, "{}", engine.name());
    });
}

#[test]
fn every_available_engine_passes_its_self_test() {
    for (least, most, start) in [(4, 30, 1_367_991_200), (4, 30, 1_389_028_879), (7, 9, 0)] {
        let algorithm = ScryptJane::new(Schedule::new(least, most, start).expect("in order"));
        let algorithm = algorithm.expect("some kilobytes");
        assert_eq!(algorithm.vectors().len(), 2);
        for row in algorithm.engines().into_iter().chain(algorithm.candidates()) {
            if (row.available)() {
                row.prover(&algorithm).expect("right");
            }
        }
    }
}

/// Full groups, groups hardly filled, and neighbours whose times ask for different N.
#[test]
fn batches_of_any_length_and_any_mixture_of_times() {
    let yacoin = yacoin();
    let times = [1_367_991_220, 1_368_777_700, 1_367_991_220, 1_370_000_000, 1];
    let headers: Vec<_> = (0..33).map(|i| with_time(times[i % 5], i as u32)).collect();
    let same: Vec<_> = (0..33).map(|i| with_time(1_368_000_000, i)).collect();
    for headers in [headers, same] {
        let hashes: Vec<_> = headers.iter().map(|header| yacoin.hash(header)).collect();
        for_each_engine(&yacoin, |engine| {
            for length in 0..=(2 * engine.lanes() + 1) {
                let mut found = vec![Hash256::ZERO; length];
                engine.batch(&headers[..length], &mut found);
                assert_eq!(found, hashes[..length], "{} with {length}", engine.name());
            }
        });
    }
}

#[test]
fn a_header_that_asks_for_too_much_has_no_hash() {
    let yacoin = yacoin();
    let late = with_time(2_173_297_568, 7);
    let none = Hash256::from_bytes([0xff; 32]);
    assert_eq!(yacoin.hash(&late), none);
    for_each_engine(&yacoin, |engine| {
        let mut found = [Hash256::ZERO; 3];
        engine.batch(&[late, with_time(1_367_991_220, 7), late], &mut found);
        assert_eq!(found, [none, yacoin.hash(&with_time(1_367_991_220, 7)), none]);
        let mut hits = Vec::new();
        engine.scan(&late, 0, 20, Target::MAX, &mut hits);
        assert_eq!(hits, []);
    });
}

#[test]
fn the_family_makes_it_by_name() {
    let mut registry = Registry::new();
    registry.register_family(ScryptJaneFamily).expect("a new name");
    let check = |name: &str, expect: Result<&str, &str>| {
        let found = registry.best(name).map(|prover| prover.algorithm().to_owned());
        let found = found.map_err(|wrong| wrong.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expect, "{name}");
    };
    check("scrypt-jane", Ok("scrypt-jane:nmin=4,nmax=30,start=1367991200"));
    check(
        "scrypt-jane:nmin=4,nmax=30,start=1389028879",
        Ok("scrypt-jane:nmin=4,nmax=30,start=1389028879"),
    );
    check("scrypt-jane:6,9", Ok("scrypt-jane:nmin=6,nmax=9,start=1367991200"));
    check(
        "scrypt-jane:9,6",
        Err("algorithm scrypt-jane: nmin is 9 and nmax 6, allowed is nmin up to nmax; \
             an example: scrypt-jane"),
    );
    check(
        "scrypt-jane:nmin=23",
        Err("algorithm scrypt-jane: nmin (smallest N factor; N is 2 to the factor and one) is \
             \"23\", allowed is a whole number from 0 to 22; an example: scrypt-jane"),
    );
    assert_eq!(ScryptJaneFamily.parameters().len(), 3);
}
