//! Changing one value of a settings file and nothing else in it.
//!
//! [`set`] writes a value, [`unset`] takes one away; comments, order, indentation, quotes and every
//! other byte stay. A missing section is created: under its name if that stands there empty, else
//! behind the sibling that the declaration has before it. The result is parsed again, and unless
//! exactly the one value has changed, nothing is handed out.
//!
//! ```
//! sl_config::settings! {
//!     /// This machine's own engines.
//!     pub struct Mine {
//!         /// Threads that hash.
//!         live threads: u16 = 0 in 0..=64,
//!     }
//! }
//! sl_config::settings! {
//!     /// All settings.
//!     pub struct Settings {
//!         /// This machine's own engines.
//!         section mine: Mine,
//!     }
//! }
//!
//! let text = "mine:\n    threads: 4   # the fan is loud\n";
//! let text = sl_config::edit::set::<Settings>(text, "mine.threads", "2")?;
//! assert_eq!(text, "mine:\n    threads: 2   # the fan is loud\n");
//! let wrong = sl_config::edit::set::<Settings>(&text, "mine.treads", "2").expect_err("no such key");
//! assert_eq!(wrong.to_string(), "mine.treads: unknown key, hint: did you mean \"mine.threads\"?");
//! # Ok::<(), sl_config::edit::EditError>(())
//! ```

use std::ops::Range;

use thiserror::Error;

use crate::edit::page::Page;
use crate::field::{FieldInfo, Section, SettingInfo, Shape};
use crate::nearest::nearest;
use crate::parse::{joined, parse};
use crate::problem::{Drafts, Problems, Wrong};
use crate::reader::quoted;
use crate::source::{Layer, Place, Source, Sources};
use crate::text::{in_list, standing};
use crate::tree::{Key, Node, Value};

mod page;

/// Why a value is not changed.
#[derive(Debug, Error)]
pub enum EditError {
    /// The text is no settings file.
    #[error("{0}")]
    Text(Problems),
    /// The key leads to no setting.
    #[error("{key}: {why}{}", hint.as_ref().map(|hint| format!(", hint: {hint}")).unwrap_or_default())]
    Key {
        /// The key as given.
        key: String,
        /// What is wrong with it.
        why: String,
        /// The cure.
        hint: Option<String>,
    },
    /// The setting takes no such value.
    #[error(
        "{key}: {}{}",
        refusal(found, allowed, wrong),
        wrong.hint.as_ref().map(|hint| format!(", hint: {hint}")).unwrap_or_default()
    )]
    Value {
        /// The setting.
        key: String,
        /// The text given, in quotes; of a secret only that it is one.
        found: String,
        /// What is allowed.
        allowed: String,
        /// Why it is not this.
        wrong: Box<Wrong>,
    },
    /// The file is written in a way that cannot be changed without touching more.
    #[error("{key}: {why}, hint: change it in an editor")]
    Form {
        /// The setting.
        key: String,
        /// What is in the way.
        why: String,
    },
}

fn refusal(found: &str, allowed: &str, wrong: &Wrong) -> String {
    match wrong.why.as_str() {
        why if wrong.whole => why.to_owned(),
        "" => format!("found {found}, allowed: {allowed}"),
        why => format!("found {found} ({why}), allowed: {allowed}"),
    }
}

/// The text with the setting at `key` (`gateway.listen`, `pools[0].url`) as `value` says, which is
/// written as for a flag: a list is divided by commas, `null` takes an optional value away.
///
/// # Errors
/// A text that does not parse, a key or value that the section refuses, a form that cannot be
/// changed alone.
pub fn set<S: Section>(text: &str, key: &str, value: &str) -> Result<String, EditError> {
    let tree = tree_of(text)?;
    let (path, setting) = setting_at(&S::fields(), key)?;
    let value = Wanted::of(key, value, &setting)?;
    let page = Page::new(text, &tree);
    let changed = page.set(&path, &value).map_err(|why| form(key, why))?;
    let mut expected = tree;
    put(&mut expected, &path, value.node()).map_err(|why| form(key, why))?;
    verified(changed, &expected, key)
}

/// The text without the setting or section at `key`; the same text when it is not there.
///
/// # Errors
/// As for [`set`].
pub fn unset<S: Section>(text: &str, key: &str) -> Result<String, EditError> {
    let tree = tree_of(text)?;
    let path = path_of(key)?;
    known(&S::fields(), key, &path)?;
    if at(&tree, &path).is_none() {
        return Ok(text.to_owned());
    }
    let changed = Page::new(text, &tree).unset(&path).map_err(|why| form(key, why))?;
    let mut expected = tree;
    take(&mut expected, &path).map_err(|why| form(key, why))?;
    verified(changed, &expected, key)
}

fn form(key: &str, why: impl Into<String>) -> EditError {
    EditError::Form { key: key.to_owned(), why: why.into() }
}

/// A text's tree, when it has no mistake of form.
fn tree_of(text: &str) -> Result<Node, EditError> {
    let source = Source::new(Layer::File, "settings", text);
    let mut sources = Sources::default();
    let id = sources.add(source.clone());
    let mut drafts = Drafts::default();
    let tree = match parse(&source, id, &mut drafts) {
        Ok(tree) => Some(tree),
        Err(draft) => {
            drafts.list.push(*draft);
            None
        }
    };
    match tree {
        Some(tree @ Node { value: Value::Map(_) | Value::Null, .. }) if drafts.list.is_empty() => {
            Ok(tree)
        }
        Some(_) if drafts.list.is_empty() => Err(form("the file", "it holds no settings")),
        _ => Err(EditError::Text(drafts.into_problems(&sources))),
    }
}

/// The text, if it reads as expected and as nothing else.
fn verified(text: String, expected: &Node, key: &str) -> Result<String, EditError> {
    match tree_of(&text) {
        Ok(tree) if same(&tree, expected) => Ok(text),
        _ => Err(form(key, "the way the file is written leaves no place for it")),
    }
}

/// Whether two trees say the same; an empty section says nothing.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Null, Value::Null) => true,
        (Value::Null, Value::Map(entries)) | (Value::Map(entries), Value::Null) => {
            entries.is_empty()
        }
        (Value::Scalar(a), Value::Scalar(b)) => a.text == b.text,
        (Value::Seq(a), Value::Seq(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(entries), Value::Map(others)) => {
            entries.len() == others.len()
                && entries.iter().all(|(key, a)| {
                    others.iter().any(|(other, b)| other.name == key.name && same(a, b))
                })
        }
        _ => false,
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A key, and the keys that the declaration has before it.
    Key { name: String, before: Vec<&'static str> },
    /// An item of a list, from 0.
    Item(usize),
}

impl Step {
    fn key(name: &str) -> Self {
        Self::Key { name: name.to_owned(), before: Vec::new() }
    }
}

fn path_of(key: &str) -> Result<Vec<Step>, EditError> {
    let wrong = || EditError::Key {
        key: key.to_owned(),
        why: "not the name of a setting".into(),
        hint: Some("write it as gateway.listen or pools[0].url".into()),
    };
    let mut path = Vec::new();
    for part in key.split('.') {
        let (name, items) = part.split_once('[').map_or((part, None), |(n, rest)| (n, Some(rest)));
        if name.is_empty() {
            return Err(wrong());
        }
        path.push(Step::key(name));
        for item in items.into_iter().flat_map(|items| items.split('[')) {
            let index = item.strip_suffix(']').and_then(|item| item.parse().ok());
            path.push(Step::Item(index.ok_or_else(wrong)?));
        }
    }
    Ok(path)
}

/// The path of a setting by its declaration, with what it takes.
fn setting_at(fields: &[FieldInfo], key: &str) -> Result<(Vec<Step>, SettingInfo), EditError> {
    let path = path_of(key)?;
    let (path, field) = known(fields, key, &path)?;
    match field {
        Some(FieldInfo { shape: Shape::Setting(setting), .. }) => Ok((path, setting)),
        found => {
            let inner = found.as_ref().and_then(FieldInfo::fields).and_then(<[_]>::first);
            let items = matches!(found, Some(FieldInfo { shape: Shape::List(_), .. }));
            let hint = inner.map(|field| match items && !key.ends_with(']') {
                true => {
                    format!("name an item and a setting of it, such as {key}[0].{}", field.name)
                }
                false => format!("name one of its settings, such as {key}.{}", field.name),
            });
            let why = "holds several settings".to_owned();
            Err(EditError::Key { key: key.to_owned(), why, hint })
        }
    }
}

/// Follows a path through the declaration: the path with what stands before each key, and the field
/// it ends at; `None` for an item or a name of a table.
fn known(
    fields: &[FieldInfo],
    key: &str,
    path: &[Step],
) -> Result<(Vec<Step>, Option<FieldInfo>), EditError> {
    let wrong =
        |why: String, hint: Option<String>| EditError::Key { key: key.to_owned(), why, hint };
    let mut known = Vec::new();
    let mut fields = fields;
    let mut here = String::new();
    let mut last: Option<&FieldInfo> = None;
    // Whether the next key is a name of a table, whether the next step must be an item.
    let (mut named, mut listed) = (false, false);
    for step in path {
        match step {
            Step::Item(index) => {
                if !listed {
                    let hint = last.map(|_| format!("name it as a whole: {here}"));
                    return Err(wrong(format!("{here} is no list of sections"), hint));
                }
                here += &format!("[{index}]");
                known.push(step.clone());
                listed = false;
            }
            Step::Key { .. } if listed => {
                let hint = format!("name an item: {here}[0]");
                return Err(wrong(format!("{here} is a list"), Some(hint)));
            }
            Step::Key { name, .. } if named => {
                here = joined(&here, name);
                known.push(step.clone());
                named = false;
            }
            Step::Key { name, .. } => {
                let Some(at) = fields.iter().position(|field| field.name == name.as_str()) else {
                    let names = fields.iter().map(|field| field.name);
                    let hint = match nearest(name, names.clone()) {
                        Some(near) => format!("did you mean {:?}?", joined(&here, near)),
                        None if fields.is_empty() => format!("{here} is a value"),
                        None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
                    };
                    return Err(wrong("unknown key".into(), Some(hint)));
                };
                here = joined(&here, name);
                let before = fields.iter().take(at).map(|field| field.name).collect();
                known.push(Step::Key { name: name.clone(), before });
                let field = fields.get(at);
                last = field;
                fields = field.and_then(FieldInfo::fields).unwrap_or(&[]);
                let shape = field.map(|field| &field.shape);
                named = matches!(shape, Some(Shape::Table(_)));
                listed = matches!(shape, Some(Shape::List(_)));
                continue;
            }
        }
    }
    let is_field = matches!(known.last(), Some(Step::Key { name, .. })
        if last.is_some_and(|field| field.name == name.as_str()));
    let _ = named;
    Ok((known, last.filter(|field| is_field || field.fields().is_some()).cloned()))
}

/// A value to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Nothing,
    One(String),
    Several(Vec<String>),
}

impl Wanted {
    fn of(key: &str, text: &str, setting: &SettingInfo) -> Result<Self, EditError> {
        if setting.kind.is_optional() && matches!(text, "null" | "~") {
            return Ok(Self::Nothing);
        }
        let list = setting.kind.is_list();
        let text = match list {
            true => {
                let text = text.trim();
                let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
                inside.unwrap_or(text)
            }
            false => text,
        };
        setting.judge(text).map_err(|wrong| EditError::Value {
            key: key.to_owned(),
            found: if setting.kind.is_secret() { "a secret".into() } else { quoted(text) },
            allowed: setting.allowed.clone(),
            wrong: Box::new(wrong),
        })?;
        Ok(match list {
            true => Self::Several(crate::kinds::pieces(text).map(str::to_owned).collect()),
            false => Self::One(text.to_owned()),
        })
    }

    /// In one line: in a flow context (between brackets) commas and brackets need quotes too.
    pub(crate) fn written(&self, quotes: Option<char>, flow: bool) -> String {
        match self {
            Self::Nothing => "null".to_owned(),
            Self::One(text) => match quotes {
                Some('\'')
                    if !text.contains(['\n', '\r', '\t'])
                        && !text.chars().any(char::is_control) =>
                {
                    format!("'{}'", text.replace('\'', "''"))
                }
                quotes if flow => in_list(text, quotes.is_some()),
                quotes => standing(text, quotes.is_some()),
            },
            Self::Several(items) => {
                let items: Vec<String> = items.iter().map(|item| in_list(item, false)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    fn node(&self) -> Node {
        let place = Place::new(0, 0..0);
        match self {
            Self::Nothing => Node::null(place),
            Self::One(text) => Node::scalar(text, true, place),
            Self::Several(items) => {
                let items = items.iter().map(|item| Node::scalar(item, true, place)).collect();
                Node { value: Value::Seq(items), place }
            }
        }
    }
}

/// The key (if it is under one) and the node at a path.
pub(crate) fn at<'n>(tree: &'n Node, path: &[Step]) -> Option<(Option<&'n Key>, &'n Node)> {
    let mut found = (None, tree);
    for step in path {
        found = match (step, &found.1.value) {
            (Step::Key { name, .. }, Value::Map(_)) => {
                let (key, node) = found.1.entry(name)?;
                (Some(key), node)
            }
            (Step::Item(index), Value::Seq(items)) => (None, items.get(*index)?),
            _ => return None,
        };
    }
    Some(found)
}

fn put(tree: &mut Node, path: &[Step], value: Node) -> Result<(), String> {
    let Some((step, rest)) = path.split_first() else {
        *tree = value;
        return Ok(());
    };
    if tree.value == Value::Null {
        tree.value = match step {
            Step::Key { .. } => Value::Map(Vec::new()),
            Step::Item(_) => Value::Seq(Vec::new()),
        };
    }
    match (step, &mut tree.value) {
        (Step::Key { name, .. }, Value::Map(entries)) => {
            let at = entries.iter().position(|(key, _)| key.name == *name);
            let at = at.unwrap_or_else(|| {
                let key = Key { name: name.clone(), place: Place::new(0, 0..0) };
                entries.push((key, Node::null(Place::new(0, 0..0))));
                entries.len() - 1
            });
            match entries.get_mut(at) {
                Some((_, node)) => put(node, rest, value),
                None => Ok(()),
            }
        }
        (Step::Item(index), Value::Seq(items)) => {
            let count = items.len();
            match items.get_mut(*index) {
                Some(item) => put(item, rest, value),
                None => Err(format!("there is no item {index}, the list has {count}")),
            }
        }
        _ => Err("something else stands where a section belongs".into()),
    }
}

fn take(tree: &mut Node, path: &[Step]) -> Result<(), String> {
    match (path, &mut tree.value) {
        ([Step::Key { name, .. }], Value::Map(entries)) => {
            entries.retain(|(key, _)| key.name != *name);
            Ok(())
        }
        ([Step::Key { name, .. }, rest @ ..], Value::Map(entries)) => {
            let found = entries.iter_mut().find(|(key, _)| key.name == *name);
            found.map_or(Ok(()), |(_, node)| take(node, rest))
        }
        ([Step::Item(index), rest @ ..], Value::Seq(items)) if !rest.is_empty() => {
            items.get_mut(*index).map_or(Ok(()), |item| take(item, rest))
        }
        _ => Err("items of a list are not taken away one by one".into()),
    }
}

/// A change of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    pub(crate) span: Range<usize>,
    pub(crate) text: String,
}
