//! The engines as a service: what they do for a lease, and what the end of one means.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use sl_hasher::{Hasher, HasherSettings, HasherStatus};
use sl_ports::Clock;
use sl_pow::Registry;
use sl_supervise::{HealthTable, ServiceHealth, ServiceSpec, State, Supervisor};
use sl_testkit::toy::Zero;
use sl_units::{Bits, Hash256, Mono, Target};
use sl_work::{
    CoinbaseTemplate, HeaderTemplate, Job, JobId, Leased, NtimeRange, Outcome, SourceEnd, SourceId,
    Work, source,
};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// Waits for what must come, under a guard that only a hanging test meets.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), what).await.expect("it comes")
}

fn job(sequence: u64, free: usize) -> Work {
    Work::Job(Arc::new(Job {
        id: JobId { source: SourceId::new("test"), sequence },
        epoch: sequence,
        born: Mono::default(),
        header: HeaderTemplate {
            version: 1,
            roll_mask: 0,
            prev: Hash256::ZERO,
            bits: Bits::from_u32(0x207f_ffff),
            ntime: NtimeRange { earliest: 1, start: 1, latest: 9 },
        },
        coinbase: CoinbaseTemplate { prefix: Bytes::new(), free, suffix: Bytes::new() },
        branch: Vec::new(),
        wanted: Target::MAX,
        goals: Vec::new(),
    }))
}

/// Two threads at work for a source that the test plays.
struct Running {
    end: SourceEnd,
    health: HealthTable,
    settings: watch::Sender<HasherSettings>,
    status: watch::Receiver<HasherStatus>,
    stop: CancellationToken,
    done: tokio::task::JoinHandle<sl_supervise::Outcome>,
}

impl Running {
    fn start() -> Self {
        let (handle, end) = source(SourceId::new("test"));
        end.set_widest(4);
        let mut registry = Registry::new();
        registry.register(Zero).expect("a new name");
        let settings = HasherSettings { threads: 2, idle_priority: false };
        let hasher =
            Hasher::new(settings, "zero", registry, Arc::new(handle), "cpu".into(), Clock::real());
        let (settings, status) = (hasher.settings(), hasher.status());
        let spec = ServiceSpec::new("hasher", "", move |ctx| hasher.clone().run(ctx));
        let supervisor = Supervisor::new(vec![spec], fastrand::Rng::with_seed(1)).expect("a plan");
        let (health, stop) = (supervisor.health(), CancellationToken::new());
        let done = tokio::spawn(supervisor.run(stop.clone()));
        Self { end, health, settings, status, stop, done }
    }

    async fn leased(&mut self) -> Leased {
        soon(self.end.leases.recv()).await.expect("the engines ask for a lease")
    }

    /// The sequence of the job that the next share is of.
    async fn share(&mut self) -> u64 {
        let pending = soon(self.end.intake.next()).await.expect("a share");
        let sequence = pending.share().job().id.sequence;
        pending.settle(Outcome::Accepted { credited: Vec::new(), missed: Vec::new() });
        sequence
    }

    async fn until(&mut self, holds: impl Fn(&ServiceHealth) -> bool) {
        soon(async {
            while !self.health.get("hasher").is_some_and(|row| holds(&row)) {
                assert!(self.health.changed().await, "the supervisor lives");
            }
        })
        .await;
    }

    async fn stop(self) {
        self.stop.cancel();
        let outcome = soon(self.done).await.expect("no panic");
        assert!(outcome.late.is_empty(), "{:?}", outcome.late);
    }
}

#[tokio::test]
async fn shares_of_the_newest_job_go_up() {
    let mut running = Running::start();
    let leased = running.leased().await;
    leased.work.send_replace(job(1, leased.free));
    while running.share().await != 1 {}
    leased.work.send_replace(job(2, leased.free));
    while running.share().await != 2 {}
    running.stop().await;
}

#[tokio::test]
async fn threads_come_and_go_under_one_lease_and_repeat_nothing() {
    let mut running = Running::start();
    let leased = running.leased().await;
    leased.work.send_replace(job(1, leased.free));
    let mut seen = HashSet::new();
    for threads in [2u16, 5, 1, 3, 1] {
        running.settings.send_modify(|settings| settings.threads = threads);
        let wanted = usize::from(threads);
        soon(running.status.wait_for(|status| status.threads == wanted)).await.expect("it lives");
        for _ in 0..500 {
            let pending = soon(running.end.intake.next()).await.expect("a share");
            let share = pending.share();
            let place = (share.extranonce().to_vec(), share.ntime(), share.nonce());
            assert!(seen.insert(place.clone()), "{place:?} twice");
            pending.settle(Outcome::Accepted { credited: Vec::new(), missed: Vec::new() });
        }
    }
    assert!(running.end.leases.try_recv().is_err(), "one lease is enough");
    assert_eq!(running.health.get("hasher").expect("its row").restarts, 0);
    running.stop().await;
}

#[tokio::test]
async fn the_end_of_a_lease_is_a_new_beginning() {
    let mut running = Running::start();
    let leased = running.leased().await;
    leased.work.send_replace(job(1, leased.free));
    while running.share().await != 1 {}
    // The source takes its lease back: no thread goes on with the job, another lease is asked for.
    drop(leased);
    running.until(|row| row.restarts == 1 && row.state == State::Ready).await;
    let row = running.health.get("hasher").expect("its row");
    assert_eq!(
        row.last_error.as_deref(),
        Some("source test gives no lease: the source has stopped")
    );
    let leased = running.leased().await;
    leased.work.send_replace(job(2, leased.free));
    while running.share().await != 2 {}
    running.stop().await;
}
