use std::{sync::Arc, thread::JoinHandle, time::Duration};

use fastrand::Rng;
use sl_config::Plain;
use sl_ports::Clock;
use sl_pow::Registry;
use sl_stratum::server;
use sl_supervise::{Ctx, ServiceError};
use sl_work::{Ask, Lease, Unfit, Work, WorkSource};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    GatewayError, GatewaySettings, GatewayStatus,
    accounts::{Accounts, consumer},
    admission::Admission,
    board::Board,
    connection::{self, Shared},
    forward::Forward,
    ledger::{Event, Ledger},
    slots::{Layout, Slots, keep},
    vardiff::Rules,
    verifier::Verifiers,
};

/// What connections have told and the accounts have not yet counted; beyond, connections wait.
const EVENTS: usize = 4096;
/// Calls for slots that wait.
const SLOT_CALLS: usize = 256;
/// After a failure to accept (no file descriptor left) the next try waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often the threads are looked after.
const LOOK: Duration = Duration::from_secs(1);
/// How long the parts of the gateway may take to end, more than each of them asks for.
const PARTS_END: Duration = Duration::from_millis(1500);

/// The Stratum server for machines, over one source of work. [`Gateway::run`] is the service.
#[derive(Clone)]
pub struct Gateway {
    settings: GatewaySettings,
    admission: Admission,
    source: Arc<dyn WorkSource>,
    registry: Registry,
    algorithm: &'static str,
    clock: Clock,
    rng: Rng,
    status: watch::Sender<GatewayStatus>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("listen", &self.settings.listen)
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
        let admission = Admission::default();
        Self { settings, admission, source, registry, algorithm, clock, rng, status }
    }

    /// The password that machines must give: what `settings.password` refers to.
    #[must_use]
    pub fn with_password(mut self, password: Plain) -> Self {
        self.admission.password = Some(password);
        self
    }

    /// How it fares, made anew at most once a second, and at the stop.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<GatewayStatus> {
        self.status.subscribe()
    }

    /// Serves machines until told to stop: then shares in flight get their verdict, for at most
    /// 1.5 s, and the machines are disconnected. Ready when it listens; degraded without work.
    ///
    /// # Errors
    /// The address cannot or must not be listened on, no right engine, a source that is gone.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        self.settings.may_listen()?;
        if self.settings.password.is_some() && self.admission.password.is_none() {
            return Err(GatewayError::Password.into());
        }
        let (verifiers, threads) = self.start_verifiers().await?;
        let listener =
            sl_ports::bind::listen(self.settings.listen).await.map_err(GatewayError::from)?;
        let address = listener.local_addr()?;
        self.status.send_modify(|status| {
            status.listen = Some(address);
            status.engine = verifiers.engine();
        });
        tracing::info!(%address, source = %self.source.id(), engine = verifiers.engine(), "machines can connect");
        let outcome = match self.lease(&ctx).await? {
            Some(lease) => self.serve(&ctx, listener, lease, verifiers).await,
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

    async fn start_verifiers(&self) -> Result<(Verifiers, Vec<JoinHandle<()>>), GatewayError> {
        let (registry, algorithm) = (self.registry.clone(), self.algorithm);
        let threads = self.settings.verify_threads;
        let start = move || Verifiers::start(&registry, algorithm, threads);
        tokio::task::spawn_blocking(start)
            .await
            .map_err(|_| GatewayError::Died("the start of the verifiers"))?
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

    async fn serve(
        &self,
        ctx: &Ctx,
        listener: TcpListener,
        lease: Lease,
        verifiers: Verifiers,
    ) -> Result<(), ServiceError> {
        let mut rng = self.rng.clone();
        // Ids of an earlier run are unlikely to be taken for those of this one.
        let first_sequence = u64::from(rng.u32(1..0x1000_0000));
        let layout = Layout::of(lease.free);
        let (board_in, board) = watch::channel(Arc::new(Board::default()));
        let (events, events_out) = mpsc::channel(EVENTS);
        let (slots, slot_calls) = mpsc::channel(SLOT_CALLS);
        let (slot_counts_in, slot_counts) = watch::channel((0, 0, 0));
        let mut parts = JoinSet::new();
        let accounts = Accounts {
            events: events_out,
            verdicts: lease.verdicts,
            forward: Forward::new(lease.submitter),
            ledger: Ledger::default(),
            slots: slot_counts,
            status: self.status.clone(),
            clock: self.clock,
        };
        parts.spawn(accounts.run());
        let (clock, known) = (self.clock, board.clone());
        parts.spawn(keep(
            Slots::new(layout, self.settings.resume_within),
            slot_calls,
            move || known.borrow().known(),
            move || clock.mono(),
            rng,
            slot_counts_in,
        ));
        let shared = Arc::new(Shared {
            settings: self.settings.clone(),
            session: server::Settings::default().into(),
            admission: self.admission.clone(),
            rules: Rules {
                shares_per_minute: self.settings.shares_per_minute,
                start: self.settings.start_difficulty,
                min: self.settings.min_difficulty,
                max: self.settings.max_difficulty,
            },
            layout,
            clock,
            board,
            verifiers,
            slots,
            events,
        });
        let door = Door {
            gateway: self,
            ctx,
            listener,
            shared,
            board: board_in,
            work: lease.work,
            first_sequence,
            machines: JoinSet::new(),
            stop_machines: CancellationToken::new(),
            trouble: None,
            issued_at: Instant::now(),
            accept_after: Instant::now(),
            connections: 0,
        };
        let outcome = door.keep(&mut parts).await;
        // The door took everything with it that the parts listen to: they end when they have
        // counted what is left.
        let ended = timeout(PARTS_END, async { while parts.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("verdicts of the last shares were not waited for");
        }
        outcome.map_err(Into::into)
    }
}

/// The task that accepts machines and gives out jobs.
struct Door<'a> {
    gateway: &'a Gateway,
    ctx: &'a Ctx,
    listener: TcpListener,
    shared: Arc<Shared>,
    board: watch::Sender<Arc<Board>>,
    work: watch::Receiver<Work>,
    first_sequence: u64,
    machines: JoinSet<()>,
    stop_machines: CancellationToken,
    /// Why machines cannot connect at this instant.
    trouble: Option<String>,
    issued_at: Instant,
    accept_after: Instant,
    /// Connections since the start, which number them.
    connections: u64,
}

impl Door<'_> {
    async fn keep(mut self, parts: &mut JoinSet<()>) -> Result<(), GatewayError> {
        self.work.mark_changed();
        let renew = self.gateway.settings.renew_jobs;
        let mut look = tokio::time::interval(LOOK);
        let outcome = loop {
            let accepting = Instant::now() >= self.accept_after;
            // Every branch is cancel-safe: a token, a change, two joins, an accept, sleeps.
            tokio::select! {
                biased;
                () = self.ctx.stopped() => break Ok(()),
                changed = self.work.changed() => match changed {
                    Ok(()) => self.take_work().await,
                    Err(_) => {
                        let source_id = self.gateway.source.id().to_string();
                        break Err(GatewayError::Unfit { source_id, why: Unfit::Gone });
                    }
                },
                () = sleep_until(self.issued_at + renew) => self.renew().await,
                Some(_) = parts.join_next() => break Err(GatewayError::Died("the accounts")),
                Some(left) = self.machines.join_next() => if left.is_err() {
                    tracing::error!("a connection's task died");
                },
                accepted = self.listener.accept(), if accepting => self.accept(accepted).await,
                () = sleep_until(self.accept_after), if !accepting => {}
                _ = look.tick() => if self.shared.verifiers.any_died() {
                    break Err(GatewayError::VerifierDied);
                },
            }
        };
        drop(self.listener);
        self.stop_machines.cancel();
        while self.machines.join_next().await.is_some() {}
        outcome
    }

    async fn take_work(&mut self) {
        let work = self.work.borrow_and_update().clone();
        let now = self.gateway.clock.mono();
        match work {
            Work::Job(job) => {
                let board = self.board.borrow().issue(job, self.first_sequence, now);
                self.publish(board).await;
                self.gateway.status.send_if_modified(|status| status.idle.take().is_some());
            }
            Work::Idle { why, .. } => {
                let board = self.board.borrow().idle();
                self.board.send_replace(Arc::new(board));
                self.gateway.status.send_modify(|status| status.idle = Some(why));
            }
        }
        self.say_how_it_stands();
    }

    /// The same job again, so that no machine thinks the pool is dead.
    async fn renew(&mut self) {
        self.issued_at = Instant::now();
        let board = self.board.borrow().renew(self.gateway.clock.mono());
        if let Some(board) = board {
            self.publish(board).await;
        }
    }

    async fn publish(&mut self, board: Board) {
        let issued = board.current().cloned();
        self.issued_at = Instant::now();
        self.board.send_replace(Arc::new(board));
        if let Some(issued) = issued {
            tracing::debug!(job = %issued.job.id, id = %issued.id, epoch = issued.job.epoch, "job");
            // The accounts wait for nobody, so this does not wait long.
            let _ = self.shared.events.send(Event::Issued(issued)).await;
        }
    }

    async fn accept(
        &mut self,
        accepted: std::io::Result<(tokio::net::TcpStream, std::net::SocketAddr)>,
    ) {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(wrong) => return self.cannot_accept(&wrong).await,
        };
        if self.trouble.take().is_some() {
            self.say_how_it_stands();
        }
        let most = usize::try_from(self.gateway.settings.max_connections).unwrap_or(usize::MAX);
        if self.machines.len() >= most {
            tracing::debug!(%address, most, "a machine is turned away: too many are connected");
            let _ = self.shared.events.send(Event::OverLimit).await;
            return;
        }
        if let Err(wrong) = stream.set_nodelay(true) {
            tracing::debug!(%wrong, "the socket keeps Nagle's algorithm");
        }
        self.connections += 1;
        let stop = self.stop_machines.child_token();
        let shared = self.shared.clone();
        self.machines.spawn(connection::serve(shared, stream, address, self.connections, stop));
    }

    async fn cannot_accept(&mut self, wrong: &std::io::Error) {
        // A machine that was gone before it was accepted is no trouble of ours.
        if wrong.kind() == std::io::ErrorKind::ConnectionAborted {
            return;
        }
        let _ = self.shared.events.send(Event::AcceptFailed).await;
        self.accept_after = Instant::now() + ACCEPT_PAUSE;
        if self.trouble.is_none() {
            tracing::warn!(%wrong, "no machine can connect; if files are too many, raise ulimit -n");
        }
        self.trouble = Some(format!(
            "no further machine can connect: {wrong}; if files are too many, raise ulimit -n"
        ));
        self.say_how_it_stands();
    }

    fn say_how_it_stands(&self) {
        let work = self.work.borrow();
        match (&self.trouble, &*work) {
            (Some(trouble), _) => self.ctx.degraded(trouble.as_str()),
            (None, Work::Idle { why, .. }) => self.ctx.degraded(format!("no work: {why}")),
            (None, Work::Job(_)) => self.ctx.ready(),
        }
    }
}
