//! Answers key by key as recorded: order and kind of every value.

use std::{fs, path::PathBuf};

use serde_json::{Value, json, value::RawValue};
use sl_simnode::Reply;
use sl_units::Bits;

use crate::rig::{Rig, free, target_le};

fn recorded(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    fs::read_to_string(path).expect("recorded data is in the repository")
}

/// The keys of a JSON object in their order, each with the kind of its value.
fn shape(text: &str) -> Vec<String> {
    #[derive(Debug)]
    struct Pairs(Vec<(String, Box<RawValue>)>);
    impl<'de> serde::Deserialize<'de> for Pairs {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visit;
            impl<'de> serde::de::Visitor<'de> for Visit {
                type Value = Pairs;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Pairs, A::Error> {
                    let mut pairs = Vec::new();
                    while let Some(pair) = map.next_entry()? {
                        pairs.push(pair);
                    }
                    Ok(Pairs(pairs))
                }
            }
            deserializer.deserialize_map(Visit)
        }
    }
    let Pairs(pairs) = serde_json::from_str(text).expect("an object");
    let kind = |raw: &RawValue| match raw.get().as_bytes()[0] {
        b'"' => "text",
        b'{' => "object",
        b'[' => "list",
        b't' | b'f' => "flag",
        b'n' => "null",
        _ => "number",
    };
    pairs.iter().map(|(key, raw)| format!("{key}: {}", kind(raw))).collect()
}

fn answer(rig: &mut Rig, method: &str, params: Value) -> String {
    let Value::Array(params) = params else { panic!("arguments are a list") };
    match rig.node.call(method, &params, rig.now, false) {
        Reply::Done(Ok(answer)) => answer.get().to_owned(),
        other => panic!("{method}: {other:?}"),
    }
}

/// The `result` of a recorded answer.
fn result_of(body: &str) -> String {
    let body: std::collections::HashMap<String, Box<RawValue>> =
        serde_json::from_str(body).expect("an answer");
    body["result"].get().to_owned()
}

fn recorded_http(title: &str) -> String {
    let all = recorded("litecoin/regtest-e2e/rpc_http_recordings.txt");
    let part = all.split("### ").find(|part| part.lines().next() == Some(title)).expect("recorded");
    let body = part.replace("\r\n", "\n");
    let (_, body) = body.split_once("\n\n").expect("a body");
    body.trim().to_owned()
}

fn recorded_aux(method: &str) -> String {
    let all: Value = serde_json::from_str(&recorded("auxpow/regtest-e2e/aux_rpc_recordings.json"))
        .expect("JSON");
    let good = all
        .as_array()
        .expect("a list")
        .iter()
        .find(|call| call["method"] == method && call["http_status"] == 200);
    good.expect("recorded")["body"].as_str().expect("a text").to_owned()
}

#[test]
fn a_template_has_the_recorded_shape() {
    let mut rig = Rig::new("LTC", 1.0, &free());
    for _ in 0..6 {
        let rules = json!([{"rules": ["mweb", "segwit"]}]);
        let ours = answer(&mut rig, "getblocktemplate", rules);
        assert_eq!(shape(&ours), shape(&recorded("litecoin/regtest-e2e/gbt_433.json")));
        let ours: Value = serde_json::from_str(&ours).expect("JSON");
        let theirs = recorded("litecoin/regtest-e2e/gbt_432_first_mweb.json");
        let theirs: Value = serde_json::from_str(&theirs).expect("JSON");
        for entry in ours["transactions"].as_array().expect("a list") {
            assert_eq!(
                shape(&entry.to_string()),
                shape(&theirs["transactions"][0].to_string()),
                "keys of a transaction, sorted"
            );
        }
        let hogex = ours["transactions"].as_array().expect("a list").last().expect("the HogEx");
        assert_eq!(hogex["txid"], hogex["hash"]);
        assert_eq!(hogex["weight"], theirs["transactions"][1]["weight"]);
        assert_eq!(&hogex["data"].as_str().expect("hex")[8..12], "0008");
        let target = Bits::from_u32(
            u32::from_str_radix(ours["bits"].as_str().expect("hex"), 16).expect("hex"),
        );
        assert_eq!(ours["target"], target.target().expect("valid").to_string());
        assert_eq!(ours["height"], rig.row.start_height + 1 + rig.node.status().blocks_accepted);
        rig.wait(6.0);
        rig.mine();
    }
}

#[test]
fn a_template_wants_the_rules_that_it_has() {
    let check = |ticker: &str, rules: Value, wrong: Option<&str>| {
        let mut rig = Rig::new(ticker, 1.0, &free());
        match (rig.call("getblocktemplate", json!([{"rules": rules}])), wrong) {
            (Ok(_), None) => {}
            (Err(error), Some(wrong)) => {
                assert_eq!((error.code, error.message.as_str()), (-8, wrong), "{ticker}");
            }
            (other, _) => panic!("{ticker}: {other:?}"),
        }
    };
    let body: Value =
        serde_json::from_str(&recorded_http("getblocktemplate without mweb rule")).expect("JSON");
    let recorded = body["error"]["message"].as_str().expect("a text");
    check("LTC", json!([]), Some(recorded));
    check("LTC", json!(["segwit"]), Some(recorded));
    check("LTC", json!(["segwit", "mweb"]), None);
    let segwit = "getblocktemplate must be called with the segwit rule set (call with {\"rules\": [\"segwit\"]})";
    check("BELLS", json!([]), Some(segwit));
    check("BELLS", json!(["segwit"]), None);
    check("DOGE", json!([]), None);
}

#[test]
fn an_auxiliary_block_has_the_recorded_shape() {
    let recorded = result_of(&recorded_aux("createauxblock"));
    let mut rig = Rig::new("DOGE", 1.0, &free());
    let address = json!([rig.address()]);
    let ours = answer(&mut rig, "createauxblock", address);
    assert_eq!(shape(&ours), shape(&recorded));
    assert_eq!(shape(&answer(&mut rig, "getauxblock", json!([]))), shape(&recorded));
    let ours: Value = serde_json::from_str(&ours).expect("JSON");
    assert_eq!(ours["chainid"], 98);
    assert_eq!(ours["previousblockhash"], rig.ask("getbestblockhash", json!([])));
    let target = target_le(ours["target"].as_str().expect("hex"));
    assert_eq!(target.to_bits(), crate::rig::bits(&ours));

    let mut bells = Rig::new("BELLS", 1.0, &free());
    let address = json!([bells.address()]);
    let renamed: Vec<String> =
        shape(&recorded).iter().map(|key| key.replace("target", "_target")).collect();
    assert_eq!(shape(&answer(&mut bells, "createauxblock", address)), renamed);
}

#[test]
fn information_has_the_recorded_shape() {
    let mut ltc = Rig::new("LTC", 1.0, &free());
    let mut doge = Rig::new("DOGE", 1.0, &free());
    for rig in [&mut ltc, &mut doge] {
        for _ in 0..3 {
            rig.wait(6.0);
            rig.mine();
        }
    }
    let mining = answer(&mut ltc, "getmininginfo", json!([]));
    assert_eq!(shape(&mining), shape(&result_of(&recorded_http("getmininginfo"))));
    let mining = answer(&mut doge, "getmininginfo", json!([]));
    assert_eq!(shape(&mining), shape(&result_of(&recorded_aux("getmininginfo"))));

    let best = doge.ask("getbestblockhash", json!([]));
    let header = answer(&mut doge, "getblockheader", json!([best]));
    assert_eq!(shape(&header), shape(&result_of(&recorded_aux("getblockheader"))));

    // A pruned node says two things more.
    let mut chain = shape(&answer(&mut ltc, "getblockchaininfo", json!([])));
    chain.retain(|key| !key.starts_with("pruneheight") && !key.starts_with("automatic_pruning"));
    assert_eq!(chain, shape(&result_of(&recorded_http("getblockchaininfo"))));

    // Witness version 0, twenty bytes of seven.
    let address = "ltc1qqurswpc8qurswpc8qurswpc8qurswpc8p4r4uu";
    let valid = answer(&mut ltc, "validateaddress", json!([address]));
    assert_eq!(shape(&valid), shape(&result_of(&recorded_http("validateaddress"))));
    assert_eq!(answer(&mut ltc, "validateaddress", json!(["x"])), "{\"isvalid\":false}");
}

#[test]
fn the_chain_can_be_read() {
    let mut rig = Rig::new("DOGE", 1.0, &free());
    let start = rig.row.start_height;
    let first = rig.ask("getbestblockhash", json!([]));
    rig.wait(2.4);
    let hash = rig.mine().to_string();
    assert_eq!(rig.ask("getblockcount", json!([])), start + 1);
    assert_eq!(rig.ask("getblockhash", json!([start + 1])), hash);
    assert_eq!(rig.ask("getblockhash", json!([start])), first);
    assert_eq!(
        rig.ask("getblockhash", json!([0])),
        "1a91e3dace36e2be3bf030a65679fe821aa1d6ef92e7c9902eb318182c355691"
    );
    let raw = rig.ask("getblock", json!([hash, 0]));
    let raw = hex::decode(raw.as_str().expect("hex")).expect("hex");
    assert_eq!(
        raw[..80],
        *hex::decode(rig.ask("getblockheader", json!([hash, false])).as_str().expect("hex"))
            .expect("hex")
    );
    let block = rig.ask("getblock", json!([hash]));
    assert_eq!(block["size"], raw.len());
    assert_eq!(block["confirmations"], 1);
    assert_eq!(block["previousblockhash"], first);
    let whole = rig.ask("getblock", json!([hash, 2]));
    assert_eq!(whole["tx"][0]["txid"], block["tx"][0]);

    let error = |rig: &mut Rig, method: &str, params: Value| {
        let error = rig.call(method, params).expect_err("an error");
        (error.code, error.message)
    };
    let pruned = (-1, "Block not available (pruned data)".to_owned());
    assert_eq!(error(&mut rig, "getblockhash", json!([start - 1])), pruned);
    assert_eq!(error(&mut rig, "getblock", json!([first])), pruned);
    assert_eq!(
        error(&mut rig, "getblockhash", json!([start + 2])),
        (-8, "Block height out of range".into())
    );
    assert_eq!(
        error(&mut rig, "getblock", json!(["11".repeat(32)])),
        (-5, "Block not found".into())
    );
    assert_eq!(
        error(&mut rig, "getblock", json!(["abc"])),
        (-8, "blockhash must be of length 64 (not 3, for 'abc')".into())
    );
    assert_eq!(
        error(&mut rig, "getblockhash", json!(["1"])),
        (-1, "JSON value is not an integer as expected".into())
    );
    assert_eq!(error(&mut rig, "getblockcount", json!([1])), (-1, "getblockcount".into()));
    // Independent pools call `submitblock` bare to learn whether the node has it.
    assert_eq!(
        error(&mut rig, "submitblock", json!([])),
        (-1, "submitblock \"hexdata\" \"dummy\"".into())
    );
    assert_eq!(error(&mut rig, "validateaddress", json!([])).0, -1);
    assert_eq!(error(&mut rig, "submitauxblock", json!(["11".repeat(32)])).0, -1);
    let help = rig.ask("help", json!([]));
    assert!(help.as_str().expect("a text").contains("submitauxblock"));
    for (method, params) in [
        ("getnetworkinfo", json!([])),
        ("getconnectioncount", json!([])),
        ("getnetworkhashps", json!([])),
        ("getdifficulty", json!([])),
        ("uptime", json!([])),
        ("help", json!(["getblock"])),
    ] {
        rig.ask(method, params);
    }
}

#[test]
fn long_polls_say_that_they_wait() {
    let mut rig = Rig::new("LTC", 1.0, &free());
    let template = rig.template();
    let poll = |id: &Value| vec![json!({"rules": ["mweb", "segwit"], "longpollid": id})];
    let same = poll(&template["longpollid"]);
    let tip = rig.node.status().tip;
    let Reply::Wait(wait) = rig.node.call("getblocktemplate", &same, rig.now, false) else {
        panic!("an answer at once");
    };
    assert_eq!(wait.tip, tip);
    assert!(matches!(rig.node.call("getblocktemplate", &same, rig.now, true), Reply::Done(Ok(_))));
    let Reply::Wait(wait) = rig.node.call("waitfornewblock", &[json!(1500)], rig.now, false) else {
        panic!("an answer at once");
    };
    assert_eq!(wait.timeout.map(|limit| limit.as_millis()), Some(1500));
    rig.wait(6.0);
    let hash = rig.mine();
    assert!(matches!(rig.node.call("getblocktemplate", &same, rig.now, false), Reply::Done(Ok(_))));
    let known = [json!(0), json!(tip.to_string())];
    let Reply::Done(Ok(new)) = rig.node.call("waitfornewblock", &known, rig.now, false) else {
        panic!("a tip that the caller does not know is news");
    };
    assert_eq!(
        new.get(),
        format!("{{\"hash\":\"{hash}\",\"height\":{}}}", rig.row.start_height + 1)
    );
}

#[test]
fn a_node_tells_of_the_peers_that_it_claims() {
    let mut rig = Rig::new("LTC", 1.0, &free());
    rig.wait(6.0);
    rig.mine();
    let peers = rig.ask("getpeerinfo", json!([]));
    let peers = peers.as_array().expect("a list");
    assert_eq!(json!(peers.len()), rig.ask("getconnectioncount", json!([])));
    let first = &peers[0];
    assert_eq!(first["addr"], "192.0.2.1:9333", "an address for examples");
    assert_eq!(first["startingheight"], rig.row.start_height);
    assert_eq!(first["synced_blocks"], rig.row.start_height + 1);
    assert_eq!(first["version"], rig.ask("getnetworkinfo", json!([]))["protocolversion"]);
}
