//! Pools on real sockets: what goes down as jobs, what comes up as shares, and what faults mean.

mod changes;
mod failover;
mod faults;
mod network;
mod pool;
mod pools;
mod scripted;

use sl_ports::Randomness;
use sl_supervise::{ServiceSpec, Supervisor};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use scripted::soon;

/// A service under its supervisor.
pub(crate) struct Supervised {
    stop: CancellationToken,
    done: JoinHandle<()>,
}

impl Supervised {
    pub(crate) fn start(spec: ServiceSpec, randomness: &Randomness) -> Self {
        let rng = randomness.rng("supervisor");
        let supervisor = Supervisor::new(vec![spec], rng).expect("one service");
        let stop = CancellationToken::new();
        let token = stop.clone();
        let done = tokio::spawn(async move {
            supervisor.run(token).await;
        });
        Self { stop, done }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        soon(self.done).await.expect("it stops");
    }
}
