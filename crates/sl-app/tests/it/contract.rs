use std::sync::Arc;

use sl_app::{ALGORITHM, Composition, registry};
use sl_chain::{address::Address, coins};
use sl_ports::{Clock, HttpClient, Randomness};
use sl_solo::{NodeSettings, Solo, SoloPorts, SoloSettings};
use sl_stratum::Password;
use sl_supervise::{ServiceSpec, Supervisor};
use sl_testkit::contract;
use sl_upstream::{Pool, Upstream};
use sl_work::{SourceId, WorkSource};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{farm::quick_world, start};

/// Runs a source's service while the contract is checked.
async fn check(service: ServiceSpec, source: Arc<dyn WorkSource>) {
    let supervisor =
        Supervisor::new(vec![service], fastrand::Rng::with_seed(7)).expect("one service");
    let stop = CancellationToken::new();
    let running = tokio::spawn(supervisor.run(stop.clone()));
    let mut prover = registry().best(ALGORITHM).expect("a right engine");
    contract::keeps(source.as_ref(), &mut prover).await;
    stop.cancel();
    running.await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn solo_keeps_the_contract() {
    let world = quick_world();
    let nodes = start(world.clone(), Composition::Node);
    let node = |coin: &str| {
        let row = coins::by_ticker(coin).expect("in the table");
        let at = world
            .simulation
            .chains()
            .iter()
            .position(|coin| *coin == row.ticker)
            .expect("simulated");
        NodeSettings {
            coin: row.ticker,
            url: format!("http://127.0.0.1:{}", world.simulation.rpc_port + at as u16),
            user: world.simulation.rpc_user.clone(),
            password: "play-coins".into(),
            address: Address::example(row).to_string(),
        }
    };
    let settings = SoloSettings::new(node("LTC"), vec![node("DOGE"), node("DINGO")]);
    let ports = SoloPorts {
        clock: Clock::real(),
        http: HttpClient::default(),
        randomness: Randomness::seeded(7),
    };
    let (events, _blocks) = mpsc::channel(64);
    let solo = Solo::build(settings, ports, events).expect("good settings");
    check(solo.service, Arc::new(solo.source)).await;
    nodes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_keeps_the_contract() {
    // The pool is our own gateway over simulated chains.
    let world = quick_world();
    let pool = start(world.clone(), Composition::Gateway);
    pool.until(|summary| summary.services.get("gateway").is_some_and(|state| state == "ready"))
        .await;
    let upstream = Upstream::new(
        Pool {
            id: SourceId::new("pool.own"),
            endpoint: world.gateway.listen.to_string().parse().expect("an address"),
            user: "contract".into(),
            password: Password::new("x".into()),
        },
        Clock::real(),
        fastrand::Rng::with_seed(7),
    );
    let source = Arc::new(upstream.source());
    let service = ServiceSpec::new("pool.own", "our own gateway as a pool", move |ctx| {
        upstream.clone().run(ctx)
    });
    check(service, source).await;
    pool.stop().await;
}
