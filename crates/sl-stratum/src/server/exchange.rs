//! What goes into the pool's end of a connection, and what comes out.

use bytes::Bytes;
use serde_json::Value;
use sl_units::ShareDifficulty;
use thiserror::Error;

use crate::{
    Extranonce, Id, Line, MessageError, Password, Reconnect, Refusal, Submit, Subscribe,
    Subscription,
};

/// What all sessions of a gateway have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The answer to `client.get_version`.
    pub version: String,
    /// The version bits that machines may roll; 0 for none, which merged mining demands.
    pub version_mask: u32,
    /// The most workers that one connection may authorise.
    pub max_users: usize,
    /// After so many malformed lines in a row the session closes.
    pub max_malformed: u32,
    /// The longest line in bytes before the first worker is authorised.
    pub line_limit_before: usize,
    /// The longest line in bytes afterwards.
    pub line_limit_after: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: concat!("silverlode/", env!("CARGO_PKG_VERSION")).into(),
            version_mask: 0,
            max_users: 256,
            max_malformed: 10,
            line_limit_before: 4 * 1024,
            line_limit_after: 8 * 1024,
        }
    }
}

/// What goes into a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// A line from the machine.
    Line(Line<'a>),
    /// The owner's answer to [`Output::Subscribe`]; a refusal is passed on, then the session
    /// closes.
    Welcome(Result<Welcome, Refusal>),
    /// The owner's answer to [`Output::Authorize`].
    Authorized {
        /// The id that came with it.
        id: Id,
        /// The user that came with it.
        user: String,
        /// Whether shares of this user are taken.
        verdict: Result<(), Refusal>,
    },
    /// Work at a difficulty, which counts from this job on.
    Job {
        /// [`Notify::to_line`](crate::Notify::to_line), the same bytes for every machine.
        notify: Bytes,
        /// The difficulty at which shares of this job are checked.
        difficulty: ShareDifficulty,
    },
    /// Ask the machine to come back, here or elsewhere.
    Reconnect(Reconnect),
    /// A text for the machine's log.
    ShowMessage(String),
    /// Ask for the machine's program and version; see [`Output::Version`].
    AskVersion,
    /// Ask for a sign of life; see [`Output::Pong`]. Few machines know it.
    Ping,
}

/// What comes out of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A line to be sent, newline included.
    Send(Bytes),
    /// The machine wants to subscribe: answer with [`Input::Welcome`].
    Subscribe(Subscribe),
    /// The machine wants shares of this user to count: answer with [`Input::Authorized`].
    Authorize {
        /// To be given back.
        id: Id,
        /// The worker's name, 1 to 256 bytes.
        user: String,
        /// The password.
        password: Password,
    },
    /// The machine is subscribed and authorised; it needs a job. Comes once.
    Ready,
    /// A share to be checked: answer with [`Session::answer`](super::Session::answer).
    Share {
        /// To be given back.
        id: Id,
        /// The share; its extranonce2 has the right length, its user is authorised.
        submit: Submit,
    },
    /// The machine would like this difficulty.
    SuggestedDifficulty(ShareDifficulty),
    /// The machine was promised (BIP310) that its difficulty never falls below this one.
    MinimumDifficulty(ShareDifficulty),
    /// The machine's program and version, at most 128 characters.
    Version(String),
    /// The machine answered a ping.
    Pong,
    /// Send what came before, then close the connection. Nothing comes after.
    Close(Close),
}

/// Why a session closes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Close {
    /// A line over the limit.
    #[error("a line was longer than {limit} bytes")]
    Oversized {
        /// The limit in bytes.
        limit: usize,
    },
    /// Too many malformed lines in a row.
    #[error("{count} malformed lines in a row, the last: {last}")]
    Malformed {
        /// How many.
        count: u32,
        /// What was wrong with the last one.
        last: MessageError,
    },
    /// The owner refused the subscription.
    #[error("the subscription was refused: {0}")]
    Refused(Refusal),
}

/// What a machine is told when it subscribes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The id by which a later connection may resume this one, at most 128 characters.
    pub session_id: String,
    /// The slot: 4 to 8 bytes suit every machine known.
    pub extranonce1: Extranonce,
    /// How many bytes are the machine's: 4 suit every machine known, and 2 to 8 most.
    pub extranonce2_len: usize,
}

/// What a session has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Lines from the machine, oversized and empty ones included.
    pub lines: u64,
    /// Lines that could not be understood, oversized ones included.
    pub malformed: u64,
    /// Requests with a method that is not supported.
    pub unsupported: u64,
    /// Shares handed to the owner.
    pub shares: u64,
    /// Shares that the owner granted.
    pub accepted: u64,
    /// Shares refused, by the owner or here, by code: 20, 21, … 25.
    pub refused: [u64; 6],
}

impl Welcome {
    pub(super) fn to_value(&self) -> Value {
        Subscription {
            session: Some(self.session_id.clone()),
            extranonce1: self.extranonce1,
            extranonce2_len: self.extranonce2_len,
        }
        .to_value()
    }
}
