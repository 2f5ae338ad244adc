//! What cargo knows of the workspace: `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::repository::{self, Repository};

/// A package of the workspace or of a third party.
#[derive(Debug, Default)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence, as an SPDX expression.
    pub(crate) licence: Option<String>,
    /// The name of its library, as sources write it.
    pub(crate) library: Option<String>,
    /// Its folder, when it is ours.
    pub(crate) folder: Option<String>,
}

/// Every package the workspace is built from.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    packages: BTreeMap<String, Package>,
    edges: BTreeMap<String, Vec<String>>,
}

impl Metadata {
    /// Asks cargo; the lock file must be up to date.
    pub(crate) fn read(repository: &Repository) -> Result<Self, String> {
        let value = metadata(repository, &["--locked"])?;
        Ok(Self::of(&value, &repository.root().to_string_lossy()))
    }

    fn of(value: &Value, root: &str) -> Self {
        let word = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut it = Self::default();
        for package in list(&value["packages"]) {
            let library = list(&package["targets"]).into_iter().find(|target| {
                list(&target["kind"]).iter().any(|kind| {
                    matches!(
                        kind.as_str(),
                        Some("lib" | "rlib" | "dylib" | "cdylib" | "staticlib" | "proc-macro")
                    )
                })
            });
            let folder = package["source"].is_null().then(|| {
                let manifest =
                    word(&package, "manifest_path").unwrap_or_default().replace('\\', "/");
                let folder = manifest.trim_start_matches(root).trim_end_matches("Cargo.toml");
                folder.trim_matches('/').to_owned()
            });
            let id = word(&package, "id").unwrap_or_default();
            it.packages.insert(
                id,
                Package {
                    name: word(&package, "name").unwrap_or_default(),
                    version: word(&package, "version").unwrap_or_default(),
                    licence: word(&package, "license"),
                    library: library.and_then(|target| word(&target, "name")),
                    folder,
                },
            );
        }
        for node in list(&value["resolve"]["nodes"]) {
            let next = list(&node["dependencies"])
                .iter()
                .filter_map(|id| id.as_str().map(str::to_owned))
                .collect();
            it.edges.insert(word(&node, "id").unwrap_or_default(), next);
        }
        it
    }

    /// Our packages below a folder.
    pub(crate) fn ours(&self, folder: &str) -> Vec<&Package> {
        self.packages
            .values()
            .filter(|p| p.folder.as_deref().is_some_and(|f| crate::tidy::below(f, folder)))
            .collect()
    }

    /// What our packages below a folder are built from, third parties alone, by name and version.
    pub(crate) fn third_parties(&self, folder: &str) -> Vec<&Package> {
        let ours = |id: &str| self.packages.get(id).and_then(|p| p.folder.as_deref());
        let mut open: Vec<&str> = self.packages.keys().map(String::as_str).collect();
        open.retain(|id| ours(id).is_some_and(|f| crate::tidy::below(f, folder)));
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.edges.get(id).into_iter().flatten().map(String::as_str));
            }
        }
        let mut found: Vec<&Package> =
            seen.into_iter().filter_map(|id| self.packages.get(id)).collect();
        found.retain(|package| package.folder.is_none());
        found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        found
    }

    /// The names of a package's libraries, over all its versions.
    pub(crate) fn libraries(&self, package: &str) -> Vec<&str> {
        self.packages
            .values()
            .filter(|p| p.name == package)
            .filter_map(|p| p.library.as_deref())
            .collect()
    }
}

/// Where cargo puts what it builds, whoever decides that: settings, a variable, or nobody.
pub(crate) fn target_folder(repository: &Repository) -> Result<PathBuf, String> {
    let value = metadata(repository, &["--no-deps"])?;
    let folder = value["target_directory"].as_str().map(PathBuf::from);
    folder.ok_or_else(|| "cargo metadata names no target_directory: its form has changed".into())
}

fn metadata(repository: &Repository, more: &[&str]) -> Result<Value, String> {
    let args = [&["metadata", "--format-version", "1"], more].concat();
    let out = repository.run(&repository::cargo(), &args)?;
    if !out.status.success() {
        let wrong = String::from_utf8_lossy(&out.stderr);
        return Err(format!("cargo {}: {}", args.join(" "), wrong.trim()));
    }
    serde_json::from_slice(&out.stdout).map_err(|e| format!("cargo metadata: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_packages_and_what_they_are_built_from() {
        let value = serde_json::json!({
            "packages": [
                {"name": "sl-a", "version": "0.1.0", "id": "a", "source": null, "license": "MIT", "manifest_path": "/r/crates/sl-a/Cargo.toml", "targets": []},
                {"name": "sl-b", "version": "0.1.0", "id": "b", "source": null, "license": "MIT", "manifest_path": "/r/crates/sl-b/Cargo.toml", "targets": []},
                {"name": "bee-doge", "version": "1.0.0", "id": "c", "source": "registry+x", "license": "ISC", "manifest_path": "/x/Cargo.toml", "targets": [{"kind": ["lib"], "name": "bee"}]},
                {"name": "deep", "version": "2.0.0", "id": "d", "source": "registry+x", "license": null, "manifest_path": "/x/Cargo.toml", "targets": []},
            ],
            "resolve": {"nodes": [{"id": "a", "dependencies": ["b"]}, {"id": "b", "dependencies": ["c"]}, {"id": "c", "dependencies": ["d"]}, {"id": "d", "dependencies": []}]},
        });
        let it = Metadata::of(&value, "/r");
        let names =
            |packages: Vec<&Package>| packages.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(it.ours("crates/sl-a")), ["sl-a"]);
        assert_eq!(names(it.third_parties("crates/sl-a")), ["bee-doge", "deep"]);
        assert_eq!(it.libraries("bee-doge"), ["bee"]);
    }
}
