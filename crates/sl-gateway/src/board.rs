use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sl_chain::coins::Ticker;
use sl_stratum::Notify;
use sl_units::Mono;
use sl_work::{Goal, Job};

use crate::slots::KnownJobs;

/// Issues that are remembered: late shares of these are still judged.
const KEPT: usize = 512;

/// A job as machines know it, under an id of ours. The lines are made once and shared by all.
#[derive(Debug)]
pub(crate) struct Issued {
    /// Counts up; the id is this number in hexadecimal.
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) job: Arc<Job>,
    /// The sequence of the first issue of the same job: a renewed job is issued again.
    pub(crate) first: u64,
    /// The job was given out by an earlier run of the program: no source knows it now.
    pub(crate) orphan: bool,
    pub(crate) published: Mono,
    pub(crate) reach: Reach,
    ntime: u32,
    plain: OnceLock<Bytes>,
    clean: OnceLock<Bytes>,
}

impl Issued {
    /// The line for a machine; clean tells it to drop all earlier work.
    pub(crate) fn line(&self, clean: bool) -> Bytes {
        let line = if clean { &self.clean } else { &self.plain };
        line.get_or_init(|| {
            let job = &self.job;
            Notify {
                job_id: self.id.clone(),
                prev: job.header.prev,
                coinbase1: job.coinbase.prefix.clone(),
                coinbase2: job.coinbase.suffix.clone(),
                branch: job.branch.clone(),
                version: job.header.version,
                bits: job.header.bits,
                ntime: self.ntime,
                clean,
            }
            .to_line()
        })
        .clone()
    }

    /// Whether the job is new with this issue.
    pub(crate) const fn is_first(&self) -> bool {
        self.first == self.sequence
    }
}

/// When a job's line was in the machines' sockets; written by their connections.
#[derive(Debug)]
pub(crate) struct Reach {
    machines: AtomicU32,
    /// Microseconds of the program's clock; the highest number before the first write.
    first: AtomicU64,
    last: AtomicU64,
}

impl Default for Reach {
    fn default() -> Self {
        let (machines, last) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { machines, first: AtomicU64::new(u64::MAX), last }
    }
}

impl Reach {
    /// The line was written whole to a machine that waited for it.
    pub(crate) fn written(&self, now: Mono) {
        let micros = u64::try_from(now.since_start().as_micros()).unwrap_or(u64::MAX - 1);
        self.first.fetch_min(micros, Ordering::Relaxed);
        self.last.fetch_max(micros, Ordering::Relaxed);
        self.machines.fetch_add(1, Ordering::Relaxed);
    }

    /// How many machines it reached, and when it reached the first and the last.
    pub(crate) fn so_far(&self) -> Option<(u32, Mono, Mono)> {
        let machines = self.machines.load(Ordering::Relaxed);
        let at = |micros: &AtomicU64| {
            Mono::from_start(Duration::from_micros(micros.load(Ordering::Relaxed)))
        };
        (machines > 0).then(|| (machines, at(&self.first), at(&self.last)))
    }
}

/// The jobs of an instant, as all connections see them: one value in a `watch`, never changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    issued: VecDeque<Arc<Issued>>,
    idle: bool,
}

impl Board {
    /// The job to be hashed; `None` while the source has none.
    pub(crate) fn current(&self) -> Option<&Arc<Issued>> {
        self.issued.back().filter(|_| !self.idle)
    }

    /// The job that a machine calls by this id.
    pub(crate) fn find(&self, id: &str) -> Option<&Arc<Issued>> {
        let sequence = u64::from_str_radix(id, 16).ok().filter(|it| format!("{it:x}") == id)?;
        let after = self.issued.partition_point(|issued| issued.sequence <= sequence);
        let issued = self.issued.get(after.checked_sub(1)?)?;
        // Of an earlier run only first issues are known: the ids up to the next were renewals.
        (issued.sequence == sequence || issued.orphan).then_some(issued)
    }

    /// Whether a share of this job can still count: its epoch is that of the newest job, or a
    /// chain that it can win still has the tip that it builds on.
    pub(crate) fn stands(&self, old: &Issued) -> bool {
        let job = &old.job;
        self.issued.back().is_some_and(|newest| {
            let newest = &newest.job;
            // Epochs of an earlier run are counted anew since: there the block before tells.
            let same = match old.orphan {
                false => newest.epoch == job.epoch,
                true => newest.header.prev == job.header.prev,
            };
            same || job.goals.iter().any(|goal| {
                newest.goals.iter().any(|now| now.chain == goal.chain && now.tip == goal.tip)
            })
        })
    }

    /// The chains of a job whose tip has fallen since.
    pub(crate) fn fallen(&self, job: &Arc<Job>) -> Vec<Ticker> {
        let Some(newest) = self.issued.back().filter(|newest| !Arc::ptr_eq(&newest.job, job))
        else {
            return Vec::new();
        };
        let stands = |goal: &&Goal| {
            let mut now = newest.job.goals.iter();
            now.any(|now| now.chain == goal.chain && now.tip == goal.tip)
        };
        job.goals.iter().filter(|goal| !stands(goal)).map(|goal| goal.chain).collect()
    }

    /// What is known: issues from `oldest` to `newest`.
    pub(crate) fn known(&self) -> KnownJobs {
        KnownJobs {
            oldest: self.issued.front().map_or(0, |issued| issued.sequence),
            newest: self.issued.back().map_or(0, |issued| issued.sequence),
        }
    }

    /// The first issue of the oldest job that is known.
    pub(crate) fn oldest_first(&self) -> u64 {
        self.issued.front().map_or(0, |issued| issued.first)
    }

    /// Issues a job; the next board.
    pub(crate) fn issue(&self, job: Arc<Job>, first_sequence: u64, now: Mono) -> Self {
        let newest = self.issued.back().filter(|newest| !newest.orphan);
        let sequence = newest.map_or(first_sequence, |newest| newest.sequence + 1);
        let again = newest.filter(|newest| Arc::ptr_eq(&newest.job, &job));
        let first = again.map_or(sequence, |newest| newest.first);
        let range = job.header.ntime;
        // A job sent again has the time of day in it, so that machines find new work in it.
        let aged = again.map_or(0, |_| now.since(job.born).as_secs());
        let aged = u32::try_from(aged).unwrap_or(u32::MAX);
        let ntime = range.start.saturating_add(aged).min(range.latest).max(range.start);
        let issued = Issued {
            sequence,
            id: format!("{sequence:x}"),
            job,
            first,
            orphan: false,
            published: now,
            reach: Reach::default(),
            ntime,
            plain: OnceLock::new(),
            clean: OnceLock::new(),
        };
        let drop = (self.issued.len() + 1).saturating_sub(KEPT);
        let kept = self.issued.iter().skip(drop).cloned();
        Self { issued: kept.chain([Arc::new(issued)]).collect(), idle: false }
    }

    /// With a job that an earlier run of the program gave out under this number; they come oldest
    /// first, and before all of this run.
    pub(crate) fn recall(&mut self, number: u64, job: Job) {
        self.idle = true;
        if self.issued.back().is_some_and(|newest| newest.sequence >= number) {
            return;
        }
        let start = job.header.ntime.start;
        self.issued.push_back(Arc::new(Issued {
            sequence: number,
            id: format!("{number:x}"),
            job: Arc::new(job),
            first: number,
            orphan: true,
            published: Mono::default(),
            reach: Reach::default(),
            ntime: start,
            plain: OnceLock::new(),
            clean: OnceLock::new(),
        }));
        while self.issued.len() > KEPT {
            self.issued.pop_front();
        }
    }

    /// Issues the newest job again; `None` where there is none.
    pub(crate) fn renew(&self, now: Mono) -> Option<Self> {
        let job = self.current()?.job.clone();
        Some(self.issue(job, 0, now))
    }

    /// There is no work; what was issued is still known.
    pub(crate) fn idle(&self) -> Self {
        Self { idle: true, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sl_units::{Bits, CoinAmount, Hash256, Target};
    use sl_work::{CoinbaseTemplate, HeaderTemplate, JobId, NtimeRange, SourceId};

    use super::*;

    fn job(sequence: u64, epoch: u64, tips: &[(&str, u8)]) -> Arc<Job> {
        let goals = tips.iter().map(|(chain, tip)| Goal {
            chain: chain.parse().expect("of the table"),
            height: 1,
            tip: Hash256::from_bytes([*tip; 32]),
            target: Target::MAX,
            reward: CoinAmount::default(),
            weight: None,
        });
        Arc::new(Job {
            id: JobId { source: SourceId::new("test"), sequence },
            epoch,
            born: Mono::default(),
            header: HeaderTemplate {
                version: 2,
                roll_mask: 0,
                prev: Hash256::ZERO,
                bits: Bits::from_u32(0x207f_ffff),
                ntime: NtimeRange { earliest: 100, start: 110, latest: 150 },
            },
            coinbase: CoinbaseTemplate {
                prefix: Bytes::from_static(b"a"),
                free: 8,
                suffix: Bytes::from_static(b"b"),
            },
            branch: Vec::new(),
            wanted: Target::MAX,
            goals: goals.collect(),
        })
    }

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_job_is_found_by_the_id_it_was_issued_under() {
        let board = Board::default().issue(job(1, 1, &[]), 0xfe, at(0));
        let board = board.issue(job(2, 1, &[]), 0, at(1));
        assert_eq!(board.find("fe").map(|issued| issued.job.id.sequence), Some(1));
        assert_eq!(board.find("ff").map(|issued| issued.job.id.sequence), Some(2));
        for unknown in ["100", "fd", "FF", "0ff", "", "x", "+ff", "ffffffffffffffffffff"] {
            assert!(board.find(unknown).is_none(), "{unknown}");
        }
        let idle = board.idle();
        assert!(
            idle.current().is_none() && idle.find("ff").is_some() && idle.renew(at(2)).is_none()
        );
    }

    #[test]
    fn a_renewed_job_has_a_new_id_and_a_later_time() {
        let board = Board::default().issue(job(1, 1, &[]), 1, at(0)).renew(at(20)).expect("a job");
        let issued = board.current().expect("a job");
        assert_eq!((issued.sequence, issued.first, issued.ntime), (2, 1, 130));
        assert!(!issued.is_first());
        let latest = board.renew(at(500)).expect("a job").current().expect("a job").ntime;
        assert_eq!(latest, 150);
        let line = String::from_utf8(issued.line(false).to_vec()).expect("text");
        assert!(line.contains("\"00000082\",false]"), "{line}");
        assert!(issued.line(true).ends_with(b",true]}\n"));
    }

    #[test]
    fn an_old_job_stands_while_a_tip_of_it_does() {
        let board = Board::default().issue(job(1, 1, &[("LTC", 1), ("DOGE", 5)]), 1, at(0));
        let old = board.current().expect("a job").clone();
        assert!(board.stands(&old));
        let board = board.issue(job(2, 2, &[("LTC", 2), ("DOGE", 5)]), 0, at(1));
        assert!(board.stands(&old));
        let names =
            |chains: Vec<Ticker>| chains.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(board.fallen(&old.job)), ["LTC"]);
        let board = board.issue(job(3, 3, &[("LTC", 2), ("DOGE", 6)]), 0, at(2));
        assert!(!board.stands(&old));
        assert_eq!(names(board.fallen(&old.job)), ["LTC", "DOGE"]);
        // Without goals only the epoch tells.
        let without = |epoch| {
            let board = Board::default().issue(job(4, epoch, &[]), 1, at(0));
            board.current().expect("a job").clone()
        };
        assert!(!board.stands(&without(2)) && board.stands(&without(3)));
    }

    #[test]
    fn jobs_of_an_earlier_run_are_known_by_all_their_ids() {
        let mut board = Board::default();
        for (number, tip) in [(0x10, 1), (0x20, 2), (0x20, 9), (0x18, 9)] {
            let earlier = job(number, 7, &[("LTC", tip)]);
            board.recall(number, Job::clone(&earlier));
        }
        assert!(board.current().is_none(), "no source knows them now");
        let found = |board: &Board, id: &str| board.find(id).map(|issued| issued.sequence);
        let ids = ["f", "10", "1f", "20", "27", "ff"];
        assert_eq!(
            ids.map(|id| found(&board, id)),
            [None, Some(0x10), Some(0x10), Some(0x20), Some(0x20), Some(0x20)]
        );
        let now = job(1, 1, &[("LTC", 2)]);
        let mut other = Job::clone(&job(1, 7, &[]));
        other.header.prev = Hash256::from_bytes([9; 32]);
        let board = board.issue(now, 0x100, at(0)).renew(at(30)).expect("a job");
        assert_eq!(ids.map(|id| found(&board, id)).last(), Some(&Some(0x20)));
        assert_eq!((found(&board, "101"), found(&board, "102")), (Some(0x101), None));
        let recalled = board.find("21").expect("known");
        assert!(recalled.orphan && recalled.first == 0x20 && board.stands(recalled));
        let mut strange = Board::default();
        strange.recall(1, other);
        assert!(!board.stands(strange.find("1").expect("known")), "another block before");
    }

    #[test]
    fn reach_knows_the_first_and_the_last() {
        let reach = Reach::default();
        assert_eq!(reach.so_far(), None);
        for second in [5, 3, 9] {
            reach.written(at(second));
        }
        assert_eq!(reach.so_far(), Some((3, at(3), at(9))));
    }

    proptest! {
        #[test]
        fn the_last_512_issues_are_known(count in 1u64..1200, renewals in 0usize..3) {
            let mut board = Board::default();
            for sequence in 0..count {
                board = board.issue(job(sequence, 1, &[]), 7, at(sequence));
                for _ in 0..renewals {
                    board = board.renew(at(sequence)).expect("a job");
                }
            }
            let known = board.known();
            let issues = (count * (renewals as u64 + 1)).min(KEPT as u64);
            prop_assert_eq!(known.newest - known.oldest + 1, issues);
            for sequence in known.oldest..=known.newest {
                let id = format!("{sequence:x}");
                let issued = board.find(&id).expect("known");
                prop_assert_eq!(issued.sequence, sequence);
                prop_assert!(issued.first <= sequence && issued.first >= board.oldest_first());
            }
            let before = format!("{:x}", known.oldest - 1);
            prop_assert!(board.find(&before).is_none());
        }
    }
}
