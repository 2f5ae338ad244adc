//! Documents: their links lead somewhere, and ARCHITECTURE.md names the crates there are.

use std::collections::BTreeSet;

use super::{Finding, Workspace};

const MAP: &str = "ARCHITECTURE.md";

/// Every relative link leads to a file or folder of the repository, and every anchor to a heading.
pub(super) fn links(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in workspace.files.iter().filter(|file| file.path.ends_with(".md")) {
        let text = file.text.as_deref().unwrap_or_default();
        for (line, target) in targets(text) {
            let foreign =
                target.split_once(':').is_some_and(|(scheme, _)| !scheme.contains(['/', '#', '.']));
            if foreign || target.is_empty() {
                continue;
            }
            let mut refuse = |what: String, cure: &str| {
                found.push(Finding::new("links", &file.path, line, what, cure));
            };
            let (path, anchor) = target.split_once('#').unwrap_or((target.as_str(), ""));
            let Some(path) = resolve(&file.path, path) else {
                refuse(
                    format!("`{target}` leads out of the repository"),
                    "quote what is needed, or link to a public page",
                );
                continue;
            };
            let there = workspace.files.iter().any(|other| super::below(&other.path, &path));
            if !there {
                refuse(
                    format!("`{target}` leads nowhere"),
                    "correct the path: it counts from the document's folder",
                );
            } else if !anchor.is_empty() && path.ends_with(".md") {
                let headings = anchors(workspace.text(&path).unwrap_or_default());
                if !headings.contains(anchor) {
                    let cure =
                        "use the heading's anchor: lower case, blanks as `-`, other signs left out";
                    refuse(format!("`{target}`: no heading `#{anchor}`"), cure);
                }
            }
        }
    }
    found
}

/// The map's table of crates names every crate there is, and none that is not.
pub(super) fn architecture(workspace: &Workspace) -> Vec<Finding> {
    const RULE: &str = "architecture";
    let crates: BTreeSet<&str> =
        workspace.crates.iter().filter(|it| it.is_ours()).map(|it| it.name.as_str()).collect();
    let Some(text) = workspace.text(MAP) else {
        return vec![Finding::new(
            RULE,
            MAP,
            0,
            "there is no ARCHITECTURE.md",
            "write the map, with a table of crates",
        )];
    };
    let named = crates_named(text);
    if named.is_empty() {
        let cure = "give it a table whose header has the word `crate`, with each crate's name in backticks";
        return vec![Finding::new(RULE, MAP, 0, "has no table of crates", cure)];
    }
    let mut found: Vec<Finding> = named
        .iter()
        .filter(|(_, name)| !crates.contains(name.as_str()))
        .map(|(line, name)| {
            let cure = "take it out of the table: a crate appears when its folder does";
            Finding::new(
                RULE,
                MAP,
                *line,
                format!("names {name}, and there is no crates/{name}"),
                cure,
            )
        })
        .collect();
    let missing = crates.iter().filter(|name| named.iter().all(|(_, other)| other != *name));
    found.extend(missing.map(|name| {
        Finding::new(
            RULE,
            MAP,
            0,
            format!("does not name {name} in its table of crates"),
            "add it, with its one idea",
        )
    }));
    found
}

/// The crates named in backticks in tables whose header has the word "crate", with their lines.
fn crates_named(text: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    let (mut in_table, mut of_crates) = (false, false);
    for (line, text) in prose(text) {
        let row = text.trim_start().starts_with('|');
        if row && !in_table {
            of_crates = text.to_lowercase().contains("crate");
        } else if row && of_crates {
            let words = text.split('`').skip(1).step_by(2);
            let crates = words.filter(|word| {
                let name = word.strip_prefix("sl-").unwrap_or_default();
                *word == "silverlode"
                    || (!name.is_empty()
                        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
            });
            named.extend(crates.map(|word| (line, word.to_owned())));
        }
        in_table = row;
    }
    named
}

/// The lines of a document outside fenced code, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(_)) => fence = mark,
            (Some(open), Some(_)) if mark == Some(open) => fence = None,
            (None, None) => return Some((at + 1, line)),
            _ => {}
        }
        None
    })
}

/// The targets of a document's links, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in prose(text) {
        // What stands in backticks is no link.
        let spoken: String = line.split('`').step_by(2).collect::<Vec<_>>().join("` `");
        for (i, opening) in spoken.match_indices("](") {
            let rest = &spoken[i + opening.len()..];
            let mut depth = 1_usize;
            let end = rest.find(|c| {
                depth = match c {
                    '(' => depth + 1,
                    ')' => depth - 1,
                    _ => depth,
                };
                depth == 0
            });
            let inside =
                rest[..end.unwrap_or(rest.len())].split_whitespace().next().unwrap_or_default();
            found.push((at, inside.trim_matches(['<', '>']).to_owned()));
        }
        let definition = spoken.strip_prefix('[').filter(|rest| !rest.starts_with('^'));
        if let Some((_, target)) = definition.and_then(|rest| rest.split_once("]: ")) {
            found.push((at, target.split_whitespace().next().unwrap_or_default().to_owned()));
        }
    }
    found
}

/// The anchors a document's headings have.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in prose(text) {
        for opening in ["<a id=\"", "<a name=\""] {
            found.extend(
                line.split(opening)
                    .skip(1)
                    .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())),
            );
        }
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        if !(1..=6).contains(&level) || !title.starts_with(' ') {
            continue;
        }
        // Of a link in a heading, the text counts and the target does not.
        let mut words = String::new();
        for (i, piece) in title.trim().split("](").enumerate() {
            words.push_str(if i == 0 {
                piece
            } else {
                piece.split_once(')').map_or(piece, |(_, after)| after)
            });
        }
        let slug: String = words
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let again = (0..).map(|n| if n == 0 { slug.clone() } else { format!("{slug}-{n}") });
        let free = again.into_iter().find(|slug| !found.contains(slug));
        found.extend(free);
    }
    found
}

/// The path from the root that `target` means in `document`; `None` when it leads out.
fn resolve(document: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(document.to_owned());
    }
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => document.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn links_lead_somewhere() {
        let target =
            ("docs/b.md", "# One & two: `three`\n## [Four](x.md)\n## Four\n<a id=\"five\"></a>");
        for good in [
            "[a](b.md) ![p](../docs/b.md \"title\") [r](..) [c](../crates/sl-a)",
            "[a](b.md#one--two-three) [a](b.md#four) [a](b.md#four-1) [a](b.md#five) [me](#top)",
            "[w](https://example.org/x) [m](mailto:a@b.c) `[x](nowhere.md)`\n```\n[x](nowhere.md)\n```",
            "[x]: b.md\n[^note]: free text",
        ] {
            let text = format!("# Top\n{good}\n");
            check(
                "links",
                &[("docs/a.md", &text), target, ("crates/sl-a/src/lib.rs", ""), ("docs/x.md", "")],
                &[],
            );
        }
        for bad in [
            "[a](nowhere.md)",
            "[a](b.md#six)",
            "[a](#six)",
            "[a](../../shared/x.md)",
            "[x]: nowhere.md",
            "[`c`](no.md)",
        ] {
            check(
                "links",
                &[("docs/a.md", &format!("\n{bad}")), target, ("docs/x.md", "")],
                &["docs/a.md:2"],
            );
        }
    }

    #[test]
    fn the_map_names_the_crates_there_are() {
        let crates = [
            ("crates/sl-a/Cargo.toml", "[package]\nname = \"sl-a\""),
            ("crates/silverlode/Cargo.toml", "[package]\nname = \"silverlode\""),
            ("xtask/Cargo.toml", "[package]\nname = \"xtask\""),
        ];
        let with = |map: &'static str| [&crates[..], &[("ARCHITECTURE.md", map)]].concat();
        check("architecture", &crates, &["ARCHITECTURE.md:0"]);
        check(
            "architecture",
            &with("# Map\n| floor | x |\n|---|---|\n| 0 | `sl-a` |"),
            &["ARCHITECTURE.md:0"],
        );
        check(
            "architecture",
            &with("| floor | crates |\n|---|---|\n| 0 | `sl-a` a |\n| 12 | `silverlode` b |"),
            &[],
        );
        check(
            "architecture",
            &with("| crate | |\n|---|---|\n| `sl-a` | a |"),
            &["ARCHITECTURE.md:0"],
        );
        check(
            "architecture",
            &with(
                "| crate | |\n|---|---|\n| `sl-a` | never `sl-a::X` |\n| `silverlode` | |\n| `sl-gone` | |\n\n| x |\n|---|\n| `sl-later` |",
            ),
            &["ARCHITECTURE.md:5"],
        );
    }
}
