//! The messages of both directions: one JSON object a line.

mod client_bound;
mod id;
mod notify;
mod server_bound;

use std::fmt::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json, value::RawValue};

pub use client_bound::{ClientBound, Reconnect, Subscription};
pub use id::Id;
pub use notify::Notify;
pub use server_bound::{Authorize, Configure, Password, ServerBound, Submit, Subscribe};

use crate::{
    MessageError, Refusal,
    field::{Field, clean},
};

/// What one line holds: a call of type `C`, or the reply to one.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming<C> {
    /// A request, or a notification (its id is null).
    Call {
        /// The id, to be given back in the reply.
        id: Id,
        /// What is called.
        call: C,
    },
    /// A reply to a request of this side.
    Reply(Reply),
}

/// A reply: a result or a refusal.
///
/// ```text
/// {"id":4,"result":true,"error":null}
/// {"id":5,"result":null,"error":[21,"Job not found",null]}
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The id of the request.
    pub id: Id,
    /// The result; null beside a refusal, in most dialects.
    pub result: Value,
    /// The refusal.
    pub error: Option<Refusal>,
}

impl Reply {
    /// A reply that grants a request.
    #[must_use]
    pub fn granted(id: Id, result: Value) -> Self {
        Self { id, result, error: None }
    }

    /// A reply that refuses a request.
    #[must_use]
    pub fn refused(id: Id, refusal: Refusal) -> Self {
        Self { id, result: Value::Null, error: Some(refusal) }
    }

    /// Whether a request answered by yes or no was granted. True is a yes whatever stands beside
    /// it, as cgminer and cpuminer read it; so is anything but false and null, unless there is an
    /// error.
    ///
    /// # Errors
    /// The refusal.
    pub fn verdict(self) -> Result<(), Refusal> {
        match (self.error, self.result) {
            (_, Value::Bool(true)) => Ok(()),
            (Some(refusal), _) => Err(refusal),
            (None, Value::Null | Value::Bool(false)) => Err(crate::ErrorCode::Other.into()),
            (None, _) => Ok(()),
        }
    }

    /// The line with its newline.
    #[must_use]
    pub fn to_line(&self) -> Bytes {
        let error = self.error.as_ref().map_or(Value::Null, Refusal::to_value);
        // Nearly all are short: one piece of memory, asked for once.
        let mut line = String::with_capacity(64);
        let _ =
            writeln!(line, "{{\"id\":{},\"result\":{},\"error\":{error}}}", self.id, self.result);
        line.into()
    }
}

/// A line that could not be understood, with what is needed to say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The id of the message, null where it could not be read.
    pub id: Id,
    /// The method, at most 64 characters, where it could be read.
    pub method: Option<String>,
    /// What is wrong.
    pub error: MessageError,
}

impl Malformed {
    fn boxed(id: Id, method: Option<&str>, error: MessageError) -> Box<Self> {
        Box::new(Self { id, method: method.map(|method| clean(method, 64)), error })
    }
}

/// The keys that both directions use; all others are ignored.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    method: Option<Value>,
    #[serde(default)]
    params: Option<Value>,
    /// `Some(Null)` when the key is there and null.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    error: Option<Value>,
    /// Why a share was refused, beside `"result":false,"error":null`: p2pool and its kin, read by
    /// pooler's cpuminer and by cgminer.
    #[serde(default, rename = "reject-reason")]
    reject_reason: Option<Value>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// Reads one line; `read` turns a method and its parameters into a call. Names in another code than
/// UTF-8 are read as far as they can be.
fn parse<C>(
    line: &[u8],
    read: impl FnOnce(&str, &[Value]) -> Result<C, MessageError>,
) -> Result<Incoming<C>, Box<Malformed>> {
    let not_json = |reason: &str| MessageError::NotJson { reason: clean(reason, 120) };
    // A list would pass for an object below, its elements taken for the keys in order.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err(Malformed::boxed(Id::NULL, None, not_json("it does not start with {")));
    }
    let text = String::from_utf8_lossy(line);
    let envelope: Envelope<'_> = serde_json::from_str(&text).map_err(|error| {
        Malformed::boxed(Id::of_line(text.as_bytes()), None, not_json(&error.to_string()))
    })?;
    let id = match envelope.id.map(|raw| Id::from_json(raw.get())) {
        None => Id::NULL,
        Some(Some(id)) => id,
        Some(None) => {
            let found = envelope.id.map(|raw| clean(raw.get(), 60)).unwrap_or_default();
            let allowed = "a number, a string of at most 126 bytes, or null";
            let error = MessageError::Field { field: "id", found, allowed };
            return Err(Malformed::boxed(Id::NULL, None, error));
        }
    };
    let method = match envelope.method {
        Some(Value::String(method)) => method,
        Some(other) => {
            let error = Field::new("method", Some(&other)).wrong("a string");
            return Err(Malformed::boxed(id, None, error));
        }
        None if envelope.result.is_none() && envelope.error.is_none() => {
            return Err(Malformed::boxed(id, None, MessageError::NotAMessage));
        }
        None => {
            let result = envelope.result.unwrap_or_default();
            let refused = matches!(result, Value::Null | Value::Bool(false));
            let reason = envelope.reject_reason.filter(|_| refused);
            let error = envelope.error.as_ref().and_then(Refusal::from_value);
            let error = error.or_else(|| reason.as_ref().and_then(Refusal::from_value));
            return Ok(Incoming::Reply(Reply { id, result, error }));
        }
    };
    let params = match envelope.params {
        None => Vec::new(),
        Some(Value::Array(params)) => params,
        Some(other) => {
            let error = MessageError::Params { found: clean(&other.to_string(), 60) };
            return Err(Malformed::boxed(id, Some(&method), error));
        }
    };
    match read(&method, &params) {
        Ok(call) => Ok(Incoming::Call { id, call }),
        Err(error) => Err(Malformed::boxed(id, Some(&method), error)),
    }
}

/// A request or notification with its newline.
fn call_line(id: &Id, method: &str, params: &Value) -> Bytes {
    format!("{{\"id\":{id},\"method\":{},\"params\":{params}}}\n", json!(method)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Incoming<(String, Vec<Value>)>, Box<Malformed>> {
        parse(line.as_bytes(), |method, params| Ok((method.to_owned(), params.to_vec())))
    }

    #[test]
    fn what_is_not_a_message_says_why() {
        for (line, why) in [
            ("[1,\"m\",[]]", "the line is not a JSON object: it does not start with {"),
            (
                "{\"id\":1",
                "the line is not a JSON object: EOF while parsing an object at line 1 column 7",
            ),
            ("{\"id\":1}", "the line has no method, and neither a result nor an error"),
            (
                "{\"id\":[1],\"method\":\"m\"}",
                "id is [1], allowed: a number, a string of at most 126 bytes, or null",
            ),
            ("{\"id\":1,\"method\":7}", "method is 7, allowed: a string"),
            ("{\"id\":1,\"method\":\"m\",\"params\":{}}", "params are {}, allowed is a list"),
        ] {
            let malformed = read(line).expect_err("malformed");
            assert_eq!(malformed.error.to_string(), why);
        }
    }

    #[test]
    fn what_is_no_json_is_answered_under_its_id() {
        for (line, id) in [
            ("{\"id\":2,\"method\":\"m\",\"params\":[\"\\ud800\"]}", "2"),
            ("{\"id\":\"a\",\"method\":\"m\",\"method\":\"m\"}", "\"a\""),
            ("{\"method\":\"m\",\"params\":[", "null"),
        ] {
            assert_eq!(read(line).expect_err(line).id.to_string(), id);
        }
        let line = b"{\"id\":2,\"method\":\"m\",\"params\":[\"acct.\xc9\xcf\"]}";
        let read = parse(line, |_, params| Ok(params.to_vec()));
        let call = vec![json!("acct.\u{fffd}\u{fffd}")];
        assert_eq!(read, Ok(Incoming::Call { id: 2.into(), call }));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{{\"id\":1,\"method\":\"m\",\"params\":{}", "[".repeat(4000));
        let error = read(&deep).expect_err("too deep").error.to_string();
        assert!(error.contains("recursion limit"), "{error}");
    }

    #[test]
    fn dialects_of_the_envelope() {
        let call =
            |id: Id, params: Vec<Value>| Ok(Incoming::Call { id, call: ("m".into(), params) });
        assert_eq!(read("{\"method\":\"m\"}"), call(Id::NULL, vec![]));
        assert_eq!(read("{\"id\":7,\"method\":\"m\",\"params\":null}"), call(7.into(), vec![]));
        assert_eq!(
            read(
                " {\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":[1],\"worker\":\"w\"} "
            ),
            call(7.into(), vec![json!(1)])
        );
        let reply = Reply::granted(3.into(), Value::Null);
        assert_eq!(
            read("{\"id\":3,\"result\":null,\"error\":null}"),
            Ok(Incoming::Reply(reply.clone()))
        );
        assert_eq!(read("{\"id\":3,\"result\":null}"), Ok(Incoming::Reply(reply)));
        let text = "{\"id\":3,\"method\":null,\"error\":\"x\"}";
        let refused = Reply::refused(3.into(), Refusal::new(crate::ErrorCode::Other, "x"));
        assert_eq!(read(text), Ok(Incoming::Reply(refused)));
        let verdict = |text: &str| match read(text) {
            Ok(Incoming::Reply(reply)) => reply.verdict().map_err(|refusal| refusal.kind()),
            other => panic!("{text}: {other:?}"),
        };
        let reason = r#"{"id":3,"result":false,"error":null,"reject-reason":"above target"}"#;
        assert_eq!(verdict(reason), Err(crate::ErrorCode::LowDifficulty));
        let unread = r#"{"id":3,"result":true,"error":null,"reject-reason":"none"}"#;
        assert_eq!(verdict(unread), Ok(()));
        assert_eq!(verdict(r#"{"id":3,"result":true,"error":[20,"fine"]}"#), Ok(()));
        let fits = r#"{"id":3,"result":{"a":1},"error":[20,"no"]}"#;
        assert_eq!(verdict(fits), Err(crate::ErrorCode::Other));
        for empty in ["[]", "\"\"", "0", "{}", "false"] {
            assert_eq!(verdict(&format!(r#"{{"id":3,"result":"OK","error":{empty}}}"#)), Ok(()));
            let refused = format!(r#"{{"id":3,"result":null,"error":{empty}}}"#);
            assert_eq!(verdict(&refused), Err(crate::ErrorCode::Other));
        }
    }
}
