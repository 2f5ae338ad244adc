//! Blocks made by hand from the answers, real work done, accepted; reorganisations; retargets.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Value, json};
use sl_chain::{Transaction, auxpow::AuxTree};
use sl_simnode::PowHash;
use sl_units::Hash256;

use crate::rig::{Rig, bits, free, proof, scrypt_oracle, target_le, unworked};

fn real() -> PowHash {
    Arc::new(scrypt_oracle)
}

#[test]
fn a_parent_block_and_nine_auxiliary_blocks_from_one_search() {
    let pow = real();
    let mut parent = Rig::new("LTC", 4.0, &pow);
    let tickers = ["DOGE", "BELLS", "PEP", "LKY", "JKC", "DINGO", "SHIC", "CRC", "TRMP"];
    let mut chains: Vec<(Rig, Value)> = tickers
        .iter()
        .map(|ticker| {
            let mut rig = Rig::new(ticker, 4.0, &pow);
            let address = rig.address();
            let made = rig.ask("createauxblock", json!([address]));
            (rig, made)
        })
        .collect();
    let leaves: Vec<(u32, Hash256)> = chains
        .iter()
        .map(|(_, made)| {
            let hash = made["hash"].as_str().expect("hex").parse().expect("a hash");
            (made["chainid"].as_u64().expect("an id") as u32, hash)
        })
        .collect();
    let tree = AuxTree::build(&leaves).expect("no two collide");
    assert_eq!(tree.height(), 5, "DOGE with DINGO, BELLS with JKC");
    let template = parent.template();
    assert!(template["mweb"].is_string(), "an extension block");
    let block = parent.block(&template, Some(tree.commitment().to_bytes()));
    assert_eq!(parent.submit(&block), Value::Null);
    let status = parent.node.status();
    assert_eq!((status.tip, status.blocks_accepted), (block.header.hash(), 1));
    assert_eq!(parent.submit(&block), "duplicate");
    assert_eq!(parent.node.status().blocks_accepted, 1);

    for (rig, made) in &mut chains {
        let id = made["chainid"].as_u64().expect("an id") as u32;
        assert_eq!(
            target_le(
                made.get("target")
                    .or_else(|| made.get("_target"))
                    .expect("one")
                    .as_str()
                    .expect("hex")
            )
            .to_bits(),
            bits(made)
        );
        let hash = made["hash"].as_str().expect("hex");
        let bytes = hex::encode(proof(&block, &tree, id).encode());
        assert_eq!(rig.ask("submitauxblock", json!([hash, bytes])), true, "{}", rig.row.ticker);
        assert_eq!(rig.ask("getbestblockhash", json!([])), hash);
        assert_eq!(rig.ask("submitauxblock", json!([hash, bytes])), true, "sent again: true again");
        assert_eq!(rig.node.status().blocks_accepted, 1);
        let whole = rig.ask("getblock", json!([hash]));
        assert_eq!(whole["auxpow"]["chainindex"], tree.branch(id).0);
        // The next block's template empties the list.
        let address = rig.address();
        rig.ask("createauxblock", json!([address]));
        let error = rig.call("submitauxblock", json!([hash, bytes])).expect_err("unknown");
        assert_eq!((error.code, error.message.as_str()), (-8, "block hash unknown"));
    }
}

#[test]
fn a_foundation_gets_its_part() {
    let mut rig = Rig::new("JKC", 1.0, &free());
    let address = rig.address();
    let made = rig.ask("createauxblock", json!([address]));
    let hash = made["hash"].as_str().expect("hex");
    let tree = AuxTree::build(&[(8224, hash.parse().expect("a hash"))]).expect("one chain");
    let mut parent = Rig::new("LTC", 1.0, &free());
    let template = parent.template();
    let share = unworked(&template, Some(tree.commitment().to_bytes()));
    let bytes = hex::encode(proof(&share, &tree, 8224).encode());
    assert_eq!(rig.ask("submitauxblock", json!([hash, bytes])), true);
    let block = rig.ask("getblock", json!([hash, 2]));
    let coinbase = hex::decode(block["tx"][0]["hex"].as_str().expect("hex")).expect("hex");
    let coinbase = Transaction::decode(&coinbase).expect("a transaction");
    let height = rig.row.start_height + 1;
    let fund = rig.row.reward_at(height).units() - rig.row.miner_reward_at(height).units();
    assert!(fund > 0);
    assert_eq!(coinbase.outputs[0].value, made["coinbasevalue"].as_u64().expect("units"));
    assert_eq!(coinbase.outputs[1].value, fund);
}

/// Auxiliary blocks come from work that may miss the parent's target.
#[test]
fn an_auxiliary_block_needs_its_own_target_only() {
    let mut parent = Rig::new("LTC", 1e6, &real());
    let mut aux = Rig::new("DOGE", 2.0, &real());
    let address = aux.address();
    let made = aux.ask("createauxblock", json!([address]));
    let hash = made["hash"].as_str().expect("hex");
    let leaf = (98, hash.parse().expect("a hash"));
    let tree = AuxTree::build(&[leaf]).expect("one chain");
    let template = parent.template();
    let mut share = unworked(&template, Some(tree.commitment().to_bytes()));
    let target = target_le(made["target"].as_str().expect("hex"));
    while !target.is_met_by(&scrypt_oracle(&share.header.to_bytes())) {
        share.header.nonce += 1;
    }
    assert_eq!(parent.submit(&share), "high-hash");
    let bytes = hex::encode(proof(&share, &tree, 98).encode());
    assert_eq!(aux.ask("submitauxblock", json!([hash, bytes])), true);
}

#[test]
fn one_template_until_the_tip_or_the_minute() {
    let mut rig = Rig::new("PEP", 1.0, &free());
    let address = rig.address();
    let other = sl_chain::address::Address::example(rig.row).to_string();
    let hash = |rig: &mut Rig, address: &str| {
        rig.ask("createauxblock", json!([address]))["hash"].as_str().expect("hex").to_owned()
    };
    let first = hash(&mut rig, &address);
    rig.wait(2.0);
    assert_eq!(hash(&mut rig, &address), first, "50 s of chain time later");
    assert_ne!(hash(&mut rig, &other), first, "another payout");
    assert_eq!(rig.ask("getauxblock", json!([]))["hash"], hash(&mut rig, &other));
    rig.wait(0.6);
    let second = hash(&mut rig, &address);
    assert_ne!(second, first, "65 s of chain time later");
    for hash in [first, second] {
        let error = rig.call("submitauxblock", json!([hash, "00"])).expect_err("no proof");
        assert_eq!(
            (error.code, error.message.as_str()),
            (-1, "CDataStream::read(): end of data: iostream error"),
            "known, both of them"
        );
    }
    let error = rig.call("createauxblock", json!(["badaddress"])).expect_err("no address");
    assert_eq!((error.code, error.message.as_str()), (-8, "Invalid coinbase payout address"));
    let mut ltc = Rig::new("LTC", 1.0, &free());
    let error = ltc.call("createauxblock", json!([address])).expect_err("no such call");
    assert_eq!((error.code, error.message.as_str()), (-32601, "Method not found"));
}

#[test]
fn a_better_tip_wins() {
    for ticker in ["LTC", "DOGE"] {
        let mut ours = Rig::new(ticker, 1.0, &free());
        let mut theirs = Rig::new(ticker, 1.0, &free());
        ours.wait(6.0);
        let common = ours.mine();
        let raw = ours.ask("getblock", json!([common.to_string(), 0]));
        assert_eq!(theirs.submit_hex(raw.as_str().expect("hex")), Ok(Value::Null), "one world");
        let mut beside = Vec::new();
        for _ in 0..3 {
            theirs.wait(7.0);
            beside.push(theirs.mine());
        }
        ours.wait(6.0);
        let first = ours.mine();
        ours.wait(5.0);
        let second = ours.mine();
        ours.now = theirs.now;
        let raw: Vec<Value> = beside
            .iter()
            .map(|hash| theirs.ask("getblock", json!([hash.to_string(), 0])))
            .collect();
        let mut verdicts = Vec::new();
        for raw in &raw {
            verdicts.push(ours.submit_hex(raw.as_str().expect("hex")).expect("decodes"));
        }
        assert_eq!(verdicts, ["inconclusive".into(), Value::from("inconclusive"), Value::Null]);
        let status = ours.node.status().clone();
        assert_eq!(status.tip, beside[2], "{ticker}");
        assert_eq!((status.reorgs, status.deepest_reorg, status.blocks_beside), (1, 2, 2));
        for lost in [first, second] {
            let header = ours.ask("getblockheader", json!([lost.to_string()]));
            assert_eq!(header["confirmations"], -1);
        }
        // And on from there, on the branch's own history.
        ours.wait(6.0);
        ours.mine();
        assert_eq!(ours.node.status().height, ours.row.start_height + 5);
    }
}

#[test]
fn each_coins_rule_moves_the_difficulty() {
    // Twice too fast: harder. Then very slow: easier, but never easier than the limit.
    for ticker in ["DOGE", "BELLS", "LKY"] {
        let mut rig = Rig::new(ticker, 1000.0, &free());
        let start = rig.node.status().expected_hashes_per_block;
        for _ in 0..60 {
            rig.wait(1.2);
            rig.mine();
        }
        let harder = rig.node.status().expected_hashes_per_block;
        assert!(harder > 1.4 * start, "{ticker}: {start} to {harder}");
        let mut seen = HashSet::new();
        for _ in 0..240 {
            rig.wait(24.0);
            rig.mine();
            seen.insert(rig.node.status().bits.to_u32());
            let limit = rig.node.status().expected_hashes_per_block;
            assert!(limit >= 999.0, "{ticker}: easier than the limit, {limit}");
        }
        let end = rig.node.status().expected_hashes_per_block;
        assert!((end / 1000.0 - 1.0).abs() < 0.01, "{ticker}: at the limit, not {end}");
        assert!(seen.len() > 1, "{ticker}");
        let difficulty = rig.ask("getdifficulty", json!([]));
        assert!(difficulty.as_f64().expect("a number") > 0.0);
        let rate = rig.ask("getnetworkhashps", json!([]));
        // A thousand hashes in 600 s of chain time.
        let rate = rate.as_f64().expect("a number");
        assert!((1.0..4.0).contains(&rate), "{ticker}: {rate}");
    }
}

/// At the easiest limit there is, products leave 256 bits; the limit holds all the same.
#[test]
fn the_easiest_world_stands() {
    for ticker in ["DOGE", "BELLS", "LKY"] {
        let mut rig = Rig::new(ticker, 1.0, &real());
        for _ in 0..120 {
            rig.wait(60.0);
            rig.mine();
        }
        assert_eq!(rig.node.status().bits.to_u32(), 0x2100_ffff, "{ticker}");
    }
}
