//! The rate of a machine, cheaply: for screens. What a worker proves, with how sure it is, stands
//! in its account.

use std::{collections::VecDeque, time::Duration};

use sl_units::{HashRate, Mono};

/// How long a step is, and how many make the window.
const STEP: Duration = Duration::from_secs(10);
const STEPS: u32 = 30;

/// Work proven over the last five minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkRate {
    /// The number of each step in which there was a share, and the work in it.
    steps: VecDeque<(u32, f32)>,
}

impl WorkRate {
    pub(super) fn add(&mut self, at: Mono, work: f64) {
        let number = number(at);
        match self.steps.back_mut() {
            Some((last, sum)) if number <= *last => *sum += work as f32,
            _ => self.steps.push_back((number, work as f32)),
        }
        self.forget(number);
    }

    /// The rate since `since`, or over the window where that is later.
    pub(super) fn rate(&mut self, now: Mono, since: Mono) -> HashRate {
        let newest = number(now);
        self.forget(newest);
        // The oldest step kept is whole, the newest runs.
        let running = now.since_start().saturating_sub(STEP.saturating_mul(newest));
        let over = now.since(since).min(STEP * (STEPS - 1) + running);
        // Not `sum`: of nothing that is minus zero.
        let work = self.steps.iter().fold(0.0, |sum, (_, work)| sum + f64::from(*work));
        HashRate::from_work(work, over)
    }

    fn forget(&mut self, newest: u32) {
        while self.steps.front().is_some_and(|(number, _)| number.saturating_add(STEPS) <= newest) {
            self.steps.pop_front();
        }
    }
}

fn number(at: Mono) -> u32 {
    u32::try_from(at.since_start().as_secs() / STEP.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_five_minutes() {
        let at = |seconds| Mono::from_start(Duration::from_secs(seconds));
        let mut work = WorkRate::default();
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
        assert!(work.steps.is_empty());
    }
}
