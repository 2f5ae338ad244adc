//! ROMix with one vector for each word of the block ("structure of arrays"): every lane of every
//! instruction does useful work and no word moves inside of a vector during the rounds.
//!
//! Memory is `V[i][lane][32 words]`: a lookup of one lane is two whole cache lines, at the price
//! of a transposition on each write and each read. (Side by side in memory by lane would need
//! gathers; each lane's 128 KiB in one piece would put all lanes into the same cache sets.)

use crate::{
    engine::Layout,
    lanes::{Lanes, Line, MOST_LANES},
    mix::Mix,
};

/// One group of `WIDTH` hashes.
pub(crate) struct Soa;

impl<L: Lanes> Layout<L> for Soa {
    const LANES: usize = L::WIDTH;

    #[inline(always)]
    fn romix<M: Mix>(cpu: L::Cpu, n: usize, v: &mut [Line], x: &mut [L; 32]) {
        assert!(n.is_power_of_two(), "lookups take the low bits");
        assert_eq!(v.len(), n * L::WIDTH * 2, "two lines for each lane and step");
        let base = v.as_mut_ptr().cast::<u32>();
        let mut lanes = [base; MOST_LANES];
        for i in 0..n {
            for (lane, place) in lanes.iter_mut().enumerate().take(L::WIDTH) {
                // SAFETY: i < n and lane < WIDTH, so this is inside of v.
                *place = unsafe { base.add((i * L::WIDTH + lane) * 32) };
            }
            for at in (0..32).step_by(4) {
                let words = [x[at], x[at + 1], x[at + 2], x[at + 3]];
                // SAFETY: each place has 32 words of v, which is borrowed alone and aligned to
                // 64 bytes; at + 4 ≤ 32.
                unsafe { L::store_words(words, &lanes, at) };
            }
            block_mix::<M, L>(x);
        }
        let mut wanted = Line::ZERO;
        for _ in 0..n {
            x[16].store(&mut wanted);
            for (lane, place) in lanes.iter_mut().enumerate().take(L::WIDTH) {
                let j = wanted.0[lane] as usize & (n - 1);
                // SAFETY: j < n and lane < WIDTH, so this is inside of v.
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
            block_mix::<M, L>(x);
        }
    }
}

/// scryptBlockMix for r = 1: two mixes, each fed with the other's answer.
#[inline(always)]
fn block_mix<M: Mix, L: Lanes>(x: &mut [L; 32]) {
    let (front, back) = x.split_at_mut(16);
    let (Some(front), Some(back)) = (front.first_chunk_mut(), back.first_chunk_mut()) else {
        return;
    };
    xor_mix::<M, L>(front, back);
    xor_mix::<M, L>(back, front);
}

/// `x = mix(x ^ other)`.
#[inline(always)]
fn xor_mix<M: Mix, L: Lanes>(x: &mut [L; 16], other: &[L; 16]) {
    for i in 0..16 {
        x[i] = x[i].xor(other[i]);
    }
    let mut y = *x;
    for _ in 0..4 {
        M::words(&mut y);
    }
    for i in 0..16 {
        x[i] = x[i].add(y[i]);
    }
}
