use std::{borrow::Cow, fmt};

use serde_json::{Value, json};

use crate::{MessageError, field};

/// The error codes that every Stratum V1 pool and machine knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorCode {
    /// 20: anything without a code of its own.
    Other = 20,
    /// 21: the job is unknown, or stale.
    JobNotFound = 21,
    /// 22: the same share was submitted before.
    DuplicateShare = 22,
    /// 23: the hash is above the target.
    LowDifficulty = 23,
    /// 24: the worker is not authorised on this connection.
    Unauthorized = 24,
    /// 25: nothing can be submitted before `mining.subscribe`.
    NotSubscribed = 25,
}

impl ErrorCode {
    /// All codes, lowest first.
    pub const ALL: [Self; 6] = [
        Self::Other,
        Self::JobNotFound,
        Self::DuplicateShare,
        Self::LowDifficulty,
        Self::Unauthorized,
        Self::NotSubscribed,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The standard text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Other => "Other/Unknown",
            Self::JobNotFound => "Job not found",
            Self::DuplicateShare => "Duplicate share",
            Self::LowDifficulty => "Low difficulty share",
            Self::Unauthorized => "Unauthorized worker",
            Self::NotSubscribed => "Not subscribed",
        }
    }
}

/// A refusal: what stands in the `error` of a reply.
///
/// ```text
/// "error":[23,"Low difficulty share",null]     what is written
/// "error":[21,"job not found"]                 also read (foundation-stratum)
/// "error":{"code":-3,"message":"high-hash"}    also read
/// "error":"H-not-zero"                         also read
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The number on the wire; 20 when the peer gave none. Some pools have codes beyond 25.
    pub code: i64,
    /// The text, at most 200 characters, without control characters.
    pub text: Cow<'static, str>,
}

/// What pools say when their code does not, in lower case. Recorded at pools of the field
/// (`testdata/stratum`, and the words of F2Pool, btcpool, NOMP and ckpool).
const WORDS: [(&str, ErrorCode); 19] = [
    ("job not found", ErrorCode::JobNotFound),
    ("unknown job", ErrorCode::JobNotFound),
    ("invalid job", ErrorCode::JobNotFound),
    ("invalid-job", ErrorCode::JobNotFound),
    ("unknown-work", ErrorCode::JobNotFound),
    ("unknown work", ErrorCode::JobNotFound),
    ("stale", ErrorCode::JobNotFound),
    ("duplicate", ErrorCode::DuplicateShare),
    ("low difficulty", ErrorCode::LowDifficulty),
    ("high-hash", ErrorCode::LowDifficulty),
    ("above target", ErrorCode::LowDifficulty),
    ("h-not-zero", ErrorCode::LowDifficulty),
    ("difficulty too low", ErrorCode::LowDifficulty),
    ("unauthorized", ErrorCode::Unauthorized),
    ("worker mismatch", ErrorCode::Unauthorized),
    ("unknown user", ErrorCode::Unauthorized),
    ("unknown worker", ErrorCode::Unauthorized),
    ("invalid username", ErrorCode::Unauthorized),
    ("not subscribed", ErrorCode::NotSubscribed),
];

impl Refusal {
    const MAX_TEXT: usize = 200;

    /// A refusal with a text of its own, cut to 200 characters.
    #[must_use]
    pub fn new(code: ErrorCode, text: &str) -> Self {
        Self::read(code.number(), text)
    }

    /// What kind of refusal it is, by its code, or by its words where the code says nothing.
    #[must_use]
    pub fn kind(&self) -> ErrorCode {
        let by_code = ErrorCode::ALL.into_iter().find(|known| known.number() == self.code);
        if let Some(code) = by_code.filter(|code| *code != ErrorCode::Other) {
            return code;
        }
        let text = self.text.to_lowercase();
        let by_words = WORDS.iter().find(|(words, _)| text.contains(words));
        by_words.map_or(ErrorCode::Other, |(_, code)| *code)
    }

    fn read(code: i64, text: &str) -> Self {
        Self { code, text: field::clean(text, Self::MAX_TEXT).into() }
    }

    /// The refusal in an `error` of any shape; `None` when there is no error.
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let other = ErrorCode::Other.number();
        let words = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => ErrorCode::Other.text().to_owned(),
            Some(value) => value.to_string(),
        };
        let code = |value: Option<&Value>| value.and_then(field::integer).unwrap_or(other);
        let empty = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Bool(true) => false,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(parts) => parts.is_empty(),
            Value::Object(parts) => parts.is_empty(),
        };
        (!empty).then(|| match value {
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text)] => Self::read(other, text),
                parts => Self::read(code(parts.first()), &words(parts.get(1))),
            },
            Value::Object(parts) => Self::read(
                code(parts.get("code")),
                &words(parts.get("message").or_else(|| parts.get("text"))),
            ),
            Value::Number(_) => Self::read(code(Some(value)), ErrorCode::Other.text()),
            value => Self::read(other, &words(Some(value))),
        })
    }

    pub(crate) fn to_value(&self) -> Value {
        json!([self.code, self.text, null])
    }
}

impl From<ErrorCode> for Refusal {
    /// A refusal with the standard text.
    fn from(code: ErrorCode) -> Self {
        Self { code: code.number(), text: Cow::Borrowed(code.text()) }
    }
}

impl From<&MessageError> for Refusal {
    fn from(error: &MessageError) -> Self {
        Self::new(ErrorCode::Other, &error.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_shape() {
        for (shape, code, text, kind) in [
            (
                json!([23, "low difficulty share of 0.0002"]),
                23,
                "low difficulty share of 0.0002",
                23,
            ),
            (json!([20, "Not supported.", null]), 20, "Not supported.", 20),
            (json!([31, "time-too-old", null]), 31, "time-too-old", 20),
            (json!({"code": -3, "message": "high-hash"}), -3, "high-hash", 23),
            (json!("H-not-zero"), 20, "H-not-zero", 23),
            (json!([20, "Worker mismatch", null]), 20, "Worker mismatch", 24),
            (json!([29, "Invalid username", null]), 29, "Invalid username", 24),
            (json!(["Stale share"]), 20, "Stale share", 21),
            (json!(["22", "again"]), 22, "again", 22),
            (json!(24), 24, "Other/Unknown", 24),
            (json!("bell\u{7}"), 20, "bell", 20),
        ] {
            let refusal = Refusal::from_value(&shape).expect("an error");
            assert_eq!((refusal.code, &*refusal.text), (code, text), "{shape}");
            assert_eq!(refusal.kind().number(), kind, "{shape}");
        }
        for none in [Value::Null, json!(false), json!([]), json!({}), json!(""), json!(0)] {
            assert_eq!(Refusal::from_value(&none), None, "{none}");
        }
    }

    #[test]
    fn the_standard_texts() {
        let written = Refusal::from(ErrorCode::LowDifficulty).to_value();
        assert_eq!(written, json!([23, "Low difficulty share", null]));
        assert_eq!(ErrorCode::ALL.map(ErrorCode::number), [20, 21, 22, 23, 24, 25]);
    }
}
