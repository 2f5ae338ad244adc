use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::StoreError;

/// How long a writer or reader waits for another process that holds the file's lock.
const BUSY: Duration = Duration::from_secs(10);

/// What a kind of file looks like, and how older ones become so.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// SQLite's application id: four letters that say whose file it is.
    pub application: i32,
    /// Step n brings schema n to n + 1; the first makes an empty file schema 1. A step that was
    /// released is never changed.
    pub steps: &'static [&'static str],
}

impl Schema {
    /// The schema that files have after all steps.
    #[must_use]
    pub fn version(&self) -> i64 {
        i64::try_from(self.steps.len()).unwrap_or(i64::MAX)
    }
}

/// When a commit counts as done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// When it is on the disk: a power cut loses nothing that was committed.
    EveryCommit,
    /// When the operating system has it: a power cut may undo the last commits, whole and in
    /// order. For what can be made again.
    Checkpoints,
}

/// How a file is opened for writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// When a commit counts as done.
    pub durability: Durability,
    /// The most pages of 4 KiB that the file may have; `None` leaves it to the disk.
    pub most_pages: Option<u32>,
    /// Whether space of removed rows can be given back to the disk.
    pub shrinks: bool,
}

/// One SQLite file in WAL mode with one connection.
///
/// Its application id and version have been looked at, and migrations have run. All of its
/// statements are text of this program; values go in by binding.
#[derive(Debug)]
pub struct Database {
    connection: SqliteConnection,
    path: PathBuf,
}

impl Database {
    /// Opens a file for writing; makes it when it is missing, and brings an older one up to date.
    ///
    /// # Errors
    /// A newer, foreign or damaged file, no room, or what else SQLite says.
    pub async fn open(path: &Path, schema: &Schema, access: Access) -> Result<Self, StoreError> {
        let new = !path.exists();
        let synchronous = match access.durability {
            Durability::EveryCommit => SqliteSynchronous::Full,
            Durability::Checkpoints => SqliteSynchronous::Normal,
        };
        let mut options = options(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            // A WAL that a long reader let grow is cut back to this at the next checkpoint.
            .pragma("journal_size_limit", "8388608");
        if access.shrinks {
            options = options.auto_vacuum(SqliteAutoVacuum::Incremental);
        }
        let connection = options.connect().await;
        let connection = connection.map_err(|error| StoreError::of(path, "open", &error))?;
        let mut database = Self { connection, path: path.to_path_buf() };
        match database.make_ready(schema, access, new).await {
            Ok(()) => Ok(database),
            Err(error) => Err(database.leave(error).await),
        }
    }

    async fn make_ready(
        &mut self,
        schema: &Schema,
        access: Access,
        new: bool,
    ) -> Result<(), StoreError> {
        if let Some(pages) = access.most_pages {
            self.limit(Some(pages)).await?;
        }
        self.bring_up_to_date(schema).await?;
        if new { sync_folder(&self.path) } else { Ok(()) }
    }

    /// Opens a file for reading, beside whoever writes it.
    ///
    /// # Errors
    /// A missing, newer, older, foreign or damaged file.
    pub async fn open_read(path: &Path, schema: &Schema) -> Result<Self, StoreError> {
        let connection = options(path).read_only(true).connect().await;
        let connection = connection.map_err(|error| StoreError::of(path, "open", &error))?;
        let mut database = Self { connection, path: path.to_path_buf() };
        let known = schema.version();
        match database.version(schema).await {
            Ok(found) if found >= known => Ok(database),
            Ok(found) => {
                let path = path.to_path_buf();
                Err(database.leave(StoreError::Older { path, found, known }).await)
            }
            Err(error) => Err(database.leave(error).await),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, for statements.
    pub const fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// What an answer of SQLite means for this file.
    #[must_use]
    pub fn error(&self, doing: &'static str, error: &sqlx::Error) -> StoreError {
        StoreError::of(&self.path, doing, error)
    }

    /// Begins a transaction that writes. [`commit`](Self::commit) or [`undo`](Self::undo) ends it.
    ///
    /// # Errors
    /// Another process holds the file's lock.
    pub async fn begin(&mut self) -> Result<(), StoreError> {
        self.run("begin to write", "BEGIN IMMEDIATE").await
    }

    /// Ends a transaction; with [`Durability::EveryCommit`] it is on the disk after this.
    ///
    /// # Errors
    /// No room, or a damaged file; the transaction is then to be [undone](Self::undo).
    pub async fn commit(&mut self) -> Result<(), StoreError> {
        self.run("write to", "COMMIT").await
    }

    /// Ends a transaction as if it had never begun. SQLite may have done so by itself already.
    pub async fn undo(&mut self) {
        let _ended_before = self.run("undo", "ROLLBACK").await;
    }

    /// Runs one statement without values.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn run(
        &mut self,
        doing: &'static str,
        statement: &'static str,
    ) -> Result<(), StoreError> {
        let done = sqlx::query(statement).execute(&mut self.connection).await;
        done.map(|_| ()).map_err(|error| self.error(doing, &error))
    }

    /// Sets the most pages that the file may have; `None` lifts the limit.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn limit(&mut self, pages: Option<u32>) -> Result<(), StoreError> {
        let pages = pages.unwrap_or(u32::MAX - 1);
        let statement = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        let done = sqlx::query(statement).fetch_all(&mut self.connection).await;
        done.map(|_| ()).map_err(|error| self.error("limit", &error))
    }

    /// SQLite's own check of the whole file; empty when nothing is wrong. Reads all of it.
    ///
    /// # Errors
    /// The check itself could not run.
    pub async fn check(&mut self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("PRAGMA integrity_check(20)").fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| self.error("check", &error))?;
        let said = rows.iter().map(|row| row.try_get::<String, _>(0).unwrap_or_default());
        Ok(said.filter(|text| text != "ok").collect())
    }

    /// Writes a consistent copy of the file, as of one commit, beside whoever writes to it. The
    /// copy is whole and on the disk when this returns.
    ///
    /// # Errors
    /// The copy exists already, or cannot be written.
    pub async fn copy_to(&mut self, to: &Path) -> Result<(), StoreError> {
        let text = to.to_string_lossy().into_owned();
        let copied = sqlx::query("VACUUM INTO ?1").bind(text).execute(&mut self.connection).await;
        copied.map_err(|error| StoreError::of(to, "write a copy to", &error))?;
        let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
        synced.map_err(|error| StoreError::io(to, "bring to the disk", error))?;
        sync_folder(to)
    }

    /// Closes the file with its write-ahead log merged into it, so that it is one file.
    ///
    /// # Errors
    /// What SQLite says; nothing that was committed is lost by that.
    pub async fn close(mut self) -> Result<(), StoreError> {
        let merged = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_all(&mut self.connection)
            .await
            .map(|_| ());
        let path = self.path;
        let closed = self.connection.close().await;
        merged.and(closed).map_err(|error| StoreError::of(&path, "close", &error))
    }

    /// Closes a file that cannot be used because of this error: whoever hears of it may move the
    /// file, and a connection that is only dropped would close it some time later.
    pub async fn leave(self, error: StoreError) -> StoreError {
        let _cannot_be_used_anyway = self.connection.close().await;
        error
    }

    async fn bring_up_to_date(&mut self, schema: &Schema) -> Result<(), StoreError> {
        let found = self.version(schema).await?;
        for (step, at) in schema.steps.iter().zip(1_i64..).skip(usize::try_from(found).unwrap_or(0))
        {
            // One transaction a step: a crash leaves the schema before or after it.
            self.begin().await?;
            let stamped = format!(
                "{step};\nPRAGMA application_id = {};\nPRAGMA user_version = {at};",
                schema.application
            );
            let done = sqlx::raw_sql(sqlx::AssertSqlSafe(stamped)).execute(&mut self.connection);
            if let Err(error) = done.await {
                let error = self.error("bring up to date", &error);
                self.undo().await;
                return Err(error);
            }
            self.commit().await?;
            if found > 0 {
                tracing::info!(file = %self.path.display(), schema = at, "brought up to date");
            }
        }
        Ok(())
    }

    /// The schema of the file, 0 for an empty one; refuses what is not ours or newer.
    async fn version(&mut self, schema: &Schema) -> Result<i64, StoreError> {
        let application = self.number("PRAGMA application_id").await?;
        let found = self.number("PRAGMA user_version").await?;
        let tables = self.number("SELECT count(*) FROM sqlite_schema").await?;
        let (path, known) = (self.path.clone(), i64::from(schema.application));
        if tables == 0 && found == 0 {
            return Ok(0);
        }
        if application != known {
            return Err(StoreError::Foreign { path, found: application, known });
        }
        if found < 1 {
            let why = format!("schema {found} does not exist");
            return Err(StoreError::Damaged { path, why });
        }
        if found > schema.version() {
            return Err(StoreError::Newer { path, found, known: schema.version() });
        }
        Ok(found)
    }

    /// One whole number that a statement answers.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn number(&mut self, statement: &'static str) -> Result<i64, StoreError> {
        let row = sqlx::query(statement).fetch_one(&mut self.connection).await;
        let number = row.and_then(|row| row.try_get(0));
        number.map_err(|error| self.error("read", &error))
    }
}

/// Moves a file with its companions out of the way: `a.db` becomes `a.db.LABEL`, or with a number
/// behind it where that exists.
///
/// # Errors
/// What the operating system answers.
pub fn set_aside(path: &Path, label: &str) -> Result<PathBuf, StoreError> {
    let name = |number: u32| match number {
        0 => beside(path, &format!(".{label}")),
        number => beside(path, &format!(".{label}{number}")),
    };
    let aside = (0..1000).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(1000));
    for companion in ["-wal", "-shm", ""] {
        let from = beside(path, companion);
        if from.exists() {
            std::fs::rename(&from, beside(&aside, companion))
                .map_err(|error| StoreError::io(&from, "set aside", error))?;
        }
    }
    sync_folder(path)?;
    Ok(aside)
}

/// Unlinks a file with its companions, and says how many bytes that gave back.
///
/// # Errors
/// What the operating system answers; a missing file is no error.
pub fn unlink(path: &Path) -> Result<u64, StoreError> {
    let bytes = size(path);
    for companion in ["", "-wal", "-shm"] {
        let file = beside(path, companion);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io(&file, "remove", error));
            }
            _ => {}
        }
    }
    Ok(bytes)
}

/// The bytes of a file and its companions.
#[must_use]
pub fn size(path: &Path) -> u64 {
    let bytes = |companion| std::fs::metadata(beside(path, companion)).map_or(0, |it| it.len());
    ["", "-wal", "-shm"].into_iter().map(bytes).sum()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .statement_cache_capacity(2 * crate::insert::ROWS)
        .disable_statement_logging()
}

/// A file that is made or renamed is on the disk only when its folder is.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if cfg!(unix) {
        let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| StoreError::io(folder, "bring to the disk", error))?;
    }
    Ok(())
}
