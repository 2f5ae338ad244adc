//! A farm over two pools, which are our own gateways over simulated chains.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sl_app::{ALGORITHM, Composition, Settings, registry};
use sl_ports::{Clock, Randomness};
use sl_stratum::Password;
use sl_supervise::{ServiceSpec, Supervisor};
use sl_testkit::{
    contract,
    proxy::{Faults, Proxy},
};
use sl_upstream::{Plans, Pool, PoolEntry, PoolGroup, Strategies, Upstream};
use sl_work::SourceId;
use tokio_util::sync::CancellationToken;

use crate::{Running, farm::quick_world, free_ports, start};

/// A pool: a gateway over chains of its own.
async fn pool() -> (Running, SocketAddr) {
    let world = quick_world();
    let running = start(world.clone(), Composition::Gateway);
    running
        .until(|summary| summary.services.get("gateway").is_some_and(|state| state == "ready"))
        .await;
    (running, world.gateway.listen)
}

fn entry(name: &str, address: SocketAddr, priority: u16) -> PoolEntry {
    let yaml = format!("{{name: {name}, url: ['{address}'], user: farm, priority: {priority}}}");
    sl_config::read_text("pool.yaml", &yaml).expect("good settings")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_pools_keeps_the_contract_and_so_through_a_cut() {
    let (first, at) = pool().await;
    let (second, reserve) = pool().await;
    let proxy = Proxy::start(at).await;
    let randomness = Randomness::seeded(7);
    let group =
        PoolGroup::new(SourceId::new("pools"), Strategies::default(), Clock::real(), randomness);
    let entries = [entry("first", proxy.address(), 0), entry("reserve", reserve, 1)];
    let pools = entries.iter().map(|entry| entry.plan("x").expect("good settings")).collect();
    group.set(Plans { pools, ..Plans::default() }).expect("a known strategy");
    let (source, mut status) = (Arc::new(group.source()), group.status());
    let spec = ServiceSpec::new("pools", "pools", move |ctx| group.clone().run(ctx));
    let supervisor = Supervisor::new(vec![spec], randomness.rng("test")).expect("one service");
    let stop = CancellationToken::new();
    let running = tokio::spawn(supervisor.run(stop.clone()));
    let mut prover = registry().best(ALGORITHM).expect("a right engine");
    let both = |status: &sl_upstream::FailoverStatus| {
        let first = SourceId::new("pool.first");
        status.current == Some(first)
            && status
                .members
                .iter()
                .all(|member| matches!(member.standing.word(), "active" | "standby"))
    };
    status.failover.wait_for(both).await.expect("it lives");
    contract::keeps(source.as_ref(), &mut prover).await;

    let answered = proxy.counts().answered;
    proxy.to_client(Faults { delay: Duration::from_secs(3600), ..Faults::default() });
    let cut = async || {
        proxy.until(|counts| counts.submitted >= answered + 5).await;
        proxy.refuse(true);
        proxy.cut();
        assert_eq!(proxy.until(|counts| counts.cut >= 1).await.in_flight(), 5);
        let other = Some(SourceId::new("pool.reserve"));
        status.failover.wait_for(|status| status.current == other).await.expect("it lives");
        proxy.to_client(Faults::default());
        proxy.refuse(false);
    };
    contract::keeps_through_a_cut(source.as_ref(), &mut prover, 5, cut).await;
    stop.cancel();
    running.await.expect("it ends");
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_alone_keeps_the_contract_through_a_cut() {
    let (running, at) = pool().await;
    let proxy = Proxy::start(at).await;
    let upstream = Upstream::new(
        Pool {
            id: SourceId::new("pool.own"),
            endpoint: proxy.address().to_string().parse().expect("an address"),
            user: "contract".into(),
            password: Password::new("x".into()),
        },
        Clock::real(),
        fastrand::Rng::with_seed(7),
    );
    let source = upstream.source();
    let spec = ServiceSpec::new("pool.own", "our own gateway as a pool", move |ctx| {
        upstream.clone().run(ctx)
    });
    let rng = fastrand::Rng::with_seed(8);
    let supervisor = Supervisor::new(vec![spec], rng).expect("one service");
    let stop = CancellationToken::new();
    let task = tokio::spawn(supervisor.run(stop.clone()));
    let mut prover = registry().best(ALGORITHM).expect("a right engine");
    // Until the fault no answer is held, so that the client is let in.
    let mut status = sl_work::WorkSource::status(&source);
    status.wait_for(|status| status.widest > 0).await.expect("it lives");
    proxy.to_client(Faults { delay: Duration::from_millis(500), ..Faults::default() });
    let cut = async || {
        proxy.until(|counts| counts.submitted >= 5).await;
        proxy.cut();
        proxy.until(|counts| counts.cut >= 1).await;
        proxy.to_client(Faults::default());
    };
    contract::keeps_through_a_cut(&source, &mut prover, 5, cut).await;
    assert!(proxy.counts().connections >= 2, "it came back");
    stop.cancel();
    task.await.expect("it ends");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_do_not_notice_that_a_pool_dies() {
    let (first, at) = pool().await;
    let (second, reserve) = pool().await;
    let farm_at: SocketAddr = ([127, 0, 0, 1], free_ports(1)).into();
    let mut settings = Settings::default();
    settings.gateway.listen = farm_at;
    settings.pools = vec![entry("first", at, 0), entry("reserve", reserve, 1)];
    let farm = start(settings, Composition::Gateway);
    farm.until(|summary| summary.services.get("gateway").is_some_and(|state| state == "ready"))
        .await;
    let mut miner = quick_world();
    miner.pool = Some(
        sl_config::read_text("pool.yaml", &format!("{{url: '{farm_at}', user: rig}}"))
            .expect("good settings"),
    );
    let miner = start(miner, Composition::Mine);
    let accepted = |name: &'static str, least: u64| {
        move |summary: &sl_view::Summary| {
            let upstream = summary.upstream.as_ref().expect("there are pools");
            let pool =
                upstream.pools.iter().find(|pool| pool.name == name).expect("of the settings");
            pool.accepted >= least
        }
    };
    let before = farm.until(accepted("first", 3)).await;
    let upstream = before.upstream.expect("there are pools");
    assert_eq!(upstream.active.as_deref(), Some("first"));
    assert_eq!(upstream.pools[1].state, "standby");
    first.stop().await;
    let after = farm.until(accepted("reserve", 3)).await;
    let upstream = after.upstream.expect("there are pools");
    let event = upstream.failovers.first().expect("it failed over");
    assert_eq!((event.from.as_deref(), event.to.as_str()), (Some("first"), "reserve"));
    // How fast it is, is measured by the bench; a test fails only where it hangs.
    assert!(event.switched_s < 10.0, "{event:?}");
    let gateway = after.gateway.expect("it runs");
    assert_eq!((gateway.connections, gateway.connections_total), (1, 1), "no machine was dropped");
    assert_eq!(after.pool.expect("the one in use").url, format!("stratum+tcp://{reserve}"));
    miner.stop().await;
    farm.stop().await;
    second.stop().await;
}
