//! The task that owns the slots.

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    time::Duration,
};

use sl_ports::seed::Unguessable;
use sl_work::WorkerName;
use tokio::{
    sync::{OwnedMutexGuard, mpsc, oneshot, watch},
    time::{Instant, interval, sleep_until},
};

use super::{AllTaken, Freed, Moment, Origin, Slots, Taken};
use crate::{SlotCounts, ledger::Event, standing::Standing};

/// How often slots are looked after that nobody asks for.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a machine that comes back waits for its former connection to end. That waits for the
/// verdicts of its last shares, and so for the disk.
const HEIR: Duration = Duration::from_secs(2);

/// What the sessions ask of the task that owns the slots.
#[derive(Debug)]
pub(crate) enum SlotCall {
    Take(Request),
    GiveBack {
        slot: u64,
        /// The first that its machine authorised, if any.
        worker: Option<WorkerName>,
        memory: Standing,
    },
    /// No job was ever out with it.
    Release {
        slot: u64,
    },
}

/// A connection asks for a slot.
#[derive(Debug)]
pub(crate) struct Request {
    /// The session that the machine names.
    pub(crate) resume: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) answer: oneshot::Sender<Result<Taken<Standing>, AllTaken>>,
}

/// The task that owns the slots; ends when no session can call any more. The slots themselves
/// outlive it, so that machines find theirs after the service has been started again.
///
/// A machine that lost its power or its network comes back while its former connection is half open
/// and has the slot. Its session proves whose that is: the connection is told to end, and the
/// machine waits until the slot is given back with all that is known of its shares.
///
/// ```text
///  take, by a session in use ─▶ notice to its connection ─▶ give back ─▶ slot and memory
///                                        └──── not within 2 s ─────────▶ another slot
/// ```
pub(crate) struct Keeper<F> {
    slots: OwnedMutexGuard<Slots<Standing>>,
    moment: F,
    /// Sessions: who knows one is taken for its machine.
    names: Unguessable,
    /// Hears which slots are free again, before anybody else gets them.
    events: mpsc::Sender<Event>,
    /// Who waits for a slot to be given back, and until when.
    heirs: HashMap<u64, (Instant, Request)>,
    waiting: VecDeque<(Instant, u64)>,
}

impl<F: Fn() -> Moment> Keeper<F> {
    pub(crate) fn new(
        slots: OwnedMutexGuard<Slots<Standing>>,
        moment: F,
        names: Unguessable,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (heirs, waiting) = (HashMap::new(), VecDeque::new());
        Self { slots, moment, names, events, heirs, waiting }
    }

    pub(crate) async fn run(
        mut self,
        mut calls: mpsc::Receiver<SlotCall>,
        counts: watch::Sender<SlotCounts>,
    ) {
        let mut sweep = interval(SWEEP);
        loop {
            let until = self.waiting.front().map(|(until, _)| *until);
            // Cancel-safe: a receive, a sleep, a tick.
            tokio::select! {
                call = calls.recv() => match call {
                    Some(call) => self.hear(call).await,
                    None => return,
                },
                () = over(until) => self.wait_no_longer().await,
                _ = sweep.tick() => {
                    self.slots.sweep((self.moment)());
                    self.tell_freed().await;
                }
            }
            counts.send_replace(self.slots.counts());
        }
    }

    async fn hear(&mut self, call: SlotCall) {
        let slot = match call {
            SlotCall::Take(request) => {
                let named = request.resume.as_deref();
                return match named.and_then(|session| self.slots.oust(session)) {
                    Some(slot) => self.wait_for(slot, request).await,
                    None => self.serve(request).await,
                };
            }
            SlotCall::GiveBack { slot, worker, memory } => {
                self.slots.give_back(slot, worker, memory, (self.moment)());
                slot
            }
            SlotCall::Release { slot } => {
                self.slots.release(slot);
                slot
            }
        };
        if let Some((_, heir)) = self.heirs.remove(&slot) {
            self.serve(heir).await;
        }
    }

    /// Of two that wait for the same slot the later one is the machine as it is now.
    async fn wait_for(&mut self, slot: u64, request: Request) {
        let until = Instant::now() + HEIR;
        self.waiting.push_back((until, slot));
        if let Some((_, former)) = self.heirs.insert(slot, (until, request)) {
            self.serve(former).await;
        }
    }

    /// Those who have waited long enough get another slot.
    async fn wait_no_longer(&mut self) {
        let now = Instant::now();
        while let Some((_, slot)) = self.waiting.pop_front_if(|(until, _)| *until <= now) {
            if self.heirs.get(&slot).is_some_and(|(until, _)| *until <= now)
                && let Some((_, heir)) = self.heirs.remove(&slot)
            {
                self.serve(heir).await;
            }
        }
    }

    async fn serve(&mut self, request: Request) {
        let Request { resume, origin, answer } = request;
        let session = format!("{:016x}", self.names.draw()).into();
        let taken = self.slots.take(resume.as_deref(), origin, session, (self.moment)());
        self.tell_freed().await;
        // A connection that has gone meanwhile has told its machine nothing.
        if let Err(Ok(taken)) = answer.send(taken) {
            match taken.memory {
                Some(memory) => {
                    self.slots.give_back(taken.slot, None, memory, (self.moment)());
                }
                None => self.slots.release(taken.slot),
            }
        }
    }

    /// The accounts wait for nobody, so this does not wait long.
    async fn tell_freed(&mut self) {
        for freed in std::mem::take(&mut self.slots.freed) {
            let Freed { slot, worker, .. } = &freed;
            tracing::debug!(slot, %worker, "a slot is free again");
            if self.events.send(Event::Freed(Box::new(freed))).await.is_err() {
                tracing::debug!("the accounts are gone before the slots");
            }
        }
    }
}

async fn over(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sl_units::{Mono, ShareDifficulty};
    use tokio::{sync::Mutex, task::JoinHandle};

    use super::*;
    use crate::slots::{KnownJobs, Layout};

    /// A keeper, and who asks it.
    struct Counter {
        calls: mpsc::Sender<SlotCall>,
        events: mpsc::Receiver<Event>,
        counts: watch::Receiver<SlotCounts>,
        keeper: JoinHandle<()>,
    }

    /// A memory that can be told from others.
    fn memory(difficulty: f64) -> Standing {
        Standing::recalled(Some(ShareDifficulty::new(difficulty).expect("positive")), [])
    }

    impl Counter {
        async fn open() -> Self {
            let slots = Arc::new(Mutex::new(Slots::new(Layout::of(8)))).lock_owned().await;
            let start = Instant::now();
            let moment = move || Moment {
                now: Mono::from_start(start.elapsed()),
                jobs: KnownJobs { oldest: 2, newest: 1 },
                resume_within: Duration::from_secs(600),
            };
            let (told, events) = mpsc::channel(8);
            let (calls, calls_out) = mpsc::channel(8);
            let (counts_in, counts) = watch::channel(SlotCounts::default());
            let keeper = Keeper::new(slots, moment, Unguessable::from_os(), told);
            let keeper = tokio::spawn(keeper.run(calls_out, counts_in));
            Self { calls, events, counts, keeper }
        }

        async fn call(&self, call: SlotCall) {
            self.calls.send(call).await.expect("it lives");
        }

        async fn ask(
            &self,
            resume: Option<&str>,
        ) -> oneshot::Receiver<Result<Taken<Standing>, AllTaken>> {
            let (answer, given) = oneshot::channel();
            let origin = Origin { address: [10, 0, 0, 1].into(), user_agent: None };
            let resume = resume.map(ToOwned::to_owned);
            self.call(SlotCall::Take(Request { resume, origin, answer })).await;
            given
        }

        async fn take(&self, resume: Option<&str>) -> Taken<Standing> {
            self.ask(resume).await.await.expect("an answer").expect("a slot")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_names_its_session_gets_its_slot_from_the_connection_that_has_it() {
        let counter = Counter::open().await;
        let mut before = counter.take(None).await;
        let session = before.session.clone();
        let again = counter.ask(Some(&session)).await;
        before.notice.given().await;
        let back = SlotCall::GiveBack { slot: 0, worker: None, memory: memory(3.0) };
        counter.call(back).await;
        let again = again.await.expect("an answer").expect("a slot");
        assert_eq!((again.slot, &again.session, again.resumed), (0, &session, true));
        let remembered = again.memory.and_then(|memory| memory.difficulty());
        assert_eq!(remembered.map(ShareDifficulty::get), Some(3.0));
        // And again: each connection has a notice of its own.
        let mut again = Taken { memory: None, ..again };
        let third = counter.ask(Some(&session)).await;
        again.notice.given().await;
        counter.call(SlotCall::Release { slot: 0 }).await;
        assert!(!third.await.expect("an answer").expect("a slot").resumed, "never worked with");
    }

    #[tokio::test(start_paused = true)]
    async fn who_names_no_session_takes_nothing_from_a_connection() {
        let counter = Counter::open().await;
        let mut before = counter.take(None).await;
        for resume in [None, Some("0000000000000000")] {
            assert_ne!(counter.take(resume).await.slot, before.slot);
        }
        tokio::select! {
            () = before.notice.given() => panic!("nobody knows its session"),
            () = tokio::time::sleep(HEIR * 10) => {}
        }
        let Counter { calls, keeper, .. } = counter;
        drop(calls);
        keeper.await.expect("in order");
        let never = tokio::time::timeout(HEIR, before.notice.given()).await;
        never.expect_err("its end is no notice");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_end_keeps_its_slot() {
        let counter = Counter::open().await;
        let before = counter.take(None).await;
        let begin = Instant::now();
        let former = counter.ask(Some(&before.session)).await;
        let latter = counter.ask(Some(&before.session)).await;
        // Of two that wait the later one is the machine; the other need not wait.
        assert_eq!(former.await.expect("an answer").expect("a slot").slot, 1);
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert_eq!(latter.await.expect("an answer").expect("a slot").slot, 2);
        assert!(begin.elapsed() >= HEIR);
        assert_eq!(counter.counts.borrow().in_use, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_told_to_be_free_without_anybody_asking_and_before_it_is_given_on() {
        let mut counter = Counter::open().await;
        let taken = counter.take(None).await;
        let worker = Some("rig.1".into());
        let back = SlotCall::GiveBack { slot: taken.slot, worker, memory: memory(1.0) };
        counter.call(back).await;
        let begin = Instant::now();
        let Some(Event::Freed(freed)) = counter.events.recv().await else { panic!("freed") };
        assert_eq!((freed.slot, &*freed.worker, &freed.session), (0, "rig.1", &taken.session));
        assert!(begin.elapsed() >= Duration::from_secs(600));
        assert_eq!(counter.take(None).await.slot, 0);
    }
}
