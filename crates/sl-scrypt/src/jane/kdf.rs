//! scrypt-jane for any parameters, one lane, in plain code: the reference of its engines.

use sha3::{Digest, Keccak512};

use crate::{Params, ParamsError, kdf::derive};

/// Bytes that Keccak-512 takes in at once: HMAC's block.
const BLOCK: usize = 72;

/// As [`scrypt`](crate::scrypt()), with ChaCha20/8 for Salsa20/8 and PBKDF2-HMAC-Keccak-512 for
/// SHA-256 (Keccak with its first padding, as before SHA-3).
///
/// # Errors
/// When the output is empty or too long, or the memory cannot be had.
pub fn scrypt_jane(
    password: &[u8],
    salt: &[u8],
    params: &Params,
    out: &mut [u8],
) -> Result<(), ParamsError> {
    let pbkdf2 = |password: &[u8], salt: &[u8], out: &mut [u8]| {
        Keyed::new(password).derive(salt, out);
    };
    derive(pbkdf2, chacha20_8, password, salt, params, out)
}

/// HMAC-Keccak-512 with its key taken in.
#[derive(Clone)]
pub(super) struct Keyed {
    inner: Keccak512,
    outer: Keccak512,
}

impl Keyed {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        if key.len() > BLOCK {
            block[..64].copy_from_slice(&Keccak512::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let padded = |pad: u8| Keccak512::new().chain_update(block.map(|byte| byte ^ pad));
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// PBKDF2 with one iteration.
    pub(super) fn derive(&self, salt: &[u8], out: &mut [u8]) {
        let salted = self.inner.clone().chain_update(salt);
        for (i, piece) in (1u32..).zip(out.chunks_mut(64)) {
            let inner = salted.clone().chain_update(i.to_be_bytes()).finalize();
            let hash = self.outer.clone().chain_update(inner).finalize();
            piece.copy_from_slice(&hash[..piece.len()]);
        }
    }
}

fn chacha20_8(block: &mut [u32; 16]) {
    let mut y = *block;
    for _ in 0..4 {
        for [a, b, c, d] in QUARTERS {
            y[a] = y[a].wrapping_add(y[b]);
            y[d] = (y[d] ^ y[a]).rotate_left(16);
            y[c] = y[c].wrapping_add(y[d]);
            y[b] = (y[b] ^ y[c]).rotate_left(12);
            y[a] = y[a].wrapping_add(y[b]);
            y[d] = (y[d] ^ y[a]).rotate_left(8);
            y[c] = y[c].wrapping_add(y[d]);
            y[b] = (y[b] ^ y[c]).rotate_left(7);
        }
    }
    for (word, mixed) in block.iter_mut().zip(y) {
        *word = word.wrapping_add(mixed);
    }
}

/// The quarter rounds of a double round: four columns, four diagonals.
const QUARTERS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];
