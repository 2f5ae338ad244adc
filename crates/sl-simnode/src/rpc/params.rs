use serde_json::Value;
use sl_units::Hash256;

use super::{RpcError, code, cut};

/// The arguments of a call, read by place. A missing one and `null` are the same.
#[derive(Clone, Copy)]
pub(crate) struct Params<'a>(&'a [Value]);

impl<'a> Params<'a> {
    pub(crate) const fn new(values: &'a [Value]) -> Self {
        Self(values)
    }

    pub(crate) fn get(self, at: usize) -> Option<&'a Value> {
        self.0.get(at).filter(|value| !value.is_null())
    }

    pub(crate) fn text(self, at: usize) -> Result<Option<&'a str>, RpcError> {
        match self.get(at) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(RpcError::new(code::MISC, "JSON value is not a string as expected")),
        }
    }

    pub(crate) fn integer(self, at: usize) -> Result<Option<i64>, RpcError> {
        let Some(value) = self.get(at) else { return Ok(None) };
        value
            .as_i64()
            .map(Some)
            .ok_or_else(|| RpcError::new(code::MISC, "JSON value is not an integer as expected"))
    }

    /// A flag, or a number as older clients give it.
    pub(crate) fn level(self, at: usize, default: i64) -> Result<i64, RpcError> {
        match self.get(at) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(i64::from(*flag)),
            Some(_) => Ok(self.integer(at)?.unwrap_or(default)),
        }
    }

    /// A hash of 64 digits; `name` stands in the error.
    pub(crate) fn hash(self, at: usize, name: &str) -> Result<Hash256, RpcError> {
        let text = self.text(at)?.unwrap_or_default();
        if text.len() != 64 {
            let message =
                format!("{name} must be of length 64 (not {}, for '{}')", text.len(), cut(text));
            return Err(RpcError::new(code::INVALID_PARAMETER, message));
        }
        text.parse().map_err(|_| {
            let message = format!("{name} must be hexadecimal string (not '{text}')");
            RpcError::new(code::INVALID_PARAMETER, message)
        })
    }
}
