//! Security advisories: the RustSec database, as a snapshot, against Cargo.lock.
//!
//! The database is one Markdown file an advisory, which opens with a fenced TOML block. A snapshot is a folder of them, or a
//! `.tar.gz` of such a folder, which the system's `tar` unpacks into memory.

use std::path::{Path, PathBuf};
use std::process::Command;

use semver::{Version, VersionReq};

use crate::flags::Flags;
use crate::repository::{self, Repository};

/// Where a snapshot lies when nobody says otherwise, from the root.
const NEIGHBOUR: &str = "../shared/advisory-db.tar.gz";
/// The environment variable that says otherwise.
const VARIABLE: &str = "SILVERLODE_ADVISORY_DB";
const OPENING: &str = "```toml\n[advisory]";

/// An advisory of the database.
#[derive(Debug)]
struct Advisory {
    id: String,
    package: String,
    title: String,
    /// `unmaintained`, `unsound`, `notice`; `None` for a vulnerability.
    informational: Option<String>,
    patched: Vec<String>,
    unaffected: Vec<String>,
}

/// What the check came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Vulnerabilities, a paragraph each.
    pub(crate) vulnerabilities: Vec<String>,
    /// Advisories that inform: unmaintained, unsound, notices.
    pub(crate) warnings: Vec<String>,
    /// In one line, what was checked; or why nothing was.
    pub(crate) summary: String,
    /// Whether there was no snapshot.
    pub(crate) skipped: bool,
}

/// `cargo xtask advisories`
pub(crate) fn run(repository: &Repository, flags: &Flags) -> Result<bool, String> {
    let outcome = check(repository, flags)?;
    for line in outcome.vulnerabilities.iter().chain(&outcome.warnings) {
        println!("{line}");
    }
    println!("advisories: {}", outcome.summary);
    Ok(outcome.vulnerabilities.is_empty())
}

/// Checks the lock file. `Err` when a snapshot or the lock cannot be read, or when one is required and there is none.
pub(crate) fn check(repository: &Repository, flags: &Flags) -> Result<Outcome, String> {
    let Some(snapshot) = snapshot(repository, flags)? else {
        if flags.has("--require") {
            return Err(format!(
                "no snapshot of the advisory database: give --db PATH or {VARIABLE}"
            ));
        }
        let summary =
            format!("SKIPPED: no snapshot (none at {NEIGHBOUR}; give --db PATH or {VARIABLE})");
        return Ok(Outcome { summary, skipped: true, ..Outcome::default() });
    };
    let lock = repository.root().join(flags.value("--lock").unwrap_or("Cargo.lock"));
    let lock = std::fs::read_to_string(&lock)
        .map_err(|e| format!("cannot read {}: {e}", lock.display()))?;
    let advisories = parse(&text(&snapshot)?)?;
    if advisories.is_empty() {
        return Err(format!("{} holds no advisory", snapshot.display()));
    }
    Ok(compare(&advisories, &packages(&lock)?))
}

/// The snapshot that the flag, the environment or the neighbourhood names. One that was named must exist.
fn snapshot(repository: &Repository, flags: &Flags) -> Result<Option<PathBuf>, String> {
    let named = flags
        .value("--db")
        .map(PathBuf::from)
        .or_else(|| repository::environment(VARIABLE).map(PathBuf::from));
    match named {
        Some(path) if path.exists() => Ok(Some(path)),
        Some(path) => Err(format!("no snapshot of the advisory database at {}", path.display())),
        None => Ok(Some(repository.root().join(NEIGHBOUR)).filter(|path| path.exists())),
    }
}

/// Everything the snapshot says, one advisory after the other.
fn text(snapshot: &Path) -> Result<String, String> {
    let cannot = |why: String| format!("cannot read {}: {why}", snapshot.display());
    if snapshot.is_dir() {
        let mut all = String::new();
        let mut folders = vec![snapshot.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(|e| cannot(e.to_string()))?.flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "md") {
                    all.push_str(
                        &std::fs::read_to_string(&path).map_err(|e| cannot(e.to_string()))?,
                    );
                    all.push('\n');
                }
            }
        }
        return Ok(all);
    }
    let out = Command::new("tar")
        .arg("-xzOf")
        .arg(snapshot)
        .output()
        .map_err(|e| cannot(format!("tar: {e}")))?;
    if !out.status.success() {
        return Err(cannot(String::from_utf8_lossy(&out.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Reads the advisories; those withdrawn count no more. One that cannot be read is an error: it might be about us.
fn parse(text: &str) -> Result<Vec<Advisory>, String> {
    let text = text.replace("\r\n", "\n");
    let mut found = Vec::new();
    for piece in text.split(OPENING).skip(1) {
        let (matter, body) = piece.split_once("\n```").unwrap_or((piece, ""));
        let table: toml::Table = format!("[advisory]{matter}").parse().map_err(|e| {
            format!(
                "an advisory cannot be read:{}: {e}",
                matter.lines().take(3).collect::<Vec<_>>().join(" ")
            )
        })?;
        let advisory = &table["advisory"];
        let word = |key: &str| advisory.get(key).and_then(|v| v.as_str()).map(str::to_owned);
        let ranges = |key: &str| {
            let list = table.get("versions").and_then(|v| v.get(key)).and_then(|v| v.as_array());
            list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        if word("withdrawn").is_some() {
            continue;
        }
        found.push(Advisory {
            id: word("id").unwrap_or_default(),
            package: word("package").unwrap_or_default(),
            title: body
                .lines()
                .find_map(|line| line.strip_prefix("# "))
                .unwrap_or("(no title)")
                .to_owned(),
            informational: word("informational"),
            patched: ranges("patched"),
            unaffected: ranges("unaffected"),
        });
    }
    Ok(found)
}

/// The packages of a lock file that come from elsewhere, with their versions.
fn packages(lock: &str) -> Result<Vec<(String, Version)>, String> {
    let table: toml::Table =
        lock.parse().map_err(|e| format!("the lock file is no valid TOML: {e}"))?;
    let mut found = Vec::new();
    for package in table.get("package").and_then(|p| p.as_array()).into_iter().flatten() {
        let word = |key: &str| package.get(key).and_then(|v| v.as_str());
        if let (Some(name), Some(version), Some(_)) =
            (word("name"), word("version"), word("source"))
        {
            let version = Version::parse(version)
                .map_err(|e| format!("the lock file's {name} {version}: {e}"))?;
            found.push((name.to_owned(), version));
        }
    }
    Ok(found)
}

fn compare(advisories: &[Advisory], packages: &[(String, Version)]) -> Outcome {
    let mut outcome = Outcome::default();
    for (name, version) in packages {
        for advisory in advisories.iter().filter(|a| a.package == *name) {
            if within(&advisory.patched, version) || within(&advisory.unaffected, version) {
                continue;
            }
            let patched = if advisory.patched.is_empty() {
                "none".to_owned()
            } else {
                advisory.patched.join(" or ")
            };
            let kind = advisory.informational.as_deref().unwrap_or("VULNERABLE");
            let line = format!(
                "{}: {kind}: {name} {version}: {}\n    patched: {patched}",
                advisory.id, advisory.title
            );
            let list = if advisory.informational.is_some() {
                &mut outcome.warnings
            } else {
                &mut outcome.vulnerabilities
            };
            list.push(line);
        }
    }
    outcome.summary = format!(
        "{} packages against {} advisories: {} vulnerable, {} to know of",
        packages.len(),
        advisories.len(),
        outcome.vulnerabilities.len(),
        outcome.warnings.len()
    );
    outcome
}

/// Whether a version is in one of the ranges. A range that cannot be read holds nothing, so that the advisory shows.
///
/// A pre-release counts as its release here when the range does not name one: semver's matching would leave it out of `>= 1.2`.
fn within(ranges: &[String], version: &Version) -> bool {
    let release = Version { pre: semver::Prerelease::EMPTY, ..version.clone() };
    ranges.iter().filter_map(|range| VersionReq::parse(range.trim()).ok()).any(|range| {
        let names_one = range.comparators.iter().any(|c| !c.pre.is_empty());
        // What is just below a release is not yet what the release is: `1.2.0-rc.1` has not the cure of `>= 1.2.0`.
        let bound = range.comparators.iter().any(|c| {
            (Some(release.minor), Some(release.patch)) == (c.minor, c.patch)
                && release.major == c.major
        });
        range.matches(version) || (!names_one && !bound && range.matches(&release))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: &str = "```toml\n[advisory]\nid = \"RUSTSEC-1\"\npackage = \"a\"\n\n[versions]\npatched = [\">= 1.2.0\", \"^0.9.5\"]\nunaffected = [\"< 0.5\"]\n```\n\n# A leak\n\ntext\n```toml\n[advisory]\nid = \"RUSTSEC-2\"\npackage = \"a\"\ninformational = \"unmaintained\"\n[versions]\npatched = []\n```\n# Nobody is there\n```toml\n[advisory]\nid = \"RUSTSEC-3\"\npackage = \"a\"\nwithdrawn = \"2024-01-01\"\n[versions]\npatched = []\n```\n# Never mind\n";

    #[track_caller]
    fn check(version: &str, vulnerable: bool) {
        let lock = format!(
            "[[package]]\nname = \"a\"\nversion = \"{version}\"\nsource = \"registry+x\"\n[[package]]\nname = \"sl-a\"\nversion = \"0.1.0\"\n"
        );
        let outcome = compare(&parse(SNAPSHOT).unwrap(), &packages(&lock).unwrap());
        assert_eq!(
            outcome.vulnerabilities.len(),
            usize::from(vulnerable),
            "{version}: {outcome:?}"
        );
        assert_eq!(outcome.warnings.len(), 1);
        if vulnerable {
            let expect = format!(
                "RUSTSEC-1: VULNERABLE: a {version}: A leak\n    patched: >= 1.2.0 or ^0.9.5"
            );
            assert_eq!(outcome.vulnerabilities, [expect]);
        }
    }

    #[test]
    fn versions_are_told_apart() {
        for patched in ["1.2.0", "2.0.0", "0.9.5", "0.9.9", "0.4.9", "1.3.0-rc.1"] {
            check(patched, false);
        }
        for vulnerable in ["1.1.9", "0.5.0", "0.9.4", "1.0.0", "1.2.0-rc.1"] {
            check(vulnerable, true);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(parse("```toml\n[advisory]\nid = \n```\n# x").is_err());
        assert!(parse("# no advisory").unwrap().is_empty());
        assert!(packages("[[package").is_err());
        assert!(packages("[[package]]\nname = \"a\"\nversion = \"x\"\nsource = \"y\"").is_err());
    }
}
