//! What is wrong with the settings, in words that end with the cure.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::source::{Layer, Place, Source, Sources};

/// At most so many problems are told; the rest are counted.
pub const MAX_PROBLEMS: usize = 100;

/// What kind of mistake a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Not YAML, or YAML of a kind that is refused (aliases, tags, several documents).
    Syntax,
    /// Over a bound of the parser.
    TooLarge,
    /// A key that no section has.
    UnknownKey,
    /// A key written twice.
    DuplicateKey,
    /// A map where a value belongs, a value where a list belongs, and so on.
    WrongShape,
    /// A text that does not say such a value.
    WrongValue,
    /// A value outside its bounds.
    OutOfRange,
    /// A mandatory value that nobody gave.
    Missing,
}

/// Why a text is not a value of some kind; made by [`Setting::parse`](crate::Setting::parse) and
/// by checks across settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", .why, .hint.as_ref().map(|hint| format!(", hint: {hint}")).unwrap_or_default())]
pub struct Wrong {
    pub(crate) fault: Fault,
    pub(crate) why: String,
    pub(crate) hint: Option<String>,
    /// The reason says by itself what was found and what is allowed.
    pub(crate) whole: bool,
}

impl Wrong {
    /// The text says no such value. The reason is a few lower-case words that add to what is
    /// printed anyway (what was found and what is allowed); it may be empty.
    pub fn value(why: impl Into<String>) -> Self {
        Self { fault: Fault::WrongValue, why: why.into(), hint: None, whole: false }
    }

    /// The value lies outside its bounds.
    pub fn range(why: impl Into<String>) -> Self {
        Self { fault: Fault::OutOfRange, ..Self::value(why) }
    }

    /// Adds the cure.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// One thing that is wrong, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The kind of mistake.
    pub fault: Fault,
    /// The file, variable or flag, with its text (secrets masked); `None` for a mandatory value
    /// that no source speaks of.
    pub source: Option<Arc<Source>>,
    /// Bytes in the source's text.
    pub span: Range<usize>,
    /// Line in the source, from 1; 0 without a source.
    pub line: usize,
    /// Column in characters, from 1; 0 without a source.
    pub column: usize,
    /// Dotted path of the setting, such as `gateway.listen` or `nodes[0].url`; empty for a file as
    /// a whole.
    pub key: String,
    /// What was found.
    pub message: String,
    /// What is allowed.
    pub allowed: Option<String>,
    /// The cure.
    pub hint: Option<String>,
}

impl Problem {
    /// File path, variable or flag.
    pub fn source_name(&self) -> &str {
        self.source.as_ref().map_or("settings", |source| source.name())
    }

    /// Key and message, for a renderer that shows the place by itself.
    pub fn title(&self) -> String {
        match self.key.is_empty() {
            true => self.message.clone(),
            false => format!("{}: {}", self.key, self.message),
        }
    }

    /// What is allowed and the cure, for a renderer that has a place for help.
    pub fn help(&self) -> Option<String> {
        let allowed = self.allowed.as_ref().map(|allowed| format!("allowed: {allowed}"));
        let hint = self.hint.as_ref().map(|hint| format!("hint: {hint}"));
        let parts: Vec<String> = allowed.into_iter().chain(hint).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    fn place(&self) -> String {
        match &self.source {
            None => "settings".to_owned(),
            Some(source) => match source.layer() {
                Layer::Env => format!("environment variable {}", source.name()),
                Layer::Flag => format!("flag {}", source.name()),
                _ => format!("{}:{}:{}", source.name(), self.line, self.column),
            },
        }
    }
}

impl fmt::Display for Problem {
    /// One line, then for a file the line in question with carets under the span.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.title())?;
        if let Some(help) = self.help() {
            write!(f, ", {help}")?;
        }
        match &self.source {
            Some(source) if source.layer() == Layer::File => self.write_snippet(source, f),
            _ => Ok(()),
        }
    }
}

impl Problem {
    fn write_snippet(&self, source: &Source, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Longer lines are cut around the caret.
        const WIDTH: usize = 100;
        let line = source.line(self.line);
        if line.trim().is_empty() {
            return Ok(());
        }
        let before = self.column.saturating_sub(1);
        let cut = if before < WIDTH { 0 } else { before - WIDTH / 2 };
        let shown: String = line
            .chars()
            .skip(cut)
            .take(WIDTH)
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        let end = self.span.end.min(source.line_start(self.line) + line.len());
        let marked = source.text().get(self.span.start..end).unwrap_or("").chars().count();
        let room = shown.chars().count().saturating_sub(before - cut);
        let carets = "^".repeat(marked.min(room).max(1));
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(before - cut);
        write!(f, "\n  {number} | {}\n  {margin} | {indent}{carets}", shown.trim_end())
    }
}

/// Everything that is wrong, in the order of the sources and of their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    untold: usize,
}

impl Problems {
    /// The problems, at most [`MAX_PROBLEMS`].
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// How many more there are.
    pub fn untold(&self) -> usize {
        self.untold
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.list.iter().enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "\n" })?;
        }
        if self.untold > 0 {
            write!(f, "\nand {} more problems", self.untold)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A problem whose place is not yet looked up.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) fault: Fault,
    pub(crate) place: Option<Place>,
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) allowed: Option<String>,
    pub(crate) hint: Option<String>,
}

impl Draft {
    pub(crate) fn new(fault: Fault, place: Option<Place>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { fault, place, key: String::new(), message, allowed: None, hint: None }
    }

    /// The end of a parse, boxed because results travel through every step of it.
    pub(crate) fn refused<T>(self) -> Result<T, Box<Self>> {
        Err(Box::new(self))
    }

    pub(crate) fn key(self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self }
    }

    pub(crate) fn allowed(self, allowed: impl Into<String>) -> Self {
        Self { allowed: Some(allowed.into()), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Where the problems of one reading gather, with the places that must not be shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drafts {
    pub(crate) list: Vec<Draft>,
    pub(crate) masked: Vec<Place>,
}

impl Drafts {
    /// All that is wrong, sorted and with secrets masked.
    pub(crate) fn into_problems(mut self, sources: &Sources) -> Problems {
        self.list.sort_by_key(|draft| match draft.place {
            Some(place) => (place.source, place.start, draft.fault),
            None => (usize::MAX, 0, draft.fault),
        });
        let shown: Vec<Arc<Source>> = sources
            .iter()
            .enumerate()
            .map(|(id, source)| {
                let here = self.masked.iter().filter(|place| place.source == id);
                let spans: Vec<Range<usize>> = here.map(|place| place.span()).collect();
                if spans.is_empty() { source.clone() } else { Arc::new(source.masked(&spans)) }
            })
            .collect();
        let untold = self.list.len().saturating_sub(MAX_PROBLEMS);
        self.list.truncate(MAX_PROBLEMS);
        let list = self.list.into_iter().map(|draft| finished(draft, &shown)).collect();
        Problems { list, untold }
    }
}

fn finished(draft: Draft, sources: &[Arc<Source>]) -> Problem {
    let source = draft.place.and_then(|place| sources.get(place.source)).cloned();
    let start = draft.place.map_or(0, |place| place.start);
    let (line, column) = source.as_ref().map_or((0, 0), |source| source.position(start));
    Problem {
        fault: draft.fault,
        source,
        span: draft.place.map_or(0..0, Place::span),
        line,
        column,
        key: draft.key,
        message: draft.message,
        allowed: draft.allowed,
        hint: draft.hint,
    }
}
