//! The counters of a board: nonces, and rates from them over several windows.

use std::collections::VecDeque;

use crate::physics::{Outcome, poisson};

/// Minutes that the chart goes back.
const CHART: usize = 24 * 60;
/// Seconds of the short window.
const SHORT: usize = 5;

/// What one board has returned since the mining program started.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    /// Good nonces of the last seconds, the oldest at `at`.
    seconds: [u32; SHORT],
    at: u8,
    /// Seconds of the minute that runs, and its good nonces.
    second: u8,
    minute: u32,
    /// Good nonces of whole minutes, oldest first.
    minutes: VecDeque<u32>,
    /// Good nonces.
    good: u64,
    /// Bad nonces.
    bad: u64,
}

impl Meter {
    /// A second of this board.
    pub(super) fn second(
        &mut self,
        outcome: &Outcome,
        hashes_per_nonce: f64,
        rng: &mut fastrand::Rng,
    ) {
        let good = poisson(rng, outcome.good_hs / hashes_per_nonce);
        let bad = poisson(rng, outcome.bad_hs / hashes_per_nonce);
        self.good = self.good.saturating_add(good);
        self.bad = self.bad.saturating_add(bad);
        let good = u32::try_from(good).unwrap_or(u32::MAX);
        if let Some(second) = self.seconds.get_mut(usize::from(self.at)) {
            *second = good;
        }
        self.at = (self.at + 1) % SHORT as u8;
        self.minute = self.minute.saturating_add(good);
        self.second += 1;
        if self.second == 60 {
            if self.minutes.len() == CHART {
                self.minutes.pop_front();
            }
            self.minutes.push_back(self.minute);
            (self.second, self.minute) = (0, 0);
        }
    }

    /// Nonces a second over the last five, the program running for `elapsed` seconds.
    pub(super) fn short(&self, elapsed: u64) -> f64 {
        let sum: f64 = self.seconds.iter().map(|good| f64::from(*good)).sum();
        sum / elapsed.clamp(1, SHORT as u64) as f64
    }

    /// Nonces a second over the last half hour, the minute that runs included.
    pub(super) fn half_hour(&self, elapsed: u64) -> f64 {
        let whole: f64 = self.minutes.iter().rev().take(30).map(|good| f64::from(*good)).sum();
        let seconds = 60 * self.minutes.len().min(30) as u64 + u64::from(self.second);
        (whole + f64::from(self.minute)) / seconds.min(elapsed).max(1) as f64
    }

    /// Nonces a second of all time.
    pub(super) fn average(&self, elapsed: u64) -> f64 {
        self.good as f64 / elapsed.max(1) as f64
    }

    /// Whole minutes that are known.
    pub(super) fn minutes(&self) -> usize {
        self.minutes.len()
    }

    /// Nonces a second of a whole minute, the oldest first; 0 for one that is not known.
    pub(super) fn minute(&self, minute: usize) -> f64 {
        self.minutes.get(minute).map_or(0.0, |good| f64::from(*good) / 60.0)
    }

    /// Good and bad nonces.
    pub(super) const fn nonces(&self) -> (u64, u64) {
        (self.good, self.bad)
    }
}
