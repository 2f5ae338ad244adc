use std::{collections::HashMap, net::Ipv4Addr, sync::Arc, time::Duration};

use sl_ports::Clock;
use tokio::{
    io::AsyncWriteExt,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    client::PoolPlan,
    dial::{dial, plain},
    habits::Patience,
    link::{Link, Step},
};
use crate::conf::PoolConf;

/// How often it is looked whether machines name a pool that nobody has asked yet.
const LOOK: Duration = Duration::from_secs(1);
/// Pools asked at once.
const AT_ONCE: usize = 64;

/// Which pools answer, by their address as machines have it in their configuration.
pub(crate) type Answering = Arc<HashMap<String, bool>>;

/// Asks the pools of machines that have several whether they answer: as soon as one is named, and
/// then all of them once a minute.
///
/// Each machine does so by itself in reality. Here each address is asked once for all machines that
/// name it, from the address of one of them, so that a thousand machines cost a pool one visit.
pub(crate) struct Prober {
    /// Each machine's address and what it wants of its pools.
    pub(crate) machines: Vec<(Ipv4Addr, watch::Receiver<Arc<PoolPlan>>)>,
    pub(crate) clock: Clock,
    pub(crate) patience: Patience,
    pub(crate) lookups: Arc<Semaphore>,
    pub(crate) answering: watch::Sender<Answering>,
}

impl Prober {
    /// Asks until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.ask()).await;
    }

    async fn ask(&mut self) {
        let mut look = tokio::time::interval(LOOK.min(self.patience.probe));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known = HashMap::new();
        let mut due = self.clock.mono();
        loop {
            look.tick().await;
            let now = self.clock.mono();
            let all = now >= due;
            if !all && !self.machines.iter().any(|(_, plan)| plan.has_changed().unwrap_or(false)) {
                continue;
            }
            let named = self.named();
            known.retain(|url, _| named.contains_key(url));
            let asked = named.into_iter().filter(|(url, _)| all || !known.contains_key(url));
            let answers = self.round(asked.collect()).await;
            known.extend(answers);
            if all {
                due = now + self.patience.probe;
            }
            self.answering.send_replace(Arc::new(known.clone()));
        }
    }

    /// The pools of machines that have several, each with the address of a machine that names it.
    fn named(&mut self) -> HashMap<String, Ipv4Addr> {
        let mut named = HashMap::new();
        for (ip, plan) in &mut self.machines {
            let plan = plan.borrow_and_update();
            let urls = plan.named().map(|(_, pool)| &pool.url);
            if !plan.wanted || urls.clone().count() < 2 {
                continue;
            }
            for url in urls {
                if !named.contains_key(url) {
                    named.insert(url.clone(), *ip);
                }
            }
        }
        named
    }

    async fn round(&self, asked: Vec<(String, Ipv4Addr)>) -> Vec<(String, bool)> {
        let (mut answers, mut visits) = (Vec::with_capacity(asked.len()), JoinSet::new());
        for (url, from) in asked {
            if visits.len() == AT_ONCE {
                answers.extend(visits.join_next().await.and_then(Result::ok));
            }
            let (patience, lookups) = (self.patience, self.lookups.clone());
            visits.spawn(async move {
                let answers = visit(&url, from, patience, lookups).await.unwrap_or(false);
                (url, answers)
            });
        }
        while let Some(visit) = visits.join_next().await {
            answers.extend(visit);
        }
        answers
    }
}

/// Whether a pool takes on who introduces himself. Nobody logs in.
async fn visit(
    url: &str,
    from: Ipv4Addr,
    patience: Patience,
    lookups: Arc<Semaphore>,
) -> std::io::Result<bool> {
    let Some(endpoint) = plain(url) else { return Ok(false) };
    let mut stream = dial(endpoint, from, patience.connect, lookups).await?;
    let talk = async {
        let mut link = Link::new(0, &PoolConf::default(), None);
        let mut steps = link.connected();
        loop {
            for step in steps {
                match step {
                    Step::Session(_) | Step::Move(_) => return Ok(true),
                    Step::End(_) => return Ok(false),
                    Step::Send(line) => stream.write_all(&line).await?,
                    Step::Tell(_) | Step::Work(_) => {}
                }
            }
            stream.readable().await?;
            steps = link.read(&stream)?;
        }
    };
    timeout(patience.connect, talk).await.unwrap_or(Ok(false))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, BufReader},
        net::TcpListener,
    };

    use super::*;
    use crate::conf::PoolConf;

    /// A pool that takes on whoever subscribes: its address, and what is said to it.
    async fn pool() -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("stratum+tcp://{}", listener.local_addr().expect("bound"));
        let (say, said) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reads, mut writes) = stream.into_split();
                let mut lines = BufReader::new(reads).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let _heard = say.send(line);
                    let welcome = b"{\"id\":1,\"result\":[[],\"0a0b\",4],\"error\":null}\n";
                    let _sent = writes.write_all(welcome).await;
                }
            }
        });
        (url, said)
    }

    #[tokio::test]
    async fn a_pool_is_asked_once_for_all_machines_that_name_it() {
        let ((first, mut asked), (second, mut asked_later)) = (pool().await, pool().await);
        let dead = "stratum+tcp://127.0.0.1:1".to_owned();
        let plan = |urls: [&str; 3], generation| {
            let pools = urls.map(|url| PoolConf { url: url.to_owned(), ..PoolConf::default() });
            Arc::new(PoolPlan { pools, generation, wanted: true, lost: false, bad_shares: 0.0 })
        };
        let (plans, machines): (Vec<_>, Vec<_>) = (1..=100)
            .map(|last| {
                let (plan, followed) = watch::channel(plan([&first, &dead, ""], 1));
                (plan, (Ipv4Addr::new(127, 77, 5, last), followed))
            })
            .unzip();
        let (answering, mut heard) = watch::channel(Answering::default());
        let (clock, lookups) = (Clock::real(), Arc::new(Semaphore::new(1)));
        let prober = Prober { machines, clock, patience: Patience::REAL, lookups, answering };
        let stop = CancellationToken::new();
        let running = tokio::spawn(prober.run(stop.clone()));
        let round = |heard: &Answering| {
            let mut heard: Vec<_> = heard.iter().map(|(url, it)| (url.clone(), *it)).collect();
            heard.sort();
            heard
        };
        heard.changed().await.expect("it runs");
        let mut wanted = vec![(first.clone(), true), (dead.clone(), false)];
        wanted.sort();
        assert_eq!(round(&heard.borrow_and_update()), wanted);

        // One that is named anew is asked at once, the others in their minute; who has one pool has
        // none in reserve.
        plans[7].send_replace(plan([&first, &second, ""], 2));
        plans[8].send_replace(plan([&dead, "", ""], 2));
        heard.changed().await.expect("it runs");
        wanted.push((second, true));
        wanted.sort();
        assert_eq!(round(&heard.borrow_and_update()), wanted);
        stop.cancel();
        running.await.expect("it ends");
        let visits = |asked: &mut tokio::sync::mpsc::UnboundedReceiver<String>| {
            std::iter::from_fn(|| asked.try_recv().ok()).count()
        };
        assert_eq!((visits(&mut asked), visits(&mut asked_later)), (1, 1));
    }
}
