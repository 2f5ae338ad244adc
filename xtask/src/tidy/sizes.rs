//! How long a file may be, and the list of exceptions that only shrinks.

use super::{Finding, Workspace};

/// Lines of code a file may hold.
const MOST_LINES: usize = 500;
/// How far an exception's limit may stand above what the file has.
const SLACK: usize = 10;
const LIST: &str = "xtask/exceptions.toml";

struct Exception {
    path: String,
    lines: usize,
    line: usize,
    complete: bool,
}

/// No file holds more lines of code than the limit.
pub(super) fn sizes(workspace: &Workspace) -> Vec<Finding> {
    let (_, exceptions) = list(workspace);
    let mut found = Vec::new();
    for (path, source) in &workspace.sources {
        let most = exceptions.iter().find(|e| e.path == *path).map_or(MOST_LINES, |e| e.lines);
        let size = source.size();
        if size > most && !is_table(path) {
            let cure = "split it by idea; a table belongs in a file named so, or between `// tidy: table` and `// tidy: end`";
            found.push(Finding::new(
                "size",
                path,
                0,
                format!("{size} lines of code, at most {most}"),
                cure,
            ));
        }
    }
    found
}

/// The list of exceptions is dated, tight, and no longer than it says.
pub(super) fn exceptions(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut refuse = |line: usize, what: String, cure: &str| {
        found.push(Finding::new("exceptions", LIST, line, what, cure));
    };
    let (most, exceptions) = list(workspace);
    let Some(most) = most else {
        refuse(
            0,
            "cannot be read, or states no `most`".into(),
            "write valid TOML with `most = N`, the number of entries",
        );
        return found;
    };
    if exceptions.len() != most {
        let what = format!("{} entries, and `most` says {most}", exceptions.len());
        refuse(0, what, "lower `most` when an entry goes; do not raise it: split the file instead");
    }
    for exception in &exceptions {
        let path = &exception.path;
        if !exception.complete {
            let cure = "give path, lines, since (a date) and reason";
            refuse(exception.line, format!("the entry for {path} is incomplete"), cure);
        }
        match workspace.sources.get(path).map(crate::rust::Source::size) {
            None => refuse(
                exception.line,
                format!("there is no {path}"),
                "delete the entry, and lower `most`",
            ),
            Some(size) if size <= MOST_LINES => {
                refuse(
                    exception.line,
                    format!("{path} has {size} lines now"),
                    "delete the entry, and lower `most`",
                );
            }
            Some(size) if exception.lines > size + SLACK => {
                let what =
                    format!("{path} has {size} lines now, the entry allows {}", exception.lines);
                refuse(exception.line, what, "lower the entry's `lines`");
            }
            Some(_) => {}
        }
    }
    found
}

/// Whether a file is a table by its name.
fn is_table(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.contains("table") || name == "rows.rs"
}

/// The list: how many entries it says it has, and the entries. An absent list is an empty one.
fn list(workspace: &Workspace) -> (Option<usize>, Vec<Exception>) {
    let Some(text) = workspace.text(LIST) else { return (Some(0), Vec::new()) };
    let Ok(table) = text.parse::<toml::Table>() else { return (None, Vec::new()) };
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim() == "[[file]]")
        .map(|(at, _)| at + 1);
    let number = |value: Option<&toml::Value>| value?.as_integer()?.try_into().ok();
    let entries =
        table.get("file").and_then(|f| f.as_array()).map(Vec::as_slice).unwrap_or_default();
    let exceptions = entries
        .iter()
        .zip(lines)
        .map(|(entry, line)| {
            let word = |key: &str| entry.get(key).and_then(|v| v.as_str()).unwrap_or_default();
            let since: Vec<usize> = word("since").split('-').map(str::len).collect();
            Exception {
                path: word("path").to_owned(),
                lines: number(entry.get("lines")).unwrap_or(MOST_LINES),
                line,
                complete: since == [4, 2, 2]
                    && !word("reason").is_empty()
                    && entry.get("lines").is_some(),
            }
        })
        .collect();
    (number(table.get("most")), exceptions)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    fn entry(path: &str, lines: usize) -> String {
        format!(
            "most = 1\n[[file]]\npath = \"{path}\"\nlines = {lines}\nsince = \"2026-11-22\"\nreason = \"x\"\n"
        )
    }

    #[test]
    fn a_long_file_is_refused_unless_listed() {
        let long = "f();\n".repeat(501);
        let short = format!("{}// note\n\n{}", "f();\n".repeat(500), "// note\n".repeat(100));
        let (a, b) = ("crates/sl-a/src/a.rs", "crates/sl-a/src/b.rs");
        check("size", &[(a, &long), (b, &short)], &["crates/sl-a/src/a.rs:0"]);
        check(
            "size",
            &[("crates/sl-a/src/coin_table.rs", &long), ("crates/sl-a/tests/it/main.rs", &long)],
            &[],
        );
        check("size", &[(a, &long), ("xtask/exceptions.toml", &entry(a, 505))], &[]);
        let inner = format!(
            "f();\n// tidy: table\n{long}// tidy: end\n#[cfg(test)]\nmod tests {{\n{long}}}\n"
        );
        check("size", &[(a, &inner)], &[]);
    }

    #[test]
    fn the_list_only_shrinks() {
        let long = "f();\n".repeat(501);
        let (a, list) = ("crates/sl-a/src/a.rs", "xtask/exceptions.toml");
        check("exceptions", &[(a, &long), (list, &entry(a, 505))], &[]);
        check("exceptions", &[(a, &long), (list, &entry(a, 600))], &["xtask/exceptions.toml:2"]);
        check("exceptions", &[(a, "f();"), (list, &entry(a, 505))], &["xtask/exceptions.toml:2"]);
        check("exceptions", &[(list, &entry(a, 505))], &["xtask/exceptions.toml:2"]);
        check(
            "exceptions",
            &[(a, &long), (list, &entry(a, 505).replace("most = 1", "most = 0"))],
            &["xtask/exceptions.toml:0"],
        );
        check(
            "exceptions",
            &[(a, &long), (list, &entry(a, 505).replace("2026-11-22", "now"))],
            &["xtask/exceptions.toml:2"],
        );
        check("exceptions", &[(list, "most =")], &["xtask/exceptions.toml:0"]);
    }
}
