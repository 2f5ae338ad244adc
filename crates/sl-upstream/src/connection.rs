use std::time::Duration;

use sl_stratum::{
    ErrorCode, Extranonce, Line, LineSplitter, Reconnect,
    client::{Input, Output, Session, Settings},
    transcript::{Direction, Scrubber},
};
use sl_units::Mono;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Endpoint,
    demand::{Advice, Demand},
    desk::Filed,
    dial::{Dialled, Wire},
    link::{Ended, Event, Link, Order, Orders},
    names::Names,
    record::Recorder,
    service::Shared,
    vigil::{Seen, Vigil, Watched},
};

mod tell;

/// A pool that takes no bytes for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// How long the verdicts of shares in flight are waited for when stopping.
const DRAIN: Duration = Duration::from_millis(700);
/// How long they are waited for when the pool asks to come back.
const FAREWELL: Duration = Duration::from_secs(1);
/// A pool that asks to come back later than this is asked earlier: machines wait little longer for
/// work, and there may be no other pool.
const MOST_AWAY: Duration = Duration::from_secs(60);
/// How often figures that cost something are told.
const TELL: Duration = Duration::from_secs(1);

/// One connection with the pool, from its subscription to its end.
pub(crate) struct Connection<'a> {
    shared: &'a Shared,
    endpoint: &'a Endpoint,
    stop: &'a CancellationToken,
    wire: Box<dyn Wire>,
    session: Session,
    link: &'a mut Link,
    orders: &'a mut Orders,
    vigil: Vigil,
    names: Names,
    recorder: Option<Recorder>,
    began: Mono,
    /// An extranonce that holds from the next job on; the jobs before it keep theirs.
    coming: Option<(Extranonce, usize)>,
    /// What is waited for before the end: verdicts, until then.
    leaving: Option<(Mono, Ended)>,
    /// Since when the pool is silent, where that ends the connection.
    failing: Option<Mono>,
    told: Mono,
    looked: Mono,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(
        shared: &'a Shared,
        endpoint: &'a Endpoint,
        stop: &'a CancellationToken,
        dialled: Dialled,
        link: &'a mut Link,
        orders: &'a mut Orders,
    ) -> Self {
        let now = shared.clock.mono();
        let Shared { pool, options, login, .. } = shared;
        let session = Session::new(Settings {
            user: login.main(),
            password: pool.password.clone(),
            session: link.session.clone().filter(|_| !link.unnamed),
            extranonce_subscribe: options.extranonce_subscribe,
            ..Settings::default()
        });
        let secret = pool.password.reveal().to_owned();
        let record = |folder: &std::path::PathBuf| {
            let number = shared.status.borrow().connections;
            let (scrubber, peer) = (Scrubber::new([secret]), endpoint.to_string());
            Recorder::start(folder, &pool.id.to_string(), number, &peer, scrubber, &shared.clock)
                .inspect_err(|wrong| tracing::warn!(%wrong, folder = %folder.display(), "nothing is recorded"))
                .ok()
        };
        link.demand.reconnected();
        // Until it has heard us.
        link.unnamed = link.session.is_some() && !link.unnamed;
        Self {
            shared,
            endpoint,
            stop,
            wire: dialled.wire,
            session,
            vigil: Vigil::new(options.patience, link.may_ask, now),
            names: Names::new(login.clone(), pool.password.clone()),
            recorder: options.record.as_ref().and_then(record),
            link,
            orders,
            began: now,
            coming: None,
            leaving: None,
            failing: None,
            told: now,
            looked: now,
        }
    }

    /// Serves it to its end. What is in flight then is held at the desk.
    pub(crate) async fn serve(mut self) -> Ended {
        let ended = self.talk().await;
        let now = self.shared.clock.mono();
        if self.vigil.was_blamed(now) && self.link.may_ask {
            tracing::info!(pool = %self.endpoint, "the pool leaves whoever asks for a sign of life: it is not asked again");
            self.link.may_ask = false;
        }
        let why = ended.to_string();
        let settled = self.link.desk.cut(&why, self.failing.unwrap_or(now), now);
        self.count(&settled, now);
        self.tell(now);
        ended
    }

    async fn talk(&mut self) -> Ended {
        let first = self.session.step(Input::Connected);
        if let Err(ended) = self.act(first).await {
            return ended;
        }
        let mut lines = LineSplitter::new(Session::LINE_LIMIT);
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if self.leaving.is_some()
                && self.link.desk.sent() == 0
                && let Some((_, ended)) = self.leaving.take()
            {
                return ended;
            }
            let now = self.shared.clock.mono();
            let due = self.shared.clock.instant_of(self.due(now));
            // Cancel-safe: a read, a receive, a token, a sleep.
            let outcome = tokio::select! {
                read = self.wire.read(&mut buffer) => match read {
                    Ok(0) => Err(Ended::Broken("the pool closed the connection".into())),
                    Ok(count) => {
                        self.vigil.heard(self.shared.clock.mono());
                        self.lines(&mut lines, buffer.get(..count).unwrap_or_default()).await
                    }
                    Err(wrong) => Err(Ended::Broken(format!("the connection broke: {wrong}"))),
                },
                Some(order) = self.orders.recv() => self.order(order).await,
                () = self.stop.cancelled(), if !self.stops() => {
                    self.leaving = Some((self.shared.clock.mono() + DRAIN, Ended::Stopped));
                    Ok(())
                }
                () = tokio::time::sleep_until(due) => self.look().await,
            };
            if let Err(ended) = outcome {
                return match self.leaving.take() {
                    Some((_, leaving)) => leaving,
                    None => ended,
                };
            }
        }
    }

    fn stops(&self) -> bool {
        matches!(self.leaving, Some((_, Ended::Stopped)))
    }

    fn seen(&self) -> Seen {
        Seen { running: self.session.is_running(), waits_since: self.link.desk.waits_since() }
    }

    /// When to look at the latest.
    fn due(&self, now: Mono) -> Mono {
        let mut due = self.vigil.due(self.seen());
        if let Some((until, _)) = &self.leaving {
            due = due.min(*until);
        }
        due = self.link.gives_up(self.shared).map_or(due, |until| due.min(until));
        due = self.link.desk.renews().map_or(due, |at| due.min(at));
        if self.session.is_running() {
            due = due.min(self.looked + Demand::LOOK);
        }
        due.max(now)
    }

    async fn look(&mut self) -> Result<(), Ended> {
        let now = self.shared.clock.mono();
        if let Some((_, ended)) = self.leaving.take_if(|(until, _)| *until <= now) {
            return Err(ended);
        }
        self.link.give_up(self.shared, now);
        self.link.desk.renew(now);
        match self.vigil.look(self.seen(), now) {
            Watched::Gone { why, since } => {
                self.failing = Some(since);
                return Err(Ended::Broken(why));
            }
            Watched::Ask => {
                let outputs = self.session.step(Input::Ping);
                self.act(outputs).await?;
            }
            Watched::Well => {}
        }
        if self.session.is_running() && now.since(self.looked) >= Demand::LOOK {
            self.looked = now;
            let advice = self.link.look(now);
            let outputs = self.advised(advice, now);
            self.act(outputs).await?;
            self.tell(now);
        }
        Ok(())
    }

    async fn order(&mut self, order: Order) -> Result<(), Ended> {
        match order {
            Order::Lease { leased, keep } => {
                self.link.desk.lease(leased, keep);
                self.overflow().await;
                Ok(())
            }
            Order::Share(pending) => {
                let now = self.shared.clock.mono();
                if self.session.is_running()
                    && let Some(call) = self.names.ask(pending.worker(), now)
                {
                    let outputs = self.session.step(Input::Authorize(call));
                    self.act(outputs).await?;
                }
                let user = self.names.user(pending.worker());
                // What comes while we leave goes to the connection that follows.
                if matches!(self.leaving, Some((_, Ended::Moved { .. }))) {
                    self.link.desk.hold();
                }
                let (filed, advice) = self.link.file(pending, user, now);
                match filed {
                    Filed::Send(ticket, submit) => {
                        let outputs = self.session.step(Input::Submit { ticket, submit });
                        self.act(outputs).await?;
                    }
                    Filed::Held => {}
                    Filed::Settled(settled) => self.count(&[settled], now),
                }
                if advice != Advice::default() {
                    let outputs = self.advised(advice, now);
                    self.act(outputs).await?;
                }
                Ok(())
            }
        }
    }

    async fn lines(&mut self, lines: &mut LineSplitter, mut bytes: &[u8]) -> Result<(), Ended> {
        while let Some(line) = lines.next_line(&mut bytes) {
            if let (Some(recorder), Line::Complete(line)) = (&mut self.recorder, &line) {
                recorder.line(Direction::Down, line, self.shared.clock.mono());
            }
            let outputs = self.session.step(Input::Line(line));
            self.act(outputs).await?;
        }
        // A job that came with a difficulty has taken it up by now.
        self.link.desk.renew(self.shared.clock.mono());
        Ok(())
    }

    /// Does what the session says, in order.
    async fn act(&mut self, outputs: Vec<Output>) -> Result<(), Ended> {
        let shared = self.shared;
        let mut queue = std::collections::VecDeque::from(outputs);
        while let Some(output) = queue.pop_front() {
            let now = shared.clock.mono();
            match output {
                Output::Send(line) => self.write(&line).await?,
                Output::Subscribed(subscription) => {
                    self.link.session = subscription.session.clone();
                    self.link.unnamed = false;
                    let (extranonce1, len) =
                        (subscription.extranonce1, subscription.extranonce2_len);
                    self.opened(extranonce1, len, now).await;
                }
                Output::ExtranonceChanged { extranonce1, extranonce2_len } => {
                    self.coming = Some((extranonce1, extranonce2_len));
                }
                Output::Authorized { user, verdict } if user == self.names.main() => {
                    if let Err(refusal) = verdict {
                        return Err(Ended::Broken(format!(
                            "the pool refuses worker {user}: {refusal}; check -u and -p"
                        )));
                    }
                    let mut more = Vec::new();
                    self.live(now, &mut more);
                    // Before the jobs that follow, so that the oldest shares go first.
                    for output in more.into_iter().rev() {
                        queue.push_front(output);
                    }
                }
                Output::Authorized { user, verdict } => {
                    if let Err(refusal) = &verdict {
                        tracing::info!(pool = %self.endpoint, %user, %refusal, "shares go under the account's name");
                    }
                    self.named(&user, verdict.is_ok());
                }
                Output::VersionMask(_) | Output::Pong => {}
                Output::Difficulty(difficulty) => {
                    self.link.desk.set_difficulty(difficulty, now);
                    self.says(|one| one.difficulty = Some(difficulty));
                    if self.session.is_running() {
                        let advice = self.link.look(now);
                        queue.extend(self.advised(advice, now));
                    }
                }
                Output::Job(notify) => {
                    tracing::debug!(job = %notify.job_id, clean = notify.clean, "job");
                    if let Some((extranonce1, len)) = self.coming.take() {
                        self.link.desk.extranonce(extranonce1, len);
                        self.width(extranonce1.as_bytes().len(), len).await;
                    }
                    self.link.desk.job(notify, now);
                    self.working(now).await;
                }
                Output::Verdict { ticket, verdict } => {
                    if let Err(refusal) = &verdict
                        && refusal.kind() == ErrorCode::Unauthorized
                        && let Some(user) = self.link.desk.user(ticket).map(str::to_owned)
                    {
                        self.named(&user, false);
                    }
                    let settled = self.link.desk.verdict(ticket, verdict, now);
                    if let Some(took) = settled.as_ref().and_then(|settled| settled.took) {
                        self.link.round_trip.record(took);
                    }
                    self.count(settled.as_slice(), now);
                    if now.since(self.told) >= TELL || self.link.round_trip.count() < 16 {
                        self.tell(now);
                    }
                }
                // It was never sent: it goes with the next chance, or is lost with the hold.
                Output::Lost { ticket, .. } => self.link.desk.unsent(ticket),
                Output::Reconnect(reconnect) => self.moved(&reconnect, now),
                Output::ShowMessage(text) => {
                    tracing::info!(pool = %self.endpoint, %text, "the pool says");
                    shared.status.send_modify(|status| status.notice = Some(text.as_str().into()));
                }
                Output::Protocol(wrong) => {
                    tracing::warn!(pool = %self.endpoint, %wrong, "the pool said something unintelligible");
                    shared.status.send_modify(|status| status.malformed += 1);
                }
                Output::Close(why) => return Err(Ended::Broken(why.to_string())),
            }
        }
        Ok(())
    }

    /// The pool has given this connection its extranonce.
    async fn opened(&mut self, extranonce1: Extranonce, len: usize, now: Mono) {
        let took = now.since(self.began);
        let lost = self.link.desk.opened(extranonce1, len);
        self.count(&lost, now);
        let resumed = self.link.desk.stands();
        self.shared.status.send_modify(|status| {
            status.subscribe = Some(took);
            status.resumed += u64::from(resumed);
        });
        self.width(extranonce1.as_bytes().len(), len).await;
    }

    /// The worker is let in: what was held goes up first.
    fn live(&mut self, now: Mono, more: &mut Vec<Output>) {
        let names = &self.names;
        let again = self.link.desk.live(|worker| names.user(worker), now);
        if !again.is_empty() {
            tracing::info!(pool = %self.endpoint, shares = again.len(), "the session goes on: shares are sent again");
            let count = again.len() as u64;
            self.shared.status.send_modify(|status| status.resubmitted += count);
            self.says(|one| one.held = 0);
        }
        for (ticket, submit) in again {
            more.extend(self.session.step(Input::Submit { ticket, submit }));
        }
    }

    /// To another operator's host only by our operator's word; the connection goes on then.
    fn moved(&mut self, reconnect: &Reconnect, now: Mono) {
        let here = self.endpoint;
        let host = reconnect.host.as_deref().unwrap_or(here.host());
        let port = reconnect.port.unwrap_or(here.port());
        let at = Endpoint::new(host, port).ok().filter(|_| reconnect.stays_with(here.host()));
        let Some(at) = at else {
            let why = format!(
                "the pool asks to go to {host}:{port}, which is not of {}: not followed; name it as the pool's url if that is right",
                here.host()
            );
            tracing::warn!(pool = %here, %why, "a move is refused");
            self.shared.status.send_modify(|status| {
                status.moves_refused += 1;
                status.last_error = Some(why.as_str().into());
            });
            return;
        };
        if self.leaving.is_none() {
            let ended =
                Ended::Moved { at: at.with_tls(here.tls()), wait: reconnect.wait.min(MOST_AWAY) };
            self.leaving = Some((now + FAREWELL, ended));
        }
    }

    async fn overflow(&mut self) {
        for leased in self.link.desk.overflow() {
            self.link.tell(Event::Overflow(leased)).await;
        }
    }

    async fn write(&mut self, line: &[u8]) -> Result<(), Ended> {
        if let Some(recorder) = &mut self.recorder {
            recorder.line(Direction::Up, line, self.shared.clock.mono());
        }
        let written = async {
            self.wire.write_all(line).await?;
            self.wire.flush().await
        };
        match timeout(WRITE, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(wrong)) => Err(Ended::Broken(format!("the connection broke: {wrong}"))),
            Err(_) => {
                Err(Ended::Broken(format!("the pool took no bytes for {} s", WRITE.as_secs())))
            }
        }
    }
}
