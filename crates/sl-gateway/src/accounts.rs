use std::{sync::Arc, time::Duration};

use sl_ports::Clock;
use sl_work::{Outcome, Proven, Verdict};
use tokio::{
    sync::{OwnedMutexGuard, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    GatewayStatus, SlotCounts,
    forward::{Forward, Sent},
    ledger::{Event, Ledger},
    share::{Judged, Reason, Told},
};

/// How often the figures are made anew.
const SAMPLE: Duration = Duration::from_secs(1);
/// A share that found no room at the source is tried again after this.
const RETRY: Duration = Duration::from_millis(20);
/// How long the source's verdicts are waited for when stopping.
const DRAIN: Duration = Duration::from_millis(700);

/// The one task that counts: it owns all counters and the way up, and waits for nobody, so that
/// those who tell it may wait for it.
#[derive(Debug)]
pub(crate) struct Accounts {
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) verdicts: mpsc::Receiver<Verdict>,
    pub(crate) forward: Forward,
    pub(crate) ledger: OwnedMutexGuard<Ledger>,
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
        loop {
            // Cancel-safe: two receives, two ticks.
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.take(event),
                    None => break,
                },
                Some(verdict) = self.verdicts.recv() => self.settle(&verdict),
                _ = sample.tick() => self.show(SAMPLE),
                _ = retry.tick(), if self.forward.wants_retry() => self.retry(),
            }
        }
        let until = Instant::now() + DRAIN;
        while self.forward.open() > 0 {
            tokio::select! {
                verdict = self.verdicts.recv() => match verdict {
                    Some(verdict) => self.settle(&verdict),
                    None => break,
                },
                _ = retry.tick(), if self.forward.wants_retry() => self.retry(),
                () = sleep_until(until) => break,
            }
        }
        let why = "the gateway stopped before the source could say";
        for sent in self.forward.abandon() {
            self.ledger.settled(&sent, &Outcome::Lost { reason: why.into() });
        }
        self.show(Duration::ZERO);
    }

    fn take(&mut self, event: Event) {
        let had_accepted = self.ledger.has_accepted();
        match event {
            Event::Judged(batch) => self.judged(batch),
            event => self.ledger.take(event),
        }
        if self.ledger.has_accepted() && !had_accepted {
            self.show(SAMPLE);
        }
    }

    /// Counts the shares of one pass of an engine, sends up what is wanted, and tells their
    /// connections.
    fn judged(&mut self, batch: Vec<Judged>) {
        for Judged { filed, verdict, at } in batch {
            let told = match verdict {
                Ok(share) => {
                    self.ledger.proven(&filed, &share, at);
                    let told = if filed.stale { Told::Stale } else { Told::Accepted };
                    if share.is_wanted() {
                        let sent = Sent { worker: filed.worker.clone(), stale: filed.stale };
                        self.send(share, &sent);
                    }
                    told
                }
                Err(fault) => {
                    self.ledger.refused(filed.machine, &filed.worker, Reason::of(&fault));
                    Told::Refused(fault)
                }
            };
            // A connection that has gone meanwhile wants no answer.
            let _ = filed.answer.send(told);
        }
    }

    fn send(&mut self, share: Proven, sent: &Sent) {
        let goal = share.goals_met().next().is_some();
        let job = share.job().id.clone();
        let up = self.forward.send(share, sent.clone());
        if goal && up != crate::forward::Up::Sent {
            tracing::error!(%job, worker = %sent.worker, "a share that wins a block finds no way up");
        }
        self.ledger.sent(sent, goal, up);
    }

    fn retry(&mut self) {
        for sent in self.forward.retry() {
            tracing::error!(worker = %sent.worker, "a share that wins a block finds no way up");
            let reason = "the source is gone".into();
            self.ledger.settled(&sent, &Outcome::Lost { reason });
        }
    }

    fn settle(&mut self, verdict: &Verdict) {
        let Some(sent) = self.forward.settle(verdict) else { return };
        let differs = self.ledger.settled(&sent, &verdict.outcome);
        let (ticket, outcome) = (verdict.ticket, &verdict.outcome);
        match outcome {
            Outcome::Rejected { .. } => {
                tracing::warn!(worker = %sent.worker, %ticket, ?outcome, "the source refuses a share that was proven here");
            }
            _ if differs => {
                tracing::info!(worker = %sent.worker, %ticket, ?outcome, late_for_us = sent.stale, "the source says another thing than we did");
            }
            _ => tracing::debug!(worker = %sent.worker, %ticket, ?outcome, "verdict"),
        }
    }

    fn show(&mut self, age: Duration) {
        let now = self.clock.mono();
        self.ledger.measure(now, age);
        let slots = *self.slots.borrow();
        let waiting = self.forward.open() as u64;
        let ledger = &mut *self.ledger;
        self.status.send_modify(|status| {
            ledger.show(status, now);
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
    use crate::forward::{Up, tests::share};

    #[tokio::test(start_paused = true)]
    async fn a_block_that_waits_for_room_goes_up_while_events_pour_in() {
        let (handle, mut end) = source(SourceId::new("test"));
        end.set_widest(8);
        let lease = handle.lease(Ask { free: 8, consumer: consumer() }).expect("wide");
        let mut forward = Forward::new(lease.submitter);
        let sent = || Sent { worker: "rig".into(), stale: false };
        let (ordinary, block) = (share(false), share(true));
        while forward.send(ordinary.clone(), sent()) == Up::Sent {}
        assert_eq!(forward.send(block, sent()), Up::Sent);
        assert!(forward.wants_retry(), "the block waits");

        let (events_in, events) = mpsc::channel(1);
        let (_slots_in, slots) = watch::channel(SlotCounts::default());
        let (status, _seen) = watch::channel(GatewayStatus::default());
        let (verdicts, clock) = (lease.verdicts, Clock::real());
        let home = Arc::new(tokio::sync::Mutex::new(Ledger::default()));
        let ledger = home.lock_owned().await;
        let accounts = Accounts { events, verdicts, forward, ledger, slots, status, clock };
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
