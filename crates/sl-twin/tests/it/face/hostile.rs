//! Bytes that no fleet tool sends, and connections that are held open.

use std::time::Duration;

use proptest::prelude::*;
use sl_twin::face::{Limits, serve_http, serve_rpc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::Instant;

use super::booth::Booth;
use super::client::{parse, port_80, port_4028};
use super::sample;

/// Runs a future on a clock that jumps over every wait.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}

#[tokio::test(start_paused = true)]
async fn half_requests_are_let_go_in_time() {
    let l7 = Booth::new(sample::l7());
    let limits = Limits::default();
    for (half, web, patience) in [
        (&b"GET / HTTP/1.1\r\nHo"[..], true, limits.request),
        (b"POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\n12", true, limits.request),
        (b"", true, limits.request),
        (b"{\"command\"", false, limits.command),
        (b"", false, limits.command),
    ] {
        let (mut near, far) = duplex(4096);
        near.write_all(half).await.unwrap();
        let began = Instant::now();
        let held = async {
            if web {
                serve_http(far, &l7, &limits, fastrand::Rng::with_seed(1)).await
            } else {
                serve_rpc(far, &l7, &limits).await
            }
        };
        let silent = async {
            let mut all = Vec::new();
            near.read_to_end(&mut all).await.unwrap();
            all
        };
        let (served, _) = tokio::join!(held, silent);
        served.unwrap();
        assert!(began.elapsed() >= patience, "{half:?}");
        assert!(began.elapsed() < patience + Duration::from_secs(3), "{half:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_byte_a_second_does_not_hold_a_connection_for_ever() {
    let l7 = Booth::new(sample::l7());
    let limits = Limits::default();
    let (mut near, far) = duplex(4096);
    let began = Instant::now();
    let drip = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if near.write_all(b"x").await.is_err() {
                break;
            }
        }
    };
    let serving = serve_http(far, &l7, &limits, fastrand::Rng::with_seed(1));
    tokio::join!(serving, drip).0.unwrap();
    assert!(began.elapsed() < limits.request + Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_reaches_those_who_still_send() {
    let l7 = Booth::new(sample::l7());
    let head =
        "POST /cgi-bin/set_miner_conf.cgi HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
    let body = "x".repeat(200_000);
    let reply = parse(&port_80(&l7, &[head.as_bytes(), body.as_bytes()]).await);
    assert_eq!(reply.status, 413);
    assert!(reply.head.contains("Connection: close"));
}

#[tokio::test(start_paused = true)]
async fn too_much_on_4028_is_answered_and_over() {
    let l7 = Booth::new(sample::l7());
    let long = format!("{{\"command\":\"{}", "x".repeat(100_000));
    assert!(port_4028(&l7, &[long.as_bytes()]).await.contains("\"Code\":23"));
    let deep = "{\"command\":".repeat(700);
    assert!(port_4028(&l7, &[deep.as_bytes()]).await.contains("\"Code\":23"));
}

#[test]
fn any_bytes_on_any_port_are_answered_within_bounds() {
    let l7 = Booth::new(sample::l7());
    let most = 64 << 10;
    proptest!(ProptestConfig::with_cases(96), |(
        bytes in proptest::collection::vec(any::<u8>(), 0..3000),
    )| {
        let web = run(port_80(&l7, &[&bytes]));
        prop_assert!(web.len() < most);
        let rpc = run(port_4028(&l7, &[&bytes]));
        prop_assert!(rpc.len() < most);
        prop_assert!(l7.told().is_empty());
    });
}

#[test]
fn any_split_of_a_request_gets_the_same_answer() {
    let l7 = Booth::new(sample::l7());
    let web = b"GET /cgi-bin/summary.cgi HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let rpc = b"{\"command\": [\"summary\", \"version\"]}\n";
    let (web_whole, rpc_whole) = (run(port_80(&l7, &[web])), run(port_4028(&l7, &[rpc])));
    assert!(web_whole.contains(" 401 ") && rpc_whole.contains("VERSION"));
    proptest!(ProptestConfig::with_cases(48), |(
        cuts in proptest::collection::btree_set(1_usize..60, 0..8),
    )| {
        prop_assert_eq!(&run(port_80(&l7, &pieces(web, &cuts))), &web_whole);
        prop_assert_eq!(&run(port_4028(&l7, &pieces(rpc, &cuts))), &rpc_whole);
    });
}

fn pieces<'a>(bytes: &'a [u8], cuts: &std::collections::BTreeSet<usize>) -> Vec<&'a [u8]> {
    let mut from = 0;
    let mut pieces = Vec::new();
    for cut in cuts.iter().copied().filter(|cut| *cut < bytes.len()).chain([bytes.len()]) {
        pieces.push(&bytes[from..cut]);
        from = cut;
    }
    pieces
}
