use serde_json::{Value, json};
use sl_noderpc::{NodeFault, SubmitOutcome};
use sl_testkit::{
    peer::{Answer, Peer},
    recorded,
};
use sl_units::Hash256;

use crate::client;

/// A peer that answers with what a Pepecoin daemon answered, call by call.
fn pepecoin(method: &'static str, at: usize) -> Peer {
    let text = recorded("auxpow/regtest-e2e/aux_rpc_recordings.json");
    let all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let entry = all[at].clone();
    assert_eq!(entry["method"], method, "the recording at {at}");
    Peer::start(move |call| {
        assert_eq!(call.method, method);
        Answer::Body {
            status: entry["http_status"].as_u64().expect("a status") as u16,
            body: entry["body"].as_str().expect("a body").to_owned(),
        }
    })
}

/// A body recorded from litecoind, by the title above it.
fn litecoind(title: &str) -> (u16, String) {
    let text = recorded("litecoin/regtest-e2e/rpc_http_recordings.txt").replace('\r', "");
    let section = text.split("### ").find_map(|part| part.strip_prefix(title)).expect("a section");
    let status = section.split(' ').nth(1).expect("a status").parse().expect("a number");
    let (_, body) = section.split_once("\n\n").expect("a body");
    // Recorded under running numbers; the peer gives the caller's.
    let body = body.trim().to_owned();
    let ids = (1..10).fold(body, |body, id| body.replace(&format!("\"id\":\"{id}\""), "\"id\":1"));
    (status, ids)
}

fn one(status: u16, body: String) -> Peer {
    Peer::start(move |_| Answer::Body { status, body: body.clone() })
}

fn hash(text: &str) -> Hash256 {
    text.parse().expect("a hash")
}

#[tokio::test]
async fn createauxblock_and_its_errors() {
    let peer = pepecoin("createauxblock", 1);
    let template = client(peer.url()).create_aux_block("mh5C").await.expect("as recorded");
    assert_eq!((template.chain_id, template.height), (63, 26));
    let call = peer.calls().remove(0);
    assert_eq!(call.params, json!(["mh5C"]));
    // "farm:pass word"
    assert_eq!(call.authorization.as_deref(), Some("Basic ZmFybTpwYXNzIHdvcmQ="));

    for (at, code, words) in
        [(0, -1, "getauxblock method is not yet available"), (2, -8, "Invalid coinbase payout")]
    {
        let peer = pepecoin("createauxblock", at);
        let error = client(peer.url()).create_aux_block("x").await.expect_err("an error");
        assert!(
            matches!(&error.fault, NodeFault::Rpc { code: found, .. } if *found == code)
                && error.to_string().contains(words)
                && error.to_string().starts_with(&format!("DOGE node at {}: ", peer.url())),
            "{error}"
        );
    }
}

#[tokio::test]
async fn submitauxblock_says_true_false_or_an_error() {
    let block = hash("5b26c6b2163aaa4759f83e73cfe6a52f7ffd34ff940efeb155da1357d3c8d306");
    let refused = pepecoin("submitauxblock", 4);
    assert_eq!(client(refused.url()).submit_aux_block(block, &[1, 2]).await, Ok(false));
    assert_eq!(refused.calls()[0].params, json!([block.to_string(), "0102"]));
    let taken = pepecoin("submitauxblock", 10);
    assert_eq!(client(taken.url()).submit_aux_block(block, &[]).await, Ok(true));
    let unknown = pepecoin("submitauxblock", 8);
    let error = client(unknown.url()).submit_aux_block(block, &[]).await.expect_err("unknown");
    assert!(error.to_string().contains("submitauxblock answers error -8: block hash unknown"));
}

#[tokio::test]
async fn getauxblock_without_a_wallet() {
    let peer = pepecoin("getauxblock", 15);
    let error = client(peer.url()).get_aux_block().await.expect_err("no wallet").to_string();
    assert!(error.contains("-12") && error.contains("hint: the node's wallet"), "{error}");
}

#[tokio::test]
async fn tips_and_heights() {
    let peer = pepecoin("getblockcount", 11);
    assert_eq!(client(peer.url()).block_count().await, Ok(26));
    let peer = pepecoin("getbestblockhash", 12);
    let tip = hash("5b26c6b2163aaa4759f83e73cfe6a52f7ffd34ff940efeb155da1357d3c8d306");
    assert_eq!(client(peer.url()).best_block_hash().await, Ok(tip));
    let peer = Peer::start(move |call| match call.method.as_str() {
        "waitfornewblock" => {
            assert_eq!(call.params, json!([1500]));
            Answer::result(json!({"hash": tip.to_string(), "height": 26}))
        }
        "getblockhash" => {
            assert_eq!(call.params, json!([26]));
            Answer::result(tip.to_string())
        }
        _ => Answer::HangUp,
    });
    let client = client(peer.url());
    let patience = std::time::Duration::from_millis(1500);
    assert_eq!(client.wait_for_new_block(patience).await, Ok(tip));
    assert_eq!(client.block_hash(26).await, Ok(tip));
}

#[tokio::test]
async fn litecoinds_template_with_an_extension_block() {
    let text = recorded("litecoin/regtest-e2e/gbt_432_first_mweb.json");
    let template: Value = serde_json::from_str(&text).expect("JSON");
    let peer = Peer::start(move |_| Answer::result(template.clone()));
    let client = client(peer.url());
    let found = client.block_template(&["mweb", "segwit"], None).await.expect("as recorded");
    assert_eq!(found.height, 432);
    let id = found.long_poll_id.expect("recorded");
    client.block_template(&["mweb"], Some(&id)).await.expect("as recorded");
    let calls = peer.calls();
    assert_eq!(calls[0].params, json!([{"rules": ["mweb", "segwit"]}]));
    assert_eq!(calls[1].params, json!([{"rules": ["mweb"], "longpollid": id}]));
}

#[tokio::test]
async fn litecoinds_other_answers() {
    let (status, body) = litecoind("getblockchaininfo\n");
    let peer = one(status, body);
    let info = client(peer.url()).blockchain_info().await.expect("as recorded");
    assert_eq!((info.chain.as_str(), info.blocks, info.downloading), ("regtest", 434, false));

    let (status, body) = litecoind("getblocktemplate without mweb rule\n");
    let peer = one(status, body);
    let error = client(peer.url()).block_template(&[], None).await.expect_err("rules missing");
    assert!(matches!(error.fault, NodeFault::Rpc { code: -8, .. }), "{error}");

    let (status, body) = litecoind("unknown method\n");
    let peer = one(status, body);
    let error = client(peer.url()).create_aux_block("x").await.expect_err("no such call");
    assert_eq!(error.fault, NodeFault::NoSuchMethod { method: "createauxblock" });

    let (status, body) = litecoind("wrong password\n");
    assert_eq!((status, body.as_str()), (401, ""));
    let peer = one(status, body);
    let error = client(peer.url()).block_count().await.expect_err("wrong password");
    assert_eq!(error.fault, NodeFault::Unauthorised { user: "farm".into() });
    let text = error.to_string();
    assert!(text.contains("user \"farm\"") && !text.contains("pass word"), "{text}");

    let (status, body) = litecoind("submitblock garbage\n");
    let peer = one(status, body);
    let outcome = client(peer.url()).submit_block(&[0]).await;
    assert_eq!(outcome, Ok(SubmitOutcome::Refused("Block decode failed".into())));
}

#[tokio::test]
async fn submitblock_says_nothing_or_a_reason() {
    let taken = one(200, r#"{"result":null,"error":null,"id":1}"#.into());
    assert_eq!(client(taken.url()).submit_block(&[0xab]).await, Ok(SubmitOutcome::Accepted));
    assert_eq!(taken.calls()[0].params, json!(["ab"]));
    let refused = one(200, r#"{"result":"high-hash","error":null,"id":1}"#.into());
    let outcome = client(refused.url()).submit_block(&[0]).await;
    assert_eq!(outcome, Ok(SubmitOutcome::Refused("high-hash".into())));
    // An answer without a result is no success.
    let odd = one(200, r#"{"error":null,"id":1}"#.into());
    assert!(client(odd.url()).submit_block(&[0]).await.is_err());
}
