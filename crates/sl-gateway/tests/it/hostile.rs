//! Lines that are none, machines that say nothing or too much.

use std::time::Duration;

use serde_json::json;

use crate::harness::Farm;

#[tokio::test]
async fn lines_of_the_wrong_shape_are_answered_and_counted() {
    let mut farm = Farm::working().await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    for line in [
        "nonsense",
        "{\"id\":1",
        "[]",
        "{\"id\":1}",
        "{\"id\":1,\"method\":7}",
        "{\"id\":1,\"method\":\"mining.submit\",\"params\":{}}",
        "{\"id\":1,\"method\":\"mining.authorize\",\"params\":[]}",
        "\u{1F980}",
    ] {
        machine.say(&format!("{line}\n")).await;
        assert_eq!(machine.reply().await.expect_err(line).0, 20, "{line}");
    }
    // One good line and the count begins anew; the machine is still served.
    machine.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    let status = farm.status_when(|status| status.protection.malformed_lines == 8).await;
    assert_eq!((status.shares.accepted, status.connections), (1, 1));
    farm.stop().await;
}

#[tokio::test]
async fn too_many_malformed_lines_and_overlong_ones_end_the_connection() {
    let mut farm = Farm::working().await;
    let (mut honest, _, notify) = farm.machine("rig.1").await;
    let mut rude = farm.connect().await;
    rude.say(&"x\n".repeat(20)).await;
    rude.closed().await;
    let mut long = farm.connect().await;
    long.say(&"x".repeat(5000)).await;
    let (code, text) = long.reply().await.expect_err("too long");
    assert_eq!(code, 20, "{text}");
    long.closed().await;
    // Cut in the middle of a line.
    let mut cut = farm.connect().await;
    cut.say("{\"id\":1,\"method\":\"mining.subscr").await;
    drop(cut);
    let status = farm.status_when(|status| status.protection.malformed == 2).await;
    assert_eq!(status.protection.malformed_lines, 11);
    honest.submit("rig.1", &notify, 0, 1).await.expect("the rest goes on");
    farm.status_when(|status| status.connections == 1 && status.connected == 4).await;
    farm.stop().await;
}

#[tokio::test]
async fn who_does_not_authorise_in_time_is_disconnected() {
    let mut farm =
        Farm::working_with(|settings| settings.authorize_within = Duration::from_secs(1)).await;
    let mut silent = farm.connect().await;
    let mut half = farm.connect().await;
    half.subscribe(None).await;
    silent.closed().await;
    half.closed().await;
    farm.status_when(|status| status.protection.unauthorized_in_time == 2).await;
    farm.stop().await;
}

#[tokio::test]
async fn who_sends_no_share_for_long_is_disconnected() {
    let mut farm =
        Farm::working_with(|settings| settings.idle_timeout = Duration::from_secs(1)).await;
    let (mut machine, ..) = farm.machine("rig.1").await;
    machine.closed().await;
    farm.status_when(|status| status.protection.idle == 1).await;
    farm.stop().await;
}

#[tokio::test]
async fn more_machines_than_allowed_are_turned_away() {
    let mut farm = Farm::working_with(|settings| settings.max_connections = 1).await;
    let (mut first, _, notify) = farm.machine("rig.1").await;
    let mut second = farm.connect().await;
    second.closed().await;
    farm.status_when(|status| status.protection.over_limit == 1).await;
    first.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    drop(first);
    farm.status_when(|status| status.connections == 0).await;
    farm.machine("rig.2").await;
    farm.stop().await;
}

#[tokio::test]
async fn messages_over_the_rate_wait() {
    let mut farm = Farm::working_with(|settings| settings.messages_per_second = 2).await;
    let mut machine = farm.connect().await;
    for _ in 0..3 {
        // Two lines a write, so that the bucket of four runs dry between reads.
        let line = json!({"id": 1, "method": "mining.ping", "params": []});
        machine.say(&format!("{line}\n{line}\n")).await;
        assert_eq!(machine.reply().await, Ok(json!("pong")));
        assert_eq!(machine.reply().await, Ok(json!("pong")));
    }
    farm.status_when(|status| status.protection.throttled > 0).await;
    farm.stop().await;
}

#[tokio::test]
async fn hashing_in_vain_ends_a_connection_and_nobody_else_notices() {
    let mut farm = Farm::working().await;
    let (mut honest, _, notify) = farm.machine("rig.1").await;
    let (mut liar, _, _) = farm.machine("liar").await;
    for lie in 0..50u32 {
        let refused = liar.submit("liar", &notify, lie, u32::MAX).await;
        assert_eq!(refused.expect_err("a lie").0, 23);
        honest.submit("rig.1", &notify, lie, 1).await.expect("accepted");
    }
    liar.closed().await;
    let ended = |status: &sl_gateway::GatewayStatus| {
        status.guard.closed(sl_guard::CloseWhy::MostlyInvalid) == 1
            && status.guard.offences(sl_guard::Offence::LowDifficulty) == 50
    };
    farm.status_when(ended).await;
    // An honest share now and then, and it stays: stale and unknown ones never count.
    let (mut clumsy, ..) = farm.machine("clumsy").await;
    for lie in 0..200u32 {
        let found = clumsy.submit("clumsy", &notify, lie, if lie % 3 == 0 { u32::MAX } else { 1 });
        assert_eq!(found.await.is_ok(), lie % 3 != 0);
    }
    farm.stop().await;
}

#[tokio::test]
async fn what_comes_in_one_piece_is_answered_line_by_line() {
    let mut farm = Farm::working().await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    let mut lines = String::new();
    // Shares that prove work and words between; more than may be due at once.
    for number in 0..60u32 {
        let nonce = format!("{:08x}", number * 3 + 1);
        let params = json!(["rig.1", notify[0], format!("{number:08x}"), notify[7], nonce]);
        let call = json!({"id": number, "method": "mining.submit", "params": params});
        lines += &format!("{call}\n");
        lines += &format!("{{\"id\":\"p{number}\",\"method\":\"mining.ping\"}}\n");
    }
    machine.say(&lines).await;
    machine.hush().await;
    for number in 0..60u32 {
        for id in [json!(number), json!(format!("p{number}"))] {
            let reply = loop {
                let heard = machine.hear().await;
                if heard["method"].is_null() {
                    break heard;
                }
            };
            assert_eq!(reply["id"], id, "{reply}");
        }
    }
    machine.closed().await;
    farm.stop().await;
}

#[tokio::test]
async fn who_says_that_no_more_will_come_still_hears_what_it_is_owed() {
    let mut farm = Farm::working().await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    let params = json!(["rig.1", notify[0], "00000000", notify[7], "00000001"]);
    let line = json!({"id": 4, "method": "mining.submit", "params": params});
    machine.say(&format!("{line}\n")).await;
    machine.hush().await;
    assert_eq!(machine.reply().await, Ok(json!(true)));
    machine.closed().await;
    farm.status_when(|status| status.connections == 0).await;
    farm.stop().await;
}
