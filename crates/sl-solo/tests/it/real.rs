//! A real litecoind, where it is installed.

use std::time::Duration;

use serde_json::json;
use sl_solo::{BlockOutcome, NodeSettings};
use sl_testkit::litecoind::{self, Pair};

use crate::{
    chains::Chain,
    farm::{Farm, chain, node, settings},
    mine, row,
};

#[tokio::test]
async fn litecoind_takes_our_blocks_with_and_without_an_extension_block() {
    if let Err(skipped) = litecoind::find() {
        println!("{skipped}");
        return;
    }
    let pair = tokio::task::spawn_blocking(Pair::start_with_mweb);
    let pair = pair.await.expect("no panic").expect("litecoind runs");
    let doge = Chain::new("DOGE");
    let doge_node = doge.serve();
    let ltc = NodeSettings {
        coin: row("LTC").ticker,
        url: pair.url(),
        user: pair.user().into(),
        password: pair.password().into(),
        address: pair.address().expect("a wallet"),
    };
    let mut settings = settings(ltc, vec![node("DOGE", doge_node.url())]);
    settings.refresh = Duration::from_millis(300);
    let mut farm = Farm::start(settings);

    for height in 432..440 {
        let job = farm
            .job("a job on the new tip", |job| {
                job.goals.len() == 2 && job.goals[0].height == height
            })
            .await;
        let goal = job.goals[0].target;
        let share = mine(&job, &(height as u32).to_le_bytes(), |hash| goal.is_met_by(hash));
        let mut hash = None;
        farm.submit(share).await;
        // DOGE has the same target, and its own tip may have moved since the job was made.
        while hash.is_none() {
            let event = farm.event().await;
            if event.chain.as_str() == "LTC" {
                assert_eq!(event.outcome, BlockOutcome::Accepted, "block {height}");
                hash = Some(event.hash);
            }
        }
        let hash = hash.expect("waited for").to_string();
        let best = pair.call("getbestblockhash", &json!([])).expect("it answers");
        assert_eq!(best, json!(hash));
        let block = pair.call("getblock", &json!([hash, 2])).expect("it has it");
        let txs = block["tx"].as_array().expect("transactions");
        // The peg-in makes the first extension block; every later block carries its HogEx on.
        assert!(txs.len() >= 2, "block {height} has a HogEx: {block}");
        if height == 432 {
            assert_eq!(txs.len(), 3, "coinbase, peg-in, HogEx");
        }
        if height == 436 {
            // A payment within the extension block, which shows in HogEx and fees alone.
            let before = job.goals[0].reward;
            pair.peg_in().expect("funds");
            farm.job("a template with the payment", |job| job.goals[0].reward > before).await;
        }
    }
    let status = farm.until("eight", |status| chain(status, "LTC").blocks_accepted == 8).await;
    assert_eq!(chain(&status, "LTC").blocks_rejected, 0);
    farm.until("DOGE blocks", |status| chain(status, "DOGE").blocks_accepted >= 1).await;
    farm.stop().await;
}
