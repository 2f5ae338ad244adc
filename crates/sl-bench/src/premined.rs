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

/// What each machine's difficulty is where vardiff has no choice: every sixth hash is a share. What a
/// share costs the gateway does not depend on it.
pub(crate) const DIFFICULTY: f64 = 9.15527e-5;
/// Every hash is a share.
pub(crate) const EASIEST: f64 = 1.5e-5;
/// Slots that have shares.
pub(crate) const SLOTS: u32 = 10_240;
/// Nonces of each slot that were hashed, from 0 on. Jobs under other names are the same work, so that
/// they serve for each.
pub(crate) const HASHES: u32 = 128;
/// What every pool of a bench gives as its part of the extranonce.
pub(crate) const EXTRANONCE1: [u8; 4] = [0xbe, 0x9c, 0x00, 0x01];
/// The bytes that pools leave: four of slot and four of the machine's own.
pub(crate) const EXTRANONCE2_LEN: usize = 8;
/// The machine's own bytes, in all shares.
pub(crate) const OWN: [u8; 4] = [0; 4];
/// The header time of every job.
pub(crate) const NTIME: u32 = 0x6900_0000;

const VERSION: u32 = 0x2000_0000;
/// What is kept of a hash is a little less than it reaches, so that rounding makes no share of none.
const SLACK: f64 = 1e-6;
/// Of the main chain: no share is a block.
const BITS: u32 = 0x1a01_ffff;
/// Says which form the file has; the work it is for follows.
const MAGIC: &[u8; 8] = b"slbench2";

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

/// What each hash of each slot reaches: a machine of any rate, at any difficulty, finds its shares
/// here.
#[derive(Debug)]
pub(crate) struct Premined {
    reached: Vec<f32>,
}

impl Premined {
    /// The hashes of this file.
    pub(crate) fn load(path: &Path) -> Result<Self, BenchError> {
        let read = fs::read(path).map_err(BenchError::io(format!("reading {}", path.display())))?;
        Self::of(&read)
            .ok_or_else(|| BenchError::Part(format!("{} holds other work", path.display())))
    }

    /// The hashes of this file, which is made where it is missing or of other work. Tells what it
    /// does.
    pub(crate) fn at(path: &Path, tell: &dyn Fn(&str)) -> Result<(), BenchError> {
        if fs::read(path).is_ok_and(|read| Self::of(&read).is_some()) {
            return Ok(());
        }
        tell(&format!("hashing {SLOTS} × {HASHES} times once, into {}", path.display()));
        let mined = mine(SLOTS)?;
        let bytes: Vec<u8> = head()
            .into_iter()
            .chain(mined.iter().flat_map(|reached| reached.to_le_bytes()))
            .collect();
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
        let whole = rest.is_empty() && words.len() == (SLOTS * HASHES) as usize;
        whole
            .then(|| Self { reached: words.iter().map(|word| f32::from_le_bytes(*word)).collect() })
    }

    fn of_slot(&self, slot: u32) -> &[f32] {
        let from = slot as usize * HASHES as usize;
        self.reached.get(from..from + HASHES as usize).unwrap_or_default()
    }

    /// Hashes that reach any difficulty, for a pool that takes everything.
    #[cfg(test)]
    pub(crate) fn made_up() -> Self {
        Self { reached: vec![f32::MAX; (SLOTS * HASHES) as usize] }
    }

    /// The first share among a slot's nonces from this one on; `None` where there is none.
    pub(crate) fn share(&self, slot: u32, from: u32, difficulty: f64) -> Option<u32> {
        let mut all = (0u32..).zip(self.of_slot(slot)).skip(from as usize);
        all.find(|(_, reached)| f64::from(**reached) >= difficulty).map(|(nonce, _)| nonce)
    }

    /// A nonce of this slot whose hash is no share.
    pub(crate) fn failure(&self, slot: u32, number: usize) -> Option<u32> {
        let all = (0u32..).zip(self.of_slot(slot));
        let short = |reached: &f32| f64::from(*reached) < DIFFICULTY * (1.0 - 4.0 * SLACK);
        let failed: Vec<u32> =
            all.filter(|(_, reached)| short(reached)).map(|(nonce, _)| nonce).collect();
        failed.get(number.checked_rem(failed.len())?).copied()
    }
}

/// What the file begins with: its form, and the work it is for.
fn head() -> Vec<u8> {
    let header = template().header_bytes(&[0; EXTRANONCE2_LEN], VERSION, NTIME, 0);
    let numbers = [DIFFICULTY.to_bits(), u64::from(SLOTS), u64::from(HASHES)].map(u64::to_le_bytes);
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

/// What the first hashes of so many slots reach, with all CPUs.
fn mine(slots: u32) -> Result<Vec<f32>, BenchError> {
    const PIECE: usize = 16 * HASHES as usize;
    let mut registry = Registry::new();
    registry.register(Scrypt).map_err(BenchError::part)?;
    let mut all = vec![0.0; (slots * HASHES) as usize];
    let pieces: Vec<_> = all.chunks_mut(PIECE).map(std::sync::Mutex::new).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), BenchError> {
        let mut prover = registry.best("scrypt").map_err(BenchError::part)?;
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(at) else { return Ok(()) };
            let mut piece = piece.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let slots = (at * PIECE / HASHES as usize..).zip(piece.chunks_mut(HASHES as usize));
            for (slot, reached) in slots {
                fill(&mut prover, u32::try_from(slot).unwrap_or(u32::MAX), reached);
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
    Ok(all)
}

fn fill(prover: &mut Prover, slot: u32, reached: &mut [f32]) {
    let extranonce = [slot.to_be_bytes(), OWN].concat();
    let header = template().header_bytes(&extranonce, VERSION, NTIME, 0);
    for hashed in prover.scan(&header, 0, HASHES, Target::MAX) {
        let difficulty = ShareDifficulty::from(Target::from_le_bytes(*hashed.hash().as_bytes()));
        if let Some(reached) = reached.get_mut(hashed.nonce() as usize) {
            *reached = (difficulty.get() * (1.0 - SLACK)) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sl_work::{Claim, verify};

    use super::*;

    #[test]
    fn shares_prove_what_they_claim_and_failures_do_not() {
        let shares = Premined { reached: mine(3).expect("an engine") };
        let mut registry = Registry::new();
        registry.register(Scrypt).expect("a new name");
        let mut prover = registry.best("scrypt").expect("an engine");
        let job = Arc::new(template());
        let mut is_share = |slot: u32, nonce: u32, difficulty: f64| {
            let extranonce = [slot.to_be_bytes(), OWN].concat();
            let claim = Claim::new(job.clone(), extranonce, VERSION, NTIME, nonce).expect("shaped");
            let hashed = prover.hash(claim.header());
            let target = Target::from(ShareDifficulty::new(difficulty).expect("positive"));
            verify(claim, &hashed, target.easier(job.wanted)).is_ok()
        };
        for slot in 0..3 {
            let (mut from, mut found) = (0, 0);
            while let Some(nonce) = shares.share(slot, from, DIFFICULTY) {
                assert!(is_share(slot, nonce, DIFFICULTY));
                (from, found) = (nonce + 1, found + 1);
            }
            assert!((4..60).contains(&found), "{found} of {HASHES}");
            assert_eq!(shares.share(slot, 77, EASIEST), Some(77));
            assert!(is_share(slot, 77, EASIEST));
            let failure = shares.failure(slot, 500).expect("most are none");
            assert!(!is_share(slot, failure, DIFFICULTY));
            assert_eq!(shares.share(slot, HASHES, EASIEST), None);
        }
        assert_eq!((shares.share(3, 0, EASIEST), shares.failure(SLOTS, 0)), (None, None));
    }

    #[test]
    fn a_file_of_other_work_is_none() {
        let hashes = 9f32.to_le_bytes().repeat((SLOTS * HASHES) as usize);
        let whole: Vec<u8> = [head(), hashes].concat();
        assert!(Premined::of(&whole).is_some_and(|it| it.share(9, 1, 8.9) == Some(1)));
        let mut other = whole.clone();
        other[20] ^= 1;
        assert!(Premined::of(&other).is_none() && Premined::of(&whole[..100]).is_none());
    }
}
