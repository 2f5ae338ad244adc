use std::sync::{Arc, OnceLock};

use sqlx::{Arguments as _, AssertSqlSafe, Encode, Sqlite, SqliteConnection, Type};

/// The most rows of one statement. Each number of rows up to this has a statement of its own: a
/// statement is a way to SQLite's thread and back, which costs more than its rows.
pub(crate) const ROWS: usize = 64;

/// Many rows into one table with few statements, which are prepared once.
#[derive(Debug)]
pub struct Insert {
    head: String,
    row: String,
    conflict: String,
    columns: usize,
    /// By number of rows, less one.
    statements: [OnceLock<Arc<str>>; ROWS],
}

/// The values of the rows of one statement, in the order of the columns.
#[derive(Debug, Default)]
pub struct Values(sqlx::sqlite::SqliteArguments);

impl Insert {
    /// Rows for these columns of a table. `conflict` is what stands behind the rows, as in
    /// `ON CONFLICT DO NOTHING`; it may be empty.
    #[must_use]
    pub fn new(table: &'static str, columns: &[&'static str], conflict: &str) -> Self {
        Self {
            head: format!("INSERT INTO {table}({}) VALUES ", columns.join(",")),
            row: format!("({})", vec!["?"; columns.len()].join(",")),
            conflict: format!(" {conflict}"),
            columns: columns.len(),
            statements: [const { OnceLock::new() }; ROWS],
        }
    }

    /// Inserts the rows; `bind` gives the values of one.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn rows<R>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[R],
        bind: impl Fn(&R, &mut Values),
    ) -> Result<(), sqlx::Error> {
        for (rows, statement) in rows.chunks(ROWS).filter_map(|rows| {
            // Chunks are never empty and never longer than there are statements.
            Some((rows, self.statements.get(rows.len().checked_sub(1)?)?))
        }) {
            let mut values = Values::default();
            values.0.reserve(rows.len() * self.columns, 0);
            for row in rows {
                bind(row, &mut values);
            }
            let statement = statement.get_or_init(|| self.statement(rows.len()));
            let query = sqlx::query_with(AssertSqlSafe(Arc::clone(statement)), values.0);
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }

    fn statement(&self, rows: usize) -> Arc<str> {
        let rows = vec![self.row.as_str(); rows].join(",");
        format!("{}{rows}{}", self.head, self.conflict).into()
    }
}

impl Values {
    /// The next value.
    pub fn add<'v>(&mut self, value: impl Encode<'v, Sqlite> + Type<Sqlite>) {
        let added = self.0.add(value);
        debug_assert!(added.is_ok(), "numbers, texts and bytes have an encoding: {added:?}");
    }
}
