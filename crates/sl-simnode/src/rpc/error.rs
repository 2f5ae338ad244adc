use serde::Serialize;
use thiserror::Error;

/// An error of a call, as it stands in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[error("{message} (code {code})")]
pub struct RpcError {
    /// The number by which clients tell errors apart.
    pub code: i32,
    /// The daemons' words.
    pub message: String,
}

impl RpcError {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The numbers, from `src/rpc/protocol.h` of the daemons.
pub(crate) mod code {
    pub(crate) const MISC: i32 = -1;
    pub(crate) const TYPE: i32 = -3;
    pub(crate) const INVALID_ADDRESS_OR_KEY: i32 = -5;
    pub(crate) const INVALID_PARAMETER: i32 = -8;
    pub(crate) const DESERIALIZATION: i32 = -22;
    /// Ours, for what the daemons say with HTTP 503 alone.
    pub(crate) const OVERLOADED: i32 = -32000;
    pub(crate) const WARMUP: i32 = -28;
    pub(crate) const INVALID_REQUEST: i32 = -32600;
    pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
    pub(crate) const INTERNAL: i32 = -32603;
    pub(crate) const PARSE: i32 = -32700;
}
