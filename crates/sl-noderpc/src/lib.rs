//! The client of coin nodes: typed JSON-RPC calls over HTTP.
//!
//! For: asking a node (a daemon of the Bitcoin Core lineage, or a simulated one) for work and
//! giving it blocks. What it answers is parsed strictly: sizes are bounded, hexadecimal is checked,
//! and a node that talks nonsense is an error that says what was found, never a panic.
//!
//! Not for: deciding what to do with an answer (`sl-solo`), retries, or serving RPC
//! (`sl-simnode`, with which it shares no wire type: a mistake would agree with itself).
//!
//! ```
//! use sl_noderpc::AuxTemplate;
//!
//! let answer = r#"{"hash":"5b26c6b2163aaa4759f83e73cfe6a52f7ffd34ff940efeb155da1357d3c8d306",
//!     "chainid":63,"previousblockhash":"7d83bd3a10fd4f8678dda7c8519a080f4200690d07a8865e79f85dc486f2d451",
//!     "coinbasevalue":50000000000000,"bits":"207fffff","height":26,
//!     "target":"0000000000000000000000000000000000000000000000000000000000ffff7f"}"#;
//! let template = AuxTemplate::from_json(answer)?;
//! assert_eq!((template.chain_id, template.height), (63, 26));
//! assert_eq!(template.coinbase_value.to_string(), "500000");
//! # Ok::<(), sl_noderpc::Nonsense>(())
//! ```
#![forbid(unsafe_code)]

mod aux;
mod client;
mod envelope;
mod error;
mod shape;
mod template;

pub use aux::{AuxCall, AuxTemplate};
pub use client::{ChainInfo, Endpoint, NodeClient, SubmitOutcome, Timeouts};
pub use error::{NodeError, NodeFault, NodeName, Nonsense};
pub use template::{BlockTemplate, MAX_TEMPLATE, TemplateTx};
