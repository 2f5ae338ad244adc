//! Several pools on real sockets as one source: failover, shares in flight, changed settings, the
//! nearest address.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use sl_ports::{Clock, Randomness};
use sl_supervise::ServiceSpec;
use sl_testkit::proxy::{Faults, Proxy};
use sl_upstream::{
    FailoverRules, FailoverStatus, GroupStatus, Plans, PoolEntry, PoolFigures, PoolGroup,
    PoolStatus, Strategies,
};
use sl_work::{Ask, Lease, Outcome, SourceHandle, SourceId, WorkSource};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Supervised,
    scripted::{job, send},
    soon,
};

/// A pool that takes everything, and hangs up on what it cannot read. It ends when it is dropped.
pub(crate) struct OpenPool {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicU64>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl OpenPool {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (connections, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let (count, stopped) = (connections.clone(), stop.clone());
        let task = tokio::spawn(async move {
            while let Some(Ok((stream, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let stopped = stopped.clone();
                tokio::spawn(async move {
                    let _ = stopped.run_until_cancelled(Self::serve(stream, number)).await;
                });
            }
        });
        Self { address, connections, stop, task }
    }

    /// Probes open connections and say nothing; only who subscribes counts as a client.
    async fn serve(stream: TcpStream, number: u64) -> std::io::Result<()> {
        let (read, mut out) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        while let Some(line) = lines.next_line().await? {
            let Ok(call) = serde_json::from_str::<Value>(&line) else { return Ok(()) };
            let mut say = format!("{}\n", json!({"id": call["id"], "result": true, "error": null}));
            match call["method"].as_str() {
                Some("mining.subscribe") => {
                    let result = json!([[["mining.notify", "s1"]], "a1b2c3d4", 4]);
                    say =
                        format!("{}\n", json!({"id": call["id"], "result": result, "error": null}));
                }
                Some("mining.authorize") => {
                    let job = json!([
                        format!("{number:x}"),
                        "00".repeat(32),
                        "aa01",
                        "bb02",
                        [],
                        "20000000",
                        "1e0ffff0",
                        "5a72667b",
                        true
                    ]);
                    for (method, params) in
                        [("mining.set_difficulty", json!([0.5])), ("mining.notify", job)]
                    {
                        say += &format!(
                            "{}\n",
                            json!({"id": null, "method": method, "params": params})
                        );
                    }
                }
                _ => {}
            }
            out.write_all(say.as_bytes()).await?;
        }
        Ok(())
    }

    async fn kill(self) {
        self.stop.cancel();
        soon(self.task).await.expect("it ends");
    }
}

/// Entries of the list of pools, by what stands in their YAML.
pub(crate) fn plans(entries: &[String]) -> Plans {
    let plan = |yaml: &String| {
        let entry: PoolEntry = sl_config::read_text("pools.yaml", yaml).expect(yaml);
        entry.plan("x").expect(yaml)
    };
    let mut rules = FailoverRules::default();
    rules.strategy.dwell = Duration::from_millis(300);
    Plans { pools: entries.iter().map(plan).collect(), rules, ..Plans::default() }
}

pub(crate) fn entry(name: &str, address: SocketAddr, more: &str) -> String {
    format!("{{name: {name}, url: ['{address}'], user: account.rig{more}}}")
}

pub(crate) struct Running {
    group: PoolGroup,
    source: SourceHandle,
    pub(crate) status: GroupStatus,
    service: Supervised,
}

impl Running {
    fn start(entries: &[String]) -> Self {
        Self::over(plans(entries))
    }

    pub(crate) fn over(plans: Plans) -> Self {
        let randomness = Randomness::seeded(7);
        let id = SourceId::new("pools");
        let group = PoolGroup::new(id, Strategies::default(), Clock::real(), randomness);
        group.set(plans).expect("a known strategy");
        let service = group.clone();
        let spec = ServiceSpec::new("pools", "pools", move |ctx| service.clone().run(ctx));
        let service = Supervised::start(spec, &randomness);
        Self { source: group.source(), status: group.status(), group, service }
    }

    pub(crate) async fn lease(&self) -> Lease {
        let mut status = self.source.status();
        soon(status.wait_for(|status| status.widest >= 2)).await.expect("it lives");
        self.source.lease(Ask { free: 2, consumer: "test".into() }).expect("wide enough")
    }

    pub(crate) async fn until(
        &mut self,
        wanted: impl FnMut(&FailoverStatus) -> bool,
    ) -> FailoverStatus {
        soon(self.status.failover.wait_for(wanted)).await.expect("it lives").clone()
    }

    pub(crate) async fn works_for(&mut self, name: &str) -> FailoverStatus {
        let id = SourceId::new(name);
        self.until(|status| status.current.as_ref() == Some(&id)).await
    }

    async fn pool(&mut self, name: &str, wanted: impl Fn(&PoolFigures) -> bool) -> PoolFigures {
        let id = SourceId::new(name);
        let there = |pools: &Vec<PoolFigures>| pools.iter().any(|it| it.id == id && wanted(it));
        let pools = soon(self.status.pools.wait_for(there)).await.expect("it lives").clone();
        pools.into_iter().find(|pool| pool.id == id).expect("waited for")
    }

    pub(crate) async fn pool_status(
        &mut self,
        name: &str,
        wanted: impl FnMut(&PoolStatus) -> bool,
    ) -> PoolStatus {
        let mut pool = self.pool(name, |_| true).await;
        soon(pool.status.wait_for(wanted)).await.expect("it lives").clone()
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await;
    }
}

#[tokio::test]
async fn a_pool_that_dies_is_followed_by_its_standby_at_once() {
    let (first, second) = (OpenPool::start().await, OpenPool::start().await);
    let mut running = Running::start(&[
        entry("first", first.address, ""),
        entry("second", second.address, ", priority: 1"),
    ]);
    let mut lease = running.lease().await;
    running.works_for("pool.first").await;
    running.pool_status("pool.second", |status| status.jobs == 1).await;
    let before = job(&mut lease).await;
    first.kill().await;
    running.works_for("pool.second").await;
    let after = lease.work.borrow().job().cloned().expect("no moment without work");
    assert!(after.epoch > before.epoch);
    let status = running.until(|status| !status.failovers.is_empty()).await;
    let change = status.failovers.back().expect("one").clone();
    assert_eq!(
        (change.from, change.to),
        (Some(SourceId::new("pool.first")), SourceId::new("pool.second"))
    );
    assert!(change.why.contains("closed"), "{}", change.why);
    // How fast it is, is measured by the bench; a test fails only where it hangs.
    assert!(change.switched < Duration::from_secs(10), "{:?}", change.switched);
    assert!(change.detected.expect("it failed") < Duration::from_secs(10));
    let _ = send(&lease, &after, &[1]);
    let verdict = soon(lease.verdicts.recv()).await.expect("a verdict");
    assert!(matches!(verdict.outcome, Outcome::Accepted { .. }), "{:?}", verdict.outcome);
    running.stop().await;
}

#[tokio::test]
async fn shares_in_flight_at_a_cut_are_those_named() {
    // Held for a session that is resumed, or lost at once.
    for resumes in [true, false] {
        let (first, second) = (OpenPool::start().await, OpenPool::start().await);
        let proxy = Proxy::start(first.address).await;
        let more = if resumes { "" } else { ", resume_within: 0s" };
        let mut running = Running::start(&[
            entry("first", proxy.address(), more),
            entry("second", second.address, ", priority: 1"),
        ]);
        let mut lease = running.lease().await;
        running.works_for("pool.first").await;
        running.pool_status("pool.second", |status| status.jobs == 1).await;
        let before = job(&mut lease).await;
        // The first five are answered at once, the rest not before the cut.
        let mut tickets = send(&lease, &before, &[1, 2, 3, 4, 5]);
        soon(proxy.until(|counts| counts.answered == 5)).await;
        proxy.to_client(Faults { delay: Duration::from_secs(3600), ..Faults::default() });
        tickets.extend(send(&lease, &before, &[6, 7, 8, 9, 10, 11, 12]));
        soon(proxy.until(|counts| counts.submitted == 12)).await;
        proxy.refuse(true);
        proxy.cut();
        let in_flight = soon(proxy.until(|counts| counts.cut == 1)).await.in_flight();
        assert_eq!(in_flight, 7);
        running.works_for("pool.second").await;
        proxy.to_client(Faults::default());
        proxy.refuse(false);
        let (mut accepted, mut lost) = (0, 0);
        while !tickets.is_empty() {
            let verdict = soon(lease.verdicts.recv()).await.expect("each ticket has one");
            let known = tickets.iter().position(|ticket| *ticket == verdict.ticket);
            tickets.swap_remove(known.expect("one verdict, not two"));
            match verdict.outcome {
                Outcome::Accepted { .. } => accepted += 1,
                Outcome::Lost { reason } => {
                    assert!(!reason.is_empty());
                    lost += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        let told = running.pool_status("pool.first", |status| status.connections >= 1).await;
        if resumes {
            assert_eq!((told.resubmitted, accepted, lost), (in_flight, 12, 0));
        } else {
            assert_eq!((told.resubmitted, accepted, lost), (0, 5, in_flight));
            let told = running.until(|it| it.members[0].tally.lost == in_flight).await;
            assert_eq!(told.members[0].tally.accepted, 5);
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn changed_settings_touch_what_they_change_and_nothing_else() {
    let (first, second, third) =
        (OpenPool::start().await, OpenPool::start().await, OpenPool::start().await);
    let (one, two) =
        (entry("first", first.address, ""), entry("second", second.address, ", priority: 1"));
    let mut running = Running::start(&[one, two.clone()]);
    let mut lease = running.lease().await;
    running.works_for("pool.first").await;
    running.pool_status("pool.second", |status| status.jobs == 1).await;
    let before = job(&mut lease).await;
    let clients = |pool: &mut Running| {
        let pools = pool.status.pools.borrow();
        pools.iter().map(|it| it.status.borrow().connections).collect::<Vec<_>>()
    };

    // Order and weights: no connection is touched.
    let first_last = entry("first", first.address, ", priority: 2, weight: 7");
    running.group.set(plans(&[two.clone(), first_last.clone()])).expect("known");
    let status = running.works_for("pool.second").await;
    assert_eq!((status.members[1].priority, status.members[1].weight), (2, 7));
    let after = job(&mut lease).await;
    assert_eq!(after.epoch, before.epoch, "both stand on the same block");
    assert_eq!(clients(&mut running), [1, 1]);

    // One more, before them all; then the settings of one that runs.
    let new = entry("third", third.address, "");
    running.group.set(plans(&[new, two.clone(), first_last.clone()])).expect("known");
    running.works_for("pool.third").await;
    let other = entry("third", third.address, ", silence: 50s");
    running.group.set(plans(&[other, two.clone(), first_last.clone()])).expect("known");
    soon(async {
        while third.connections.load(Ordering::SeqCst) < 2 + 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    running
        .until(|status| {
            status.current == Some(SourceId::new("pool.third")) && status.members.len() >= 3
        })
        .await;
    assert!(lease.work.borrow().job().is_some(), "the new connection took over from the old");

    // And gone again; its last share is judged.
    let of_third = job(&mut lease).await;
    let tickets = send(&lease, &of_third, &[1]);
    running.group.set(plans(&[two, first_last])).expect("known");
    running.works_for("pool.second").await;
    let verdict = soon(lease.verdicts.recv()).await.expect("a verdict");
    assert_eq!(verdict.ticket, tickets[0]);
    assert!(matches!(verdict.outcome, Outcome::Accepted { .. }), "{:?}", verdict.outcome);
    running.pool("pool.first", |_| true).await;
    assert_eq!(clients(&mut running), [1, 1], "never connected anew");
    let unknown = Plans { strategy: "luck".into(), ..plans(&[]) };
    assert!(running.group.set(unknown).is_err(), "a bad change changes nothing");
    assert!(lease.work.borrow().job().is_some());
    running.stop().await;
}

#[tokio::test]
async fn of_several_addresses_one_that_answers_is_used() {
    let pool = OpenPool::start().await;
    let gone = OpenPool::start().await;
    let nobody = gone.address;
    gone.kill().await;
    for region in ["", ", region: auto"] {
        let yaml = format!(
            "{{name: far, url: ['{nobody}', '{}'], user: account.rig{region}}}",
            pool.address
        );
        let mut running = Running::start(&[yaml]);
        let mut lease = running.lease().await;
        running.works_for("pool.far").await;
        let _job = job(&mut lease).await;
        let figures = running.pool("pool.far", |pool| pool.distances[1].1.is_some()).await;
        assert_eq!(figures.endpoint.port(), pool.address.port());
        assert!(figures.distances[0].1.is_none(), "{:?}", figures.distances);
        running.stop().await;
    }
}
