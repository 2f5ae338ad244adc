//! The tables of a day's file, and rows as they are stored: one description for writing, the
//! chain, verification and export.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use sl_store::Values;
use sqlx::{Row as _, sqlite::SqliteRow};

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// A table of a day's file. The order is that of [`TABLES`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Table {
    /// Names of workers and sources; the others refer to the row.
    Names,
    /// The bit of each coin in sets of coins.
    Coins,
    Shares,
    Verdicts,
    Blocks,
    Jobs,
    Upstreams,
    Slots,
}

/// What a column holds, and how it is shown to people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A whole number.
    Int,
    /// A 32-bit number, stored with its sign because that takes fewer bytes.
    Bits32,
    /// Milliseconds since the file's day began.
    At,
    /// Seconds since the file's day began.
    Seconds,
    /// The row of a name.
    Name,
    /// A set of coins, by their bits.
    Coins,
    /// A verdict of ours.
    Judged,
    /// A word of a short list.
    Word(&'static [&'static str]),
    Real,
    Text,
    Bytes,
}

/// A table's name and columns behind `row`, which is the first of all.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
}

/// What a source says of a share.
pub(crate) const OUTCOMES: &[&str] = &["accepted", "stale", "rejected", "lost"];
/// What happens to a block.
pub(crate) const BLOCK_EVENTS: &[&str] = &["found", "accepted", "rejected", "orphaned"];
/// Whether a slot is held.
pub(crate) const SLOT_EVENTS: &[&str] = &["held", "released"];

use Kind::{At, Bits32, Bytes, Int, Name, Real, Seconds, Text, Word};

pub(crate) const TABLES: [(Table, Description); 8] = [
    (Table::Names, Description { name: "names", columns: &[("name", Text)] }),
    (Table::Coins, Description { name: "coins", columns: &[("bit", Int), ("ticker", Text)] }),
    (
        Table::Shares,
        Description {
            name: "shares",
            columns: &[
                ("at", At),
                ("worker", Name),
                ("slot", Int),
                ("job", Int),
                ("difficulty", Real),
                ("achieved", Real),
                ("judged", Kind::Judged),
                ("missed", Kind::Coins),
                ("ticket", Int),
                ("extranonce", Bytes),
                ("version", Bits32),
                ("ntime", Seconds),
                ("nonce", Bits32),
            ],
        },
    ),
    (
        Table::Verdicts,
        Description {
            name: "verdicts",
            columns: &[
                ("at", At),
                ("ticket", Int),
                ("worker", Name),
                ("source", Name),
                ("outcome", Word(OUTCOMES)),
                ("credited", Kind::Coins),
                ("missed", Kind::Coins),
                ("why", Text),
            ],
        },
    ),
    (
        Table::Blocks,
        Description {
            name: "blocks",
            columns: &[
                ("at", At),
                ("chain", Text),
                ("height", Int),
                ("hash", Text),
                ("worker", Name),
                ("job", Int),
                ("event", Word(BLOCK_EVENTS)),
                ("why", Text),
            ],
        },
    ),
    (
        Table::Jobs,
        Description {
            name: "jobs",
            columns: &[
                ("at", At),
                ("number", Int),
                ("source", Name),
                ("sequence", Int),
                ("epoch", Int),
                ("blob", Bytes),
            ],
        },
    ),
    (
        Table::Upstreams,
        Description {
            name: "upstreams",
            columns: &[("at", At), ("source", Name), ("event", Text), ("why", Text)],
        },
    ),
    (
        Table::Slots,
        Description {
            name: "slots",
            columns: &[
                ("at", At),
                ("slot", Int),
                ("event", Word(SLOT_EVENTS)),
                ("session", Text),
                ("worker", Name),
                ("address", Text),
                ("user_agent", Text),
                ("difficulty", Real),
            ],
        },
    ),
];

impl Table {
    pub(crate) const fn description(self) -> &'static Description {
        let [names, coins, shares, verdicts, blocks, jobs, upstreams, slots] = &TABLES;
        match self {
            Self::Names => &names.1,
            Self::Coins => &coins.1,
            Self::Shares => &shares.1,
            Self::Verdicts => &verdicts.1,
            Self::Blocks => &blocks.1,
            Self::Jobs => &jobs.1,
            Self::Upstreams => &upstreams.1,
            Self::Slots => &slots.1,
        }
    }
}

/// A stored value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(Arc<str>),
    Bytes(Vec<u8>),
}

/// A row as it is stored.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Stored {
    pub(crate) table: Table,
    /// Counts up through all tables of a file, without a gap.
    pub(crate) row: i64,
    pub(crate) cells: Vec<Cell>,
}

impl Cell {
    pub(crate) const fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) const fn real(&self) -> Option<f64> {
        match self {
            Self::Real(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) const fn text(&self) -> Option<&Arc<str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn read(row: &SqliteRow, at: usize, kind: Kind) -> Result<Self, sqlx::Error> {
        let cell = match kind {
            Real => row.try_get::<Option<f64>, _>(at)?.map(Self::Real),
            Text => row.try_get::<Option<String>, _>(at)?.map(|text| Self::Text(text.into())),
            Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Self::Bytes),
            _ => row.try_get::<Option<i64>, _>(at)?.map(Self::Int),
        };
        Ok(cell.unwrap_or(Self::Null))
    }

    fn bind(&self, values: &mut Values) {
        match self {
            Self::Null => values.add(None::<i64>),
            Self::Int(number) => values.add(*number),
            Self::Real(number) => values.add(*number),
            Self::Text(text) => values.add(Arc::clone(text)),
            Self::Bytes(bytes) => values.add(bytes.clone()),
        }
    }
}

impl Stored {
    /// The cell of a column; `Null` for one that the table does not have.
    pub(crate) fn cell(&self, column: &str) -> &Cell {
        let columns = self.table.description().columns.iter();
        let mut both = columns.zip(&self.cells);
        both.find(|((name, _), _)| *name == column).map_or(&Cell::Null, |(_, cell)| cell)
    }

    /// A row of a statement that selects `row` and then all columns.
    pub(crate) fn read(table: Table, row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let columns = table.description().columns.iter().zip(1..);
        let cells = columns.map(|((_, kind), at)| Cell::read(row, at, *kind));
        Ok(Self { table, row: row.try_get(0)?, cells: cells.collect::<Result<_, _>>()? })
    }

    /// The values in the order of [`Description::insert_columns`].
    pub(crate) fn bind(&self, values: &mut Values) {
        values.add(self.row);
        self.cells.iter().for_each(|cell| cell.bind(values));
    }

    /// Puts everything that is stored into the chain, so that nothing of it can be changed, left
    /// out or moved unseen.
    pub(crate) fn chain(&self, to: &mut Sha256) {
        let mut bytes = Vec::with_capacity(160);
        bytes.push(self.table as u8);
        bytes.extend(self.row.to_le_bytes());
        for cell in &self.cells {
            match cell {
                Cell::Null => bytes.push(0),
                Cell::Int(number) => {
                    bytes.push(1);
                    bytes.extend(number.to_le_bytes());
                }
                Cell::Real(number) => {
                    bytes.push(2);
                    bytes.extend(number.to_bits().to_le_bytes());
                }
                Cell::Text(text) => put(&mut bytes, 3, text.as_bytes()),
                Cell::Bytes(blob) => put(&mut bytes, 4, blob),
            }
        }
        to.update(&bytes);
    }
}

fn put(bytes: &mut Vec<u8>, tag: u8, piece: &[u8]) {
    bytes.push(tag);
    bytes.extend((piece.len() as u64).to_le_bytes());
    bytes.extend_from_slice(piece);
}

impl Description {
    /// The columns of an insert: `row` and the table's own.
    pub(crate) fn insert_columns(&self) -> Vec<&'static str> {
        std::iter::once("row").chain(self.columns.iter().map(|(name, _)| *name)).collect()
    }
}
