//! ROMix with one vector for each word of the block ("structure of arrays"): every lane of every
//! instruction does useful work and no word moves inside of a vector during the rounds.
//!
//! Memory is `V[i][lane][32 words]`: a lookup of one lane is two whole cache lines, at the price
//! of a transposition on each write and each read. (Side by side in memory by lane would need
//! gathers; each lane's 128 KiB in one piece would put all lanes into the same cache sets.)

use crate::{
    engine::{Layout, N},
    lanes::{Lanes, Line, MOST_LANES},
};

/// One group of `WIDTH` hashes.
pub(crate) struct Soa;

impl<L: Lanes> Layout<L> for Soa {
    const LANES: usize = L::WIDTH;

    #[inline(always)]
    fn romix(cpu: L::Cpu, v: &mut [Line], x: &mut [L; 32]) {
        assert_eq!(v.len(), N * L::WIDTH * 2, "two lines for each lane and step");
        let base = v.as_mut_ptr().cast::<u32>();
        let mut lanes = [base; MOST_LANES];
        for i in 0..N {
            for (lane, place) in lanes.iter_mut().enumerate().take(L::WIDTH) {
                // SAFETY: i < N and lane < WIDTH, so this is inside of v.
                *place = unsafe { base.add((i * L::WIDTH + lane) * 32) };
            }
            for at in (0..32).step_by(4) {
                let words = [x[at], x[at + 1], x[at + 2], x[at + 3]];
                // SAFETY: each place has 32 words of v, which is borrowed alone and aligned to
                // 64 bytes; at + 4 ≤ 32.
                unsafe { L::store_words(words, &lanes, at) };
            }
            block_mix(x);
        }
        let mut wanted = Line::ZERO;
        for _ in 0..N {
            x[16].store(&mut wanted);
            for (lane, place) in lanes.iter_mut().enumerate().take(L::WIDTH) {
                let j = wanted.0[lane] as usize & (N - 1);
                // SAFETY: j < N and lane < WIDTH, so this is inside of v.
                *place = unsafe { base.add((j * L::WIDTH + lane) * 32) };
                L::prefetch(cpu, *place);
                L::prefetch(cpu, place.wrapping_add(16));
            }
            for at in (0..32).step_by(4) {
                // SAFETY: as above; v has been written by the first loop.
                let words = unsafe { L::load_words(cpu, &lanes, at) };
                for m in 0..4 {
                    x[at + m] = x[at + m].xor(words[m]);
                }
            }
            block_mix(x);
        }
    }
}

/// scryptBlockMix for r = 1: two salsas, each fed with the other's answer.
#[inline(always)]
fn block_mix<L: Lanes>(x: &mut [L; 32]) {
    let (front, back) = x.split_at_mut(16);
    let (Some(front), Some(back)) = (front.first_chunk_mut(), back.first_chunk_mut()) else {
        return;
    };
    xor_salsa(front, back);
    xor_salsa(back, front);
}

/// `x = salsa20/8(x ^ other)`.
#[inline(always)]
fn xor_salsa<L: Lanes>(x: &mut [L; 16], other: &[L; 16]) {
    for i in 0..16 {
        x[i] = x[i].xor(other[i]);
    }
    let mut y = *x;
    for _ in 0..4 {
        quarter(&mut y, 0, 4, 8, 12);
        quarter(&mut y, 5, 9, 13, 1);
        quarter(&mut y, 10, 14, 2, 6);
        quarter(&mut y, 15, 3, 7, 11);
        quarter(&mut y, 0, 1, 2, 3);
        quarter(&mut y, 5, 6, 7, 4);
        quarter(&mut y, 10, 11, 8, 9);
        quarter(&mut y, 15, 12, 13, 14);
    }
    for i in 0..16 {
        x[i] = x[i].add(y[i]);
    }
}

#[inline(always)]
fn quarter<L: Lanes>(y: &mut [L; 16], a: usize, b: usize, c: usize, d: usize) {
    y[b] = y[b].xor(y[a].add(y[d]).rotl::<7, 25>());
    y[c] = y[c].xor(y[b].add(y[a]).rotl::<9, 23>());
    y[d] = y[d].xor(y[c].add(y[b]).rotl::<13, 19>());
    y[a] = y[a].xor(y[d].add(y[c]).rotl::<18, 14>());
}
