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
