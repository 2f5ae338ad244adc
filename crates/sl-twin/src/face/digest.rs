//! HTTP digest access (RFC 2617) as the web server of these machines checks it.
//!
//! Its nonces are 32 hexadecimal digits that it does not remember: none expires, none is refused
//! for being used twice, and one that it never gave is as good. Recorded requests show one nonce
//! used for more than a hundred requests; later versions of the server, with a time in front of
//! the nonce, are not on these machines.

use std::collections::HashMap;

use md5::{Digest as _, Md5};

use super::identity::{REALM, USER};

/// What a login is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is right.
    Welcome,
    /// There is none, or it is wrong: 401 and a new nonce.
    Unknown,
    /// Fields are missing or do not belong to this request: 400.
    Malformed,
}

/// The secret that stands for a password: MD5 of user, realm and password, hexadecimal.
pub(super) fn secret(password: &str) -> String {
    md5(&[USER, REALM, password])
}

/// A fresh nonce.
pub(super) fn nonce(rng: &mut fastrand::Rng) -> String {
    format!("{:032x}", rng.u128(..))
}

/// Judges the header `Authorization` of a request.
pub(super) fn check(header: Option<&str>, method: &str, target: &str, secret: &str) -> Verdict {
    let Some((scheme, rest)) = header.and_then(|header| header.split_once(' ')) else {
        return Verdict::Unknown;
    };
    if !scheme.eq_ignore_ascii_case("digest") {
        return Verdict::Unknown;
    }
    let fields = fields(rest);
    let field = |name: &str| fields.get(name).map(String::as_str);
    let needed = ["username", "realm", "nonce", "uri", "response"].map(field);
    let [Some(user), Some(realm), Some(nonce), Some(uri), Some(response)] = needed else {
        return Verdict::Malformed;
    };
    if uri != target {
        return Verdict::Malformed;
    }
    if user != USER || realm != REALM {
        return Verdict::Unknown;
    }
    let secret = match (field("algorithm"), field("cnonce")) {
        (Some(algorithm), Some(cnonce)) if algorithm.eq_ignore_ascii_case("md5-sess") => {
            md5(&[secret, nonce, cnonce])
        }
        (Some(algorithm), None) if algorithm.eq_ignore_ascii_case("md5-sess") => {
            return Verdict::Malformed;
        }
        _ => secret.to_owned(),
    };
    let request = md5(&[method, uri]);
    let expected = match (field("qop"), field("nc"), field("cnonce")) {
        (None, ..) => md5(&[&secret, nonce, &request]),
        (Some("auth"), Some(nc), Some(cnonce)) => {
            md5(&[&secret, nonce, nc, cnonce, "auth", &request])
        }
        _ => return Verdict::Malformed,
    };
    if response == expected { Verdict::Welcome } else { Verdict::Unknown }
}

/// Fields of the header, names in lower case, values without their quotes.
fn fields(mut rest: &str) -> HashMap<String, String> {
    let mut fields = HashMap::new();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', '\t', ',']).to_ascii_lowercase();
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        fields.insert(name, value.trim_end().to_owned());
        rest = left;
    }
    fields
}

/// MD5 of texts between colons, hexadecimal.
fn md5(parts: &[&str]) -> String {
    hex::encode(Md5::digest(parts.join(":")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URI: &str = "/cgi-bin/summary.cgi";

    fn header(response: &str, more: &str) -> String {
        format!(
            "Digest username=\"root\", realm=\"{REALM}\", nonce=\"abc\", uri=\"{URI}\", \
             response=\"{response}\"{more}"
        )
    }

    fn judge(header: &str) -> Verdict {
        check(Some(header), "GET", URI, &secret("root"))
    }

    #[test]
    fn the_secret_is_that_of_the_firmwares_file() {
        // printf '%s' 'root:antMiner Configuration:root' | md5sum
        assert_eq!(secret("root"), "23c2a2d78c0d20ec069097d7d20c4392");
    }

    #[test]
    fn right_logins_are_welcome_with_and_without_quality() {
        let ha2 = md5(&["GET", URI]);
        let plain = md5(&[&secret("root"), "abc", &ha2]);
        assert_eq!(judge(&header(&plain, "")), Verdict::Welcome);
        let auth = md5(&[&secret("root"), "abc", "00000001", "xyz", "auth", &ha2]);
        let more = ", qop=auth, nc=00000001, cnonce=\"xyz\"";
        assert_eq!(judge(&header(&auth, more)), Verdict::Welcome);
        let session = md5(&[&secret("root"), "abc", "xyz"]);
        let session = md5(&[&session, "abc", "00000001", "xyz", "auth", &ha2]);
        let more = format!("{more}, algorithm=MD5-sess");
        assert_eq!(judge(&header(&session, &more)), Verdict::Welcome);
    }

    #[test]
    fn wrong_ones_are_told_apart() {
        let unknown = ["", "Basic cm9vdDpyb290", "digest", "x"];
        for text in unknown {
            assert_eq!(judge(text), Verdict::Unknown, "{text}");
        }
        assert_eq!(check(None, "GET", URI, "x"), Verdict::Unknown);
        assert_eq!(judge(&header("00", "")), Verdict::Unknown);
        assert_eq!(judge("Digest username=\"root\""), Verdict::Malformed);
        assert_eq!(judge(&header("00", ", qop=auth")), Verdict::Malformed);
        assert_eq!(judge(&header("00", ", qop=auth-int, nc=1, cnonce=x")), Verdict::Malformed);
        assert_eq!(judge(&header("00", "").replace(URI, "/other")), Verdict::Malformed);
        assert_eq!(judge(&header("00", ", algorithm=md5-sess")), Verdict::Malformed);
    }
    proptest! {
        #[test]
        fn no_header_does_harm_or_lets_in(text in "[Dd]igest [ -~\u{80}-\u{ff}]{0,80}", more in any::<String>()) {
            prop_assert_ne!(judge(&format!("{text}{more}")), Verdict::Welcome);
            prop_assert_ne!(judge(&more), Verdict::Welcome);
            prop_assert_ne!(judge(&header(&text, &more)), Verdict::Welcome);
        }
    }
}
