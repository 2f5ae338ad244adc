//! The coinbase as a miner varies it: bytes before and after the extranonce.

use bytes::Bytes;
use thiserror::Error;

use crate::{
    codec::{DecodeError, put_compact_size},
    tx::{Transaction, TxOut},
};

/// Most bytes that nodes allow in a coinbase's script.
pub const MAX_SCRIPT_LEN: usize = 100;

/// What goes into a coinbase.
#[derive(Clone, Debug)]
pub struct CoinbasePlan<'a> {
    /// Height of the block, pushed first (BIP34).
    pub height: u64,
    /// The 44 bytes of a merged-mining commitment.
    pub commitment: Option<[u8; 44]>,
    /// How many bytes the miners vary.
    pub extranonce_len: usize,
    /// A text that names the miner.
    pub tag: &'a [u8],
    /// Payouts, then the witness commitment if the block has one.
    pub outputs: &'a [TxOut],
}

/// A coinbase in its plain form (no witness), cut around the extranonce:
/// `prefix ‖ extranonce ‖ suffix`. The double SHA-256 of the whole is the merkle leaf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoinbaseParts {
    /// Everything before the extranonce.
    pub prefix: Bytes,
    /// Everything after it.
    pub suffix: Bytes,
}

/// Why a coinbase cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the coinbase script would be {found} bytes, allowed are 2 to {MAX_SCRIPT_LEN}; shorten the tag or the extranonce"
)]
pub struct ScriptLength {
    /// Length of the script in bytes.
    pub found: usize,
}

impl CoinbasePlan<'_> {
    /// The coinbase, cut around its extranonce.
    ///
    /// # Errors
    /// A script longer than nodes allow.
    pub fn build(&self) -> Result<CoinbaseParts, ScriptLength> {
        let mut before = push_height(self.height);
        if let Some(commitment) = &self.commitment {
            push_bytes(&mut before, commitment);
        }
        // The extranonce stands behind its own push, so that the script stays one of pushes.
        before.push(self.extranonce_len as u8);
        let mut after = Vec::new();
        if !self.tag.is_empty() {
            push_bytes(&mut after, self.tag);
        }
        let script_len = before.len() + self.extranonce_len + after.len();
        if !(2..=MAX_SCRIPT_LEN).contains(&script_len) || self.tag.len() > 75 {
            return Err(ScriptLength { found: script_len });
        }

        let mut prefix = Vec::with_capacity(64 + before.len());
        prefix.extend_from_slice(&2u32.to_le_bytes());
        prefix.push(1);
        prefix.extend_from_slice(&[0; 32]);
        prefix.extend_from_slice(&u32::MAX.to_le_bytes());
        put_compact_size(&mut prefix, script_len as u64);
        prefix.extend_from_slice(&before);

        let mut suffix = after;
        suffix.extend_from_slice(&u32::MAX.to_le_bytes());
        put_compact_size(&mut suffix, self.outputs.len() as u64);
        for output in self.outputs {
            output.write(&mut suffix);
        }
        suffix.extend_from_slice(&0u32.to_le_bytes());
        Ok(CoinbaseParts { prefix: prefix.into(), suffix: suffix.into() })
    }
}

/// A coinbase's bytes as a segwit block holds them: the plain form with the one witness that
/// BIP141 demands, 32 zero bytes.
///
/// # Errors
/// Bytes that are no transaction.
pub fn with_witness(plain: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut tx = Transaction::decode(plain)?;
    if let Some(input) = tx.inputs.first_mut() {
        input.witness = vec![vec![0; 32]];
    }
    Ok(tx.encode())
}

/// The height as BIP34 wants it: the shortest script number, pushed; up to 16 the one-byte opcode.
#[must_use]
pub fn push_height(height: u64) -> Vec<u8> {
    match height {
        0 => vec![0],
        1..=16 => vec![0x50 + height as u8],
        _ => {
            let mut number: Vec<u8> = height.to_le_bytes().to_vec();
            while number.last() == Some(&0) {
                number.pop();
            }
            // A set top bit would read as a minus sign.
            if number.last().is_some_and(|top| top & 0x80 != 0) {
                number.push(0);
            }
            let mut out = Vec::new();
            push_bytes(&mut out, &number);
            out
        }
    }
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    debug_assert!(bytes.len() <= 75, "longer pushes need another opcode");
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_as_nodes_write_them() {
        for (height, script) in [
            (1, "51"),
            (16, "60"),
            (17, "0111"),
            (127, "017f"),
            (128, "028000"),
            (432, "02b001"),
            (3_215_800, "03b81131"),
        ] {
            assert_eq!(hex::encode(push_height(height)), script, "height {height}");
        }
    }

    #[test]
    fn the_parts_are_a_transaction_around_any_extranonce() {
        let outputs = [TxOut { value: 625_000_000, script: vec![0x51] }];
        let plan = CoinbasePlan {
            height: 3_215_800,
            commitment: Some([7; 44]),
            extranonce_len: 12,
            tag: b"/silverlode/",
            outputs: &outputs,
        };
        let parts = plan.build().expect("fits");
        let plain = [&parts.prefix[..], &[9; 12], &parts.suffix[..]].concat();
        let tx = Transaction::decode(&plain).expect("a transaction");
        assert!(tx.is_coinbase());
        assert_eq!(tx.outputs, outputs);
        assert_eq!(tx.encode(), plain);
        let segwit = Transaction::decode(&with_witness(&plain).expect("decodes")).expect("decodes");
        assert_eq!(segwit.inputs[0].witness, [vec![0; 32]]);
        assert_eq!(segwit.txid(), tx.txid());
    }

    #[test]
    fn a_script_too_long_is_refused() {
        let plan = CoinbasePlan {
            height: 1,
            commitment: Some([7; 44]),
            extranonce_len: 60,
            tag: b"",
            outputs: &[],
        };
        assert_eq!(plan.build(), Err(ScriptLength { found: 107 }));
    }
}
