//! Space on a disk.

use std::io;
use std::path::Path;

/// Space of the file system that a path is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that an ordinary user may still write.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// Space where `path` is, or would be: the nearest folder above it that exists is asked.
///
/// # Errors
/// What the operating system answers.
pub fn space(path: &Path) -> io::Result<DiskSpace> {
    os::space(super::programs::nearest(path))
}

#[cfg(unix)]
mod os {
    use super::{DiskSpace, Path, io};

    pub(super) fn space(path: &Path) -> io::Result<DiskSpace> {
        let told = rustix::fs::statvfs(path)?;
        Ok(DiskSpace {
            free_bytes: told.f_bavail.saturating_mul(told.f_frsize),
            total_bytes: told.f_blocks.saturating_mul(told.f_frsize),
        })
    }
}

#[cfg(not(unix))]
mod os {
    use super::{DiskSpace, Path, io};

    pub(super) fn space(_: &Path) -> io::Result<DiskSpace> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_space_of_the_one_above() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = space(folder.path()).expect("it is there");
        let below = space(&folder.path().join("not/there/yet")).expect("asked above");
        assert_eq!(here.total_bytes, below.total_bytes);
        assert!(here.free_bytes <= here.total_bytes);
    }
}
