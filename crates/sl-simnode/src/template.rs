//! Templates of the next block: what `getblocktemplate` says, and what `createauxblock` hides.

use std::sync::Arc;

use sl_chain::{
    Header, Transaction, TxOut,
    block::{Block, witness_commitment_script},
    coinbase::CoinbasePlan,
    coins::CoinRow,
    merkle, sha256d,
};
use sl_units::{Bits, Hash256};

use crate::{
    chain::Chain,
    offer::{Offer, has_segwit},
};

/// What the block after the tip must or may be.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) prev: Hash256,
    pub(crate) height: u64,
    pub(crate) bits: Bits,
    /// Least time: one past the median of the last 11.
    pub(crate) min_time: u32,
    /// Chain time, or `min_time` if the clock is behind it.
    pub(crate) time: u32,
    /// Most that the miner may pay himself: his reward and the fees.
    pub(crate) coinbase_value: u64,
    /// Script that commits to the witnesses, where the chain has them.
    pub(crate) commitment: Option<Vec<u8>>,
    /// What consensus gives to a foundation.
    pub(crate) dev_fund: Option<TxOut>,
    pub(crate) offer: Arc<Offer>,
}

/// The foundation's part of a reward, if there is one. The real coins name its addresses in their
/// source; here they stand for one that nobody has the key of.
pub(crate) fn dev_fund(row: &CoinRow, height: u64) -> Option<TxOut> {
    let (whole, miner) = (row.reward_at(height).units(), row.miner_reward_at(height).units());
    let value = whole.checked_sub(miner).filter(|value| *value > 0)?;
    let nobody = sha256d(b"silverlode: play development fund, nobody has the key");
    let hash = nobody.as_bytes().get(..20)?;
    Some(TxOut { value, script: [&[0x76, 0xa9, 0x14], hash, &[0x88, 0xac]].concat() })
}

impl Template {
    /// The template on top of the tip. `now` is chain time.
    pub(crate) fn next(chain: &Chain, offer: Arc<Offer>, now: u32) -> Self {
        let (row, tip) = (chain.row, chain.tip_entry());
        let height = tip.height.saturating_add(1);
        let min_time = tip.median_time.saturating_add(1);
        let bits = chain.branch(chain.tip()).map_or(tip.header.bits, |branch| branch.next_bits());
        let commitment = has_segwit(row).then(|| {
            let leaves: Vec<Hash256> = std::iter::once(Hash256::ZERO)
                .chain(offer.transactions().map(Transaction::wtxid))
                .collect();
            witness_commitment_script(merkle::root(&leaves))
        });
        Self {
            prev: chain.tip(),
            height,
            bits,
            min_time,
            time: now.max(min_time),
            coinbase_value: row.miner_reward_at(height).units().saturating_add(offer.fees()),
            commitment,
            dev_fund: dev_fund(row, height),
            offer,
        }
    }

    /// The whole block that pays `script`, without proof of work; `None` if its coinbase cannot be
    /// built, which no script of an address brings about.
    pub(crate) fn block(&self, version: u32, script: &[u8]) -> Option<Block> {
        let mut outputs = vec![TxOut { value: self.coinbase_value, script: script.to_vec() }];
        outputs.extend(self.dev_fund.clone());
        if let Some(commitment) = &self.commitment {
            outputs.push(TxOut { value: 0, script: commitment.clone() });
        }
        let plan = CoinbasePlan {
            height: self.height,
            commitment: None,
            extranonce_len: 0,
            tag: b"",
            outputs: &outputs,
        };
        let parts = plan.build().ok()?;
        let mut coinbase =
            Transaction::decode(&[&parts.prefix[..], &parts.suffix].concat()).ok()?;
        if self.commitment.is_some() {
            add_witness(&mut coinbase);
        }
        let txs: Vec<Transaction> =
            std::iter::once(coinbase).chain(self.offer.transactions().cloned()).collect();
        let ids: Vec<Hash256> = txs.iter().map(Transaction::txid).collect();
        let header = Header {
            version,
            prev: self.prev,
            merkle_root: merkle::root(&ids),
            time: self.time,
            bits: self.bits,
            nonce: 0,
        };
        Some(Block { header, auxpow: None, txs, mweb: self.offer.mweb.clone() })
    }
}

/// Gives a coinbase the one witness that BIP 141 demands.
pub(crate) fn add_witness(coinbase: &mut Transaction) {
    if let Some(input) = coinbase.inputs.first_mut() {
        input.witness = vec![vec![0; 32]];
    }
}
