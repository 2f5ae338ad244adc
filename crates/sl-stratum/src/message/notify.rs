use bytes::Bytes;
use serde_json::{Value, json};
use sl_units::{Bits, Hash256};

use super::{Id, call_line};
use crate::{
    MessageError,
    field::{Field, hex_u32},
};

/// `mining.notify`: work for a machine, in the order of bytes that headers and coinbases have.
///
/// ```text
/// {"id":null,"method":"mining.notify","params":[
///   "4dcd",                 job id
///   "5ee7062d191ee0f3…",    previous hash: 8 words of 4 bytes, each word's bytes reversed
///   "0100000001000000…",    coinbase before the extranonces
///   "392f737472617475…",    coinbase after them
///   [],                     merkle branch, raw
///   "00000002",             version      \
///   "1b01784b",             bits          } big-endian, so reversed in the header
///   "5a72667b",             ntime        /
///   true]}                  clean: earlier jobs are stale
/// ```
///
/// The header is version, previous hash, merkle root, ntime, bits, nonce; the root is that of
/// coinbase1 ‖ extranonce1 ‖ extranonce2 ‖ coinbase2, folded with the branch. (A live session of
/// 2018, 65 recorded shares and 48 real proofs of Litecoin, in `testdata/stratum`, agree.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// The pool's name of the job, 1 to 128 bytes.
    pub job_id: String,
    /// The previous block's hash.
    pub prev: Hash256,
    /// The coinbase up to the extranonces.
    pub coinbase1: Bytes,
    /// The coinbase after the extranonces.
    pub coinbase2: Bytes,
    /// What the coinbase's hash is folded with, at most 32 hashes, nearest first.
    pub branch: Vec<Hash256>,
    /// The header's version.
    pub version: u32,
    /// The header's compact target.
    pub bits: Bits,
    /// The header's earliest time, in seconds since the Unix epoch.
    pub ntime: u32,
    /// Whether shares of earlier jobs are stale now.
    pub clean: bool,
}

impl Notify {
    /// The longest branch: no block has 2³² transactions.
    const MAX_BRANCH: usize = 32;
    /// The longest part of a coinbase, 1 MB: more than a block can hold.
    const MAX_COINBASE: usize = 1_000_000;

    /// The line with its newline; one serves every machine.
    #[must_use]
    pub fn to_line(&self) -> Bytes {
        call_line(&Id::NULL, "mining.notify", &self.to_params())
    }

    pub(super) fn to_params(&self) -> Value {
        let branch = self.branch.iter().map(|hash| hex::encode(hash.as_bytes()));
        json!([
            self.job_id,
            hex::encode(swap_words(*self.prev.as_bytes())),
            hex::encode(&self.coinbase1),
            hex::encode(&self.coinbase2),
            branch.collect::<Vec<_>>(),
            hex_u32(self.version),
            hex_u32(self.bits.to_u32()),
            hex_u32(self.ntime),
            self.clean,
        ])
    }

    pub(super) fn read(params: &[Value]) -> Result<Self, MessageError> {
        let branch = Field::at(params, 4, "merkle branch");
        let hashes = params.get(4).and_then(Value::as_array);
        let hashes = hashes
            .filter(|hashes| hashes.len() <= Self::MAX_BRANCH)
            .ok_or_else(|| branch.wrong("a list of at most 32 hashes"))?;
        let hash = |value| Field::new("hash of the branch", Some(value)).fixed();
        let coinbase = |index, name| Field::at(params, index, name).bytes(Self::MAX_COINBASE);
        Ok(Self {
            job_id: Field::at(params, 0, "job id").name(128, "1 to 128 bytes")?,
            prev: Hash256::from_bytes(swap_words(Field::at(params, 1, "previous hash").fixed()?)),
            coinbase1: coinbase(2, "coinbase1")?.into(),
            coinbase2: coinbase(3, "coinbase2")?.into(),
            branch: hashes
                .iter()
                .map(|value| hash(value).map(Hash256::from_bytes))
                .collect::<Result<_, _>>()?,
            version: Field::at(params, 5, "version").u32()?,
            bits: Bits::from_u32(Field::at(params, 6, "bits").u32()?),
            ntime: Field::at(params, 7, "ntime").u32()?,
            clean: match params.get(8) {
                Some(Value::Bool(clean)) => *clean,
                // Some pools count: anything but nothing is a yes.
                Some(other) => crate::field::integer(other).is_some_and(|number| number != 0),
                None => false,
            },
        })
    }
}

/// Reverses the bytes of each of the eight words.
fn swap_words(mut bytes: [u8; 32]) -> [u8; 32] {
    for word in bytes.chunks_exact_mut(4) {
        word.reverse();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientBound, Incoming};

    fn check(change: impl FnOnce(&mut Vec<Value>), expect: Result<(), &str>) {
        let mut params = json!([
            "4dcd",
            "5ee7062d191ee0f3bbbea2babae090b05f8c9530948397caa5402784760a8859",
            "01",
            "02",
            ["02".repeat(32)],
            "00000002",
            "1b01784b",
            "5a72667b",
            true
        ]);
        change(params.as_array_mut().expect("a list"));
        let line = json!({"id": null, "method": "mining.notify", "params": params}).to_string();
        match (ClientBound::parse(line.as_bytes()), expect) {
            (Ok(Incoming::Call { call: ClientBound::Notify(notify), .. }), Ok(())) => {
                assert_eq!(
                    notify.prev.to_string(),
                    "760a8859a540278494839 7ca5f8c9530bae090b0bbbea2ba191ee0f35ee7062d"
                        .replace(' ', "")
                );
                assert_eq!(notify.to_params(), params);
                assert!(notify.to_line().ends_with(b"\n"));
            }
            (Err(malformed), Err(why)) => assert_eq!(malformed.error.to_string(), why),
            (found, expect) => panic!("{line}: {found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn the_wire_and_the_header_differ_in_order() {
        check(|_| {}, Ok(()));
        check(|params| params[8] = json!(false), Ok(()));
    }

    #[test]
    fn wrong_fields_are_named() {
        check(|p| p[1] = json!("00"), Err("previous hash has 1 bytes, 32 are allowed"));
        check(
            |p| p[4] = json!("00"),
            Err("merkle branch is \"00\", allowed: a list of at most 32 hashes"),
        );
        check(
            |p| p[4] = json!(["0"]),
            Err("hash of the branch is \"0\", allowed: an even number of hexadecimal digits"),
        );
        check(
            |p| p[6] = json!(null),
            Err("bits is null, allowed: an even number of hexadecimal digits"),
        );
        check(
            |p| p.truncate(7),
            Err("ntime is missing, allowed: an even number of hexadecimal digits"),
        );
    }
}
