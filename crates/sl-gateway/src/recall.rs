//! What the journal knows of the run of the program before: machines find their slots, and shares
//! of the jobs that they still have are taken.

use std::{collections::HashMap, time::Duration};

use sl_ledger::{Journal, Recalled, RecalledShare, SlotEntry, decode_job};
use sl_ports::Clock;
use sl_units::{HashRate, Mono, Wall};
use sl_work::{JobId, WorkerName};

use crate::{
    GatewayError,
    board::Board,
    ledger::Ledger,
    slots::{Freed, Moment, Origin, Slots},
    standing::{ShareKey, Standing},
};

/// Where no job was given out in that time, so much further back is looked for one.
const OLDER: Duration = Duration::from_secs(2 * 3600);
/// Jobs given out so long ago are recalled: while others come, no machine works longer on one.
const JOBS: Duration = Duration::from_secs(300);
/// Renewals of a job take numbers too and are not written: the next run begins so far above the
/// last number that is. At one renewal in two seconds they last for three weeks on one job.
const RENEWALS: u64 = 1 << 20;

/// From where a run counts on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    /// The first issue of a job; `None` where no journal says.
    pub(crate) first_sequence: Option<u64>,
    pub(crate) last_ticket: u64,
}

/// How to recall.
pub(crate) struct Recall {
    pub(crate) clock: Clock,
    pub(crate) resume_within: Duration,
}

impl Recall {
    /// Recalls all, once a program: jobs, slots with what their machines sent, rates of workers.
    pub(crate) async fn all(
        &self,
        journal: Option<&Journal>,
        board: &mut Board,
        slots: &mut Slots<Standing>,
        ledger: &mut Ledger,
    ) -> Result<Numbers, GatewayError> {
        let Some(journal) = journal else { return Ok(Numbers::default()) };
        let since = self.clock.wall().millis().saturating_sub(JOBS.as_millis() as u64);
        let mut recalled = journal.recall(Wall::from_millis(since)).await?;
        if recalled.jobs.is_empty() {
            // What machines work on may be older, where its source gives a job for each block.
            let since = since.saturating_sub(OLDER.as_millis() as u64);
            recalled = journal.recall(Wall::from_millis(since)).await?;
        }
        tracing::info!(
            slots = recalled.slots.len(),
            jobs = recalled.jobs.len(),
            shares = recalled.shares.len(),
            workers = recalled.workers.len(),
            "recalled from the journal"
        );
        Ok(self.apply(recalled, board, slots, ledger))
    }

    fn apply(
        &self,
        recalled: Recalled,
        board: &mut Board,
        slots: &mut Slots<Standing>,
        ledger: &mut Ledger,
    ) -> Numbers {
        for job in recalled.jobs {
            let entry = job.0;
            let id = JobId { source: entry.source, sequence: entry.sequence };
            match decode_job(&entry.blob, id, entry.epoch, Mono::default()) {
                Some(job) => board.recall(entry.number, job),
                None => tracing::warn!(number = entry.number, "a job of before cannot be read"),
            }
        }
        let mut sent = by_slot(recalled.shares, slots.layout().slot);
        let now = self.clock.mono();
        let moment = Moment { now, jobs: board.known(), resume_within: self.resume_within };
        let mut machines: HashMap<WorkerName, Machines> = HashMap::new();
        for entry in recalled.slots {
            let shares = sent.remove(&entry.slot).unwrap_or_default();
            machines.entry(entry.worker.clone()).or_default().count(!shares.is_empty());
            let memory = Standing::recalled(entry.difficulty, shares);
            if let Some(origin) = origin(&entry) {
                let SlotEntry { slot, session, worker, .. } = entry;
                slots.recall(Freed { slot, session, origin, worker }, memory, moment);
            }
        }
        for worker in recalled.workers {
            // Of each machine, where a whole farm uses one name.
            let machines = machines.get(&worker.worker).copied().unwrap_or_default();
            ledger.remember(&worker.worker, machines.each(worker.rate));
        }
        let first_sequence = Some(recalled.last_job.saturating_add(RENEWALS));
        Numbers { first_sequence, last_ticket: recalled.last_ticket }
    }
}

/// The machines of a worker. A machine that came back by another slot has left one that is waited
/// for, so those count first that sent a share of a job that is known.
#[derive(Clone, Copy, Debug, Default)]
struct Machines {
    slots: u32,
    at_work: u32,
}

impl Machines {
    const fn count(&mut self, at_work: bool) {
        self.slots += 1;
        self.at_work += at_work as u32;
    }

    fn each(self, all: HashRate) -> HashRate {
        let machines = if self.at_work > 0 { self.at_work } else { self.slots.max(1) };
        HashRate::from_hs(all.hs() / f64::from(machines))
    }
}

fn origin(entry: &SlotEntry) -> Option<Origin> {
    Some(Origin { address: entry.address.parse().ok()?, user_agent: entry.user_agent.clone() })
}

/// What each slot sent: a slot is the first bytes of the extranonce.
fn by_slot(shares: Vec<RecalledShare>, width: usize) -> HashMap<u64, Vec<(u64, ShareKey)>> {
    let mut sent: HashMap<u64, Vec<_>> = HashMap::new();
    for RecalledShare { job, solution } in shares {
        let Some((slot, own)) = solution.extranonce.split_at_checked(width) else { continue };
        let slot = slot.iter().fold(0, |slot, byte| (slot << 8) | u64::from(*byte));
        let key = ShareKey {
            extranonce2: own.iter().fold(0, |key, byte| (key << 8) | u32::from(*byte)),
            ntime: solution.ntime,
            nonce: solution.nonce,
            version: solution.version,
        };
        sent.entry(slot).or_default().push((job, key));
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_that_were_left_behind_make_no_machine_slow() {
        let rate = HashRate::from_hs(12.0);
        for (slots, each) in [(&[][..], 12.0), (&[false; 3], 4.0), (&[true, false, false], 12.0)] {
            let mut machines = Machines::default();
            slots.iter().for_each(|at_work| machines.count(*at_work));
            assert_eq!(machines.each(rate).hs(), each, "{slots:?}");
        }
    }
}
