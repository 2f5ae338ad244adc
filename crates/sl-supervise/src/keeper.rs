//! The keeper of one service: waits for what it is after, runs it, watches it, restarts it, stops
//! it. One task a service; each run is a task of its own, so that a panic ends only that.

use crate::ctx::{Ctx, Declared, Hearing};
use crate::health::{ServiceHealth, State};
use crate::restarts::{Restarts, Verdict};
use crate::spec::{Class, Run, ServiceError, ServiceId, ServiceSpec};
use sl_units::Mono;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// A critical service is over its budget.
#[derive(Clone, Debug)]
pub(crate) struct CriticalFailure {
    pub(crate) id: ServiceId,
    pub(crate) error: String,
}

/// The order to stop: by when the run must have ended.
pub(crate) type StopOrder = watch::Receiver<Option<Instant>>;

pub(crate) struct Keeper {
    pub(crate) spec: ServiceSpec,
    /// Its row in the table.
    pub(crate) row: usize,
    /// The rows of what it starts after.
    pub(crate) after: Vec<usize>,
    pub(crate) table: Arc<watch::Sender<Vec<ServiceHealth>>>,
    pub(crate) stop: StopOrder,
    pub(crate) restarts: Restarts,
    pub(crate) failures: mpsc::Sender<CriticalFailure>,
    /// Instants shown to others are counted from here.
    pub(crate) origin: Instant,
}

/// How a run ended.
enum Ended {
    /// After it was told to; `late` if it had to be aborted.
    Told {
        late: bool,
    },
    /// By itself, as a oneshot may.
    Done,
    Failed(String),
}

type Handle = AbortOnDropHandle<Result<(), ServiceError>>;

impl Keeper {
    /// Keeps the service until it is told to stop, is done, or has failed for good. Returns
    /// whether it was late to stop.
    pub(crate) async fn keep(mut self) -> bool {
        loop {
            if !self.all_up().await {
                self.show(State::Stopped);
                return false;
            }
            let error = match self.run().await {
                Ended::Told { late } => {
                    self.show(State::Stopped);
                    return late;
                }
                Ended::Done => {
                    tracing::info!(service = %self.spec.id, "done");
                    self.show(State::Stopped);
                    return false;
                }
                Ended::Failed(error) => error,
            };
            let now = self.now();
            let Verdict::Retry { delay, attempt } = self.restarts.failed(now) else {
                self.give_up(error).await;
                return false;
            };
            tracing::warn!(service = %self.spec.id, attempt, ?delay, %error, "failed, starts again");
            self.show(State::Backoff { attempt, error, until: now + delay });
            let again = Instant::now() + delay;
            tokio::select! {
                biased;
                _ = told(&mut self.stop) => {
                    self.show(State::Stopped);
                    return false;
                }
                () = sleep_until(again) => {}
            }
            self.update(|row, now| {
                row.restarts = row.restarts.saturating_add(1);
                row.enter(State::Waiting, now);
            });
        }
    }

    /// Waits until all it is after are up; `false` if it is told to stop first.
    async fn all_up(&mut self) -> bool {
        let after = &self.after;
        let mut rows = self.table.subscribe();
        let up = rows.wait_for(|rows| {
            after.iter().all(|row| rows.get(*row).is_some_and(ServiceHealth::is_up))
        });
        tokio::select! {
            biased;
            _ = told(&mut self.stop) => false,
            up = up => up.is_ok(),
        }
    }

    /// One run, from the factory's call to the end of its task.
    async fn run(&mut self) -> Ended {
        self.show(State::Starting);
        let token = CancellationToken::new();
        // However the run ends, a panic included: threads and tasks of its own must not outlive it.
        let _children = token.clone().drop_guard();
        let (ctx, hearing) = Ctx::new(ServiceId::clone(&self.spec.id), token.clone());
        let factory = &mut self.spec.factory;
        let run: Run = match catch_unwind(AssertUnwindSafe(|| factory(ctx))) {
            Ok(run) => run,
            Err(panic) => return Ended::Failed(panic_text(&*panic)),
        };
        let span = tracing::info_span!("service", id = %self.spec.id);
        let mut handle = AbortOnDropHandle::new(tokio::spawn(run.instrument(span)));
        match self.watch(&mut handle, hearing).await {
            Watched::Ended(result) => self.ended(result),
            Watched::Told(by) => {
                let late = !self.wind_down(handle, &token, by).await;
                Ended::Told { late }
            }
            Watched::NotUp => {
                let allowed = self.spec.start_deadline;
                let by = far(Instant::now(), self.spec.grace);
                let late = !self.wind_down(handle, &token, by).await;
                if self.stop.borrow().is_some() {
                    return Ended::Told { late };
                }
                Ended::Failed(format!("not ready within {allowed:?} of its start"))
            }
        }
    }

    /// Shows what the run says of itself until it ends or must be ended. Every branch is
    /// cancel-safe.
    async fn watch(&mut self, handle: &mut Handle, hearing: Hearing) -> Watched {
        let Hearing { declared: mut declarations, marks } = hearing;
        let start_by = far(Instant::now(), self.spec.start_deadline);
        let progress = self.spec.progress_deadline;
        let mut declared = Declared::Starting;
        let mut stalled = false;
        let mut check_at = start_by;
        loop {
            let up = declared != Declared::Starting;
            tokio::select! {
                biased;
                by = told(&mut self.stop) => return Watched::Told(by),
                result = &mut *handle => return Watched::Ended(result),
                Ok(()) = declarations.changed() => {
                    declared = declarations.borrow_and_update().clone();
                    stalled = false;
                    marks.listen(false);
                    check_at = far(Instant::now(), progress.unwrap_or_default());
                    self.declare(&declared);
                }
                () = sleep_until(start_by), if !up => return Watched::NotUp,
                () = marks.moved(), if stalled => {
                    // A mark that a declaration has already answered may be heard once more.
                    if marks.idle() < progress.unwrap_or_default() {
                        stalled = false;
                        marks.listen(false);
                        tracing::info!(service = %self.spec.id, "moves again");
                        self.declare(&declared);
                    }
                }
                () = sleep_until(check_at), if up && progress.is_some() => {
                    let deadline = progress.unwrap_or_default();
                    marks.listen(true);
                    let idle = marks.idle();
                    if idle < deadline {
                        marks.listen(stalled);
                        check_at = far(Instant::now(), deadline.saturating_sub(idle));
                        continue;
                    }
                    let why = format!("no progress for {} s", idle.as_secs());
                    if !stalled {
                        tracing::warn!(service = %self.spec.id, "{why}");
                    }
                    stalled = true;
                    check_at = far(Instant::now(), deadline.max(Duration::from_secs(1)));
                    self.show(State::Degraded { why });
                }
            }
        }
    }

    /// Tells a run to stop and waits until `by`, or until an order to stop says sooner; then
    /// aborts it. Returns whether it ended in time.
    async fn wind_down(
        &mut self,
        mut handle: Handle,
        token: &CancellationToken,
        by: Instant,
    ) -> bool {
        token.cancel();
        let (mut by, mut heard) = (by, self.stop.borrow().is_some());
        // Every branch is cancel-safe.
        let ended = loop {
            tokio::select! {
                biased;
                result = &mut handle => break Some(result),
                sooner = told(&mut self.stop), if !heard => {
                    heard = true;
                    by = by.min(sooner);
                }
                () = sleep_until(by) => break None,
            }
        };
        let Some(result) = ended else {
            handle.abort();
            tracing::warn!(service = %self.spec.id, "did not stop in time, aborted");
            return false;
        };
        if let Some(error) = failure(result) {
            tracing::warn!(service = %self.spec.id, %error, "failed while stopping");
            self.update(|row, _| row.last_error = Some(error));
        }
        true
    }

    /// A run that ended without being told to.
    fn ended(&self, result: Result<Result<(), ServiceError>, JoinError>) -> Ended {
        match failure(result) {
            Some(error) => Ended::Failed(error),
            None if self.spec.oneshot => Ended::Done,
            None => Ended::Failed("ended although nobody told it to stop".to_owned()),
        }
    }

    async fn give_up(&mut self, error: String) {
        let id = ServiceId::clone(&self.spec.id);
        match self.restarts.are_allowed() {
            true => {
                tracing::error!(service = %id, %error, "failed for good: its restart budget is spent");
            }
            false => tracing::error!(service = %id, %error, "failed"),
        }
        self.show(State::Failed { error: error.clone() });
        if self.spec.class == Class::Critical {
            // Fails only when the supervisor is gone, and then nobody need know.
            let _gone = self.failures.send(CriticalFailure { id, error }).await;
        }
    }

    fn declare(&self, declared: &Declared) {
        match declared {
            Declared::Starting => {}
            Declared::Ready => tracing::info!(service = %self.spec.id, "ready"),
            Declared::Degraded(why) => tracing::warn!(service = %self.spec.id, "degraded: {why}"),
        }
        self.show(declared.state());
    }

    fn show(&self, state: State) {
        self.update(|row, now| row.enter(state, now));
    }

    fn update(&self, change: impl FnOnce(&mut ServiceHealth, Mono)) {
        let now = self.now();
        self.table.send_modify(|rows| {
            if let Some(row) = rows.get_mut(self.row) {
                change(row, now);
            }
        });
    }

    fn now(&self) -> Mono {
        Mono::from_start(self.origin.elapsed())
    }
}

/// Why the watch over a run is over.
enum Watched {
    Ended(Result<Result<(), ServiceError>, JoinError>),
    Told(Instant),
    NotUp,
}

/// Waits for the order to stop; a supervisor that is gone means at once. Cancel-safe.
async fn told(stop: &mut StopOrder) -> Instant {
    let by = stop.wait_for(Option::is_some).await.ok().and_then(|by| *by);
    by.unwrap_or_else(Instant::now)
}

/// `after` from `now`, and no further than a tokio timer can count.
pub(crate) fn far(now: Instant, after: Duration) -> Instant {
    now + after.min(Duration::from_secs(365 * 86_400))
}

/// What a run failed with: its error with all causes, or its panic.
fn failure(result: Result<Result<(), ServiceError>, JoinError>) -> Option<String> {
    match result {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(chain(&*error)),
        Err(join) => Some(match join.try_into_panic() {
            Ok(panic) => panic_text(&*panic),
            Err(_cancelled) => "its task was aborted".to_owned(),
        }),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        // Many errors already tell their cause in their own text.
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no text"))
}
