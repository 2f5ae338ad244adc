//! The server over real sockets: codes, headers, long polls, limits.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::{Value, json};
use sl_ports::{
    Clock, HttpClient,
    http::{Method, Request, Response},
};
use sl_simnode::{NodeHandle, NodeSettings, ServeError, SimNode};
use sl_supervise::Supervisor;
use sl_units::Wall;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::rig::{START, free, row, unworked, world};

/// Nothing here takes long; this only ends a test that hangs.
const GUARD: Duration = Duration::from_secs(30);

struct Served {
    addr: SocketAddr,
    handle: NodeHandle,
    client: HttpClient,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

fn settings(listen: &str) -> NodeSettings {
    NodeSettings {
        listen: listen.parse().expect("an address"),
        user: "user".into(),
        password: "pass:word".into(),
    }
}

fn node(ticker: &str, listen: &str) -> (SimNode, NodeHandle) {
    let clock = Clock::simulated(Wall::from_secs(START));
    SimNode::new(row(ticker), settings(listen), world(1.0), clock, free())
}

async fn serve(ticker: &str) -> Served {
    let (mut node, mut handle) = node(ticker, "127.0.0.1:0");
    let stop = CancellationToken::new();
    let token = stop.clone();
    let running = tokio::spawn(async move {
        let listener = node.bind().await.expect("a free port");
        node.serve(listener, token).await.expect("serves");
    });
    let addr = timeout(GUARD, handle.listening()).await.expect("in time").expect("listens");
    Served { addr, handle, client: HttpClient::default(), stop, running }
}

impl Served {
    async fn post(&self, body: &str) -> Response {
        self.send(Request::post(format!("http://{}/", self.addr), body.to_owned())).await
    }

    async fn send(&self, request: Request) -> Response {
        // user:pass:word
        let request = request.header("authorization", "Basic dXNlcjpwYXNzOndvcmQ=");
        self.client.request(request).await.expect("an answer")
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({"id": 1, "method": method, "params": params}).to_string();
        let answer = self.post(&body).await;
        let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    async fn mine(&self) -> String {
        let template = self.call("getblocktemplate", json!([{"rules": ["segwit", "mweb"]}])).await;
        let block = unworked(&template, None);
        let verdict = self.call("submitblock", json!([hex::encode(block.encode())])).await;
        assert!(verdict.is_null(), "{verdict}");
        block.header.hash().to_string()
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(GUARD, self.running).await.expect("in time").expect("no panic");
    }
}

#[track_caller]
fn check(answer: &Response, status: u16, body: &str) {
    assert_eq!(
        (answer.status.as_u16(), std::str::from_utf8(&answer.body).expect("text")),
        (status, body)
    );
}

#[tokio::test]
async fn codes_and_bodies_as_recorded() {
    let served = serve("LTC").await;
    let json_type = Some("application/json");
    let answer = served.post(r#"{"id":"5","method":"nonsense"}"#).await;
    check(
        &answer,
        404,
        "{\"result\":null,\"error\":{\"code\":-32601,\"message\":\"Method not found\"},\"id\":\"5\"}\n",
    );
    assert_eq!(answer.header("content-type"), json_type);
    assert!(answer.header("date").is_some());
    check(
        &served.post(r#"{"id":"6","method":"submitblock","params":["00"]}"#).await,
        500,
        "{\"result\":null,\"error\":{\"code\":-22,\"message\":\"Block decode failed\"},\"id\":\"6\"}\n",
    );
    check(
        &served
            .post(r#"{"id":"4","method":"getblocktemplate","params":[{"rules":["segwit"]}]}"#)
            .await,
        500,
        "{\"result\":null,\"error\":{\"code\":-8,\"message\":\"getblocktemplate must be called with the segwit & mweb rule sets (call with {\\\"rules\\\": [\\\"mweb\\\", \\\"segwit\\\"]})\"},\"id\":\"4\"}\n",
    );
    check(
        &served.post(r#"{"method":"createauxblock","params":["x"],"id":null}"#).await,
        404,
        "{\"result\":null,\"error\":{\"code\":-32601,\"message\":\"Method not found\"},\"id\":null}\n",
    );
    check(
        &served.post("{nonsense").await,
        500,
        "{\"result\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error\"},\"id\":null}\n",
    );
    check(
        &served.post("7").await,
        500,
        "{\"result\":null,\"error\":{\"code\":-32700,\"message\":\"Top-level object parse error\"},\"id\":null}\n",
    );
    for (body, message) in [
        (r#"{"id":1}"#, "Missing method"),
        (r#"{"id":1,"method":2}"#, "Method must be a string"),
        (r#"{"id":1,"method":"getblockcount","params":3}"#, "Params must be an array or object"),
    ] {
        let wanted = format!(
            "{{\"result\":null,\"error\":{{\"code\":-32600,\"message\":\"{message}\"}},\"id\":1}}\n"
        );
        check(&served.post(body).await, 400, &wanted);
    }
    check(
        &served
            .post(r#"[{"id":"a","method":"getblockcount"},{"id":"b","method":"nonsense"},1]"#)
            .await,
        200,
        "[{\"result\":3215800,\"error\":null,\"id\":\"a\"},\
         {\"result\":null,\"error\":{\"code\":-32601,\"message\":\"Method not found\"},\"id\":\"b\"},\
         {\"result\":null,\"error\":{\"code\":-32600,\"message\":\"Invalid Request object\"},\"id\":null}]\n",
    );
    let named = r#"{"id":1,"method":"getblockhash","params":{"height":0}}"#;
    check(
        &served.post(named).await,
        200,
        "{\"result\":\"12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2\",\"error\":null,\"id\":1}\n",
    );
    served.end().await;
}

#[tokio::test]
async fn who_is_let_in() {
    let served = serve("DOGE").await;
    let url = format!("http://{}/", served.addr);
    for request in [
        Request::post(&url, "{}"),
        Request::post(&url, "{}").header("authorization", "Basic dXNlcjpwYXNz"),
        Request::post(&url, "{}").header("authorization", "Bearer x"),
    ] {
        let answer = served.client.request(request).await.expect("an answer");
        check(&answer, 401, "");
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"jsonrpc\""));
    }
    let get = Request::new(Method::GET, &url, "");
    check(&served.send(get).await, 405, "JSONRPC server handles only POST requests");
    let elsewhere = Request::post(format!("{url}rest/"), "{}");
    check(&served.send(elsewhere).await, 404, "");
    let wallet = Request::post(format!("{url}wallet/x"), r#"{"id":1,"method":"getblockcount"}"#);
    check(&served.send(wallet).await, 200, "{\"result\":6481000,\"error\":null,\"id\":1}\n");
    let huge = Request::post(&url, vec![b' '; (8 << 20) + 1]);
    // The server answers before it has read all: the client may meet a closed connection.
    let request = huge.header("authorization", "Basic dXNlcjpwYXNzOndvcmQ=");
    if let Ok(answer) = served.client.request(request).await {
        assert_eq!(answer.status.as_u16(), 413);
    }
    assert_eq!(served.call("getblockcount", json!([])).await, 6_481_000, "and it goes on");
    served.end().await;
}

#[tokio::test]
async fn long_polls_end_with_a_block_and_hold_nobody_up() {
    let served = Arc::new(serve("LTC").await);
    let template = served.call("getblocktemplate", json!([{"rules": ["segwit", "mweb"]}])).await;
    let id = template["longpollid"].clone();
    let ask = |method: &'static str, params: Value| {
        let served = Arc::clone(&served);
        tokio::spawn(async move { served.call(method, params).await })
    };
    let poll = ask("getblocktemplate", json!([{"rules": ["segwit", "mweb"], "longpollid": id}]));
    let news = ask("waitfornewblock", json!([0]));
    let soon = ask("waitfornewblock", json!([1]));
    let unchanged = timeout(GUARD, soon).await.expect("in time").expect("no panic");
    assert_eq!(unchanged["height"], 3_215_800);
    assert!(!poll.is_finished());
    let before = served.handle.status().borrow().clone();
    let hash = served.mine().await;
    let template = timeout(GUARD, poll).await.expect("in time").expect("no panic");
    assert_eq!(template["previousblockhash"], hash);
    let news = timeout(GUARD, news).await.expect("in time").expect("no panic");
    assert_eq!(news["height"], 3_215_801);
    let after = served.handle.status().borrow().clone();
    assert_eq!((after.tip.to_string(), after.height), (hash, 3_215_801));
    assert!(after.tip_since > before.tip_since);
    assert_eq!(after.blocks_accepted, 1);
    let served = Arc::into_inner(served).expect("nobody else has it");
    served.end().await;
}

#[tokio::test]
async fn a_stop_answers_who_waits() {
    let served = serve("DOGE").await;
    let client = served.client.clone();
    let url = format!("http://{}/", served.addr);
    // The call before shows that the server reads; the poll itself may come before or after the
    // stop: in both cases it ends.
    served.call("getblockcount", json!([])).await;
    let poll = tokio::spawn(async move {
        let body = r#"{"id":1,"method":"waitfornewblock","params":[0]}"#;
        let request = Request::post(url, body);
        client.request(request.header("authorization", "Basic dXNlcjpwYXNzOndvcmQ=")).await
    });
    tokio::task::yield_now().await;
    served.end().await;
    timeout(GUARD, poll).await.expect("in time").expect("no panic").ok();
}

#[tokio::test]
async fn a_client_may_leave_and_another_may_talk_nonsense() {
    let served = serve("DOGE").await;
    for bytes in [&b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n"[..], b"POST / HTTP/1.1\r\n"] {
        let mut stream = TcpStream::connect(served.addr).await.expect("connects");
        stream.write_all(bytes).await.expect("sends");
        stream.shutdown().await.expect("closes");
        let mut answer = Vec::new();
        let read = timeout(GUARD, stream.read_to_end(&mut answer)).await.expect("in time");
        assert!(read.is_err() || answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"));
    }
    assert_eq!(served.call("getblockcount", json!([])).await, 6_481_000);
    served.end().await;
}

#[tokio::test]
async fn who_only_keeps_a_place_makes_room() {
    let served = serve("DOGE").await;
    assert_eq!(served.call("getblockcount", json!([])).await, 6_481_000, "a client with a place");
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(served.addr).await.expect("connects");
        // It may have been left already.
        let _ = stream.write_all(b"POST / HTTP/1.1\r\nX-Slow: ").await;
        silent.push(stream);
        if silent.len() % 50 == 0 {
            assert_eq!(served.call("getblockcount", json!([])).await, 6_481_000);
        }
    }
    let mut first = silent.swap_remove(0);
    let read = timeout(GUARD, first.read_to_end(&mut Vec::new())).await.expect("is left");
    assert!(read.is_err() || read.is_ok_and(|bytes| bytes == 0));
    served.end().await;
}

#[tokio::test]
async fn too_many_long_polls_are_refused_as_the_daemons_do() {
    let served = Arc::new(serve("DOGE").await);
    let mut polls = tokio::task::JoinSet::new();
    for _ in 0..70 {
        let served = Arc::clone(&served);
        polls.spawn(async move {
            let answer = served.post(r#"{"id":1,"method":"waitfornewblock","params":[0]}"#).await;
            answer.status.as_u16()
        });
    }
    for _ in 0..6 {
        let status = timeout(GUARD, polls.join_next()).await.expect("at once").expect("one");
        assert_eq!(status.expect("no panic"), 503);
    }
    assert_eq!(served.call("getblockcount", json!([])).await, 6_481_000, "the rest is served");
    served.stop.cancel();
    while let Some(status) = timeout(GUARD, polls.join_next()).await.expect("in time") {
        assert_eq!(status.expect("no panic"), 200);
    }
}

#[tokio::test]
async fn what_would_swell_in_memory_is_refused() {
    let served = serve("DOGE").await;
    let swelling = format!(r#"{{"id":1,"method":"help","params":[{}0]}}"#, "0,".repeat(200_000));
    let answer = served.post(&swelling).await;
    check(
        &answer,
        400,
        "{\"result\":null,\"error\":{\"code\":-32600,\"message\":\"Too many values in one request\"},\"id\":null}\n",
    );
    // A large block is one value.
    let block =
        format!(r#"{{"id":1,"method":"submitblock","params":["{}"]}}"#, "0".repeat(7 << 20));
    assert_eq!(served.post(&block).await.status.as_u16(), 500);
    let mut stream = TcpStream::connect(served.addr).await.expect("connects");
    let request = "POST / HTTP/1.1\r\nAuthorization: Basic dXNlcjpwYXNzOndvcmQ=\r\n\
                   Transfer-Encoding: chunked\r\n\r\nnonsense\r\n";
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut answer = [0; 12];
    timeout(GUARD, stream.read_exact(&mut answer)).await.expect("in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 400");
    served.end().await;
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:19400"] {
        let (node, _) = node("LTC", listen);
        let error = node.bind().await.expect_err("refused");
        assert!(matches!(error, ServeError::NotLoopback { .. }));
        assert!(error.to_string().contains("use 127.0.0.1:"), "{error}");
    }
    let (mut node, _) = node("LTC", "127.0.0.1:0");
    let outside = tokio::net::TcpListener::bind("0.0.0.0:0").await.expect("binds");
    let error = node.serve(outside, CancellationToken::new()).await.expect_err("refused");
    assert!(matches!(error, ServeError::NotLoopback { .. }));
    let debug = format!("{:?}", settings("127.0.0.1:1"));
    assert!(!debug.contains("pass:word"), "{debug}");
}

#[tokio::test]
async fn as_a_service_it_is_ready_when_it_listens() {
    let (node, mut handle) = node("PEP", "127.0.0.1:0");
    let supervisor =
        Supervisor::new(vec![node.spec()], fastrand::Rng::with_seed(1)).expect("one service");
    assert_eq!(supervisor.order(), ["node.pep".into()]);
    let mut health = supervisor.health();
    let stop = CancellationToken::new();
    let running = tokio::spawn(supervisor.run(stop.clone()));
    timeout(GUARD, health.wait_ready()).await.expect("in time").expect("ready");
    let addr = timeout(GUARD, handle.listening()).await.expect("in time").expect("listens");
    assert!(addr.ip().is_loopback());
    stop.cancel();
    timeout(GUARD, running).await.expect("in time").expect("no panic");
}
