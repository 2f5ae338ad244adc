//! Builds what is measured and what measures it, and starts the latter.

use crate::cargo;
use crate::flags::Flags;
use crate::repository::Repository;

/// What can be measured, the package whose program does it, and the page with the figures.
const SUBJECTS: [(&str, &str, &str); 1] = [("gateway", "sl-bench", "docs/bench-gateway.md")];

/// `cargo xtask bench`
pub(crate) fn run(repository: &Repository, flags: &Flags) -> Result<bool, String> {
    let (subject, scenario) = match flags.places() {
        [subject] => (subject.as_str(), None),
        [subject, scenario] => (subject.as_str(), Some(scenario.as_str())),
        _ => return Err("what is to be measured is not said, allowed: gateway".into()),
    };
    let found = SUBJECTS.iter().find(|(name, ..)| *name == subject);
    let (_, package, page) =
        found.ok_or_else(|| format!("nothing measures `{subject}`, allowed: gateway"))?;
    let build = ["build", "--release", "--package", "silverlode", "--package", package];
    if !repository.cargo_shown(&build)? {
        return Err("what is to be measured cannot be built".into());
    }
    let quick = flags.has("--quick").then_some("--quick");
    let page = if flags.has("--write") { &["--page", page][..] } else { &[] };
    let args = [subject].into_iter().chain(scenario).chain(quick).chain(page.iter().copied());
    let args: Vec<&str> = args.collect();
    let program = cargo::target_folder(repository)?.join("release").join(package);
    repository.run_shown(&program.to_string_lossy(), &args)
}
