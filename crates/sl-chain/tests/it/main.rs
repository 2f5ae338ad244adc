//! What real chains and daemons recorded, decoded, verified and written again.

mod auxpow;
mod blocks;
mod explain;

use std::{fs, path::PathBuf};

use serde_json::Value;
use sl_units::Hash256;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

fn json(name: &str) -> Value {
    let text = fs::read_to_string(path(name)).expect("recorded data is in the repository");
    serde_json::from_str(&text).expect("recorded data is JSON")
}

fn hex_file(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(path(name)).expect("recorded data is in the repository");
    hex::decode(text.trim()).expect("recorded data is hexadecimal")
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a text")).expect("hexadecimal")
}

/// Scrypt by code that is not ours.
fn scrypt_oracle(header: &[u8; 80]) -> Hash256 {
    let params = scrypt::Params::new(10, 1, 1).expect("valid parameters");
    let mut out = [0; 32];
    scrypt::scrypt(header, header, &params, &mut out).expect("32 bytes are allowed");
    Hash256::from_bytes(out)
}
