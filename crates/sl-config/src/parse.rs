//! YAML text to a [`Node`], with bounds; the only place that knows the YAML crate.
//!
//! A subset of YAML on purpose: one document, no aliases, no tags, keys are plain texts. What a
//! value means is decided by the setting, never by the parser: `no` stays `no`.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::problem::{Draft, Drafts, Fault};
use crate::source::{Place, Source};
use crate::syntax;
use crate::tree::{Key, Node, Value};

/// Larger files are refused, in bytes (1 MiB).
pub const MAX_BYTES: usize = 1 << 20;
/// Deeper nesting is refused.
pub const MAX_DEPTH: usize = 32;
/// More keys and values in one file are refused.
pub const MAX_NODES: usize = 100_000;

/// The tree of a source; mistakes that leave a tree (a key that stands twice: the first counts)
/// are added to `drafts`, the one that leaves none is the error.
pub(crate) fn parse(source: &Source, id: usize, drafts: &mut Drafts) -> Result<Node, Box<Draft>> {
    let text = source.text();
    if text.len() > MAX_BYTES {
        let size = format!("the file is too large: {} bytes", text.len());
        return Draft::new(Fault::TooLarge, Some(Place::new(id, 0..0)), size)
            .allowed("at most 1 MiB")
            .hint("check that this is the settings file")
            .refused();
    }
    if let Some((at, letter)) = text.char_indices().find(|(_, letter)| unprintable(*letter)) {
        let place = Place::new(id, at..at + letter.len_utf8());
        let found = format!("the file holds the control character {}", letter.escape_unicode());
        return Draft::new(Fault::Syntax, Some(place), found)
            .allowed("text")
            .hint("save the file as UTF-8 text")
            .refused();
    }
    let offsets = Offsets::new(text);
    let mut builder = Builder::new(source, id, &offsets);
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.take(event, span, drafts)?,
            Err(error) => {
                let at = offsets.byte(error.marker().index());
                return syntax::explain(source, id, at, error.info()).refused();
            }
        }
    }
    Ok(builder.root.unwrap_or_else(|| Node::null(Place::new(id, 0..0))))
}

/// What YAML forbids outright. NUL besides would end the text for the YAML crate.
fn unprintable(letter: char) -> bool {
    (letter.is_ascii_control() && !matches!(letter, '\t' | '\n' | '\r')) || letter == '\u{feff}'
}

/// From the YAML crate's character counts to bytes.
struct Offsets {
    length: usize,
    /// Byte offset of each character; empty when every character is one byte.
    starts: Vec<usize>,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let starts = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at).collect(),
        };
        Self { length: text.len(), starts }
    }

    fn byte(&self, character: usize) -> usize {
        match self.starts.is_empty() {
            true => character.min(self.length),
            false => self.starts.get(character).copied().unwrap_or(self.length),
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.byte(span.start.index())..self.byte(span.end.index())
    }
}

/// A map or list that is not closed yet.
enum Open {
    Map { start: usize, entries: Vec<(Key, Node)>, seen: HashMap<String, Place>, key: Option<Slot> },
    Seq { start: usize, items: Vec<Node> },
}

/// The key whose value comes next.
struct Slot {
    key: Key,
    /// Whether the key stood before; its value is dropped.
    again: bool,
}

/// Builds the tree from events on a stack of its own, so that depth costs no machine stack.
struct Builder<'a> {
    source: &'a Source,
    id: usize,
    offsets: &'a Offsets,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Source, id: usize, offsets: &'a Offsets) -> Self {
        Self { source, id, offsets, open: Vec::new(), root: None, documents: 0, nodes: 0 }
    }

    fn take(
        &mut self,
        event: Event<'_>,
        span: Span,
        drafts: &mut Drafts,
    ) -> Result<(), Box<Draft>> {
        let place = Place::new(self.id, self.offsets.range(span));
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return syntax("a second document", place)
                        .allowed("one document in a file")
                        .hint("remove the line \"---\" and what follows, or merge it above")
                        .refused();
                }
            }
            Event::Alias(_) => {
                return syntax("an alias (*name)", place)
                    .allowed("values written out")
                    .hint("write the value again in place of the alias")
                    .refused();
            }
            Event::Scalar(_, _, _, Some(tag))
            | Event::SequenceStart(_, Some(tag))
            | Event::MappingStart(_, Some(tag)) => {
                return syntax(&format!("the tag {tag}"), place)
                    .allowed("values without tags")
                    .hint("remove the tag; the setting knows its kind")
                    .refused();
            }
            Event::Scalar(text, style, _, None) => {
                self.count(place)?;
                self.scalar(&text, style, place, drafts)?;
            }
            Event::SequenceStart(_, None) => {
                let open = Open::Seq { start: place.start, items: Vec::new() };
                self.enter(open, place)?;
            }
            Event::MappingStart(_, None) => {
                let (entries, seen) = (Vec::new(), HashMap::new());
                let open = Open::Map { start: place.start, entries, seen, key: None };
                self.enter(open, place)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(drafts),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn count(&mut self, place: Place) -> Result<(), Box<Draft>> {
        self.nodes += 1;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("the file holds more than {MAX_NODES} keys and values");
        Draft::new(Fault::TooLarge, Some(place), message)
            .allowed(format!("at most {MAX_NODES}"))
            .hint("check that this is the settings file")
            .refused()
    }

    fn enter(&mut self, open: Open, place: Place) -> Result<(), Box<Draft>> {
        self.count(place)?;
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            return syntax("a key that is a map or a list", place)
                .allowed("a name")
                .hint("write keys as plain words; in {…} and […] check the brackets")
                .refused();
        }
        if self.open.len() >= MAX_DEPTH {
            return too_deep(place).refused();
        }
        self.open.push(open);
        Ok(())
    }

    fn leave(&mut self, drafts: &mut Drafts) {
        let id = self.id;
        let node = match self.open.pop() {
            None => return,
            Some(Open::Seq { start, items }) => {
                let end = items.last().map_or(start, |item| item.place.end);
                Node { value: Value::Seq(items), place: Place::new(id, start..end) }
            }
            Some(Open::Map { start, entries, .. }) => {
                let end = entries.last().map_or(start, |(_, node)| node.place.end);
                Node { value: Value::Map(entries), place: Place::new(id, start..end) }
            }
        };
        self.put(node, drafts);
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        place: Place,
        drafts: &mut Drafts,
    ) -> Result<(), Box<Draft>> {
        let plain = style == ScalarStyle::Plain;
        let known = match self.open.last() {
            Some(Open::Map { seen, key: None, .. }) => Some(seen.get(text).copied()),
            _ => None,
        };
        if let Some(first) = known {
            if text.is_empty() && plain {
                return syntax("a value without a key", place)
                    .allowed("key: value")
                    .hint("write a key before the colon")
                    .refused();
            }
            if let Some(first) = first {
                let first_line = self.source.position(first.start).0;
                drafts.list.push(twice(text, first_line, place).key(joined(&self.path(), text)));
            }
            if let Some(Open::Map { seen, key, .. }) = self.open.last_mut() {
                seen.entry(text.to_owned()).or_insert(place);
                let name = Key { name: text.to_owned(), place };
                *key = Some(Slot { key: name, again: first.is_some() });
            }
            return Ok(());
        }
        let node = match plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            // The event of an empty value lies somewhere behind; its key is what people look at.
            true if text.is_empty() => Node::null(self.key_place().unwrap_or(place)),
            true => Node::null(place),
            false => Node::scalar(text, !plain, place),
        };
        self.put(node, drafts);
        Ok(())
    }

    /// The dotted path of the map or list that is open, as in `gateway.nodes[2]`.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match open {
                Open::Seq { items, .. } => path += &format!("[{}]", items.len()),
                Open::Map { key: Some(slot), .. } => {
                    path = joined(&path, &slot.key.name);
                }
                Open::Map { key: None, .. } => {}
            }
        }
        path
    }

    fn key_place(&self) -> Option<Place> {
        match self.open.last() {
            Some(Open::Map { key: Some(slot), .. }) => Some(slot.key.place),
            _ => None,
        }
    }

    fn put(&mut self, node: Node, drafts: &mut Drafts) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::Seq { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some(Slot { key, again: false }) => entries.push((key, node)),
                // Nobody will read it, so nobody would know that it is a secret.
                Some(Slot { again: true, .. }) | None => node.scalar_places(&mut drafts.masked),
            },
        }
    }
}

/// A dotted path with one more name.
pub(crate) fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(crate) fn too_deep(place: Place) -> Draft {
    Draft::new(Fault::TooLarge, Some(place), "the nesting is too deep")
        .allowed(format!("at most {MAX_DEPTH} levels"))
        .hint("check the brackets and the indentation")
}

fn syntax(found: &str, place: Place) -> Draft {
    Draft::new(Fault::Syntax, Some(place), format!("found {found}"))
}

fn twice(name: &str, first_line: usize, again: Place) -> Draft {
    Draft::new(Fault::DuplicateKey, Some(again), format!("the key {name:?} stands twice"))
        .allowed("each key once")
        .hint(format!("remove this one or the one in line {first_line}"))
}
