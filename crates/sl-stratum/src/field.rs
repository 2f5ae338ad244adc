//! Reading single fields out of the parameters of a message.

use serde_json::Value;
use sl_units::ShareDifficulty;
use thiserror::Error;

use crate::Extranonce;

/// Why a line is not a message, or a message not what its method needs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    /// The line is longer than the limit.
    #[error("the line is longer than {limit} bytes")]
    Oversized {
        /// The limit in bytes.
        limit: usize,
    },
    /// The line is not a JSON object.
    #[error("the line is not a JSON object: {reason}")]
    NotJson {
        /// What the JSON parser says.
        reason: String,
    },
    /// Neither a request nor a reply.
    #[error("the line has no method, and neither a result nor an error")]
    NotAMessage,
    /// The list of parameters is none.
    #[error("params are {found}, allowed is a list")]
    Params {
        /// What was found, cut short.
        found: String,
    },
    /// A field of the wrong kind.
    #[error("{field} is {found}, allowed: {allowed}")]
    Field {
        /// The field.
        field: &'static str,
        /// What was found, cut short; `missing` when there is nothing.
        found: String,
        /// What would have been right.
        allowed: &'static str,
    },
    /// A field in hexadecimal of the wrong length.
    #[error("{field} has {found} bytes, {allowed} are allowed")]
    Length {
        /// The field.
        field: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes allowed, as in `4` or `at most 32`.
        allowed: String,
    },
}

/// Foreign text made fit for logs and screens: no control characters, and cut.
pub(crate) fn clean(text: &str, max_chars: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max_chars).collect()
}

/// An integer, or a text or whole float that is one.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A difficulty as JSON: an integer where it is whole, because some machines read nothing else.
pub(crate) fn difficulty_value(difficulty: ShareDifficulty) -> Value {
    let number = difficulty.get();
    if number.fract() == 0.0 && number < 9e15 {
        Value::from(number as u64)
    } else {
        Value::from(number)
    }
}

/// A 32-bit number as the wire writes it: eight digits, most significant first.
pub(crate) fn hex_u32(number: u32) -> String {
    format!("{number:08x}")
}

/// One parameter under its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    name: &'static str,
    value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    pub(crate) fn new(name: &'static str, value: Option<&'a Value>) -> Self {
        Self { name, value }
    }

    pub(crate) fn at(params: &'a [Value], index: usize, name: &'static str) -> Self {
        Self::new(name, params.get(index))
    }

    pub(crate) fn wrong(self, allowed: &'static str) -> MessageError {
        let found = self.value.map_or_else(|| "missing".into(), |v| clean(&v.to_string(), 60));
        MessageError::Field { field: self.name, found, allowed }
    }

    /// `None` when the field is missing or null.
    pub(crate) fn given(self) -> Option<Self> {
        self.value.is_some_and(|value| !value.is_null()).then_some(self)
    }

    /// A text, or a number as text; nothing that could upset a terminal.
    pub(crate) fn name(self, max: usize, allowed: &'static str) -> Result<String, MessageError> {
        let text = match self.value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(self.wrong(allowed)),
        };
        let fit = !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control);
        if fit { Ok(text) } else { Err(self.wrong(allowed)) }
    }

    /// A text for people, made clean and cut; `None` when there is none.
    pub(crate) fn words(self, max: usize) -> Option<String> {
        let text = self.value?.as_str()?;
        Some(clean(text, max)).filter(|text| !text.is_empty())
    }

    pub(crate) fn integer(self, allowed: &'static str) -> Result<i64, MessageError> {
        self.value.and_then(integer).ok_or_else(|| self.wrong(allowed))
    }

    /// A positive number: integer, float, or either as text.
    pub(crate) fn difficulty(self) -> Result<ShareDifficulty, MessageError> {
        let number = match self.value {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .and_then(|number| ShareDifficulty::new(number).ok())
            .ok_or_else(|| self.wrong("a positive number"))
    }

    fn digits(self) -> Result<&'a str, MessageError> {
        let allowed = "an even number of hexadecimal digits";
        let text = self.value.and_then(Value::as_str).ok_or_else(|| self.wrong(allowed))?;
        let even = text.len().is_multiple_of(2);
        if even && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(text)
        } else {
            Err(self.wrong(allowed))
        }
    }

    /// Exactly `N` bytes in hexadecimal.
    pub(crate) fn fixed<const N: usize>(self) -> Result<[u8; N], MessageError> {
        let digits = self.digits()?;
        let mut bytes = [0; N];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| MessageError::Length {
            field: self.name,
            found: digits.len() / 2,
            allowed: N.to_string(),
        })?;
        Ok(bytes)
    }

    /// A 32-bit number, most significant digit first.
    pub(crate) fn u32(self) -> Result<u32, MessageError> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// Bytes in hexadecimal, at most `max`.
    pub(crate) fn bytes(self, max: usize) -> Result<Vec<u8>, MessageError> {
        let digits = self.digits()?;
        let found = digits.len() / 2;
        let allowed = || format!("at most {max}");
        if found > max {
            return Err(MessageError::Length { field: self.name, found, allowed: allowed() });
        }
        hex::decode(digits).map_err(|_| self.wrong("hexadecimal digits"))
    }

    pub(crate) fn extranonce(self) -> Result<Extranonce, MessageError> {
        let bytes = self.bytes(Extranonce::MAX_LEN)?;
        Extranonce::new(&bytes).map_err(|error| MessageError::Length {
            field: self.name,
            found: error.found,
            allowed: "at most 32".into(),
        })
    }

    /// The length of the extranonce2 that a pool leaves to its machines.
    pub(crate) fn extranonce2_len(self) -> Result<usize, MessageError> {
        let allowed = "a whole number from 1 to 32";
        let found = usize::try_from(self.integer(allowed)?).ok();
        found.filter(|n| (1..=Extranonce::MAX_LEN).contains(n)).ok_or_else(|| self.wrong(allowed))
    }
}
