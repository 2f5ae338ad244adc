//! Whole blocks and the rules that they carry in themselves.

use sl_units::Hash256;
use thiserror::Error;

use crate::{
    auxpow::AuxPow,
    codec::{DecodeError, Reader, put_compact_size},
    header::Header,
    merkle, sha256d,
    tx::Transaction,
};

/// A block: header, a parent's proof of work on auxiliary chains, transactions, and on Litecoin
/// the extension block as opaque bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// The 80-byte header.
    pub header: Header,
    /// The parent's proof of work, when the header's version says so.
    pub auxpow: Option<AuxPow>,
    /// Transactions, the coinbase first.
    pub txs: Vec<Transaction>,
    /// The extension block, without the `0x01` that announces it; only behind a HogEx.
    pub mweb: Option<Vec<u8>>,
}

/// First bytes of the output that commits to the witnesses (BIP141): return, push 36, magic.
pub const WITNESS_COMMITMENT_PREFIX: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// Which structural rule a block breaks; the words are those of the nodes' `submitblock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BlockFault {
    /// The transactions' root is not the header's.
    #[error("bad-txnmrklroot")]
    MerkleRoot,
    /// The tree repeats a run of transactions, which keeps the root (CVE-2012-2459).
    #[error("bad-txns-duplicate")]
    DuplicateTransactions,
    /// No transaction, or the first is no coinbase.
    #[error("bad-cb-missing")]
    NoCoinbase,
    /// A second coinbase.
    #[error("bad-cb-multiple")]
    SecondCoinbase,
    /// The coinbase's witness is not one item of 32 bytes.
    #[error("bad-witness-nonce-size")]
    WitnessNonce,
    /// The committed witness root is another.
    #[error("bad-witness-merkle-match")]
    WitnessCommitment,
    /// A witness without any commitment.
    #[error("unexpected-witness")]
    UnexpectedWitness,
}

impl Block {
    /// A block that is the whole of `bytes`. `auxiliary` says whether the chain has AuxPoW, which
    /// the bytes alone do not tell: a parent's version may carry the same bit.
    ///
    /// # Errors
    /// Bytes that no node of the chain decodes.
    pub fn decode(bytes: &[u8], auxiliary: bool) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader)?;
        let auxpow =
            if auxiliary && header.has_auxpow() { Some(AuxPow::read(&mut reader)?) } else { None };
        let count = reader.count(10, "transaction count")?;
        let txs =
            (0..count).map(|_| Transaction::read(&mut reader)).collect::<Result<Vec<_>, _>>()?;
        let mut mweb = None;
        if txs.len() >= 2 && txs.last().is_some_and(|last| last.hogex) {
            let offset = reader.offset();
            match reader.u8("extension block marker")? {
                0 => {}
                1 => {
                    let rest = reader.rest().len();
                    mweb = Some(reader.take(rest, "extension block")?.to_vec());
                }
                other => {
                    return Err(DecodeError::Invalid {
                        what: "extension block marker",
                        offset,
                        found: format!("{other:#04x}"),
                        allowed: "0x00 (none) or 0x01",
                    });
                }
            }
        }
        reader.finish("the block")?;
        Ok(Self { header, auxpow, txs, mweb })
    }

    /// The bytes that nodes exchange and `submitblock` takes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(&self.header.to_bytes());
        if let Some(auxpow) = &self.auxpow {
            auxpow.write(&mut out);
        }
        put_compact_size(&mut out, self.txs.len() as u64);
        for tx in &self.txs {
            out.extend_from_slice(&tx.encode());
        }
        if self.txs.len() >= 2 && self.txs.last().is_some_and(|last| last.hogex) {
            match &self.mweb {
                Some(mweb) => {
                    out.push(1);
                    out.extend_from_slice(mweb);
                }
                None => out.push(0),
            }
        }
        out
    }

    /// Checks merkle root, coinbase and, where the chain has `segwit`, the witness commitment.
    /// (Dogecoin and its kin write the commitment, but never check it.)
    ///
    /// # Errors
    /// The first rule broken.
    pub fn check_structure(&self, segwit: bool) -> Result<(), BlockFault> {
        let ids: Vec<Hash256> = self.txs.iter().map(Transaction::txid).collect();
        if merkle::root(&ids) != self.header.merkle_root {
            return Err(BlockFault::MerkleRoot);
        }
        if has_repeated_run(&ids) {
            return Err(BlockFault::DuplicateTransactions);
        }
        let (coinbase, others) = self.txs.split_first().ok_or(BlockFault::NoCoinbase)?;
        if !coinbase.is_coinbase() {
            return Err(BlockFault::NoCoinbase);
        }
        if others.iter().any(Transaction::is_coinbase) {
            return Err(BlockFault::SecondCoinbase);
        }
        match witness_commitment(coinbase) {
            _ if !segwit => Ok(()),
            Some(committed) => {
                let nonce = match coinbase.inputs.first().map(|input| input.witness.as_slice()) {
                    Some([only]) if only.len() == 32 => only,
                    _ => return Err(BlockFault::WitnessNonce),
                };
                let computed = sha256d(&[&self.witness_root().as_bytes()[..], nonce].concat());
                if computed == committed { Ok(()) } else { Err(BlockFault::WitnessCommitment) }
            }
            None if self.txs.iter().any(Transaction::has_witness) => {
                Err(BlockFault::UnexpectedWitness)
            }
            None => Ok(()),
        }
    }

    /// Root of the tree of witness ids, the coinbase's counting as zero.
    #[must_use]
    pub fn witness_root(&self) -> Hash256 {
        let leaves: Vec<Hash256> = std::iter::once(Hash256::ZERO)
            .chain(self.txs.iter().skip(1).map(Transaction::wtxid))
            .collect();
        merkle::root(&leaves)
    }
}

/// The hash in the last witness commitment of a coinbase, as BIP141 has it.
#[must_use]
pub fn witness_commitment(coinbase: &Transaction) -> Option<Hash256> {
    coinbase.outputs.iter().rev().find_map(|output| {
        let hash = output.script.strip_prefix(&WITNESS_COMMITMENT_PREFIX)?.get(..32)?;
        Some(Hash256::from_bytes(hash.try_into().ok()?))
    })
}

/// The script that commits to a witness root, with the all-zero witness nonce.
#[must_use]
pub fn witness_commitment_script(witness_root: Hash256) -> Vec<u8> {
    let hash = sha256d(&[&witness_root.as_bytes()[..], &[0; 32]].concat());
    [&WITNESS_COMMITMENT_PREFIX[..], hash.as_bytes()].concat()
}

/// Whether two equal neighbours at any level let another list of transactions have the same root.
fn has_repeated_run(ids: &[Hash256]) -> bool {
    let mut level = ids.to_vec();
    while level.len() > 1 {
        if level.chunks_exact(2).any(|pair| matches!(pair, [left, right] if left == right)) {
            return true;
        }
        level = level.chunks(2).map(merkle::root_of_pair).collect();
    }
    false
}
