use std::{io::Write, path::Path};

use serde_json::{Map, Value};
use sl_units::Wall;

use crate::{
    Judged, LedgerError,
    day::{DayFile, WINDOW},
    files::{self, day_of, millis},
    table::{Cell, DAY_MS, Kind, Stored, Table},
};

/// What an export looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A line of column names, then one line a row.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

macro_rules! exported {
    ($($(#[$doc:meta])* $name:ident $word:literal,)+) => {
        /// What can be exported.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Exported { $($(#[$doc])* $name,)+ }

        impl Exported {
            /// All of them with their words.
            pub const ALL: &[(&'static str, Self)] = &[$(($word, Self::$name)),+];

            const fn table(self) -> Table {
                match self { $(Self::$name => Table::$name,)+ }
            }
        }
    };
}

exported! {
    /// Shares with our verdict.
    Shares "shares",
    /// The sources' verdicts on those that went up.
    Verdicts "verdicts",
    /// What happened to blocks.
    Blocks "blocks",
    /// Jobs that were given out.
    Jobs "jobs",
    /// Changes of the sources.
    Upstreams "upstreams",
    /// Slots of machines.
    Slots "slots",
}

/// Writes all rows of a kind from one instant to before another, in the order in which they were
/// written, also while the journal is written. How many there were.
///
/// # Errors
/// No journal, a file that cannot be read, or the output broke.
pub async fn export(
    folder: &Path,
    what: Exported,
    from: Wall,
    to: Wall,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<u64, LedgerError> {
    let found = if folder.exists() { files::list(folder)? } else { Vec::new() };
    if found.is_empty() {
        return Err(LedgerError::Nothing { path: folder.to_path_buf() });
    }
    let table = what.table();
    if format == Format::Csv {
        writeln!(out, "{}", names(table).join(","))?;
    }
    let days = day_of(from)..=day_of(to);
    let mut count = 0;
    for found in found.iter().filter(|found| !found.aside && days.contains(&found.day)) {
        let mut file = DayFile::open_read(&found.path).await?;
        let begin = file.head.day * DAY_MS;
        let wanted = millis(from) - begin..millis(to).saturating_sub(begin);
        let mut after = 0;
        while after < file.last {
            let upto = (after + WINDOW).min(file.last);
            for stored in file.rows_of(table, after, upto).await? {
                let at = stored.cells.first().and_then(Cell::int);
                if at.is_some_and(|at| wanted.contains(&at)) {
                    write_row(&file, &stored, format, out)?;
                    count += 1;
                }
            }
            after = upto;
        }
    }
    out.flush()?;
    Ok(count)
}

/// The names of the fields.
fn names(table: Table) -> Vec<&'static str> {
    let mut names = vec!["day", "row"];
    for (name, kind) in table.description().columns {
        match kind {
            Kind::Judged => names.extend(["outcome", "reason"]),
            _ => names.push(name),
        }
    }
    names
}

fn write_row(
    file: &DayFile,
    stored: &Stored,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<(), LedgerError> {
    let values = values(file, stored);
    match format {
        Format::JsonLines => {
            let names = names(stored.table).into_iter().map(str::to_owned);
            let object: Map<String, Value> = names.zip(values).collect();
            serde_json::to_writer(&mut *out, &object).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        Format::Csv => {
            let fields: Vec<_> = values.iter().map(field).collect();
            writeln!(out, "{}", fields.join(","))?;
        }
    }
    Ok(())
}

/// The values of the fields, in the order of their names.
fn values(file: &DayFile, stored: &Stored) -> Vec<Value> {
    let mut values = vec![files::day_text(file.head.day).into(), stored.row.into()];
    let columns = stored.table.description().columns;
    for ((_, kind), cell) in columns.iter().zip(&stored.cells) {
        match (kind, cell) {
            (Kind::Judged, Cell::Int(code)) => values.extend(match Judged::of_code(*code) {
                Some(Judged::Rejected(reason)) => ["rejected".into(), reason.word().into()],
                Some(judged) => [judged.word().into(), Value::Null],
                None => [Value::Null, code.to_string().into()],
            }),
            _ => values.push(value(file, *kind, cell)),
        }
    }
    values
}

fn value(file: &DayFile, kind: Kind, cell: &Cell) -> Value {
    match (kind, cell) {
        (_, Cell::Null) => Value::Null,
        (Kind::At, Cell::Int(at)) => {
            let at = jiff::Timestamp::from_millisecond(file.head.day * DAY_MS + at);
            at.map_or(Value::Null, |at| format!("{at:.3}").into())
        }
        (Kind::Seconds, Cell::Int(at)) => (file.head.day * 86_400 + at).into(),
        (Kind::Bits32, Cell::Int(bits)) => {
            i32::try_from(*bits).map_or(Value::Null, |bits| bits.cast_unsigned().into())
        }
        (Kind::Name, Cell::Int(row)) => {
            file.dictionary.name_at(*row).map_or(Value::Null, |name| name.as_ref().into())
        }
        (Kind::Coins, Cell::Int(set)) => {
            file.dictionary.coins_of(*set).map(|coin| Value::from(coin.as_ref())).collect()
        }
        (Kind::Word(words), Cell::Int(at)) => {
            let word = usize::try_from(*at).ok().and_then(|at| words.get(at));
            word.map_or(Value::Null, |word| (*word).into())
        }
        (_, Cell::Int(number)) => (*number).into(),
        (_, Cell::Real(number)) => (*number).into(),
        (_, Cell::Text(text)) => text.as_ref().into(),
        (_, Cell::Bytes(bytes)) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
    }
}

/// A field of a line of comma-separated values, RFC 4180.
fn field(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let words: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            words.join("+")
        }
        other => other.to_string(),
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
