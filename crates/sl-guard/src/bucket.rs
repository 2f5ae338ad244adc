//! How much of something is given in a time: token buckets.

use std::{hash::Hash, time::Duration};

use sl_units::Mono;
use thiserror::Error;

use crate::Bounded;

/// A steady rate and how much may come at once above it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Time in which one token comes back, in nanoseconds; at least 1.
    interval: u64,
    /// Tokens that a full bucket holds; at least 1.
    burst: u32,
}

/// Why numbers are no rate.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum RateError {
    /// The rate is out of range.
    #[error("{0} a second, allowed are 0.000001 to 100000000")]
    PerSecond(f64),
    /// The burst is zero: nothing would ever be given.
    #[error("a burst of 0, allowed is at least 1")]
    Burst,
}

impl Rate {
    /// So many tokens a second, and so many at once.
    ///
    /// # Errors
    /// The rate is not within 10⁻⁶ to 10⁸ a second, or the burst is zero.
    pub fn new(per_second: f64, burst: u32) -> Result<Self, RateError> {
        if !(1e-6..=1e8).contains(&per_second) {
            return Err(RateError::PerSecond(per_second));
        }
        if burst == 0 {
            return Err(RateError::Burst);
        }
        Ok(Self { interval: (1e9 / per_second).round() as u64, burst })
    }

    /// One token in each `interval`, and so many at once. An interval under a nanosecond counts as
    /// one, a burst of zero as one.
    #[must_use]
    pub const fn every(interval: Duration, burst: u32) -> Self {
        let nanos = interval.as_nanos();
        let interval = if nanos == 0 {
            1
        } else if nanos > u64::MAX as u128 {
            u64::MAX
        } else {
            nanos as u64
        };
        Self { interval, burst: if burst == 0 { 1 } else { burst } }
    }

    /// Tokens a second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        1e9 / self.interval as f64
    }

    /// Tokens that a full bucket holds.
    #[must_use]
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// Nanoseconds in which so many tokens come back.
    const fn nanos(self, tokens: u32) -> u64 {
        self.interval.saturating_mul(tokens as u64)
    }
}

/// A token bucket in eight bytes. It starts full. The rate comes with each call, so that a changed
/// setting holds at once.
///
/// It holds the instant at which it will be full again; each token taken moves that instant by one
/// interval (the generic cell rate algorithm).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bucket {
    /// Nanoseconds since the clock's start at which the bucket is full.
    full_at: u64,
}

impl Bucket {
    /// Takes so many tokens if they are there, or says how long until they are. More than the burst
    /// is never there: [`Duration::MAX`].
    ///
    /// # Errors
    /// The tokens are not there; none is taken.
    pub fn take(&mut self, rate: Rate, tokens: u32, now: Mono) -> Result<(), Duration> {
        if tokens > rate.burst {
            return Err(Duration::MAX);
        }
        let at = nanos(now);
        let full_at = self.full_at.max(at).saturating_add(rate.nanos(tokens));
        let over = (full_at - at).saturating_sub(rate.nanos(rate.burst));
        if over > 0 {
            return Err(Duration::from_nanos(over));
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Takes so many tokens whether or not they are there, for what has already happened, and says
    /// how long to wait until the debt is paid. The debt never grows beyond one burst.
    pub fn spend(&mut self, rate: Rate, tokens: u32, now: Mono) -> Duration {
        let at = nanos(now);
        let burst = rate.nanos(rate.burst);
        let most = at.saturating_add(burst.saturating_mul(2));
        self.full_at = self.full_at.max(at).saturating_add(rate.nanos(tokens)).min(most);
        Duration::from_nanos((self.full_at - at).saturating_sub(burst))
    }

    /// Puts so many tokens back that were taken; never more than the bucket holds.
    pub fn give_back(&mut self, rate: Rate, tokens: u32) {
        self.full_at = self.full_at.saturating_sub(rate.nanos(tokens));
    }

    /// Whether nothing is missing: forgetting such a bucket changes nothing.
    #[must_use]
    pub fn is_full(self, now: Mono) -> bool {
        self.full_at <= nanos(now)
    }
}

fn nanos(now: Mono) -> u64 {
    u64::try_from(now.since_start().as_nanos()).unwrap_or(u64::MAX)
}

/// A bounded table of buckets: one for each address, subnet or worker.
///
/// Only a full bucket is forgotten to make room, the longest untouched first, so that nobody gets a
/// fresh bucket by pushing the old one out. When no bucket can be spared, strangers share one; those
/// who have their own do not feel it.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    each: Bounded<K, Bucket>,
    shared: Bucket,
    refused: u64,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    /// Buckets of this rate for at most so many keys.
    #[must_use]
    pub fn new(rate: Rate, capacity: usize) -> Self {
        Self { rate, each: Bounded::new(capacity), shared: Bucket::default(), refused: 0 }
    }

    /// Takes so many tokens of a key, or says how long until they are there.
    ///
    /// # Errors
    /// The tokens are not there; none is taken.
    pub fn take(&mut self, key: &K, tokens: u32, now: Mono) -> Result<(), Duration> {
        let own = self.each.touch(key, |bucket| bucket.is_full(now), Bucket::default);
        let taken = own.unwrap_or(&mut self.shared).take(self.rate, tokens, now);
        self.refused += u64::from(taken.is_err());
        taken
    }

    /// Gives all keys another rate from now on.
    pub fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// Keys that have a bucket of their own.
    #[must_use]
    pub fn len(&self) -> usize {
        self.each.len()
    }

    /// Whether no key has a bucket.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// Times that tokens were not there, since the start.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Times that a key found no room and shared a bucket, since the start.
    #[must_use]
    pub const fn shared(&self) -> u64 {
        self.each.found_full()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Mono {
        Mono::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let rate = Rate::new(10.0, 3).expect("a rate");
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, 1, at(5)), Ok(()));
        }
        assert_eq!(bucket.take(rate, 1, at(5)), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(rate, 1, at(104)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(rate, 1, at(105)), Ok(()));
        assert_eq!(bucket.take(rate, 4, at(9000)), Err(Duration::MAX));
        assert_eq!(bucket.take(rate, 3, at(9000)), Ok(()));
        assert!(!bucket.is_full(at(9299)) && bucket.is_full(at(9300)));
    }

    #[test]
    fn a_debt_is_waited_for_and_bounded() {
        let rate = Rate::new(1000.0, 100).expect("a rate");
        let mut bucket = Bucket::default();
        assert_eq!(bucket.spend(rate, 100, at(0)), Duration::ZERO);
        assert_eq!(bucket.spend(rate, 50, at(0)), Duration::from_millis(50));
        assert_eq!(bucket.spend(rate, u32::MAX, at(0)), Duration::from_millis(100));
        assert_eq!(bucket.spend(rate, 0, at(100)), Duration::ZERO);
        assert_eq!(bucket.spend(rate, 10, at(100)), Duration::from_millis(10));
        bucket.give_back(rate, 10);
        assert_eq!(bucket.spend(rate, 0, at(100)), Duration::ZERO);
        bucket.give_back(rate, u32::MAX);
        assert_eq!(bucket.spend(rate, 101, at(100)), Duration::from_millis(1), "it was full");
    }

    #[test]
    fn strangers_share_when_no_bucket_can_be_spared() {
        let mut buckets = Buckets::new(Rate::new(1.0, 2).expect("a rate"), 2);
        for key in ["a", "b"] {
            assert!(buckets.take(&key, 2, at(0)).is_ok());
        }
        assert!(buckets.take(&"c", 1, at(0)).is_ok());
        assert!(buckets.take(&"d", 1, at(0)).is_ok());
        assert!(buckets.take(&"e", 1, at(0)).is_err(), "the shared bucket is empty");
        assert!(buckets.take(&"a", 1, at(0)).is_err(), "a's bucket was not washed away");
        assert_eq!((buckets.len(), buckets.shared(), buckets.refused()), (2, 3, 2));
        assert!(buckets.take(&"e", 2, at(5000)).is_ok(), "the full ones made room");
    }

    #[test]
    fn a_rate_says_what_is_allowed() {
        assert_eq!(Rate::new(0.0, 1), Err(RateError::PerSecond(0.0)));
        assert!(Rate::new(f64::NAN, 1).is_err());
        assert_eq!(Rate::new(1.0, 0), Err(RateError::Burst));
        assert_eq!(Rate::every(Duration::ZERO, 0), Rate { interval: 1, burst: 1 });
    }

    proptest! {
        #[test]
        fn no_more_is_given_than_rate_and_burst(
            per_second in 1u32..500,
            burst in 1u32..50,
            gaps in proptest::collection::vec((0u64..100, 1u32..5), 1..200),
        ) {
            let rate = Rate::new(per_second.into(), burst).expect("a rate");
            let (mut bucket, mut now, mut given) = (Bucket::default(), 0, 0u64);
            for (gap, tokens) in gaps {
                now += gap;
                if bucket.take(rate, tokens, at(now)).is_ok() {
                    given += u64::from(tokens);
                }
                let most = u64::from(burst) + (now + 1) * u64::from(per_second) / 1000 + 1;
                prop_assert!(given <= most, "{given} of {most}");
            }
        }
    }
}
