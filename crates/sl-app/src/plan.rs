use sl_supervise::{Outcome, Supervisor};
use tokio_util::sync::CancellationToken;

use crate::view::{self, View};

/// All services, built and not yet running. Nothing is bound before [`Plan::run`].
#[derive(Debug)]
pub struct Plan {
    pub(crate) supervisor: Supervisor,
    pub(crate) view: View,
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

    /// Runs until `shutdown` is cancelled or a critical service failed for good, then stops in
    /// order.
    pub async fn run(self, shutdown: CancellationToken) -> Outcome {
        self.supervisor.run(shutdown).await
    }
}
