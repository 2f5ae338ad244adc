use std::{sync::Arc, thread::JoinHandle, time::Duration};

use fastrand::Rng;
use sl_config::Plain;
use sl_guard::validate::MessageValidator;
use sl_ledger::Journal;
use sl_ports::Clock;
use sl_pow::Registry;
use sl_supervise::{Ctx, ServiceError};
use sl_work::{Ask, Lease, Unfit, WorkSource};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, watch},
};

use crate::{
    GatewayError, GatewaySettings, GatewayStatus, SideDoor,
    accounts::consumer,
    admission::Admission,
    board::Board,
    difficulty::DifficultyManager,
    ledger::Ledger,
    live::Live,
    own::Own,
    recall::Numbers,
    share::Judged,
    slots::{Layout, Slots},
    standing::Standing,
    transport::Arrived,
    verifier::{Verifier, Workshop},
};

mod run;

use run::Run;

/// Passes of engines that the accounts have not yet counted; beyond, the engines wait.
const PASSES: usize = 64;
/// Machines that wait to be admitted, or for their shard.
const ARRIVALS: usize = 64;

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
    listeners: mpsc::Receiver<TcpListener>,
    board: Board,
    /// What the journal had, once it was asked.
    recalled: Option<Numbers>,
}

/// The settings of a gateway, which may change while it runs.
#[derive(Clone, Debug)]
pub struct LiveGateway {
    live: watch::Sender<Arc<Live>>,
    listeners: mpsc::Sender<TcpListener>,
    own: Own,
}

impl LiveGateway {
    /// Applies changed settings; no machine is dropped for them. A new address is opened here, so
    /// that one that cannot be had changes nothing; call it from within a Tokio runtime.
    ///
    /// # Errors
    /// The new address cannot or must not be listened on.
    pub fn apply(&self, settings: GatewaySettings) -> Result<(), GatewayError> {
        let before = self.live.borrow().settings.clone();
        // What only a restart changes stays as it is until then: above all, no address is opened
        // for a password that nobody asks yet.
        let settings = GatewaySettings {
            tls_listen: before.tls_listen,
            tls_certificate: before.tls_certificate,
            tls_key: before.tls_key,
            allow_lan: before.allow_lan,
            password: before.password,
            verify_threads: before.verify_threads,
            batch_wait: before.batch_wait,
            ..settings
        };
        if settings.listen != before.listen {
            settings.may_listen()?;
            let listener =
                sl_ports::bind::listen_now(settings.listen).map_err(GatewayError::Move)?;
            self.listeners.try_send(listener).map_err(|_| GatewayError::Busy)?;
        }
        self.live.send_replace(Arc::new(Live::new(settings, self.own.clone())));
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
        let live = watch::Sender::new(Arc::new(Live::new(settings, Own::default())));
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
            live: LiveGateway { live, listeners, own: Own::default() },
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
        self.live.own.manager = Some(manager);
        self.bring()
    }

    /// A validator behind those that the settings name: it sees each message before it is read, and
    /// each worker's name before it is authorised. It is made anew for each connection.
    #[must_use]
    pub fn with_validator(
        mut self,
        make: impl Fn() -> Box<dyn MessageValidator> + Send + Sync + 'static,
    ) -> Self {
        self.live.own.validators.push(Arc::new(make));
        self.bring()
    }

    /// What the program brings along counts from now on.
    fn bring(self) -> Self {
        let LiveGateway { live, own, .. } = &self.live;
        let settings = live.borrow().settings.clone();
        live.send_replace(Arc::new(Live::new(settings, own.clone())));
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
