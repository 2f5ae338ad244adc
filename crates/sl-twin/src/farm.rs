//! Many machines as one task: it steps them, hears what is told to them, and publishes what they
//! show.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sl_ports::Clock;
use sl_units::{HashRate, Mono};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    conf::Command,
    face::REPORT_PORT,
    machine::{Applied, Machine, Output, PoolEvent},
    net::report,
    readings::{Readings, State},
    work::{EngineStatus, PoolPlan},
};

mod handle;
mod keeper;

pub use handle::{Gone, MachineHandle};
pub(crate) use keeper::Keeper;

/// How often a part of the machines is stepped.
const TICK: Duration = Duration::from_millis(100);
/// Parts: each machine is stepped once a second, and the work is spread over it.
const PARTS: usize = 10;
/// Seconds of a pause that a machine makes up for; what was longer is left out, so that a thousand
/// machines are back within seconds.
const CATCH_UP_S: u64 = 120;
/// Orders that wait to be taken; who sends more waits.
const ORDERS: usize = 4096;
/// What could not be kept is tried again after so long.
const KEEP_AGAIN: Duration = Duration::from_secs(10);

/// What is told to a machine.
#[derive(Debug)]
pub(crate) enum Order {
    /// By somebody on the network.
    Command { machine: usize, command: Command, done: oneshot::Sender<Applied> },
    /// By its pool connection, made in a generation of its plan.
    Pool { machine: usize, generation: u64, place: usize, event: PoolEvent },
    /// By somebody who wants to see more of it than its readings.
    Look { machine: usize, look: Look },
}

/// A look at a machine; it sends what it has seen by itself.
pub(crate) struct Look(Box<dyn FnOnce(&Machine) + Send>);

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Look")
    }
}

/// The machines together, made anew each second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FarmStatus {
    /// Machines there are.
    pub total: usize,
    /// Of these, on the network with their mining program up.
    pub online: usize,
    /// Of these, hashing a job of their pool.
    pub mining: usize,
    /// Ready to hash, and no pool gives them a job.
    pub waiting: usize,
    /// In sleep mode.
    pub asleep: usize,
    /// Stopped by a protection, or without a pool for too long.
    pub stopped: usize,
    /// With a pool that gives them work.
    pub connected: usize,
    /// What they show together, over five seconds.
    pub shown: HashRate,
    /// Shares that pools took.
    pub accepted: u64,
    /// Shares that pools refused.
    pub rejected: u64,
    /// Shares that came too late to be sent, or got no verdict.
    pub stale: u64,
    /// Bad nonces.
    pub hw_errors: u64,
    /// Claimed hashes for each real one.
    pub scale: f64,
    /// The engine that hashes for all of them.
    pub engine: EngineStatus,
}

/// One machine at its place.
struct Seat {
    machine: Machine,
    output: Output,
    readings: watch::Sender<Arc<Readings>>,
    plan: watch::Sender<Arc<PoolPlan>>,
    /// Reports that were sent, of those that were due.
    reported: u64,
}

/// The task that owns the machines.
pub(crate) struct Farm {
    seats: Vec<Seat>,
    clock: Clock,
    scale: f64,
    rates: watch::Sender<Arc<[f64]>>,
    engine: watch::Receiver<EngineStatus>,
    status: watch::Sender<FarmStatus>,
    orders: mpsc::Receiver<Order>,
    /// Where machines keep what is written to them, if they do.
    keeper: Option<Keeper>,
    /// Where reports go.
    report_port: u16,
    /// Those that were written to, and are not kept yet.
    written: BTreeSet<usize>,
    /// The batch that is being kept; it ends with those that could not be.
    keeping: Option<JoinHandle<Vec<usize>>>,
    /// Nothing is kept before.
    keep_from: Mono,
}

/// What the rest of a run holds of its farm.
pub(crate) struct Ends {
    /// What each machine's pool connection follows.
    pub(crate) plans: Vec<watch::Receiver<Arc<PoolPlan>>>,
    /// What each machine's faces hold.
    pub(crate) handles: Vec<MachineHandle>,
    /// Where events of pools go.
    pub(crate) orders: mpsc::Sender<Order>,
    /// Real hashes a second of each machine.
    pub(crate) rates: watch::Receiver<Arc<[f64]>>,
}

impl Farm {
    /// A farm of these machines; `scale` is how many hashes they claim for each real one.
    pub(crate) fn new(
        machines: Vec<Machine>,
        clock: Clock,
        scale: f64,
        engine: watch::Receiver<EngineStatus>,
        status: watch::Sender<FarmStatus>,
        keeper: Option<Keeper>,
    ) -> (Self, Ends) {
        let (orders_in, orders) = mpsc::channel(ORDERS);
        let now = clock.mono();
        let (mut seats, mut plans, mut handles) = (Vec::new(), Vec::new(), Vec::new());
        for (number, machine) in machines.into_iter().enumerate() {
            let seat = Seat::new(machine, now);
            plans.push(seat.plan.subscribe());
            let ip = seat.readings.borrow().network.ip;
            handles.push(MachineHandle::new(
                number,
                ip,
                seat.readings.subscribe(),
                orders_in.clone(),
            ));
            seats.push(seat);
        }
        let (rates, followed) = watch::channel(rates(&seats, scale));
        let farm = Self {
            seats,
            clock,
            scale,
            rates,
            engine,
            status,
            orders,
            keeper,
            report_port: REPORT_PORT,
            written: BTreeSet::new(),
            keeping: None,
            keep_from: now,
        };
        farm.tell();
        (farm, Ends { plans, handles, orders: orders_in, rates: followed })
    }

    /// Keeps the machines going until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut part = 0;
        loop {
            // Cancel-safe: a token, a receive, a tick.
            tokio::select! {
                () = stop.cancelled() => break,
                Some(order) = self.orders.recv() => self.order(order),
                _ = tick.tick() => {
                    self.step(part);
                    part = (part + 1) % PARTS;
                    if part == 0 {
                        self.rates.send_replace(rates(&self.seats, self.scale));
                        self.tell();
                        self.keep().await;
                    }
                }
            }
        }
        // The last words of the pools count too.
        while let Ok(order) = self.orders.try_recv() {
            self.order(order);
        }
        (0..PARTS).for_each(|part| self.step(part));
        self.tell();
        self.kept().await;
        self.keep_batch();
        self.kept().await;
    }

    /// Keeps what was written to machines, one batch at a time; what could not be kept later again.
    async fn keep(&mut self) {
        let busy = self.keeping.as_ref().is_some_and(|keeping| !keeping.is_finished());
        if !busy {
            self.kept().await;
            if self.clock.mono() >= self.keep_from {
                self.keep_batch();
            }
        }
    }

    /// Waits for the batch that is being kept, if any.
    async fn kept(&mut self) {
        let Some(keeping) = self.keeping.take() else { return };
        let failed = keeping.await.unwrap_or_default();
        if !failed.is_empty() {
            self.written.extend(failed);
            self.keep_from = self.clock.mono() + KEEP_AGAIN;
        }
    }

    /// Begins to keep what was written, on a thread of its own.
    fn keep_batch(&mut self) {
        let Some(keeper) = self.keeper.clone().filter(|_| !self.written.is_empty()) else { return };
        let written = std::mem::take(&mut self.written);
        let kept = |machine: usize| {
            let seat = self.seats.get(machine)?;
            Some((machine, seat.readings.borrow().network.ip, seat.machine.kept()))
        };
        let documents: Vec<_> = written.into_iter().filter_map(kept).collect();
        self.keeping = Some(tokio::task::spawn_blocking(move || {
            let mut failed = Vec::new();
            for (machine, ip, kept) in documents {
                if let Err(wrong) = keeper.write(ip, &kept) {
                    if failed.is_empty() {
                        tracing::error!(%wrong, machine = %ip, "what was written is not kept yet");
                    }
                    failed.push(machine);
                }
            }
            failed
        }));
    }

    fn step(&mut self, part: usize) {
        let now = self.clock.mono();
        for seat in self.seats.iter_mut().skip(part).step_by(PARTS) {
            seat.step(now);
            seat.report(self.report_port);
        }
    }

    fn order(&mut self, order: Order) {
        let now = self.clock.mono();
        match order {
            Order::Command { machine, command, done } => {
                let Some(seat) = self.seats.get_mut(machine) else { return };
                seat.machine.leave_out(CATCH_UP_S, now);
                let applied = seat.machine.command(command, now);
                self.written.insert(machine);
                // Who reads again at once sees what was written.
                seat.step(now);
                seat.report(self.report_port);
                let _nobody_waits = done.send(applied);
            }
            Order::Pool { machine, generation, place, event } => {
                if let Some(seat) = self.seats.get_mut(machine) {
                    seat.machine.pool_of(generation, place, event, now);
                }
            }
            Order::Look { machine, look } => {
                if let Some(seat) = self.seats.get(machine) {
                    look.0(&seat.machine);
                }
            }
        }
    }

    fn tell(&self) {
        let engine = *self.engine.borrow();
        let total = self.seats.len();
        let mut status = FarmStatus { total, scale: self.scale, engine, ..FarmStatus::default() };
        for seat in &self.seats {
            seat.count(&mut status);
        }
        self.status.send_replace(status);
    }
}

/// The report button was pressed.
async fn press(readings: Arc<Readings>, port: u16) {
    if let Err(wrong) = report(&readings, port).await {
        tracing::warn!(%wrong, machine = %readings.network.ip, "the report is not sent");
    }
}

/// Real hashes a second of each machine.
fn rates(seats: &[Seat], scale: f64) -> Arc<[f64]> {
    seats.iter().map(|seat| seat.output.hash_rate.hs() / scale).collect()
}

impl Seat {
    fn new(mut machine: Machine, now: Mono) -> Self {
        let output = machine.step(now);
        let readings = machine.readings(now);
        let plan = Arc::new(plan(&readings, &output));
        let ((readings, _), (plan, _)) = (watch::channel(Arc::new(readings)), watch::channel(plan));
        Self { machine, output, readings, plan, reported: 0 }
    }

    /// Brings the machine to `now` and publishes what it shows and wants.
    fn step(&mut self, now: Mono) {
        self.machine.leave_out(CATCH_UP_S, now);
        self.output = self.machine.step(now);
        let readings = Arc::new(self.machine.readings(now));
        let wanted = plan(&readings, &self.output);
        self.plan.send_if_modified(|plan| {
            // How many of its shares are bad is read with each share: nobody need wake for it.
            let anew = !plan.connects_as(&wanted);
            if **plan != wanted {
                *plan = Arc::new(wanted);
            }
            anew
        });
        self.readings.send_replace(readings);
    }

    /// Sends the report that is due.
    fn report(&mut self, port: u16) {
        if self.output.reports > self.reported {
            self.reported = self.output.reports;
            tokio::spawn(press(self.readings.borrow().clone(), port));
        }
    }

    fn count(&self, status: &mut FarmStatus) {
        let readings = self.readings.borrow();
        let here = readings.manners.reachable && readings.state != State::Booting;
        status.online += usize::from(here);
        let connected = here && readings.pools.iter().any(|pool| pool.alive && pool.active);
        status.connected += usize::from(connected);
        match readings.state {
            State::Mining if connected => status.mining += 1,
            State::Mining => status.waiting += 1,
            State::Asleep => status.asleep += 1,
            State::WaitsForPool | State::Stopped(_) => status.stopped += 1,
            State::Booting | State::Starting => {}
        }
        status.shown = HashRate::from_hs(status.shown.hs() + readings.rate_5s.hs());
        status.hw_errors += readings.hw_errors;
        let verdicts = self.machine.tally();
        status.accepted += verdicts.accepted;
        status.rejected += verdicts.rejected;
        status.stale += verdicts.stale;
    }
}

/// What the pool connection is to do.
fn plan(readings: &Readings, output: &Output) -> PoolPlan {
    PoolPlan {
        pools: readings.conf.pools.clone(),
        generation: output.generation,
        wanted: output.wants_pool && output.reachable,
        // A control board that starts has said goodbye before.
        lost: !output.reachable && readings.state != State::Booting,
        bad_shares: output.bad_shares,
    }
}

#[cfg(test)]
pub(crate) mod tests;
