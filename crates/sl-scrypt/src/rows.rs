//! ROMix with one vector for each row of the mix's matrix (Salsa's diagonals, ChaCha's rows), of
//! several hashes side by side, in several independent streams: for instruction sets with few
//! registers.
//!
//! A block of four words is one row of one hash; a vector holds the same row of `WIDTH / 4`
//! hashes. Four vectors are a mix's state, so three streams fit into 16 registers; one stream
//! alone would wait for each of its own results. Memory is `V[i][hash][32 words]`, words in the
//! order of the rows: a lookup is two whole cache lines and needs no transposition.
#![expect(clippy::needless_range_loop, reason = "the indices are those of the specification")]

use crate::{
    engine::Layout,
    lanes::{Blocks, Line, MOST_LANES},
    mix::Mix,
};

/// `STREAMS` independent streams.
pub(crate) struct Rows<const STREAMS: usize>;

impl<L: Blocks, const STREAMS: usize> Layout<L> for Rows<STREAMS> {
    const LANES: usize = STREAMS * L::WIDTH / 4;

    #[inline(always)]
    fn romix<M: Mix>(cpu: L::Cpu, n: usize, v: &mut [Line], words: &mut [L; 32]) {
        let hashes = <Self as Layout<L>>::LANES;
        assert!(hashes <= L::WIDTH, "the words of all hashes fit into one vector each");
        // By way of V, which is free before and after: words by lane to rows by hash.
        let mut line = Line::ZERO;
        for (i, word) in words.iter().enumerate() {
            word.store(&mut line);
            for hash in 0..hashes {
                *in_rows::<M>(v, hash, i) = line.0[hash];
            }
        }
        mix_rows::<M, L, STREAMS>(cpu, n, v);
        for (i, word) in words.iter_mut().enumerate() {
            for hash in 0..hashes {
                line.0[hash] = *in_rows::<M>(v, hash, i);
            }
            *word = L::load(cpu, &line);
        }
    }
}

/// ROMix of one hash in one stream of blocks; `L` has one block.
#[inline(always)]
pub(crate) fn mix_one<M: Mix, L: Blocks>(
    cpu: L::Cpu,
    n: usize,
    v: &mut [Line],
    words: &mut [u32; 32],
) {
    const { assert!(L::WIDTH == 4, "one block, one hash") };
    for (i, word) in words.iter().enumerate() {
        *in_rows::<M>(v, 0, i) = *word;
    }
    mix_rows::<M, L, 1>(cpu, n, v);
    for (i, word) in words.iter_mut().enumerate() {
        *word = *in_rows::<M>(v, 0, i);
    }
}

/// ROMix of the hashes that stand in the first lines of V, two lines each, in the order of the
/// rows; there it leaves them.
#[inline(always)]
fn mix_rows<M: Mix, L: Blocks, const STREAMS: usize>(cpu: L::Cpu, n: usize, v: &mut [Line]) {
    let blocks = L::WIDTH / 4;
    let hashes = STREAMS * blocks;
    assert!(n.is_power_of_two(), "lookups take the low bits");
    assert_eq!(v.len(), n * hashes * 2, "two lines for each hash and step");
    // From here on V is reached by this pointer only.
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

    for i in 0..n {
        for (hash, place) in lanes.iter_mut().enumerate().take(hashes) {
            // SAFETY: i < n and hash < hashes, so this is inside of v.
            *place = unsafe { base.add((i * hashes + hash) * 32) };
        }
        for s in 0..STREAMS {
            for row in 0..8 {
                // SAFETY: as above.
                unsafe { x[s][row].store_blocks(&lanes, s * blocks, 1, row * 4) };
            }
        }
        block_mix::<M, L, STREAMS>(&mut x);
    }
    let mut line = Line::ZERO;
    for _ in 0..n {
        for s in 0..STREAMS {
            x[s][4].store(&mut line);
            for block in 0..blocks {
                let hash = s * blocks + block;
                let j = line.0[4 * block] as usize & (n - 1);
                // SAFETY: j < n and hash < hashes, so this is inside of v.
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
        block_mix::<M, L, STREAMS>(&mut x);
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
}

/// Word `i` of a hash that stands in V in the order of the rows.
#[inline(always)]
fn in_rows<M: Mix>(v: &mut [Line], hash: usize, i: usize) -> &mut u32 {
    let at = hash * 32 + place::<M>(i);
    &mut v[at / 16].0[at % 16]
}

/// Where word `i` of a block of 32 words stands in the order of the rows.
#[inline(always)]
fn place<M: Mix>(i: usize) -> usize {
    i / 16 * 16 + M::PLACES[i % 16]
}

/// scryptBlockMix for r = 1 in all streams.
#[inline(always)]
fn block_mix<M: Mix, L: Blocks, const STREAMS: usize>(x: &mut [[L; 8]; STREAMS]) {
    xor_mix::<M, L, STREAMS, 0, 4>(x);
    xor_mix::<M, L, STREAMS, 4, 0>(x);
}

/// `x[HERE..] = mix(x[HERE..] ^ x[OTHER..])`.
#[inline(always)]
fn xor_mix<M: Mix, L: Blocks, const STREAMS: usize, const HERE: usize, const OTHER: usize>(
    x: &mut [[L; 8]; STREAMS],
) {
    for s in 0..STREAMS {
        for row in 0..4 {
            x[s][HERE + row] = x[s][HERE + row].xor(x[s][OTHER + row]);
        }
    }
    let mut y = *x;
    for _ in 0..4 {
        M::rows::<L, STREAMS, HERE>(&mut y);
    }
    for s in 0..STREAMS {
        for row in 0..4 {
            x[s][HERE + row] = x[s][HERE + row].add(y[s][HERE + row]);
        }
    }
}
