use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use tokio::{net::TcpStream, sync::watch};

use super::dial::drain;
use crate::{
    BenchError,
    orders::{Acknowledged, Figures, Machines, Pace},
    premined::Premined,
};

/// What machines are to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Will {
    pub(super) pace: Pace,
    /// The first so many machines fall silent, once each.
    pub(super) vanish: u32,
}

/// What all machines of a process share: their plan, their shares, and what is counted of them.
#[derive(Debug)]
pub(super) struct Company {
    plan: Machines,
    pub(super) shares: Premined,
    will: watch::Sender<Will>,
    /// Machines with a job.
    ready: watch::Sender<u64>,
    /// Connections whose machines fell silent.
    silent: RefCell<Vec<TcpStream>>,
    /// Those of them that the other side has ended.
    buried: Cell<u64>,
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
            will: watch::Sender::new(Will { pace: plan.pace, vanish: 0 }),
            plan,
            ready: watch::Sender::new(0),
            silent: RefCell::default(),
            buried: Cell::new(0),
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
        self.will.send_modify(|will| will.pace = pace);
    }

    pub(super) fn vanish(&self, count: u32) {
        self.will.send_modify(|will| will.vanish = count);
    }

    pub(super) fn will(&self) -> watch::Receiver<Will> {
        self.will.subscribe()
    }

    /// Waits until so many machines have a job, or only so many have.
    pub(super) async fn until_ready(&self, wanted: impl Fn(u64) -> bool) {
        let mut ready = self.ready.subscribe();
        // The sender is our own, so that it is not gone.
        let _ = ready.wait_for(|now| wanted(*now)).await;
    }

    pub(super) fn ready_now(&self) -> u64 {
        *self.ready.borrow()
    }

    /// A machine fell silent: its connection stays as it is.
    pub(super) fn keep_open(&self, stream: TcpStream) {
        self.silent.borrow_mut().push(stream);
        self.seen.borrow_mut().vanished += 1;
    }

    /// How many of the silent connections the other side has ended by now.
    pub(super) fn buried(&self) -> u64 {
        let mut silent = self.silent.borrow_mut();
        let before = silent.len();
        silent.retain(|stream| drain(stream, |_| {}).unwrap_or(false));
        self.buried.set(self.buried.get() + (before - silent.len()) as u64);
        self.buried.get()
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
        self.ready.send_modify(|now| *now += 1);
    }

    /// A connection is over, ended or left open; whether it had a job, and what it still waited for.
    pub(super) fn left(&self, had_job: bool, ended: bool, unanswered: u64) {
        if had_job {
            self.ready.send_modify(|now| *now -= 1);
            self.seen.borrow_mut().disconnects += u64::from(ended);
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
