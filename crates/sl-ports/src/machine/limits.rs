//! Limits that the operating system sets to this process.

/// How many files and sockets this process may have open; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// The limit in force.
    pub soft: Option<u64>,
    /// How far the process may raise it by itself.
    pub hard: Option<u64>,
}

/// The limit of open files (`RLIMIT_NOFILE`); `None` where there is no such thing.
#[must_use]
pub fn open_files() -> Option<OpenFiles> {
    os::open_files()
}

#[cfg(unix)]
mod os {
    use super::OpenFiles;
    use rustix::process::{Resource, getrlimit};

    pub(super) fn open_files() -> Option<OpenFiles> {
        let limit = getrlimit(Resource::Nofile);
        Some(OpenFiles { soft: limit.current, hard: limit.maximum })
    }
}

#[cfg(not(unix))]
mod os {
    pub(super) fn open_files() -> Option<super::OpenFiles> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn the_soft_limit_is_within_the_hard_one() {
        let limit = super::open_files().expect("a Unix");
        assert!(limit.soft.unwrap_or(u64::MAX) <= limit.hard.unwrap_or(u64::MAX));
    }
}
