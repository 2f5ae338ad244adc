//! First words: recorded machines, slots that stay, sources of any width, passwords.

use std::path::Path;

use serde_json::{Value, json};
use sl_config::{Plain, Secret, Setting};
use sl_gateway::Gateway;

use crate::harness::{Farm, job, settings};

fn recorded(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stratum").join(file);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("recorded JSON")
}

/// Everything that `minerd` said to another pool: the handshake is understood, its shares are for
/// jobs that were never given here.
#[tokio::test]
async fn a_recorded_minerd_is_understood() {
    let session = recorded("sv1_recorded_minerd_vs_foundation.json");
    let said = session["messages"].as_array().expect("a list").iter();
    let said: Vec<&Value> =
        said.filter(|line| line["dir"] == "c>s").map(|line| &line["json"]).collect();
    let mut farm = Farm::working().await;
    let mut machine = farm.connect().await;
    let mut unknown = 0;
    for line in &said {
        machine.say(&format!("{line}\n")).await;
        match (line["method"].as_str(), machine.reply().await) {
            (Some("mining.subscribe"), Ok(result)) => assert_eq!(result[2], json!(4)),
            (Some("mining.authorize"), Ok(granted)) => assert_eq!(granted, json!(true)),
            (Some("mining.submit"), Err((21, _))) => unknown += 1,
            other => panic!("{line}: {other:?}"),
        }
    }
    assert_eq!(unknown, 65);
    let status = farm.status_when(|status| status.shares.unknown_job == 65).await;
    assert_eq!(status.machines[0].user_agent.as_deref(), Some("cpuminer/2.5.1"));
    assert_eq!((status.shares.malformed, status.protection.malformed_lines), (0, 0));
    farm.stop().await;
}

#[tokio::test]
async fn a_slot_stays_with_its_machine() {
    let mut farm = Farm::working().await;
    let (mut one, _, notify) = farm.machine("rig.1").await;
    let (two, ..) = farm.machine("rig.2").await;
    assert_ne!(one.slot, two.slot);
    one.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    let (slot, session) = (one.slot.clone(), one.session.clone());
    drop(one);
    farm.status_when(|status| status.slots.away == 1).await;

    let (three, ..) = farm.machine("rig.3").await;
    assert!(![&slot, &two.slot].contains(&&three.slot), "its jobs are still known");
    let (mut back, _, notify) = farm.machine_again("rig.1", Some(&session)).await;
    assert_eq!((&back.slot, &back.session), (&slot, &session));
    // Shares sent before are known, jobs given before are judged.
    let again = back.submit("rig.1", &notify, 0, 1).await.expect_err("sent before");
    assert_eq!(again.0, 22);
    back.submit("rig.1", &notify, 0, 2).await.expect("accepted");
    drop(back);
    farm.status_when(|status| status.slots.away == 1).await;
    // What it says before it subscribes is heard.
    let mut back = farm.connect().await;
    back.ask("mining.suggest_difficulty", json!([0.25])).await.expect("heard");
    let (told, _) = back.introduce("rig.1", Some(&session)).await;
    assert_eq!((told, &back.slot), (0.25, &slot));
    // While it is there, nobody else gets it by the same words but its session.
    let (namesake, ..) = farm.machine_again("rig.1", None).await;
    assert_ne!(namesake.slot, slot);
    farm.stop().await;
}

#[tokio::test]
async fn a_narrow_source_gives_short_slots_and_too_narrow_is_said() {
    let mut farm = Farm::start(settings(|_| ()), "tail");
    farm.end.set_widest(3);
    farm.health_says("too narrow").await;
    farm.widen(4).await;
    let mut narrow = job(1, 1, &[], &farm.clock);
    narrow.coinbase.free = 4;
    farm.give(narrow);
    let mut machine = farm.connect().await;
    assert_eq!(machine.subscribe(None).await, 2);
    assert_eq!(machine.slot.len(), 4);
    machine.ask("mining.authorize", json!(["rig.1", ""])).await.expect("authorised");
    let notify = machine.notify().await;
    let params = json!(["rig.1", notify[0], "abcd", notify[7], "00000001"]);
    machine.ask("mining.submit", params).await.expect("accepted");
    let pending = farm.share().await;
    assert_eq!(hex::encode(pending.share().extranonce()), format!("{}abcd", machine.slot));
    drop(pending);
    farm.stop().await;
}

#[tokio::test]
async fn every_other_word_of_a_handshake_is_answered() {
    let mut farm = Farm::working().await;
    let mut machine = farm.connect().await;
    let configure = json!([["version-rolling", "minimum-difficulty"],
        {"version-rolling.mask": "1fffe000", "minimum-difficulty.value": 0.5}]);
    let granted = machine.ask("mining.configure", configure).await.expect("answered");
    assert_eq!(granted, json!({"version-rolling": false, "minimum-difficulty": true}));
    machine.subscribe(None).await;
    for (method, params, expect) in [
        ("mining.extranonce.subscribe", json!([]), json!(true)),
        ("client.get_version", json!([]), json!(concat!("silverlode/", env!("CARGO_PKG_VERSION")))),
        ("mining.ping", json!([]), json!("pong")),
    ] {
        assert_eq!(machine.ask(method, params).await, Ok(expect));
    }
    assert_eq!(machine.ask("mining.what", json!([])).await.expect_err("unknown").0, 20);
    for (user, code) in [("", 20), ("\u{7}", 20), (&*"x".repeat(129), 24)] {
        let refused = machine.ask("mining.authorize", json!([user, "x"])).await.expect_err(user);
        assert_eq!(refused.0, code, "{user:?}: {}", refused.1);
    }
    machine.ask("mining.authorize", json!(["rig.1"])).await.expect("authorised");
    assert_eq!(machine.hear().await["params"], json!([0.5]), "the floor that was promised");
    farm.stop().await;
}

#[tokio::test]
async fn a_password_is_asked_for_where_one_is_set() {
    let Secret::Inline(password) = Secret::parse("open sesame").expect("inline") else {
        panic!("no reference")
    };
    let with = |gateway: Gateway, password: &Plain| gateway.with_password(password.clone());
    let mut farm = Farm::start_with(settings(|_| ()), "tail", |gateway| with(gateway, &password));
    farm.widen(8).await;
    let mut machine = farm.connect().await;
    machine.subscribe(None).await;
    let refused = machine.ask("mining.authorize", json!(["rig.1", "x"])).await.expect_err("wrong");
    assert_eq!(refused, (24, "wrong password".into()));
    machine.ask("mining.authorize", json!(["rig.1", "open sesame"])).await.expect("authorised");
    // A password with a wish is that password, and the wish is heard.
    let mut wishes = farm.connect().await;
    wishes.subscribe(None).await;
    let password = json!(["rig.2", "open sesame,d=0.5"]);
    wishes.ask("mining.authorize", password).await.expect("authorised");
    farm.give(job(1, 1, &[], &farm.clock));
    assert_eq!(wishes.hear().await["params"], json!([0.5]));
    farm.stop().await;
}

#[tokio::test]
async fn who_never_authorises_leaves_no_slot_behind() {
    let mut farm = Farm::working().await;
    for _ in 0..5 {
        let mut visitor = farm.connect().await;
        visitor.subscribe(None).await;
    }
    let (machine, ..) = farm.machine("rig.1").await;
    let gone = |status: &sl_gateway::GatewayStatus| {
        status.connections == 1 && (status.slots.in_use, status.slots.away) == (1, 0)
    };
    farm.status_when(gone).await;
    // One that had a slot of before still has it when it comes and goes without a word.
    let (slot, session) = (machine.slot.clone(), machine.session.clone());
    drop(machine);
    farm.status_when(|status| status.slots.away == 1).await;
    let mut hasty = farm.connect().await;
    hasty.subscribe(Some(&session)).await;
    assert_eq!(hasty.slot, slot);
    drop(hasty);
    farm.status_when(|status| (status.slots.in_use, status.slots.away) == (0, 1)).await;
    let (machine, ..) = farm.machine_again("rig.1", Some(&session)).await;
    assert_eq!(machine.slot, slot);
    farm.stop().await;
}

#[tokio::test]
async fn a_machine_whose_former_connection_is_half_open_gets_its_slot_by_its_session() {
    let mut farm = Farm::working().await;
    let (mut before, _, notify) = farm.machine("rig.1").await;
    before.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    let (slot, session) = (before.slot.clone(), before.session.clone());
    // Without the session another machine of the same address and program takes nothing.
    let (stranger, ..) = farm.machine("rig.2").await;
    assert_ne!(stranger.slot, slot);
    let (mut again, _, now) = farm.machine_again("rig.1", Some(&session)).await;
    assert_eq!((&again.slot, &again.session), (&slot, &session));
    before.closed().await;
    let late = again.submit("rig.1", &notify, 0, 1).await.expect_err("sent before");
    assert_eq!(late.0, 22, "what the former connection sent is known");
    again.submit("rig.1", &now, 0, 2).await.expect("accepted");
    let two = |status: &sl_gateway::GatewayStatus| {
        status.connections == 2 && (status.slots.in_use, status.slots.away) == (2, 0)
    };
    farm.status_when(two).await;
    farm.stop().await;
}
