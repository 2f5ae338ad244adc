//! `silverlode auxpow` as a pool's developer meets it.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{Home, status, text};

fn recorded(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/auxpow").join(name)
}

/// The text of a recorded block with one hexadecimal digit pair changed.
fn changed(name: &str, at: usize, byte: &str) -> String {
    let mut text = fs::read_to_string(recorded(name)).expect("recorded").trim().to_owned();
    text.replace_range(2 * at..2 * at + 2, byte);
    text
}

/// Runs, and looks for each part in the result.
fn check(home: &Home, words: &[&str], expect: i32, parts: &[&str]) -> String {
    let output = home.run(words);
    let told = text(&output.stdout);
    assert_eq!(status(&output), expect, "{told}\n{}", text(&output.stderr));
    for part in parts {
        assert!(told.contains(part), "{part} in:\n{told}");
    }
    for line in told.lines() {
        assert!(line.chars().count() <= 100, "too wide: {line}");
        assert!(!line.contains('\x1b'), "no colour into a pipe");
    }
    told
}

#[test]
fn a_recorded_block_is_explained() {
    let home = Home::new();
    let block = recorded("dogecoin_block_748634.hex");
    let block = block.to_str().expect("a name");
    check(
        &home,
        &["auxpow", "explain", block],
        0,
        &[
            "Dogecoin (DOGE), chain id 98",
            "Litecoin 28a1be25b21c78c1867798443491bf6e7395678600d8f9d477e8f3c7d8b7f8ba",
            "64 slots, this chain in slot 56",
            "● slot 56  Dogecoin",
            "height 748634, pays 10007 coins",
            "✓ held       slot ",
            "✓ VALID",
        ],
    );
    let told = check(&home, &["auxpow", "explain", block, "--full"], 0, &[]);
    assert!(told.contains("373225e6d463feccb1a2eed67b2e92a356724c14b0f6c519c60bb1d5a1cee11b"));
}

#[test]
fn a_changed_byte_is_refused_with_rule_and_byte() {
    let home = Home::new();
    home.write("wrong.hex", &changed("dogecoin_block_748634.hex", 150, "ff"));
    check(
        &home,
        &["auxpow", "explain", "wrong.hex"],
        1,
        &[
            "✗ REFUSED by rule coinbase-in-parent",
            "root-in-coinbase: the auxiliary root must stand",
            "150 (ff) is what is wrong",
        ],
    );
    // The tree's size, 64, as 32.
    home.write("size.hex", &changed("dogecoin_block_748634.hex", 177, "20"));
    check(&home, &["auxpow", "explain", "size.hex"], 1, &["tree-size", "177 to 180 (tree size)"]);
    let cut = changed("dogecoin_block_748634.hex", 0, "02");
    home.write("cut.hex", &cut[..1300]);
    check(&home, &["auxpow", "explain", "cut.hex"], 1, &["✗ UNREADABLE", "the bytes end at 650"]);
}

#[test]
fn header_and_proof_may_come_apart() {
    let home = Home::new();
    let raw = fs::read_to_string(recorded("dogecoin_block_748634.hex")).expect("recorded");
    let (header, rest) = raw.trim().split_at(160);
    let proof = &rest[..2 * (677 - 80)];
    home.write("proof.hex", proof);
    for words in [
        &["auxpow", "explain", "proof.hex", "--header", header][..],
        &["auxpow", "explain", header, "--proof", "proof.hex"][..],
        &["auxpow", "explain", "--header", header, "--proof", "proof.hex"][..],
    ] {
        check(&home, words, 0, &["slot 56", "✓ VALID"]);
    }
    let hash = "bd98a06391115285265c04984e8505229739f6ffa5d498929a91fbe7c281ea7b";
    let words = ["auxpow", "explain", "proof.hex", "--hash", hash];
    check(&home, &words, 2, &["? INCOMPLETE", "bits", "the coin"]);
    let words =
        ["auxpow", "explain", "proof.hex", "--hash", hash, "--bits", "1b037579", "--coin", "doge"];
    check(&home, &words, 0, &["✓ VALID"]);
    check(
        &home,
        &["auxpow", "explain", "proof.hex", "--header", header, "--coin", "PEP"],
        1,
        &["✗ REFUSED by rule own-chain-id", "this is a block of Dogecoin"],
    );
}

#[test]
fn json_has_the_same_verdict() {
    let home = Home::new();
    let block = recorded("dogecoin_block_748634.hex");
    let block = block.to_str().expect("a name");
    let output = home.run(&["auxpow", "explain", block, "--json"]);
    assert_eq!(status(&output), 0);
    let told: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!((&told["verdict"], &told["form"]), (&"valid".into(), &"block".into()));
    assert_eq!((&told["tree"]["size"], &told["tree"]["slot"]), (&64.into(), &56.into()));
    assert_eq!(told["rules"].as_array().map(Vec::len), Some(18));
    assert_eq!(told["parent"]["chain"], "Litecoin");

    home.write("wrong.hex", &changed("dogecoin_block_748634.hex", 150, "ff"));
    let output = home.run(&["auxpow", "explain", "wrong.hex", "--json"]);
    assert_eq!(status(&output), 1);
    let told: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(told["verdict"], "refused");
    let rules = told["rules"].as_array().expect("a list");
    let broken = rules.iter().find(|rule| rule["state"] == "broken").expect("one is broken");
    assert_eq!(broken["repair"]["spot"]["offset"], 150, "{broken:#}");

    let output = home.run(&["auxpow", "plan", "DOGE", "DINGO", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(told["slots"], 32);
}

#[test]
fn a_plan_says_how_many_slots_and_why() {
    let home = Home::new();
    check(
        &home,
        &["auxpow", "plan", "DOGE", "DINGO", "BELLS", "JKC"],
        0,
        &[
            "32 slots",
            "DOGE 98 and DINGO 50 are equal in their low 4 bits",
            "No nonce helps",
            "DOGE in slot 10, DINGO in slot 10",
        ],
    );
    check(&home, &["auxpow", "plan", "LTC", "0x62"], 0, &["one tree of 1 slot", "LTC is left out"]);
    check(&home, &["auxpow", "plan", "DOGE", "98"], 1, &["fit into no tree", "Leave one"]);
}

#[test]
fn wrong_words_about_auxpow_are_usage() {
    let home = Home::new();
    home.write("text.hex", "00\nzz");
    for (words, part) in [
        (&["auxpow", "plan", "DOEG"][..], "did you mean DOGE?"),
        (&["auxpow", "plan", "LTC"][..], "no auxiliary chain"),
        (&["auxpow", "explain", "nowhere.hex"][..], "there is no file nowhere.hex"),
        (&["auxpow", "explain", "text.hex"][..], "line 2, column 1"),
        (&["auxpow", "explain", "00", "--coin", "LTC"][..], "is a parent"),
        (&["auxpow", "explain", "00", "--bits", "x"][..], "--bits"),
        (&["auxpow", "explain"][..], "FILE_OR_HEX"),
    ] {
        let output = home.run(words);
        assert_eq!(status(&output), 2, "{words:?}: {}", text(&output.stderr));
        let told = text(&output.stderr);
        assert!(told.contains(part), "{part} in:\n{told}");
    }
}
