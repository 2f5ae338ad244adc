use sl_units::Hash256;
use thiserror::Error;

use super::MAGIC;
use crate::merkle;

/// Highest auxiliary tree that nodes accept.
pub const MAX_HEIGHT: u32 = 30;

/// The slot that a chain must take in a tree of 2^height slots: two rounds of a linear congruential
/// generator modulo 2³², then modulo the size (`CAuxPow::getExpectedIndex`).
#[must_use]
pub fn slot(nonce: u32, chain_id: u32, height: u32) -> u32 {
    let round = |value: u32| value.wrapping_mul(1_103_515_245).wrapping_add(12_345);
    round(round(nonce).wrapping_add(chain_id)) & mask(height)
}

const fn mask(height: u32) -> u32 {
    if height >= 32 { u32::MAX } else { (1 << height) - 1 }
}

/// Two chains that can share no tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collision {
    /// The id of the one.
    pub first: u32,
    /// The id of the other.
    pub second: u32,
}

/// Why a set of chains cannot be merge-mined together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// Ids equal modulo 2³⁰ want the same slot at every height, whatever the nonce.
    #[error("chain ids {} and {} want the same slot in every tree; leave one of the two chains out", .0.first, .0.second)]
    Collision(Collision),
    /// Nothing to mine.
    #[error("no auxiliary chain is given")]
    Empty,
}

/// The least height at which all ids have slots of their own.
///
/// Two ids collide exactly when they are equal modulo 2^height: the difference of their slots is
/// 1103515245 × (difference of ids), and the factor is odd. The nonce cancels out, so no nonce
/// ever resolves a collision, and only a higher tree does.
///
/// # Errors
/// No chain, or two ids that no height tells apart.
pub fn least_height(chain_ids: &[u32]) -> Result<u32, PlanError> {
    if chain_ids.is_empty() {
        return Err(PlanError::Empty);
    }
    let mut height = 0;
    for (at, &first) in chain_ids.iter().enumerate() {
        for &second in chain_ids.iter().skip(at + 1) {
            height = height.max((first ^ second).trailing_zeros() + 1);
            if height > MAX_HEIGHT {
                return Err(PlanError::Collision(Collision { first, second }));
            }
        }
    }
    Ok(height)
}

/// What a parent's coinbase says about the auxiliary tree: 44 bytes, `fabe6d6d`, the root in
/// display order, size and nonce least significant byte first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment {
    /// Root of the auxiliary tree.
    pub root: Hash256,
    /// Slots in the tree, a power of two.
    pub size: u32,
    /// Seed of the slot formula.
    pub nonce: u32,
}

impl Commitment {
    /// The 44 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 44] {
        let mut out = [0; 44];
        let (magic, rest) = out.split_at_mut(4);
        let (root, rest) = rest.split_at_mut(32);
        let (size, nonce) = rest.split_at_mut(4);
        magic.copy_from_slice(&MAGIC);
        root.copy_from_slice(&self.root.to_display_bytes());
        size.copy_from_slice(&self.size.to_le_bytes());
        nonce.copy_from_slice(&self.nonce.to_le_bytes());
        out
    }
}

/// The tree of auxiliary block hashes that one parent block commits to. Empty slots are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuxTree {
    leaves: Vec<Hash256>,
    height: u32,
}

impl AuxTree {
    /// The smallest tree for chains given as (chain id, block hash). The nonce is 0: another one
    /// would only turn the slots round.
    ///
    /// # Errors
    /// No chain, or ids that collide in every tree.
    pub fn build(chains: &[(u32, Hash256)]) -> Result<Self, PlanError> {
        let ids: Vec<u32> = chains.iter().map(|(id, _)| *id).collect();
        let height = least_height(&ids)?;
        let mut leaves = vec![Hash256::ZERO; 1 << height];
        for (id, hash) in chains {
            if let Some(leaf) = leaves.get_mut(slot(0, *id, height) as usize) {
                *leaf = *hash;
            }
        }
        Ok(Self { leaves, height })
    }

    /// What goes into the parent's coinbase.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        Commitment { root: merkle::root(&self.leaves), size: 1 << self.height, nonce: 0 }
    }

    /// Height of the tree; it has 2^height slots.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// Slot of a chain and the branch from its leaf to the root.
    #[must_use]
    pub fn branch(&self, chain_id: u32) -> (u32, Vec<Hash256>) {
        let index = slot(0, chain_id, self.height);
        (index, merkle::branch(&self.leaves, index as usize))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slots_of_the_coin_table() {
        for (id, expected) in [
            (98, 24),
            (16, 14),
            (63, 17),
            (8211, 21),
            (8224, 30),
            (50, 8),
            (74, 0),
            (8228, 18),
            (168, 6),
        ] {
            assert_eq!(slot(0, id, 5), expected, "chain id {id}");
        }
    }

    #[test]
    fn heights_that_the_collision_law_forces() {
        assert_eq!(least_height(&[98]), Ok(0));
        assert_eq!(least_height(&[98, 50]), Ok(5));
        assert_eq!(least_height(&[16, 8224]), Ok(5));
        assert_eq!(least_height(&[98, 16, 63, 8211, 8224, 50, 74, 8228, 168]), Ok(5));
        assert_eq!(
            least_height(&[98, 98]),
            Err(PlanError::Collision(Collision { first: 98, second: 98 }))
        );
        assert_eq!(least_height(&[]), Err(PlanError::Empty));
    }

    proptest! {
        #[test]
        fn the_collision_law_holds_for_every_nonce(nonce: u32, first: u32, second: u32, height in 0u32..=30) {
            let collide = slot(nonce, first, height) == slot(nonce, second, height);
            prop_assert_eq!(collide, first & mask(height) == second & mask(height));
        }

        #[test]
        fn every_chain_finds_its_way_to_the_root(ids in prop::collection::hash_set(0u32..65_536, 1..12)) {
            let chains: Vec<_> = ids.iter().map(|id| (*id, crate::sha256d(&id.to_le_bytes()))).collect();
            // Sixteen bits tell any two ids apart, so a tree always exists.
            let tree = AuxTree::build(&chains).expect("distinct ids");
            for (id, hash) in &chains {
                let (index, branch) = tree.branch(*id);
                prop_assert_eq!(branch.len() as u32, tree.height());
                prop_assert_eq!(merkle::fold(*hash, &branch, index), tree.commitment().root);
            }
        }
    }
}
