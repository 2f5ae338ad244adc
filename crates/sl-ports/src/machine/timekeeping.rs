//! Whether somebody keeps this machine's clock right.
//!
//! The kernel's own word on it (adjtimex(2)) is out of reach without unsafe code, so this looks for
//! who would do it: the mark of systemd-timesyncd, and daemons that run.

use std::path::Path;

/// Daemons that keep the time, as `/proc/PID/comm` names them (15 bytes at most).
const DAEMONS: [&str; 6] =
    ["systemd-timesyn", "chronyd", "ntpd", "ntpd-rs", "ntp-daemon", "openntpd"];
/// Made by systemd-timesyncd when the clock was set from the network.
const MARK: &str = "/run/systemd/timesync/synchronized";
/// Processes looked at before the search gives up.
const MAX_PROCESSES: usize = 20_000;

/// Who keeps the clock right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timekeeping {
    /// Whether systemd-timesyncd has set the clock since the start of the machine.
    pub set_by_timesyncd: bool,
    /// The daemon that runs, if one is seen from here; in a container it is the host's.
    pub daemon: Option<String>,
}

impl Timekeeping {
    /// Looks for them.
    #[must_use]
    pub fn look() -> Self {
        Self { set_by_timesyncd: Path::new(MARK).exists(), daemon: daemon(Path::new("/proc")) }
    }
}

fn daemon(proc: &Path) -> Option<String> {
    let processes = std::fs::read_dir(proc).ok()?.flatten().take(MAX_PROCESSES);
    let mut names = processes
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok());
    let name = names.find(|name| DAEMONS.contains(&name.trim()))?;
    Some(name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_known_by_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let process = |pid: &str, name: &str| {
            std::fs::create_dir(folder.path().join(pid)).expect("made");
            std::fs::write(folder.path().join(pid).join("comm"), name).expect("written");
        };
        process("7", "bash\n");
        process("self", "chronyd\n");
        assert_eq!(daemon(folder.path()), None);
        process("9", "chronyd\n");
        assert_eq!(daemon(folder.path()).as_deref(), Some("chronyd"));
    }
}
