use std::net::SocketAddr;

use sl_ports::bind;
use sl_supervise::{Outcome, Supervisor};
use sl_twin::Twins;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::view::{self, View};

/// All services, built and not yet running. Nothing is bound before [`Plan::run`].
#[derive(Debug)]
pub struct Plan {
    pub(crate) supervisor: Supervisor,
    pub(crate) view: View,
    /// Where the services will listen.
    pub(crate) listens: Vec<SocketAddr>,
    /// Virtual machines that must have the ports they are called at.
    pub(crate) called: Option<Twins>,
}

impl Plan {
    /// The graph in the order of start.
    #[must_use]
    pub fn services(&self) -> Vec<sl_view::Service> {
        let mut services = view::services(&self.view.health, self.view.clock.mono());
        for service in &mut services {
            service.state = None;
            service.for_s = None;
        }
        services
    }

    /// What tells the state while it runs, and afterwards.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Tries every address that the services will listen on, and lets go of it again: a port in use
    /// is better told at once, with all others, than by a service that tries again and again.
    ///
    /// # Errors
    /// Each address that cannot be had, with who has it.
    pub async fn check_ports(&self) -> Result<(), PortsTaken> {
        let mut taken = Vec::new();
        for address in &self.listens {
            if let Err(wrong) = bind::listen(*address).await {
                taken.push(wrong.to_string());
            }
        }
        if let Some(twins) = &self.called
            && let Err(wrong) = twins.try_ports().await
        {
            taken.push(wrong.to_string());
        }
        if taken.is_empty() { Ok(()) } else { Err(PortsTaken(taken)) }
    }

    /// Runs until `shutdown` is cancelled or a critical service failed for good, then stops in
    /// order.
    pub async fn run(self, shutdown: CancellationToken) -> Outcome {
        self.supervisor.run(shutdown).await
    }
}

/// Addresses that cannot be listened on, each with its cure.
#[derive(Debug, Error)]
#[error("{}", .0.join("\n"))]
pub struct PortsTaken(pub Vec<String>);
