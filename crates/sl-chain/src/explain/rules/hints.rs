use sl_units::{Hash256, NodeDifficulty, Target};

use super::Case;
use crate::{
    auxpow::{AuxPow, MAGIC, Refusal, Rule},
    coins,
    explain::{
        chain::Identity,
        fields::difficulty,
        script::{find, magics},
    },
    merkle,
};

/// The cure of a broken rule, as particular as the bytes allow.
pub(super) fn of(
    refusal: &Refusal,
    proof: &AuxPow,
    case: &Case,
    identity: &Identity,
    work_holds: bool,
) -> String {
    match refusal.rule {
        Rule::OwnChainId => own_chain_id(case),
        Rule::AuxPowFlag => {
            "set bit 0x100 of the version before the block's hash goes into the tree: \
             the hash covers it"
                .into()
        }
        Rule::CoinbaseIndex => "write 0: the coinbase is the first transaction of any block".into(),
        Rule::ParentChainId => {
            "the parent's version bits 16 and up were rolled; mask them off in the machines' \
             version mask"
                .into()
        }
        Rule::TreeHeight => "the branch has more hashes than any tree a node accepts".into(),
        Rule::CoinbaseInParent => coinbase_in_parent(proof, work_holds),
        Rule::CoinbaseInput => "the proof does not begin with the parent's coinbase".into(),
        Rule::RootInCoinbase => root_in_coinbase(proof, case.hash),
        Rule::OneMagic => {
            "leave out the second magic: check that no tag and no other part of the pool writes one"
                .into()
        }
        Rule::MagicBeforeRoot => "put the 32 bytes of the root right behind the magic".into(),
        Rule::MagicPresent => {
            let name = identity.facts.name.unwrap_or("this chain");
            format!("{name} takes no bare root: write fabe6d6d before it")
        }
        Rule::RootAmongFirst20 => {
            "write fabe6d6d right before the root; then it may stand anywhere in the script".into()
        }
        Rule::SizeAndNonce => {
            "write tree size and nonce behind the root, four bytes each, least significant first"
                .into()
        }
        Rule::TreeSize => tree_size(proof),
        Rule::Slot => slot(refusal, proof, case),
        Rule::Bits => "the compact target is no target; take `bits` of createauxblock".into(),
        Rule::ProofOfWork => proof_of_work(case),
    }
}

fn own_chain_id(case: &Case) -> String {
    let carried = case.header.and_then(|header| {
        let named =
            coins::auxiliaries().find(|row| row.chain_id_of(header.version) == row.chain_id);
        named.map(|row| row.name)
    });
    match carried {
        Some(name) => format!("this is a block of {name}; judge it by that coin's rules"),
        None => "take the version of the node's own block: chain id in the upper 16 bits".into(),
    }
}

fn coinbase_in_parent(proof: &AuxPow, work_holds: bool) -> String {
    let folded = |leaf: Hash256, branch: &[Hash256]| {
        merkle::fold(leaf, branch, 0) == proof.parent.merkle_root
    };
    let branch = &proof.coinbase_branch;
    if folded(proof.coinbase.wtxid(), branch) && proof.coinbase.has_witness() {
        return "the parent's root was made from the coinbase with its witness; \
                hash it without witness"
            .into();
    }
    let reversed: Vec<Hash256> = branch.iter().map(|hash| swapped(*hash)).collect();
    if folded(proof.coinbase.txid(), &reversed) {
        return "the branch's hashes are in display order; reverse the bytes of each".into();
    }
    let backwards: Vec<Hash256> = branch.iter().rev().copied().collect();
    if folded(proof.coinbase.txid(), &backwards) {
        return "the branch is upside down; put the hash next to the coinbase first".into();
    }
    if work_holds {
        "the parent header has its work, so coinbase or branch are not those that were hashed: \
         compare the extranonces"
            .into()
    } else {
        "coinbase, branch and parent header are not of one job: compare job and extranonces".into()
    }
}

/// A hash with its bytes reversed.
fn swapped(hash: Hash256) -> Hash256 {
    Hash256::from_bytes(hash.to_display_bytes())
}

/// Tries the usual mistakes until one explains what is committed.
fn root_in_coinbase(proof: &AuxPow, hash: Hash256) -> String {
    const GENERAL: &str = "the block is not the one that the tree was built of (another header or \
                           template), or a hash of the chain branch is wrong";
    let script = proof.committing_script().unwrap_or_default();
    let root = proof.chain_root(hash);
    if let Some(at) = find(script, root.as_bytes()) {
        return format!(
            "the root stands at byte {at} of the script in internal order; reverse its 32 bytes"
        );
    }
    let Some(&magic) = magics(script).first() else {
        return "the script has no magic and no root: the job was made without this chain".into();
    };
    let committed = script
        .get(magic + MAGIC.len()..)
        .and_then(|rest| rest.first_chunk::<32>())
        .map(|root| Hash256::from_display_bytes(*root));
    let Some(committed) = committed else {
        return "the script ends before the root is whole".into();
    };
    let branch = &proof.chain_branch;
    // Every slot of a tree larger than any pool's would take long.
    let slots = 1u32 << branch.len().min(10);
    let each: Vec<Hash256> = branch.iter().map(|hash| swapped(*hash)).collect();
    let backwards: Vec<Hash256> = branch.iter().rev().copied().collect();
    for (leaf, branch, wrong) in [
        (hash, branch, "the chain index"),
        (
            swapped(hash),
            branch,
            "the leaf's byte order (it went in as displayed), perhaps the index",
        ),
        (hash, &each, "the branch's byte order (reverse each hash), perhaps the index"),
        (hash, &backwards, "the branch's order (leaf first), perhaps the index"),
    ] {
        for index in 0..slots {
            if merkle::fold(leaf, branch, index) == committed {
                return format!(
                    "what is wrong is {wrong}: with index {index} it leads to the root"
                );
            }
        }
    }
    if !branch.is_empty() && committed == hash {
        return "the block's hash alone is committed, a tree of one slot: the branch must be empty"
            .into();
    }
    GENERAL.into()
}

fn tree_size(proof: &AuxPow) -> String {
    let height = proof.chain_branch.len();
    format!(
        "a branch of {height} hashes is of a tree of {} slots; the size counts slots, not chains \
         and not levels",
        1u64.checked_shl(height as u32).unwrap_or(0)
    )
}

fn slot(refusal: &Refusal, proof: &AuxPow, case: &Case) -> String {
    let height = proof.chain_branch.len() as u32;
    format!(
        "slots are not given out in order: build the tree with the leaf of chain id {} at the {}",
        case.rules.chain_id,
        refusal.wanted.split(" (").next().unwrap_or("slot wanted"),
    ) + if height == 0 { "" } else { ", and branch and root of that tree" }
}

fn proof_of_work(case: &Case) -> String {
    let of = |target: Target| difficulty(NodeDifficulty::from(target).get());
    let reached = of(Target::from_le_bytes(*case.work.as_bytes()));
    let needed = case.bits.target().map_or_else(|_| "?".into(), of);
    format!(
        "the work has difficulty {reached}, the block needs {needed} (node scale): a share that is \
         too easy, or a parent header that was changed after hashing"
    )
}
