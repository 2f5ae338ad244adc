//! Chains as scripts: nodes of the tests' own, which check what they are given.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sl_chain::{
    Header,
    auxpow::{AuxPow, verify},
    block::{Block, witness_commitment_script},
    coins::CoinRow,
    sha256d,
};
use sl_solo::assemble::rules;
use sl_testkit::peer::{Answer, Call, Peer};
use sl_units::{Bits, Hash256};

use crate::{EASY, row, scrypt};

/// A chain behind a scripted node.
pub(crate) struct Chain {
    pub(crate) row: &'static CoinRow,
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct State {
    pub(crate) tip: Hash256,
    pub(crate) height: u64,
    pub(crate) bits: Bits,
    /// Words to refuse the next block with.
    pub(crate) refuse: Option<String>,
    /// Whether the connection breaks when the next auxiliary block has been taken.
    pub(crate) break_off: bool,
    /// What was taken.
    pub(crate) taken: Vec<Hash256>,
    /// Whether the node can wait for a block.
    pub(crate) can_wait: bool,
    /// Whether it has `createauxblock`.
    pub(crate) has_create: bool,
    pub(crate) genesis: Hash256,
    pub(crate) chain_id: u32,
}

impl Chain {
    pub(crate) fn new(coin: &str) -> Arc<Self> {
        let row = row(coin);
        let regtest = row.regtest.as_ref().and_then(|regtest| regtest.genesis);
        let state = State {
            tip: sha256d(coin.as_bytes()),
            height: 500,
            bits: EASY,
            refuse: None,
            break_off: false,
            taken: Vec::new(),
            can_wait: true,
            has_create: true,
            genesis: regtest.unwrap_or(row.genesis),
            chain_id: row.chain_id.map_or(0, sl_chain::coins::ChainId::get),
        };
        Arc::new(Self { row, state: Mutex::new(state), changed: Condvar::new() })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn serve(self: &Arc<Self>) -> Peer {
        let chain = Arc::clone(self);
        Peer::start(move |call| chain.answer(call))
    }

    /// Somebody else finds a block.
    pub(crate) fn move_on(&self) {
        let mut state = self.state();
        state.tip = sha256d(state.tip.as_bytes());
        state.height += 1;
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn answer(&self, call: &Call) -> Answer {
        let no_such = || Answer::error(404, -32601, "Method not found");
        let state = self.state();
        match call.method.as_str() {
            "getblockchaininfo" => Answer::result(json!({
                "chain": "regtest", "blocks": state.height, "bestblockhash": state.tip.to_string(),
            })),
            "getblockhash" if call.params[0] == state.height => {
                Answer::result(state.tip.to_string())
            }
            "getblockhash" => Answer::result(state.genesis.to_string()),
            "getbestblockhash" => Answer::result(state.tip.to_string()),
            "getblocktemplate" => {
                let known = call.params[0]["longpollid"].as_str();
                let state = self.news(state, |state| known == Some(&state.tip.to_string()));
                Answer::Result(template(&state))
            }
            "waitfornewblock" if state.can_wait => {
                let known = state.tip;
                let state = self.news(state, |state| known == state.tip);
                Answer::result(json!({"hash": state.tip.to_string(), "height": state.height}))
            }
            "submitblock" => self.submit(state, call),
            "createauxblock" if state.has_create => Answer::Result(self.aux_template(&state)),
            "getauxblock" if call.params == json!([]) => Answer::Result(self.aux_template(&state)),
            "getauxblock" | "submitauxblock" => self.submit_aux(state, call),
            _ => no_such(),
        }
    }

    /// Waits while `old`; the tests end long before the longest wait.
    fn news<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        old: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let longest = std::time::Duration::from_secs(60);
        let waited = self.changed.wait_timeout_while(state, longest, |state| old(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn submit(&self, mut state: MutexGuard<'_, State>, call: &Call) -> Answer {
        if let Some(words) = state.refuse.take() {
            return Answer::result(words);
        }
        let bytes = hex::decode(call.params[0].as_str().unwrap_or_default()).unwrap_or_default();
        let Ok(block) = Block::decode(&bytes, false) else {
            return Answer::error(500, -22, "Block decode failed");
        };
        let target = state.bits.target().expect("valid");
        if block.header.prev != state.tip {
            return Answer::result("prev-blk-not-found");
        }
        if !target.is_met_by(&scrypt(&block.header.to_bytes())) {
            return Answer::result("high-hash");
        }
        if let Err(fault) = block.check_structure(true) {
            return Answer::result(fault.to_string());
        }
        self.take(&mut state, block.header.hash());
        Answer::Result(Value::Null)
    }

    fn submit_aux(&self, mut state: MutexGuard<'_, State>, call: &Call) -> Answer {
        if state.refuse.take().is_some() {
            return Answer::result(false);
        }
        let header = self.header(&state);
        if call.params[0] != header.hash().to_string() {
            return Answer::error(500, -8, "block hash unknown");
        }
        let bytes = hex::decode(call.params[1].as_str().unwrap_or_default()).unwrap_or_default();
        let rules = rules(self.row, state.chain_id);
        let good = AuxPow::decode(&bytes)
            .is_ok_and(|proof| verify(&header, &proof, &rules, scrypt).is_ok());
        if good {
            self.take(&mut state, header.hash());
            if std::mem::take(&mut state.break_off) {
                return Answer::HangUp;
            }
        }
        Answer::result(good)
    }

    fn take(&self, state: &mut State, hash: Hash256) {
        state.tip = hash;
        state.height += 1;
        state.taken.push(hash);
        self.changed.notify_all();
    }

    fn header(&self, state: &State) -> Header {
        Header {
            version: self.row.block_version(true),
            prev: state.tip,
            merkle_root: sha256d(&state.height.to_le_bytes()),
            time: 1_795_353_331,
            bits: state.bits,
            nonce: 0,
        }
    }

    fn aux_template(&self, state: &State) -> Value {
        let target = state.bits.target().expect("valid");
        json!({
            "hash": self.header(state).hash().to_string(),
            "chainid": state.chain_id,
            "previousblockhash": state.tip.to_string(),
            "coinbasevalue": self.row.reward_at(self.row.start_height).units(),
            "bits": state.bits.to_string(),
            "height": state.height + 1,
            "_target": hex::encode(target.to_le_bytes()),
        })
    }
}

fn template(state: &State) -> Value {
    json!({
        "version": 0x2000_0000,
        "rules": ["csv", "!segwit", "mweb"],
        "previousblockhash": state.tip.to_string(),
        "transactions": [],
        "coinbasevalue": 625_000_000,
        "longpollid": state.tip.to_string(),
        "target": state.bits.target().expect("valid").to_string(),
        "mintime": 1_795_353_326,
        "curtime": 1_795_353_331,
        "bits": state.bits.to_string(),
        "height": state.height + 1,
        "default_witness_commitment": hex::encode(witness_commitment_script(Hash256::ZERO)),
    })
}
