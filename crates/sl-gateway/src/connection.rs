use std::{
    collections::VecDeque, future::poll_fn, io, pin::Pin, sync::Arc, task::Poll, time::Duration,
};

use sl_guard::{
    Conduct, Network, Offence,
    validate::{Message, MessageValidator, Validators, Verdict},
};
use sl_stratum::{
    Id, Line, LineSplitter,
    server::{Close, Input, Output, Session},
};
use sl_units::Mono;
use tokio::{
    sync::watch,
    time::{Sleep, sleep_until},
};

use crate::{
    board::Board,
    entrance,
    ledger::{Event, Gone},
    machine::Machine,
    outgoing::Outgoing,
    shard::{Admitted, Report, Shared},
    share::Told,
    slots::{Notice, SlotCall},
    transport::{Arrived, poll_chunk},
    vardiff::LEAST_LOOK,
    verifier::{Busy, Room},
};

mod arrival;
mod deadlines;
mod manners;
mod shares;

use deadlines::Ending;
use shares::{Held, room_for};

/// Answers that may be due before no more is read: of a machine that has proven nothing since its
/// last offence, and of one that has. It is hashed before it is known whether it proves anything.
const FIRST_DUE: usize = 4;
const MOST_DUE: usize = 64;
/// While so many bytes wait for a machine, nothing is read from it, and jobs are skipped.
const ROOM: u64 = 16 * 1024;

/// Serves one machine from its first byte to its last.
pub(crate) async fn serve(shared: Arc<Shared>, admitted: Admitted) {
    let Admitted { mut arrived, number, since } = admitted;
    if entrance::is_wanted(&shared, &arrived) {
        match Box::pin(entrance::enter(&shared, number, arrived)).await {
            Some(entered) => arrived = entered,
            None => {
                let _ = shared.reports.send(Report::Left(number)).await;
                return;
            }
        }
    }
    let now = shared.clock.mono();
    let validators = shared.live.borrow().validators();
    let session = Session::new(shared.session.clone());
    let lines = LineSplitter::new(session.line_limit());
    let mut connection = Connection {
        machine: Machine::new(number, session, now),
        board: shared.board.clone(),
        banned: shared.banned.clone(),
        conduct: Conduct::new(since),
        validators,
        unfit: 0,
        read_after: now,
        valid: 0,
        unreported: 0,
        has_proven: false,
        since,
        at: now,
        ready: false,
        workless: false,
        behind: false,
        renewal: None,
        last_share: now,
        held: None,
        unread: Vec::new(),
        notice: Notice::default(),
        ending: None,
        out: Outgoing::default(),
        timer: Box::pin(sleep_until(shared.clock.instant_of(now + shared.authorize_within()))),
        armed: now + shared.authorize_within(),
        shared,
        arrived,
        lines,
    };
    connection.tell(Event::Connected).await;
    let why = connection.run().await;
    connection.leave(why).await;
}

/// One connection: owns the wire, and does what its machine's session says.
///
/// ```text
///  wire ─▶ LineSplitter ─▶ Session ─▶ outputs ─▶ share ─▶ verifier ─▶ accounts ─▶ settle ─┐
///  wire ◀─ Outgoing ◀────────────────────── answers in order ◀────────────────────────────┘
///                ▲─── jobs, as they come (a machine that is slow misses some, and loses nothing)
/// ```
struct Connection {
    shared: Arc<Shared>,
    arrived: Arrived,
    machine: Machine,
    lines: LineSplitter,
    out: Outgoing,
    board: watch::Receiver<Arc<Board>>,
    /// Wakes it when something may be overdue: at `armed`, which is never later than that.
    timer: Pin<Box<Sleep>>,
    armed: Mono,
    banned: watch::Receiver<Arc<Vec<Network>>>,
    conduct: Conduct,
    validators: Validators,
    /// Messages in a row that a validator refused.
    unfit: u32,
    /// Nothing is read from it before this instant: it sent too much.
    read_after: Mono,
    /// Valid shares since its last offence.
    valid: u32,
    /// Valid shares of which the door does not know.
    unreported: u32,
    /// A share of it was valid: it stays, whatever others behind its address do.
    has_proven: bool,
    since: Mono,
    /// The instant at which it was woken, or began to wait.
    at: Mono,
    /// Subscribed and authorised.
    ready: bool,
    /// There was no work for it when it asked last.
    workless: bool,
    /// A job came that it was not given, because too much waited for it.
    behind: bool,
    /// Its difficulty has changed, and it waits until this instant for a job to go with it.
    renewal: Option<Mono>,
    last_share: Mono,
    held: Option<Box<Held>>,
    /// What it said that is not read yet, because too many answers are due.
    unread: Vec<u8>,
    /// That its machine has come by another connection.
    notice: Notice,
    ending: Option<Ending>,
}

/// The connection is over at once.
struct Over(Option<Gone>);

/// What woke it.
enum Woken {
    /// Another board; false when the gateway is stopping.
    Board(bool),
    Verdict(Option<Told>),
    /// There is a place for the share that was held.
    Room(Result<Room, Busy>),
    /// Bytes; none at the end.
    Heard(io::Result<Vec<u8>>),
    /// All that waited has left.
    Written(io::Result<()>),
    Time,
    /// Its machine has come by another connection.
    Ousted,
}

impl Connection {
    async fn run(&mut self) -> Option<Gone> {
        loop {
            self.at = self.shared.clock.mono();
            self.release_answers();
            if self.out.is_busy() && self.write_now().await.is_err() {
                return None;
            }
            if let Some(Ending { why, .. }) = self.ending
                && self.machine.due() == 0
                && self.held.is_none()
                && !self.out.is_busy()
            {
                return why;
            }
            if self.behind && self.out.waiting() < ROOM {
                self.give_job(false).await;
                continue;
            }
            if !self.unread.is_empty() && self.takes_more() {
                let rest = std::mem::take(&mut self.unread);
                self.read(&rest).await;
                continue;
            }
            self.arm();
            let woken = self.wait().await;
            self.at = self.shared.clock.mono();
            if let Err(Over(why)) = self.wake(woken).await {
                return why;
            }
        }
    }

    /// Waits for whatever comes first.
    async fn wait(&mut self) -> Woken {
        let open = self.ending.is_none();
        // Before all else, and without a place in the queue of those who wait for a board.
        match self.board.has_changed() {
            Ok(true) if open => {
                self.board.mark_unchanged();
                return Woken::Board(true);
            }
            Err(_) if open => return Woken::Board(false),
            _ => {}
        }
        let roomy = self.out.waiting() < ROOM;
        let clock = self.shared.clock;
        let allowed = self.at >= self.read_after;
        let may_read = roomy && allowed && self.unread.is_empty() && self.takes_more();
        let (wire, out) = (&mut self.arrived.wire, &mut self.out);
        // Every branch is cancel-safe: a change, a verdict that stays due, a place in a queue that is
        // kept, bytes that are taken or not, a sleep, a notice that stays to be given.
        tokio::select! {
            biased;
            told = self.machine.verdict() => Woken::Verdict(told),
            room = room_for(&mut self.held) => Woken::Room(room),
            moved = poll_fn(|cx| {
                if out.is_busy()
                    && let Poll::Ready(written) = out.poll_out(wire, cx, || clock.mono())
                {
                    return Poll::Ready(Woken::Written(written));
                }
                if may_read { poll_chunk(wire, cx).map(Woken::Heard) } else { Poll::Pending }
            }) => moved,
            changed = self.board.changed(), if open => Woken::Board(changed.is_ok()),
            () = self.timer.as_mut() => Woken::Time,
            () = self.notice.given(), if open => Woken::Ousted,
        }
    }

    async fn wake(&mut self, woken: Woken) -> Result<(), Over> {
        match woken {
            Woken::Board(true) => {
                self.behind = self.ready && self.out.waiting() >= ROOM;
                if self.ready && !self.behind {
                    self.give_job(true).await;
                }
            }
            Woken::Board(false) => self.end(None),
            Woken::Verdict(told) => {
                self.settled(told).await;
                if self.renewal.is_none() && self.machine.vardiff.is_full(&self.shared.rules()) {
                    self.look_at_difficulty().await;
                }
            }
            Woken::Room(room) => {
                if let Some(held) = self.held.take() {
                    self.check(room, held.id, &held.submit).await;
                    self.read(&held.rest).await;
                }
            }
            Woken::Ousted => return Err(Over(None)),
            Woken::Written(written) => return written.map_err(|_| Over(None)),
            Woken::Heard(Ok(chunk)) => self.hear(&chunk).await,
            Woken::Heard(Err(_)) => return Err(Over(None)),
            Woken::Time => {
                self.overdue().await?;
                if self.ready && self.difficulty_is_due() {
                    self.look_at_difficulty().await;
                }
                // The timer is over: whatever is due next, it has to be set again.
                self.armed = Mono::from_start(Duration::MAX);
            }
        }
        Ok(())
    }

    /// Whether a further line of it is read: few enough answers are due.
    fn takes_more(&self) -> bool {
        let valid = usize::try_from(self.valid).unwrap_or(MOST_DUE);
        let most_due = (FIRST_DUE.saturating_add(valid)).min(MOST_DUE);
        self.ending.is_none() && self.held.is_none() && self.machine.due() < most_due
    }

    /// Writes what the wire takes at once.
    async fn write_now(&mut self) -> io::Result<()> {
        let (wire, out, clock) = (&mut self.arrived.wire, &mut self.out, self.shared.clock);
        poll_fn(|cx| match out.poll_out(wire, cx, || clock.mono()) {
            Poll::Ready(Err(wrong)) => Poll::Ready(Err(wrong)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        })
        .await
    }

    /// The machine is gone: what it sent is still judged and counted, its slot is kept for it.
    async fn leave(mut self, why: Option<Gone>) {
        if let Some(held) = self.held.take() {
            let room = held.room.await;
            self.check(room, held.id, &held.submit).await;
        }
        while self.machine.due() > 0 {
            while self.machine.next_line().is_some() {}
            if self.machine.due() > 0 {
                let told = self.machine.verdict().await;
                self.machine.settle(told.as_ref());
            }
        }
        if let Some((slot, resumed, memory)) = self.machine.leave() {
            // With a slot of one that never got that far no job was ever out.
            let call = match self.ready || resumed {
                true => {
                    let worker = self.machine.session.users().next().map(Into::into);
                    SlotCall::GiveBack { slot, worker, memory }
                }
                false => SlotCall::Release { slot },
            };
            if self.shared.slots.send(call).await.is_err() {
                tracing::debug!("the slots are gone before their machine");
            }
        }
        tracing::debug!(address = %self.arrived.address, ?why, "a machine has left");
        self.report(Report::Left(self.machine.number)).await;
        self.tell(Event::Gone { machine: self.machine.number, why }).await;
    }

    /// Does what follows from each line; nothing at the end, when it may still listen for what it
    /// is owed.
    async fn hear(&mut self, chunk: &[u8]) {
        if chunk.is_empty() {
            return self.end(None);
        }
        if !self.has_proven && self.is_banned() {
            return self.end(Some(Gone::Banned));
        }
        self.conduct(|conduct, limits, now| conduct.on_bytes(limits, chunk.len(), now)).await;
        self.read(chunk).await;
    }

    /// Does what follows from each line, as far as a share that has to wait, or as answers are due.
    async fn read(&mut self, mut rest: &[u8]) {
        while self.ending.is_none() {
            if !self.takes_more() {
                self.unread = rest.to_vec();
                return;
            }
            let now = self.now();
            let known = self.ready;
            let Some(line) = self.lines.next_line(&mut rest) else { break };
            if let Line::Complete(bytes) = line {
                let message = Message::line(bytes);
                let message = if known { message.after_authorize() } else { message };
                if let Verdict::Refuse(complaint) = self.validators.check(&message, now) {
                    let id = Id::of_line(bytes);
                    self.unfit(id, &complaint).await;
                    continue;
                }
            }
            self.unfit = 0;
            let oversized = matches!(line, Line::Oversized { .. });
            let before = self.machine.session.counters();
            let outputs = self.machine.session.step(Input::Line(line));
            let after = self.machine.session.counters();
            self.conduct(Conduct::on_line).await;
            let lines = after.malformed - before.malformed;
            let mut codes = after.refused;
            for (code, before) in codes.iter_mut().zip(before.refused) {
                *code -= before;
            }
            if lines > 0 || codes != [0; 6] {
                self.tell(Event::Lines { machine: self.machine.number, lines, codes }).await;
            }
            if lines > 0 {
                let what = if oversized { Offence::Oversized } else { Offence::Malformed };
                self.charge(what).await;
            }
            self.act(outputs.into()).await;
            self.lines.set_limit(self.machine.session.line_limit());
            if let Some(held) = &mut self.held {
                held.rest = rest.to_vec();
                return;
            }
        }
        let held = self.lines.held();
        if held > 0 {
            self.conduct(|conduct, limits, now| conduct.on_rest(limits, held, now)).await;
        }
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
                    let verdict = self.authorize(&user, &password).await;
                    let input = Input::Authorized { id, user, verdict };
                    outputs.extend(self.machine.session.step(input));
                }
                Output::Ready => self.welcome().await,
                Output::Share { id, submit } => self.share(id, submit).await,
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
                    tracing::debug!(address = %self.arrived.address, %why, "a connection is closed");
                    self.end(match why {
                        Close::Refused(_) => None,
                        Close::Oversized { .. } | Close::Malformed { .. } => Some(Gone::Malformed),
                    });
                }
            }
        }
    }

    /// Gives the newest job; `awaited`: the machine was there when it came.
    async fn give_job(&mut self, awaited: bool) {
        self.behind = false;
        let board = self.board.borrow_and_update().clone();
        let now = self.now();
        let rules = self.shared.rules();
        let Some(given) = self.machine.job(&rules, &board, now) else {
            self.workless = true;
            return;
        };
        if std::mem::take(&mut self.workless) {
            // Nobody can have sent a share meanwhile.
            self.last_share = now;
        }
        self.renewal = None;
        for line in given.lines {
            self.out.push(line, now);
        }
        if awaited && given.issued.is_first() {
            self.out.measure(given.issued);
        }
        if let Some(difficulty) = given.changed {
            self.tell(Event::Difficulty { machine: self.machine.number, difficulty }).await;
        }
    }

    /// Machines apply a difficulty to new work, so a new one goes out with the job, issued again
    /// with a later time: the same work twice would only find the same shares.
    async fn look_at_difficulty(&mut self) {
        let (now, rules) = (self.now(), self.shared.rules());
        let board = self.board.borrow().clone();
        if !self.machine.wants_another(&rules, &board, now) {
            self.renewal = None;
        } else if self.machine.lacks(&board) {
            self.give_job(false).await;
        } else {
            self.shared.renew.notify_one();
            self.renewal = Some(now + LEAST_LOOK);
        }
    }

    fn release_answers(&mut self) {
        let now = self.now();
        while let Some(line) = self.machine.next_line() {
            self.out.push(line, now);
        }
    }

    /// Waits while the accounts are behind; they wait for nobody.
    async fn tell(&mut self, event: Event) {
        if self.shared.events.send(event).await.is_err() {
            tracing::debug!("the accounts are gone before their machines");
        }
    }

    async fn report(&mut self, report: Report) {
        if self.shared.reports.send(report).await.is_err() {
            tracing::debug!("the door is gone before its machines");
        }
    }

    /// The instant of what is being done.
    const fn now(&self) -> Mono {
        self.at
    }
}

#[cfg(test)]
mod tests;
