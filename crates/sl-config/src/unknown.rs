//! Keys that no section has, and the places of secrets, in every layer.

use crate::field::{FieldInfo, Shape};
use crate::layers::ENV_PREFIX;
use crate::nearest::nearest;
use crate::parse::joined;
use crate::problem::{Draft, Drafts, Fault};
use crate::reader::unfolded;
use crate::source::{Layer, Sources};
use crate::tree::{Key, Node, Value};

/// Adds a problem for each unknown key of a tree; its values are masked, for a mistyped
/// `password` holds a password. Secrets under their right names are masked too.
pub(crate) fn find(tree: &Node, fields: &[FieldInfo], sources: &Sources, drafts: &mut Drafts) {
    Search { root: fields, sources, drafts }.section(tree, fields, "");
}

struct Search<'a> {
    root: &'a [FieldInfo],
    sources: &'a Sources,
    drafts: &'a mut Drafts,
}

impl Search<'_> {
    fn section(&mut self, node: &Node, fields: &[FieldInfo], path: &str) {
        // What does not unfold or is no map, the reader reports.
        let Ok(node) = unfolded(node, self.sources) else { return };
        let Value::Map(entries) = &node.value else { return };
        for (key, child) in entries {
            let path = joined(path, &key.name);
            match fields.iter().find(|field| field.name == key.name) {
                None => self.report(key, child, fields, path),
                Some(field) => self.field(child, field, &path),
            }
        }
    }

    fn field(&mut self, node: &Node, field: &FieldInfo, path: &str) {
        match &field.shape {
            // Here and not while reading, which sees the uppermost layer only.
            Shape::Setting(setting) if setting.kind.is_secret() => {
                node.scalar_places(&mut self.drafts.masked);
            }
            Shape::Setting(_) => {}
            Shape::Section(fields) | Shape::Optional(fields) => self.section(node, fields, path),
            Shape::List(fields) => {
                let Ok(node) = unfolded(node, self.sources) else { return };
                let Value::Seq(items) = &node.value else { return };
                for (at, item) in items.iter().enumerate() {
                    self.section(item, fields, &format!("{path}[{at}]"));
                }
            }
            Shape::Table(fields) => {
                let Ok(node) = unfolded(node, self.sources) else { return };
                let Value::Map(entries) = &node.value else { return };
                for (key, item) in entries {
                    self.section(item, fields, &joined(path, &key.name));
                }
            }
        }
    }

    fn report(&mut self, key: &Key, value: &Node, fields: &[FieldInfo], path: String) {
        value.scalar_places(&mut self.drafts.masked);
        let section = path.strip_suffix(&key.name).unwrap_or("").to_owned();
        let renamed = crate::version::renamed(&path);
        let draft = Draft::new(Fault::UnknownKey, Some(key.place), "unknown key").key(path);
        if let Some(since) = renamed {
            self.drafts.list.push(draft.hint(since));
            return;
        }
        let names = fields.iter().map(|field| field.name);
        let elsewhere = || find_elsewhere(self.root, &key.name, "");
        let draft = match nearest(&key.name, names.clone()) {
            Some(near) => {
                let meant = match self.sources.layer(key.place) {
                    // A variable names no item of a list.
                    Layer::Env if !section.contains('[') => variable(&format!("{section}{near}")),
                    _ => format!("{near:?}"),
                };
                draft.hint(format!("did you mean {meant}?"))
            }
            None => {
                let draft = draft.allowed(names.collect::<Vec<_>>().join(", "));
                match elsewhere() {
                    Some(place) => draft.hint(format!("there is {place:?}")),
                    None => draft.hint("remove it"),
                }
            }
        };
        self.drafts.list.push(draft);
    }
}

/// The path of a field of that name in another section.
fn find_elsewhere(fields: &[FieldInfo], name: &str, path: &str) -> Option<String> {
    let here = fields.iter().find(|field| field.name == name);
    here.map(|field| joined(path, field.name)).or_else(|| {
        fields
            .iter()
            .find_map(|field| find_elsewhere(field.fields()?, name, &joined(path, field.name)))
    })
}

/// The environment variable of a dotted path.
pub(crate) fn variable(path: &str) -> String {
    format!("{ENV_PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}
