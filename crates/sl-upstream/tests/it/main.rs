//! A scripted pool on a real socket: what goes down as jobs, what comes up as shares, what a cut
//! connection means.

mod failover;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sl_ports::{Clock, Randomness};
use sl_pow::{Prover, ScalarEngine};
use sl_stratum::Password;
use sl_supervise::{ServiceSpec, Supervisor};
use sl_testkit::toy::Zero;
use sl_units::Target;
use sl_upstream::{Pool, PoolState, PoolStatus, Upstream};
use sl_work::{Ask, Claim, Job, Lease, Outcome, Proven, SourceId, Unfit, Work, WorkSource, verify};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Waits for what must come, under a guard that only a hanging test meets.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), what).await.expect("it comes")
}

struct ScriptedPool {
    listener: TcpListener,
}

struct Conversation {
    lines: BufReader<OwnedReadHalf>,
    out: OwnedWriteHalf,
}

impl ScriptedPool {
    async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port") }
    }

    async fn accept(&self) -> Conversation {
        let (stream, _): (TcpStream, _) = soon(self.listener.accept()).await.expect("a connection");
        let (read, out) = stream.into_split();
        Conversation { lines: BufReader::new(read), out }
    }

    /// Accepts, subscribes and authorises, and gives the job.
    async fn welcome(&self, job_id: &str) -> Conversation {
        let mut conversation = self.accept().await;
        let subscribe = conversation.hear().await;
        assert_eq!(subscribe["method"], "mining.subscribe");
        conversation.say(json!({"id": subscribe["id"], "result": [[["mining.notify", "s1"]], "a1b2c3d4", 4], "error": null})).await;
        let authorize = conversation.hear().await;
        assert_eq!(authorize["params"], json!(["account.rig", "x"]));
        conversation.say(json!({"id": authorize["id"], "result": true, "error": null})).await;
        conversation
            .say(json!({"id": null, "method": "mining.set_difficulty", "params": [0.5]}))
            .await;
        conversation.notify(job_id, true).await;
        conversation
    }
}

impl Conversation {
    async fn hear(&mut self) -> Value {
        let mut line = String::new();
        soon(self.lines.read_line(&mut line)).await.expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|wrong| panic!("{line:?}: {wrong}"))
    }

    async fn say(&mut self, value: Value) {
        soon(self.out.write_all(format!("{value}\n").as_bytes())).await.expect("a listener");
    }

    async fn notify(&mut self, job_id: &str, clean: bool) {
        let params = json!([
            job_id,
            "00".repeat(32),
            "aa01",
            "bb02",
            ["11".repeat(32)],
            "20000000",
            "1e0ffff0",
            "5a72667b",
            clean
        ]);
        self.say(json!({"id": null, "method": "mining.notify", "params": params})).await;
    }
}

struct Running {
    source: sl_work::SourceHandle,
    status: watch::Receiver<PoolStatus>,
    stop: CancellationToken,
    done: tokio::task::JoinHandle<()>,
}

fn start(pool: &ScriptedPool) -> Running {
    let address = pool.listener.local_addr().expect("bound");
    let pool = Pool {
        id: SourceId::new("pool.test"),
        endpoint: address.to_string().parse().expect("an endpoint"),
        user: "account.rig".into(),
        password: Password::new("x".into()),
    };
    let randomness = Randomness::seeded(1);
    let upstream = Upstream::new(pool, Clock::real(), randomness.rng("upstream"));
    let (source, status) = (upstream.source(), upstream.status());
    let spec =
        ServiceSpec::new("pool.test", "a scripted pool", move |ctx| upstream.clone().run(ctx));
    let supervisor =
        Supervisor::new(vec![spec], randomness.rng("supervisor")).expect("one service");
    let stop = CancellationToken::new();
    let token = stop.clone();
    let done = tokio::spawn(async move {
        supervisor.run(token).await;
    });
    Running { source, status, stop, done }
}

impl Running {
    async fn lease(&mut self) -> Lease {
        let mut status = self.source.status();
        soon(status.wait_for(|status| status.widest >= 2)).await.expect("the source lives");
        self.source.lease(Ask { free: 2, consumer: "test".into() }).expect("wide enough")
    }

    async fn stop(self) {
        self.stop.cancel();
        soon(self.done).await.expect("it stops");
    }
}

async fn job(lease: &mut Lease) -> Arc<Job> {
    let work =
        soon(lease.work.wait_for(|work| work.job().is_some())).await.expect("the source lives");
    work.job().cloned().expect("waited for")
}

fn share(job: &Arc<Job>, extranonce: [u8; 2], nonce: u32) -> Proven {
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

#[tokio::test]
async fn a_job_comes_down_and_a_share_goes_up() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("7f").await;
    let mut lease = running.lease().await;
    let mut other = running.lease().await;
    assert!(matches!(
        running.source.lease(Ask { free: 5, consumer: "test".into() }),
        Err(Unfit::TooNarrow { asked: 5, widest: 4 })
    ));
    let (first, second) = (job(&mut lease).await, job(&mut other).await);
    assert_eq!(&first.coinbase.prefix[..], hex::decode("aa01a1b2c3d40000").expect("hex"));
    assert_eq!(
        &second.coinbase.prefix[..],
        hex::decode("aa01a1b2c3d40001").expect("hex"),
        "leases never meet"
    );
    assert_eq!(&first.coinbase.suffix[..], [0xbb, 0x02]);
    let half = sl_units::ShareDifficulty::new(0.5).expect("positive");
    assert_eq!(first.wanted, Target::from(half));

    let ticket = other
        .submitter
        .submit(share(&second, [0xee, 0xff], 0x0102_0304), "rig".into())
        .expect("room");
    let submit = conversation.hear().await;
    assert_eq!(submit["params"], json!(["account.rig", "7f", "0001eeff", "5a72667b", "01020304"]));
    conversation.say(json!({"id": submit["id"], "result": true, "error": null})).await;
    let verdict = soon(other.verdicts.recv()).await.expect("a verdict");
    assert_eq!(verdict.ticket, ticket);
    assert_eq!(verdict.outcome, Outcome::Accepted { credited: vec![], missed: vec![] });

    for (error, expected) in [
        (json!([21, "Job not found", null]), "stale"),
        (json!([23, "Low difficulty share", null]), "rejected"),
    ] {
        let _ = lease.submitter.submit(share(&first, [0, 0], 1), "rig".into()).expect("room");
        let submit = conversation.hear().await;
        conversation.say(json!({"id": submit["id"], "result": null, "error": error})).await;
        let outcome = soon(lease.verdicts.recv()).await.expect("a verdict").outcome;
        let found = match outcome {
            Outcome::Stale { .. } => "stale",
            Outcome::Rejected { .. } => "rejected",
            _ => "another",
        };
        assert_eq!(found, expected);
    }
    let status = running.status.borrow().clone();
    assert_eq!((status.accepted, status.stale, status.rejected, status.lost), (1, 1, 1, 0));

    conversation.notify("80", false).await;
    let next =
        soon(lease.work.wait_for(|work| work.job().is_some_and(|next| next.id != first.id))).await;
    let next = next.expect("lives").job().cloned().expect("waited for");
    assert_eq!(next.epoch, first.epoch, "not clean: the earlier job stands");
    conversation.notify("81", true).await;
    soon(lease.work.wait_for(|work| work.job().is_some_and(|job| job.epoch > first.epoch)))
        .await
        .expect("lives");
    running.stop().await;
}

#[tokio::test]
async fn a_cut_connection_loses_what_was_in_flight_and_comes_back() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let old = job(&mut lease).await;
    let ticket = lease.submitter.submit(share(&old, [0, 0], 1), "rig".into()).expect("room");
    let _submit = conversation.hear().await;
    drop(conversation);
    let verdict = soon(lease.verdicts.recv()).await.expect("a verdict");
    assert_eq!(verdict.ticket, ticket);
    assert!(matches!(verdict.outcome, Outcome::Lost { .. }), "{:?}", verdict.outcome);
    soon(lease.work.wait_for(|work| matches!(work, Work::Idle { .. }))).await.expect("lives");

    let mut conversation = pool.welcome("1").await;
    let new = job(&mut lease).await;
    assert_ne!(new.id, old.id, "the pool's 1 is not its own 1 of yesterday");
    assert!(new.epoch > old.epoch);
    let _ = lease.submitter.submit(share(&old, [0, 0], 2), "rig".into()).expect("room");
    let outcome = soon(lease.verdicts.recv()).await.expect("a verdict").outcome;
    assert!(matches!(outcome, Outcome::Stale { .. }), "{outcome:?}");
    let _ = lease.submitter.submit(share(&new, [0, 0], 3), "rig".into()).expect("room");
    assert_eq!(conversation.hear().await["params"][4], "00000003");
    running.stop().await;
}

#[tokio::test]
async fn a_refused_account_is_named() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.accept().await;
    let subscribe = conversation.hear().await;
    conversation
        .say(json!({"id": subscribe["id"], "result": [null, "00", 4], "error": null}))
        .await;
    let authorize = conversation.hear().await;
    conversation
        .say(
            json!({"id": authorize["id"], "result": false, "error": [24, "no such account", null]}),
        )
        .await;
    let waiting = |status: &PoolStatus| matches!(status.state, PoolState::Waiting { .. });
    let status = soon(running.status.wait_for(waiting)).await.expect("lives").clone();
    let said = status.last_error.expect("a reason");
    assert!(said.contains("account.rig") && said.contains("no such account"), "{said}");
    running.stop().await;
}

#[tokio::test]
async fn a_pool_that_moves_to_another_port_is_followed_once() {
    let (pool, elsewhere) = (ScriptedPool::start().await, ScriptedPool::start().await);
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let first = job(&mut lease).await;
    let port = elsewhere.listener.local_addr().expect("bound").port();
    let there = json!(["127.0.0.1", port.to_string(), 0]);
    conversation.say(json!({"id": null, "method": "client.reconnect", "params": there})).await;

    let conversation = elsewhere.welcome("2").await;
    let newer = |work: &Work| work.job().is_some_and(|job| job.epoch > first.epoch);
    soon(lease.work.wait_for(newer)).await.expect("lives");
    drop(conversation);
    let _back = pool.welcome("3").await;
    running.stop().await;
}

#[tokio::test]
async fn a_pool_cannot_send_us_to_strangers() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let _lease = running.lease().await;
    let there = json!(["pool.thief.example", "3333", 0]);
    conversation.say(json!({"id": null, "method": "client.reconnect", "params": there})).await;
    let waiting = |status: &PoolStatus| matches!(status.state, PoolState::Waiting { .. });
    let status = soon(running.status.wait_for(waiting)).await.expect("lives").clone();
    let said = status.last_error.expect("a reason");
    assert!(said.contains("pool.thief.example:3333") && said.contains("not followed"), "{said}");
    let _back = pool.welcome("2").await;
    running.stop().await;
}

#[tokio::test]
async fn work_waits_until_the_worker_is_let_in() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.accept().await;
    let subscribe = conversation.hear().await;
    conversation.say(json!({"id": subscribe["id"], "result": [null, "00", 4]})).await;
    let authorize = conversation.hear().await;
    conversation.notify("1", true).await;
    let mut lease = running.lease().await;
    conversation.say(json!({"id": authorize["id"], "result": true})).await;
    let first = job(&mut lease).await;
    assert_eq!(running.status.borrow().jobs, 1);
    let _ = lease.submitter.submit(share(&first, [0, 0], 7), "rig".into()).expect("room");
    assert_eq!(conversation.hear().await["params"][1], "1", "it can be sent at once");
    running.stop().await;
}

#[tokio::test]
async fn a_new_extranonce_holds_from_the_next_job_on() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let old = job(&mut lease).await;
    let new = json!(["0e0f", 6]);
    conversation.say(json!({"id": null, "method": "mining.set_extranonce", "params": new})).await;
    conversation.say(json!({"id": 7, "method": "mining.ping", "params": []})).await;
    assert_eq!(conversation.hear().await["result"], "pong", "it has read what came before");
    let _ = lease.submitter.submit(share(&old, [0, 0], 5), "rig".into()).expect("room");
    assert_eq!(conversation.hear().await["params"][1], "1", "the job before it still stands");

    conversation.notify("2", false).await;
    let newer = |work: &Work| work.job().is_some_and(|job| job.epoch > old.epoch);
    let work = soon(lease.work.wait_for(newer)).await.expect("lives").clone();
    let first = work.job().expect("waited for");
    let prefix = hex::encode(&first.coinbase.prefix);
    assert!(prefix.starts_with("aa010e0f"), "{prefix}");
    assert_eq!(first.coinbase.free, 2, "a lease keeps its width");
    running.stop().await;
}
