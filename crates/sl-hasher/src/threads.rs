use std::{sync::Arc, thread::JoinHandle, time::Duration};

use sl_ports::{affinity, priority};
use sl_pow::{NoProver, Prover};
use sl_supervise::Ctx;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Hasher, HasherError,
    machine::Place,
    ration::Ration,
    thread::{Done, Leases, Orders, Thread},
};

/// The threads of one run.
pub(crate) struct Threads {
    hasher: Hasher,
    leases: watch::Receiver<Leases>,
    orders: watch::Receiver<Orders>,
    done: Arc<Done>,
    /// Of this run's own, so that its threads end with it, also when nobody asked for the stop. Each
    /// thread has a child of it.
    stop: CancellationToken,
    working: Vec<(CancellationToken, JoinHandle<()>)>,
    /// Told to stop, within a slice of work.
    leaving: Vec<JoinHandle<()>>,
}

/// What a thread says once it can hash: the name of its engine.
type Begun = oneshot::Receiver<Result<&'static str, NoProver>>;

impl Threads {
    pub(crate) fn new(
        hasher: &Hasher,
        leases: watch::Receiver<Leases>,
        orders: watch::Receiver<Orders>,
        ctx: &Ctx,
    ) -> Self {
        let (hasher, stop) = (hasher.clone(), ctx.stop_token().child_token());
        let done = hasher.done.clone();
        Self { hasher, leases, orders, done, stop, working: Vec::new(), leaving: Vec::new() }
    }

    pub(crate) fn count(&self) -> usize {
        self.working.len()
    }

    /// Starts or ends threads until there are `wanted`. Those that work on notice nothing. If one
    /// of the new ones cannot hash, they all end again.
    pub(crate) async fn resize(&mut self, wanted: usize) -> Result<(), HasherError> {
        let before = self.count();
        let outcome = self.grow(wanted).await;
        self.shrink(if outcome.is_ok() { wanted } else { before });
        self.leaving.retain(|thread| !thread.is_finished());
        let now = self.count();
        if before > 0 && now != before {
            tracing::info!(before, now, "hashing threads");
        }
        self.hasher.status.send_modify(|status| status.threads = now);
        outcome
    }

    fn shrink(&mut self, wanted: usize) {
        while self.count() > wanted
            && let Some((stop, thread)) = self.working.pop()
        {
            stop.cancel();
            self.leaving.push(thread);
        }
    }

    async fn grow(&mut self, wanted: usize) -> Result<(), HasherError> {
        let mut begun = Vec::new();
        for number in self.count()..wanted {
            begun.push(self.start(number)?);
        }
        // They test their engines side by side.
        for begun in begun {
            let engine = begun.await.map_err(|_| HasherError::Died)??;
            self.hasher.status.send_modify(|status| status.engine = engine);
        }
        Ok(())
    }

    /// Starts a thread that first takes its place, and only then makes its engine: memory is near
    /// to the CPU that touches it first.
    fn start(&mut self, number: usize) -> std::io::Result<Begun> {
        let hasher = self.hasher.clone();
        let settings = hasher.settings.borrow().clone();
        let place = hasher.machine.place(number, settings.pin);
        let nice = settings.nice(hasher.habit);
        let (leases, orders) = (self.leases.clone(), self.orders.clone());
        let (done, stop) = (self.done.clone(), self.stop.child_token());
        let own_stop = stop.clone();
        let (say, begun) = oneshot::channel();
        let run = move || {
            settle(&place, nice);
            let prover = match hasher.registry.best(hasher.algorithm) {
                Ok(prover) => prover,
                Err(none) => {
                    let _nobody_asks_any_more = say.send(Err(none));
                    return;
                }
            };
            tell(&prover, number);
            let _nobody_asks_any_more = say.send(Ok(prover.name()));
            let ration = Ration::of_thread(number, settings.cpu_limit);
            let (clock, stop, scanned) = (hasher.clock, own_stop, Duration::ZERO);
            Thread { prover, leases, orders, ration, scanned, done, clock, stop }.run();
        };
        let thread = std::thread::Builder::new().name(format!("hash-{number}")).spawn(run)?;
        self.working.push((stop, thread));
        Ok(begun)
    }

    pub(crate) fn any_died(&self) -> bool {
        self.working.iter().any(|(_, thread)| thread.is_finished())
    }

    /// Ends all of them.
    pub(crate) async fn join(self) {
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

/// Takes the place and the priority that the calling thread shall have. A refusal is told, and no
/// reason not to hash.
fn settle(place: &Place, nice: Option<i32>) {
    if let Some(cpus) = place {
        match affinity::keep_this_thread_to(cpus) {
            Ok(()) => tracing::debug!(?cpus, "this thread keeps to its place"),
            Err(wrong) => tracing::warn!(%wrong, ?cpus, "this thread runs on any CPU"),
        }
    }
    if let Some(nice) = nice
        && let Err(wrong) = priority::set_this_thread(nice)
    {
        tracing::warn!(%wrong, nice, "this thread keeps its priority");
    }
}

fn tell(prover: &Prover, number: usize) {
    for failed in prover.passed_over() {
        tracing::warn!(%failed, thread = number, "an engine failed its self-test and is not used");
    }
}
