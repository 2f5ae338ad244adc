use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use sl_work::{Job, JobId};

/// Jobs whose ground is kept: a thread that has just looked up a job may still ask for it when
/// others are at the next.
const KEPT: usize = 8;

/// What of one lease's space is not handed out yet. The threads share it, so they never meet, however
/// many there are and whenever one comes or goes.
///
/// The free bytes count up from 0; when they are used up, the header's time moves on by a second and
/// all begins again, within the times that the source takes. A thread that goes gives back what it
/// has not hashed.
#[derive(Debug, Default)]
pub(crate) struct Ground(Mutex<VecDeque<Field>>);

/// The ground of one job.
#[derive(Debug)]
struct Field {
    job: JobId,
    /// Plots handed out so far.
    next: u64,
    given_back: Vec<Plot>,
}

/// All nonces of one header, or the rest of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plot {
    extranonce: u64,
    ntime: u32,
    nonce: u64,
}

impl Ground {
    /// Asked for once in 2³² nonces and at each new job, so the lock is never waited for.
    fn plot(&self, job: &Job) -> Option<Plot> {
        self.with(&job.id, |field| {
            field.given_back.pop().or_else(|| {
                let size = space(job);
                let ntime = u64::from(job.header.ntime.start) + field.next / size;
                let ntime = u32::try_from(ntime).ok()?;
                if ntime > job.header.ntime.latest {
                    return None;
                }
                let extranonce = field.next % size;
                field.next += 1;
                Some(Plot { extranonce, ntime, nonce: 0 })
            })
        })
    }

    fn give_back(&self, job: &JobId, plot: Plot) {
        self.with(job, |field| field.given_back.push(plot));
    }

    fn with<T>(&self, job: &JobId, then: impl FnOnce(&mut Field) -> T) -> T {
        let mut fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = fields.iter().position(|field| field.job == *job).unwrap_or_else(|| {
            if fields.len() == KEPT {
                fields.pop_front();
            }
            fields.push_back(Field { job: job.clone(), next: 0, given_back: Vec::new() });
            fields.len() - 1
        });
        then(&mut fields[at])
    }
}

/// Where one thread stands in the ground of one lease.
#[derive(Debug)]
pub(crate) struct Cursor {
    ground: Arc<Ground>,
    at: Option<(Arc<Job>, Plot)>,
}

/// A run of nonces on one header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The lease's free bytes.
    pub(crate) extranonce: Vec<u8>,
    /// Header time in seconds since the Unix epoch.
    pub(crate) ntime: u32,
    /// The first nonce.
    pub(crate) first: u32,
    /// How many nonces; they do not wrap.
    pub(crate) count: u32,
}

impl Cursor {
    pub(crate) const fn new(ground: Arc<Ground>) -> Self {
        Self { ground, at: None }
    }

    /// The next run of at most `count` nonces; `None` when the job is used up.
    pub(crate) fn next(&mut self, job: &Arc<Job>, count: u32) -> Option<Slice> {
        let here = match &mut self.at {
            Some((held, plot)) if held.id == job.id && plot.nonce <= u64::from(u32::MAX) => plot,
            at => {
                // What is left of another job's plot is worth nothing.
                *at = None;
                &mut at.insert((job.clone(), self.ground.plot(job)?)).1
            }
        };
        let first = here.nonce as u32;
        let count = u64::from(count.max(1)).min((1 << 32) - here.nonce).min(u64::from(u32::MAX));
        here.nonce += count;
        Some(Slice {
            extranonce: free_bytes(here.extranonce, job.coinbase.free),
            ntime: here.ntime,
            first,
            count: count as u32,
        })
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if let Some((job, plot)) = self.at.take()
            && plot.nonce <= u64::from(u32::MAX)
        {
            self.ground.give_back(&job.id, plot);
        }
    }
}

/// How many values the free bytes can take, as far as 64 bits count.
fn space(job: &Job) -> u64 {
    1u64.checked_shl(8 * job.coinbase.free as u32).unwrap_or(u64::MAX)
}

fn free_bytes(value: u64, width: usize) -> Vec<u8> {
    let mut bytes = vec![0; width];
    for (place, byte) in bytes.iter_mut().rev().zip(value.to_le_bytes()) {
        *place = byte;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bytes::Bytes;
    use proptest::prelude::*;
    use sl_units::{Bits, Hash256, Mono, Target};
    use sl_work::{CoinbaseTemplate, HeaderTemplate, JobId, NtimeRange, SourceId};

    use super::*;

    fn job(sequence: u64, free: usize, seconds: u32) -> Arc<Job> {
        Arc::new(Job {
            id: JobId { source: SourceId::new("test"), sequence },
            epoch: 1,
            born: Mono::default(),
            header: HeaderTemplate {
                version: 0,
                roll_mask: 0,
                prev: Hash256::ZERO,
                bits: Bits::from_u32(0x207f_ffff),
                ntime: NtimeRange { earliest: 10, start: 10, latest: 10 + seconds },
            },
            coinbase: CoinbaseTemplate { prefix: Bytes::new(), free, suffix: Bytes::new() },
            branch: Vec::new(),
            wanted: Target::MAX,
            goals: Vec::new(),
        })
    }

    proptest! {
        /// Threads come and go at any instant; together they cover everything once.
        #[test]
        fn threads_never_meet_and_leave_nothing_out(
            seconds in 0u32..3,
            step in 1u32<<29..1<<31,
            turns in proptest::collection::vec(0usize..8, 20..60),
        ) {
            let job = job(1, 1, seconds);
            let ground = Arc::new(Ground::default());
            let mut cursors: Vec<Cursor> = Vec::new();
            let mut seen = HashSet::new();
            let mut nonces = 0u64;
            let mut turns = turns.into_iter().cycle();
            loop {
                // Two of eight turns change how many there are.
                match turns.next() {
                    Some(0) if cursors.len() < 5 => cursors.push(Cursor::new(ground.clone())),
                    Some(1) => drop(cursors.pop()),
                    turn => {
                        let many = cursors.len().max(1);
                        if cursors.is_empty() {
                            cursors.push(Cursor::new(ground.clone()));
                        }
                        let cursor = &mut cursors[turn.unwrap_or(0) % many];
                        let Some(slice) = cursor.next(&job, step) else { break };
                        prop_assert!(u64::from(slice.first) + u64::from(slice.count) <= 1 << 32);
                        nonces += u64::from(slice.count);
                        prop_assert!(seen.insert((slice.extranonce.clone(), slice.ntime, slice.first)));
                    }
                }
            }
            for mut cursor in cursors {
                while let Some(slice) = cursor.next(&job, step) {
                    nonces += u64::from(slice.count);
                    prop_assert!(seen.insert((slice.extranonce.clone(), slice.ntime, slice.first)));
                }
            }
            prop_assert_eq!(nonces, (256 * u64::from(seconds + 1)) << 32);
        }
    }

    #[test]
    fn a_new_job_starts_afresh() {
        let mut cursor = Cursor::new(Arc::default());
        let _ = cursor.next(&job(1, 4, 0), 100);
        assert_eq!(cursor.next(&job(1, 4, 0), 100).map(|slice| slice.first), Some(100));
        assert_eq!(cursor.next(&job(2, 4, 0), 100).map(|slice| slice.first), Some(0));
    }

    #[test]
    fn a_thread_that_is_late_does_not_begin_the_old_job_again() {
        let ground = Arc::new(Ground::default());
        let (mut early, mut late) = (Cursor::new(ground.clone()), Cursor::new(ground));
        let free = |slice: Option<Slice>| slice.map(|slice| slice.extranonce);
        assert_eq!(free(early.next(&job(1, 1, 0), 100)), Some(vec![0]));
        assert_eq!(free(early.next(&job(2, 1, 0), 100)), Some(vec![0]));
        assert_eq!(free(late.next(&job(1, 1, 0), 100)), Some(vec![1]));
        assert_eq!(free(late.next(&job(2, 1, 0), 100)), Some(vec![1]));
    }

    #[test]
    fn a_lease_without_free_bytes_is_shared_by_the_header_s_time() {
        let ground = Arc::new(Ground::default());
        let mut cursors: Vec<Cursor> = (0..3).map(|_| Cursor::new(ground.clone())).collect();
        let times: Vec<Option<u32>> = cursors
            .iter_mut()
            .map(|cursor| cursor.next(&job(1, 0, 1), 1).map(|slice| slice.ntime))
            .collect();
        assert_eq!(times, [Some(10), Some(11), None]);
        // The one that goes leaves its place to another.
        drop(cursors.remove(0));
        assert_eq!(
            cursors[1].next(&job(1, 0, 1), 1).map(|slice| (slice.ntime, slice.first)),
            Some((10, 1))
        );
    }
}
