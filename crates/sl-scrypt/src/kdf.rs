//! scrypt for any parameters (RFC 7914), one lane, in plain code: the reference of all engines.

use sha2::block_api::compress256;

use crate::{Params, ParamsError, params::MAX_OUTPUT, sha256::IV};

/// Derives `out` from password and salt. Takes 128 × r × (N + p) bytes of memory for the call.
///
/// # Errors
/// When the output is empty or longer than the RFC allows, or the memory cannot be had.
pub fn scrypt(
    password: &[u8],
    salt: &[u8],
    params: &Params,
    out: &mut [u8],
) -> Result<(), ParamsError> {
    derive(pbkdf2, salsa20_8, password, salt, params, out)
}

/// scrypt over any PBKDF2 and any mix of 64 bytes.
pub(crate) fn derive(
    pbkdf2: impl Fn(&[u8], &[u8], &mut [u8]),
    mix: impl Fn(&mut [u32; 16]) + Copy,
    password: &[u8],
    salt: &[u8],
    params: &Params,
    out: &mut [u8],
) -> Result<(), ParamsError> {
    if out.is_empty() || u64::try_from(out.len()).map_or(true, |length| length > MAX_OUTPUT) {
        return Err(ParamsError::OutputLength { found: out.len() });
    }
    let block = 32 * params.r();
    let mut derived = memory::<u8>(params, 4 * block * params.p())?;
    let mut v = memory::<u32>(params, block * params.n())?;
    let mut x = memory::<u32>(params, 2 * block)?;
    pbkdf2(password, salt, &mut derived);
    for piece in derived.chunks_exact_mut(4 * block) {
        let (x, scratch) = x.split_at_mut(block);
        for (word, bytes) in x.iter_mut().zip(piece.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        romix(mix, x, scratch, &mut v, params);
        for (word, bytes) in x.iter().zip(piece.as_chunks_mut::<4>().0) {
            *bytes = word.to_le_bytes();
        }
    }
    pbkdf2(password, &derived, out);
    Ok(())
}

fn memory<T: Copy + Default>(params: &Params, length: usize) -> Result<Vec<T>, ParamsError> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(length).map_err(|_| ParamsError::MemoryTooLarge {
        n: params.n() as u64,
        r: params.r() as u32,
        p: params.p() as u32,
    })?;
    memory.resize(length, T::default());
    Ok(memory)
}

/// scryptROMix of one block of 32 r words.
fn romix(
    mix: impl Fn(&mut [u32; 16]) + Copy,
    x: &mut [u32],
    scratch: &mut [u32],
    v: &mut [u32],
    params: &Params,
) {
    for row in v.chunks_exact_mut(x.len()) {
        row.copy_from_slice(x);
        block_mix(mix, x, scratch);
    }
    for _ in 0..params.n() {
        // Integerify: the low word of the last 64 bytes; N is at most 2⁶³, two words are read.
        let last = x.len() - 16;
        let low = u64::from(x[last]) | u64::from(x[last + 1]) << 32;
        let j = low as usize & (params.n() - 1);
        for (word, other) in x.iter_mut().zip(&v[j * (2 * 16 * params.r())..]) {
            *word ^= other;
        }
        block_mix(mix, x, scratch);
    }
}

/// scryptBlockMix: even blocks to the front half, odd ones to the back.
fn block_mix(mix: impl Fn(&mut [u32; 16]), x: &mut [u32], scratch: &mut [u32]) {
    let blocks = x.as_chunks::<16>().0;
    let half = blocks.len() / 2;
    let out = scratch.as_chunks_mut::<16>().0;
    let mut last = blocks[blocks.len() - 1];
    for (i, block) in blocks.iter().enumerate() {
        for (word, other) in last.iter_mut().zip(block) {
            *word ^= other;
        }
        mix(&mut last);
        out[i / 2 + (i % 2) * half] = last;
    }
    x.copy_from_slice(scratch);
}

fn salsa20_8(block: &mut [u32; 16]) {
    let mut y = *block;
    for _ in 0..4 {
        for [a, b, c, d] in QUARTERS {
            y[b] ^= y[a].wrapping_add(y[d]).rotate_left(7);
            y[c] ^= y[b].wrapping_add(y[a]).rotate_left(9);
            y[d] ^= y[c].wrapping_add(y[b]).rotate_left(13);
            y[a] ^= y[d].wrapping_add(y[c]).rotate_left(18);
        }
    }
    for (word, mixed) in block.iter_mut().zip(y) {
        *word = word.wrapping_add(mixed);
    }
}

/// The quarter rounds of a double round: four columns, four rows.
const QUARTERS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [5, 9, 13, 1],
    [10, 14, 2, 6],
    [15, 3, 7, 11],
    [0, 1, 2, 3],
    [5, 6, 7, 4],
    [10, 11, 8, 9],
    [15, 12, 13, 14],
];

/// PBKDF2-HMAC-SHA256 with one iteration.
fn pbkdf2(password: &[u8], salt: &[u8], out: &mut [u8]) {
    let key = Hmac::new(password);
    let mut salted = key.inner.clone();
    salted.update(salt);
    for (i, piece) in (1u32..).zip(out.chunks_mut(32)) {
        let mut inner = salted.clone();
        inner.update(&i.to_be_bytes());
        let mut outer = key.outer.clone();
        outer.update(&inner.finish());
        piece.copy_from_slice(&outer.finish()[..piece.len()]);
    }
}

/// The two halves of a keyed HMAC, each with its pad already hashed.
struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    fn new(key: &[u8]) -> Self {
        let mut block = [0; 64];
        if key.len() > 64 {
            let mut hashed = Sha256::new();
            hashed.update(key);
            block[..32].copy_from_slice(&hashed.finish());
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let padded = |pad: u8| {
            let mut sha = Sha256::new();
            sha.update(&block.map(|byte| byte ^ pad));
            sha
        };
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }
}

/// SHA-256 as a stream, over the field's compression function (which uses SHA instructions).
#[derive(Clone)]
struct Sha256 {
    state: [u32; 8],
    buffer: [u8; 64],
    /// Bytes that wait in the buffer, below 64.
    waiting: usize,
    length: u64,
}

impl Sha256 {
    const fn new() -> Self {
        Self { state: IV, buffer: [0; 64], waiting: 0, length: 0 }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.waiting > 0 {
            let taken = bytes.len().min(64 - self.waiting);
            let (now, rest) = bytes.split_at(taken);
            self.buffer[self.waiting..self.waiting + taken].copy_from_slice(now);
            self.waiting += taken;
            bytes = rest;
            if self.waiting < 64 {
                return;
            }
            compress256(&mut self.state, &[self.buffer]);
        }
        let (blocks, rest) = bytes.as_chunks::<64>();
        compress256(&mut self.state, blocks);
        self.buffer[..rest.len()].copy_from_slice(rest);
        self.waiting = rest.len();
    }

    fn finish(mut self) -> [u8; 32] {
        let bits = self.length * 8;
        self.buffer[self.waiting] = 0x80;
        self.buffer[self.waiting + 1..].fill(0);
        if self.waiting >= 56 {
            compress256(&mut self.state, &[self.buffer]);
            self.buffer.fill(0);
        }
        self.buffer[56..].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut self.state, &[self.buffer]);
        let mut out = [0; 32];
        for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        out
    }
}

/// The state after the first 64 bytes of a header: the same for all its nonces.
pub(crate) fn midstate(first: &[u8; 64]) -> [u32; 8] {
    let mut state = IV;
    compress256(&mut state, &[*first]);
    state
}

/// The compression of one block of words, for the engine with one lane.
pub(crate) fn compress_one(state: &mut [u32; 8], block: &[u32; 16]) {
    let mut bytes = [0; 64];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(block) {
        *bytes = word.to_be_bytes();
    }
    compress256(state, &[bytes]);
}
