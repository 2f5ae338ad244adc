use bytes::Bytes;
use serde::Deserialize;
use sl_units::{Bits, CoinAmount, Hash256, Target};

use crate::{
    error::Nonsense,
    shape::{self, amount, bits, hash, height, text, word},
};

/// Most bytes of a template's JSON: a full block (4 MB on Litecoin) in hexadecimal, an extension
/// block, and as much again for the rest.
pub const MAX_TEMPLATE: usize = 32 << 20;
/// Most bytes of one transaction or of the extension block.
const MAX_TX: usize = 8 << 20;
/// Most transactions: the smallest has 60 bytes, a block 1 MB without witnesses.
const MAX_TXS: usize = 20_000;

/// What `getblocktemplate` gives (BIP 22, 23, 145, and LIP 4 for `mweb`): the next block but for
/// its coinbase and proof of work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockTemplate {
    /// Version of the header.
    pub version: u32,
    /// Hash of the block before.
    pub prev: Hash256,
    /// All transactions but the coinbase, in order; on Litecoin the HogEx is the last.
    pub transactions: Vec<TemplateTx>,
    /// What the coinbase may pay: reward and fees.
    pub coinbase_value: CoinAmount,
    /// To be given with the next call, which then waits for news.
    pub long_poll_id: Option<String>,
    /// Target of the proof of work.
    pub target: Target,
    /// The same in compact form.
    pub bits: Bits,
    /// Earliest header time, in seconds since the Unix epoch.
    pub min_time: u32,
    /// The node's time.
    pub current_time: u32,
    /// Height of the block.
    pub height: u64,
    /// Script of the output that commits to the witnesses, to be taken as it is.
    pub witness_commitment: Option<Vec<u8>>,
    /// The extension block, to be appended behind `0x01`.
    pub mweb: Option<Bytes>,
    /// Rules in force; `!` before a name says that a miner must know it.
    pub rules: Vec<String>,
}

/// A transaction of a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TemplateTx {
    /// Its bytes, to be put into the block as they are.
    pub data: Bytes,
    /// Its id: the merkle leaf. Never to be computed of `data`, for a HogEx has an id of its own
    /// kind.
    pub txid: Hash256,
    /// Its id with witness.
    pub wtxid: Hash256,
    /// Its weight, where the node tells.
    pub weight: Option<u64>,
}

#[derive(Deserialize)]
struct RawTemplate {
    version: i64,
    previousblockhash: String,
    transactions: Vec<RawTx>,
    coinbasevalue: i64,
    longpollid: Option<String>,
    target: String,
    mintime: i64,
    curtime: i64,
    bits: String,
    height: i64,
    default_witness_commitment: Option<String>,
    mweb: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
}

#[derive(Deserialize)]
struct RawTx {
    data: String,
    txid: Option<String>,
    hash: String,
    weight: Option<u64>,
}

impl BlockTemplate {
    /// The template in the JSON of `result`.
    ///
    /// # Errors
    /// What makes no sense in it.
    pub fn from_json(json: &str) -> Result<Self, Nonsense> {
        let raw: RawTemplate = shape::json(json)?;
        let (bits, target) = bits("bits", &raw.bits)?;
        let stated: Target =
            raw.target.parse().map_err(|error| Nonsense(format!("target: {error}")))?;
        if stated != target {
            return Err(Nonsense::field("target", stated, &format!("that of bits, {target}")));
        }
        if raw.transactions.len() > MAX_TXS {
            let allowed = format!("{MAX_TXS} at most");
            return Err(Nonsense::field("transactions", raw.transactions.len(), &allowed));
        }
        if raw.rules.len() > 64 {
            return Err(Nonsense::field("rules", raw.rules.len(), "64 at most"));
        }
        let optional = |name, text: Option<String>, most| {
            text.map(|text| shape::bytes(name, &text, most)).transpose()
        };
        Ok(Self {
            version: word("version", raw.version)?,
            prev: hash("previousblockhash", &raw.previousblockhash)?,
            transactions: raw
                .transactions
                .into_iter()
                .enumerate()
                .map(|(at, raw)| {
                    tx(&raw).map_err(|Nonsense(why)| Nonsense(format!("transaction {at}: {why}")))
                })
                .collect::<Result<_, _>>()?,
            coinbase_value: amount("coinbasevalue", raw.coinbasevalue)?,
            long_poll_id: raw.longpollid.map(|id| text("longpollid", id, 256)).transpose()?,
            target,
            bits,
            min_time: word("mintime", raw.mintime)?,
            current_time: word("curtime", raw.curtime)?,
            height: height(raw.height)?,
            // A push of 36 bytes and what a node may add to it.
            witness_commitment: optional(
                "default_witness_commitment",
                raw.default_witness_commitment,
                128,
            )?,
            mweb: optional("mweb", raw.mweb, MAX_TX)?.map(Bytes::from),
            rules: raw
                .rules
                .into_iter()
                .map(|rule| text("rules", rule, 64))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn tx(raw: &RawTx) -> Result<TemplateTx, Nonsense> {
    let data = shape::bytes("data", &raw.data, MAX_TX)?;
    if data.len() < 10 {
        return Err(Nonsense::field("data", format!("{} bytes", data.len()), "10 at least"));
    }
    let wtxid = hash("hash", &raw.hash)?;
    // Nodes from before segwit give `hash` alone.
    let txid = raw.txid.as_deref().map_or(Ok(wtxid), |id| hash("txid", id))?;
    Ok(TemplateTx { data: data.into(), txid, wtxid, weight: raw.weight })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn recorded() -> Value {
        let path = "/../../testdata/litecoin/regtest-e2e/gbt_432_first_mweb.json";
        let path = format!("{}{path}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).expect("testdata")).expect("JSON")
    }

    #[test]
    fn the_first_template_with_an_extension_block() {
        let template = BlockTemplate::from_json(&recorded().to_string()).expect("as recorded");
        assert_eq!(template.height, 432);
        assert_eq!(template.version, 0x2000_0000);
        assert_eq!(template.coinbase_value.units(), 1_250_020_200);
        assert_eq!(template.transactions.len(), 2);
        let hogex = &template.transactions[1];
        assert_eq!(hogex.txid, hogex.wtxid);
        assert_ne!(template.transactions[0].txid, template.transactions[0].wtxid);
        assert!(template.mweb.is_some_and(|mweb| mweb.starts_with(&[0x82, 0x30])));
        assert_eq!(template.witness_commitment.map(|script| script.len()), Some(38));
        assert_eq!(template.target, template.bits.target().expect("valid"));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let check = |key: &str, value: Value, expect: &str| {
            let mut answer = recorded();
            answer[key] = value;
            let error = BlockTemplate::from_json(&answer.to_string()).expect_err(key).to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(
            "previousblockhash",
            json!("xyz"),
            "previousblockhash: found \"xyz\", allowed are 64",
        );
        check("previousblockhash", json!(7), "invalid type: integer `7`, expected a string");
        check("bits", json!("00000000"), "bits: compact target 00000000 is zero");
        check("bits", json!("1e0ffff0"), "allowed is that of bits");
        check("bits", json!("+07fffff"), "allowed is eight hexadecimal digits");
        check("coinbasevalue", json!(-1), "coinbasevalue: found -1");
        check("height", json!(1u64 << 40), "height: found 1099511627776, allowed is 0 to");
        check("mintime", json!(1u64 << 40), "mintime: found");
        check("mweb", json!("0g"), "mweb: found \"0g\"");
        check(
            "transactions",
            json!([{"data": "00", "hash": "00"}]),
            "transaction 0: data: found 1",
        );
        check("longpollid", json!("x".repeat(300)), "longpollid: found 300 characters");
        check("transactions", json!(null), "null");
    }

    proptest! {
        #[test]
        fn no_change_of_the_bytes_panics(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let mut text = recorded().to_string().into_bytes();
            let place = at.index(text.len());
            text[place] = byte;
            let text = String::from_utf8_lossy(&text).into_owned();
            let _ = BlockTemplate::from_json(&text);
            let end = text.char_indices().map(|(at, _)| at).take(cut.index(text.len()) + 1).last();
            let _ = BlockTemplate::from_json(&text[..end.unwrap_or(0)]);
        }
    }
}
