use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc, time::Duration};

use sl_ports::Clock;
use sl_stratum::{
    ErrorCode, LineSplitter, Refusal, Subscribe,
    server::{self, Close, Input, Output, Session, Welcome},
};
use sl_units::Mono;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;

use crate::{
    GatewaySettings,
    admission::Admission,
    board::Board,
    ledger::{Arrival, Event, Gone},
    machine::Machine,
    outgoing::Outgoing,
    slots::{Layout, SlotCall, Taken},
    standing::Standing,
    vardiff::Rules,
    verifier::Verifiers,
};

/// Bytes taken from a socket at once.
const CHUNK: usize = 4096;
/// Answers that may be due before no more is read.
const MOST_DUE: usize = 64;
/// Shares of too low a difficulty that are taken from a machine in a second.
const VAIN_HASHES_PER_SECOND: f64 = 10.0;
/// While so many bytes wait for a machine, nothing is read from it, and jobs are skipped.
const ROOM: u64 = 16 * 1024;
/// How long answers may take to leave when a connection ends.
const DRAIN: Duration = Duration::from_millis(700);

/// What all connections of a run have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: GatewaySettings,
    pub(crate) session: Arc<server::Settings>,
    pub(crate) admission: Admission,
    pub(crate) rules: Rules,
    pub(crate) layout: Layout,
    pub(crate) clock: Clock,
    pub(crate) board: watch::Receiver<Arc<Board>>,
    pub(crate) verifiers: Verifiers,
    pub(crate) slots: mpsc::Sender<SlotCall<Standing>>,
    pub(crate) events: mpsc::Sender<Event>,
}

/// Serves one machine from its first byte to its last.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    address: SocketAddr,
    number: u64,
    stop: CancellationToken,
) {
    let now = shared.clock.mono();
    let session = Session::new(shared.session.clone());
    let lines = LineSplitter::new(session.line_limit());
    let mut connection = Connection {
        machine: Machine::new(number, session, shared.rules, now),
        board: shared.board.clone(),
        tokens: f64::from(shared.settings.messages_per_second) * 2.0,
        tokens_at: now,
        throttled: false,
        since: now,
        ready: false,
        last_share: now,
        ending: None,
        out: Outgoing::default(),
        shared: shared.clone(),
        stream,
        address,
        lines,
        stop,
    };
    connection.tell(Event::Connected).await;
    let why = connection.run().await;
    connection.leave(why).await;
}

/// One connection: owns the socket, and does what its machine's session says.
///
/// ```text
///  socket ─▶ LineSplitter ─▶ Session ─▶ outputs ─▶ share ─▶ verifier ─▶ settle ─┐
///  socket ◀─ Outgoing ◀───────────────────── answers in order ◀─────────────────┘
///                 ▲─── jobs, as they come (a machine that is slow misses some, and loses nothing)
/// ```
struct Connection {
    shared: Arc<Shared>,
    stream: TcpStream,
    address: SocketAddr,
    stop: CancellationToken,
    machine: Machine,
    lines: LineSplitter,
    out: Outgoing,
    board: watch::Receiver<Arc<Board>>,
    /// Messages that it may send now; a token bucket of two seconds.
    tokens: f64,
    tokens_at: Mono,
    throttled: bool,
    since: Mono,
    /// Subscribed and authorised.
    ready: bool,
    last_share: Mono,
    ending: Option<Ending>,
}

/// The connection ends when all is said, or at this instant.
#[derive(Clone, Copy)]
struct Ending {
    until: Mono,
    why: Option<Gone>,
}

/// The connection is over at once.
struct Over(Option<Gone>);

impl Connection {
    async fn run(&mut self) -> Option<Gone> {
        loop {
            self.release_answers();
            if let Some(Ending { why, .. }) = self.ending
                && self.machine.due() == 0
                && self.out.waiting() == 0
            {
                return why;
            }
            let open = self.ending.is_none();
            let roomy = self.out.waiting() < ROOM;
            let may_read = open && roomy && self.has_tokens() && self.machine.due() < MOST_DUE;
            let deadline = self.shared.clock.instant_of(self.deadline());
            // Every branch is cancel-safe: a token, a change, a verdict that stays due, two
            // readinesses, a sleep.
            let outcome = tokio::select! {
                biased;
                () = self.stop.cancelled(), if open => {
                    self.end(None);
                    Ok(())
                }
                changed = self.board.changed(), if open && roomy && self.ready => {
                    if changed.is_err() {
                        self.end(None);
                    } else {
                        self.give_job(true).await;
                    }
                    Ok(())
                }
                verdict = self.machine.verdict() => {
                    if let Some(event) = self.machine.settle(verdict, self.now()) {
                        if event.cost_a_hash_in_vain() {
                            self.tokens -= self.price_of_a_vain_hash();
                        }
                        self.tell(event).await;
                    }
                    Ok(())
                }
                ready = self.stream.writable(), if self.out.waiting() > 0 => {
                    let clock = self.shared.clock;
                    let written = ready.and_then(|()| self.out.write_to(&self.stream, || clock.mono()));
                    written.map_err(|_| Over(None))
                }
                ready = self.stream.readable(), if may_read => match ready {
                    Ok(()) => self.hear().await,
                    Err(_) => Err(Over(None)),
                },
                () = sleep_until(deadline) => self.overdue(),
            };
            if let Err(Over(why)) = outcome {
                return why;
            }
        }
    }

    /// The machine is gone: what it sent is still judged and counted, its slot is kept for it.
    async fn leave(mut self, why: Option<Gone>) {
        while self.machine.due() > 0 {
            while self.machine.next_line().is_some() {}
            if self.machine.due() > 0 {
                let verdict = self.machine.verdict().await;
                if let Some(event) = self.machine.settle(verdict, self.now()) {
                    self.tell(event).await;
                }
            }
        }
        if let Some((slot, session, memory)) = self.machine.leave() {
            let call = SlotCall::GiveBack { slot, session, memory };
            if self.shared.slots.send(call).await.is_err() {
                tracing::debug!("the slots are gone before their machine");
            }
        }
        tracing::debug!(address = %self.address, ?why, "a machine has left");
        self.tell(Event::Gone { machine: self.machine.number, why }).await;
    }

    /// Takes what the socket has, at most one chunk, and does what follows from each line.
    async fn hear(&mut self) -> Result<(), Over> {
        let chunk = match take_chunk(&self.stream) {
            Ok(None) => return Ok(()),
            Ok(Some(chunk)) if chunk.is_empty() => {
                // It says no more, but may still listen for what it is owed.
                self.end(None);
                return Ok(());
            }
            Ok(Some(chunk)) => chunk,
            Err(_) => return Err(Over(None)),
        };
        let mut rest = chunk.as_slice();
        while self.ending.is_none() {
            let Some(line) = self.lines.next_line(&mut rest) else { break };
            self.tokens -= 1.0;
            let before = self.machine.session.counters();
            let outputs = self.machine.session.step(Input::Line(line));
            let after = self.machine.session.counters();
            let lines = after.malformed - before.malformed;
            let mut codes = after.refused;
            for (code, before) in codes.iter_mut().zip(before.refused) {
                *code -= before;
            }
            if lines > 0 || codes != [0; 6] {
                self.tell(Event::Refused { machine: self.machine.number, lines, codes }).await;
            }
            self.act(outputs.into()).await;
            self.lines.set_limit(self.machine.session.line_limit());
        }
        Ok(())
    }

    /// Does what the session says, in order.
    async fn act(&mut self, mut outputs: VecDeque<Output>) {
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Send(line) => self.machine.say(line),
                Output::Subscribe(subscribe) => {
                    let welcome = self.subscribe(subscribe).await;
                    outputs.extend(self.machine.session.step(Input::Welcome(welcome)));
                }
                Output::Authorize { id, user, password } => {
                    let verdict = self.shared.admission.check(&user, &password);
                    if let Err(refusal) = &verdict {
                        tracing::debug!(address = %self.address, %refusal, "a worker is refused");
                    }
                    let input = Input::Authorized { id, user, verdict };
                    outputs.extend(self.machine.session.step(input));
                }
                Output::Ready => self.welcome().await,
                Output::Share { id, submit } => {
                    self.last_share = self.now();
                    let room = self.shared.verifiers.room(self.machine.slot()).await;
                    let board = self.board.borrow().clone();
                    let event = self.machine.share(&board, room, id, &submit);
                    if let Some(event) = event {
                        self.tell(event).await;
                    }
                }
                Output::SuggestedDifficulty(difficulty) => {
                    let now = self.now();
                    self.machine.vardiff.suggest(difficulty, now);
                }
                Output::MinimumDifficulty(difficulty) => {
                    self.machine.vardiff.promise_floor(difficulty);
                }
                Output::Version(version) => self.machine.user_agent = Some(version.into()),
                Output::Pong => {}
                Output::Close(why) => {
                    tracing::debug!(address = %self.address, %why, "a connection is closed");
                    self.end(match why {
                        Close::Refused(_) => None,
                        Close::Oversized { .. } | Close::Malformed { .. } => Some(Gone::Malformed),
                    });
                }
            }
        }
    }

    /// Asks for a slot: the machine's own, if it names the session that had it.
    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<Welcome, Refusal> {
        let none = |why: &str| Refusal::new(ErrorCode::Other, why);
        self.machine.user_agent = subscribe.user_agent.map(Into::into);
        let (answer, given) = oneshot::channel::<Result<Taken<Standing>, _>>();
        let call = SlotCall::Take { resume: subscribe.session, answer };
        self.shared.slots.send(call).await.map_err(|_| none("the gateway is stopping"))?;
        let taken = given.await.map_err(|_| none("the gateway is stopping"))?;
        let taken = taken.map_err(|all_taken| none(&all_taken.to_string()))?;
        let welcome = Welcome {
            session_id: taken.session.clone(),
            extranonce1: taken.extranonce1,
            extranonce2_len: self.shared.layout.own,
        };
        let now = self.now();
        self.machine.take_slot(taken, now);
        Ok(welcome)
    }

    /// The machine is subscribed and authorised: it gets its first job.
    async fn welcome(&mut self) {
        self.ready = true;
        self.last_share = self.now();
        let user = self.machine.session.users().next().unwrap_or_default().to_owned();
        let slot = self.machine.taken.as_ref().map(|taken| taken.extranonce1.to_string());
        let arrival = Arrival {
            machine: self.machine.number,
            worker: self.machine.worker(&user),
            address: self.address,
            user_agent: self.machine.user_agent.clone(),
            slot: slot.unwrap_or_default().into(),
            since: self.since,
        };
        self.tell(Event::Ready(Box::new(arrival))).await;
        self.release_answers();
        self.give_job(false).await;
    }

    /// Gives the newest job; `awaited`: the machine was there when it came.
    async fn give_job(&mut self, awaited: bool) {
        let board = self.board.borrow_and_update().clone();
        let now = self.now();
        let Some((lines, issued, changed)) = self.machine.job(&board, now) else { return };
        for line in lines {
            self.out.push(line, now);
        }
        if awaited && issued.is_first() {
            self.out.measure(issued);
        }
        if let Some(difficulty) = changed {
            self.tell(Event::Difficulty { machine: self.machine.number, difficulty }).await;
        }
    }

    fn release_answers(&mut self) {
        let now = self.now();
        while let Some(line) = self.machine.next_line() {
            self.out.push(line, now);
        }
    }

    /// Says what is due, then ends.
    fn end(&mut self, why: Option<Gone>) {
        let until = self.now() + DRAIN;
        self.ending.get_or_insert(Ending { until, why });
    }

    /// What a share under the machine's difficulty costs it: it made the gateway hash for nothing,
    /// so about ten a second are taken from one machine, after a burst of twenty.
    fn price_of_a_vain_hash(&self) -> f64 {
        f64::from(self.shared.settings.messages_per_second) / VAIN_HASHES_PER_SECOND
    }

    fn has_tokens(&mut self) -> bool {
        let rate = f64::from(self.shared.settings.messages_per_second);
        let now = self.now();
        let fresh = now.since(self.tokens_at).as_secs_f64() * rate;
        self.tokens = (self.tokens + fresh).min(rate * 2.0);
        self.tokens_at = now;
        let dry = self.tokens < 1.0;
        if dry && !self.throttled {
            // Lost when the accounts are busy: it counts nothing of value.
            let _ = self.shared.events.try_send(Event::Throttled);
        }
        self.throttled = dry;
        !dry
    }

    /// The next instant at which something is overdue.
    fn deadline(&self) -> Mono {
        let settings = &self.shared.settings;
        let mut deadline = match self.ending {
            Some(ending) => ending.until,
            None if self.ready => self.last_share + settings.idle_timeout,
            None => self.since + settings.authorize_within,
        };
        if let Some(stalled) = self.out.stalled_since() {
            deadline = deadline.min(stalled + settings.write_timeout);
        }
        if self.throttled {
            let rate = f64::from(settings.messages_per_second);
            let wait = Duration::from_secs_f64(((1.0 - self.tokens) / rate).max(0.001));
            deadline = deadline.min(self.tokens_at + wait);
        }
        deadline
    }

    fn overdue(&mut self) -> Result<(), Over> {
        let (now, settings) = (self.now(), &self.shared.settings);
        if let Some(Ending { until, why }) = self.ending {
            return if now >= until { Err(Over(why)) } else { Ok(()) };
        }
        let stalled = self.out.stalled_since();
        if stalled.is_some_and(|since| now >= since + settings.write_timeout) {
            return Err(Over(Some(Gone::Slow)));
        }
        if !self.ready && now >= self.since + settings.authorize_within {
            return Err(Over(Some(Gone::Unauthorized)));
        }
        if self.ready && now >= self.last_share + settings.idle_timeout {
            // Without work nobody can send a share.
            if self.board.borrow().current().is_some() {
                return Err(Over(Some(Gone::Idle)));
            }
            self.last_share = now;
        }
        Ok(())
    }

    /// Waits while the accounts are behind; they wait for nobody.
    async fn tell(&self, event: Event) {
        if self.shared.events.send(event).await.is_err() {
            tracing::debug!("the accounts are gone before their machines");
        }
    }

    fn now(&self) -> Mono {
        self.shared.clock.mono()
    }
}

/// What the socket has, at most one chunk; empty at its end, `None` when it has nothing. The
/// buffer lives only here, so that a silent machine costs none.
fn take_chunk(stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; CHUNK];
    match stream.try_read(&mut buffer) {
        Ok(count) => Ok(Some(buffer.get(..count).unwrap_or_default().to_vec())),
        Err(wrong) if wrong.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(wrong) => Err(wrong),
    }
}
