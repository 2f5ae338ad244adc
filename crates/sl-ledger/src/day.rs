use std::{collections::VecDeque, path::Path, sync::LazyLock};

use sha2::{Digest as _, Sha256};
use sl_store::{Access, Database, Durability, Insert, StoreError};
use sl_units::Wall;
use sl_work::JobId;
use sqlx::Row as _;

use crate::{
    Entry, JobEntry, LedgerError,
    dictionary::Dictionary,
    draft::{Draft, Drafted},
    files::{day_path, day_text, millis},
    schema,
    table::{Description, Stored, TABLES, Table},
};

/// The running hash over all rows of a file: each commit's is that of the one before and of its
/// own rows. Half of a SHA-256: what somebody else chose cannot be met again.
pub(crate) type Chain = [u8; 16];

/// Rows that are read at once.
pub(crate) const WINDOW: i64 = 8192;

/// The statements that fill the tables, in their order.
static INSERTS: LazyLock<Vec<Insert>> = LazyLock::new(|| {
    let insert =
        |(_, table): &(Table, Description)| Insert::new(table.name, &table.insert_columns(), "");
    TABLES.iter().map(insert).collect()
});

/// The file of one day, open.
#[derive(Debug)]
pub(crate) struct DayFile {
    pub(crate) database: Database,
    pub(crate) head: Head,
    /// The last row, and with it the last commit.
    pub(crate) last: i64,
    pub(crate) chain: Chain,
    pub(crate) dictionary: Dictionary,
}

/// What a file says of itself in its first row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) day: i64,
    /// When it was made, in milliseconds since 1970.
    pub(crate) begun: i64,
    /// The file that was the newest then, and where its chain was; empty for the first.
    pub(crate) follows: String,
    pub(crate) follows_chain: Vec<u8>,
}

impl Head {
    /// Where the chain of the file begins.
    pub(crate) fn chain(&self) -> Chain {
        let mut hash = Sha256::new_with_prefix(b"silverlode journal, schema 1");
        hash.update(self.day.to_le_bytes());
        hash.update(self.begun.to_le_bytes());
        hash.update((self.follows.len() as u64).to_le_bytes());
        hash.update(self.follows.as_bytes());
        hash.update(&self.follows_chain);
        cut(hash)
    }

    /// What tells this file from all others, another one of the same day included.
    pub(crate) fn identity(&self) -> String {
        chain_text(&self.chain())
    }
}

/// The value of a chain out of its hash.
pub(crate) fn cut(hash: Sha256) -> Chain {
    let mut chain = Chain::default();
    chain.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    chain
}

/// A chain's value for people.
pub(crate) fn chain_text(chain: &[u8]) -> String {
    chain.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl DayFile {
    /// Opens the file of a day, or makes it: it then follows `former`, a file's name and chain.
    ///
    /// # Errors
    /// What [`Database::open`] says; a file whose commits and rows do not end together is damaged.
    pub(crate) async fn open(
        folder: &Path,
        day: i64,
        now: Wall,
        most_pages: Option<u32>,
        former: Option<(String, Chain)>,
    ) -> Result<Self, LedgerError> {
        let path = day_path(folder, day);
        let access = Access { durability: Durability::EveryCommit, most_pages, shrinks: false };
        let mut database = Database::open(&path, &schema::DAY, access).await?;
        match begin(&mut database, day, now, former).await {
            Ok(()) => Self::over(database, Some(day)).await,
            Err(error) => Err(database.leave(error).await.into()),
        }
    }

    /// Opens a file for reading, beside whoever writes it.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub(crate) async fn open_read(path: &Path) -> Result<Self, LedgerError> {
        let mut database = Database::open_read(path, &schema::DAY).await?;
        // One view of the file, whatever is committed meanwhile.
        database.run("read", "BEGIN").await?;
        let mut file = Self::over(database, None).await?;
        file.database.run("read", "COMMIT").await?;
        Ok(file)
    }

    /// Opens a file that is there already, to bring it up to date and read it.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub(crate) async fn open_old(path: &Path) -> Result<Self, LedgerError> {
        let access =
            Access { durability: Durability::EveryCommit, most_pages: None, shrinks: false };
        Self::over(Database::open(path, &schema::DAY, access).await?, None).await
    }

    /// The file of an open database; one that is refused is closed, since it may be set aside.
    async fn over(mut database: Database, day: Option<i64>) -> Result<Self, LedgerError> {
        let (head, last, chain) = match ends(&mut database, day).await {
            Ok(ends) => ends,
            Err(error) => return Err(database.leave(error).await.into()),
        };
        let mut file = Self { database, head, last, chain, dictionary: Dictionary::default() };
        match file.learn().await {
            Ok(()) => Ok(file),
            Err(error) => Err(file.database.leave(error).await.into()),
        }
    }

    /// Reads the dictionary, and whether rows and commits end together.
    async fn learn(&mut self) -> Result<(), StoreError> {
        for table in [Table::Names, Table::Coins] {
            for stored in self.rows_of(table, 0, i64::MAX).await? {
                self.dictionary.learn(&stored);
            }
        }
        let (end, last) = (self.end().await?, self.last);
        if end != last {
            let why = format!("its commits end at row {last}, its rows at {end}");
            return Err(damaged(&self.database, why));
        }
        Ok(())
    }

    /// Writes entries in one transaction; they are on the disk when this returns. `jobs` are those
    /// of before, oldest first.
    ///
    /// # Errors
    /// No room, damage, or what else SQLite says; then nothing of it is in the file.
    pub(crate) async fn commit(
        &mut self,
        entries: &[Entry],
        jobs: &VecDeque<JobEntry>,
    ) -> Result<Drafted, LedgerError> {
        let drafted = {
            let number = |id: &JobId| number_of(id, entries, jobs);
            let (day, last) = (self.head.day, self.last);
            let mut draft = Draft::new(&mut self.dictionary, &number, day, last, &self.chain);
            entries.iter().for_each(|entry| draft.entry(entry));
            draft.finish()
        };
        match self.write(&drafted).await {
            Ok(()) => {
                self.last = drafted.last;
                self.chain = drafted.chain;
                Ok(drafted)
            }
            Err(error) => {
                self.database.undo().await;
                drafted.rows.iter().rev().for_each(|stored| self.dictionary.forget(stored));
                Err(error.into())
            }
        }
    }

    async fn write(&mut self, drafted: &Drafted) -> Result<(), StoreError> {
        let mut by_table: [Vec<&Stored>; TABLES.len()] = Default::default();
        for stored in &drafted.rows {
            if let Some(rows) = by_table.get_mut(stored.table as usize) {
                rows.push(stored);
            }
        }
        let connection = self.database.connection();
        let written = async {
            // One way to SQLite's thread for both: the way is what costs.
            sqlx::query("BEGIN IMMEDIATE; INSERT INTO commits VALUES(?, ?)")
                .bind(drafted.last)
                .bind(drafted.chain.to_vec())
                .execute(&mut *connection)
                .await?;
            for (rows, insert) in by_table.iter().zip(INSERTS.iter()) {
                insert.rows(connection, rows, |stored, values| stored.bind(values)).await?;
            }
            Ok(())
        };
        match written.await {
            Ok(()) => self.database.commit().await,
            Err(error) => Err(self.database.error("write to", &error)),
        }
    }

    /// The rows of a table behind one row and up to another, in order.
    pub(crate) async fn rows_of(
        &mut self,
        table: Table,
        after: i64,
        upto: i64,
    ) -> Result<Vec<Stored>, StoreError> {
        let description = table.description();
        let columns = description.insert_columns().join(",");
        let statement = format!(
            "SELECT {columns} FROM {} WHERE row > ?1 AND row <= ?2 ORDER BY row",
            description.name
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(after)
            .bind(upto)
            .fetch_all(self.database.connection())
            .await;
        rows.and_then(|rows| rows.iter().map(|row| Stored::read(table, row)).collect())
            .map_err(|error| self.database.error("read", &error))
    }

    /// The rows of all tables behind one row and up to another, in order.
    pub(crate) async fn rows(&mut self, after: i64, upto: i64) -> Result<Vec<Stored>, StoreError> {
        let mut all = Vec::new();
        for (table, _) in TABLES {
            all.extend(self.rows_of(table, after, upto).await?);
        }
        all.sort_by_key(|stored| stored.row);
        Ok(all)
    }

    /// The commits behind one row and up to another, in order.
    pub(crate) async fn commits(
        &mut self,
        after: i64,
        upto: i64,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = sqlx::query_as("SELECT row, chain FROM commits WHERE row > ?1 AND row <= ?2")
            .bind(after)
            .bind(upto)
            .fetch_all(self.database.connection())
            .await;
        rows.map_err(|error| self.database.error("read", &error))
    }

    /// The last row of all tables.
    async fn end(&mut self) -> Result<i64, StoreError> {
        let last = |(_, table): &(Table, Description)| {
            format!("SELECT coalesce(max(row), 0) AS last FROM {}", table.name)
        };
        let all: Vec<_> = TABLES.iter().map(last).collect();
        let statement = format!("SELECT max(last) FROM ({})", all.join(" UNION ALL "));
        let row =
            sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_one(self.database.connection()).await;
        let end = row.and_then(|row| row.try_get(0));
        end.map_err(|error| self.database.error("read", &error))
    }
}

/// Writes the first row of a file that has none.
async fn begin(
    database: &mut Database,
    day: i64,
    now: Wall,
    former: Option<(String, Chain)>,
) -> Result<(), StoreError> {
    if read_head(database).await?.is_some() {
        return Ok(());
    }
    let (follows, chain) = former.unwrap_or_default();
    let made = sqlx::query("INSERT INTO file VALUES(?1, ?2, ?3, ?4)")
        .bind(day)
        .bind(millis(now))
        .bind(follows)
        .bind(chain.to_vec())
        .execute(database.connection())
        .await;
    made.map(|_| ()).map_err(|error| database.error("write to", &error))
}

/// What a file says of itself, its last row and where its chain is.
async fn ends(database: &mut Database, day: Option<i64>) -> Result<(Head, i64, Chain), StoreError> {
    let Some(head) = read_head(database).await? else {
        return Err(damaged(database, "it does not say which day it is of".into()));
    };
    if day.is_some_and(|day| day != head.day) {
        let why = format!("it says that it is of {}", day_text(head.day));
        return Err(damaged(database, why));
    }
    let last = sqlx::query_as::<_, (i64, Vec<u8>)>(
        "SELECT row, chain FROM commits ORDER BY row DESC LIMIT 1",
    )
    .fetch_optional(database.connection())
    .await;
    let last = last.map_err(|error| database.error("read", &error))?;
    let (last, chain) = last.unwrap_or_else(|| (0, head.chain().to_vec()));
    match Chain::try_from(chain) {
        Ok(chain) => Ok((head, last, chain)),
        Err(_) => Err(damaged(database, "its last commit has no chain value".into())),
    }
}

/// The number of the last job of that name, among those that are being written and those before.
fn number_of(id: &JobId, entries: &[Entry], before: &VecDeque<JobEntry>) -> Option<u64> {
    let now = entries.iter().filter_map(|entry| match entry {
        Entry::Job(job) => Some(job),
        _ => None,
    });
    let mut jobs = before.iter().chain(now).rev();
    let found = jobs.find(|job| job.source == id.source && job.sequence == id.sequence)?;
    Some(found.number)
}

fn damaged(database: &Database, why: String) -> StoreError {
    StoreError::Damaged { path: database.path().to_path_buf(), why }
}

async fn read_head(database: &mut Database) -> Result<Option<Head>, StoreError> {
    let row = sqlx::query("SELECT day, begun, follows, follows_chain FROM file")
        .fetch_optional(database.connection())
        .await;
    let head = row.and_then(|row| {
        let head = |row: sqlx::sqlite::SqliteRow| {
            Ok(Head {
                day: row.try_get(0)?,
                begun: row.try_get(1)?,
                follows: row.try_get(2)?,
                follows_chain: row.try_get(3)?,
            })
        };
        row.map(head).transpose()
    });
    head.map_err(|error| database.error("read", &error))
}
