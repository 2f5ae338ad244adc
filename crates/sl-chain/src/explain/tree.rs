use serde::Serialize;
use sl_units::Hash256;

use super::{
    Spot,
    given::Place,
    script::{find, magics},
};
use crate::{
    auxpow::{AuxPow, MAGIC, MAX_HEIGHT, slot},
    coins::{self, ChainId},
    merkle,
};

/// The auxiliary tree, as far as one chain's branch shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Tree {
    /// Height: the hashes in the branch.
    pub height: usize,
    /// Slots, 2^height.
    pub size: u64,
    /// The chain's slot.
    pub slot: u32,
    /// The root that block and branch lead to; `None` without the block's hash.
    #[serde(serialize_with = "super::maybe_text")]
    pub root: Option<Hash256>,
    /// What the parent's coinbase commits to.
    pub committed: Option<Committed>,
    /// The branch, lowest level first.
    pub branch: Vec<BranchLevel>,
    /// Who is in which slots, in their order.
    pub slots: Vec<SlotRange>,
    /// Where each coin of the table would have to stand in this tree, in the order of the slots.
    pub coins: Vec<CoinSlot>,
}

/// A commitment in a coinbase's script.
#[derive(Debug, Clone, Serialize)]
pub struct Committed {
    /// The root.
    #[serde(serialize_with = "super::text")]
    pub root: Hash256,
    /// The slots it claims, if the script goes on so far.
    pub size: Option<u32>,
    /// The seed of the slot formula, likewise.
    pub nonce: Option<u32>,
    /// Whether the magic stands before it.
    pub magic: bool,
    /// Where the root stands.
    pub spot: Spot,
}

/// On which side of its sibling a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The node is hashed first.
    Left,
    /// The sibling is hashed first.
    Right,
}

/// One step from a leaf to its root.
#[derive(Debug, Clone, Serialize)]
pub struct BranchLevel {
    /// The level, 0 at the leaves.
    pub level: usize,
    /// The side of the node on the way.
    pub side: Side,
    /// The node on the way, before this step; `None` without the leaf.
    #[serde(serialize_with = "super::maybe_text")]
    pub node: Option<Hash256>,
    /// The hash it is paired with.
    #[serde(serialize_with = "super::text")]
    pub sibling: Hash256,
    /// First slot under the sibling.
    pub from: u64,
    /// Last slot under the sibling.
    pub to: u64,
    /// Whether all slots under the sibling are empty, that is zero.
    pub empty: bool,
}

/// Who is in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occupant {
    /// This block.
    Ours,
    /// Nobody: zero.
    Empty,
    /// Another chain's block, or a filler: one hash that is not zero.
    Other,
    /// Only the root over these slots is known.
    Unknown,
}

/// Slots of which the same is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SlotRange {
    /// First slot.
    pub from: u64,
    /// Last slot.
    pub to: u64,
    /// Who is there.
    pub occupant: Occupant,
}

/// A coin's slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoinSlot {
    /// The coin.
    pub ticker: &'static str,
    /// Its chain id.
    pub chain_id: u32,
    /// Its slot at this height and nonce.
    pub slot: u32,
}

pub(super) fn of_proof(proof: &AuxPow, hash: Option<Hash256>, place: Place) -> Tree {
    let height = proof.chain_branch.len();
    let size = 1u64.checked_shl(height as u32).unwrap_or(u64::MAX);
    let branch = levels(hash, &proof.chain_branch, proof.chain_index);
    let root = hash.map(|hash| proof.chain_root(hash));
    let ours = u64::from(proof.chain_index) & size.wrapping_sub(1);
    let mut slots = vec![SlotRange { from: ours, to: ours, occupant: Occupant::Ours }];
    slots.extend(branch.iter().map(|level| SlotRange {
        from: level.from,
        to: level.to,
        occupant: match level {
            BranchLevel { empty: true, .. } => Occupant::Empty,
            BranchLevel { level: 0, .. } => Occupant::Other,
            _ => Occupant::Unknown,
        },
    }));
    slots.sort_by_key(|range| range.from);
    let committed = committed(proof, root, place);
    let nonce = committed.as_ref().and_then(|committed| committed.nonce);
    Tree {
        height,
        size,
        slot: proof.chain_index,
        root,
        coins: nonce.map(|nonce| coin_slots(nonce, height)).unwrap_or_default(),
        committed,
        branch,
        slots,
    }
}

fn coin_slots(nonce: u32, height: usize) -> Vec<CoinSlot> {
    let height = (height as u32).min(MAX_HEIGHT);
    let mut slots: Vec<CoinSlot> = coins::auxiliaries()
        .filter_map(|row| {
            let chain_id = row.chain_id.map(ChainId::get)?;
            let slot = slot(nonce, chain_id, height);
            Some(CoinSlot { ticker: row.ticker.as_str(), chain_id, slot })
        })
        .collect();
    slots.sort_by_key(|coin| coin.slot);
    slots
}

/// The steps from a leaf to its root, as data.
pub(super) fn levels(leaf: Option<Hash256>, branch: &[Hash256], index: u32) -> Vec<BranchLevel> {
    let mut node = leaf;
    let mut nothing = Hash256::ZERO;
    let steps = branch.iter().enumerate().map(|(level, sibling)| {
        let place = u64::from(index).checked_shr(level as u32).unwrap_or(0);
        // A malformed index may have bits above the tree; they take no part.
        let above = branch.len().saturating_sub(level).min(63) as u32;
        let place = place & ((1u64 << above) - 1);
        let width = 1u64.checked_shl(level as u32).unwrap_or(u64::MAX);
        let from = (place ^ 1).saturating_mul(width);
        let step = BranchLevel {
            level,
            side: if place & 1 == 0 { Side::Left } else { Side::Right },
            node,
            sibling: *sibling,
            from,
            to: from.saturating_add(width - 1),
            empty: *sibling == nothing || *sibling == Hash256::ZERO,
        };
        node = node.map(|node| merkle::fold(node, &[*sibling], (place & 1) as u32));
        nothing = merkle::fold(nothing, &[nothing], 0);
        step
    });
    steps.collect()
}

/// The commitment that the script holds: behind the magic, or where the computed root stands.
fn committed(proof: &AuxPow, root: Option<Hash256>, place: Place) -> Option<Committed> {
    let script = proof.coinbase.inputs.first()?.script.as_slice();
    let magic = magics(script).first().map(|at| at + MAGIC.len());
    let at = magic.or_else(|| find(script, &root?.to_display_bytes()))?;
    let root: [u8; 32] = script.get(at..at + 32)?.try_into().ok()?;
    let word = |at: usize| Some(u32::from_le_bytes(script.get(at..at + 4)?.try_into().ok()?));
    Some(Committed {
        root: Hash256::from_display_bytes(root),
        size: word(at + 32),
        nonce: word(at + 36),
        magic: magic.is_some(),
        spot: Spot {
            source: place.source,
            offset: place.offset + proof.layout().script + at,
            length: 32,
            what: "committed root".into(),
        },
    })
}
