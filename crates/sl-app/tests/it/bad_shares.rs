//! A virtual machine that sends shares which miss their target, at a real gateway.

use std::{net::Ipv4Addr, time::Duration};

use sl_app::{Composition, Settings};
use sl_twin::Ports;
use sl_view::{Summary, Worker};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{farm::quick_world, free_ports, start};

#[tokio::test(flavor = "multi_thread")]
async fn what_misses_the_target_is_refused_and_the_machine_tells_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = folder.path().join("bad.yaml");
    let text = "events: [{at: 0s, machine: 1, fault: bad-shares, share: 0.34}]\n";
    std::fs::write(&scenario, text).expect("it is written");
    let mut world = quick_world();
    world.gateway.shares_per_minute = 240.0;
    let first = free_ports(2);
    let ports = Ports { http: first, rpc: first + 1 };
    let mut settings = Settings::default();
    settings.machines.count = 2;
    settings.machines.net = "127.82.0.0/29".parse().expect("a net");
    settings.machines.ports = Some(ports);
    settings.machines.pool = world.gateway.listen.to_string().parse().ok();
    settings.machines.scenario = Some(scenario);
    settings.mine.threads = sl_hasher::Threads::Number(1);

    let gateway = start(world, Composition::Gateway);
    gateway.until(|summary| summary.gateway.as_ref().is_some_and(|it| it.listen.is_some())).await;
    let twins = start(settings, Composition::Twin);
    let summary = gateway
        .until(|summary| {
            let good = worker(summary, "farm.0x1").is_some_and(|it| it.accepted >= 4);
            let bad = worker(summary, "farm.0x2");
            good && bad.is_some_and(|it| it.accepted >= 4 && it.rejected >= 3)
        })
        .await;
    assert_eq!(
        worker(&summary, "farm.0x1").map(|it| it.rejected),
        Some(0),
        "its neighbour is well"
    );

    // What it shows is made anew each second.
    let told = loop {
        let told = pools(ports.rpc).await;
        if told["pools"][0]["POOLS"][0]["Rejected"].as_u64() >= Some(3) {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let (all, pool) = (&told["summary"][0]["SUMMARY"][0], &told["pools"][0]["POOLS"][0]);
    assert_eq!(all["Rejected"], pool["Rejected"]);
    assert_eq!(all["Difficulty Rejected"], pool["Difficulty Rejected"]);
    assert!(pool["Pool Rejected%"].as_f64().is_some_and(|share| share > 0.0), "{told}");
    let told = twins.stop().await.twins.expect("they ran");
    let counted = gateway.stop().await.shares;
    assert_eq!(told.accepted, counted.accepted);
    // To a machine a late share is a rejected one.
    assert_eq!(told.rejected, counted.rejected + counted.stale);
}

fn worker<'a>(summary: &'a Summary, name: &str) -> Option<&'a Worker> {
    summary.gateway.iter().flat_map(|it| &it.workers).find(|it| it.worker == name)
}

/// `summary` and `pools` of the second machine, at one instant.
async fn pools(port: u16) -> serde_json::Value {
    let machine = (Ipv4Addr::new(127, 82, 0, 2), port);
    let mut stream = TcpStream::connect(machine).await.expect("it listens");
    let request = b"{\"command\":[\"summary\",\"pools\"]}";
    stream.write_all(request).await.expect("it takes bytes");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.expect("it answers");
    serde_json::from_slice(reply.strip_suffix(b"\0").unwrap_or(&reply)).expect("it speaks JSON")
}
