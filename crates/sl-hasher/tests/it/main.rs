//! The engines as a service: what they do for a lease, and what the end of one means.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use sl_config::Setting;
use sl_hasher::{
    CpuShare, Hasher, HasherSettings, HasherStatus, LeaseStatus, Machine, Priority, Surroundings,
    Threads, pause::Reason,
};
use sl_ports::{Clock, machine::power::Power};
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
    /// Whether the machine says that it runs on its battery.
    on_battery: Arc<AtomicBool>,
    stop: CancellationToken,
    done: tokio::task::JoinHandle<sl_supervise::Outcome>,
}

impl Running {
    fn start() -> Self {
        let (handle, end) = source(SourceId::new("test"));
        end.set_widest(4);
        let mut registry = Registry::new();
        registry.register(Zero).expect("a new name");
        let settings = HasherSettings {
            threads: Threads::Number(2),
            priority: Priority::Normal,
            ..HasherSettings::default()
        };
        let on_battery = Arc::new(AtomicBool::new(false));
        let asked = on_battery.clone();
        let machine = Machine::of(2, 2).with_surroundings(move || {
            let battery = asked.load(Ordering::SeqCst);
            Surroundings { power: if battery { Power::Battery } else { Power::Mains }, load: None }
        });
        let hasher =
            Hasher::new(settings, "zero", registry, Arc::new(handle), "cpu".into(), Clock::real())
                .on(machine);
        let (settings, status) = (hasher.settings(), hasher.status());
        let spec = ServiceSpec::new("hasher", "", move |ctx| hasher.clone().run(ctx));
        let supervisor = Supervisor::new(vec![spec], fastrand::Rng::with_seed(1)).expect("a plan");
        let (health, stop) = (supervisor.health(), CancellationToken::new());
        let done = tokio::spawn(supervisor.run(stop.clone()));
        Self { end, health, settings, status, on_battery, stop, done }
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

    async fn told(&mut self, holds: impl FnMut(&HasherStatus) -> bool) -> HasherStatus {
        soon(self.status.wait_for(holds)).await.expect("it lives").clone()
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
        running.settings.send_modify(|settings| settings.threads = Threads::Number(threads));
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

#[tokio::test]
async fn a_limit_comes_and_goes_under_one_lease() {
    let mut running = Running::start();
    let leased = running.leased().await;
    leased.work.send_replace(job(1, leased.free));
    while running.share().await != 1 {}
    for (number, share) in [(2, "5%"), (3, "0.6"), (4, "100%")] {
        let share = CpuShare::parse(share).expect("a share");
        running.settings.send_modify(|settings| settings.cpu_limit = share);
        leased.work.send_replace(job(number, leased.free));
        while running.share().await != number {}
    }
    assert!(running.end.leases.try_recv().is_err(), "one lease is enough");
    assert_eq!(running.health.get("hasher").expect("its row").restarts, 0);
    let accepted = |lease: &LeaseStatus| lease.first_accepted.is_some();
    let told = running.told(|status| status.leases.iter().any(accepted)).await;
    assert!(told.hashes > 0 && !told.hashing.is_zero());
    running.stop().await;
}

#[tokio::test]
async fn a_battery_rests_the_threads_and_the_lease_stays() {
    let mut running = Running::start();
    let leased = running.leased().await;
    leased.work.send_replace(job(1, leased.free));
    while running.share().await != 1 {}
    running.on_battery.store(true, Ordering::SeqCst);
    running.settings.send_modify(|settings| settings.pause_on_battery = true);
    running.told(|status| status.paused == Some(Reason::Battery)).await;
    running
        .until(|row| matches!(&row.state, State::Degraded { why } if why.contains("on battery")))
        .await;
    // Two samples in turn with the same number of hashes: nobody hashes.
    let mut before = None;
    running.told(|status| before.replace(status.hashes) == Some(status.hashes)).await;
    // The rule goes, and so does the pause.
    running.settings.send_modify(|settings| settings.pause_on_battery = false);
    running.told(|status| status.paused.is_none()).await;
    running.until(|row| row.state == State::Ready).await;
    leased.work.send_replace(job(2, leased.free));
    while running.share().await != 2 {}
    assert!(running.end.leases.try_recv().is_err(), "one lease is enough");
    running.stop().await;
}

#[tokio::test]
async fn a_share_that_finds_no_room_is_lost_with_its_reason() {
    let mut running = Running::start();
    let leased = running.leased().await;
    leased.work.send_replace(job(1, leased.free));
    // Nobody takes shares, so the lane fills.
    let full = running.told(|status| status.leases.iter().any(|lease| lease.lost > 0)).await;
    let reasons: Vec<_> = full.leases[0].lost_by_reason.iter().collect();
    assert_eq!(
        reasons,
        [("the source has no room for another share at this instant", full.leases[0].lost)]
    );
    running.stop().await;
}
