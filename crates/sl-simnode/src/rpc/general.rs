//! What a node says of itself, of addresses and of its calls.

use serde::Serialize;
use sl_chain::{
    address::{Address, Payload},
    coins::Role,
};

use super::{Answer, Params, RpcError, answer, cut, usage};
use crate::{
    node::Node,
    offer::{has_mweb, has_segwit},
};

/// The network's name in answers: the rules are those of the main network.
pub(super) const CHAIN: &str = "main";
/// What every answer with a place for warnings says.
pub(super) const WARNING: &str = "simulated chain: its coins have no value";
/// Peers that a node claims to have: miners refuse to work on a node without any.
pub(super) const CONNECTIONS: u32 = 8;

/// Keys in the order of Litecoin Core 0.21.
#[derive(Serialize)]
struct NetworkInfo {
    version: u32,
    subversion: String,
    protocolversion: u32,
    localservices: &'static str,
    localrelay: bool,
    timeoffset: i64,
    networkactive: bool,
    connections: u32,
    networks: [u8; 0],
    relayfee: f64,
    incrementalfee: f64,
    localaddresses: [u8; 0],
    warnings: &'static str,
}

pub(super) fn getnetworkinfo(node: &Node) -> Result<Answer, RpcError> {
    let (version, protocolversion) =
        if has_segwit(node.row) { (210_201, 70_017) } else { (1_140_900, 70_015) };
    answer(&NetworkInfo {
        version,
        subversion: format!("/silverlode-simulated-{}:0.1.0/", node.row.name.to_lowercase()),
        protocolversion,
        localservices: "000000000000040d",
        localrelay: true,
        timeoffset: 0,
        networkactive: true,
        connections: CONNECTIONS,
        networks: [],
        relayfee: 0.00001,
        incrementalfee: 0.00001,
        localaddresses: [],
        warnings: WARNING,
    })
}

/// Keys in the order of `testdata/litecoin/regtest-e2e/rpc_http_recordings.txt`.
#[derive(Serialize)]
struct ValidAddress<'a> {
    isvalid: bool,
    address: &'a str,
    #[serde(rename = "scriptPubKey")]
    script: String,
    isscript: bool,
    iswitness: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_version: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_program: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ismweb: Option<bool>,
}

#[derive(Serialize)]
struct InvalidAddress {
    isvalid: bool,
}

pub(super) fn validateaddress(node: &Node, params: Params<'_>) -> Result<Answer, RpcError> {
    let text = params.text(0)?.unwrap_or_default();
    let Ok(address) = Address::parse(text, node.row) else {
        return answer(&InvalidAddress { isvalid: false });
    };
    let witness = match address.payload() {
        Payload::Witness { version, program } => Some((*version, hex::encode(program))),
        Payload::P2pkh(_) | Payload::P2sh(_) => None,
    };
    let (witness_version, witness_program) = witness.unzip();
    answer(&ValidAddress {
        isvalid: true,
        address: text,
        script: hex::encode(address.script_pubkey()),
        isscript: matches!(address.payload(), Payload::P2sh(_)),
        iswitness: witness_version.is_some(),
        witness_version,
        witness_program,
        ismweb: has_mweb(node.row).then_some(false),
    })
}

pub(super) fn help(node: &Node, params: Params<'_>) -> Result<Answer, RpcError> {
    match params.text(0)? {
        None => {
            let auxiliary = node.row.role == Role::Auxiliary;
            let lines: Vec<String> =
                node.methods(auxiliary).map(|(name, args)| usage(name, args)).collect();
            answer(&lines.join("\n"))
        }
        Some(name) => match node.method(name) {
            Some((name, args)) => answer(&usage(name, args)),
            None => answer(&format!("help: unknown command: {}", cut(name))),
        },
    }
}
