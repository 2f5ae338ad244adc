//! `silverlode twin` as somebody meets it who tries it for the first time.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{Home, status, text};

/// What is wrong with the words, told once, and nothing begins.
fn refused(words: &[&str], parts: &[&str]) {
    let home = Home::new();
    home.write("quiet.yaml", "events: []\n");
    home.write("one.yaml", "events:\n  - {at: 1h, machine: 2, fault: fan-lost}\n");
    home.write("wrong.yaml", "length: never\nevents:\n  - {at: 1h, fault: rain}\n");
    let output = home.run(&[&["twin"], words].concat());
    let told = text(&output.stderr);
    assert_eq!(status(&output), 2, "{words:?}: {told}");
    assert_eq!(text(&output.stdout), "", "{words:?}");
    for part in parts {
        assert_eq!(told.matches(part).count(), 1, "{part} once in:\n{told}");
    }
}

#[test]
fn wrong_words_are_refused_with_what_is_allowed() {
    let pool = "allowed: stratum+tcp://HOST:PORT";
    refused(&["--pool", "nonsense"], &["no port", pool]);
    refused(&["--pool", "http://127.0.0.1:3333"], &["an unknown scheme", pool]);
    refused(&["--pool", "stratum+ssl://pool.example:443"], &["speaks no TLS", pool]);
    refused(&["--count", "0"], &["machines.count is 0", "1 to 20000"]);
    refused(&["--threads", "0"], &["found \"0\"", "from 1 to 1024", "write auto"]);
    refused(&["--net", "banana"], &["found \"banana\"", "ADDRESS/LENGTH"]);
    refused(&["--net", "127.7.0.0/33"], &["found a length of 33", "allowed is 8 to 30"]);
    refused(&["--ports", "80"], &["found \"80\"", "8080,4028"]);
    refused(&["--firmware", "2021-01"], &["firmware release \"2021-01\"", "2022-11"]);
    refused(&["--model", "l9", "--firmware", "2022-01"], &["a firmware of the l7"]);
    refused(&["--nameplate", "9500/1"], &["found 9500/1", "9050/3260"]);
    refused(&["--inlet", "warm"], &["found \"warm\"", "from -40 to 80"]);
    refused(&["--scenario", "wrong.yaml"], &["2 mistakes in the scenario"]);
    refused(&["--scenario", "wrong.yaml", "--live"], &["2 mistakes in the scenario"]);
    let live = &["--scenario", "one.yaml", "--live", "--count", "2"];
    refused(live, &["one.yaml names 3 machines, machines.count has 2"]);
    refused(&["--scenario", "quiet.yaml", "--count", "0"], &["machines.count is 0"]);
    let plot = |words: &[&'static str]| [&["plot", "--scenario", "one.yaml"], words].concat();
    refused(&plot(&["--out", "day.png"]), &["found day.png", ".svg"]);
    refused(&plot(&["--machine", "3"]), &["found 3", "0 to 2"]);
}

#[test]
fn a_quiet_scenario_says_so_and_a_picture_is_of_the_machine_asked_for() {
    let home = Home::new();
    home.write("quiet.yaml", "length: 90m\n");
    let output = home.run(&["twin", "--scenario", "quiet.yaml"]);
    assert_eq!((status(&output), text(&output.stdout).as_str()), (0, ""));
    assert_eq!(text(&output.stderr), "nothing goes wrong in 1.5 h\n");
    home.write("fan.yaml", "length: 20m\nevents:\n  - {at: 5m, machine: 1, fault: fan-lost}\n");
    for (machine, shades) in [("0", 0), ("1", 1)] {
        let words = ["twin", "plot", "--scenario", "fan.yaml", "--out", "a.svg"];
        let output = home.run(&[&words[..], &["--machine", machine]].concat());
        assert_eq!(status(&output), 0, "{}", text(&output.stderr));
        let picture = std::fs::read_to_string(home.data().join("a.svg")).expect("it is there");
        assert!(picture.contains(&format!("Antminer L7, machine {machine}")));
        assert_eq!(picture.matches("fan-lost").count(), shades);
    }
}

/// A port in use, or an address that is not here, is told once and before anything begins.
#[test]
fn a_start_that_cannot_be_is_told_once() {
    let check = |words: &[&str], parts: &[&str]| {
        let output = Home::new().run(&[&["twin", "--count", "1", "--for", "60s"], words].concat());
        let told = text(&output.stderr);
        assert_eq!((status(&output), text(&output.stdout).as_str()), (1, ""), "{told}");
        for part in parts {
            assert_eq!(told.matches(part).count(), 1, "{part} once in:\n{told}");
        }
        assert!(!told.contains("CriticalFailed") && !told.contains("budget"), "{told}");
    };
    let taken = TcpListener::bind("127.82.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let ports = format!("{port},{}", if port == 4028 { 4029 } else { 4028 });
    check(&["--net", "127.82.0.0/29", "--ports", &ports], &["is in use by", "choose another port"]);
    let words = ["--net", "192.0.2.0/29", "--allow-lan", "--ports", "8080,4028"];
    check(&words, &["ip addr add 192.0.2.1/29 dev DEVICE"]);
}

/// What a newcomer does first: machines, and nobody at the pool.
#[test]
fn nobody_at_the_pool_is_told_once_with_the_cure() {
    let probes = ["127.0.0.1", "127.83.0.1", "127.83.0.1"]
        .map(|address| TcpListener::bind((address, 0)).expect("a free port"));
    let [dead, web, program] =
        probes.each_ref().map(|probe| probe.local_addr().expect("bound").port());
    drop(probes);
    let home = Home::new();
    let (pool, ports) = (format!("stratum+tcp://127.0.0.1:{dead}"), format!("{web},{program}"));
    let words = ["twin", "--count", "2", "--net", "127.83.0.0/29", "--ports", &ports, "-t", "1"];
    let words =
        [&words[..], &["--pool", &pool, "--json", "--log", "json", "--for", "300s"]].concat();
    let mut command = home.command(&words);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let refusal = format!("{pool} does not answer (connection refused); start one there");
    let told = lines.by_ref().map_while(Result::ok).any(|line| line.contains(&refusal));
    let ended = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(ended.is_ok_and(|ended| ended.success()));
    let again = lines.map_while(Result::ok).any(|line| line.contains("does not answer"));
    let mut document = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut document).expect("text");
    child.wait().expect("it ends");
    assert!(told && !again);
    let summary: Value = serde_json::from_str(&document).expect("one document");
    let twins = &summary["twins"];
    let counts = ["total", "mining", "waiting", "connected"].map(|key| twins[key].as_u64());
    assert_eq!(counts, [Some(2), Some(0), Some(2), Some(0)], "{twins:#}");
}
