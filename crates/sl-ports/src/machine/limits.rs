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

/// Raises the limit in force as far as the process may by itself. Without effect where there is no
/// such thing, or no room.
pub fn raise_open_files() {
    os::raise_open_files();
}

/// The limit of another process, which may differ: a service has its unit's. `None` where the
/// operating system does not tell.
#[must_use]
pub fn open_files_of(pid: u32) -> Option<OpenFiles> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?)
}

/// The row of `/proc/PID/limits` (proc(5)).
fn parse(limits: &str) -> Option<OpenFiles> {
    let row = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = row.split_whitespace();
    let mut limit = || match words.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some(OpenFiles { soft: limit()?, hard: limit()? })
}

#[cfg(unix)]
mod os {
    use super::OpenFiles;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    pub(super) fn open_files() -> Option<OpenFiles> {
        let limit = getrlimit(Resource::Nofile);
        Some(OpenFiles { soft: limit.current, hard: limit.maximum })
    }

    pub(super) fn raise_open_files() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        // A refusal leaves the limit as it was, and who needs more says so.
        let _as_it_was = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

#[cfg(not(unix))]
mod os {
    pub(super) fn open_files() -> Option<super::OpenFiles> {
        None
    }

    pub(super) const fn raise_open_files() {}
}

#[cfg(all(test, unix))]
mod tests {
    use super::{OpenFiles, parse};

    #[test]
    fn the_limits_of_another_process_are_read() {
        let limits = "Limit        Soft Limit  Hard Limit  Units\nMax open files   1024   unlimited   files\n";
        assert_eq!(parse(limits), Some(OpenFiles { soft: Some(1024), hard: None }));
        assert_eq!(parse("Max open files   many\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_soft_limit_is_within_the_hard_one() {
        let limit = super::open_files().expect("a Unix");
        assert!(limit.soft.unwrap_or(u64::MAX) <= limit.hard.unwrap_or(u64::MAX));
    }
}
