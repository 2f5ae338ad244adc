use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use sl_ports::Clock;
use sl_stratum::Reconnect;
use sl_units::Mono;
use sl_upstream::Endpoint;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Semaphore, mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    dial::{dial, plain},
    engine::{Found, WorkOrder},
    habits::Patience,
    link::{Link, Step},
    prober::Answering,
};
use crate::{
    conf::{POOLS, PoolConf},
    farm::Order,
    machine::PoolEvent,
};

/// A pool that takes no bytes for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// How long the verdicts of shares in flight are waited for when all stops.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The same when the machine goes on elsewhere.
const DRAIN: Duration = Duration::from_secs(2);
/// How often a pool may send a machine on.
const MOVES: usize = 3;

/// What a machine wants of its pools.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct PoolPlan {
    pub(crate) pools: [PoolConf; POOLS],
    /// Another one means: connect anew.
    pub(crate) generation: u64,
    /// Whether the mining program runs and is on the network.
    pub(crate) wanted: bool,
    /// Whether the network is lost: then it is not wanted, and nobody can tell the pool so.
    pub(crate) lost: bool,
    /// Share of the shares that are sent with a nonce that misses the target.
    pub(crate) bad_shares: f64,
}

impl PoolPlan {
    /// The pools that have an address, with their places.
    pub(crate) fn named(&self) -> impl Iterator<Item = (usize, &PoolConf)> + Clone {
        self.pools.iter().enumerate().filter(|(_, pool)| !pool.url.is_empty())
    }

    /// Whether another plan wants the same connections.
    pub(crate) fn connects_as(&self, other: &Self) -> bool {
        (self.generation, self.wanted, self.lost) == (other.generation, other.wanted, other.lost)
            && self.pools == other.pools
    }
}

/// The pool connection of one machine.
///
/// ```text
///              wanted            the first pool that answers
///   Resting ───────────▶ Trying ─────────────────────────────▶ Mining ─┐
///      ▲                 │ ▲  ▲     broken, silent, moved        │     │ a better pool
///      │ not wanted      │ │  └──────────────────────────────────┘     │ answers again
///      └── any state     ▼ │ 3 s, 30 s                                 │
///                      Waiting ◀── none answers      Trying ◀──────────┘
/// ```
///
/// A plan with another generation leads from any state to *Trying*. Who leaves *Mining* of his own
/// will first hears the verdicts on what he has sent. A better pool that took the machine on and
/// gave it no work is not gone back to for a while, whatever it answers. From a machine whose network
/// is lost the pool hears nothing more, not even the end of the connection, until it is back.
pub(crate) struct Client {
    pub(crate) machine: usize,
    /// Where it calls from, as far as the pool is on loopback too.
    pub(crate) ip: Ipv4Addr,
    pub(crate) plan: watch::Receiver<Arc<PoolPlan>>,
    /// The generation of the plan that it follows.
    pub(crate) generation: u64,
    /// Which pools answer to others; made anew once a minute.
    pub(crate) answering: watch::Receiver<Answering>,
    pub(crate) farm: mpsc::Sender<Order>,
    pub(crate) engine: mpsc::Sender<WorkOrder>,
    pub(crate) found: mpsc::Receiver<Found>,
    pub(crate) clock: Clock,
    pub(crate) patience: Patience,
    /// So many names are looked up at once, whatever the number of machines.
    pub(crate) lookups: Arc<Semaphore>,
    /// Claimed hashes for each real one.
    pub(crate) scale: f64,
    /// Bad shares that are due; one is sent when there is a whole one.
    pub(crate) bad: f64,
    pub(crate) links: u64,
    /// Whether the connection that there is has given work.
    pub(crate) works: bool,
    /// Until when a pool is not gone back to, because it took the machine on and gave it no work.
    pub(crate) shunned: [Option<Mono>; POOLS],
    /// The session to be resumed, and the pool that gave it.
    pub(crate) session: Option<(String, String)>,
}

/// Why a connection ended.
enum Left {
    /// All stops.
    Stopped,
    /// The machine wants something else.
    Plan,
    /// It broke, was silent or was refused.
    Broken(String),
    /// A better pool answers.
    Better,
    /// The pool wants the machine elsewhere.
    Moved(Reconnect),
}

impl Client {
    /// Mines as the plan says until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let plan = self.plan.borrow_and_update().clone();
            self.generation = plan.generation;
            self.shunned = [None; POOLS];
            let left = if plan.wanted && plan.named().next().is_some() {
                self.mine(&plan, &stop).await
            } else {
                tokio::select! {
                    () = stop.cancelled() => Left::Stopped,
                    changed = self.plan.changed() => match changed {
                        Ok(()) => Left::Plan,
                        Err(_) => Left::Stopped,
                    },
                }
            };
            if matches!(left, Left::Stopped) {
                return;
            }
        }
    }

    /// Tries the pools in their order until the plan changes.
    async fn mine(&mut self, plan: &PoolPlan, stop: &CancellationToken) -> Left {
        let several = plan.named().count() > 1;
        'anew: loop {
            for (place, pool) in plan.named() {
                match self.at(place, pool, stop).await {
                    left @ (Left::Stopped | Left::Plan) => return left,
                    Left::Better | Left::Moved(_) => continue 'anew,
                    Left::Broken(why) => {
                        tracing::debug!(machine = %self.ip, pool = %pool.url, why, "pool lost");
                        self.tell(place, PoolEvent::Dead).await;
                    }
                }
            }
            let Patience { retry, retry_others, .. } = self.patience;
            let rest = if several { retry_others } else { retry };
            tokio::select! {
                () = stop.cancelled() => return Left::Stopped,
                changed = self.plan.changed() => return match changed {
                    Ok(()) => Left::Plan,
                    Err(_) => Left::Stopped,
                },
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    /// One pool, and where it sends the machine to, until the connection ends.
    async fn at(&mut self, place: usize, pool: &PoolConf, stop: &CancellationToken) -> Left {
        let Some(mut endpoint) = plain(&pool.url) else {
            return Left::Broken("no address of the form stratum+tcp://HOST:PORT".into());
        };
        for _ in 0..=MOVES {
            let (within, lookups) = (self.patience.connect, self.lookups.clone());
            let dialled = dial(endpoint.clone(), self.ip, within, lookups);
            let stream = tokio::select! {
                () = stop.cancelled() => return Left::Stopped,
                changed = self.plan.changed() => return match changed {
                    Ok(()) => Left::Plan,
                    Err(_) => Left::Stopped,
                },
                stream = dialled => stream,
            };
            let stream = match stream {
                Ok(stream) => stream,
                Err(wrong) => return Left::Broken(format!("it cannot be reached: {wrong}")),
            };
            let left = self.serve(place, pool, stream, stop).await;
            let Left::Moved(reconnect) = &left else { return left };
            let here = endpoint.host().to_owned();
            let host = reconnect.host.as_deref().unwrap_or(&here);
            let port = reconnect.port.unwrap_or(endpoint.port());
            match Endpoint::new(host, port).ok().filter(|_| reconnect.stays_with(&here)) {
                Some(there) => endpoint = there,
                None => return Left::Broken("it sends the machine to a stranger".into()),
            }
        }
        Left::Broken("it sends the machine from place to place".into())
    }

    /// One connection from its first word to its end.
    async fn serve(
        &mut self,
        place: usize,
        pool: &PoolConf,
        mut stream: TcpStream,
        stop: &CancellationToken,
    ) -> Left {
        self.links += 1;
        let session = self.session.take_if(|(url, _)| *url == pool.url).map(|(_, id)| id);
        let mut link = Link::new(self.links, pool, session);
        let first = link.connected();
        let left = match self.act(place, pool, &mut stream, first).await {
            Ok(()) => self.talk(place, pool, &mut link, &mut stream, stop).await,
            Err(left) => left,
        };
        if matches!(left, Left::Broken(_)) && !self.works {
            self.shun(place, Some(self.clock.mono() + self.patience.unserved));
        }
        self.rest(place, &left).await;
        for step in link.closed() {
            if let Step::Tell(event) = step {
                self.tell(place, event).await;
            }
        }
        if self.plan.borrow().lost { self.silence(stop).await } else { left }
    }

    /// Waits until the network is there again; the connection that there was is held meanwhile, so
    /// that its pool meets a peer that is dead, and not one that has gone.
    async fn silence(&mut self, stop: &CancellationToken) -> Left {
        while self.plan.borrow().lost {
            let changed = stop.run_until_cancelled(self.plan.changed()).await;
            if !matches!(changed, Some(Ok(()))) {
                return Left::Stopped;
            }
        }
        Left::Plan
    }

    async fn talk(
        &mut self,
        place: usize,
        pool: &PoolConf,
        link: &mut Link,
        stream: &mut TcpStream,
        stop: &CancellationToken,
    ) -> Left {
        let began = self.clock.mono();
        let mut heard = began;
        let mut leaving: Option<(Mono, Left)> = None;
        // Of the better ones this machine has just seen more than it can hear.
        for (at, answers) in self.heard_of_pools().into_iter().filter(|(at, _)| *at > place) {
            self.tell_other(at, answers).await;
        }
        loop {
            let Patience { silence, answer, .. } = self.patience;
            let patience = if link.is_running() { heard + silence } else { began + answer };
            let due = leaving.as_ref().map_or(patience, |(due, _)| *due);
            let mut leave = None;
            // Cancel-safe: readiness, a receive, changes, a token, a sleep.
            let mut steps = tokio::select! {
                ready = stream.readable() => {
                    heard = self.clock.mono();
                    match ready.and_then(|()| link.read(stream)) {
                        Ok(steps) => steps,
                        Err(wrong) => return or_broken(leaving, &wrong.to_string()),
                    }
                }
                Some(found) = self.found.recv(), if leaving.is_none() => {
                    let bad = self.is_bad();
                    link.found(&found, self.scale, bad)
                }
                changed = self.plan.changed(), if leaving.is_none() => {
                    if self.plan.borrow().lost {
                        return Left::Plan;
                    }
                    leave = Some(if changed.is_ok() { Left::Plan } else { Left::Stopped });
                    Vec::new()
                }
                () = stop.cancelled(), if leaving.is_none() => {
                    leave = Some(Left::Stopped);
                    Vec::new()
                }
                Ok(()) = self.answering.changed(), if leaving.is_none() => {
                    leave = self.hears_of_better(place).await.then_some(Left::Better);
                    Vec::new()
                }
                () = tokio::time::sleep_until(self.clock.instant_of(due)) => {
                    return or_broken(leaving, "it is silent");
                }
            };
            if leaving.is_some() {
                steps.retain(|step| !matches!(step, Step::Work(_)));
            }
            match self.act(place, pool, stream, steps).await {
                Ok(()) => {}
                Err(left @ Left::Moved(_)) if leaving.is_none() => leave = Some(left),
                Err(left) => return leaving.map_or(left, |(_, wanted)| wanted),
            }
            if let Some(left) = leave {
                let within = if matches!(left, Left::Stopped) { LAST_WORDS } else { DRAIN };
                if !matches!(left, Left::Stopped) {
                    self.rest(place, &left).await;
                }
                leaving = Some((self.clock.mono() + within, left));
            }
            if let Some((_, left)) = leaving.take_if(|_| link.in_flight() == 0) {
                return left;
            }
        }
    }

    /// No work comes over this connection any more. The engine hears so, and in the same instant
    /// the machine: it claims no hashes that nobody makes.
    async fn rest(&mut self, place: usize, left: &Left) {
        if !std::mem::take(&mut self.works) {
            return;
        }
        let _gone = self.engine.send(WorkOrder { machine: self.machine, work: None }).await;
        // When all stops, the figures stay as they were last.
        if !matches!(left, Left::Stopped) {
            self.tell(place, PoolEvent::Left).await;
        }
    }

    fn shun(&mut self, place: usize, until: Option<Mono>) {
        if let Some(shunned) = self.shunned.get_mut(place) {
            *shunned = until;
        }
    }

    /// Hears which of the other pools answer, and whether a better one is among them.
    async fn hears_of_better(&mut self, place: usize) -> bool {
        let now = self.clock.mono();
        let others = self.heard_of_pools().into_iter().filter(|(at, _)| *at != place);
        for (at, answers) in others {
            let shunned = self.shunned.get(at).copied().flatten().is_some_and(|until| now < until);
            self.tell_other(at, answers && !shunned).await;
            if answers && !shunned && at < place {
                return true;
            }
        }
        false
    }

    /// The places whose pools were asked by the prober, and whether they answer.
    fn heard_of_pools(&mut self) -> Vec<(usize, bool)> {
        let answering = self.answering.borrow_and_update();
        let plan = self.plan.borrow();
        plan.named().filter_map(|(at, pool)| Some((at, *answering.get(&pool.url)?))).collect()
    }

    async fn tell_other(&self, place: usize, answers: bool) {
        let event = if answers { PoolEvent::Alive } else { PoolEvent::Dead };
        self.tell(place, event).await;
    }

    /// Whether the next share is to be one of the bad ones: each n-th, where a n-th part is bad.
    fn is_bad(&mut self) -> bool {
        self.bad += self.plan.borrow().bad_shares;
        let bad = self.bad >= 1.0;
        self.bad -= f64::from(u8::from(bad));
        bad
    }

    async fn act(
        &mut self,
        place: usize,
        pool: &PoolConf,
        stream: &mut TcpStream,
        steps: Vec<Step>,
    ) -> Result<(), Left> {
        let mut moved = Ok(());
        for step in steps {
            match step {
                Step::Send(line) => match timeout(WRITE, stream.write_all(&line)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(wrong)) => return Err(Left::Broken(wrong.to_string())),
                    Err(_) => return Err(Left::Broken("it takes no bytes".into())),
                },
                Step::Session(session) => {
                    self.session = session.map(|session| (pool.url.clone(), session));
                    self.tell(place, PoolEvent::Alive).await;
                }
                Step::Tell(PoolEvent::Difficulty(difficulty)) => {
                    self.tell(place, PoolEvent::Difficulty(difficulty * self.scale)).await;
                }
                Step::Tell(event) => self.tell(place, event).await,
                Step::Work(work) => {
                    let order = WorkOrder { machine: self.machine, work: Some(work) };
                    if self.engine.send(order).await.is_err() {
                        return Err(Left::Stopped);
                    }
                    if !std::mem::replace(&mut self.works, true) {
                        self.shun(place, None);
                        self.tell(place, PoolEvent::Active).await;
                    }
                    self.tell(place, PoolEvent::Job).await;
                }
                // What came with it is heard first.
                Step::Move(reconnect) => moved = Err(Left::Moved(reconnect)),
                Step::End(why) => return Err(Left::Broken(why)),
            }
        }
        moved
    }

    async fn tell(&self, place: usize, event: PoolEvent) {
        let Self { machine, generation, .. } = *self;
        let order = Order::Pool { machine, generation, place, event };
        let _the_farm_is_gone = self.farm.send(order).await;
    }
}

/// Why a connection ended that ended by itself: as was wanted, if that was wanted.
fn or_broken(leaving: Option<(Mono, Left)>, why: &str) -> Left {
    leaving.map_or_else(|| Left::Broken(why.to_owned()), |(_, left)| left)
}

#[cfg(test)]
mod tests;
