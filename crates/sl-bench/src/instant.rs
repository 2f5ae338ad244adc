//! One clock for all processes of a bench.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the system's monotonic clock, which all processes share.
pub(crate) fn nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000) + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// From one instant to another, in microseconds; zero when they are the other way round.
pub(crate) fn micros(from: u64, to: u64) -> u32 {
    u32::try_from(to.saturating_sub(from) / 1000).unwrap_or(u32::MAX)
}

/// The value below which a part of all lies; `None` of nothing. `sorted` is in rising order.
pub(crate) fn quantile(sorted: &[u32], part: f64) -> Option<u32> {
    let at = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(at.clamp(1, sorted.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7], 0.99), Some(7));
        let hundred: Vec<u32> = (1..=100).collect();
        let found = [0.0, 0.5, 0.99, 1.0].map(|part| quantile(&hundred, part));
        assert_eq!(found, [Some(1), Some(50), Some(99), Some(100)]);
    }

    #[test]
    fn the_clock_only_rises() {
        let first = nanos();
        assert!(nanos() >= first && first > 0);
        assert_eq!(micros(5_000, 9_999), 4);
        assert_eq!(micros(9_999, 5_000), 0);
    }
}
