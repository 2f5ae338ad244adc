use std::sync::Arc;

use sl_work::Job;

/// Where one thread stands in the space of one lease: which free bytes, which nonces.
///
/// Threads never meet: thread *t* of *n* takes the free bytes *t*, *t + n*, *t + 2n* … When the
/// free bytes are used up, the header's time moves on by a second and all begins again, within the
/// times that the source takes.
#[derive(Debug)]
pub(crate) struct Cursor {
    thread: u64,
    threads: u64,
    at: Option<Position>,
}

#[derive(Debug)]
struct Position {
    job: Arc<Job>,
    extranonce: u64,
    ntime: u32,
    nonce: u64,
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
    pub(crate) const fn new(thread: u64, threads: u64) -> Self {
        Self { thread, threads, at: None }
    }

    /// The next run of at most `count` nonces; `None` when the job is used up.
    pub(crate) fn next(&mut self, job: &Arc<Job>, count: u32) -> Option<Slice> {
        let size = space(job);
        let at = match &mut self.at {
            Some(at) if at.job.id == job.id => at,
            at => at.insert(Position {
                job: job.clone(),
                extranonce: self.thread,
                ntime: job.header.ntime.start,
                nonce: 0,
            }),
        };
        if at.nonce > u64::from(u32::MAX) {
            at.nonce = 0;
            at.extranonce += self.threads;
        }
        if at.extranonce >= size {
            at.extranonce = self.thread;
            at.ntime = at.ntime.saturating_add(1);
        }
        if self.thread >= size || at.ntime > job.header.ntime.latest {
            return None;
        }
        let first = at.nonce as u32;
        let count = u64::from(count.max(1)).min((1 << 32) - at.nonce);
        at.nonce += count;
        Some(Slice {
            extranonce: free_bytes(at.extranonce, job.coinbase.free),
            ntime: at.ntime,
            first,
            count: count.min(u64::from(u32::MAX)) as u32,
        })
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
        #[test]
        fn threads_never_meet_and_leave_nothing_out(threads in 1u64..5, seconds in 0u32..3, step in 1u32<<29..1<<31) {
            let job = job(1, 1, seconds);
            let mut seen = HashSet::new();
            let mut nonces = 0u64;
            for thread in 0..threads {
                let mut cursor = Cursor::new(thread, threads);
                while let Some(slice) = cursor.next(&job, step) {
                    prop_assert!(u64::from(slice.first) + u64::from(slice.count) <= 1 << 32);
                    nonces += u64::from(slice.count);
                    prop_assert!(seen.insert((slice.extranonce.clone(), slice.ntime, slice.first)));
                }
            }
            prop_assert_eq!(nonces, (256 * u64::from(seconds + 1)) << 32);
        }
    }

    #[test]
    fn a_new_job_starts_afresh() {
        let mut cursor = Cursor::new(0, 2);
        let _ = cursor.next(&job(1, 4, 0), 100);
        assert_eq!(cursor.next(&job(1, 4, 0), 100).map(|slice| slice.first), Some(100));
        assert_eq!(cursor.next(&job(2, 4, 0), 100).map(|slice| slice.first), Some(0));
    }

    #[test]
    fn a_lease_without_free_bytes_serves_one_thread() {
        let narrow = job(1, 0, 0);
        assert!(Cursor::new(0, 2).next(&narrow, 1).is_some());
        assert!(Cursor::new(1, 2).next(&narrow, 1).is_none());
    }
}
