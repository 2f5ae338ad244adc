//! The service's own life: its address, its health, its end.

use sl_config::{Secret, Setting};
use tokio::net::TcpListener;

use crate::harness::{Farm, job, settings};

#[tokio::test]
async fn other_computers_are_served_only_when_told_so() {
    let wide = settings(|settings| settings.listen = "0.0.0.0:0".parse().expect("an address"));
    let failure = Farm::start(wide.clone(), "tail").failure().await;
    assert!(failure.contains("0.0.0.0:0 can be reached"), "{failure}");
    assert!(failure.contains("set gateway.allow_lan to true"), "{failure}");
    let open = sl_gateway::GatewaySettings { allow_lan: true, ..wide };
    let failure = Farm::start(open.clone(), "tail").failure().await;
    assert!(failure.contains("set gateway.password"), "{failure}");
    let password = Some(Secret::parse("hush").expect("inline"));
    assert!(sl_gateway::GatewaySettings { password, ..open }.may_listen().is_ok());
}

#[tokio::test]
async fn a_port_in_use_and_an_unknown_algorithm_are_named() {
    let held = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = held.local_addr().expect("bound");
    let failure =
        Farm::start(settings(|settings| settings.listen = address), "tail").failure().await;
    assert!(failure.contains(&format!("cannot listen on {address}")), "{failure}");
    let failure = Farm::start(settings(|_| ()), "x11").failure().await;
    assert!(failure.contains("found algorithm \\\"x11\\\""), "{failure}");
    let secret = settings(|settings| {
        settings.password = Some(Secret::parse("env:PASSWORD").expect("a reference"));
    });
    let failure = Farm::start(secret, "tail").failure().await;
    assert!(failure.contains("gateway.password is set but was not looked up"), "{failure}");
}

#[tokio::test]
async fn it_is_ready_with_work_and_degraded_without() {
    let mut farm = Farm::start(settings(|_| ()), "tail");
    farm.health_says("waiting for test").await;
    farm.widen(8).await;
    farm.health_says("no work: the source has not given work yet").await;
    farm.give(job(1, 1, &[], &farm.clock));
    farm.health_says("Ready").await;
    farm.stop().await;
}

#[tokio::test]
async fn a_source_that_ends_is_a_failure_and_machines_are_disconnected() {
    let mut farm = Farm::working().await;
    let (mut machine, ..) = farm.machine("rig.1").await;
    farm.leased = None;
    machine.closed().await;
    let failure = farm.failure().await;
    assert!(failure.contains("source test gives no lease"), "{failure}");
}

#[tokio::test]
async fn the_stop_closes_every_connection_and_the_port() {
    let mut farm = Farm::working().await;
    let address = farm.address().await;
    let (mut ready, ..) = farm.machine("rig.1").await;
    let mut fresh = farm.connect().await;
    fresh.subscribe(None).await;
    let last = farm.stop().await;
    ready.closed().await;
    fresh.closed().await;
    assert_eq!((last.connections, last.connected), (0, 2));
    TcpListener::bind(address).await.expect("the port is free");
}

#[tokio::test]
async fn a_change_while_it_runs_opens_no_address_for_a_password_that_nobody_asks_yet() {
    let mut farm = Farm::working().await;
    let before = farm.address().await;
    let wide = |settings: &mut sl_gateway::GatewaySettings| {
        settings.listen = "0.0.0.0:0".parse().expect("an address");
        settings.allow_lan = true;
        settings.password = Some(Secret::parse("hush").expect("inline"));
    };
    let refused = farm.live.apply(settings(wide)).expect_err("both wait for a restart");
    assert!(refused.to_string().contains("set gateway.allow_lan"), "{refused}");
    assert_eq!(farm.status.borrow().listen, Some(before));
    // The two alone wait quietly, and nobody is asked for a password meanwhile.
    let waiting = settings(|settings| {
        wide(settings);
        settings.listen = "127.0.0.1:0".parse().expect("an address");
    });
    farm.live.apply(waiting).expect("nothing of it is live");
    farm.machine("rig.1").await;
    farm.stop().await;
}
