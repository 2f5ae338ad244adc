//! What a service is: its name, its place in the order, and how it is treated.

use crate::ctx::Ctx;
use crate::restarts::RestartPolicy;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The name of a service, unique in a program: what an operator would call it.
pub type ServiceId = Arc<str>;

/// What a service ends with when it fails. Its text and its causes are shown and logged.
pub type ServiceError = Box<dyn std::error::Error + Send + Sync>;

/// One run of a service.
pub(crate) type Run = Pin<Box<dyn Future<Output = Result<(), ServiceError>> + Send>>;

/// Makes a run, at the start and at each restart.
pub(crate) type Factory = Box<dyn FnMut(Ctx) -> Run + Send>;

/// What the failure of a service means for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Over its restart budget, the whole program stops in order, with an error.
    Critical,
    /// Over its restart budget it stays failed, and the program runs without it.
    Optional,
}

/// A service to be run, built by steps. Nothing runs before [`crate::Supervisor::run`].
pub struct ServiceSpec {
    pub(crate) id: ServiceId,
    pub(crate) description: String,
    pub(crate) after: Vec<ServiceId>,
    pub(crate) class: Class,
    pub(crate) restart: RestartPolicy,
    pub(crate) grace: Duration,
    pub(crate) start_deadline: Duration,
    pub(crate) progress_deadline: Option<Duration>,
    pub(crate) oneshot: bool,
    pub(crate) factory: Factory,
}

impl ServiceSpec {
    /// A critical service that starts after nothing: 1 s of grace, 30 s to be ready, no progress
    /// deadline, the default [`RestartPolicy`].
    ///
    /// `factory` is called for each start. What must survive a restart (the receiving ends of
    /// channels, counters) lives in the closure, and the run borrows a clone or a lock of it: then
    /// the handles that others hold stay valid.
    ///
    /// A run first does what can fail at the start, then calls [`Ctx::ready`] or
    /// [`Ctx::degraded`], works until [`Ctx::stopped`], and returns `Ok`. Returning earlier is a
    /// failure, unless it is a [`ServiceSpec::oneshot`].
    pub fn new<F, R>(
        id: impl Into<ServiceId>,
        description: impl Into<String>,
        mut factory: F,
    ) -> Self
    where
        F: FnMut(Ctx) -> R + Send + 'static,
        R: Future<Output = Result<(), ServiceError>> + Send + 'static,
    {
        Self {
            id: id.into(),
            description: description.into(),
            after: Vec::new(),
            class: Class::Critical,
            restart: RestartPolicy::default(),
            grace: Duration::from_secs(1),
            start_deadline: Duration::from_secs(30),
            progress_deadline: None,
            oneshot: false,
            factory: Box::new(move |ctx| Box::pin(factory(ctx))),
        }
    }

    /// Starts after this service is up, and stops before it.
    #[must_use]
    pub fn after(mut self, id: impl Into<ServiceId>) -> Self {
        let id = id.into();
        if !self.after.contains(&id) {
            self.after.push(id);
        }
        self
    }

    /// [`ServiceSpec::after`] for each of `ids`.
    #[must_use]
    pub fn after_all<I>(self, ids: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<ServiceId>,
    {
        ids.into_iter().fold(self, Self::after)
    }

    /// The program can run without it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.class = Class::Optional;
        self
    }

    /// How and how often it is restarted.
    #[must_use]
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = policy;
        self
    }

    /// How long it may take to end after it was told to stop; then it is named late and aborted.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long it may take to be up after its start; then that start counts as failed.
    #[must_use]
    pub fn start_deadline(mut self, deadline: Duration) -> Self {
        self.start_deadline = deadline;
        self
    }

    /// How long it may go without [`Ctx::progress`] while it is up; then it is shown as degraded
    /// until the next mark. It is not restarted for it.
    #[must_use]
    pub fn progress_deadline(mut self, deadline: Duration) -> Self {
        self.progress_deadline = Some(deadline);
        self
    }

    /// It may end with `Ok` by itself, and counts as up for those after it when it has.
    #[must_use]
    pub fn oneshot(mut self) -> Self {
        self.oneshot = true;
        self
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &ServiceId {
        &self.id
    }
}

impl fmt::Debug for ServiceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSpec")
            .field("id", &self.id)
            .field("after", &self.after)
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}
