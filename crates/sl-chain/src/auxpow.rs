//! AuxPoW: the proof of work of a parent chain, as auxiliary chains carry it.
//!
//! ```text
//! parent coinbase | hash field (32) | branch coinbase→parent root | index (4, must be 0)
//!                 | branch leaf→auxiliary root | slot (4) | parent header (80)
//! ```
//!
//! Source: `src/auxpow.cpp` of Dogecoin 1.14 and its kin, Bellscoin v3; 27 recorded vectors in
//! `testdata/auxpow`.

use sl_units::Hash256;

use crate::{
    codec::{DecodeError, Reader, put_compact_size},
    header::Header,
    merkle,
    tx::Transaction,
};

mod tree;
mod verify;

pub use tree::{AuxTree, Collision, Commitment, MAX_HEIGHT, PlanError, least_height, slot};
pub use verify::{AuxRules, ChainIdLayout, Part, Refusal, Rule, verify, verify_committed};

/// Magic that announces a merged-mining commitment in a coinbase.
pub const MAGIC: [u8; 4] = [0xfa, 0xbe, 0x6d, 0x6d];

/// The proof that a parent chain's work commits to an auxiliary block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuxPow {
    /// The parent's coinbase; its plain form's id is the merkle leaf.
    pub coinbase: Transaction,
    /// Once the parent's hash; no node reads it.
    pub hash_field: Hash256,
    /// From the coinbase to the parent's merkle root.
    pub coinbase_branch: Vec<Hash256>,
    /// Place of the coinbase in the parent's tree; nodes demand 0.
    pub coinbase_index: u32,
    /// From the auxiliary block's hash to the committed root.
    pub chain_branch: Vec<Hash256>,
    /// Place of the chain in the auxiliary tree.
    pub chain_index: u32,
    /// The header that has the work.
    pub parent: Header,
}

/// Where each part of a serialised proof begins, in bytes from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Where the coinbase's script begins.
    pub script: usize,
    /// The unread hash.
    pub hash_field: usize,
    /// First hash of the coinbase branch.
    pub coinbase_branch: usize,
    /// Index of the coinbase.
    pub coinbase_index: usize,
    /// First hash of the chain branch.
    pub chain_branch: usize,
    /// Slot of the chain.
    pub chain_index: usize,
    /// The parent header.
    pub parent: usize,
    /// Length of the whole.
    pub end: usize,
}

impl AuxPow {
    /// Reads a proof.
    ///
    /// # Errors
    /// Bytes that no node decodes.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            coinbase: Transaction::read(reader)?,
            hash_field: reader.hash("parent hash field")?,
            coinbase_branch: branch(reader, "coinbase branch")?,
            coinbase_index: reader.u32("coinbase index")?,
            chain_branch: branch(reader, "chain branch")?,
            chain_index: reader.u32("chain index")?,
            parent: Header::read(reader)?,
        })
    }

    /// A proof that is the whole of `bytes`.
    ///
    /// # Errors
    /// As [`AuxPow::read`], or bytes left over.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let proof = Self::read(&mut reader)?;
        reader.finish("the proof")?;
        Ok(proof)
    }

    /// Appends the proof.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.coinbase.encode());
        out.extend_from_slice(self.hash_field.as_bytes());
        put_branch(out, &self.coinbase_branch);
        out.extend_from_slice(&self.coinbase_index.to_le_bytes());
        put_branch(out, &self.chain_branch);
        out.extend_from_slice(&self.chain_index.to_le_bytes());
        out.extend_from_slice(&self.parent.to_bytes());
    }

    /// The proof's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.write(&mut out);
        out
    }

    /// Where the parts stand in [`AuxPow::encode`].
    #[must_use]
    pub fn layout(&self) -> Layout {
        let size = |count: usize| {
            let mut prefix = Vec::new();
            put_compact_size(&mut prefix, count as u64);
            prefix.len()
        };
        let script_len = self.coinbase.inputs.first().map_or(0, |input| input.script.len());
        let extended = if self.coinbase.has_witness() || self.coinbase.hogex { 2 } else { 0 };
        let script = 4 + extended + size(self.coinbase.inputs.len()) + 36 + size(script_len);
        let hash_field = self.coinbase.encode().len();
        let coinbase_branch = hash_field + 32 + size(self.coinbase_branch.len());
        let coinbase_index = coinbase_branch + 32 * self.coinbase_branch.len();
        let chain_branch = coinbase_index + 4 + size(self.chain_branch.len());
        let chain_index = chain_branch + 32 * self.chain_branch.len();
        let parent = chain_index + 4;
        Layout {
            script,
            hash_field,
            coinbase_branch,
            coinbase_index,
            chain_branch,
            chain_index,
            parent,
            end: parent + Header::LEN,
        }
    }

    /// The root that the auxiliary block's hash and its branch lead to.
    #[must_use]
    pub fn chain_root(&self, aux_hash: Hash256) -> Hash256 {
        merkle::fold(aux_hash, &self.chain_branch, self.chain_index)
    }
}

fn branch(reader: &mut Reader<'_>, what: &'static str) -> Result<Vec<Hash256>, DecodeError> {
    let count = reader.count(32, what)?;
    (0..count).map(|_| reader.hash(what)).collect()
}

fn put_branch(out: &mut Vec<u8>, branch: &[Hash256]) {
    put_compact_size(out, branch.len() as u64);
    for hash in branch {
        out.extend_from_slice(hash.as_bytes());
    }
}
