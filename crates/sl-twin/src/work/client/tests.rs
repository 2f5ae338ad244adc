use sl_units::Hash256;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
};

use super::*;

/// A pool that gives one job and takes every share. What machines say to it comes out as lines.
struct Pool {
    port: u16,
    said: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<()>,
}

impl Pool {
    async fn open(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (say, said) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut machines = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                machines.spawn(serve(stream, say.clone()));
            }
        });
        Self { port, said, task }
    }

    fn conf(&self) -> PoolConf {
        conf(self.port)
    }

    /// The next line with this word.
    async fn hears(&mut self, word: &str) -> String {
        loop {
            let line = self.said.recv().await.expect("it stays open");
            if line.contains(word) {
                return line;
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn conf(port: u16) -> PoolConf {
    PoolConf { url: format!("127.0.0.1:{port}"), user: "a.1".into(), pass: "x".into() }
}

async fn serve(stream: TcpStream, say: mpsc::UnboundedSender<String>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let call: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let id = &call["id"];
        let zeros = "00".repeat(32);
        let reply = match call["method"].as_str() {
            Some("mining.subscribe") => {
                format!("{{\"id\":{id},\"result\":[[],\"0a0b\",4],\"error\":null}}\n")
            }
            Some("mining.authorize") => format!(
                "{{\"id\":{id},\"result\":true,\"error\":null}}\n\
                 {{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[0.25]}}\n\
                 {{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"j\",\"{zeros}\",\"01\",\"02\",[],\
                 \"20000000\",\"207fffff\",\"6b02ea76\",true]}}\n"
            ),
            _ => format!("{{\"id\":{id},\"result\":true,\"error\":null}}\n"),
        };
        if say.send(line).is_err() || writer.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// One machine's connection with both ends of its channels.
struct Rig {
    plan: watch::Sender<Arc<PoolPlan>>,
    events: mpsc::Receiver<Order>,
    work: mpsc::Receiver<WorkOrder>,
    found: mpsc::Sender<Found>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Rig {
    fn start(pools: [PoolConf; POOLS]) -> Self {
        let wanted = PoolPlan { pools, generation: 1, wanted: true };
        let (plan, followed) = watch::channel(Arc::new(wanted));
        let (farm, events) = mpsc::channel(64);
        let (engine, work) = mpsc::channel(64);
        let (found, shares) = mpsc::channel(4);
        let short = Duration::from_millis(50);
        let patience = Patience {
            retry: short,
            retry_others: short,
            look_back: short,
            silence: Duration::from_secs(3),
            ..Patience::REAL
        };
        let client = Client {
            machine: 7,
            ip: Ipv4Addr::new(127, 77, 3, 1),
            plan: followed,
            farm,
            engine,
            found: shares,
            clock: Clock::real(),
            patience,
            lookups: Arc::new(Semaphore::new(1)),
            scale: 100.0,
            links: 0,
            session: None,
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(client.run(stop.clone()));
        Self { plan, events, work, found, stop, running }
    }

    /// Waits for an event at a place; others pass by.
    async fn event(&mut self, at: usize, wanted: PoolEvent) {
        loop {
            match self.events.recv().await.expect("it runs") {
                Order::Pool { machine: 7, place, event } if place == at && event == wanted => {
                    return;
                }
                Order::Pool { machine: 7, .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next job that the engine is given.
    async fn job(&mut self) -> Arc<super::super::job::Work> {
        loop {
            if let Some(work) = self.work.recv().await.expect("it runs").work {
                return work;
            }
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("it ends");
    }
}

fn none() -> PoolConf {
    PoolConf::default()
}

#[tokio::test]
async fn the_first_pool_that_answers_and_back_to_the_better_one() {
    let dead = Pool::open(0).await.port;
    let mut second = Pool::open(0).await;
    let mut rig = Rig::start([conf(dead), second.conf(), none()]);
    rig.event(0, PoolEvent::Dead).await;
    rig.event(1, PoolEvent::Active).await;
    second.hears("mining.authorize").await;
    let mut first = loop {
        // Another program may take the port for a moment.
        match TcpListener::bind((Ipv4Addr::LOCALHOST, dead)).await {
            Ok(free) => {
                drop(free);
                break Pool::open(dead).await;
            }
            Err(_) => tokio::task::yield_now().await,
        }
    };
    rig.event(0, PoolEvent::Active).await;
    first.hears("mining.authorize").await;
    rig.end().await;
}

#[tokio::test]
async fn shares_go_to_the_pool_of_the_plan() {
    let (mut one, mut other) = (Pool::open(0).await, Pool::open(0).await);
    let mut rig = Rig::start([one.conf(), none(), none()]);
    let share = |work| Found { work, extranonce2: 3, nonce: 0xabcd, hash: Hash256::ZERO };
    let old = rig.job().await;
    rig.found.send(share(old.clone())).await.expect("it runs");
    let line = one.hears("mining.submit").await;
    assert!(line.contains("\"03000000\"") && line.contains("\"0000abcd\""), "{line}");
    rig.event(0, PoolEvent::Difficulty(25.0)).await;
    rig.event(0, PoolEvent::Accepted(25.0)).await;

    let pools = [other.conf(), none(), none()];
    rig.plan.send_replace(Arc::new(PoolPlan { pools, generation: 2, wanted: true }));
    let new = rig.job().await;
    assert_ne!(old.link, new.link);
    rig.found.send(share(old)).await.expect("it runs");
    rig.found.send(share(new)).await.expect("it runs");
    rig.event(0, PoolEvent::Stale(25.0)).await;
    rig.event(0, PoolEvent::Accepted(25.0)).await;
    other.hears("mining.submit").await;
    assert!(one.said.try_recv().is_err(), "nothing goes to the old one any more");

    rig.plan.send_replace(Arc::new(PoolPlan { generation: 2, ..PoolPlan::default() }));
    while rig.work.recv().await.expect("it runs").work.is_some() {}
    rig.end().await;
}

#[tokio::test]
async fn a_silent_pool_is_left() {
    let mut good = Pool::open(0).await;
    let mut rig = Rig::start([good.conf(), none(), none()]);
    rig.event(0, PoolEvent::Job).await;
    // It gave a job, and then not a word for longer than the machine has patience.
    rig.event(0, PoolEvent::Dead).await;
    good.hears("mining.authorize").await;
    rig.event(0, PoolEvent::Active).await;
    rig.end().await;
}

#[test]
fn addresses_as_the_firmware_reads_them() {
    let check = |url: &str, expect: Option<&str>| {
        let found = plain(url).map(|endpoint| endpoint.to_string());
        assert_eq!(found.as_deref(), expect, "{url}");
    };
    check("stratum+tcp://127.0.0.1:3333", Some("stratum+tcp://127.0.0.1:3333"));
    check(" ltc.example:3333 ", Some("stratum+tcp://ltc.example:3333"));
    check("stratum+ssl://ltc.example:3333", None);
    check("http://ltc.example", None);
    check("", None);
}
