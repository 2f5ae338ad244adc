use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use sl_ports::{Clock, process};
use sl_pow::{NoProver, Prover, Registry};
use sl_supervise::{Ctx, ServiceError};
use sl_work::{Lease, SourceState, Unfit, Verdict, Work, WorkSource, WorkerName};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    HasherSettings, HasherStatus, LeaseStatus,
    status::Window,
    thread::{Attached, Leases, Thread},
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
    settings: watch::Sender<HasherSettings>,
    algorithm: &'static str,
    registry: Registry,
    source: Arc<dyn WorkSource>,
    worker: WorkerName,
    clock: Clock,
    status: watch::Sender<HasherStatus>,
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
        Self { settings, algorithm, registry, source, worker, clock, status }
    }

    /// How the engines fare, made anew each second.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<HasherStatus> {
        self.status.subscribe()
    }

    /// Where changed settings go. While it runs, threads come and go as `threads` says, and neither
    /// the lease nor the other threads notice; the rest is for the next start.
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
        let hashes = Arc::new(AtomicU64::new(0));
        let mut threads = Threads::new(&self, leases, hashes.clone(), &ctx);
        let mut settings = self.settings.subscribe();
        let wanted = settings.borrow_and_update().threads_of(process::cpus());
        let outcome = match threads.resize(wanted).await {
            Ok(()) => {
                ctx.ready();
                self.serve(&ctx, &leases_in, &hashes, &mut threads, &mut settings).await
            }
            Err(wrong) => Err(wrong.into()),
        };
        threads.join().await;
        outcome
    }

    async fn serve(
        &self,
        ctx: &Ctx,
        leases: &watch::Sender<Leases>,
        hashes: &AtomicU64,
        threads: &mut Threads,
        settings: &mut watch::Receiver<HasherSettings>,
    ) -> Result<(), ServiceError> {
        let Some(lease) = self.lease(ctx).await? else { return Ok(()) };
        let mut work = lease.work.clone();
        let mut verdicts = attach(lease, &self.worker, leases);
        let mut account = LeaseStatus::new(self.worker.clone());
        let mut window = Window::default();
        let mut sample = tokio::time::interval(SAMPLE);
        loop {
            // Every branch is cancel-safe: a tick, a receive, a token, changes.
            tokio::select! {
                () = ctx.stopped() => break,
                () = ended(&mut work) => return Err(self.unfit(Unfit::Gone).into()),
                Some(verdict) = verdicts.recv() => count(&mut account, verdict),
                Ok(()) = settings.changed() => {
                    let wanted = settings.borrow_and_update().threads_of(process::cpus());
                    match threads.resize(wanted).await {
                        Ok(()) => ctx.ready(),
                        Err(wrong) => ctx.degraded(format!("{} threads: {wrong}", threads.count())),
                    }
                }
                _ = sample.tick() => {
                    if threads.any_died() {
                        return Err(HasherError::Died.into());
                    }
                    let hashes = hashes.load(Ordering::Relaxed);
                    let hashrate = window.sample(self.clock.mono(), hashes);
                    self.status.send_modify(|status| {
                        status.hashes = hashes;
                        status.hashrate = hashrate;
                        status.leases = vec![account.clone()];
                    });
                }
            }
        }
        // The last verdicts may still be on their way when the stop comes; those that are here count.
        while let Ok(verdict) = verdicts.try_recv() {
            count(&mut account, verdict);
        }
        self.status.send_modify(|status| {
            status.hashes = hashes.load(Ordering::Relaxed);
            status.leases = vec![account];
        });
        Ok(())
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

fn count(account: &mut LeaseStatus, verdict: Verdict) {
    tracing::debug!(ticket = %verdict.ticket, outcome = ?verdict.outcome, "verdict");
    account.count(verdict.outcome);
}

/// The threads of one run.
struct Threads {
    hasher: Hasher,
    leases: watch::Receiver<Leases>,
    hashes: Arc<AtomicU64>,
    /// Of this run's own, so that its threads end with it, also when nobody asked for the stop. Each
    /// thread has a child of it.
    stop: CancellationToken,
    working: Vec<(CancellationToken, JoinHandle<()>)>,
    /// Told to stop, within a slice of work.
    leaving: Vec<JoinHandle<()>>,
}

impl Threads {
    fn new(
        hasher: &Hasher,
        leases: watch::Receiver<Leases>,
        hashes: Arc<AtomicU64>,
        ctx: &Ctx,
    ) -> Self {
        let (hasher, stop) = (hasher.clone(), ctx.stop_token().child_token());
        Self { hasher, leases, hashes, stop, working: Vec::new(), leaving: Vec::new() }
    }

    fn count(&self) -> usize {
        self.working.len()
    }

    /// Starts or ends threads until there are `wanted`. Those that work on notice nothing.
    async fn resize(&mut self, wanted: usize) -> Result<(), HasherError> {
        let before = self.count();
        let outcome = self.grow(wanted.saturating_sub(before)).await;
        while self.count() > wanted
            && let Some((stop, thread)) = self.working.pop()
        {
            stop.cancel();
            self.leaving.push(thread);
        }
        self.leaving.retain(|thread| !thread.is_finished());
        let now = self.count();
        if before > 0 && now != before {
            tracing::info!(before, now, "hashing threads");
        }
        self.hasher.status.send_modify(|status| status.threads = now);
        outcome
    }

    async fn grow(&mut self, more: usize) -> Result<(), HasherError> {
        let (registry, algorithm) = (self.hasher.registry.clone(), self.hasher.algorithm);
        let provers = move || (0..more).map(|_| registry.best(algorithm)).collect();
        // The self-test of each engine is work for a processor, not for the runtime.
        let made: Result<Vec<Prover>, NoProver> =
            tokio::task::spawn_blocking(provers).await.map_err(|_| HasherError::Died)?;
        made?.into_iter().try_for_each(|prover| self.start(prover))
    }

    fn start(&mut self, prover: Prover) -> Result<(), HasherError> {
        let hasher = &self.hasher;
        for failed in prover.passed_over() {
            tracing::warn!(%failed, "an engine failed its self-test and is not used");
        }
        let engine = prover.name();
        let stop = self.stop.child_token();
        let thread = Thread {
            prover,
            leases: self.leases.clone(),
            hashes: self.hashes.clone(),
            clock: hasher.clock,
            stop: stop.clone(),
        };
        let idle = hasher.settings.borrow().idle_priority;
        let run = move || {
            if idle && let Err(wrong) = process::lower_this_thread() {
                tracing::warn!(%wrong, "this thread keeps its priority");
            }
            thread.run();
        };
        let name = format!("hash-{}", self.working.len());
        self.working.push((stop, std::thread::Builder::new().name(name).spawn(run)?));
        hasher.status.send_modify(|status| status.engine = engine);
        Ok(())
    }

    fn any_died(&self) -> bool {
        self.working.iter().any(|(_, thread)| thread.is_finished())
    }

    /// Ends all of them.
    async fn join(self) {
        self.stop.cancel();
        let working = self.working.into_iter().map(|(_, thread)| thread);
        let threads: Vec<JoinHandle<()>> = working.chain(self.leaving).collect();
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().all(|thread| thread.join().is_ok())
        });
        if !joined.await.unwrap_or(false) {
            tracing::error!("a hashing thread died");
        }
    }
}
