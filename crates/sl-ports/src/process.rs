//! What the operating system tells of this process. Linux tells all; elsewhere the figures are
//! `None`.

use std::num::NonZeroUsize;

/// What this process uses now; `None` where the operating system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessFigures {
    /// Resident memory, in bytes.
    pub rss_bytes: Option<u64>,
    /// CPU time of all threads since the start, user and system, in seconds.
    pub cpu_time_s: Option<f64>,
    /// Threads alive.
    pub threads: Option<u32>,
    /// Open files, sockets included.
    pub open_files: Option<u32>,
}

impl ProcessFigures {
    /// Reads the figures of this process. Costs some tens of microseconds.
    #[must_use]
    pub fn now() -> Self {
        os::figures()
    }
}

/// How many threads can run at once here: CPUs, less what affinity and control groups withhold.
#[must_use]
pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

#[cfg(target_os = "linux")]
mod os {
    use super::ProcessFigures;
    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn figures() -> ProcessFigures {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        ProcessFigures {
            rss_bytes: status_field(&status, "VmRSS:").map(|kib| kib.saturating_mul(1024)),
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds of CPU time are far below 2^53"
            )]
            cpu_time_s: Some(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9),
            threads: status_field(&status, "Threads:").and_then(|n| u32::try_from(n).ok()),
            // Less one: the handle that reads the folder is itself listed.
            open_files: std::fs::read_dir("/proc/self/fd")
                .ok()
                .and_then(|folder| u32::try_from(folder.count().saturating_sub(1)).ok()),
        }
    }

    /// The number after `name` in the lines of `/proc/PID/status` (proc(5)).
    fn status_field(status: &str, name: &str) -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    }

    #[cfg(test)]
    mod tests {
        use super::status_field;

        #[test]
        fn status_fields() {
            let status = "Name:\tx\nVmRSS:\t   12345 kB\nThreads:\t7\nVmBad:\n";
            assert_eq!(status_field(status, "VmRSS:"), Some(12_345));
            assert_eq!(status_field(status, "Threads:"), Some(7));
            assert_eq!(status_field(status, "VmBad:"), None);
            assert_eq!(status_field(status, "VmSwap:"), None);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    use super::ProcessFigures;

    pub(super) fn figures() -> ProcessFigures {
        ProcessFigures::default()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_all_figures() {
        let figures = ProcessFigures::now();
        assert!(figures.rss_bytes.unwrap() > 100_000);
        assert!(figures.cpu_time_s.unwrap() >= 0.0);
        assert!(figures.threads.unwrap() >= 1);
        assert!(figures.open_files.unwrap() >= 3);
        assert!(cpus() >= 1);
    }
}
