use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use tokio::sync::watch;

use crate::{
    BenchError,
    orders::{Acknowledged, Figures, Machines, Pace},
    premined::Premined,
};

/// What all machines of a process share: their plan, their shares, and what is counted of them.
#[derive(Debug)]
pub(super) struct Company {
    plan: Machines,
    pub(super) shares: Premined,
    pace: watch::Sender<Pace>,
    /// Machines with a job, and first jobs since the start.
    ready: watch::Sender<(u64, u64)>,
    in_flight: Cell<u64>,
    seen: RefCell<Figures>,
    arrivals: RefCell<Option<BTreeMap<String, Vec<u64>>>>,
    acknowledged: RefCell<Option<Vec<Acknowledged>>>,
}

impl Company {
    pub(super) fn new(plan: Machines) -> Result<Self, BenchError> {
        let shares = Premined::load(&plan.shares)?;
        Ok(Self::with(plan, shares))
    }

    pub(super) fn with(plan: Machines, shares: Premined) -> Self {
        Self {
            shares,
            plan,
            pace: watch::Sender::new(Pace::Quiet),
            ready: watch::Sender::new((0, 0)),
            in_flight: Cell::new(0),
            seen: RefCell::default(),
            arrivals: RefCell::default(),
            acknowledged: RefCell::default(),
        }
    }

    pub(super) const fn plan(&self) -> &Machines {
        &self.plan
    }

    pub(super) fn set_pace(&self, pace: Pace) {
        self.pace.send_replace(pace);
    }

    pub(super) fn pace(&self) -> watch::Receiver<Pace> {
        self.pace.subscribe()
    }

    /// Waits until so many machines have a job, and so many first jobs were given.
    pub(super) async fn until_ready(&self, machines: u64, readied: u64) {
        let mut ready = self.ready.subscribe();
        // The sender is our own, so that it is not gone.
        let _ = ready.wait_for(|(now, ever)| *now >= machines && *ever >= readied).await;
    }

    pub(super) fn ready_now(&self) -> u64 {
        self.ready.borrow().0
    }

    pub(super) fn take_figures(&self) -> Figures {
        let figures = self.seen.take();
        Figures { ready: self.ready_now(), in_flight: self.in_flight.get(), ..figures }
    }

    pub(super) fn time_jobs(&self) {
        self.arrivals.replace(Some(BTreeMap::new()));
    }

    pub(super) fn arrived(&self) -> u64 {
        let arrivals = self.arrivals.borrow();
        arrivals.iter().flat_map(BTreeMap::values).map(|times| times.len() as u64).sum()
    }

    pub(super) fn arrivals(&self) -> BTreeMap<String, Vec<u64>> {
        self.arrivals.take().unwrap_or_default()
    }

    pub(super) fn keep_acknowledged(&self) {
        self.acknowledged.replace(Some(Vec::new()));
    }

    pub(super) fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged.take().unwrap_or_default()
    }

    /// A machine has the first job of its connection.
    pub(super) fn has_job(&self) {
        self.ready.send_modify(|(now, ever)| {
            *now += 1;
            *ever += 1;
        });
        self.seen.borrow_mut().readied += 1;
    }

    /// A connection has ended; whether it had a job, and what it still waited for.
    pub(super) fn left(&self, had_job: bool, unanswered: u64) {
        if had_job {
            self.ready.send_modify(|(now, _)| *now -= 1);
            self.seen.borrow_mut().disconnects += 1;
        }
        self.in_flight.set(self.in_flight.get().saturating_sub(unanswered));
        self.seen.borrow_mut().unanswered += unanswered;
    }

    pub(super) fn job_came(&self, job: &str, at: u64) {
        if let Some(arrivals) = self.arrivals.borrow_mut().as_mut() {
            match arrivals.get_mut(job) {
                Some(times) => times.push(at),
                None => {
                    arrivals.insert(job.to_owned(), vec![at]);
                }
            }
        }
    }

    pub(super) fn sent(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
        self.seen.borrow_mut().sent += 1;
    }

    /// A share was answered after so many microseconds: accepted, or refused with this code.
    pub(super) fn answered(&self, refused: Option<i64>, after: u32) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        let mut seen = self.seen.borrow_mut();
        match refused {
            None => seen.accepted += 1,
            Some(code) => *seen.refused.entry(code).or_default() += 1,
        }
        seen.latencies.push(after);
    }

    pub(super) fn acknowledge(&self, share: impl FnOnce() -> Acknowledged) {
        if let Some(kept) = self.acknowledged.borrow_mut().as_mut() {
            kept.push(share());
        }
    }

    /// Something else to be counted.
    pub(super) fn count(&self, count: impl FnOnce(&mut Figures)) {
        count(&mut self.seen.borrow_mut());
    }
}
