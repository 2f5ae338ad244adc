use serde_json::Value;
use sl_chain::{
    Header,
    auxpow::{AuxPow, AuxRules, AuxTree, ChainIdLayout, Refusal, Rule, verify},
    block::Block,
    codec::Reader,
};
use sl_units::Hash256;

use crate::{bytes, hex_file, json, scrypt_oracle};

struct Recorded {
    name: String,
    header: Header,
    proof: AuxPow,
    proof_bytes: Vec<u8>,
    rules: AuxRules,
}

fn doge_family(chain_id: u32, strict: bool) -> AuxRules {
    AuxRules { chain_id, layout: ChainIdLayout::Upper16, strict, magic_required: false }
}

/// Every recorded proof that comes with its auxiliary header and hashes with Scrypt.
fn recorded() -> Vec<Recorded> {
    let vectors = json("auxpow/auxpow_vectors.json");
    let scrypt = |vector: &&Value| vector["pow"] == "scrypt" && vector["auxpow_hex"].is_string();
    let with_header =
        vectors.as_array().expect("a list").iter().filter(scrypt).filter_map(|vector| {
            let header = vector["aux_header_hex"].as_str()?;
            let proof_bytes = bytes(&vector["auxpow_hex"]);
            let name = vector["name"].as_str()?.to_owned();
            Some(Recorded {
                header: Header::from_bytes(&hex::decode(header).ok()?.try_into().ok()?),
                proof: AuxPow::decode(&proof_bytes)
                    .unwrap_or_else(|wrong| panic!("{name}: {wrong}")),
                proof_bytes,
                rules: doge_family(vector["chain_id"].as_u64()? as u32, !name.contains("testnet")),
                name,
            })
        });
    with_header.collect()
}

#[test]
fn every_recorded_proof_holds_and_is_written_again() {
    let recorded = recorded();
    assert!(recorded.len() >= 10, "only {} proofs", recorded.len());
    for Recorded { name, header, proof, proof_bytes, rules } in recorded {
        assert_eq!(verify(&header, &proof, &rules, scrypt_oracle), Ok(()), "{name}");
        assert_eq!(proof.encode(), proof_bytes, "{name}");
        assert_eq!(proof.layout().end, proof_bytes.len(), "{name}");
    }
}

#[test]
fn every_vector_decodes_and_is_written_again() {
    for vector in json("auxpow/auxpow_vectors.json").as_array().expect("a list") {
        let name = &vector["name"];
        if vector["auxpow_hex"].is_string() {
            let raw = bytes(&vector["auxpow_hex"]);
            let proof = AuxPow::decode(&raw).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
            assert_eq!(proof.encode(), raw, "{name}");
            assert_eq!(proof.coinbase.txid().to_string(), vector["coinbase_txid"], "{name}");
            assert_eq!(proof.parent.hash().to_string(), vector["parent_sha256d"], "{name}");
        }
        if let Some(header) = vector["aux_header_hex"].as_str() {
            let raw: [u8; 80] = hex::decode(header).expect("hex").try_into().expect("80 bytes");
            let header = Header::from_bytes(&raw);
            assert_eq!(header.to_bytes(), raw, "{name}");
            assert_eq!(header.hash().to_string(), vector["aux_hash"], "{name}");
        }
    }
}

#[test]
fn one_changed_byte_is_refused_with_its_rule() {
    for Recorded { name, header, proof, proof_bytes, rules } in recorded() {
        let layout = proof.layout();
        for at in 0..proof_bytes.len() {
            let mut changed = proof_bytes.clone();
            changed[at] ^= 0x01;
            // A changed length may not decode any more, which is a refusal that names the byte.
            let Ok(proof) = AuxPow::decode(&changed) else { continue };
            let verdict = verify(&header, &proof, &rules, scrypt_oracle);
            if (layout.hash_field..layout.hash_field + 32).contains(&at) {
                assert_eq!(verdict, Ok(()), "{name}: no node reads the hash field, byte {at}");
            } else {
                assert!(verdict.is_err(), "{name}: byte {at} changed and nobody noticed");
            }
        }
        for at in 0..Header::LEN {
            let mut changed = header.to_bytes();
            changed[at] ^= 0x01;
            let changed = Header::from_bytes(&changed);
            assert!(
                verify(&changed, &proof, &rules, scrypt_oracle).is_err(),
                "{name}: header byte {at}"
            );
        }
    }
}

#[test]
fn full_dogecoin_blocks() {
    for name in ["1", "250000", "371337", "748634", "894863"] {
        let raw = hex_file(&format!("auxpow/dogecoin_block_{name}.hex"));
        let block = Block::decode(&raw, true).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        assert_eq!(block.encode(), raw, "{name}");
        assert_eq!(block.check_structure(false), Ok(()), "{name}");
        if let Some(proof) = &block.auxpow {
            assert_eq!(
                verify(&block.header, proof, &doge_family(98, true), scrypt_oracle),
                Ok(()),
                "{name}"
            );
        }
    }
}

/// The block that a Dogecoin-lineage daemon accepted, and the variants it was asked about.
#[test]
fn we_judge_as_the_daemon_did() {
    let accepted = json("auxpow/regtest-e2e/pepecoin_regtest_accepted.json");
    let raw = bytes(&accepted["aux_block_hex"]);
    let block = Block::decode(&raw, true).expect("the daemon accepted it");
    assert_eq!(block.encode(), raw);
    assert_eq!(block.check_structure(false), Ok(()));
    let proof = block.auxpow.clone().expect("with a proof");
    let rules = doge_family(63, true);
    let judge = |proof: &AuxPow| {
        verify(&block.header, proof, &rules, |_| Hash256::ZERO)
            .map_err(|refusal: Refusal| refusal.rule)
    };
    assert_eq!(verify(&block.header, &proof, &rules, scrypt_oracle), Ok(()));

    let mut witnessed = proof.clone();
    witnessed.coinbase.inputs[0].witness = vec![vec![0; 32]];
    assert_eq!(judge(&witnessed), Ok(()), "coinbase_with_witness_serialisation: true");
    let mut zeroed = proof.clone();
    zeroed.hash_field = Hash256::ZERO;
    assert_eq!(judge(&zeroed), Ok(()), "zero_parent_hash_field: true");

    // The other probes change the script, so the parent's root must follow the coinbase.
    let root = proof.chain_root(block.header.hash());
    let with_script = |script: Vec<u8>| {
        let mut changed = proof.clone();
        changed.coinbase.inputs[0].script = script;
        changed.coinbase_branch.clear();
        changed.parent.merkle_root = changed.coinbase.txid();
        changed
    };
    let trailer = [32u32.to_le_bytes(), 0u32.to_le_bytes()].concat();
    let magic = &[0xfa, 0xbe, 0x6d, 0x6d][..];
    let display = root.to_display_bytes();
    let script = |parts: &[&[u8]]| parts.concat();
    for (probe, script, expected) in [
        ("as accepted", script(&[&[2, 26, 1], magic, &display, &trailer]), Ok(())),
        ("legacy_no_magic_first20", script(&[&[2, 26, 1], &display, &trailer]), Ok(())),
        (
            "legacy_no_magic_too_far",
            script(&[&[0; 21], &display, &trailer]),
            Err(Rule::RootAmongFirst20),
        ),
        (
            "root_not_reversed",
            script(&[&[2, 26, 1], magic, root.as_bytes(), &trailer]),
            Err(Rule::RootInCoinbase),
        ),
        (
            "two_magic",
            script(&[&[2, 26, 1], magic, &display, &trailer, magic]),
            Err(Rule::OneMagic),
        ),
        ("magic apart", script(&[magic, &[0], &display, &trailer]), Err(Rule::MagicBeforeRoot)),
        ("no trailer", script(&[magic, &display, &[0; 7]]), Err(Rule::SizeAndNonce)),
        (
            "another size",
            script(&[magic, &display, &64u32.to_le_bytes(), &[0; 4]]),
            Err(Rule::TreeSize),
        ),
        (
            "another nonce",
            script(&[magic, &display, &32u32.to_le_bytes(), &[1, 0, 0, 0]]),
            Err(Rule::Slot),
        ),
    ] {
        assert_eq!(judge(&with_script(script)), expected, "{probe}");
    }
    let bells = AuxRules { magic_required: true, ..rules };
    let bare = with_script(script(&[&[2, 26, 1], &display, &trailer]));
    let refusal =
        verify(&block.header, &bare, &bells, |_| Hash256::ZERO).expect_err("Bells wants the magic");
    assert_eq!(refusal.rule, Rule::MagicPresent);
}

#[test]
fn the_nine_proofs_of_a_real_litecoin_block() {
    let recorded = json("litecoin/regtest-e2e/auxpow_simulated_for_block_432.json");
    for vector in recorded["vectors"].as_array().expect("a list") {
        let raw = bytes(&vector["auxpow_hex"]);
        let proof = AuxPow::decode(&raw).expect("decodes");
        assert_eq!(proof.encode(), raw);
        let hash: Hash256 = vector["aux_hash"].as_str().expect("hex").parse().expect("a hash");
        let root = proof.chain_root(hash).to_display_bytes();
        let script = &proof.coinbase.inputs[0].script;
        assert!(script.windows(32).any(|window| window == root), "{}", vector["coin"]);
        assert_eq!(proof.chain_index, vector["slot"], "{}", vector["coin"]);
    }
}

#[test]
fn our_tree_is_what_the_verifier_wants() {
    let chains: Vec<_> = [98, 16, 63, 8211, 8224, 50, 74, 8228, 168]
        .map(|id| (id, sl_chain::sha256d(&[id as u8])))
        .to_vec();
    let tree = AuxTree::build(&chains).expect("no two ids collide");
    assert_eq!((tree.height(), tree.commitment().size), (5, 32));
    let raw = tree.commitment().to_bytes();
    let mut reader = Reader::new(&raw);
    assert_eq!(reader.array::<4>("magic"), Ok(sl_chain::auxpow::MAGIC));
}
