use std::{fmt, sync::Arc, time::Duration};

use sl_chain::coins::Ticker;
use sl_ports::http::HttpError;
use thiserror::Error;

/// Which node: its coin and its address, without credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeName {
    /// The coin it is a node of.
    pub coin: Ticker,
    /// Its URL without name, password and query.
    pub url: Arc<str>,
}

impl NodeName {
    /// A name from a URL as it is configured.
    #[must_use]
    pub fn new(coin: Ticker, url: &str) -> Self {
        let plain = url.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = plain.split_once("://").unwrap_or(("http", plain));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        Self { coin, url: format!("{scheme}://{host}{path}").into() }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} node at {}", self.coin, self.url)
    }
}

/// What is wrong with a node, by name.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{node}: {fault}")]
pub struct NodeError {
    /// The node.
    pub node: NodeName,
    /// What is wrong.
    pub fault: NodeFault,
}

/// What is wrong with a node.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NodeFault {
    /// No connection, or one that broke.
    #[error("{reason}; hint: is the node running with server=1, and is its RPC port this one?")]
    Unreachable {
        /// What happened.
        reason: String,
        /// Whether the node may have seen the call.
        may_have_acted: bool,
    },
    /// The address cannot be used.
    #[error("{0}; hint: give a URL such as http://127.0.0.1:9332")]
    BadUrl(String),
    /// No whole answer in time. The node may have acted on the call.
    #[error(
        "no answer to {method} within {after:?}; hint: the node is overloaded or stuck, its debug.log says which"
    )]
    Slow {
        /// The call.
        method: &'static str,
        /// The time it had.
        after: Duration,
    },
    /// HTTP 401.
    #[error(
        "it refuses the user {user:?} or the password; hint: they must be rpcuser and rpcpassword (or rpcauth) of the node's configuration"
    )]
    Unauthorised {
        /// The user that was given.
        user: String,
    },
    /// HTTP 403.
    #[error(
        "it takes no calls from this machine; hint: add its address as rpcallowip to the node's configuration"
    )]
    Forbidden,
    /// The node has no such call (JSON-RPC −32601).
    #[error("it knows no {method}; hint: the daemon is too old, or not one of this coin")]
    NoSuchMethod {
        /// The call.
        method: &'static str,
    },
    /// The node answers with an error of its own.
    #[error("{method} answers error {code}: {message}{}", cure(*.code))]
    Rpc {
        /// The call.
        method: &'static str,
        /// The node's error number.
        code: i64,
        /// The node's words, cut to 300 characters.
        message: String,
    },
    /// An answer that is none.
    #[error(
        "{method}: {nonsense}; hint: is this the RPC port of such a node, and the daemon a supported one?"
    )]
    Nonsense {
        /// The call.
        method: &'static str,
        /// What was found.
        nonsense: Nonsense,
    },
}

impl NodeFault {
    /// Whether the connection failed rather than the call: it may go through when tried again.
    #[must_use]
    pub const fn is_connection(&self) -> bool {
        // −28: the node still starts.
        matches!(self, Self::Unreachable { .. } | Self::Slow { .. } | Self::Rpc { code: -28, .. })
    }

    pub(crate) fn from_http(error: &HttpError, method: &'static str) -> Self {
        match error {
            HttpError::TimedOut { after, .. } => Self::Slow { method, after: *after },
            HttpError::Malformed { .. } | HttpError::TooLarge { .. } => {
                Self::Nonsense { method, nonsense: Nonsense(error.to_string()) }
            }
            HttpError::BadUrl { .. } | HttpError::BadHeader { .. } => {
                Self::BadUrl(error.to_string())
            }
            HttpError::Refused { .. } => {
                Self::Unreachable { reason: "connection refused".into(), may_have_acted: false }
            }
            HttpError::Unreachable { reason, .. } => {
                Self::Unreachable { reason: reason.clone(), may_have_acted: false }
            }
            HttpError::Closed { reason, .. } => Self::Unreachable {
                reason: format!("connection closed before the answer: {reason}"),
                may_have_acted: true,
            },
        }
    }
}

/// What to do about an error of the node's own, where its number tells.
const fn cure(code: i64) -> &'static str {
    match code {
        -9 => "; hint: the node needs at least one peer before it gives templates",
        -10 => "; hint: the node still downloads the chain",
        -12 => "; hint: the node's wallet has no address left to pay to",
        -28 => "; hint: the node is still starting",
        _ => "",
    }
}

/// An answer that cannot be used: what was found and what was wanted.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("the answer makes no sense: {0}")]
pub struct Nonsense(pub(crate) String);

impl Nonsense {
    pub(crate) fn field(name: &str, found: impl fmt::Display, allowed: &str) -> Self {
        Self(format!("{name}: found {found}, allowed is {allowed}"))
    }
}

/// Foreign text made fit for a message: no control characters, at most `longest` characters.
pub(crate) fn excerpt(text: &str, longest: usize) -> String {
    let mut shown: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect();
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}
