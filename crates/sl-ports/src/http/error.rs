//! What can go wrong with a request, sorted by what its caller may do about it.

use std::error::Error;
use std::io;
use std::time::Duration;

/// Why a request has no answer. Every case names the URL, without credentials and query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Nobody listens there.
    #[error("connection to {url} refused: is the server running, and is the port right?")]
    Refused {
        /// The URL.
        url: String,
    },
    /// The server cannot be reached: no such host, no route, no connection in time.
    #[error("cannot connect to {url}: {reason}")]
    Unreachable {
        /// The URL.
        url: String,
        /// What the operating system answered.
        reason: String,
    },
    /// No whole answer within the request's time. The server may have acted on it.
    #[error("no answer from {url} within {after:?}")]
    TimedOut {
        /// The URL.
        url: String,
        /// The time allowed.
        after: Duration,
    },
    /// The answer is longer than the request allows.
    #[error("the answer of {url} is longer than the {max_body} bytes allowed")]
    TooLarge {
        /// The URL.
        url: String,
        /// The bytes allowed.
        max_body: usize,
    },
    /// The server does not speak HTTP, or breaks it.
    #[error("the answer of {url} is not HTTP: {reason}")]
    Malformed {
        /// The URL.
        url: String,
        /// What the parser found.
        reason: String,
    },
    /// The connection closed before the whole answer. The server may have acted on the request.
    #[error("{url} closed the connection before its answer was whole: {reason}")]
    Closed {
        /// The URL.
        url: String,
        /// What is known of it.
        reason: String,
    },
    /// The URL cannot be used; nothing was sent.
    #[error("cannot use the URL {url}: {reason}")]
    BadUrl {
        /// The URL.
        url: String,
        /// Why not.
        reason: &'static str,
    },
    /// A header cannot be sent; nothing was sent.
    #[error("the header {name} of a request to {url} holds bytes that HTTP forbids")]
    BadHeader {
        /// The URL.
        url: String,
        /// The header's name.
        name: String,
    },
}

impl HttpError {
    /// Whether the server may have seen the request: a submission must then be looked up before it
    /// is sent again.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::BadUrl { .. }
            | Self::BadHeader { .. } => false,
            Self::TimedOut { .. }
            | Self::TooLarge { .. }
            | Self::Malformed { .. }
            | Self::Closed { .. } => true,
        }
    }
}

/// Sorts an error of the client by the causes in its chain.
pub(super) fn classify(
    url: &str,
    connect_timeout: Duration,
    error: &(dyn Error + 'static),
) -> HttpError {
    let url = url.to_owned();
    let connecting = error
        .downcast_ref::<hyper_util::client::legacy::Error>()
        .is_some_and(hyper_util::client::legacy::Error::is_connect);
    let chain = || std::iter::successors(Some(error), |&error| error.source());
    let io = chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    let reason = chain().last().map(ToString::to_string).unwrap_or_default();
    if connecting {
        return match io.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => HttpError::Refused { url },
            Some(io::ErrorKind::TimedOut) => HttpError::Unreachable {
                url,
                reason: format!("no connection within {connect_timeout:?}"),
            },
            _ => HttpError::Unreachable { url, reason },
        };
    }
    let parse = chain()
        .filter_map(|cause| cause.downcast_ref::<hyper::Error>())
        .any(|cause| cause.is_parse() || cause.is_parse_too_large());
    if parse { HttpError::Malformed { url, reason } } else { HttpError::Closed { url, reason } }
}
