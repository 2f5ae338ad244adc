//! What pools say to machines.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sl_units::ShareDifficulty;

use super::{Id, Incoming, Malformed, Notify, call_line, parse};
use crate::{
    Extranonce, MessageError,
    field::{Field, clean, difficulty_value, hex_u32},
};

/// A call from a pool to a machine; most are notifications, with a null id.
///
/// ```text
/// {"id":null,"method":"mining.set_difficulty","params":[2048.0]}
/// {"id":null,"method":"mining.set_extranonce","params":["08000002",4]}
/// {"id":null,"method":"mining.set_version_mask","params":["1fffe000"]}
/// {"id":null,"method":"client.reconnect","params":["eu.pool.example","3333",5]}
/// {"id":null,"method":"client.show_message","params":["maintenance at noon"]}
/// {"id":7,"method":"client.get_version","params":[]}
/// ```
///
/// `mining.notify` is drawn at [`Notify`].
#[derive(Debug, Clone, PartialEq)]
pub enum ClientBound {
    /// `mining.notify`: work
    Notify(Box<Notify>),
    /// `mining.set_difficulty`, for the jobs that follow
    SetDifficulty(ShareDifficulty),
    /// `mining.set_extranonce`, for the jobs that follow
    SetExtranonce {
        /// The pool's part.
        extranonce1: Extranonce,
        /// How many bytes are the machine's, 1 to 32.
        extranonce2_len: usize,
    },
    /// `mining.set_version_mask` (BIP310)
    SetVersionMask(u32),
    /// `client.reconnect`
    Reconnect(Reconnect),
    /// `client.show_message`, at most 500 characters
    ShowMessage(String),
    /// `client.get_version`
    GetVersion,
    /// `mining.ping`
    Ping,
    /// Any other method, cut to 64 characters.
    Unknown(String),
}

/// `client.reconnect`: the pool asks the machine to come back, here or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reconnect {
    /// The host; the same one when there is none.
    pub host: Option<String>,
    /// The port; the same one when there is none.
    pub port: Option<u16>,
    /// How long to wait first, at most an hour.
    pub wait: Duration,
}

/// The result of `mining.subscribe`.
///
/// ```text
/// [[["mining.set_difficulty","0a"],["mining.notify","0a"]],"964597eb",4]   usual
/// [["mining.notify","ae6812eb4cd7735a302a8a9dd95cf71f"],"f8006343",4]      a live pool of 2018
/// [null,"f8006343",4]                                                      also read
/// ["f8006343",4]                                                           also read
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The id by which a later connection may resume this one, at most 128 characters.
    pub session: Option<String>,
    /// The pool's part of the extranonce, 0 to 32 bytes.
    pub extranonce1: Extranonce,
    /// How many bytes are the machine's, 1 to 32.
    pub extranonce2_len: usize,
}

impl ClientBound {
    /// Reads one line from a pool.
    ///
    /// # Errors
    /// The line is no message, or the parameters are not those of its method.
    pub fn parse(line: &[u8]) -> Result<Incoming<Self>, Box<Malformed>> {
        parse(line, Self::read)
    }

    fn read(method: &str, params: &[Value]) -> Result<Self, MessageError> {
        Ok(match method {
            "mining.notify" => Self::Notify(Box::new(Notify::read(params)?)),
            "mining.set_difficulty" => {
                Self::SetDifficulty(Field::at(params, 0, "difficulty").difficulty()?)
            }
            "mining.set_extranonce" => Self::SetExtranonce {
                extranonce1: Field::at(params, 0, "extranonce1").extranonce()?,
                extranonce2_len: Field::at(params, 1, "extranonce2 size").extranonce2_len()?,
            },
            "mining.set_version_mask" => {
                Self::SetVersionMask(Field::at(params, 0, "version mask").u32()?)
            }
            "client.reconnect" | "mining.reconnect" => Self::Reconnect(Reconnect::read(params)?),
            "client.show_message" | "mining.show_message" => {
                Self::ShowMessage(Field::at(params, 0, "message").words(500).unwrap_or_default())
            }
            "client.get_version" | "mining.get_version" => Self::GetVersion,
            "mining.ping" | "client.ping" => Self::Ping,
            other => Self::Unknown(clean(other, 64)),
        })
    }

    /// The line with its newline.
    #[must_use]
    pub fn to_line(&self, id: &Id) -> Bytes {
        let (method, params) = match self {
            Self::Notify(notify) => ("mining.notify", notify.to_params()),
            Self::SetDifficulty(difficulty) => {
                ("mining.set_difficulty", json!([difficulty_value(*difficulty)]))
            }
            Self::SetExtranonce { extranonce1, extranonce2_len } => {
                ("mining.set_extranonce", json!([extranonce1.to_string(), extranonce2_len]))
            }
            Self::SetVersionMask(mask) => ("mining.set_version_mask", json!([hex_u32(*mask)])),
            Self::Reconnect(reconnect) => ("client.reconnect", reconnect.to_params()),
            Self::ShowMessage(text) => ("client.show_message", json!([text])),
            Self::GetVersion => ("client.get_version", json!([])),
            Self::Ping => ("mining.ping", json!([])),
            Self::Unknown(method) => (method.as_str(), json!([])),
        };
        call_line(id, method, &params)
    }
}

impl Reconnect {
    const MAX_WAIT: i64 = 3600;

    /// Whether following it keeps the machine at the same operator: the host must be of the same
    /// registrable domain, as `eu.pool.example` and `ltc.pool.example` are. Otherwise anyone on
    /// the line could steal hashes.
    #[must_use]
    pub fn stays_with(&self, current_host: &str) -> bool {
        let Some(host) = &self.host else { return true };
        let same = |new: String| registrable(current_host) == Some(new);
        host.eq_ignore_ascii_case(current_host) || registrable(host).is_some_and(same)
    }

    fn read(params: &[Value]) -> Result<Self, MessageError> {
        let named = |at: usize| params.get(at).is_none_or(|value| value.as_str() != Some(""));
        let host = Field::at(params, 0, "host").given().filter(|_| named(0));
        let port = Field::at(params, 1, "port").given().filter(|_| named(1));
        let wait = Field::at(params, 2, "wait").given();
        let seconds = wait.map(|w| w.integer("a number of seconds")).transpose()?.unwrap_or(0);
        let allowed = "a port from 1 to 65535";
        Ok(Self {
            host: host.map(|h| h.name(253, "a host of at most 253 bytes")).transpose()?,
            port: port
                .map(|port| {
                    let number = u16::try_from(port.integer(allowed)?).ok().filter(|n| *n > 0);
                    number.ok_or_else(|| port.wrong(allowed))
                })
                .transpose()?,
            wait: Duration::from_secs(seconds.clamp(0, Self::MAX_WAIT).unsigned_abs()),
        })
    }

    /// The port is a string: cgminer ignores a number and keeps the old port.
    fn to_params(&self) -> Value {
        let wait = self.wait.as_secs();
        match (&self.host, self.port) {
            (None, None) if wait == 0 => json!([]),
            (host, port) => json!([
                host.as_deref().unwrap_or_default(),
                port.map(|port| port.to_string()),
                wait
            ]),
        }
    }
}

/// The part of a host name that one operator has registered: its last two labels, or the last
/// three below a suffix under which strangers register. `None` for an address and for what is too
/// short to be anybody's.
fn registrable(host: &str) -> Option<String> {
    /// Second-level labels of national suffixes (`co.uk`), by the public suffix list.
    const SECOND: [&str; 12] =
        ["ac", "co", "com", "edu", "go", "gov", "mil", "ne", "net", "or", "org", "nom"];
    /// Suffixes of hosts and tunnels that anybody may have a name under.
    const SHARED: [&str; 18] = [
        "amazonaws.com",
        "azurewebsites.net",
        "cloudapp.net",
        "cloudfront.net",
        "ddns.net",
        "duckdns.org",
        "dyndns.org",
        "fly.dev",
        "github.io",
        "herokuapp.com",
        "hopto.org",
        "ngrok.app",
        "ngrok.io",
        "no-ip.org",
        "pages.dev",
        "run.app",
        "workers.dev",
        "zapto.org",
    ];
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let last = |count: usize| Some(labels.get(labels.len().checked_sub(count)?..)?.join("."));
    let [.., second, top] = labels.as_slice() else { return None };
    let national = top.len() == 2 && SECOND.contains(second);
    let count = if national || SHARED.contains(&last(2)?.as_str()) { 3 } else { 2 };
    last(count).filter(|domain| domain.split('.').all(|label| !label.is_empty()))
}

impl Subscription {
    pub(crate) fn from_value(result: &Value) -> Result<Self, MessageError> {
        let Some(parts) = result.as_array() else {
            let allowed = "a list of subscriptions, extranonce1 and size of extranonce2";
            return Err(Field::new("result of subscribe", Some(result)).wrong(allowed));
        };
        // The list of subscriptions is left out here and there.
        let (session, own) = match parts.as_slice() {
            [Value::String(_), Value::Number(_)] => (None, 0),
            parts => (parts.first().and_then(session_id), 1),
        };
        Ok(Self {
            session,
            extranonce1: Field::at(parts, own, "extranonce1").extranonce()?,
            extranonce2_len: Field::at(parts, own + 1, "extranonce2 size").extranonce2_len()?,
        })
    }

    pub(crate) fn to_value(&self) -> Value {
        let session = self.session.as_deref().unwrap_or_default();
        json!([
            [["mining.set_difficulty", session], ["mining.notify", session]],
            self.extranonce1.to_string(),
            self.extranonce2_len
        ])
    }
}

/// The session id in a flat pair, in a list of pairs (that of `mining.notify` first), or alone.
fn session_id(subscriptions: &Value) -> Option<String> {
    let text = |value: &Value| Some(clean(value.as_str()?, 128)).filter(|text| !text.is_empty());
    let of_pair = |pair: &Value| text(pair.get(1)?);
    let Some(list) = subscriptions.as_array() else { return text(subscriptions) };
    let notify = list.iter().find(|pair| pair.get(0).is_some_and(|m| m == "mining.notify"));
    notify
        .and_then(of_pair)
        .or_else(|| list.iter().find_map(of_pair))
        .or_else(|| of_pair(subscriptions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, params: &str, expect: Result<ClientBound, &str>) {
        let line = format!("{{\"id\":null,\"method\":\"{method}\",\"params\":{params}}}");
        match (ClientBound::parse(line.as_bytes()), expect) {
            (Ok(Incoming::Call { id, call }), Ok(expect)) => {
                assert_eq!((id, call), (Id::NULL, expect));
            }
            (Err(malformed), Err(why)) => assert_eq!(malformed.error.to_string(), why),
            (found, expect) => panic!("{line}: {found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn difficulties_of_every_kind() {
        for (params, number) in [("[2048.0]", 2048.0), ("[0.02]", 0.02), ("[\"512\"]", 512.0)] {
            let difficulty = ShareDifficulty::new(number).expect("positive");
            check("mining.set_difficulty", params, Ok(ClientBound::SetDifficulty(difficulty)));
        }
        check("mining.set_difficulty", "[-1]", Err("difficulty is -1, allowed: a positive number"));
        check(
            "mining.set_difficulty",
            "[]",
            Err("difficulty is missing, allowed: a positive number"),
        );
    }

    #[test]
    fn reconnects_of_every_kind() {
        let there = Reconnect {
            host: Some("b.pool.example".into()),
            port: Some(3333),
            wait: Duration::from_secs(5),
        };
        for params in ["[\"b.pool.example\",\"3333\",5]", "[\"b.pool.example\",3333,\"5\"]"] {
            check("client.reconnect", params, Ok(ClientBound::Reconnect(there.clone())));
        }
        for params in ["[]", "[\"\"]", "[null,null,0]"] {
            check("client.reconnect", params, Ok(ClientBound::Reconnect(Reconnect::default())));
        }
        check("client.reconnect", "[\"x\",0]", Err("port is 0, allowed: a port from 1 to 65535"));
        assert_eq!(there.to_params(), json!(["b.pool.example", "3333", 5]));
        assert!(there.stays_with("a.pool.example"));
        assert!(there.stays_with("B.POOL.example"));
        assert!(Reconnect::default().stays_with("a.pool.example"));
        assert!(there.stays_with("pool.example"));
        for host in ["example", "a.other.example", "10.0.0.1"] {
            assert!(!there.stays_with(host), "{host}");
        }
        let address = Reconnect { host: Some("10.0.0.2".into()), ..there };
        assert!(!address.stays_with("10.0.0.1"));
        assert!(address.stays_with("10.0.0.2"));
    }

    #[test]
    fn shapes_of_the_subscription() {
        for (result, session) in [
            (json!([["mining.notify", "ae68"], "f8006343", 4]), Some("ae68")),
            (
                json!([[["mining.set_difficulty", "de"], ["mining.notify", "ad"]], "f8006343", 4]),
                Some("ad"),
            ),
            (json!([[["mining.set_difficulty", "de"]], "f8006343", 4]), Some("de")),
            (json!(["ae68", "f8006343", "4"]), Some("ae68")),
            (json!([null, "f8006343", 4.0]), None),
            (json!([[], "f8006343", 4, "more"]), None),
            (json!([[[]], "f8006343", 4]), None),
        ] {
            let found = Subscription::from_value(&result).expect("a subscription");
            assert_eq!(found.session.as_deref(), session, "{result}");
            assert_eq!(
                (found.extranonce1.to_string().as_str(), found.extranonce2_len),
                ("f8006343", 4)
            );
            assert_eq!(Subscription::from_value(&found.to_value()), Ok(found));
        }
        for (result, why) in [
            (
                json!(true),
                "result of subscribe is true, allowed: a list of subscriptions, extranonce1 and size of extranonce2",
            ),
            (
                json!([null, "f80", 4]),
                "extranonce1 is \"f80\", allowed: an even number of hexadecimal digits",
            ),
            (
                json!([null, "f8006343", 0]),
                "extranonce2 size is 0, allowed: a whole number from 1 to 32",
            ),
        ] {
            assert_eq!(Subscription::from_value(&result).expect_err("wrong").to_string(), why);
        }
    }
}
