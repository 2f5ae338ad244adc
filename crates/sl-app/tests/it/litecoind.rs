use serde_json::json;
use sl_app::{Composition, Settings};
use sl_chain::{address::Address, coins};
use sl_config::{Secret, Setting};
use sl_solo::{NodeSection, SoloSection};
use sl_testkit::litecoind::Pair;

use crate::{free_ports, start};

/// A real Litecoin node as the parent, nine simulated auxiliary nodes, and this machine's engines.
#[tokio::test(flavor = "multi_thread")]
async fn solo_on_a_real_litecoin_node() {
    let pair = match Pair::start_with_mweb() {
        Ok(pair) => pair,
        Err(why) if std::env::var_os("SILVERLODE_REQUIRE_LITECOIND").is_some() => {
            panic!("the test with a real Litecoin node is required here: {why}");
        }
        Err(why) => {
            println!("SKIPPED: the test with a real Litecoin node did not run: {why}");
            return;
        }
    };
    let before = height(&pair);

    // Auxiliary blocks easier than regtest's parent blocks, so that some shares win only them.
    let mut world = Settings::default();
    world.simulation.min_hashes_per_block = 1.0;
    world.simulation.engine_rate = Some(sl_units::HashRate::from_hs(0.1));
    world.simulation.rpc_port = free_ports(10);
    let nodes = start(world.clone(), Composition::Node);

    let auxiliaries = coins::auxiliaries().map(|row| {
        let at = world
            .simulation
            .chains()
            .iter()
            .position(|coin| *coin == row.ticker)
            .expect("simulated");
        NodeSection {
            coin: row.ticker,
            url: format!("http://127.0.0.1:{}", world.simulation.rpc_port + at as u16),
            user: world.simulation.rpc_user.clone(),
            password: world.simulation.rpc_password.clone(),
            address: Address::example(row).to_string(),
        }
    });
    let parent = NodeSection {
        coin: coins::by_ticker("LTC").expect("in the table").ticker,
        url: pair.url(),
        user: pair.user().into(),
        password: <Secret as Setting>::parse(pair.password()).expect("inline"),
        address: pair.address().expect("a wallet"),
    };
    let solo = SoloSection {
        parent: Some(parent),
        auxiliaries: auxiliaries.collect(),
        ..SoloSection::default()
    };
    let mut settings = Settings { solo, ..Settings::default() };
    settings.mine.threads = sl_hasher::Threads::Number(1);
    let miner = start(settings, Composition::Mine);
    miner
        .until(|summary| {
            summary.chains.values().all(|chain| chain.blocks_accepted >= 1)
                && summary.chains.get("LTC").is_some_and(|chain| chain.blocks_accepted >= 3)
                && summary.chains.values().any(|chain| chain.blocks_below_parent >= 1)
        })
        .await;
    let summary = miner.stop().await;
    nodes.stop().await;

    let parent = &summary.chains["LTC"];
    assert_eq!(parent.blocks_rejected, 0, "{:?}", parent.last_error);
    assert!(height(&pair) >= before + 3);
    // What we mined first holds the extension block that the peg-in made.
    let hash = pair.call("getblockhash", &json!([before + 1])).expect("mined");
    let block = pair.call("getblock", &json!([hash, 2])).expect("known");
    let transactions = block["tx"].as_array().expect("a list");
    let coinbase = transactions[0]["vin"][0]["coinbase"].as_str().expect("hexadecimal");
    assert!(coinbase.contains("2f73696c7665726c6f64652f"), "our tag: {coinbase}");
    assert!(coinbase.contains("fabe6d6d"), "the commitment: {coinbase}");
    assert!(block.get("mweb").is_some(), "an extension block: {block:#}");
}

fn height(pair: &Pair) -> u64 {
    let answer = pair.call("getblockcount", &json!([])).expect("it answers");
    answer.as_u64().expect("a height")
}
