use std::{hint::black_box, time::Duration};

use sl_units::Mono;

/// Pairs of an addition and an exclusive or in one look, each waiting for the one before.
const PAIRS: u32 = 32_768;
/// Looks; the fastest counts, since whatever disturbs one makes it slower.
const LOOKS: u64 = 12;

/// The calling thread's clock in cycles a second, by doing what takes a known number of cycles: a
/// chain in which each addition waits for an exclusive or, and that for an addition. Both take one
/// cycle on every 64-bit processor of note. Takes about half a millisecond.
///
/// It is the clock that this thread really has, turbo and throttling included, in virtual machines
/// too, where no counter tells it. On a machine that takes the CPU away in each look it is too low.
///
/// `None` if `now` is too coarse to see a look pass.
pub fn frequency(now: &impl Fn() -> Mono) -> Option<f64> {
    let look = |start: u64| -> Duration {
        let (start, add, flip) = (black_box(start), black_box(0x9e37_79b9), black_box(0x5bd1_e995));
        let begin = now();
        black_box(chain(start, add, flip));
        now().since(begin)
    };
    let fastest = (0..LOOKS).map(look).filter(|took| !took.is_zero()).min()?;
    Some(f64::from(2 * PAIRS) / fastest.as_secs_f64())
}

/// No compiler finds a short cut: neither operation distributes over the other.
#[inline(never)]
fn chain(mut value: u64, add: u64, flip: u64) -> u64 {
    for _ in 0..PAIRS / 8 {
        for _ in 0..8 {
            value = value.wrapping_add(add) ^ flip;
        }
    }
    value
}
