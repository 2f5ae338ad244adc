use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use fastrand::Rng;
use sl_ports::{
    Clock,
    tls::{Trust, client::Connector},
};
use sl_stratum::Password;
use sl_supervise::{Ctx, ServiceError};
use sl_work::{Leased, Outcome, Pending, SourceEnd, SourceHandle, SourceId, WorkerName, source};
use tokio::{
    sync::{Mutex, mpsc, watch},
    task::JoinSet,
};

use crate::{
    DemandRules, Endpoint, Login, Patience, PoolStatus,
    demand::Demand,
    desk::{Desk, MOST_LINES, Numbers, line_of},
    line::{Event, Line, Order},
};

/// Orders that a line has not taken up yet.
const ORDERS: usize = 4096;
/// Events of lines that are not taken up yet.
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
///             │ router │                   │ line 0 │
///   shares ─▶ └────────┘ ◀─ width, state ─ └────────┘
///                  │     ◀─ no room ─┘
///                  └────▶ line 1, 2 …: the same, opened when needed
/// ```
#[derive(Debug, Clone)]
pub struct Upstream {
    shared: Arc<Shared>,
    rng: Rng,
    handle: SourceHandle,
    /// They live here between runs of the service: leases stay, and no job's number is used again.
    ends: Arc<Mutex<Ends>>,
}

/// What all lines of a pool read.
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
    lines: Vec<Arc<Mutex<Line>>>,
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
        let ends = Ends { end, numbers: Numbers::default(), lines: Vec::new() };
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
    /// A line panicked; a restart goes on with the others' leases.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        // Held for the whole run, by one task: the ends have one owner at a time.
        let mut ends = self.ends.clone().lock_owned().await;
        ctx.degraded(format!("connecting to {}", self.shared.pool.endpoint));
        let (events_in, mut events) = mpsc::channel(EVENTS);
        let Ends { end, numbers, lines } = &mut *ends;
        let mut router = Router {
            shared: self.shared.clone(),
            ctx: ctx.clone(),
            end,
            numbers,
            lines,
            open: Vec::new(),
            tasks: JoinSet::new(),
            events: events_in,
            rng: self.rng.clone(),
            idle: BTreeMap::new(),
            widths: BTreeMap::new(),
        };
        let first = router.lines.len().max(self.shared.options.connections.max(1));
        for _ in 0..first.min(MOST_LINES as usize) {
            router.open_line();
        }
        loop {
            // Cancel-safe: three receives, a token, and a task that is joined.
            tokio::select! {
                () = ctx.stopped() => break,
                Some((line, event)) = events.recv() => router.heard(line, event),
                Some(leased) = router.end.leases.recv() => router.lease(leased),
                Some(pending) = router.end.intake.next() => router.share(pending),
                Some(ended) = router.tasks.join_next() => {
                    ended.map_err(|wrong| format!("a line of the pool failed: {wrong}"))?;
                }
            }
        }
        // What they still tell is of no use, but they must not wait for us.
        events.close();
        while let Some(ended) = router.tasks.join_next().await {
            ended.map_err(|wrong| format!("a line of the pool failed: {wrong}"))?;
        }
        Ok(())
    }
}

/// Gives leases and shares to the lines, and tells the source's state from theirs.
struct Router<'a> {
    shared: Arc<Shared>,
    ctx: Ctx,
    end: &'a mut SourceEnd,
    numbers: &'a Numbers,
    lines: &'a mut Vec<Arc<Mutex<Line>>>,
    /// The lines that run.
    open: Vec<Open>,
    tasks: JoinSet<()>,
    events: mpsc::Sender<(usize, Event)>,
    rng: Rng,
    /// Why lines have no work.
    idle: BTreeMap<usize, Option<Arc<str>>>,
    widths: BTreeMap<usize, usize>,
}

struct Open {
    orders: mpsc::Sender<Order>,
    /// Leases given to it.
    leases: usize,
}

impl Router<'_> {
    fn open_line(&mut self) {
        let number = self.open.len();
        if number == self.lines.len() {
            let desk = Desk::new(self.shared.pool.id.clone(), number as u64, self.numbers.clone());
            let demand = Demand::new(self.share_of_demand());
            self.lines.push(Arc::new(Mutex::new(Line::new(number, desk, demand))));
        }
        let Some(line) = self.lines.get(number).cloned() else { return };
        let (orders, taken) = mpsc::channel(ORDERS);
        let (shared, events) = (self.shared.clone(), self.events.clone());
        let (stop, rng) = (self.ctx.stop_token(), self.rng.fork());
        self.tasks.spawn(async move {
            line.lock_owned().await.run(&shared, taken, events, &stop, rng).await;
        });
        self.open.push(Open { orders, leases: 0 });
    }

    /// What is told of the rate holds for all connections together.
    fn share_of_demand(&self) -> DemandRules {
        let rules = self.shared.options.demand;
        let lines = self.shared.options.connections.max(1) as f64;
        let hashrate = rules.hashrate.map(|rate| sl_units::HashRate::from_hs(rate.hs() / lines));
        DemandRules { hashrate, ..rules }
    }

    /// Goes to the line with the fewest.
    fn lease(&mut self, leased: Leased) {
        let fewest = self.open.iter().enumerate().min_by_key(|(_, open)| open.leases);
        let number = fewest.map_or(0, |(number, _)| number);
        self.lease_to(number, leased, false);
    }

    fn lease_to(&mut self, number: usize, leased: Leased, keep: bool) {
        if let Some(open) = self.open.get_mut(number) {
            open.leases += 1;
            // A line that is that busy drops the lease, and its consumer asks again.
            let _ = open.orders.try_send(Order::Lease { leased, keep });
        }
    }

    fn share(&mut self, pending: Pending) {
        let number = usize::try_from(line_of(pending.share().job().id.sequence));
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

    fn heard(&mut self, line: usize, event: Event) {
        match event {
            Event::Width(width) => {
                self.widths.insert(line, width);
                self.end.set_widest(self.widths.values().copied().max().unwrap_or(0));
            }
            Event::Working(now) => {
                self.idle.insert(line, None);
                self.end.set_working(now);
                self.ctx.ready();
            }
            Event::Idle(why, now) => {
                self.idle.insert(line, Some(why.clone()));
                if self.idle.values().all(Option::is_some) {
                    self.end.set_idle(&why, now);
                    self.ctx.degraded(&*why);
                }
            }
            Event::Overflow(leased) => {
                if let Some(open) = self.open.get_mut(line) {
                    open.leases = open.leases.saturating_sub(1);
                }
                let most = self.shared.options.most_connections.clamp(1, MOST_LINES as usize);
                let next = line + 1;
                if next >= most.max(self.open.len()) {
                    tracing::warn!(pool = %self.shared.pool.endpoint, connections = self.open.len(), consumer = %leased.consumer,
                        "no connection has room for another lease: it waits");
                    self.lease_to(line, leased, true);
                    return;
                }
                if next == self.open.len() {
                    tracing::info!(pool = %self.shared.pool.endpoint, connections = next + 1, "another connection, for room");
                    self.open_line();
                }
                self.lease_to(next, leased, false);
            }
        }
    }
}
