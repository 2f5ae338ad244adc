//! The layer that turns events into lines: fields are collected and masked here, and written in
//! the style that was asked for.

use crate::console::Console;
use crate::format::{self, Line, SpanLine};
use crate::mask::{MASK, Masker};
use crate::setup::{LogStyle, Settings, WallClock};
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A value longer than this many bytes is cut: what comes from the network may be long.
const LONGEST_VALUE: usize = 4096;

/// The layer; made by [`crate::Logs::new`].
pub struct LogLayer {
    style: LogStyle,
    colour: bool,
    masker: Masker,
    now: WallClock,
    console: Console,
}

impl LogLayer {
    pub(crate) fn new(settings: &Settings, console: Console) -> Self {
        Self {
            style: settings.style,
            colour: settings.colour && settings.terminal,
            masker: settings.masker.clone(),
            now: settings.now.clone(),
            console,
        }
    }

    fn collect(&self, record: impl FnOnce(&mut Collector<'_>)) -> Fields {
        let mut collector = Collector { masker: &self.masker, fields: Vec::new() };
        record(&mut collector);
        collector.fields
    }
}

impl fmt::Debug for LogLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLayer").field("style", &self.style).finish_non_exhaustive()
    }
}

/// Names and masked values, in the order of the code.
pub(crate) type Fields = Vec<(&'static str, serde_json::Value)>;

/// What is kept with a span.
struct SpanFields(Fields);

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let fields = self.collect(|collector| attributes.record(collector));
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let new = self.collect(|collector| values.record(collector));
            if let Some(SpanFields(fields)) = span.extensions_mut().get_mut() {
                fields.retain(|(name, _)| new.iter().all(|(other, _)| name != other));
                fields.extend(new);
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = self.collect(|collector| event.record(collector));
        let message = fields
            .iter()
            .position(|(name, _)| *name == "message")
            .map(|at| format::plain(&fields.remove(at).1))
            .unwrap_or_default();
        let spans = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let spans = spans.map(|span| SpanLine {
            name: span.name(),
            fields: span
                .extensions()
                .get::<SpanFields>()
                .map(|fields| fields.0.clone())
                .unwrap_or_default(),
        });
        let metadata = event.metadata();
        let line = Line {
            at: (self.now)(),
            level: *metadata.level(),
            target: metadata.target(),
            message,
            fields,
            spans: spans.collect(),
        };
        self.console.write_line(&match self.style {
            LogStyle::Pretty => format::pretty(&line, self.colour),
            LogStyle::Json => format::json(&line),
        });
    }
}

/// Collects the fields of one event or span, masked.
struct Collector<'a> {
    masker: &'a Masker,
    fields: Fields,
}

impl Collector<'_> {
    fn add(&mut self, field: &Field, value: serde_json::Value) {
        let name = field.name();
        let value = if Masker::is_secret_name(name) { MASK.into() } else { self.masked(value) };
        self.fields.push((name, value));
    }

    /// Texts and numbers alike: a secret may be a number.
    fn masked(&self, value: serde_json::Value) -> serde_json::Value {
        let text = format::plain(&value);
        let masked = self.masker.mask(&text);
        if masked == text && text.len() <= LONGEST_VALUE {
            return value;
        }
        // Cut after masking: a cut secret would not be found.
        let cut = masked.floor_char_boundary(LONGEST_VALUE);
        let rest = if cut < masked.len() { "…" } else { "" };
        format!("{}{rest}", masked.get(..cut).unwrap_or_default()).into()
    }
}

impl Visit for Collector<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no number for infinity and its like; their names tell more than null.
        let number = serde_json::Number::from_f64(value);
        self.add(field, number.map_or_else(|| value.to_string().into(), serde_json::Value::from));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(value.source(), |&error| error.source());
        let text = causes.fold(value.to_string(), |text, cause| format!("{text}: {cause}"));
        self.add(field, text.into());
    }
}
