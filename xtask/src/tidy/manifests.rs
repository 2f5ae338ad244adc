//! Which crate may depend on which: floors, forbidden edges, and third parties that one crate alone may name.

use std::collections::BTreeSet;

use super::{Crate, Dependency, Finding, Kind, Workspace};

/// Edges that must never be, directly or through others: from, to, why.
const NEVER: &[(&str, &str, &str)] = &[
    ("sl-device", "sl-twin", "they share no wire types: a bug would agree with itself"),
    ("sl-twin", "sl-device", "they share no wire types: a bug would agree with itself"),
    ("sl-simnode", "sl-noderpc", "they share no wire types: a bug would agree with itself"),
    ("sl-noderpc", "sl-simnode", "they share no wire types: a bug would agree with itself"),
    (
        "sl-gateway",
        "sl-economics",
        "economics reads the ledger; the gateway knows nothing of money",
    ),
];

/// Third parties that only some crates may name: how the name ends, the crates, why.
const ONLY: &[(&str, &[&str], &str)] = &[
    ("_sv2", &["sl-sv2"], "the V2 crates of the field stay behind one door"),
    ("-sv2", &["sl-sv2"], "the V2 crates of the field stay behind one door"),
    ("bitcoin-dogecoin", &[], "an oracle, for tests alone"),
    ("litecoin", &[], "an oracle, for tests alone"),
    ("scrypt", &[], "an oracle, for tests alone"),
];

/// Instruments for tests: they stand beside the house and look at floors up to 3.
const TESTKIT: (&str, i64) = ("sl-testkit", 3);

/// Every crate states its floor, and depends on lower floors only.
pub(super) fn floors(workspace: &Workspace) -> Vec<Finding> {
    const RULE: &str = "floors";
    let mut found = Vec::new();
    for it in &workspace.crates {
        let manifest = it.manifest();
        if let Some(broken) = &it.broken {
            found.push(Finding::new(
                RULE,
                &manifest,
                0,
                format!("cannot be read: {broken}"),
                "mend the manifest",
            ));
            continue;
        }
        let Some(floor) = it.floor else {
            let cure = "state it: [package.metadata.silverlode] floor = N (the table is in ARCHITECTURE.md)";
            found.push(Finding::new(
                RULE,
                &manifest,
                0,
                format!("{} states no floor", it.name),
                cure,
            ));
            continue;
        };
        for dependency in &it.dependencies {
            let Some(other) = workspace.named(&dependency.package) else { continue };
            let Some(below) = other.floor else { continue };
            let allowed = match dependency.kind {
                _ if it.name == "xtask" || other.name == "xtask" => true, // a rule of its own, below
                Kind::Dev if other.name == TESTKIT.0 => true,
                _ if it.name == TESTKIT.0 => below <= TESTKIT.1,
                _ => below < floor,
            };
            if !allowed {
                found.push(Finding::new(
                    RULE,
                    &manifest,
                    dependency.line,
                    format!("{} (floor {floor}) depends on {} (floor {below})", it.name, other.name),
                    "depend on lower floors only: move the shared piece down, or pass it in from above",
                ));
            }
        }
    }
    found
}

/// No crate reaches another that it must never know; the workshop and the product do not know each other.
pub(super) fn edges(workspace: &Workspace) -> Vec<Finding> {
    const RULE: &str = "edges";
    let mut found = Vec::new();
    for it in &workspace.crates {
        for dependency in &it.dependencies {
            let other = dependency.package.as_str();
            let ours = workspace.named(other).is_some_and(Crate::is_ours);
            if (it.name == "xtask" && ours) || (other == "xtask" && it.name != "xtask") {
                let what = format!("{} depends on {other}", it.name);
                let cure = "keep workshop and product apart: xtask must run when the product does not compile";
                found.push(Finding::new(RULE, &it.manifest(), dependency.line, what, cure));
            }
            for (_, to, why) in NEVER.iter().filter(|(from, ..)| *from == it.name) {
                if reaches(workspace, dependency, to) {
                    let through =
                        if other == *to { String::new() } else { format!(" through {other}") };
                    let what = format!("{} depends on {to}{through}", it.name);
                    found.push(Finding::new(
                        RULE,
                        &it.manifest(),
                        dependency.line,
                        what,
                        format!("undo it: {why}"),
                    ));
                }
            }
        }
    }
    found
}

/// Whether following a dependency (the tests' ones only at the first step) leads to a crate.
fn reaches(workspace: &Workspace, dependency: &Dependency, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![dependency.package.as_str()];
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            let next = workspace.named(name).into_iter().flat_map(|it| &it.dependencies);
            open.extend(next.filter(|d| d.kind != Kind::Dev).map(|d| d.package.as_str()));
        }
    }
    false
}

/// A third party that one crate alone may name is named by no other.
pub(super) fn only(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    for it in &workspace.crates {
        for dependency in it.dependencies.iter().filter(|d| d.kind != Kind::Dev) {
            for (ending, crates, why) in ONLY {
                let meant = if ending.starts_with(['_', '-']) {
                    dependency.package.ends_with(ending)
                        && workspace.named(&dependency.package).is_none()
                } else {
                    dependency.package == *ending
                };
                if meant && !crates.contains(&it.name.as_str()) {
                    let what = format!("{} depends on {}", it.name, dependency.package);
                    let cure = if crates.is_empty() {
                        format!("move it to [dev-dependencies]: {why}")
                    } else {
                        format!("go through {}: {why}", crates.join(" or "))
                    };
                    found.push(Finding::new("only", &it.manifest(), dependency.line, what, cure));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    /// A manifest of `name` at `floor`; its first dependency is on line 6.
    fn manifest(name: &str, floor: &str, rest: &str) -> (String, String) {
        let folder = if name == "xtask" { name.to_owned() } else { format!("crates/{name}") };
        let text = format!(
            "[package]\nname = \"{name}\"\n[package.metadata.silverlode]\n{floor}\n{rest}\n"
        );
        (format!("{folder}/Cargo.toml"), text)
    }

    #[track_caller]
    fn refuses(rule: &str, crates: &[(&str, &str, &str)], expect: &[&str]) {
        let files: Vec<_> =
            crates.iter().map(|(name, floor, rest)| manifest(name, floor, rest)).collect();
        let files: Vec<_> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        check(rule, &files, expect);
    }

    #[test]
    fn lower_floors_only() {
        let kit = ("sl-testkit", "floor = 3", "[dependencies]\nsl-ports = \"1\"");
        let ports = ("sl-ports", "floor = 3", "[dev-dependencies]\nsl-testkit = \"1\"");
        refuses(
            "floors",
            &[kit, ports, ("sl-app", "floor = 11", "[dependencies]\nsl-ports = \"1\"")],
            &[],
        );
        for section in
            ["dependencies", "build-dependencies", "dev-dependencies", "target.x.dependencies"]
        {
            for (floor, lines) in [("floor = 3", 1), ("floor = 2", 1), ("floor = 4", 0)] {
                let rest = format!("[{section}]\nsl-ports = \"1\"");
                refuses(
                    "floors",
                    &[ports, kit, ("sl-a", floor, &rest)],
                    &["crates/sl-a/Cargo.toml:6"][..lines],
                );
            }
        }
        refuses("floors", &[("sl-a", "", "")], &["crates/sl-a/Cargo.toml:0"]);
        refuses("floors", &[("sl-a", "floor = ", "")], &["crates/sl-a/Cargo.toml:0"]);
        refuses(
            "floors",
            &[
                ("sl-testkit", "floor = 3", "[dependencies]\nsl-a = \"1\""),
                ("sl-a", "floor = 4", ""),
            ],
            &["crates/sl-testkit/Cargo.toml:6"],
        );
    }

    #[test]
    fn forbidden_edges_direct_and_through_others() {
        let rest = "[dependencies]\nsl-noderpc = \"1\"";
        let rpc = ("sl-noderpc", "floor = 4", "");
        refuses("edges", &[rpc, ("sl-solo", "floor = 5", rest)], &[]);
        refuses(
            "edges",
            &[rpc, ("sl-simnode", "floor = 5", rest)],
            &["crates/sl-simnode/Cargo.toml:6"],
        );
        let dev = "[dev-dependencies]\nsl-solo = \"1\"";
        refuses(
            "edges",
            &[rpc, ("sl-solo", "floor = 5", rest), ("sl-simnode", "floor = 6", dev)],
            &["crates/sl-simnode/Cargo.toml:6"],
        );
        refuses("edges", &[rpc, ("xtask", "floor = 0", rest)], &["xtask/Cargo.toml:6"]);
        refuses(
            "edges",
            &[("xtask", "floor = 0", ""), ("sl-a", "floor = 1", "[dependencies]\nxtask = \"1\"")],
            &["crates/sl-a/Cargo.toml:6"],
        );
    }

    #[test]
    fn third_parties_behind_one_door() {
        let rest = "[dependencies]\nnoise_sv2 = \"1\"";
        refuses("only", &[("sl-sv2", "floor = 2", rest)], &[]);
        refuses("only", &[("sl-gateway", "floor = 6", rest)], &["crates/sl-gateway/Cargo.toml:6"]);
        refuses("only", &[("sl-pow", "floor = 1", "[dev-dependencies]\nscrypt = \"1\"")], &[]);
        refuses(
            "only",
            &[("sl-pow", "floor = 1", "[dependencies]\nscrypt = \"1\"")],
            &["crates/sl-pow/Cargo.toml:6"],
        );
    }
}
