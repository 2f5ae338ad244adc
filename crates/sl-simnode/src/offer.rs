//! What stands in a node's mempool: invented transactions, and on Litecoin the extension block.

use sl_chain::{Transaction, TxIn, TxOut, coins::CoinRow, sha256d};
use sl_units::Hash256;

/// The transactions that a node offers for the block after a tip, and the only ones it accepts.
/// They follow from seed, coin, height and the HogEx before, so siblings agree.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// Ordinary transactions, independent of each other.
    pub(crate) txs: Vec<OfferedTx>,
    /// The last transaction of a block with an extension block.
    pub(crate) hogex: Option<Transaction>,
    /// The extension block, which must come back byte for byte.
    pub(crate) mweb: Option<Vec<u8>>,
}

/// A transaction with what the template says of it.
#[derive(Clone, Debug)]
pub(crate) struct OfferedTx {
    pub(crate) tx: Transaction,
    pub(crate) txid: Hash256,
    pub(crate) fee: u64,
}

/// Whether blocks commit to witnesses. A coin has segwit addresses exactly when its nodes check it.
pub(crate) const fn has_segwit(row: &CoinRow) -> bool {
    row.bech32_hrp.is_some()
}

/// Whether blocks end with a HogEx and an extension block.
pub(crate) const fn has_mweb(row: &CoinRow) -> bool {
    row.mweb_hrp.is_some()
}

impl Offer {
    /// The offer for the block at `height`; `last_hogex` is the id of the HogEx before.
    pub(crate) fn at(row: &CoinRow, seed: u64, height: u64, last_hogex: Hash256) -> Self {
        let mut rng = rng(row, seed, height);
        let txs = (0..rng.usize(0..=4)).map(|_| payment(row, &mut rng)).collect();
        let (mweb, hogex) = if has_mweb(row) {
            let mweb = extension_block(height, &mut rng);
            let hogex = hogex(last_hogex, &mweb);
            (Some(mweb), Some(hogex))
        } else {
            (None, None)
        };
        Self { txs, hogex, mweb }
    }

    /// All transactions behind the coinbase, in the order of the template.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.txs.iter().map(|offered| &offered.tx).chain(&self.hogex)
    }

    /// The fees of all of them.
    pub(crate) fn fees(&self) -> u64 {
        self.txs.iter().map(|offered| offered.fee).sum()
    }
}

/// The HogEx that a chain's checkpoint is said to have.
pub(crate) fn first_hogex(row: &CoinRow, seed: u64) -> Hash256 {
    sha256d(&[b"hogex", &seed.to_le_bytes()[..], row.ticker.as_str().as_bytes()].concat())
}

fn rng(row: &CoinRow, seed: u64, height: u64) -> fastrand::Rng {
    let mixed = sha256d(
        &[&seed.to_le_bytes()[..], &height.to_le_bytes(), row.ticker.as_str().as_bytes()].concat(),
    );
    fastrand::Rng::with_seed(
        mixed.as_bytes().iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte)),
    )
}

fn bytes<const N: usize>(rng: &mut fastrand::Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    bytes
}

/// A payment from one key to two, with bytes that look like a signature and a key.
fn payment(row: &CoinRow, rng: &mut fastrand::Rng) -> OfferedTx {
    let segwit = has_segwit(row);
    let mut signature = vec![0x30, 0x45];
    signature.extend_from_slice(&bytes::<69>(rng));
    signature.push(1);
    let mut key = vec![2];
    key.extend_from_slice(&bytes::<32>(rng));
    let pushes = || [&[signature.len() as u8][..], &signature, &[key.len() as u8], &key].concat();
    let input = TxIn {
        prev_id: Hash256::from_bytes(bytes(rng)),
        prev_index: rng.u32(0..4),
        script: if segwit { Vec::new() } else { pushes() },
        sequence: 0xffff_fffd,
        witness: if segwit { vec![signature.clone(), key.clone()] } else { Vec::new() },
    };
    let outputs = (0..2)
        .map(|_| {
            let hash: [u8; 20] = bytes(rng);
            let script = if segwit {
                [&[0, 0x14], &hash[..]].concat()
            } else {
                [&[0x76, 0xa9, 0x14], &hash[..], &[0x88, 0xac]].concat()
            };
            TxOut { value: rng.u64(100_000..5_000_000_000), script }
        })
        .collect();
    let tx = Transaction { version: 2, inputs: vec![input], outputs, hogex: false, lock_time: 0 };
    // At most a ten-thousandth of the reward, as large as on the coins of today.
    let most = (row.reward_at(row.start_height).units() / 10_000).max(2_000);
    let fee = rng.u64(1_000..most);
    OfferedTx { txid: tx.txid(), tx, fee }
}

/// Balance of the extension block's output: nothing is pegged in or out of it.
const MWEB_BALANCE: u64 = 180_000 * 100_000_000;

/// Moves the extension block's balance on (recorded form: `testdata/litecoin/regtest-e2e`). The
/// real output commits to the extension block's own header by BLAKE3; this one to all its bytes.
fn hogex(last: Hash256, mweb: &[u8]) -> Transaction {
    let input = TxIn {
        prev_id: last,
        prev_index: 0,
        script: Vec::new(),
        sequence: u32::MAX,
        witness: Vec::new(),
    };
    let script = [&[0x58, 0x20], &sha256d(mweb).as_bytes()[..]].concat();
    let outputs = vec![TxOut { value: MWEB_BALANCE, script }];
    Transaction { version: 2, inputs: vec![input], outputs, hogex: true, lock_time: 0 }
}

/// An extension block in the shape of a real one (LIP-0003): header, then inputs, outputs and
/// kernels, filled with noise.
fn extension_block(height: u64, rng: &mut fastrand::Rng) -> Vec<u8> {
    /// A public key that decodes: the generator of the curve.
    const KEY: [u8; 33] = [
        0x02, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87,
        0x0b, 0x07, 0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16,
        0xf8, 0x17, 0x98,
    ];
    let mut out = Vec::with_capacity(2048);
    put_varint(&mut out, height);
    // Roots of outputs, kernels and leaf set; offsets of kernels and stealth keys.
    out.extend_from_slice(&bytes::<160>(rng));
    put_varint(&mut out, height.saturating_mul(2));
    put_varint(&mut out, height);
    out.push(0);
    let outputs = rng.u8(0..=2);
    out.push(outputs);
    for _ in 0..outputs {
        out.extend_from_slice(&bytes::<33>(rng));
        out.extend_from_slice(&KEY);
        out.extend_from_slice(&KEY);
        // A message without fields, a range proof, a signature.
        out.push(0);
        out.extend_from_slice(&bytes::<675>(rng));
        out.extend_from_slice(&bytes::<64>(rng));
    }
    let kernels = rng.u8(0..=3);
    out.push(kernels);
    for _ in 0..kernels {
        // No features; excess and signature.
        out.push(0);
        out.extend_from_slice(&bytes::<97>(rng));
    }
    out
}

/// Bitcoin's other variable-length integer: seven bits a byte, most significant first, minus one
/// for each byte but the last.
fn put_varint(out: &mut Vec<u8>, value: u64) {
    let mut reversed = vec![(value & 0x7f) as u8];
    let mut rest = value >> 7;
    while rest > 0 {
        rest -= 1;
        reversed.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.extend(reversed.iter().rev());
}

#[cfg(test)]
mod tests {
    use sl_chain::coins::{self, Role};

    use super::*;

    #[test]
    fn the_varint_is_that_of_a_recorded_extension_block() {
        for (value, wanted) in [(432, "8230"), (433, "8231"), (0, "00"), (127, "7f"), (128, "8000")]
        {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(hex::encode(out), wanted, "{value}");
        }
    }

    #[test]
    fn an_offer_follows_from_its_seed() {
        for row in coins::all() {
            let offer = |seed| {
                let offer = Offer::at(row, seed, row.start_height, Hash256::ZERO);
                offer.transactions().flat_map(Transaction::encode).collect::<Vec<u8>>()
            };
            assert_eq!(offer(1), offer(1));
            let whole = Offer::at(row, 1, row.start_height, Hash256::ZERO);
            assert_eq!(whole.hogex.is_some(), row.role == Role::Parent);
            for tx in whole.transactions() {
                assert_eq!(Transaction::decode(&tx.encode()).as_ref(), Ok(tx));
            }
        }
    }
}
