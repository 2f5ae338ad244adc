//! The two mixing functions of ROMix in lanes: Salsa20/8 (RFC 7914) and ChaCha20/8 (scrypt-jane).
//!
//! Both see a block of 16 words as a matrix of 4 × 4 and run four quarter rounds at once, on the
//! columns and on the rows (Salsa) or diagonals (ChaCha) in turn. They differ in the quarter round
//! and in which words of the block stand together in a vector.

use crate::lanes::{Blocks, Lanes};

/// A permutation of 16 words, as both layouts need it. Four double rounds and the addition of the
/// input make the function; layouts do the addition.
pub(crate) trait Mix {
    /// Which word of the block stands at place `i` when the block is held as four vectors of four
    /// words.
    const WORDS: [usize; 16];

    /// Where word `i` stands then: the inverse.
    const PLACES: [usize; 16] = inverse(Self::WORDS);

    /// A double round with one vector for each word.
    fn words<L: Lanes>(y: &mut [L; 16]);

    /// A double round of the four vectors from `HERE` on, stream by stream in each step, so that
    /// each stream's instructions fill the others' waits.
    fn rows<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]);
}

const fn inverse(words: [usize; 16]) -> [usize; 16] {
    let mut places = [0; 16];
    let mut i = 0;
    while i < 16 {
        places[words[i]] = i;
        i += 1;
    }
    places
}

/// Salsa20: a vector holds a diagonal.
pub(crate) struct Salsa;

impl Mix for Salsa {
    const WORDS: [usize; 16] = [0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11];

    #[inline(always)]
    fn words<L: Lanes>(y: &mut [L; 16]) {
        salsa_quarter(y, 0, 4, 8, 12);
        salsa_quarter(y, 5, 9, 13, 1);
        salsa_quarter(y, 10, 14, 2, 6);
        salsa_quarter(y, 15, 3, 7, 11);
        salsa_quarter(y, 0, 1, 2, 3);
        salsa_quarter(y, 5, 6, 7, 4);
        salsa_quarter(y, 10, 11, 8, 9);
        salsa_quarter(y, 15, 12, 13, 14);
    }

    #[inline(always)]
    fn rows<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]) {
        salsa_half_round::<L, STREAMS, HERE>(y);
        salsa_half_round::<L, STREAMS, HERE>(y);
    }
}

#[inline(always)]
fn salsa_quarter<L: Lanes>(y: &mut [L; 16], a: usize, b: usize, c: usize, d: usize) {
    y[b] = y[b].xor(y[a].add(y[d]).rotl::<7, 25>());
    y[c] = y[c].xor(y[b].add(y[a]).rotl::<9, 23>());
    y[d] = y[d].xor(y[c].add(y[b]).rotl::<13, 19>());
    y[a] = y[a].xor(y[d].add(y[c]).rotl::<18, 14>());
}

/// Four quarter rounds at once, then the turn from columns to rows; twice it is a double round,
/// for the turn back is the same: rows 1 and 3 change places.
#[inline(always)]
fn salsa_half_round<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]) {
    for y in y.iter_mut() {
        y[HERE + 1] = y[HERE + 1].xor(y[HERE].add(y[HERE + 3]).rotl::<7, 25>());
    }
    for y in y.iter_mut() {
        y[HERE + 2] = y[HERE + 2].xor(y[HERE + 1].add(y[HERE]).rotl::<9, 23>());
    }
    for y in y.iter_mut() {
        y[HERE + 3] = y[HERE + 3].xor(y[HERE + 2].add(y[HERE + 1]).rotl::<13, 19>());
    }
    for y in y.iter_mut() {
        y[HERE] = y[HERE].xor(y[HERE + 3].add(y[HERE + 2]).rotl::<18, 14>());
        let turned = y[HERE + 1].turn3();
        y[HERE + 1] = y[HERE + 3].turn1();
        y[HERE + 2] = y[HERE + 2].turn2();
        y[HERE + 3] = turned;
    }
}

/// ChaCha20: a vector holds a row.
pub(crate) struct ChaCha;

impl Mix for ChaCha {
    const WORDS: [usize; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[inline(always)]
    fn words<L: Lanes>(y: &mut [L; 16]) {
        chacha_quarter(y, 0, 4, 8, 12);
        chacha_quarter(y, 1, 5, 9, 13);
        chacha_quarter(y, 2, 6, 10, 14);
        chacha_quarter(y, 3, 7, 11, 15);
        chacha_quarter(y, 0, 5, 10, 15);
        chacha_quarter(y, 1, 6, 11, 12);
        chacha_quarter(y, 2, 7, 8, 13);
        chacha_quarter(y, 3, 4, 9, 14);
    }

    #[inline(always)]
    fn rows<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]) {
        chacha_quarters::<L, STREAMS, HERE>(y);
        for y in y.iter_mut() {
            y[HERE + 1] = y[HERE + 1].turn1();
            y[HERE + 2] = y[HERE + 2].turn2();
            y[HERE + 3] = y[HERE + 3].turn3();
        }
        chacha_quarters::<L, STREAMS, HERE>(y);
        for y in y.iter_mut() {
            y[HERE + 1] = y[HERE + 1].turn3();
            y[HERE + 2] = y[HERE + 2].turn2();
            y[HERE + 3] = y[HERE + 3].turn1();
        }
    }
}

#[inline(always)]
fn chacha_quarter<L: Lanes>(y: &mut [L; 16], a: usize, b: usize, c: usize, d: usize) {
    y[a] = y[a].add(y[b]);
    y[d] = y[d].xor(y[a]).rotl::<16, 16>();
    y[c] = y[c].add(y[d]);
    y[b] = y[b].xor(y[c]).rotl::<12, 20>();
    y[a] = y[a].add(y[b]);
    y[d] = y[d].xor(y[a]).rotl::<8, 24>();
    y[c] = y[c].add(y[d]);
    y[b] = y[b].xor(y[c]).rotl::<7, 25>();
}

/// Four quarter rounds at once, on the columns of the matrix as it is turned.
#[inline(always)]
fn chacha_quarters<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]) {
    for y in y.iter_mut() {
        y[HERE] = y[HERE].add(y[HERE + 1]);
        y[HERE + 3] = y[HERE + 3].xor(y[HERE]).rotl::<16, 16>();
    }
    for y in y.iter_mut() {
        y[HERE + 2] = y[HERE + 2].add(y[HERE + 3]);
        y[HERE + 1] = y[HERE + 1].xor(y[HERE + 2]).rotl::<12, 20>();
    }
    for y in y.iter_mut() {
        y[HERE] = y[HERE].add(y[HERE + 1]);
        y[HERE + 3] = y[HERE + 3].xor(y[HERE]).rotl::<8, 24>();
    }
    for y in y.iter_mut() {
        y[HERE + 2] = y[HERE + 2].add(y[HERE + 3]);
        y[HERE + 1] = y[HERE + 1].xor(y[HERE + 2]).rotl::<7, 25>();
    }
}
