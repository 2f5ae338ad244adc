//! How long a thread has had a CPU (clock_gettime(2)).

use std::time::Duration;

/// CPU time of the calling thread since its start, user and system; time spent waiting for a CPU is
/// not in it. `None` where the operating system does not tell. Costs less than a microsecond.
#[must_use]
pub fn of_this_thread() -> Option<Duration> {
    os::of_this_thread()
}

#[cfg(target_os = "linux")]
mod os {
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;

    pub(super) fn of_this_thread() -> Option<Duration> {
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    use std::time::Duration;

    pub(super) const fn of_this_thread() -> Option<Duration> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn it_never_goes_back() {
        let before = super::of_this_thread().expect("Linux tells");
        assert!(super::of_this_thread().expect("still") >= before);
    }
}
