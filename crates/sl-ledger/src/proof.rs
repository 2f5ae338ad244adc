use std::collections::BTreeMap;

use serde::Serialize;
use sl_units::{Hash256, Mono, ShareDifficulty, Target};
use sl_work::{Job, JobId, SourceId};

use crate::{
    Judged, LedgerError,
    day::DayFile,
    decode_job,
    recall::solution,
    table::{Cell, Stored, Table},
};

/// Jobs that are kept at hand: more than a day's file of a busy gateway has in an hour.
const MOST_JOBS: usize = 4096;

/// Shares whose hash was made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Proofs {
    /// The hash is what the journal says.
    pub right: u64,
    /// It is not.
    pub wrong: u64,
    /// Its job is in no file that is there, or is of a later form.
    pub without_job: u64,
}

/// Hashes some shares again, evenly over a file.
pub(crate) struct Sample<'h> {
    /// How many of a file are wanted.
    wanted: u64,
    hash: &'h mut (dyn FnMut(&[u8; 80]) -> Hash256 + Send),
    /// Every so-many-th share is taken.
    step: u64,
    seen: u64,
    /// The latest jobs, by number.
    jobs: BTreeMap<i64, Vec<u8>>,
    pub(crate) proofs: Proofs,
}

impl<'h> Sample<'h> {
    pub(crate) fn new(wanted: u64, hash: &'h mut (dyn FnMut(&[u8; 80]) -> Hash256 + Send)) -> Self {
        let (step, seen) = (1, 0);
        Self { wanted, hash, step, seen, jobs: BTreeMap::new(), proofs: Proofs::default() }
    }

    /// A further file.
    pub(crate) async fn begin(&mut self, file: &mut DayFile) -> Result<(), LedgerError> {
        let shares = file.database.number("SELECT count(*) FROM shares WHERE nonce IS NOT NULL");
        self.step = shares.await?.unsigned_abs().checked_div(self.wanted).unwrap_or(0).max(1);
        self.seen = 0;
        Ok(())
    }

    /// Takes up a row; what is wrong with it, if its turn has come.
    pub(crate) fn look(&mut self, file: &DayFile, stored: &Stored) -> Option<String> {
        match (stored.table, stored.cells.as_slice()) {
            (Table::Jobs, [_, Cell::Int(number), _, _, _, Cell::Bytes(blob)]) => {
                self.jobs.insert(*number, blob.clone());
                while self.jobs.len() > MOST_JOBS {
                    self.jobs.pop_first();
                }
                None
            }
            (Table::Shares, _) if *stored.cell("nonce") != Cell::Null => {
                self.seen += 1;
                let turn = self.wanted > 0 && (self.seen - 1).is_multiple_of(self.step);
                if turn { self.share(file, stored) } else { None }
            }
            _ => None,
        }
    }

    fn share(&mut self, file: &DayFile, stored: &Stored) -> Option<String> {
        let solution = solution(file.head.day, stored)?;
        let job = stored.cell("job").int().and_then(|number| self.jobs.get(&number));
        let Some(job) = job.and_then(|blob| decoded(blob)) else {
            self.proofs.without_job += 1;
            return None;
        };
        let header = job.header_bytes(
            &solution.extranonce,
            solution.version,
            solution.ntime,
            solution.nonce,
        );
        let hash = (self.hash)(&header);
        let reached = ShareDifficulty::from(Target::from_le_bytes(*hash.as_bytes())).get();
        let says = stored.cell("achieved").real();
        let counts = stored.cell("judged").int().is_some_and(|code| {
            matches!(Judged::of_code(code), Some(Judged::Accepted | Judged::Stale))
        });
        let asked = stored.cell("difficulty").real().unwrap_or(f64::INFINITY);
        let right = says.is_none_or(|says| (says - reached).abs() <= 1e-9 * reached)
            && (!counts || reached >= asked * (1.0 - 1e-9));
        if right {
            self.proofs.right += 1;
            return None;
        }
        self.proofs.wrong += 1;
        Some(format!(
            "row {}: its hash reaches difficulty {reached}, the journal says {}, asked were {asked}",
            stored.row,
            says.map_or_else(|| "nothing".to_owned(), |says| says.to_string())
        ))
    }
}

fn decoded(blob: &[u8]) -> Option<Job> {
    let id = JobId { source: SourceId::new("journal"), sequence: 0 };
    decode_job(blob, id, 0, Mono::default())
}
