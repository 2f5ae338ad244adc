use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use sl_ports::Clock;
use sl_stratum::{
    Extranonce, LineSplitter, Password, Reconnect,
    client::{Input, Output, Session, Settings},
};
use sl_supervise::{Ctx, ServiceError};
use sl_units::Mono;
use sl_work::{Outcome, SourceEnd, SourceHandle, SourceId, WorkerName, source};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Mutex, watch},
    time::{Instant, timeout},
};

use crate::{
    Endpoint, PoolState, PoolStatus,
    desk::{Desk, Filed},
};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(10);
/// A pool this silent is gone: pools of the field speak at least every 60 s.
const SILENCE: Duration = Duration::from_secs(120);
/// How long a pool may take to subscribe and authorise; cgminer waits as long.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// A pool that speaks, and leaves a share without its verdict for so long, does not count our work.
const ANSWER: Duration = Duration::from_secs(60);
/// A pool that takes no bytes for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// The first wait before another try, doubled each time, jittered.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long the verdicts of shares in flight are waited for when stopping.
const DRAIN: Duration = Duration::from_millis(700);

/// A pool and the account on it.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The source's name.
    pub id: SourceId,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Account and worker, as the pool wants it.
    pub user: WorkerName,
    /// Password; pools that read none take anything.
    pub password: Password,
}

/// One pool as a service. Its source stays valid over restarts.
#[derive(Debug, Clone)]
pub struct Upstream {
    pool: Pool,
    clock: Clock,
    rng: Rng,
    handle: SourceHandle,
    /// They live here between runs of the service: leases stay, and no job's number is used again.
    ends: Arc<Mutex<Ends>>,
    status: watch::Sender<PoolStatus>,
}

/// What a run has for itself.
#[derive(Debug)]
struct Ends {
    end: SourceEnd,
    desk: Desk,
}

/// Why a connection ended.
#[derive(Debug, Error)]
enum Ended {
    #[error("the stop was asked for")]
    Stopped,
    #[error("{0}")]
    Broken(String),
    /// The pool asked to come back, perhaps elsewhere.
    #[error("the pool asks to come back at {at} in {} s", .wait.as_secs())]
    Moved { at: Endpoint, wait: Duration },
}

impl Upstream {
    /// A pool that will be connected to when [`Upstream::run`] runs.
    #[must_use]
    pub fn new(pool: Pool, clock: Clock, rng: Rng) -> Self {
        let (handle, end) = source(pool.id.clone());
        let (status, _) = watch::channel(PoolStatus::default());
        let desk = Desk::new(pool.id.clone(), pool.user.clone());
        Self { pool, clock, rng, handle, ends: Arc::new(Mutex::new(Ends { end, desk })), status }
    }

    /// The source of work.
    #[must_use]
    pub fn source(&self) -> SourceHandle {
        self.handle.clone()
    }

    /// How the pool fares.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<PoolStatus> {
        self.status.subscribe()
    }

    /// Keeps the pool connected until told to stop. Ready at once: without a pool it is degraded.
    ///
    /// # Errors
    /// None that a restart would cure; the signature is the supervisor's.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        // Held for the whole run, by one task: the ends have one owner at a time.
        let mut ends = self.ends.clone().lock_owned().await;
        let Ends { end, desk } = &mut *ends;
        let mut rng = self.rng.clone();
        let mut wait = FIRST_WAIT;
        // Where the pool has sent us; only for the connection that follows.
        let mut moved: Option<Endpoint> = None;
        ctx.degraded(format!("connecting to {}", self.pool.endpoint));
        while !ctx.is_stopping() {
            let jobs = self.status.borrow().jobs;
            let endpoint = moved.take().unwrap_or_else(|| self.pool.endpoint.clone());
            let ended = self.connect_and_serve(&endpoint, &ctx, end, desk).await;
            let why = ended.to_string();
            let least = match ended {
                Ended::Stopped => break,
                Ended::Broken(_) => Duration::ZERO,
                Ended::Moved { at, wait } => {
                    moved = Some(at);
                    wait
                }
            };
            // A pool that lets in and gives nothing is as far away as one that does not answer.
            if self.status.borrow().jobs > jobs {
                wait = FIRST_WAIT;
            }
            tracing::warn!(pool = %endpoint, %why, "the pool is gone");
            let pause = wait.mul_f64(0.5 + rng.f64()).max(least);
            wait = (wait * 2).min(LONGEST_WAIT);
            self.wait(&ctx, end, desk, &why, pause).await;
        }
        desk.idle("stopped", self.clock.mono());
        Ok(())
    }

    /// Waits before the next try; leases are still taken, and told why there is no work.
    async fn wait(
        &self,
        ctx: &Ctx,
        end: &mut SourceEnd,
        desk: &mut Desk,
        why: &str,
        pause: Duration,
    ) {
        let now = self.clock.mono();
        ctx.degraded(why);
        end.set_idle(why, now);
        desk.idle(why, now);
        self.status.send_modify(|status| {
            status.state = PoolState::Waiting { until: now + pause };
            status.last_error = Some(why.into());
        });
        let until = Instant::now() + pause;
        loop {
            // Cancel-safe: a sleep, a token, two receives.
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                () = ctx.stopped() => return,
                Some(leased) = end.leases.recv() => {
                    desk.lease(leased);
                    desk.idle(why, now);
                }
                Some(pending) = end.intake.next() => self.count(&desk.file(pending, self.clock.mono())),
            }
        }
    }

    async fn connect_and_serve(
        &self,
        endpoint: &Endpoint,
        ctx: &Ctx,
        end: &mut SourceEnd,
        desk: &mut Desk,
    ) -> Ended {
        self.status.send_modify(|status| {
            status.state = PoolState::Connecting { since: self.clock.mono() }
        });
        let connect = timeout(CONNECT, TcpStream::connect((endpoint.host(), endpoint.port())));
        let stream = tokio::select! {
            () = ctx.stopped() => return Ended::Stopped,
            connected = connect => match connected {
                Ok(Ok(stream)) => stream,
                Ok(Err(wrong)) => return Ended::Broken(format!("cannot reach {endpoint}: {wrong}")),
                Err(_) => return Ended::Broken(format!("{endpoint} does not answer within {} s", CONNECT.as_secs())),
            },
        };
        if let Err(wrong) = stream.set_nodelay(true) {
            tracing::debug!(%wrong, "the socket keeps Nagle's algorithm");
        }
        self.status.send_modify(|status| status.connections += 1);
        let session = Session::new(Settings {
            user: self.pool.user.to_string(),
            password: self.pool.password.clone(),
            ..Settings::default()
        });
        let mut connection =
            Connection { upstream: self, endpoint, ctx, stream, session, desk, end, coming: None };
        let ended = connection.serve().await;
        // What is in flight gets no verdict any more.
        let outputs = connection.session.step(Input::Closed);
        connection.take_verdicts(outputs);
        ended
    }

    fn count(&self, filed: &Filed) {
        if let Filed::Settled(note) = filed {
            self.status.send_modify(|status| match *note {
                "stale" => status.stale += 1,
                _ => status.lost += 1,
            });
        }
    }
}

/// One connection with the pool.
struct Connection<'a> {
    upstream: &'a Upstream,
    endpoint: &'a Endpoint,
    ctx: &'a Ctx,
    stream: TcpStream,
    session: Session,
    desk: &'a mut Desk,
    end: &'a mut SourceEnd,
    /// An extranonce that holds from the next job on; the jobs before it keep theirs.
    coming: Option<(Extranonce, usize)>,
}

impl Connection<'_> {
    async fn serve(&mut self) -> Ended {
        let first = self.session.step(Input::Connected);
        if let Err(ended) = self.act(first).await {
            return ended;
        }
        let mut lines = LineSplitter::new(Session::LINE_LIMIT);
        let mut buffer = vec![0; 16 * 1024];
        let connected = Instant::now();
        let mut heard = connected;
        let mut stopping: Option<Instant> = None;
        loop {
            let patience =
                if self.session.is_running() { heard + SILENCE } else { connected + HANDSHAKE };
            let answer =
                self.desk.waits_since().map(|sent| self.upstream.clock.instant_of(sent + ANSWER));
            let deadline =
                stopping.unwrap_or_else(|| answer.map_or(patience, |answer| answer.min(patience)));
            if stopping.is_some() && self.session.in_flight() == 0 {
                return Ended::Stopped;
            }
            // Cancel-safe: a read, two receives, a token, a sleep.
            let outcome = tokio::select! {
                read = self.stream.read(&mut buffer) => match read {
                    Ok(0) => Err(Ended::Broken("the pool closed the connection".into())),
                    Ok(count) => {
                        heard = Instant::now();
                        self.lines(&mut lines, buffer.get(..count).unwrap_or_default()).await
                    }
                    Err(wrong) => Err(Ended::Broken(format!("the connection broke: {wrong}"))),
                },
                Some(leased) = self.end.leases.recv() => {
                    self.desk.lease(leased);
                    Ok(())
                }
                Some(pending) = self.end.intake.next(), if stopping.is_none() => {
                    let filed = self.desk.file(pending, self.upstream.clock.mono());
                    self.upstream.count(&filed);
                    match filed {
                        Filed::Send(ticket, submit) => {
                            let outputs = self.session.step(Input::Submit { ticket, submit });
                            self.act(outputs).await
                        }
                        Filed::Settled(_) => Ok(()),
                    }
                }
                () = self.ctx.stopped(), if stopping.is_none() => {
                    stopping = Some(Instant::now() + DRAIN);
                    Ok(())
                }
                () = tokio::time::sleep_until(deadline) => match stopping {
                    Some(_) => Err(Ended::Stopped),
                    None => Err(Ended::Broken(self.silence())),
                },
            };
            if let Err(ended) = outcome {
                return ended;
            }
        }
    }

    async fn lines(&mut self, lines: &mut LineSplitter, mut bytes: &[u8]) -> Result<(), Ended> {
        while let Some(line) = lines.next_line(&mut bytes) {
            let outputs = self.session.step(Input::Line(line));
            self.act(outputs).await?;
        }
        Ok(())
    }

    /// Does what the session says, in order.
    async fn act(&mut self, outputs: Vec<Output>) -> Result<(), Ended> {
        let upstream = self.upstream;
        let now = upstream.clock.mono();
        for output in outputs {
            match output {
                Output::Send(line) => self.write(&line).await?,
                Output::Subscribed(subscription) => {
                    self.extranonce(subscription.extranonce1, subscription.extranonce2_len);
                }
                Output::ExtranonceChanged { extranonce1, extranonce2_len } => {
                    self.coming = Some((extranonce1, extranonce2_len));
                }
                Output::Authorized { user, verdict: Err(refusal) } => {
                    return Err(Ended::Broken(format!(
                        "the pool refuses worker {user}: {refusal}; check -u and -p"
                    )));
                }
                Output::Authorized { verdict: Ok(()), .. }
                | Output::VersionMask(_)
                | Output::Pong => {}
                Output::Difficulty(difficulty) => {
                    self.desk.set_difficulty(difficulty);
                    upstream.status.send_modify(|status| status.difficulty = Some(difficulty));
                }
                Output::Job(notify) => {
                    tracing::debug!(job = %notify.job_id, clean = notify.clean, "job");
                    if let Some((extranonce1, extranonce2_len)) = self.coming.take() {
                        self.extranonce(extranonce1, extranonce2_len);
                    }
                    self.desk.job(notify, now);
                    self.working(now);
                }
                Output::Verdict { .. } | Output::Lost { .. } => self.take_verdicts(vec![output]),
                Output::Reconnect(reconnect) => return Err(self.moved(&reconnect)),
                Output::ShowMessage(text) => {
                    tracing::info!(pool = %upstream.pool.endpoint, %text, "the pool says");
                }
                Output::Protocol(wrong) => {
                    tracing::warn!(%wrong, "the pool said something unintelligible");
                }
                Output::Close(why) => return Err(Ended::Broken(why.to_string())),
            }
        }
        Ok(())
    }

    fn silence(&self) -> String {
        let now = self.upstream.clock.mono();
        if self.desk.waits_since().is_some_and(|sent| now.since(sent) >= ANSWER) {
            format!("the pool left a share without its verdict for {} s", ANSWER.as_secs())
        } else if self.session.is_running() {
            format!("the pool was silent for {} s", SILENCE.as_secs())
        } else {
            format!("the pool has not authorised the worker within {} s", HANDSHAKE.as_secs())
        }
    }

    /// To another operator's host only by our operator's word.
    fn moved(&self, reconnect: &Reconnect) -> Ended {
        let here = self.endpoint;
        let host = reconnect.host.as_deref().unwrap_or(here.host());
        let port = reconnect.port.unwrap_or(here.port());
        let at = Endpoint::new(host, port).ok().filter(|_| reconnect.stays_with(here.host()));
        match at {
            Some(at) => Ended::Moved { at, wait: reconnect.wait },
            None => Ended::Broken(format!(
                "the pool asks to go to {host}:{port}, which is not of {}: not followed; name it as the pool's url if that is right",
                here.host()
            )),
        }
    }

    fn extranonce(&mut self, extranonce1: Extranonce, extranonce2_len: usize) {
        self.desk.extranonce(extranonce1, extranonce2_len);
        self.end.set_widest(extranonce2_len);
    }

    fn working(&self, now: Mono) {
        self.end.set_working(now);
        self.ctx.ready();
        self.upstream.status.send_modify(|status| {
            status.jobs += 1;
            status.last_error = None;
            if !matches!(status.state, PoolState::Working { .. }) {
                status.state = PoolState::Working { since: now };
            }
        });
    }

    fn take_verdicts(&mut self, outputs: Vec<Output>) {
        let status = &self.upstream.status;
        for output in outputs {
            match output {
                Output::Verdict { ticket, verdict } => match self.desk.verdict(ticket, verdict) {
                    Some(Outcome::Accepted { .. }) => {
                        status.send_modify(|status| status.accepted += 1);
                    }
                    Some(Outcome::Stale { .. }) => status.send_modify(|status| status.stale += 1),
                    Some(_) => status.send_modify(|status| status.rejected += 1),
                    None => {}
                },
                Output::Lost { ticket, why } if self.desk.lost(ticket, &why.to_string()) => {
                    status.send_modify(|status| status.lost += 1);
                }
                _ => {}
            }
        }
    }

    async fn write(&mut self, line: &[u8]) -> Result<(), Ended> {
        match timeout(WRITE, self.stream.write_all(line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(wrong)) => Err(Ended::Broken(format!("the connection broke: {wrong}"))),
            Err(_) => {
                Err(Ended::Broken(format!("the pool took no bytes for {} s", WRITE.as_secs())))
            }
        }
    }
}
