use super::{LOCK_FILE, read_pid};
use crate::machine::programs::nearest;
use std::fs::{File, TryLockError};
use std::path::Path;

/// A data folder as it is found, without making or holding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderState {
    /// What stands there.
    pub kind: FolderKind,
    /// Its permissions (`0o700` is right); `None` where there is no folder or no such thing.
    pub mode: Option<u32>,
    /// Whether this user may write into it, or may make it.
    pub writable: bool,
    /// Whether an instance holds it.
    pub held: bool,
    /// The process that holds it, when its lock file tells.
    pub holder: Option<u32>,
}

/// What stands where the data folder belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// Nothing yet.
    Missing,
    /// A folder.
    Folder,
    /// Something else.
    Other,
}

impl FolderState {
    /// Looks at it. The lock is tried for an instant.
    #[must_use]
    pub fn look(path: &Path) -> Self {
        let kind = match std::fs::metadata(path) {
            Ok(told) if told.is_dir() => FolderKind::Folder,
            Ok(_) => FolderKind::Other,
            Err(_) => FolderKind::Missing,
        };
        let (held, holder) = held(path);
        Self { kind, mode: mode(path), writable: writable(nearest(path)), held, holder }
    }
}

fn held(path: &Path) -> (bool, Option<u32>) {
    let Ok(mut lock) = File::open(path.join(LOCK_FILE)) else { return (false, None) };
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => (true, read_pid(&mut lock)),
        // Let go when the file is closed, at once.
        _ => (false, None),
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let told = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
    Some(told.permissions().mode() & 0o777)
}

#[cfg(unix)]
fn writable(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    path.is_dir() && access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}

#[cfg(not(unix))]
fn writable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|told| told.is_dir() && !told.permissions().readonly())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::DataFolder;

    #[test]
    fn a_folder_is_looked_at_and_left_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("data");
        let missing = FolderState::look(&path);
        assert_eq!((missing.kind, missing.mode, missing.held), (FolderKind::Missing, None, false));
        assert!(missing.writable && !path.exists());

        let folder = DataFolder::open(&path).expect("ours");
        let state = FolderState::look(&path);
        assert_eq!((state.kind, state.mode), (FolderKind::Folder, Some(0o700)));
        assert_eq!((state.held, state.holder), (true, Some(std::process::id())));
        drop(folder);
        assert!(!FolderState::look(&path).held);

        let file = home.path().join("file");
        std::fs::write(&file, "").expect("written");
        assert_eq!(FolderState::look(&file).kind, FolderKind::Other);
        assert!(!FolderState::look(&file).writable);
    }
}
