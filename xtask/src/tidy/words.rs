//! Words that sources must not hold, and words that are counted.

use super::{Finding, Workspace};

/// Refused in every source, tests included: the word, why, the cure. A word matches after its blanks are taken out of the line.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("todo!(", "unfinished", "finish it, or leave it out and say so in the documentation"),
    ("unimplemented!(", "unfinished", "finish it, or leave it out and say so in the documentation"),
    ("#[ignore", "a test that does not run proves nothing", "make it run, or delete it"),
    ("#[should_panic", "a panic is no contract", "return an error and check it"),
    ("#[allow(", "an allowance outlives its reason", "write #[expect(lint, reason = \"…\")]"),
    ("#![allow(", "an allowance outlives its reason", "write #![expect(lint, reason = \"…\")]"),
    (",allow(", "an allowance outlives its reason", "write expect(lint, reason = \"…\")"),
];

/// Crates of pure code: nothing in them opens a socket, reads a clock or touches a disk.
const PURE: &[&str] = &[
    "sl-units",
    "sl-chain",
    "sl-catalog",
    "sl-guard",
    "sl-work",
    "sl-stratum",
    "sl-sv2",
    "sl-device",
];

/// What pure crates may name of tokio.
const TOKIO: &[&str] = &["sync", "select!", "join!", "pin!"];

/// Refused in pure crates outside tests.
const IMPURE: &[(&str, &str)] = &[
    ("TcpStream", "a socket"),
    ("TcpListener", "a socket"),
    ("UdpSocket", "a socket"),
    ("UnixStream", "a socket"),
    ("Instant::now", "a clock"),
    ("SystemTime::now", "a clock"),
    ("std::fs", "the disk"),
    ("File::open", "the disk"),
];

/// No source holds a forbidden word, and none unwraps outside tests.
pub(super) fn forbidden(workspace: &Workspace) -> Vec<Finding> {
    const RULE: &str = "forbidden-word";
    let mut found = Vec::new();
    for (path, source) in &workspace.sources {
        for (at, line) in source.numbered() {
            let dense: String = line.code.split_whitespace().collect();
            for (word, why, cure) in FORBIDDEN {
                let meant =
                    dense.contains(word) && (!word.starts_with(',') || dense.contains("cfg_attr("));
                if meant {
                    let word = word.trim_matches([',', '(']);
                    found.push(Finding::new(RULE, path, at, format!("`{word}`: {why}"), *cure));
                }
            }
            if !line.test && dense.contains(".unwrap()") {
                let cure = "handle it with `?`, `let else` or a default; `expect` states the invariant where there is one";
                found.push(Finding::new(RULE, path, at, "`.unwrap()` outside tests", cure));
            }
        }
    }
    found
}

/// Pure crates stay pure: of tokio they know `sync`, and the macros that wait.
pub(super) fn pure(workspace: &Workspace) -> Vec<Finding> {
    const CURE: &str = "take it as a parameter (bytes, a `Mono`, a channel); sockets, clocks and files belong to the services above";
    let mut found = Vec::new();
    for (path, source) in &workspace.sources {
        let Some(it) = workspace.crate_of(path).filter(|it| PURE.contains(&it.name.as_str()))
        else {
            continue;
        };
        for (at, line) in source.product() {
            let mut refuse = |word: &str, kind: &str| {
                found.push(Finding::new(
                    "pure",
                    path,
                    at,
                    format!("`{word}` in {}: {kind}", it.name),
                    CURE,
                ));
            };
            for (word, kind) in IMPURE.iter().filter(|(word, _)| line.code.contains(word)) {
                refuse(word, kind);
            }
            for (i, word) in line.code.match_indices("tokio::") {
                let rest = &line.code[i + word.len()..];
                if !TOKIO.iter().any(|allowed| rest.starts_with(allowed)) {
                    refuse(word, "of tokio, `sync` and the macros that wait, alone");
                }
            }
        }
    }
    found
}

/// How often each crate below a folder says `expect` outside tests, most first.
pub(super) fn expects(workspace: &Workspace, folder: &str) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for it in workspace.crates.iter().filter(|it| super::below(&it.folder, folder)) {
        let files = workspace.sources.iter().filter(|(path, _)| super::below(path, &it.folder));
        let count = files
            .flat_map(|(_, source)| source.product())
            .map(|(_, line)| line.code.matches(".expect(").count())
            .sum();
        if count > 0 {
            counts.push((it.name.clone(), count));
        }
    }
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;
    use crate::repository::File;

    #[test]
    fn forbidden_words_are_refused_in_code_alone() {
        let path = "crates/sl-a/src/lib.rs";
        for bad in [
            "todo!()",
            "unimplemented !(\"x\")",
            "#[ignore = \"slow\"]",
            "#[should_panic(expected = \"x\")]",
            "#[allow(dead_code)]",
            "#![ allow (dead_code)]",
            "#[cfg_attr(test, allow(dead_code))]",
            "x.unwrap();",
        ] {
            check(
                "forbidden-word",
                &[(path, &format!("\n{bad}\n"))],
                &["crates/sl-a/src/lib.rs:2"],
            );
            check(
                "forbidden-word",
                &[(path, &format!("// {bad}\n/* {bad} */ let x = r#\"{bad}\"#;\n"))],
                &[],
            );
        }
        check(
            "forbidden-word",
            &[(path, "f(a, allow(b)); x.unwrap_or(1); #[expect(x, reason = \"y\")]")],
            &[],
        );
        check(
            "forbidden-word",
            &[(path, "#[cfg(test)]\nmod tests { fn f() { x.unwrap(); } }")],
            &[],
        );
    }

    #[test]
    fn protocol_crates_stay_pure() {
        let manifest = ("crates/sl-stratum/Cargo.toml", "[package]\nname = \"sl-stratum\"");
        let path = "crates/sl-stratum/src/lib.rs";
        for bad in [
            "use tokio::net::TcpListener;",
            "tokio::time::sleep(d)",
            "std::time::Instant::now()",
            "use std::fs;",
        ] {
            let (path, expect) = (path, "crates/sl-stratum/src/lib.rs:1");
            let expect: &[&str] = if bad.contains("TcpL") { &[expect, expect] } else { &[expect] };
            check("pure", &[manifest, (path, bad)], expect);
            check("pure", &[manifest, ("crates/sl-stratum/tests/it/main.rs", bad)], &[]);
            check(
                "pure",
                &[
                    ("crates/sl-gateway/Cargo.toml", "[package]\nname = \"sl-gateway\""),
                    (path, bad),
                ],
                &[],
            );
        }
        check(
            "pure",
            &[
                manifest,
                (
                    path,
                    "use tokio::sync::watch; // Instant::now\nstd::net::IpAddr; tokio::select! {}",
                ),
            ],
            &[],
        );
    }

    #[test]
    fn expects_are_counted_by_crate() {
        let file = |path: &str, text: &str| File { path: path.into(), text: Some(text.into()) };
        let workspace = Workspace::of(vec![
            file("crates/sl-a/Cargo.toml", "[package]\nname = \"sl-a\""),
            file(
                "crates/sl-a/src/lib.rs",
                "a.expect(\"x\").expect(\"y\");\n// .expect(\n#[cfg(test)]\nfn f() { a.expect(\"z\"); }",
            ),
        ]);
        assert!(expects(&workspace, "crates/sl-b").is_empty());
        assert_eq!(expects(&workspace, "crates"), [("sl-a".to_owned(), 2)]);
    }
}
