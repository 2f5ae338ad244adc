use sl_guard::proxy_protocol::{Expect, Fed, HeaderReader, ProxyError};

/// Reads the bytes as the beginning of a connection; what came out, and what was left over.
fn read(expect: Expect, pieces: &[&[u8]]) -> (Result<Fed, ProxyError>, Vec<u8>) {
    let mut reader = HeaderReader::new(expect);
    let mut outcome = Ok(Fed::More);
    let mut rest = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        if outcome == Ok(Fed::More) {
            outcome = reader.feed(&mut input);
            if let Ok(Fed::Absent(held)) = &outcome {
                rest.extend_from_slice(held);
            }
        }
        rest.extend_from_slice(input);
    }
    (outcome, rest)
}

/// A PROXY header: read alike however it is cut; none of the bytes behind it is taken; without one
/// all bytes come back; who is not trusted never gets one through.
pub fn proxy_header(bytes: &[u8]) {
    for expect in [Expect::Header, Expect::Either, Expect::None] {
        let (whole, rest) = read(expect, &[bytes]);
        let (cut, left) = read(expect, &crate::cut(bytes));
        assert_eq!(whole, cut, "the cut matters");
        match whole {
            Ok(Fed::Absent(_)) => assert_eq!((&*rest, &*left), (bytes, bytes), "bytes are lost"),
            Ok(Fed::Header(header)) => {
                assert!(expect != Expect::None, "an untrusted header is believed");
                assert_eq!(rest, left, "the cut matters to what is left");
                assert!(bytes.ends_with(&rest), "bytes behind the header are taken");
                assert!(header.tlvs.iter().count() <= bytes.len() / 3);
            }
            Ok(Fed::More) => assert!(rest.is_empty(), "it waits with bytes at hand"),
            Err(_) => {}
        }
    }
}
