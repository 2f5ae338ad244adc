//! Virtual machines at a gateway of simulated chains: what they tell and what the gateway counts.

use std::net::Ipv4Addr;

use sl_app::{Composition, Settings};
use sl_twin::Ports;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{farm::quick_world, free_ports, start};

const NET: &str = "127.79.0.0/29";

fn machines(gateway: &Settings) -> (Settings, Ports) {
    let first = free_ports(2);
    let ports = Ports { http: first, rpc: first + 1 };
    let mut settings = Settings::default();
    settings.machines.count = 3;
    settings.machines.net = NET.parse().expect("a net");
    settings.machines.ports = Some(ports);
    settings.machines.pool = gateway.gateway.listen.to_string().parse().ok();
    settings.mine.threads = sl_hasher::Threads::Number(1);
    (settings, ports)
}

/// One request to the mining program of a machine.
async fn ask(machine: u8, port: u16, request: &str) -> serde_json::Value {
    let address = (Ipv4Addr::new(127, 79, 0, machine), port);
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it takes bytes");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.expect("it answers");
    let reply = reply.strip_suffix(b"\0").unwrap_or(&reply);
    serde_json::from_slice(reply).expect("it speaks JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_machines_tell_is_what_the_gateway_counts() {
    let mut world = quick_world();
    world.gateway.shares_per_minute = 240.0;
    let (settings, ports) = machines(&world);
    let gateway = start(world, Composition::Gateway);
    gateway.until(|summary| summary.gateway.as_ref().is_some_and(|it| it.listen.is_some())).await;
    let twins = start(settings, Composition::Twin);
    let shares = |worker: &sl_view::Worker| worker.accepted >= 3;
    let names = ["farm.0x1", "farm.0x2", "farm.0x3"];
    let summary = gateway
        .until(|summary| {
            let workers = summary.gateway.iter().flat_map(|gateway| &gateway.workers);
            let named = workers.filter(|worker| names.contains(&worker.worker.as_str()));
            named.filter(|worker| shares(worker)).count() == names.len()
        })
        .await;
    assert_eq!(summary.shares.rejected, 0, "{:?}", summary.shares.rejected_by_reason);

    let told = twins.until(|summary| summary.twins.as_ref().is_some_and(|it| it.mining == 3)).await;
    assert_eq!((told.machines.online, told.machines.total), (3, 3));
    let reply = ask(2, ports.rpc, "{\"command\":\"pools\"}").await;
    let pool = &reply["POOLS"][0];
    assert_eq!(pool["User"], "farm.0x2", "the machine is the one that was called");
    assert!(pool["Accepted"].as_u64().is_some_and(|count| count > 0), "{pool}");

    // Who is told to stop waits for its verdicts, so both sides have counted the same.
    let told = twins.stop().await.twins.expect("they ran");
    let summary = gateway.stop().await;
    assert_eq!(told.accepted, summary.shares.accepted);
    assert!(told.hw_errors > 0, "chips are not perfect");
    // Nine gigahashes each, in kilohashes: the scale is what lies between.
    let shown = told.hashrate_shown_hs / told.hash_scale;
    assert!((shown / told.hashrate_wanted_hs - 1.0).abs() < 0.2, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farm_has_virtual_machines_and_their_scale() {
    let mut world = quick_world();
    let first = free_ports(2);
    world.machines.count = 2;
    world.machines.net = "127.80.0.0/29".parse().expect("a net");
    world.machines.ports = Some(Ports { http: first, rpc: first + 1 });
    let running = start(world, Composition::Up);
    let summary = running
        .until(|summary| {
            let mined = summary.twins.as_ref().is_some_and(|twins| twins.accepted > 0);
            mined && (summary.machines.online, summary.machines.total) == (3, 3)
        })
        .await;
    let twins = summary.twins.expect("they run");
    let world = summary.world.expect("a simulated one");
    assert!(twins.hash_scale > 1e6, "{twins:?}");
    assert_eq!(world.hash_scale, twins.hash_scale, "one world, one scale");
    let workers = summary.gateway.expect("it runs").workers;
    let machine = workers.iter().find(|it| it.worker == "farm.0x1").expect("it came");
    let claimed = machine.work_done.as_ref().expect("its nameplate is known").claimed_hs;
    assert!((claimed / 9.5e9 - 1.0).abs() < 1e-6, "{claimed}");
    running.stop().await;
}

/// Ports that another program has are no reason not to mine.
#[tokio::test(flavor = "multi_thread")]
async fn machines_that_nobody_can_call_still_mine() {
    let mut world = quick_world();
    let first = free_ports(2);
    world.machines.count = 1;
    world.machines.net = "127.81.0.0/30".parse().expect("a net");
    world.machines.ports = Some(Ports { http: first, rpc: first + 1 });
    let taken = std::net::TcpListener::bind((Ipv4Addr::new(127, 81, 0, 1), first + 1));
    let _taken = taken.expect("a free port");
    let running = start(world, Composition::Up);
    let mined =
        |summary: &sl_view::Summary| summary.twins.as_ref().is_some_and(|twins| twins.accepted > 0);
    let summary = running.until(mined).await;
    assert_eq!(summary.services["machines"], "degraded");
    running.stop().await;
}
