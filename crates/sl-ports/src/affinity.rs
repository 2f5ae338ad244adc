//! Which CPUs threads may run on (sched_setaffinity(2)). CPUs are counted from 0, as in `/sys`.

use std::io;

/// The CPUs that the calling thread may run on, in their order: what affinity masks and control
/// groups leave. `None` where the operating system does not tell.
#[must_use]
pub fn allowed() -> Option<Vec<usize>> {
    os::allowed()
}

/// Keeps the calling thread to these CPUs. Memory that it touches first from then on is that of
/// their NUMA node.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if none of them is there for this process;
/// [`io::ErrorKind::Unsupported`] where threads cannot be kept to CPUs.
pub fn keep_this_thread_to(cpus: &[usize]) -> io::Result<()> {
    os::keep_this_thread_to(cpus)
}

#[cfg(target_os = "linux")]
mod os {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    use std::io;

    pub(super) fn allowed() -> Option<Vec<usize>> {
        let set = sched_getaffinity(None).ok()?;
        Some((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
    }

    pub(super) fn keep_this_thread_to(cpus: &[usize]) -> io::Result<()> {
        let mut set = CpuSet::new();
        cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(*cpu));
        if set.count() == 0 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        sched_setaffinity(None, &set).map_err(io::Error::from)
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    use std::io;

    pub(super) fn allowed() -> Option<Vec<usize>> {
        None
    }

    pub(super) fn keep_this_thread_to(_cpus: &[usize]) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_to_its_cpus_and_no_other_does() {
        let before = allowed().expect("Linux tells");
        let first = *before.first().expect("at least the one this runs on");
        std::thread::spawn(move || {
            keep_this_thread_to(&[first]).expect("it was allowed");
            assert_eq!(allowed(), Some(vec![first]));
            for none in [&[][..], &[usize::MAX]] {
                let refused = keep_this_thread_to(none).expect_err("there is no such CPU");
                assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
            }
        })
        .join()
        .expect("it held");
        assert_eq!(allowed(), Some(before));
    }
}
