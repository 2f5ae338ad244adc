//! The merged settings as YAML, with defaults and origins, without secrets.

use crate::field::{FieldInfo, Section, SettingInfo, Shape};
use crate::kinds::{Setting, pieces};
use crate::reader::unfolded;
use crate::secret::Secret;
use crate::source::{Origin, Sources};
use crate::text::{in_list, standing};
use crate::tree::{Node, Value};

pub(crate) fn show<S: Section>(tree: &Node, sources: &Sources, origins: bool) -> String {
    let mut page = Page { sources, origins, text: String::new() };
    page.section(Some(tree), &S::fields(), "");
    page.text
}

struct Page<'a> {
    sources: &'a Sources,
    origins: bool,
    text: String,
}

impl Page<'_> {
    fn section(&mut self, node: Option<&Node>, fields: &[FieldInfo], indent: &str) {
        for field in fields {
            let node = node.and_then(|node| node.entry(field.name)).map(|(_, node)| node);
            self.field(node, field, indent);
        }
    }

    fn field(&mut self, node: Option<&Node>, field: &FieldInfo, indent: &str) {
        let unfolded = node.and_then(|node| unfolded(node, self.sources).ok());
        let map_or_list = unfolded.as_deref();
        let deeper = format!("{indent}  ");
        let name = field.name;
        match &field.shape {
            Shape::Setting(setting) => self.line(node, &format!("{indent}{name}"), setting),
            Shape::Section(fields) => {
                self.text += &format!("{indent}{name}:\n");
                self.section(map_or_list, fields, &deeper);
            }
            Shape::Optional(fields) => match map_or_list {
                None | Some(Node { value: Value::Null, .. }) => {
                    self.end(node, &format!("{indent}{name}: null"));
                }
                Some(node) => {
                    self.text += &format!("{indent}{name}:\n");
                    self.section(Some(node), fields, &deeper);
                }
            },
            Shape::List(fields) => match map_or_list.map(|node| &node.value) {
                Some(Value::Seq(items)) if !items.is_empty() => {
                    self.text += &format!("{indent}{name}:\n");
                    for item in items {
                        self.item(item, fields, &deeper);
                    }
                }
                _ => self.end(node, &format!("{indent}{name}: []")),
            },
            Shape::Table(fields) => match map_or_list.map(|node| &node.value) {
                Some(Value::Map(entries)) if !entries.is_empty() => {
                    self.text += &format!("{indent}{name}:\n");
                    for (key, item) in entries {
                        self.text += &format!("{deeper}{}:\n", standing(&key.name, false));
                        self.section(Some(item), fields, &format!("{deeper}  "));
                    }
                }
                _ => self.end(node, &format!("{indent}{name}: {{}}")),
            },
        }
    }

    /// A section as an item of a list: a dash takes the place of its first indentation.
    fn item(&mut self, node: &Node, fields: &[FieldInfo], indent: &str) {
        let start = self.text.len();
        self.section(Some(node), fields, &format!("{indent}  "));
        let dash = start + indent.len();
        if self.text.get(dash..dash + 2) == Some("  ") {
            self.text.replace_range(dash..dash + 2, "- ");
        }
    }

    fn line(&mut self, node: Option<&Node>, head: &str, setting: &SettingInfo) {
        let value = value_text(node, setting, true);
        self.end(node, &format!("{head}: {value}"));
    }

    fn end(&mut self, node: Option<&Node>, line: &str) {
        self.text += line;
        if self.origins {
            let origin = node.map_or_else(Origin::default, |node| self.sources.origin(node.place));
            self.text += &format!("  # {origin}");
        }
        self.text.push('\n');
    }
}

/// A value as YAML in one line; its default when there is no node. Unless `hidden`, secrets are in
/// the clear.
pub(crate) fn value_text(node: Option<&Node>, setting: &SettingInfo, hidden: bool) -> String {
    let shown = |text: &str| if hidden { masked(text, setting) } else { text.to_owned() };
    match node.map(|node| &node.value) {
        None => match setting.default {
            Some(text) => default_text(text, setting),
            None if setting.kind.is_list() => "[]".to_owned(),
            None => "null".to_owned(),
        },
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Scalar(scalar)) if setting.kind.is_list() => {
            default_text(scalar.text.trim_matches(['[', ']']), setting)
        }
        Some(Value::Scalar(scalar)) => standing(&shown(&scalar.text), scalar.quoted),
        Some(Value::Seq(items)) => {
            let items = items.iter().map(|item| match &item.value {
                Value::Scalar(scalar) => in_list(&shown(&scalar.text), scalar.quoted),
                _ => "null".to_owned(),
            });
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Some(Value::Map(_)) => "{}".to_owned(),
    }
}

/// A default as YAML: a list is divided by commas in the declaration.
pub(crate) fn default_text(text: &str, setting: &SettingInfo) -> String {
    match setting.kind.is_list() {
        true => {
            let items = pieces(text).map(|piece| in_list(&masked(piece, setting), false));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        false => standing(&masked(text, setting), false),
    }
}

fn masked(text: &str, setting: &SettingInfo) -> String {
    match setting.kind.is_secret() {
        false => text.to_owned(),
        true => Secret::parse(text).map_or_else(|_| "***".to_owned(), |secret| secret.to_string()),
    }
}
