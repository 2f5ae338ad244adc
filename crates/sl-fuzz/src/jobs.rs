use std::sync::Arc;

use sl_ledger::{decode_job, encode_job};
use sl_units::Mono;
use sl_work::{Claim, Job, JobId, SourceId};

/// The bytes of a job in the journal, whose file may be damaged: refused, or written again as
/// long and read as the same; and a machine can work on it.
pub fn journal_job(bytes: &[u8]) {
    let Some(job) = read(bytes) else { return };
    let again = encode_job(&job);
    assert_eq!(again.len(), bytes.len(), "bytes are left out");
    let same = read(&again).expect("what was written can be read");
    assert_eq!(format!("{same:?}"), format!("{job:?}"));
    let (job, _) = (Arc::new(job), same.header.bits.target());
    let (free, version, ntime) = (job.coinbase.free, job.header.version, job.header.ntime.start);
    let claim = Claim::new(job.clone(), vec![0; free], version, ntime, 0);
    assert!(
        claim.is_ok() || !(job.header.ntime.earliest..=job.header.ntime.latest).contains(&ntime)
    );
}

fn read(bytes: &[u8]) -> Option<Job> {
    let id = JobId { source: SourceId::new("journal"), sequence: 1 };
    decode_job(bytes, id, 1, Mono::default())
}
