use std::{
    collections::HashMap,
    future::pending,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sl_guard::{Guard, Judged, Network, Pass};
use sl_ports::Clock;
use sl_supervise::Ctx;
use sl_work::{SourceId, Unfit, Work};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::{Instant, Interval, sleep_until},
};

use crate::{
    GatewayError, GatewayStatus,
    board::Board,
    ledger::Event,
    live::Live,
    shard::{Admitted, Report},
    transport::Arrived,
    verifier::Verifier,
};

/// After a failure to accept (no file descriptor left) the next try waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often the threads are looked after and the guard's figures are told.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// Machines that want their job again, for a new difficulty, get it together after so long.
const RENEWALS_APART: Duration = Duration::from_millis(1500);

/// The task that lets machines in and gives out jobs. It owns the guard.
///
/// ```text
///  listener, side door ─▶ guard ─▶ admitted ─▶ one shard after the other
///                           ▲── reports: authorised, offences, left
///  lease.work ─▶ board ─▶ every connection;  renew: the job again, for whom it concerns
/// ```
pub(crate) struct Door<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) clock: Clock,
    pub(crate) source: SourceId,
    pub(crate) live: watch::Receiver<Arc<Live>>,
    pub(crate) listener: TcpListener,
    /// For machines that speak TLS.
    pub(crate) tls: Option<TcpListener>,
    /// A listener at another address, already open.
    pub(crate) listeners: &'a mut mpsc::Receiver<std::net::TcpListener>,
    pub(crate) side: &'a mut mpsc::Receiver<Arrived>,
    pub(crate) shards: Vec<mpsc::Sender<Admitted>>,
    pub(crate) verifiers: Vec<Verifier>,
    pub(crate) guard: Guard,
    pub(crate) passes: HashMap<u64, Pass>,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) banned: watch::Sender<Arc<Vec<Network>>>,
    pub(crate) board: watch::Sender<Arc<Board>>,
    pub(crate) work: watch::Receiver<Work>,
    pub(crate) renew: Arc<Notify>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) status: watch::Sender<GatewayStatus>,
    pub(crate) first_sequence: u64,
    pub(crate) hours: Hours,
    /// Connections since the start, which number them.
    pub(crate) connections: u64,
}

/// The next machine of a listener; for ever none where there is no listener. Cancel-safe.
async fn accept_of(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => pending().await,
    }
}

/// What the door does at its time, and why it cannot.
pub(crate) struct Hours {
    look: Interval,
    issued_at: Instant,
    accept_after: Instant,
    /// When machines get their job again that asked for it.
    renew_at: Option<Instant>,
    /// Why machines cannot connect at this instant.
    trouble: Option<String>,
}

impl Hours {
    pub(crate) fn begin() -> Self {
        let now = Instant::now();
        let look = tokio::time::interval(LOOK);
        Self { look, issued_at: now, accept_after: now, renew_at: None, trouble: None }
    }
}

impl Door<'_> {
    /// Serves until told to stop, or until a part of the gateway has died. Then nobody is let in
    /// any more, and every connection hears that the board is gone; the last one comes out.
    pub(crate) async fn keep(
        mut self,
        parts: &mut JoinSet<()>,
    ) -> (Result<(), GatewayError>, Board) {
        self.work.mark_changed();
        let outcome = self.serve(parts).await;
        // The shards have to end while the door still hears what their connections report.
        let last = Board::clone(&self.board.borrow());
        let Self { listener, tls, board, shards, verifiers, mut reports, events, .. } = self;
        drop((listener, tls, board, shards, verifiers, events));
        while reports.recv().await.is_some() {}
        (outcome, last)
    }

    async fn serve(&mut self, parts: &mut JoinSet<()>) -> Result<(), GatewayError> {
        loop {
            let accepting = Instant::now() >= self.hours.accept_after;
            let renew_jobs = self.live.borrow().settings.renew_jobs;
            let renew_at = self.hours.renew_at.unwrap_or(self.hours.issued_at + renew_jobs);
            // Every branch is cancel-safe: a token, changes, joins, receives, an accept, sleeps.
            tokio::select! {
                biased;
                () = self.ctx.stopped() => return Ok(()),
                changed = self.work.changed() => match changed {
                    Ok(()) => self.take_work().await,
                    Err(_) => {
                        let source_id = self.source.to_string();
                        return Err(GatewayError::Unfit { source_id, why: Unfit::Gone });
                    }
                },
                () = sleep_until(renew_at) => self.renew().await,
                () = self.renew.notified(), if self.hours.renew_at.is_none() => {
                    let soon = (self.hours.issued_at + RENEWALS_APART).max(Instant::now());
                    self.hours.renew_at = Some(soon);
                }
                Some(_) = parts.join_next() => return Err(GatewayError::Died("a task that counts, keeps slots or owns connections")),
                Some(report) = self.reports.recv() => self.hear(report),
                Some(listener) = self.listeners.recv() => self.move_to(listener),
                Ok(()) = self.live.changed() => {
                    let guard = self.live.borrow_and_update().guard.clone();
                    self.guard.set_limits(guard);
                }
                accepted = self.listener.accept(), if accepting => self.accept(accepted, false).await,
                accepted = accept_of(self.tls.as_ref()), if accepting => self.accept(accepted, true).await,
                Some(arrived) = self.side.recv() => self.admit(arrived).await,
                () = sleep_until(self.hours.accept_after), if !accepting => {}
                _ = self.hours.look.tick() => self.look().await?,
            }
        }
    }

    async fn take_work(&mut self) {
        let work = self.work.borrow_and_update().clone();
        let now = self.clock.mono();
        match work {
            Work::Job(job) => {
                let board = self.board.borrow().issue(job, self.first_sequence, now);
                self.publish(board, true).await;
                if self.status.send_if_modified(|status| status.idle.take().is_some()) {
                    self.source_is("working", "".into()).await;
                }
            }
            Work::Idle { why, .. } => {
                let board = self.board.borrow().idle();
                self.board.send_replace(Arc::new(board));
                self.status.send_modify(|status| status.idle = Some(why.clone()));
                self.source_is("idle", why).await;
            }
        }
        self.say_how_it_stands();
    }

    async fn source_is(&mut self, event: &'static str, why: Arc<str>) {
        let _ = self.events.send(Event::Source { event, why }).await;
    }

    /// The same job again: for all, so that no machine thinks the pool is dead, or only for those
    /// that asked.
    async fn renew(&mut self) {
        let for_all = self.hours.renew_at.take().is_none();
        let board = self.board.borrow().renew(self.clock.mono());
        match board {
            Some(board) => self.publish(board, for_all).await,
            None if for_all => self.hours.issued_at = Instant::now(),
            None => {}
        }
    }

    async fn publish(&mut self, board: Board, for_all: bool) {
        let issued = board.current().cloned();
        if for_all {
            self.hours.issued_at = Instant::now();
        }
        self.board.send_if_modified(|now| {
            *now = Arc::new(board);
            for_all
        });
        if let Some(issued) = issued {
            tracing::debug!(job = %issued.job.id, id = %issued.id, epoch = issued.job.epoch, "job");
            // The accounts wait for nobody, so this does not wait long.
            let _ = self.events.send(Event::Issued(issued)).await;
        }
    }

    async fn accept(&mut self, accepted: std::io::Result<(TcpStream, SocketAddr)>, tls: bool) {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(wrong) => return self.cannot_accept(&wrong).await,
        };
        if self.hours.trouble.take().is_some() {
            self.say_how_it_stands();
        }
        if let Err(wrong) = stream.set_nodelay(true) {
            tracing::debug!(%wrong, "the socket keeps Nagle's algorithm");
        }
        self.admit(Arrived { wire: Box::new(stream), tls, address }).await;
    }

    async fn admit(&mut self, arrived: Arrived) {
        self.connections += 1;
        let number = self.connections;
        if !self.lets_in(number, arrived.address.ip()) {
            return;
        }
        let since = self.clock.mono();
        let shard = usize::try_from(number).unwrap_or(0) % self.shards.len().max(1);
        if let Some(shard) = self.shards.get(shard) {
            // A shard only spawns, so this does not wait long.
            let _ = shard.send(Admitted { arrived, number, since }).await;
        }
    }

    fn lets_in(&mut self, number: u64, address: IpAddr) -> bool {
        match self.guard.connect(address, self.clock.mono()) {
            Ok(pass) => {
                self.passes.insert(number, pass);
                true
            }
            Err(refused) => {
                tracing::debug!(%refused, "a machine is turned away");
                false
            }
        }
    }

    fn hear(&mut self, report: Report) {
        let now = self.clock.mono();
        match report {
            Report::From { number, address, answer } => {
                if let Some(pass) = self.passes.remove(&number) {
                    self.guard.leave(pass, now);
                }
                let _ = answer.send(self.lets_in(number, address));
            }
            Report::Authorized(number) => {
                if let Some(pass) = self.passes.get_mut(&number) {
                    self.guard.authorized(pass);
                }
            }
            Report::Offence { address, what, valid } => {
                if let Judged::Banned(ban) = self.guard.offence(address, what, valid, now) {
                    tracing::info!(%address, offence = what.label(), for_s = ban.until.since(now).as_secs(), "an address is kept out");
                    let all = self.guard.list(now).map(|ban| ban.network).collect();
                    self.banned.send_replace(Arc::new(all));
                }
            }
            Report::Left(number) => {
                if let Some(pass) = self.passes.remove(&number) {
                    self.guard.leave(pass, now);
                }
            }
        }
    }

    /// The listener at the new address takes over; machines that are connected stay.
    fn move_to(&mut self, listener: std::net::TcpListener) {
        let moved = TcpListener::from_std(listener)
            .and_then(|listener| listener.local_addr().map(|address| (listener, address)));
        match moved {
            Ok((listener, address)) => {
                tracing::info!(%address, "machines connect here from now on");
                self.listener = listener;
                self.status.send_modify(|status| status.listen = Some(address));
            }
            Err(wrong) => tracing::error!(%wrong, "the new address cannot be listened on"),
        }
    }

    async fn cannot_accept(&mut self, wrong: &std::io::Error) {
        // A machine that was gone before it was accepted is no trouble of ours.
        if wrong.kind() == std::io::ErrorKind::ConnectionAborted {
            return;
        }
        let _ = self.events.send(Event::AcceptFailed).await;
        self.hours.accept_after = Instant::now() + ACCEPT_PAUSE;
        if self.hours.trouble.is_none() {
            tracing::warn!(%wrong, "no machine can connect; if files are too many, raise ulimit -n");
        }
        self.hours.trouble = Some(format!(
            "no further machine can connect: {wrong}; if files are too many, raise ulimit -n"
        ));
        self.say_how_it_stands();
    }

    async fn look(&mut self) -> Result<(), GatewayError> {
        if self.verifiers.iter().any(Verifier::has_died) {
            return Err(GatewayError::VerifierDied);
        }
        let _ = self.events.send(Event::Guard(Box::new(self.guard.counters()))).await;
        Ok(())
    }

    fn say_how_it_stands(&self) {
        let work = self.work.borrow();
        match (&self.hours.trouble, &*work) {
            (Some(trouble), _) => self.ctx.degraded(trouble.as_str()),
            (None, Work::Idle { why, .. }) => self.ctx.degraded(format!("no work: {why}")),
            (None, Work::Job(_)) => self.ctx.ready(),
        }
    }
}
