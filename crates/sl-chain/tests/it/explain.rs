use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::Value;
use sl_chain::{
    Header,
    auxpow::{AuxPow, AuxRules, Rule, verify},
    block::Block,
    coins::by_ticker,
    explain::{Explanation, Form, Given, Options, State, Unread, Verdict, explain},
    sha256d,
};
use sl_units::{Bits, Hash256};

use crate::{bytes, hex_file, json, scrypt_oracle};

fn judged(given: &Given, options: &Options) -> Result<Explanation, Unread> {
    explain(given, options, &mut |header| scrypt_oracle(header))
}

fn of(bytes: Vec<u8>) -> Result<Explanation, Unread> {
    judged(&Given { bytes, ..Given::default() }, &Options::default())
}

fn block(height: &str) -> Vec<u8> {
    hex_file(&format!("auxpow/dogecoin_block_{height}.hex"))
}

/// Fields stand one behind the other and leave no byte out.
fn no_byte_without_a_field(told: &Explanation, length: usize) {
    let end = told.fields.iter().fold(0, |end, field| {
        assert_eq!(field.offset, end, "{} in {:?}", field.name, field.section);
        end + field.length
    });
    assert_eq!(end, length);
}

#[test]
fn rules_stand_in_their_order() {
    for (place, rule) in Rule::ALL.iter().enumerate() {
        assert_eq!(*rule as usize, place, "{}", rule.name());
    }
}

#[test]
fn whole_blocks_are_valid_and_named() {
    for (height, slots, slot, paid) in [
        ("371337", 8, 0, Some(("250000", 371_337))),
        ("748634", 64, 56, Some(("10000", 748_634))),
        ("894863", 64, 40, Some(("10000", 894_863))),
    ] {
        let raw = block(height);
        let told = of(raw.clone()).unwrap_or_else(|wrong| panic!("{height}: {wrong}"));
        assert_eq!((told.form, &told.verdict), (Form::Block, &Verdict::Valid), "{height}");
        no_byte_without_a_field(&told, raw.len());
        let tree = told.tree.as_ref().expect("with a proof");
        assert_eq!((tree.size, tree.slot), (slots, slot), "{height}");
        assert_eq!(told.chain.ticker, Some("DOGE"));
        assert_eq!(told.parent.as_ref().map(|parent| parent.chain), Some("Litecoin"));
        let covered: u64 = tree.slots.iter().map(|range| range.to - range.from + 1).sum();
        assert_eq!(covered, tree.size, "every slot is told once");
        assert_eq!(tree.committed.as_ref().map(|committed| committed.root), tree.root);
        if let (Some((_, height)), Some(reward)) = (paid, &told.reward) {
            assert_eq!(reward.height, Some(height));
        }
    }
    for height in ["1", "250000"] {
        let raw = block(height);
        let told = of(raw.clone()).unwrap_or_else(|wrong| panic!("{height}: {wrong}"));
        assert_eq!((told.form, &told.verdict), (Form::PlainBlock, &Verdict::Valid), "{height}");
        no_byte_without_a_field(&told, raw.len());
    }
}

#[test]
fn every_vector_is_explained() {
    for vector in json("auxpow/auxpow_vectors.json").as_array().expect("a list") {
        let name = vector["name"].as_str().expect("a name");
        let options = Options { testnet: name.contains("testnet"), ..Options::default() };
        let header =
            vector["aux_header_hex"].as_str().map(|header| hex::decode(header).expect("hex"));
        let proof = vector["auxpow_hex"].is_string().then(|| bytes(&vector["auxpow_hex"]));
        let told = match (header, proof) {
            (Some(header), Some(proof)) => {
                let apart = Given {
                    header: Some(header.clone()),
                    proof: Some(proof.clone()),
                    ..Given::default()
                };
                let apart = judged(&apart, &options).expect("reads");
                let joined = [header, proof].concat();
                let given = Given { bytes: joined.clone(), ..Given::default() };
                let joined_told = judged(&given, &options).expect("reads");
                assert_eq!(joined_told.form, Form::HeaderAndProof, "{name}");
                assert_eq!(joined_told.rules, apart.rules, "{name}");
                no_byte_without_a_field(&joined_told, joined.len());
                assert_eq!(joined_told.verdict, Verdict::Valid, "{name}: {:#?}", joined_told.rules);
                joined_told
            }
            (Some(header), None) => {
                let given = Given { bytes: header, ..Given::default() };
                let told = judged(&given, &options).expect("reads");
                assert_eq!((told.form, &told.verdict), (Form::Header, &Verdict::Valid), "{name}");
                told
            }
            (None, Some(proof)) => of_proof_alone(vector, proof),
            (None, None) => continue,
        };
        if let Some(tree) = &told.tree {
            assert_eq!(u64::from(tree.slot), vector["chain_index"], "{name}");
            let committed = tree.committed.as_ref().expect("a commitment");
            assert_eq!(committed.magic, vector["has_magic"], "{name}");
            assert_eq!(committed.size.map(Value::from), Some(vector["merkle_size"].clone()));
        }
    }
}

/// As a pool has it: hash and bits of `createauxblock`, and the proof.
fn of_proof_alone(vector: &Value, proof: Vec<u8>) -> Explanation {
    let name = vector["name"].as_str().expect("a name");
    let hash: Hash256 = vector["aux_hash"].as_str().expect("hex").parse().expect("a hash");
    let doge = vector["chain_id"] == 98;
    let options =
        Options { coin: by_ticker("DOGE").filter(|_| doge), testnet: false, repair: false };
    let bits = vector["aux_bits"].as_str().filter(|_| doge);
    let bits = bits.map(|bits| Bits::from_u32(u32::from_str_radix(bits, 16).expect("hex")));
    let given = Given { bytes: proof, hash: Some(hash), bits, ..Given::default() };
    let told = judged(&given, &options).expect("reads");
    assert_eq!(told.broken().count(), 0, "{name}: {:#?}", told.rules);
    match bits {
        Some(_) => assert_eq!(told.verdict, Verdict::Valid, "{name}"),
        None => assert!(matches!(told.verdict, Verdict::Incomplete { .. }), "{name}"),
    }
    let without = judged(&Given { hash: None, ..given }, &options).expect("reads");
    assert_eq!(without.broken().count(), 0, "{name}: nothing is wrong without the hash either");
    told
}

/// Each refusal that was recorded, made again from the accepted block.
#[test]
fn the_rule_agrees_with_the_daemon() {
    let probes = json("auxpow/regtest-e2e/submitauxblock_rule_probes.json");
    let accepted = json("auxpow/regtest-e2e/pepecoin_regtest_accepted.json");
    let block = Block::decode(&bytes(&accepted["aux_block_hex"]), true).expect("accepted");
    let hash = block.header.hash();
    let proof = block.auxpow.expect("with a proof");
    let magic = &[0xfa, 0xbe, 0x6d, 0x6d][..];
    let root = proof.chain_root(hash);
    let display = root.to_display_bytes();
    let trailer = |size: u32, nonce: u32| [size.to_le_bytes(), nonce.to_le_bytes()].concat();
    let thirty_two = trailer(32, 0);
    let height: &[u8] = &[2, 26, 1];
    let with_script = |parts: &[&[u8]]| {
        let mut changed = proof.clone();
        changed.coinbase.inputs[0].script = parts.concat();
        changed.coinbase_branch.clear();
        changed
    };
    let single = {
        let alone = [height, magic, &hash.to_display_bytes(), &trailer(1, 0)];
        AuxPow { chain_branch: Vec::new(), chain_index: 0, ..with_script(&alone) }
    };
    // The recorded probe's nonce is not known: any under which PEP keeps its slot will do.
    let nonce = (1..).find(|nonce| sl_chain::auxpow::slot(*nonce, 63, 5) == proof.chain_index);
    let nonce = trailer(32, nonce.expect("one of 32"));
    let mut witnessed = proof.clone();
    witnessed.coinbase.inputs[0].witness = vec![vec![0; 32]];
    for (probe, changed, expect) in [
        ("single_chain_size1", single, None),
        ("zero_parent_hash_field", AuxPow { hash_field: Hash256::ZERO, ..proof.clone() }, None),
        ("nonce_nonzero", with_script(&[height, magic, &display, &nonce]), None),
        ("legacy_no_magic_first20", with_script(&[height, &display, &thirty_two]), None),
        (
            "legacy_no_magic_too_far",
            with_script(&[&[0; 21], &display, &thirty_two]),
            Some((Rule::RootAmongFirst20, "fabe6d6d")),
        ),
        (
            "root_not_reversed",
            with_script(&[height, magic, root.as_bytes(), &thirty_two]),
            Some((Rule::RootInCoinbase, "internal order; reverse")),
        ),
        (
            "two_magic",
            with_script(&[height, magic, &display, &thirty_two, magic]),
            Some((Rule::OneMagic, "second magic")),
        ),
        ("coinbase_with_witness_serialisation", witnessed, None),
    ] {
        let mut changed = changed;
        changed.parent.merkle_root = sl_chain::merkle::fold(
            changed.coinbase.txid(),
            &changed.coinbase_branch,
            changed.coinbase_index,
        );
        let daemon = probes[probe]["body"]["result"].as_bool().expect("recorded");
        assert_eq!(daemon, expect.is_none(), "{probe}");
        let bytes = [&block.header.to_bytes()[..], &changed.encode()].concat();
        let given = Given { bytes: bytes.clone(), ..Given::default() };
        // The work of the changed parent is not the point here.
        let told = explain(&given, &Options::default(), &mut |_| Hash256::ZERO).expect("reads");
        no_byte_without_a_field(&told, bytes.len());
        match expect {
            None => assert_eq!(told.verdict, Verdict::Valid, "{probe}: {:#?}", told.rules),
            Some((rule, hint)) => {
                assert_eq!(told.verdict, Verdict::Refused { rule: rule.name() }, "{probe}");
                let (_, broken) = told.broken().next().expect("refused");
                assert!(broken.hint.contains(hint), "{probe}: {}", broken.hint);
            }
        }
    }
    let cut = proof.encode();
    let unread = of(cut[..cut.len() - 9].to_vec()).expect_err("stale_template: end of data");
    let furthest = &unread.tried[0];
    assert_eq!(furthest.form, Form::Proof);
    assert!(furthest.error.to_string().contains("the bytes end"), "{}", furthest.error);
    assert!(furthest.fields.len() > 20, "what could be read is shown");
}

#[test]
fn one_changed_byte_breaks_a_rule_near_it() {
    let original = block("371337");
    let decoded = Block::decode(&original, true).expect("decodes");
    let field = 80 + decoded.auxpow.expect("with a proof").layout().hash_field;
    // Most changes leave the parent header as it is, and its hash is what takes the time.
    let mut hashes = HashMap::new();
    let mut pow =
        |header: &[u8; 80]| *hashes.entry(*header).or_insert_with(|| scrypt_oracle(header));
    for at in 0..original.len() {
        let mut raw = original.clone();
        raw[at] ^= 0x01;
        let given = Given { bytes: raw.clone(), ..Given::default() };
        match explain(&given, &Options::default(), &mut pow) {
            Ok(told) if (field..field + 32).contains(&at) => {
                assert_eq!(told.verdict, Verdict::Valid, "no node reads the hash field, byte {at}");
            }
            Ok(told) => {
                let near = told
                    .broken()
                    .flat_map(|(_, broken)| &broken.suspects)
                    .any(|spot| (spot.offset..spot.offset + spot.length).contains(&at));
                assert!(near, "byte {at}: {:#?}", told.broken().collect::<Vec<_>>());
                agrees_with_the_judge(&raw, &told, &mut pow);
            }
            // A changed length: the fault is at that field or behind it.
            Err(unread) => assert!(unread.tried[0].offset + 9 >= at, "byte {at}: {unread:?}"),
        }
    }
}

#[test]
fn the_one_changed_byte_is_named() {
    let original = block("748634");
    let options = Options { repair: true, ..Options::default() };
    // Header, coinbase, committed root, both branches, index, the parent's merkle root.
    for at in [37, 70, 90, 130, 150, 240 + 30, 399 - 10, 401 + 70, 593, 633 + 5] {
        let mut raw = original.clone();
        raw[at] ^= 0x41;
        let told = judged(&Given { bytes: raw, ..Given::default() }, &options).expect("reads");
        let repairs: Vec<_> =
            told.broken().filter_map(|(_, broken)| broken.repair.as_ref()).collect();
        assert!(
            repairs.iter().any(|repair| repair.spot.offset == at && repair.wanted == original[at]),
            "byte {at}: {repairs:?}"
        );
    }
}

/// The first broken rule is the one that the judge names.
fn agrees_with_the_judge(
    raw: &[u8],
    told: &Explanation,
    pow: &mut dyn FnMut(&[u8; 80]) -> Hash256,
) {
    let mut reader = sl_chain::codec::Reader::new(raw);
    let header = Header::read(&mut reader).expect("80 bytes");
    let proof = AuxPow::read(&mut reader).expect("it was explained");
    let row = told.chain.ticker.and_then(by_ticker);
    let rules = row.and_then(AuxRules::of).unwrap_or(AuxRules {
        chain_id: told.chain.chain_id.unwrap_or(0),
        layout: sl_chain::auxpow::ChainIdLayout::Upper16,
        strict: false,
        magic_required: false,
    });
    if let Err(refusal) = verify(&header, &proof, &rules, pow) {
        assert_eq!(told.verdict, Verdict::Refused { rule: refusal.rule.name() });
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let raw = block("748634");
    let mut block = Block::decode(&raw, true).expect("decodes");
    let proof = block.auxpow.as_mut().expect("with a proof");
    proof.coinbase_index = 3;
    let script = &mut proof.coinbase.inputs[0].script;
    let magic = script.windows(4).position(|four| four == sl_chain::auxpow::MAGIC).expect("one");
    script[magic + 4 + 32] = 32;
    proof.parent.nonce ^= 1;
    let told = of(block.encode()).expect("reads");
    let broken: Vec<&str> = told.broken().map(|(rule, _)| rule.name).collect();
    assert_eq!(broken, ["coinbase-index", "coinbase-in-parent", "tree-size", "proof-of-work"]);
    assert!(!told.rules.iter().any(|rule| rule.state == State::NotReached));
}

#[test]
fn usual_mistakes_have_their_own_hints() {
    let raw = block("748634");
    let block = Block::decode(&raw, true).expect("decodes");
    let proof = block.auxpow.clone().expect("with a proof");
    let check = |changed: AuxPow, rule: Rule, part: &str| {
        let bytes = [&block.header.to_bytes()[..], &changed.encode()].concat();
        let told = of(bytes).expect("reads");
        let broken = told.broken().find(|(found, _)| found.name == rule.name());
        let hint = &broken.unwrap_or_else(|| panic!("{} holds", rule.name())).1.hint;
        assert!(hint.contains(part), "{part} in: {hint}");
    };
    let changed = AuxPow { chain_index: 7, ..proof.clone() };
    check(changed, Rule::RootInCoinbase, "with index 56");
    let mut changed = proof.clone();
    changed.chain_branch.reverse();
    check(changed, Rule::RootInCoinbase, "branch's order");
    let mut changed = proof.clone();
    changed.coinbase_branch.reverse();
    check(changed, Rule::CoinbaseInParent, "upside down");
    let mut changed = proof.clone();
    changed.parent.version = 98 << 16;
    check(changed, Rule::ParentChainId, "rolled");
    let mut changed = proof;
    changed.chain_branch.truncate(2);
    check(changed, Rule::RootInCoinbase, "chain branch is wrong");
}

#[test]
fn a_named_coin_judges_by_its_own_rules() {
    let given = Given { bytes: block("748634"), ..Given::default() };
    let options = Options { coin: by_ticker("PEP"), testnet: false, repair: false };
    let told = judged(&given, &options).expect("reads");
    assert_eq!(told.verdict, Verdict::Refused { rule: "own-chain-id" });
    let (_, broken) = told.broken().next().expect("refused");
    assert!(broken.hint.contains("Dogecoin"), "{}", broken.hint);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_bytes_panic(raw in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = explain(&Given { bytes: raw.clone(), ..Given::default() }, &Options::default(), &mut |header| sha256d(header));
        let given = Given { proof: Some(raw.clone()), header: Some(raw), ..Given::default() };
        let _ = explain(&given, &Options::default(), &mut |header| sha256d(header));
    }

    #[test]
    fn no_spoilt_block_panics(
        at in any::<prop::sample::Index>(),
        patch in prop::collection::vec(any::<u8>(), 1..9),
        cut in any::<prop::sample::Index>(),
        whole: bool,
    ) {
        let mut raw = block("371337");
        let at = at.index(raw.len() - patch.len());
        raw[at..at + patch.len()].copy_from_slice(&patch);
        let length = if whole { raw.len() } else { cut.index(raw.len()) };
        raw.truncate(length);
        let options = Options { coin: by_ticker("BELLS"), testnet: false, repair: false };
        let given = Given { bytes: raw, ..Given::default() };
        if let Err(unread) = explain(&given, &options, &mut |header| sha256d(header)) {
            prop_assert!(!unread.tried.is_empty());
        }
    }
}
