use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use sl_guard::{Bucket, Guard, GuardCounters, Judged, Network, Rate};
use sl_ports::{Clock, tcp::keep_alive};
use sl_supervise::Ctx;
use sl_units::Mono;
use sl_work::{SourceId, SourceStatus, Unfit, Work};
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

mod guests;

pub(crate) use guests::Guests;

/// After a failure to accept (no file descriptor left) the next try waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often the threads are looked after and the guard's figures are told.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// Connections a second, and at once, that are accepted of those who do not authorise. A farm that
/// does comes in as fast as the processor allows, and overflows no backlog; a throng that is turned
/// away at once and comes back at once takes little of the time of those who are in.
const STRANGERS: Rate = Rate::every(Duration::from_millis(1), 1000);
/// Shorter waits are put together, since a timer has its grain.
const SHORTEST: Duration = Duration::from_millis(10);
/// After so long without traffic a machine's system is asked for a sign of life, and then each so
/// often, three times.
const SILENT: Duration = Duration::from_secs(30);
const ASKED_EACH: Duration = Duration::from_secs(10);
/// A source that has become too narrow for its machines is given so long to widen again.
const NARROW: Duration = Duration::from_secs(60);
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
    pub(crate) listeners: &'a mut mpsc::Receiver<TcpListener>,
    pub(crate) side: &'a mut mpsc::Receiver<Arrived>,
    pub(crate) shards: Vec<mpsc::Sender<Admitted>>,
    pub(crate) verifiers: Vec<Verifier>,
    pub(crate) guard: Guard,
    pub(crate) guests: Guests,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) banned: watch::Sender<Arc<Vec<Network>>>,
    pub(crate) board: watch::Sender<Arc<Board>>,
    pub(crate) work: watch::Receiver<Work>,
    pub(crate) width: Width,
    pub(crate) renew: Arc<Notify>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) status: watch::Sender<GatewayStatus>,
    pub(crate) first_sequence: u64,
    pub(crate) hours: Hours,
    /// Connections since the start, which number them.
    pub(crate) connections: u64,
    pub(crate) counts: DoorCounts,
}

/// What the door has counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct DoorCounts {
    pub(crate) guard: GuardCounters,
    /// Connections closed because machines have all the sockets that the system gives.
    pub(crate) no_socket: u64,
    /// Authorisations refused because too many connections have that worker already.
    pub(crate) worker_full: u64,
    /// Times that the next connection had to wait because too many came.
    pub(crate) paced: u64,
}

/// Whether the source still has room for what the machines were promised.
pub(crate) struct Width {
    /// Free bytes of the lease.
    pub(crate) leased: usize,
    pub(crate) source: watch::Receiver<SourceStatus>,
    /// Since when it has fewer.
    pub(crate) narrow_since: Option<Mono>,
}

impl Width {
    /// The source's width, where it has been too narrow for long while there was no work. Machines
    /// keep their width as long as they are connected, so only a new start cures that.
    fn is_over(&mut self, idle: bool, now: Mono) -> Option<usize> {
        let widest = self.source.borrow().widest;
        if !idle || widest == 0 || widest >= self.leased {
            self.narrow_since = None;
            return None;
        }
        let since = *self.narrow_since.get_or_insert(now);
        (now.since(since) >= NARROW).then_some(widest)
    }
}

type Accepted = io::Result<(TcpStream, SocketAddr)>;

/// Whoever knocks next, and whether at the port for TLS. The door changes the order each time, so
/// that a throng at the one port shuts nobody out at the other. Cancel-safe.
async fn next_machine(
    plain: &TcpListener,
    tls: Option<&TcpListener>,
    tls_first: bool,
) -> (Accepted, bool) {
    poll_fn(|cx| {
        for is_tls in [tls_first, !tls_first] {
            let listener = if is_tls { tls } else { Some(plain) };
            if let Some(Poll::Ready(accepted)) = listener.map(|it| it.poll_accept(cx)) {
                return Poll::Ready((accepted, is_tls));
            }
        }
        Poll::Pending
    })
    .await
}

/// What the door does at its time, and why it cannot.
pub(crate) struct Hours {
    look: Interval,
    issued_at: Instant,
    /// When a job was issued last, to all or to some.
    published_at: Instant,
    /// What was told last of the source; nothing yet in this run.
    works: Option<bool>,
    accept_after: Instant,
    /// What remains of [`STRANGERS`].
    strangers: Bucket,
    /// When machines get their job again that asked for it.
    renew_at: Option<Instant>,
    /// Why machines cannot connect at this instant.
    trouble: Option<String>,
}

impl Hours {
    pub(crate) fn begin() -> Self {
        let now = Instant::now();
        let look = tokio::time::interval(LOOK);
        Self {
            look,
            issued_at: now,
            published_at: now,
            works: None,
            accept_after: now,
            strangers: Bucket::default(),
            renew_at: None,
            trouble: None,
        }
    }

    /// When the next machine is accepted; at once where nothing is to be waited for.
    fn accept_at(&mut self, now: Mono) -> Option<Instant> {
        let wait = self.strangers.spend(STRANGERS, 0, now);
        let instant = Instant::now();
        let paced = if wait >= SHORTEST { instant + wait } else { instant };
        Some(self.accept_after.max(paced)).filter(|at| *at > instant)
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
            let tls_first = self.connections % 2 == 1;
            let accept_at = self.hours.accept_at(self.clock.mono());
            let accepting = accept_at.is_none();
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
                    let soon = (self.hours.published_at + RENEWALS_APART).max(Instant::now());
                    self.hours.renew_at = Some(soon);
                }
                Some(_) = parts.join_next() => return Err(GatewayError::Died("a task that counts, keeps slots or owns connections")),
                Some(report) = self.reports.recv() => self.hear(report),
                Some(listener) = self.listeners.recv() => self.move_to(listener),
                _ = self.hours.look.tick() => self.look().await?,
                Ok(()) = self.live.changed() => {
                    let guard = self.live.borrow_and_update().guard.clone();
                    self.guard.set_limits(guard);
                }
                Some(arrived) = self.side.recv() => self.admit(arrived, false).await,
                (accepted, tls) = next_machine(&self.listener, self.tls.as_ref(), tls_first), if accepting => self.accept(accepted, tls).await,
                () = sleep_until(accept_at.unwrap_or_else(Instant::now)), if !accepting => {}
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
                self.status.send_if_modified(|status| status.idle.take().is_some());
                if self.hours.works != Some(true) {
                    self.hours.works = Some(true);
                    self.source_is("working", "".into()).await;
                }
            }
            Work::Idle { why, .. } => {
                let board = self.board.borrow().idle();
                self.board.send_replace(Arc::new(board));
                self.status.send_modify(|status| status.idle = Some(why.clone()));
                self.hours.works = Some(false);
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
        self.hours.published_at = Instant::now();
        if for_all {
            self.hours.issued_at = self.hours.published_at;
        }
        // The accounts wait for nobody, so this does not wait long.
        if let Some(issued) = issued {
            tracing::debug!(job = %issued.job.id, id = %issued.id, epoch = issued.job.epoch, "job");
            let _ = self.events.send(Event::Issued(issued)).await;
        }
        self.board.send_if_modified(|now| {
            *now = Arc::new(board);
            for_all
        });
    }

    async fn accept(&mut self, accepted: Accepted, tls: bool) {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(wrong) => return self.cannot_accept(&wrong).await,
        };
        let wait = self.hours.strangers.spend(STRANGERS, 1, self.clock.mono());
        self.counts.paced += u64::from(wait >= SHORTEST);
        if let Err(machines) = self.guests.room_for_socket() {
            self.counts.no_socket += 1;
            return self
                .is_troubled(&format!("machines have {machines} sockets, all that are left"));
        }
        if self.hours.trouble.take().is_some() {
            self.say_how_it_stands();
        }
        // One that vanished without a word would hold its place, and its slot, for ten minutes.
        let told = stream.set_nodelay(true).and_then(|()| keep_alive(&stream, SILENT, ASKED_EACH));
        if let Err(wrong) = told {
            tracing::debug!(%wrong, "the socket stays as the system makes it");
        }
        self.admit(Arrived { wire: Box::new(stream), tls, address }, true).await;
    }

    async fn admit(&mut self, arrived: Arrived, socket: bool) {
        self.connections += 1;
        let number = self.connections;
        if !self.lets_in(number, arrived.address.ip(), socket) {
            return;
        }
        let since = self.clock.mono();
        let shard = usize::try_from(number).unwrap_or(0) % self.shards.len().max(1);
        if let Some(shard) = self.shards.get(shard) {
            // A shard only spawns, so this does not wait long.
            let _ = shard.send(Admitted { arrived, number, since }).await;
        }
    }

    fn lets_in(&mut self, number: u64, address: IpAddr, socket: bool) -> bool {
        match self.guard.connect(address, self.clock.mono()) {
            Ok(pass) => {
                self.guests.enter(number, pass, socket);
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
                let stays = self.guests.leave(number).is_some_and(|(pass, socket)| {
                    self.guard.leave(pass, now);
                    self.lets_in(number, address, socket)
                });
                let _ = answer.send(stays);
            }
            Report::Worker { number, worker, answer } => {
                let most = self.live.borrow().settings.connections_per_worker;
                let fits = self.guests.name(number, worker, most);
                self.counts.worker_full += u64::from(!fits);
                let _ = answer.send(if fits { Ok(()) } else { Err(most.unwrap_or_default()) });
            }
            Report::Authorized(number) => {
                if let Some(pass) = self.guests.pass_mut(number) {
                    self.guard.authorized(pass);
                    self.hours.strangers.give_back(STRANGERS, 1);
                }
            }
            Report::Offence { address, what, valid } => {
                // A connection that has proven work stays, and may offend again meanwhile.
                let known = self.guard.banned(address, now).is_some();
                let judged = self.guard.offence(address, what, valid, now);
                if let (Judged::Banned(ban), false) = (judged, known) {
                    tracing::info!(%address, offence = what.label(), for_s = ban.until.since(now).as_secs(), "an address is kept out");
                    let all = self.guard.list(now).map(|ban| ban.network).collect();
                    self.banned.send_replace(Arc::new(all));
                }
            }
            Report::Valid { address, valid } => self.guard.credit(address, valid, now),
            Report::Left(number) => {
                if let Some((pass, _)) = self.guests.leave(number) {
                    self.guard.leave(pass, now);
                }
            }
        }
    }

    /// The listener at the new address takes over; machines that are connected stay.
    fn move_to(&mut self, listener: TcpListener) {
        match listener.local_addr() {
            Ok(address) => {
                tracing::info!(%address, "machines connect here from now on");
                self.listener = listener;
                self.status.send_modify(|status| status.listen = Some(address));
            }
            Err(wrong) => tracing::error!(%wrong, "the new address cannot be listened on"),
        }
    }

    async fn cannot_accept(&mut self, wrong: &io::Error) {
        // A machine that was gone before it was accepted is no trouble of ours.
        if wrong.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        let _ = self.events.send(Event::AcceptFailed).await;
        self.hours.accept_after = Instant::now() + ACCEPT_PAUSE;
        self.is_troubled(&wrong.to_string());
    }

    fn is_troubled(&mut self, wrong: &str) {
        let trouble = format!(
            "no further machine can connect: {wrong}; if files are too many, raise the limit \
             (ulimit -n, or LimitNOFILE in a systemd unit): silverlode doctor says to what"
        );
        if self.hours.trouble.is_none() {
            tracing::warn!("{trouble}");
        }
        self.hours.trouble = Some(trouble);
        self.say_how_it_stands();
    }

    async fn look(&mut self) -> Result<(), GatewayError> {
        if self.verifiers.iter().any(Verifier::has_died) {
            return Err(GatewayError::VerifierDied);
        }
        self.counts.guard = self.guard.counters();
        let _ = self.events.send(Event::Door(Box::new(self.counts.clone()))).await;
        let idle = matches!(*self.work.borrow(), Work::Idle { .. });
        match self.width.is_over(idle, self.clock.mono()) {
            Some(widest) => Err(GatewayError::Narrower {
                source_id: self.source.to_string(),
                leased: self.width.leased,
                widest,
            }),
            None => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use sl_work::SourceState;

    use super::*;

    #[test]
    fn a_source_that_stays_too_narrow_is_told_after_a_minute() {
        let at = |seconds| Mono::from_start(Duration::from_secs(seconds));
        let state = SourceState::Working { since: Mono::default() };
        let (status, source) = watch::channel(SourceStatus { widest: 8, state });
        let mut width = Width { leased: 8, source, narrow_since: None };
        let widen = |widest| status.send_modify(|status| status.widest = widest);
        assert_eq!(width.is_over(true, at(0)), None, "wide enough");
        widen(4);
        assert_eq!(width.is_over(true, at(1)), None, "just now");
        assert_eq!(width.is_over(false, at(70)), None, "somebody else has work");
        assert_eq!((width.is_over(true, at(80)), width.is_over(true, at(139))), (None, None));
        widen(0);
        assert_eq!(width.is_over(true, at(140)), None, "it is away, and may come back wide");
        widen(4);
        assert_eq!((width.is_over(true, at(150)), width.is_over(true, at(210))), (None, Some(4)));
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_are_paced_and_a_farm_that_authorises_is_not() {
        let (clock, mut hours) = (Clock::real(), Hours::begin());
        let now = clock.mono();
        for _ in 0..50_000 {
            hours.strangers.spend(STRANGERS, 1, now);
            hours.strangers.give_back(STRANGERS, 1);
        }
        assert_eq!(hours.accept_at(now), None, "each of them has authorised");
        for _ in 0..1005 {
            hours.strangers.spend(STRANGERS, 1, now);
        }
        assert_eq!(hours.accept_at(now), None, "not worth a timer");
        hours.strangers.spend(STRANGERS, 45, now);
        let wait = Duration::from_millis(50);
        assert_eq!(hours.accept_at(now), Some(Instant::now() + wait));
        hours.strangers.give_back(STRANGERS, 45);
        assert_eq!(hours.accept_at(now), None, "some of them were no strangers");
        hours.accept_after = Instant::now() + ACCEPT_PAUSE;
        assert_eq!(hours.accept_at(now), Some(Instant::now() + ACCEPT_PAUSE), "no files left");
    }
}
