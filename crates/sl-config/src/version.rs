//! The version of a settings file, and the way from one to the next.

use std::borrow::Cow;

use crate::edit::EditError;
use crate::kinds::{Kind, Setting};
use crate::problem::{Draft, Fault, Wrong};
use crate::tree::{Node, Value};

/// The version of settings files that this program reads and writes. A file without the key
/// `version` is of version 0, which reads the same.
pub const VERSION: u32 = 1;

/// The name of the key, at the top of a file.
const KEY: &str = "version";

/// From one version to the next: what is done to the text, and what is to be told of it.
type Step = fn(&str) -> Result<(String, Vec<String>), EditError>;

/// The step from version *n* at place *n*. Its end is [`VERSION`].
const STEPS: [Step; VERSION as usize] = [with_version];

/// A settings file's version, as a setting: `restart version: FormatVersion = 1`.
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
    let (mut text, mut notes) = (text.to_owned(), Vec::new());
    for step in STEPS.iter().skip(version as usize) {
        let (next, told) = step(&text)?;
        text = next;
        notes.extend(told);
    }
    Ok((text, notes))
}

/// From 0 to 1: no key was renamed; the version is written above the first setting, below the
/// comments at the top that an empty line closes.
#[expect(clippy::unnecessary_wraps, reason = "a later step may find what it cannot change")]
fn with_version(text: &str) -> Result<(String, Vec<String>), EditError> {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut at = 0;
    let mut passed = 0;
    for line in text.split_inclusive('\n') {
        let told = line.trim_start_matches('\u{feff}').trim();
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
    fn the_first_step_adds_the_version_and_keeps_the_rest() {
        check("", "version: 1\n");
        check("mode: x\n", "version: 1\nmode: x\n");
        check("# of mode\nmode: x # y\n", "version: 1\n# of mode\nmode: x # y\n");
        check(
            "# the farm\n\n# of mode\nmode: x\n",
            "# the farm\n\nversion: 1\n# of mode\nmode: x\n",
        );
        check("# only words", "# only words\nversion: 1\n");
        check("---\r\nmode: x\r\n", "---\r\nversion: 1\r\nmode: x\r\n");
        check("version: 1\nmode: x\n", "version: 1\nmode: x\n");
        check("mode: x\nversion: 1\n", "mode: x\nversion: 1\n");
    }

    #[test]
    fn a_later_version_is_refused_alone() {
        let told = migrate("version: 7\nnew_key: 1\n").expect_err("too new").to_string();
        assert_eq!(
            told,
            "settings:1:10: version: the file is of version 7, this silverlode reads up to 1, hint: \
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
