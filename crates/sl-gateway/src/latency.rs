use std::{fmt, time::Duration};

/// Buckets to each doubling of the time.
const STEPS: u32 = 8;
/// Up to 2³² µs, more than an hour.
const BUCKETS: usize = 32 * STEPS as usize;

/// A histogram of durations: eight buckets to each doubling from 1 µs on, so that a quantile is
/// good to 9 %.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: Duration,
}

/// What a histogram says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyFigures {
    /// How many durations were recorded.
    pub count: u64,
    /// Half of them were at most this; zero where there are none.
    pub p50: Duration,
    /// 99 of 100 were at most this.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max: Duration::ZERO }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        let micros = (duration.as_nanos() as f64 / 1000.0).max(1.0);
        let bucket = (micros.log2() * f64::from(STEPS)) as usize;
        if let Some(count) = self.buckets.get_mut(bucket.min(BUCKETS - 1)) {
            *count += 1;
        }
        self.count += 1;
        self.max = self.max.max(duration);
    }

    pub(crate) fn figures(&self) -> LatencyFigures {
        LatencyFigures {
            count: self.count,
            p50: self.quantile(50),
            p99: self.quantile(99),
            max: self.max,
        }
    }

    /// The upper end of the bucket that holds it.
    fn quantile(&self, percent: u64) -> Duration {
        let rank = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank && *count > 0 {
                let micros = ((bucket + 1) as f64 / f64::from(STEPS)).exp2();
                return Duration::from_secs_f64(micros / 1e6).min(self.max);
            }
        }
        Duration::ZERO
    }
}

impl fmt::Display for LatencyFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let (p50, p99, max) = (ms(self.p50), ms(self.p99), ms(self.max));
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms of {}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.figures(), LatencyFigures::default());
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        let figures = histogram.figures();
        let near = |found: Duration, ms: f64| {
            (found.as_secs_f64() * 1000.0 / ms).log2().abs() <= 1.0 / f64::from(STEPS)
        };
        assert!(near(figures.p50, 500.0) && near(figures.p99, 990.0), "{figures}");
        assert_eq!((figures.count, figures.max), (1000, Duration::from_secs(1)));
        histogram.record(Duration::from_secs(1 << 20));
        histogram.record(Duration::ZERO);
        assert_eq!(histogram.figures().count, 1002);
    }
}
