//! The data folder: where it is by default, one instance at a time by a lock, files written whole
//! or not at all.

mod state;

pub use state::{FolderKind, FolderState};

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of the lock file in a data folder; it holds the process id of the instance.
pub const LOCK_FILE: &str = "silverlode.lock";

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another instance has the folder.
    #[error(
        "the data folder {} is used by another silverlode{}; \
         stop that one, or give this one a folder of its own with --data DIR",
        path.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, when its lock file tells.
        pid: Option<u32>,
    },
    /// The folder cannot be made, opened or locked.
    #[error(
        "cannot {action} {}: {source}; choose a folder you may write to with --data DIR",
        path.display()
    )]
    Io {
        /// What was tried: "create", "lock".
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// No default folder: neither variable is set.
    #[error(
        "no place for the data folder: neither XDG_STATE_HOME nor HOME is set to an absolute \
         path; name one with --data DIR"
    )]
    NoHome,
}

/// Where data goes by default: `$XDG_STATE_HOME/silverlode`, or `~/.local/state/silverlode`.
///
/// The values of the two environment variables are passed in. As the XDG base directory
/// specification says, a relative path counts as unset.
///
/// # Errors
/// [`FolderError::NoHome`] if neither is an absolute path.
pub fn default_path(
    xdg_state_home: Option<&OsStr>,
    home: Option<&OsStr>,
) -> Result<PathBuf, FolderError> {
    let absolute = |path: &&Path| path.is_absolute();
    let state = xdg_state_home.map(Path::new).filter(absolute);
    let home = home.map(Path::new).filter(absolute);
    state
        .map(|state| state.join("silverlode"))
        .or_else(|| home.map(|home| home.join(".local/state/silverlode")))
        .ok_or(FolderError::NoHome)
}

/// A data folder that this process holds: the lock is given back when this is dropped, and by the
/// operating system when the process dies.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: File,
}

impl DataFolder {
    /// Makes the folder if it is missing (only its owner may read it) and locks it.
    ///
    /// # Errors
    /// [`FolderError::InUse`] names the process that has it; [`FolderError::Io`] the path and the
    /// reason.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let io = |action, at: &Path| {
            let path = at.to_path_buf();
            move |source| FolderError::Io { action, path, source }
        };
        create_private(path).map_err(io("create the data folder", path))?;
        let file = path.join(LOCK_FILE);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(io("open the lock file", &file))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut lock);
                return Err(FolderError::InUse { path: path.to_path_buf(), pid });
            }
            Err(TryLockError::Error(source)) => {
                return Err(io("lock the file", &file)(source));
            }
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(io("write the lock file", &file))?;
        Ok(Self { path: path.to_path_buf(), lock })
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of this folder whole or not at all; see [`write_atomic`].
    ///
    /// # Errors
    /// What the operating system answers.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        write_atomic(&self.path.join(name), bytes)
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // The file stays: deleting a lock file lets two instances hold two files of one name.
        // Its content goes, so that no dead process is ever named. Failing is harmless.
        let _emptied = self.lock.set_len(0);
        let _unlocked = self.lock.unlock();
    }
}

/// Writes `bytes` to `path` so that after a crash the file is the old one or the new one, whole:
/// a neighbour file is written, brought to the disk, and renamed over it. Mode 0600 on Unix.
///
/// Blocks on the disk: call it from a blocking thread when the caller is a task.
///
/// # Errors
/// What the operating system answers; the old file is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static SEQUENCE: AtomicU64 = AtomicU64::new(0);

    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut neighbour = name.to_os_string();
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    neighbour.push(format!(".{}-{sequence}.new", std::process::id()));
    let neighbour = folder.join(neighbour);

    let written = write_synced(&neighbour, bytes).and_then(|()| std::fs::rename(&neighbour, path));
    if written.is_err() {
        // The first error is the one to tell; a left-over is only untidy.
        let _removed = std::fs::remove_file(&neighbour);
        return written;
    }
    sync_folder(folder)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// On Unix a rename is on the disk only when its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Makes the folder and its missing parents. On Unix what is made has mode 0700.
///
/// # Errors
/// What the operating system answers.
pub fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn read_pid(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.seek(SeekFrom::Start(0)).ok()?;
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_folder() {
        let check = |xdg: Option<&str>, home: Option<&str>, expect: Option<&str>| {
            let found = default_path(xdg.map(OsStr::new), home.map(OsStr::new)).ok();
            assert_eq!(found, expect.map(PathBuf::from), "{xdg:?} {home:?}");
        };
        check(Some("/state"), Some("/home/a"), Some("/state/silverlode"));
        check(None, Some("/home/a"), Some("/home/a/.local/state/silverlode"));
        check(Some("relative"), Some("/home/a"), Some("/home/a/.local/state/silverlode"));
        check(Some(""), Some("home"), None);
        check(None, None, None);
    }

    #[test]
    fn one_instance_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        let held = DataFolder::open(&path).unwrap();
        let refused = DataFolder::open(&path).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "the data folder {} is used by another silverlode (process {}); stop that one, \
                 or give this one a folder of its own with --data DIR",
                path.display(),
                std::process::id()
            )
        );
        drop(held);
        assert_eq!(std::fs::read_to_string(path.join(LOCK_FILE)).unwrap(), "");
        let again = DataFolder::open(&path).unwrap();
        assert_eq!(again.path(), path);
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_may_look() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&place.path().join("state/silverlode")).unwrap();
        folder.write("key", b"secret").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.path().join("key")), 0o600);
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");

        // A folder stands in the way: the rename fails, and nothing is left behind.
        let blocked = place.path().join("blocked");
        std::fs::create_dir_all(blocked.join("full")).unwrap();
        write_atomic(&blocked, b"x").unwrap_err();
        let names: Vec<_> = std::fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("new"))
            .collect();
        assert!(names.is_empty(), "{names:?}");
        write_atomic(Path::new("/"), b"x").unwrap_err();
    }

    #[test]
    fn a_path_that_cannot_be_made_names_the_cure() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let error = DataFolder::open(&file.join("data")).unwrap_err().to_string();
        assert!(error.contains("file/data") && error.contains("--data DIR"), "{error}");
    }
}
