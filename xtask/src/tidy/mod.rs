//! The architecture rules, as tests of the sources: what each refuses names file, line, rule and cure.

mod handbook;
mod manifests;
mod markdown;
mod names;
mod roots;
mod sizes;
mod words;
mod workspace;

use std::fmt;

pub(crate) use workspace::{Crate, Dependency, Kind, Workspace};

use crate::flags::Flags;
use crate::repository::Repository;

/// Something a rule refuses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, from the root.
    file: String,
    /// The line, from 1; 0 when it is about the whole file.
    line: usize,
    /// The rule's name.
    rule: &'static str,
    /// What was found.
    what: String,
    /// What to do about it.
    cure: String,
}

impl Finding {
    fn new(
        rule: &'static str,
        file: &str,
        line: usize,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { file: file.to_owned(), line, rule, what: what.into(), cure: cure.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}: {}\n    cure: {}",
            self.file,
            self.line.max(1),
            self.rule,
            self.what,
            self.cure
        )
    }
}

type Rule = fn(&Workspace) -> Vec<Finding>;

/// Every rule, by name.
const RULES: &[(&str, Rule)] = &[
    ("floors", manifests::floors),
    ("edges", manifests::edges),
    ("only", manifests::only),
    ("size", sizes::sizes),
    ("exceptions", sizes::exceptions),
    ("file-name", names::file_names),
    ("origin", names::origins),
    ("machine-path", names::machine_paths),
    ("forbidden-word", words::forbidden),
    ("pure", words::pure),
    ("crate-root", roots::roots),
    ("links", markdown::links),
    ("architecture", markdown::architecture),
    ("handbook", handbook::handbook),
];

/// What the rules say of a repository.
#[derive(Debug)]
pub(crate) struct Report {
    /// What they refuse, by file and line.
    pub(crate) findings: Vec<Finding>,
    /// How many rules looked at how many files, and the tally of `expect`.
    pub(crate) summary: String,
}

/// Lets every rule look at the repository, below `folder`.
pub(crate) fn check(repository: &Repository, folder: &str) -> Report {
    let workspace = Workspace::of(repository.files());
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|(_, rule)| rule(&workspace)).collect();
    findings.retain(|finding| below(&finding.file, folder));
    findings.sort();
    let files = workspace.files.iter().filter(|file| below(&file.path, folder)).count();
    let expects = words::expects(&workspace, folder);
    let total: usize = expects.iter().map(|(_, count)| count).sum();
    let by_crate: Vec<String> =
        expects.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let summary = format!(
        "{} rules, {files} files; `expect` outside tests: {total}{}{}",
        RULES.len(),
        if total == 0 { "" } else { " - " },
        by_crate.join(", ")
    );
    Report { findings, summary }
}

/// Whether a path is below a folder (the empty one is the root).
pub(crate) fn below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `cargo xtask tidy`
pub(crate) fn run(repository: &Repository, flags: &Flags) -> Result<bool, String> {
    let folder =
        flags.place().map(|place| repository.inside(place)).transpose()?.unwrap_or_default();
    let report = check(repository, &folder);
    for finding in &report.findings {
        println!("{finding}");
    }
    let fine = report.findings.is_empty();
    if !fine || !flags.has("--quiet") {
        println!("tidy: {}", report.summary);
        println!(
            "tidy: {}",
            if fine { "fine".into() } else { format!("{} refused", report.findings.len()) }
        );
    }
    Ok(fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::File;

    /// The one door of the rules' tests: what the rule `name` refuses in `files`, as `file:line`.
    #[track_caller]
    pub(super) fn check(name: &str, files: &[(&str, &str)], expect: &[&str]) {
        let files = files
            .iter()
            .map(|(path, text)| File { path: (*path).to_owned(), text: Some((*text).to_owned()) })
            .collect();
        let (_, rule) = RULES.iter().find(|(rule, _)| *rule == name).unwrap();
        let mut findings = rule(&Workspace::of(files));
        findings.sort();
        let found: Vec<String> =
            findings.iter().map(|f| format!("{}:{}", f.file, f.line)).collect();
        assert_eq!(found, expect, "{findings:#?}");
        assert!(findings.iter().all(|f| !f.what.is_empty() && !f.cure.is_empty()));
    }

    #[test]
    fn a_finding_names_file_line_rule_and_cure() {
        let finding = Finding::new("size", "a.rs", 0, "too long", "split it");
        assert_eq!(finding.to_string(), "a.rs:1: size: too long\n    cure: split it");
    }

    #[test]
    fn a_folder_limits_by_whole_parts() {
        assert!(below("crates/sl-a/x", "crates/sl-a") && below("x", ""));
        assert!(!below("crates/sl-ab/x", "crates/sl-a"));
    }
}
