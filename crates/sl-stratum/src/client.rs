//! The machine's end of a connection with one pool.

mod exchange;

use std::collections::VecDeque;

use serde_json::{Value, json};
use sl_units::{ShareDifficulty, Target};

pub use exchange::{Close, Counters, Input, Lost, Output, Settings};

use crate::{
    Authorize, ClientBound, Configure, ErrorCode, Id, Incoming, Line, MessageError, Refusal, Reply,
    ServerBound, Submit, Subscribe, Subscription, field,
};

/// The machine's end of one connection, as a state machine without I/O.
///
/// ```text
///        Connected                    subscribed                    authorised
/// Idle ─────────────▶ Subscribing ─────────────────▶ Authorizing ─────────────▶ Running
///                        │  ▲ refused: once without       │ refused                │
///                        └──┘ session, once bare          ▼                        ▼
///                        └──── refused ────▶ Close     (the owner decides)      Closed: each
///                                                                               share is Lost
/// ```
///
/// * Difficulties and jobs are handed out once a worker is authorised: many pools give both before
///   they answer `mining.authorize`, and a share found on such a job could not be sent yet.
/// * Each share gets exactly one [`Output::Verdict`] or [`Output::Lost`]. A reply is matched by its
///   id; an id that this side never gave (null, or foreign) answers the oldest request that a pool
///   must answer, a share before a worker. Once the pool has shown that it gives ids back, such a
///   reply is reported and moves no verdict, and neither does a second reply to one request.
/// * A line that is no message, or over the limit, is reported, counted and passed over; only many
///   in a row close the session.
/// * Nothing here counts time: how long a share may wait is the owner's to say.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    state: State,
    next_id: u64,
    /// Requests without an answer, by ascending id.
    pending: VecDeque<Pending>,
    /// The pool has answered a share under its id.
    gives_ids_back: bool,
    /// The pool has answered anything under its id.
    knows_ids: bool,
    /// What came before a worker was authorised: the newest job between the difficulty that holds
    /// for it and the one that came after it; at most three.
    early: Vec<Output>,
    takes_new_extranonce: bool,
    malformed_in_a_row: u32,
    in_flight: usize,
    counters: Counters,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Subscribing,
    Authorizing,
    Running,
    Closed,
}

#[derive(Debug)]
struct Pending {
    id: u64,
    request: Request,
}

#[derive(Debug)]
enum Request {
    Configure,
    Subscribe(Attempt),
    Authorize(String),
    ExtranonceSubscribe,
    Suggest(ShareDifficulty),
    SuggestTarget,
    Ping,
    Share { ticket: u64 },
}

/// How `mining.subscribe` is worded: as cgminer does, with less each time a pool refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Resume,
    Fresh,
    Bare,
}

impl Session {
    /// The longest line that a pool may need: a notify with a large coinbase.
    pub const LINE_LIMIT: usize = 256 * 1024;

    /// The most requests kept that a pool may leave unanswered for ever.
    const MAX_OPTIONAL: usize = 16;

    /// A session for a connection that is about to be made. Each connection has its own.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Idle,
            next_id: 1,
            pending: VecDeque::new(),
            gives_ids_back: false,
            knows_ids: false,
            early: Vec::new(),
            takes_new_extranonce: false,
            malformed_in_a_row: 0,
            in_flight: 0,
            counters: Counters::default(),
        }
    }

    /// Takes one input; what comes out is to be done in order.
    #[must_use]
    pub fn step(&mut self, input: Input<'_>) -> Vec<Output> {
        if self.state == State::Closed {
            return match input {
                Input::Submit { ticket, .. } => lost(ticket, Lost::NotReady),
                Input::Closed => self.closed(),
                _ => Vec::new(),
            };
        }
        match input {
            Input::Connected => self.connected(),
            Input::Line(Line::Complete(line)) => self.line(line),
            Input::Line(Line::Oversized { limit }) => {
                self.counters.lines += 1;
                self.malformed(MessageError::Oversized { limit })
            }
            Input::Submit { ticket, submit } => self.submit(ticket, submit),
            Input::Authorize(call) => vec![self.authorize(call)],
            Input::Suggest(difficulty) => vec![self.suggest(difficulty)],
            Input::Ping => vec![self.ask(Request::Ping, &ServerBound::Ping)],
            Input::Closed => self.closed(),
        }
    }

    /// Whether shares can be submitted.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// Shares that wait for their verdict.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether the pool knows that `mining.set_extranonce` can be taken here.
    #[must_use]
    pub fn takes_new_extranonce(&self) -> bool {
        self.takes_new_extranonce
    }

    /// What the pool has said, in numbers.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn connected(&mut self) -> Vec<Output> {
        if self.state != State::Idle {
            return Vec::new();
        }
        self.state = State::Subscribing;
        let mut out = Vec::new();
        if let Some(mask) = self.settings.version_mask {
            let configure = ServerBound::Configure(Configure {
                extensions: vec!["version-rolling".into()],
                version_mask: Some(mask),
                min_bit_count: 0,
                minimum_difficulty: None,
            });
            out.push(self.ask(Request::Configure, &configure));
        }
        let resume = self.settings.session.is_some();
        out.push(self.subscribe(if resume { Attempt::Resume } else { Attempt::Fresh }));
        out
    }

    fn subscribe(&mut self, attempt: Attempt) -> Output {
        let user_agent = Some(self.settings.user_agent.clone());
        let call = match attempt {
            Attempt::Resume => Subscribe { user_agent, session: self.settings.session.clone() },
            Attempt::Fresh => Subscribe { user_agent, session: None },
            Attempt::Bare => Subscribe::default(),
        };
        self.ask(Request::Subscribe(attempt), &ServerBound::Subscribe(call))
    }

    fn authorize(&mut self, call: Authorize) -> Output {
        self.ask(Request::Authorize(call.user.clone()), &ServerBound::Authorize(call))
    }

    fn submit(&mut self, ticket: u64, submit: Submit) -> Vec<Output> {
        if self.state != State::Running {
            return lost(ticket, Lost::NotReady);
        }
        if self.in_flight >= self.settings.max_in_flight {
            return lost(ticket, Lost::TooManyInFlight);
        }
        self.in_flight += 1;
        vec![self.ask(Request::Share { ticket }, &ServerBound::Submit(submit))]
    }

    fn suggest(&mut self, difficulty: ShareDifficulty) -> Output {
        self.ask(Request::Suggest(difficulty), &ServerBound::SuggestDifficulty(Some(difficulty)))
    }

    fn ask(&mut self, request: Request, call: &ServerBound) -> Output {
        if !request.must_be_answered() {
            let optional = |pending: &Pending| !pending.request.must_be_answered();
            if self.pending.iter().filter(|pending| optional(pending)).count() >= Self::MAX_OPTIONAL
                && let Some(oldest) = self.pending.iter().position(optional)
            {
                self.pending.remove(oldest);
            }
        }
        let id = self.next_id;
        self.next_id += 1;
        self.pending.push_back(Pending { id, request });
        Output::Send(call.to_line(&id.into()))
    }

    fn line(&mut self, line: &[u8]) -> Vec<Output> {
        if line.trim_ascii().is_empty() {
            return Vec::new();
        }
        self.counters.lines += 1;
        match ClientBound::parse(line) {
            Err(malformed) => self.malformed(malformed.error),
            Ok(incoming) => {
                self.malformed_in_a_row = 0;
                match incoming {
                    Incoming::Call { id, call } => self.call(&id, call),
                    Incoming::Reply(reply) => self.reply(reply),
                }
            }
        }
    }

    fn call(&mut self, id: &Id, call: ClientBound) -> Vec<Output> {
        let reply = |reply: Reply| vec![Output::Send(reply.to_line())];
        match call {
            ClientBound::Notify(notify) => self.work(Output::Job(notify)),
            ClientBound::SetDifficulty(difficulty) => self.work(Output::Difficulty(difficulty)),
            ClientBound::SetExtranonce { extranonce1, extranonce2_len } => {
                // It holds from the next job on, so a job that waits could not be mined any more.
                self.early.retain(|early| !matches!(early, Output::Job(_)));
                vec![Output::ExtranonceChanged { extranonce1, extranonce2_len }]
            }
            ClientBound::SetVersionMask(mask) => vec![Output::VersionMask(mask)],
            ClientBound::Reconnect(reconnect) => vec![Output::Reconnect(reconnect)],
            ClientBound::ShowMessage(text) => vec![Output::ShowMessage(text)],
            ClientBound::GetVersion => {
                reply(Reply::granted(id.clone(), json!(self.settings.user_agent)))
            }
            ClientBound::Ping => reply(Reply::granted(id.clone(), json!("pong"))),
            ClientBound::Unknown(_) if id.is_null() => Vec::new(),
            ClientBound::Unknown(_) => {
                let refusal = Refusal::new(ErrorCode::Other, "unsupported method");
                reply(Reply::refused(id.clone(), refusal))
            }
        }
    }

    /// A difficulty or a job, kept until a worker is authorised.
    fn work(&mut self, output: Output) -> Vec<Output> {
        if self.state == State::Running {
            return vec![output];
        }
        let is_difficulty = |early: &Output| matches!(early, Output::Difficulty(_));
        if is_difficulty(&output) {
            self.early.pop_if(|last| is_difficulty(last));
        } else {
            let holds = self.early.iter().rposition(is_difficulty);
            self.early = holds.map(|at| self.early.swap_remove(at)).into_iter().collect();
        }
        self.early.push(output);
        Vec::new()
    }

    fn reply(&mut self, reply: Reply) -> Vec<Output> {
        let Some(Pending { request, .. }) = self.answered(&reply) else {
            self.counters.unmatched += 1;
            let found = field::clean(&reply.id.to_string(), 60);
            let allowed = "the id of a request without an answer";
            return vec![Output::Protocol(MessageError::Field { field: "id", found, allowed })];
        };
        match request {
            Request::Share { ticket } => {
                self.in_flight -= 1;
                vec![Output::Verdict { ticket, verdict: reply.verdict() }]
            }
            Request::Subscribe(attempt) => self.subscribed(attempt, reply),
            Request::Authorize(user) => self.authorized(user, reply.verdict()),
            Request::Configure => {
                let granted = reply.result.get("version-rolling") == Some(&Value::Bool(true));
                let mask = field::Field::new("mask", reply.result.get("version-rolling.mask"));
                let mask = mask.u32().ok().filter(|_| granted).unwrap_or(0);
                vec![Output::VersionMask(mask & self.settings.version_mask.unwrap_or(0))]
            }
            Request::ExtranonceSubscribe => {
                self.takes_new_extranonce = reply.verdict().is_ok();
                Vec::new()
            }
            // Some pools know one of the two words only.
            Request::Suggest(difficulty) if reply.error.is_some() => {
                let call = ServerBound::SuggestTarget(Some(Target::from(difficulty)));
                vec![self.ask(Request::SuggestTarget, &call)]
            }
            Request::Suggest(_) | Request::SuggestTarget => Vec::new(),
            Request::Ping => vec![Output::Pong],
        }
    }

    /// The request that a reply answers, taken out of those that wait.
    fn answered(&mut self, reply: &Reply) -> Option<Pending> {
        let by_id = |id| self.pending.binary_search_by_key(&id, |pending| pending.id).ok();
        if let Some(at) = reply.id.as_u64().and_then(by_id) {
            let pending = self.pending.remove(at)?;
            self.gives_ids_back |= matches!(pending.request, Request::Share { .. });
            self.knows_ids = true;
            return Some(pending);
        }
        if self.gives_ids_back {
            return None;
        }
        let oldest = |of: fn(&Request) -> bool| self.pending.iter().position(|p| of(&p.request));
        let share = oldest(|request| matches!(request, Request::Share { .. }));
        let at = share.or_else(|| oldest(Request::must_be_answered))?;
        // A grumble to nobody shuts no worker out.
        let worker = matches!(self.pending.get(at)?.request, Request::Authorize(_));
        if worker && self.knows_ids && reply.error.is_some() {
            return None;
        }
        self.pending.remove(at)
    }

    fn subscribed(&mut self, attempt: Attempt, reply: Reply) -> Vec<Output> {
        let said_no =
            reply.error.is_some() || matches!(reply.result, Value::Null | Value::Bool(false));
        match (attempt, reply.error) {
            (Attempt::Resume, _) if said_no => return vec![self.subscribe(Attempt::Fresh)],
            (Attempt::Fresh, _) if said_no => return vec![self.subscribe(Attempt::Bare)],
            (_, Some(refusal)) => return self.close(Close::SubscribeRefused(refusal)),
            (_, None) => {}
        }
        let subscription = match Subscription::from_value(&reply.result) {
            Ok(subscription) => subscription,
            Err(error) => return self.close(Close::SubscribeUnfit(error)),
        };
        self.state = State::Authorizing;
        let mut out = vec![Output::Subscribed(subscription)];
        if self.settings.extranonce_subscribe {
            out.push(self.ask(Request::ExtranonceSubscribe, &ServerBound::ExtranonceSubscribe));
        }
        let (user, password) = (self.settings.user.clone(), self.settings.password.clone());
        out.push(self.authorize(Authorize { user, password }));
        out
    }

    fn authorized(&mut self, user: String, verdict: Result<(), Refusal>) -> Vec<Output> {
        let first = self.state == State::Authorizing && verdict.is_ok();
        let mut out = vec![Output::Authorized { user, verdict }];
        if first {
            self.state = State::Running;
            out.append(&mut self.early);
            if let Some(difficulty) = self.settings.suggest {
                out.push(self.suggest(difficulty));
            }
        }
        out
    }

    fn malformed(&mut self, error: MessageError) -> Vec<Output> {
        self.counters.malformed += 1;
        self.malformed_in_a_row = self.malformed_in_a_row.saturating_add(1);
        let mut out = vec![Output::Protocol(error.clone())];
        if self.malformed_in_a_row >= self.settings.max_malformed {
            let count = self.malformed_in_a_row;
            out.extend(self.close(Close::Malformed { count, last: error }));
        }
        out
    }

    fn close(&mut self, why: Close) -> Vec<Output> {
        self.state = State::Closed;
        vec![Output::Close(why)]
    }

    fn closed(&mut self) -> Vec<Output> {
        self.state = State::Closed;
        self.early.clear();
        self.in_flight = 0;
        let pending = std::mem::take(&mut self.pending);
        let tickets = pending.into_iter().filter_map(|pending| match pending.request {
            Request::Share { ticket } => Some(ticket),
            _ => None,
        });
        tickets.map(|ticket| Output::Lost { ticket, why: Lost::Closed }).collect()
    }
}

impl Request {
    /// Pools leave some requests unanswered; a reply without an id is never for one of those.
    fn must_be_answered(&self) -> bool {
        matches!(self, Self::Subscribe(_) | Self::Authorize(_) | Self::Share { .. })
    }
}

fn lost(ticket: u64, why: Lost) -> Vec<Output> {
    vec![Output::Lost { ticket, why }]
}
