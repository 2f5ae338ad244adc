//! Hash rates as shares prove them.

use std::{collections::VecDeque, time::Duration};

use sl_units::{HashRate, Mono};

use crate::{ProvenRate, difficulty::bounds};

/// Work proven over the last so long, in steps: what lies a whole window back is forgotten.
#[derive(Clone, Debug)]
pub(super) struct Window {
    step: Duration,
    steps: u32,
    /// The number of each step in which there was a share, with the sum of the work in it and of
    /// its squares.
    sums: VecDeque<(u64, f32, f32)>,
}

impl Window {
    pub(super) const fn new(step: Duration, steps: u32) -> Self {
        Self { step, steps, sums: VecDeque::new() }
    }

    pub(super) fn add(&mut self, at: Mono, work: f64) {
        let number = self.number(at);
        let (work, square) = (work as f32, (work * work) as f32);
        match self.sums.back_mut() {
            // Shares of many machines come in any order within a step's breadth.
            Some((last, sum, squares)) if number <= *last => {
                *sum += work;
                *squares += square;
            }
            _ => self.sums.push_back((number, work, square)),
        }
        self.forget(number);
    }

    /// The rate over the window, or since `since` where that is later.
    pub(super) fn rate(&mut self, now: Mono, since: Mono) -> ProvenRate {
        let newest = self.number(now);
        self.forget(newest);
        // The oldest step kept is whole, the newest runs.
        let running = now.since_start().saturating_sub(self.step.saturating_mul(as_u32(newest)));
        let over = now.since(since).min(self.step * (self.steps - 1) + running);
        let (work, squares) = self.sums.iter().fold((0.0, 0.0), |(work, squares), step| {
            (work + f64::from(step.1), squares + f64::from(step.2))
        });
        let rate = HashRate::from_work(work, over);
        if work <= 0.0 {
            return ProvenRate { over, ..ProvenRate::default() };
        }
        // Of shares of different difficulty the variance is the sum of the squares: as of so many
        // equal ones.
        let shares = work * work / squares.max(f64::MIN_POSITIVE);
        let (low, high) = bounds(shares);
        let part = |bound: f64| HashRate::from_hs(rate.hs() * bound / shares);
        ProvenRate { over, rate, low: part(low), high: part(high), shares }
    }

    fn forget(&mut self, newest: u64) {
        let steps = u64::from(self.steps);
        while self.sums.front().is_some_and(|(number, ..)| number + steps <= newest) {
            self.sums.pop_front();
        }
    }

    fn number(&self, at: Mono) -> u64 {
        let number = at.since_start().as_nanos() / self.step.as_nanos().max(1);
        u64::try_from(number).unwrap_or(u64::MAX)
    }
}

fn as_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Work proven over the last five minutes.
#[derive(Clone, Debug)]
pub(super) struct WorkRate(Window);

impl WorkRate {
    pub(super) const fn new() -> Self {
        Self(Window::new(Duration::from_secs(10), 30))
    }

    pub(super) fn add(&mut self, at: Mono, work: f64) {
        self.0.add(at, work);
    }

    pub(super) fn rate(&mut self, now: Mono, since: Mono) -> HashRate {
        self.0.rate(now, since).rate
    }
}

impl Default for WorkRate {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn the_rate_is_that_of_the_last_five_minutes() {
        let mut work = WorkRate::new();
        for second in 0..100 {
            work.add(at(second), 50.0);
        }
        assert_eq!(work.rate(at(100), at(0)), HashRate::from_hs(50.0));
        for second in 100..1000 {
            work.add(at(second), 80.0);
        }
        assert_eq!(work.rate(at(999), at(0)).hs().round(), 80.0);
        assert_eq!(work.rate(at(1000), at(0)), HashRate::from_hs(80.0));
        assert_eq!(work.rate(at(2000), at(0)).to_string(), "0.00 H/s");
        assert!(work.0.sums.is_empty());
    }

    #[test]
    fn the_interval_is_poissons() {
        let mut window = Window::new(Duration::from_secs(60), 60);
        for share in 0..100 {
            window.add(at(share * 36), 1000.0);
        }
        let proven = window.rate(at(3599), at(0));
        assert_eq!(proven.shares.round(), 100.0);
        // Exact: 81.364 to 121.627.
        let ratio = |rate: HashRate| rate.hs() / proven.rate.hs();
        assert!((ratio(proven.low) - 0.8136).abs() < 0.001, "{proven:?}");
        assert!((ratio(proven.high) - 1.2163).abs() < 0.001, "{proven:?}");
        // One huge share among small ones is one share.
        window.add(at(3599), 1e9);
        assert!(window.rate(at(3599), at(0)).shares < 1.01);
    }

    #[test]
    fn the_interval_holds_the_truth_nineteen_times_of_twenty() {
        let (mut rng, mut held) = (fastrand::Rng::with_seed(1), 0);
        for _ in 0..2000 {
            let mut window = Window::new(Duration::from_secs(60), 60);
            let mut now = 0.0;
            // A share in a minute, of 1000 hashes each: 16.67 H/s.
            loop {
                now += -(1.0 - rng.f64()).ln() * 60.0;
                if now >= 3600.0 {
                    break;
                }
                window.add(Mono::from_start(Duration::from_secs_f64(now)), 1000.0);
            }
            let proven = window.rate(at(3599), at(0));
            let truth = 1000.0 / 60.0;
            held += u32::from(proven.low.hs() <= truth && truth <= proven.high.hs());
        }
        assert!((1880..=1960).contains(&held), "{held} of 2000");
    }
}
