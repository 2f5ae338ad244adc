//! What machines say to pools.

use std::fmt;

use bytes::Bytes;
use serde_json::{Value, json};
use sl_units::{ShareDifficulty, Target};

use super::{Id, Incoming, Malformed, call_line, parse};
use crate::{
    Extranonce, MessageError,
    field::{Field, clean, difficulty_value, hex_u32},
};

/// A call from a machine to a pool.
///
/// ```text
/// {"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}
/// {"id":2,"method":"mining.subscribe","params":["cgminer/4.9.0","0a0b0c0d"]}
/// {"id":3,"method":"mining.extranonce.subscribe","params":[]}
/// {"id":4,"method":"mining.authorize","params":["account.worker","x"]}
/// {"id":5,"method":"mining.suggest_difficulty","params":[65536]}
/// {"id":6,"method":"mining.submit","params":["account.worker","4dcd","00000000","5a72667b","2bbb1bc7"]}
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum ServerBound {
    /// `mining.subscribe`
    Subscribe(Subscribe),
    /// `mining.authorize`
    Authorize(Authorize),
    /// `mining.submit`
    Submit(Submit),
    /// `mining.configure` (BIP310)
    Configure(Configure),
    /// `mining.extranonce.subscribe`: the machine can take `mining.set_extranonce`.
    ExtranonceSubscribe,
    /// `mining.suggest_difficulty`; `None` where it cannot be read, as 0 for no wish.
    SuggestDifficulty(Option<ShareDifficulty>),
    /// `mining.suggest_target`; `None` where it cannot be read.
    SuggestTarget(Option<Target>),
    /// `client.get_version`, asked by a machine
    GetVersion,
    /// `mining.ping`
    Ping,
    /// `mining.get_transactions`, which no Scrypt pool grants
    GetTransactions,
    /// `mining.multi_version`, of old Bitmain firmware
    MultiVersion,
    /// Any other method, cut to 64 characters.
    Unknown(String),
}

/// `mining.subscribe`: any shape of parameters is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscribe {
    /// Program and version, at most 128 characters.
    pub user_agent: Option<String>,
    /// The session id of an earlier connection to be resumed, at most 128 characters.
    pub session: Option<String>,
}

/// `mining.authorize`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorize {
    /// The worker's name, 1 to 256 bytes without control characters.
    pub user: String,
    /// The password, which often carries wishes (`d=65536`) and seldom a secret.
    pub password: Password,
}

/// A password; it does not show itself in logs.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Password(String);

impl Password {
    /// A password of this text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

/// `mining.submit`: a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The worker's name, 1 to 256 bytes.
    pub user: String,
    /// The job's id as it came in the notify, 1 to 128 bytes.
    pub job_id: String,
    /// The bytes the machine has chosen; their number is checked by the session.
    pub extranonce2: Extranonce,
    /// The header's time, in seconds since the Unix epoch.
    pub ntime: u32,
    /// The header's nonce.
    pub nonce: u32,
    /// The rolled bits of the version, only after `mining.configure`; `None` where they cannot be
    /// read, since some fill the field without having asked.
    pub version_bits: Option<u32>,
}

/// `mining.configure` (BIP310)
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Configure {
    /// The extensions asked for, at most 16 names of at most 64 characters.
    pub extensions: Vec<String>,
    /// `version-rolling.mask`: the version bits that the machine can roll.
    pub version_mask: Option<u32>,
    /// `version-rolling.min-bit-count`: rolling fewer bits is of no use to it.
    pub min_bit_count: u32,
    /// `minimum-difficulty.value`
    pub minimum_difficulty: Option<ShareDifficulty>,
}

impl ServerBound {
    /// Reads one line from a machine.
    ///
    /// # Errors
    /// The line is no message, or the parameters are not those of its method.
    pub fn parse(line: &[u8]) -> Result<Incoming<Self>, Box<Malformed>> {
        parse(line, Self::read)
    }

    fn read(method: &str, params: &[Value]) -> Result<Self, MessageError> {
        Ok(match method {
            "mining.submit" => Self::Submit(Submit::read(params)?),
            "mining.subscribe" => Self::Subscribe(Subscribe {
                user_agent: Field::at(params, 0, "user agent").words(128),
                session: Field::at(params, 1, "session").words(128),
            }),
            "mining.authorize" => Self::Authorize(Authorize {
                user: user(params)?,
                password: password(params.get(1)),
            }),
            "mining.configure" => Self::Configure(Configure::read(params)),
            "mining.extranonce.subscribe" => Self::ExtranonceSubscribe,
            "mining.suggest_difficulty" => {
                Self::SuggestDifficulty(Field::at(params, 0, "difficulty").difficulty().ok())
            }
            "mining.suggest_target" => {
                Self::SuggestTarget(Field::at(params, 0, "target").fixed().ok().map(|mut bytes| {
                    bytes.reverse();
                    Target::from_le_bytes(bytes)
                }))
            }
            "client.get_version" | "mining.get_version" | "get_version" => Self::GetVersion,
            "mining.ping" | "client.ping" | "ping" => Self::Ping,
            "mining.get_transactions" => Self::GetTransactions,
            "mining.multi_version" => Self::MultiVersion,
            other => Self::Unknown(clean(other, 64)),
        })
    }

    /// The line with its newline.
    #[must_use]
    pub fn to_line(&self, id: &Id) -> Bytes {
        let (method, params) = match self {
            Self::Subscribe(Subscribe { user_agent: None, session: None }) => {
                ("mining.subscribe", json!([]))
            }
            Self::Subscribe(Subscribe { user_agent, session: None }) => {
                ("mining.subscribe", json!([user_agent]))
            }
            Self::Subscribe(Subscribe { user_agent, session }) => {
                ("mining.subscribe", json!([user_agent, session]))
            }
            Self::Authorize(call) => {
                ("mining.authorize", json!([call.user, call.password.reveal()]))
            }
            Self::Submit(submit) => ("mining.submit", submit.to_params()),
            Self::Configure(configure) => ("mining.configure", configure.to_params()),
            Self::ExtranonceSubscribe => ("mining.extranonce.subscribe", json!([])),
            Self::SuggestDifficulty(difficulty) => {
                ("mining.suggest_difficulty", json!([difficulty.map(difficulty_value)]))
            }
            Self::SuggestTarget(target) => {
                ("mining.suggest_target", json!([target.as_ref().map(Target::to_string)]))
            }
            Self::GetVersion => ("client.get_version", json!([])),
            Self::Ping => ("mining.ping", json!([])),
            Self::GetTransactions => ("mining.get_transactions", json!([])),
            Self::MultiVersion => ("mining.multi_version", json!([])),
            Self::Unknown(method) => (method.as_str(), json!([])),
        };
        call_line(id, method, &params)
    }
}

fn user(params: &[Value]) -> Result<String, MessageError> {
    Field::at(params, 0, "user").name(256, "1 to 256 bytes without control characters")
}

/// Any password does: it is the operator's business what it means.
fn password(value: Option<&Value>) -> Password {
    Password(match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => clean(text, 256),
        Some(other) => clean(&other.to_string(), 256),
    })
}

impl Submit {
    fn read(params: &[Value]) -> Result<Self, MessageError> {
        let bits = Field::at(params, 5, "version bits").given();
        Ok(Self {
            user: user(params)?,
            job_id: Field::at(params, 1, "job id").name(128, "1 to 128 bytes")?,
            extranonce2: Field::at(params, 2, "extranonce2").extranonce()?,
            ntime: Field::at(params, 3, "ntime").u32()?,
            nonce: Field::at(params, 4, "nonce").u32()?,
            version_bits: bits.and_then(|bits| bits.u32().ok()),
        })
    }

    fn to_params(&self) -> Value {
        let mut params = vec![
            Value::from(self.user.as_str()),
            Value::from(self.job_id.as_str()),
            Value::from(self.extranonce2.to_string()),
            Value::from(hex_u32(self.ntime)),
            Value::from(hex_u32(self.nonce)),
        ];
        params.extend(self.version_bits.map(hex_u32).map(Value::from));
        Value::from(params)
    }
}

impl Configure {
    /// What cannot be read is as if it had not been asked for: it is then not granted.
    fn read(params: &[Value]) -> Self {
        let names = params.first().and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let option = |name: &'static str| Field::new(name, params.get(1).and_then(|o| o.get(name)));
        let min_bit_count = option("version-rolling.min-bit-count").integer("a whole number");
        Self {
            extensions: names
                .iter()
                .filter_map(|name| Some(clean(name.as_str()?, 64)))
                .take(16)
                .collect(),
            version_mask: option("version-rolling.mask").u32().ok(),
            min_bit_count: min_bit_count.ok().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            minimum_difficulty: option("minimum-difficulty.value").difficulty().ok(),
        }
    }

    fn to_params(&self) -> Value {
        let mut options = json!({});
        if let Some(mask) = self.version_mask {
            options["version-rolling.mask"] = hex_u32(mask).into();
        }
        if self.min_bit_count > 0 {
            options["version-rolling.min-bit-count"] = self.min_bit_count.into();
        }
        if let Some(difficulty) = self.minimum_difficulty {
            options["minimum-difficulty.value"] = difficulty_value(difficulty);
        }
        json!([self.extensions, options])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, params: &str, expect: Result<ServerBound, &str>) {
        let line = format!("{{\"id\":9,\"method\":\"{method}\",\"params\":{params}}}");
        match (ServerBound::parse(line.as_bytes()), expect) {
            (Ok(Incoming::Call { id, call }), Ok(expect)) => {
                assert_eq!((id, call), (Id::from(9), expect));
            }
            (Err(malformed), Err(why)) => {
                assert_eq!(malformed.error.to_string(), why);
                assert_eq!((malformed.id, malformed.method.as_deref()), (9.into(), Some(method)));
            }
            (found, expect) => panic!("{line}: {found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn shapes_of_subscribe() {
        let subscribe = |user_agent: Option<&str>, session: Option<&str>| {
            Ok(ServerBound::Subscribe(Subscribe {
                user_agent: user_agent.map(Into::into),
                session: session.map(Into::into),
            }))
        };
        check("mining.subscribe", "[]", subscribe(None, None));
        check("mining.subscribe", "[\"a/1\"]", subscribe(Some("a/1"), None));
        check("mining.subscribe", "[\"a/1\",\"5e\"]", subscribe(Some("a/1"), Some("5e")));
        check("mining.subscribe", "[\"a/1\",null,\"h\",3333]", subscribe(Some("a/1"), None));
        check("mining.subscribe", "[7,{}]", subscribe(None, None));
    }

    #[test]
    fn passwords_of_every_kind() {
        for (json, text) in [("[\"w\"]", ""), ("[\"w\",\"d=2\"]", "d=2"), ("[\"w\",123]", "123")] {
            let password = Password::new(text.into());
            check(
                "mining.authorize",
                json,
                Ok(ServerBound::Authorize(Authorize { user: "w".into(), password })),
            );
        }
        check(
            "mining.authorize",
            "[]",
            Err("user is missing, allowed: 1 to 256 bytes without control characters"),
        );
        assert_eq!(format!("{:?}", Password::new("secret".into())), "Password(***)");
    }

    #[test]
    fn fields_of_submit_are_named() {
        let submit = Submit {
            user: "w".into(),
            job_id: "j".into(),
            extranonce2: Extranonce::new(&[0, 1]).expect("short"),
            ntime: 0x5a72_667b,
            nonce: 0x2bbb_1bc7,
            version_bits: None,
        };
        check(
            "mining.submit",
            "[\"w\",\"j\",\"0001\",\"5a72667b\",\"2BBB1BC7\"]",
            Ok(ServerBound::Submit(submit.clone())),
        );
        check(
            "mining.submit",
            "[\"w\",\"j\",\"0001\",\"5a72667b\",\"2bbb1bc7\",null]",
            Ok(ServerBound::Submit(submit.clone())),
        );
        check(
            "mining.submit",
            "[\"w\",\"j\",\"0001\",\"5a72667b\",\"2bbb1bc7\",\"0x20000000\"]",
            Ok(ServerBound::Submit(submit.clone())),
        );
        check(
            "mining.submit",
            "[\"w\",\"j\",\"0001\",\"5a72667b\",\"2bbb1bc7\",\"00002000\"]",
            Ok(ServerBound::Submit(Submit { version_bits: Some(0x2000), ..submit })),
        );
        for (params, why) in [
            ("[\"w\",\"j\",\"0001\",\"5a72667b\",\"2bbb1b\"]", "nonce has 3 bytes, 4 are allowed"),
            (
                "[\"w\",\"j\",\"0001\",\"5a72667b00\",\"2bbb1bc7\"]",
                "ntime has 5 bytes, 4 are allowed",
            ),
            (
                "[\"w\",\"j\",\"001\",\"5a72667b\",\"2bbb1bc7\"]",
                "extranonce2 is \"001\", allowed: an even number of hexadecimal digits",
            ),
            (
                "[\"w\",\"j\",\"0001\",\"+a72667b\",\"2bbb1bc7\"]",
                "ntime is \"+a72667b\", allowed: an even number of hexadecimal digits",
            ),
            (
                "[\"w\",\"j\",\"0001\",\"5a72667b\"]",
                "nonce is missing, allowed: an even number of hexadecimal digits",
            ),
            (
                "[\"w\",\"j\",\"0001\",1517446779,\"2bbb1bc7\"]",
                "ntime is 1517446779, allowed: an even number of hexadecimal digits",
            ),
            ("[\"\",\"j\"]", "user is \"\", allowed: 1 to 256 bytes without control characters"),
            ("[\"w\",null]", "job id is null, allowed: 1 to 128 bytes"),
        ] {
            check("mining.submit", params, Err(why));
        }
        let long = format!("[\"w\",\"j\",\"{}\"]", "00".repeat(33));
        check("mining.submit", &long, Err("extranonce2 has 33 bytes, at most 32 are allowed"));
    }

    #[test]
    fn suggestions_and_configurations() {
        let two = ShareDifficulty::new(2.0).expect("positive");
        for params in ["[2]", "[2.0]", "[\"2\"]"] {
            check(
                "mining.suggest_difficulty",
                params,
                Ok(ServerBound::SuggestDifficulty(Some(two))),
            );
        }
        for params in ["[0]", "[null]", "[]", "[\"many\"]"] {
            check("mining.suggest_difficulty", params, Ok(ServerBound::SuggestDifficulty(None)));
            check("mining.suggest_target", params, Ok(ServerBound::SuggestTarget(None)));
        }
        let target = Target::from(two);
        check(
            "mining.suggest_target",
            &format!("[\"{target}\"]"),
            Ok(ServerBound::SuggestTarget(Some(target))),
        );
        check(
            "mining.configure",
            "[[\"version-rolling\",\"x\",3],{\"version-rolling.mask\":\"1fffe000\",\"version-rolling.min-bit-count\":2,\"minimum-difficulty.value\":2}]",
            Ok(ServerBound::Configure(Configure {
                extensions: vec!["version-rolling".into(), "x".into()],
                version_mask: Some(0x1fff_e000),
                min_bit_count: 2,
                minimum_difficulty: Some(two),
            })),
        );
        check("mining.configure", "[]", Ok(ServerBound::Configure(Configure::default())));
        check("eth_login", "[]", Ok(ServerBound::Unknown("eth_login".into())));
    }
}
