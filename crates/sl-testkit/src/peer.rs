//! A JSON-RPC server that answers by a script.

use std::{
    io::{BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::http::Message;

/// A call as it came in.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: String,
    /// Its parameters.
    pub params: Value,
    /// Its id.
    pub id: Value,
    /// The header `Authorization`.
    pub authorization: Option<String>,
}

/// What the peer answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This status and body.
    Body {
        /// HTTP status.
        status: u16,
        /// The body; `"id":"1"` and `"id":1` in it are the recorder's, and become the caller's.
        body: String,
    },
    /// A JSON-RPC success.
    Result(Value),
    /// A JSON-RPC error under an HTTP status.
    Error {
        /// HTTP status.
        status: u16,
        /// The error's number.
        code: i64,
        /// Its words.
        message: String,
    },
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// Nothing, until the peer is dropped.
    Silence,
    /// The connection is closed without a word.
    HangUp,
}

impl Answer {
    /// A success.
    pub fn result(value: impl Into<Value>) -> Self {
        Self::Result(value.into())
    }

    /// An error under an HTTP status.
    #[must_use]
    pub fn error(status: u16, code: i64, message: &str) -> Self {
        Self::Error { status, code, message: message.to_owned() }
    }
}

type Script = dyn Fn(&Call) -> Answer + Send + Sync;

/// The peer; it stops listening when it is dropped.
pub struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    calls: Mutex<Vec<Call>>,
    called: Condvar,
    stopped: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Peer {
    /// A peer on a free port of 127.0.0.1. The script runs on a thread of each connection and may
    /// block it.
    pub fn start(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::on(listener, script)
    }

    /// A peer on a port that a test chose, to come back where it was.
    ///
    /// # Panics
    /// The port is taken.
    pub fn start_at(
        address: SocketAddr,
        script: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind(address).expect("the port is free"), script)
    }

    fn on(listener: TcpListener, script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            calls: Mutex::default(),
            called: Condvar::new(),
            stopped: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let kept = stream.try_clone().expect("a second handle");
                lock(&accepting.streams).push(kept);
                let shared = Arc::clone(&accepting);
                // A connection that breaks is the test's business.
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// Waits until so many calls of a method have come in; blocks the thread.
    pub fn wait_for(&self, method: &str, count: usize) {
        let calls = lock(&self.shared.calls);
        let enough = |calls: &mut Vec<Call>| {
            calls.iter().filter(|call| call.method == method).count() < count
        };
        drop(self.shared.called.wait_while(calls, enough));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for stream in lock(&self.shared.streams).drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        // Wakes the listening thread, which then ends and frees the port.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut out = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = Message::read(&mut reader).ok()? {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let call = Call {
                method: body["method"].as_str().unwrap_or_default().to_owned(),
                params: body["params"].clone(),
                id: body["id"].clone(),
                authorization: request.header("authorization").map(str::to_owned),
            };
            lock(&self.calls).push(call.clone());
            self.called.notify_all();
            let closes = request.header("connection") == Some("close");
            match (self.script)(&call) {
                Answer::Body { status, body } => {
                    let id = format!("\"id\":{}", call.id);
                    let body = body.replace("\"id\":\"1\"", &id).replace("\"id\":1", &id);
                    reply(&mut out, status, &body)?;
                }
                Answer::Result(result) => {
                    let body = json!({"result": result, "error": null, "id": call.id});
                    reply(&mut out, 200, &body.to_string())?;
                }
                Answer::Error { status, code, message } => {
                    let error = json!({"code": code, "message": message});
                    let body = json!({"result": null, "error": error, "id": call.id});
                    reply(&mut out, status, &body.to_string())?;
                }
                Answer::Bytes(bytes) => {
                    out.write_all(&bytes).ok()?;
                    return out.shutdown(std::net::Shutdown::Both).ok();
                }
                Answer::Silence => {
                    // Until the peer, or whoever called, closes the connection.
                    Message::read(&mut reader).ok()?;
                    return None;
                }
                Answer::HangUp => return out.shutdown(std::net::Shutdown::Both).ok(),
            }
            if closes {
                return out.shutdown(std::net::Shutdown::Both).ok();
            }
        }
        None
    }
}

fn reply(out: &mut TcpStream, status: u16, body: &str) -> Option<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    out.write_all(&[head.as_bytes(), body.as_bytes()].concat()).ok()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Peer({})", self.address)
    }
}
