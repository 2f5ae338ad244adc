//! JSON-RPC over HTTP as the daemons speak it (`src/httpserver.cpp`, `src/httprpc.cpp`; recorded
//! in `testdata/litecoin/regtest-e2e/rpc_http_recordings.txt`).

use std::{
    convert::Infallible,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
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
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    crowd::{Crowd, Guest, Served},
    node::NodeStatus,
    rpc::{Answer, Reply, RpcError, Wait, by_name, code},
};

/// Most bytes of a request's body: a full block in hexadecimal digits.
const MAX_BODY: usize = 8 << 20;
/// Most calls in one batch.
const MAX_BATCH: usize = 1000;
/// Most connections; beyond, one that is silent makes room.
const MAX_CONNECTIONS: usize = 128;
/// Most long polls at once; beyond, they are refused in the daemons' words for a full work queue.
const MAX_WAITS: usize = 64;
/// A request or an answer above this many bytes is large.
const LARGE: usize = 64 << 10;
/// Most large requests and batches in memory at once, each until its answer has left.
const MAX_LARGE: usize = 4;
/// Most values in a request: in memory each takes many times the two bytes it has on the wire.
const MAX_VALUES: usize = 100_000;
/// How long a client may take for a request, to take a large answer, or stay idle
/// (`-rpcservertimeout`).
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

/// What is shared out among the connections of a run.
struct Shared {
    server: Server,
    waits: Semaphore,
    large: Arc<Semaphore>,
    turns: Arc<AtomicU64>,
}

impl std::ops::Deref for Shared {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Server {
    /// Serves connections until told to stop; then the long polls are answered, and the rest is
    /// dropped after half a second.
    pub(crate) async fn run(self, listener: TcpListener) {
        let mut crowd = Crowd::new(MAX_CONNECTIONS);
        let server = Arc::new(Shared {
            server: self,
            waits: Semaphore::new(MAX_WAITS),
            large: Arc::new(Semaphore::new(MAX_LARGE)),
            turns: crowd.turns(),
        });
        let mut connections = JoinSet::new();
        let mut said = false;
        loop {
            // All three are cancel-safe.
            tokio::select! {
                () = server.stop.cancelled() => break,
                Some(ended) = connections.join_next() => if let Ok(place) = ended {
                    crowd.leave(place);
                },
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        said = false;
                        // Where all wait for the node, who comes is sent away: it sees the end.
                        if let Some((place, guest)) = crowd.enter() {
                            let connection = Arc::clone(&server).connection(stream, guest);
                            connections.spawn(async move {
                                connection.await;
                                place
                            });
                        }
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut said, true) {
                            warn!(ticker = %server.ticker, %error, "cannot accept connections");
                        }
                        sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(listener);
        let _late =
            timeout(LAST_ANSWERS, async { while connections.join_next().await.is_some() {} }).await;
        connections.shutdown().await;
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
}

impl Shared {
    async fn connection(self: Arc<Self>, stream: TcpStream, guest: Arc<Guest>) {
        let _best_effort = stream.set_nodelay(true);
        let (stop, out) = (self.stop.clone(), guest.out.clone());
        let service = service_fn(move |request| {
            let (server, guest) = (Arc::clone(&self), Arc::clone(&guest));
            async move { Ok::<_, Infallible>(server.answer(request, &guest).await) }
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
            () = out.cancelled() => {
                debug!("a client that kept a place without using it is left");
                return;
            }
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "connection ended");
        }
    }

    async fn answer(&self, request: Request<Incoming>, guest: &Guest) -> Response<Full<Bytes>> {
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
        guest.is_known();
        let size = request.body().size_hint().upper();
        if size.is_some_and(|size| size > MAX_BODY as u64) {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "");
        }
        let large = size.is_none_or(|size| size > LARGE as u64);
        let permit = if large { self.permit() } else { None };
        if large && permit.is_none() {
            return plain(StatusCode::SERVICE_UNAVAILABLE, FULL);
        }
        let body = Limited::new(request.into_body(), MAX_BODY).collect();
        match timeout(CLIENT_TIMEOUT, body).await {
            Ok(Ok(body)) => {
                let _served = Served::new(guest, &self.turns);
                self.serve(&body.to_bytes(), permit, guest).await
            }
            Ok(Err(wrong)) if wrong.is::<LengthLimitError>() => {
                plain(StatusCode::PAYLOAD_TOO_LARGE, "")
            }
            Ok(Err(_)) => plain(StatusCode::BAD_REQUEST, ""),
            Err(_elapsed) => plain(StatusCode::REQUEST_TIMEOUT, ""),
        }
    }

    fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.large).try_acquire_owned().ok()
    }

    async fn serve(
        &self,
        body: &[u8],
        permit: Option<OwnedSemaphorePermit>,
        guest: &Guest,
    ) -> Response<Full<Bytes>> {
        if body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > MAX_VALUES {
            return failed(code::INVALID_REQUEST, "Too many values in one request");
        }
        match serde_json::from_slice(body) {
            Ok(Value::Array(calls)) if calls.len() <= MAX_BATCH => {
                let Some(permit) = permit.or_else(|| self.permit()) else {
                    return plain(StatusCode::SERVICE_UNAVAILABLE, FULL);
                };
                let mut answers = Vec::with_capacity(calls.len());
                for call in calls {
                    answers.push(self.one(call).await);
                }
                let text = text(&answers);
                respond(StatusCode::OK, "application/json", held(text, permit, guest))
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
                Reply::Wait(wait) => {
                    let full = || RpcError::new(code::OVERLOADED, FULL);
                    let _turn = self.waits.try_acquire().map_err(|_| full())?;
                    self.wait(wait).await;
                }
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

/// The daemons' words for a full work queue.
const FULL: &str = "Work queue depth exceeded";

/// A large answer: it keeps its permit until it has left, and its guest is left if it does not
/// take it in time.
fn held(text: Vec<u8>, permit: OwnedSemaphorePermit, guest: &Guest) -> Bytes {
    struct Held {
        text: Vec<u8>,
        _permit: OwnedSemaphorePermit,
        _left: oneshot::Sender<Infallible>,
    }
    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.text
        }
    }
    let (_left, taken) = oneshot::channel();
    let out = guest.out.clone();
    tokio::spawn(async move {
        if timeout(CLIENT_TIMEOUT, taken).await.is_err() {
            out.cancel();
        }
    });
    Bytes::from_owner(Held { text, _permit: permit, _left })
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
        Some(code::OVERLOADED) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn failed(code: i32, message: &str) -> Response<Full<Bytes>> {
    let error = RpcError::new(code, message);
    let status = status_of(Some(&error));
    json(status, &AnswerView { result: None, error: Some(error), id: Value::Null })
}

fn json(status: StatusCode, answer: &impl Serialize) -> Response<Full<Bytes>> {
    respond(status, "application/json", text(answer).into())
}

fn text(answer: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(answer).unwrap_or_default();
    text.push(b'\n');
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_keeps_its_permit_until_taken_and_is_not_kept_for_ever() {
        let mut crowd = Crowd::new(2);
        let large = Arc::new(Semaphore::new(2));
        let permit = || Arc::clone(&large).try_acquire_owned().expect("room");
        let (_, prompt) = crowd.enter().expect("room");
        let (_, idle) = crowd.enter().expect("room");
        let taken = held(b"taken".to_vec(), permit(), &prompt);
        let untaken = held(b"not taken".to_vec(), permit(), &idle);
        assert_eq!((&taken[..], large.available_permits()), (&b"taken"[..], 0));
        drop(taken);
        assert_eq!(large.available_permits(), 1);
        idle.out.cancelled().await;
        assert!(!prompt.out.is_cancelled());
        // Its connection ends, and drops what it held.
        drop(untaken);
        assert_eq!(large.available_permits(), 2);
    }
}
