//! `silverlode bench`: its document, its table, its refusals, and what it keeps.

use std::fs;

use serde_json::Value;

use crate::{Home, status, text};

fn document(home: &Home, words: &[&str]) -> Value {
    let words: Vec<&str> = ["bench", "--json"].into_iter().chain(words.iter().copied()).collect();
    let output = home.run(&words);
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one document")
}

const QUICK: [&str; 6] = ["-t", "1", "--rounds", "2", "--round", "5ms"];

#[test]
fn the_document_has_every_figure_of_every_engine() {
    let home = Home::new();
    let told = document(&home, &["-t", "2,1", "--rounds", "2", "--round", "5ms"]);
    let engines = told["engines"].as_array().expect("a list");
    let of = |name: &str| engines.iter().filter(|row| row["name"] == name).collect::<Vec<_>>();
    let portable = of("portable");
    let threads: Vec<&Value> = portable.iter().map(|row| &row["threads"]).collect();
    assert_eq!(threads, [1, 2]);
    for row in engines.iter().filter(|row| row["available"] == true) {
        assert_eq!((&row["verified"], &row["fault"]), (&Value::Bool(true), &Value::Null), "{row}");
        for key in [
            "lanes",
            "hashrate_hs",
            "hashrate_per_thread_hs",
            "spread",
            "cycles_per_hash",
            "floor_cycles_per_hash",
            "floor_share",
        ] {
            assert!(row[key].as_f64().is_some_and(|number| number >= 0.0), "{key} in {row}");
        }
        for key in ["batch_16_mixed_ratio", "batch_1_hs"] {
            assert_eq!(row[key].is_f64(), row["threads"] == 1, "{key} in {row}");
        }
        assert!(row["hashes_per_joule"].is_null() || row["hashes_per_joule"].is_f64(), "{row}");
        assert_eq!(row["checksum"], portable[0]["checksum"]);
    }
    assert!(engines.iter().any(|row| row["name"] == told["best"]), "{told:#}");
    assert!(told["cpu"]["threads"].as_u64() >= Some(1) && told["cpu"]["frequency_hz"].is_f64());
    assert_eq!(told["algorithm"], "scrypt");
}

#[test]
fn the_fastest_engine_is_kept_and_told_by_doctor() {
    let home = Home::new();
    let short = document(&home, &QUICK);
    assert_eq!(short["autotune"], Value::Null, "too short a look to be kept unasked");
    assert!(!home.data().join("data").exists());

    let words = [&QUICK[..], &["--data", "data", "--autotune"]].concat();
    let kept = document(&home, &words);
    let engine = kept["autotune"]["engine"].as_str().expect("a name").to_owned();
    assert_eq!(
        (&kept["autotune"]["measured_now"], kept["best"].as_str()),
        (&Value::Bool(true), Some(engine.as_str()))
    );
    let file = home.data().join("data/engines.json");
    let before = fs::read_to_string(&file).expect("kept");

    let words = [&QUICK[..], &["--data", "data"]].concat();
    let again = document(&home, &words);
    assert_eq!(again["autotune"]["measured_now"], false);
    assert_eq!(fs::read_to_string(&file).expect("kept"), before);
    let told = text(&home.run(&["doctor", "--data", "data"]).stdout);
    let line = told.lines().find(|line| line.contains("fastest-engine")).expect("a check");
    assert!(line.contains(&engine) && line.contains("bench --autotune"), "{line}");

    fs::write(&file, "{").expect("written");
    let told = text(&home.run(&["doctor", "--data", "data"]).stdout);
    let line = told.lines().find(|line| line.contains("fastest-engine")).expect("a check");
    assert!(line.starts_with("warn") && line.contains("damaged"), "{line}");
}

#[test]
fn the_table_names_what_it_measured() {
    let home = Home::new();
    let words = [&["bench", "-e", "portable"], &QUICK[..]].concat();
    let told = text(&home.run(&words).stdout);
    for part in ["engine", "of floor", "portable", "fastest", "checksum", "under load"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(told.lines().all(|line| line.trim_end() == line), "{told:?}");
    assert!(!told.contains("autotune"), "one engine alone is no choice: {told}");
    let told = text(&home.run(&["bench", "--verify", "-a", "scrypt"]).stdout);
    assert!(told.contains("passed: each lane in batch and in scan"), "{told}");
}

#[test]
fn wrong_words_are_refused_with_what_is_allowed() {
    let home = Home::new();
    let check = |words: &[&str], expect: &str| {
        let output = home.run(&[&["bench"], words].concat());
        let told = text(&output.stderr);
        assert_eq!(status(&output), 2, "{words:?}: {told}");
        assert!(told.contains(expect), "{words:?}: {told}");
    };
    check(&["-t", "0"], "allowed: all, or whole numbers from 1 to 1024");
    check(&["-t", "1,0"], "allowed: all, or whole numbers from 1 to 1024");
    check(&["-t", "many"], "allowed: all");
    check(&["--rounds", "0"], "1..=1000");
    check(&["--round", "0s"], "allowed: 1ms to 60s");
    check(&["-e", "avx9"], "found engine \"avx9\", allowed for scrypt are: portable");
    check(&["-a", "scrypt-jan"], "did you mean scrypt-jane?");
    check(&["-a", "scrypt-n:1000"], "power of two");
    check(&["--verify", "--autotune"], "cannot be used with");
}
