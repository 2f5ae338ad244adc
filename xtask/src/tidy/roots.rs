//! What the root of a crate says before its first line of code.

use super::{Finding, Workspace};

/// The kernels: the only crates with unsafe code.
const KERNELS: &[&str] = &["sl-scrypt", "sl-gpu"];
/// Lines of documentation a library opens with, at least.
const OPENING: usize = 3;

/// Every crate forbids unsafe code (the kernels aside), and every library opens with what it is for.
pub(super) fn roots(workspace: &Workspace) -> Vec<Finding> {
    const RULE: &str = "crate-root";
    let mut found = Vec::new();
    for it in &workspace.crates {
        for (path, source) in &workspace.sources {
            let Some(place) = path.strip_prefix(&format!("{}/src/", it.folder)) else { continue };
            let program = place == "main.rs" || place.starts_with("bin/");
            if place != "lib.rs" && !program {
                continue;
            }
            let forbids =
                source.product().any(|(_, line)| line.code.contains("#![forbid(unsafe_code)]"));
            if !forbids && !KERNELS.contains(&it.name.as_str()) {
                let cure = "write #![forbid(unsafe_code)] below the opening; unsafe code lives in the kernels alone";
                found.push(Finding::new(RULE, path, 0, "does not forbid unsafe code", cure));
            }
            let text = workspace.text(path).unwrap_or_default();
            let opening = text.lines().take_while(|line| line.starts_with("//!")).count();
            if !program && opening < OPENING {
                let what = format!("opens with {opening} lines of `//!`, at least {OPENING}");
                let cure =
                    "say what the crate is for, what it is not for, and give a small example";
                found.push(Finding::new(RULE, path, 0, what, cure));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn roots_forbid_unsafe_code_and_say_what_they_are_for() {
        let manifest = ("crates/sl-a/Cargo.toml", "[package]\nname = \"sl-a\"");
        let kernel = ("crates/sl-a/Cargo.toml", "[package]\nname = \"sl-scrypt\"");
        let (lib, doc) = ("crates/sl-a/src/lib.rs", "//! a\n//!\n//! b\n");
        let good = format!("{doc}#![forbid(unsafe_code)]\nmod x;");
        check("crate-root", &[manifest, (lib, &good), ("crates/sl-a/src/x.rs", "")], &[]);
        check("crate-root", &[manifest, (lib, doc)], &["crates/sl-a/src/lib.rs:0"]);
        check(
            "crate-root",
            &[manifest, (lib, &format!("{doc}// #![forbid(unsafe_code)]"))],
            &["crates/sl-a/src/lib.rs:0"],
        );
        check(
            "crate-root",
            &[manifest, (lib, "//! a\n#![forbid(unsafe_code)]")],
            &["crates/sl-a/src/lib.rs:0"],
        );
        check("crate-root", &[kernel, (lib, doc)], &[]);
        check(
            "crate-root",
            &[manifest, ("crates/sl-a/src/main.rs", "fn main() {}")],
            &["crates/sl-a/src/main.rs:0"],
        );
    }
}
