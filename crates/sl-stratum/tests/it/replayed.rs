//! Every recorded conversation of `testdata/stratum`, said again to our client.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sl_stratum::{
    Password,
    client::{Lost, Output, Session, Settings},
    transcript::{Direction, Entry, Replay, Transcript, replay},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stratum")
}

/// A recorded session, of the older JSON form or a transcript of ours.
fn recorded(file: &str) -> Transcript {
    let path = folder().join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if file.ends_with(".jsonl") {
        return text.parse().expect("a transcript");
    }
    let session: Value = serde_json::from_str(&text).expect("recorded JSON");
    let entry = |message: &Value| {
        let line = message["line"].as_str().map_or_else(|| message["json"].to_string(), Into::into);
        Entry {
            direction: if message["dir"] == "c>s" { Direction::Up } else { Direction::Down },
            ms: (message["t"].as_f64().unwrap_or(0.0) * 1000.0) as u64,
            line: line.into_bytes(),
        }
    };
    let messages = session["messages"].as_array().expect("a list");
    Transcript { peer: file.into(), entries: messages.iter().map(entry).collect() }
}

fn said_again(file: &str) -> Replay {
    let settings =
        Settings { user: "u".into(), password: Password::new("p".into()), ..Settings::default() };
    replay(&recorded(file), Session::new(settings))
}

/// How many of each kind came out.
fn tally(replay: &Replay) -> BTreeMap<&'static str, usize> {
    let mut tally = BTreeMap::new();
    for output in &replay.outputs {
        let kind = match output {
            Output::Subscribed(_) => "subscribed",
            Output::Authorized { verdict: Ok(()), .. } => "authorized",
            Output::Difficulty(_) => "difficulty",
            Output::Job(_) => "job",
            Output::Verdict { verdict: Ok(()), .. } => "accepted",
            Output::Verdict { .. } => "refused",
            Output::Lost { why: Lost::Closed, .. } => "unanswered",
            Output::Lost { .. } => "unsent",
            other => panic!("{other:?}"),
        };
        *tally.entry(kind).or_default() += 1;
    }
    tally
}

#[track_caller]
fn check(file: &str, shares: u64, expect: &[(&'static str, usize)]) {
    let replay = said_again(file);
    assert_eq!(replay.shares, shares, "{file}");
    assert_eq!(replay.unsaid, [""; 0], "{file}");
    assert_eq!(tally(&replay), expect.iter().copied().collect(), "{file}");
    let tickets = replay.outputs.iter().filter_map(|output| match output {
        Output::Verdict { ticket, .. } | Output::Lost { ticket, .. } => Some(*ticket),
        _ => None,
    });
    let mut tickets: Vec<u64> = tickets.collect();
    tickets.sort_unstable();
    assert_eq!(tickets, (0..shares).collect::<Vec<_>>(), "{file}: one answer for each share");
}

#[test]
fn minerd_at_foundation() {
    let expect =
        [("subscribed", 1), ("authorized", 1), ("difficulty", 1), ("job", 1), ("accepted", 65)];
    check("sv1_recorded_minerd_vs_foundation.json", 65, &expect);
}

#[test]
fn minerd_at_our_gateway() {
    let expect =
        [("subscribed", 1), ("authorized", 1), ("difficulty", 1), ("job", 25), ("accepted", 93)];
    check("sv1_recorded_minerd_vs_silverlode.json", 93, &expect);
}

#[test]
fn our_client_at_foundation() {
    let expect =
        [("subscribed", 1), ("authorized", 1), ("difficulty", 1), ("job", 1), ("accepted", 47)];
    check("sv1_recorded_silverlode_vs_foundation.jsonl", 47, &expect);
}

#[test]
fn our_client_as_one_pool_is_killed_and_the_other_takes_over() {
    // Two workers each: the connection's own, and the machine's.
    let at_foundation = [
        ("subscribed", 1),
        ("authorized", 2),
        ("difficulty", 1),
        ("job", 2),
        ("accepted", 76),
        ("refused", 1),
    ];
    check("sv1_recorded_failover_from_foundation.jsonl", 77, &at_foundation);
    let at_ours =
        [("subscribed", 1), ("authorized", 2), ("difficulty", 7), ("job", 34), ("accepted", 76)];
    check("sv1_recorded_failover_to_silverlode.jsonl", 76, &at_ours);
}

#[test]
fn a_live_pool_of_2018() {
    // Neither the answer to the worker nor that to the share is recorded.
    check("sv1_real_scrypt_session_2018.json", 1, &[("subscribed", 1), ("unsent", 1)]);
}

#[test]
fn the_dialects_of_the_field() {
    // Written by hand from the dialects that `reference` lists: see ORIGIN.md.
    let expect = [
        ("subscribed", 1),
        ("authorized", 1),
        ("difficulty", 3),
        ("job", 2),
        ("accepted", 3),
        ("refused", 5),
        ("unanswered", 1),
    ];
    check("sv1_dialects.jsonl", 9, &expect);
}
