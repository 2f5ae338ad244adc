//! The journal as the accounts use it: entries in groups, answers when they are on the disk.

use std::{
    collections::{BTreeSet, VecDeque},
    future::pending,
    num::NonZeroU64,
    sync::Arc,
};

use sl_chain::sha256d;
use sl_ledger::{
    BlockEntry, BlockEvent, BlockJob, Entry, JobEntry, Journal, Receipt, ShareEntry, SlotEntry,
    SlotEvent, Solution, Unwritten, UpstreamEntry, VerdictEntry, encode_job,
};
use sl_ports::Clock;
use sl_units::ShareDifficulty;
use sl_work::{Fault, Job, Outcome, Proven, SourceId};
use tokio::sync::oneshot;

use crate::{
    board::Issued,
    forward::Sent,
    ledger::Arrival,
    share::{Filed, Reason, Told, Turned, reached},
    slots::Freed,
};

/// While there is room for fewer entries, no further shares are counted, and their machines wait:
/// a pass of the widest engine, with a block on every chain, needs less.
const LEAST_ROOM: usize = 4096;
/// Entries that are kept while the journal has no room; beyond, what comes is only counted. Shares
/// are not among them, since none are counted meanwhile.
const MOST_KEPT: usize = 16_384;
/// Of slots, which ten thousand machines that come again and again change most, so many at most:
/// jobs and verdicts find a place beside them.
const MOST_SLOTS: usize = MOST_KEPT / 2;

/// The newest jobs that were written, by number: far more than shares may still name.
const JOBS_KNOWN: usize = 4096;

/// An answer that leaves when its share is on the disk.
pub(crate) type Due = (oneshot::Sender<Told>, Told);

/// Writes into the journal, and holds answers until what they answer is on the disk.
///
/// ```text
///  note ─▶ group ── flush ─▶ journal ── receipt ─▶ answers leave, in the order of the groups
///            ▲         │         └─ the commit fails ─┐
///            └─no room─┴───── nobody writes ──────────┴─▶ the answers say so
/// ```
/// Without a journal answers leave at once.
#[derive(Debug)]
pub(crate) struct Recorder {
    journal: Option<Journal>,
    clock: Clock,
    source: SourceId,
    next_ticket: NonZeroU64,
    group: Vec<Entry>,
    due: Vec<Due>,
    /// Groups on their way to the disk.
    waiting: VecDeque<(Receipt, Vec<Due>)>,
    /// The journal had no room for the group when it was tried last.
    behind: bool,
    unkept: Unkept,
    /// Jobs that were written.
    jobs: BTreeSet<u64>,
}

/// Entries for which the journal had no room, by kind. Proven shares are told and counted where
/// they are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unkept {
    pub(crate) refusals: u64,
    pub(crate) verdicts: u64,
    pub(crate) jobs: u64,
    pub(crate) blocks: u64,
    pub(crate) sources: u64,
    pub(crate) slots: u64,
}

impl Unkept {
    const fn count(&mut self, entry: &Entry) {
        let counter = match entry {
            Entry::Share(ShareEntry { judged: sl_ledger::Judged::Rejected(_), .. }) => {
                &mut self.refusals
            }
            Entry::Share(_) => return,
            Entry::Verdict(_) => &mut self.verdicts,
            Entry::Job(_) => &mut self.jobs,
            Entry::Block(_) => &mut self.blocks,
            Entry::Upstream(_) => &mut self.sources,
            Entry::Slot(_) => &mut self.slots,
        };
        *counter += 1;
    }
}

impl Recorder {
    /// `last_ticket` is the highest that the journal has.
    pub(crate) fn new(
        journal: Option<Journal>,
        clock: Clock,
        source: SourceId,
        last_ticket: u64,
    ) -> Self {
        let next_ticket = NonZeroU64::MIN.saturating_add(last_ticket);
        Self {
            journal,
            clock,
            source,
            next_ticket,
            group: Vec::new(),
            due: Vec::new(),
            waiting: VecDeque::new(),
            behind: false,
            unkept: Unkept::default(),
            jobs: BTreeSet::new(),
        }
    }

    /// Whether further shares can be recorded: behind what is kept already.
    pub(crate) fn has_room(&self) -> bool {
        let least = LEAST_ROOM + self.group.len();
        self.journal.as_ref().is_none_or(|journal| journal.room() >= least || !journal.is_open())
    }

    /// Whether entries are kept for which the journal has no room.
    pub(crate) const fn is_behind(&self) -> bool {
        self.behind
    }

    /// An entry that is kept as long as there is a place for it; whether there was.
    fn note(&mut self, entry: Entry) -> bool {
        let most = if matches!(entry, Entry::Slot(_)) { MOST_SLOTS } else { MOST_KEPT };
        if self.behind && self.group.len() >= most {
            self.unkept.count(&entry);
            return false;
        }
        if self.journal.is_some() {
            self.group.push(entry);
        }
        true
    }

    /// A number for a share that goes up, for the verdict to come.
    pub(crate) fn ticket(&mut self) -> Option<NonZeroU64> {
        self.journal.as_ref()?;
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        Some(ticket)
    }

    /// An answer that leaves with the group being made.
    pub(crate) fn answer(&mut self, due: Due) {
        self.due.push(due);
    }

    /// A share that is proven, and the blocks that it wins. Its job stands before it, also where what
    /// tells of the job is still on its way: without it nobody could prove the share again.
    pub(crate) fn proven(&mut self, filed: &Filed, share: &Proven, ticket: Option<NonZeroU64>) {
        if self.journal.is_none() {
            return;
        }
        if !filed.orphan && !self.has_job(filed.job) {
            let job = self.job_entry(filed.job, share.job());
            self.group.push(job);
            self.knows_job(filed.job);
        }
        let solution = Solution {
            extranonce: share.extranonce().into(),
            version: share.version(),
            ntime: share.ntime(),
            nonce: share.nonce(),
        };
        self.group.push(Entry::Share(ShareEntry {
            at: self.clock.wall(),
            worker: filed.worker.clone(),
            slot: filed.slot,
            job: filed.job,
            difficulty: filed.difficulty,
            achieved: Some(reached(share.hash())),
            judged: if filed.stale {
                sl_ledger::Judged::Stale
            } else {
                sl_ledger::Judged::Accepted
            },
            missed: filed.missed.clone(),
            ticket,
            solution: Some(solution),
        }));
        for goal in share.goals_met() {
            self.group.push(Entry::Block(BlockEntry {
                at: self.clock.wall(),
                chain: goal.chain,
                height: goal.height,
                // On an auxiliary chain this is the parent's header that proves the block.
                hash: sha256d(share.header()),
                worker: filed.worker.clone(),
                job: BlockJob::Number(filed.job),
                event: BlockEvent::Found,
            }));
        }
    }

    /// A share that was hashed and proves nothing.
    pub(crate) fn faulty(&mut self, filed: &Filed, fault: &Fault) {
        let achieved = match fault {
            Fault::LowDifficulty { hash, .. } => Some(reached(*hash)),
            _ => None,
        };
        self.rejected(ShareEntry {
            at: self.clock.wall(),
            worker: filed.worker.clone(),
            slot: filed.slot,
            job: filed.job,
            difficulty: filed.difficulty,
            achieved,
            judged: sl_ledger::Judged::Rejected(reason(Reason::of(fault))),
            missed: Vec::new(),
            ticket: None,
            solution: None,
        });
    }

    /// A share that was turned away before it was hashed. One of a machine that never had a job has
    /// nothing to be measured by, and is only counted.
    pub(crate) fn turned(&mut self, turned: &Turned) {
        let Some(difficulty) = turned.difficulty else { return };
        self.rejected(ShareEntry {
            at: self.clock.wall(),
            worker: turned.worker.clone(),
            slot: turned.slot,
            job: turned.job,
            difficulty,
            achieved: None,
            judged: sl_ledger::Judged::Rejected(reason(turned.reason)),
            missed: Vec::new(),
            ticket: None,
            solution: None,
        });
    }

    /// A flood of them takes no room from those that are proven.
    fn rejected(&mut self, share: ShareEntry) {
        let entry = Entry::Share(share);
        if self.has_room() {
            self.note(entry);
        } else {
            self.unkept.count(&entry);
        }
    }

    /// Entries for which there was no room, since this was asked last.
    pub(crate) fn take_unkept(&mut self) -> Unkept {
        std::mem::take(&mut self.unkept)
    }

    /// A job that machines get; renewals of it are not written.
    pub(crate) fn job(&mut self, issued: &Issued) {
        if self.journal.is_some() && issued.is_first() && !self.has_job(issued.sequence) {
            let job = self.job_entry(issued.sequence, &issued.job);
            if self.note(job) {
                self.knows_job(issued.sequence);
            }
        }
    }

    fn job_entry(&self, number: u64, job: &Job) -> Entry {
        Entry::Job(JobEntry {
            at: self.clock.wall(),
            number,
            source: job.id.source.clone(),
            sequence: job.id.sequence,
            epoch: job.epoch,
            blob: encode_job(job),
        })
    }

    fn has_job(&self, number: u64) -> bool {
        let forgotten = || self.jobs.first().is_some_and(|oldest| number < *oldest);
        self.jobs.contains(&number) || self.jobs.len() >= JOBS_KNOWN && forgotten()
    }

    fn knows_job(&mut self, number: u64) {
        self.jobs.insert(number);
        if self.jobs.len() > JOBS_KNOWN {
            self.jobs.pop_first();
        }
    }

    /// A machine has a slot, and this difficulty.
    pub(crate) fn slot(&mut self, arrival: &Arrival, difficulty: Option<ShareDifficulty>) {
        if self.journal.is_some() {
            self.note(Entry::Slot(SlotEntry {
                at: self.clock.wall(),
                slot: arrival.number,
                event: SlotEvent::Held,
                session: arrival.session.clone(),
                worker: arrival.worker.clone(),
                address: arrival.address.ip().to_string().into(),
                user_agent: arrival.user_agent.clone(),
                difficulty,
            }));
        }
    }

    /// A slot is free again, and its machine is not waited for.
    pub(crate) fn freed(&mut self, freed: &Freed) {
        let Freed { slot, session, origin, worker } = freed;
        self.note(Entry::Slot(SlotEntry {
            at: self.clock.wall(),
            slot: *slot,
            event: SlotEvent::Released,
            session: session.clone(),
            worker: worker.clone(),
            address: origin.address.to_string().into(),
            user_agent: origin.user_agent.clone(),
            difficulty: None,
        }));
    }

    /// The source changed its state.
    pub(crate) fn source(&mut self, event: &str, why: &Arc<str>) {
        self.note(Entry::Upstream(UpstreamEntry {
            at: self.clock.wall(),
            source: self.source.clone(),
            event: event.into(),
            why: why.clone(),
        }));
    }

    /// The verdict on a share that went up: of the source, or of a member where it is a group.
    pub(crate) fn verdict(&mut self, sent: &Sent, outcome: &Outcome, by: Option<&SourceId>) {
        if let Some(ticket) = sent.ticket
            && self.journal.is_some()
        {
            self.note(Entry::Verdict(VerdictEntry {
                at: self.clock.wall(),
                ticket,
                worker: sent.worker.clone(),
                source: by.unwrap_or(&self.source).clone(),
                outcome: outcome.clone(),
            }));
        }
    }

    /// Gives the group to the journal, which keeps it for the next time where it has no room; how
    /// many answers had to be told that nobody writes.
    pub(crate) fn flush(&mut self) -> u64 {
        let Some(journal) = &self.journal else {
            for (answer, told) in self.due.drain(..) {
                // A connection that has gone meanwhile wants no answer.
                let _ = answer.send(told);
            }
            return 0;
        };
        if self.group.is_empty() {
            return 0;
        }
        match journal.append(std::mem::take(&mut self.group)) {
            Ok(receipt) => {
                self.behind = false;
                // Dropping a receipt changes nothing.
                if !self.due.is_empty() {
                    self.waiting.push_back((receipt, std::mem::take(&mut self.due)));
                }
                0
            }
            Err(full) => {
                let open = journal.is_open();
                if !self.behind {
                    tracing::error!(%full, "the journal does not take what happened");
                }
                self.group = full.0;
                self.behind = open;
                if open { 0 } else { self.give_up() }
            }
        }
    }

    /// Counts what the journal does not take; how many answers had to be told so.
    pub(crate) fn give_up(&mut self) -> u64 {
        self.behind = false;
        for entry in self.group.drain(..) {
            self.unkept.count(&entry);
        }
        unrecorded(std::mem::take(&mut self.due))
    }

    /// Waits until the oldest group is on the disk; for ever when none is on its way. Cancel-safe:
    /// it stays the oldest until [`synced`](Self::synced).
    pub(crate) async fn sync(&mut self) -> Result<u64, Unwritten> {
        match self.waiting.front_mut() {
            Some((receipt, _)) => receipt.await,
            None => pending().await,
        }
    }

    /// Lets the answers of the oldest group leave; how many had to be told that it failed.
    pub(crate) fn synced(&mut self, outcome: &Result<u64, Unwritten>) -> u64 {
        let Some((_, due)) = self.waiting.pop_front() else { return 0 };
        match outcome {
            Ok(commit) => {
                tracing::trace!(name: "share.acknowledged", commit, shares = due.len());
                for (answer, told) in due {
                    let _ = answer.send(told);
                }
                0
            }
            // The journal's own service tells why, and is degraded.
            Err(_) => unrecorded(due),
        }
    }
}

fn unrecorded(due: Vec<Due>) -> u64 {
    let shares = due.len() as u64;
    for (answer, _) in due {
        let _ = answer.send(Told::Unrecorded);
    }
    shares
}

const fn reason(reason: Reason) -> sl_ledger::Reason {
    match reason {
        Reason::UnknownJob => sl_ledger::Reason::UnknownJob,
        Reason::Duplicate => sl_ledger::Reason::Duplicate,
        Reason::LowDifficulty => sl_ledger::Reason::LowDifficulty,
        Reason::Ntime => sl_ledger::Reason::Ntime,
        Reason::Malformed => sl_ledger::Reason::Malformed,
        Reason::Busy => sl_ledger::Reason::Busy,
    }
}

#[cfg(test)]
mod tests;
