use sl_pow::Algorithm;
use sl_scrypt::{Scrypt, candidates};
use sl_units::Hash256;

/// `testdata/litecoin/scrypt_header_vectors.json`: parents of Dogecoin's AuxPoW and Litecoin
/// blocks, hashed by their networks.
fn recorded() -> Vec<([u8; 80], Hash256)> {
    let text = include_str!("../../../../testdata/litecoin/scrypt_header_vectors.json");
    let rows: Vec<serde_json::Value> = serde_json::from_str(text).expect("recorded");
    let field = |row: &serde_json::Value, name: &str| row[name].as_str().expect(name).to_owned();
    rows.iter()
        .map(|row| {
            let mut header = [0; 80];
            hex::decode_to_slice(field(row, "header_hex"), &mut header).expect("80 bytes");
            (header, field(row, "scrypt_hash").parse().expect("a hash"))
        })
        .collect()
}

#[test]
fn the_reference_hashes_as_the_networks_did() {
    let recorded = recorded();
    assert_eq!(recorded.len(), 26);
    for (header, hash) in recorded {
        assert_eq!(Scrypt.hash(&header), hash);
    }
}

#[test]
fn every_engine_hashes_as_the_networks_did() {
    let (headers, hashes): (Vec<_>, Vec<_>) = recorded().into_iter().unzip();
    for row in Scrypt.engines().into_iter().chain(candidates()) {
        if (row.available)() {
            let mut found = vec![Hash256::ZERO; headers.len()];
            (row.make)().expect("memory").batch(&headers, &mut found);
            assert_eq!(found, hashes, "{}", row.name);
        }
    }
}

#[test]
fn the_vectors_of_the_self_test_are_recorded_ones() {
    let recorded = recorded();
    for vector in Scrypt.vectors() {
        assert!(recorded.contains(&(vector.header, vector.hash)), "{}", vector.name);
    }
}
