//! A line in its two styles.

use crate::layer::Fields;
use serde_json::Value;
use sl_units::Wall;
use std::fmt::Write;
use tracing::Level;

/// What a line says; every value is masked.
pub(crate) struct Line<'a> {
    pub(crate) at: Wall,
    pub(crate) level: Level,
    pub(crate) target: &'a str,
    pub(crate) message: String,
    pub(crate) fields: Fields,
    /// From the outermost to the innermost.
    pub(crate) spans: Vec<SpanLine>,
}

/// A span that the event happened in.
pub(crate) struct SpanLine {
    pub(crate) name: &'static str,
    pub(crate) fields: Fields,
}

/// `15:04:05 INFO  gateway: message key=value [service id=gateway]`
pub(crate) fn pretty(line: &Line<'_>, colour: bool) -> String {
    let paint = |code: &'static str| if colour { code } else { "" };
    let (dim, reset) = (paint("\x1b[2m"), paint("\x1b[0m"));
    let level = paint(match line.level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    });
    let mut text = format!(
        "{dim}{}{reset} {level}{:<5}{reset} {dim}{}:{reset} ",
        timestamp(line.at).strftime("%H:%M:%S"),
        line.level.as_str(),
        line.target.strip_prefix("sl_").unwrap_or(line.target),
    );
    push_safe(&mut text, &line.message);
    push_fields(&mut text, &line.fields);
    for span in &line.spans {
        text.push(' ');
        text.push_str(dim);
        text.push('[');
        text.push_str(span.name);
        push_fields(&mut text, &span.fields);
        text.push(']');
        text.push_str(reset);
    }
    text.push('\n');
    text
}

fn push_fields(text: &mut String, fields: &Fields) {
    for (name, value) in fields {
        let value = plain(value);
        let bare = !value.is_empty() && !value.contains([' ', '"', '=']);
        text.push(' ');
        text.push_str(name);
        text.push('=');
        if bare {
            push_safe(text, &value);
        } else {
            text.push('"');
            push_safe(text, &value.replace('"', "\\\""));
            text.push('"');
        }
    }
}

/// Appends a text that may come from the network: a line feed must not make a second line, nor an
/// escape sequence paint on somebody's terminal.
fn push_safe(text: &mut String, value: &str) {
    for c in value.chars() {
        // Besides the controls, those that turn the direction of writing.
        if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
}

/// One JSON object: `ts` (RFC 3339, UTC, milliseconds), `level`, `target`, `message`, `fields`,
/// and `spans` where there are any, the innermost last. Written by hand only to keep this order.
pub(crate) fn json(line: &Line<'_>) -> String {
    let mut text = format!(
        r#"{{"ts":"{:.3}","level":"{}","target":{},"message":{},"fields":{}"#,
        timestamp(line.at),
        line.level.as_str(),
        Value::from(line.target),
        Value::from(line.message.as_str()),
        object(&line.fields, None),
    );
    if !line.spans.is_empty() {
        let spans = line.spans.iter().map(|span| object(&span.fields, Some(span.name)));
        // Writing to a string cannot fail.
        let _infallible = write!(text, r#","spans":{}"#, spans.collect::<Value>());
    }
    text.push_str("}\n");
    text
}

fn object(fields: &Fields, span: Option<&str>) -> Value {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let span = span.map(|name| ("span".to_owned(), Value::from(name)));
    Value::Object(fields.chain(span).collect())
}

/// A value as people read it: a text without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn timestamp(at: Wall) -> jiff::Timestamp {
    let millis = i64::try_from(at.millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX)
}
