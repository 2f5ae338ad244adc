use std::{collections::HashMap, sync::Arc};

use crate::table::{Cell, Stored, Table};

/// Names that a day's file may hold; further ones are one.
const MOST_NAMES: usize = 100_000;
/// The name of all further ones.
const MORE: &str = "(more names)";
/// Bytes of a name that are kept.
const NAME_BYTES: usize = 255;
/// Coins that a set can hold.
const MOST_COINS: usize = 62;

/// The names and coins of one day's file.
#[derive(Clone, Default, Debug)]
pub(crate) struct Dictionary {
    rows: HashMap<Arc<str>, i64>,
    names: HashMap<i64, Arc<str>>,
    /// By bit.
    coins: Vec<Arc<str>>,
}

/// A word on its way into the file.
#[derive(Debug)]
pub(crate) enum Word {
    /// The file has it: its row, or its bit.
    Known(i64),
    /// This row has to be put before the one that uses it.
    New(Stored),
}

impl Dictionary {
    /// Takes up a row of names or coins; others change nothing.
    pub(crate) fn learn(&mut self, stored: &Stored) {
        match (stored.table, stored.cells.as_slice()) {
            (Table::Names, [Cell::Text(name)]) => {
                self.rows.insert(Arc::clone(name), stored.row);
                self.names.insert(stored.row, Arc::clone(name));
            }
            (Table::Coins, [Cell::Int(_), Cell::Text(ticker)]) => {
                self.coins.push(Arc::clone(ticker));
            }
            _ => {}
        }
    }

    /// Forgets a row again that did not come onto the disk.
    pub(crate) fn forget(&mut self, stored: &Stored) {
        match stored.table {
            Table::Names => {
                if let Some(name) = self.names.remove(&stored.row) {
                    self.rows.remove(&name);
                }
            }
            Table::Coins => {
                self.coins.pop();
            }
            _ => {}
        }
    }

    /// The row of a name; a new one would stand at `next`.
    pub(crate) fn name(&self, name: &str, next: i64) -> Word {
        let mut name = &name[..name.floor_char_boundary(NAME_BYTES)];
        if let Some(row) = self.rows.get(name) {
            return Word::Known(*row);
        }
        if self.rows.len() >= MOST_NAMES {
            name = MORE;
            if let Some(row) = self.rows.get(name) {
                return Word::Known(*row);
            }
        }
        let cells = vec![Cell::Text(name.into())];
        Word::New(Stored { table: Table::Names, row: next, cells })
    }

    /// The bit of a coin; a new one would stand at `next`.
    pub(crate) fn coin(&self, ticker: &str, next: i64) -> Word {
        let known = self.coins.iter().position(|coin| **coin == *ticker);
        let bit = known.unwrap_or(self.coins.len()).min(MOST_COINS);
        let number = i64::try_from(bit).unwrap_or(i64::MAX);
        if known.is_some() || bit == MOST_COINS {
            return Word::Known(number);
        }
        let cells = vec![Cell::Int(number), Cell::Text(ticker.into())];
        Word::New(Stored { table: Table::Coins, row: next, cells })
    }

    /// The name that stands at a row.
    pub(crate) fn name_at(&self, row: i64) -> Option<&Arc<str>> {
        self.names.get(&row)
    }

    /// The tickers of a set.
    pub(crate) fn coins_of(&self, set: i64) -> impl Iterator<Item = &Arc<str>> {
        self.coins.iter().enumerate().filter(move |(bit, _)| set >> bit & 1 == 1).map(|(_, it)| it)
    }
}
