//! Memory and its huge pages, from `/proc/meminfo` (proc(5)).

/// Memory of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes that programs may still take without swapping.
    pub available_bytes: u64,
    /// Pages larger than the usual.
    pub huge: HugePages,
}

/// Pages larger than the usual, which spare the processor look-ups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HugePages {
    /// Size of one, in bytes.
    pub size_bytes: u64,
    /// Pages set aside (`vm.nr_hugepages`).
    pub reserved: u64,
    /// Of these, nobody's yet.
    pub free: u64,
    /// Whether the kernel makes them by itself: `always`, `madvise` or `never`.
    pub transparent: Option<String>,
}

impl Memory {
    /// Reads the figures; `None` where the operating system does not tell.
    #[must_use]
    pub fn look() -> Option<Self> {
        let info = std::fs::read_to_string("/proc/meminfo").ok()?;
        let modes = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").ok();
        parse(&info, modes.as_deref())
    }
}

fn parse(info: &str, modes: Option<&str>) -> Option<Memory> {
    let number = |name: &str| -> Option<u64> {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let kib = |name| number(name).map(|kib| kib.saturating_mul(1024));
    Some(Memory {
        total_bytes: kib("MemTotal")?,
        available_bytes: kib("MemAvailable")?,
        huge: HugePages {
            size_bytes: kib("Hugepagesize").unwrap_or(0),
            reserved: number("HugePages_Total").unwrap_or(0),
            free: number("HugePages_Free").unwrap_or(0),
            transparent: modes.and_then(chosen),
        },
    })
}

/// The word in brackets.
fn chosen(modes: &str) -> Option<String> {
    Some(modes.split_once('[')?.1.split_once(']')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        let info = "MemTotal:        8000 kB\nMemFree:          100 kB\nMemAvailable:    4000 kB\n\
                    HugePages_Total:       3\nHugePages_Free:        2\nHugepagesize:       2048 kB\n";
        let memory = parse(info, Some("always [madvise] never\n")).expect("whole");
        assert_eq!((memory.total_bytes, memory.available_bytes), (8_192_000, 4_096_000));
        assert_eq!(
            memory.huge,
            HugePages {
                size_bytes: 2 << 20,
                reserved: 3,
                free: 2,
                transparent: Some("madvise".into())
            }
        );
        assert_eq!(parse("", None), None, "unknown is not zero");
    }
}
