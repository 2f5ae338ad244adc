//! Settings that change while machines are served, and machines that come by memory.

use std::time::Duration;

use serde_json::json;
use sl_gateway::{GatewayStatus, VardiffRule};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::harness::{Farm, difficulty, job, settings, soon};

#[tokio::test]
async fn a_new_address_takes_over_and_nobody_is_dropped() {
    let mut farm = Farm::working().await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    let old = farm.address().await;
    // A port that was free a moment ago.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let new = free.local_addr().expect("bound");
    let held = farm.live.apply(settings(|settings| settings.listen = new));
    let held = held.expect_err("somebody else has it").to_string();
    for part in [&new.to_string(), "is in use by", "listens where it did"] {
        assert!(held.contains(part), "{held}");
    }
    drop(free);
    farm.live.apply(settings(|settings| settings.listen = new)).expect("it is free");
    farm.status_when(|status| status.listen == Some(new)).await;
    machine.submit("rig.1", &notify, 0, 1).await.expect("still connected");
    farm.machine("rig.2").await;
    assert!(tokio::net::TcpStream::connect(old).await.is_err(), "the old one is closed");
    let wide = farm.live.apply(settings(|it| it.listen = "0.0.0.0:0".parse().expect("wide")));
    assert!(wide.expect_err("not allowed").to_string().contains("allow_lan"));
    farm.stop().await;
}

#[tokio::test]
async fn limits_and_difficulty_follow_while_machines_mine() {
    let mut farm = Farm::working().await;
    let (mut machine, told, notify) = farm.machine("rig.1").await;
    assert_eq!(told, 0.25);
    let lower = |settings: &mut sl_gateway::GatewaySettings| {
        settings.max_difficulty = Some(difficulty(0.125));
        settings.vardiff = VardiffRule::Fixed;
        settings.max_connections = 1;
    };
    farm.live
        .apply(settings(|it| {
            it.listen = "127.0.0.1:0".parse().expect("an address");
            lower(it);
        }))
        .expect("no new address");
    farm.give(job(2, 1, &[], &farm.clock));
    assert_eq!(machine.hear().await["params"], json!([0.125]));
    machine.notify().await;
    machine.submit("rig.1", &notify, 0, 1).await.expect("the old difficulty held for the old job");
    let mut second = farm.connect().await;
    second.closed().await;
    farm.status_when(|status| status.protection.over_limit == 1).await;
    machine.submit("rig.1", &notify, 0, 2).await.expect("over the limit or not, it stays");
    farm.stop().await;
}

#[tokio::test]
async fn changes_under_load_drop_nobody_and_lose_no_share() {
    const MACHINES: u64 = 40;
    // Nobody is held back, so that the load is one.
    let quick = |settings: &mut sl_gateway::GatewaySettings| {
        settings.shares_per_second = 100_000;
        settings.messages_per_second = 100_000;
        settings.bytes_per_second = 100_000_000;
    };
    let mut farm = Farm::working_with(quick).await;
    let (stop, stopped) = watch::channel(false);
    let (sent, mut accepted) = mpsc::channel(1);
    let mut machines = JoinSet::new();
    for number in 0..MACHINES {
        let user = format!("rig.{number}");
        let (mut machine, _, notify) = farm.machine(&user).await;
        let (stopped, sent) = (stopped.clone(), sent.clone());
        machines.spawn(async move {
            let mut shares = 0;
            while !*stopped.borrow() {
                machine.submit(&user, &notify, shares, 1).await.expect("accepted");
                shares += 1;
                let _ = sent.send(()).await;
            }
            u64::from(shares)
        });
    }
    drop(sent);
    let rules = [VardiffRule::Fixed, VardiffRule::Banded, VardiffRule::Poisson];
    for (round, rule) in (0u32..15).zip(rules.into_iter().cycle()) {
        let changed = settings(|settings| {
            quick(settings);
            settings.vardiff = rule;
            settings.shares_per_minute = 6.0 + f64::from(round);
            settings.max_connections = 1 + round;
            settings.messages_per_second = 50_000 + round;
            settings.connections_per_address = Some(1 + round);
            settings.idle_timeout = Duration::from_secs(60 + u64::from(round));
        });
        farm.live.apply(changed).expect("applied");
        let wide = settings(|it| it.listen = "0.0.0.0:0".parse().expect("wide"));
        farm.live.apply(wide).expect_err("not allowed, and nothing changes");
        farm.give(job(u64::from(round) + 2, 1, &[("LTC", 1)], &farm.clock));
        for _ in 0..100 {
            soon(accepted.recv()).await.expect("a share");
        }
    }
    stop.send_replace(true);
    while accepted.recv().await.is_some() {}
    let sum: u64 = machines.join_all().await.into_iter().sum();
    let counted = |status: &GatewayStatus| {
        status.shares.accepted == sum && status.connections == 0 && status.jobs == 16
    };
    let status = farm.status_when(counted).await;
    assert_eq!((status.connected, status.shares.rejected()), (MACHINES, 0), "{:?}", status.shares);
    farm.stop().await;
}

#[tokio::test]
async fn a_new_difficulty_comes_at_once_with_the_job_sent_again() {
    let mut farm = Farm::working_with(|settings| {
        settings.min_difficulty = difficulty(0.001);
        settings.start_difficulty = Some(difficulty(0.01));
    })
    .await;
    let (mut machine, told, first) = farm.machine("rig.1").await;
    let (mut bystander, ..) = farm.machine("rig.2").await;
    assert_eq!(told, 0.01);
    // Far more than six a minute: the count says so within its first shares, and no new job comes.
    let mut lines = String::new();
    for nonce in 0..24 {
        let params = json!(["rig.1", first[0], "00000000", first[7], format!("{nonce:08x}")]);
        lines += &format!("{}\n", json!({"id": 4, "method": "mining.submit", "params": params}));
    }
    machine.say(&lines).await;
    let again = loop {
        let heard = machine.hear().await;
        if heard["method"] == "mining.set_difficulty" {
            assert!(heard["params"][0].as_f64().expect("a number") > 0.5, "{heard}");
            break machine.notify().await;
        }
        assert_eq!(heard["result"], json!(true), "{heard}");
    };
    assert_ne!(again[0], first[0], "under a number of its own");
    assert_eq!(again[8], json!(false));
    assert!(again[7].as_str() > first[7].as_str(), "with a later time: {again} {first}");
    machine.submit("rig.1", &first, 0, 24).await.expect("old work at the old difficulty");
    // It was for this machine alone.
    let reply = bystander.ask("mining.ping", json!([])).await;
    assert_eq!(reply, Ok(json!("pong")));
    farm.stop().await;
}

#[tokio::test]
async fn an_address_that_misbehaves_is_kept_out_and_its_neighbours_are_not() {
    let mut farm = Farm::working().await;
    let mut honest = farm.connect_from("198.51.100.7").await;
    let (_, notify) = honest.introduce("rig.1", None).await;
    let mut sleeper = farm.connect_from("203.0.113.9").await;
    sleeper.introduce("sleeper", None).await;
    let mut worker = farm.connect_from("203.0.113.9").await;
    let (_, work) = worker.introduce("worker", None).await;
    worker.submit("worker", &work, 0, 1).await.expect("accepted");
    // Half a ban each, and a little is forgiven in between.
    for _ in 0..3 {
        let mut rude = farm.connect_from("203.0.113.9").await;
        rude.say(&"x\n".repeat(20)).await;
        rude.closed().await;
    }
    farm.status_when(|status| status.guard.bans == 1).await;
    let mut again = farm.connect_from("203.0.113.9").await;
    again.closed().await;
    // A connection of it that was there before ends with its next word.
    sleeper.say("{\"id\":1,\"method\":\"mining.ping\",\"params\":[]}\n").await;
    sleeper.closed().await;
    // One that has proven work stays, also when it makes a mistake.
    worker.submit("worker", &work, 0, 2).await.expect("accepted");
    worker.submit("worker", &work, 0, 2).await.expect_err("sent before");
    worker.submit("worker", &work, 0, 3).await.expect("accepted");
    let refused = |status: &GatewayStatus| {
        status.guard.refused(sl_guard::RefuseWhy::Banned) >= 1 && status.protection.banned == 1
    };
    farm.status_when(refused).await;
    honest.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    farm.connect_from("203.0.113.8").await.introduce("rig.2", None).await;
    farm.stop().await;
}

#[tokio::test]
async fn a_line_that_drips_ends_its_connection() {
    let mut farm =
        Farm::working_with(|settings| settings.line_within = Duration::from_secs(1)).await;
    let mut slow = farm.connect_from("203.0.113.9").await;
    slow.introduce("slow", None).await;
    slow.say("{\"id\":1,").await;
    slow.closed().await;
    let ended = |status: &GatewayStatus| {
        status.guard.closed(sl_guard::CloseWhy::TooSlow)
            + status.guard.closed(sl_guard::CloseWhy::LineTimeout)
            == 1
    };
    farm.status_when(ended).await;
    farm.stop().await;
}

#[tokio::test]
async fn a_thousand_machines_come_by_memory_and_hear_one_job() {
    let mut farm = Farm::working().await;
    let mut machines = Vec::new();
    for number in 0..1000 {
        let mut machine = farm.connect_from("10.1.2.3").await;
        machine.introduce(&format!("rig.{number}"), None).await;
        machines.push(machine);
    }
    let mut slots: Vec<_> = machines.iter().map(|machine| machine.slot.clone()).collect();
    slots.sort();
    slots.dedup();
    assert_eq!(slots.len(), 1000, "no two share a slot");
    farm.give(job(2, 2, &[], &farm.clock));
    let mut lines = Vec::new();
    for machine in &mut machines {
        let notify = soon(machine.notify()).await;
        lines.push(notify);
    }
    lines.dedup();
    assert_eq!(lines.len(), 1, "one line serves all");
    let sent =
        |status: &GatewayStatus| status.sent.back().is_some_and(|sent| sent.machines == 1000);
    farm.status_when(sent).await;
    farm.stop().await;
}

#[tokio::test]
async fn behind_a_balancer_the_address_of_the_header_counts() {
    let mut farm = Farm::working_with(|settings| {
        settings.proxy_from = vec!["10.0.0.0/24".parse().expect("a network")];
        settings.connections_per_address = Some(1);
    })
    .await;
    let header = |client: &str| format!("PROXY TCP4 {client} 10.0.0.1 56324 3333\r\n");
    let mut one = farm.connect_from("10.0.0.1").await;
    one.say(&header("203.0.113.1")).await;
    let (_, notify) = one.introduce("rig.1", None).await;
    one.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    // Header and first words in one piece, and another client of the same balancer.
    let mut two = farm.connect_from("10.0.0.1").await;
    two.say(&format!("{}{{\"id\":1,\"method\":\"mining.ping\"}}\n", header("203.0.113.2"))).await;
    assert_eq!(two.reply().await, Ok(json!("pong")));
    let mut same = farm.connect_from("10.0.0.1").await;
    same.say(&header("203.0.113.1")).await;
    same.closed().await;
    let mut silent_about_it = farm.connect_from("10.0.0.2").await;
    silent_about_it.say("{\"id\":1,\"method\":\"mining.ping\"}\n").await;
    silent_about_it.closed().await;
    // From elsewhere a header is no header.
    let mut liar = farm.connect_from("203.0.113.66").await;
    liar.say(&header("203.0.113.1")).await;
    assert_eq!(liar.reply().await.expect_err("no JSON").0, 20);
    // The binary header of version 2.
    let mut modern = farm.connect_from("10.0.0.1").await;
    let begin = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
    modern.say(&format!("{begin}\x64\x40\x01\x02\x0a\0\0\x01\x12\x34\x0d\x05")).await;
    modern.introduce("rig.3", None).await;
    let counted = |status: &GatewayStatus| {
        status.guard.proxy_headers == 4
            && status.guard.refused(sl_guard::RefuseWhy::Address) == 1
            && status.connections == 4
    };
    let status = farm.status_when(counted).await;
    let addresses: Vec<_> =
        status.machines.iter().map(|machine| machine.address.to_string()).collect();
    assert_eq!(addresses, ["203.0.113.1:56324", "100.64.1.2:4660"]);
    farm.stop().await;
}

#[tokio::test]
async fn machines_come_over_tls_by_a_port_of_their_own() {
    let place = tempfile::tempdir().expect("a place");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (chain, key) = (place.path().join("chain.pem"), place.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("its owner's alone");
    let mut farm = Farm::working_with(|settings| {
        settings.tls_listen = Some("127.0.0.1:0".parse().expect("an address"));
        settings.tls_certificate = Some(chain);
        settings.tls_key = Some(key);
    })
    .await;
    let address = farm.status_when(|status| status.tls_listen.is_some()).await.tls_listen;
    let address = address.expect("waited for");
    let pin = sl_ports::tls::Fingerprint::of(made.cert.der());
    let trust = sl_ports::tls::Trust::Pinned(pin);
    let connector = sl_ports::tls::client::Connector::new(&trust).expect("a pin");
    let stream = soon(tokio::net::TcpStream::connect(address)).await.expect("it listens");
    let stream = soon(connector.connect("localhost", stream)).await.expect("its certificate");
    let mut machine = crate::harness::Client::over(stream);
    let (_, notify) = machine.introduce("rig.1", None).await;
    machine.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    // One that speaks plainly at this port.
    let mut plain = crate::harness::Client::over(
        soon(tokio::net::TcpStream::connect(address)).await.expect("it listens"),
    );
    plain.say("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n").await;
    plain.closed().await;
    farm.status_when(|status| status.protection.tls_failed == 1).await;
    farm.stop().await;
}
