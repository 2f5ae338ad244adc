use std::{net::TcpListener, time::Duration};

use sl_noderpc::{NodeClient, NodeFault};
use sl_testkit::peer::{Answer, Peer};

use crate::{client, client_within};

async fn fault(answer: Answer) -> NodeFault {
    let peer = Peer::start(move |_| answer.clone());
    let client: NodeClient = client(peer.url());
    client.block_count().await.expect_err("an error").fault
}

#[tokio::test]
async fn nonsense_is_named_and_never_panics() {
    let long = format!("{{\"result\":\"{}\"", "x".repeat(2 << 20));
    for (answer, expect) in [
        (Answer::Body { status: 200, body: "<html>hello</html>".into() }, "found \"<html>hello"),
        (Answer::Body { status: 200, body: String::new() }, "found \"\""),
        (Answer::Body { status: 200, body: "[1,2".into() }, "allowed is a JSON-RPC reply"),
        (Answer::Body { status: 200, body: "{}".into() }, "has the id none"),
        (Answer::Body { status: 502, body: "{\"id\":1}".into() }, "HTTP 502"),
        (Answer::Body { status: 200, body: long }, "longer than the 1048576 bytes allowed"),
        (Answer::result("many"), "expected i64"),
        (Answer::result(-1), "height: found -1"),
        (Answer::result(1.5), "expected i64"),
        (Answer::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()), "is not HTTP"),
    ] {
        let fault = fault(answer.clone()).await;
        let text = fault.to_string();
        assert!(matches!(fault, NodeFault::Nonsense { .. }), "{answer:?}: {text}");
        assert!(text.contains(expect), "{text}");
        assert!(text.contains("hint: is this the RPC port"), "{text}");
    }
}

#[tokio::test]
async fn a_deep_answer_is_nonsense() {
    let body = "[".repeat(100_000);
    let fault = fault(Answer::Body { status: 200, body }).await;
    assert!(matches!(fault, NodeFault::Nonsense { .. }), "{fault}");
}

#[tokio::test]
async fn connections_that_break() {
    for answer in [
        Answer::HangUp,
        Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"resu".to_vec()),
    ] {
        let fault = fault(answer).await;
        assert!(fault.is_connection(), "{fault}");
        assert!(matches!(fault, NodeFault::Unreachable { may_have_acted: true, .. }), "{fault}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let error = client(url.clone()).block_count().await.expect_err("refused");
    assert_eq!(
        error.to_string(),
        format!(
            "DOGE node at {url}: connection refused; hint: is the node running with server=1, and \
             is its RPC port this one?"
        )
    );
}

#[tokio::test]
async fn a_silent_node_is_slow() {
    let peer = Peer::start(|_| Answer::Silence);
    let call = Duration::from_millis(100);
    let error = client_within(peer.url(), call).block_count().await.expect_err("slow");
    assert_eq!(error.fault, NodeFault::Slow { method: "getblockcount", after: call });
}

#[tokio::test]
async fn a_url_with_credentials_is_refused_and_not_shown() {
    let error = client("http://me:hush@127.0.0.1:1".into()).block_count().await.expect_err("bad");
    let text = error.to_string();
    assert!(matches!(error.fault, NodeFault::BadUrl(_)), "{text}");
    assert!(
        text.starts_with("DOGE node at http://127.0.0.1:1: ") && !text.contains("hush"),
        "{text}"
    );
}
