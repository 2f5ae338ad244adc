//! A node and a miner beside it, who builds blocks from the RPC's answers alone.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sl_chain::{
    Header, Transaction, TxOut,
    address::Address,
    auxpow::{AuxPow, AuxTree},
    block::{Block, witness_commitment_script},
    coinbase::{CoinbasePlan, with_witness},
    coins::{self, CoinRow},
    merkle,
};
use sl_simnode::{Node, PowHash, Reply, RpcError, World};
use sl_units::{Bits, Hash256, HashRate, Mono, Target, Wall};

pub(crate) const START: u64 = 1_795_353_326;

/// Scrypt by code that is not ours.
pub(crate) fn scrypt_oracle(header: &[u8; 80]) -> Hash256 {
    let params = scrypt::Params::new(10, 1, 1).expect("valid parameters");
    let mut out = [0; 32];
    scrypt::scrypt(header, header, &params, &mut out).expect("32 bytes are allowed");
    Hash256::from_bytes(out)
}

/// Every header has done its work: for what is not about work.
pub(crate) fn free() -> PowHash {
    Arc::new(|_: &[u8; 80]| Hash256::ZERO)
}

pub(crate) fn row(ticker: &str) -> &'static CoinRow {
    coins::by_ticker(ticker).expect("in the table")
}

pub(crate) fn world(min_hashes: f64) -> World {
    let start = Wall::from_secs(START);
    let mut world = World::new(start, Mono::default(), 7, HashRate::from_hs(min_hashes));
    world.min_hashes_per_block = min_hashes;
    world
}

pub(crate) struct Rig {
    pub(crate) node: Node,
    pub(crate) row: &'static CoinRow,
    pub(crate) now: Mono,
    pow: PowHash,
}

impl Rig {
    pub(crate) fn new(ticker: &str, min_hashes: f64, pow: &PowHash) -> Self {
        let row = row(ticker);
        let node = Node::new(row, world(min_hashes), Arc::clone(pow));
        Self { node, row, now: Mono::from_start(Duration::from_secs(1)), pow: Arc::clone(pow) }
    }

    pub(crate) fn wait(&mut self, seconds: f64) {
        self.now = self.now + Duration::from_secs_f64(seconds);
    }

    pub(crate) fn call(&mut self, method: &str, params: Value) -> Result<Value, RpcError> {
        let Value::Array(params) = params else { panic!("arguments are a list") };
        match self.node.call(method, &params, self.now, false) {
            Reply::Done(done) => {
                done.map(|answer| serde_json::from_str(answer.get()).expect("JSON"))
            }
            Reply::Wait(wait) => panic!("{method} waits: {wait:?}"),
        }
    }

    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub(crate) fn template(&mut self) -> Value {
        self.ask("getblocktemplate", json!([{"rules": ["mweb", "segwit"]}]))
    }

    /// The block of a template, with work done.
    pub(crate) fn block(&self, template: &Value, commitment: Option<[u8; 44]>) -> Block {
        let mut block = unworked(template, commitment);
        self.work(&mut block);
        block
    }

    /// Turns the nonce until the block's own hash meets its target.
    pub(crate) fn work(&self, block: &mut Block) {
        let target = block.header.bits.target().expect("valid bits");
        while !target.is_met_by(&(self.pow)(&block.header.to_bytes())) {
            block.header.nonce += 1;
        }
    }

    pub(crate) fn submit(&mut self, block: &Block) -> Value {
        self.submit_hex(&hex::encode(block.encode())).expect("decodes")
    }

    pub(crate) fn submit_hex(&mut self, block: &str) -> Result<Value, RpcError> {
        self.call("submitblock", json!([block]))
    }

    /// Mines one block on the tip, whatever the chain, and gives its hash.
    pub(crate) fn mine(&mut self) -> Hash256 {
        let template = self.template();
        let block = self.block(&template, None);
        assert_eq!(self.submit(&block), Value::Null);
        block.header.hash()
    }

    pub(crate) fn address(&self) -> String {
        Address::p2pkh(self.row, [7; 20]).to_string()
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is a text"))
}

pub(crate) fn bits(value: &Value) -> Bits {
    Bits::from_u32(u32::from_str_radix(text(value, "bits"), 16).expect("hexadecimal"))
}

/// The block of a template as a miner builds it from the answer alone, without work.
pub(crate) fn unworked(template: &Value, commitment: Option<[u8; 44]>) -> Block {
    let mut outputs = vec![TxOut {
        value: template["coinbasevalue"].as_u64().expect("units"),
        script: vec![0x51],
    }];
    let segwit = template["default_witness_commitment"].as_str();
    if let Some(script) = segwit {
        outputs.push(TxOut { value: 0, script: hex::decode(script).expect("hexadecimal") });
    }
    let height = template["height"].as_u64().expect("a height");
    let plan =
        CoinbasePlan { height, commitment, extranonce_len: 4, tag: b"/test/", outputs: &outputs };
    let parts = plan.build().expect("fits");
    let mut coinbase = [&parts.prefix[..], &[0; 4], &parts.suffix].concat();
    if segwit.is_some() {
        coinbase = with_witness(&coinbase).expect("a transaction");
    }
    let mut txs = vec![Transaction::decode(&coinbase).expect("a transaction")];
    for tx in template["transactions"].as_array().expect("a list") {
        let bytes = hex::decode(text(tx, "data")).expect("hexadecimal");
        txs.push(Transaction::decode(&bytes).expect("a transaction"));
    }
    let mut block = Block {
        header: Header {
            version: template["version"].as_u64().expect("a version") as u32,
            prev: text(template, "previousblockhash").parse().expect("a hash"),
            merkle_root: Hash256::ZERO,
            time: template["curtime"].as_u64().expect("seconds") as u32,
            bits: bits(template),
            nonce: 0,
        },
        auxpow: None,
        txs,
        mweb: template["mweb"].as_str().map(|mweb| hex::decode(mweb).expect("hexadecimal")),
    };
    reroot(&mut block);
    block
}

/// Makes the header's root that of the transactions.
pub(crate) fn reroot(block: &mut Block) {
    let ids: Vec<Hash256> = block.txs.iter().map(Transaction::txid).collect();
    block.header.merkle_root = merkle::root(&ids);
}

/// Makes the coinbase's commitment that of the witnesses, then the root.
pub(crate) fn recommit(block: &mut Block) {
    let script = witness_commitment_script(block.witness_root());
    block.txs[0].outputs[1].script = script;
    reroot(block);
}

/// The proof that a parent block with this commitment carries for a chain.
pub(crate) fn proof(parent: &Block, tree: &AuxTree, chain_id: u32) -> AuxPow {
    let ids: Vec<Hash256> = parent.txs.iter().map(Transaction::txid).collect();
    let (chain_index, chain_branch) = tree.branch(chain_id);
    let mut coinbase = parent.txs[0].clone();
    coinbase.inputs[0].witness.clear();
    AuxPow {
        coinbase,
        hash_field: Hash256::ZERO,
        coinbase_branch: merkle::branch(&ids, 0),
        coinbase_index: 0,
        chain_branch,
        chain_index,
        parent: parent.header,
    }
}

/// A target from little-endian digits, as `createauxblock` has it.
pub(crate) fn target_le(text: &str) -> Target {
    Target::from_le_bytes(hex::decode(text).expect("hexadecimal").try_into().expect("32 bytes"))
}
