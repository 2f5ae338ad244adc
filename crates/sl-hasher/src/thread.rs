use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sl_ports::{Clock, cpu_time};
use sl_pow::{Hashed, Prover};
use sl_units::Mono;
use sl_work::{Claim, Job, Proven, RefusedWhy, Submitter, Work, WorkerName, verify};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    CpuShare,
    cursor::{Cursor, Ground, Slice},
    ration::{self, Ration},
};

/// How long a thread without work waits before it looks again.
const NAP: Duration = Duration::from_millis(10);
/// The longest that a thread sleeps without listening for a stop, the end of a pause or a new job.
const DEAF: Duration = Duration::from_millis(40);
/// A limited thread with a longer rest before it does not begin a new job early: else many new jobs
/// would be hashed without any rest.
const EARLY: Duration = Duration::from_millis(200);
/// Shares that a lease may keep when its source takes none; then it is not hashed for.
const KEPT: usize = 256;

/// A lease as the threads see it.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) number: u64,
    pub(crate) worker: WorkerName,
    pub(crate) work: watch::Receiver<Work>,
    pub(crate) submitter: Submitter,
    /// What of its space no thread has taken yet.
    pub(crate) ground: Arc<Ground>,
}

/// The leases of this moment.
pub(crate) type Leases = Arc<Vec<Arc<Attached>>>;

/// What all threads are told, while they work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Orders {
    /// The share of its time that each may hash.
    pub(crate) share: CpuShare,
    /// Rest until further notice.
    pub(crate) paused: bool,
}

/// What all threads have done together.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Hashes made.
    pub(crate) hashes: AtomicU64,
    /// Microseconds in which they wanted a CPU, summed over the threads.
    pub(crate) awake_us: AtomicU64,
    /// From the first hash of any of them to the last.
    span: Mutex<Option<(Mono, Mono)>>,
    /// Shares that did not go up since the source had no room.
    pub(crate) no_room: AtomicU64,
    /// Shares that did not go up since the source was gone.
    pub(crate) gone: AtomicU64,
}

impl Done {
    /// Enters a slice of work: so many hashes between two instants.
    fn enter(&self, hashes: u32, began: Mono, ended: Mono) {
        self.hashes.fetch_add(u64::from(hashes), Ordering::Relaxed);
        let took = ended.since(began);
        self.awake_us.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        *span = Some(match *span {
            Some((first, last)) => (first.min(began), last.max(ended)),
            None => (began, ended),
        });
    }

    /// From the beginning of the first slice to the end of the last: without the start, the choice
    /// of an engine and the wait for the first job.
    pub(crate) fn hashing(&self) -> Duration {
        let span = *self.span.lock().unwrap_or_else(PoisonError::into_inner);
        span.map_or(Duration::ZERO, |(first, last)| last.since(first))
    }
}

/// One thread's tools.
pub(crate) struct Thread {
    pub(crate) prover: Prover,
    pub(crate) leases: watch::Receiver<Leases>,
    pub(crate) orders: watch::Receiver<Orders>,
    pub(crate) ration: Ration,
    /// Time of all its slices.
    pub(crate) scanned: Duration,
    pub(crate) done: Arc<Done>,
    pub(crate) clock: Clock,
    /// This thread's own.
    pub(crate) stop: CancellationToken,
}

/// What a thread remembers of a lease.
struct Station {
    attached: Arc<Attached>,
    /// Knows whether this thread has seen the newest job.
    work: watch::Receiver<Work>,
    cursor: Cursor,
    kept: Vec<Proven>,
    done: Arc<Done>,
}

impl Thread {
    /// Hashes until told to stop, one slice for each lease in turn.
    pub(crate) fn run(mut self) {
        let mut stations: HashMap<u64, Station> = HashMap::new();
        let mut count = self.prover.lanes() as u32;
        let mut found = Vec::new();
        while !self.stop.is_cancelled() {
            let leases = self.leases.borrow_and_update().clone();
            stations.retain(|number, _| leases.iter().any(|lease| lease.number == *number));
            let Orders { share, paused } = *self.orders.borrow();
            if paused {
                std::thread::park_timeout(DEAF);
                continue;
            }
            let rest = self.rest(share);
            let early = rest <= EARLY && stations.values().any(Station::has_news);
            if !rest.is_zero() && !early {
                std::thread::park_timeout(rest.min(DEAF));
                continue;
            }
            let mut worked = false;
            for lease in leases.iter() {
                let station =
                    stations.entry(lease.number).or_insert_with(|| Station::new(lease, &self.done));
                worked |= self.serve(station, share, &mut count, &mut found);
            }
            if !worked {
                std::thread::park_timeout(NAP);
            }
        }
    }

    /// How long this thread has to rest for its share of time. Without a limit no clock is asked.
    fn rest(&mut self, share: CpuShare) -> Duration {
        if share.is_whole() {
            return Duration::ZERO;
        }
        let now = self.clock.mono();
        // Where CPU time is not told, the time of the slices is the nearest.
        let worked = cpu_time::of_this_thread().unwrap_or(self.scanned);
        self.ration.rest(share, now, worked)
    }

    /// One slice for one lease; whether there was something to do.
    fn serve(
        &mut self,
        station: &mut Station,
        share: CpuShare,
        count: &mut u32,
        found: &mut Vec<Hashed>,
    ) -> bool {
        let kept = std::mem::take(&mut station.kept);
        for share in kept {
            station.submit(share);
        }
        let job = station.work.borrow_and_update().job().cloned();
        let Some(job) = job.filter(|_| station.kept.len() < KEPT) else { return false };
        let Some(slice) = station.cursor.next(&job, *count) else { return false };
        let header = job.header_bytes(&slice.extranonce, job.header.version, slice.ntime, 0);
        let began = self.clock.mono();
        found.clear();
        self.prover.scan_into(&header, slice.first, slice.count, job.wanted, found);
        let ended = self.clock.mono();
        let took = ended.since(began);
        self.scanned += took;
        self.done.enter(slice.count, began, ended);
        let wished = ration::slice(share);
        *count = next_count(slice.count, took, wished, self.prover.lanes() as u32);
        for hashed in found.iter() {
            if let Some(share) = prove(&job, &slice, hashed) {
                station.submit(share);
            }
        }
        true
    }
}

impl Station {
    fn new(lease: &Arc<Attached>, done: &Arc<Done>) -> Self {
        Self {
            attached: lease.clone(),
            work: lease.work.clone(),
            cursor: Cursor::new(lease.ground.clone()),
            kept: Vec::new(),
            done: done.clone(),
        }
    }

    /// Whether there is a job that this thread has not hashed for.
    fn has_news(&self) -> bool {
        self.work.has_changed().unwrap_or(false)
    }

    /// Sends a share up; one that wins a chain is kept if the source has no room, any other is not
    /// worth waiting for, and is counted as lost.
    fn submit(&mut self, share: Proven) {
        let Err(refused) = self.attached.submitter.submit(share, self.attached.worker.clone())
        else {
            return;
        };
        if refused.why == RefusedWhy::Full && refused.share.goals_met().next().is_some() {
            self.kept.push(refused.share);
        } else {
            self.lose(refused.why);
        }
    }

    fn lose(&self, why: RefusedWhy) {
        let lost = match why {
            RefusedWhy::Full => &self.done.no_room,
            RefusedWhy::Gone => &self.done.gone,
        };
        lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Station {
    /// The last chance of what was kept.
    fn drop(&mut self) {
        for share in std::mem::take(&mut self.kept) {
            self.submit(share);
        }
        self.kept.iter().for_each(|_| self.lose(RefusedWhy::Full));
    }
}

/// A hit as a proven share. It cannot fail but by a fault of this program, which is logged.
fn prove(job: &Arc<Job>, slice: &Slice, hashed: &Hashed) -> Option<Proven> {
    let claim = Claim::new(
        job.clone(),
        slice.extranonce.clone(),
        job.header.version,
        slice.ntime,
        hashed.nonce(),
    );
    match claim.and_then(|claim| verify(claim, hashed, job.wanted)) {
        Ok(share) => Some(share),
        Err(fault) => {
            tracing::error!(job = %job.id, %fault, "an engine's hit does not hold");
            None
        }
    }
}

/// So many nonces next time that the slice takes as long as it should, in whole lanes.
fn next_count(count: u32, took: Duration, wished: Duration, lanes: u32) -> u32 {
    let ratio = (wished.as_secs_f64() / took.as_secs_f64().max(1e-6)).clamp(0.25, 4.0);
    let wished = (f64::from(count) * ratio) as u32;
    (wished / lanes).clamp(1, 1 << 16) * lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads that hash side by side, from the ninth second on: what came before is no hashing, a
    /// pause between is.
    #[test]
    fn hashing_begins_with_the_first_hash_and_ends_with_the_last() {
        let done = Done::default();
        assert_eq!(done.hashing(), Duration::ZERO);
        let at = |millis| Mono::from_start(Duration::from_millis(millis));
        for (hashes, began, ended) in
            [(100, 9_020, 9_035), (90, 9_000, 9_014), (120, 14_000, 14_015), (80, 13_999, 14_010)]
        {
            done.enter(hashes, at(began), at(ended));
        }
        assert_eq!(done.hashing(), Duration::from_millis(5_015));
        assert_eq!(done.hashes.load(Ordering::Relaxed), 390);
        assert_eq!(done.awake_us.load(Ordering::Relaxed), 55_000);
    }

    #[test]
    fn slices_grow_towards_their_time_in_whole_lanes() {
        let wished = ration::slice(CpuShare::WHOLE);
        let check = |count, millis, expected| {
            assert_eq!(next_count(count, Duration::from_millis(millis), wished, 8), expected);
        };
        check(8, 1, 32);
        check(128, 15, 128);
        check(128, 60, 32);
        check(8, 10_000, 8);
    }
}
