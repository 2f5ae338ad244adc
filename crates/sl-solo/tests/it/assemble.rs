use std::sync::Arc;

use proptest::prelude::*;
use sl_chain::{
    Header,
    auxpow::{AuxPow, MAGIC, verify},
    block::Block,
    coins::{self, CoinRow},
    merkle,
};
use sl_noderpc::{AuxCall, AuxTemplate, BlockTemplate};
use sl_solo::assemble::{
    AuxWork, Blueprint, ParentWork, Payout, ROLL_ALONE, ROLL_MERGED, Unsolved, rules,
};
use sl_testkit::recorded;
use sl_units::{Bits, Hash256, Mono};
use sl_work::{Job, JobId, SourceId};

use crate::{EASY, mine, row, scrypt};

fn template(name: &str) -> BlockTemplate {
    let text = recorded(&format!("litecoin/regtest-e2e/{name}.json"));
    BlockTemplate::from_json(&text).expect("as recorded")
}

fn payout(roll_mask: u32) -> Payout {
    Payout { script: vec![0x51], tag: b"/silverlode/".to_vec(), free: 8, roll_mask }
}

/// A header that an auxiliary node would keep, and what it tells of it.
fn aux(row: &'static CoinRow) -> (Header, AuxWork) {
    let header = Header {
        version: row.block_version(true),
        prev: Hash256::from_bytes([9; 32]),
        merkle_root: Hash256::from_bytes([8; 32]),
        time: 1_795_353_331,
        bits: EASY,
        nonce: 0,
    };
    let template = AuxTemplate {
        hash: header.hash(),
        chain_id: row.chain_id.expect("an auxiliary").get(),
        prev: header.prev,
        coinbase_value: row.reward_at(row.start_height),
        bits: EASY,
        target: EASY.target().expect("valid"),
        height: row.start_height,
    };
    (header, AuxWork { row, template, call: AuxCall::Create })
}

fn blueprint(template: BlockTemplate, aux: Vec<AuxWork>) -> Blueprint {
    let parent = Arc::new(ParentWork::new(template));
    Blueprint::assemble(row("LTC"), parent, aux, &payout(ROLL_MERGED)).expect("fits")
}

fn job(blueprint: &Blueprint, lease: u16, free: usize) -> Arc<Job> {
    let id = JobId { source: SourceId::new("solo"), sequence: 1 };
    Arc::new(blueprint.job(id, 1, Mono::default(), lease, free))
}

#[test]
fn recorded_templates_make_whole_blocks() {
    for (name, recorded_block, txs) in
        [("gbt_432_first_mweb", "submitted_block_432", 3), ("gbt_433", "submitted_block_433", 2)]
    {
        let template = template(name);
        let (headers, works): (Vec<_>, Vec<_>) = coins::auxiliaries().map(aux).unzip();
        let blueprint = blueprint(template.clone(), works);
        let job = job(&blueprint, 0xabcd, 4);
        let target = template.target;
        let share = mine(&job, &[1, 2, 3, 4], |hash| target.is_met_by(hash));

        let bytes = blueprint.solve_parent(&share).expect("it holds");
        let block = Block::decode(&bytes, false).expect("decodes");
        assert_eq!(block.check_structure(true), Ok(()));
        assert_eq!(block.encode(), bytes);
        assert_eq!(block.txs.len(), txs);
        for (tx, given) in block.txs.iter().skip(1).zip(&template.transactions) {
            assert_eq!(tx.encode(), given.data, "verbatim");
            assert_eq!(tx.txid(), given.txid);
        }
        let mweb = template.mweb.as_ref().expect("recorded");
        assert!(bytes.ends_with(&[&[1], &mweb[..]].concat()), "0x01 and the extension block");
        assert_eq!(block.mweb.as_deref(), Some(&mweb[..]));
        let coinbase = &block.txs[0];
        assert_eq!(coinbase.outputs[0].value, template.coinbase_value.units());
        assert!(coinbase.inputs[0].script.len() <= 100);

        // The block that litecoind took has another coinbase, and the same branch above it.
        let theirs =
            hex::decode(recorded(&format!("litecoin/regtest-e2e/{recorded_block}.hex")).trim());
        let theirs = Block::decode(&theirs.expect("hexadecimal"), false).expect("decodes");
        let root = merkle::fold(theirs.txs[0].txid(), &job.branch, 0);
        assert_eq!(root, theirs.header.merkle_root);

        // One share, nine more chains.
        assert_eq!(blueprint.goals().len(), 10);
        for (header, row) in headers.iter().zip(coins::auxiliaries()) {
            let proof = blueprint.solve_aux(&share, row.ticker).expect("it holds");
            let proof = AuxPow::decode(&proof).expect("decodes");
            let id = row.chain_id.expect("an auxiliary").get();
            verify(header, &proof, &rules(row, id), scrypt).expect("an auxiliary node takes it");
            assert_eq!(proof.chain_branch.len(), 5, "32 slots");
            assert!(!proof.coinbase.has_witness());
        }
    }
}

#[test]
fn leases_are_disjoint_and_of_their_width() {
    let blueprint = blueprint(template("gbt_433"), vec![aux(row("DOGE")).1]);
    let [narrow, wide, other] =
        [(7, 2), (7, 8), (8, 8)].map(|(lease, free)| job(&blueprint, lease, free));
    assert_eq!((narrow.coinbase.free, wide.coinbase.free), (2, 8));
    let len = |job: &Job| job.coinbase.prefix.len() + job.coinbase.free;
    assert_eq!(len(&narrow), len(&wide));
    assert!(narrow.coinbase.prefix.ends_with(&[0, 7, 0, 0, 0, 0, 0, 0]));
    assert!(wide.coinbase.prefix.ends_with(&[0, 7]));
    assert!(other.coinbase.prefix.ends_with(&[0, 8]));
    assert_eq!(narrow.coinbase_bytes(&[1, 2]), wide.coinbase_bytes(&[0, 0, 0, 0, 0, 0, 1, 2]));
    assert_eq!(wide.header.roll_mask & 0xffff_0000, 0, "auxiliaries read a chain id there");
    assert_eq!(wide.header.ntime.latest, 1_795_353_331 + 7000);
}

#[test]
fn without_auxiliaries_there_is_no_commitment() {
    let parent = Arc::new(ParentWork::new(template("gbt_433")));
    let alone = Blueprint::assemble(row("LTC"), parent, vec![], &payout(ROLL_ALONE)).expect("fits");
    let job = job(&alone, 0, 8);
    assert!(!job.coinbase.prefix.windows(4).any(|window| window == MAGIC));
    assert_eq!(job.header.roll_mask, 0x1fff_e000);
    assert_eq!(job.goals.len(), 1);
    let share = mine(&job, &[0; 8], |hash| job.goals[0].target.is_met_by(hash));
    assert!(alone.solve_parent(&share).is_ok());
    let doge = row("DOGE").ticker;
    assert_eq!(alone.solve_aux(&share, doge), Err(Unsolved::NotMined(doge)));
}

#[test]
fn an_auxiliary_block_from_a_share_that_misses_the_parent() {
    let mut hard = template("gbt_433");
    hard.bits = Bits::from_u32(0x1d00_ffff);
    hard.target = hard.bits.target().expect("valid");
    let (header, work) = aux(row("DOGE"));
    let easy = work.template.target;
    let blueprint = blueprint(hard, vec![work]);
    let job = job(&blueprint, 0, 8);
    assert_eq!(job.wanted, easy, "the easiest goal");
    let share = mine(&job, &[0; 8], |hash| easy.is_met_by(hash));
    assert!(blueprint.misses_parent(&share));
    assert!(matches!(blueprint.solve_parent(&share), Err(Unsolved::HighHash { .. })));
    let proof = blueprint.solve_aux(&share, row("DOGE").ticker).expect("it holds");
    let proof = AuxPow::decode(&proof).expect("decodes");
    verify(&header, &proof, &rules(row("DOGE"), 98), scrypt).expect("taken");
}

#[test]
fn what_a_node_would_refuse_is_found_here() {
    let solve = |change: fn(&mut BlockTemplate)| {
        let mut template = template("gbt_432_first_mweb");
        change(&mut template);
        let blueprint = blueprint(template, vec![]);
        let job = job(&blueprint, 0, 8);
        let share = mine(&job, &[0; 8], |hash| blueprint.goals()[0].target.is_met_by(hash));
        blueprint.solve_parent(&share).expect_err("it breaks a rule").to_string()
    };
    let check = |found: String, expect: &str| assert!(found.contains(expect), "{found}");
    check(solve(|template| template.mweb = None), "extension block marker");
    check(
        solve(|template| template.transactions[0].txid = Hash256::ZERO),
        "refused by our own check: bad-txnmrklroot",
    );
    check(
        solve(|template| template.witness_commitment = None),
        "refused by our own check: unexpected-witness",
    );
    check(solve(|template| template.transactions.truncate(1)), "bytes are left over");

    // An auxiliary whose hash is too good for the share.
    let (_, mut work) = aux(row("DOGE"));
    work.template.bits = Bits::from_u32(0x1d00_ffff);
    let blueprint = blueprint(template("gbt_433"), vec![work]);
    let job = job(&blueprint, 0, 8);
    let share = mine(&job, &[0; 8], |_| true);
    let refused = blueprint.solve_aux(&share, row("DOGE").ticker).expect_err("too little work");
    check(refused.to_string(), "the parent's proof-of-work hash must meet the auxiliary target");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_set_of_chains_and_any_extranonce_hold(
        picked in prop::collection::hash_set(0usize..9, 1..9),
        lease: u16,
        extranonce in prop::collection::vec(any::<u8>(), 1..=8),
    ) {
        let rows: Vec<&'static CoinRow> = coins::auxiliaries()
            .enumerate()
            .filter(|(at, _)| picked.contains(at))
            .map(|(_, row)| row)
            .collect();
        let (headers, works): (Vec<_>, Vec<_>) = rows.iter().map(|row| aux(row)).unzip();
        let blueprint = blueprint(template("gbt_433"), works);
        let job = job(&blueprint, lease, extranonce.len());
        let target = EASY.target().expect("valid");
        let share = mine(&job, &extranonce, |hash| target.is_met_by(hash));
        prop_assert!(blueprint.solve_parent(&share).is_ok());
        for (header, row) in headers.iter().zip(rows) {
            let proof = AuxPow::decode(&blueprint.solve_aux(&share, row.ticker).expect("holds"));
            let id = row.chain_id.expect("an auxiliary").get();
            let proof = proof.expect("decodes");
            prop_assert_eq!(verify(header, &proof, &rules(row, id), |_| share.hash()), Ok(()));
        }
    }
}
