//! Merkle trees as chains build them: `sha256d(left ‖ right)`, an odd last node paired with itself.

use sl_units::Hash256;

use crate::sha256d;

/// The root of a tree over `leaves`; of one leaf, the leaf; of none, zero.
#[must_use]
pub fn root(leaves: &[Hash256]) -> Hash256 {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level.chunks(2).map(root_of_pair).collect();
    }
    level.first().copied().unwrap_or_default()
}

/// The hashes that lead from the leaf at `index` to the root, lowest first.
#[must_use]
pub fn branch(leaves: &[Hash256], index: usize) -> Vec<Hash256> {
    let mut level = leaves.to_vec();
    let mut index = index;
    let mut branch = Vec::new();
    while level.len() > 1 {
        let sibling =
            level.get(index ^ 1).or_else(|| level.get(index)).copied().unwrap_or_default();
        branch.push(sibling);
        level = level.chunks(2).map(root_of_pair).collect();
        index >>= 1;
    }
    branch
}

/// The root that a leaf and its branch lead to; bit *k* of `index` says on which side of level *k*
/// the leaf stands.
#[must_use]
pub fn fold(leaf: Hash256, branch: &[Hash256], index: u32) -> Hash256 {
    branch.iter().enumerate().fold(leaf, |node, (level, sibling)| {
        if index.checked_shr(level as u32).unwrap_or(0) & 1 == 0 {
            node_of(&node, sibling)
        } else {
            node_of(sibling, &node)
        }
    })
}

pub(crate) fn root_of_pair(nodes: &[Hash256]) -> Hash256 {
    match nodes {
        [left, right] => node_of(left, right),
        [last] => node_of(last, last),
        _ => Hash256::ZERO,
    }
}

fn node_of(left: &Hash256, right: &Hash256) -> Hash256 {
    let mut both = [0; 64];
    let (low, high) = both.split_at_mut(32);
    low.copy_from_slice(left.as_bytes());
    high.copy_from_slice(right.as_bytes());
    sha256d(&both)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_branch_leads_to_the_root(leaves in prop::collection::vec(any::<[u8; 32]>(), 1..70), pick: prop::sample::Index) {
            let leaves: Vec<_> = leaves.into_iter().map(Hash256::from_bytes).collect();
            let index = pick.index(leaves.len());
            prop_assert_eq!(fold(leaves[index], &branch(&leaves, index), index as u32), root(&leaves));
        }
    }
}
