//! The whole, assembled: a farm of simulated chains, a real Litecoin node, settings that are refused.

mod bad_shares;
mod contract;
mod farm;
mod litecoind;
mod pools;
mod settings;
mod twins;

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use sl_app::{Builder, Composition, Plan, Ports, Settings, View};
use sl_supervise::{Cause, Outcome};
use sl_view::Summary;
use tokio_util::sync::CancellationToken;

/// A plan at work, in a runtime of its own test.
struct Running {
    view: View,
    stop: CancellationToken,
    done: tokio::task::JoinHandle<Outcome>,
}

fn start(settings: Settings, composition: Composition) -> Running {
    let ports = Ports::real(Some(7), Default::default(), None);
    let plan: Plan = Builder::new(settings, ports).assemble(composition).expect("a plan");
    let view = plan.view();
    let stop = CancellationToken::new();
    let done = tokio::spawn(plan.run(stop.clone()));
    Running { view, stop, done }
}

impl Running {
    /// Looks until the summary is as wanted; only a hanging test meets the end of patience.
    async fn until(&self, wanted: impl Fn(&Summary) -> bool) -> Summary {
        let patience = tokio::time::sleep(Duration::from_secs(240));
        tokio::pin!(patience);
        let mut look = tokio::time::interval(Duration::from_millis(50));
        loop {
            tokio::select! {
                _ = look.tick() => {
                    let summary = self.view.summary();
                    if wanted(&summary) {
                        return summary;
                    }
                }
                () = &mut patience => panic!("it never came to that: {:#?}", self.view.state()),
            }
        }
    }

    async fn stop(self) -> Summary {
        self.stop.cancel();
        let outcome = self.done.await.expect("it ends");
        assert_eq!(outcome.cause, Cause::Requested);
        assert!(outcome.late.is_empty(), "late: {:?}", outcome.late);
        self.view.summary()
    }
}

/// So many free ports in a row on loopback, below those that the system gives to connections. Each
/// caller has its own: whoever runs beside it may be about to listen.
fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + (std::process::id() as u16 % 120) * 100;
    (0..200)
        .map(|_| base + NEXT.fetch_add(count, Ordering::Relaxed))
        .find(|first| {
            let taken = (*first..first + count).map(|port| TcpListener::bind(("127.0.0.1", port)));
            taken.collect::<Result<Vec<_>, _>>().is_ok()
        })
        .expect("some ports are free")
}
