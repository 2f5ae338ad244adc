use std::{sync::Barrier, thread, time::Duration};

use sl_units::{HashRate, Mono, Target};

use super::{Spread, frequency, header_of};
use crate::{Algorithm, HEADER_LEN, Hashed, Prover, with_nonce};

/// Nonces whose hashes make the checksum: 0 up to this, over the header of the algorithm's first
/// vector.
pub const CHECKSUM_NONCES: u32 = 128;

/// What some threads did in one round.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Round {
    /// All threads together.
    pub hashrate: HashRate,
    /// Hashes of all threads.
    pub hashes: f64,
    /// The clock of a thread's CPU right after its hashes, in cycles a second, by
    /// [`frequency`]: the median of the threads. `None` where the caller's clock is too coarse.
    pub frequency_hz: Option<f64>,
}

impl Round {
    /// Cycles that one hash takes one thread, of so many threads.
    #[must_use]
    pub fn cycles_per_hash(&self, threads: usize) -> Option<f64> {
        let cycles = self.frequency_hz? * threads as f64;
        (self.hashrate.hs() > 0.0).then(|| cycles / self.hashrate.hs())
    }
}

/// One round: all threads start together, a prover each, and each scans until `least` is over; the
/// rates add up. `number` tells the rounds apart: each scans nonces of its own.
pub fn round(
    provers: &mut [Prover],
    header: &[u8; HEADER_LEN],
    number: u32,
    least: Duration,
    now: &(impl Fn() -> Mono + Sync),
) -> Round {
    let start = Barrier::new(provers.len());
    let rounds: Vec<Round> = thread::scope(|scope| {
        let threads: Vec<_> = provers
            .iter_mut()
            .map(|prover| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    scan_for(prover, header, number.wrapping_mul(0x0100_0000), least, now)
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let median = Spread::of(rounds.iter().filter_map(|round| round.frequency_hz)).median;
    Round {
        hashrate: rounds.iter().map(|round| round.hashrate).sum(),
        hashes: rounds.iter().map(|round| round.hashes).sum(),
        frequency_hz: (median > 0.0).then_some(median),
    }
}

fn scan_for(
    prover: &mut Prover,
    header: &[u8; HEADER_LEN],
    mut nonce: u32,
    least: Duration,
    now: &impl Fn() -> Mono,
) -> Round {
    // Nothing but zero meets it: a bench finds no shares.
    let target = Target::from_le_bytes([0; 32]);
    let group = u32::try_from(prover.lanes()).unwrap_or(u32::MAX).saturating_mul(4);
    let mut found = Vec::new();
    let begin = now();
    let mut hashes = 0.0;
    loop {
        prover.scan_into(header, nonce, group, target, &mut found);
        nonce = nonce.wrapping_add(group);
        hashes += f64::from(group);
        let elapsed = now().since(begin);
        if elapsed >= least && !elapsed.is_zero() {
            let hashrate = HashRate::from_work(hashes, elapsed);
            return Round { hashrate, hashes, frequency_hz: frequency(now) };
        }
    }
}

/// The checksum by which two machines are compared, as a prover makes it.
pub fn checksum(prover: &mut Prover, header: &[u8; HEADER_LEN]) -> u64 {
    let mut hashed = prover.scan(header, 0, CHECKSUM_NONCES, Target::MAX);
    hashed.sort_by_key(Hashed::nonce);
    fold(hashed.iter().map(|hashed| *hashed.hash().as_bytes()))
}

/// The checksum that is right: as the algorithm's scalar reference makes it.
#[must_use]
pub fn reference_checksum(algorithm: &dyn Algorithm) -> u64 {
    let header = header_of(algorithm);
    let hash = |nonce| *algorithm.hash(&with_nonce(&header, nonce)).as_bytes();
    fold((0..CHECKSUM_NONCES).map(hash))
}

/// FNV-1a with 64 bits over all bytes: not cryptographic, only the same everywhere.
fn fold(hashes: impl Iterator<Item = [u8; 32]>) -> u64 {
    hashes.flatten().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
