//! Pages that change something: what they answer and what the machine is told.

use std::time::Duration;

use sl_twin::{Command, ConfChange, NetworkChange, PoolChange};
use tokio::time::Instant;

use super::booth::Booth;
use super::client::{call, get, login, md5, parse, port_80, post, request};
use super::sample;

/// Posts to a page of an L7: the code in the answer, and what the machine was told.
async fn told(page: &str, body: &str) -> (String, Option<Command>) {
    let l7 = Booth::new(sample::l7());
    let reply = post(&l7, page, body).await;
    let answer: serde_json::Value = serde_json::from_str(&reply.body).expect("JSON");
    let mut told = l7.told();
    assert!(told.len() < 2);
    (answer["code"].as_str().expect("a code").to_owned(), told.pop())
}

fn pool(url: &str, user: &str, pass: &str) -> PoolChange {
    let text = |text: &str| Some(text.to_owned());
    PoolChange { url: text(url), user: text(user), pass: text(pass) }
}

#[tokio::test(start_paused = true)]
async fn a_configuration_is_taken_apart() {
    // As pyasic sends it: a misspelt key, and the level always at 100.
    let body = r#"{"bitmain-fan-ctrl":false,"bitmain-fan-pwn":"100","freq-level":"100","miner-mode":0,"pools":[{"url":"stratum+tcp://a:1","user":"u","pass":"p"},{"url":"","user":"","pass":""}]}"#;
    let (code, command) = told("set_miner_conf", body).await;
    assert_eq!(code, "M000");
    let expect = ConfChange {
        pools: [pool("stratum+tcp://a:1", "u", "p"), pool("", "", ""), PoolChange::default()],
        algo: None,
        fan_fixed: Some(false),
        fan_pwm: None,
        work_mode: Some(0),
        freq_level: Some("100".to_owned()),
    };
    assert_eq!(command, Some(Command::SetConf(Box::new(expect))));
}

#[tokio::test(start_paused = true)]
async fn a_configuration_takes_a_second() {
    let l7 = Booth::new(sample::l7());
    let began = Instant::now();
    post(&l7, "set_miner_conf", r#"{"miner-mode":"3"}"#).await;
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    let expect = ConfChange { work_mode: Some(3), ..ConfChange::default() };
    assert_eq!(l7.told(), [Command::SetConf(Box::new(expect))]);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_over_several_lines_is_refused() {
    assert_eq!(told("set_miner_conf", "{\n\"miner-mode\": 1}").await, ("M001".to_owned(), None));
}

#[tokio::test(start_paused = true)]
async fn the_light_takes_a_truth_in_two_forms() {
    for (body, code, command) in [
        (r#"{"blink":true}"#, "B000", Some(Command::Blink(true))),
        (r#"{"blink": "true"}"#, "B000", Some(Command::Blink(true))),
        (r#"{"blink":"false"}"#, "B100", Some(Command::Blink(false))),
        (r#"{"blink":}"#, "B001", None),
        ("", "B001", None),
    ] {
        assert_eq!(told("blink", body).await, (code.to_owned(), command), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_is_changed_for_the_web_alone() {
    for (body, code) in [
        (r#"{"curPwd":"x","newPwd":"a","confirmPwd":"a"}"#, "P001"),
        (r#"{"curPwd":"root","newPwd":"","confirmPwd":"a"}"#, "P002"),
        (r#"{"curPwd":"root","newPwd":"a","confirmPwd":""}"#, "P003"),
        (r#"{"curPwd":"root","newPwd":"a","confirmPwd":"b"}"#, "P004"),
        ("nonsense", "P001"),
    ] {
        assert_eq!(told("passwd", body).await, (code.to_owned(), None), "{body}");
    }
    let l7 = Booth::new(sample::l7());
    post(&l7, "passwd", r#"{"curPwd":"root","newPwd":"s e","confirmPwd":"s e"}"#).await;
    assert_eq!(l7.told(), [Command::Passwd(md5("root:antMiner Configuration:s e"))]);
    assert_eq!(call(&l7, "GET", "summary", "", "root").await.status, 401);
    assert_eq!(call(&l7, "GET", "summary", "", "s e").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_network_is_checked_field_by_field() {
    let good = r#"{"ipHost":"rack1","ipPro":2,"ipAddress":"10.0.0.9","ipSub":"255.0.0.0","ipGateway":"10.0.0.1","ipDns":"8.8.8.8"}"#;
    for (from, to, code) in [
        ("rack1", "1rack", "N001"),
        ("10.0.0.9", "10.0.0", "N002"),
        ("255.0.0.0", "x", "N003"),
        ("10.0.0.1", "", "N004"),
        ("8.8.8.8", "8.8.8.8888", "N005"),
    ] {
        let body = good.replace(from, to);
        assert_eq!(told("set_network_conf", &body).await, (code.to_owned(), None));
    }
    let text = |text: &str| Some(text.to_owned());
    let fixed = NetworkChange {
        hostname: text("rack1"),
        dhcp: Some(false),
        address: text("10.0.0.9"),
        netmask: text("255.0.0.0"),
        gateway: text("10.0.0.1"),
        dns: text("8.8.8.8"),
    };
    let expect = ("N000".to_owned(), Some(Command::SetNetwork(Box::new(fixed))));
    assert_eq!(told("set_network_conf", good).await, expect);
    let (code, command) = told("set_network_conf", r#"{"ipHost":"a","ipPro":"1"}"#).await;
    assert_eq!(code, "N000");
    match command {
        Some(Command::SetNetwork(change)) => assert_eq!(change.dhcp, Some(true)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_is_told_as_it_is_and_as_it_was_written() {
    let l7 = Booth::new(sample::l7());
    l7.change(|readings| {
        readings.network.dhcp = false;
        "rack1".clone_into(&mut readings.network.hostname);
        "10.0.0.9".clone_into(&mut readings.network.conf_address);
    });
    assert_eq!(
        get(&l7, "get_network_info").await.body,
        "\n{\n\"nettype\":\"Static\",\n\"netdevice\":\"eth0\",\n\
         \"macaddr\":\"02:11:22:33:44:55\",\n\"ipaddress\":\"10.0.0.7\",\n\
         \"netmask\":\"255.255.255.0\",\n\"conf_nettype\":\"Static\",\n\
         \"conf_hostname\":\"rack1\",\n\"conf_ipaddress\":\"10.0.0.9\",\n\
         \"conf_netmask\":\"\",\n\"conf_gateway\":\"\",\n\"conf_dnsservers\":\"\"\n}\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_firmware_file_is_taken_and_restarts_the_machine() {
    let file = format!("--b\r\nContent-Disposition: form-data\r\n\r\n{}", "x".repeat(200_000));
    for (page, kind, body, code, command) in [
        ("upgrade", "multipart/form-data; boundary=b", &file, "U000", Some(Command::Reboot)),
        (
            "upgrade_clear",
            "multipart/form-data; boundary=b",
            &file,
            "U000",
            Some(Command::ResetConf),
        ),
        ("upgrade", "application/json", &file, "U001", None),
        ("upgrade", "multipart/form-data; boundary=b", &"{}".to_owned(), "U001", None),
    ] {
        let l7 = Booth::new(sample::l7());
        let target = format!("/cgi-bin/{page}.cgi");
        let login = login("POST", &target, "1", "root");
        let request = request("POST", &target, &format!("Content-Type: {kind}\r\n{login}"), body);
        let reply = parse(&port_80(&l7, &[request.as_bytes()]).await);
        let answer: serde_json::Value = serde_json::from_str(&reply.body).expect("JSON");
        assert_eq!(answer["code"], code, "{page} {kind}");
        assert_eq!(l7.told().pop(), command, "{page} {kind}");
        if code == "U000" {
            let recorded = include_str!(
                "../../../../../testdata/asic-api/antminer-l7/derived/cgi_upgrade_ok.json"
            );
            assert_eq!(answer, serde_json::from_str::<serde_json::Value>(recorded).expect("JSON"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_l3plus_takes_forms() {
    let l3 = Booth::new(sample::l3plus());
    let body = "_ant_pool1url=stratum%2Btcp%3A%2F%2Fa%3A1&_ant_pool1user=u&_ant_pool1pw=p";
    assert_eq!(post(&l3, "set_miner_conf", body).await.body, "ok\n");
    let pools = [pool("stratum+tcp://a:1", "u", "p"), PoolChange::default(), PoolChange::default()];
    let expect = ConfChange { pools, ..ConfChange::default() };
    assert_eq!(l3.told(), [Command::SetConf(Box::new(expect))]);
    assert_eq!(post(&l3, "blink", "action=startBlink").await.status, 200);
    assert_eq!(l3.told(), [Command::Blink(true)]);
    let asked = post(&l3, "blink", "action=onPageLoaded").await.body;
    assert_eq!(asked.trim(), r#"{"isBlinking":false}"#);
    let network = "_ant_conf_nettype=Static&_ant_conf_hostname=9&_ant_conf_ipaddress=10.0.0.9&\
                   _ant_conf_netmask=x";
    assert_eq!(post(&l3, "set_network_conf", network).await.body, "ok\n");
    let expect = NetworkChange {
        dhcp: Some(false),
        address: Some("10.0.0.9".to_owned()),
        ..NetworkChange::default()
    };
    assert_eq!(l3.told(), [Command::SetNetwork(Box::new(expect))]);
}

#[tokio::test(start_paused = true)]
async fn the_l3plus_tells_of_its_fans_when_they_are_set() {
    let l3 = Booth::new(sample::l3plus());
    let keys = async |l3: &Booth| {
        let body = get(l3, "get_miner_conf").await.body;
        let conf: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(conf["bitmain-freq"], "384");
        conf.get("bitmain-fan-pwm").cloned()
    };
    assert_eq!(keys(&l3).await, None);
    l3.change(|readings| readings.conf.fan_fixed = true);
    assert_eq!(keys(&l3).await, Some("100".into()));
}
