use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sl_ports::Clock;
use sl_pow::{Hashed, Prover};
use sl_work::{Claim, Job, Proven, Submitter, Work, WorkerName, verify};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cursor::{Cursor, Ground, Slice};

/// How long a slice should take: short against a job's life, long against the cost of a slice.
const SLICE: Duration = Duration::from_millis(15);
/// How long a thread without work waits before it looks again.
const NAP: Duration = Duration::from_millis(10);
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

/// One thread's tools.
pub(crate) struct Thread {
    pub(crate) prover: Prover,
    pub(crate) leases: watch::Receiver<Leases>,
    pub(crate) hashes: Arc<AtomicU64>,
    pub(crate) clock: Clock,
    /// This thread's own.
    pub(crate) stop: CancellationToken,
}

/// What a thread remembers of a lease.
struct Station {
    attached: Arc<Attached>,
    cursor: Cursor,
    kept: Vec<Proven>,
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
            let mut worked = false;
            for lease in leases.iter() {
                let station = stations.entry(lease.number).or_insert_with(|| Station {
                    attached: lease.clone(),
                    cursor: Cursor::new(lease.ground.clone()),
                    kept: Vec::new(),
                });
                worked |= self.serve(station, &mut count, &mut found);
            }
            if !worked {
                std::thread::park_timeout(NAP);
            }
        }
    }

    /// One slice for one lease; whether there was something to do.
    fn serve(&mut self, station: &mut Station, count: &mut u32, found: &mut Vec<Hashed>) -> bool {
        let kept = std::mem::take(&mut station.kept);
        for share in kept {
            station.submit(share);
        }
        let job = station.attached.work.borrow().job().cloned();
        let Some(job) = job.filter(|_| station.kept.len() < KEPT) else { return false };
        let Some(slice) = station.cursor.next(&job, *count) else { return false };
        let header = job.header_bytes(&slice.extranonce, job.header.version, slice.ntime, 0);
        let began = self.clock.mono();
        found.clear();
        self.prover.scan_into(&header, slice.first, slice.count, job.wanted, found);
        self.hashes.fetch_add(u64::from(slice.count), Ordering::Relaxed);
        *count =
            next_count(slice.count, self.clock.mono().since(began), self.prover.lanes() as u32);
        for hashed in found.iter() {
            if let Some(share) = prove(&job, &slice, hashed) {
                station.submit(share);
            }
        }
        true
    }
}

impl Station {
    /// Sends a share up; one that wins a chain is kept if the source has no room, any other is not
    /// worth waiting for.
    fn submit(&mut self, share: Proven) {
        if let Err(refused) = self.attached.submitter.submit(share, self.attached.worker.clone())
            && refused.share.goals_met().next().is_some()
        {
            self.kept.push(refused.share);
        }
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
fn next_count(count: u32, took: Duration, lanes: u32) -> u32 {
    let ratio = (SLICE.as_secs_f64() / took.as_secs_f64().max(1e-6)).clamp(0.25, 4.0);
    let wished = (f64::from(count) * ratio) as u32;
    (wished / lanes).clamp(1, 1 << 16) * lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_grow_towards_their_time_in_whole_lanes() {
        let check = |count, millis, expected| {
            assert_eq!(next_count(count, Duration::from_millis(millis), 8), expected);
        };
        check(8, 1, 32);
        check(128, 15, 128);
        check(128, 60, 32);
        check(8, 10_000, 8);
    }
}
