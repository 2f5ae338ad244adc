use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use sl_stratum::Extranonce;
use sl_units::Mono;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// Most departures that are remembered; beyond, the oldest machines lose their place. A slot whose
/// jobs are still out is then given to nobody: with so many machines there are slots enough.
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

    pub(crate) fn of(free: usize) -> Self {
        let own = free.saturating_sub(2).min(4);
        Self { slot: (free - own).min(8), own }
    }
}

/// The slots of a gateway: a number for each machine, its extranonce1.
///
/// ```text
///            take                       give back
/// (free) ─────────▶ in use by a session ─────────▶ away ── take with its session id ─▶ in use
///    ▲                                              │
///    └── the machine's time is over, and no job that was out with the slot is known any more
/// ```
///
/// `M` is what is remembered of a machine while it is away.
#[derive(Debug)]
pub(crate) struct Slots<M> {
    layout: Layout,
    capacity: u64,
    /// Slots never used yet begin here.
    fresh: u64,
    free: VecDeque<u64>,
    in_use: u64,
    away: HashMap<String, Away<M>>,
    /// In the order they left; some may have come back since.
    left: VecDeque<(String, u64)>,
    departures: u64,
    resume_within: Duration,
}

#[derive(Debug)]
struct Away<M> {
    slot: u64,
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
    pub(crate) session: String,
    /// Of the machine's earlier connection.
    pub(crate) memory: Option<M>,
}

/// No slot is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("all {capacity} slots are in use; a source with a wider extranonce has more")]
pub(crate) struct AllTaken {
    capacity: u64,
}

impl<M> Slots<M> {
    pub(crate) fn new(layout: Layout, resume_within: Duration) -> Self {
        let capacity = u32::try_from(8 * layout.slot).ok().and_then(|bits| 1u64.checked_shl(bits));
        Self {
            layout,
            capacity: capacity.unwrap_or(u64::MAX),
            fresh: 0,
            free: VecDeque::new(),
            in_use: 0,
            away: HashMap::new(),
            left: VecDeque::new(),
            departures: 0,
            resume_within,
        }
    }

    /// A slot for a machine: its own again if it names its session, else any free one. `session`
    /// is the id for a new session, `oldest_job` the oldest that is still known.
    pub(crate) fn take(
        &mut self,
        resume: Option<&str>,
        session: String,
        now: Mono,
        oldest_job: u64,
    ) -> Result<Taken<M>, AllTaken> {
        self.sweep(now, oldest_job);
        if let Some((session, away)) = resume.and_then(|id| self.away.remove_entry(id)) {
            self.in_use += 1;
            return Ok(self.taken(away.slot, session, Some(away.memory)));
        }
        let slot = match self.free.pop_front() {
            Some(slot) => slot,
            None if self.fresh < self.capacity => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => return Err(AllTaken { capacity: self.capacity }),
        };
        self.in_use += 1;
        Ok(self.taken(slot, session, None))
    }

    /// A machine has left; `last_job` is the newest job that is out.
    pub(crate) fn give_back(
        &mut self,
        slot: u64,
        session: String,
        memory: M,
        now: Mono,
        last_job: u64,
    ) {
        self.in_use = self.in_use.saturating_sub(1);
        let departure = self.departures;
        self.departures += 1;
        self.left.push_back((session.clone(), departure));
        self.away.insert(session, Away { slot, departure, since: now, last_job, memory });
    }

    /// A slot that its machine never heard of.
    fn untake(&mut self, taken: Taken<M>, now: Mono, last_job: u64) {
        match taken.memory {
            Some(memory) => self.give_back(taken.slot, taken.session, memory, now, last_job),
            None => {
                self.in_use = self.in_use.saturating_sub(1);
                self.free.push_back(taken.slot);
            }
        }
    }

    /// Slots in use, remembered for a machine that is away, and there altogether.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        (self.in_use, self.away.len() as u64, self.capacity)
    }

    /// Frees the slots of machines that are not expected back and whose jobs are all forgotten, and
    /// forgets the oldest machines where too many have left.
    fn sweep(&mut self, now: Mono, oldest_job: u64) {
        while let Some((session, departure)) = self.left.front() {
            if let Some(away) = self.away.get(session).filter(|away| away.departure == *departure) {
                let full = self.left.len() > MOST_AWAY;
                let over = now.since(away.since) >= self.resume_within;
                let forgotten = away.last_job < oldest_job;
                let expected = !over || !forgotten;
                if expected && !full {
                    return;
                }
                if forgotten {
                    self.free.push_back(away.slot);
                }
                self.away.remove(session);
            }
            self.left.pop_front();
        }
    }

    fn taken(&self, slot: u64, session: String, memory: Option<M>) -> Taken<M> {
        let bytes = slot.to_be_bytes();
        let from = bytes.len().saturating_sub(self.layout.slot);
        let extranonce1 = Extranonce::new(bytes.get(from..).unwrap_or_default())
            .expect("eight bytes are fewer than an extranonce can have");
        Taken { slot, extranonce1, session, memory }
    }
}

/// What the sessions ask of the task that owns the slots.
#[derive(Debug)]
pub(crate) enum SlotCall<M> {
    Take { resume: Option<String>, answer: oneshot::Sender<Result<Taken<M>, AllTaken>> },
    GiveBack { slot: u64, session: String, memory: M },
}

/// What the task of the slots must be told of the jobs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KnownJobs {
    pub(crate) oldest: u64,
    pub(crate) newest: u64,
}

/// The task that owns the slots; ends when no session can call any more.
pub(crate) async fn keep<M>(
    mut slots: Slots<M>,
    mut calls: mpsc::Receiver<SlotCall<M>>,
    known: impl Fn() -> KnownJobs,
    now: impl Fn() -> Mono,
    mut rng: fastrand::Rng,
    counts: tokio::sync::watch::Sender<(u64, u64, u64)>,
) {
    while let Some(call) = calls.recv().await {
        match call {
            SlotCall::Take { resume, answer } => {
                let session = format!("{:016x}", rng.u64(..));
                let taken = slots.take(resume.as_deref(), session, now(), known().oldest);
                // A connection that has gone meanwhile has told its machine nothing.
                if let Err(Ok(taken)) = answer.send(taken) {
                    slots.untake(taken, now(), known().newest);
                }
            }
            SlotCall::GiveBack { slot, session, memory } => {
                slots.give_back(slot, session, memory, now(), known().newest);
            }
        }
        counts.send_replace(slots.counts());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn the_layout_leaves_machines_at_least_two_bytes() {
        let layouts = [4, 5, 6, 7, 8].map(|free| (Layout::of(free).slot, Layout::of(free).own));
        assert_eq!(layouts, [(2, 2), (2, 3), (2, 4), (3, 4), (4, 4)]);
    }

    #[test]
    fn a_machine_that_comes_back_gets_its_slot() {
        let mut slots = Slots::new(Layout::of(8), Duration::from_secs(600));
        let first = slots.take(None, "a".into(), at(0), 0).expect("free");
        assert_eq!(first.extranonce1.to_string(), "00000000");
        assert_eq!(slots.take(None, "b".into(), at(0), 0).expect("free").slot, 1);
        slots.give_back(first.slot, first.session, "memory", at(1), 7);
        // The jobs are forgotten, its time is not over.
        assert_eq!(slots.take(None, "c".into(), at(2), 100).expect("free").slot, 2);
        let again = slots.take(Some("a"), "d".into(), at(3), 100).expect("its own");
        assert_eq!((again.slot, again.session.as_str(), again.memory), (0, "a", Some("memory")));
        // A second one with the same id is another machine.
        assert_eq!(slots.take(Some("a"), "e".into(), at(3), 100).expect("free").slot, 3);
    }

    #[test]
    fn a_slot_is_free_when_time_and_jobs_are_over() {
        let mut slots = Slots::new(Layout::of(8), Duration::from_secs(600));
        let first = slots.take(None, "a".into(), at(0), 0).expect("free");
        slots.give_back(first.slot, first.session, (), at(0), 7);
        assert_eq!(slots.take(None, "b".into(), at(700), 7).expect("free").slot, 1);
        assert_eq!(slots.take(Some("a"), "c".into(), at(700), 8).expect("freed").slot, 0);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_no_slot_is_given_on_while_its_jobs_are_out() {
        let mut slots = Slots::new(Layout::of(8), Duration::from_secs(600));
        let most = MOST_AWAY as u64;
        for number in 0..most + 1000 {
            let taken = slots.take(None, format!("s{number}"), at(0), 0).expect("free");
            assert_eq!(taken.slot, number, "never that of another");
            slots.give_back(taken.slot, taken.session, (), at(0), 7);
        }
        assert!(slots.away.len() <= MOST_AWAY + 1 && slots.left.len() <= MOST_AWAY + 1);
        // One that comes and goes leaves no trail either.
        for number in 0..most + 1000 {
            let session = format!("s{}", most + 999);
            let again = slots.take(Some(&session), "new".into(), at(0), 0).expect("its own");
            assert_eq!(again.slot, most + 999, "{number}");
            slots.give_back(again.slot, again.session, (), at(0), 7);
        }
        assert!(slots.left.len() <= MOST_AWAY + 1);
    }

    proptest! {
        #[test]
        fn no_slot_is_given_twice(steps in prop::collection::vec((0u8..4, 0u64..400), 1..200)) {
            let mut slots = Slots::new(Layout { slot: 1, own: 2 }, Duration::from_secs(600));
            let (mut held, mut gone): (Vec<(u64, String)>, Vec<String>) = (Vec::new(), Vec::new());
            let (mut now, mut job) = (0, 0u64);
            for (number, (step, pause)) in steps.into_iter().enumerate() {
                now += pause;
                job += 1;
                if step == 0 && !held.is_empty() {
                    let (slot, session) = held.swap_remove(number % held.len());
                    slots.give_back(slot, session.clone(), (), at(now), job);
                    gone.push(session);
                } else {
                    let resume = if step == 1 { gone.pop() } else { None };
                    let oldest = job.saturating_sub(5);
                    let taken = slots.take(resume.as_deref(), format!("s{number}"), at(now), oldest);
                    let Ok(taken) = taken else { continue };
                    held.push((taken.slot, taken.session));
                }
                let distinct: HashSet<u64> = held.iter().map(|(slot, _)| *slot).collect();
                prop_assert_eq!(distinct.len(), held.len());
                prop_assert_eq!(slots.counts().0, held.len() as u64);
            }
        }
    }
}
