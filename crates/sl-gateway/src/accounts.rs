use std::{sync::Arc, time::Duration};

use sl_ports::Clock;
use sl_work::{Outcome, Proven, Verdict};
use tokio::{
    sync::{OwnedMutexGuard, mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    GatewayStatus, SlotCounts,
    forward::{Forward, Sent, Up},
    ledger::{Event, Ledger, Standards},
    recorder::Recorder,
    share::{Judged, Reason, Told},
};

/// How often the figures are made anew.
const SAMPLE: Duration = Duration::from_secs(1);
/// A share that found no room at the source is tried again after this.
const RETRY: Duration = Duration::from_millis(20);
/// How long the source's verdicts are waited for when stopping.
const DRAIN: Duration = Duration::from_millis(700);
/// Why a share is lost upward, as the journal has it.
const BEFORE_RESTART: &str = "its job was given out before a restart, and no source knows it now";
const NO_ROOM: &str = "the source had no room, and it met no chain's target";
const GONE: &str = "the source is gone";

/// Events, and passes of engines, that are taken at once: what they write is one group of the
/// journal.
const AT_ONCE: usize = 64;

/// The one task that counts: it owns all counters, the journal's lane and the way up, and waits for
/// nobody, so that those who tell it may wait for it.
#[derive(Debug)]
pub(crate) struct Accounts {
    pub(crate) judged: mpsc::Receiver<Vec<Judged>>,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) verdicts: mpsc::Receiver<Verdict>,
    pub(crate) forward: Forward,
    pub(crate) recorder: Recorder,
    pub(crate) ledger: OwnedMutexGuard<Ledger>,
    pub(crate) standards: Standards,
    pub(crate) slots: watch::Receiver<SlotCounts>,
    pub(crate) status: watch::Sender<GatewayStatus>,
    pub(crate) clock: Clock,
}

impl Accounts {
    /// Counts until nobody is left who could tell anything, then waits a little for the last
    /// verdicts.
    pub(crate) async fn run(mut self) {
        let mut sample = interval(SAMPLE);
        sample.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One timer for all turns: a sleep made anew would never be over while events pour in.
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut events, mut judged) = (Vec::new(), Vec::new());
        let (mut told, mut hashed) = (true, true);
        while told || hashed {
            let has_room = self.recorder.has_room();
            // Cancel-safe: three receives, a receipt that stays the oldest, two ticks.
            tokio::select! {
                count = self.events.recv_many(&mut events, AT_ONCE), if told => {
                    told = count > 0;
                    events.drain(..).for_each(|event| self.take(event));
                }
                // While the disk stands still shares wait, and nothing else does.
                count = self.judged.recv_many(&mut judged, AT_ONCE), if hashed && has_room => {
                    hashed = count > 0;
                    judged.drain(..).flatten().for_each(|share| self.judged(share));
                }
                Some(verdict) = self.verdicts.recv() => self.settle(&verdict),
                synced = self.recorder.sync() => {
                    let unrecorded = self.recorder.synced(&synced);
                    self.ledger.unrecorded(unrecorded);
                }
                _ = sample.tick() => self.show(SAMPLE),
                _ = retry.tick(), if self.forward.wants_retry() || !has_room => self.retry(),
            }
            self.flush();
        }
        self.drain(&mut retry).await;
    }

    /// Nobody is left who could tell anything: only the source, and the journal.
    async fn drain(mut self, retry: &mut Interval) {
        let until = Instant::now() + DRAIN;
        while self.forward.open() > 0 || self.recorder.is_behind() {
            tokio::select! {
                verdict = self.verdicts.recv() => match verdict {
                    Some(verdict) => self.settle(&verdict),
                    None => break,
                },
                _ = retry.tick(), if self.forward.wants_retry() || self.recorder.is_behind() => self.retry(),
                () = sleep_until(until) => break,
            }
            self.flush();
        }
        let why = "the gateway stopped before the source could say";
        for sent in self.forward.abandon() {
            self.lose(&sent, why);
        }
        self.flush();
        let unrecorded = self.recorder.give_up();
        self.ledger.unrecorded(unrecorded);
        self.show(Duration::ZERO);
    }

    fn take(&mut self, event: Event) {
        match &event {
            Event::Issued(issued) => self.recorder.job(issued),
            Event::Refused(turned) => self.recorder.turned(turned),
            Event::Ready(arrival) => self.recorder.slot(arrival, arrival.difficulty),
            Event::Freed(freed) => self.recorder.freed(freed),
            Event::Source { event, why } => self.recorder.source(event, why),
            Event::Difficulty { machine, difficulty } => {
                if let Some(arrival) = self.ledger.machine(*machine) {
                    self.recorder.slot(arrival, Some(*difficulty));
                }
            }
            _ => {}
        }
        self.ledger.take(&self.standards, event, self.clock.mono());
    }

    /// Counts a share, sends it up if it is wanted there, and has it recorded; then its connection
    /// is told.
    fn judged(&mut self, share: Judged) {
        let Judged { filed, verdict, at } = share;
        let share = match verdict {
            Ok(share) => share,
            Err(fault) => {
                self.ledger.refused(filed.machine, &filed.worker, Reason::of(&fault));
                self.recorder.faulty(&filed, &fault);
                // Nothing is owed for it, so it waits for no disk.
                let _ = filed.answer.send(Told::Refused(fault));
                return;
            }
        };
        let had_accepted = self.ledger.has_accepted();
        let account = self.ledger.proven(&self.standards, &filed, &share, at);
        if self.ledger.has_accepted() && !had_accepted {
            self.show(SAMPLE);
        }
        let ticket = if share.is_wanted() { self.recorder.ticket() } else { None };
        self.recorder.proven(&filed, &share, ticket);
        let told = if filed.stale { Told::Stale } else { Told::Accepted };
        if share.is_wanted() {
            let sent = Sent { worker: filed.worker, account, stale: filed.stale, ticket };
            self.send(share, &sent, filed.orphan);
        }
        self.recorder.answer((filed.answer, told));
    }

    fn send(&mut self, share: Proven, sent: &Sent, orphan: bool) {
        let goal = share.goals_met().next().is_some();
        let job = share.job().id.clone();
        if orphan {
            self.ledger.orphaned(sent.account);
            return self.unsent(sent, BEFORE_RESTART);
        }
        let up = self.forward.send(share, sent.clone());
        if goal && up != Up::Sent {
            tracing::error!(%job, worker = %sent.worker, "a share that wins a block finds no way up");
        }
        match up {
            Up::Sent => {}
            Up::NoRoom => self.unsent(sent, NO_ROOM),
            Up::Lost => self.unsent(sent, GONE),
        }
        self.ledger.sent(sent, goal, up);
    }

    fn retry(&mut self) {
        for sent in self.forward.retry() {
            tracing::error!(worker = %sent.worker, "a share that wins a block finds no way up");
            self.lose(&sent, GONE);
        }
    }

    /// A share that found no way up; the ledger counts those apart.
    fn unsent(&mut self, sent: &Sent, why: &str) {
        self.recorder.verdict(sent, &Outcome::Lost { reason: why.into() }, None);
    }

    fn lose(&mut self, sent: &Sent, why: &str) {
        let outcome = Outcome::Lost { reason: why.into() };
        self.ledger.settled(sent, &outcome);
        self.recorder.verdict(sent, &outcome, None);
    }

    fn settle(&mut self, verdict: &Verdict) {
        let Some(sent) = self.forward.settle(verdict) else { return };
        let differs = self.ledger.settled(&sent, &verdict.outcome);
        self.recorder.verdict(&sent, &verdict.outcome, verdict.by.as_ref());
        let (ticket, outcome) = (verdict.ticket, &verdict.outcome);
        match outcome {
            Outcome::Rejected { .. } => {
                tracing::warn!(worker = %sent.worker, %ticket, %outcome, "the source refuses a share that was proven here");
            }
            _ if differs => {
                tracing::info!(worker = %sent.worker, %ticket, %outcome, late_for_us = sent.stale, "the source says another thing than we did");
            }
            _ => tracing::debug!(worker = %sent.worker, %ticket, %outcome, "verdict"),
        }
    }

    /// Never waits: the journal takes the group at once or gives it back.
    fn flush(&mut self) {
        let unrecorded = self.recorder.flush();
        self.ledger.unrecorded(unrecorded);
    }

    fn show(&mut self, age: Duration) {
        let now = self.clock.mono();
        self.ledger.unwritten(self.recorder.take_unkept());
        self.ledger.measure(now, age);
        self.ledger.look(&self.standards, now);
        let slots = *self.slots.borrow();
        let waiting = self.forward.open() as u64;
        let (ledger, standards) = (&mut *self.ledger, &self.standards);
        self.status.send_modify(|status| {
            ledger.show(standards, status, now);
            status.forwarded.waiting = waiting;
            status.slots = slots;
        });
    }
}

/// The name under which the gateway leases work.
pub(crate) fn consumer() -> Arc<str> {
    "gateway".into()
}

#[cfg(test)]
mod tests {
    use sl_work::{Ask, SourceId, WorkSource, source};
    use tokio::time::sleep;

    use super::*;
    use crate::forward::tests::share;

    #[tokio::test(start_paused = true)]
    async fn a_block_that_waits_for_room_goes_up_while_events_pour_in() {
        let (handle, mut end) = source(SourceId::new("test"));
        end.set_widest(8);
        let lease = handle.lease(Ask { free: 8, consumer: consumer() }).expect("wide");
        let mut forward = Forward::new(lease.submitter);
        let account = crate::ledger::Place::default();
        let sent = || Sent { worker: "rig".into(), account, stale: false, ticket: None };
        let (ordinary, block) = (share(false), share(true));
        while forward.send(ordinary.clone(), sent()) == Up::Sent {}
        assert_eq!(forward.send(block, sent()), Up::Sent);
        assert!(forward.wants_retry(), "the block waits");

        let (events_in, events) = mpsc::channel(1);
        let (_slots_in, slots) = watch::channel(SlotCounts::default());
        let (status, _seen) = watch::channel(GatewayStatus::default());
        let (verdicts, clock) = (lease.verdicts, Clock::real());
        let mut ledger = Ledger::default();
        ledger.remember(&"rig".into(), sl_units::HashRate::default());
        let home = Arc::new(tokio::sync::Mutex::new(ledger));
        let ledger = home.lock_owned().await;
        let recorder = Recorder::new(None, clock, SourceId::new("test"), 0);
        let (_judged_in, judged) = mpsc::channel(1);
        let standards = crate::ledger::tests::standards();
        let accounts = Accounts {
            standards,
            judged,
            events,
            verdicts,
            forward,
            recorder,
            ledger,
            slots,
            status,
            clock,
        };
        tokio::spawn(accounts.run());
        tokio::spawn(async move {
            while events_in.send(Event::Throttled).await.is_ok() {
                sleep(RETRY / 10).await;
            }
        });
        // One verdict makes room; then there is time for several tries.
        let first = end.intake.next().await.expect("an ordinary share");
        first.settle(Outcome::Accepted { credited: Vec::new(), missed: Vec::new() });
        sleep(RETRY * 5).await;
        let next = end.intake.next().await.expect("the block, before all others");
        assert_eq!(next.share().goals_met().count(), 1);
    }
}
