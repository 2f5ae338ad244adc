use proptest::prelude::*;
use sl_scrypt::{Params, ParamsError, scrypt};

fn check(password: &str, salt: &str, (n, r, p): (u64, u32, u32), expect: &str) {
    let mut out = [0; 64];
    let params = Params::new(n, r, p).expect("lawful");
    scrypt(password.as_bytes(), salt.as_bytes(), &params, &mut out).expect("64 bytes");
    assert_eq!(hex::encode(out), expect.replace([' ', '\n'], ""), "N={n} r={r} p={p}");
}

/// RFC 7914, section 12, without the fourth vector, which takes 1 GiB.
#[test]
fn the_vectors_of_the_rfc() {
    check(
        "",
        "",
        (16, 1, 1),
        "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442
         fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
    );
    check(
        "password",
        "NaCl",
        (1024, 8, 16),
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162
         2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
    );
    check(
        "pleaseletmein",
        "SodiumChloride",
        (16384, 8, 1),
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2
         d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
    );
}

#[test]
fn an_output_has_a_length() {
    let found = scrypt(b"", b"", &Params::LITECOIN, &mut []);
    assert_eq!(found, Err(ParamsError::OutputLength { found: 0 }));
}

#[test]
fn memory_that_cannot_be_had_is_an_error() {
    let params = Params::new(1 << 48, 8, 1).expect("lawful by the RFC");
    let found = scrypt(b"", b"", &params, &mut [0; 32]);
    assert_eq!(found, Err(ParamsError::MemoryTooLarge { n: 1 << 48, r: 8, p: 1 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn agrees_with_the_fields_implementation(
        log_n in 1u8..=12,
        r in 1u32..=4,
        p in 1u32..=3,
        password in prop::collection::vec(any::<u8>(), 0..200),
        salt in prop::collection::vec(any::<u8>(), 0..200),
        length in 1usize..150,
    ) {
        let mut found = vec![0; length];
        let params = Params::new(1 << log_n, r, p).expect("lawful");
        scrypt(&password, &salt, &params, &mut found).expect("a lawful length");
        let mut expect = vec![0; length];
        let params = scrypt::Params::new(log_n, r, p).expect("lawful");
        scrypt::scrypt(&password, &salt, &params, &mut expect).expect("a lawful length");
        prop_assert_eq!(found, expect);
    }
}
