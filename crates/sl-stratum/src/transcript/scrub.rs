use std::borrow::Cow;

use serde_json::Value;

/// What stands in the place of a secret.
const GONE: &str = "***";
/// Shorter secrets (`x`, `123`) are passwords that no pool reads, and would hit by chance.
const LEAST: usize = 4;

/// Takes secrets out of lines: the password of `mining.authorize`, user and password in a URL, and
/// the secrets it was told, wherever they stand.
#[derive(Clone, Default)]
pub struct Scrubber {
    secrets: Vec<String>,
}

impl Scrubber {
    /// A scrubber that also knows these secrets; those under four bytes are ignored.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets
            .into_iter()
            .flat_map(|secret| {
                // As JSON writes it, too.
                let quoted = Value::from(secret.as_str()).to_string();
                let quoted = quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned();
                [secret, quoted]
            })
            .filter(|secret| secret.len() >= LEAST)
            .collect();
        secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self { secrets }
    }

    /// The line without its secrets.
    #[must_use]
    pub fn scrub(&self, line: &str) -> String {
        let mut line = without_password(line);
        for secret in &self.secrets {
            if line.contains(secret.as_str()) {
                line = line.replace(secret.as_str(), GONE).into();
            }
        }
        without_credentials(&line).into_owned()
    }

    /// The same of what is no text; one that speaks of `authorize` is not kept at all.
    pub(super) fn scrub_bytes(&self, line: &[u8]) -> Vec<u8> {
        let holds = |what: &[u8]| line.windows(what.len()).any(|part| part == what);
        let secret = self.secrets.iter().any(|secret| holds(secret.as_bytes()));
        if secret || holds(b"authorize") || holds(b"://") { GONE.into() } else { line.to_vec() }
    }
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scrubber({} secrets)", self.secrets.len())
    }
}

/// The line without the password of `mining.authorize`. A line that speaks of it and cannot be read
/// is not kept: the password could stand anywhere in it.
fn without_password(line: &str) -> Cow<'_, str> {
    // The word may hide behind escapes, which only a parser sees.
    if !line.contains("authorize") && !line.contains("\\u") {
        return line.into();
    }
    let Ok(Value::Object(mut message)) = serde_json::from_str(line) else { return GONE.into() };
    let authorizes = |method: &Value| method.as_str().is_some_and(|m| m.contains("authorize"));
    if !message.get("method").is_some_and(authorizes) {
        return line.into();
    }
    match message.get_mut("params") {
        Some(Value::Array(params)) => {
            params.iter_mut().skip(1).for_each(|param| *param = GONE.into());
        }
        Some(params) => *params = GONE.into(),
        None => {}
    }
    Value::Object(message).to_string().into()
}

/// The text with `://***@` for each `://user:password@`.
pub(super) fn without_credentials(text: &str) -> Cow<'_, str> {
    let Some((before, after)) = text.split_once("://") else { return text.into() };
    let end = after.find(['/', '"', '\\', ' ', ',', '?']).unwrap_or(after.len());
    let (authority, rest) = after.split_at_checked(end).unwrap_or((after, ""));
    let authority = authority
        .rsplit_once('@')
        .map_or(Cow::from(authority), |(_, host)| format!("{GONE}@{host}").into());
    format!("{before}://{authority}{}", without_credentials(rest)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        assert_eq!(
            Scrubber::new(["hunter22".into(), "x".into(), "q\"q\"".into()]).scrub(line),
            expect
        );
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        check(r#"{"id": 1,  "result":true}"#, r#"{"id": 1,  "result":true}"#);
        check(
            r#"{"id":2,"method":"mining.authorize","params":["w","p4ss","more"]}"#,
            r#"{"id":2,"method":"mining.authorize","params":["w","***","***"]}"#,
        );
        check(
            r#"{"id":2,"method":"mining.\u0061uthorize","params":["w","p4ss"]}"#,
            r#"{"id":2,"method":"mining.authorize","params":["w","***"]}"#,
        );
        check(
            r#"{"method":"mining.authorize","params":{"pass":"p"}}"#,
            r#"{"method":"mining.authorize","params":"***"}"#,
        );
        check(r#"{"method":"mining.authorize","params":["w","p4ss"#, "***");
        check(
            r#"{"error":[24,"unauthorized worker",null]}"#,
            r#"{"error":[24,"unauthorized worker",null]}"#,
        );
        check(r#"{"error":"no hunter22 here"}"#, r#"{"error":"no *** here"}"#);
        check(r#"{"error":"q\"q\""}"#, r#"{"error":"***"}"#);
        check(
            r#"{"params":["see http://u:p@a.example/x and ftp://v@b","tcp://c:1"]}"#,
            r#"{"params":["see http://***@a.example/x and ftp://***@b","tcp://c:1"]}"#,
        );
        assert_eq!(Scrubber::default().scrub_bytes(b"\xff://u:p@h"), b"***");
        assert_eq!(Scrubber::default().scrub_bytes(b"\xff"), b"\xff");
    }
}
