//! The version of a settings file, and the way from one to the next.

use std::borrow::Cow;

use crate::edit::EditError;
use crate::kinds::{Kind, Setting};
use crate::problem::{Draft, Fault, Wrong};
use crate::tree::{Node, Value};

/// The version of settings files that this program reads and writes. A file without the key
/// `version` is of version 0, which reads the same as 1.
pub const VERSION: u32 = 2;

/// The name of the key, at the top of a file.
const KEY: &str = "version";

/// From one version to the next: what is done to the text, and what is to be told of it.
type Step = fn(&str) -> Result<(String, Vec<String>), EditError>;

/// The step from version *n* at place *n*. Its end is [`VERSION`].
const STEPS: [Step; VERSION as usize] = [with_version, with_priority];

/// The version that a file had before a key was renamed, the key, and its name since.
const RENAMED: [(u32, &str, &str); 1] = [(1, "mine.idle_priority", "mine.priority")];

/// What became of a key of an older version, with the cure.
pub(crate) fn renamed(path: &str) -> Option<String> {
    let (before, _, since) = RENAMED.into_iter().find(|(_, old, _)| *old == path)?;
    let version = before + 1;
    Some(format!(
        "since version {version} it is {since}; silverlode config migrate changes the file"
    ))
}

/// A settings file's version, as a setting: `restart version: FormatVersion = 2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatVersion(pub u32);

impl Setting for FormatVersion {
    type Value = Self;
    const KIND: Kind = Kind::Integer;

    fn allowed() -> Cow<'static, str> {
        "the version of the file's form".into()
    }

    fn bounds() -> Option<(Cow<'static, str>, Cow<'static, str>)> {
        Some(("1".into(), VERSION.to_string().into()))
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        match u32::parse(text)? {
            0 => Err(Wrong::range("").hint("remove the line, or run: silverlode config migrate")),
            version if version > VERSION => {
                Err(Wrong::range("").hint("the file is for a newer silverlode: use that one"))
            }
            version => Ok(Self(version)),
        }
    }
}

/// The refusal of a file of a later version: alone, since every key that is new in it would be
/// another mistake.
pub(crate) fn too_new(tree: &Node) -> Option<Draft> {
    let (_, node) = tree.entry(KEY)?;
    let Value::Scalar(scalar) = &node.value else { return None };
    let found = u64::parse(&scalar.text).ok().filter(|found| *found > u64::from(VERSION))?;
    let message = format!("the file is of version {found}, this silverlode reads up to {VERSION}");
    Some(
        Draft::new(Fault::OutOfRange, Some(node.place), message)
            .key(KEY)
            .hint("use the silverlode that the file was written for, or a newer one"),
    )
}

/// The text of a settings file in this version's form, with a line for each thing that was done;
/// the text as it was and no line when there is nothing to do. Comments and order stay.
///
/// # Errors
/// The text does not parse, or is of a later version.
pub fn migrate(text: &str) -> Result<(String, Vec<String>), EditError> {
    let loaded =
        crate::load(crate::Layers::new().file("settings", text)).map_err(EditError::Text)?;
    let version = match loaded.tree().entry(KEY).map(|(_, node)| &node.value) {
        Some(Value::Scalar(scalar)) => u32::parse(&scalar.text).unwrap_or(VERSION),
        _ => 0,
    };
    // The mark of UTF-8 stays the first.
    let (mark, body) = match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text),
    };
    let (mut text, mut notes) = (body.to_owned(), Vec::new());
    for step in STEPS.iter().skip(version as usize) {
        let (next, told) = step(&text)?;
        text = next;
        notes.extend(told);
    }
    Ok((format!("{mark}{text}"), notes))
}

/// From 0 to 1: no key was renamed; the version is written above the first setting, below the
/// comments at the top that an empty line closes.
#[expect(clippy::unnecessary_wraps, reason = "a later step may find what it cannot change")]
fn with_version(text: &str) -> Result<(String, Vec<String>), EditError> {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut at = 0;
    let mut passed = 0;
    for line in text.split_inclusive('\n') {
        let told = line.trim();
        if !told.is_empty() && !told.starts_with('#') && !told.starts_with("---") {
            break;
        }
        passed += line.len();
        // What stands right above a setting is said of that setting.
        if told.is_empty() || told.starts_with("---") || told.starts_with("# yaml-language-server")
        {
            at = passed;
        }
    }
    if passed == text.len() {
        at = passed;
    }
    let (head, tail) = text.split_at(at);
    let open = if head.is_empty() || head.ends_with('\n') { "" } else { line_end };
    let text = format!("{head}{open}{KEY}: 1{line_end}{tail}");
    Ok((text, vec!["version: 1 was added; no setting has been renamed so far".to_owned()]))
}

/// From 1 to 2: whether hashing gives way became a word, and a number of threads is one.
fn with_priority(text: &str) -> Result<(String, Vec<String>), EditError> {
    let loaded =
        crate::load(crate::Layers::new().file("settings", text)).map_err(EditError::Text)?;
    let (tree, mut cuts, mut notes) = (loaded.tree(), Vec::new(), Vec::new());
    let said = |node: &Node| match &node.value {
        Value::Scalar(scalar) => scalar.text.clone(),
        _ => String::new(),
    };
    if let Some((_, node)) = tree.entry(KEY) {
        cuts.push((node.place, "2"));
    }
    let mine = tree.at("mine");
    if let Some((key, node)) = mine.and_then(|mine| mine.entry("idle_priority")) {
        if tree.at("mine.priority").is_some() {
            let why = "mine.priority stands there too".to_owned();
            return Err(EditError::Form { key: "mine.idle_priority".to_owned(), why });
        }
        let word = if said(node) == "false" { "normal" } else { "idle" };
        cuts.extend([(key.place, "priority"), (node.place, word)]);
        notes.push(format!("mine.idle_priority: {} became mine.priority: {word}", said(node)));
    }
    if let Some(node) = tree.at("mine.threads").filter(|node| said(node) == "0") {
        cuts.push((node.place, "auto"));
        notes.push("mine.threads: 0 became mine.threads: auto".to_owned());
    }
    // From the last to the first, so that places hold.
    cuts.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    let mut text = text.to_owned();
    for (place, new) in cuts {
        text.replace_range(place.span(), new);
    }
    notes.push("version: 2".to_owned());
    Ok((text, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let (migrated, notes) = migrate(text).expect("it parses");
        assert_eq!(migrated, expect);
        assert_eq!(notes.is_empty(), text == expect, "{notes:?}");
        assert_eq!(migrate(&migrated).expect("again").0, expect, "once is enough");
    }

    #[test]
    fn the_version_is_added_or_changed_and_the_rest_stays() {
        check("", "version: 2\n");
        check("mode: x\n", "version: 2\nmode: x\n");
        check("# of mode\nmode: x # y\n", "version: 2\n# of mode\nmode: x # y\n");
        check(
            "# the farm\n\n# of mode\nmode: x\n",
            "# the farm\n\nversion: 2\n# of mode\nmode: x\n",
        );
        check("# only words", "# only words\nversion: 2\n");
        check("---\r\nmode: x\r\n", "---\r\nversion: 2\r\nmode: x\r\n");
        check("\u{feff}mode: x\n", "\u{feff}version: 2\nmode: x\n");
        check("version: 1\nmode: x\n", "version: 2\nmode: x\n");
        check("mode: x\nversion: 2\n", "mode: x\nversion: 2\n");
    }

    #[test]
    fn giving_way_becomes_a_word() {
        check(
            "mine:\n  threads: 0 # half\n  idle_priority: true\n",
            "version: 2\nmine:\n  threads: auto # half\n  priority: idle\n",
        );
        check(
            "version: 1\nmine: {idle_priority: 'false', threads: 2}\n",
            "version: 2\nmine: {priority: normal, threads: 2}\n",
        );
        let both = "version: 1\nmine:\n  idle_priority: true\n  priority: low\n";
        assert!(migrate(both).is_err_and(|wrong| wrong.to_string().contains("there too")));
        let cure = renamed("mine.idle_priority").expect("it was renamed");
        assert!(cure.contains("mine.priority") && cure.contains("config migrate"), "{cure}");
    }

    #[test]
    fn a_later_version_is_refused_alone() {
        let told = migrate("version: 7\nnew_key: 1\n").expect_err("too new").to_string();
        assert_eq!(
            told,
            "settings:1:10: version: the file is of version 7, this silverlode reads up to 2, hint: \
             use the silverlode that the file was written for, or a newer one\n  1 | version: 7\n    \
             |          ^"
        );
    }

    #[test]
    fn steps_lead_from_each_version_to_this_one() {
        assert_eq!(STEPS.len(), VERSION as usize);
        crate::kinds::tests::check::<FormatVersion>("1", "FormatVersion(1)");
        crate::kinds::tests::check::<FormatVersion>(
            "0",
            ", hint: remove the line, or run: silverlode config migrate",
        );
    }
}
