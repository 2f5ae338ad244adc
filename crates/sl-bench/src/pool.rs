//! A pool by script: it gives the work that shares were mined for, and takes every share.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use crate::{
    BenchError,
    instant::nanos,
    premined::{self, EXTRANONCE1, EXTRANONCE2_LEN},
};

/// The session of every client.
const SESSION: &str = "bench-session";

/// The pool; it is gone when it is dropped.
pub(crate) struct Pool {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    listening: AbortHandle,
}

struct Shared {
    difficulty: f64,
    resumes: bool,
    extranonce1: [u8; 4],
    jobs: watch::Sender<(u64, bool)>,
    counts: Mutex<Counts>,
    connections: AtomicU64,
}

/// What the pool saw.
#[derive(Default)]
struct Counts {
    shares: HashSet<String>,
    duplicates: u64,
    /// When each job was written, in nanoseconds.
    written: Vec<(u64, u64)>,
}

impl Pool {
    /// A pool on a free port that asks for shares of this difficulty. `resumes`: a session that is
    /// named has the extranonce of before; otherwise each connection but the first has another.
    pub(crate) async fn start(difficulty: f64, resumes: bool) -> Result<Self, BenchError> {
        Self::start_as(difficulty, resumes, EXTRANONCE1).await
    }

    /// The same with an extranonce of its own.
    pub(crate) async fn start_as(
        difficulty: f64,
        resumes: bool,
        extranonce1: [u8; 4],
    ) -> Result<Self, BenchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(BenchError::io("a pool listens"))?;
        let address = listener.local_addr().map_err(BenchError::io("a pool listens"))?;
        let shared = Arc::new(Shared {
            difficulty,
            resumes,
            extranonce1,
            jobs: watch::Sender::new((1, true)),
            counts: Mutex::default(),
            connections: AtomicU64::new(0),
        });
        let listening = tokio::spawn(accept(listener, shared.clone())).abort_handle();
        Ok(Self { address, shared, listening })
    }

    /// Gives the next job.
    pub(crate) fn job(&self, clean: bool) {
        self.shared.jobs.send_modify(|job| *job = (job.0 + 1, clean));
    }

    /// Gives jobs of this kind again and again, until the handle is dropped.
    pub(crate) fn jobs_every(&self, time: Duration, clean: bool) -> JoinSet<()> {
        let shared = self.shared.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut tick = tokio::time::interval(time);
            tick.tick().await;
            loop {
                tick.tick().await;
                shared.jobs.send_modify(|job| *job = (job.0 + 1, clean));
            }
        });
        tasks
    }

    /// When jobs were written, in nanoseconds of the common clock, in their order.
    pub(crate) fn written(&self) -> Vec<u64> {
        self.shared.counts().written.iter().map(|(_, at)| *at).collect()
    }

    /// Different shares that came.
    pub(crate) fn shares(&self) -> u64 {
        self.shared.counts().shares.len() as u64
    }

    /// Shares that came once more.
    pub(crate) fn duplicates(&self) -> u64 {
        self.shared.counts().duplicates
    }

    /// Ends it with all its connections.
    pub(crate) fn kill(&self) {
        self.listening.abort();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, call: &Value, extranonce1: &[u8]) -> Value {
        let id = &call["id"];
        let yes = || json!({"id": id, "result": true, "error": null});
        match call["method"].as_str() {
            Some("mining.subscribe") => {
                let session = json!([["mining.notify", SESSION]]);
                json!({"id": id, "result": [session, hex::encode(extranonce1), EXTRANONCE2_LEN], "error": null})
            }
            Some("mining.submit") => {
                let share = call["params"].as_array().map(|params| json!(params.get(1..)));
                let mut counts = self.counts();
                if counts.shares.insert(share.unwrap_or_default().to_string()) {
                    return yes();
                }
                counts.duplicates += 1;
                json!({"id": id, "result": null, "error": [22, "Duplicate share", null]})
            }
            Some("mining.authorize" | "mining.suggest_difficulty") => yes(),
            _ => json!({"id": id, "result": null, "error": [20, "Not supported.", null]}),
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let earlier = shared.connections.fetch_add(1, Ordering::Relaxed);
    let mut extranonce1 = shared.extranonce1;
    if earlier > 0 && !shared.resumes {
        extranonce1[0] ^= u8::try_from(earlier).unwrap_or(u8::MAX);
    }
    let (read, mut out) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut jobs = shared.jobs.subscribe();
    let mut in_work = false;
    loop {
        let mut words = String::new();
        // Both branches are cancel-safe: a line, a change.
        tokio::select! {
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { return };
                let call: Value = serde_json::from_str(&line).unwrap_or_default();
                words += &format!("{}\n", shared.answer(&call, &extranonce1));
                if call["method"] == "mining.authorize" {
                    in_work = true;
                    jobs.mark_changed();
                    let difficulty = json!({"id": null, "method": "mining.set_difficulty", "params": [shared.difficulty]});
                    words += &format!("{difficulty}\n");
                }
            }
            changed = jobs.changed(), if in_work => {
                if changed.is_err() {
                    return;
                }
                let (number, clean) = *jobs.borrow_and_update();
                let line = premined::notify(format!("{number:x}"), clean).to_line();
                words += &String::from_utf8_lossy(&line);
                shared.counts().written.push((number, nanos()));
            }
        }
        if out.write_all(words.as_bytes()).await.is_err() {
            return;
        }
    }
}
