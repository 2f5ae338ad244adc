//! Blocks that come in whole, and auxiliary blocks that go out and come back proved.

use serde::Serialize;
use sl_chain::{
    Transaction,
    address::{Address, Network},
    auxpow::AuxPow,
    block::Block,
    codec::Reader,
    coins::{ChainId, Role},
};
use sl_units::{Hash256, Mono, Target};

use super::{Answer, Params, RpcError, answer, code};
use crate::node::{Known, Node, Submitted};

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

fn undecodable() -> RpcError {
    RpcError::new(code::DESERIALIZATION, "Block decode failed")
}

/// A block of the node's chain.
pub(super) fn decode(node: &Node, text: &str) -> Result<Block, RpcError> {
    let bytes = hex::decode(text).map_err(|_| undecodable())?;
    Block::decode(&bytes, node.row.role == Role::Auxiliary).map_err(|wrong| {
        tracing::debug!(ticker = %node.row.ticker, %wrong, "undecodable block");
        undecodable()
    })
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
    let wrong = |detail: String| {
        tracing::info!(ticker = %node.row.ticker, detail, "bad payout address");
        RpcError::new(code::INVALID_PARAMETER, "Invalid coinbase payout address")
    };
    let address = Address::parse(text, node.row).map_err(|error| wrong(error.to_string()))?;
    if address.network() != Network::Main {
        return Err(wrong("an address of the local test network".into()));
    }
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
    let target = block.header.bits.target().unwrap_or(Target::MAX);
    let target = hex::encode(target.to_le_bytes());
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
