use std::{collections::HashMap, sync::Arc, thread::JoinHandle, time::Duration};

use fastrand::Rng;
use sl_config::Plain;
use sl_guard::{
    Guard,
    proof::{Requirement, ShortfallRules},
};
use sl_ledger::Journal;
use sl_ports::{Clock, tls::server::Acceptor};
use sl_pow::Registry;
use sl_stratum::server;
use sl_supervise::{Ctx, ServiceError};
use sl_work::{Ask, Lease, Unfit, WorkSource};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Notify, OwnedMutexGuard, mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    GatewayError, GatewaySettings, GatewayStatus, SideDoor, SlotCounts,
    accounts::{Accounts, consumer},
    admission::Admission,
    board::Board,
    difficulty::DifficultyManager,
    door::{Door, Hours},
    forward::Forward,
    ledger::{Ledger, Standards},
    live::Live,
    recall::{Numbers, Recall},
    recorder::Recorder,
    shard::{Shard, Shared},
    share::Judged,
    slots::{Layout, Moment, SlotCall, Slots, keep},
    standing::Standing,
    transport::Arrived,
    verifier::{Verifier, Workshop},
};

/// What connections have told and the accounts have not yet counted; beyond, connections wait.
const EVENTS: usize = 4096;
/// Passes of engines that the accounts have not yet counted; beyond, the engines wait.
const PASSES: usize = 64;
/// Calls for slots, and reports to the door, that wait.
const CALLS: usize = 256;
/// Machines that wait to be admitted, or for their shard.
const ARRIVALS: usize = 64;
/// How long the parts of the gateway may take to end, more than each of them asks for.
const PARTS_END: Duration = Duration::from_millis(1500);

/// The Stratum server for machines, over one source of work. [`Gateway::run`] is the service.
#[derive(Clone)]
pub struct Gateway {
    live: LiveGateway,
    admission: Admission,
    source: Arc<dyn WorkSource>,
    registry: Registry,
    algorithm: &'static str,
    clock: Clock,
    rng: Rng,
    status: watch::Sender<GatewayStatus>,
    side: SideDoor,
    journal: Option<Journal>,
    home: Home,
}

/// What lives on between runs of the service, so that counters, slots and the jobs that machines
/// have are as they were. Each part has one owner at a time, for a whole run.
#[derive(Clone)]
struct Home {
    ledger: Arc<Mutex<Ledger>>,
    slots: Arc<Mutex<Slots<Standing>>>,
    threshold: Arc<Mutex<Threshold>>,
}

/// Where machines and listeners come in, and the jobs that are out.
struct Threshold {
    side: mpsc::Receiver<Arrived>,
    listeners: mpsc::Receiver<std::net::TcpListener>,
    board: Board,
    /// What the journal had, once it was asked.
    recalled: Option<Numbers>,
}

/// The settings of a gateway, which may change while it runs.
#[derive(Clone, Debug)]
pub struct LiveGateway {
    live: watch::Sender<Arc<Live>>,
    listeners: mpsc::Sender<std::net::TcpListener>,
    own_manager: Option<Arc<dyn DifficultyManager>>,
}

impl LiveGateway {
    /// Applies changed settings; no machine is dropped for them. A new address is opened here, so
    /// that one that cannot be had changes nothing.
    ///
    /// # Errors
    /// The new address cannot or must not be listened on.
    pub fn apply(&self, settings: GatewaySettings) -> Result<(), GatewayError> {
        let before = self.live.borrow().settings.listen;
        if settings.listen != before {
            settings.may_listen()?;
            let address = settings.listen;
            let listener = std::net::TcpListener::bind(address)
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                .map_err(|wrong| GatewayError::Move { address, wrong })?;
            self.listeners.try_send(listener).map_err(|_| GatewayError::Busy)?;
        }
        let own = self.own_manager.clone();
        self.live.send_replace(Arc::new(Live::new(settings, own)));
        Ok(())
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("listen", &self.live.live.borrow().settings.listen)
            .field("source", &self.source.id())
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// A server that will give the work of `source` to machines, and check their shares with
    /// engines of `algorithm`.
    #[must_use]
    pub fn new(
        settings: GatewaySettings,
        source: Arc<dyn WorkSource>,
        registry: Registry,
        algorithm: &'static str,
        clock: Clock,
        rng: Rng,
    ) -> Self {
        let (status, _) = watch::channel(GatewayStatus::default());
        let (side, side_out) = mpsc::channel(ARRIVALS);
        let (listeners, listeners_out) = mpsc::channel(1);
        let live = watch::Sender::new(Arc::new(Live::new(settings, None)));
        let threshold = Threshold {
            side: side_out,
            listeners: listeners_out,
            board: Board::default(),
            recalled: None,
        };
        let home = Home {
            ledger: Arc::default(),
            slots: Arc::new(Mutex::new(Slots::new(Layout::of(Layout::WIDEST)))),
            threshold: Arc::new(Mutex::new(threshold)),
        };
        Self {
            live: LiveGateway { live, listeners, own_manager: None },
            admission: Admission::default(),
            source,
            registry,
            algorithm,
            clock,
            rng,
            status,
            side: SideDoor(side),
            journal: None,
            home,
        }
    }

    /// The password that machines must give: what `settings.password` refers to.
    #[must_use]
    pub fn with_password(mut self, password: Plain) -> Self {
        self.admission.password = Some(password);
        self
    }

    /// A difficulty manager in place of the one that the settings name.
    #[must_use]
    pub fn with_difficulty_manager(mut self, manager: Arc<dyn DifficultyManager>) -> Self {
        let settings = self.live.live.borrow().settings.clone();
        self.live.live.send_replace(Arc::new(Live::new(settings, Some(manager.clone()))));
        self.live.own_manager = Some(manager);
        self
    }

    /// Keeps every share, block, job and slot in this journal, and acknowledges a share when it is on
    /// the disk. The journal's writer has to run before [`Gateway::run`] does.
    #[must_use]
    pub fn with_journal(mut self, journal: Journal) -> Self {
        self.journal = Some(journal);
        self
    }

    /// How it fares, made anew at most once a second, and at the stop.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<GatewayStatus> {
        self.status.subscribe()
    }

    /// A way in for machines that come by no socket.
    #[must_use]
    pub fn side_door(&self) -> SideDoor {
        self.side.clone()
    }

    /// For changing its settings while it runs.
    #[must_use]
    pub fn live(&self) -> LiveGateway {
        self.live.clone()
    }

    /// Serves machines until told to stop: then shares in flight get their verdict, for at most
    /// 1.5 s, and the machines are disconnected. Ready when it listens; degraded without work.
    ///
    /// # Errors
    /// The address cannot or must not be listened on, no right engine, a source that is gone.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        let settings = self.live.live.borrow().settings.clone();
        settings.may_listen()?;
        if settings.password.is_some() && self.admission.password.is_none() {
            return Err(GatewayError::Password.into());
        }
        let (judged, judged_out) = mpsc::channel(PASSES);
        let (verifiers, threads) = self.start_verifiers(&settings, judged).await?;
        let engine = verifiers.first().map_or("", Verifier::engine);
        let listener = sl_ports::bind::listen(settings.listen).await.map_err(GatewayError::from)?;
        let address = listener.local_addr()?;
        let tls = match settings.tls_listen {
            Some(address) => {
                Some(sl_ports::bind::listen(address).await.map_err(GatewayError::from)?)
            }
            None => None,
        };
        let tls_address = tls.as_ref().map(TcpListener::local_addr).transpose()?;
        self.status.send_modify(|status| {
            status.listen = Some(address);
            status.tls_listen = tls_address;
            status.engine = engine;
        });
        tracing::info!(%address, source = %self.source.id(), engine, "machines can connect");
        let outcome = match self.lease(&ctx).await? {
            Some(lease) => {
                let run = Run { gateway: &self, ctx: &ctx, judged: judged_out };
                run.serve((listener, tls), lease, verifiers).await
            }
            None => {
                drop(verifiers);
                Ok(())
            }
        };
        // Their senders are gone, so they end with the header they are at.
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().all(|thread| thread.join().is_ok())
        });
        if !joined.await.unwrap_or(false) {
            return Err(GatewayError::VerifierDied.into());
        }
        outcome
    }

    fn resume_within(&self) -> Duration {
        self.live.live.borrow().settings.resume_within
    }

    async fn start_verifiers(
        &self,
        settings: &GatewaySettings,
        judged: mpsc::Sender<Vec<Judged>>,
    ) -> Result<(Vec<Verifier>, Vec<JoinHandle<()>>), GatewayError> {
        let (registry, algorithm) = (self.registry.clone(), self.algorithm);
        let threads = usize::from(settings.verify_threads.max(1));
        let (batch_wait, clock) = (settings.batch_wait, self.clock);
        let workshop = Workshop { judged, clock, batch_wait };
        let start = move || {
            let start = |index| Verifier::start(&registry, algorithm, index, workshop.clone());
            (0..threads).map(start).collect::<Result<Vec<_>, _>>()
        };
        let started = tokio::task::spawn_blocking(start)
            .await
            .map_err(|_| GatewayError::Died("the start of the verifiers"))?;
        Ok(started?.into_iter().unzip())
    }

    /// Waits until the source gives a lease; `None` when told to stop before. Machines may connect
    /// meanwhile, and wait.
    async fn lease(&self, ctx: &Ctx) -> Result<Option<Lease>, GatewayError> {
        let source_id = self.source.id();
        let gone = || GatewayError::Unfit { source_id: source_id.to_string(), why: Unfit::Gone };
        let mut status = self.source.status();
        let mut free = Layout::WIDEST;
        loop {
            match self.source.lease(Ask { free, consumer: consumer() }) {
                Ok(lease) => return Ok(Some(lease)),
                Err(Unfit::Gone) => return Err(gone()),
                Err(Unfit::TooNarrow { widest, .. }) if widest >= Layout::NARROWEST => {
                    free = widest.min(Layout::WIDEST);
                    continue;
                }
                Err(Unfit::TooNarrow { widest: 0, .. }) => {
                    ctx.degraded(format!("waiting for {source_id}"));
                }
                Err(why) => ctx.degraded(format!(
                    "{source_id} is too narrow for machines: {why}, at least {} are needed",
                    Layout::NARROWEST
                )),
            }
            free = Layout::WIDEST;
            tokio::select! {
                () = ctx.stopped() => return Ok(None),
                changed = status.changed() => changed.map_err(|_| gone())?,
            }
        }
    }
}

/// One run of the service, from its lease on.
struct Run<'a> {
    gateway: &'a Gateway,
    ctx: &'a Ctx,
    judged: mpsc::Receiver<Vec<Judged>>,
}

impl Run<'_> {
    async fn serve(
        self,
        (listener, tls): (TcpListener, Option<TcpListener>),
        lease: Lease,
        verifiers: Vec<Verifier>,
    ) -> Result<(), ServiceError> {
        let Self { gateway, ctx, judged } = self;
        let mut rng = gateway.rng.clone();
        let layout = layout(&lease);
        let mut home = gateway.home.threshold.clone().lock_owned().await;
        let mut ledger = gateway.home.ledger.clone().lock_owned().await;
        let mut slots = gateway.home.slots.clone().lock_owned().await;
        if slots.layout() != layout {
            *slots = Slots::new(layout);
        }
        let numbers = match home.recalled {
            Some(numbers) => numbers,
            None => {
                let recall =
                    Recall { clock: gateway.clock, resume_within: gateway.resume_within() };
                let board = &mut home.board;
                recall.all(gateway.journal.as_ref(), board, &mut slots, &mut ledger).await?
            }
        };
        home.recalled = Some(numbers);
        // Without a journal, ids of an earlier run are unlikely to be taken for those of this one.
        let first_sequence =
            numbers.first_sequence.unwrap_or_else(|| u64::from(rng.u32(1..0x1000_0000)));
        let (board_in, board) = watch::channel(Arc::new(home.board.idle()));
        let mut parts = JoinSet::new();
        let (events, events_out) = mpsc::channel(EVENTS);
        let (slot_counts_in, slot_counts) = watch::channel(SlotCounts::default());
        let shortfall = shortfall_rules(gateway.live.live.borrow().settings.shares_per_minute)?;
        let journal = gateway.journal.clone();
        let source = gateway.source.id();
        let accounts = Accounts {
            judged,
            events: events_out,
            verdicts: lease.verdicts,
            forward: Forward::new(lease.submitter),
            recorder: Recorder::new(journal, gateway.clock, source, numbers.last_ticket),
            ledger,
            standards: Standards { live: gateway.live.live.subscribe(), shortfall },
            slots: slot_counts,
            status: gateway.status.clone(),
            clock: gateway.clock,
        };
        parts.spawn(accounts.run());
        let slots = keep_slots(gateway, slots, board.clone(), rng, slot_counts_in, &mut parts);

        let live = gateway.live.live.subscribe();
        let (reports, reports_out) = mpsc::channel(CALLS);
        let (banned_in, banned) = watch::channel(Arc::default());
        let renew = Arc::new(Notify::new());
        let session: Arc<server::Settings> = server::Settings::default().into();
        let acceptor = acceptor(&live.borrow().settings)?;
        let mut shards = Vec::new();
        for verifier in &verifiers {
            let shared = Shared {
                live: live.clone(),
                session: session.clone(),
                admission: gateway.admission.clone(),
                acceptor: acceptor.clone(),
                layout,
                clock: gateway.clock,
                board: board.clone(),
                verifier: verifier.clone(),
                slots: slots.clone(),
                events: events.clone(),
                reports: reports.clone(),
                banned: banned.clone(),
                renew: renew.clone(),
            };
            let (admitted, arrivals) = mpsc::channel(ARRIVALS);
            parts.spawn(Shard { shared: Arc::new(shared), arrivals }.run());
            shards.push(admitted);
        }
        // From here on only connections hold what ends the parts when they are gone.
        drop((slots, reports, banned));
        let guard = Guard::new(live.borrow().guard.clone());
        let home = &mut *home;
        let door = Door {
            ctx,
            clock: gateway.clock,
            source: gateway.source.id(),
            live,
            listener,
            tls,
            listeners: &mut home.listeners,
            side: &mut home.side,
            shards,
            verifiers,
            guard,
            passes: HashMap::new(),
            reports: reports_out,
            banned: banned_in,
            board: board_in,
            work: lease.work,
            renew,
            events,
            status: gateway.status.clone(),
            first_sequence,
            hours: Hours::begin(),
            connections: 0,
        };
        let (outcome, last_board) = door.keep(&mut parts).await;
        home.board = last_board;
        // The door took everything with it that the parts listen to: they end when they have
        // counted what is left.
        let ended = timeout(PARTS_END, async { while parts.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("verdicts of the last shares were not waited for");
        }
        outcome.map_err(Into::into)
    }
}

/// The test of claims, for the pace that machines are asked for.
fn shortfall_rules(shares_per_minute: f64) -> Result<ShortfallRules, GatewayError> {
    let requirement = Requirement { shares_per_minute, ..Requirement::default() };
    Ok(ShortfallRules::design(requirement)?)
}

/// What machines that speak TLS are answered by.
fn acceptor(settings: &GatewaySettings) -> Result<Option<Acceptor>, GatewayError> {
    match (settings.tls_listen, &settings.tls_certificate, &settings.tls_key) {
        (Some(_), Some(chain), Some(key)) => Ok(Some(Acceptor::from_files(chain, key)?)),
        _ => Ok(None),
    }
}

/// How the lease's bytes are divided; machines that get few are warned of.
fn layout(lease: &Lease) -> Layout {
    let layout = Layout::of(lease.free);
    if layout.own < Layout::COMFORTABLE {
        tracing::warn!(
            bytes = layout.own,
            "machines get fewer than {} bytes of extranonce2: rented hash rate and old firmware \
             may refuse that; a source with a wider extranonce has more",
            Layout::COMFORTABLE
        );
    }
    layout
}

/// Starts the task that owns the slots.
fn keep_slots(
    gateway: &Gateway,
    mut slots: OwnedMutexGuard<Slots<Standing>>,
    board: watch::Receiver<Arc<Board>>,
    rng: Rng,
    counts: watch::Sender<SlotCounts>,
    parts: &mut JoinSet<()>,
) -> mpsc::Sender<SlotCall<Standing>> {
    let (clock, live) = (gateway.clock, gateway.live.live.subscribe());
    let moment = move || Moment {
        now: clock.mono(),
        jobs: board.borrow().known(),
        resume_within: live.borrow().settings.resume_within,
    };
    slots.all_left(moment());
    counts.send_replace(slots.counts());
    let (calls, calls_out) = mpsc::channel(CALLS);
    parts.spawn(keep(slots, calls_out, moment, rng, counts));
    calls
}
