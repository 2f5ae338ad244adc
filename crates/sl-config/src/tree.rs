//! A document as a tree in which every key and value knows its place.

use std::collections::HashMap;
use std::fmt;

use crate::source::Place;

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where.
    pub place: Place,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A single text; what it means is up to the setting.
    Scalar(Scalar),
    /// Keys with their values, in the order of the file.
    Map(Vec<(Key, Node)>),
    /// A list.
    Seq(Vec<Node>),
}

/// A text as written, without its quotes.
///
/// `Debug` shows the length only: at this floor nobody knows whether it is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text.
    pub text: String,
    /// Whether it stood in quotes or in a block (`|`, `>`); a quoted `null` is a text.
    pub quoted: bool,
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scalar({} bytes)", self.text.len())
    }
}

/// The name of a value in a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

impl Node {
    pub(crate) fn null(place: Place) -> Self {
        Self { value: Value::Null, place }
    }

    pub(crate) fn scalar(text: impl Into<String>, quoted: bool, place: Place) -> Self {
        Self { value: Value::Scalar(Scalar { text: text.into(), quoted }), place }
    }

    /// The key and value under a name, when this is a map that has it.
    pub fn entry(&self, name: &str) -> Option<(&Key, &Self)> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| key.name == name).map(|(key, node)| (key, node))
    }

    /// The value at a path such as `gateway.listen` or `nodes[0].url`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        let mut node = self;
        for part in path.split('.') {
            let (name, indices) = part.split_once('[').map_or((part, ""), |(n, rest)| (n, rest));
            node = node.entry(name)?.1;
            for index in indices.split('[').filter(|index| !index.is_empty()) {
                let Value::Seq(items) = &node.value else { return None };
                node = items.get(index.strip_suffix(']')?.parse::<usize>().ok()?)?;
            }
        }
        Some(node)
    }

    /// This tree with another laid over it: maps are joined, all else is replaced. A section left
    /// empty (`gateway:`) takes nothing away. With `fold_case`, names that differ in case only are
    /// the same, and the lower tree's spelling stays: environment variables shout.
    #[must_use]
    pub fn overlaid(self, over: Self, fold_case: bool) -> Self {
        let place = over.place;
        let value = match (self.value, over.value) {
            (Value::Map(entries), Value::Null) => Value::Map(entries),
            (Value::Map(below), Value::Map(above)) => Value::Map(joined(below, above, fold_case)),
            (_, above) => above,
        };
        Self { value, place }
    }

    /// The places of all scalars in this tree.
    pub(crate) fn scalar_places(&self, found: &mut Vec<Place>) {
        match &self.value {
            Value::Null => {}
            Value::Scalar(_) => found.push(self.place),
            Value::Map(entries) => entries.iter().for_each(|(_, node)| node.scalar_places(found)),
            Value::Seq(items) => items.iter().for_each(|node| node.scalar_places(found)),
        }
    }
}

fn joined(below: Vec<(Key, Node)>, above: Vec<(Key, Node)>, fold_case: bool) -> Vec<(Key, Node)> {
    let folded = |name: &str| match fold_case {
        true => name.to_ascii_lowercase(),
        false => name.to_owned(),
    };
    let mut index: HashMap<String, usize> = HashMap::with_capacity(below.len());
    for (at, (key, _)) in below.iter().enumerate() {
        index.entry(folded(&key.name)).or_insert(at);
    }
    let mut entries: Vec<(Key, Option<Node>)> =
        below.into_iter().map(|(key, node)| (key, Some(node))).collect();
    for (key, over) in above {
        let slot = index.get(&folded(&key.name)).and_then(|at| entries.get_mut(*at));
        match slot {
            Some((old, node)) => {
                old.place = key.place;
                *node = Some(match node.take() {
                    Some(node) => node.overlaid(over, fold_case),
                    None => over,
                });
            }
            None => entries.push((key, Some(over))),
        }
    }
    entries.into_iter().filter_map(|(key, node)| Some((key, node?))).collect()
}
