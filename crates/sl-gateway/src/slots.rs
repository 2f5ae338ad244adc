use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    ops::DerefMut,
    sync::Arc,
    time::Duration,
};

use sl_stratum::Extranonce;
use sl_units::Mono;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::SlotCounts;

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

/// So many slots between two that were given out, and no more, can have been given back since.
const MOST_GAP: u64 = 1 << 20;

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
///    ▲                                              │       only machine known of its origin
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
    away: HashMap<Arc<str>, Away<M>>,
    /// Who is known of each origin.
    origins: HashMap<Origin, Known>,
    /// In the order they left; some may have come back since.
    left: VecDeque<(Arc<str>, u64)>,
    /// Slots whose machines are forgotten and whose newest jobs are not, in the order of these.
    nobodys: VecDeque<(u64, u64)>,
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
}

#[derive(Debug)]
struct Away<M> {
    slot: u64,
    origin: Origin,
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
            away: HashMap::new(),
            origins: HashMap::new(),
            left: VecDeque::new(),
            nobodys: VecDeque::new(),
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
            return Ok(self.taken(away.slot, session, origin, Some(away.memory)));
        }
        let slot = match self.free.pop_front() {
            Some(slot) => slot,
            None if self.fresh < self.capacity => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => match self.reclaim(moment) {
                Some(slot) => slot,
                None => {
                    self.refused += 1;
                    return Err(AllTaken { capacity: self.capacity });
                }
            },
        };
        Ok(self.taken(slot, session, origin, None))
    }

    /// A machine has left.
    pub(crate) fn give_back(&mut self, slot: u64, memory: M, moment: Moment) {
        if let Some(Holder { session, origin }) = self.let_go(slot) {
            self.leave(slot, session, origin, memory, moment);
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
            self.give_back(slot, M::default(), moment);
        }
    }

    /// A machine that an earlier run of the program knew is waited for. What was never told of
    /// slots between is free.
    pub(crate) fn recall(
        &mut self,
        slot: u64,
        session: Arc<str>,
        origin: Origin,
        memory: M,
        moment: Moment,
    ) {
        // A damaged row must not ask for all the memory there is.
        let strange = slot >= self.capacity || slot > self.fresh + MOST_GAP;
        if strange || self.away.contains_key(&session) {
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
        self.leave(slot, session, origin, memory, moment);
    }

    /// A slot that its machine never heard of.
    fn untake(&mut self, taken: Taken<M>, moment: Moment) {
        match taken.memory {
            Some(memory) => self.give_back(taken.slot, memory, moment),
            None => self.release(taken.slot),
        }
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

    fn leave(&mut self, slot: u64, session: Arc<str>, origin: Origin, memory: M, moment: Moment) {
        let departure = self.departures;
        self.departures += 1;
        self.left.push_back((session.clone(), departure));
        self.origins.entry(origin.clone()).or_default().missed.push(session.clone());
        let (since, last_job) = (moment.now, moment.jobs.newest);
        self.away.insert(session, Away { slot, origin, departure, since, last_job, memory });
    }

    fn come_back(&mut self, session: &str) -> Option<(Arc<str>, Away<M>)> {
        let (session, away) = self.away.remove_entry(session)?;
        self.of_origin(&away.origin, |known| known.missed.retain(|missed| *missed != session));
        Some((session, away))
    }

    fn let_go(&mut self, slot: u64) -> Option<Holder> {
        let holder = self.held.remove(&slot)?;
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

    /// When all are taken, the slot of whoever has been away longest, if no job that was out with it
    /// is known any more.
    fn reclaim(&mut self, moment: Moment) -> Option<u64> {
        while let Some((session, departure)) = self.left.front().cloned() {
            let away = self.away.get(&session).filter(|away| away.departure == departure);
            if away.is_some_and(|away| away.last_job >= moment.jobs.oldest) {
                return None;
            }
            let slot = away.map(|away| away.slot);
            self.left.pop_front();
            if slot.is_some() {
                self.come_back(&session);
                return slot;
            }
        }
        None
    }

    /// Frees the slots of machines that are not expected back and whose jobs are all forgotten, and
    /// forgets the oldest machines where too many have left.
    fn sweep(&mut self, moment: Moment) {
        while let Some((slot, _)) =
            self.nobodys.pop_front_if(|(_, last_job)| *last_job < moment.jobs.oldest)
        {
            self.free.push_back(slot);
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
                match forgotten {
                    true => self.free.push_back(away.slot),
                    false => self.nobodys.push_back((away.slot, away.last_job)),
                }
                self.come_back(&session);
            }
            self.left.pop_front();
        }
    }

    fn taken(
        &mut self,
        slot: u64,
        session: Arc<str>,
        origin: Origin,
        memory: Option<M>,
    ) -> Taken<M> {
        self.origins.entry(origin.clone()).or_default().held += 1;
        self.held.insert(slot, Holder { session: session.clone(), origin });
        let bytes = slot.to_be_bytes();
        let from = bytes.len().saturating_sub(self.layout.slot);
        let extranonce1 = Extranonce::new(bytes.get(from..).unwrap_or_default())
            .expect("eight bytes are fewer than an extranonce can have");
        Taken { slot, extranonce1, session, resumed: memory.is_some(), memory }
    }
}

/// What the sessions ask of the task that owns the slots.
#[derive(Debug)]
pub(crate) enum SlotCall<M> {
    Take {
        resume: Option<String>,
        origin: Origin,
        answer: oneshot::Sender<Result<Taken<M>, AllTaken>>,
    },
    GiveBack {
        slot: u64,
        memory: M,
    },
    /// No job was ever out with it.
    Release {
        slot: u64,
    },
}

/// What the task of the slots must be told of the jobs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KnownJobs {
    pub(crate) oldest: u64,
    pub(crate) newest: u64,
}

/// The task that owns the slots; ends when no session can call any more. The slots themselves
/// outlive it, so that machines find theirs after the service has been started again.
pub(crate) async fn keep<M>(
    mut slots: impl DerefMut<Target = Slots<M>>,
    mut calls: mpsc::Receiver<SlotCall<M>>,
    moment: impl Fn() -> Moment,
    mut rng: fastrand::Rng,
    counts: watch::Sender<SlotCounts>,
) {
    while let Some(call) = calls.recv().await {
        match call {
            SlotCall::Take { resume, origin, answer } => {
                let session = format!("{:016x}", rng.u64(..)).into();
                let taken = slots.take(resume.as_deref(), origin, session, moment());
                // A connection that has gone meanwhile has told its machine nothing.
                if let Err(Ok(taken)) = answer.send(taken) {
                    slots.untake(taken, moment());
                }
            }
            SlotCall::GiveBack { slot, memory } => slots.give_back(slot, memory, moment()),
            SlotCall::Release { slot } => slots.release(slot),
        }
        counts.send_replace(slots.counts());
    }
}

#[cfg(test)]
mod tests;
