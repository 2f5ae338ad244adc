//! What a node says of itself, of addresses and of its calls.

use serde::Serialize;
use sl_chain::{
    address::{Address, Payload},
    coins::Role,
};
use sl_units::Mono;

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
/// What nodes of the network serve: blocks, bloom filters, witnesses, and the last few days only.
const SERVICES: &str = "000000000000040d";

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
    let (version, protocolversion) = versions(node);
    answer(&NetworkInfo {
        version,
        subversion: subversion(node),
        protocolversion,
        localservices: SERVICES,
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

/// Keys in the order of Litecoin Core 0.21 (`src/rpc/net.cpp`), less those of single messages.
#[derive(Serialize)]
struct PeerInfo {
    id: u32,
    addr: String,
    services: &'static str,
    relaytxes: bool,
    lastsend: u32,
    lastrecv: u32,
    bytessent: u64,
    bytesrecv: u64,
    conntime: u32,
    timeoffset: i64,
    version: u32,
    subver: String,
    inbound: bool,
    startingheight: u64,
    synced_headers: u64,
    synced_blocks: u64,
    inflight: [u8; 0],
}

/// The peers that the node claims to have, at addresses that RFC 5737 keeps for examples.
/// Pools ask for them to see that the daemon is online, and how far it has synchronised.
pub(super) fn getpeerinfo(node: &Node, now: Mono) -> Result<Answer, RpcError> {
    let (_, version) = versions(node);
    let height = node.chain.tip_entry().height;
    let (since, seen) = (node.world.chain_time(node.world.started), node.world.chain_time(now));
    let peers: Vec<PeerInfo> = (0..CONNECTIONS)
        .map(|id| PeerInfo {
            id,
            addr: format!("192.0.2.{}:{}", id + 1, node.row.p2p_port),
            services: SERVICES,
            relaytxes: true,
            lastsend: seen,
            lastrecv: seen,
            bytessent: 0,
            bytesrecv: 0,
            conntime: since,
            timeoffset: 0,
            version,
            subver: subversion(node),
            inbound: false,
            startingheight: node.row.start_height,
            synced_headers: height,
            synced_blocks: height,
            inflight: [],
        })
        .collect();
    answer(&peers)
}

/// Of the program and of the protocol.
const fn versions(node: &Node) -> (u32, u32) {
    if has_segwit(node.row) { (210_201, 70_017) } else { (1_140_900, 70_015) }
}

fn subversion(node: &Node) -> String {
    format!("/silverlode-simulated-{}:0.1.0/", node.row.name.to_lowercase())
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
                node.methods(auxiliary).map(|(name, _, args)| usage(name, args)).collect();
            answer(&lines.join("\n"))
        }
        Some(name) => match node.method(name) {
            Some((name, _, args)) => answer(&usage(name, args)),
            None => answer(&format!("help: unknown command: {}", cut(name))),
        },
    }
}
