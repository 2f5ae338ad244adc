//! A pool by script, and a source that works for it.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sl_ports::{Clock, Randomness, tls::server::Acceptor};
use sl_pow::{Prover, ScalarEngine};
use sl_stratum::Password;
use sl_supervise::ServiceSpec;
use sl_testkit::toy::Zero;
use sl_upstream::{Pool, PoolOptions, PoolState, PoolStatus, Upstream};
use sl_work::{Ask, Claim, Job, Lease, Outcome, Proven, SourceId, Ticket, WorkSource, verify};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf},
    net::TcpListener,
    sync::watch,
    time::timeout,
};

use crate::Supervised;

/// Waits for what must come, under a guard that only a hanging test meets.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), what).await.expect("it comes")
}

pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

pub(crate) struct ScriptedPool {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Acceptor>,
    /// What it gives as its extranonce: its own, and the bytes left to us.
    pub(crate) extranonce: (&'static str, usize),
    /// What it wants as the login.
    pub(crate) login: [&'static str; 2],
    pub(crate) difficulty: f64,
    pub(crate) bits: &'static str,
}

pub(crate) struct Conversation {
    lines: BufReader<ReadHalf<Box<dyn Wire>>>,
    out: WriteHalf<Box<dyn Wire>>,
    bits: &'static str,
}

impl ScriptedPool {
    pub(crate) async fn start() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port"),
            tls: None,
            extranonce: ("a1b2c3d4", 4),
            login: ["account.rig", "x"],
            difficulty: 0.5,
            bits: "1e0ffff0",
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().expect("bound").port()
    }

    pub(crate) async fn accept(&self) -> Conversation {
        let (stream, _) = soon(self.listener.accept()).await.expect("a connection");
        let wire: Box<dyn Wire> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(soon(tls.accept(stream)).await.expect("a handshake")),
        };
        let (read, out) = tokio::io::split(wire);
        Conversation { lines: BufReader::new(read), out, bits: self.bits }
    }

    /// Accepts and subscribes: what was asked, and whose answer is still due.
    pub(crate) async fn subscribe(&self) -> (Conversation, Value, Value) {
        let mut conversation = self.accept().await;
        let subscribe = conversation.hear().await;
        assert_eq!(subscribe["method"], "mining.subscribe");
        let (own, len) = self.extranonce;
        conversation.say(json!({"id": subscribe["id"], "result": [[["mining.notify", "s1"]], own, len], "error": null})).await;
        let authorize = conversation.hear().await;
        assert_eq!(authorize["params"], json!(self.login));
        (conversation, subscribe, authorize)
    }

    /// Accepts, subscribes and authorises; gives no job.
    pub(crate) async fn let_in(&self) -> (Conversation, Value) {
        let (mut conversation, subscribe, authorize) = self.subscribe().await;
        conversation.grant(&authorize).await;
        (conversation, subscribe)
    }

    /// Accepts, subscribes and authorises, and gives the job.
    pub(crate) async fn welcome(&self, job_id: &str) -> Conversation {
        let (mut conversation, _) = self.let_in().await;
        conversation.difficulty(self.difficulty).await;
        conversation.notify(job_id, true).await;
        conversation
    }
}

impl Conversation {
    pub(crate) async fn hear(&mut self) -> Value {
        let mut line = String::new();
        soon(self.lines.read_line(&mut line)).await.expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|wrong| panic!("{line:?}: {wrong}"))
    }

    /// Waits until the other side has closed the connection.
    pub(crate) async fn ends(&mut self) {
        let mut line = String::new();
        // A reset is an end, too.
        while !matches!(soon(self.lines.read_line(&mut line)).await, Ok(0) | Err(_)) {}
    }

    pub(crate) async fn say(&mut self, value: Value) {
        soon(self.out.write_all(format!("{value}\n").as_bytes())).await.expect("a listener");
        soon(self.out.flush()).await.expect("a listener");
    }

    pub(crate) async fn grant(&mut self, request: &Value) {
        self.say(json!({"id": request["id"], "result": true, "error": null})).await;
    }

    pub(crate) async fn refuse(&mut self, request: &Value, error: Value) {
        self.say(json!({"id": request["id"], "result": null, "error": error})).await;
    }

    pub(crate) async fn call(&mut self, method: &str, params: Value) {
        self.say(json!({"id": null, "method": method, "params": params})).await;
    }

    pub(crate) async fn difficulty(&mut self, difficulty: f64) {
        self.call("mining.set_difficulty", json!([difficulty])).await;
    }

    pub(crate) async fn notify(&mut self, job_id: &str, clean: bool) {
        let params = json!([
            job_id,
            "00".repeat(32),
            "aa01",
            "bb02",
            ["11".repeat(32)],
            "20000000",
            self.bits,
            "5a72667b",
            clean
        ]);
        self.call("mining.notify", params).await;
    }

    /// The shares that come next, by their nonces.
    pub(crate) async fn submits(&mut self, count: usize) -> Vec<Value> {
        let mut submits = Vec::new();
        for _ in 0..count {
            let submit = self.hear().await;
            assert_eq!(submit["method"], "mining.submit", "{submit}");
            submits.push(submit);
        }
        submits
    }
}

pub(crate) fn nonces(submits: &[Value]) -> Vec<u32> {
    let nonce = |submit: &Value| {
        u32::from_str_radix(submit["params"][4].as_str().expect("text"), 16).expect("hex")
    };
    submits.iter().map(nonce).collect()
}

pub(crate) struct Running {
    pub(crate) source: sl_work::SourceHandle,
    pub(crate) status: watch::Receiver<PoolStatus>,
    service: Supervised,
}

pub(crate) fn start(pool: &ScriptedPool) -> Running {
    start_with(pool, "account.rig", PoolOptions::default())
}

pub(crate) fn start_with(pool: &ScriptedPool, user: &str, options: PoolOptions) -> Running {
    let scheme = if pool.tls.is_some() { "stratum+ssl" } else { "stratum+tcp" };
    start_at(&format!("{scheme}://127.0.0.1:{}", pool.port()), user, options)
}

pub(crate) fn start_at(url: &str, user: &str, options: PoolOptions) -> Running {
    let pool = Pool {
        id: SourceId::new("pool.test"),
        endpoint: url.parse().expect("an endpoint"),
        user: user.into(),
        password: Password::new("x".into()),
    };
    let randomness = Randomness::seeded(1);
    let upstream = Upstream::with_options(pool, options, Clock::real(), randomness.rng("upstream"));
    let (source, status) = (upstream.source(), upstream.status());
    let spec =
        ServiceSpec::new("pool.test", "a scripted pool", move |ctx| upstream.clone().run(ctx));
    let service = Supervised::start(spec, &randomness);
    Running { source, status, service }
}

impl Running {
    pub(crate) async fn lease(&mut self) -> Lease {
        let mut status = self.source.status();
        soon(status.wait_for(|status| status.widest >= 2)).await.expect("the source lives");
        self.source.lease(Ask { free: 2, consumer: "test".into() }).expect("wide enough")
    }

    /// Waits until the pool is told so, and gives what is told then.
    pub(crate) async fn when(&mut self, told: impl FnMut(&PoolStatus) -> bool) -> PoolStatus {
        soon(self.status.wait_for(told)).await.expect("it lives").clone()
    }

    pub(crate) async fn waits(&mut self) -> PoolStatus {
        self.when(|status| matches!(status.state, PoolState::Waiting { .. })).await
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await;
    }
}

pub(crate) async fn job(lease: &mut Lease) -> Arc<Job> {
    let work =
        soon(lease.work.wait_for(|work| work.job().is_some())).await.expect("the source lives");
    work.job().cloned().expect("waited for")
}

pub(crate) async fn newer_job(lease: &mut Lease, than: &Job) -> Arc<Job> {
    let newer =
        |work: &sl_work::Work| work.job().is_some_and(|job| job.id.sequence > than.id.sequence);
    let work = soon(lease.work.wait_for(newer)).await.expect("the source lives");
    work.job().cloned().expect("waited for")
}

pub(crate) fn share(job: &Arc<Job>, extranonce: [u8; 2], nonce: u32) -> Proven {
    let claim = Claim::new(
        job.clone(),
        extranonce.to_vec(),
        job.header.version,
        job.header.ntime.start,
        nonce,
    );
    let claim = claim.expect("a good shape");
    let hashed = Prover::new(Box::new(ScalarEngine::new(Zero)), &Zero)
        .expect("its own reference")
        .hash(claim.header());
    verify(claim, &hashed, job.wanted).expect("zero meets every target")
}

/// Sends shares with these nonces.
pub(crate) fn send(lease: &Lease, job: &Arc<Job>, nonces: &[u32]) -> Vec<Ticket> {
    let send = |nonce: &u32| {
        lease.submitter.submit(share(job, [0, 0], *nonce), "rig".into()).expect("room")
    };
    nonces.iter().map(send).collect()
}

/// The verdicts that come next, in short.
pub(crate) async fn verdicts(lease: &mut Lease, count: usize) -> Vec<(Ticket, &'static str)> {
    let mut found = Vec::new();
    for _ in 0..count {
        let verdict = soon(lease.verdicts.recv()).await.expect("a verdict");
        let word = match verdict.outcome {
            Outcome::Accepted { .. } => "accepted",
            Outcome::Stale { .. } => "stale",
            Outcome::Rejected { .. } => "rejected",
            Outcome::Lost { .. } => "lost",
        };
        found.push((verdict.ticket, word));
    }
    assert!(lease.verdicts.try_recv().is_err(), "a ticket got a second verdict");
    found
}
