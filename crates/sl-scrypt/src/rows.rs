//! ROMix with one vector for each diagonal of salsa's matrix, of several hashes side by side, in
//! several independent streams: for instruction sets with few registers.
//!
//! A block of four words is one diagonal of one hash; a vector holds the same diagonal of
//! `WIDTH / 4` hashes. Four vectors are a salsa state, so three streams fit into 16 registers;
//! one stream alone would wait for each of its own results. Memory is `V[i][hash][32 words]`,
//! words in the order of the diagonals: a lookup is two whole cache lines and needs no
//! transposition.
#![expect(clippy::needless_range_loop, reason = "the indices are those of the specification")]

use crate::{
    engine::{Layout, N},
    lanes::{Blocks, Line, MOST_LANES},
};

/// `STREAMS` independent streams.
pub(crate) struct Rows<const STREAMS: usize>;

/// Where word `i` of the diagonal order stands in a block of 16.
const DIAGONALS: [usize; 16] = [0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11];

impl<L: Blocks, const STREAMS: usize> Layout<L> for Rows<STREAMS> {
    const LANES: usize = STREAMS * L::WIDTH / 4;

    #[inline(always)]
    fn romix(cpu: L::Cpu, v: &mut [Line], words: &mut [L; 32]) {
        let hashes = <Self as Layout<L>>::LANES;
        let blocks = L::WIDTH / 4;
        assert!(hashes <= L::WIDTH, "the words of all hashes fit into one vector each");
        assert_eq!(v.len(), N * hashes * 2, "two lines for each hash and step");
        // By way of V, which is free before and after: words by lane to diagonals by hash.
        let mut line = Line::ZERO;
        for (i, word) in words.iter().enumerate() {
            word.store(&mut line);
            for hash in 0..hashes {
                let place = hash * 32 + diagonal_place(i);
                v[place / 16].0[place % 16] = line.0[hash];
            }
        }
        // From here to the last store V is reached by this pointer only.
        let base = v.as_mut_ptr().cast::<u32>();
        let mut lanes = [base; MOST_LANES];
        for (hash, place) in lanes.iter_mut().enumerate().take(hashes) {
            // SAFETY: hash < hashes, so this is inside of v.
            *place = unsafe { base.add(hash * 32) };
        }
        let mut x = [[L::splat(cpu, 0); 8]; STREAMS];
        for s in 0..STREAMS {
            for row in 0..8 {
                // SAFETY: each place has 32 words of v, which is borrowed alone and aligned to
                // 64 bytes; row × 4 + 4 ≤ 32.
                x[s][row] = unsafe { L::load_blocks(cpu, &lanes, s * blocks, 1, row * 4) };
            }
        }

        for i in 0..N {
            for (hash, place) in lanes.iter_mut().enumerate().take(hashes) {
                // SAFETY: i < N and hash < hashes, so this is inside of v.
                *place = unsafe { base.add((i * hashes + hash) * 32) };
            }
            for s in 0..STREAMS {
                for row in 0..8 {
                    // SAFETY: as above.
                    unsafe { x[s][row].store_blocks(&lanes, s * blocks, 1, row * 4) };
                }
            }
            block_mix(&mut x);
        }
        for _ in 0..N {
            for s in 0..STREAMS {
                x[s][4].store(&mut line);
                for block in 0..blocks {
                    let hash = s * blocks + block;
                    let j = line.0[4 * block] as usize & (N - 1);
                    // SAFETY: j < N and hash < hashes, so this is inside of v.
                    lanes[hash] = unsafe { base.add((j * hashes + hash) * 32) };
                    L::prefetch(cpu, lanes[hash]);
                    L::prefetch(cpu, lanes[hash].wrapping_add(16));
                }
            }
            for s in 0..STREAMS {
                for row in 0..8 {
                    // SAFETY: as above; v has been written by the first loop.
                    let read = unsafe { L::load_blocks(cpu, &lanes, s * blocks, 1, row * 4) };
                    x[s][row] = x[s][row].xor(read);
                }
            }
            block_mix(&mut x);
        }

        for (hash, place) in lanes.iter_mut().enumerate().take(hashes) {
            // SAFETY: hash < hashes, so this is inside of v.
            *place = unsafe { base.add(hash * 32) };
        }
        for s in 0..STREAMS {
            for row in 0..8 {
                // SAFETY: as above.
                unsafe { x[s][row].store_blocks(&lanes, s * blocks, 1, row * 4) };
            }
        }
        for (i, word) in words.iter_mut().enumerate() {
            for hash in 0..hashes {
                let place = hash * 32 + diagonal_place(i);
                line.0[hash] = v[place / 16].0[place % 16];
            }
            *word = L::load(cpu, &line);
        }
    }
}

/// Where word `i` of a block of 32 words stands in the order of the diagonals.
#[inline(always)]
fn diagonal_place(i: usize) -> usize {
    const PLACES: [usize; 16] = {
        let mut places = [0; 16];
        let mut i = 0;
        while i < 16 {
            places[DIAGONALS[i]] = i;
            i += 1;
        }
        places
    };
    i / 16 * 16 + PLACES[i % 16]
}

/// scryptBlockMix for r = 1 in all streams.
#[inline(always)]
fn block_mix<L: Blocks, const STREAMS: usize>(x: &mut [[L; 8]; STREAMS]) {
    xor_salsa::<L, STREAMS, 0, 4>(x);
    xor_salsa::<L, STREAMS, 4, 0>(x);
}

/// `x[HERE..] = salsa20/8(x[HERE..] ^ x[OTHER..])`, stream by stream in each step, so that each
/// stream's instructions fill the others' waits.
#[inline(always)]
fn xor_salsa<L: Blocks, const STREAMS: usize, const HERE: usize, const OTHER: usize>(
    x: &mut [[L; 8]; STREAMS],
) {
    for s in 0..STREAMS {
        for row in 0..4 {
            x[s][HERE + row] = x[s][HERE + row].xor(x[s][OTHER + row]);
        }
    }
    let mut y = *x;
    for _ in 0..4 {
        half_round::<L, STREAMS, HERE>(&mut y);
        half_round::<L, STREAMS, HERE>(&mut y);
    }
    for s in 0..STREAMS {
        for row in 0..4 {
            x[s][HERE + row] = x[s][HERE + row].add(y[s][HERE + row]);
        }
    }
}

/// Four quarter rounds at once, then the turn from columns to rows; twice it is a double round,
/// for the turn back is the same: rows 1 and 3 change places.
#[inline(always)]
fn half_round<L: Blocks, const STREAMS: usize, const HERE: usize>(y: &mut [[L; 8]; STREAMS]) {
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
