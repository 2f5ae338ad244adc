//! The supervisor: all services from the first start to the last stop.

use crate::health::{HealthTable, ServiceHealth};
use crate::keeper::{CriticalFailure, Keeper, far};
use crate::plan::{PlanError, in_order};
use crate::restarts::Restarts;
use crate::spec::{ServiceId, ServiceSpec};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The part of the stop deadline that is kept for those whose turn has not come.
const LAST_MOMENT: Duration = Duration::from_millis(250);

/// Runs services; see [`crate::State`] for the life of each.
pub struct Supervisor {
    /// In the order of start.
    specs: Vec<ServiceSpec>,
    table: Arc<watch::Sender<Vec<ServiceHealth>>>,
    rng: fastrand::Rng,
    origin: Instant,
    stop_deadline: Duration,
}

/// Why all services stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it.
    Requested,
    /// A critical service failed more often than its policy allows.
    CriticalFailed {
        /// Which one.
        id: ServiceId,
        /// What it failed with last.
        error: String,
    },
}

impl fmt::Display for Cause {
    /// Without the error, which is told where it happened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("asked to"),
            Self::CriticalFailed { id, .. } => write!(f, "{id} failed"),
        }
    }
}

/// How it all ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Why.
    pub cause: Cause,
    /// Those that had to be aborted, in the order of stop.
    pub late: Vec<ServiceId>,
    /// From the order to stop to the end of the last service.
    pub stopped_in: Duration,
}

impl Supervisor {
    /// Puts the services in order. Starts nothing. `rng` is for the jitter of restarts.
    ///
    /// # Errors
    /// [`PlanError`] names services that are twice there, unknown, or in a circle.
    pub fn new(specs: Vec<ServiceSpec>, rng: fastrand::Rng) -> Result<Self, PlanError> {
        let specs = in_order(specs)?;
        let rows = specs.iter().map(ServiceHealth::new).collect();
        Ok(Self {
            specs,
            table: Arc::new(watch::Sender::new(rows)),
            rng,
            origin: Instant::now(),
            stop_deadline: Duration::from_secs(5),
        })
    }

    /// The instants in the table are counted from `origin` (the start of the program's clock)
    /// instead of from [`Supervisor::new`].
    #[must_use]
    pub fn counting_from(mut self, origin: Instant) -> Self {
        self.origin = origin;
        self
    }

    /// The longest that the stop of all together may take, instead of 5 s. Graces are cut to it.
    #[must_use]
    pub fn stop_deadline(mut self, deadline: Duration) -> Self {
        self.stop_deadline = deadline;
        self
    }

    /// The names in the order of start. The stop is in exactly the reverse order.
    #[must_use]
    pub fn order(&self) -> Vec<ServiceId> {
        self.specs.iter().map(|spec| ServiceId::clone(&spec.id)).collect()
    }

    /// A handle on the health of all; all rows are there, waiting, before anything runs.
    #[must_use]
    pub fn health(&self) -> HealthTable {
        HealthTable::new(self.table.subscribe())
    }

    /// Starts the services (those whose turn has come together, at the same time), keeps them, and stops them when `shutdown` is cancelled or a critical
    /// one failed for good. Dropping the future aborts all of them at once, in no order.
    pub async fn run(mut self, shutdown: CancellationToken) -> Outcome {
        let (failures, mut failed) = mpsc::channel(self.specs.len().max(1));
        let kept = self.start(&failures);
        let cause = tokio::select! {
            biased;
            () = shutdown.cancelled() => Cause::Requested,
            // Never `None`: `failures` is held here.
            Some(CriticalFailure { id, error }) = failed.recv() => {
                Cause::CriticalFailed { id, error }
            }
        };
        tracing::info!(%cause, "stopping");
        let began = Instant::now();
        let late = stop(kept, far(began, self.stop_deadline)).await;
        Outcome { cause, late, stopped_in: began.elapsed() }
    }

    fn start(&mut self, failures: &mpsc::Sender<CriticalFailure>) -> Vec<Kept> {
        let order = self.order();
        let specs = std::mem::take(&mut self.specs);
        specs
            .into_iter()
            .enumerate()
            .map(|(row, spec)| {
                let is_after = |id: &ServiceId| spec.after.contains(id);
                let after = (0..).zip(&order).filter(|(_, id)| is_after(id)).map(|(row, _)| row);
                let (tell, stop) = watch::channel(None);
                let keeper = Keeper {
                    row,
                    after: after.collect(),
                    table: Arc::clone(&self.table),
                    stop,
                    restarts: Restarts::new(spec.restart, self.rng.fork()),
                    failures: failures.clone(),
                    origin: self.origin,
                    spec,
                };
                Kept {
                    id: ServiceId::clone(&keeper.spec.id),
                    grace: keeper.spec.grace,
                    tell,
                    task: AbortOnDropHandle::new(tokio::spawn(keeper.keep())),
                }
            })
            .collect()
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("specs", &self.specs).finish_non_exhaustive()
    }
}

/// A service that is kept, as the stop sees it.
struct Kept {
    id: ServiceId,
    grace: Duration,
    tell: watch::Sender<Option<Instant>>,
    task: AbortOnDropHandle<bool>,
}

impl Kept {
    /// Whether the service was late. Its keeper ends it by `by`; one that does not even that (a
    /// factory that blocks its thread) is not waited for.
    async fn ended(self, by: Instant) -> Option<ServiceId> {
        let late = match timeout_at(by + LAST_MOMENT, self.task).await {
            Ok(Ok(late)) => late,
            Ok(Err(_)) | Err(_) => true,
        };
        late.then_some(self.id)
    }
}

/// Stops one after the other, last started first. What is left shortly before the deadline is
/// told all together, so that each hears of the stop before it is aborted.
async fn stop(kept: Vec<Kept>, deadline: Instant) -> Vec<ServiceId> {
    let mut late = Vec::new();
    let mut rest = Vec::new();
    let began = Instant::now();
    let last_moment = LAST_MOMENT.min((deadline - began) / 10);
    let cut = deadline - last_moment;
    for kept in kept.into_iter().rev() {
        let now = Instant::now();
        if now >= cut {
            rest.push(kept);
            continue;
        }
        let by = far(now, kept.grace).min(cut);
        kept.tell.send_replace(Some(by));
        late.extend(kept.ended(by).await);
    }
    for kept in &rest {
        kept.tell.send_replace(Some(deadline));
    }
    for kept in rest {
        late.extend(kept.ended(deadline).await);
    }
    late
}
