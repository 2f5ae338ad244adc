use std::collections::{HashMap, VecDeque};

use sl_work::{Proven, Refused, RefusedWhy, Submitter, Ticket, Verdict, WorkerName};

/// Shares that meet a goal and wait for room at the source; each cost a block's work.
const MOST_WAITING: usize = 1024;

/// The way up: who sent which ticket, and shares too good to be dropped that found no room.
#[derive(Debug)]
pub(crate) struct Forward {
    submitter: Submitter,
    tickets: HashMap<Ticket, Sent>,
    waiting: VecDeque<(Proven, Sent)>,
}

/// A share on its way up.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) worker: WorkerName,
    /// Whether we told the machine that it was late.
    pub(crate) stale: bool,
}

/// What became of a share at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Up {
    /// It has a ticket, or waits for room.
    Sent,
    /// The source has no room, and it meets no goal.
    NoRoom,
    /// The source is gone, or more wait than are ever found.
    Lost,
}

impl Forward {
    pub(crate) fn new(submitter: Submitter) -> Self {
        Self { submitter, tickets: HashMap::new(), waiting: VecDeque::new() }
    }

    /// Sends a share up.
    pub(crate) fn send(&mut self, share: Proven, sent: Sent) -> Up {
        match self.submitter.submit(share, sent.worker.clone()) {
            Ok(ticket) => {
                self.tickets.insert(ticket, sent);
                Up::Sent
            }
            Err(refused) => {
                let Refused { share, why } = *refused;
                match why {
                    RefusedWhy::Gone => Up::Lost,
                    RefusedWhy::Full if share.goals_met().next().is_none() => Up::NoRoom,
                    RefusedWhy::Full if self.waiting.len() >= MOST_WAITING => Up::Lost,
                    RefusedWhy::Full => {
                        self.waiting.push_back((share, sent));
                        Up::Sent
                    }
                }
            }
        }
    }

    /// Tries again what waits for room; what is lost by it.
    pub(crate) fn retry(&mut self) -> Vec<Sent> {
        let mut lost = Vec::new();
        for (share, sent) in std::mem::take(&mut self.waiting) {
            let worker = sent.clone();
            if self.send(share, sent) != Up::Sent {
                lost.push(worker);
            }
        }
        lost
    }

    /// Whose share a verdict is about.
    pub(crate) fn settle(&mut self, verdict: &Verdict) -> Option<Sent> {
        self.tickets.remove(&verdict.ticket)
    }

    /// Whether shares wait for room.
    pub(crate) fn wants_retry(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Shares without a verdict.
    pub(crate) fn open(&self) -> usize {
        self.tickets.len() + self.waiting.len()
    }

    /// Gives up what has no verdict: nobody will hear one.
    pub(crate) fn abandon(&mut self) -> Vec<Sent> {
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(_, sent)| sent);
        self.tickets.drain().map(|(_, sent)| sent).chain(waiting).collect()
    }
}
