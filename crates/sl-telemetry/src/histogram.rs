//! A histogram of durations: log-linear, of fixed size, owned by one task.

use std::time::Duration;

/// Each doubling is divided into this many buckets (a power of two): a quantile is at most one
/// part in 32 above the truth.
const PARTS: u64 = 32;
const PARTS_LOG2: u32 = PARTS.trailing_zeros();
/// Longer durations (2^40 µs, 12 days) are counted in the last bucket; `max` stays exact.
const TOP_LOG2: u32 = 40;
const BUCKETS: usize = ((TOP_LOG2 - PARTS_LOG2 + 1) as usize) << PARTS_LOG2;

/// Counts durations by the microsecond and answers quantiles. About 9 KiB, whatever is recorded.
///
/// ```
/// use sl_telemetry::Histogram;
/// use std::time::Duration;
///
/// let mut latency = Histogram::default();
/// for ms in 1..=100 {
///     latency.record(Duration::from_millis(ms));
/// }
/// let median = latency.quantile(0.5).expect("some were recorded");
/// assert!(median >= Duration::from_millis(50) && median < Duration::from_millis(52));
/// assert_eq!(latency.quantile(1.0), Some(Duration::from_millis(100)));
/// ```
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum_us: u128,
    min_us: u64,
    max_us: u64,
}

/// A histogram as plain numbers, to be shown or serialised. `None` where nothing was recorded:
/// unknown is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HistogramSnapshot {
    /// Durations recorded.
    pub count: u64,
    /// The shortest, in milliseconds.
    pub min_ms: Option<f64>,
    /// The mean, in milliseconds.
    pub mean_ms: Option<f64>,
    /// Half are not longer, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 90 of 100 are not longer, in milliseconds.
    pub p90_ms: Option<f64>,
    /// 99 of 100 are not longer, in milliseconds.
    pub p99_ms: Option<f64>,
    /// The longest, in milliseconds.
    pub max_ms: Option<f64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, sum_us: 0, min_us: u64::MAX, max_us: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get_mut(bucket_of(us)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum_us += u128::from(us);
        self.min_us = self.min_us.min(us);
        self.max_us = self.max_us.max(us);
    }

    /// Adds all that another histogram counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.count += other.count;
        self.sum_us += other.sum_us;
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// Durations counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest duration, exact to the microsecond.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_micros(self.max_us))
    }

    /// The duration that the part `p` (from 0 to 1) of all is not longer than, by nearest rank:
    /// never below the truth, and above it by less than one part in 32 and a microsecond. `None`
    /// when nothing was counted.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<Duration> {
        if self.count == 0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "the product is within 0 and a count of events, and a cast of NaN is 0"
        )]
        let rank = (p.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        let rank = rank.clamp(1, self.count);
        let mut seen = 0;
        for (at, bucket) in self.buckets.iter().enumerate() {
            seen += bucket;
            if seen >= rank {
                let last = at + 1 == BUCKETS;
                let us = if last { self.max_us } else { highest_of(at).min(self.max_us) };
                return Some(Duration::from_micros(us));
            }
        }
        self.max()
    }

    /// The numbers worth showing.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let quantile = |p| self.quantile(p).map(ms);
        let mean_us = self.sum_us.checked_div(u128::from(self.count));
        HistogramSnapshot {
            count: self.count,
            min_ms: (self.count > 0).then(|| ms(Duration::from_micros(self.min_us))),
            mean_ms: mean_us
                .map(|us| ms(Duration::from_micros(u64::try_from(us).unwrap_or(u64::MAX)))),
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            max_ms: self.max().map(ms),
        }
    }
}

/// The bucket of a number of microseconds: below [`PARTS`] each has its own; above, each doubling
/// has as many.
fn bucket_of(us: u64) -> usize {
    if us < PARTS {
        return usize::try_from(us).unwrap_or(0);
    }
    let doubling = us.ilog2() - PARTS_LOG2;
    let part = (us >> doubling) - PARTS;
    let bucket = (u64::from(doubling) + 1) * PARTS + part;
    usize::try_from(bucket).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The highest number of microseconds of a bucket.
fn highest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let Some(doubling) = (bucket / PARTS).checked_sub(1) else { return bucket };
    ((PARTS + bucket % PARTS + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_join_without_gap() {
        let mut next = 0;
        for bucket in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(next), bucket);
            assert_eq!(bucket_of(highest_of(bucket)), bucket);
            next = highest_of(bucket) + 1;
        }
        assert_eq!(bucket_of(next), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_counted_is_unknown() {
        let empty = Histogram::default();
        assert_eq!(empty.quantile(0.5), None);
        assert_eq!(empty.max(), None);
        assert_eq!(empty.snapshot(), HistogramSnapshot::default());
    }

    #[test]
    fn a_snapshot_in_milliseconds() {
        let mut one = Histogram::default();
        let mut two = Histogram::default();
        one.record(Duration::from_millis(1));
        two.record(Duration::from_micros(3_000));
        one.merge(&two);
        let snapshot = one.snapshot();
        assert_eq!(snapshot.count, 2);
        assert_eq!((snapshot.min_ms, snapshot.mean_ms), (Some(1.0), Some(2.0)));
        assert_eq!((snapshot.p99_ms, snapshot.max_ms), (Some(3.0), Some(3.0)));
    }

    #[test]
    fn beyond_the_top_the_longest_stands() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_secs(10_000_000_000));
        assert_eq!(histogram.quantile(0.0), Some(Duration::from_secs(10_000_000_000)));
        assert_eq!(histogram.quantile(f64::NAN), histogram.max());
    }

    proptest! {
        #[test]
        fn quantiles_against_a_sorted_vector(
            mut durations in prop::collection::vec(0_u64..2_000_000_000, 1..300),
            p in 0.0_f64..=1.0,
        ) {
            let mut histogram = Histogram::default();
            for us in &durations {
                histogram.record(Duration::from_micros(*us));
            }
            durations.sort_unstable();
            let count = durations.len();
            let rank = ((p * count as f64).ceil() as usize).clamp(1, count);
            let truth = durations[rank - 1];
            let told = u64::try_from(histogram.quantile(p).unwrap().as_micros()).unwrap();
            prop_assert!(told >= truth, "{told} < {truth}");
            prop_assert!(told <= truth + truth / 32 + 1, "{told} of {truth}");
            prop_assert_eq!(histogram.count(), count as u64);
        }
    }
}
