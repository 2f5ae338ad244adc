//! Version 1: one line of text.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use super::{Header, Needed, Origin, ProxyError, Tlvs};

pub(super) const SIGNATURE: [u8; 5] = *b"PROXY";
/// The longest line, CRLF included: two IPv6 addresses in full after `UNKNOWN`.
pub(super) const MAX_LINE: usize = 107;

/// Bytes are taken one by one, so that none after the line's end is.
pub(super) fn needed(held: &[u8]) -> Result<Needed, ProxyError> {
    match held {
        [.., b'\r', b'\n'] => Ok(Needed::Nothing),
        [.., b'\n'] => Err(wrong("the end of the line", "CR and LF")),
        _ if held.len() >= MAX_LINE => Err(ProxyError::LineTooLong),
        _ => Ok(Needed::Bytes(1)),
    }
}

pub(super) fn parse(line: &[u8]) -> Result<Header, ProxyError> {
    let line = line.strip_suffix(b"\r\n").unwrap_or(line);
    let text = std::str::from_utf8(line).ok().filter(|text| text.is_ascii());
    let mut words = text.ok_or_else(|| wrong("the line", "US-ASCII"))?.split(' ');
    if words.next() != Some("PROXY") {
        return Err(wrong("what follows PROXY", "one space"));
    }
    let origin = match words.next() {
        Some("UNKNOWN") => Origin::Unknown,
        Some("TCP4") => inet(words, IpAddr::is_ipv4)?,
        Some("TCP6") => inet(words, IpAddr::is_ipv6)?,
        _ => return Err(wrong("the protocol", "TCP4, TCP6 or UNKNOWN")),
    };
    Ok(Header { version: 1, origin, tlvs: Tlvs::default() })
}

fn inet<'a>(
    mut words: impl Iterator<Item = &'a str>,
    of_family: impl Fn(&IpAddr) -> bool,
) -> Result<Origin, ProxyError> {
    let mut address = |field| {
        let parsed = words.next().and_then(|word| IpAddr::from_str(word).ok());
        parsed.filter(&of_family).ok_or_else(|| wrong(field, "an address of the protocol's family"))
    };
    let (source, destination) =
        (address("the source address")?, address("the destination address")?);
    let mut port = |field| {
        let parsed = words.next().and_then(port);
        parsed.ok_or_else(|| wrong(field, "0 to 65535 without leading zeros"))
    };
    let (from, to) = (port("the source port")?, port("the destination port")?);
    if words.next().is_some() {
        return Err(wrong("what follows the ports", "CR and LF"));
    }
    Ok(Origin::Inet {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
        datagrams: false,
    })
}

fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let leading = word.len() > 1 && word.starts_with('0');
    if plain && !leading { word.parse().ok() } else { None }
}

const fn wrong(field: &'static str, allowed: &'static str) -> ProxyError {
    ProxyError::Field { version: 1, field, allowed }
}
