//! Every rule broken once, refused in the daemons' words.

use serde_json::{Value, json};
use sl_chain::{
    auxpow::AuxTree,
    block::{Block, witness_commitment},
    coinbase::push_height,
};
use sl_units::{Bits, Hash256};

use crate::rig::{Rig, free, proof, recommit, reroot, scrypt_oracle, unworked};

/// A node two blocks on, so that every rule has a history.
fn ready(ticker: &str) -> Rig {
    let mut rig = Rig::new(ticker, 1.0, &free());
    for _ in 0..2 {
        rig.wait(6.0);
        rig.mine();
    }
    rig.wait(6.0);
    rig
}

/// A template with transactions beside the HogEx.
fn busy(rig: &mut Rig) -> Value {
    for _ in 0..50 {
        let template = rig.template();
        if template["transactions"].as_array().expect("a list").len() >= 3 {
            return template;
        }
        rig.mine();
        rig.wait(6.0);
    }
    panic!("never two transactions in fifty blocks");
}

#[track_caller]
fn check(ticker: &str, change: impl FnOnce(&mut Block), expect: &str) {
    let mut rig = ready(ticker);
    let template = busy(&mut rig);
    let mut block = unworked(&template, None);
    change(&mut block);
    let verdict = rig.submit(&block);
    assert_eq!(verdict, expect, "{ticker}");
    let word = expect.split('(').next().expect("a word").trim_end();
    let status = rig.node.status().clone();
    assert_eq!(status.blocks_rejected.get(word), Some(&1), "{:?}", status.blocks_rejected);
    // And the right one is accepted after it.
    assert_eq!(rig.submit(&unworked(&template, None)), Value::Null);
}

#[test]
fn headers() {
    check("LTC", |block| block.header.bits = Bits::from_u32(0x2070_ffff), "bad-diffbits");
    check("LTC", |block| block.header.bits = Bits::from_u32(0xff12_3456), "high-hash");
    check("LTC", |block| block.header.bits = Bits::from_u32(0), "high-hash");
    check("LTC", |block| block.header.time -= 100_000, "time-too-old");
    check("LTC", |block| block.header.time += 7300, "time-too-new");
    check("LTC", |block| block.header.prev = Hash256::from_bytes([9; 32]), "prev-blk-not-found");
    check("LTC", |block| block.header.version = 2, "bad-version(0x00000002)");
    check("LTC", |block| block.header.version = 0x8000_0000, "bad-version(0x80000000)");
    check("DOGE", |block| block.header.version = 0x0062_0003, "bad-version(0x00000003)");
    check("DOGE", |block| block.header.version = 2, "late-legacy-block");
    check("DOGE", |block| block.header.version = 0x003f_0004, "high-hash");
}

#[test]
fn work() {
    let mut rig = Rig::new("LTC", 1e5, &(std::sync::Arc::new(scrypt_oracle) as _));
    let template = rig.template();
    assert_eq!(rig.submit(&unworked(&template, None)), "high-hash");
    let mut easy = unworked(&template, None);
    easy.header.bits = Bits::from_u32(0x2100_ffff);
    assert_eq!(rig.submit(&easy), "high-hash", "easier than the limit");
    // A proposal is judged without its work.
    let data = hex::encode(unworked(&template, None).encode());
    let proposal = json!([{"mode": "proposal", "data": data}]);
    assert_eq!(rig.ask("getblocktemplate", proposal), Value::Null);
}

#[test]
fn transactions() {
    check("LTC", |block| block.header.merkle_root = Hash256::ZERO, "bad-txnmrklroot");
    check(
        "DOGE",
        |block| {
            // An even count whose last pair repeats keeps the root of the odd count.
            let mut txs = block.txs.clone();
            txs.truncate(3);
            txs.push(txs[2].clone());
            block.txs = txs;
            reroot(block);
        },
        "bad-txns-duplicate",
    );
    check(
        "DOGE",
        |block| {
            block.txs.push(block.txs[0].clone());
            reroot(block);
        },
        "bad-cb-multiple",
    );
    check(
        "DOGE",
        |block| {
            block.txs[1].outputs[0].value += 1;
            reroot(block);
        },
        "bad-txns-inputs-missingorspent",
    );
    check(
        "DOGE",
        |block| {
            let again = block.txs[1].clone();
            block.txs.insert(3, again);
            reroot(block);
        },
        "bad-txns-inputs-missingorspent",
    );
    check(
        "BELLS",
        |block| {
            block.txs[1].inputs[0].witness[0][5] ^= 1;
            recommit(block);
        },
        "mandatory-script-verify-flag-failed (Signature must be zero for failed CHECK(MULTI)SIG operation)",
    );
    check(
        "DOGE",
        |block| {
            block.txs[1].outputs.clear();
            reroot(block);
        },
        "bad-txns-vout-empty",
    );
    check(
        "DOGE",
        |block| {
            block.txs[1].outputs[0].value = u64::MAX;
            reroot(block);
        },
        "bad-txns-txouttotal-toolarge",
    );
}

#[test]
fn coinbases() {
    check(
        "LTC",
        |block| {
            block.txs[0].outputs[0].value += 1;
            reroot(block);
        },
        "bad-cb-amount",
    );
    check(
        "JKC",
        |block| {
            // The development fund's fifth is not the miner's.
            block.txs[0].outputs[0].value += 1;
            reroot(block);
        },
        "bad-cb-amount",
    );
    check(
        "DOGE",
        |block| {
            // Without its transactions the fees are not earned either.
            block.txs.truncate(1);
            reroot(block);
        },
        "bad-cb-amount",
    );
    check(
        "LTC",
        |block| {
            let script = &mut block.txs[0].inputs[0].script;
            script[1] ^= 1;
            reroot(block);
        },
        "bad-cb-height",
    );
    for script in [vec![0x51], vec![0x51; 101]] {
        check(
            "DOGE",
            |block| {
                block.txs[0].inputs[0].script = script;
                reroot(block);
            },
            "bad-cb-length",
        );
    }
}

#[test]
fn witnesses() {
    for ticker in ["LTC", "BELLS"] {
        check(
            ticker,
            |block| {
                block.txs[0].outputs[1].script[10] ^= 1;
                reroot(block);
            },
            "bad-witness-merkle-match",
        );
        check(
            ticker,
            |block| {
                block.txs[0].outputs.truncate(1);
                reroot(block);
            },
            "unexpected-witness",
        );
        check(
            ticker,
            |block| block.txs[0].inputs[0].witness = vec![vec![0; 31]],
            "bad-witness-nonce-size",
        );
    }
    // A coinbase without its witness is given it, as the daemons do.
    let mut rig = ready("LTC");
    let template = rig.template();
    let mut block = unworked(&template, None);
    block.txs[0].inputs[0].witness.clear();
    assert!(witness_commitment(&block.txs[0]).is_some());
    assert_eq!(rig.submit(&block), Value::Null);
}

#[test]
fn extension_blocks() {
    let last = |block: &Block| block.txs.len() - 1;
    check("LTC", |block| block.mweb = None, "mweb-missing");
    check(
        "LTC",
        |block| {
            let at = last(block);
            block.txs[at].hogex = false;
            block.mweb = None;
        },
        "mweb-missing",
    );
    check(
        "LTC",
        |block| {
            block.txs.pop();
            recommit(block);
        },
        "mweb-missing",
    );
    check("LTC", |block| block.mweb.as_mut().expect("one")[40] ^= 1, "mweb-hash-mismatch");
    check("LTC", |block| block.mweb.as_mut().expect("one").push(0), "mweb-hash-mismatch");
    check(
        "LTC",
        |block| {
            // As recorded: the HogEx among the others, the commitment as given.
            let at = last(block);
            block.txs.swap(at, at - 1);
            block.mweb = None;
            reroot(block);
        },
        "bad-witness-merkle-match",
    );
    check(
        "LTC",
        |block| {
            let at = last(block);
            block.txs[at].inputs[0].prev_id = Hash256::ZERO;
            recommit(block);
        },
        "invalid-hogex-input",
    );
    check(
        "LTC",
        |block| {
            let at = last(block);
            block.txs[at].outputs[0].value -= 1;
            recommit(block);
        },
        "mweb-amount-mismatch",
    );
    check(
        "LTC",
        |block| {
            let at = last(block);
            block.txs[at].outputs[0].script[0] = 0x51;
            recommit(block);
        },
        "bad-hogex",
    );
    check(
        "LTC",
        |block| {
            block.txs[1].hogex = true;
            recommit(block);
        },
        "bad-hogex-position",
    );
}

#[test]
fn bytes_that_are_no_block() {
    let mut rig = ready("LTC");
    let template = rig.template();
    let whole = unworked(&template, None).encode();
    let mweb = template["mweb"].as_str().expect("hex").len() / 2;
    for (what, bytes) in [
        ("no marker and no extension block", whole[..whole.len() - mweb - 1].to_vec()),
        ("header only", whole[..80].to_vec()),
        ("nothing", Vec::new()),
        ("cut", whole[..200].to_vec()),
    ] {
        let error = rig.submit_hex(&hex::encode(bytes)).expect_err(what);
        assert_eq!((error.code, error.message.as_str()), (-22, "Block decode failed"), "{what}");
    }
    let error = rig.submit_hex("zz").expect_err("no hexadecimal");
    assert_eq!(error.code, -22);
    let mut block = unworked(&template, None);
    block.txs.remove(0);
    reroot(&mut block);
    let error = rig.submit_hex(&hex::encode(block.encode())).expect_err("no coinbase");
    assert_eq!(error.message, "Block does not start with a coinbase");
    let proposal = json!([{"mode": "proposal", "data": hex::encode(block.encode())}]);
    assert_eq!(rig.ask("getblocktemplate", proposal), "bad-cb-missing");
}

#[test]
fn what_a_node_remembers_of_refused_blocks() {
    let mut rig = ready("LTC");
    let template = rig.template();
    let propose = |rig: &mut Rig, block: &Block| {
        let data = hex::encode(block.encode());
        rig.ask("getblocktemplate", json!([{"mode": "proposal", "data": data}]))
    };
    // The wrong body leaves the header, for which the right body may come.
    let right = unworked(&template, None);
    let mut wrong = right.clone();
    wrong.mweb.as_mut().expect("one")[40] ^= 1;
    assert_eq!(propose(&mut rig, &right), Value::Null);
    assert_eq!(rig.submit(&wrong), "mweb-hash-mismatch");
    assert_eq!(propose(&mut rig, &right), "duplicate-inconclusive");
    // A block that can never be right stays known as such, and so does what stands on it.
    let mut greedy = unworked(&template, None);
    greedy.txs[0].outputs[0].value += 1;
    reroot(&mut greedy);
    assert_eq!(rig.submit(&greedy), "bad-cb-amount");
    assert_eq!(rig.submit(&greedy), "duplicate-invalid");
    assert_eq!(propose(&mut rig, &greedy), "duplicate-invalid");
    let mut child = right.clone();
    child.header.prev = greedy.header.hash();
    assert_eq!(propose(&mut rig, &child), "inconclusive-not-best-prevblk");
    assert_eq!(rig.submit(&child), "bad-prevblk");
    assert_eq!(rig.submit(&right), Value::Null);
    assert_eq!(propose(&mut rig, &right), "duplicate");
}

#[test]
fn forks_too_deep() {
    let mut rig = Rig::new("DOGE", 1.0, &free());
    rig.wait(2.4);
    let template = rig.template();
    let mut sibling = unworked(&template, None);
    sibling.header.nonce = 77;
    for _ in 0..101 {
        rig.mine();
        rig.wait(2.4);
    }
    assert_eq!(rig.submit(&sibling), "bad-fork-prior-to-checkpoint");
}

#[test]
fn proofs() {
    let mut aux = Rig::new("DOGE", 1.0, &free());
    let mut parent = Rig::new("LTC", 1.0, &free());
    let address = aux.address();
    let made = aux.ask("createauxblock", json!([address]));
    let hash = made["hash"].as_str().expect("hex").to_owned();
    let tree = AuxTree::build(&[(98, hash.parse().expect("a hash")), (50, Hash256::ZERO)])
        .expect("two slots");
    let template = parent.template();
    let right = unworked(&template, Some(tree.commitment().to_bytes()));
    let mut refused = 0;
    let mut check = |what: &str, change: &dyn Fn(&mut Block)| {
        let mut block = right.clone();
        change(&mut block);
        let bytes = hex::encode(proof(&block, &tree, 98).encode());
        assert_eq!(aux.ask("submitauxblock", json!([hash, bytes])), false, "{what}");
        refused += 1;
        assert_eq!(aux.node.status().blocks_rejected["high-hash"], refused, "{what}");
    };
    check("not in the parent's root", &|block| block.header.merkle_root = Hash256::ZERO);
    check("the parent has the chain's id", &|block| block.header.version = 0x0062_0004);
    check("root not in the script", &|block| {
        block.txs[0].inputs[0].script = push_height(5);
        reroot(block);
    });
    check("two magics", &|block| {
        block.txs[0].inputs[0].script.extend_from_slice(&[0xfa, 0xbe, 0x6d, 0x6d]);
        reroot(block);
    });
    check("another tree size", &|block| {
        let script = &mut block.txs[0].inputs[0].script;
        let at = script.windows(4).position(|bytes| bytes == [0xfa, 0xbe, 0x6d, 0x6d]);
        script[at.expect("the magic") + 36] = 64;
        reroot(block);
    });
    let mut elsewhere = proof(&right, &tree, 98);
    elsewhere.chain_index ^= 1;
    let bytes = hex::encode(elsewhere.encode());
    assert_eq!(aux.ask("submitauxblock", json!([hash, bytes])), false, "another slot");
    let bytes = hex::encode(proof(&right, &tree, 98).encode());
    assert_eq!(aux.ask("submitauxblock", json!([hash, bytes])), true);
}

/// A block with the chain's id that did its own work needs no proof of a parent.
#[test]
fn own_work_is_work() {
    for ticker in ["DOGE", "BELLS", "LKY"] {
        let mut rig = Rig::new(ticker, 2.0, &(std::sync::Arc::new(scrypt_oracle) as _));
        rig.wait(2.4);
        rig.mine();
        assert_eq!(rig.node.status().blocks_accepted, 1, "{ticker}");
    }
}
