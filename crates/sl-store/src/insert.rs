use std::sync::Arc;

use sqlx::{Arguments as _, AssertSqlSafe, Encode, Sqlite, SqliteConnection, Type};

/// Rows of one statement, largest first: each number of rows is a sum of these, so that a handful
/// of prepared statements does for all.
const SIZES: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// Many rows into one table with few statements.
#[derive(Debug)]
pub struct Insert {
    statements: [Arc<str>; SIZES.len()],
    columns: usize,
}

/// The values of the rows of one statement, in the order of the columns.
#[derive(Debug, Default)]
pub struct Values(sqlx::sqlite::SqliteArguments);

impl Insert {
    /// Rows for these columns of a table. `conflict` is what stands behind the rows, as in
    /// `ON CONFLICT DO NOTHING`; it may be empty.
    #[must_use]
    pub fn new(table: &'static str, columns: &[&'static str], conflict: &str) -> Self {
        let row = format!("({})", vec!["?"; columns.len()].join(","));
        let names = columns.join(",");
        let statement = |rows: usize| {
            let rows = vec![row.as_str(); rows].join(",");
            format!("INSERT INTO {table}({names}) VALUES {rows} {conflict}").into()
        };
        Self { statements: SIZES.map(statement), columns: columns.len() }
    }

    /// Inserts the rows; `bind` gives the values of one.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn rows<R>(
        &self,
        connection: &mut SqliteConnection,
        mut rows: &[R],
        bind: impl Fn(&R, &mut Values),
    ) -> Result<(), sqlx::Error> {
        for (size, statement) in SIZES.into_iter().zip(&self.statements) {
            while let Some((now, rest)) = rows.split_at_checked(size) {
                let mut values = Values::default();
                values.0.reserve(size * self.columns, 0);
                for row in now {
                    bind(row, &mut values);
                }
                let query = sqlx::query_with(AssertSqlSafe(Arc::clone(statement)), values.0);
                query.execute(&mut *connection).await?;
                rows = rest;
            }
        }
        Ok(())
    }
}

impl Values {
    /// The next value.
    pub fn add<'v>(&mut self, value: impl Encode<'v, Sqlite> + Type<Sqlite>) {
        let added = self.0.add(value);
        debug_assert!(added.is_ok(), "numbers, texts and bytes have an encoding: {added:?}");
    }
}
