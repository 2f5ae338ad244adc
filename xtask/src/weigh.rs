//! Where build time goes: seconds by crate, from cargo's own timings of a build from scratch.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::flags::Flags;
use crate::repository::{self, Repository, Watch};

const FOLDER: &str = "target/weigh";

/// `cargo xtask weigh`
pub(crate) fn run(repository: &Repository, flags: &Flags) -> Result<bool, String> {
    let package = flags.value("--package").unwrap_or("silverlode");
    let top = flags
        .value("--top")
        .map_or(Ok(20), |n| n.parse::<usize>().map_err(|_| format!("--top {n}: no number")))?;
    let folder = repository.root().join(FOLDER);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|e| format!("cannot empty {FOLDER}: {e}"))?;
    }
    let mut args = vec!["build", "--timings", "--target-dir", FOLDER, "--package", package];
    if !flags.has("--dev") {
        args.push("--release");
    }
    println!("weigh: cargo {} (from scratch)", args.join(" "));
    let watch = Watch::start();
    let out = repository.run(&repository::cargo(), &args)?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).trim().to_owned());
    }
    let wall = watch.seconds();
    let page = folder.join("cargo-timings/cargo-timing.html");
    let page = std::fs::read_to_string(&page)
        .map_err(|e| format!("cannot read {}: {e}", page.display()))?;
    let files = repository.files();
    let ours: Vec<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_suffix("/Cargo.toml")?.rsplit('/').next())
        .collect();
    print!("{}", table(&seconds(&page)?, &ours, top, wall));
    Ok(true)
}

/// Seconds that each crate took, its build script and its parts together, from cargo's page of timings.
fn seconds(page: &str) -> Result<BTreeMap<String, f64>, String> {
    const WHERE: &str = "const UNIT_DATA = ";
    let (_, data) = page
        .split_once(WHERE)
        .ok_or("cargo's page of timings has no UNIT_DATA: its form has changed")?;
    let units = serde_json::Deserializer::from_str(data).into_iter::<Vec<Value>>().next();
    let units = units.ok_or("UNIT_DATA is empty")?.map_err(|e| format!("UNIT_DATA: {e}"))?;
    let mut sums = BTreeMap::new();
    for unit in &units {
        let name = unit["name"].as_str().ok_or("a unit without a name")?;
        let duration = unit["duration"].as_f64().ok_or_else(|| format!("{name}: no duration"))?;
        *sums.entry(name.to_owned()).or_default() += duration;
    }
    Ok(sums)
}

fn table(seconds: &BTreeMap<String, f64>, ours: &[&str], top: usize, wall: f64) -> String {
    let mut rows: Vec<(&str, f64)> = seconds.iter().map(|(name, s)| (name.as_str(), *s)).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let is_ours = |name: &str| ours.contains(&name);
    let sum = |mine: bool| {
        rows.iter().filter(|(name, _)| is_ours(name) == mine).map(|(_, s)| s).sum::<f64>()
    };
    let count = |mine: bool| rows.iter().filter(|(name, _)| is_ours(name) == mine).count();
    let mut text = format!("{:>8}  crate\n", "seconds");
    for (name, s) in rows.iter().take(top) {
        text.push_str(&format!("{s:>8.1}  {name}{}\n", if is_ours(name) { " (ours)" } else { "" }));
    }
    text.push_str(&format!("{:>8.1}  third parties, {} crates\n", sum(false), count(false)));
    text.push_str(&format!("{:>8.1}  ours, {} crates\n", sum(true), count(true)));
    text.push_str(&format!("{wall:>8.1}  by the clock\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_are_read_and_summed() {
        let page = "<script>\nconst UNIT_DATA = [\n {\"name\": \"tokio\", \"duration\": 2.5},\n {\"name\": \"tokio\", \"duration\": 0.5}, {\"name\": \"sl-pow\", \"duration\": 1.0}];\nconst X = 1;";
        let sums = seconds(page).unwrap();
        assert_eq!(
            table(&sums, &["sl-pow"], 1, 2.0),
            " seconds  crate\n     3.0  tokio\n     3.0  third parties, 1 crates\n     1.0  ours, 1 crates\n     2.0  by the clock\n"
        );
        assert!(seconds("<html>").is_err());
        assert!(seconds("const UNIT_DATA = [{}]").is_err());
    }
}
