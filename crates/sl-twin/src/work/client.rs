use std::{io, net::IpAddr, net::Ipv4Addr, net::SocketAddr, sync::Arc, time::Duration};

use sl_ports::{Clock, tcp};
use sl_stratum::Reconnect;
use sl_units::Mono;
use sl_upstream::Endpoint;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream, lookup_host},
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    engine::{Found, WorkOrder},
    habits::Patience,
    link::{Link, Step},
};
use crate::{
    conf::{POOLS, PoolConf},
    farm::Order,
    machine::PoolEvent,
};

/// A pool that takes no bytes for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// How long the verdicts of shares in flight are waited for when all stops.
const DRAIN: Duration = Duration::from_millis(500);
/// How often a pool may send a machine on.
const MOVES: usize = 3;

/// What a machine wants of its pools.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PoolPlan {
    pub(crate) pools: [PoolConf; POOLS],
    /// Another one means: connect anew.
    pub(crate) generation: u64,
    /// Whether the mining program runs and is on the network.
    pub(crate) wanted: bool,
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
/// A plan with another generation leads from any state to *Trying*.
pub(crate) struct Client {
    pub(crate) machine: usize,
    /// Where it calls from, as far as the pool is on loopback too.
    pub(crate) ip: Ipv4Addr,
    pub(crate) plan: watch::Receiver<Arc<PoolPlan>>,
    pub(crate) farm: mpsc::Sender<Order>,
    pub(crate) engine: mpsc::Sender<WorkOrder>,
    pub(crate) found: mpsc::Receiver<Found>,
    pub(crate) clock: Clock,
    pub(crate) patience: Patience,
    /// So many names are looked up at once, whatever the number of machines.
    pub(crate) lookups: Arc<Semaphore>,
    /// Claimed hashes for each real one.
    pub(crate) scale: f64,
    pub(crate) links: u64,
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
            let left = if plan.wanted && plan.pools.iter().any(|pool| !pool.url.is_empty()) {
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
        let several = plan.pools.iter().filter(|pool| !pool.url.is_empty()).count() > 1;
        'anew: loop {
            for (place, pool) in plan.pools.iter().enumerate() {
                if pool.url.is_empty() {
                    continue;
                }
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
            let dialled = self.dial(endpoint.clone());
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
        let _gone = self.engine.send(WorkOrder { machine: self.machine, work: None }).await;
        for step in link.closed() {
            if let Step::Tell(event) = step {
                self.tell(place, event).await;
            }
        }
        left
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
        let (mut heard, mut looked) = (began, began);
        let mut better: Option<JoinHandle<io::Result<TcpStream>>> = None;
        let mut leaving: Option<Mono> = None;
        loop {
            let Patience { silence, answer, look_back, .. } = self.patience;
            let patience = if link.is_running() { heard + silence } else { began + answer };
            let look_back =
                if place > 0 && better.is_none() { looked + look_back } else { patience };
            let due = leaving.unwrap_or(patience.min(look_back));
            // Cancel-safe: readiness, a receive, a change, a token, a sleep, a handle.
            let steps = tokio::select! {
                ready = stream.readable() => {
                    heard = self.clock.mono();
                    match ready.and_then(|()| link.read(stream)) {
                        Ok(steps) => steps,
                        Err(wrong) => return Left::Broken(wrong.to_string()),
                    }
                }
                Some(found) = self.found.recv(), if leaving.is_none() => link.found(&found, self.scale),
                changed = self.plan.changed(), if leaving.is_none() => return match changed {
                    Ok(()) => Left::Plan,
                    Err(_) => Left::Stopped,
                },
                () = stop.cancelled(), if leaving.is_none() => {
                    leaving = Some(self.clock.mono() + DRAIN);
                    Vec::new()
                }
                Some(there) = answers(&mut better) => {
                    better = None;
                    if there {
                        return Left::Better;
                    }
                    Vec::new()
                }
                () = tokio::time::sleep_until(self.clock.instant_of(due)) => {
                    let now = self.clock.mono();
                    match leaving {
                        Some(_) => return Left::Stopped,
                        None if now >= patience => return Left::Broken("it is silent".into()),
                        None => {
                            looked = now;
                            better = self.look_back(place);
                        }
                    }
                    Vec::new()
                }
            };
            if let Err(left) = self.act(place, pool, stream, steps).await {
                return left;
            }
            if leaving.is_some() && link.in_flight() == 0 {
                return Left::Stopped;
            }
        }
    }

    /// Knocks at the first of the better pools.
    fn look_back(&self, place: usize) -> Option<JoinHandle<io::Result<TcpStream>>> {
        let plan = self.plan.borrow();
        let better = plan.pools.iter().take(place).find_map(|pool| plain(&pool.url))?;
        Some(tokio::spawn(self.dial(better)))
    }

    /// A connection, apart from this client.
    fn dial(
        &self,
        endpoint: Endpoint,
    ) -> impl Future<Output = io::Result<TcpStream>> + Send + use<> {
        dial(endpoint, self.ip, self.patience.connect, self.lookups.clone())
    }

    async fn act(
        &mut self,
        place: usize,
        pool: &PoolConf,
        stream: &mut TcpStream,
        steps: Vec<Step>,
    ) -> Result<(), Left> {
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
                    self.tell(place, PoolEvent::Job).await;
                }
                Step::Move(reconnect) => return Err(Left::Moved(reconnect)),
                Step::End(why) => return Err(Left::Broken(why)),
            }
        }
        Ok(())
    }

    async fn tell(&self, place: usize, event: PoolEvent) {
        let order = Order::Pool { machine: self.machine, place, event };
        let _the_farm_is_gone = self.farm.send(order).await;
    }
}

/// Whether the better pool that was knocked at answers; waits for ever where none was. Cancel-safe.
async fn answers(better: &mut Option<JoinHandle<io::Result<TcpStream>>>) -> Option<bool> {
    match better {
        Some(knock) => Some(matches!(knock.await, Ok(Ok(_)))),
        None => std::future::pending().await,
    }
}

/// The pool's address as the firmware reads it: with its scheme or without.
fn plain(url: &str) -> Option<Endpoint> {
    url.trim().parse::<Endpoint>().ok().filter(|endpoint| !endpoint.tls())
}

/// Connects from the machine's own address where the pool can be reached from it.
async fn dial(
    endpoint: Endpoint,
    from: Ipv4Addr,
    within: Duration,
    lookups: Arc<Semaphore>,
) -> io::Result<TcpStream> {
    let connect = async {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let addresses: Vec<SocketAddr> = {
            let _turn = lookups.acquire().await;
            lookup_host((endpoint.host(), endpoint.port())).await?.collect()
        };
        for address in addresses {
            match connect(address, from).await {
                Ok(stream) => return Ok(stream),
                Err(wrong) => last = wrong,
            }
        }
        Err(last)
    };
    timeout(within, connect).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn connect(address: SocketAddr, from: Ipv4Addr) -> io::Result<TcpStream> {
    /// How often an idle connection is proved by the system.
    const IDLE: Duration = Duration::from_secs(30);
    let stream = match address {
        SocketAddr::V4(there) if there.ip().is_loopback() == from.is_loopback() => {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
            socket.connect(address).await?
        }
        _ => TcpStream::connect(address).await?,
    };
    stream.set_nodelay(true)?;
    if let Err(wrong) = tcp::keep_alive(&stream, IDLE, IDLE) {
        tracing::debug!(%wrong, "the socket keeps its defaults");
    }
    Ok(stream)
}

#[cfg(test)]
mod tests;
