//! The operating system itself.

/// Its name, its kernel's release where it tells one, and the architecture: `linux 6.8.0 x86_64`.
#[must_use]
pub fn name() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let words = [std::env::consts::OS, release.trim(), std::env::consts::ARCH];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_has_a_name() {
        assert!(super::name().starts_with(std::env::consts::OS));
    }
}
