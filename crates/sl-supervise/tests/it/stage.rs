//! The stage of a test: services that write what they do into one list, and the running
//! supervisor.

use sl_supervise::{
    Ctx, HealthTable, Outcome, RestartPolicy, ServiceHealth, ServiceSpec, State, Supervisor,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().join(" ")
    }

    /// A service that is ready at once and ends when told to: `+id` and `-id` in the list.
    pub(crate) fn service(&self, id: &'static str) -> ServiceSpec {
        let log = self.clone();
        ServiceSpec::new(id, format!("the service {id}"), move |ctx: Ctx| {
            let log = log.clone();
            async move {
                log.add(format!("+{}", ctx.id()));
                ctx.ready();
                ctx.stopped().await;
                log.add(format!("-{}", ctx.id()));
                Ok(())
            }
        })
    }
}

/// Restarts after 100, 200, 400, ... ms without jitter, at most `budget` times a minute.
pub(crate) fn steps(budget: u32) -> RestartPolicy {
    RestartPolicy {
        min: ms(100),
        max: ms(1000),
        jitter: 0.0,
        budget,
        window: Duration::from_secs(60),
    }
}

/// A running supervisor.
pub(crate) struct Stage {
    pub(crate) health: HealthTable,
    pub(crate) began: Instant,
    shutdown: CancellationToken,
    running: JoinHandle<Outcome>,
}

impl Stage {
    pub(crate) fn start(specs: Vec<ServiceSpec>) -> Self {
        Self::start_with(specs, |supervisor| supervisor)
    }

    pub(crate) fn start_with(
        specs: Vec<ServiceSpec>,
        change: impl FnOnce(Supervisor) -> Supervisor,
    ) -> Self {
        let supervisor = Supervisor::new(specs, fastrand::Rng::with_seed(1)).unwrap();
        let supervisor = change(supervisor);
        let health = supervisor.health();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(supervisor.run(shutdown.clone()));
        Self { health, began: Instant::now(), shutdown, running }
    }

    /// Waits until the row of `id` is as wanted.
    pub(crate) async fn until(&mut self, id: &str, wanted: impl Fn(&ServiceHealth) -> bool) {
        // Of the paused clock: only a test that waits for what never comes meets it.
        let guard = Instant::now() + Duration::from_secs(86_400);
        while !self.health.get(id).is_some_and(|row| wanted(&row)) {
            let changed = tokio::time::timeout_at(guard, self.health.changed()).await;
            assert_eq!(changed, Ok(true), "waiting for {id}: {:?}", self.health.rows());
        }
    }

    pub(crate) fn state(&self, id: &str) -> State {
        self.health.get(id).unwrap().state
    }

    pub(crate) async fn stop(self) -> Outcome {
        self.shutdown.cancel();
        self.running.await.unwrap()
    }

    /// The end that nobody asked for.
    pub(crate) async fn end(self) -> Outcome {
        self.running.await.unwrap()
    }
}
