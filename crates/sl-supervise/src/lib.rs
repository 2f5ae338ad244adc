//! The life of services: start in order, readiness, health, restart, orderly stop.
//!
//! What it is for: a program's long-lived parts, each given as a [`ServiceSpec`], run by one
//! [`Supervisor`] that knows who starts after whom, restarts what fails, and keeps one
//! [`HealthTable`] for all who ask. What it is not for: building the parts and handing them to each
//! other (ordinary constructors with typed arguments do that, in `sl-app`), nor the children of a
//! service (sessions, machines), which are its own. It knows nothing of mining.
//!
//! The words of a service container, for who looks for them: *register* = make a spec; *resolve* =
//! a constructor's argument; *initialise all* = [`Supervisor::run`]; *life cycle* = [`State`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sl_supervise::{Cause, ServiceSpec, Supervisor};
//! use tokio_util::sync::CancellationToken;
//!
//! let node = ServiceSpec::new("node", "a coin node", |ctx| async move {
//!     // ... bind, connect, check: then say so. "Spawned" is not ready.
//!     ctx.ready();
//!     ctx.stopped().await;
//!     Ok(())
//! });
//! let miner = ServiceSpec::new("miner", "hashes for the node", |ctx| async move {
//!     ctx.degraded("no work yet");
//!     ctx.stopped().await;
//!     Ok(())
//! })
//! .after("node")
//! .optional();
//!
//! let supervisor = Supervisor::new(vec![miner, node], fastrand::Rng::with_seed(1))?;
//! assert_eq!(supervisor.order(), ["node".into(), "miner".into()]);
//!
//! let mut health = supervisor.health();
//! let shutdown = CancellationToken::new();
//! let running = tokio::spawn(supervisor.run(shutdown.clone()));
//! health.wait_ready().await?;
//! shutdown.cancel();
//! assert_eq!(running.await?.cause, Cause::Requested);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod ctx;
mod health;
mod keeper;
mod plan;
mod restarts;
mod spec;
mod supervisor;

pub use ctx::Ctx;
pub use health::{HealthTable, NotReady, ServiceHealth, State};
pub use plan::PlanError;
pub use restarts::RestartPolicy;
pub use spec::{Class, ServiceError, ServiceId, ServiceSpec};
pub use supervisor::{Cause, Outcome, Supervisor};
