use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a database file cannot be used, or did not take what was to be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A later version of the program wrote the file.
    #[error(
        "{} has schema {found}, this program knows schemas up to {known}; \
         run the version that wrote it, or move the file away",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The last schema known here.
        known: i64,
    },
    /// An earlier version wrote the file, and it was opened for reading only.
    #[error(
        "{} has schema {found}, this program reads schema {known}; \
         start the program that writes it once, which brings it up to date",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The schema that is read.
        known: i64,
    },
    /// A database of another program or for another purpose.
    #[error(
        "{} is a database of another kind (application id {found:#x}, not {known:#x}); move it away",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        found: i64,
        /// What it would have to say.
        known: i64,
    },
    /// The file is torn or corrupt.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// No room on the disk, or the file has reached its quota.
    #[error("no room to write {}: {why}; free space on its disk", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// Any other answer of SQLite.
    #[error("cannot {doing} {}: {why}", path.display())]
    Sql {
        /// The file.
        path: PathBuf,
        /// What was tried: "open", "write to".
        doing: &'static str,
        /// What SQLite said.
        why: String,
    },
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: "remove", "rename".
        doing: &'static str,
        /// What the operating system answered.
        source: io::Error,
    },
}

impl StoreError {
    /// Whether the file itself is at fault, so that another try on it is in vain.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Foreign { .. })
    }

    /// Whether there was no room.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }

    /// What an answer of SQLite means for the file.
    #[must_use]
    pub fn of(path: &Path, doing: &'static str, error: &sqlx::Error) -> Self {
        // https://www.sqlite.org/rescode.html: the low byte is the primary code.
        const FULL: i64 = 13;
        const CORRUPT: i64 = 11;
        const NOT_A_DATABASE: i64 = 26;
        let path = path.to_path_buf();
        let code = error.as_database_error().and_then(|error| error.code());
        let code = code.and_then(|code| code.parse::<i64>().ok()).unwrap_or(0) & 0xff;
        let why = error.to_string();
        match code {
            FULL => Self::Full { path, why },
            CORRUPT | NOT_A_DATABASE => Self::Damaged { path, why },
            _ => Self::Sql { path, doing, why },
        }
    }

    /// An answer of the operating system.
    #[must_use]
    pub fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::StorageFull {
            return Self::Full { path: path.to_path_buf(), why: source.to_string() };
        }
        Self::Io { path: path.to_path_buf(), doing, source }
    }
}
