//! How much a thread gives way to others (setpriority(2)).

use std::io;

/// The nice value that gives way to all others.
pub const LEAST: i32 = 19;

/// Sets the calling thread's nice value: 0 is usual, [`LEAST`] gives way to all others. What was
/// given away cannot be taken back without the right to (`CAP_SYS_NICE`).
///
/// # Errors
/// What the operating system answers, [`io::ErrorKind::Unsupported`] where threads have no priority
/// of their own; a program goes on without.
pub fn set_this_thread(nice: i32) -> io::Result<()> {
    os::set_this_thread(nice)
}

#[cfg(target_os = "linux")]
mod os {
    use std::io;

    pub(super) fn set_this_thread(nice: i32) -> io::Result<()> {
        // On Linux the "process" of setpriority(2) is a thread, and `None` is the calling one.
        rustix::process::setpriority_process(None, nice).map_err(io::Error::from)
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    use std::io;

    pub(super) fn set_this_thread(_nice: i32) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_lowered_alone() {
        let nice = || rustix::process::getpriority_process(None).expect("it tells");
        std::thread::spawn(move || {
            set_this_thread(LEAST).expect("giving way is allowed to all");
            assert_eq!(nice(), LEAST);
        })
        .join()
        .expect("it held");
        assert_ne!(nice(), LEAST, "only that thread");
    }
}
