//! Shares that were mined before, so that the load does not hash.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use sl_pow::{Prover, Registry};
use sl_scrypt::Scrypt;
use sl_stratum::Notify;
use sl_units::{Bits, Hash256, Mono, ShareDifficulty, Target};
use sl_work::{CoinbaseTemplate, HeaderTemplate, Job, JobId, NtimeRange, SourceId};

use crate::BenchError;

/// What each machine's difficulty is: every second hash is a share. What a share costs the gateway
/// does not depend on it.
pub(crate) const DIFFICULTY: f64 = 3.05176e-5;
/// Slots that have shares.
pub(crate) const SLOTS: u32 = 10_240;
/// Shares of each slot. Jobs under other names are the same work, so that they serve for each.
pub(crate) const EACH: usize = 8;
/// What every pool of a bench gives as its part of the extranonce.
pub(crate) const EXTRANONCE1: [u8; 4] = [0xbe, 0x9c, 0x00, 0x01];
/// The bytes that pools leave: four of slot and four of the machine's own.
pub(crate) const EXTRANONCE2_LEN: usize = 8;
/// The machine's own bytes, in all shares.
pub(crate) const OWN: [u8; 4] = [0; 4];
/// The header time of every job.
pub(crate) const NTIME: u32 = 0x6900_0000;

const VERSION: u32 = 0x2000_0000;
/// Of the main chain: no share is a block.
const BITS: u32 = 0x1a01_ffff;
/// Says which form the file has; the work it is for follows.
const MAGIC: &[u8; 8] = b"slbench1";

/// The work of every job, under this name.
pub(crate) fn notify(job_id: String, clean: bool) -> Notify {
    Notify {
        job_id,
        prev: Hash256::from_bytes([0x5a; 32]),
        coinbase1: Bytes::from([vec![1, 0, 0, 0, 1], vec![0; 36], vec![0x2f; 90]].concat()),
        coinbase2: Bytes::from(vec![0x76; 210]),
        branch: (0..11).map(|level| Hash256::from_bytes([level; 32])).collect(),
        version: VERSION,
        bits: Bits::from_u32(BITS),
        ntime: NTIME,
        clean,
    }
}

/// The nonces of all shares, by slot.
#[derive(Debug)]
pub(crate) struct Premined {
    nonces: Vec<u32>,
}

impl Premined {
    /// The shares of this file.
    pub(crate) fn load(path: &Path) -> Result<Self, BenchError> {
        let read = fs::read(path).map_err(BenchError::io(format!("reading {}", path.display())))?;
        Self::of(&read)
            .ok_or_else(|| BenchError::Part(format!("{} holds other work", path.display())))
    }

    /// The shares of this file, which is made where it is missing or of other work. Tells what it
    /// does.
    pub(crate) fn at(path: &Path, tell: &dyn Fn(&str)) -> Result<(), BenchError> {
        if fs::read(path).is_ok_and(|read| Self::of(&read).is_some()) {
            return Ok(());
        }
        tell(&format!("mining {} shares once, into {}", SLOTS as usize * EACH, path.display()));
        let mined = mine(SLOTS)?;
        let bytes: Vec<u8> =
            head().into_iter().chain(mined.iter().flat_map(|nonce| nonce.to_le_bytes())).collect();
        let part: PathBuf = path.with_extension("part");
        let write = || -> io::Result<()> {
            fs::write(&part, &bytes)?;
            fs::rename(&part, path)
        };
        write().map_err(BenchError::io(format!("writing {}", path.display())))
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let head = head();
        let body = bytes.strip_prefix(head.as_slice())?;
        let (words, rest) = body.as_chunks::<4>();
        let whole = rest.is_empty() && words.len() == SLOTS as usize * EACH;
        whole.then(|| Self { nonces: words.iter().map(|word| u32::from_le_bytes(*word)).collect() })
    }

    fn of_slot(&self, slot: u32) -> &[u32] {
        let from = slot as usize * EACH;
        self.nonces.get(from..from + EACH).unwrap_or_default()
    }

    /// Numbers in the place of nonces, for a pool that takes everything.
    #[cfg(test)]
    pub(crate) fn made_up() -> Self {
        let each = u32::try_from(EACH).expect("few");
        Self { nonces: (0..SLOTS * each).map(|at| at * 2 + 1).collect() }
    }

    /// The nonce of a share of this slot; `None` where it has no more.
    pub(crate) fn share(&self, slot: u32, number: usize) -> Option<u32> {
        self.of_slot(slot).get(number).copied()
    }

    /// A nonce of this slot whose hash is above the target: those between two shares are.
    pub(crate) fn failure(&self, slot: u32, number: usize) -> Option<u32> {
        let shares = self.of_slot(slot);
        let last = *shares.last()?;
        let between: Vec<u32> = (0..last).filter(|nonce| !shares.contains(nonce)).collect();
        between.get(number.checked_rem(between.len())?).copied()
    }
}

/// What the file begins with: its form, and the work it is for.
fn head() -> Vec<u8> {
    let header = template().header_bytes(&[0; EXTRANONCE2_LEN], VERSION, NTIME, 0);
    let numbers = [DIFFICULTY.to_bits(), u64::from(SLOTS), EACH as u64].map(u64::to_le_bytes);
    [MAGIC.as_slice(), &header, &numbers.concat()].concat()
}

/// The work as the gateway has it: the pool's extranonce stands in the coinbase's first part.
pub(crate) fn template() -> Job {
    let notify = notify("1".into(), true);
    Job {
        id: JobId { source: SourceId::new("bench"), sequence: 1 },
        epoch: 1,
        born: Mono::default(),
        header: HeaderTemplate {
            version: VERSION,
            roll_mask: 0,
            prev: notify.prev,
            bits: notify.bits,
            ntime: NtimeRange { earliest: NTIME, start: NTIME, latest: NTIME },
        },
        coinbase: CoinbaseTemplate {
            prefix: Bytes::from([&notify.coinbase1[..], &EXTRANONCE1].concat()),
            free: EXTRANONCE2_LEN,
            suffix: notify.coinbase2,
        },
        branch: notify.branch,
        wanted: target(),
        goals: Vec::new(),
    }
}

fn target() -> Target {
    Target::from(ShareDifficulty::new(DIFFICULTY).expect("a positive number"))
}

/// The first shares of so many slots, with all CPUs.
fn mine(slots: u32) -> Result<Vec<u32>, BenchError> {
    const PIECE: usize = 64;
    let mut registry = Registry::new();
    registry.register(Scrypt).map_err(BenchError::part)?;
    let mut nonces = vec![0; slots as usize * EACH];
    let pieces: Vec<_> = nonces.chunks_mut(PIECE * EACH).map(std::sync::Mutex::new).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), BenchError> {
        let mut prover = registry.best("scrypt").map_err(BenchError::part)?;
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(at) else { return Ok(()) };
            let mut piece = piece.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for (slot, shares) in (at * PIECE..).zip(piece.chunks_mut(EACH)) {
                fill(&mut prover, u32::try_from(slot).unwrap_or(u32::MAX), shares);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..sl_ports::process::cpus()).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| BenchError::Part("a thread that mines died".into()))?
        })
    })?;
    drop(pieces);
    Ok(nonces)
}

fn fill(prover: &mut Prover, slot: u32, shares: &mut [u32]) {
    const AT_ONCE: u32 = 16;
    let extranonce = [slot.to_be_bytes(), OWN].concat();
    let header = template().header_bytes(&extranonce, VERSION, NTIME, 0);
    let (mut found, mut from) = (0, 0);
    while found < shares.len() {
        for hashed in prover.scan(&header, from, AT_ONCE, target()) {
            if let Some(share) = shares.get_mut(found) {
                *share = hashed.nonce();
                found += 1;
            }
        }
        from += AT_ONCE;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sl_work::{Claim, verify};

    use super::*;

    #[test]
    fn shares_prove_what_they_claim_and_failures_do_not() {
        let mined = mine(3).expect("an engine");
        let shares = Premined { nonces: mined };
        let mut registry = Registry::new();
        registry.register(Scrypt).expect("a new name");
        let mut prover = registry.best("scrypt").expect("an engine");
        let job = Arc::new(template());
        let mut is_share = |slot: u32, nonce: u32| {
            let extranonce = [slot.to_be_bytes(), OWN].concat();
            let claim = Claim::new(job.clone(), extranonce, VERSION, NTIME, nonce).expect("shaped");
            let hashed = prover.hash(claim.header());
            verify(claim, &hashed, target()).is_ok()
        };
        for slot in 0..3 {
            for number in 0..EACH {
                assert!(is_share(slot, shares.share(slot, number).expect("mined")));
            }
            if let Some(nonce) = shares.failure(slot, 5) {
                assert!(!is_share(slot, nonce));
            }
            assert_eq!(shares.share(slot, EACH), None);
        }
        assert_eq!((shares.share(3, 0), shares.failure(SLOTS, 0)), (None, None));
    }

    #[test]
    fn a_file_of_other_work_is_none() {
        let whole: Vec<u8> = [head(), vec![7; SLOTS as usize * EACH * 4]].concat();
        assert!(Premined::of(&whole).is_some_and(|it| it.share(9, 1) == Some(0x0707_0707)));
        let mut other = whole.clone();
        other[20] ^= 1;
        assert!(Premined::of(&other).is_none() && Premined::of(&whole[..100]).is_none());
    }
}
