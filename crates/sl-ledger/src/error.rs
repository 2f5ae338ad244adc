use std::{io, path::PathBuf};

use sl_store::StoreError;

/// Why the journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder.
    #[error("cannot {doing} the journal's folder {}: {source}", path.display())]
    Folder {
        /// What was tried: "make", "list".
        doing: &'static str,
        /// The folder.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// No journal is there.
    #[error(
        "there is no journal in {}; name the data folder with --data DIR, or start \
         the program once with journal.enabled",
        path.display()
    )]
    Nothing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Another task writes already.
    #[error("the journal is written by another run of its service already")]
    Written,
    /// The output broke.
    #[error("cannot write the export: {0}")]
    Output(#[from] io::Error),
    /// A backup's place is taken.
    #[error("{} exists and is not empty; name a folder that is new or empty", path.display())]
    Taken {
        /// The place.
        path: PathBuf,
    },
}

impl LedgerError {
    /// Whether the file itself is at fault.
    pub(crate) const fn is_damage(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_damage())
    }
}
