//! Dependencies that a manifest states and the sources do not use.

use crate::cargo::Metadata;
use crate::tidy::{Dependency, Kind, Workspace, below};

/// What lies elsewhere in a crate's folder is built with its normal dependencies: `src`, and a fuzz target's own folder.
const OF_TESTS: [&str; 3] = ["tests/", "examples/", "benches/"];

/// The unused dependencies below a folder, a line each.
///
/// A dependency is used when its library's name stands in the sources: those of the crate but its tests, examples and
/// benchmarks for a normal one, the build script's for a build one, any of the crate's (examples in comments too) for one of the tests. One that is needed without being named stands
/// in `[package.metadata.silverlode] linked = ["name"]`.
pub(crate) fn unused(workspace: &Workspace, metadata: &Metadata, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for it in workspace.crates.iter().filter(|it| below(&it.folder, folder)) {
        for dependency in &it.dependencies {
            let names = names(dependency, metadata);
            let used = workspace.sources.iter().any(|(path, source)| {
                let Some(place) = path.strip_prefix(&format!("{}/", it.folder)) else {
                    return false;
                };
                let script = place == "build.rs";
                match dependency.kind {
                    Kind::Normal => {
                        !OF_TESTS.iter().any(|folder| place.starts_with(folder))
                            && !script
                            && source
                                .lines
                                .iter()
                                .any(|line| names.iter().any(|name| has_word(&line.code, name)))
                    }
                    Kind::Build => script && mentions(workspace, path, &names),
                    Kind::Dev => !script && mentions(workspace, path, &names),
                }
            });
            if !used && !it.linked.contains(&dependency.key) {
                found.push(format!(
                    "{}:{}: {} does not use {}; take it out, or move it to [dev-dependencies] when only tests do",
                    it.manifest(),
                    dependency.line,
                    it.name,
                    dependency.key
                ));
            }
        }
    }
    found
}

/// The names a dependency may have in sources.
fn names(dependency: &Dependency, metadata: &Metadata) -> Vec<String> {
    let libraries = metadata.libraries(&dependency.package);
    if dependency.key != dependency.package || libraries.is_empty() {
        return vec![dependency.key.replace('-', "_")];
    }
    libraries.into_iter().map(|name| name.replace('-', "_")).collect()
}

fn mentions(workspace: &Workspace, path: &str, names: &[String]) -> bool {
    let text = workspace.text(path).unwrap_or_default();
    names.iter().any(|name| has_word(text, name))
}

/// Whether a word stands in a text, not as a part of another.
fn has_word(text: &str, word: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(inner) && !text[at + word.len()..].starts_with(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::File;

    #[track_caller]
    fn check(manifest: &str, sources: &[(&str, &str)], expect: usize) {
        let file = |path: &str, text: &str| File {
            path: format!("crates/a/{path}"),
            text: Some(text.into()),
        };
        let mut files = vec![file("Cargo.toml", &format!("[package]\nname = \"a\"\n{manifest}"))];
        files.extend(sources.iter().map(|(path, text)| file(path, text)));
        let found = unused(&Workspace::of(files), &Metadata::default(), "");
        assert_eq!(found.len(), expect, "{found:?}");
    }

    #[test]
    fn what_is_not_used_is_told() {
        let normal = "[dependencies]\nb-c = \"1\"";
        check(normal, &[("src/lib.rs", "use b_c::X;")], 0);
        check(normal, &[("src/lib.rs", "// b_c\nuse ab_c::X; f(b_cd, \"b_c\");")], 1);
        check(normal, &[("fuzz_targets/lines.rs", "use b_c::X;")], 0);
        check(normal, &[("tests/it/main.rs", "use b_c::X;")], 1);
        let dev = "[dev-dependencies]\nb-c = \"1\"";
        check(dev, &[("src/lib.rs", "/// use b_c::X;")], 0);
        check(dev, &[("tests/it/main.rs", "use b_c::X;")], 0);
        check(dev, &[("src/lib.rs", "")], 1);
        check("[build-dependencies]\nb-c = \"1\"", &[("build.rs", "b_c::x()")], 0);
        check("[build-dependencies]\nb-c = \"1\"", &[("src/lib.rs", "b_c::x()")], 1);
        check(
            "[package.metadata.silverlode]\nlinked = [\"b-c\"]\n[dependencies]\nb-c = \"1\"",
            &[("src/lib.rs", "")],
            0,
        );
    }
}
