//! Secrets are kept out of what is written.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

/// What stands in the place of a secret: always the same, so that not even its length is told.
pub(crate) const MASK: &str = "****";

/// Shorter strings are found everywhere, and masking them would hide the log, not the secret.
const SHORTEST: usize = 4;

/// A name that ends so holds a secret, whatever its value.
const SECRET_NAMES: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "token", "api_key", "authorization", "cookie"];

/// Replaces secrets by `****`: registered strings in every form they take in a line (as they are,
/// percent-encoded, escaped as in JSON or in `Debug`), and what stands after `password=` and its
/// like. Cheap to clone; clones share what is registered.
#[derive(Clone, Default)]
pub struct Masker {
    forms: Arc<RwLock<Vec<String>>>,
}

impl Masker {
    /// Masks `secret` from now on, in all that is written through this masker. Strings of less
    /// than 4 characters are not taken: `false`.
    pub fn register(&self, secret: &str) -> bool {
        if secret.chars().count() < SHORTEST {
            return false;
        }
        let mut forms = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms_of(secret) {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        true
    }

    /// The text with its secrets masked.
    #[must_use]
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found = after_secret_names(text);
        {
            let forms = self.forms.read().unwrap_or_else(PoisonError::into_inner);
            for form in forms.iter() {
                occurrences(text, form, &mut found);
            }
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable_by_key(|range| (range.start, range.end));
        let mut masked = String::with_capacity(text.len());
        let mut done = 0;
        for range in found {
            // Overlapping secrets become one mask: nothing of either stays.
            if range.start >= done {
                masked.push_str(text.get(done..range.start).unwrap_or_default());
                masked.push_str(MASK);
            }
            done = done.max(range.end);
        }
        masked.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(masked)
    }

    /// Whether a field of this name is masked whatever it holds.
    #[must_use]
    pub fn is_secret_name(name: &str) -> bool {
        let name = name.to_ascii_lowercase().replace('-', "_");
        SECRET_NAMES.iter().any(|secret| name.ends_with(secret))
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masker")
    }
}

/// The forms in which a secret may come into a line.
fn forms_of(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let debug = format!("{secret:?}");
    let inside = |quoted: &str| {
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.unwrap_or(quoted).to_owned()
    };
    let slashes = inside(&json).replace('/', "\\/");
    let mut forms = vec![secret.to_owned(), inside(&json), slashes, inside(&debug)];
    for upper in [true, false] {
        // RFC 3986 leaves the unreserved characters; some encoders leave the sub-delimiters too,
        // and forms write a space as "+".
        let strict = percent(secret, upper, "-._~");
        forms.push(strict.replace("%20", "+"));
        forms.push(strict);
        forms.push(percent(secret, upper, "-._~!$&'()*+,;=:@/?"));
    }
    forms
}

fn percent(secret: &str, upper: bool, kept: &str) -> String {
    let mut text = String::new();
    for byte in secret.bytes() {
        let c = char::from(byte);
        // Writing to a string cannot fail.
        let _infallible = if c.is_ascii_alphanumeric() || (c.is_ascii() && kept.contains(c)) {
            text.write_char(c)
        } else if upper {
            write!(text, "%{byte:02X}")
        } else {
            write!(text, "%{byte:02x}")
        };
    }
    text
}

/// Every place of `form`, overlapping ones too.
fn occurrences(text: &str, form: &str, found: &mut Vec<Range<usize>>) {
    let step = form.chars().next().map_or(1, char::len_utf8);
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(form)) {
        let start = from + at;
        found.push(start..start + form.len());
        from = start + step;
    }
}

/// The values in `password=value`, `"token": "value"` and the like, within a text.
fn after_secret_names(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for name in SECRET_NAMES {
        for (at, _) in lower.match_indices(name) {
            found.extend(value_after(text, at + name.len()));
        }
    }
    found
}

/// The value that is given to a name which ends at `end`, if one is.
fn value_after(text: &str, end: usize) -> Option<Range<usize>> {
    let rest = text.get(end..)?;
    let unquoted = rest.trim_start_matches(['\\', '"', '\'']);
    let given = match unquoted.strip_prefix('=') {
        Some(given) => given,
        // A colon is a sign of a value only behind a quoted name: "no token: try again" is prose.
        None if unquoted.len() < rest.len() => unquoted.strip_prefix(':')?.trim_start(),
        None => return None,
    };
    let value = given.trim_start_matches(['\\', '"', '\'']);
    let quoted = value.len() < given.len();
    let ends = |c: char| {
        if quoted {
            matches!(c, '"' | '\'' | '\\')
        } else {
            c.is_whitespace() || "&,;\"'})]".contains(c)
        }
    };
    let length = value.find(ends).unwrap_or(value.len());
    let start = text.len() - value.len();
    (length > 0).then_some(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(secrets: &[&str], text: &str, expect: &str) {
        let masker = Masker::default();
        for secret in secrets {
            assert!(masker.register(secret));
        }
        assert_eq!(masker.mask(text), expect, "{secrets:?}");
    }

    #[test]
    fn registered_secrets_in_all_forms() {
        check(&["hunter2"], "a hunter2 b hunter2", "a **** b ****");
        check(&["p\"s\\w/d"], r#"{"p":"p\"s\\w/d"}"#, r#"{"p":"****"}"#);
        check(&["p\"s\\w/d"], r#"{"p":"p\"s\\w\/d"}"#, r#"{"p":"****"}"#);
        check(&["p s/ü@"], "x p%20s%2F%C3%BC%40 y", "x **** y");
        check(&["p s/ü@"], "x p%20s%2f%c3%bc%40 y", "x **** y");
        check(&["p s/ü@"], "x p+s%2F%C3%BC%40 y", "x **** y");
        check(&["p s/ü@"], "x p%20s/%C3%BC@ y", "x **** y");
        check(&["tab\there"], "Some(\"tab\\there\")", "Some(\"****\")");
        check(&["hunter2"], "nothing here", "nothing here");
    }

    #[test]
    fn overlapping_secrets_leave_nothing() {
        check(&["abcdef", "defghi"], "abcdefghi!", "****!");
        check(&["abcd", "abcdef"], "abcdef abcd", "**** ****");
        check(&["aaaa"], "aaaaaa", "****");
    }

    #[test]
    fn short_strings_are_not_taken() {
        let masker = Masker::default();
        assert!(!masker.register("abc") && !masker.register(""));
        assert!(masker.register("üüüü"));
        assert_eq!(masker.mask("abc"), "abc");
    }

    #[test]
    fn values_of_secret_names() {
        check(&[], "rpcpassword=x1 user=u", "rpcpassword=**** user=u");
        check(&[], "GET /?Token=abc&b=1", "GET /?Token=****&b=1");
        check(&[], "secret=\"two words\", b=1", "secret=\"****\", b=1");
        check(&[], r#"{"password":"x","user":"u"}"#, r#"{"password":"****","user":"u"}"#);
        check(&[], r#"{"password" : 5}"#, r#"{"password" : 5}"#);
        check(&[], "no token: try again", "no token: try again");
        check(&[], "password=", "password=");
        assert!(Masker::is_secret_name("rpc_password") && Masker::is_secret_name("X-Api-Key"));
        assert!(!Masker::is_secret_name("user") && !Masker::is_secret_name("token_count"));
    }

    proptest! {
        #[test]
        fn no_form_of_a_secret_survives(
            secret in "\\PC{4,12}",
            before in "\\PC{0,20}",
            after in "\\PC{0,20}",
        ) {
            let masker = Masker::default();
            masker.register(&secret);
            for form in forms_of(&secret) {
                let text = format!("{before}{form}{after}");
                let masked = masker.mask(&text).replace(MASK, "\u{0}");
                prop_assert!(!masked.contains(&form), "{form:?} in {masked:?}");
            }
        }
    }
}
