//! What differs between two readings of settings, and what of it takes effect while running.

use std::collections::BTreeMap;

use crate::field::{FieldInfo, Section, SettingInfo, Shape};
use crate::layers::Loaded;
use crate::parse::joined;
use crate::reader::unfolded;
use crate::show::value_text;
use crate::source::Sources;
use crate::tree::{Node, Value};

/// One setting that differs. Secrets are masked; where both are secrets in the clear, both texts
/// are the same asterisks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The setting, such as `gateway.listen` or `pools[0].url`.
    pub key: String,
    /// The value before as YAML; `None` where its section or item was not there.
    pub from: Option<String>,
    /// The value after as YAML; `None` where its section or item is not there.
    pub to: Option<String>,
    /// Whether it takes effect while running; else after a restart.
    pub live: bool,
}

/// What is to be done to come from some settings to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What takes effect while running.
    pub live: Vec<Change>,
    /// What waits for a restart.
    pub restart: Vec<Change>,
}

impl Plan {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }
}

/// The settings that differ between two readings, in the order of the declaration, defaults
/// included: against a reading of no layers it is what differs from the defaults.
///
/// Values are compared as they are written: `30s` and `30000ms` differ.
///
/// ```
/// use sl_config::{Layers, diff, load};
///
/// sl_config::settings! {
///     /// Log lines.
///     pub struct Log {
///         /// The least that is logged.
///         live level: String = "info",
///     }
/// }
/// let now = load(Layers::new().file("s.yaml", "level: debug"))?;
/// let changes = diff::<Log>(&load(Layers::new())?, &now);
/// assert_eq!((changes[0].from.as_deref(), changes[0].to.as_deref()), (Some("info"), Some("debug")));
/// # Ok::<(), sl_config::Problems>(())
/// ```
#[must_use]
pub fn diff<S: Section>(from: &Loaded, to: &Loaded) -> Vec<Change> {
    let fields = S::fields();
    let (before, after) = (flat(from, &fields), flat(to, &fields));
    let mut keys: Vec<&str> = after.order.iter().map(String::as_str).collect();
    keys.extend(
        before.order.iter().map(String::as_str).filter(|key| !after.values.contains_key(*key)),
    );
    keys.into_iter()
        .filter_map(|key| {
            let (old, new) = (before.values.get(key), after.values.get(key));
            if old.map(|old| &old.raw) == new.map(|new| &new.raw) {
                return None;
            }
            let there = old.is_some() == new.is_some();
            let live = new.or(old).is_some_and(|leaf| leaf.live && (there || leaf.comes_live));
            let shown = |leaf: Option<&Leaf>| leaf.map(|leaf| leaf.shown.clone());
            Some(Change { key: key.to_owned(), from: shown(old), to: shown(new), live })
        })
        .collect()
}

/// [`diff`], divided by what takes effect while running. A setting of a section that was not there
/// before, or is there no more, waits for a restart whatever its own word; an item of a list all of
/// whose settings are live comes and goes without one.
#[must_use]
pub fn plan<S: Section>(from: &Loaded, to: &Loaded) -> Plan {
    let (live, restart) = diff::<S>(from, to).into_iter().partition(|change| change.live);
    Plan { live, restart }
}

/// All values of a reading by their keys.
#[derive(Default)]
struct Flat {
    order: Vec<String>,
    values: BTreeMap<String, Leaf>,
    /// Whether what is read stands in an item of a list all of whose settings are live.
    comes_live: bool,
}

struct Leaf {
    /// As written, to be compared; holds secrets.
    raw: String,
    /// For people.
    shown: String,
    live: bool,
    /// Whether it may come and go while running.
    comes_live: bool,
}

fn flat(loaded: &Loaded, fields: &[FieldInfo]) -> Flat {
    let mut flat = Flat::default();
    let tree = loaded.tree();
    section(Some(tree), fields, "", loaded.sources(), &mut flat);
    flat
}

fn section(
    node: Option<&Node>,
    fields: &[FieldInfo],
    path: &str,
    sources: &Sources,
    flat: &mut Flat,
) {
    for field in fields {
        let node = node.and_then(|node| node.entry(field.name)).map(|(_, node)| node);
        let path = joined(path, field.name);
        let unfolded = node.and_then(|node| unfolded(node, sources).ok());
        let inner = unfolded.as_deref();
        match &field.shape {
            Shape::Setting(setting) => leaf(node, setting, path, flat),
            Shape::Section(fields) => section(inner, fields, &path, sources, flat),
            Shape::Optional(fields) => match inner {
                None | Some(Node { value: Value::Null, .. }) => {}
                Some(_) => section(inner, fields, &path, sources, flat),
            },
            Shape::List(fields) => {
                let Some(Value::Seq(items)) = inner.map(|node| &node.value) else { continue };
                let outside = std::mem::replace(&mut flat.comes_live, all_live(fields));
                for (at, item) in items.iter().enumerate() {
                    section(Some(item), fields, &format!("{path}[{at}]"), sources, flat);
                }
                flat.comes_live = outside;
            }
            Shape::Table(fields) => {
                let Some(Value::Map(entries)) = inner.map(|node| &node.value) else { continue };
                for (key, item) in entries {
                    section(Some(item), fields, &joined(&path, &key.name), sources, flat);
                }
            }
        }
    }
}

fn all_live(fields: &[FieldInfo]) -> bool {
    fields.iter().all(|field| match &field.shape {
        Shape::Setting(setting) => setting.live,
        Shape::Section(fields)
        | Shape::Optional(fields)
        | Shape::List(fields)
        | Shape::Table(fields) => all_live(fields),
    })
}

fn leaf(node: Option<&Node>, setting: &SettingInfo, path: String, flat: &mut Flat) {
    if node.is_none() && setting.mandatory {
        return;
    }
    let leaf = Leaf {
        raw: value_text(node, setting, false),
        shown: value_text(node, setting, true),
        live: setting.live,
        comes_live: flat.comes_live,
    };
    flat.order.push(path.clone());
    flat.values.insert(path, leaf);
}
