//! Chance from a seed: when random events come, and a seed for each part.

use std::time::Duration;

use fastrand::Rng;

/// Instants of a Poisson process: events that come independently at a mean rate.
#[derive(Debug, Clone)]
pub struct Arrivals {
    rng: Rng,
    /// Mean time between two, seconds.
    mean_s: f64,
    at_s: f64,
    until_s: f64,
}

impl Arrivals {
    /// Events at a mean of `per_day` a day until `until`. A rate that is not positive gives none;
    /// at most one a second comes in the mean, whatever is asked.
    #[must_use]
    pub fn new(seed: u64, per_day: f64, until: Duration) -> Self {
        let mean_s = if per_day > 0.0 { (86_400.0 / per_day).max(1.0) } else { f64::INFINITY };
        Self { rng: Rng::with_seed(seed), mean_s, at_s: 0.0, until_s: until.as_secs_f64() }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // 1 - [0, 1) is never zero, so that the logarithm is finite.
        self.at_s -= self.mean_s * (1.0 - self.rng.f64()).ln();
        if self.at_s.is_nan() || self.at_s >= self.until_s {
            self.at_s = f64::INFINITY;
            return None;
        }
        // Whole milliseconds: what is read and written is the same.
        Some(Duration::from_millis((self.at_s * 1000.0) as u64))
    }
}

/// A seed for one part of a simulation: the same for the same base and part, unlike for others, so
/// that one part more or less does not change the rest.
#[must_use]
pub fn derive(seed: u64, part: u64) -> u64 {
    // SplitMix64: every bit of both inputs reaches every bit of the output.
    let mut mixed =
        seed ^ part.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_keep_their_mean_and_their_end() {
        let day = Duration::from_secs(86_400);
        let many: Vec<_> = Arrivals::new(7, 1000.0, day).collect();
        assert!((850..1150).contains(&many.len()), "{}", many.len());
        assert!(many.is_sorted() && many.iter().all(|at| *at < day));
        assert_eq!(many, Arrivals::new(7, 1000.0, day).collect::<Vec<_>>());
        for none in [0.0, -1.0, f64::NAN] {
            assert_eq!(Arrivals::new(7, none, day).count(), 0);
        }
        assert!(Arrivals::new(7, f64::INFINITY, Duration::from_secs(100)).count() < 300);
    }

    #[test]
    fn parts_have_seeds_of_their_own() {
        assert_ne!(derive(1, 2), derive(2, 1));
        assert_ne!(derive(1, 0), derive(0, 1));
        assert_eq!(derive(1, 2), derive(1, 2));
    }
}
