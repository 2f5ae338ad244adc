//! JSON-RPC over HTTP as the daemons speak it (`src/httpserver.cpp`, `src/httprpc.cpp`; recorded
//! in `testdata/litecoin/regtest-e2e/rpc_http_recordings.txt`).

use std::{convert::Infallible, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde_json::Value;
use sl_chain::coins::Ticker;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    node::NodeStatus,
    rpc::{Answer, Reply, RpcError, Wait, by_name, code},
};

/// Most bytes of a request's body: a full block in hexadecimal digits.
const MAX_BODY: usize = 8 << 20;
/// Most calls in one batch.
const MAX_BATCH: usize = 1000;
/// Most connections; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 128;
/// How long a client may take for a request, or stay idle (`-rpcservertimeout`).
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a wrong password is not answered, against guessing.
const WRONG_PASSWORD: Duration = Duration::from_millis(250);
/// How long connections may take to end at a stop.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// One call on its way to the node.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) params: Arc<[Value]>,
    pub(crate) waited: bool,
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// What all connections share.
pub(crate) struct Server {
    pub(crate) ticker: Ticker,
    /// `user:password`.
    pub(crate) credentials: String,
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) status: watch::Receiver<NodeStatus>,
    pub(crate) stop: CancellationToken,
}

impl Server {
    /// Serves connections until told to stop; then the long polls are answered, and the rest is
    /// dropped after half a second.
    pub(crate) async fn run(self, listener: TcpListener) {
        let server = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            // All three are cancel-safe.
            tokio::select! {
                () = server.stop.cancelled() => break,
                Some(_ended) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                    match accepted {
                        Ok((stream, _)) => {
                            connections.spawn(Arc::clone(&server).connection(stream));
                        }
                        Err(error) => {
                            warn!(ticker = %server.ticker, %error, "cannot accept a connection");
                            sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
            }
        }
        drop(listener);
        let _late =
            timeout(LAST_ANSWERS, async { while connections.join_next().await.is_some() {} }).await;
        connections.shutdown().await;
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        let _best_effort = stream.set_nodelay(true);
        let stop = self.stop.clone();
        let service = service_fn(move |request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(CLIENT_TIMEOUT)
            .title_case_headers(true)
            .max_buf_size(64 << 10)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "connection ended");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::POST {
            return plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "JSONRPC server handles only POST requests",
            );
        }
        let path = request.uri().path();
        if path != "/" && !path.starts_with("/wallet/") {
            return plain(StatusCode::NOT_FOUND, "");
        }
        if !self.allows(request.headers().get(AUTHORIZATION)) {
            debug!(ticker = %self.ticker, "wrong user or password");
            sleep(WRONG_PASSWORD).await;
            let mut refused = plain(StatusCode::UNAUTHORIZED, "");
            let realm = HeaderValue::from_static("Basic realm=\"jsonrpc\"");
            refused.headers_mut().insert(WWW_AUTHENTICATE, realm);
            return refused;
        }
        let body = Limited::new(request.into_body(), MAX_BODY).collect();
        match timeout(CLIENT_TIMEOUT, body).await {
            Ok(Ok(body)) => self.serve(&body.to_bytes()).await,
            Ok(Err(_)) => plain(StatusCode::PAYLOAD_TOO_LARGE, ""),
            Err(_elapsed) => plain(StatusCode::REQUEST_TIMEOUT, ""),
        }
    }

    fn allows(&self, header: Option<&HeaderValue>) -> bool {
        let Some(given) = header
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|encoded| STANDARD.decode(encoded.trim()).ok())
        else {
            return false;
        };
        // The time this takes tells nothing but the length.
        let wanted = self.credentials.as_bytes();
        given.len() == wanted.len()
            && given.iter().zip(wanted).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }

    async fn serve(&self, body: &[u8]) -> Response<Full<Bytes>> {
        match serde_json::from_slice(body) {
            Ok(Value::Array(calls)) if calls.len() <= MAX_BATCH => {
                let mut answers = Vec::with_capacity(calls.len());
                for call in calls {
                    answers.push(self.one(call).await);
                }
                json(StatusCode::OK, &answers)
            }
            Ok(Value::Array(_)) => failed(code::INVALID_REQUEST, "Batch of too many requests"),
            Ok(call @ Value::Object(_)) => {
                let answer = self.one(call).await;
                json(status_of(answer.error.as_ref()), &answer)
            }
            Ok(_) => failed(code::PARSE, "Top-level object parse error"),
            Err(_) => failed(code::PARSE, "Parse error"),
        }
    }

    async fn one(&self, call: Value) -> AnswerView {
        let Value::Object(mut call) = call else {
            let error = RpcError::new(code::INVALID_REQUEST, "Invalid Request object");
            return AnswerView { result: None, error: Some(error), id: Value::Null };
        };
        let id = call.remove("id").unwrap_or_default();
        let result = match call.remove("method") {
            None | Some(Value::Null) => Err(RpcError::new(code::INVALID_REQUEST, "Missing method")),
            Some(Value::String(method)) => match call.remove("params") {
                None | Some(Value::Null) => self.call(method, Vec::new()).await,
                Some(Value::Array(params)) => self.call(method, params).await,
                Some(Value::Object(named)) => match by_name(&method, &named) {
                    Ok(params) => self.call(method, params).await,
                    Err(error) => Err(error),
                },
                Some(_) => {
                    Err(RpcError::new(code::INVALID_REQUEST, "Params must be an array or object"))
                }
            },
            Some(_) => Err(RpcError::new(code::INVALID_REQUEST, "Method must be a string")),
        };
        let (result, error) = match result {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        AnswerView { result, error, id }
    }

    /// Asks the node, and asks it again when a long poll is over. Nothing of the node is held
    /// meanwhile.
    async fn call(&self, method: String, params: Vec<Value>) -> Result<Answer, RpcError> {
        let gone = || RpcError::new(code::WARMUP, "the node is stopping");
        let params: Arc<[Value]> = params.into();
        let mut waited = false;
        loop {
            let (reply, answer) = oneshot::channel();
            let call = Call { method: method.clone(), params: Arc::clone(&params), waited, reply };
            self.calls.send(call).await.map_err(|_| gone())?;
            match answer.await.map_err(|_| gone())? {
                Reply::Done(done) => return done,
                Reply::Wait(wait) => self.wait(wait).await,
            }
            waited = true;
        }
    }

    async fn wait(&self, wait: Wait) {
        let mut status = self.status.clone();
        let news = status.wait_for(|status| status.tip != wait.tip);
        let clock = async {
            match wait.timeout {
                Some(limit) => sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        // All three are cancel-safe.
        tokio::select! {
            _changed = news => {}
            () = clock => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// An answer in the shape of JSON-RPC 1.0: all three keys, always.
#[derive(Serialize)]
struct AnswerView {
    result: Option<Answer>,
    error: Option<RpcError>,
    id: Value,
}

/// The HTTP status that goes with an error.
fn status_of(error: Option<&RpcError>) -> StatusCode {
    match error.map(|error| error.code) {
        None => StatusCode::OK,
        Some(code::INVALID_REQUEST) => StatusCode::BAD_REQUEST,
        Some(code::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn failed(code: i32, message: &str) -> Response<Full<Bytes>> {
    let error = RpcError::new(code, message);
    let status = status_of(Some(&error));
    json(status, &AnswerView { result: None, error: Some(error), id: Value::Null })
}

fn json(status: StatusCode, answer: &impl Serialize) -> Response<Full<Bytes>> {
    let mut text = serde_json::to_vec(answer).unwrap_or_default();
    text.push(b'\n');
    respond(status, "application/json", text.into())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    respond(status, "text/html; charset=ISO-8859-1", Bytes::from_static(text.as_bytes()))
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
