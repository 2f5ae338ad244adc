//! A source of work that does what a test says, for the tests of whoever consumes sources.

use std::sync::Arc;

use sl_pow::{Prover, ScalarEngine};
use sl_units::{Bits, Hash256, Mono, ShareDifficulty, Target};
use sl_work::{
    Claim, CoinbaseTemplate, HeaderTemplate, Job, JobId, Leased, NtimeRange, Outcome, Pending,
    Proven, SourceEnd, SourceHandle, SourceId, Work, source, verify,
};

use crate::toy::Zero;

/// A source in the hands of a test. It gives a lease what is asked for, and nothing by itself.
#[derive(Debug)]
pub struct Scripted {
    id: SourceId,
    handle: SourceHandle,
    end: SourceEnd,
    leases: Vec<Leased>,
    sequence: u64,
    epoch: u64,
    job: Option<Job>,
    /// Difficulty of its shares, in the pools' scale.
    pub difficulty: f64,
}

impl Scripted {
    /// A source that will give leases of so many bytes at most; 0 until it is told otherwise.
    #[must_use]
    pub fn new(name: &str, widest: usize) -> Self {
        let id = SourceId::new(name);
        let (handle, end) = source(id.clone());
        end.set_widest(widest);
        let leases = Vec::new();
        Self { id, handle, end, leases, sequence: 0, epoch: 0, job: None, difficulty: 1.0 }
    }

    /// What consumers lease from.
    #[must_use]
    pub fn source(&self) -> SourceHandle {
        self.handle.clone()
    }

    /// It connects, and can hold so many bytes.
    pub fn widest(&mut self, widest: usize) {
        self.end.set_widest(widest);
    }

    /// It takes the leases that were asked for meanwhile, and gives them its work.
    pub fn turn(&mut self) {
        while let Ok(leased) = self.end.leases.try_recv() {
            self.leases.push(leased);
            self.show_to(self.leases.len() - 1);
        }
    }

    /// Leases that are held.
    #[must_use]
    pub fn leased(&self) -> usize {
        self.leases.iter().filter(|leased| !leased.work.is_closed()).count()
    }

    /// A new job on the block `tip`; a clean one makes those before it stale.
    ///
    /// # Panics
    /// The difficulty is none.
    pub fn job(&mut self, tip: u8, clean: bool, now: Mono) -> JobId {
        self.turn();
        self.sequence += 1;
        self.epoch += u64::from(clean || self.job.is_none());
        let id = JobId { source: self.id.clone(), sequence: self.sequence };
        let difficulty = ShareDifficulty::new(self.difficulty).expect("positive");
        self.job = Some(Job {
            id: id.clone(),
            epoch: self.epoch,
            born: now,
            header: HeaderTemplate {
                version: 0x2000_0000,
                roll_mask: 0,
                prev: Hash256::from_bytes([tip; 32]),
                bits: Bits::from_u32(0x1e0f_fff0),
                ntime: NtimeRange { earliest: 100, start: 150, latest: 200 },
            },
            coinbase: CoinbaseTemplate {
                prefix: coinbase_head(),
                free: 0,
                suffix: COINBASE_TAIL.to_vec().into(),
            },
            branch: vec![Hash256::ZERO],
            wanted: Target::from(difficulty),
            goals: Vec::new(),
        });
        self.end.set_working(now);
        for at in 0..self.leases.len() {
            self.show_to(at);
        }
        id
    }

    /// It has no work.
    pub fn idle(&mut self, why: &str, now: Mono) {
        self.turn();
        self.job = None;
        self.end.set_idle(why, now);
        for leased in &self.leases {
            leased.work.send_replace(Work::Idle { why: why.into(), since: now });
        }
    }

    /// The next share that comes up, with the leases that come meanwhile.
    ///
    /// # Panics
    /// Nobody can send one any more.
    pub async fn share(&mut self) -> Pending {
        loop {
            tokio::select! {
                Some(pending) = self.end.intake.next() => return pending,
                Some(leased) = self.end.leases.recv() => {
                    self.leases.push(leased);
                    self.show_to(self.leases.len() - 1);
                }
            }
        }
    }

    /// Takes every share that has come, with this outcome; how many.
    pub fn judge_all(&mut self, outcome: &Outcome) -> usize {
        use std::{
            future::Future,
            pin::pin,
            task::{Context, Poll, Waker},
        };
        let mut count = 0;
        loop {
            let next = pin!(self.end.intake.next()).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Some(pending)) = next else { return count };
            pending.settle(outcome.clone());
            count += 1;
        }
    }

    fn show_to(&self, at: usize) {
        if let (Some(job), Some(leased)) = (&self.job, self.leases.get(at)) {
            let mut job = job.clone();
            // Each lease has its own byte of the coinbase, and leases never meet.
            let lease = u8::try_from(at).expect("a test has few leases");
            job.coinbase.prefix = [&job.coinbase.prefix[..], &[lease]].concat().into();
            job.coinbase.free = leased.free;
            // The script's length counts what the lease may vary.
            let padding = vec![0; PADDING - leased.free.min(PADDING)];
            job.coinbase.suffix = [&padding[..], &job.coinbase.suffix[..]].concat().into();
            leased.work.send_replace(Work::Job(Arc::new(job)));
        }
    }
}

/// Bytes of a coinbase's script that leases and padding share.
const PADDING: usize = 16;

/// A coinbase transaction up to the lease's byte: version 1, one input of nothing, its script.
fn coinbase_head() -> bytes::Bytes {
    let script_len = u8::try_from(1 + PADDING).expect("a short script");
    let mut head = vec![1, 0, 0, 0, 1];
    head.extend([0; 32]);
    head.extend([0xff; 4]);
    head.push(script_len);
    head.into()
}

/// The rest of it: sequence, one output of nothing, lock time.
const COINBASE_TAIL: [u8; 18] = [255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A share of a job that a toy engine proved; it meets whatever target there is.
///
/// # Panics
/// Never, for a job with sense.
#[must_use]
pub fn share(job: &Arc<Job>, nonce: u32) -> Proven {
    let free = vec![0; job.coinbase.free];
    let claim = Claim::new(job.clone(), free, job.header.version, job.header.ntime.start, nonce);
    let claim = claim.expect("a good shape");
    let hashed = Prover::new(Box::new(ScalarEngine::new(Zero)), &Zero)
        .expect("its own reference")
        .hash(claim.header());
    verify(claim, &hashed, job.wanted).expect("zero meets every target")
}

/// An outcome: taken.
#[must_use]
pub fn taken() -> Outcome {
    Outcome::Accepted { credited: Vec::new(), missed: Vec::new() }
}

/// An outcome: refused.
#[must_use]
pub fn refused() -> Outcome {
    Outcome::Rejected { reason: "refused by the test".into() }
}
