//! `silverlode pool`: the catalogue, and what knocking at doors says.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

use serde_json::{Value, json};

use super::{Home, status, text};

/// A pool that greets everybody and gives one job, on a thread until the test ends.
fn pool(lets_in: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut out = stream.try_clone().expect("a second handle");
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let call: Value = serde_json::from_str(&line).expect("JSON");
                let answers = match call["method"].as_str() {
                    Some("mining.subscribe") => vec![
                        json!({"id": call["id"], "result": [[["mining.notify", "s"]], "a1b2c3d4", 4], "error": null}),
                        json!({"id": null, "method": "mining.set_difficulty", "params": [512]}),
                        json!({"id": null, "method": "mining.notify", "params": [
                            "1", "00".repeat(32), "aa01", "bb02", [], "20000000", "1b00ffff", "5a72667b", true]}),
                    ],
                    Some("mining.authorize") if lets_in => {
                        vec![json!({"id": call["id"], "result": true, "error": null})]
                    }
                    _ => vec![
                        json!({"id": call["id"], "result": null, "error": [24, "who are you", null]}),
                    ],
                };
                for answer in answers {
                    if writeln!(out, "{answer}").is_err() {
                        break;
                    }
                }
            }
        }
    });
    format!("stratum+tcp://{address}")
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("stratum+tcp://{}", listener.local_addr().expect("bound"))
}

#[test]
fn the_catalogue_is_listed_with_its_sources() {
    let home = Home::new();
    let listed = home.run(&["pool", "list"]);
    assert_eq!(status(&listed), 0, "{}", text(&listed.stderr));
    let shown = text(&listed.stdout);
    for word in [
        "F2Pool (f2pool)",
        "stratum+tcp://ltc-euro.f2pool.com:3335",
        "at most 15 lower-case letters or digits",
        "litecoinpool",
    ] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let listed = home.run(&["pool", "list", "f2pool", "--region", "asia", "--json"]);
    let told: Value = serde_json::from_slice(&listed.stdout).expect("one document");
    assert_eq!(told[0]["endpoints"][0]["url"], "stratum+tcp://ltc-asia.f2pool.com:3335");
    assert_eq!(told[0]["endpoints"].as_array().map(Vec::len), Some(1));
    assert!(told[0]["endpoints"][0]["source"].is_string() && told[0]["as_of"].is_string());
    for (words, expect) in [
        (["pool", "list", "f2pol"], "there is no pool"),
        (["pool", "probe", "nopool"], "allowed are f2pool"),
        (["pool", "probe", "http://a:1"], "unknown scheme"),
    ] {
        let refused = home.run(&words);
        assert_eq!(status(&refused), 2);
        assert!(text(&refused.stderr).contains(expect), "{}", text(&refused.stderr));
    }
}

#[test]
fn endpoints_are_probed_to_their_first_job() {
    let home = Home::new();
    let (good, shy, gone) = (pool(true), pool(false), nobody());
    let probe = |words: &[&str]| {
        let output = home.run(&[&["pool", "probe", "--json"], words].concat());
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|wrong| panic!("{wrong}: {}", text(&output.stderr)));
        (status(&output), told)
    };
    let (code, told) = probe(&[&good, &shy]);
    assert_eq!((code, &told["well"]), (0, &json!(2)), "{told}");
    let first = &told["endpoints"][0];
    assert_eq!((&first["reached"], &first["authorized"]), (&json!("job"), &json!(true)));
    assert_eq!((&first["difficulty"], &first["tls"]), (&json!(512.0), &json!(false)));
    assert_eq!((&first["extranonce1_bytes"], &first["extranonce2_bytes"]), (&json!(4), &json!(4)));
    for key in ["connect_ms", "subscribe_ms", "job_ms"] {
        assert!(first[key].is_number(), "{first}");
    }
    let shy_one = &told["endpoints"][1];
    assert_eq!((&shy_one["well"], &shy_one["authorized"]), (&json!(true), &json!(false)));

    let (code, told) = probe(&[&shy, &good, "-u", "account.rig"]);
    assert_eq!((code, &told["well"]), (3, &json!(1)), "who names an account wants it: {told}");
    assert!(told["endpoints"][0]["error"].as_str().is_some_and(|why| why.contains("who are you")));
    let (code, told) = probe(&[&gone]);
    assert_eq!((code, &told["endpoints"][0]["reached"]), (1, &json!("nothing")));

    // Nobody named: the pool of the settings.
    home.write("silverlode.yaml", &format!("pool:\n  url: {good}\n  user: account.rig\n"));
    let (code, told) = probe(&[]);
    assert_eq!((code, &told["endpoints"][0]["url"]), (0, &json!(good)), "{told}");

    let shown = home.run(&["pool", "probe", &good, &gone]);
    assert_eq!(status(&shown), 3);
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("4 + 4 bytes") && shown.contains("1 of 2 endpoints are well"),
        "{shown}"
    );
}

#[test]
fn a_door_that_never_answers_is_left_in_time() {
    let home = Home::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("bound");
    for (scheme, words) in
        [("stratum+tcp", "no answer to the subscription within 0.3 s"), ("stratum+ssl", "0.3 s")]
    {
        let url = format!("{scheme}://{address}");
        let output = home.run(&["pool", "probe", &url, "--within", "300ms"]);
        assert_eq!(status(&output), 1);
        assert!(text(&output.stdout).contains(words), "{}", text(&output.stdout));
    }
}

#[test]
fn a_wallet_with_a_typing_error_is_found_before_the_start() {
    let home = Home::new();
    home.write(
        "silverlode.yaml",
        "pool:\n  url: stratum+tcp://ltc.f2pool.com:3335\n  user: ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n8.rig\n",
    );
    let checked = home.run(&["config", "check"]);
    assert_eq!(status(&checked), 2);
    let said = text(&checked.stderr);
    assert!(
        said.contains("looks like an address and is none") && said.contains("checksum"),
        "{said}"
    );
}
