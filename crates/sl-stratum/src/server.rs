//! The pool's end of a connection with one machine.

mod exchange;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};
use sl_units::ShareDifficulty;

pub use exchange::{Close, Counters, Input, Output, Settings, Welcome};

use crate::{
    Authorize, ClientBound, Configure, ErrorCode, Id, Incoming, Line, Malformed, MessageError,
    Refusal, Reply, ServerBound, Submit, Subscribe,
    field::{self, hex_u32},
};

/// The pool's end of one connection, as a state machine without I/O.
///
/// ```text
///             mining.subscribe           Welcome(Ok)
/// Connected ──────────────────▶ Asking ──────────────▶ Subscribed ──▶ (Closed)
///     │        Output::Subscribe   │  Welcome(Err)
///     └────────────────────────────┴──────────────────▶ Closed
///
/// beside it, at any time:  mining.authorize ──▶ Output::Authorize ──▶ Authorized(Ok): one user more
/// Subscribed and one user authorised, for the first time: Output::Ready
/// ```
///
/// * Before `Ready`, [`Input::Job`] sends nothing; after it, each job is preceded by its
///   difficulty where that differs from what the machine was last told.
/// * A share is handed out as [`Output::Share`] when the machine is subscribed, its user is
///   authorised and its fields have the right lengths; every other is answered here. The owner
///   answers with [`Session::answer`]. Answers must leave in the order of the shares: minerd gives
///   all its shares the same id.
/// * Lines that cannot be understood are answered with error 20 and what is wrong; too many in a
///   row, or one over the limit, close the session. Unknown methods are answered and cost nothing.
/// * Nothing is held per message: requests that wait for the owner go out with their id.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    state: State,
    users: Vec<Box<str>>,
    ready: bool,
    told: Option<ShareDifficulty>,
    version_mask: u32,
    extranonce_subscribed: bool,
    malformed_in_a_row: u32,
    counters: Counters,
}

#[derive(Debug)]
enum State {
    Connected,
    Asking(Id),
    Subscribed(Welcome),
    Closed,
}

/// The ids of this side's own requests.
const VERSION_ID: u64 = 1;
const PING_ID: u64 = 2;

impl Session {
    /// The session of a machine that has just connected.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            state: State::Connected,
            users: Vec::new(),
            ready: false,
            told: None,
            version_mask: 0,
            extranonce_subscribed: false,
            malformed_in_a_row: 0,
            counters: Counters::default(),
        }
    }

    /// Takes one input; what comes out is to be done in order.
    #[must_use]
    pub fn step(&mut self, input: Input<'_>) -> Vec<Output> {
        if matches!(self.state, State::Closed) {
            return Vec::new();
        }
        match input {
            Input::Line(Line::Complete(line)) => self.line(line),
            Input::Line(Line::Oversized { limit }) => self.oversized(limit),
            Input::Welcome(welcome) => self.welcome(welcome),
            Input::Authorized { id, user, verdict } => self.authorized(id, user, verdict),
            Input::Job { notify, difficulty } => self.job(notify, difficulty),
            Input::Reconnect(reconnect) => notification(&ClientBound::Reconnect(reconnect)),
            Input::ShowMessage(text) => {
                notification(&ClientBound::ShowMessage(field::clean(&text, 500)))
            }
            Input::AskVersion => request(&ClientBound::GetVersion, VERSION_ID),
            Input::Ping => request(&ClientBound::Ping, PING_ID),
        }
    }

    /// The line that answers a share.
    #[must_use]
    pub fn answer(&mut self, id: Id, verdict: Result<(), Refusal>) -> Bytes {
        match verdict {
            Ok(()) => {
                self.counters.accepted += 1;
                Reply::granted(id, Value::Bool(true)).to_line()
            }
            Err(refusal) => self.refuse_share(id, refusal),
        }
    }

    /// The longest line to be taken from the machine now, in bytes.
    #[must_use]
    pub fn line_limit(&self) -> usize {
        if self.users.is_empty() {
            self.settings.line_limit_before
        } else {
            self.settings.line_limit_after
        }
    }

    /// What has been seen so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the machine was told when it subscribed.
    #[must_use]
    pub fn welcomed(&self) -> Option<&Welcome> {
        match &self.state {
            State::Subscribed(welcome) => Some(welcome),
            _ => None,
        }
    }

    /// The authorised users, in the order they came.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(AsRef::as_ref)
    }

    /// The version bits that this machine may roll; 0 unless it asked.
    #[must_use]
    pub fn version_mask(&self) -> u32 {
        self.version_mask
    }

    /// Whether the machine can take a new extranonce1 while it is connected.
    #[must_use]
    pub fn takes_new_extranonce(&self) -> bool {
        self.extranonce_subscribed
    }

    fn line(&mut self, line: &[u8]) -> Vec<Output> {
        self.counters.lines += 1;
        if line.trim_ascii().is_empty() {
            return Vec::new();
        }
        match ServerBound::parse(line) {
            Err(malformed) => self.malformed(*malformed),
            Ok(incoming) => {
                self.malformed_in_a_row = 0;
                match incoming {
                    Incoming::Call { id, call } => self.call(id, call),
                    Incoming::Reply(reply) => replied(&reply),
                }
            }
        }
    }

    fn call(&mut self, id: Id, call: ServerBound) -> Vec<Output> {
        match call {
            ServerBound::Submit(submit) => self.submit(id, submit),
            ServerBound::Subscribe(subscribe) => self.subscribe(id, subscribe),
            ServerBound::Authorize(Authorize { user, password }) => {
                if self.is_full_for(&user) {
                    return self.refuse_full(id);
                }
                vec![Output::Authorize { id, user, password }]
            }
            ServerBound::Configure(configure) => self.configure(id, &configure),
            ServerBound::ExtranonceSubscribe => {
                self.extranonce_subscribed = true;
                grant(id, Value::Bool(true))
            }
            ServerBound::SuggestDifficulty(difficulty) => Self::suggested(id, difficulty),
            ServerBound::SuggestTarget(target) => Self::suggested(id, target.map(Into::into)),
            ServerBound::GetVersion => grant(id, Value::from(self.settings.version.as_str())),
            ServerBound::Ping => grant(id, Value::from("pong")),
            ServerBound::GetTransactions | ServerBound::MultiVersion | ServerBound::Unknown(_) => {
                self.counters.unsupported += 1;
                refuse(id, Refusal::new(ErrorCode::Other, "unsupported method"))
            }
        }
    }

    fn subscribe(&mut self, id: Id, subscribe: Subscribe) -> Vec<Output> {
        match &self.state {
            State::Connected => {
                self.state = State::Asking(id);
                vec![Output::Subscribe(subscribe)]
            }
            State::Asking(_) => {
                refuse(id, Refusal::new(ErrorCode::Other, "subscribe is being answered"))
            }
            // Some machines try again in another form; the answer stays the same.
            State::Subscribed(welcome) => grant(id, welcome.to_value()),
            State::Closed => Vec::new(),
        }
    }

    fn welcome(&mut self, welcome: Result<Welcome, Refusal>) -> Vec<Output> {
        // An answer to no question changes nothing of what the machine was told.
        let State::Asking(id) = &self.state else { return Vec::new() };
        let id = id.clone();
        match welcome {
            Ok(welcome) => {
                let mut out = grant(id, welcome.to_value());
                self.state = State::Subscribed(welcome);
                out.extend(self.readiness());
                out
            }
            Err(refusal) => {
                self.state = State::Closed;
                let mut out = refuse(id, refusal.clone());
                out.push(Output::Close(Close::Refused(refusal)));
                out
            }
        }
    }

    fn authorized(&mut self, id: Id, user: String, verdict: Result<(), Refusal>) -> Vec<Output> {
        let known = self.users.iter().position(|known| **known == *user);
        match verdict {
            // Again, because several may have waited for the owner at once.
            Ok(()) if self.is_full_for(&user) => self.refuse_full(id),
            Ok(()) => {
                if known.is_none() {
                    self.users.push(user.into());
                }
                let mut out = grant(id, Value::Bool(true));
                out.extend(self.readiness());
                out
            }
            Err(refusal) => {
                if let Some(at) = known {
                    self.users.remove(at);
                }
                refuse(id, refusal)
            }
        }
    }

    fn is_full_for(&self, user: &str) -> bool {
        let known = self.users.iter().any(|known| **known == *user);
        !known && self.users.len() >= self.settings.max_users
    }

    fn refuse_full(&self, id: Id) -> Vec<Output> {
        let most = self.settings.max_users;
        let text = format!("{most} workers are authorised here, no more are allowed");
        refuse(id, Refusal::new(ErrorCode::Unauthorized, &text))
    }

    fn readiness(&mut self) -> Option<Output> {
        let now = matches!(self.state, State::Subscribed(_)) && !self.users.is_empty();
        (now && !std::mem::replace(&mut self.ready, now)).then_some(Output::Ready)
    }

    fn job(&mut self, notify: Bytes, difficulty: ShareDifficulty) -> Vec<Output> {
        if !self.ready {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(2);
        if self.told.replace(difficulty) != Some(difficulty) {
            out.extend(notification(&ClientBound::SetDifficulty(difficulty)));
        }
        out.push(Output::Send(notify));
        out
    }

    fn submit(&mut self, id: Id, mut submit: Submit) -> Vec<Output> {
        if self.version_mask == 0 {
            submit.version_bits = None;
        }
        let State::Subscribed(welcome) = &self.state else {
            return vec![Output::Send(self.refuse_share(id, ErrorCode::NotSubscribed.into()))];
        };
        let refusal = if !self.users.iter().any(|user| **user == *submit.user) {
            Refusal::from(ErrorCode::Unauthorized)
        } else if submit.extranonce2.len() != welcome.extranonce2_len {
            Refusal::from(&MessageError::Length {
                field: "extranonce2",
                found: submit.extranonce2.len(),
                allowed: welcome.extranonce2_len.to_string(),
            })
        } else if let Some(bits) = submit.version_bits.filter(|bits| bits & !self.version_mask != 0)
        {
            let mask = self.version_mask;
            let text = format!("version bits are {bits:08x}, only those of {mask:08x} are allowed");
            Refusal::new(ErrorCode::Other, &text)
        } else {
            self.counters.shares += 1;
            return vec![Output::Share { id, submit }];
        };
        vec![Output::Send(self.refuse_share(id, refusal))]
    }

    fn refuse_share(&mut self, id: Id, refusal: Refusal) -> Bytes {
        let place = ErrorCode::ALL.iter().position(|code| code.number() == refusal.code);
        if let Some(count) = self.counters.refused.get_mut(place.unwrap_or(0)) {
            *count += 1;
        }
        Reply::refused(id, refusal).to_line()
    }

    /// Each extension asked for is answered, those that are not granted with false.
    fn configure(&mut self, id: Id, configure: &Configure) -> Vec<Output> {
        let mut result = Map::new();
        let mut out = Vec::new();
        for extension in &configure.extensions {
            let granted = match extension.as_str() {
                "version-rolling" => {
                    let mask = self.settings.version_mask & configure.version_mask.unwrap_or(!0);
                    let enough = mask != 0 && mask.count_ones() >= configure.min_bit_count;
                    self.version_mask = if enough { mask } else { 0 };
                    if enough {
                        result.insert("version-rolling.mask".into(), hex_u32(mask).into());
                    }
                    enough
                }
                "minimum-difficulty" => {
                    out.extend(configure.minimum_difficulty.map(Output::MinimumDifficulty));
                    configure.minimum_difficulty.is_some()
                }
                "subscribe-extranonce" => {
                    self.extranonce_subscribed = true;
                    true
                }
                _ => false,
            };
            result.insert(extension.clone(), granted.into());
        }
        out.extend(grant(id, Value::Object(result)));
        out
    }

    fn suggested(id: Id, difficulty: Option<ShareDifficulty>) -> Vec<Output> {
        let mut out = grant(id, Value::Bool(true));
        out.extend(difficulty.map(Output::SuggestedDifficulty));
        out
    }

    fn malformed(&mut self, Malformed { id, method, error }: Malformed) -> Vec<Output> {
        self.counters.malformed += 1;
        self.malformed_in_a_row = self.malformed_in_a_row.saturating_add(1);
        let line = if method.as_deref() == Some("mining.submit") {
            let subscribed = matches!(self.state, State::Subscribed(_));
            let refusal =
                if subscribed { (&error).into() } else { ErrorCode::NotSubscribed.into() };
            self.refuse_share(id, refusal)
        } else {
            Reply::refused(id, (&error).into()).to_line()
        };
        let mut out = vec![Output::Send(line)];
        if self.malformed_in_a_row >= self.settings.max_malformed {
            self.state = State::Closed;
            let count = self.malformed_in_a_row;
            out.push(Output::Close(Close::Malformed { count, last: error }));
        }
        out
    }

    fn oversized(&mut self, limit: usize) -> Vec<Output> {
        self.counters.lines += 1;
        self.counters.malformed += 1;
        self.state = State::Closed;
        let error = MessageError::Oversized { limit };
        let mut out = refuse(Id::NULL, (&error).into());
        out.push(Output::Close(Close::Oversized { limit }));
        out
    }
}

/// Replies to this side's requests; others answer nothing that was asked, and are ignored.
fn replied(reply: &Reply) -> Vec<Output> {
    match (reply.id.as_u64(), &reply.result, &reply.error) {
        (Some(VERSION_ID), Value::String(version), None) => {
            vec![Output::Version(field::clean(version, 128))]
        }
        (Some(PING_ID), _, None) => vec![Output::Pong],
        _ => Vec::new(),
    }
}

fn grant(id: Id, result: Value) -> Vec<Output> {
    vec![Output::Send(Reply::granted(id, result).to_line())]
}

fn refuse(id: Id, refusal: Refusal) -> Vec<Output> {
    vec![Output::Send(Reply::refused(id, refusal).to_line())]
}

fn notification(call: &ClientBound) -> Vec<Output> {
    vec![Output::Send(call.to_line(&Id::NULL))]
}

fn request(call: &ClientBound, id: u64) -> Vec<Output> {
    vec![Output::Send(call.to_line(&id.into()))]
}
