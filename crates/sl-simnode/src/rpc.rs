//! The calls: names, arguments, dispatch. Pure; what must wait says so and is asked again.

mod blocks;
mod error;
mod general;
mod mining;
mod params;
mod submissions;
mod templates;

use std::time::Duration;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sl_chain::coins::Role;
use sl_units::{Hash256, Mono};

pub use error::RpcError;
pub(crate) use error::code;
pub(crate) use params::Params;

use crate::node::Node;

/// The `result` of a call: JSON text, its keys in the daemons' order.
pub type Answer = Box<RawValue>;

/// What a call comes to.
#[derive(Debug)]
pub enum Reply {
    /// It is done.
    Done(Result<Answer, RpcError>),
    /// It waits for a new tip; then the same call is to be made again with `waited`.
    Wait(Wait),
}

/// What a long poll waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Until the tip is another than this.
    pub tip: Hash256,
    /// And at most so long; `None` is for ever.
    pub timeout: Option<Duration>,
}

/// Most chars of a foreign text in an error.
const SHOWN: usize = 80;

/// The calls: name, how many arguments it must have at least, names of all its arguments.
const METHODS: &[Method] = &[
    ("createauxblock", 1, &["address"]),
    ("getauxblock", 0, &["hash", "auxpow"]),
    ("getbestblockhash", 0, &[]),
    ("getblock", 1, &["blockhash", "verbosity"]),
    ("getblockchaininfo", 0, &[]),
    ("getblockcount", 0, &[]),
    ("getblockhash", 1, &["height"]),
    ("getblockheader", 1, &["blockhash", "verbose"]),
    ("getblocktemplate", 0, &["template_request"]),
    ("getconnectioncount", 0, &[]),
    ("getdifficulty", 0, &[]),
    ("getmininginfo", 0, &[]),
    ("getnetworkhashps", 0, &["nblocks", "height"]),
    ("getnetworkinfo", 0, &[]),
    ("getpeerinfo", 0, &[]),
    ("help", 0, &["command"]),
    ("submitauxblock", 2, &["hash", "auxpow"]),
    ("submitblock", 1, &["hexdata", "dummy"]),
    ("uptime", 0, &[]),
    ("validateaddress", 1, &["address"]),
    ("waitfornewblock", 0, &["timeout", "current_tip"]),
];

/// A row of [`METHODS`].
type Method = (&'static str, usize, &'static [&'static str]);

/// The calls that only an auxiliary chain has.
const AUXILIARY_ONLY: &[&str] = &["createauxblock", "getauxblock", "submitauxblock"];

impl Node {
    /// Answers one call with positional arguments. `waited` is true when a [`Reply::Wait`] to the
    /// same call is over.
    pub fn call(
        &mut self,
        method: &str,
        params: &[serde_json::Value],
        now: Mono,
        waited: bool,
    ) -> Reply {
        let Some((name, least, wanted)) = self.method(method) else {
            return Reply::Done(Err(RpcError::new(code::METHOD_NOT_FOUND, "Method not found")));
        };
        // Pools ask `submitblock` without its argument at the start, and take only this error for a
        // sign that the node has the call.
        if !(least..=wanted.len()).contains(&params.len()) {
            return Reply::Done(Err(RpcError::new(code::MISC, usage(name, wanted))));
        }
        let params = Params::new(params);
        let done = match name {
            "getblocktemplate" => return templates::getblocktemplate(self, params, now, waited),
            "waitfornewblock" => return mining::waitfornewblock(self, params, waited),
            "submitblock" => submissions::submitblock(self, params, now),
            "createauxblock" => submissions::createauxblock(self, params, now),
            "submitauxblock" => submissions::submitauxblock(self, params, now),
            "getauxblock" => submissions::getauxblock(self, params, now),
            "getmininginfo" => mining::getmininginfo(self, now),
            "getnetworkhashps" => mining::getnetworkhashps(self, params),
            "getbestblockhash" => answer(&self.chain.tip().to_string()),
            "getblockcount" => answer(&self.chain.tip_entry().height),
            "getdifficulty" => answer(&blocks::difficulty(self.chain.tip_entry().header.bits)),
            "getblock" => blocks::getblock(self, params),
            "getblockhash" => blocks::getblockhash(self, params),
            "getblockheader" => blocks::getblockheader(self, params),
            "getblockchaininfo" => blocks::getblockchaininfo(self),
            "getconnectioncount" => answer(&general::CONNECTIONS),
            "getnetworkinfo" => general::getnetworkinfo(self),
            "getpeerinfo" => general::getpeerinfo(self, now),
            "validateaddress" => general::validateaddress(self, params),
            "uptime" => answer(&now.since(self.world.started).as_secs()),
            _ => general::help(self, params),
        };
        Reply::Done(done)
    }

    /// A call of this node.
    pub(crate) fn method(&self, name: &str) -> Option<Method> {
        let auxiliary = self.row.role == Role::Auxiliary;
        self.methods(auxiliary).find(|(known, ..)| *known == name)
    }

    fn methods(&self, auxiliary: bool) -> impl Iterator<Item = Method> {
        let here = move |name: &str| auxiliary || !AUXILIARY_ONLY.contains(&name);
        METHODS.iter().copied().filter(move |(name, ..)| here(name))
    }
}

/// Puts arguments given by name in the order of a call.
///
/// # Errors
/// A name that the call does not know.
pub(crate) fn by_name(
    method: &str,
    named: &serde_json::Map<String, serde_json::Value>,
) -> Result<Vec<serde_json::Value>, RpcError> {
    let wanted =
        METHODS.iter().find(|(name, ..)| *name == method).map_or(&[][..], |(.., args)| *args);
    if let Some(unknown) = named.keys().find(|key| !wanted.contains(&key.as_str())) {
        let message = format!("Unknown named parameter {}", cut(unknown));
        return Err(RpcError::new(code::INVALID_PARAMETER, message));
    }
    let last = wanted.iter().rposition(|name| named.contains_key(*name));
    let count = last.map_or(0, |last| last + 1);
    Ok(wanted
        .iter()
        .take(count)
        .map(|name| named.get(*name).cloned().unwrap_or_default())
        .collect())
}

fn usage(name: &str, wanted: &[&str]) -> String {
    let args: Vec<String> = wanted.iter().map(|arg| format!("\"{arg}\"")).collect();
    format!("{name} {}", args.join(" ")).trim_end().to_owned()
}

fn answer(value: &(impl Serialize + ?Sized)) -> Result<Answer, RpcError> {
    to_raw_value(value).map_err(|wrong| RpcError::new(code::INTERNAL, wrong.to_string()))
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
