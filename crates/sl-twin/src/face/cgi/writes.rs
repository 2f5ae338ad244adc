//! Scripts of the L7 that change something. They take their bodies apart with `read` and `jq`, and
//! that shows: `read` takes one line and drops backslashes, and a blank within a text cuts it.

use std::time::Duration;

use serde_json::Value;

use super::Answer;
use crate::conf::{Command, ConfChange, NetworkChange, PoolChange};
use crate::face::Look;
use crate::face::digest;
use crate::face::http::Request;
use crate::face::record::{Form, Record};

/// The scripts sleep a second after they have written.
const SLEEP: Duration = Duration::from_secs(1);

/// `{"stats":…,"code":…,"msg":…}`.
fn outcome(stats: &str, code: &str, msg: &str) -> Answer {
    let record = Record::new().with("stats", stats).with("code", code).with("msg", msg);
    Answer::text(format!("{}\n", record.json(Form::default())))
}

/// `set_miner_conf.cgi`: pools, fans, mode, level. What is not sent keeps its value.
pub(super) fn set_miner_conf(request: &Request, _: &Look) -> Answer {
    let Some(sent) = Sent::read(&request.body) else {
        return outcome("error", "M001", "Illegal request!");
    };
    let pool = |place: usize| PoolChange {
        url: sent.pool(place, "url"),
        user: sent.pool(place, "user"),
        pass: sent.pool(place, "pass"),
    };
    let mode =
        sent.text("miner-mode").map(|mode| if mode.is_empty() { "0".to_owned() } else { mode });
    let change = ConfChange {
        pools: std::array::from_fn(pool),
        algo: sent.text("algo"),
        fan_fixed: sent.text("bitmain-fan-ctrl").map(|fixed| fixed == "true"),
        fan_pwm: sent.text("bitmain-fan-pwm"),
        work_mode: mode.and_then(|mode| mode.parse().ok()),
        freq_level: sent.text("freq-level"),
    };
    let answer = outcome("success", "M000", "OK!").and(Command::SetConf(Box::new(change)));
    Answer { takes: SLEEP, ..answer }
}

/// A JSON body as the scripts see it.
struct Sent {
    value: Value,
    /// A text holds a blank: the shell cuts the whole there, each question finds nothing, and
    /// nothing is what gets written. The original empties its configuration so.
    cut: bool,
}

impl Sent {
    /// `None` for what `jq` does not understand, and for nothing.
    fn read(body: &[u8]) -> Option<Self> {
        let line = shell_line(body);
        let value: Value = serde_json::from_str(&line).ok()?;
        let cut = value.to_string().contains(' ');
        Some(Self { value, cut })
    }

    fn text(&self, key: &str) -> Option<String> {
        self.found(field(Some(&self.value), key))
    }

    fn pool(&self, place: usize, key: &str) -> Option<String> {
        let pools = field(Some(&self.value), "pools");
        let pool = pools.and_then(|pools| match pools {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(pools)) => Ok(pools.get(place)),
            Some(_) => Err(Mistyped),
        });
        self.found(pool.and_then(|pool| field(pool, key)))
    }

    /// What the script holds in its hand: nothing where `jq` failed.
    fn found(&self, value: Result<Option<&Value>, Mistyped>) -> Option<String> {
        match value {
            _ if self.cut => Some(String::new()),
            Err(Mistyped) => Some(String::new()),
            Ok(value) => value.map(raw).filter(|text| text != "null"),
        }
    }
}

/// `jq` stops at a value of the wrong type.
#[derive(Clone, Copy)]
struct Mistyped;

/// `.key` of `jq`.
fn field<'a>(value: Option<&'a Value>, key: &str) -> Result<Option<&'a Value>, Mistyped> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(fields)) => Ok(fields.get(key)),
        Some(_) => Err(Mistyped),
    }
}

/// A value as `jq -r` prints it.
fn raw(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What `read` makes of a body and an unquoted `echo` of that: the first line, each backslash
/// dropped, runs of blanks as one.
fn shell_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut line = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => break,
            '\\' => line.extend(chars.next().filter(|next| *next != '\n')),
            '\0' => {}
            c => line.push(c),
        }
    }
    line.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// `blink.cgi`.
pub(super) fn blink(request: &Request, _: &Look) -> Answer {
    let body = shell_line(&request.body);
    let value = body.split_once("\"blink\"").map_or("", |(_, rest)| rest);
    let value = value.trim_start_matches([' ', ':', '"']);
    let (code, on) = if value.starts_with("true") {
        ("B000", Some(true))
    } else if value.starts_with("false") {
        ("B100", Some(false))
    } else {
        ("B001", None)
    };
    let body = Record::new().with("code", code).json(Form::default());
    Answer { command: on.map(Command::Blink), ..Answer::text(format!("{body}\n")) }
}

/// `passwd.cgi`: the digest login alone.
pub(super) fn passwd(request: &Request, look: &Look) -> Answer {
    // Unlike the configuration, these texts stand on the input of `jq` and may hold blanks.
    let value: Value =
        serde_json::from_str(&shell_line(&request.body)).unwrap_or(Value::Bool(false));
    let text = |key: &str| match field(Some(&value), key) {
        Ok(found) => found.map_or_else(|| "null".to_owned(), raw),
        Err(Mistyped) => String::new(),
    };
    let (current, new, again) = (text("curPwd"), text("newPwd"), text("confirmPwd"));
    let fault = |code, msg| Answer { takes: SLEEP, ..outcome("error", code, msg) };
    if digest::secret(&current) != look.secret() {
        fault("P001", "Current password invalid!")
    } else if new.is_empty() {
        fault("P002", "New password is null!")
    } else if again.is_empty() {
        fault("P003", "Confirm password is null!")
    } else if new != again {
        fault("P004", "New Password does not match!")
    } else {
        let answer = outcome("success", "P000", "OK!").and(Command::Passwd(digest::secret(&new)));
        Answer { takes: SLEEP, ..answer }
    }
}

/// `set_network_conf.cgi`.
pub(super) fn set_network_conf(request: &Request, _: &Look) -> Answer {
    let value: Value =
        serde_json::from_str(&shell_line(&request.body)).unwrap_or(Value::Bool(false));
    let text = |key: &str| match field(Some(&value), key) {
        // A name that is not sent is `null`, and `null` is a valid name.
        Ok(found) => found.map_or_else(|| "null".to_owned(), raw),
        Err(Mistyped) => String::new(),
    };
    let (kind, hostname) = (text("ipPro"), text("ipHost"));
    let fixed = |key: &str| if kind == "2" { text(key) } else { String::new() };
    let (address, netmask) = (fixed("ipAddress"), fixed("ipSub"));
    let (gateway, dns) = (fixed("ipGateway"), fixed("ipDns"));
    let is_bad = |text: &str| kind == "2" && !looks_like_ip(text);
    let fault = |code, msg| outcome("error", code, msg);
    if !is_hostname(&hostname) {
        fault("N001", "Hostname invalid!")
    } else if is_bad(&address) {
        fault("N002", "IP invalid!")
    } else if is_bad(&netmask) {
        fault("N003", "Netmask invalid!")
    } else if is_bad(&gateway) {
        fault("N004", "Gateway invalid!")
    } else if is_bad(&dns) {
        fault("N005", "DNS invalid!")
    } else {
        let change = NetworkChange {
            hostname: Some(hostname),
            dhcp: Some(kind == "1"),
            address: Some(address),
            netmask: Some(netmask),
            gateway: Some(gateway),
            dns: Some(dns),
        };
        let answer = outcome("success", "N000", "OK!").and(Command::SetNetwork(Box::new(change)));
        Answer { takes: SLEEP, ..answer }
    }
}

/// Four groups of one to three digits, of any size.
pub(super) fn looks_like_ip(text: &str) -> bool {
    let digits =
        |group: &str| (1..=3).contains(&group.len()) && group.bytes().all(|it| it.is_ascii_digit());
    text.split('.').count() == 4 && text.split('.').all(digits)
}

/// Labels between dots: a letter first, a letter or digit last, hyphens within.
pub(super) fn is_hostname(text: &str) -> bool {
    text.split('.').all(|label| {
        label.starts_with(|c: char| c.is_ascii_alphabetic())
            && label.ends_with(|c: char| c.is_ascii_alphanumeric())
            && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
    })
}

/// `upgrade.cgi`: a file is taken, the machine restarts and carries the firmware that it had.
pub(super) fn upgrade(request: &Request, _: &Look) -> Answer {
    upgraded(request, Command::Reboot)
}

/// `upgrade_clear.cgi`: the same, and the factory's configuration comes back.
pub(super) fn upgrade_clear(request: &Request, _: &Look) -> Answer {
    upgraded(request, Command::ResetConf)
}

fn upgraded(request: &Request, command: Command) -> Answer {
    let form = request.content_type.as_deref().unwrap_or_default();
    if form.starts_with("multipart/form-data") && request.body.starts_with(b"--") {
        outcome("success", "U000", "OK!").and(command)
    } else {
        // The text of this refusal is recorded nowhere.
        outcome("error", "U001", "Illegal request!")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(body: &str) -> Option<Sent> {
        Sent::read(body.as_bytes())
    }

    #[test]
    fn a_body_is_read_as_the_shell_reads_it() {
        for (body, line) in [
            ("{\"a\": 1}\n{\"b\"", "{\"a\": 1}"),
            ("  {\"a\" :\t\"x   y\"} ", "{\"a\" : \"x y\"}"),
            (r#"{"a":"x\"y"}"#, r#"{"a":"x"y"}"#),
            ("{\\\n}", "{}"),
            ("", ""),
        ] {
            assert_eq!(shell_line(body.as_bytes()), line, "{body:?}");
        }
    }

    #[test]
    fn a_configuration_over_several_lines_is_illegal_like_nothing_at_all() {
        assert!(sent("{\n\"algo\": \"ltc\"}").is_none());
        assert!(sent("").is_none());
        assert!(sent(r#"{"pools":[{"user":"a\"b"}]}"#).is_none());
    }

    #[test]
    fn what_is_absent_is_kept_and_what_is_mistyped_is_emptied() {
        let it = sent(r#"{"pools":[{"url":"a","user":null},5],"miner-mode":1,"algo":"null"}"#)
            .expect("JSON");
        assert_eq!(it.pool(0, "url"), Some("a".to_owned()));
        assert_eq!(it.pool(0, "user"), None);
        assert_eq!(it.pool(1, "url"), Some(String::new()));
        assert_eq!(it.pool(2, "url"), None);
        assert_eq!(it.text("miner-mode"), Some("1".to_owned()));
        assert_eq!(it.text("algo"), None);
        assert_eq!(sent("null").expect("JSON").text("algo"), None);
        assert_eq!(sent("5").expect("JSON").text("algo"), Some(String::new()));
    }

    #[test]
    fn a_blank_within_a_text_empties_everything() {
        let it = sent(r#"{"pools": [{"url": "a b"}], "algo": "ltc"}"#).expect("JSON");
        assert_eq!(it.pool(0, "url"), Some(String::new()));
        assert_eq!(it.text("algo"), Some(String::new()));
        // Between the tokens blanks do no harm.
        let it = sent(r#"{"pools": [{"url": "a"}], "algo": "ltc"}"#).expect("JSON");
        assert_eq!(it.text("algo"), Some("ltc".to_owned()));
    }

    #[test]
    fn host_names_and_addresses_are_told_as_the_script_does() {
        for good in ["Antminer", "a", "a-1.b2", "null"] {
            assert!(is_hostname(good), "{good}");
        }
        for bad in ["", "1a", "a-", "a..b", "a_b", "-a"] {
            assert!(!is_hostname(bad), "{bad}");
        }
        assert!(looks_like_ip("999.1.1.1"));
        assert!(!looks_like_ip("1.1.1") && !looks_like_ip("1.1.1.1111") && !looks_like_ip(""));
    }
}
