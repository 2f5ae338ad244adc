//! `getblocktemplate` (BIP 22, 23, 145), in all its modes.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sl_chain::{Transaction, coins::CoinRow};
use sl_units::{Mono, Target};

use super::{Answer, Params, Reply, RpcError, Wait, answer, code, submissions};
use crate::{
    node::Node,
    offer::{has_mweb, has_segwit},
    template::Template,
};

/// A long poll for a template is answered after so long at the latest.
const LONG_POLL: Duration = Duration::from_secs(60);

/// The template, keys in the daemons' order (`testdata/litecoin/regtest-e2e/gbt_433.json`).
#[derive(Serialize)]
struct TemplateView {
    capabilities: [&'static str; 1],
    version: u32,
    rules: &'static [&'static str],
    vbavailable: Empty,
    vbrequired: u32,
    previousblockhash: String,
    transactions: Vec<TxView>,
    coinbaseaux: CoinbaseAux,
    coinbasevalue: u64,
    longpollid: String,
    target: String,
    mintime: u32,
    mutable: [&'static str; 3],
    noncerange: &'static str,
    sigoplimit: u32,
    sizelimit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    weightlimit: Option<u32>,
    curtime: u32,
    bits: String,
    height: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_witness_commitment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mweb: Option<String>,
}

#[derive(Serialize)]
struct Empty {}

/// Empty on today's daemons; those of Dogecoin's age have an empty `flags`.
#[derive(Serialize)]
struct CoinbaseAux {
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<&'static str>,
}

#[derive(Serialize)]
struct TxView {
    data: String,
    txid: String,
    hash: String,
    depends: [u32; 0],
    fee: u64,
    sigops: u64,
    weight: usize,
}

/// The rules that hold, the ones a miner must know marked by `!`.
fn rules(row: &CoinRow) -> &'static [&'static str] {
    match (has_mweb(row), has_segwit(row)) {
        (true, _) => &["csv", "!segwit", "taproot", "mweb"],
        (false, true) => &["csv", "!segwit", "taproot"],
        (false, false) => &["csv"],
    }
}

pub(super) fn getblocktemplate(
    node: &mut Node,
    params: Params<'_>,
    now: Mono,
    waited: bool,
) -> Reply {
    let request = match params.get(0) {
        None => None,
        Some(Value::Object(request)) => Some(request),
        Some(_) => {
            let error = RpcError::new(code::TYPE, "Expected type object, got another");
            return Reply::Done(Err(error));
        }
    };
    let field = |name: &str| request.and_then(|request| request.get(name));
    match field("mode") {
        None => {}
        Some(Value::String(mode)) if mode == "template" => {}
        Some(Value::String(mode)) if mode == "proposal" => {
            return Reply::Done(propose(node, field("data"), now));
        }
        Some(_) => {
            return Reply::Done(Err(RpcError::new(code::INVALID_PARAMETER, "Invalid mode")));
        }
    }
    let asked: Vec<&str> = field("rules")
        .and_then(Value::as_array)
        .map(|rules| rules.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if let Err(error) = check_rules(node.row, &asked) {
        return Reply::Done(Err(error));
    }
    if let Some(id) = field("longpollid").and_then(Value::as_str)
        && !waited
    {
        // The id is the previous hash and a counter; only the hash matters here, for the offer
        // does not change on a tip.
        let tip = node.chain.tip();
        if id.get(..64).and_then(|hash| hash.parse().ok()) == Some(tip) {
            return Reply::Wait(Wait { tip, timeout: Some(LONG_POLL) });
        }
    }
    let template = node.template(now);
    Reply::Done(answer(&view(node.row, &template)))
}

fn check_rules(row: &CoinRow, asked: &[&str]) -> Result<(), RpcError> {
    let message = if has_mweb(row) && !(asked.contains(&"segwit") && asked.contains(&"mweb")) {
        "getblocktemplate must be called with the segwit & mweb rule sets (call with {\"rules\": [\"mweb\", \"segwit\"]})"
    } else if has_segwit(row) && !asked.contains(&"segwit") {
        "getblocktemplate must be called with the segwit rule set (call with {\"rules\": [\"segwit\"]})"
    } else {
        return Ok(());
    };
    Err(RpcError::new(code::INVALID_PARAMETER, message))
}

fn view(row: &CoinRow, template: &Template) -> TemplateView {
    let segwit = has_segwit(row);
    let offer = &template.offer;
    let ordinary = offer.txs.iter().map(|known| (&known.tx, known.fee, 1));
    let transactions: Vec<TxView> = ordinary
        .chain(offer.hogex.iter().map(|hogex| (hogex, 0, 0)))
        .map(|(tx, fee, sigops)| tx_view(tx, fee, sigops))
        .collect();
    TemplateView {
        capabilities: ["proposal"],
        version: row.block_version(false),
        rules: rules(row),
        vbavailable: Empty {},
        vbrequired: 0,
        previousblockhash: template.prev.to_string(),
        longpollid: format!("{}{}", template.prev, transactions.len()),
        transactions,
        coinbaseaux: CoinbaseAux { flags: (!segwit).then_some("") },
        coinbasevalue: template.coinbase_value,
        target: template.bits.target().unwrap_or(Target::MAX).to_string(),
        mintime: template.min_time,
        mutable: ["time", "transactions", "prevblock"],
        noncerange: "00000000ffffffff",
        sigoplimit: if segwit { 80_000 } else { 20_000 },
        sizelimit: if segwit { 4_000_000 } else { 1_000_000 },
        weightlimit: segwit.then_some(4_000_000),
        curtime: template.time,
        bits: template.bits.to_string(),
        height: template.height,
        default_witness_commitment: template.commitment.as_ref().map(hex::encode),
        mweb: offer.mweb.as_ref().map(hex::encode),
    }
}

fn tx_view(tx: &Transaction, fee: u64, sigops: u64) -> TxView {
    TxView {
        data: hex::encode(tx.encode()),
        txid: tx.txid().to_string(),
        hash: tx.wtxid().to_string(),
        depends: [],
        fee,
        sigops,
        weight: weight(tx),
    }
}

/// Three times the plain form and once the whole; a HogEx counts four times its plain form.
pub(super) fn weight(tx: &Transaction) -> usize {
    let plain = tx.encode_stripped().len();
    if tx.hogex { 4 * plain } else { 3 * plain + tx.encode().len() }
}

fn propose(node: &mut Node, data: Option<&Value>, now: Mono) -> Result<Answer, RpcError> {
    let Some(Value::String(data)) = data else {
        return Err(RpcError::new(code::TYPE, "Missing data String key for proposal"));
    };
    let block = submissions::decode(node, data)?;
    answer(&node.propose(block, now))
}
