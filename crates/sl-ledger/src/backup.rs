use std::path::Path;

use serde::Serialize;
use sl_store::{Database, rollup::Rollup};

use crate::{
    LedgerError,
    day::DayFile,
    files::{self, ROLLUP},
    schema,
};

/// What a backup holds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct BackedUp {
    /// The files that were written.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// Files that could not be copied, and why.
    pub failed: Vec<String>,
}

/// Copies a journal into a folder that is new or empty, also while it is written. Each file is as
/// of one commit; the roll-ups are copied first, so that no sum is of a row that is not there.
/// Damaged files that were set aside are not copied.
///
/// # Errors
/// No journal, or the folder is not empty or cannot be made.
pub async fn backup(folder: &Path, to: &Path) -> Result<BackedUp, LedgerError> {
    let found = if folder.exists() { files::list(folder)? } else { Vec::new() };
    if found.is_empty() {
        return Err(LedgerError::Nothing { path: folder.to_path_buf() });
    }
    let failed = |source| LedgerError::Folder { doing: "make", path: to.to_path_buf(), source };
    std::fs::create_dir_all(to).map_err(failed)?;
    if std::fs::read_dir(to).map_err(failed)?.next().is_some() {
        return Err(LedgerError::Taken { path: to.to_path_buf() });
    }
    let mut done = BackedUp::default();
    let rollup = folder.join(ROLLUP);
    if rollup.exists() {
        let copied = match Rollup::open_read(&rollup, &schema::ROLLUP).await {
            Ok(mut rollup) => copy(rollup.database(), to).await,
            Err(error) => Err(error.into()),
        };
        done.take(copied);
    }
    for file in found.iter().filter(|file| !file.aside) {
        let copied = match DayFile::open_read(&file.path).await {
            Ok(mut file) => copy(&mut file.database, to).await,
            Err(error) => Err(error),
        };
        done.take(copied);
    }
    Ok(done)
}

async fn copy(database: &mut Database, to: &Path) -> Result<(String, u64), LedgerError> {
    let name = database.path().file_name().unwrap_or_default().to_os_string();
    let path = to.join(&name);
    database.copy_to(&path).await?;
    Ok((name.to_string_lossy().into_owned(), sl_store::size(&path)))
}

impl BackedUp {
    fn take(&mut self, copied: Result<(String, u64), LedgerError>) {
        match copied {
            Ok((name, bytes)) => {
                self.files.push(name);
                self.bytes += bytes;
            }
            Err(error) => self.failed.push(error.to_string()),
        }
    }
}
