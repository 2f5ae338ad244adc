//! What goes into the machine's end of a connection, and what comes out.

use bytes::Bytes;
use sl_units::ShareDifficulty;
use thiserror::Error;

use crate::{
    Authorize, Extranonce, Line, MessageError, Notify, Password, Reconnect, Refusal, Submit,
    Subscription,
};

/// How to introduce oneself to a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Program and version, also the answer to `client.get_version`.
    pub user_agent: String,
    /// The first worker to be authorised.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// The session to be resumed, from an earlier [`Output::Subscribed`].
    pub session: Option<String>,
    /// Whether to say that `mining.set_extranonce` can be taken. Some pools drop who asks.
    pub extranonce_subscribe: bool,
    /// A difficulty to be suggested once authorised.
    pub suggest: Option<ShareDifficulty>,
    /// Version bits to ask for. `None` sends no `mining.configure`, which suits Scrypt.
    pub version_mask: Option<u32>,
    /// The most shares that may wait for their verdict.
    pub max_in_flight: usize,
    /// After so many malformed lines in a row the session closes.
    pub max_malformed: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_agent: concat!("silverlode/", env!("CARGO_PKG_VERSION")).into(),
            user: String::new(),
            password: Password::default(),
            session: None,
            extranonce_subscribe: false,
            suggest: None,
            version_mask: None,
            max_in_flight: 4096,
            max_malformed: 10,
        }
    }
}

/// What goes into a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection stands.
    Connected,
    /// A line from the pool.
    Line(Line<'a>),
    /// A share to be sent.
    Submit {
        /// The owner's name for it, given back with its verdict.
        ticket: u64,
        /// The share.
        submit: Submit,
    },
    /// A further worker to be authorised.
    Authorize(Authorize),
    /// A difficulty to be suggested.
    Suggest(ShareDifficulty),
    /// Ask for a sign of life; see [`Output::Pong`]. Few pools know it.
    Ping,
    /// The connection is gone: shares without a verdict come back as lost.
    Closed,
}

/// What comes out of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A line to be sent, newline included.
    Send(Bytes),
    /// The pool has answered `mining.subscribe`.
    Subscribed(Subscription),
    /// The pool has answered `mining.authorize`.
    Authorized {
        /// The worker.
        user: String,
        /// Whether it may submit shares.
        verdict: Result<(), Refusal>,
    },
    /// The difficulty of the jobs that follow.
    Difficulty(ShareDifficulty),
    /// Work.
    Job(Box<Notify>),
    /// The extranonce of the jobs that follow.
    ExtranonceChanged {
        /// The pool's part.
        extranonce1: Extranonce,
        /// How many bytes are the machine's, 1 to 32.
        extranonce2_len: usize,
    },
    /// The version bits that may be rolled; 0 for none.
    VersionMask(u32),
    /// The pool has judged a share.
    Verdict {
        /// The share's ticket.
        ticket: u64,
        /// Accepted, or refused and why.
        verdict: Result<(), Refusal>,
    },
    /// A share will get no verdict.
    Lost {
        /// The share's ticket.
        ticket: u64,
        /// Why.
        why: Lost,
    },
    /// The pool asks to come back, here or elsewhere. See [`Reconnect::stays_with`].
    Reconnect(Reconnect),
    /// A text of the pool for people, at most 500 characters.
    ShowMessage(String),
    /// The pool answered a ping.
    Pong,
    /// The pool said something that was not understood; the session goes on.
    Protocol(MessageError),
    /// Close the connection, then give [`Input::Closed`].
    Close(Close),
}

/// What a pool has said over one connection, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Lines heard, empty ones apart.
    pub lines: u64,
    /// Lines that were no message, or over the limit.
    pub malformed: u64,
    /// Replies to no request of ours, a second one to the same request included.
    pub unmatched: u64,
}

/// Why a share gets no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Lost {
    /// It was not sent: no worker is authorised yet, or the connection is closed.
    #[error("the pool was not ready for shares")]
    NotReady,
    /// It was not sent: too many shares wait for their verdict.
    #[error("too many shares wait for the pool's verdict")]
    TooManyInFlight,
    /// It was sent, and the connection closed before the verdict.
    #[error("the connection closed before the pool's verdict")]
    Closed,
}

/// Why a session closes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Close {
    /// Too many malformed lines in a row.
    #[error("the pool sent {count} malformed lines in a row, the last: {last}")]
    Malformed {
        /// How many.
        count: u32,
        /// What was wrong with the last one.
        last: MessageError,
    },
    /// The pool refused `mining.subscribe` in every form.
    #[error("the pool refused the subscription: {0}")]
    SubscribeRefused(Refusal),
    /// The pool's answer to `mining.subscribe` cannot be used.
    #[error("the pool's subscription cannot be used: {0}")]
    SubscribeUnfit(MessageError),
}
