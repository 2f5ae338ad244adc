//! The page from the handbook to the code: what it names is there.

use super::{Finding, Workspace};

const RULE: &str = "handbook";
const PAGE: &str = "docs/handbook.md";
/// The column that says where a part lives.
const COLUMN: &str = "where it lives";
/// What a cell says of a part that has not arrived.
const LATER: &str = "later";
/// Words that stand before the name of an item.
const KINDS: &[&str] = &["struct", "enum", "trait", "fn", "mod", "const", "static", "type"];

/// Every row of the page says where its part lives, and every item, command, crate and file it names exists.
pub(super) fn handbook(workspace: &Workspace) -> Vec<Finding> {
    let Some(text) = workspace.text(PAGE) else {
        let cure = "write it: a table of the handbook's parts with a column \"where it lives\"";
        return vec![Finding::new(RULE, PAGE, 0, "there is no such page", cure)];
    };
    let cells = cells(text);
    if cells.is_empty() {
        let what = format!("has no table with a column \"{COLUMN}\"");
        return vec![Finding::new(RULE, PAGE, 0, what, "give it one, with a row for each part")];
    }
    let mut found = Vec::new();
    for (line, cell) in cells {
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        if names.is_empty() && !cell.contains(LATER) {
            let cure = "name it in backticks, or write \"later\"";
            found.push(Finding::new(RULE, PAGE, line, "does not say where the part lives", cure));
        }
        found.extend(names.into_iter().filter_map(|name| {
            let (what, cure) = wrong(workspace, name)?;
            Some(Finding::new(RULE, PAGE, line, what, cure))
        }));
    }
    found
}

/// The cells of the column, with their lines.
fn cells(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut column = None;
    for (at, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.trim().split('|').map(str::trim).collect();
        if !line.trim_start().starts_with('|') {
            column = None;
        } else if let Some(column) = column {
            let cell: &str = cells.get(column).copied().unwrap_or_default();
            if !cell.starts_with("---") {
                found.push((at + 1, cell));
            }
        } else {
            column = cells.iter().position(|cell| *cell == COLUMN);
        }
    }
    found
}

/// What is wrong with a name in backticks, and the cure; `None` when what it names exists.
fn wrong(workspace: &Workspace, name: &str) -> Option<(String, &'static str)> {
    if let Some((first, items)) = name.split_once("::") {
        let Some(it) = workspace.named(&first.replace('_', "-")) else {
            return Some((format!("`{name}`: there is no crate {first}"), "name a crate there is"));
        };
        let missing = items.split("::").find(|item| !declares(workspace, &it.folder, item))?;
        let what = format!("`{name}`: {} declares no public `{missing}`", it.name);
        return Some((what, "name the item as it is declared: crate, modules, item"));
    }
    let mut words = name.split_whitespace();
    match words.next() {
        Some("silverlode") => {
            let mut commands = words.take_while(|word| !word.starts_with('-'));
            let missing = commands.find(|word| !is_command(workspace, word))?;
            let what = format!("`{name}`: the command line has no `{missing}`");
            Some((what, "name a command there is: a variant in crates/silverlode/src"))
        }
        Some("cargo") => {
            let text = workspace.text("xtask/src/main.rs").unwrap_or_default();
            let mut asked = words.skip_while(|word| *word == "xtask");
            let missing = asked.find(|word| !text.contains(&format!("\"{word}\"")))?;
            let what = format!("`{name}`: xtask has no `{missing}`");
            Some((what, "name a command there is: `cargo xtask help`"))
        }
        Some(first) if first.starts_with("sl-") => {
            let missing = workspace.named(first).is_none();
            missing.then(|| (format!("there is no crate `{first}`"), "name a crate there is"))
        }
        _ => {
            let there = workspace.files.iter().any(|file| super::below(&file.path, name));
            let what = format!("`{name}` is no item, command, crate or file");
            (!there).then_some((what, "write sl_crate::Item, silverlode COMMAND or a path"))
        }
    }
}

/// Whether the sources of a crate declare a public item or a macro of that name.
fn declares(workspace: &Workspace, folder: &str, item: &str) -> bool {
    lines(workspace, folder).any(|code| {
        let words: Vec<&str> =
            code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '(').collect();
        match words.first() {
            Some(&"pub") => words
                .windows(2)
                .any(|pair| KINDS.contains(&pair[0]) && pair[1].split('(').next() == Some(item)),
            Some(&"macro_rules") => words.contains(&item),
            _ => false,
        }
    })
}

/// Whether the command line declares a command: a variant, in upper camel case.
fn is_command(workspace: &Workspace, word: &str) -> bool {
    let variant: String = word
        .split('-')
        .flat_map(|part| {
            let mut letters = part.chars();
            letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect();
    lines(workspace, "crates/silverlode").any(|code| {
        code.strip_prefix(variant.as_str()).is_some_and(|rest| {
            !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.'))
        })
    })
}

/// The lines of code of a crate outside tests, without the blanks before them.
fn lines<'a>(workspace: &'a Workspace, folder: &str) -> impl Iterator<Item = &'a str> {
    let folder = format!("{folder}/src");
    workspace
        .sources
        .iter()
        .filter(move |(path, _)| super::below(path, &folder))
        .flat_map(|(_, source)| source.product())
        .map(|(_, line)| line.code.trim_start())
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[track_caller]
    fn page(cell: &str, refused: bool) {
        let text = format!("# Page\n\n| part | where it lives |\n|---|---|\n| a | {cell} |\n");
        let files = [
            ("crates/sl-ab/Cargo.toml", "[package]\nname = \"sl-ab\""),
            (
                "crates/sl-ab/src/lib.rs",
                "pub mod deep;\npub struct Thing(u8);\nimpl Thing {\n    pub const fn new() {}\n    fn own() {}\n}\npub(crate) struct Inner;\nmacro_rules! rows {}\n",
            ),
            ("crates/sl-ab/src/deep.rs", "pub type Alias<T> = T;\npub async fn go(x: u8) {}\n"),
            ("crates/sl-ab/tests/it/main.rs", "pub struct Tested;"),
            ("crates/silverlode/Cargo.toml", "[package]\nname = \"silverlode\""),
            ("crates/silverlode/src/main.rs", "enum Command {\n    Up(Up),\n    DryRun,\n}\n"),
            ("xtask/src/main.rs", "match command { \"quality\" => {} }"),
            ("docs/handbook.md", text.as_str()),
        ];
        check("handbook", &files, &["docs/handbook.md:5"][..usize::from(refused)]);
    }

    #[test]
    fn what_the_page_names_exists() {
        for good in [
            "later",
            "`sl_ab::Thing`, `sl_ab::Thing::new`; `sl_ab::deep::go`, `sl_ab::deep::Alias`",
            "`sl_ab::rows`, `sl-ab`, `crates/sl-ab/src/deep.rs`",
            "`silverlode up --for 60s`, `silverlode dry-run`, `cargo xtask quality`; the rest later",
        ] {
            page(good, false);
        }
        for bad in [
            "",
            "somewhere",
            "`sl_ab::Gone`",
            "`sl_gone::Thing`",
            "`sl_ab::gone::Thing`",
            "`sl_ab::Inner`",
            "`sl_ab::Thing::own`",
            "`sl_ab::Tested`",
            "`sl-gone`",
            "`silverlode fly`",
            "`silverlode command`",
            "`cargo xtask fly`",
            "`crates/sl-ab/src/gone.rs`",
            "`Thing`",
        ] {
            page(bad, true);
        }
    }

    #[test]
    fn there_is_a_page_with_its_column() {
        check("handbook", &[], &["docs/handbook.md:0"]);
        let other = "| part | row |\n|---|---|\n| a | b |\n";
        check("handbook", &[("docs/handbook.md", other)], &["docs/handbook.md:0"]);
    }
}
