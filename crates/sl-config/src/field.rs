//! What a section declares: the one definition behind reading, messages, templates and schema.

use std::fmt;
use std::sync::Arc;

use crate::kinds::{Kind, Ranged, Setting};
use crate::problem::Wrong;
use crate::reader::Reader;

/// A struct of settings that belong together; [`settings!`](crate::settings) implements it.
pub trait Section: Sized {
    /// Its doc comment.
    fn doc() -> String;

    /// Its fields in the order of the declaration.
    fn fields() -> Vec<FieldInfo>;

    /// The values; `None` when one of them is wrong, which the reader then knows.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;
}

/// One field of a section.
#[derive(Clone, Debug)]
pub struct FieldInfo {
    /// The key in the file.
    pub name: &'static str,
    /// Its doc comment, lines trimmed; empty when there is none.
    pub doc: String,
    /// Value or sections.
    pub shape: Shape,
}

/// What stands behind a key.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A value.
    Setting(SettingInfo),
    /// A map with these fields.
    Section(Vec<FieldInfo>),
    /// A map with these fields, or nothing.
    Optional(Vec<FieldInfo>),
    /// A list of such maps.
    List(Vec<FieldInfo>),
    /// Such maps by name.
    Table(Vec<FieldInfo>),
}

/// A value that a section declares.
#[derive(Clone, Debug)]
pub struct SettingInfo {
    /// What it is.
    pub kind: Kind,
    /// What is allowed, in words, the range included.
    pub allowed: String,
    /// The default as a text; `None` when there is none.
    pub default: Option<&'static str>,
    /// Smallest and largest value, as texts, where the declaration or the type bounds them.
    pub range: Option<(String, String)>,
    /// Whether a change takes effect while running; else after a restart.
    pub live: bool,
    /// Whether it must be given.
    pub mandatory: bool,
    /// Why the default or the range of the declaration is wrong.
    fault: Option<String>,
    judge: Judge,
}

/// Whether a text is a value of the setting, for whoever does not know its type.
#[derive(Clone)]
struct Judge(Arc<Judging>);

type Judging = dyn Fn(&str) -> Result<(), Wrong> + Send + Sync;

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

impl FieldInfo {
    /// A field with a doc comment as the compiler gives it.
    #[doc(hidden)]
    pub fn new(name: &'static str, doc: &str, shape: Shape) -> Self {
        Self { name, doc: trimmed(doc), shape }
    }

    /// The fields behind the key, when it is not a value.
    pub fn fields(&self) -> Option<&[Self]> {
        match &self.shape {
            Shape::Setting(_) => None,
            Shape::Section(fields)
            | Shape::Optional(fields)
            | Shape::List(fields)
            | Shape::Table(fields) => Some(fields),
        }
    }
}

impl SettingInfo {
    #[doc(hidden)]
    pub fn of<S: Setting + 'static>(
        live: bool,
        default: Option<&'static str>,
        limit: Option<Limit<S>>,
    ) -> Self {
        let bounds = S::bounds().map(|(low, high)| (low.into_owned(), high.into_owned()));
        let fault = default.and_then(|text| default_fault::<S>(text, limit.as_ref()));
        let told = limit.as_ref().map(|limit| (limit.low.to_owned(), limit.high.to_owned()));
        let range = told.or(bounds);
        let judge = move |text: &str| {
            let value = S::parse(text)?;
            match limit.as_ref().map(|limit| limit.holds(&value)) {
                Some(Ok(false)) => Err(Wrong::range("")),
                Some(Err(wrong)) => Err(wrong),
                None | Some(Ok(true)) => Ok(()),
            }
        };
        Self {
            kind: S::KIND,
            allowed: allowed::<S>(range.as_ref().map(|(low, high)| (low.as_str(), high.as_str()))),
            default,
            range,
            live,
            mandatory: default.is_none() && S::absent().is_none(),
            fault,
            judge: Judge(Arc::new(judge)),
        }
    }

    /// Whether the text says a value that is allowed here; of a list, its items divided by commas.
    ///
    /// # Errors
    /// Why it says none.
    pub fn judge(&self, text: &str) -> Result<(), Wrong> {
        (self.judge.0)(text)
    }
}

fn default_fault<S: Setting>(text: &str, limit: Option<&Limit<S>>) -> Option<String> {
    let value = match S::parse(text) {
        Ok(value) => value,
        Err(wrong) => return Some(format!("default {text:?}: {wrong}")),
    };
    match limit?.holds(&value) {
        Ok(true) => None,
        Ok(false) => Some(format!("default {text:?} is out of range")),
        Err(wrong) => Some(format!("range: {wrong}")),
    }
}

/// What is allowed, in words, with the declared range or the natural one.
pub(crate) fn allowed<S: Setting>(range: Option<(&str, &str)>) -> String {
    let noun = S::allowed();
    let comma = if noun.contains(',') { "," } else { "" };
    match (range, S::bounds()) {
        (Some((low, high)), _) => format!("{noun}{comma} from {low} to {high}"),
        (None, Some((low, high))) => format!("{noun}{comma} from {low} to {high}"),
        (None, None) => noun.into_owned(),
    }
}

/// The declared range of a setting, both ends included.
#[doc(hidden)]
#[derive(Debug)]
pub struct Limit<S: Setting> {
    pub(crate) low: &'static str,
    pub(crate) high: &'static str,
    within: fn(&S::Value, &str, &str) -> Result<bool, Wrong>,
}

impl<S: Ranged> Limit<S> {
    #[doc(hidden)]
    pub fn new(low: &'static str, high: &'static str) -> Self {
        Self { low, high, within: S::within }
    }
}

impl<S: Setting> Limit<S> {
    pub(crate) fn holds(&self, value: &S::Value) -> Result<bool, Wrong> {
        (self.within)(value, self.low, self.high)
    }
}

/// What is wrong with the declaration of a section and of all below it: a default or a range that
/// does not parse, a field without a doc comment. A test of the crate that composes all sections
/// asserts that it is empty; `Default` relies on it.
pub fn declaration_faults<S: Section>() -> Vec<String> {
    let mut faults = Vec::new();
    collect_faults(&S::fields(), "", &mut faults);
    faults
}

fn collect_faults(fields: &[FieldInfo], path: &str, faults: &mut Vec<String>) {
    for field in fields {
        let path = crate::parse::joined(path, field.name);
        if field.doc.is_empty() {
            faults.push(format!("{path}: no doc comment"));
        }
        if let Shape::Setting(SettingInfo { fault: Some(fault), .. }) = &field.shape {
            faults.push(format!("{path}: {fault}"));
        }
        collect_faults(field.fields().unwrap_or(&[]), &path, faults);
    }
}

/// A section from its defaults alone.
#[doc(hidden)]
pub fn default_of<S: Section>() -> S {
    crate::reader::defaults()
        .expect("the defaults of a section parse, which `declaration_faults` checks in a test")
}

/// A doc comment without the blank that the compiler keeps before each line.
#[doc(hidden)]
pub fn trimmed(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(str::trim).collect();
    lines.join("\n").trim().to_owned()
}
