//! Measuring provers: hash rate by rounds, and a checksum by which two machines are compared.

use std::{sync::Barrier, thread, time::Duration};

use sl_units::{HashRate, Mono, Target};

use crate::{Algorithm, HEADER_LEN, Hashed, Prover, Vector};

/// Nonces whose hashes make the checksum: 0 up to this.
const CHECKSUM_NONCES: u32 = 128;

/// How to measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BenchPlan {
    /// Rounds; the median counts. At least one is made.
    pub rounds: usize,
    /// The least time of a round.
    pub round: Duration,
}

impl Default for BenchPlan {
    /// Seven rounds of 300 ms.
    fn default() -> Self {
        Self { rounds: 7, round: Duration::from_millis(300) }
    }
}

/// What was measured.
#[derive(Clone, PartialEq, Debug)]
pub struct BenchFigures {
    /// The engine's name.
    pub engine: &'static str,
    /// Headers hashed side by side by one thread.
    pub lanes: usize,
    /// Threads, one prover each.
    pub threads: usize,
    /// All threads together, median of the rounds.
    pub hashrate: HashRate,
    /// (fastest − slowest round) / median; 0.02 is a quiet machine.
    pub spread: f64,
    /// Fold of the hashes of the first nonces of the algorithm's first vector: the same on every
    /// machine and with every engine.
    pub checksum: u64,
    /// Whether the scalar reference gives this checksum too.
    pub verified: bool,
}

/// Measures provers of one kind, each in a thread of its own, all at once.
///
/// `now` is the caller's clock; it must move on while hashes are made, or the rounds never end.
/// Blocks for `rounds × round` and the time of some hundred hashes of the scalar reference.
///
/// An empty slice of provers measures nothing: engine "none", rate zero, not verified.
pub fn measure(
    provers: &mut [Prover],
    algorithm: &dyn Algorithm,
    plan: BenchPlan,
    now: impl Fn() -> Mono + Sync,
) -> BenchFigures {
    let header =
        algorithm.vectors().first().map_or([0; HEADER_LEN], |vector: &Vector| vector.header);
    let (engine, lanes) = provers.first().map_or(("none", 0), |p| (p.name(), p.lanes()));
    let reference = checksum(
        (0..CHECKSUM_NONCES)
            .map(|nonce| *algorithm.hash(&crate::with_nonce(&header, nonce)).as_bytes()),
    );
    let mut sums = provers.iter_mut().map(|prover| {
        let mut hashed = prover.scan(&header, 0, CHECKSUM_NONCES, Target::MAX);
        hashed.sort_by_key(Hashed::nonce);
        checksum(hashed.iter().map(|hashed| *hashed.hash().as_bytes()))
    });
    let first = sums.next();
    let verified = first == Some(reference) && sums.all(|sum| sum == reference);
    let mut rates: Vec<f64> = (0..plan.rounds.max(1))
        .map(|round| self::round(provers, &header, round as u32, plan.round, &now).hs())
        .collect();
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    let spread = match (rates.first(), rates.last()) {
        (Some(slowest), Some(fastest)) if median > 0.0 => (fastest - slowest) / median,
        _ => 0.0,
    };
    BenchFigures {
        engine,
        lanes,
        threads: provers.len(),
        hashrate: HashRate::from_hs(median),
        spread,
        checksum: first.unwrap_or_default(),
        verified,
    }
}

/// One round: all threads start together, each scans until its time is over; the rates add up.
fn round(
    provers: &mut [Prover],
    header: &[u8; HEADER_LEN],
    number: u32,
    least: Duration,
    now: &(impl Fn() -> Mono + Sync),
) -> HashRate {
    let start = Barrier::new(provers.len());
    thread::scope(|scope| {
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
        threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
    })
}

fn scan_for(
    prover: &mut Prover,
    header: &[u8; HEADER_LEN],
    mut nonce: u32,
    least: Duration,
    now: &impl Fn() -> Mono,
) -> HashRate {
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
            return HashRate::from_work(hashes, elapsed);
        }
    }
}

/// FNV-1a with 64 bits over all bytes: not cryptographic, only the same everywhere.
fn checksum(hashes: impl Iterator<Item = [u8; 32]>) -> u64 {
    hashes.flatten().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
