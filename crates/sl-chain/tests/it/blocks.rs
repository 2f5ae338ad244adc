use std::{fs::File, io::Read};

use flate2::read::GzDecoder;
use sl_chain::{Transaction, block::Block};
use sl_units::{Bits, NodeDifficulty};

use crate::{bytes, hex_file, json, path, scrypt_oracle};

fn recorded() -> Vec<(&'static str, Vec<u8>)> {
    let mut packed = Vec::new();
    let file = File::open(path("litecoin/block_2644351.bin.gz")).expect("recorded");
    GzDecoder::new(file).read_to_end(&mut packed).expect("gzip");
    let mut blocks = vec![("ltc_2644351", packed)];
    for (name, file) in [
        ("ltc_1", "litecoin/block_1.hex"),
        ("ltc_900000", "litecoin/block_900000.hex"),
        ("ltc_2265985", "litecoin/block_2265985.hex"),
        ("regtest 435, with an extension block", "litecoin/regtest_hogex_block_435.hex"),
        ("the documented submission", "litecoin/submitblock_example_2273263.hex"),
        ("accepted by litecoind at 432", "litecoin/regtest-e2e/submitted_block_432.hex"),
        ("accepted by litecoind at 433", "litecoin/regtest-e2e/submitted_block_433.hex"),
    ] {
        blocks.push((name, hex_file(file)));
    }
    blocks
}

#[test]
fn real_litecoin_blocks_decode_hold_and_are_written_again() {
    for (name, raw) in recorded() {
        let block = Block::decode(&raw, false).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        assert_eq!(block.encode(), raw, "{name}");
        assert_eq!(block.check_structure(true), Ok(()), "{name}");
        if name != "the documented submission" {
            let target = block.header.bits.target().expect("valid bits");
            assert!(target.is_met_by(&scrypt_oracle(&block.header.to_bytes())), "{name}");
        }
    }
}

#[test]
fn facts_recorded_of_the_blocks() {
    let blocks = recorded();
    for fact in json("litecoin/litecoin_blocks.json").as_array().expect("a list") {
        let Some((_, raw)) = blocks.iter().find(|(name, _)| *name == fact["name"]) else {
            continue;
        };
        let block = Block::decode(raw, false).expect("decodes");
        assert_eq!(block.header.hash().to_string(), fact["hash_sha256d"]);
        assert_eq!(block.txs.len(), fact["tx_count"]);
        assert_eq!(block.header.bits.to_string(), fact["bits"]);
        let target = Bits::from_u32(block.header.bits.to_u32()).target().expect("valid");
        let difficulty = NodeDifficulty::from(target).get();
        let recorded = fact["difficulty"].as_f64().expect("a number");
        assert!((difficulty / recorded - 1.0).abs() < 1e-9, "{}", fact["name"]);
        assert_eq!(block.txs.last().is_some_and(|last| last.hogex), fact["has_hogex"]);
        if let Some(txid) = fact["hogex_txid"].as_str() {
            let hogex = block.txs.last().expect("it has transactions");
            assert_eq!((hogex.txid().to_string(), hogex.wtxid()), (txid.to_owned(), hogex.txid()));
        }
    }
}

/// Header and transactions are covered by the roots; the extension block is the node's to check.
#[test]
fn one_changed_byte_is_refused() {
    for (name, raw) in recorded() {
        let block = Block::decode(&raw, false).expect("decodes");
        let covered = raw.len() - block.mweb.as_ref().map_or(0, Vec::len);
        let step = (covered / 400).max(1);
        for at in (80..covered).step_by(step) {
            let mut changed = raw.clone();
            changed[at] ^= 0x01;
            if let Ok(block) = Block::decode(&changed, false) {
                assert!(
                    block.check_structure(true).is_err(),
                    "{name}: byte {at} changed and nobody noticed"
                );
            }
        }
    }
}

#[test]
fn a_templates_ids_are_those_of_its_transactions() {
    for file in [
        "litecoin/gbt_example_2273263.json",
        "litecoin/regtest-e2e/gbt_432_first_mweb.json",
        "litecoin/regtest-e2e/gbt_433.json",
    ] {
        let template = json(file);
        let template = if template["result"].is_object() { &template["result"] } else { &template };
        for entry in template["transactions"].as_array().expect("a list") {
            let raw = bytes(&entry["data"]);
            let tx = Transaction::decode(&raw).expect("decodes");
            assert_eq!(tx.encode(), raw, "{file}");
            assert_eq!(tx.txid().to_string(), entry["txid"], "{file}");
            assert_eq!(tx.wtxid().to_string(), entry["hash"], "{file}");
        }
    }
}
