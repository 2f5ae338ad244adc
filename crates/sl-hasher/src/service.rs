use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use sl_ports::Clock;
use sl_pow::{NoProver, Registry};
use sl_supervise::{Ctx, ServiceError};
use sl_work::{Lease, RefusedWhy, SourceState, Unfit, Verdict, Work, WorkSource, WorkerName};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::{
    Habit, HasherSettings, HasherStatus, LeaseStatus, Machine,
    pause::{self, Decision, Inputs, OwnLoad, Rules},
    status::Window,
    thread::{Attached, Done, Leases, Orders},
    threads::Threads,
};

/// Free bytes that the engines ask for: 2¹⁶ coinbases of 2³² nonces each last any CPU for hours.
const FREE: usize = 2;
/// How often the figures are made anew.
const SAMPLE: Duration = Duration::from_secs(1);

/// Why the engines cannot start.
#[derive(Debug, Error)]
pub enum HasherError {
    /// No engine of the algorithm is right on this machine.
    #[error(transparent)]
    NoEngine(#[from] NoProver),
    /// The operating system gives no thread.
    #[error("cannot start a hashing thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The source gives no lease.
    #[error("source {source_id} gives no lease: {why}")]
    Unfit {
        /// The source.
        source_id: String,
        /// Its reason.
        why: Unfit,
    },
    /// A hashing thread has died.
    #[error("a hashing thread has died; its engine cannot be trusted further")]
    Died,
}

/// This machine's engines for one source of work. [`Hasher::run`] is the service.
#[derive(Clone)]
pub struct Hasher {
    /// Outlives a run, so that a restart begins with what was set last.
    pub(crate) settings: watch::Sender<HasherSettings>,
    pub(crate) algorithm: &'static str,
    pub(crate) registry: Registry,
    source: Arc<dyn WorkSource>,
    worker: WorkerName,
    pub(crate) clock: Clock,
    pub(crate) machine: Machine,
    pub(crate) habit: Habit,
    /// Outlives a run too: what is counted is counted since the start of the program.
    pub(crate) done: Arc<Done>,
    pub(crate) status: watch::Sender<HasherStatus>,
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher")
            .field("source", &self.source.id())
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

impl Hasher {
    /// Engines of `algorithm` that will hash for `source` under the name `worker`.
    #[must_use]
    pub fn new(
        settings: HasherSettings,
        algorithm: &'static str,
        registry: Registry,
        source: Arc<dyn WorkSource>,
        worker: WorkerName,
        clock: Clock,
    ) -> Self {
        let (status, _) = watch::channel(HasherStatus::default());
        let (settings, _) = watch::channel(settings);
        let (machine, habit, done) = (Machine::real(), Habit::Beside, Arc::default());
        Self { settings, algorithm, registry, source, worker, clock, machine, habit, done, status }
    }

    /// The same with what holds where the settings say *auto*: [`Habit::Beside`] unless told.
    #[must_use]
    pub const fn with_habit(mut self, habit: Habit) -> Self {
        self.habit = habit;
        self
    }

    /// The same on another machine than [`Machine::real`].
    #[must_use]
    pub fn on(mut self, machine: Machine) -> Self {
        self.machine = machine;
        self
    }

    /// How the engines fare, made anew each second.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<HasherStatus> {
        self.status.subscribe()
    }

    /// Where changed settings go ([`HasherSettings::take_live`]). While it runs, threads come and go,
    /// their share of time changes, pauses begin and end, and the lease stays.
    #[must_use]
    pub fn settings(&self) -> watch::Sender<HasherSettings> {
        self.settings.clone()
    }

    /// Hashes until told to stop.
    ///
    /// # Errors
    /// No right engine, no thread, no lease, or one that its source has ended.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        let (leases_in, leases) = watch::channel(Leases::default());
        self.status.send_modify(|status| status.paused = None);
        let mut settings = self.settings.subscribe();
        let now = settings.borrow_and_update().clone();
        let (orders_in, orders) = watch::channel(Orders { share: now.cpu_limit, paused: false });
        let mut threads = Threads::new(&self, leases, orders, &ctx);
        let outcome = match threads.resize(now.threads_on(&self.machine, self.habit)).await {
            Ok(()) => {
                ctx.ready();
                self.serve(&ctx, &leases_in, &orders_in, &mut threads, &mut settings).await
            }
            Err(wrong) => Err(wrong.into()),
        };
        threads.join().await;
        // What the threads did and could not send up at their end counts too.
        self.status.send_modify(|status| {
            status.hashes = self.done.hashes.load(Ordering::Relaxed);
            status.hashing = self.done.hashing();
            if let [account] = status.leases.as_mut_slice() {
                self.count_unsent(account);
            }
        });
        outcome
    }

    async fn serve(
        &self,
        ctx: &Ctx,
        leases: &watch::Sender<Leases>,
        orders: &watch::Sender<Orders>,
        threads: &mut Threads,
        settings: &mut watch::Receiver<HasherSettings>,
    ) -> Result<(), ServiceError> {
        let Some(lease) = self.lease(ctx).await? else { return Ok(()) };
        let mut work = lease.work.clone();
        let mut verdicts = attach(lease, &self.worker, leases);
        let earlier = self.status.borrow().leases.first().cloned();
        let mut account = earlier.unwrap_or_else(|| LeaseStatus::new(self.worker.clone()));
        let mut window = Window::default();
        let mut rest = Rest::default();
        let mut too_few = None;
        let mut sample = tokio::time::interval(SAMPLE);
        loop {
            // Every branch is cancel-safe: a tick, a receive, a token, changes.
            tokio::select! {
                () = ctx.stopped() => break,
                () = ended(&mut work) => return Err(self.unfit(Unfit::Gone).into()),
                Some(verdict) = verdicts.recv() => self.count(&mut account, verdict),
                Ok(()) = settings.changed() => {
                    let new = settings.borrow_and_update().clone();
                    orders.send_modify(|orders| orders.share = new.cpu_limit);
                    let wanted = new.threads_on(&self.machine, self.habit);
                    let outcome = threads.resize(wanted).await;
                    too_few = outcome.err().map(|wrong| format!("{} threads: {wrong}", threads.count()));
                    self.rest(&mut rest, &new, orders).await;
                    condition(ctx, rest.decision.as_ref(), too_few.as_deref());
                }
                _ = sample.tick() => {
                    if threads.any_died() {
                        return Err(HasherError::Died.into());
                    }
                    let now = settings.borrow().clone();
                    if self.rest(&mut rest, &now, orders).await {
                        condition(ctx, rest.decision.as_ref(), too_few.as_deref());
                    }
                    let hashes = self.done.hashes.load(Ordering::Relaxed);
                    let hashrate = window.sample(self.clock.mono(), hashes);
                    self.count_unsent(&mut account);
                    self.status.send_modify(|status| {
                        (status.hashes, status.hashing) = (hashes, self.done.hashing());
                        status.hashrate = hashrate;
                        status.leases = vec![account.clone()];
                    });
                }
            }
        }
        // The last verdicts may still be on their way when the stop comes; those that are here count.
        while let Ok(verdict) = verdicts.try_recv() {
            self.count(&mut account, verdict);
        }
        self.count_unsent(&mut account);
        self.status.send_modify(|status| {
            status.leases = vec![account];
        });
        Ok(())
    }

    /// Decides whether to rest, and tells the threads; whether that is another state than before,
    /// or one to be told anew.
    async fn rest(
        &self,
        rest: &mut Rest,
        settings: &HasherSettings,
        orders: &watch::Sender<Orders>,
    ) -> bool {
        let awake = Duration::from_micros(self.done.awake_us.load(Ordering::Relaxed));
        let own = rest.own_load.step(self.clock.mono(), awake);
        let rules =
            Rules { on_battery: settings.pause_on_battery, above_load: settings.pause_above_load };
        if rules == Rules::default() && rest.state.paused.is_none() {
            return false;
        }
        let machine = self.machine.clone();
        // A battery may take its time to answer, and that is no time of the runtime's.
        let looked = tokio::task::spawn_blocking(move || machine.surroundings()).await;
        let Ok(looked) = looked else { return false };
        let now = self.clock.mono();
        let load = looked.load.map(|load| (load - own).max(0.0));
        let inputs = Inputs { power: looked.power, load, at: now };
        let (state, decision) = pause::decide(&inputs, &rest.state, &rules, now);
        rest.state = state;
        if decision.changed {
            match decision.paused {
                Some(reason) => tracing::warn!(reason = reason.word(), "{decision}"),
                None => tracing::info!("hashing goes on"),
            }
            orders.send_modify(|orders| orders.paused = decision.paused.is_some());
            self.status.send_modify(|status| status.paused = decision.paused);
        }
        let told_anew = decision.changed || decision.paused.is_some();
        rest.decision = Some(decision);
        told_anew
    }

    fn count(&self, account: &mut LeaseStatus, verdict: Verdict) {
        tracing::debug!(ticket = %verdict.ticket, outcome = ?verdict.outcome, "verdict");
        account.count(verdict.outcome, self.clock.mono());
    }

    /// Shares that came back to the threads are lost, with the reason.
    fn count_unsent(&self, account: &mut LeaseStatus) {
        for (count, why) in
            [(&self.done.no_room, RefusedWhy::Full), (&self.done.gone, RefusedWhy::Gone)]
        {
            account.lose(why.to_string(), count.swap(0, Ordering::Relaxed));
        }
    }

    /// Waits until the source is wide enough; `None` when told to stop before.
    async fn lease(&self, ctx: &Ctx) -> Result<Option<Lease>, HasherError> {
        let mut status = self.source.status();
        loop {
            let ask = sl_work::Ask { free: FREE, consumer: self.worker.clone() };
            match self.source.lease(ask) {
                Ok(lease) => {
                    ctx.ready();
                    return Ok(Some(lease));
                }
                Err(why @ Unfit::Gone) => return Err(self.unfit(why)),
                Err(why) => {
                    let idle = match &status.borrow().state {
                        SourceState::Idle { why, .. } => why.to_string(),
                        SourceState::Working { .. } => why.to_string(),
                    };
                    ctx.degraded(format!("waiting for {}: {idle}", self.source.id()));
                }
            }
            tokio::select! {
                () = ctx.stopped() => return Ok(None),
                changed = status.changed() => if changed.is_err() {
                    return Err(self.unfit(Unfit::Gone));
                },
            }
        }
    }

    fn unfit(&self, why: Unfit) -> HasherError {
        HasherError::Unfit { source_id: self.source.id().to_string(), why }
    }
}

/// Waits until the source has ended the lease: a job of it would be hashed for nothing. Cancel-safe.
async fn ended(work: &mut watch::Receiver<Work>) {
    while work.changed().await.is_ok() {}
}

fn attach(
    lease: Lease,
    worker: &WorkerName,
    leases: &watch::Sender<Leases>,
) -> mpsc::Receiver<Verdict> {
    leases.send_modify(|known| {
        let number = known.last().map_or(0, |last| last.number + 1);
        let attached = Attached {
            number,
            worker: worker.clone(),
            work: lease.work,
            submitter: lease.submitter,
            ground: Arc::default(),
        };
        *known = Arc::new(known.iter().cloned().chain([Arc::new(attached)]).collect());
    });
    lease.verdicts
}

/// What the service remembers of its pauses.
#[derive(Default)]
struct Rest {
    own_load: OwnLoad,
    state: pause::State,
    decision: Option<Decision>,
}

/// Tells how it stands: what rests, then what is missing.
fn condition(ctx: &Ctx, decision: Option<&Decision>, too_few: Option<&str>) {
    match (decision.filter(|decision| decision.paused.is_some()), too_few) {
        (Some(decision), _) => ctx.degraded(decision.to_string()),
        (None, Some(why)) => ctx.degraded(why),
        (None, None) => ctx.ready(),
    }
}
