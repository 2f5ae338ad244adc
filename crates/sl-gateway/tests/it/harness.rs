//! A gateway, a source, and machines that speak raw lines.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};
use sl_gateway::{Gateway, GatewaySettings, GatewayStatus, LiveGateway, SideDoor};
use sl_ports::{Clock, Randomness};
use sl_pow::Registry;
use sl_scrypt::Scrypt;
use sl_supervise::{HealthTable, Outcome, RestartPolicy, ServiceSpec, Supervisor};
use sl_testkit::toy::Tail;
use sl_units::{Bits, CoinAmount, Hash256, ShareDifficulty, Target};
use sl_work::{
    CoinbaseTemplate, Goal, HeaderTemplate, Job, JobId, Leased, NtimeRange, Pending, SourceEnd,
    SourceId, Work, source,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Waits for what must come, under a guard that only a hanging test meets.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), what).await.expect("it comes")
}

pub(crate) fn difficulty(value: f64) -> ShareDifficulty {
    ShareDifficulty::new(value).expect("positive")
}

/// Port 0, and what the test changes.
pub(crate) fn settings(change: impl FnOnce(&mut GatewaySettings)) -> GatewaySettings {
    let mut settings = GatewaySettings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        ..GatewaySettings::default()
    };
    change(&mut settings);
    settings
}

/// A job that wants difficulty 1 and may win the chains given, each at its tip, at difficulty 16.
pub(crate) fn job(sequence: u64, epoch: u64, tips: &[(&str, u8)], clock: &Clock) -> Job {
    let goals = tips.iter().map(|(chain, tip)| Goal {
        chain: chain.parse().expect("of the table"),
        height: 1,
        tip: Hash256::from_bytes([*tip; 32]),
        target: difficulty(16.0).into(),
        reward: CoinAmount::default(),
        weight: None,
    });
    Job {
        id: JobId { source: SourceId::new("test"), sequence },
        epoch,
        born: clock.mono(),
        header: HeaderTemplate {
            version: 0x2000_0000,
            roll_mask: 0,
            prev: Hash256::from_bytes([u8::try_from(epoch).expect("small"); 32]),
            bits: Bits::from_u32(0x1e0f_fff0),
            ntime: NtimeRange { earliest: 1000, start: 1100, latest: 1200 },
        },
        coinbase: CoinbaseTemplate {
            prefix: Bytes::from(format!("prefix {sequence} ")),
            free: 8,
            suffix: Bytes::from_static(b" suffix"),
        },
        branch: vec![Hash256::from_bytes([0x11; 32])],
        wanted: Target::from(difficulty(1.0)),
        goals: goals.collect(),
    }
}

/// A gateway that runs under a supervisor, over a source that the test holds.
pub(crate) struct Farm {
    pub(crate) end: SourceEnd,
    pub(crate) status: watch::Receiver<GatewayStatus>,
    pub(crate) side: SideDoor,
    pub(crate) live: LiveGateway,
    health: HealthTable,
    pub(crate) clock: Clock,
    pub(crate) leased: Option<Leased>,
    stop: CancellationToken,
    done: JoinHandle<Outcome>,
}

impl Farm {
    /// Starts a gateway; the source has no width yet.
    pub(crate) fn start(settings: GatewaySettings, algorithm: &'static str) -> Self {
        Self::start_with(settings, algorithm, |gateway| gateway)
    }

    pub(crate) fn start_with(
        settings: GatewaySettings,
        algorithm: &'static str,
        finish: impl FnOnce(Gateway) -> Gateway,
    ) -> Self {
        Self::start_after(Vec::new(), settings, algorithm, finish)
    }

    /// A gateway that starts after these services.
    pub(crate) fn start_after(
        mut before: Vec<ServiceSpec>,
        settings: GatewaySettings,
        algorithm: &'static str,
        finish: impl FnOnce(Gateway) -> Gateway,
    ) -> Self {
        let (handle, end) = source(SourceId::new("test"));
        let mut registry = Registry::new();
        registry.register(Tail).expect("a new name");
        registry.register(Scrypt).expect("a new name");
        let (clock, randomness) = (Clock::real(), Randomness::seeded(1));
        let rng = randomness.rng("gateway");
        let gateway = Gateway::new(settings, Arc::new(handle), registry, algorithm, clock, rng);
        let gateway = finish(gateway);
        let (status, side, live) = (gateway.status(), gateway.side_door(), gateway.live());
        let spec = ServiceSpec::new("gateway", "under test", move |ctx| gateway.clone().run(ctx))
            .grace(Duration::from_secs(5))
            .after_all(before.iter().map(|spec| spec.id().clone()).collect::<Vec<_>>())
            .restart(RestartPolicy::never());
        before.push(spec);
        let supervisor = Supervisor::new(before, randomness.rng("supervisor")).expect("in order");
        let health = supervisor.health();
        let stop = CancellationToken::new();
        let done = tokio::spawn(supervisor.run(stop.clone()));
        Self { end, status, side, live, health, clock, leased: None, stop, done }
    }

    /// A gateway of the cheap algorithm with its first job.
    pub(crate) async fn working() -> Self {
        Self::working_with(|_| ()).await
    }

    pub(crate) async fn working_with(change: impl FnOnce(&mut GatewaySettings)) -> Self {
        let mut farm = Self::start(settings(change), "tail");
        farm.widen(8).await;
        farm.give(job(1, 1, &[("LTC", 1), ("DOGE", 1)], &farm.clock));
        farm
    }

    /// Gives the source a width and takes the lease that the gateway then asks for.
    pub(crate) async fn widen(&mut self, widest: usize) {
        self.end.set_widest(widest);
        self.leased = Some(soon(self.end.leases.recv()).await.expect("the gateway asks"));
    }

    pub(crate) fn give(&self, job: Job) {
        self.give_work(Work::Job(Arc::new(job)));
    }

    pub(crate) fn give_work(&self, work: Work) {
        self.leased.as_ref().expect("widened").work.send_replace(work);
    }

    /// The next share that came up.
    pub(crate) async fn share(&mut self) -> Pending {
        soon(self.end.intake.next()).await.expect("the gateway lives")
    }

    pub(crate) async fn status_when(
        &mut self,
        when: impl FnMut(&GatewayStatus) -> bool,
    ) -> GatewayStatus {
        soon(self.status.wait_for(when)).await.expect("the gateway lives").clone()
    }

    pub(crate) async fn address(&mut self) -> SocketAddr {
        let status = self.status_when(|status| status.listen.is_some()).await;
        status.listen.expect("waited for")
    }

    pub(crate) async fn connect(&mut self) -> Client {
        let stream = soon(TcpStream::connect(self.address().await)).await.expect("it listens");
        Client::over(stream)
    }

    /// A machine that comes through memory, said to be from this address.
    pub(crate) async fn connect_from(&mut self, address: &str) -> Client {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let address = SocketAddr::new(address.parse().expect("an address"), 5000);
        soon(self.side.enter(theirs, address)).await.expect("the gateway lives");
        Client::over(ours)
    }

    /// A machine that is subscribed and authorised; its difficulty and its first job.
    pub(crate) async fn machine(&mut self, user: &str) -> (Client, f64, Value) {
        self.machine_again(user, None).await
    }

    pub(crate) async fn machine_again(
        &mut self,
        user: &str,
        session: Option<&str>,
    ) -> (Client, f64, Value) {
        let mut client = self.connect().await;
        let (told, notify) = client.introduce(user, session).await;
        (client, told, notify)
    }

    /// Waits until the gateway's health says these words.
    pub(crate) async fn health_says(&mut self, words: &str) {
        while !self
            .health
            .get("gateway")
            .is_some_and(|row| format!("{:?}", row.state).contains(words))
        {
            assert!(soon(self.health.changed()).await, "the supervisor lives");
        }
    }

    /// Stops, and gives the last figures.
    pub(crate) async fn stop(self) -> GatewayStatus {
        self.stop.cancel();
        let outcome = soon(self.done).await.expect("the supervisor lives");
        assert!(outcome.late.is_empty(), "{outcome:?}");
        self.status.borrow().clone()
    }

    /// Why the gateway failed.
    pub(crate) async fn failure(self) -> String {
        format!("{:?}", soon(self.done).await.expect("the supervisor lives"))
    }
}

/// A machine's end of a connection.
pub(crate) struct Client {
    lines: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    out: Box<dyn AsyncWrite + Send + Unpin>,
    pub(crate) slot: String,
    pub(crate) session: String,
}

/// Code and text of a refusal.
pub(crate) type Refused = (i64, String);

impl Client {
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (read, out) = tokio::io::split(stream);
        let lines = BufReader::new(Box::new(read) as Box<dyn AsyncRead + Send + Unpin>);
        Self { lines, out: Box::new(out), slot: String::new(), session: String::new() }
    }

    pub(crate) async fn say(&mut self, line: &str) {
        soon(self.out.write_all(line.as_bytes())).await.expect("a listener");
    }

    /// Says that nothing more will be said; it still listens.
    pub(crate) async fn hush(&mut self) {
        soon(self.out.shutdown()).await.expect("a listener");
    }

    /// The next line; `None` when the connection is closed.
    pub(crate) async fn hear_line(&mut self) -> Option<String> {
        let mut line = String::new();
        match soon(self.lines.read_line(&mut line)).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line),
        }
    }

    pub(crate) async fn hear(&mut self) -> Value {
        let line = self.hear_line().await.expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|wrong| panic!("{line:?}: {wrong}"))
    }

    /// The next job, past changes of difficulty.
    pub(crate) async fn notify(&mut self) -> Value {
        loop {
            let mut heard = self.hear().await;
            match heard["method"].as_str() {
                Some("mining.notify") => return heard["params"].take(),
                Some("mining.set_difficulty") => {}
                other => panic!("{other:?} is no job: {heard}"),
            }
        }
    }

    /// The next reply, past jobs and difficulties.
    pub(crate) async fn reply(&mut self) -> Result<Value, Refused> {
        loop {
            let mut heard = self.hear().await;
            if !heard["method"].is_null() {
                continue;
            }
            return match heard["error"].take() {
                Value::Null => Ok(heard["result"].take()),
                error => Err((
                    error[0].as_i64().expect("a code"),
                    error[1].as_str().expect("a text").to_owned(),
                )),
            };
        }
    }

    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Result<Value, Refused> {
        self.say(&format!("{}\n", json!({"id": 4, "method": method, "params": params}))).await;
        self.reply().await
    }

    pub(crate) async fn subscribe(&mut self, session: Option<&str>) -> usize {
        let params = session.map_or(json!(["test/1"]), |session| json!(["test/1", session]));
        let result = self.ask("mining.subscribe", params).await.expect("subscribed");
        self.session = result[0][0][1].as_str().expect("a session").to_owned();
        self.slot = result[1].as_str().expect("hex").to_owned();
        usize::try_from(result[2].as_u64().expect("a length")).expect("short")
    }

    /// Subscribes and authorises; its difficulty and its first job.
    pub(crate) async fn introduce(&mut self, user: &str, session: Option<&str>) -> (f64, Value) {
        self.subscribe(session).await;
        self.ask("mining.authorize", json!([user, "x"])).await.expect("authorised");
        let difficulty = self.hear().await;
        assert_eq!(difficulty["method"], "mining.set_difficulty");
        let notify = self.notify().await;
        (difficulty["params"][0].as_f64().expect("a number"), notify)
    }

    /// Submits a share of a job with four bytes of extranonce2 at the job's own time.
    pub(crate) async fn submit(
        &mut self,
        user: &str,
        notify: &Value,
        extranonce2: u32,
        nonce: u32,
    ) -> Result<(), Refused> {
        let (id, ntime) = (&notify[0], &notify[7]);
        let params = json!([user, id, format!("{extranonce2:08x}"), ntime, format!("{nonce:08x}")]);
        let answer = self.ask("mining.submit", params).await?;
        assert_eq!(answer, json!(true));
        Ok(())
    }

    /// Waits until the gateway closes the connection, past whatever it still says. A reset is an
    /// end too: it comes where something was not read.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let _ = soon(self.lines.read_to_end(&mut rest)).await;
    }
}
