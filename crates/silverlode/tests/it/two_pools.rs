//! Two pools and a gateway over both, each a process, with 200 machines that really hash: what an
//! operator sees when the first pool dies, when settings change, and in the accounts at the end.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;
use sl_view::Summary;

use crate::{
    Home,
    processes::{Farm, Gateway, chains, ports},
    status, text,
};

const MACHINES: usize = 200;
/// Hashes a second of all machines together.
const HASHES: u32 = 1000;

/// A certificate and its key as files, and the fingerprint.
fn certificate(home: &Home) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    home.write("chain.pem", &made.cert.pem());
    home.write("key.pem", &made.signing_key.serialize_pem());
    let key = home.data().join("key.pem");
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).expect("ours");
    sl_ports::tls::Fingerprint::of(made.cert.der()).to_string()
}

fn pool<'a>(summary: &'a Summary, name: &str) -> &'a sl_view::UpstreamPool {
    let upstream = summary.upstream.as_ref().expect("there are pools");
    upstream.pools.iter().find(|pool| pool.name == name).expect("of the settings")
}

fn works_for(summary: &Summary, name: &str) -> bool {
    summary.upstream.as_ref().is_some_and(|it| it.active.as_deref() == Some(name))
}

#[test]
fn a_pool_dies_under_two_hundred_machines() {
    let keys = Home::new();
    let pin = certificate(&keys);
    let (chain, key) = (keys.data().join("chain.pem"), keys.data().join("key.pem"));
    let [first_at, reserve_at, reserve_tls, farm_at] = ports();
    let gateway = "gateway:\n  shares_per_minute: 300\n  listen: 127.0.0.1:";
    let first = Gateway::start(&format!("{gateway}{first_at}\n{}", chains()));
    let reserve = Gateway::start(&format!(
        "{gateway}{reserve_at}\n  tls_listen: 127.0.0.1:{reserve_tls}\n  tls_certificate: {}\n  \
         tls_key: {}\n{}",
        chain.display(),
        key.display(),
        chains()
    ));
    // Pools, limits and difficulties in one: each number changes something of its own.
    let settings = |weight: u32| {
        format!(
            "gateway:\n  listen: 127.0.0.1:{farm_at}\n  shares_per_minute: {}\n  \
             messages_per_second: {weight}\n  start_difficulty: 0.0005\npools:\n  - name: first\n    \
             url: [stratum+tcp://127.0.0.1:{first_at}]\n    user: farm.{{worker}}\n    \
             resume_within: 3s\n  - name: reserve\n    \
             url: [stratum+ssl://localhost:{reserve_tls}]\n    user: farm.{{worker}}\n    \
             fingerprint: '{pin}'\n    priority: 1\n    weight: {weight}\nfailover:\n  dwell: 1s\n",
            weight / 5
        )
    };
    let farm = Gateway::start(&settings(100));
    first.is_ready();
    reserve.is_ready();
    farm.until("one pool at work and one that stands by", |summary| {
        works_for(summary, "first") && pool(summary, "reserve").state == "standby"
    });

    let machines = Farm::start(farm_at, MACHINES, HASHES);
    machines.until("200 machines", |counts| counts.working == MACHINES as u64);
    machines.until("shares", |counts| counts.accepted >= 100);
    farm.until("shares at the first pool", |summary| pool(summary, "first").accepted >= 10);

    // Settings change under load.
    farm.home().write("silverlode.yaml", &settings(50));
    farm.until("the new weight", |summary| pool(summary, "reserve").weight == 50);
    for key in ["gateway.shares_per_minute", "gateway.messages_per_second", "pools[1].weight"] {
        let is_told = |line: &str| line.contains("setting changed") && line.contains(key);
        assert!(farm.log().lines().any(is_told), "{key} in:\n{}", farm.log());
    }
    farm.home().write("silverlode.yaml", &format!("{}  dwel: 1s\nmine: 7\n", settings(70)));
    refusal(&farm);
    let told = farm.until("all machines", |summary| {
        summary.gateway.as_ref().is_some_and(|it| it.connections == MACHINES as u64)
    });
    assert_eq!(pool(&told, "reserve").weight, 50, "the running settings stay");
    farm.home().write("silverlode.yaml", &settings(50));
    assert_eq!(machines.counts().disconnects, 0);

    // The first pool dies, and comes back.
    let home = first.kill();
    let told = farm.until("shares at the reserve", |summary| {
        works_for(summary, "reserve") && pool(summary, "reserve").accepted >= 20
    });
    let event = told.upstream.expect("there are pools").failovers.remove(0);
    assert_eq!((event.from.as_deref(), event.to.as_str()), (Some("first"), "reserve"));
    let detected = event.detected_s.expect("it failed");
    assert!(detected < 5.0 && event.switched_s < 5.0, "{event:?}");
    let before = pool(&farm.until("a state", |_| true), "first").accepted;
    let first = Gateway::again(home);
    farm.until("the first pool again", |summary| {
        works_for(summary, "first") && pool(summary, "first").accepted >= before + 10
    });
    assert_eq!(machines.counts().disconnects, 0, "no machine was dropped");

    let counts = machines.rest();
    farm.until("every verdict", |summary| {
        ["first", "reserve"].iter().all(|name| pool(summary, name).in_flight == 0)
    });
    let (summary, home) = farm.stop();
    assert_eq!(counts.disconnects, 0, "{counts:?}");
    agree(&summary, &home, &counts);
    let changes = home.journal(&["export", "upstreams"]);
    let failovers: Vec<_> = changes.iter().filter(|row| row["event"] == "failover").collect();
    let to: Vec<_> = failovers.iter().filter_map(|row| row["source"].as_str()).collect();
    assert_eq!(to, ["pool.reserve", "pool.first"], "{failovers:#?}");
    println!(
        "{} shares of {MACHINES} machines, {} sent up, {} lost; 0 disconnects; noticed after \
         {detected:.3} s, switched in {:.3} s",
        counts.accepted,
        summary["gateway"]["forwarded"]["sent"],
        summary["gateway"]["forwarded"]["lost"],
        event.switched_s
    );
    drop(first);
    what_became_of_blocks(reserve);
}

/// A pool over its own nodes has every block in its journal, as it was found and as it ended.
fn what_became_of_blocks(pool: Gateway) {
    let (summary, home) = pool.stop();
    let rows = home.journal(&["export", "blocks"]);
    let kept = |event: &str| rows.iter().filter(|row| row["event"] == event).count() as u64;
    let chains = summary["chains"].as_object().expect("chains");
    let sum = |key: &str| chains.values().filter_map(|chain| chain[key].as_u64()).sum::<u64>();
    assert_eq!(kept("accepted"), sum("blocks_accepted"), "{rows:#?}");
    assert!(kept("found") >= kept("accepted"));
}

#[test]
fn the_files_of_the_example_are_right() {
    let home = Home::new();
    for name in ["first", "reserve", "farm"] {
        let file = format!("../../examples/two-pools-{name}.yaml");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let output = home.run(&["config", "check", &file.to_string_lossy()]);
        assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    }
}

/// Waits until the program has refused its file, and looks at what it says.
fn refusal(farm: &Gateway) {
    for _ in 0..4800 {
        let told = text(&farm.home().run(&["services", "--data", "data"]).stdout);
        if told.contains("the running settings stay") {
            let log = farm.log();
            for part in ["2 mistakes", "did you mean \\\"dwell\\\"?", "mine"] {
                assert!(log.contains(part), "{part} in:\n{log}");
            }
            return;
        }
    }
    panic!("the broken file was not refused:\n{}", farm.log());
}

/// The machines, the summary, the journal's rows, its sums and its export: to the share.
fn agree(summary: &Value, home: &Home, counts: &sl_testkit::machines::MachineCounts) {
    let number = |value: &Value| value.as_u64().expect("a number");
    let shares = &summary["shares"];
    let (stale, rejected) = (number(&shares["stale"]), number(&shares["rejected"]));
    assert_eq!(number(&shares["accepted"]), counts.accepted, "{summary:#}");
    assert_eq!(stale + rejected, counts.refused.values().sum::<u64>(), "{counts:?}");
    let gateway = &summary["gateway"];
    assert_eq!(
        (&gateway["connections_total"], &gateway["disconnects"]),
        (&MACHINES.into(), &0.into())
    );

    let verified = &home.journal(&["verify", "--sample", "200"])[0];
    assert_eq!(verified["findings"], Value::Array(Vec::new()), "{verified:#}");
    assert_eq!(verified["ok"], true, "{verified:#}");
    let kept = &verified["shares"];
    assert_eq!((number(&kept["accepted"]), number(&kept["stale"])), (counts.accepted, stale));
    let files = verified["files"].as_array().expect("a list");
    assert!(files.iter().all(|file| file["rows_to_roll_up"] == 0), "{verified:#}");
    assert!(number(&verified["rollup_points"]) > 0 && number(&verified["proofs"]["right"]) > 0);
    assert_eq!(
        summary["journal"]["shares"],
        number(&kept["accepted"]) + stale + number(&kept["rejected"])
    );

    let by_outcome = |rows: Vec<Value>| {
        let mut sums = BTreeMap::<String, u64>::new();
        for row in rows {
            *sums.entry(row["outcome"].as_str().expect("a word").to_owned()).or_default() += 1;
        }
        sums
    };
    let of = |sums: &BTreeMap<String, u64>, word: &str| sums.get(word).copied().unwrap_or(0);
    let exported = by_outcome(home.journal(&["export"]));
    assert_eq!((of(&exported, "accepted"), of(&exported, "stale")), (counts.accepted, stale));

    // What went up: the gateway, the pools and the journal's verdicts.
    let forwarded = &gateway["forwarded"];
    let rows = home.journal(&["export", "verdicts"]);
    let pools = summary["upstream"]["pools"].as_array().expect("a list");
    for pool in pools {
        let source = format!("pool.{}", pool["name"].as_str().expect("a name"));
        let its = |row: &&Value| row["source"] == *source && row["outcome"] == "accepted";
        assert_eq!(rows.iter().filter(its).count() as u64, number(&pool["accepted"]), "{source}");
    }
    let verdicts = by_outcome(rows);
    let mut judged = 0;
    for word in ["accepted", "stale", "rejected", "lost"] {
        let count = number(&forwarded[word]);
        assert_eq!(of(&verdicts, word), count, "{word}: {verdicts:?}");
        assert_eq!(pools.iter().map(|pool| number(&pool[word])).sum::<u64>(), count, "{word}");
        judged += count;
    }
    assert_eq!(number(&forwarded["sent"]), judged, "{forwarded:#}");
}
