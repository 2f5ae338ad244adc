//! Version 2: bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, MAX_HEADER, Needed, Origin, ProxyError};

pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
const FIXED: usize = 16;

const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 1;
const AF_INET6: u8 = 2;
const AF_UNIX: u8 = 3;
const UNSPEC: u8 = 0;
const DGRAM: u8 = 2;

const CRC32C: u8 = 0x03;
const UNIQUE_ID: u8 = 0x05;

/// What version 2 says beyond the addresses: a list of types and values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tlvs(Vec<u8>);

/// One type and its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tlv<'a> {
    /// The type: 0x01 ALPN, 0x02 authority, 0x03 CRC32c, 0x04 filling, 0x05 unique id, 0x20 TLS,
    /// 0x30 network namespace, 0xE0 to 0xEF the balancer's own.
    pub kind: u8,
    /// The value.
    pub value: &'a [u8],
}

impl Tlvs {
    /// All of them, in the header's order, those of unknown types too.
    pub fn iter(&self) -> impl Iterator<Item = Tlv<'_>> {
        Scan(&self.0).map_while(Result::ok)
    }

    /// The first of a type.
    #[must_use]
    pub fn get(&self, kind: u8) -> Option<&[u8]> {
        self.iter().find(|tlv| tlv.kind == kind).map(|tlv| tlv.value)
    }
}

/// Cuts bytes into types and values; an error is the last item.
struct Scan<'a>(&'a [u8]);

impl<'a> Iterator for Scan<'a> {
    type Item = Result<Tlv<'a>, ProxyError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, value, rest) = match self.0 {
            [] => return None,
            [kind, high, low, rest @ ..] => {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                match rest.split_at_checked(len) {
                    Some((value, rest)) => (*kind, value, rest),
                    None => return self.broken(),
                }
            }
            _ => return self.broken(),
        };
        self.0 = rest;
        Some(Ok(Tlv { kind, value }))
    }
}

impl Scan<'_> {
    fn broken<T>(&mut self) -> Option<Result<T, ProxyError>> {
        self.0 = &[];
        Some(Err(wrong("a type-length-value", "one that ends within the header")))
    }
}

pub(super) fn needed(held: &[u8]) -> Result<Needed, ProxyError> {
    let Some((fixed, _)) = held.split_first_chunk::<FIXED>() else {
        return Ok(Needed::Bytes(FIXED - held.len()));
    };
    let [.., version_command, _, high, low] = *fixed;
    // Said before the rest is waited for.
    if version_command >> 4 != 2 {
        return Err(wrong("the version", "2"));
    }
    let whole = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if whole > MAX_HEADER {
        return Err(ProxyError::TooLong { found: whole });
    }
    match whole.saturating_sub(held.len()) {
        0 => Ok(Needed::Nothing),
        missing => Ok(Needed::Bytes(missing)),
    }
}

pub(super) fn parse(header: &[u8]) -> Result<Header, ProxyError> {
    let cut = || wrong("the header", "16 bytes and what its length says");
    let (fixed, body) = header.split_first_chunk::<FIXED>().ok_or_else(cut)?;
    let [.., version_command, family_protocol, _, _] = *fixed;
    let bare = |origin| Ok(Header { version: 2, origin, tlvs: Tlvs::default() });
    match version_command & 0x0f {
        // The family and all that follows is to be ignored.
        0 => return bare(Origin::Local),
        1 => {}
        _ => return Err(wrong("the command", "0 LOCAL or 1 PROXY")),
    }
    let (family, protocol) = (family_protocol >> 4, family_protocol & 0x0f);
    if protocol > DGRAM {
        return Err(wrong("the protocol", "0 UNSPEC, 1 STREAM or 2 DGRAM"));
    }
    let datagrams = protocol == DGRAM;
    let (origin, rest) = match family {
        AF_UNSPEC => return bare(Origin::Unknown),
        AF_INET => inet::<4>(body, datagrams, |bytes| Ipv4Addr::from(bytes).into())?,
        AF_INET6 => inet::<16>(body, datagrams, |bytes| Ipv6Addr::from(bytes).into())?,
        AF_UNIX => unix(body)?,
        _ => return Err(wrong("the address family", "0 UNSPEC, 1 INET, 2 INET6 or 3 UNIX")),
    };
    let mut scan = Scan(rest);
    while let Some(tlv) = scan.next() {
        check(tlv?, header, header.len().saturating_sub(scan.0.len()))?;
    }
    let origin = if protocol == UNSPEC { Origin::Unknown } else { origin };
    Ok(Header { version: 2, origin, tlvs: Tlvs(rest.to_vec()) })
}

fn inet<const N: usize>(
    body: &[u8],
    datagrams: bool,
    address: impl Fn([u8; N]) -> IpAddr,
) -> Result<(Origin, &[u8]), ProxyError> {
    let read = || {
        let (source, rest) = body.split_first_chunk::<N>()?;
        let (destination, rest) = rest.split_first_chunk::<N>()?;
        let (from, rest) = rest.split_first_chunk::<2>()?;
        let (to, rest) = rest.split_first_chunk::<2>()?;
        let at = |bytes: &[u8; N], port: &[u8; 2]| {
            SocketAddr::new(address(*bytes), u16::from_be_bytes(*port))
        };
        let (source, destination) = (at(source, from), at(destination, to));
        Some((Origin::Inet { source, destination, datagrams }, rest))
    };
    read().ok_or_else(|| wrong("the length", "at least 12 bytes for IPv4, 36 for IPv6"))
}

fn unix(body: &[u8]) -> Result<(Origin, &[u8]), ProxyError> {
    let read = || {
        let (source, rest) = body.split_first_chunk::<108>()?;
        let (destination, rest) = rest.split_first_chunk::<108>()?;
        let path =
            |bytes: &[u8; 108]| bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        Some((Origin::Unix { source: path(source), destination: path(destination) }, rest))
    };
    read().ok_or_else(|| wrong("the length", "at least 216 bytes for Unix sockets"))
}

/// Checks what can be: `end` is where the value ends in the header.
fn check(tlv: Tlv<'_>, header: &[u8], end: usize) -> Result<(), ProxyError> {
    match tlv.kind {
        UNIQUE_ID if tlv.value.len() > 128 => Err(wrong("the unique id", "at most 128 bytes")),
        CRC32C => {
            let Ok(stated) = <[u8; 4]>::try_from(tlv.value) else {
                return Err(wrong("the CRC32c", "4 bytes"));
            };
            let found = u32::from_be_bytes(stated);
            // The sum is taken with its own field as zeros.
            let own = end.saturating_sub(4)..end;
            let bytes = header.iter().enumerate();
            let zeroed = bytes.map(|(at, byte)| if own.contains(&at) { 0 } else { *byte });
            let expected = crc32c(zeroed);
            if found == expected { Ok(()) } else { Err(ProxyError::Checksum { found, expected }) }
        }
        _ => Ok(()),
    }
}

/// CRC-32C (Castagnoli), reflected, as RFC 4960 appendix B has it. Headers are short: bit by bit.
pub(super) fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

const fn wrong(field: &'static str, allowed: &'static str) -> ProxyError {
    ProxyError::Field { version: 2, field, allowed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32C, and RFC 3720 appendix B.4: 32 bytes of zeros, of ones.
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
        assert_eq!(crc32c([0; 32].into_iter()), 0x8a91_36aa);
        assert_eq!(crc32c([0xff; 32].into_iter()), 0x62a8_ab43);
    }
}
