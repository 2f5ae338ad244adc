//! Changing one value of a file.

use proptest::prelude::*;
use sl_config::{Layers, Loaded, diff, edit, load};

use crate::settings::Mine;

fn check(text: &str, key: &str, value: &str, expect: &str) {
    let found = edit::set::<Mine>(text, key, value).unwrap_or_else(|wrong| wrong.to_string());
    assert_eq!(found, expect, "{key} = {value} in:\n{text}");
}

#[test]
fn a_value_that_is_there_is_replaced_in_its_own_quotes() {
    check("mode: educational", "mode", "production", "mode: production");
    check(
        "# a\nmode:  'educational'  # b\n",
        "mode",
        "production",
        "# a\nmode:  'production'  # b\n",
    );
    check("spare: {url: \"x\", user: u}\n", "spare.url", "y", "spare: {url: \"y\", user: u}\n");
    check("spare: {url: x, user: u}\n", "spare.url", "y,z", "spare: {url: \"y,z\", user: u}\n");
    check("spare:\n  url: 'x'\n", "spare.url", "it's", "spare:\n  url: 'it''s'\n");
    check(
        "spare:\n  url: |\n    x\n    y\n",
        "spare.url",
        "z",
        "spare.url: the way the file is written leaves no place for it, hint: change it in an editor",
    );
    check(
        "spare:\n  url: x\n  password: a\n",
        "spare.password",
        "env:B",
        "spare:\n  url: x\n  password: env:B\n",
    );
    check(
        "mode:   # which?\ncoins: [a]\n",
        "mode",
        "production",
        "mode: production   # which?\ncoins: [a]\n",
    );
    check(
        "spare:\n  url: x\n  priority: ~\n",
        "spare.priority",
        "3",
        "spare:\n  url: x\n  priority: 3\n",
    );
    check(
        "spare:\n  url: x\n  priority: 3\n",
        "spare.priority",
        "null",
        "spare:\n  url: x\n  priority: null\n",
    );
    check("ä: 1\n", "mode", "x", "mode: found \"x\", allowed: educational or production");
}

#[test]
fn lists_keep_their_form() {
    check("coins: [a, b] # c\n", "coins", "doge, ltc", "coins: [doge, ltc] # c\n");
    check(
        "coins: [\n  a,\n  b,\n]\nmode: production\n",
        "coins",
        "[x]",
        "coins: [x]\nmode: production\n",
    );
    check("coins: []\n", "coins", "a", "coins: [a]\n");
    check(
        "coins:\n  - a\n  - b\nmode: production\n",
        "coins",
        "x,y,z",
        "coins:\n  - x\n  - y\n  - z\nmode: production\n",
    );
    check("coins:\n- a\n", "coins", "x,y", "coins:\n- x\n- y\n");
    check(
        "coins:\n  - a # the first\n  - b\n",
        "coins",
        "x",
        "coins: the list has comments or more inside, hint: change it in an editor",
    );
}

#[test]
fn what_is_missing_is_created_in_its_place() {
    check("", "gateway.vardiff.every", "5s", "gateway:\n  vardiff:\n    every: 5s\n");
    check("# only words", "mode", "production", "# only words\nmode: production");
    check("gateway:\n", "gateway.line", "1KiB", "gateway:\n  line: 1KiB\n");
    check(
        "gateway: # why\n\nmode: production\n",
        "gateway.line",
        "1KiB",
        "gateway: # why\n  line: 1KiB\n\nmode: production\n",
    );
    check("gateway: {}\n", "gateway.line", "1KiB", "gateway: {line: 1KiB}\n");
    check("gateway: ~\n", "gateway.vardiff.every", "5s", "gateway: {vardiff: {every: 5s}}\n");
    check(
        "gateway: {line: 1KiB }\n",
        "gateway.vardiff.every",
        "5s",
        "gateway: {line: 1KiB, vardiff: {every: 5s} }\n",
    );
    // Behind the sibling that is declared before it, with the file's own indentation.
    check(
        "gateway:\n    listen: 1.1.1.1:1 # here\n    # there are many\n    connections: 5\nmode: production\n",
        "gateway.line",
        "1KiB",
        "gateway:\n    listen: 1.1.1.1:1 # here\n    line: 1KiB\n    # there are many\n    connections: 5\nmode: production\n",
    );
    check(
        "mode: production\r\n\r\ncoins: [a]\r\n",
        "claimed",
        "1 GH/s",
        "mode: production\r\nclaimed: 1 GH/s\r\n\r\ncoins: [a]\r\n",
    );
    check(
        "pools:\n  - url: x\n  - url: y\n    user: u\n",
        "pools[0].priority",
        "2",
        "pools:\n  - url: x\n    priority: 2\n  - url: y\n    user: u\n",
    );
    check(
        "rewards:\n  DOGE: {address: D}\n",
        "rewards.LTC.enabled",
        "false",
        "rewards:\n  DOGE: {address: D}\n  LTC:\n    enabled: false\n",
    );
    // Below the line that has it commented out.
    check(
        "#mode: educational\n\ncoins: [a]\n",
        "mode",
        "production",
        "#mode: educational\nmode: production\n\ncoins: [a]\n",
    );
    check(
        "gateway:\n  #listen: 1.1.1.1:1\n\n  # more\n  #line: 16KiB\n  #connections: 1\nmode: production\n",
        "gateway.line",
        "1KiB",
        "gateway:\n  #listen: 1.1.1.1:1\n\n  # more\n  #line: 16KiB\n  line: 1KiB\n  #connections: 1\nmode: production\n",
    );
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    for (text, key, value, expect) in [
        ("", "gatway.line", "1KiB", "gatway.line: unknown key, hint: did you mean \"gateway\"?"),
        (
            "",
            "gateway.lines",
            "1KiB",
            "gateway.lines: unknown key, hint: did you mean \"gateway.line\"?",
        ),
        (
            "",
            "gateway",
            "1",
            "gateway: holds several settings, hint: name one of its settings, such as gateway.listen",
        ),
        ("", "pools.url", "x", "pools.url: pools is a list, hint: name an item: pools[0]"),
        (
            "",
            "pools",
            "x",
            "pools: holds several settings, hint: name an item and a setting of it, such as pools[0].url",
        ),
        (
            "pools:\n  - url: x\n",
            "pools[1].url",
            "y",
            "pools[1].url: there is no such item in the list, hint: change it in an editor",
        ),
        (
            "",
            "coins[0]",
            "x",
            "coins[0]: coins is no list of sections, hint: name it as a whole: coins",
        ),
        ("", "mode.kind", "x", "mode.kind: unknown key, hint: mode is a value"),
        (
            "",
            "..",
            "x",
            "..: not the name of a setting, hint: write it as gateway.listen or pools[0].url",
        ),
        (
            "",
            "gateway.vardiff.every",
            "1h",
            "gateway.vardiff.every: found \"1h\", allowed: a duration, such as 500ms, 30s, 5m or 2h, from 1s to 10m",
        ),
        (
            "",
            "gateway.vardiff.every",
            "30",
            "gateway.vardiff.every: found \"30\" (no unit), allowed: a duration, such as 500ms, 30s, 5m or 2h, from 1s to 10m, hint: add one: 30s",
        ),
        (
            "",
            "spare.password",
            "env:",
            "spare.password: found a secret (env: wants the name of a variable), allowed: a reference to a secret: env:NAME, file:/path or credential:NAME",
        ),
        (
            "gateway: 5\n",
            "gateway.line",
            "1KiB",
            "gateway.line: something else stands where its section belongs, hint: change it in an editor",
        ),
        (
            "- a\n",
            "mode",
            "production",
            "the file: it holds no settings, hint: change it in an editor",
        ),
    ] {
        check(text, key, value, expect);
    }
    let broken = edit::set::<Mine>("a: [", "mode", "production").expect_err("no YAML").to_string();
    assert!(broken.contains("settings:1:5"), "{broken}");
}

#[test]
fn a_value_is_taken_away_with_its_line() {
    let check = |text: &str, key: &str, expect: &str| {
        let found = edit::unset::<Mine>(text, key).unwrap_or_else(|wrong| wrong.to_string());
        assert_eq!(found, expect, "{key} in:\n{text}");
    };
    check("# a\nmode: production # b\ncoins: [a]\n", "mode", "# a\ncoins: [a]\n");
    check("gateway:\n  line: 1KiB\nmode: production", "gateway.line", "gateway:\nmode: production");
    check(
        "gateway:\n  vardiff:\n    every: 5s\n  line: 1KiB\n",
        "gateway.vardiff",
        "gateway:\n  line: 1KiB\n",
    );
    check("spare: {url: x, user: u}\n", "spare.user", "spare: {url: x}\n");
    check("spare: {user: u, url: x}\n", "spare.user", "spare: {url: x}\n");
    check("coins:\n  - a\n  - b\nmode: production\n", "coins", "mode: production\n");
    check("pools:\n  - url: x\n    user: u\n", "pools[0].user", "pools:\n  - url: x\n");
    check("mode: production\n", "gateway.line", "mode: production\n");
    check(
        "pools:\n  - user: u\n    url: x\n",
        "pools[0].user",
        "pools[0].user: it is the first setting of a list's item, hint: change it in an editor",
    );
    check("mode: production\n", "mod", "mod: unknown key, hint: did you mean \"mode\"?");
}

/// Ways to write each part of a file.
const PARTS: [&[&str]; 8] = [
    &[
        "",
        "mode: production\n",
        "mode: 'educational'   # which\n",
        "# mode is below\nmode: \"production\"\n",
    ],
    &["", "claimed: 9.5 GH/s\n", "\n# much\n\nclaimed:   1 MH/s # really\n"],
    &[
        "",
        "coins: [a, b]\n",
        "coins:\n- a\n- b\n",
        "coins: [\n  a, # first\n  \"b\",\n]\n",
        "coins:\n",
    ],
    &["", "cores: [1, 2]\n", "#cores: [0]\n"],
    &[
        "",
        "gateway:\n",
        "gateway: {line: 2KiB, vardiff: {every: 9s}}\n",
        "gateway:\n   # the door\n   listen: 10.0.0.1:1\n\n   vardiff:\n      every: 5s # often\n",
        "gateway:\n  #listen: 10.0.0.1:1\n  connections: 5\n  # the end\n",
    ],
    &["", "spare:\n  url: \"x\"\n  password: hunter2\n", "spare: {url: x}  # ä\n"],
    &["", "pools:\n  - url: a\n    priority: 2\n  # the other\n  - {url: b}\n"],
    &["", "rewards:\n  DOGE: {address: \"null\"}\n  LTC:\n    enabled: false\n", "rewards: {}\n"],
];

const WISHES: [(&str, &str); 12] = [
    ("mode", "production"),
    ("claimed", "3 GH/s"),
    ("coins", "doge,\"q\",x"),
    ("cores", "7"),
    ("gateway.listen", "127.0.0.1:9"),
    ("gateway.line", "7KiB"),
    ("gateway.vardiff.every", "7s"),
    ("gateway.vardiff.shares_per_minute", "7"),
    ("spare.url", "a: #b"),
    ("spare.password", "env:NEW"),
    ("rewards.DOGE.address", "{D}"),
    ("rewards.PEP.enabled", "false"),
];

fn loaded(text: &str) -> Loaded {
    load(Layers::new().file("s.yaml", text)).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn all_but_the_value_stays_as_it_was(
        ways in proptest::collection::vec(0usize..6, 8),
        order in Just((0usize..8).collect::<Vec<_>>()).prop_shuffle(),
        wish in 0usize..12,
        crlf in any::<bool>(),
        open in any::<bool>(),
    ) {
        let mut text: String = order.iter().map(|at| PARTS[*at][ways[*at] % PARTS[*at].len()]).collect();
        if open {
            text = text.trim_end().to_owned();
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        let (key, value) = WISHES[wish];
        let before = loaded(&text);
        let changed = match edit::set::<Mine>(&text, key, value) {
            Ok(changed) => changed,
            // A list with comments inside is left alone.
            Err(wrong) => {
                prop_assert!(wrong.to_string().contains("change it in an editor"), "{}", wrong);
                prop_assert!(key == "coins" && text.contains("# first"), "{}\n{}", wrong, text);
                return Ok(());
            }
        };
        // One stretch of bytes is new, and what it replaces is a value: no comment, no other line.
        let same = |a: u8, b: u8| a == b;
        let head = text.bytes().zip(changed.bytes()).take_while(|(a, b)| same(*a, *b)).count();
        let tail = text.bytes().rev().zip(changed.bytes().rev()).take_while(|(a, b)| same(*a, *b)).count();
        let old = &text.as_bytes()[head..text.len() - tail.min(text.len() - head)];
        prop_assert!(!old.contains(&b'#') && !old.contains(&b':') || old.len() < 25, "{:?}", String::from_utf8_lossy(old));
        if before.tree().at(key).is_none() {
            prop_assert!(old.is_empty(), "something was removed:\n{}\n---\n{}", text, changed);
        }
        for comment in text.lines().filter_map(|line| line.split_once('#').map(|(_, said)| said)) {
            prop_assert!(changed.contains(comment), "{}", changed);
        }
        if text.contains("\r\n") {
            prop_assert_eq!(changed.matches('\n').count(), changed.matches("\r\n").count());
        }
        // It reads as before but for the value.
        let after = loaded(&changed);
        let moved = diff::<Mine>(&before, &after);
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        prop_assert!(
            moved.iter().all(|change| change.key == key || (change.from.is_none() && change.key.starts_with(section))),
            "{:?}\n{}\n---\n{}", moved, text, changed
        );
        prop_assert!(after.tree().at(key).is_some(), "{}", changed);
        // Once more changes nothing; away again, what was not there is not there.
        prop_assert_eq!(edit::set::<Mine>(&changed, key, value).expect("again"), &changed[..]);
        if let Ok(away) = edit::unset::<Mine>(&changed, key) {
            prop_assert!(loaded(&away).tree().at(key).is_none());
        }
    }
}
