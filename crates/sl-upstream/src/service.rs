use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;
use sl_ports::{
    Clock,
    tls::{Trust, client::Connector},
};
use sl_stratum::Password;
use sl_supervise::{Ctx, ServiceError};
use sl_work::{Leased, Outcome, Pending, SourceEnd, SourceHandle, SourceId, WorkerName, source};
use tokio::{
    sync::{
        Mutex,
        mpsc::{self, OwnedPermit},
        watch,
    },
    task::JoinSet,
};

use crate::{
    DemandRules, Endpoint, Login, Patience, PoolStatus,
    demand::Demand,
    desk::{Desk, MOST_LINKS, Numbers, link_of},
    link::{Event, Link, Order},
};

/// Orders that a link has not taken up yet.
const ORDERS: usize = 4096;
/// Events of links that are not taken up yet.
const EVENTS: usize = 256;

/// A pool and the account on it.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The source's name.
    pub id: SourceId,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Account and worker, as the pool wants it; `{worker}` in it stands for each machine's name.
    pub user: WorkerName,
    /// Password; pools that read none take anything.
    pub password: Password,
}

/// How to treat a pool; the default suits most.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Whom to believe where the pool is reached over TLS.
    pub trust: Trust,
    /// How long it may take for what.
    pub patience: Patience,
    /// How long shares in flight at a failure are held for a session that is resumed; cgminer holds
    /// its own as long.
    pub resume_within: Duration,
    /// Connections from the start.
    pub connections: usize,
    /// The most connections, where one has not room for all leases.
    pub most_connections: usize,
    /// How many shares it should be sent.
    pub demand: DemandRules,
    /// Whether to say that `mining.set_extranonce` can be taken. Some pools drop who asks.
    pub extranonce_subscribe: bool,
    /// A folder for recordings of every connection.
    pub record: Option<PathBuf>,
    /// Under which names to work, where it is more than the pool's `user`.
    pub login: Option<Login>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            trust: Trust::Public,
            patience: Patience::default(),
            resume_within: Duration::from_secs(120),
            connections: 1,
            most_connections: 8,
            demand: DemandRules::default(),
            extranonce_subscribe: false,
            record: None,
            login: None,
        }
    }
}

/// One pool as a service. Its source stays valid over restarts.
///
/// ```text
///   leases ─▶ ┌────────┐ ─ lease, share ─▶ ┌────────┐ ◀─ connection ─▶ pool
///             │ router │                   │ link 0 │
///   shares ─▶ └────────┘ ◀─ width, state ─ └────────┘
///                  │     ◀─ no room ─┘
///                  └────▶ link 1, 2 …: the same, opened when needed
/// ```
#[derive(Debug, Clone)]
pub struct Upstream {
    pub(crate) shared: Arc<Shared>,
    rng: Rng,
    handle: SourceHandle,
    /// They live here between runs of the service: leases stay, and no job's number is used again.
    ends: Arc<Mutex<Ends>>,
}

/// What all links of a pool read.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pool: Pool,
    pub(crate) options: PoolOptions,
    pub(crate) login: Arc<Login>,
    pub(crate) connector: Connector,
    pub(crate) clock: Clock,
    pub(crate) status: watch::Sender<PoolStatus>,
}

/// What a run has for itself.
#[derive(Debug)]
struct Ends {
    end: SourceEnd,
    numbers: Numbers,
    links: Vec<Arc<Mutex<Link>>>,
}

impl Upstream {
    /// A pool that will be connected to when [`Upstream::run`] runs.
    #[must_use]
    pub fn new(pool: Pool, clock: Clock, rng: Rng) -> Self {
        Self::with_options(pool, PoolOptions::default(), clock, rng)
    }

    /// The same, treated as the options say.
    #[must_use]
    pub fn with_options(pool: Pool, options: PoolOptions, clock: Clock, rng: Rng) -> Self {
        let (handle, end) = source(pool.id.clone());
        let (status, _) = watch::channel(PoolStatus::default());
        let login = options.login.clone().or_else(|| Login::parse(&pool.user).ok());
        let login = Arc::new(login.unwrap_or_else(|| Login::verbatim(&pool.user)));
        let connector = Connector::new(&options.trust).or_else(|wrong| {
            tracing::error!(%wrong, "the authorities cannot be read: nobody is believed");
            Connector::new(&Trust::Public)
        });
        let connector = connector.expect("the compiled-in authorities can be read");
        let ends = Ends { end, numbers: Numbers::default(), links: Vec::new() };
        let shared = Arc::new(Shared { pool, options, login, connector, clock, status });
        Self { shared, rng, handle, ends: Arc::new(Mutex::new(ends)) }
    }

    /// The source of work.
    #[must_use]
    pub fn source(&self) -> SourceHandle {
        self.handle.clone()
    }

    /// How the pool fares.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<PoolStatus> {
        self.shared.status.subscribe()
    }

    /// Keeps the pool connected until told to stop. Ready at once: without a pool it is degraded.
    ///
    /// # Errors
    /// A link panicked; a restart goes on with the others' leases.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        // Held for the whole run, by one task: the ends have one owner at a time.
        let mut ends = self.ends.clone().lock_owned().await;
        ctx.degraded(format!("connecting to {}", self.shared.pool.endpoint));
        let (events_in, mut events) = mpsc::channel(EVENTS);
        let Ends { end, numbers, links } = &mut *ends;
        let mut router = Router {
            shared: self.shared.clone(),
            ctx: ctx.clone(),
            end,
            numbers,
            links,
            open: Vec::new(),
            tasks: JoinSet::new(),
            events: events_in,
            rng: self.rng.clone(),
            idle: BTreeMap::new(),
            widths: BTreeMap::new(),
        };
        let first = router.links.len().max(self.shared.options.connections.max(1));
        for _ in 0..first.min(MOST_LINKS as usize) {
            router.open_link();
        }
        loop {
            // Cancel-safe: three receives, a token, a place in a queue that is taken anew, and a
            // task that is joined.
            tokio::select! {
                () = ctx.stopped() => break,
                Some((link, event)) = events.recv() => router.heard(link, event),
                Some((link, room)) = router.room() => router.give(link, room),
                Some(leased) = router.end.leases.recv(), if !router.waits() => router.lease(leased),
                Some(pending) = router.end.intake.next() => router.share(pending),
                Some(ended) = router.tasks.join_next() => {
                    ended.map_err(|wrong| format!("a link of the pool failed: {wrong}"))?;
                }
            }
        }
        // What they still tell is of no use, but they must not wait for us.
        events.close();
        while let Some(ended) = router.tasks.join_next().await {
            ended.map_err(|wrong| format!("a link of the pool failed: {wrong}"))?;
        }
        Ok(())
    }
}

/// Gives leases and shares to the links, and tells the source's state from theirs.
struct Router<'a> {
    shared: Arc<Shared>,
    ctx: Ctx,
    end: &'a mut SourceEnd,
    numbers: &'a Numbers,
    links: &'a mut Vec<Arc<Mutex<Link>>>,
    /// The links that run.
    open: Vec<Open>,
    tasks: JoinSet<()>,
    events: mpsc::Sender<(usize, Event)>,
    rng: Rng,
    /// Why links have no work.
    idle: BTreeMap<usize, Option<Arc<str>>>,
    widths: BTreeMap<usize, usize>,
}

/// A link that runs.
struct Open {
    orders: mpsc::Sender<Order>,
    /// Leases given to it.
    leases: usize,
    /// Those that found no room among its orders: no other lease is taken before they have it.
    waiting: VecDeque<Order>,
}

impl Open {
    fn new(orders: mpsc::Sender<Order>) -> Self {
        Self { orders, leases: 0, waiting: VecDeque::new() }
    }

    fn lease(&mut self, leased: Leased, keep: bool) {
        self.leases += 1;
        if let Err(full) = self.orders.try_send(Order::Lease { leased, keep }) {
            self.waiting.push_back(full.into_inner());
        }
    }

    /// Gives it one of those that wait.
    fn give(&mut self, room: OwnedPermit<Order>) {
        if let Some(order) = self.waiting.pop_front() {
            room.send(order);
        }
    }
}

impl Router<'_> {
    fn open_link(&mut self) {
        let number = self.open.len();
        if number == self.links.len() {
            let desk = Desk::new(self.shared.pool.id.clone(), number as u64, self.numbers.clone());
            let demand = Demand::new(self.share_of_demand());
            self.links.push(Arc::new(Mutex::new(Link::new(number, desk, demand))));
        }
        let Some(link) = self.links.get(number).cloned() else { return };
        let (orders, taken) = mpsc::channel(ORDERS);
        let (shared, events) = (self.shared.clone(), self.events.clone());
        let (stop, rng) = (self.ctx.stop_token(), self.rng.fork());
        self.tasks.spawn(async move {
            link.lock_owned().await.run(&shared, taken, events, &stop, rng).await;
        });
        self.open.push(Open::new(orders));
    }

    /// What is told of the rate holds for all connections together.
    fn share_of_demand(&self) -> DemandRules {
        let rules = self.shared.options.demand;
        let links = self.shared.options.connections.max(1) as f64;
        let hashrate = rules.hashrate.map(|rate| sl_units::HashRate::from_hs(rate.hs() / links));
        DemandRules { hashrate, ..rules }
    }

    /// Goes to the link with the fewest.
    fn lease(&mut self, leased: Leased) {
        let fewest = self.open.iter().enumerate().min_by_key(|(_, open)| open.leases);
        let number = fewest.map_or(0, |(number, _)| number);
        self.lease_to(number, leased, false);
    }

    fn lease_to(&mut self, number: usize, leased: Leased, keep: bool) {
        if let Some(open) = self.open.get_mut(number) {
            open.lease(leased, keep);
        }
    }

    /// Whether a lease waits for room at its link.
    fn waits(&self) -> bool {
        self.open.iter().any(|open| !open.waiting.is_empty())
    }

    /// Room at a link that a lease waits for; nothing at once where none does.
    fn room(&self) -> impl Future<Output = Option<(usize, OwnedPermit<Order>)>> + use<> {
        let waits = self.open.iter().position(|open| !open.waiting.is_empty());
        let link = waits.and_then(|link| Some((link, self.open.get(link)?.orders.clone())));
        async move {
            let (link, orders) = link?;
            Some((link, orders.reserve_owned().await.ok()?))
        }
    }

    fn give(&mut self, link: usize, room: OwnedPermit<Order>) {
        if let Some(open) = self.open.get_mut(link) {
            open.give(room);
        }
    }

    fn share(&mut self, pending: Pending) {
        let number = usize::try_from(link_of(pending.share().job().id.sequence));
        let open = number.ok().and_then(|number| self.open.get(number));
        let refused = match open {
            Some(open) => open.orders.try_send(Order::Share(pending)).err(),
            None => {
                let reason = "the pool's connection that gave this job is gone".into();
                pending.settle(Outcome::Stale { reason });
                self.shared.status.send_modify(|status| status.stale += 1);
                return;
            }
        };
        if let Some(refused) = refused
            && let Order::Share(pending) = refused.into_inner()
        {
            let reason = format!("{ORDERS} shares wait to be sent already");
            pending.settle(Outcome::Lost { reason });
            self.shared.status.send_modify(|status| status.lost += 1);
        }
    }

    fn heard(&mut self, link: usize, event: Event) {
        match event {
            Event::Width(width) => {
                self.widths.insert(link, width);
                self.end.set_widest(self.widths.values().copied().max().unwrap_or(0));
            }
            Event::Working(now) => {
                self.idle.insert(link, None);
                self.end.set_working(now);
                self.ctx.ready();
            }
            Event::Idle(why, now) => {
                self.idle.insert(link, Some(why.clone()));
                if self.idle.values().all(Option::is_some) {
                    self.end.set_idle(&why, now);
                    self.ctx.degraded(&*why);
                }
            }
            Event::Overflow(leased) => {
                if let Some(open) = self.open.get_mut(link) {
                    open.leases = open.leases.saturating_sub(1);
                }
                let most = self.shared.options.most_connections.clamp(1, MOST_LINKS as usize);
                let next = link + 1;
                if next >= most.max(self.open.len()) {
                    tracing::warn!(pool = %self.shared.pool.endpoint, connections = self.open.len(), consumer = %leased.consumer,
                        "no connection has room for another lease: it waits");
                    self.lease_to(link, leased, true);
                    return;
                }
                if next == self.open.len() {
                    tracing::info!(pool = %self.shared.pool.endpoint, connections = next + 1, "another connection, for room");
                    self.open_link();
                }
                self.lease_to(next, leased, false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sl_work::{Ask, WorkSource};

    use super::*;

    #[tokio::test]
    async fn a_lease_waits_for_room_at_its_link() {
        let (source, mut end) = source(SourceId::new("pool.test"));
        end.set_widest(4);
        let ask = || Ask { free: 2, consumer: "test".into() };
        let held: Vec<_> = (0..3).map(|_| source.lease(ask()).expect("wide enough")).collect();
        let (orders, mut taken) = mpsc::channel(1);
        let mut open = Open::new(orders);
        while let Ok(leased) = end.leases.try_recv() {
            open.lease(leased, false);
        }
        assert_eq!((open.leases, open.waiting.len()), (3, 2));
        let mut given = Vec::new();
        for left in (0..2).rev() {
            given.extend(taken.recv().await);
            open.give(open.orders.clone().reserve_owned().await.expect("it lives"));
            assert_eq!(open.waiting.len(), left);
        }
        given.extend(taken.recv().await);
        assert!(held.iter().all(|lease| lease.work.has_changed().is_ok()), "none was dropped");
    }
}
