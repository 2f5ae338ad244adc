use std::time::Duration;

use serde_json::json;
use sl_solo::NodeState;
use sl_testkit::peer::{Answer, Peer};
use sl_units::Hash256;

use crate::{
    chains::Chain,
    farm::{Farm, chain, node, settings},
};

#[tokio::test]
async fn bad_nodes_are_named_and_the_others_go_on() {
    let [ltc, doge, dingo, bells] = ["LTC", "DOGE", "DINGO", "BELLS"].map(Chain::new);
    dingo.state().chain_id = 98;
    let (ltc_node, doge_node, dingo_node) = (ltc.serve(), doge.serve(), dingo.serve());
    let locked = Peer::start(|_| Answer::Body { status: 401, body: String::new() });
    let website = Peer::start(|_| Answer::Body { status: 200, body: "<html>".into() });
    let silent = Peer::start(|_| Answer::Silence);
    let odd = Peer::start(|_| Answer::result(json!({"hash": 7})));
    // A port where nobody listens yet.
    let absent = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("bound")
    };
    let mut settings = settings(
        node("LTC", ltc_node.url()),
        vec![
            node("DOGE", doge_node.url()),
            node("PEP", locked.url()),
            node("LKY", website.url()),
            node("JKC", silent.url()),
            node("SHIC", odd.url()),
            node("DINGO", dingo_node.url()),
            node("BELLS", format!("http://{absent}")),
        ],
    );
    settings.timeouts.call = Duration::from_secs(2);
    let mut farm = Farm::start(settings);
    farm.job("a job with DOGE", |job| job.goals.len() == 2).await;
    let status = farm
        .until("all named", |status| {
            chain(status, "DOGE").node == NodeState::Ok
                && status.chains.iter().skip(2).all(|chain| chain.node.fault().is_some())
        })
        .await;
    let check = |coin: &str, part: &str| {
        let why = chain(&status, coin).node.fault().expect("named").to_string();
        assert!(why.starts_with(&format!("{coin} node at http://127.0.0.1:")), "{why}");
        assert!(why.contains(part) && why.contains("hint: "), "{why}");
        assert!(!why.contains("hush"), "{why}");
    };
    check("PEP", "refuses the user \"farm\"");
    check("LKY", "found \"<html>\"");
    check("JKC", "no answer to createauxblock within 2s");
    check("SHIC", "expected a string");
    check("DINGO", "blocks with the chain id 98, Dingocoin has 50");
    check("BELLS", "connection refused");
    assert!(matches!(chain(&status, "DINGO").node, NodeState::WrongChain(_)));
    assert!(matches!(chain(&status, "PEP").node, NodeState::Down(_)));

    // One comes up, one is put right: both join.
    dingo.state().chain_id = 50;
    let bells_script = std::sync::Arc::clone(&bells);
    let bells_node = Peer::start_at(absent, move |call| bells_script.answer(call));
    farm.job("a job with DINGO and BELLS", |job| job.goals.len() == 4).await;

    // One goes down: it is named, the rest goes on.
    drop(bells_node);
    farm.until("BELLS down", |status| matches!(chain(status, "BELLS").node, NodeState::Down(_)))
        .await;
    farm.job("a job without BELLS", |job| job.goals.len() == 3).await;
    farm.stop().await;
}

#[tokio::test]
async fn without_the_parent_there_is_no_work() {
    let ltc = Chain::new("LTC");
    let genesis = ltc.state().genesis;
    ltc.state().genesis = Hash256::ZERO;
    let ltc_node = ltc.serve();
    let address = ltc_node.address();
    let mut farm = Farm::start(settings(node("LTC", ltc_node.url()), vec![]));
    let why = farm.idle("begins with").await;
    assert!(why.contains("Litecoin begins with 12a765e31ffd4059bada1e25190f6e98"), "{why}");
    farm.until("named", |status| matches!(chain(status, "LTC").node, NodeState::WrongChain(_)))
        .await;

    ltc.state().genesis = genesis;
    let first = farm.job("a job", |_| true).await;
    drop(ltc_node);
    let why = farm.idle("connection refused").await;
    assert!(why.starts_with("LTC node at http://127.0.0.1:"), "{why}");

    let script = std::sync::Arc::clone(&ltc);
    let _ltc_node = Peer::start_at(address, move |call| script.answer(call));
    let again = farm.job("a job again", |_| true).await;
    assert_eq!(again.epoch, first.epoch, "the tip still stands: nothing became stale");
    farm.stop().await;
}

#[tokio::test]
async fn a_block_waits_for_a_node_that_comes_back() {
    let [ltc, doge] = ["LTC", "DOGE"].map(Chain::new);
    ltc.state().bits = sl_units::Bits::from_u32(0x1d00_ffff);
    let (ltc_node, doge_node) = (ltc.serve(), doge.serve());
    let address = doge_node.address();
    let mut farm =
        Farm::start(settings(node("LTC", ltc_node.url()), vec![node("DOGE", doge_node.url())]));
    let job = farm.job("a job", |job| job.goals.len() == 2).await;
    let share = crate::mine(&job, &[1; 4], |hash| job.wanted.is_met_by(hash));
    drop(doge_node);
    farm.submit(share).await;
    farm.until("it is down", |status| chain(status, "DOGE").node.fault().is_some()).await;
    let script = std::sync::Arc::clone(&doge);
    let _doge_node = Peer::start_at(address, move |call| script.answer(call));
    let event = farm.event().await;
    assert_eq!(event.outcome, sl_solo::BlockOutcome::Accepted);
    assert_eq!(doge.state().taken, [event.hash]);
    farm.stop().await;
}

#[tokio::test]
async fn a_block_whose_answer_was_lost_is_looked_up() {
    let [ltc, doge] = ["LTC", "DOGE"].map(Chain::new);
    ltc.state().bits = sl_units::Bits::from_u32(0x1d00_ffff);
    doge.state().break_off = true;
    let (ltc_node, doge_node) = (ltc.serve(), doge.serve());
    let mut farm =
        Farm::start(settings(node("LTC", ltc_node.url()), vec![node("DOGE", doge_node.url())]));
    let job = farm.job("a job", |job| job.goals.len() == 2).await;
    let share = crate::mine(&job, &[1; 4], |hash| job.wanted.is_met_by(hash));
    farm.submit(share).await;
    let event = farm.event().await;
    assert_eq!(event.outcome, sl_solo::BlockOutcome::Accepted);
    assert!(!doge.state().break_off, "the connection broke");
    assert_eq!(doge.state().taken, [event.hash], "taken once");
    let handed_in = doge_node.calls().iter().filter(|call| call.method == "submitauxblock").count();
    assert_eq!(handed_in, 2, "the second time it was not known any more");
    farm.stop().await;
}
