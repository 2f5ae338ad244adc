use std::fmt;

use sl_units::{Bits, Hash256};
use thiserror::Error;

use super::{AuxPow, MAGIC, MAX_HEIGHT, slot};
use crate::{
    coins::{ChainId, CoinRow, VersionLayout},
    header::Header,
    merkle,
};

/// How a chain reads a chain id from a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChainIdLayout {
    /// The upper sixteen bits (the Dogecoin family).
    Upper16,
    /// Bits 16 to 20, and only where the AuxPoW flag is set (Bellscoin): bits 28 to 30 stay free
    /// for BIP9.
    FiveBitsIfFlagged,
}

impl ChainIdLayout {
    /// The chain id that a node reads from a version, if it reads any.
    #[must_use]
    pub const fn chain_id(self, version: u32) -> Option<u32> {
        match self {
            Self::Upper16 => Some(version >> 16),
            Self::FiveBitsIfFlagged if version & 0x100 != 0 => Some((version >> 16) & 0x1f),
            Self::FiveBitsIfFlagged => None,
        }
    }
}

/// What an auxiliary chain demands of a proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuxRules {
    /// The chain's id.
    pub chain_id: u32,
    /// How ids stand in versions.
    pub layout: ChainIdLayout,
    /// Whether the block's id must be the chain's and the parent's another.
    pub strict: bool,
    /// Whether the magic may not be left out.
    pub magic_required: bool,
}

impl AuxRules {
    /// What the nodes of a coin demand, by its row; `None` for a parent.
    #[must_use]
    pub fn of(row: &CoinRow) -> Option<Self> {
        let layout = match row.version_layout {
            VersionLayout::Plain => return None,
            VersionLayout::Dogecoin => ChainIdLayout::Upper16,
            VersionLayout::FiveBit => ChainIdLayout::FiveBitsIfFlagged,
        };
        Some(Self {
            chain_id: row.chain_id.map(ChainId::get)?,
            layout,
            strict: row.strict_chain_id,
            magic_required: row.magic_required,
        })
    }
}

/// The rules of `CAuxPow::check` and the header check around it, in the order they are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Rule {
    /// The block's version carries the chain's id.
    OwnChainId,
    /// The block's version has the AuxPoW flag.
    AuxPowFlag,
    /// The proof's coinbase is the first transaction of the parent.
    CoinbaseIndex,
    /// The parent's version does not carry the auxiliary chain's id.
    ParentChainId,
    /// The auxiliary tree is at most 30 high.
    TreeHeight,
    /// The coinbase and its branch lead to the parent's merkle root.
    CoinbaseInParent,
    /// The coinbase has an input, whose script can commit.
    CoinbaseInput,
    /// The root that the block and its branch lead to stands in the coinbase's script.
    RootInCoinbase,
    /// There is one magic at most.
    OneMagic,
    /// The magic stands right before the root.
    MagicBeforeRoot,
    /// The magic stands there at all, where the chain demands it.
    MagicPresent,
    /// Without a magic, the root begins within the first 20 bytes.
    RootAmongFirst20,
    /// Size and nonce follow the root.
    SizeAndNonce,
    /// The size is that of the branch.
    TreeSize,
    /// The chain stands in the slot that nonce and id demand.
    Slot,
    /// The block's target is one.
    Bits,
    /// The parent's proof-of-work hash meets the block's target.
    ProofOfWork,
}

impl Rule {
    /// Every rule, in the order they are tried.
    pub const ALL: [Self; 17] = [
        Self::OwnChainId,
        Self::AuxPowFlag,
        Self::CoinbaseIndex,
        Self::ParentChainId,
        Self::TreeHeight,
        Self::CoinbaseInParent,
        Self::CoinbaseInput,
        Self::RootInCoinbase,
        Self::OneMagic,
        Self::MagicBeforeRoot,
        Self::MagicPresent,
        Self::RootAmongFirst20,
        Self::SizeAndNonce,
        Self::TreeSize,
        Self::Slot,
        Self::Bits,
        Self::ProofOfWork,
    ];

    /// The rule's short name, which never changes: `root-in-coinbase`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OwnChainId => "own-chain-id",
            Self::AuxPowFlag => "auxpow-flag",
            Self::CoinbaseIndex => "coinbase-index",
            Self::ParentChainId => "parent-chain-id",
            Self::TreeHeight => "tree-height",
            Self::CoinbaseInParent => "coinbase-in-parent",
            Self::CoinbaseInput => "coinbase-input",
            Self::RootInCoinbase => "root-in-coinbase",
            Self::OneMagic => "one-magic",
            Self::MagicBeforeRoot => "magic-before-root",
            Self::MagicPresent => "magic-present",
            Self::RootAmongFirst20 => "root-among-first-20",
            Self::SizeAndNonce => "size-and-nonce",
            Self::TreeSize => "tree-size",
            Self::Slot => "slot",
            Self::Bits => "bits",
            Self::ProofOfWork => "proof-of-work",
        }
    }

    /// The rule in words.
    #[must_use]
    pub const fn wording(self) -> &'static str {
        match self {
            Self::OwnChainId => "the block's version must carry the chain's id",
            Self::AuxPowFlag => "the block's version must have the AuxPoW flag 0x100",
            Self::CoinbaseIndex => "the coinbase must stand at index 0 of the parent block",
            Self::ParentChainId => "the parent's version must not carry the auxiliary chain's id",
            Self::TreeHeight => "the auxiliary tree may be at most 30 high",
            Self::CoinbaseInParent => {
                "the coinbase and its branch must lead to the parent's merkle root"
            }
            Self::CoinbaseInput => "the parent's coinbase must have an input",
            Self::RootInCoinbase => "the auxiliary root must stand in the parent's coinbase script",
            Self::OneMagic => "the coinbase script may hold the magic fabe6d6d only once",
            Self::MagicBeforeRoot => {
                "the magic fabe6d6d must stand right before the auxiliary root"
            }
            Self::MagicPresent => "the magic fabe6d6d must stand before the auxiliary root",
            Self::RootAmongFirst20 => {
                "without a magic, the auxiliary root must begin within the first 20 bytes"
            }
            Self::SizeAndNonce => "tree size and nonce must follow the auxiliary root",
            Self::TreeSize => "the committed tree size must be that of the branch",
            Self::Slot => "the chain must stand in the slot that nonce and chain id demand",
            Self::Bits => "the block's compact target must be valid",
            Self::ProofOfWork => "the parent's proof-of-work hash must meet the auxiliary target",
        }
    }
}

/// Which bytes an offset counts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The auxiliary block's 80-byte header.
    Header,
    /// The serialised proof.
    Proof,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Proof => "proof",
        })
    }
}

/// Why a proof is refused: the rule, where, what stands there and what should.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: byte {offset} of the {part}: found {found}, wanted {wanted}", .rule.wording())]
pub struct Refusal {
    /// The rule broken.
    pub rule: Rule,
    /// Which bytes the offset counts from.
    pub part: Part,
    /// Where the offending bytes begin.
    pub offset: usize,
    /// What stands there.
    pub found: String,
    /// What should.
    pub wanted: String,
}

/// Checks a proof of work by a parent chain exactly as the auxiliary nodes do. `pow` computes the
/// proof-of-work hash of the parent's 80 bytes; it is called last, and only if all else holds.
///
/// # Errors
/// The first rule broken, in the order of [`Rule`].
pub fn verify(
    block: &Header,
    proof: &AuxPow,
    rules: &AuxRules,
    pow: impl FnOnce(&[u8; 80]) -> Hash256,
) -> Result<(), Refusal> {
    let refuse = |rule, part, offset, found: String, wanted: String| {
        Err(Refusal { rule, part, offset, found, wanted })
    };
    let own = rules.layout.chain_id(block.version);
    if rules.strict && own != Some(rules.chain_id) {
        let found = format!("id {} (version {:08x})", own.unwrap_or(0), block.version);
        return refuse(Rule::OwnChainId, Part::Header, 0, found, format!("id {}", rules.chain_id));
    }
    if !block.has_auxpow() {
        let found = format!("version {:08x}", block.version);
        return refuse(Rule::AuxPowFlag, Part::Header, 1, found, "bit 0x100 set".into());
    }
    verify_committed(block.hash(), block.bits, proof, rules, pow)
}

/// Checks a proof for a block of which only hash and compact target are known, as a miner knows it
/// from `createauxblock`: all of [`verify`] but what the block's own header says.
///
/// # Errors
/// The first rule broken, in the order of [`Rule`].
pub fn verify_committed(
    block: Hash256,
    bits: Bits,
    proof: &AuxPow,
    rules: &AuxRules,
    pow: impl FnOnce(&[u8; 80]) -> Hash256,
) -> Result<(), Refusal> {
    let layout = proof.layout();
    let refuse = |rule, part, offset, found: String, wanted: String| {
        Err(Refusal { rule, part, offset, found, wanted })
    };
    if proof.coinbase_index != 0 {
        let found = proof.coinbase_index.to_string();
        return refuse(Rule::CoinbaseIndex, Part::Proof, layout.coinbase_index, found, "0".into());
    }
    if rules.strict && rules.layout.chain_id(proof.parent.version) == Some(rules.chain_id) {
        let found =
            format!("version {:08x}, which reads as id {}", proof.parent.version, rules.chain_id);
        return refuse(Rule::ParentChainId, Part::Proof, layout.parent, found, "another id".into());
    }
    let height = proof.chain_branch.len() as u32;
    if height > MAX_HEIGHT {
        return refuse(
            Rule::TreeHeight,
            Part::Proof,
            layout.chain_branch,
            height.to_string(),
            "30 at most".into(),
        );
    }
    let parent_root =
        merkle::fold(proof.coinbase.txid(), &proof.coinbase_branch, proof.coinbase_index);
    if parent_root != proof.parent.merkle_root {
        // 36 bytes into the parent header stands its merkle root.
        let found = proof.parent.merkle_root.to_string();
        return refuse(
            Rule::CoinbaseInParent,
            Part::Proof,
            layout.parent + 36,
            found,
            parent_root.to_string(),
        );
    }
    commitment(block, proof, rules, layout.script, layout.chain_index)?;
    let target = match bits.target() {
        Ok(target) => target,
        Err(wrong) => {
            return refuse(
                Rule::Bits,
                Part::Header,
                72,
                wrong.to_string(),
                "a positive 256-bit target".into(),
            );
        }
    };
    let work = pow(&proof.parent.to_bytes());
    if !target.is_met_by(&work) {
        return refuse(
            Rule::ProofOfWork,
            Part::Proof,
            layout.parent,
            work.to_string(),
            format!("at most {target}"),
        );
    }
    Ok(())
}

/// The rules about what the coinbase's script commits to.
fn commitment(
    block: Hash256,
    proof: &AuxPow,
    rules: &AuxRules,
    script_offset: usize,
    index_offset: usize,
) -> Result<(), Refusal> {
    let refuse = |rule, at: usize, found: String, wanted: String| {
        Err(Refusal { rule, part: Part::Proof, offset: script_offset + at, found, wanted })
    };
    let Some(input) = proof.coinbase.inputs.first() else {
        return refuse(Rule::CoinbaseInput, 0, "none".into(), "one".into());
    };
    let script = input.script.as_slice();
    let root = proof.chain_root(block);
    let magic_at = find(script, &MAGIC);
    let Some(root_at) = find(script, &root.to_display_bytes()) else {
        // Point at what stands where the root would be.
        let at = magic_at.map_or(0, |at| at + MAGIC.len());
        let found = hex::encode(script.iter().copied().skip(at).take(32).collect::<Vec<u8>>());
        return refuse(Rule::RootInCoinbase, at, found, root.to_string());
    };
    match magic_at {
        Some(magic_at) => {
            let after = magic_at + MAGIC.len();
            if let Some(again) = script.get(magic_at + 1..).and_then(|rest| find(rest, &MAGIC)) {
                let at = magic_at + 1 + again;
                return refuse(Rule::OneMagic, at, "a second magic".into(), "one".into());
            }
            if after != root_at {
                let wanted = format!("the root at byte {} of the proof", script_offset + after);
                return refuse(Rule::MagicBeforeRoot, root_at, "the root".into(), wanted);
            }
        }
        None if rules.magic_required => {
            return refuse(
                Rule::MagicPresent,
                root_at,
                "a bare root".into(),
                "fabe6d6d before it".into(),
            );
        }
        None if root_at > 20 => {
            let found = format!("at byte {root_at} of the script");
            return refuse(Rule::RootAmongFirst20, root_at, found, "at byte 20 or before".into());
        }
        None => {}
    }
    let after = root_at + 32;
    let words = script.get(after..after + 8).and_then(|both| both.split_first_chunk::<4>());
    let Some((size, nonce)) = words else {
        let left = script.len().saturating_sub(after);
        return refuse(Rule::SizeAndNonce, after, format!("{left} bytes"), "8 bytes".into());
    };
    let size = u32::from_le_bytes(*size);
    let nonce = nonce.try_into().map_or(0, u32::from_le_bytes);
    let height = proof.chain_branch.len() as u32;
    if size != 1 << height {
        return refuse(Rule::TreeSize, after, size.to_string(), format!("{}", 1u32 << height));
    }
    let wanted = slot(nonce, rules.chain_id, height);
    if proof.chain_index != wanted {
        return Err(Refusal {
            rule: Rule::Slot,
            part: Part::Proof,
            offset: index_offset,
            found: format!("slot {}", proof.chain_index),
            wanted: format!("slot {wanted} (nonce {nonce}, id {}, {size} slots)", rules.chain_id),
        });
    }
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
