use std::collections::VecDeque;

use sl_units::{HashRate, Mono};
use sl_work::{Outcome, WorkerName};

/// How the engines fare.
#[derive(Clone, Debug, Default)]
pub struct HasherStatus {
    /// The engine in use; empty before the start.
    pub engine: &'static str,
    /// Threads that hash.
    pub threads: usize,
    /// Hashes since the start.
    pub hashes: u64,
    /// Over the last ten seconds.
    pub hashrate: HashRate,
    /// Each lease's shares.
    pub leases: Vec<LeaseStatus>,
}

/// What became of a lease's shares.
#[derive(Clone, Debug)]
pub struct LeaseStatus {
    /// Under whose name they count.
    pub worker: WorkerName,
    /// Taken by the source.
    pub accepted: u64,
    /// Refused by the source.
    pub rejected: u64,
    /// Too late.
    pub stale: u64,
    /// Without a verdict.
    pub lost: u64,
    /// The source's last words of refusal.
    pub last_refusal: Option<String>,
}

impl LeaseStatus {
    pub(crate) const fn new(worker: WorkerName) -> Self {
        Self { worker, accepted: 0, rejected: 0, stale: 0, lost: 0, last_refusal: None }
    }

    pub(crate) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Accepted { .. } => self.accepted += 1,
            Outcome::Stale { .. } => self.stale += 1,
            Outcome::Rejected { reason } => {
                self.rejected += 1;
                self.last_refusal = Some(reason);
            }
            Outcome::Lost { reason } => {
                self.lost += 1;
                self.last_refusal = Some(reason);
            }
        }
    }
}

/// The rate of a counter over the last ten samples.
#[derive(Debug, Default)]
pub(crate) struct Window {
    samples: VecDeque<(Mono, u64)>,
}

impl Window {
    const SAMPLES: usize = 11;

    pub(crate) fn sample(&mut self, now: Mono, hashes: u64) -> HashRate {
        self.samples.push_back((now, hashes));
        while self.samples.len() > Self::SAMPLES {
            self.samples.pop_front();
        }
        match self.samples.front() {
            Some(&(then, before)) if now > then => {
                HashRate::from_work((hashes - before) as f64, now.since(then))
            }
            _ => HashRate::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_ten_samples() {
        let mut window = Window::default();
        let at = |seconds| Mono::from_start(Duration::from_secs(seconds));
        assert_eq!(window.sample(at(0), 0), HashRate::default());
        for second in 1..=20 {
            let rate = if second <= 10 { 100 } else { 200 };
            let hashes = if second <= 10 { second * 100 } else { 1000 + (second - 10) * rate };
            let _ = window.sample(at(second), hashes);
        }
        assert_eq!(window.sample(at(21), 3200), HashRate::from_hs(200.0));
    }
}
