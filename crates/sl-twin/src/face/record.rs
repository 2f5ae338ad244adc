//! Replies as the firmware builds them: ordered keys, each value in the type and with the digits
//! that the original prints.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Keys and values in the order in which they stand in the reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Record(Vec<(Cow<'static, str>, Value)>);

/// One value of a reply.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    /// The shortest digits that mean this number, with at least one after the point.
    Real(f64),
    /// So many digits after the point.
    Fixed(f64, usize),
    Flag(bool),
    List(Vec<Value>),
    Record(Record),
}

/// How a reply is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Form {
    /// Between the records of a list the comma is missing, as the L3+ forgets it.
    pub(super) lost_commas: bool,
}

impl Record {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// One more key at the end.
    #[must_use]
    pub(super) fn with(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Value>,
    ) -> Self {
        self.push(key, value);
        self
    }

    pub(super) fn push(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.0.push((key.into(), value.into()));
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| known == key)
    }

    /// As JSON without white space.
    pub(super) fn json(&self, form: Form) -> String {
        let mut out = String::new();
        self.write_json(&mut out, form);
        out
    }

    /// As JSON with one key a line, the way the shell scripts print it.
    pub(super) fn json_lines(&self) -> String {
        let mut out = String::from("{\n");
        for (place, (key, value)) in self.0.iter().enumerate() {
            if place > 0 {
                out.push_str(",\n");
            }
            write_text(&mut out, key);
            out.push(':');
            value.write_json(&mut out, Form::default());
        }
        out.push_str("\n}\n");
        out
    }

    /// As `key=value` between commas: the form of the API before JSON.
    pub(super) fn classic(&self) -> String {
        let mut out = String::new();
        for (place, (key, value)) in self.0.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            out.push_str(key);
            out.push('=');
            match value {
                Value::Text(text) => out.extend(text.chars().flat_map(classic_escape)),
                other => other.write_json(&mut out, Form::default()),
            }
        }
        out
    }

    fn write_json(&self, out: &mut String, form: Form) {
        out.push('{');
        for (place, (key, value)) in self.0.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            write_text(out, key);
            out.push(':');
            value.write_json(out, form);
        }
        out.push('}');
    }
}

impl Value {
    fn write_json(&self, out: &mut String, form: Form) {
        match self {
            Self::Text(text) => write_text(out, text),
            Self::Int(number) => put(out, format_args!("{number}")),
            Self::Real(number) => put(out, format_args!("{:?}", finite(*number))),
            Self::Fixed(number, digits) => put(out, format_args!("{:.digits$}", finite(*number))),
            Self::Flag(flag) => put(out, format_args!("{flag}")),
            Self::Record(record) => record.write_json(out, form),
            Self::List(values) => {
                out.push('[');
                let mut after_record = false;
                for (place, value) in values.iter().enumerate() {
                    let is_record = matches!(value, Self::Record(_));
                    if place > 0 && !(form.lost_commas && after_record && is_record) {
                        out.push(',');
                    }
                    value.write_json(out, form);
                    after_record = is_record;
                }
                out.push(']');
            }
        }
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a text does not fail.
    let _ = out.write_fmt(text);
}

/// No firmware prints what JSON cannot hold.
fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => put(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Marks of the classic form in a text stand behind a backslash.
fn classic_escape(c: char) -> impl Iterator<Item = char> {
    let marked = matches!(c, ',' | '|' | '=' | '\\');
    marked.then_some('\\').into_iter().chain([c])
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Record {
        Record::new()
            .with("GHS 5s", 9529.45)
            .with("av", 9310.0)
            .with("Diff", Value::Fixed(65536.0, 8))
            .with("When", 7_u64)
            .with("url", "a\"b\n")
            .with("up", true)
            .with("rows", vec![Record::new().with("a", 1), Record::new().with("b", f64::NAN)])
    }

    #[test]
    fn keys_keep_their_order_and_values_their_digits() {
        let whole = r#"{"GHS 5s":9529.45,"av":9310.0,"Diff":65536.00000000,"When":7,"url":"a\"b\n","up":true,"rows":[{"a":1},{"b":0.0}]}"#;
        assert_eq!(sample().json(Form::default()), whole);
        let lost = sample().json(Form { lost_commas: true });
        assert_eq!(lost, whole.replace("},{", "}{"));
    }

    #[test]
    fn the_classic_form_marks_its_separators() {
        let record = Record::new().with("URL", "tcp://a,b|c=d").with("Up", true).with("n", 1.5);
        assert_eq!(record.classic(), r"URL=tcp://a\,b\|c\=d,Up=true,n=1.5");
    }
    proptest! {
        #[test]
        fn any_text_and_number_is_written_as_json_that_means_it(
            key in any::<String>(), text in any::<String>(), number in -1e18_f64..1e18,
        ) {
            let record = Record::new().with(key.clone(), text.clone()).with("\u{1}n", number);
            for written in [record.json(Form::default()), record.json_lines()] {
                let read: serde_json::Value = serde_json::from_str(&written).expect("JSON");
                if key != "\u{1}n" {
                    prop_assert_eq!(&read[&key], &text);
                }
                // The reader rounds its last digit otherwise.
                let (read, number) = (read["\u{1}n"].as_f64(), finite(number));
                prop_assert!(read.is_some_and(|it| (it - number).abs() <= number.abs() * 1e-12));
            }
        }
    }
}
