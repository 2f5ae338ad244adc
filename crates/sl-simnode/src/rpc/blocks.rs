//! What there is to read of the chain.

use serde::Serialize;
use serde_json::value::RawValue;
use sl_chain::{Transaction, auxpow::AuxPow, block::Block};
use sl_units::{Bits, Hash256, NodeDifficulty};

use super::{Answer, Params, RpcError, answer, code, general, templates::weight};
use crate::{
    chain::Entry,
    node::Node,
    offer::{has_mweb, has_segwit},
};

/// The difficulty of a compact target, as nodes count it.
pub(super) fn difficulty(bits: Bits) -> f64 {
    bits.target().map_or(0.0, |target| NodeDifficulty::from(target).get())
}

/// Keys in the order of the recorded answer. Below the checkpoint there is only the genesis block.
pub(super) fn getblockhash(node: &Node, params: Params<'_>) -> Result<Answer, RpcError> {
    let height = params.integer(0)?.unwrap_or(-1);
    let tip = node.chain.tip_entry().height;
    let Some(height) = u64::try_from(height).ok().filter(|height| *height <= tip) else {
        return Err(RpcError::new(code::INVALID_PARAMETER, "Block height out of range"));
    };
    if height == 0 {
        return answer(&node.row.genesis.to_string());
    }
    match node.chain.hash_at(height) {
        Some(hash) => answer(&hash.to_string()),
        None => Err(pruned()),
    }
}

fn pruned() -> RpcError {
    RpcError::new(code::MISC, "Block not available (pruned data)")
}

fn find<'a>(node: &'a Node, params: Params<'_>) -> Result<(Hash256, &'a Entry), RpcError> {
    let hash = params.hash(0, "blockhash")?;
    match node.chain.get(&hash) {
        Some(entry) => Ok((hash, entry)),
        None if hash == node.row.genesis => Err(pruned()),
        None => Err(RpcError::new(code::INVALID_ADDRESS_OR_KEY, "Block not found")),
    }
}

/// What `getblockheader` and `getblock` have in common, in two runs because `getblock` puts more
/// between. Source: `testdata/auxpow/regtest-e2e/aux_rpc_recordings.json`.
#[derive(Serialize)]
struct Head {
    height: u64,
    version: u32,
    #[serde(rename = "versionHex")]
    version_hex: String,
    merkleroot: String,
}

#[derive(Serialize)]
struct Tail {
    time: u32,
    mediantime: u32,
    nonce: u32,
    bits: String,
    difficulty: f64,
    chainwork: String,
    #[serde(rename = "nTx", skip_serializing_if = "Option::is_none")]
    tx_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previousblockhash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nextblockhash: Option<String>,
}

#[derive(Serialize)]
struct HeaderView {
    hash: String,
    confirmations: i64,
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    tail: Tail,
}

#[derive(Serialize)]
struct BlockView {
    hash: String,
    confirmations: i64,
    strippedsize: usize,
    size: usize,
    weight: usize,
    #[serde(flatten)]
    head: Head,
    tx: Vec<Box<RawValue>>,
    #[serde(flatten)]
    tail: Tail,
    #[serde(skip_serializing_if = "Option::is_none")]
    auxpow: Option<ProofView>,
}

#[derive(Serialize)]
struct TxView {
    txid: String,
    hash: String,
    size: usize,
    weight: usize,
    hex: String,
}

#[derive(Serialize)]
struct ProofView {
    tx: TxView,
    index: u32,
    chainindex: u32,
    merklebranch: Vec<String>,
    chainmerklebranch: Vec<String>,
    parentblock: String,
}

/// −1 beside the best chain, as the daemons have it.
fn confirmations(node: &Node, hash: &Hash256, entry: &Entry) -> i64 {
    if !node.chain.is_active(hash, entry.height) {
        return -1;
    }
    let above = node.chain.tip_entry().height.saturating_sub(entry.height);
    i64::try_from(above).unwrap_or(i64::MAX).saturating_add(1)
}

fn head(entry: &Entry) -> Head {
    Head {
        height: entry.height,
        version: entry.header.version,
        version_hex: format!("{:08x}", entry.header.version),
        merkleroot: entry.header.merkle_root.to_string(),
    }
}

fn tail(node: &Node, hash: &Hash256, entry: &Entry) -> Tail {
    let header = &entry.header;
    let next = node
        .chain
        .is_active(hash, entry.height)
        .then(|| node.chain.hash_at(entry.height.saturating_add(1)))
        .flatten();
    Tail {
        time: header.time,
        mediantime: entry.median_time,
        nonce: header.nonce,
        bits: header.bits.to_string(),
        difficulty: difficulty(header.bits),
        chainwork: entry.work.to_string(),
        tx_count: has_segwit(node.row).then_some(entry.tx_count),
        previousblockhash: (header.prev != Hash256::ZERO).then(|| header.prev.to_string()),
        nextblockhash: next.map(|next| next.to_string()),
    }
}

pub(super) fn getblockheader(node: &Node, params: Params<'_>) -> Result<Answer, RpcError> {
    let (hash, entry) = find(node, params)?;
    if params.level(1, 1)? == 0 {
        let mut bytes = entry.header.to_bytes().to_vec();
        // On auxiliary chains the proof belongs to the header.
        if let Some(proof) = entry.body.as_ref().and_then(|block| block.auxpow.as_ref()) {
            proof.write(&mut bytes);
        }
        return answer(&hex::encode(bytes));
    }
    answer(&HeaderView {
        hash: hash.to_string(),
        confirmations: confirmations(node, &hash, entry),
        head: head(entry),
        tail: tail(node, &hash, entry),
    })
}

pub(super) fn getblock(node: &Node, params: Params<'_>) -> Result<Answer, RpcError> {
    let (hash, entry) = find(node, params)?;
    let block: &Block = entry.body.as_ref().ok_or_else(pruned)?;
    let level = params.level(1, 1)?;
    let bytes = block.encode();
    if level == 0 {
        return answer(&hex::encode(bytes));
    }
    let stripped = stripped_size(block);
    let txs: Vec<Box<RawValue>> = block
        .txs
        .iter()
        .map(|tx| if level == 1 { answer(&tx.txid().to_string()) } else { answer(&tx_view(tx)) })
        .collect::<Result<_, _>>()?;
    answer(&BlockView {
        hash: hash.to_string(),
        confirmations: confirmations(node, &hash, entry),
        strippedsize: stripped,
        size: bytes.len(),
        weight: 3 * stripped + bytes.len(),
        head: head(entry),
        tx: txs,
        tail: tail(node, &hash, entry),
        auxpow: block.auxpow.as_ref().map(proof_view),
    })
}

fn stripped_size(block: &Block) -> usize {
    let proof = block.auxpow.as_ref().map_or(0, |proof| proof.encode().len());
    let txs: usize = block.txs.iter().map(|tx| tx.encode_stripped().len()).sum();
    // One byte for the count: these blocks have few transactions.
    80 + proof + 1 + txs
}

fn tx_view(tx: &Transaction) -> TxView {
    let bytes = tx.encode();
    TxView {
        txid: tx.txid().to_string(),
        hash: tx.wtxid().to_string(),
        size: bytes.len(),
        weight: weight(tx),
        hex: hex::encode(bytes),
    }
}

fn proof_view(proof: &AuxPow) -> ProofView {
    let texts = |hashes: &[Hash256]| hashes.iter().map(Hash256::to_string).collect();
    ProofView {
        tx: tx_view(&proof.coinbase),
        index: proof.coinbase_index,
        chainindex: proof.chain_index,
        merklebranch: texts(&proof.coinbase_branch),
        chainmerklebranch: texts(&proof.chain_branch),
        parentblock: hex::encode(proof.parent.to_bytes()),
    }
}

/// Keys in the order of `testdata/litecoin/regtest-e2e/rpc_http_recordings.txt`; a pruned node
/// says more after `pruned`, and this one keeps few blocks.
#[derive(Serialize)]
struct ChainInfo {
    chain: &'static str,
    blocks: u64,
    headers: u64,
    bestblockhash: String,
    difficulty: f64,
    mediantime: u32,
    verificationprogress: u32,
    initialblockdownload: bool,
    chainwork: String,
    size_on_disk: u64,
    pruned: bool,
    pruneheight: u64,
    automatic_pruning: bool,
    softforks: SoftForks,
    warnings: &'static str,
}

/// All are buried: every coin's start height is far above them.
#[derive(Serialize)]
struct SoftForks {
    csv: Buried,
    #[serde(skip_serializing_if = "Option::is_none")]
    segwit: Option<Buried>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taproot: Option<Buried>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mweb: Option<Buried>,
}

#[derive(Clone, Copy, Serialize)]
struct Buried {
    r#type: &'static str,
    active: bool,
    height: u64,
}

pub(super) fn getblockchaininfo(node: &Node) -> Result<Answer, RpcError> {
    let tip = node.chain.tip_entry();
    let buried = Buried { r#type: "buried", active: true, height: 0 };
    let segwit = has_segwit(node.row).then_some(buried);
    answer(&ChainInfo {
        chain: general::CHAIN,
        blocks: tip.height,
        headers: tip.height,
        bestblockhash: node.chain.tip().to_string(),
        difficulty: difficulty(tip.header.bits),
        mediantime: tip.median_time,
        verificationprogress: 1,
        initialblockdownload: false,
        chainwork: tip.work.to_string(),
        size_on_disk: 0,
        pruned: true,
        pruneheight: node.chain.prune_height(),
        automatic_pruning: true,
        softforks: SoftForks {
            csv: buried,
            segwit,
            taproot: segwit,
            mweb: has_mweb(node.row).then_some(buried),
        },
        warnings: general::WARNING,
    })
}
