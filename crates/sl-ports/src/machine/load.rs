//! How busy the machine is, from `/proc/loadavg` (proc(5)).

/// The load average of the last minute: how many threads ran, or waited for a CPU or the disk, with
/// what lies a minute back counted by 1/e. It is that of the whole machine, in a container too.
/// `None` where the operating system does not tell.
#[must_use]
pub fn last_minute() -> Option<f64> {
    parse(&std::fs::read_to_string("/proc/loadavg").ok()?)
}

fn parse(loadavg: &str) -> Option<f64> {
    let load = loadavg.split_whitespace().next()?.parse::<f64>().ok()?;
    (load.is_finite() && load >= 0.0).then_some(load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_figure_is_the_last_minutes() {
        assert_eq!(parse("0.81 0.75 0.32 1/95 694\n"), Some(0.81));
        for strange in ["", "x 1 2", "NaN 0 0", "-1 0 0", "inf 0 0"] {
            assert_eq!(parse(strange), None, "{strange:?}");
        }
    }
}
