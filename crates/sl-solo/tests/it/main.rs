//! Solo mining: bytes, decisions, and the whole source against scripted and real nodes.

mod assemble;
mod chains;
mod farm;
mod planner;
mod real;
mod service;
mod trouble;

use std::sync::{Mutex, OnceLock, PoisonError};

use sl_chain::coins::{self, CoinRow};
use sl_noderpc::{AuxCall, AuxTemplate};
use sl_pow::{Prover, Registry};
use sl_scrypt::Scrypt;
use sl_solo::assemble::AuxWork;
use sl_units::{Bits, CoinAmount, Hash256};
use sl_work::{Claim, Job, Proven, verify};

fn row(coin: &str) -> &'static CoinRow {
    coins::by_ticker(coin).expect("in the table")
}

/// A tested engine.
fn engine() -> Prover {
    let mut registry = Registry::new();
    registry.register(Scrypt).expect("a new name");
    registry.best("scrypt").expect("an engine")
}

/// One engine for all tests that only hash.
fn prover<T>(work: impl FnOnce(&mut Prover) -> T) -> T {
    static PROVER: OnceLock<Mutex<Prover>> = OnceLock::new();
    let prover = PROVER.get_or_init(|| Mutex::new(engine()));
    work(&mut prover.lock().unwrap_or_else(PoisonError::into_inner))
}

fn scrypt(header: &[u8; 80]) -> Hash256 {
    prover(|prover| prover.hash(header).hash())
}

/// The first share of a job, from a nonce on, that `wanted` takes.
fn mine(job: &std::sync::Arc<Job>, extranonce: &[u8], wanted: impl Fn(&Hash256) -> bool) -> Proven {
    let header = &job.header;
    (0..)
        .find_map(|nonce| {
            let claim = Claim::new(
                std::sync::Arc::clone(job),
                extranonce.to_vec(),
                header.version,
                header.ntime.start,
                nonce,
            )
            .expect("as the job has it");
            let hashed = prover(|prover| prover.hash(claim.header()));
            wanted(&hashed.hash())
                .then(|| verify(claim, &hashed, sl_units::Target::MAX).expect("no target"))
        })
        .expect("some nonce")
}

/// Regtest's target: every second hash.
const EASY: Bits = Bits::from_u32(0x207f_ffff);

/// A block to be won, for tests that never hand it in.
fn aux_work(coin: &str, tip: u8, hash: u8) -> AuxWork {
    let row = row(coin);
    AuxWork {
        row,
        template: AuxTemplate {
            hash: Hash256::from_bytes([hash; 32]),
            chain_id: row.chain_id.expect("an auxiliary").get(),
            prev: Hash256::from_bytes([tip; 32]),
            coinbase_value: row.reward_at(row.start_height),
            bits: EASY,
            target: EASY.target().expect("valid"),
            height: 100 + u64::from(tip),
        },
        call: AuxCall::Create,
    }
}

fn coins(amount: u64) -> CoinAmount {
    CoinAmount::from_coins(amount)
}
