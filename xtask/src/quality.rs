//! The one quality command: its steps in order, a line each, and a verdict.

use crate::advisories;
use crate::cargo::Metadata;
use crate::dependencies;
use crate::flags::Flags;
use crate::licences;
use crate::repository::{self, Repository, Watch};
use crate::tidy::{self, Workspace};

/// What a step came to.
struct Step {
    fine: bool,
    /// In one line, what was done.
    note: String,
    /// What to read when it is refused, and warnings.
    details: Vec<String>,
}

impl Step {
    fn of(details: Vec<String>, note: impl Into<String>) -> Self {
        Self { fine: details.is_empty(), note: note.into(), details }
    }
}

/// What the steps look at.
struct Scope<'a> {
    repository: &'a Repository,
    flags: &'a Flags,
    /// Folder the crates are below, from the root; empty for all.
    folder: String,
}

type Check = fn(&Scope<'_>) -> Result<Step, String>;

/// Every step, in order.
const STEPS: &[(&str, Check)] = &[
    ("format", format),
    ("lint", lint),
    ("tidy", architecture),
    ("security", security),
    ("dependencies", unused),
    ("clean", clean),
];

/// `cargo xtask quality`
pub(crate) fn run(repository: &Repository, flags: &Flags) -> Result<bool, String> {
    let folder =
        flags.place().map(|place| repository.inside(place)).transpose()?.unwrap_or_default();
    let scope = Scope { repository, flags, folder };
    let only = match (flags.has("--format-only"), flags.has("--security-only")) {
        (false, false) => STEPS.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        (format, security) => [("format", format), ("security", security)]
            .into_iter()
            .filter_map(|(name, on)| on.then_some(name))
            .collect(),
    };
    let quiet = flags.has("--quiet");
    let whole = Watch::start();
    let mut refused = Vec::new();
    for (name, check) in STEPS.iter().filter(|(name, _)| only.contains(name)) {
        let watch = Watch::start();
        let step = check(&scope).unwrap_or_else(|what| Step {
            fine: false,
            note: "broken".into(),
            details: vec![what],
        });
        let word = if step.fine { "ok" } else { "REFUSED" };
        if !step.fine || !quiet {
            println!("{name:<13} {word:<8} {:>6.1} s  {}", watch.seconds(), step.note);
            step.details
                .iter()
                .flat_map(|detail| detail.lines())
                .for_each(|line| println!("    {line}"));
        }
        if !step.fine {
            refused.push(*name);
        }
    }
    let verdict =
        if refused.is_empty() { "fine".into() } else { format!("REFUSED: {}", refused.join(", ")) };
    println!("quality: {verdict} ({:.1} s)", whole.seconds());
    Ok(refused.is_empty())
}

/// The flags that limit cargo to the crates of the scope.
fn packages(scope: &Scope<'_>, all: &str) -> Result<Vec<String>, String> {
    if scope.folder.is_empty() {
        return Ok(vec![all.into()]);
    }
    let names: Vec<String> = crates(scope).into_iter().collect();
    if names.is_empty() {
        return Err(format!("there is no crate below {}", scope.folder));
    }
    Ok(names.into_iter().map(|name| format!("--package={name}")).collect())
}

/// The crates of the scope, from their manifests: it must work when the lock file does not.
fn crates(scope: &Scope<'_>) -> Vec<String> {
    let workspace = Workspace::of(scope.repository.files());
    let inside = workspace.crates.into_iter().filter(|it| tidy::below(&it.folder, &scope.folder));
    inside.map(|it| it.name).filter(|name| !name.is_empty()).collect()
}

fn cargo(scope: &Scope<'_>, args: &[String], note: &str) -> Result<Step, String> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let out = scope.repository.run(&repository::cargo(), &args)?;
    let mut details = Vec::new();
    if !out.status.success() {
        details.push(String::from_utf8_lossy(&out.stdout).trim_end().to_owned());
        details.push(String::from_utf8_lossy(&out.stderr).trim_end().to_owned());
        details.push(format!("from: cargo {}", args.join(" ")));
    }
    Ok(Step { fine: out.status.success(), note: note.into(), details })
}

fn format(scope: &Scope<'_>) -> Result<Step, String> {
    let mut args = vec!["fmt".to_owned()];
    args.extend(packages(scope, "--all")?);
    if scope.flags.has("--fix") {
        return cargo(scope, &args, "cargo fmt, written");
    }
    args.push("--check".into());
    let mut step = cargo(scope, &args, "cargo fmt --check")?;
    if !step.fine {
        step.details.push("cure: cargo xtask quality --format-only --fix".into());
    }
    Ok(step)
}

fn lint(scope: &Scope<'_>) -> Result<Step, String> {
    let mut args = vec!["clippy".to_owned()];
    args.extend(packages(scope, "--workspace")?);
    args.extend(["--all-targets", "--quiet", "--", "-D", "warnings"].map(str::to_owned));
    cargo(scope, &args, "cargo clippy --all-targets -- -D warnings")
}

fn architecture(scope: &Scope<'_>) -> Result<Step, String> {
    let report = tidy::check(scope.repository, &scope.folder);
    Ok(Step::of(report.findings.iter().map(ToString::to_string).collect(), report.summary))
}

/// Advisories (of the whole lock file), licences and duplicates (of what the scope is built from).
fn security(scope: &Scope<'_>) -> Result<Step, String> {
    let metadata = Metadata::read(scope.repository)?;
    let parties = metadata.third_parties(&scope.folder);
    let advisories = advisories::check(scope.repository, scope.flags)?;
    let licences = licences::refused(&parties);
    let duplicates = licences::duplicates(&parties);
    let known = if licences.is_empty() {
        "all allowed".into()
    } else {
        format!("{} refused", licences.len())
    };
    let twice = if duplicates.is_empty() {
        "none twice".into()
    } else {
        format!("{} twice", duplicates.len())
    };
    let note = format!(
        "advisories {}; licences of {} packages: {known}; {twice}",
        advisories.summary,
        parties.len()
    );
    let fine = advisories.vulnerabilities.is_empty() && licences.is_empty();
    let mut details = advisories.vulnerabilities;
    details.extend(licences);
    details.extend(advisories.warnings.into_iter().map(|line| format!("warning: {line}")));
    details.extend(duplicates.into_iter().map(|line| format!("twice: {line}")));
    if advisories.skipped {
        details.push("warning: advisories were not checked".into());
    }
    Ok(Step { fine, note, details })
}

fn unused(scope: &Scope<'_>) -> Result<Step, String> {
    let metadata = Metadata::read(scope.repository)?;
    let workspace = Workspace::of(scope.repository.files());
    let found = dependencies::unused(&workspace, &metadata, &scope.folder);
    let count: usize = workspace
        .crates
        .iter()
        .filter(|it| tidy::below(&it.folder, &scope.folder))
        .map(|it| it.dependencies.len())
        .sum();
    Ok(Step::of(
        found,
        format!("{count} dependencies of {} crates", metadata.ours(&scope.folder).len()),
    ))
}

/// Nothing that a build or a run leaves is tracked, or would be.
fn clean(scope: &Scope<'_>) -> Result<Step, String> {
    const PRODUCTS: &[&str] = &[
        ".o", ".a", ".so", ".rlib", ".rmeta", ".d", ".pdb", ".exe", ".dll", ".profraw", ".log",
        ".orig", ".rej", ".rs.bk", ".pid", ".sock", ".swp",
    ];
    const FOLDERS: &[&str] = &["target", "node_modules", "silverlode-data", "__pycache__"];
    let files = scope.repository.files();
    let found = files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| tidy::below(path, &scope.folder))
        .filter(|path| {
            PRODUCTS.iter().any(|ending| path.ends_with(ending))
                || path.split('/').any(|part| FOLDERS.contains(&part))
        })
        .map(|path| {
            format!("{path}: a product of a build or a run; delete it, or name it in .gitignore")
        })
        .collect();
    let changed = match scope.repository.run("git", &["status", "--porcelain"]) {
        Ok(out) if out.status.success() => {
            match String::from_utf8_lossy(&out.stdout).lines().count() {
                0 => "nothing uncommitted".to_owned(),
                count => format!("{count} uncommitted"),
            }
        }
        _ => "no git here".to_owned(),
    };
    Ok(Step::of(found, format!("{} files, {changed}", files.len())))
}
