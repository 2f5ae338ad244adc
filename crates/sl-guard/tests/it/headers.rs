//! PROXY headers: what the specification allows and forbids, cut in any way, and any other bytes.

use std::net::SocketAddr;

use proptest::{collection::vec, prelude::*};
use sl_guard::proxy_protocol::{
    Expect, Fed, Header, HeaderReader, MAX_HEADER, Missing, Origin, ProxyError, ProxyWhy, Trust,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a reader makes of pieces: the outcome, and what it left for the protocol behind.
fn read(expect: Expect, pieces: &[&[u8]]) -> (Result<Fed, ProxyError>, Vec<u8>) {
    let mut reader = HeaderReader::new(expect);
    let mut outcome = Ok(Fed::More);
    let mut rest = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        if outcome == Ok(Fed::More) {
            outcome = reader.feed(&mut input);
            assert!(outcome != Ok(Fed::More) || input.is_empty(), "it waits with bytes at hand");
            if let Ok(Fed::Absent(held)) = &outcome {
                rest.extend_from_slice(held);
            }
        }
        rest.extend_from_slice(input);
    }
    (outcome, rest)
}

/// The same whole, byte by byte, and in every two pieces.
#[track_caller]
fn read_in_all_ways(expect: Expect, bytes: &[u8]) -> (Result<Fed, ProxyError>, Vec<u8>) {
    let whole = read(expect, &[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let mut ways = vec![read(expect, &single)];
    ways.extend((0..=bytes.len()).map(|at| read(expect, &[&bytes[..at], &bytes[at..]])));
    for (outcome, rest) in ways {
        assert_eq!(outcome, whole.0);
        if outcome.is_ok() {
            assert_eq!(rest, whole.1);
        }
    }
    whole
}

/// A header of a trusted balancer, with a client's bytes behind it: the origin as it prints, or a
/// part of the error.
#[track_caller]
fn check(header: &[u8], expect: Result<&str, &str>) {
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(b"{\"id\":1}\r\n");
    let (outcome, rest) = read_in_all_ways(Expect::Header, &bytes);
    match (outcome, expect) {
        (Ok(Fed::Header(header)), Ok(origin)) => {
            assert_eq!(print(&header), origin);
            assert_eq!(rest, b"{\"id\":1}\r\n", "nothing of the client's bytes is taken");
        }
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
        (outcome, _) => panic!("{outcome:?}, expected {expect:?}"),
    }
    // Whatever is cut off, the reader waits, or has refused already.
    for at in 0..header.len() {
        let (outcome, _) = read(Expect::Header, &[&header[..at]]);
        let waits = matches!(outcome, Ok(Fed::More));
        assert!(waits || (expect.is_err() && outcome.is_err()), "{at}: {outcome:?}");
    }
}

fn print(header: &Header) -> String {
    match &header.origin {
        Origin::Inet { source, destination, datagrams } => {
            let datagrams = if *datagrams { " udp" } else { "" };
            format!("{source} > {destination}{datagrams}")
        }
        Origin::Unix { source, destination } => {
            let text = String::from_utf8_lossy;
            format!("{:?} > {:?}", text(source), text(destination))
        }
        other => format!("{other:?}"),
    }
}

/// A header of version 2 with any length that is stated.
fn v2(version_command: u8, family_protocol: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short body").to_be_bytes();
    [SIGNATURE, &[version_command, family_protocol], &length, body].concat()
}

const INET: [u8; 12] = [203, 0, 113, 9, 10, 0, 0, 2, 0xdc, 0x04, 0x0d, 0x05];

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("a short value").to_be_bytes();
    [&[kind], &length[..], value].concat()
}

/// An independent CRC-32C: by table, as RFC 3720 describes it, most significant bit last.
fn crc32c(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256u32)
        .map(|at| {
            let mut value = at;
            for _ in 0..8 {
                value = if value % 2 == 1 { (value / 2) ^ 0x82f6_3b78 } else { value / 2 };
            }
            value
        })
        .collect();
    let fold = |crc: u32, byte: &u8| table[((crc ^ u32::from(*byte)) % 256) as usize] ^ (crc >> 8);
    !bytes.iter().fold(0xffff_ffff, fold)
}

#[test]
fn version_1_as_specified() {
    // The specification's own example, and its longest lines.
    check(
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        Ok("192.168.0.1:56324 > 192.168.0.11:443"),
    );
    check(
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        Ok("255.255.255.255:65535 > 255.255.255.255:65535"),
    );
    let long = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    check(
        format!("PROXY TCP6 {long} {long} 65535 65535\r\n").as_bytes(),
        Ok(&format!("[{long}]:65535 > [{long}]:65535")),
    );
    check(b"PROXY TCP6 2001:DB8::1 ::1 0 3333\r\n", Ok("[2001:db8::1]:0 > [::1]:3333"));
    check(b"PROXY UNKNOWN\r\n", Ok("Unknown"));
    let worst = format!("PROXY UNKNOWN {long} {long} 65535 65535\r\n");
    assert_eq!(worst.len(), 107);
    check(worst.as_bytes(), Ok("Unknown"));
    check(b"PROXY UNKNOWN anything at all\r\n", Ok("Unknown"));
}

#[test]
fn version_1_and_what_it_forbids() {
    let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(92));
    assert_eq!(long.len(), 108);
    for (line, part) in [
        (long.as_str(), "no CRLF in the first 107 bytes"),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", "allowed: CR and LF"),
        ("PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", "source address"),
        ("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", "source address"),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", "source address"),
        ("PROXY TCP6 ::1 1.2.3.4 1 2\r\n", "destination address"),
        ("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "source address"),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", "source port"),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", "destination port"),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", "source port"),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "destination port"),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", "follows the ports"),
        ("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", "source address"),
        ("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", "follows the ports"),
        ("PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n", "what follows PROXY"),
        ("PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n", "the protocol"),
        ("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "the protocol"),
        ("PROXY UNKNOWNS\r\n", "the protocol"),
        ("PROXY \r\n", "the protocol"),
        ("PROXY\r\n", "the protocol"),
        ("PROXY UNKNOWN \u{e9}\r\n", "US-ASCII"),
    ] {
        check(line.as_bytes(), Err(part));
    }
}

#[test]
fn version_2_as_specified() {
    check(&v2(0x21, 0x11, &INET), Ok("203.0.113.9:56324 > 10.0.0.2:3333"));
    check(&v2(0x21, 0x12, &INET), Ok("203.0.113.9:56324 > 10.0.0.2:3333 udp"));
    let mut six = [0; 36];
    (six[0], six[1], six[15], six[31]) = (0x20, 0x01, 7, 1);
    six[32..].copy_from_slice(&[0, 80, 13, 5]);
    check(&v2(0x21, 0x21, &six), Ok("[2001::7]:80 > [::1]:3333"));
    let mut unix = [0; 216];
    unix[108..118].copy_from_slice(b"/run/stratum"[..10].try_into().expect("ten bytes"));
    check(&v2(0x21, 0x31, &unix), Ok("\"\" > \"/run/strat\""));
    check(&v2(0x20, 0x00, &[]), Ok("Local"));
    check(&v2(0x20, 0x11, &INET), Ok("Local"));
    check(&v2(0x20, 0xff, b"whatever the family is, it is skipped"), Ok("Local"));
    check(&v2(0x21, 0x00, &[]), Ok("Unknown"));
    check(&v2(0x21, 0x00, b"addresses of an unknown kind"), Ok("Unknown"));
    check(&v2(0x21, 0x10, &INET), Ok("Unknown"));
    let tlvs = [&INET[..], &tlv(4, &[0; 40]), &tlv(0xe0, b""), &tlv(2, b"pool.example")].concat();
    check(&v2(0x21, 0x11, &tlvs), Ok("203.0.113.9:56324 > 10.0.0.2:3333"));
    let longest = [&INET[..], &tlv(4, &vec![0; MAX_HEADER - 16 - 12 - 3])].concat();
    assert_eq!(v2(0x21, 0x11, &longest).len(), MAX_HEADER);
    let (outcome, _) = read(Expect::Header, &[&v2(0x21, 0x11, &longest)]);
    assert!(matches!(outcome, Ok(Fed::Header(_))));
}

#[test]
fn version_2_and_what_it_forbids() {
    let with = |more: &[u8]| [&INET[..], more].concat();
    for (header, part) in [
        (v2(0x11, 0x11, &INET), "the version"),
        (v2(0x31, 0x11, &INET), "the version"),
        (v2(0x22, 0x11, &INET), "the command"),
        (v2(0x21, 0x41, &INET), "the address family"),
        (v2(0x21, 0x13, &INET), "the protocol"),
        (v2(0x21, 0x11, &INET[..11]), "at least 12 bytes"),
        (v2(0x21, 0x21, &INET), "36 for IPv6"),
        (v2(0x21, 0x31, &INET), "at least 216"),
        (v2(0x21, 0x11, &with(&[4])), "type-length-value"),
        (v2(0x21, 0x11, &with(&[4, 0])), "type-length-value"),
        (v2(0x21, 0x11, &with(&[4, 0, 2, 0])), "type-length-value"),
        (v2(0x21, 0x11, &with(&tlv(5, &[7; 129]))), "at most 128 bytes"),
        (v2(0x21, 0x11, &with(&tlv(3, &[0; 3]))), "the CRC32c"),
        (v2(0x21, 0x11, &with(&tlv(3, &[1, 2, 3, 4]))), "CRC32c 01020304 of a header with"),
        (v2(0x21, 0x11, &vec![0; MAX_HEADER]), "at most 4096 are read"),
    ] {
        check(&header, Err(part));
    }
}

#[test]
fn a_right_checksum_is_believed_and_a_flipped_bit_is_not() {
    let body = [&INET[..], &tlv(5, b"id"), &tlv(3, &[0; 4]), &tlv(4, b"x")].concat();
    let mut header = v2(0x21, 0x11, &body);
    let sum = crc32c(&header).to_be_bytes();
    let at = header.len() - 4 - 4;
    header[at..at + 4].copy_from_slice(&sum);
    check(&header, Ok("203.0.113.9:56324 > 10.0.0.2:3333"));
    let (outcome, _) = read(Expect::Header, &[&header]);
    let Ok(Fed::Header(found)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(found.tlvs.get(5), Some(&b"id"[..]));
    assert_eq!(found.tlvs.iter().map(|tlv| tlv.kind).collect::<Vec<_>>(), [5, 3, 4]);
    for bit in 16 * 8..28 * 8 {
        let mut flipped = header.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (outcome, _) = read(Expect::Header, &[&flipped]);
        assert_eq!(outcome.map_err(ProxyError::why), Err(ProxyWhy::Checksum), "bit {bit}");
    }
}

#[test]
fn only_balancers_are_believed() {
    let strict = Trust {
        balancers: vec!["10.0.0.0/24".parse().expect("a network")],
        missing: Missing::Refuse,
    };
    let lenient = Trust { missing: Missing::Allow, ..strict.clone() };
    let (balancer, other) = ([10, 0, 0, 7].into(), [10, 0, 1, 7].into());
    let header: &[u8] = b"PROXY TCP4 203.0.113.9 10.0.0.2 56324 3333\r\n";
    let line: &[u8] = b"{\"id\":1,\"method\":\"mining.subscribe\"}\n";
    let outcome = |trust: &Trust, peer, bytes: &[u8]| {
        let (outcome, rest) = read_in_all_ways(trust.expect_of(peer), bytes);
        match outcome {
            Ok(Fed::Header(header)) => header.client().map(|it: SocketAddr| it.to_string()),
            Ok(Fed::Absent(_)) => {
                assert_eq!(rest, bytes, "all bytes are handed back");
                Some("none".to_owned())
            }
            Ok(Fed::More) => Some("more".to_owned()),
            Err(error) => Some(error.why().label().to_owned()),
        }
    };
    let client = Some("203.0.113.9:56324".to_owned());
    let word = |text: &str| Some(text.to_owned());
    assert_eq!(outcome(&strict, balancer, header), client);
    assert_eq!(outcome(&strict, balancer, line), word("missing"));
    assert_eq!(outcome(&lenient, balancer, header), client);
    assert_eq!(outcome(&lenient, balancer, line), word("none"));
    assert_eq!(outcome(&strict, other, header), word("untrusted"));
    assert_eq!(outcome(&lenient, other, &v2(0x21, 0x11, &INET)), word("untrusted"));
    assert_eq!(outcome(&strict, other, line), word("none"));
    assert_eq!(outcome(&Trust::default(), balancer, b"PROXO"), word("none"));
    assert_eq!(outcome(&lenient, balancer, b"\r\n{}\n"), word("none"));
}

/// Headers, damaged headers, and bytes that look like their beginning.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let good = proptest::sample::select(vec![
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".to_vec(),
        b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        v2(0x21, 0x11, &INET),
        v2(0x20, 0x00, &[]),
        v2(0x21, 0x11, &[&INET[..], &tlv(4, b"abc"), &tlv(5, b"id")].concat()),
        v2(0x21, 0x31, &[7; 216]),
        SIGNATURE.to_vec(),
        b"PROXY ".to_vec(),
        Vec::new(),
    ]);
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (good, damage, vec(any::<u8>(), 0..40)).prop_map(|(mut bytes, damage, behind)| {
        for (at, value) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
        }
        bytes.extend(behind);
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_read_alike(
        bytes in bytes(),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        expect in proptest::sample::select(vec![Expect::Header, Expect::Either, Expect::None]),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let (whole, rest) = read(expect, &[&bytes]);
        let (pieced, left) = read(expect, &pieces);
        prop_assert_eq!(&pieced, &whole);
        match whole {
            Ok(Fed::Absent(_)) => {
                prop_assert_eq!(&rest, &bytes);
                prop_assert_eq!(left, rest);
            }
            Ok(Fed::Header(_)) => {
                prop_assert!(bytes.ends_with(&rest));
                prop_assert_eq!(left, rest);
            }
            Ok(Fed::More) => prop_assert!(rest.is_empty()),
            Err(error) => {
                prop_assert!(expect != Expect::None || error == ProxyError::Untrusted);
            }
        }
    }
}
