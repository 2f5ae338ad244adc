//! Programs that are installed, and this one.

use sl_units::Wall;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The first program of this name in the folders of `path`, the value of `PATH`.
#[must_use]
pub fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// When the file of this program was written: a clock that shows less is wrong.
#[must_use]
pub fn own_date() -> Option<Wall> {
    let written = std::fs::metadata(std::env::current_exe().ok()?).ok()?.modified().ok()?;
    Some(Wall::from_millis(0) + written.duration_since(UNIX_EPOCH).ok()?)
}

/// The path itself or the nearest folder above it that exists.
pub(crate) fn nearest(path: &Path) -> &Path {
    let there = path.ancestors().find(|path| path.exists());
    there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|told| told.is_file() && told.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_what_may_be_run_is_a_program() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("litecoind");
        std::fs::write(&file, "").expect("written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("set");
        assert_eq!(find("litecoind", folder.path().as_os_str()), None);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("set");
        assert_eq!(find("litecoind", folder.path().as_os_str()), Some(file));
        assert!(own_date().is_some());
    }
}
