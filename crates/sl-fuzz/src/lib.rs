//! The doors through which foreign bytes come in, each as a function of bytes that asserts what must
//! hold whatever they are.
//!
//! For: the fuzzer's targets in `fuzz/`, which are one line each, and the test of this crate, which
//! feeds the same doors with recorded conversations, damaged in many ways, in every `cargo test`.
//!
//! Not for: the product. A door panics when what it asserts does not hold: that is its finding.
//!
//! ```
//! for door in sl_fuzz::DOORS {
//!     (door.enter)(b"PROXY TCP4 203.0.113.9 10.0.0.2 56324 3333\r\n{\"id\":1}\n");
//! }
//! ```
#![forbid(unsafe_code)]

mod headers;
mod jobs;
mod logins;
mod messages;
mod sessions;

pub use headers::proxy_header;
pub use jobs::journal_job;
pub use logins::{password_wishes, pool_address, pool_login};
pub use messages::{client_bound, json_shape, lines, server_bound};
pub use sessions::{client_session, server_session};

/// One door.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// Its name, which is the fuzz target's.
    pub name: &'static str,
    /// What it does with bytes. It panics when what it asserts does not hold.
    pub enter: fn(&[u8]),
}

/// All doors.
pub const DOORS: &[Door] = &[
    Door { name: "proxy_header", enter: proxy_header },
    Door { name: "stratum_lines", enter: lines },
    Door { name: "stratum_server_bound", enter: server_bound },
    Door { name: "stratum_client_bound", enter: client_bound },
    Door { name: "stratum_server_session", enter: server_session },
    Door { name: "stratum_client_session", enter: client_session },
    Door { name: "json_shape", enter: json_shape },
    Door { name: "journal_job", enter: journal_job },
    Door { name: "pool_address", enter: pool_address },
    Door { name: "pool_login", enter: pool_login },
    Door { name: "password_wishes", enter: password_wishes },
];

/// Cuts bytes into two pieces at a place that their first bytes choose.
pub(crate) fn cut(bytes: &[u8]) -> [&[u8]; 2] {
    let choice = bytes.iter().take(4).fold(0, |sum: usize, byte| sum * 31 + usize::from(*byte));
    let (head, tail) = bytes.split_at_checked(choice % (bytes.len() + 1)).unwrap_or((bytes, &[]));
    [head, tail]
}
