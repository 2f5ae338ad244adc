//! Shared test instruments: a scripted RPC peer, real daemons started for a test, recorded data.
//!
//! For: the tests of other crates, as a development dependency. [`contract`] is the one suite that
//! every source of work must pass. The peer is a script of the test
//! that uses it, and shares nothing with `sl-simnode`, so that no mistake agrees with itself.
//!
//! Not for: the program. Everything here may panic, as tests do.
//!
//! ```
//! use sl_testkit::peer::{Answer, Peer};
//! use std::io::{Read, Write};
//!
//! let peer = Peer::start(|call| match call.method.as_str() {
//!     "getblockcount" => Answer::result(26),
//!     _ => Answer::error(404, -32601, "Method not found"),
//! });
//! let mut stream = std::net::TcpStream::connect(peer.address()).expect("it listens");
//! let body = r#"{"jsonrpc":"1.0","id":1,"method":"getblockcount","params":[]}"#;
//! write!(stream, "POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
//!     .expect("written");
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer).expect("an answer");
//! assert!(answer.ends_with(r#"{"error":null,"id":1,"result":26}"#), "{answer}");
//! assert_eq!(peer.calls()[0].method, "getblockcount");
//! ```
#![forbid(unsafe_code)]

pub mod contract;
mod http;
pub mod litecoind;
pub mod machines;
pub mod peer;
pub mod proxy;
pub mod scripted;
pub mod toy;

use std::path::{Path, PathBuf};

/// The folder of recorded data, at the root of the repository.
#[must_use]
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// A recorded text of [`testdata`].
///
/// # Panics
/// There is no such file.
#[must_use]
pub fn recorded(path: &str) -> String {
    let path = testdata().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
