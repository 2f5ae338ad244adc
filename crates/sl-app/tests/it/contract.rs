use std::sync::Arc;

use sl_app::{ALGORITHM, Composition, Settings, registry};
use sl_chain::{address::Address, coins};
use sl_ports::{Clock, HttpClient, Randomness};
use sl_solo::{NodeSettings, Solo, SoloPorts, SoloSettings};
use sl_stratum::Password;
use sl_supervise::{ServiceSpec, Supervisor};
use sl_testkit::contract;
use sl_upstream::{Pool, Upstream};
use sl_work::{Ask, SourceId, Work, WorkSource};
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

/// Solo on simulated nodes of a quick world.
fn solo(world: &Settings) -> (Solo, SoloSettings) {
    let node = |coin: &str| {
        let row = coins::by_ticker(coin).expect("in the table");
        let at = world.simulation.chains().iter().position(|coin| *coin == row.ticker);
        NodeSettings {
            coin: row.ticker,
            url: format!(
                "http://127.0.0.1:{}",
                world.simulation.rpc_port + at.expect("simulated") as u16
            ),
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
    // Nobody listens for blocks here; what the source does without a listener is to count them.
    let (events, _) = mpsc::channel(64);
    (Solo::build(settings.clone(), ports, events).expect("good settings"), settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn solo_keeps_the_contract() {
    let world = quick_world();
    let nodes = start(world.clone(), Composition::Node);
    let (solo, _) = solo(&world);
    check(solo.service, Arc::new(solo.source)).await;
    nodes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payout_addresses_change_while_mining() {
    let world = quick_world();
    let nodes = start(world.clone(), Composition::Node);
    let (solo, mut settings) = solo(&world);
    let supervisor =
        Supervisor::new(vec![solo.service], fastrand::Rng::with_seed(7)).expect("one service");
    let stop = CancellationToken::new();
    let running = tokio::spawn(supervisor.run(stop.clone()));
    let mut lease =
        solo.source.lease(Ask { free: 4, consumer: "test".into() }).expect("wide enough");
    let pays = |script: Vec<u8>| {
        move |work: &Work| {
            work.job().is_some_and(|job| {
                job.goals.len() == 3
                    && job.coinbase.suffix.windows(script.len()).any(|part| part == script)
            })
        }
    };
    let address =
        |coin, hash| Address::p2pkh(coins::by_ticker(coin).expect("in the table"), [hash; 20]);
    let example = Address::example(coins::by_ticker("LTC").expect("in the table"));
    soon(lease.work.wait_for(pays(example.script_pubkey()))).await.expect("the source lives");

    settings.parent.address = "no address".into();
    assert!(solo.live.apply(settings.clone()).is_err(), "a wrong address changes nothing");
    settings.parent.address = address("LTC", 7).to_string();
    settings.auxiliaries[0].address = address("DOGE", 8).to_string();
    solo.live.apply(settings).expect("good addresses");
    let new = address("LTC", 7).script_pubkey();
    soon(lease.work.wait_for(pays(new))).await.expect("the same lease goes on");
    stop.cancel();
    running.await.expect("it ends");
    nodes.stop().await;
}

/// Only a hanging test meets the end of patience.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_secs(120), what).await.expect("it comes")
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
