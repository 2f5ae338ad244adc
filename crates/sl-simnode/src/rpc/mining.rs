//! How mining stands, and the wait for a block.

use std::time::Duration;

use serde::Serialize;
use sl_units::Mono;

use super::{
    Answer, Params, Reply, RpcError, Wait, answer, blocks::difficulty, code, general,
    templates::weight,
};
use crate::{
    node::Node,
    offer::{has_mweb, has_segwit},
};

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
