//! `silverlode journal`: export, verification and backup of a journal as it was recorded.

use std::{fs, path::Path};

use serde_json::Value;

use super::{Home, status, text};

/// A home whose data folder has the recorded journal.
fn recorded() -> Home {
    let home = Home::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/journal/v1");
    let to = home.data().join("journal");
    fs::create_dir(&to).expect("a folder");
    for file in ["shares-2026-11-22.db", "rollup.db"] {
        fs::copy(from.join(file), to.join(file)).expect("a copy");
    }
    home
}

fn run(home: &Home, words: &[&str]) -> (i32, String, String) {
    let output = home.run(&[&["journal", "--data", "."], words].concat());
    (status(&output), text(&output.stdout), text(&output.stderr))
}

#[test]
fn shares_come_out_as_they_went_in() {
    let home = recorded();
    let (code, csv, told) = run(&home, &["export"]);
    assert_eq!((code, csv.lines().count()), (0, 61), "{told}");
    assert!(csv.starts_with("day,row,at,worker,slot,job,difficulty,achieved,outcome,reason,"));
    let (_, json, _) = run(
        &home,
        &["export", "--json", "--from", "2026-11-22T12:00:05Z", "--to", "2026-11-22T12:00:08Z"],
    );
    let rows: Vec<Value> =
        json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["at"], "2026-11-22T12:00:05.000Z");
    assert_eq!(rows[0]["worker"], "account.rig2");
    assert_eq!(rows[0]["nonce"], 0xf000_0005_u32);
    assert_eq!(run(&home, &["export", "--to", "2026-11-22"]).1.lines().count(), 1);
    assert_eq!(run(&home, &["export", "blocks", "--format", "jsonl"]).1.lines().count(), 1);
    let (code, _, told) = run(&home, &["export", "--from", "today"]);
    assert_eq!(code, 2);
    assert!(told.contains("--from: found \"today\", allowed is a day as in 2026-11-22"), "{told}");
}

#[test]
fn what_is_right_and_what_was_changed_is_said() {
    let home = recorded();
    let (code, told, _) = run(&home, &["verify"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("45 accepted") && told.ends_with("all is right\n"), "{told}");
    let (_, json, _) = run(&home, &["verify", "--json"]);
    let told: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&told["ok"], &told["shares"]["rejected"]), (&Value::Bool(true), &10.into()));

    let (code, _, told) = run(&home, &["backup", "copy"]);
    assert_eq!(code, 0, "{told}");
    let (code, _, told) = run(&home, &["backup", "copy"]);
    assert_eq!(code, 2);
    assert!(told.contains("copy exists and is not empty"), "{told}");
    fs::remove_dir_all(home.data().join("journal")).expect("removed");
    let (code, _, told) = run(&home, &["verify"]);
    assert_eq!(code, 2);
    assert!(told.contains("there is no journal in ./journal"), "{told}");
    fs::rename(home.data().join("copy"), home.data().join("journal")).expect("restored");
    assert_eq!(run(&home, &["verify"]).0, 0);

    // A byte of a row is changed.
    let file = home.data().join("journal/shares-2026-11-22.db");
    let mut bytes = fs::read(&file).expect("read");
    let name = b"account.rig1";
    let at = bytes.windows(name.len()).position(|it| it == name).expect("a worker's name");
    bytes[at + 11] = b'7';
    fs::write(&file, bytes).expect("written");
    let (code, told, _) = run(&home, &["verify"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("the chain breaks at row"), "{told}");
}
