use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use sl_units::{HashRate, Mono};
use sl_work::{Outcome, WorkerName};

use crate::pause::Reason;

/// Different reasons that are counted apart; a source may say anything.
const REASONS: usize = 16;

/// How the engines fare.
#[derive(Clone, Debug, Default)]
pub struct HasherStatus {
    /// The engine in use; empty before the start.
    pub engine: &'static str,
    /// Threads that hash.
    pub threads: usize,
    /// Hashes made since the start.
    pub hashes: u64,
    /// Hashes really made over the last ten seconds, pauses and waits included.
    pub hashrate: HashRate,
    /// From the first hash since the start to the last, pauses and waits between them included: the
    /// time that makes a rate of `hashes`.
    pub hashing: Duration,
    /// Why hashing rests, if it does.
    pub paused: Option<Reason>,
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
    /// When the source took the first.
    pub first_accepted: Option<Mono>,
    /// Refused by the source.
    pub rejected: u64,
    /// Too late.
    pub stale: u64,
    /// Not sent up, or sent up and never judged.
    pub lost: u64,
    /// Refused, in the source's words.
    pub rejected_by_reason: Reasons,
    /// Lost, by reason.
    pub lost_by_reason: Reasons,
}

/// Counts by reason. Those of the seventeenth reason on count as "other".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons(BTreeMap<String, u64>);

impl Reasons {
    /// Each reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(reason, count)| (reason.as_str(), *count))
    }

    fn add(&mut self, reason: String, count: u64) {
        let known = self.0.contains_key(&reason) || self.0.len() < REASONS;
        let reason = if known { reason } else { "other".to_owned() };
        *self.0.entry(reason).or_default() += count;
    }
}

impl LeaseStatus {
    pub(crate) fn new(worker: WorkerName) -> Self {
        Self {
            worker,
            accepted: 0,
            first_accepted: None,
            rejected: 0,
            stale: 0,
            lost: 0,
            rejected_by_reason: Reasons::default(),
            lost_by_reason: Reasons::default(),
        }
    }

    pub(crate) fn count(&mut self, outcome: Outcome, now: Mono) {
        match outcome {
            Outcome::Accepted { .. } => {
                self.accepted += 1;
                self.first_accepted.get_or_insert(now);
            }
            Outcome::Stale { .. } => self.stale += 1,
            Outcome::Rejected { reason } => {
                self.rejected += 1;
                self.rejected_by_reason.add(reason, 1);
            }
            Outcome::Lost { reason } => self.lose(reason, 1),
        }
    }

    pub(crate) fn lose(&mut self, reason: String, count: u64) {
        if count > 0 {
            self.lost += count;
            self.lost_by_reason.add(reason, count);
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
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_samples() {
        let mut window = Window::default();
        assert_eq!(window.sample(at(0), 0), HashRate::default());
        for second in 1..=20 {
            let rate = if second <= 10 { 100 } else { 200 };
            let hashes = if second <= 10 { second * 100 } else { 1000 + (second - 10) * rate };
            let _ = window.sample(at(second), hashes);
        }
        assert_eq!(window.sample(at(21), 3200), HashRate::from_hs(200.0));
    }

    #[test]
    fn every_share_counts_once_with_its_reason() {
        let mut account = LeaseStatus::new("cpu".into());
        let accepted = || Outcome::Accepted { credited: Vec::new(), missed: Vec::new() };
        account.count(Outcome::Stale { reason: "old".into() }, at(1));
        account.count(accepted(), at(2));
        account.count(accepted(), at(3));
        for number in 0..40 {
            account.count(Outcome::Rejected { reason: format!("reason {number}") }, at(4));
        }
        account.count(Outcome::Lost { reason: "silence".into() }, at(5));
        account.lose("no room".into(), 7);
        account.lose("gone".into(), 0);
        let LeaseStatus { accepted, stale, rejected, lost, .. } = account;
        assert_eq!((accepted, stale, rejected, lost), (2, 1, 40, 8));
        assert_eq!(account.first_accepted, Some(at(2)));
        let lost: Vec<_> = account.lost_by_reason.iter().collect();
        assert_eq!(lost, [("no room", 7), ("silence", 1)]);
        let refused: Vec<_> = account.rejected_by_reason.iter().collect();
        assert_eq!(refused.len(), REASONS + 1);
        assert_eq!(refused.first(), Some(&("other", 24)));
    }
}
