use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use sl_stratum::{ErrorCode, Extranonce, Notify, Refusal, Submit};
use sl_units::{Mono, ShareDifficulty, Target};
use sl_work::{
    CoinbaseTemplate, HeaderTemplate, Job, JobId, Leased, NtimeRange, Outcome, Pending, SourceId,
    Work,
};

use crate::space::Space;

/// Jobs whose shares can still be named to the pool.
const KEPT_JOBS: usize = 64;
/// Shares that wait for the pool's verdict.
const MAX_IN_FLIGHT: usize = 4096;
/// How far a machine may move a header's time past the job's, in seconds; nodes allow two hours
/// against their own clocks.
const NTIME_ROLL: u32 = 7000;

/// Which job of ours is which of the pool's, and which share of ours waits for which verdict.
/// Knows no socket and no clock.
#[derive(Debug)]
pub(crate) struct Desk {
    source: SourceId,
    user: Arc<str>,
    sequence: u64,
    epoch: u64,
    difficulty: ShareDifficulty,
    extranonce1: Extranonce,
    space: Space,
    leases: Vec<Held>,
    jobs: VecDeque<PoolJob>,
    /// By ticket, so that the oldest is the first.
    in_flight: BTreeMap<u64, Sent>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Held {
    leased: Leased,
    /// Its piece of the pool's extranonce2; `None` while there is no connection, or none left.
    prefix: Option<Vec<u8>>,
}

#[derive(Debug)]
struct PoolJob {
    sequence: u64,
    notify: Box<Notify>,
    difficulty: ShareDifficulty,
    born: Mono,
}

/// A share that waits for the pool's verdict.
#[derive(Debug)]
struct Sent {
    pending: Pending,
    at: Mono,
}

/// What became of a share at the desk.
#[derive(Debug)]
pub(crate) enum Filed {
    /// To be sent under this ticket.
    Send(u64, Submit),
    /// Settled at once, without the pool.
    Settled(&'static str),
}

impl Desk {
    pub(crate) fn new(source: SourceId, user: Arc<str>) -> Self {
        Self {
            source,
            user,
            sequence: 0,
            epoch: 0,
            // What pools mean before they say anything.
            difficulty: ShareDifficulty::new(1.0).expect("one is positive"),
            extranonce1: Extranonce::default(),
            space: Space::new(0),
            leases: Vec::new(),
            jobs: VecDeque::new(),
            in_flight: BTreeMap::new(),
            next_ticket: 1,
        }
    }

    /// The pool has given an extranonce: all pieces are cut anew, and no earlier job stands.
    pub(crate) fn extranonce(&mut self, extranonce1: Extranonce, extranonce2_len: usize) {
        self.extranonce1 = extranonce1;
        self.space = Space::new(extranonce2_len);
        self.jobs.clear();
        for held in &mut self.leases {
            held.prefix = self.space.take(held.leased.free);
        }
    }

    /// The difficulty of the jobs that follow.
    pub(crate) const fn set_difficulty(&mut self, difficulty: ShareDifficulty) {
        self.difficulty = difficulty;
    }

    /// The pool has given a job: every lease gets its own form of it.
    pub(crate) fn job(&mut self, notify: Box<Notify>, now: Mono) {
        self.sequence += 1;
        if notify.clean || self.jobs.is_empty() {
            self.epoch += 1;
        }
        let job =
            PoolJob { sequence: self.sequence, notify, difficulty: self.difficulty, born: now };
        self.drop_closed();
        for held in &self.leases {
            held.leased.work.send_replace(self.work_for(held, &job));
        }
        self.jobs.push_back(job);
        while self.jobs.len() > KEPT_JOBS {
            self.jobs.pop_front();
        }
    }

    /// A consumer has asked for a lease.
    pub(crate) fn lease(&mut self, leased: Leased) {
        self.drop_closed();
        let prefix = self.space.take(leased.free);
        let held = Held { leased, prefix };
        if let Some(job) = self.jobs.back() {
            held.leased.work.send_replace(self.work_for(&held, job));
        }
        self.leases.push(held);
    }

    /// There is no work for anybody: the connection is gone.
    pub(crate) fn idle(&mut self, why: &str, now: Mono) {
        self.jobs.clear();
        self.drop_closed();
        let why: Arc<str> = why.into();
        for held in &self.leases {
            held.leased.work.send_replace(Work::Idle { why: why.clone(), since: now });
        }
    }

    /// A share on its way up.
    pub(crate) fn file(&mut self, pending: Pending, now: Mono) -> Filed {
        let settle = |pending: Pending, outcome, note| {
            pending.settle(outcome);
            Filed::Settled(note)
        };
        let sequence = pending.share().job().id.sequence;
        let Some(job) = self.jobs.iter().find(|job| job.sequence == sequence) else {
            let reason = "the pool's connection that gave this job is gone".into();
            return settle(pending, Outcome::Stale { reason }, "stale");
        };
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            let reason = format!("{MAX_IN_FLIGHT} shares wait for the pool's verdict already");
            return settle(pending, Outcome::Lost { reason }, "lost");
        }
        let share = pending.share();
        // The pool's extranonce2 is the lease's piece of it and the lease's free bytes.
        let prefix_len = self.space.len().saturating_sub(share.job().coinbase.free);
        let prefix = &share.job().coinbase.prefix;
        let own = prefix.get(prefix.len().saturating_sub(prefix_len)..).unwrap_or_default();
        let Ok(extranonce2) = Extranonce::new(&[own, share.extranonce()].concat()) else {
            let reason = "the extranonce is longer than any pool's".into();
            return settle(pending, Outcome::Lost { reason }, "lost");
        };
        let submit = Submit {
            user: self.user.to_string(),
            job_id: job.notify.job_id.clone(),
            extranonce2,
            ntime: share.ntime(),
            nonce: share.nonce(),
            version_bits: None,
        };
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.in_flight.insert(ticket, Sent { pending, at: now });
        Filed::Send(ticket, submit)
    }

    /// The pool has judged a share; how, for the counters.
    pub(crate) fn verdict(&mut self, ticket: u64, verdict: Result<(), Refusal>) -> Option<Outcome> {
        let Sent { pending, .. } = self.in_flight.remove(&ticket)?;
        let outcome = match verdict {
            Ok(()) => Outcome::Accepted { credited: Vec::new(), missed: Vec::new() },
            Err(refusal) if refusal.kind() == ErrorCode::JobNotFound => {
                Outcome::Stale { reason: refusal.to_string() }
            }
            Err(refusal) => Outcome::Rejected { reason: refusal.to_string() },
        };
        pending.settle(outcome.clone());
        Some(outcome)
    }

    /// A share will get no verdict.
    pub(crate) fn lost(&mut self, ticket: u64, why: &str) -> bool {
        let sent = self.in_flight.remove(&ticket);
        let known = sent.is_some();
        if let Some(Sent { pending, .. }) = sent {
            pending.settle(Outcome::Lost { reason: why.into() });
        }
        known
    }

    /// Since when the oldest share waits for its verdict.
    pub(crate) fn waits_since(&self) -> Option<Mono> {
        self.in_flight.first_key_value().map(|(_, sent)| sent.at)
    }

    fn drop_closed(&mut self) {
        let space = &mut self.space;
        self.leases.retain(|held| {
            let open = !held.leased.work.is_closed();
            if let (false, Some(prefix)) = (open, &held.prefix) {
                space.give_back(prefix);
            }
            open
        });
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
            wanted: Target::from(job.difficulty),
            goals: Vec::new(),
        }))
    }
}
