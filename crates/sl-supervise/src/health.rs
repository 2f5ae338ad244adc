//! The one table of health.

use crate::spec::{Class, ServiceId, ServiceSpec};
use sl_units::Mono;
use std::mem::discriminant;
use tokio::sync::watch;

/// Where a service stands.
///
/// ```text
///          all it is after are up             ready(), degraded()
/// Waiting ───────────────────────▶ Starting ──────────────────────▶ Ready ◀──▶ Degraded
///    ▲                                │                               │            │
///    │                                │ start deadline                │            │
///    │ the delay is over              │ error, panic                  │ error, panic
///    │                                ▼                               │            │
///    └──────────────────────────── Backoff ◀──────────────────────────┴────────────┘
///                                     ┆
///                                     ┆ instead of Backoff, over budget:
///                                     ▼
///                                  Failed ── critical: the program stops in order
///
/// any but Failed ── told to stop, or a oneshot that is done ──▶ Stopped
/// ```
///
/// Ready and Degraded are *up*: the service works, though not all of it may succeed (an upstream
/// without a pool is degraded). A service that is up and makes no progress within its deadline is
/// shown as Degraded until its next mark. When a service fails, those after it are left alone; a
/// start of theirs, the first or a later one, waits until it is up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Something that it starts after is not up.
    Waiting,
    /// It runs, and has not said that it is up.
    Starting,
    /// It works.
    Ready,
    /// It works, but not as it should.
    Degraded {
        /// What is wrong, for people.
        why: String,
    },
    /// It failed, and starts again later.
    Backoff {
        /// The number of the coming restart within the window of its policy, from 1.
        attempt: u32,
        /// What it failed with.
        error: String,
        /// When it starts again.
        until: Mono,
    },
    /// It failed more often than its policy allows, and does not start again.
    Failed {
        /// What it failed with last.
        error: String,
    },
    /// It ended: told to, or as a oneshot that is done.
    Stopped,
}

impl State {
    /// Whether those after it may start: Ready or Degraded.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Ready | Self::Degraded { .. })
    }

    /// The state in one lower-case word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded { .. } => "degraded",
            Self::Backoff { .. } => "backoff",
            Self::Failed { .. } => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// What there is to say beyond the word, if anything.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Degraded { why } => Some(why),
            Self::Backoff { error, .. } | Self::Failed { error } => Some(error),
            Self::Waiting | Self::Starting | Self::Ready | Self::Stopped => None,
        }
    }
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHealth {
    /// The service's name.
    pub id: ServiceId,
    /// What it is, in a line.
    pub description: String,
    /// What its failure means.
    pub class: Class,
    /// What it starts after.
    pub after: Vec<ServiceId>,
    /// Whether it may end by itself.
    pub oneshot: bool,
    /// Where it stands.
    pub state: State,
    /// Since when it stands there; a change of reason alone does not move it.
    pub since: Mono,
    /// How often it was started again.
    pub restarts: u32,
    /// What it failed with last, even if it is up again.
    pub last_error: Option<String>,
}

impl ServiceHealth {
    pub(crate) fn new(spec: &ServiceSpec) -> Self {
        Self {
            id: ServiceId::clone(&spec.id),
            description: spec.description.clone(),
            class: spec.class,
            after: spec.after.clone(),
            oneshot: spec.oneshot,
            state: State::Waiting,
            since: Mono::default(),
            restarts: 0,
            last_error: None,
        }
    }

    /// Whether those after it may start: it is up, or a oneshot that is done.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state.is_up() || (self.oneshot && self.state == State::Stopped)
    }

    pub(crate) fn enter(&mut self, state: State, now: Mono) {
        match &state {
            State::Backoff { error, .. } | State::Failed { error } => {
                self.last_error = Some(error.clone());
            }
            _ => {}
        }
        if discriminant(&self.state) != discriminant(&state) {
            self.since = now;
        }
        self.state = state;
    }
}

/// Why not all services are up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// One failed for good.
    #[error("the service {id:?} failed: {error}")]
    Failed {
        /// Which one.
        id: ServiceId,
        /// What its failure means.
        class: Class,
        /// What it failed with last.
        error: String,
    },
    /// The supervisor stops, or is gone.
    #[error("the services were stopped before all were ready")]
    Stopped,
}

/// The health of all services, in the order of their start. Cheap to clone; a clone sees changes
/// of its own accord.
#[derive(Clone, Debug)]
pub struct HealthTable {
    rows: watch::Receiver<Vec<ServiceHealth>>,
}

impl HealthTable {
    pub(crate) fn new(rows: watch::Receiver<Vec<ServiceHealth>>) -> Self {
        Self { rows }
    }

    /// All rows as they are now, in the order of start.
    #[must_use]
    pub fn rows(&self) -> Vec<ServiceHealth> {
        self.rows.borrow().clone()
    }

    /// The row of one service.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<ServiceHealth> {
        self.rows.borrow().iter().find(|row| *row.id == *id).cloned()
    }

    /// Whether all services are up.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.rows.borrow().iter().all(ServiceHealth::is_up)
    }

    /// Waits for a change that this clone has not seen; `false` when the supervisor is gone.
    /// Cancel-safe.
    pub async fn changed(&mut self) -> bool {
        self.rows.changed().await.is_ok()
    }

    /// Waits until all services are up. Cancel-safe.
    ///
    /// # Errors
    /// [`NotReady`] when one failed for good (an optional one also: the caller decides), or when
    /// the services stop.
    pub async fn wait_ready(&mut self) -> Result<(), NotReady> {
        let settled = |rows: &Vec<ServiceHealth>| verdict(rows).is_some();
        match self.rows.wait_for(settled).await {
            Ok(rows) => verdict(&rows).unwrap_or(Err(NotReady::Stopped)),
            Err(_gone) => Err(NotReady::Stopped),
        }
    }
}

/// Whether the wait is over, and how.
fn verdict(rows: &[ServiceHealth]) -> Option<Result<(), NotReady>> {
    let failed = rows.iter().find_map(|row| match &row.state {
        State::Failed { error } => Some(NotReady::Failed {
            id: ServiceId::clone(&row.id),
            class: row.class,
            error: error.clone(),
        }),
        _ => None,
    });
    if let Some(failed) = failed {
        return Some(Err(failed));
    }
    if rows.iter().all(ServiceHealth::is_up) {
        return Some(Ok(()));
    }
    let stopped = rows.iter().any(|row| row.state == State::Stopped && !row.is_up());
    stopped.then_some(Err(NotReady::Stopped))
}
