//! PBKDF2-HMAC-SHA256 as scrypt uses it on headers: password and salt are the header's 80 bytes,
//! one iteration, 128 bytes out; then the mixed 128 bytes are the salt, 32 bytes out.
//!
//! Word for word in lanes. Of the 17 compressions of a header one is left out when the state
//! after its first 64 bytes is known, and those of the two keyed pads are kept for the second
//! half.

use crate::{lanes::Lanes, sha256::IV};

/// What both halves need: the states after the inner and the outer pad.
#[derive(Clone, Copy)]
pub(crate) struct Keyed<L> {
    inner: [L; 8],
    outer: [L; 8],
}

/// The end bit of SHA-256's padding.
const END: u32 = 0x8000_0000;

/// From the header's 20 words (as SHA-256 reads them) and the midstate of its first 16, the 32
/// words that ROMix mixes (as scrypt reads them).
#[inline(always)]
pub(crate) fn first<L: Lanes>(
    cpu: L::Cpu,
    header: &[L; 20],
    midstate: [L; 8],
) -> (Keyed<L>, [L; 32]) {
    let word = |word| L::splat(cpu, word);
    let zero = word(0);
    let [.., w16, w17, w18, w19] = *header;

    // The key is longer than a block, so HMAC takes its hash.
    let mut key = midstate;
    let mut block = [zero; 16];
    [block[0], block[1], block[2], block[3]] = [w16, w17, w18, w19];
    block[4] = word(END);
    block[15] = word(80 * 8);
    L::compress(cpu, &mut key, &block);

    let iv = IV.map(word);
    let mut keyed = Keyed { inner: iv, outer: iv };
    for (state, pad) in [(&mut keyed.inner, 0x3636_3636), (&mut keyed.outer, 0x5c5c_5c5c)] {
        let pad = word(pad);
        let mut block = [pad; 16];
        for i in 0..8 {
            block[i] = key[i].xor(pad);
        }
        L::compress(cpu, state, &block);
    }

    let mut salted = keyed.inner;
    let mut block = [zero; 16];
    block.copy_from_slice(&header[..16]);
    L::compress(cpu, &mut salted, &block);

    let mut out = [zero; 32];
    let mut block = [zero; 16];
    [block[0], block[1], block[2], block[3]] = [w16, w17, w18, w19];
    block[5] = word(END);
    block[15] = word((64 + 80 + 4) * 8);
    for piece in 0..4 {
        block[4] = word(piece as u32 + 1);
        let mut inner = salted;
        L::compress(cpu, &mut inner, &block);
        let hash = outer(cpu, &keyed, &inner);
        for i in 0..8 {
            out[8 * piece + i] = hash[i].swap_bytes(cpu);
        }
    }
    (keyed, out)
}

/// From the 32 mixed words the hash, as SHA-256's words.
#[inline(always)]
pub(crate) fn second<L: Lanes>(cpu: L::Cpu, keyed: &Keyed<L>, mixed: &[L; 32]) -> [L; 8] {
    let zero = L::splat(cpu, 0);
    let mut inner = keyed.inner;
    for half in 0..2 {
        let mut block = [zero; 16];
        for i in 0..16 {
            block[i] = mixed[16 * half + i].swap_bytes(cpu);
        }
        L::compress(cpu, &mut inner, &block);
    }
    let mut block = [zero; 16];
    block[0] = L::splat(cpu, 1);
    block[1] = L::splat(cpu, END);
    block[15] = L::splat(cpu, (64 + 128 + 4) * 8);
    L::compress(cpu, &mut inner, &block);
    outer(cpu, keyed, &inner)
}

/// HMAC's outer hash of an inner one.
#[inline(always)]
fn outer<L: Lanes>(cpu: L::Cpu, keyed: &Keyed<L>, inner: &[L; 8]) -> [L; 8] {
    let mut block = [L::splat(cpu, 0); 16];
    block[..8].copy_from_slice(inner);
    block[8] = L::splat(cpu, END);
    block[15] = L::splat(cpu, (64 + 32) * 8);
    let mut state = keyed.outer;
    L::compress(cpu, &mut state, &block);
    state
}
