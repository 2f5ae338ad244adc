//! Whom a balancer speaks for: the PROXY protocol, versions 1 and 2.
//!
//! A balancer in front of the gateway opens each connection with a header that names the client.
//! Only peers on the trust list are believed. The header of anybody else is refused, because with it
//! he could take any address he likes, and so escape his ban or have another banned.
//!
//! Source: HAProxy, `doc/proxy-protocol.txt`, sections 2.1 and 2.2, read at commit 00be3584.
//!
//! ```
//! use sl_guard::proxy_protocol::{Fed, HeaderReader, Missing, Trust};
//!
//! let trust = Trust { balancers: vec!["10.0.0.1".parse()?], missing: Missing::Refuse };
//! let mut reader = HeaderReader::new(trust.expect_of([10, 0, 0, 1].into()));
//! let mut bytes: &[u8] = b"PROXY TCP4 203.0.113.9 10.0.0.2 56324 3333\r\n{\"id\":1}\n";
//! let Ok(Fed::Header(header)) = reader.feed(&mut bytes) else { panic!("a header") };
//! assert_eq!(header.client().map(|it| it.to_string()), Some("203.0.113.9:56324".to_owned()));
//! assert_eq!(bytes, b"{\"id\":1}\n", "the rest is the client's");
//! # Ok::<(), sl_guard::NetworkError>(())
//! ```

mod v1;
mod v2;

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

use crate::Network;

pub use v2::{Tlv, Tlvs};

/// The longest header that is read, in bytes. Version 2 allows 65,551; real ones with a client's
/// certificate name stay under this.
pub const MAX_HEADER: usize = 4096;

/// Who may say on whose behalf it connects.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trust {
    /// The balancers.
    pub balancers: Vec<Network>,
    /// What a balancer's connection without a header is.
    pub missing: Missing,
}

/// What a connection of a balancer without a header is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Missing {
    /// Refused. The specification asks for this.
    #[default]
    Refuse,
    /// The balancer's own, as of a machine on the same host.
    Allow,
}

/// What is expected of a connection's first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// A header, or it is refused.
    Header,
    /// A header or none.
    Either,
    /// No header; one is refused.
    None,
}

impl Trust {
    /// What is expected of a connection from this peer, which is the address that the operating
    /// system reports.
    #[must_use]
    pub fn expect_of(&self, peer: IpAddr) -> Expect {
        match (self.balancers.iter().any(|it| it.contains(peer)), self.missing) {
            (false, _) => Expect::None,
            (true, Missing::Refuse) => Expect::Header,
            (true, Missing::Allow) => Expect::Either,
        }
    }
}

/// A header that was read whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// 1 or 2.
    pub version: u8,
    /// On whose behalf the balancer connects.
    pub origin: Origin,
    /// What version 2 says beyond the addresses.
    pub tlvs: Tlvs,
}

impl Header {
    /// The client's address, where the header names one. Without one the client is the balancer
    /// itself, or unknown, and the connection's own address holds.
    #[must_use]
    pub const fn client(&self) -> Option<SocketAddr> {
        match self.origin {
            Origin::Inet { source, .. } => Some(source),
            Origin::Local | Origin::Unknown | Origin::Unix { .. } => None,
        }
    }
}

/// On whose behalf a balancer connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Its own: a health check (version 2 `LOCAL`).
    Local,
    /// Somebody whose address it does not know (version 1 `UNKNOWN`, version 2 `UNSPEC`).
    Unknown,
    /// A client over IPv4 or IPv6.
    Inet {
        /// The client's address and port.
        source: SocketAddr,
        /// The address and port that it connected to.
        destination: SocketAddr,
        /// Whether it came in datagrams (UDP) and not in a stream (TCP).
        datagrams: bool,
    },
    /// A client over a Unix socket. The paths are those of the header, up to their first zero byte;
    /// they need not be text.
    Unix {
        /// The client's path, often empty; at most 108 bytes.
        source: Vec<u8>,
        /// The path that it connected to; at most 108 bytes.
        destination: Vec<u8>,
    },
}

/// Why a connection is refused for its header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProxyWhy {
    /// A header from one who is not trusted.
    Untrusted,
    /// No header from a balancer that must send one.
    Missing,
    /// A header that breaks its specification.
    Malformed,
    /// A header over [`MAX_HEADER`], or a line over 107 bytes in version 1.
    TooLong,
    /// A checksum that is wrong.
    Checksum,
}

impl ProxyWhy {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 5] =
        [Self::Untrusted, Self::Missing, Self::Malformed, Self::TooLong, Self::Checksum];

    /// The reason in one word for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::Checksum => "checksum",
        }
    }
}

/// What is wrong with a connection's first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ProxyError {
    /// A header from one who is not trusted.
    #[error(
        "a PROXY header from a peer that is no balancer; add its address to the balancers if it is one"
    )]
    Untrusted,
    /// No header from a balancer that must send one.
    #[error(
        "no PROXY header from a balancer; switch it on there (send-proxy in HAProxy), or allow it to be missing"
    )]
    Missing,
    /// A line over the limit of version 1.
    #[error("PROXY version 1: no CRLF in the first {} bytes", v1::MAX_LINE)]
    LineTooLong,
    /// A header over the limit.
    #[error("PROXY version 2: {found} bytes, at most {MAX_HEADER} are read")]
    TooLong {
        /// What the header says of its length, itself included.
        found: usize,
    },
    /// A field that breaks the specification.
    #[error("PROXY version {version}: {field} is wrong, allowed: {allowed}")]
    Field {
        /// 1 or 2.
        version: u8,
        /// The field.
        field: &'static str,
        /// What would have been right.
        allowed: &'static str,
    },
    /// A checksum that is wrong.
    #[error("PROXY version 2: CRC32c {found:08x} of a header with {expected:08x}")]
    Checksum {
        /// What the header says.
        found: u32,
        /// What its bytes give.
        expected: u32,
    },
}

impl ProxyError {
    /// The reason under which it is counted.
    #[must_use]
    pub const fn why(self) -> ProxyWhy {
        match self {
            Self::Untrusted => ProxyWhy::Untrusted,
            Self::Missing => ProxyWhy::Missing,
            Self::LineTooLong | Self::TooLong { .. } => ProxyWhy::TooLong,
            Self::Field { .. } => ProxyWhy::Malformed,
            Self::Checksum { .. } => ProxyWhy::Checksum,
        }
    }
}

/// What a reader has made of the bytes so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fed {
    /// The header is not whole yet.
    More,
    /// The header; what is left of the input comes after it.
    Header(Header),
    /// There is no header. These bytes were taken before that was clear; they come before what is
    /// left of the input.
    Absent(Vec<u8>),
}

/// Reads the header off the front of a connection, however its bytes are cut.
///
/// ```text
///              ┌── 0D ──▶ signature of version 2 ──▶ 16 bytes ──▶ length ──▶ Header
///   first byte ┼── 'P' ─▶ "PROXY" ──▶ to CRLF, at most 107 bytes ─────────▶ Header
///              └── other, and where a signature breaks off ───────────────▶ Absent
/// ```
///
/// It holds at most [`MAX_HEADER`] bytes, and none of what follows the header. Time is not its
/// business: the connection's time to authorise covers the header as well.
#[derive(Debug)]
pub struct HeaderReader {
    expect: Expect,
    held: Vec<u8>,
    done: bool,
}

impl HeaderReader {
    /// A reader at the start of a connection.
    #[must_use]
    pub const fn new(expect: Expect) -> Self {
        Self { expect, held: Vec::new(), done: false }
    }

    /// Takes what it needs off the front of the input. After the header, or after there was none,
    /// it takes nothing more.
    ///
    /// # Errors
    /// The header is not allowed, is missing, or breaks its specification: end the connection.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Fed, ProxyError> {
        if self.done {
            return Ok(Fed::Absent(Vec::new()));
        }
        loop {
            let needed = match self.needed()? {
                Needed::Bytes(needed) => needed,
                Needed::Nothing => return self.parse(),
                Needed::NoHeader => return self.absent(),
            };
            let Some((taken, rest)) = input.split_at_checked(needed.min(input.len())) else {
                return Ok(Fed::More);
            };
            if taken.is_empty() {
                return Ok(Fed::More);
            }
            self.held.extend_from_slice(taken);
            *input = rest;
        }
    }

    /// How many bytes can be taken without taking what is not the header's.
    fn needed(&self) -> Result<Needed, ProxyError> {
        let version =
            match (is_begun(&self.held, &v1::SIGNATURE), is_begun(&self.held, &v2::SIGNATURE)) {
                (Begun::Whole, _) => 1,
                (_, Begun::Whole) => 2,
                (Begun::Broken, Begun::Broken) => return Ok(Needed::NoHeader),
                _ => return Ok(Needed::Bytes(1)),
            };
        if self.expect == Expect::None {
            return Err(ProxyError::Untrusted);
        }
        if version == 1 { v1::needed(&self.held) } else { v2::needed(&self.held) }
    }

    fn parse(&mut self) -> Result<Fed, ProxyError> {
        self.done = true;
        let held = std::mem::take(&mut self.held);
        let header =
            if held.starts_with(&v1::SIGNATURE) { v1::parse(&held) } else { v2::parse(&held) };
        header.map(Fed::Header)
    }

    fn absent(&mut self) -> Result<Fed, ProxyError> {
        self.done = true;
        match self.expect {
            Expect::Header => Err(ProxyError::Missing),
            Expect::Either | Expect::None => Ok(Fed::Absent(std::mem::take(&mut self.held))),
        }
    }
}

/// What a reader needs to go on.
enum Needed {
    /// At most so many bytes, at least one.
    Bytes(usize),
    /// The header is whole.
    Nothing,
    /// The bytes are no header.
    NoHeader,
}

/// How far the held bytes are a signature.
#[derive(PartialEq)]
enum Begun {
    Partly,
    Whole,
    Broken,
}

fn is_begun(held: &[u8], signature: &[u8]) -> Begun {
    if held.starts_with(signature) {
        Begun::Whole
    } else if signature.starts_with(held) {
        Begun::Partly
    } else {
        Begun::Broken
    }
}
