//! What a call on 4028 answers with, below its status.

use super::record::Record;

/// A named list of rows.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) rows: Vec<Record>,
    /// Whether the classic form says the name before each row.
    pub(super) named: bool,
}

impl Section {
    /// Rows that the classic form names.
    pub(super) const fn named(name: &'static str, rows: Vec<Record>) -> Self {
        Self { name, rows, named: true }
    }

    /// Rows whose first key tells what they are.
    pub(super) const fn rows(name: &'static str, rows: Vec<Record>) -> Self {
        Self { name, rows, named: false }
    }
}
