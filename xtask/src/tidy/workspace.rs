//! The repository as the rules see it: files, scanned sources, and crates with their floors and dependencies.

use std::collections::BTreeMap;

use crate::repository::File;
use crate::rust::Source;

/// Files, sources and crates of a repository.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Every file.
    pub(crate) files: Vec<File>,
    /// The Rust sources, by path.
    pub(crate) sources: BTreeMap<String, Source>,
    /// The crates, by folder.
    pub(crate) crates: Vec<Crate>,
}

/// A crate, read from its manifest.
#[derive(Debug, Default)]
pub(crate) struct Crate {
    /// Its package name.
    pub(crate) name: String,
    /// Its folder, from the root.
    pub(crate) folder: String,
    /// The floor its manifest states.
    pub(crate) floor: Option<i64>,
    /// What it depends on.
    pub(crate) dependencies: Vec<Dependency>,
    /// Dependencies that are needed without being named in the sources (`metadata.silverlode.linked`).
    pub(crate) linked: Vec<String>,
    /// Why the manifest could not be read.
    pub(crate) broken: Option<String>,
}

/// A dependency of a crate.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    /// The package's name.
    pub(crate) package: String,
    /// The name it has in the manifest.
    pub(crate) key: String,
    /// What it is needed for.
    pub(crate) kind: Kind,
    /// Its line in the manifest.
    pub(crate) line: usize,
}

/// What a dependency is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The crate itself.
    Normal,
    /// Its build script.
    Build,
    /// Its tests.
    Dev,
}

impl Workspace {
    /// Reads files into sources and crates.
    pub(crate) fn of(files: Vec<File>) -> Self {
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        let mut crates = Vec::new();
        for file in &files {
            let Some(text) = &file.text else { continue };
            if file.path.ends_with(".rs") {
                sources.insert(file.path.clone(), Source::scan(text));
            } else if let Some(folder) = file.path.strip_suffix("/Cargo.toml") {
                crates.push(Crate::read(folder, text));
            }
        }
        mark_tests(&mut sources);
        Self { files, sources, crates }
    }

    /// The crate a file belongs to.
    pub(crate) fn crate_of(&self, path: &str) -> Option<&Crate> {
        self.crates.iter().filter(|c| super::below(path, &c.folder)).max_by_key(|c| c.folder.len())
    }

    /// The crate of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Crate> {
        self.crates.iter().find(|c| c.name == name)
    }

    /// The text of a file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path)?.text.as_deref()
    }
}

/// Marks whole files as tests: those of test folders, and those declared as test modules, with all below them.
fn mark_tests(sources: &mut BTreeMap<String, Source>) {
    let mut marked: Vec<String> = Vec::new();
    for (path, source) in &*sources {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = name.trim_end_matches(".rs");
        let inner = if matches!(stem, "lib" | "main" | "mod") {
            folder.to_owned()
        } else {
            format!("{folder}/{stem}")
        };
        marked.extend(source.test_modules.iter().map(|module| format!("{inner}/{module}")));
    }
    for (path, source) in sources {
        let declared = marked.iter().any(|m| super::below(path.trim_end_matches(".rs"), m));
        if declared || path.split('/').any(|part| part == "tests" || part == "benches") {
            source.mark_test();
        }
    }
}

impl Crate {
    fn read(folder: &str, text: &str) -> Self {
        let mut it = Self { folder: folder.to_owned(), ..Self::default() };
        let manifest: toml::Table = match text.parse() {
            Ok(manifest) => manifest,
            Err(error) => {
                it.broken = Some(error.to_string());
                return it;
            }
        };
        let package = manifest.get("package").and_then(|p| p.as_table());
        let ours = package.and_then(|p| p.get("metadata")?.get("silverlode"));
        it.name = package.and_then(|p| p.get("name")?.as_str()).unwrap_or_default().to_owned();
        it.floor = ours.and_then(|o| o.get("floor")?.as_integer());
        it.linked = ours
            .and_then(|o| o.get("linked")?.as_array())
            .map(|names| names.iter().filter_map(|n| n.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        let targets = manifest.get("target").and_then(|t| t.as_table());
        let tables = targets
            .into_iter()
            .flat_map(|t| t.values())
            .filter_map(|t| t.as_table())
            .chain([&manifest]);
        for table in tables {
            for (section, kind) in [
                ("dependencies", Kind::Normal),
                ("build-dependencies", Kind::Build),
                ("dev-dependencies", Kind::Dev),
            ] {
                for (key, value) in
                    table.get(section).and_then(|d| d.as_table()).into_iter().flatten()
                {
                    let package =
                        value.get("package").and_then(|p| p.as_str()).unwrap_or(key).to_owned();
                    let line = line_of(text, section, key);
                    it.dependencies.push(Dependency { package, key: key.clone(), kind, line });
                }
            }
        }
        it
    }

    /// Its manifest, from the root.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// Whether it is one of the product's crates.
    pub(crate) fn is_ours(&self) -> bool {
        self.folder.starts_with("crates/")
    }
}

/// The line of `key` in the section of a manifest whose name ends so; 1 when it is not found.
fn line_of(text: &str, section: &str, key: &str) -> usize {
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        if let Some(header) = line.trim().strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header == section || header.ends_with(&format!(".{section}"));
        } else if inside
            && line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['.', '=']))
        {
            return at + 1;
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_with_lines_kinds_and_renames() {
        let text = "[package]\nname = \"sl-x\"\n[package.metadata.silverlode]\nfloor = 3\nlinked = [\"c\"]\n[dependencies]\na.workspace = true\nb = { version = \"1\", package = \"bee\" }\n[dev-dependencies]\na = \"1\"\n[target.'cfg(unix)'.dependencies]\nc = \"1\"\n";
        let it = Crate::read("crates/sl-x", text);
        assert_eq!((it.name.as_str(), it.floor, it.linked.len()), ("sl-x", Some(3), 1));
        let mut found: Vec<_> =
            it.dependencies.iter().map(|d| (d.line, d.package.as_str(), d.kind)).collect();
        found.sort_by_key(|d| d.0);
        assert_eq!(
            found,
            [
                (7, "a", Kind::Normal),
                (8, "bee", Kind::Normal),
                (10, "a", Kind::Dev),
                (12, "c", Kind::Normal)
            ]
        );
    }

    #[test]
    fn test_files_are_known_by_folder_and_by_declaration() {
        let file = |path: &str, text: &str| File { path: path.into(), text: Some(text.into()) };
        let it = Workspace::of(vec![
            file("crates/a/src/lib.rs", "#[cfg(test)]\nmod door;\nfn f() {}"),
            file("crates/a/src/door.rs", "fn f() {}"),
            file("crates/a/src/door/deep.rs", "fn f() {}"),
            file("crates/a/src/doors.rs", "fn f() {}"),
            file("crates/a/tests/it/main.rs", "fn f() {}"),
        ]);
        let sizes: Vec<usize> = it.sources.values().map(Source::size).collect();
        assert_eq!(sizes, [0, 0, 1, 1, 0]);
    }
}
