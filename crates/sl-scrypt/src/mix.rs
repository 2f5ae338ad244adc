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

/// Four quarter rounds that do not touch each other, in the order that suits the registers: all of
/// them step by step, so that none waits for its own results, or, where that would need more
/// registers than there are, one after the other.
macro_rules! in_order {
    ($step:ident::<$lanes:ty>($y:expr), $($quarter:expr),*) => {
        if <$lanes>::REGISTERS >= 32 {
            $($step::<$lanes, 0>($y, $quarter);)*
            $($step::<$lanes, 1>($y, $quarter);)*
            $($step::<$lanes, 2>($y, $quarter);)*
            $($step::<$lanes, 3>($y, $quarter);)*
        } else {
            $(
                $step::<$lanes, 0>($y, $quarter);
                $step::<$lanes, 1>($y, $quarter);
                $step::<$lanes, 2>($y, $quarter);
                $step::<$lanes, 3>($y, $quarter);
            )*
        }
    };
}

/// Salsa20: a vector holds a diagonal.
pub(crate) struct Salsa;

impl Mix for Salsa {
    const WORDS: [usize; 16] = [0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11];

    #[inline(always)]
    fn words<L: Lanes>(y: &mut [L; 16]) {
        in_order!(salsa::<L>(y), [0, 4, 8, 12], [5, 9, 13, 1], [10, 14, 2, 6], [15, 3, 7, 11]);
        in_order!(salsa::<L>(y), [0, 1, 2, 3], [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]);
    }

    #[inline(always)]
    fn rows<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]) {
        salsa_half_round::<L, STREAMS, HERE>(y);
        salsa_half_round::<L, STREAMS, HERE>(y);
    }
}

/// A step of Salsa's quarter round: `to` takes in the sum of the two others, turned.
#[inline(always)]
fn salsa_step<L: Lanes, const LEFT: u32, const RIGHT: u32>(
    y: &mut [L],
    to: usize,
    a: usize,
    b: usize,
) {
    y[to] = y[to].xor(y[a].add(y[b]).rotl::<LEFT, RIGHT>());
}

/// Step `STEP` of four of the quarter round on the words `[a, b, c, d]`.
#[inline(always)]
fn salsa<L: Lanes, const STEP: usize>(y: &mut [L; 16], [a, b, c, d]: [usize; 4]) {
    match STEP {
        0 => salsa_step::<L, 7, 25>(y, b, a, d),
        1 => salsa_step::<L, 9, 23>(y, c, b, a),
        2 => salsa_step::<L, 13, 19>(y, d, c, b),
        _ => salsa_step::<L, 18, 14>(y, a, d, c),
    }
}

/// Four quarter rounds at once, then the turn from columns to rows; twice it is a double round,
/// for the turn back is the same: rows 1 and 3 change places.
#[inline(always)]
fn salsa_half_round<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]) {
    let [a, b, c, d] = const { [HERE, HERE + 1, HERE + 2, HERE + 3] };
    for y in y.iter_mut() {
        salsa_step::<L, 7, 25>(y, b, a, d);
    }
    for y in y.iter_mut() {
        salsa_step::<L, 9, 23>(y, c, b, a);
    }
    for y in y.iter_mut() {
        salsa_step::<L, 13, 19>(y, d, c, b);
    }
    for y in y.iter_mut() {
        salsa_step::<L, 18, 14>(y, a, d, c);
        (y[b], y[c], y[d]) = (y[d].turn1(), y[c].turn2(), y[b].turn3());
    }
}

/// ChaCha20: a vector holds a row.
pub(crate) struct ChaCha;

impl Mix for ChaCha {
    const WORDS: [usize; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[inline(always)]
    fn words<L: Lanes>(y: &mut [L; 16]) {
        in_order!(chacha::<L>(y), [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]);
        in_order!(chacha::<L>(y), [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]);
    }

    #[inline(always)]
    fn rows<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]) {
        let [b, c, d] = const { [HERE + 1, HERE + 2, HERE + 3] };
        chacha_quarters::<L, STREAMS, HERE>(y);
        for y in y.iter_mut() {
            (y[b], y[c], y[d]) = (y[b].turn1(), y[c].turn2(), y[d].turn3());
        }
        chacha_quarters::<L, STREAMS, HERE>(y);
        for y in y.iter_mut() {
            (y[b], y[c], y[d]) = (y[b].turn3(), y[c].turn2(), y[d].turn1());
        }
    }
}

/// A step of ChaCha's quarter round: `sum` takes in another, and what it is then goes into `to`,
/// which is turned.
#[inline(always)]
fn chacha_step<L: Lanes, const LEFT: u32, const RIGHT: u32>(
    y: &mut [L],
    sum: usize,
    other: usize,
    to: usize,
) {
    y[sum] = y[sum].add(y[other]);
    y[to] = y[to].xor(y[sum]).rotl::<LEFT, RIGHT>();
}

/// Step `STEP` of four of the quarter round on the words `[a, b, c, d]`.
#[inline(always)]
fn chacha<L: Lanes, const STEP: usize>(y: &mut [L; 16], [a, b, c, d]: [usize; 4]) {
    match STEP {
        0 => chacha_step::<L, 16, 16>(y, a, b, d),
        1 => chacha_step::<L, 12, 20>(y, c, d, b),
        2 => chacha_step::<L, 8, 24>(y, a, b, d),
        _ => chacha_step::<L, 7, 25>(y, c, d, b),
    }
}

/// Four quarter rounds at once, on the columns of the matrix as it is turned.
#[inline(always)]
fn chacha_quarters<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]) {
    let [a, b, c, d] = const { [HERE, HERE + 1, HERE + 2, HERE + 3] };
    for y in y.iter_mut() {
        chacha_step::<L, 16, 16>(y, a, b, d);
    }
    for y in y.iter_mut() {
        chacha_step::<L, 12, 20>(y, c, d, b);
    }
    for y in y.iter_mut() {
        chacha_step::<L, 8, 24>(y, a, b, d);
    }
    for y in y.iter_mut() {
        chacha_step::<L, 7, 25>(y, c, d, b);
    }
}
