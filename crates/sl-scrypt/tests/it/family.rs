use proptest::prelude::*;
use sl_pow::{Algorithm, Registry, with_nonce};
use sl_scrypt::{Params, Scrypt, ScryptFamily, ScryptN};
use sl_units::{Hash256, Target};

fn scrypt_n(n: u64, r: u32, p: u32) -> ScryptN {
    ScryptN::new(Params::new(n, r, p).expect("lawful")).expect("little memory")
}

/// The answers of OpenSSL for recorded parameters, by the reference and by every engine.
#[test]
fn recorded_parameters_agree_with_openssl() {
    for (n, r, p) in [(2048, 1, 1), (4096, 1, 1), (16384, 1, 1), (1024, 8, 2)] {
        let algorithm = scrypt_n(n, r, p);
        let vectors = algorithm.vectors();
        assert_eq!(vectors.len(), 1);
        assert!(vectors[0].name.contains("OpenSSL"));
        assert_eq!(algorithm.hash(&vectors[0].header), vectors[0].hash, "{}", algorithm.name());
        for row in algorithm.engines().into_iter().filter(|row| (row.available)()) {
            let mut found = [Hash256::ZERO; 2];
            (row.make)().expect("memory").batch(&[vectors[0].header; 2], &mut found);
            assert_eq!(found, [vectors[0].hash; 2], "{} by {}", algorithm.name(), row.name);
        }
    }
}

#[test]
fn every_engine_of_any_cost_passes_its_self_test() {
    for (n, r, p) in [(2, 1, 1), (16, 1, 1), (512, 1, 1), (2048, 1, 1), (8, 2, 3)] {
        let algorithm = scrypt_n(n, r, p);
        for row in algorithm.engines().into_iter().filter(|row| (row.available)()) {
            row.prover(&algorithm).expect("right");
        }
    }
}

#[test]
fn litecoins_parameters_give_litecoins_hashes() {
    for vector in Scrypt.vectors() {
        assert_eq!(scrypt_n(1024, 1, 1).hash(&vector.header), vector.hash);
    }
}

#[test]
fn a_group_that_takes_too_much_memory_has_no_kernel() {
    // 4 MiB a hash: sixteen lanes take 64 MiB, all is well.
    let lanes = |algorithm: &ScryptN| algorithm.engines().iter().map(|row| row.lanes).collect();
    let small: Vec<usize> = lanes(&scrypt_n(32768, 1, 1));
    assert!(small.contains(&1));
    #[cfg(target_arch = "x86_64")]
    assert!(small.contains(&6) && small.contains(&16));
    // r and p other than 1 have no kernel.
    let general: Vec<usize> = lanes(&scrypt_n(16, 8, 1));
    assert_eq!(general, [1]);
}

#[test]
fn the_family_makes_it_by_name() {
    let mut registry = Registry::new();
    registry.register(Scrypt).expect("a new name");
    registry.register_family(ScryptFamily).expect("a new name");
    let check = |name: &str, expect: Result<&str, &str>| {
        let found = registry.best(name).map(|prover| prover.algorithm().to_owned());
        let found = found.map_err(|wrong| wrong.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expect, "{name}");
    };
    check("scrypt", Ok("scrypt"));
    check("scrypt-n:2048", Ok("scrypt-n:N=2048,r=1,p=1"));
    check("scrypt:2048,1,1", Ok("scrypt-n:N=2048,r=1,p=1"));
    check("scrypt-n:2048,1,1", Ok("scrypt-n:N=2048,r=1,p=1"));
    check("scrypt-n:N=64,r=8", Ok("scrypt-n:N=64,r=8,p=1"));
    check("scrypt-n:p=2,n=8", Ok("scrypt-n:N=8,r=1,p=2"));
    check(
        "scrypt-n",
        Err("algorithm scrypt-n: N (cost, a power of two; memory is 128 × r × N bytes) is \
             missing; an example: scrypt-n:N=2048"),
    );
    check(
        "scrypt-n:1000",
        Err("algorithm scrypt-n: scrypt's N is 1000, allowed is a power of two from 2 on, as \
             1024; an example: scrypt-n:N=2048"),
    );
    check(
        "scrypt-n:65536",
        Err("algorithm scrypt-n: scrypt's N is 65536, with r=1 allowed is less than 2^16; take a \
             larger r; an example: scrypt-n:N=2048"),
    );
    check(
        "scrypt-n:1048576,16",
        Err("algorithm scrypt-n: scrypt with N=1048576, r=16, p=1 needs more memory than there \
             is; take a smaller N; an example: scrypt-n:N=2048"),
    );
    check(
        "scrypt-m:2048",
        Err("found algorithm \"scrypt-m:2048\", allowed are: scrypt, scrypt-n:N,r=1,p=1; did you \
             mean scrypt-n?"),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Any cost in any engine, against the field's implementation.
    #[test]
    fn engines_agree_with_the_fields_implementation(
        log_n in 1u8..=11,
        seed in any::<[u8; 32]>(),
        length in 1usize..=40,
    ) {
        let algorithm = scrypt_n(1 << log_n, 1, 1);
        let params = scrypt::Params::new(log_n, 1, 1).expect("lawful");
        let mut headers = vec![[0; 80]; length];
        for (i, header) in headers.iter_mut().enumerate() {
            header[..32].copy_from_slice(&seed);
            header[79] = i as u8;
        }
        let expect: Vec<_> = headers.iter().map(|header| {
            let mut out = [0; 32];
            scrypt::scrypt(header, header, &params, &mut out).expect("a lawful length");
            Hash256::from_bytes(out)
        }).collect();
        for row in algorithm.engines().into_iter().filter(|row| (row.available)()) {
            let mut found = vec![Hash256::ZERO; length];
            (row.make)().expect("memory").batch(&headers, &mut found);
            prop_assert_eq!(&found, &expect, "{}", row.name);
        }
    }

    /// Any block size and parallelism, where there is one engine, against the same.
    #[test]
    fn any_parameters_agree_with_the_fields_implementation(
        log_n in 1u8..=8,
        r in 1u32..=5,
        p in 1u32..=4,
        first in any::<u32>(),
        count in 1u32..=5,
    ) {
        let algorithm = scrypt_n(1 << log_n, r, p);
        let params = scrypt::Params::new(log_n, r, p).expect("lawful");
        for row in algorithm.engines().into_iter().filter(|row| (row.available)()) {
            let mut engine = (row.make)().expect("memory");
            let mut hits = Vec::new();
            engine.scan(&[7; 80], first, count, Target::MAX, &mut hits);
            prop_assert_eq!(hits.len(), count as usize);
            for hit in hits {
                let header = with_nonce(&[7; 80], hit.nonce);
                let mut out = [0; 32];
                scrypt::scrypt(&header, &header, &params, &mut out).expect("a lawful length");
                prop_assert_eq!(hit.hash, Hash256::from_bytes(out), "{}", row.name);
            }
        }
    }
}
