use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use sl_stratum::Extranonce;
use sl_units::Mono;
use sl_work::WorkerName;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::SlotCounts;

mod keeper;

pub(crate) use keeper::{Keeper, Request, SlotCall};

/// Most departures that are remembered; beyond, the oldest machines lose their place. A slot whose
/// jobs are still out is then given to nobody until they are forgotten.
const MOST_AWAY: usize = 65_536;

/// How the free bytes of the lease are divided: the slot, then the machine's own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) slot: usize,
    pub(crate) own: usize,
}

impl Layout {
    /// The widest that is of use: four bytes of slot, and four that suit every machine known.
    pub(crate) const WIDEST: usize = 8;
    /// Below two and two, machines would run out of work or of slots.
    pub(crate) const NARROWEST: usize = 4;
    /// With fewer of their own, some machines and markets refuse (NiceHash asks for four).
    pub(crate) const COMFORTABLE: usize = 4;

    pub(crate) fn of(free: usize) -> Self {
        let own = free.saturating_sub(2).min(4);
        Self { slot: (free - own).min(8), own }
    }
}

/// How many machines can have a slot of their own when the source leaves so many bytes free, and how
/// many bytes each of them then has.
#[must_use]
pub fn slots_for(free: usize) -> (u64, usize) {
    let Layout { slot, own } = Layout::of(free);
    (1u64.checked_shl(8 * slot as u32).unwrap_or(u64::MAX), own)
}

/// So many slots, and no more, can have been given back since they were given out: those below the
/// highest of which an earlier run of the program says nothing.
const MOST_FREED: u64 = 1 << 20;

/// Where a machine comes from, as far as it can be told from others before it says its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) address: IpAddr,
    pub(crate) user_agent: Option<Arc<str>>,
}

/// The slots of a gateway: a number for each machine, its extranonce1.
///
/// ```text
///            take                       give back
/// (free) ─────────▶ in use by a session ─────────▶ away ── take, by its session id, or as the ─▶ in use
///    ▲                  │  ▲                        │       only machine known of its origin
///    │                  └──┘ its session comes by another connection: that gets it when this one,
///    │                       which is told so, has given it back
///    └── the machine's time is over, and no job that was out with the slot is known any more
/// ```
///
/// When all are in use or waited for, a machine is refused, which is counted; those that are
/// served keep theirs. `M` is what is remembered of a machine while it is away.
#[derive(Debug)]
pub(crate) struct Slots<M> {
    layout: Layout,
    capacity: u64,
    /// Slots never used yet begin here.
    fresh: u64,
    free: VecDeque<u64>,
    held: HashMap<u64, Holder>,
    /// The slots in use, by session.
    sessions: HashMap<Arc<str>, u64>,
    away: HashMap<Arc<str>, Away<M>>,
    /// Who is known of each origin.
    origins: HashMap<Origin, Known>,
    /// In the order they left; some may have come back since.
    left: VecDeque<(Arc<str>, u64)>,
    /// Slots whose machines are forgotten and whose newest jobs are not, in the order of these.
    nobodys: VecDeque<(Freed, u64)>,
    /// Slots that are free since this was asked last.
    freed: Vec<Freed>,
    departures: u64,
    refused: u64,
}

/// Who is known of an origin.
#[derive(Debug, Default)]
struct Known {
    /// Machines that have a slot.
    held: u32,
    /// Sessions that are away.
    missed: Vec<Arc<str>>,
}

/// Who has a slot.
#[derive(Debug)]
struct Holder {
    session: Arc<str>,
    origin: Origin,
    /// Of before; nobody says it before it has authorised.
    worker: Option<WorkerName>,
    /// Tells its connection that its machine has come by another.
    notice: Option<oneshot::Sender<()>>,
}

/// A slot that is free again, and whose it was.
#[derive(Debug)]
pub(crate) struct Freed {
    pub(crate) slot: u64,
    pub(crate) session: Arc<str>,
    pub(crate) origin: Origin,
    pub(crate) worker: WorkerName,
}

/// By what a connection hears that its machine has come by another one.
#[derive(Debug, Default)]
pub(crate) struct Notice(Option<oneshot::Receiver<()>>);

impl Notice {
    /// Waits until it is given; for ever where nobody can give it. Cancel-safe: it stays to be
    /// given.
    pub(crate) async fn given(&mut self) {
        if let Some(notice) = &mut self.0 {
            let given = notice.await.is_ok();
            self.0 = None;
            if given {
                return;
            }
        }
        pending::<()>().await;
    }
}

#[derive(Debug)]
struct Away<M> {
    slot: u64,
    origin: Origin,
    worker: WorkerName,
    departure: u64,
    since: Mono,
    /// The newest job that was out when it left.
    last_job: u64,
    memory: M,
}

/// A slot in use.
#[derive(Debug)]
pub(crate) struct Taken<M> {
    pub(crate) slot: u64,
    pub(crate) extranonce1: Extranonce,
    pub(crate) session: Arc<str>,
    /// Whether it is the machine's of before.
    pub(crate) resumed: bool,
    /// Of the machine's earlier connection.
    pub(crate) memory: Option<M>,
    /// For the connection that has it.
    pub(crate) notice: Notice,
}

/// No slot is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("all {capacity} slots are in use; a source with a wider extranonce has more")]
pub(crate) struct AllTaken {
    capacity: u64,
}

/// The instant of a call, as the slots see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Mono,
    pub(crate) jobs: KnownJobs,
    /// How long a machine that is away is waited for.
    pub(crate) resume_within: Duration,
}

impl<M> Slots<M> {
    pub(crate) fn new(layout: Layout) -> Self {
        let capacity = u32::try_from(8 * layout.slot).ok().and_then(|bits| 1u64.checked_shl(bits));
        Self {
            layout,
            capacity: capacity.unwrap_or(u64::MAX),
            fresh: 0,
            free: VecDeque::new(),
            held: HashMap::new(),
            sessions: HashMap::new(),
            away: HashMap::new(),
            origins: HashMap::new(),
            left: VecDeque::new(),
            nobodys: VecDeque::new(),
            freed: Vec::new(),
            departures: 0,
            refused: 0,
        }
    }

    pub(crate) const fn layout(&self) -> Layout {
        self.layout
    }

    /// A slot for a machine: its own again if it names its session or is the only one known of its
    /// origin (behind one address there may be a whole farm), else any free one. `session` is the id for a new session.
    pub(crate) fn take(
        &mut self,
        resume: Option<&str>,
        origin: Origin,
        session: Arc<str>,
        moment: Moment,
    ) -> Result<Taken<M>, AllTaken> {
        self.sweep(moment);
        let only = || match self.origins.get(&origin) {
            Some(Known { held: 0, missed }) if missed.len() == 1 => missed.first().cloned(),
            _ => None,
        };
        let named = resume.and_then(|id| self.away.get_key_value(id)).map(|(id, _)| id.clone());
        if let Some((session, away)) = named.or_else(only).and_then(|id| self.come_back(&id)) {
            let Away { slot, worker, memory, .. } = away;
            return Ok(self.taken(slot, session, origin, Some((worker, memory))));
        }
        if self.free.is_empty() && self.fresh >= self.capacity {
            self.reclaim(moment);
        }
        let slot = match self.free.pop_front() {
            Some(slot) => slot,
            None if self.fresh < self.capacity => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => {
                self.refused += 1;
                return Err(AllTaken { capacity: self.capacity });
            }
        };
        Ok(self.taken(slot, session, origin, None))
    }

    /// Tells the connection that has this session's slot to end, since its machine has come by
    /// another one; its slot. `None` where no connection has it.
    fn oust(&mut self, session: &str) -> Option<u64> {
        let slot = *self.sessions.get(session)?;
        if let Some(notice) = self.held.get_mut(&slot).and_then(|holder| holder.notice.take()) {
            // One that is ending already hears nothing any more.
            let _ = notice.send(());
        }
        Some(slot)
    }

    /// A machine has left; its worker, where it said so.
    pub(crate) fn give_back(
        &mut self,
        slot: u64,
        worker: Option<WorkerName>,
        memory: M,
        moment: Moment,
    ) {
        if let Some(Holder { session, origin, worker: before, .. }) = self.let_go(slot) {
            let worker = worker.or(before).unwrap_or_default();
            self.leave(Freed { slot, session, origin, worker }, memory, moment);
        }
    }

    /// No machine is connected: those that were are away. For the start of a run after one that
    /// died.
    pub(crate) fn all_left(&mut self, moment: Moment)
    where
        M: Default,
    {
        let held: Vec<u64> = self.held.keys().copied().collect();
        for slot in held {
            self.give_back(slot, None, M::default(), moment);
        }
    }

    /// A machine that an earlier run of the program knew is waited for. What was never told of
    /// slots between is free.
    pub(crate) fn recall(&mut self, known: Freed, memory: M, moment: Moment) {
        let slot = known.slot;
        // Damaged rows must not ask for all the memory there is.
        let freed = slot.saturating_sub(self.fresh).saturating_add(self.free.len() as u64);
        let strange = slot >= self.capacity || freed > MOST_FREED;
        if strange || self.away.contains_key(&known.session) {
            return;
        }
        if slot >= self.fresh {
            self.free.extend(self.fresh..slot);
            self.fresh = slot + 1;
        } else if let Some(place) = self.free.iter().position(|free| *free == slot) {
            self.free.remove(place);
        } else {
            return;
        }
        self.leave(known, memory, moment);
    }

    /// A slot with which no job was ever out is free at once.
    pub(crate) fn release(&mut self, slot: u64) {
        if self.let_go(slot).is_some() {
            self.free.push_back(slot);
        }
    }

    pub(crate) fn counts(&self) -> SlotCounts {
        SlotCounts {
            in_use: self.held.len() as u64,
            away: self.away.len() as u64,
            capacity: self.capacity,
            refused: self.refused,
        }
    }

    fn leave(&mut self, gone: Freed, memory: M, moment: Moment) {
        let Freed { slot, session, origin, worker } = gone;
        let departure = self.departures;
        self.departures += 1;
        self.left.push_back((session.clone(), departure));
        self.origins.entry(origin.clone()).or_default().missed.push(session.clone());
        let (since, last_job) = (moment.now, moment.jobs.newest);
        let away = Away { slot, origin, worker, departure, since, last_job, memory };
        self.away.insert(session, away);
    }

    fn come_back(&mut self, session: &str) -> Option<(Arc<str>, Away<M>)> {
        let (session, away) = self.away.remove_entry(session)?;
        self.of_origin(&away.origin, |known| known.missed.retain(|missed| *missed != session));
        Some((session, away))
    }

    fn let_go(&mut self, slot: u64) -> Option<Holder> {
        let holder = self.held.remove(&slot)?;
        self.sessions.remove(&holder.session);
        self.of_origin(&holder.origin, |known| known.held = known.held.saturating_sub(1));
        Some(holder)
    }

    fn of_origin(&mut self, origin: &Origin, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.origins.get_mut(origin) {
            change(known);
            if known.held == 0 && known.missed.is_empty() {
                self.origins.remove(origin);
            }
        }
    }

    /// When all are taken, frees the slot of whoever has been away longest, if no job that was out
    /// with it is known any more.
    fn reclaim(&mut self, moment: Moment) {
        while let Some((session, departure)) = self.left.front().cloned() {
            let away = self.away.get(&session).filter(|away| away.departure == departure);
            if away.is_some_and(|away| away.last_job >= moment.jobs.oldest) {
                return;
            }
            let found = away.is_some();
            self.left.pop_front();
            if found {
                return self.forget(&session, moment);
            }
        }
    }

    /// Frees the slots of machines that are not expected back and whose jobs are all forgotten, and
    /// forgets the oldest machines where too many have left.
    fn sweep(&mut self, moment: Moment) {
        while let Some((freed, _)) =
            self.nobodys.pop_front_if(|(_, last_job)| *last_job < moment.jobs.oldest)
        {
            self.is_free(freed);
        }
        while let Some((session, departure)) = self.left.front().cloned() {
            if let Some(away) = self.away.get(&session).filter(|away| away.departure == departure) {
                let full = self.left.len() > MOST_AWAY;
                let over = moment.now.since(away.since) >= moment.resume_within;
                let forgotten = away.last_job < moment.jobs.oldest;
                let expected = !over || !forgotten;
                if expected && !full {
                    return;
                }
                self.forget(&session, moment);
            }
            self.left.pop_front();
        }
    }

    /// A machine is waited for no longer; its slot is free when its jobs are forgotten.
    fn forget(&mut self, session: &str, moment: Moment) {
        let Some((session, away)) = self.come_back(session) else { return };
        let Away { slot, origin, worker, last_job, .. } = away;
        let freed = Freed { slot, session, origin, worker };
        if last_job < moment.jobs.oldest {
            self.is_free(freed);
        } else {
            self.nobodys.push_back((freed, last_job));
        }
    }

    fn is_free(&mut self, freed: Freed) {
        self.free.push_back(freed.slot);
        self.freed.push(freed);
    }

    fn taken(
        &mut self,
        slot: u64,
        session: Arc<str>,
        origin: Origin,
        before: Option<(WorkerName, M)>,
    ) -> Taken<M> {
        let (worker, memory) = before.unzip();
        self.origins.entry(origin.clone()).or_default().held += 1;
        let (notice, given) = oneshot::channel();
        let holder = Holder { session: session.clone(), origin, worker, notice: Some(notice) };
        self.held.insert(slot, holder);
        self.sessions.insert(session.clone(), slot);
        let bytes = slot.to_be_bytes();
        let from = bytes.len().saturating_sub(self.layout.slot);
        let extranonce1 = Extranonce::new(bytes.get(from..).unwrap_or_default())
            .expect("eight bytes are fewer than an extranonce can have");
        let (resumed, notice) = (memory.is_some(), Notice(Some(given)));
        Taken { slot, extranonce1, session, resumed, memory, notice }
    }
}

/// What the task of the slots must be told of the jobs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KnownJobs {
    pub(crate) oldest: u64,
    pub(crate) newest: u64,
}

#[cfg(test)]
mod tests;
