//! The processor.

use super::topology::Topology;

/// The processor, as far as engines care.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// Its name; `None` where the operating system does not tell.
    pub model: Option<String>,
    /// Who made it and which one it is; `None` where the operating system does not tell.
    pub make: Option<CpuMake>,
    /// Threads that can run at once here.
    pub threads: usize,
    /// Physical cores that they run on.
    pub cores: usize,
    /// Instruction sets that it has and the operating system lets programs use.
    pub features: Vec<&'static str>,
}

/// A processor's maker and its numbers, as CPUID tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuMake {
    /// `GenuineIntel`, `AuthenticAMD`.
    pub vendor: String,
    /// The family, with the extended one.
    pub family: u32,
    /// The model within it, with the extended one.
    pub number: u32,
}

impl Cpu {
    /// Asks the processor and the operating system.
    #[must_use]
    pub fn look() -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let threads = crate::process::cpus();
        Self {
            model: field(&info, "model name").map(ToOwned::to_owned),
            make: make(&info),
            threads,
            // A control group may allow fewer threads than there are CPUs.
            cores: Topology::look().cores().clamp(1, threads.max(1)),
            features: features(),
        }
    }
}

/// The first field of this name in `/proc/cpuinfo` (proc(5)).
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let fields = info.lines().filter_map(|line| line.split_once(':'));
    let mut named = fields.filter(|(found, _)| found.trim_end() == name);
    named.next().map(|(_, value)| value.trim())
}

fn make(info: &str) -> Option<CpuMake> {
    Some(CpuMake {
        vendor: field(info, "vendor_id")?.to_owned(),
        family: field(info, "cpu family")?.parse().ok()?,
        number: field(info, "model")?.parse().ok()?,
    })
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let all = [
        ("sse2", std::is_x86_feature_detected!("sse2")),
        ("avx", std::is_x86_feature_detected!("avx")),
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512bw", std::is_x86_feature_detected!("avx512bw")),
        ("avx512vl", std::is_x86_feature_detected!("avx512vl")),
        ("sha", std::is_x86_feature_detected!("sha")),
    ];
    all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    let all = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("sha2", std::arch::is_aarch64_feature_detected!("sha2")),
    ];
    all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_processor_counts() {
        let info = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n\
                    model name\t: Some CPU: @ 2.00GHz\n\nprocessor\t: 1\nmodel\t\t: 9\n";
        assert_eq!(field(info, "model name"), Some("Some CPU: @ 2.00GHz"));
        let expect = CpuMake { vendor: "GenuineIntel".into(), family: 6, number: 143 };
        assert_eq!(make(info), Some(expect));
        assert_eq!(make("vendor_id\t: x\ncpu family\t: six\n"), None);
        assert_eq!((field("", "model name"), make("")), (None, None), "unknown is not empty");
        let cpu = Cpu::look();
        assert!(cpu.threads > 0 && (1..=cpu.threads).contains(&cpu.cores), "{cpu:?}");
    }
}
