//! ROMix with one vector for each word of the block ("structure of arrays"): every lane of every
//! instruction does useful work and no word moves inside of a vector during the rounds.
//!
//! Memory is `V[i][lane][32 words]`: a lookup of one lane is two whole cache lines, at the price
//! of a transposition on each write and each read. (Side by side in memory by lane would need
//! gathers; each lane's 128 KiB in one piece would put all lanes into the same cache sets.)
//!
//! A row does not hold the block's halves A and B, but A ^ B and B: that sum is what the first mix
//! of a step starts from, so it waits for one line of each lane only, and the other line is read in
//! its shade. The writes stand behind the first double round of each mix for the same reason.

use crate::{
    engine::Layout,
    lanes::{Lanes, Line, MOST_LANES},
    mix::Mix,
};

/// Words of a lane's row: two lines.
const ROW: usize = 32;

/// One group of `WIDTH` hashes.
pub(crate) struct Soa;

impl<L: Lanes> Layout<L> for Soa {
    const LANES: usize = L::WIDTH;

    #[inline(always)]
    fn romix<M: Mix>(cpu: L::Cpu, n: usize, v: &mut [Line], x: &mut [L; 32]) {
        assert!(n.is_power_of_two(), "lookups take the low bits");
        assert_eq!(v.len(), n * L::WIDTH * 2, "two lines for each lane and step");
        let (a, b) = x.split_at_mut(16);
        let (Some(a), Some(b)) = (a.first_chunk_mut::<16>(), b.first_chunk_mut::<16>()) else {
            return;
        };
        let base = v.as_mut_ptr().cast::<u32>();
        let mut lanes = [base; MOST_LANES];
        for i in 0..n {
            for (lane, place) in lanes.iter_mut().enumerate().take(L::WIDTH) {
                // SAFETY: i < n and lane < WIDTH, so this is inside of v.
                *place = unsafe { base.add((i * L::WIDTH + lane) * ROW) };
            }
            xor(a, b);
            let sum = *a;
            let y = begin::<M, L>(a);
            // SAFETY: each place has two lines of v, which is borrowed alone and aligned to 64
            // bytes.
            unsafe { L::store_line(b, &lanes, 16) };
            finish::<M, L>(a, y);
            xor(b, a);
            let y = begin::<M, L>(b);
            // SAFETY: as above.
            unsafe { L::store_line(&sum, &lanes, 0) };
            finish::<M, L>(b, y);
        }
        let mut wanted = Line::ZERO;
        for _ in 0..n {
            b[0].store(&mut wanted);
            for (lane, place) in lanes.iter_mut().enumerate().take(L::WIDTH) {
                let j = wanted.0[lane] as usize & (n - 1);
                // SAFETY: j < n and lane < WIDTH, so this is inside of v.
                *place = unsafe { base.add((j * L::WIDTH + lane) * ROW) };
                L::prefetch(cpu, *place);
                L::prefetch(cpu, place.wrapping_add(16));
            }
            // SAFETY: as above; v has been written by the first loop.
            let sum = unsafe { L::load_line(cpu, &lanes, 0) };
            xor(a, b);
            xor(a, &sum);
            // SAFETY: as above.
            xor(b, &unsafe { L::load_line(cpu, &lanes, 16) });
            let y = begin::<M, L>(a);
            finish::<M, L>(a, y);
            xor(b, a);
            let y = begin::<M, L>(b);
            finish::<M, L>(b, y);
        }
    }
}

#[inline(always)]
fn xor<L: Lanes>(x: &mut [L; 16], other: &[L; 16]) {
    for (x, other) in x.iter_mut().zip(other) {
        *x = x.xor(*other);
    }
}

/// The first double round of the mix of `x`. What stands behind it fills the ports that the
/// chain of the rounds leaves free.
#[inline(always)]
fn begin<M: Mix, L: Lanes>(x: &[L; 16]) -> [L; 16] {
    let mut y = *x;
    M::words(&mut y);
    y
}

/// The other three, and `x = mix(x)`.
#[inline(always)]
fn finish<M: Mix, L: Lanes>(x: &mut [L; 16], mut y: [L; 16]) {
    for _ in 1..4 {
        M::words(&mut y);
    }
    for (x, y) in x.iter_mut().zip(y) {
        *x = x.add(y);
    }
}
