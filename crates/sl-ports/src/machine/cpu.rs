//! The processor.

/// The processor, as far as engines care.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// Its name; `None` where the operating system does not tell.
    pub model: Option<String>,
    /// Threads that can run at once here.
    pub threads: usize,
    /// Instruction sets that it has and the operating system lets programs use.
    pub features: Vec<&'static str>,
}

impl Cpu {
    /// Asks the processor and the operating system.
    #[must_use]
    pub fn look() -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self { model: model(&info), threads: crate::process::cpus(), features: features() }
    }
}

/// The first model name of `/proc/cpuinfo` (proc(5)).
fn model(info: &str) -> Option<String> {
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let all = [
        ("sse2", std::is_x86_feature_detected!("sse2")),
        ("avx", std::is_x86_feature_detected!("avx")),
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("sha", std::is_x86_feature_detected!("sha")),
    ];
    all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_the_first_named() {
        let info = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some CPU @ 2.00GHz\n";
        assert_eq!(model(info).as_deref(), Some("Some CPU @ 2.00GHz"));
        assert_eq!(model(""), None);
        assert!(Cpu::look().threads > 0);
    }
}
