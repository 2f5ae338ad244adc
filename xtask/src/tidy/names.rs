//! Names and places: what a file may be called, what recorded data must say, and what no file may name.

use std::collections::BTreeSet;

use super::{Finding, Workspace};

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "manager", "stuff", "shared"];
/// Names that are numbered when a number follows them.
const NUMBERED: &[&str] =
    &["part", "file", "mod", "module", "step", "more", "test", "tests", "chapter", "new", "old"];
/// Places on one machine; written in pieces, so that this file may pass its own rule.
const MACHINE: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/bash_", "jobs")];

/// Files and folders of sources say by their names what is inside.
pub(super) fn file_names(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    for path in workspace.sources.keys() {
        for part in path.split('/') {
            let stem = part.trim_end_matches(".rs");
            let letters = stem.trim_end_matches(|c: char| c.is_ascii_digit());
            let numbered = letters.len() < stem.len()
                && (letters.is_empty() || NUMBERED.contains(&letters) || is_counted(letters));
            if EMPTY_NAMES.contains(&stem) || numbered {
                let what = format!("`{part}` does not say what is inside");
                found.push(Finding::new(
                    "file-name",
                    path,
                    0,
                    what,
                    "name it after the idea it holds",
                ));
            }
        }
    }
    found
}

/// Whether a name's letters wait for a number, as `jobs_` does; `x86_` is a word of the field.
fn is_counted(letters: &str) -> bool {
    letters.ends_with('_') && !letters.contains(|c: char| c.is_ascii_digit())
}

/// Every folder of recorded data says where the data comes from.
pub(super) fn origins(workspace: &Workspace) -> Vec<Finding> {
    let mut folders = BTreeSet::new();
    for file in &workspace.files {
        let parts: Vec<&str> = file.path.split('/').collect();
        if let Some(at) = parts.iter().position(|part| *part == "testdata") {
            // A folder just below testdata, or testdata itself for files that lie in it.
            let end = if parts.len() > at + 2 { at + 2 } else { at + 1 };
            folders.insert(parts[..end].join("/"));
        }
    }
    folders
        .into_iter()
        .map(|folder| format!("{folder}/ORIGIN.md"))
        .filter(|origin| workspace.text(origin).is_none_or(|text| text.trim().is_empty()))
        .map(|origin| {
            let cure = "write it: what each file is, from where and when, and how it was checked";
            Finding::new("origin", &origin, 0, "recorded data without its origin", cure)
        })
        .collect()
}

/// No file outside recorded data names a place on somebody's machine.
pub(super) fn machine_paths(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in
        workspace.files.iter().filter(|file| !file.path.split('/').any(|part| part == "testdata"))
    {
        for (at, line) in file.text.as_deref().unwrap_or_default().lines().enumerate() {
            let named = MACHINE.iter().find(|place| {
                // `src/work/x.rs` is a path of ours; only a path from the root of a machine is meant.
                line.match_indices(**place).any(|(i, _)| {
                    !line[..i].ends_with(|c: char| {
                        c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '*')
                    })
                })
            });
            if let Some(place) = named {
                let what = format!("names `{place}`, a place on one machine");
                let cure = "use a path from the repository's root, or a setting";
                found.push(Finding::new("machine-path", &file.path, at + 1, what, cure));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn names_that_say_nothing_are_refused() {
        for good in [
            "sha256.rs",
            "v1.rs",
            "base58.rs",
            "avx512.rs",
            "tests/it/main.rs",
            "commons.rs",
            "x86_64.rs",
        ] {
            let path = format!("crates/sl-a/src/{good}");
            check("file-name", &[(&path, "")], &[]);
        }
        for bad in [
            "utils.rs",
            "helpers/x.rs",
            "common.rs",
            "misc.rs",
            "manager.rs",
            "part2.rs",
            "jobs_2.rs",
            "2.rs",
        ] {
            let path = format!("crates/sl-a/src/{bad}");
            check("file-name", &[(&path, "")], &[&format!("{path}:0")]);
        }
    }

    #[test]
    fn recorded_data_says_its_origin() {
        let data = ("testdata/coins/regtest/a.hex", "00");
        check("origin", &[data], &["testdata/coins/ORIGIN.md:0"]);
        check(
            "origin",
            &[data, ("testdata/coins/ORIGIN.md", " ")],
            &["testdata/coins/ORIGIN.md:0"],
        );
        check("origin", &[data, ("testdata/coins/ORIGIN.md", "from x")], &[]);
        check(
            "origin",
            &[("crates/sl-a/testdata/a.hex", "00")],
            &["crates/sl-a/testdata/ORIGIN.md:0"],
        );
    }

    #[test]
    fn places_on_one_machine_are_refused() {
        let bad = format!("ok\nsee {}rk/main\n", "/wo");
        check("machine-path", &[("README.md", &bad), ("testdata/a/b.txt", &bad)], &["README.md:2"]);
        check("machine-path", &[("a.rs", &format!("\"{}ot/x\"", "/ro"))], &["a.rs:1"]);
        check(
            "machine-path",
            &[("a.md", "crates/sl-solo/src/work/mod.rs and /worker/ and ../shared")],
            &[],
        );
    }
}
