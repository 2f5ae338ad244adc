//! What goes down: pieces of the pool's extranonce for the leases, and its jobs in the form of each.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use sl_stratum::{Extranonce, Notify};
use sl_units::{Hash256, Mono, ShareDifficulty, Target};
use sl_work::{CoinbaseTemplate, HeaderTemplate, Job, JobId, Leased, NtimeRange, Work};

use super::{Desk, MOST_LINKS, State};
use crate::space::Space;

/// Jobs whose shares can still be named to the pool.
const KEPT_JOBS: usize = 64;
/// How long a job is waited for that an easier difficulty is to hold for.
const FOLLOWS: Duration = Duration::from_secs(1);
/// How far a machine may move a header's time past the job's, in seconds; nodes allow two hours
/// against their own clocks.
const NTIME_ROLL: u32 = 7000;
/// The easiest target that a chain of the field allows its blocks: LTC's and DOGE's pow limit is
/// below 2²³⁶. What a pool gives beyond is a toy's, and says nothing of blocks.
const POW_LIMIT_HASHES: f64 = (1u64 << 20) as f64;

/// A lease and what it has.
#[derive(Debug)]
pub(super) struct Held {
    leased: Leased,
    /// Its piece of the pool's extranonce2; `None` while there is no connection, or none left.
    prefix: Option<Vec<u8>>,
}

/// A job as the pool gave it.
#[derive(Debug)]
pub(super) struct PoolJob {
    pub(super) sequence: u64,
    pub(super) notify: Box<Notify>,
    pub(super) difficulty: ShareDifficulty,
    /// What its shares must be worth at the least: the same, until the pool asks for more.
    pub(super) least: ShareDifficulty,
    born: Mono,
}

impl PoolJob {
    /// Whether the pool still counts a share with this hash.
    pub(super) fn counts(&self, hash: &Hash256) -> bool {
        self.least <= self.difficulty
            || Target::from(self.least).is_met_by(hash)
            || self.block().is_some_and(|block| block.is_met_by(hash))
    }

    /// What makes a block of the parent chain, where that is a chain of the field.
    fn block(&self) -> Option<Target> {
        let block = self.notify.bits.target().ok();
        block.filter(|block| block.expected_hashes() >= POW_LIMIT_HASHES * 0.99)
    }
}

impl Desk {
    /// The pool has given an extranonce: all pieces are cut anew, and no earlier job stands.
    pub(crate) fn extranonce(&mut self, extranonce1: Extranonce, extranonce2_len: usize) {
        self.extranonce1 = extranonce1;
        self.space = Space::new(extranonce2_len);
        self.jobs.clear();
        self.drop_closed();
        for held in &mut self.leases {
            held.prefix = self.space.take(held.leased.free);
        }
        self.sort_out();
    }

    /// The difficulty of the jobs that follow; where none does, of the newest one: see
    /// [`Desk::renew`].
    pub(crate) fn set_difficulty(&mut self, difficulty: ShareDifficulty, now: Mono) {
        self.difficulty = difficulty;
        let differs = self.jobs.back().is_some_and(|last| last.difficulty != difficulty);
        self.changed = differs.then(|| self.changed.unwrap_or(now));
    }

    /// When the newest job is given again for a difficulty that no job has followed.
    pub(crate) fn renews(&self) -> Option<Mono> {
        let (changed, last) = (self.changed?, self.jobs.back()?);
        let harder = self.difficulty > last.difficulty;
        Some(if harder { changed } else { changed + FOLLOWS })
    }

    /// Many pools, yiimp and its kin among them, judge a share by the difficulty of the moment, not
    /// by that of its job, and send no job with it: the newest is given again, at once where shares
    /// would be refused. Those of before go up if they are worth the harder of both.
    pub(crate) fn renew(&mut self, now: Mono) {
        if self.renews().is_none_or(|due| due > now) {
            return;
        }
        for job in &mut self.jobs {
            if job.least < self.difficulty {
                job.least = self.difficulty;
            }
        }
        self.again(self.difficulty, now);
        self.changed = None;
    }

    /// The newest job once more, at this difficulty.
    fn again(&mut self, difficulty: ShareDifficulty, now: Mono) {
        let Some(last) = self.jobs.back() else { return };
        let mut notify = last.notify.clone();
        notify.clean = false;
        // A machine that starts over at each job does not find the same shares again: it goes on
        // behind the time that it may have reached.
        let passed = u32::try_from(now.since(last.born).as_secs()).unwrap_or(u32::MAX);
        notify.ntime = notify.ntime.saturating_add(passed).saturating_add(1);
        self.give(notify, difficulty, now);
    }

    /// From the next job on only shares of so many times the pool's difficulty are wanted; the
    /// job of this moment is given again.
    pub(crate) fn set_over(&mut self, over: f64, now: Mono) {
        self.over = over;
        let Some(difficulty) = self.jobs.back().map(|last| last.difficulty) else { return };
        // What is harder is about to be taken up, and this with it.
        if self.changed.is_none() || self.difficulty < difficulty {
            self.again(difficulty, now);
        }
    }

    /// The pool has given a job: every lease gets its own form of it.
    pub(crate) fn job(&mut self, notify: Box<Notify>, now: Mono) {
        self.changed = None;
        self.give(notify, self.difficulty, now);
    }

    fn give(&mut self, notify: Box<Notify>, difficulty: ShareDifficulty, now: Mono) {
        let sequence = self.numbers.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let sequence = sequence * MOST_LINKS + self.link;
        if notify.clean || self.jobs.is_empty() {
            self.epoch = self.numbers.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        }
        let job = PoolJob { sequence, notify, difficulty, least: difficulty, born: now };
        self.drop_closed();
        for held in &self.leases {
            held.leased.work.send_replace(self.work_for(held, &job));
        }
        self.jobs.push_back(job);
        while self.jobs.len() > KEPT_JOBS {
            self.jobs.pop_front();
        }
    }

    /// A consumer has asked for a lease. `keep` it although there is no piece for it.
    pub(crate) fn lease(&mut self, leased: Leased, keep: bool) {
        self.drop_closed();
        let prefix = self.space.take(leased.free);
        if prefix.is_none() && !keep && self.space.len() >= leased.free {
            self.overflow.push(leased);
            return;
        }
        let held = Held { leased, prefix };
        if let (Some(job), State::Open | State::Live) = (self.jobs.back(), self.state) {
            held.leased.work.send_replace(self.work_for(&held, job));
        }
        self.leases.push(held);
    }

    /// Leases that must go to another connection.
    pub(crate) fn overflow(&mut self) -> Vec<Leased> {
        std::mem::take(&mut self.overflow)
    }

    /// Tells every lease why there is no work, and since when; who knows already is told nothing.
    pub(crate) fn idle(&mut self, why: &str, since: Mono) {
        self.drop_closed();
        let why: Arc<str> = why.into();
        for held in &self.leases {
            held.leased.work.send_if_modified(|work| match work {
                Work::Idle { why: known, .. } if *known == why => false,
                _ => {
                    *work = Work::Idle { why: why.clone(), since };
                    true
                }
            });
        }
    }

    /// Leases that were dropped give their pieces back, to those that wait for one.
    fn drop_closed(&mut self) {
        let before = self.leases.len();
        let space = &mut self.space;
        self.leases.retain(|held| {
            let open = !held.leased.work.is_closed();
            if let (false, Some(prefix)) = (open, &held.prefix) {
                space.give_back(prefix);
            }
            open
        });
        if self.leases.len() == before {
            return;
        }
        let mut woken = Vec::new();
        for (at, held) in self.leases.iter_mut().enumerate() {
            if held.prefix.is_none() {
                held.prefix = self.space.take(held.leased.free);
                woken.extend(held.prefix.is_some().then_some(at));
            }
        }
        let job = self.jobs.back().filter(|_| self.state == State::Live);
        for held in woken.iter().filter_map(|at| self.leases.get(*at)) {
            if let Some(job) = job {
                held.leased.work.send_replace(self.work_for(held, job));
            }
        }
    }

    /// Leases that found no piece, though the pool is wide enough, go elsewhere.
    fn sort_out(&mut self) {
        let wide = self.space.len();
        let full = |held: &mut Held| held.prefix.is_none() && held.leased.free <= wide;
        let out = self.leases.extract_if(.., full).map(|held| held.leased);
        self.overflow.extend(out);
    }

    fn work_for(&self, held: &Held, job: &PoolJob) -> Work {
        let Some(prefix) = &held.prefix else {
            let why = format!(
                "the pool gives {} bytes of extranonce2, the lease of {} needs {} of its own",
                self.space.len(),
                held.leased.consumer,
                held.leased.free
            );
            return Work::Idle { why: why.into(), since: job.born };
        };
        let notify = &job.notify;
        let prefix = [&notify.coinbase1[..], self.extranonce1.as_bytes(), prefix].concat();
        Work::Job(Arc::new(Job {
            id: JobId { source: self.source.clone(), sequence: job.sequence },
            epoch: self.epoch,
            born: job.born,
            header: HeaderTemplate {
                version: notify.version,
                roll_mask: 0,
                prev: notify.prev,
                bits: notify.bits,
                ntime: NtimeRange {
                    earliest: notify.ntime,
                    start: notify.ntime,
                    latest: notify.ntime.saturating_add(NTIME_ROLL),
                },
            },
            coinbase: CoinbaseTemplate {
                prefix: Bytes::from(prefix),
                free: held.leased.free,
                suffix: notify.coinbase2.clone(),
            },
            branch: notify.branch.clone(),
            wanted: self.wanted(job),
            goals: Vec::new(),
        }))
    }

    /// What is worth sending up: what the pool asks for, or more while it asks for too little; and
    /// always what makes a block of the parent chain.
    fn wanted(&self, job: &PoolJob) -> Target {
        let over = ShareDifficulty::new(job.difficulty.get() * self.over);
        let share = Target::from(over.unwrap_or(job.difficulty));
        job.block().map_or(share, |block| share.easier(block))
    }
}
