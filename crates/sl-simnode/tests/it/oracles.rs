//! A sample of simulated blocks, decoded and checked by code that is not ours.

use std::sync::Arc;

use dogecoin_oracle::{
    consensus::deserialize as dogecoin_decode, dogecoin::Block as DogecoinBlock,
};
use litecoin::consensus::{deserialize as litecoin_decode, serialize as litecoin_encode};
use serde_json::json;
use sl_chain::auxpow::AuxTree;
use sl_units::Hash256;

use crate::rig::{Rig, proof, scrypt_oracle};

/// The witness commitment by the crate's own means. It hashes a HogEx with its flag, which the
/// nodes do not: without the flag it judges real blocks rightly.
fn witnesses_hold(block: &litecoin::Block) -> bool {
    let mut unflagged = block.clone();
    for tx in &mut unflagged.txdata {
        tx.is_hog_ex = false;
    }
    unflagged.check_witness_commitment()
}

#[test]
fn the_oracle_judges_real_blocks_rightly() {
    for name in
        ["regtest-e2e/submitted_block_432", "regtest-e2e/submitted_block_433", "block_2265985"]
    {
        let path = format!("{}/../../testdata/litecoin/{name}.hex", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("recorded data is in the repository");
        let raw = hex::decode(text.trim()).expect("hexadecimal");
        let block: litecoin::Block = litecoin_decode(&raw).expect("decodes");
        assert!(block.check_merkle_root() && witnesses_hold(&block), "{name}");
    }
}

#[test]
fn litecoin_blocks() {
    let mut rig = Rig::new("LTC", 16.0, &(Arc::new(scrypt_oracle) as _));
    let mut with_witness = 0;
    for _ in 0..12 {
        rig.wait(6.0);
        let hash = rig.mine().to_string();
        let raw = rig.ask("getblock", json!([hash, 0]));
        let raw = hex::decode(raw.as_str().expect("hex")).expect("hex");
        let block: litecoin::Block = litecoin_decode(&raw).expect("the litecoin crate decodes it");
        assert_eq!(litecoin_encode(&block), raw);
        assert_eq!(block.block_hash().to_string(), hash);
        assert!(block.check_merkle_root());
        assert!(witnesses_hold(&block));
        let height = rig.ask("getblockcount", json!([])).as_u64().expect("a height");
        assert_eq!(block.bip34_block_height().expect("a height"), height);
        let mweb = block.mweb_block.as_ref().expect("an extension block");
        assert_eq!(u64::from(mweb.header.height), height);
        let hogex = block.txdata.last().expect("transactions");
        assert!(hogex.is_hog_ex);
        with_witness += block.txdata.len() - 2;

        let work = scrypt_oracle(raw[..80].try_into().expect("80 bytes"));
        let mut target = block.header.target().to_le_bytes();
        target.reverse();
        assert!(work.to_display_bytes() <= target);
    }
    assert!(with_witness > 0, "some blocks have transactions with witnesses");
}

#[test]
fn dogecoin_blocks() {
    let pow = Arc::new(scrypt_oracle) as sl_simnode::PowHash;
    let mut parent = Rig::new("LTC", 16.0, &pow);
    let mut rig = Rig::new("DOGE", 16.0, &pow);
    for round in 0..6 {
        rig.wait(2.4);
        parent.wait(2.4);
        let address = rig.address();
        let made = rig.ask("createauxblock", json!([address]));
        let hash = made["hash"].as_str().expect("hex");
        let leaf: Hash256 = hash.parse().expect("a hash");
        let tree =
            AuxTree::build(&[(98, leaf), (50, Hash256::ZERO), (63, leaf)]).expect("no two collide");
        let template = parent.template();
        let block = parent.block(&template, Some(tree.commitment().to_bytes()));
        assert!(parent.submit(&block).is_null());
        let bytes = hex::encode(proof(&block, &tree, 98).encode());
        assert_eq!(rig.ask("submitauxblock", json!([hash, bytes])), true, "round {round}");

        let raw = rig.ask("getblock", json!([hash, 0]));
        let raw = hex::decode(raw.as_str().expect("hex")).expect("hex");
        let block: DogecoinBlock = dogecoin_decode(&raw).expect("the dogecoin crate decodes it");
        assert_eq!(dogecoin_oracle::consensus::serialize(&block), raw);
        assert_eq!(block.block_hash().to_string(), hash);
        assert!(block.check_merkle_root());
        let proof = block.header.aux_pow.as_ref().expect("a proof");
        assert!(proof.check(block.block_hash(), 98, true).is_ok());
        let parent = dogecoin_oracle::consensus::serialize(&proof.parent_block_header);
        let work = scrypt_oracle(parent[..80].try_into().expect("80 bytes"));
        assert!(
            block
                .header
                .target()
                .to_le_bytes()
                .iter()
                .rev()
                .cmp(work.to_display_bytes().iter())
                .is_ge()
        );
    }
}
