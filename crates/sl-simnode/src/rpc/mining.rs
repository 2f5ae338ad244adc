//! Templates, submissions, long polls.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sl_chain::{
    Transaction,
    address::Address,
    auxpow::AuxPow,
    block::Block,
    codec::Reader,
    coins::{ChainId, CoinRow, Role},
};
use sl_units::{Bits, Hash256, Mono, Target};

use super::{Answer, Params, Reply, RpcError, Wait, answer, blocks::difficulty, code, general};
use crate::{
    node::{Known, Node, Submitted},
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

fn undecodable() -> RpcError {
    RpcError::new(code::DESERIALIZATION, "Block decode failed")
}

fn decode(node: &Node, text: &str) -> Result<Block, RpcError> {
    let bytes = hex::decode(text).map_err(|_| undecodable())?;
    Block::decode(&bytes, node.row.role == Role::Auxiliary).map_err(|wrong| {
        tracing::debug!(ticker = %node.row.ticker, %wrong, "undecodable block");
        undecodable()
    })
}

fn propose(node: &mut Node, data: Option<&Value>, now: Mono) -> Result<Answer, RpcError> {
    let Some(Value::String(data)) = data else {
        return Err(RpcError::new(code::TYPE, "Missing data String key for proposal"));
    };
    let block = decode(node, data)?;
    answer(&node.propose(block, now))
}

pub(super) fn submitblock(
    node: &mut Node,
    params: Params<'_>,
    now: Mono,
) -> Result<Answer, RpcError> {
    let block = decode(node, params.text(0)?.unwrap_or_default())?;
    if !block.txs.first().is_some_and(Transaction::is_coinbase) {
        let message = "Block does not start with a coinbase";
        return Err(RpcError::new(code::DESERIALIZATION, message));
    }
    match node.submit(block, now) {
        Submitted::Tip => answer(&()),
        Submitted::Beside => answer("inconclusive"),
        Submitted::Known(Known::Invalid) => answer("duplicate-invalid"),
        Submitted::Known(Known::Valid | Known::Header) => answer("duplicate"),
        Submitted::Refused(reason) => answer(&reason),
    }
}

/// Keys in the order of `testdata/auxpow/regtest-e2e/aux_rpc_recordings.json`.
#[derive(Serialize)]
struct AuxBlockView {
    hash: String,
    chainid: u32,
    previousblockhash: String,
    coinbasevalue: u64,
    bits: String,
    height: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(rename = "_target", skip_serializing_if = "Option::is_none")]
    underscore_target: Option<String>,
}

pub(super) fn createauxblock(
    node: &mut Node,
    params: Params<'_>,
    now: Mono,
) -> Result<Answer, RpcError> {
    let text = params.text(0)?.unwrap_or_default();
    let address = Address::parse(text, node.row).map_err(|wrong| {
        tracing::info!(ticker = %node.row.ticker, %wrong, "bad payout address");
        RpcError::new(code::INVALID_PARAMETER, "Invalid coinbase payout address")
    })?;
    create(node, &address, now)
}

fn create(node: &mut Node, payout: &Address, now: Mono) -> Result<Answer, RpcError> {
    let template = node.template(now);
    if node.row.auxpow_from.is_none_or(|from| template.height < from) {
        return Err(RpcError::new(code::MISC, "getauxblock method is not yet available"));
    }
    let script = payout.script_pubkey();
    let version = node.row.block_version(true);
    let build = || template.block(version, &script);
    let (hash, block) = node
        .aux
        .obtain(template.prev, &script, template.time, build)
        .ok_or_else(|| RpcError::new(code::MISC, "CreateNewBlock: the coinbase cannot be built"))?;
    let target = hex::encode(target_le(block.header.bits));
    let underscore = node.row.rpc_target_field == Some("_target");
    answer(&AuxBlockView {
        hash: hash.to_string(),
        chainid: node.row.chain_id.map_or(0, ChainId::get),
        previousblockhash: template.prev.to_string(),
        coinbasevalue: template.coinbase_value,
        bits: block.header.bits.to_string(),
        height: template.height,
        target: (!underscore).then(|| target.clone()),
        underscore_target: underscore.then_some(target),
    })
}

fn target_le(bits: Bits) -> [u8; 32] {
    bits.target().unwrap_or(Target::MAX).to_le_bytes()
}

pub(super) fn submitauxblock(
    node: &mut Node,
    params: Params<'_>,
    now: Mono,
) -> Result<Answer, RpcError> {
    let hash: Hash256 = params.hash(0, "hash")?;
    let Some(block) = node.aux.get(&hash) else {
        return Err(RpcError::new(code::INVALID_PARAMETER, "block hash unknown"));
    };
    let mut block = block.clone();
    let proof = hex::decode(params.text(1)?.unwrap_or_default()).unwrap_or_default();
    // The daemons ignore what follows the proof.
    let proof = AuxPow::read(&mut Reader::new(&proof)).map_err(|wrong| {
        tracing::debug!(ticker = %node.row.ticker, %wrong, "undecodable AuxPoW");
        RpcError::new(code::MISC, "CDataStream::read(): end of data: iostream error")
    })?;
    block.auxpow = Some(proof);
    answer(&match node.submit(block, now) {
        Submitted::Tip | Submitted::Beside => true,
        Submitted::Known(known) => known != Known::Invalid,
        // The daemons give no reason either; it stands in the log.
        Submitted::Refused(_) => false,
    })
}

/// Without arguments it pays the node's own wallet, which here is the worthless example address.
pub(super) fn getauxblock(
    node: &mut Node,
    params: Params<'_>,
    now: Mono,
) -> Result<Answer, RpcError> {
    match (params.get(0), params.get(1)) {
        (None, None) => {
            let wallet = Address::example(node.row);
            create(node, &wallet, now)
        }
        (Some(_), Some(_)) => submitauxblock(node, params, now),
        _ => Err(RpcError::new(code::MISC, "getauxblock (hash auxpow)")),
    }
}

#[derive(Serialize)]
struct NewBlock {
    hash: String,
    height: u64,
}

/// Arguments: milliseconds (0 is for ever), and the tip that the caller knows.
pub(super) fn waitfornewblock(node: &Node, params: Params<'_>, waited: bool) -> Reply {
    let read = || -> Result<Option<Wait>, RpcError> {
        let tip = match params.get(1) {
            Some(_) => params.hash(1, "current_tip")?,
            None => node.chain.tip(),
        };
        let millis = u64::try_from(params.integer(0)?.unwrap_or(0))
            .map_err(|_| RpcError::new(code::MISC, "Negative timeout"))?;
        let timeout = (millis > 0).then(|| Duration::from_millis(millis));
        Ok((!waited && tip == node.chain.tip()).then_some(Wait { tip, timeout }))
    };
    match read() {
        Err(error) => Reply::Done(Err(error)),
        Ok(Some(wait)) => Reply::Wait(wait),
        Ok(None) => Reply::Done(answer(&NewBlock {
            hash: node.chain.tip().to_string(),
            height: node.chain.tip_entry().height,
        })),
    }
}

/// Keys in the order of the recordings; Dogecoin's age writes `errors` where today's write
/// `warnings`, and at another place.
#[derive(Serialize)]
struct MiningInfo {
    blocks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    currentblocksize: Option<u32>,
    currentblockweight: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    currentblockmwebweight: Option<u32>,
    currentblocktx: usize,
    difficulty: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'static str>,
    networkhashps: f64,
    pooledtx: usize,
    chain: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<&'static str>,
}

pub(super) fn getmininginfo(node: &mut Node, now: Mono) -> Result<Answer, RpcError> {
    let template = node.template(now);
    let old = !has_segwit(node.row);
    let tip = node.chain.tip_entry();
    let pooled = template.offer.txs.len();
    answer(&MiningInfo {
        blocks: tip.height,
        currentblocksize: old.then_some(1000),
        currentblockweight: 4000 + template.offer.transactions().map(weight).sum::<usize>(),
        currentblockmwebweight: has_mweb(node.row).then_some(0),
        currentblocktx: pooled,
        difficulty: difficulty(tip.header.bits),
        errors: old.then_some(general::WARNING),
        networkhashps: hashes_per_second(node, 120, tip.height),
        pooledtx: pooled,
        chain: general::CHAIN,
        warnings: (!old).then_some(general::WARNING),
    })
}

pub(super) fn getnetworkhashps(node: &Node, params: Params<'_>) -> Result<Answer, RpcError> {
    let tip = node.chain.tip_entry().height;
    let height = match params.integer(1)? {
        None | Some(-1) => tip,
        Some(height) => u64::try_from(height).unwrap_or(0).min(tip),
    };
    let count = match params.integer(0)? {
        None => 120,
        // Since the last change of difficulty, which on most of these chains is every block.
        Some(count) => u64::try_from(count).unwrap_or(1).clamp(1, 10_000),
    };
    answer(&hashes_per_second(node, count, height))
}

/// Hashes for each second of the chains' own clock.
fn hashes_per_second(node: &Node, count: u64, height: u64) -> f64 {
    let tip = node.chain.hash_at(height).unwrap_or_else(|| node.chain.tip());
    let Some(branch) = node.chain.branch(tip) else { return 0.0 };
    let (hashes, seconds) = branch.recent_work(count);
    if seconds == 0 { 0.0 } else { hashes / f64::from(seconds) }
}
