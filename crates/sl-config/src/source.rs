//! Where a value was written: sources (files, environment variables, flags) and places in them.
//!
//! Every environment variable and every flag is a source of its own, whose text is its value, so
//! one kind of place serves them all.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The kind of a source; later ones win over earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The declaration in the program.
    Default,
    /// A file, or the overlay of one.
    File,
    /// An environment variable.
    Env,
    /// A flag of the command line.
    Flag,
}

/// A text in which settings were written, with its name.
///
/// `Debug` shows the name and the length only, because the text may hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    layer: Layer,
    name: String,
    text: String,
    /// Byte offset at which each line begins; the first is 0.
    lines: Vec<usize>,
}

impl Source {
    pub(crate) fn new(layer: Layer, name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let mut lines = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            // YAML breaks lines at LF, at CR LF and at a CR alone.
            if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
                lines.push(at + 1);
            }
        }
        Self { layer, name: name.into(), text, lines }
    }

    /// What kind of source it is.
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// The file's path as it was given, the variable's name, or the flag with its dashes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text. In a [`Problem`](crate::Problem) secrets are masked by as many asterisks as they
    /// have bytes, so that spans fit.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column (in characters), both from 1, of a byte offset.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = floor_to_char(&self.text, offset);
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    /// The text of a line (from 1) without its line end; empty when there is no such line.
    pub fn line(&self, number: usize) -> &str {
        let start = number.checked_sub(1).and_then(|index| self.lines.get(index)).copied();
        let end = self.lines.get(number).copied().unwrap_or(self.text.len());
        let line = start.and_then(|start| self.text.get(start..end)).unwrap_or("");
        line.trim_end_matches(['\r', '\n'])
    }

    /// The byte offset at which a line (from 1) begins.
    pub(crate) fn line_start(&self, number: usize) -> usize {
        let start = number.checked_sub(1).and_then(|index| self.lines.get(index)).copied();
        start.unwrap_or(self.text.len())
    }

    /// The same source with the spans replaced by asterisks; lines and offsets stay.
    pub(crate) fn masked(&self, spans: &[Range<usize>]) -> Self {
        let mut hidden = vec![false; self.text.len()];
        for span in spans {
            let end = span.end.min(hidden.len());
            if let Some(part) = hidden.get_mut(span.start.min(end)..end) {
                part.fill(true);
            }
        }
        let mut text = String::with_capacity(self.text.len());
        for (at, letter) in self.text.char_indices() {
            let hide = hidden.get(at) == Some(&true) && !matches!(letter, '\r' | '\n');
            match hide {
                true => text.extend(std::iter::repeat_n('*', letter.len_utf8())),
                false => text.push(letter),
            }
        }
        Self { text, ..self.clone() }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?} {:?}, {} bytes)", self.layer, self.name, self.text.len())
    }
}

fn floor_to_char(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// A span of bytes in one of the [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(crate) source: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Place {
    pub(crate) fn new(source: usize, span: Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end.max(span.start) }
    }

    pub(crate) fn span(self) -> Range<usize> {
        self.start..self.end
    }
}

/// All sources of one loading, weakest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(Vec<Arc<Source>>);

impl Sources {
    pub(crate) fn add(&mut self, source: Source) -> usize {
        self.0.push(Arc::new(source));
        self.0.len() - 1
    }

    pub(crate) fn of(&self, place: Place) -> Option<&Arc<Source>> {
        self.0.get(place.source)
    }

    pub(crate) fn layer(&self, place: Place) -> Layer {
        self.of(place).map_or(Layer::Default, |source| source.layer)
    }

    /// The sources, weakest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.0.iter()
    }

    /// The place in words that people follow: layer, name, line and column.
    pub fn origin(&self, place: Place) -> Origin {
        let Some(source) = self.of(place) else { return Origin::default() };
        let (line, column) = source.position(place.start);
        Origin { layer: source.layer, name: source.name.clone(), line, column, span: place.span() }
    }
}

/// Which layer a value came from, and where it stands there.
///
/// `Display` gives `silverlode.yaml:3:11`, `environment variable SILVERLODE__GATEWAY__LISTEN`,
/// `flag --listen` or `default`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The layer.
    pub layer: Layer,
    /// File path, variable or flag; empty for a default.
    pub name: String,
    /// Line from 1; 0 for a default.
    pub line: usize,
    /// Column in characters, from 1; 0 for a default.
    pub column: usize,
    /// Bytes of the value in its source.
    pub span: Range<usize>,
}

impl Default for Origin {
    fn default() -> Self {
        Self { layer: Layer::Default, name: String::new(), line: 0, column: 0, span: 0..0 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Layer::Default => f.write_str("default"),
            Layer::File => write!(f, "{}:{}:{}", self.name, self.line, self.column),
            Layer::Env => write!(f, "environment variable {}", self.name),
            Layer::Flag => write!(f, "flag {}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_every_line_end() {
        let source = Source::new(Layer::File, "x", "a\r\nbä c\rd\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(7), (2, 4), "after the two bytes of one letter");
        assert_eq!(source.position(5), (2, 2), "inside a letter counts as its beginning");
        assert_eq!(source.position(9), (3, 1));
        assert_eq!(source.position(999), (4, 1));
        assert_eq!(source.line(2), "bä c");
        assert_eq!(source.line(9), "");
    }

    #[test]
    fn masking_keeps_offsets() {
        let source = Source::new(Layer::File, "x", "k: sä\nn: 1");
        let masked = source.masked(&[3..9, 90..99]);
        assert_eq!(masked.text(), "k: ***\n** 1");
    }
}
