use sl_units::Hash256;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;
use crate::work::Prober;

/// How a pool serves.
#[derive(Debug, Clone)]
enum Manner {
    /// It gives one job. It takes every share but those with nonces that nobody came to.
    Serves,
    /// It lets nobody in.
    Refuses,
    /// Its job comes when there is a permit.
    SlowJob(Arc<Semaphore>),
    /// Its verdicts come when there is a permit.
    SlowVerdict(Arc<Semaphore>),
    /// It sends machines on in the same breath in which it judges a share.
    SendsOn,
}

/// A pool. What machines say to it comes out as lines.
struct Pool {
    port: u16,
    said: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<()>,
}

impl Pool {
    async fn open(port: u16) -> Self {
        Self::that(port, Manner::Serves).await
    }

    async fn that(port: u16, manner: Manner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (say, said) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut machines = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                machines.spawn(serve(stream, say.clone(), manner.clone()));
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

async fn serve(stream: TcpStream, say: mpsc::UnboundedSender<String>, manner: Manner) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let call: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let id = &call["id"];
        let zeros = "00".repeat(32);
        let job = format!(
            "{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"j\",\"{zeros}\",\"01\",\"02\",[],\
             \"20000000\",\"207fffff\",\"6b02ea76\",true]}}\n"
        );
        if say.send(line).is_err() {
            return;
        }
        let reply = match call["method"].as_str() {
            Some("mining.subscribe") => {
                format!("{{\"id\":{id},\"result\":[[],\"0a0b\",4],\"error\":null}}\n")
            }
            Some("mining.authorize") if matches!(manner, Manner::Refuses) => {
                format!("{{\"id\":{id},\"result\":false,\"error\":null}}\n")
            }
            Some("mining.authorize") => {
                let let_in = format!(
                    "{{\"id\":{id},\"result\":true,\"error\":null}}\n\
                     {{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[0.25]}}\n"
                );
                if writer.write_all(let_in.as_bytes()).await.is_err() {
                    return;
                }
                if let Manner::SlowJob(permits) = &manner {
                    permits.acquire().await.expect("it stays open").forget();
                }
                job
            }
            _ if call["params"][4].as_str().is_some_and(|nonce| nonce.starts_with('8')) => {
                format!("{{\"id\":{id},\"result\":null,\"error\":[23,\"low difficulty\",null]}}\n")
            }
            _ => {
                if let Manner::SlowVerdict(permits) = &manner {
                    permits.acquire().await.expect("it stays open").forget();
                }
                let sends_on = match manner {
                    Manner::SendsOn => {
                        "{\"id\":null,\"method\":\"client.reconnect\",\"params\":[]}\n"
                    }
                    _ => "",
                };
                format!("{sends_on}{{\"id\":{id},\"result\":true,\"error\":null}}\n")
            }
        };
        if writer.write_all(reply.as_bytes()).await.is_err() {
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
        Self::forgiving(pools, Patience::REAL.unserved)
    }

    /// A machine that goes back to a pool that gave no work after so long.
    fn forgiving(pools: [PoolConf; POOLS], unserved: Duration) -> Self {
        let wanted = PoolPlan { pools, generation: 1, wanted: true, ..PoolPlan::default() };
        let (plan, followed) = watch::channel(Arc::new(wanted));
        let (farm, events) = mpsc::channel(64);
        let (engine, work) = mpsc::channel(64);
        let (found, shares) = mpsc::channel(4);
        let short = Duration::from_millis(50);
        let patience = Patience {
            retry: short,
            retry_others: short,
            probe: short,
            unserved,
            silence: Duration::from_secs(3),
            ..Patience::REAL
        };
        let (ip, clock) = (Ipv4Addr::new(127, 77, 3, 1), Clock::real());
        let lookups = Arc::new(Semaphore::new(1));
        let (answering, heard) = watch::channel(Answering::default());
        let machines = vec![(ip, followed.clone())];
        let prober = Prober { machines, clock, patience, lookups: lookups.clone(), answering };
        let client = Client {
            machine: 7,
            ip,
            plan: followed,
            generation: 0,
            answering: heard,
            farm,
            engine,
            found: shares,
            clock,
            patience,
            lookups,
            scale: 100.0,
            bad: 0.0,
            links: 0,
            works: false,
            shunned: [None; POOLS],
            session: None,
        };
        let stop = CancellationToken::new();
        tokio::spawn(prober.run(stop.clone()));
        let running = tokio::spawn(client.run(stop.clone()));
        Self { plan, events, work, found, stop, running }
    }

    /// The next event, with the place of its pool.
    async fn next(&mut self) -> (usize, PoolEvent) {
        match self.events.recv().await.expect("it runs") {
            Order::Pool { machine: 7, place, event, .. } => (place, event),
            other => panic!("{other:?}"),
        }
    }

    /// Waits for an event at a place; others pass by.
    async fn event(&mut self, at: usize, wanted: PoolEvent) {
        while self.next().await != (at, wanted) {}
    }

    /// The next verdict on a share.
    async fn verdict(&mut self) -> PoolEvent {
        loop {
            let (_, event) = self.next().await;
            if let PoolEvent::Accepted(_) | PoolEvent::Rejected(_) | PoolEvent::Stale(_) = event {
                return event;
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
    rig.plan.send_modify(|plan| {
        *plan = Arc::new(PoolPlan { pools, generation: 2, ..(**plan).clone() });
    });
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
async fn a_pool_in_reserve_is_asked_whether_it_answers_and_not_used() {
    let (mut one, mut reserve) = (Pool::open(0).await, Pool::open(0).await);
    let mut rig = Rig::start([one.conf(), reserve.conf(), none()]);
    one.hears("mining.authorize").await;
    rig.event(1, PoolEvent::Alive).await;
    // Every round it is one visit, and nobody logs in.
    for _ in 0..3 {
        let visit = reserve.said.recv().await.expect("it stays open");
        assert!(visit.contains("mining.subscribe"), "{visit}");
    }
    drop(reserve);
    rig.event(1, PoolEvent::Dead).await;
    rig.end().await;
}

#[tokio::test]
async fn a_share_of_the_shares_misses_the_target_where_the_plan_says_so() {
    let mut pool = Pool::open(0).await;
    let mut rig = Rig::start([pool.conf(), none(), none()]);
    let work = rig.job().await;
    // Nobody connects anew for it.
    rig.plan.send_if_modified(|plan| {
        *plan = Arc::new(PoolPlan { bad_shares: 0.25, ..(**plan).clone() });
        false
    });
    for nonce in 0..8 {
        let share = Found { work: work.clone(), extranonce2: 0, nonce, hash: Hash256::ZERO };
        rig.found.send(share).await.expect("it runs");
        let line = pool.hears("mining.submit").await;
        let bad = nonce % 4 == 3;
        assert_eq!(line.contains(&format!("\"8000000{nonce}\"")), bad, "{line}");
        let verdict = if bad { PoolEvent::Rejected(25.0) } else { PoolEvent::Accepted(25.0) };
        rig.event(0, verdict).await;
    }
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

#[tokio::test]
async fn a_pool_that_lets_a_machine_in_gives_it_work_with_its_first_job() {
    let permits = Arc::new(Semaphore::new(0));
    let pool = Pool::that(0, Manner::SlowJob(permits.clone())).await;
    let mut rig = Rig::start([pool.conf(), none(), none()]);
    assert_eq!(rig.next().await, (0, PoolEvent::Alive));
    assert_eq!(rig.next().await, (0, PoolEvent::Difficulty(25.0)));
    permits.add_permits(1);
    assert_eq!(rig.next().await, (0, PoolEvent::Active));
    assert_eq!(rig.next().await, (0, PoolEvent::Job));
    rig.job().await;
    // The engine and the machine hear of the end of it, whatever comes next.
    drop(pool);
    assert_eq!(rig.next().await, (0, PoolEvent::Left));
    assert!(rig.work.recv().await.expect("it runs").work.is_none());
    rig.end().await;
}

#[tokio::test]
async fn who_reads_his_pools_again_first_hears_the_verdicts() {
    let permits = Arc::new(Semaphore::new(0));
    let mut pool = Pool::that(0, Manner::SlowVerdict(permits.clone())).await;
    let mut rig = Rig::start([pool.conf(), none(), none()]);
    for generation in 2..4 {
        let work = rig.job().await;
        let share = Found { work, extranonce2: 0, nonce: 1, hash: Hash256::ZERO };
        rig.found.send(share).await.expect("it runs");
        pool.hears("mining.submit").await;
        rig.plan.send_modify(|plan| {
            *plan = Arc::new(PoolPlan { generation, ..(**plan).clone() });
        });
        assert!(rig.work.recv().await.expect("it runs").work.is_none(), "no more of it is hashed");
        permits.add_permits(1);
        assert_eq!(rig.verdict().await, PoolEvent::Accepted(25.0));
    }
    rig.job().await;
    rig.end().await;
}

#[tokio::test]
async fn who_is_sent_on_first_hears_the_verdicts() {
    let mut pool = Pool::that(0, Manner::SendsOn).await;
    let mut rig = Rig::start([pool.conf(), none(), none()]);
    let work = rig.job().await;
    let share = Found { work, extranonce2: 0, nonce: 1, hash: Hash256::ZERO };
    rig.found.send(share).await.expect("it runs");
    assert_eq!(rig.verdict().await, PoolEvent::Accepted(25.0));
    for _ in 0..2 {
        pool.hears("mining.authorize").await;
    }
    rig.job().await;
    rig.end().await;
}

#[tokio::test]
async fn a_better_pool_that_answers_and_gives_no_work_is_left_alone_for_a_while() {
    let (mut first, second) = (Pool::that(0, Manner::Refuses).await, Pool::open(0).await);
    let mut rig = Rig::start([first.conf(), second.conf(), none()]);
    first.hears("mining.authorize").await;
    rig.event(1, PoolEvent::Active).await;
    // The prober comes by again and again, and is answered; nobody logs in, and nobody leaves.
    let mut visits = 0;
    while visits < 5 {
        let said = first.said.recv().await.expect("it stays open");
        assert!(!said.contains("mining.authorize"), "{said}");
        visits += usize::from(said.contains("mining.subscribe"));
    }
    rig.end().await;
}

#[tokio::test]
async fn a_better_pool_is_tried_again_after_its_while() {
    let (mut first, second) = (Pool::that(0, Manner::Refuses).await, Pool::open(0).await);
    let pools = [first.conf(), second.conf(), none()];
    let mut rig = Rig::forgiving(pools, Duration::from_millis(200));
    first.hears("mining.authorize").await;
    rig.event(1, PoolEvent::Active).await;
    first.hears("mining.authorize").await;
    rig.event(1, PoolEvent::Active).await;
    rig.end().await;
}

#[tokio::test]
async fn of_a_lost_network_the_pool_hears_nothing() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let mut rig = Rig::start([conf(port), none(), none()]);
    let (say, _said) = mpsc::unbounded_channel();
    let (stream, _) = listener.accept().await.expect("it calls");
    let stream = stream.into_std().expect("a socket");
    let wire = stream.try_clone().expect("a descriptor");
    let stream = TcpStream::from_std(stream).expect("a socket");
    let serving = tokio::spawn(serve(stream, say, Manner::Serves));
    rig.job().await;
    rig.event(0, PoolEvent::Active).await;
    let lost =
        |plan: &Arc<PoolPlan>, lost| Arc::new(PoolPlan { lost, wanted: !lost, ..(**plan).clone() });
    rig.plan.send_modify(|plan| *plan = lost(plan, true));
    rig.event(0, PoolEvent::Left).await;
    let heard = wire.peek(&mut [0]).map_err(|wrong| wrong.kind());
    assert_eq!(heard, Err(std::io::ErrorKind::WouldBlock), "neither a word nor the end");
    // It is back, and begins anew.
    rig.plan.send_modify(|plan| *plan = lost(plan, false));
    serving.await.expect("the old connection ends");
    listener.accept().await.expect("it calls again");
    rig.end().await;
}
