//! From the merged tree to typed sections, with everything that is wrong on the way.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::field::{Limit, Section, allowed};
use crate::kinds::{Setting, pieces};
use crate::parse::{joined, parse};
use crate::problem::{Draft, Drafts, Fault, Wrong};
use crate::source::{Layer, Place, Source, Sources};
use crate::syntax::likely_secret;
use crate::tree::{Key, Node, Scalar, Value};

/// Reads one section of the tree; [`settings!`](crate::settings) writes the calls.
///
/// Every method answers `None` when something is wrong, and keeps what it was.
#[derive(Debug)]
pub struct Reader<'a> {
    drafts: &'a mut Drafts,
    sources: &'a Sources,
    /// The map of this section; `None` when nobody writes the section.
    node: Option<&'a Node>,
    /// The place to name when a value is missing.
    home: Option<Place>,
    path: String,
    /// What is allowed for the value being read.
    allowed: String,
}

/// A section out of a tree.
pub(crate) fn read<S: Section>(tree: &Node, sources: &Sources, drafts: &mut Drafts) -> Option<S> {
    let (node, home) = match tree.value {
        Value::Null => (None, None),
        _ => (Some(tree), Some(Place { end: tree.place.start, ..tree.place })),
    };
    let (path, allowed) = (String::new(), String::new());
    S::read(&mut Reader { drafts, sources, node, home, path, allowed })
}

/// A section out of its defaults.
pub(crate) fn defaults<S: Section>() -> Option<S> {
    read(&Node::null(Place::new(0, 0..0)), &Sources::default(), &mut Drafts::default())
}

impl Reader<'_> {
    #[doc(hidden)]
    pub fn setting<S: Setting>(
        &mut self,
        name: &str,
        default: Option<&str>,
        limit: Option<Limit<S>>,
    ) -> Option<S::Value> {
        let range = limit.as_ref().map(|limit| (limit.low, limit.high));
        let allowed = allowed::<S>(range);
        let entry = self.node.and_then(|node| node.entry(name));
        let Some((_, node)) = entry else {
            return match default {
                Some(text) => S::parse(text).ok(),
                None => S::absent().or_else(|| self.missing(name, &allowed)),
            };
        };
        let mut inner = self.inner(name, allowed);
        let value = S::read(node, &mut inner)?;
        match limit.map(|limit| limit.holds(&value)) {
            None | Some(Ok(true)) => Some(value),
            Some(Ok(false)) => {
                inner.refuse::<S>(node, Wrong::range(""));
                None
            }
            Some(Err(wrong)) => {
                inner.refuse::<S>(node, wrong);
                None
            }
        }
    }

    #[doc(hidden)]
    pub fn section<S: Section>(&mut self, name: &str) -> Option<S> {
        let entry = self.node.and_then(|node| node.entry(name));
        self.inner(name, String::new()).read_section(entry.map(|(key, node)| (key.place, node)))
    }

    #[doc(hidden)]
    pub fn optional<S: Section>(&mut self, name: &str) -> Option<Option<S>> {
        match self.node.and_then(|node| node.entry(name)) {
            None | Some((_, Node { value: Value::Null, .. })) => Some(None),
            Some(_) => self.section(name).map(Some),
        }
    }

    #[doc(hidden)]
    pub fn list<S: Section>(&mut self, name: &str) -> Option<Vec<S>> {
        let Some((_, node)) = self.node.and_then(|node| node.entry(name)) else {
            return Some(Vec::new());
        };
        let mut inner = self.inner(name, String::new());
        let node = inner.container(node)?;
        let items = match &node.value {
            Value::Null => return Some(Vec::new()),
            Value::Seq(items) => items,
            _ => {
                return inner.misshapen(
                    &node,
                    "a list of maps",
                    "begin each item with a dash and a space",
                );
            }
        };
        let read: Vec<Option<S>> = items
            .iter()
            .enumerate()
            .map(|(at, item)| inner.at(at).read_section(Some((first_place(item), item))))
            .collect();
        read.into_iter().collect()
    }

    #[doc(hidden)]
    pub fn table<S: Section>(&mut self, name: &str) -> Option<BTreeMap<String, S>> {
        let Some((_, node)) = self.node.and_then(|node| node.entry(name)) else {
            return Some(BTreeMap::new());
        };
        let mut inner = self.inner(name, String::new());
        let node = inner.container(node)?;
        let entries = match &node.value {
            Value::Null => return Some(BTreeMap::new()),
            Value::Map(entries) => entries,
            _ => return inner.misshapen(&node, "maps by name", "write a name and a colon first"),
        };
        let read: Vec<Option<(String, S)>> = entries
            .iter()
            .map(|(key, item)| {
                let mut inner = inner.inner(&key.name, String::new());
                let section = inner.read_section(Some((key.place, item)))?;
                Some((key.name.clone(), section))
            })
            .collect();
        read.into_iter().collect()
    }

    /// The value of a scalar.
    pub(crate) fn scalar<S: Setting + ?Sized>(&mut self, node: &Node) -> Option<S::Value> {
        let parsed = match &node.value {
            Value::Scalar(Scalar { text, .. }) => S::parse(text),
            Value::Null => {
                let hint = "write a value, or remove the line for the default";
                return self.misshapen(node, "", hint);
            }
            Value::Map(_) => return self.misshapen(node, "", "write one value behind the colon"),
            Value::Seq(_) => return self.misshapen(node, "", "write one value, not a list"),
        };
        match parsed {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.refuse::<S>(node, wrong);
                None
            }
        }
    }

    /// The values of a list of scalars.
    pub(crate) fn items<S: Setting>(&mut self, node: &Node) -> Option<Vec<S::Value>> {
        let read: Vec<Option<S::Value>> = match &node.value {
            Value::Null => Vec::new(),
            Value::Seq(items) => items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    let mut inner = self.at(at);
                    inner.allowed = allowed::<S>(None);
                    S::read(item, &mut inner)
                })
                .collect(),
            Value::Scalar(scalar) if self.sources.layer(node.place) != Layer::File => {
                let text = scalar.text.trim();
                let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
                let items = pieces(inside.unwrap_or(text));
                items.map(|item| self.scalar::<S>(&Node::scalar(item, false, node.place))).collect()
            }
            Value::Scalar(scalar) => {
                let hint = format!("write [{}]", shortened(&scalar.text));
                let hint = if S::KIND.is_secret() { "write [ and ] around it" } else { &hint };
                return self.misshapen(node, "", hint);
            }
            Value::Map(_) => {
                return self.misshapen(node, "", "begin each item with a dash and a space");
            }
        };
        read.into_iter().collect()
    }

    /// The same reader one key further down.
    fn inner(&mut self, name: &str, allowed: String) -> Reader<'_> {
        let path = joined(&self.path, name);
        let (node, home) = (None, self.home);
        Reader { drafts: self.drafts, sources: self.sources, node, home, path, allowed }
    }

    /// The same reader at an item of a list.
    fn at(&mut self, index: usize) -> Reader<'_> {
        let path = format!("{}[{index}]", self.path);
        let (node, home, allowed) = (None, self.home, String::new());
        Reader { drafts: self.drafts, sources: self.sources, node, home, path, allowed }
    }

    fn read_section<S: Section>(&mut self, found: Option<(Place, &Node)>) -> Option<S> {
        let Reader { home, .. } = *self;
        let node = match found {
            None => None,
            Some((_, node)) => Some(self.container(node)?),
        };
        let node = node.as_deref();
        if let Some(wrong @ Node { value: Value::Scalar(_) | Value::Seq(_), .. }) = node {
            let hint = match (&wrong.value, S::fields().first()) {
                (Value::Seq(_), _) | (_, None) => "write its settings without dashes".to_owned(),
                (_, Some(field)) => {
                    let name = field.name;
                    format!("write its settings below it, indented, such as \"{name}: …\"")
                }
            };
            return self.misshapen(wrong, "a map of settings", &hint);
        }
        S::read(&mut Reader {
            drafts: self.drafts,
            sources: self.sources,
            node,
            home: found.map(|(place, _)| place).or(home),
            path: self.path.clone(),
            allowed: String::new(),
        })
    }

    /// What a variable or a flag says where a map or a list belongs is YAML in itself.
    fn container<'n>(&mut self, node: &'n Node) -> Option<Cow<'n, Node>> {
        match unfolded(node, self.sources) {
            Ok(node) => Some(node),
            Err(draft) => {
                self.drafts.list.push(draft.key(self.path.clone()));
                None
            }
        }
    }

    fn missing<T>(&mut self, name: &str, allowed: &str) -> Option<T> {
        let draft = Draft::new(Fault::Missing, self.home, "missing")
            .key(joined(&self.path, name))
            .allowed(allowed)
            .hint(format!("add the line \"{name}: …\""));
        self.drafts.list.push(draft);
        None
    }

    fn misshapen<T>(&mut self, node: &Node, allowed: &str, hint: &str) -> Option<T> {
        let found = match &node.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar(_) if self.drafts.masked.contains(&node.place) => "a secret".to_owned(),
            Value::Scalar(scalar) => quoted(&scalar.text),
            Value::Map(_) => "a map".to_owned(),
            Value::Seq(_) => "a list".to_owned(),
        };
        let allowed = if allowed.is_empty() { self.allowed.clone() } else { allowed.to_owned() };
        // Of the wrong shape, so that nobody has looked for secrets by the declaration.
        mask_by_name(node, self.drafts);
        let draft = Draft::new(Fault::WrongShape, Some(node.place), format!("found {found}"))
            .key(self.path.clone())
            .allowed(allowed)
            .hint(hint);
        self.drafts.list.push(draft);
        None
    }

    fn refuse<S: Setting + ?Sized>(&mut self, node: &Node, wrong: Wrong) {
        let found = match &node.value {
            Value::Scalar(_) if S::KIND.is_secret() => "a secret".to_owned(),
            Value::Scalar(scalar) => quoted(&scalar.text),
            _ => "a list".to_owned(),
        };
        let Wrong { fault, why, hint, whole } = wrong;
        let draft = match whole {
            true => Draft::new(fault, Some(node.place), why),
            false => {
                let why = if why.is_empty() { why } else { format!(" ({why})") };
                Draft::new(fault, Some(node.place), format!("found {found}{why}"))
                    .allowed(self.allowed.clone())
            }
        };
        self.drafts.list.push(Draft { hint, ..draft.key(self.path.clone()) });
    }
}

/// The node itself, or what the text of a variable or flag says as YAML: `[…]` or `{…}`.
pub(crate) fn unfolded<'n>(node: &'n Node, sources: &Sources) -> Result<Cow<'n, Node>, Box<Draft>> {
    let Value::Scalar(scalar) = &node.value else { return Ok(Cow::Borrowed(node)) };
    let Some(source) = sources.of(node.place) else { return Ok(Cow::Borrowed(node)) };
    if source.layer() == Layer::File || !scalar.text.trim_start().starts_with(['[', '{']) {
        return Ok(Cow::Borrowed(node));
    }
    let text = Source::new(source.layer(), source.name(), source.text());
    let mut drafts = Drafts::default();
    let tree = parse(&text, node.place.source, &mut drafts)?;
    match drafts.list.into_iter().next() {
        Some(draft) => draft.refused(),
        None => Ok(Cow::Owned(tree)),
    }
}

fn mask_by_name(node: &Node, drafts: &mut Drafts) {
    match &node.value {
        Value::Null | Value::Scalar(_) => {}
        Value::Seq(items) => items.iter().for_each(|item| mask_by_name(item, drafts)),
        Value::Map(entries) => {
            for (key, child) in entries {
                match likely_secret(&key.name) {
                    true => child.scalar_places(&mut drafts.masked),
                    false => mask_by_name(child, drafts),
                }
            }
        }
    }
}

fn first_place(item: &Node) -> Place {
    match &item.value {
        Value::Map(entries) => entries.first().map_or(item.place, |(Key { place, .. }, _)| *place),
        _ => item.place,
    }
}

/// A text in quotes with its odd letters escaped; long ones are cut.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text.to_owned(),
    }
}
