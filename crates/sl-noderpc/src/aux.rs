use serde::Deserialize;
use sl_units::{Bits, CoinAmount, Hash256, Target};

use crate::{
    error::Nonsense,
    shape::{self, amount, bits, hash, height, word},
};

/// With which pair of calls a node gives auxiliary blocks and takes them back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AuxCall {
    /// `createauxblock` and `submitauxblock`: the payout address is ours to choose.
    #[default]
    Create,
    /// `getauxblock` both ways, on old daemons: the node's own wallet is paid.
    Get,
}

/// What `createauxblock` gives: an auxiliary block of which a proof of work is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuxTemplate {
    /// The block's hash: the leaf of the merged-mining tree, and the name under which the proof is
    /// handed in.
    pub hash: Hash256,
    /// The chain's id.
    pub chain_id: u32,
    /// Hash of the block before.
    pub prev: Hash256,
    /// What the block pays.
    pub coinbase_value: CoinAmount,
    /// Compact target.
    pub bits: Bits,
    /// The target that `bits` stands for. (The field `target` is in either byte order, by daemon;
    /// it is compared, not used.)
    pub target: Target,
    /// Height of the block.
    pub height: u64,
}

#[derive(Deserialize)]
struct RawAux {
    hash: String,
    chainid: i64,
    previousblockhash: String,
    coinbasevalue: i64,
    bits: String,
    height: i64,
    #[serde(alias = "_target")]
    target: Option<String>,
}

impl AuxTemplate {
    /// The template in the JSON of `result`.
    ///
    /// # Errors
    /// What makes no sense in it.
    pub fn from_json(json: &str) -> Result<Self, Nonsense> {
        let raw: RawAux = shape::json(json)?;
        let (bits, target) = bits("bits", &raw.bits)?;
        if let Some(text) = &raw.target {
            let stated = hash("target", text)?;
            let straight = stated.to_display_bytes() == target.to_le_bytes();
            let reversed = stated.as_bytes() == &target.to_le_bytes();
            if !straight && !reversed {
                let wanted = format!("that of bits, {target}, in either byte order");
                return Err(Nonsense::field("target", text, &wanted));
            }
        }
        Ok(Self {
            hash: hash("hash", &raw.hash)?,
            chain_id: word("chainid", raw.chainid)?,
            prev: hash("previousblockhash", &raw.previousblockhash)?,
            coinbase_value: amount("coinbasevalue", raw.coinbasevalue)?,
            bits,
            target,
            height: height(raw.height)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn recorded() -> Value {
        let path = "/../../testdata/auxpow/regtest-e2e/pepecoin_regtest_accepted.json";
        let path = format!("{}{path}", env!("CARGO_MANIFEST_DIR"));
        let all: Value =
            serde_json::from_str(&std::fs::read_to_string(path).expect("testdata")).expect("JSON");
        all["createauxblock"].clone()
    }

    #[test]
    fn a_recorded_answer() {
        let template = AuxTemplate::from_json(&recorded().to_string()).expect("as recorded");
        assert_eq!((template.chain_id, template.height), (63, 26));
        assert_eq!(template.coinbase_value, CoinAmount::from_coins(500_000));
        assert_eq!(template.bits, Bits::from_u32(0x207f_ffff));
        let mut other_key = recorded();
        other_key["_target"] = other_key["target"].take();
        other_key.as_object_mut().expect("an object").remove("target");
        assert_eq!(AuxTemplate::from_json(&other_key.to_string()), Ok(template));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let check = |key: &str, value: Value, expect: &str| {
            let mut answer = recorded();
            answer[key] = value;
            let error = AuxTemplate::from_json(&answer.to_string()).expect_err(key).to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("chainid", json!(1u64 << 33), "chainid: found");
        check("chainid", json!("63"), "expected i64");
        check("target", json!("00".repeat(32)), "target: found");
        check("bits", json!("ff123456"), "exceeds 256 bits");
        check("height", json!(-3), "height: found -3");
        check("hash", json!(""), "hash: found \"\"");
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = AuxTemplate::from_json(&text);
        }
    }
}
