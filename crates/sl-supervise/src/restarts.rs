//! When a failed service may start again: pure.

use sl_units::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// How a failed service is restarted: after a delay that doubles from `min` to `max`, shortened at
/// random by up to the `jitter` part of it, and not more than `budget` times within `window`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestartPolicy {
    /// The delay before the first restart.
    pub min: Duration,
    /// The longest delay.
    pub max: Duration,
    /// From 0 (none) to 1: the part of a delay that chance may take off, so that many services
    /// that failed together do not come back together.
    pub jitter: f64,
    /// Restarts allowed within the window; 0 means never.
    pub budget: u32,
    /// The sliding window. Restarts older than it are forgotten, for the delay also.
    pub window: Duration,
}

impl Default for RestartPolicy {
    /// From 250 ms to 30 s, a third of jitter, 10 restarts in 10 minutes.
    fn default() -> Self {
        Self {
            min: Duration::from_millis(250),
            max: Duration::from_secs(30),
            jitter: 0.33,
            budget: 10,
            window: Duration::from_secs(600),
        }
    }
}

impl RestartPolicy {
    /// Never again: the first failure is final.
    #[must_use]
    pub fn never() -> Self {
        Self { budget: 0, ..Self::default() }
    }
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start again after the delay; the number of this attempt within the window, from 1.
    Retry { delay: Duration, attempt: u32 },
    /// The budget is spent.
    OverBudget,
}

/// The restarts of one service.
#[derive(Debug)]
pub(crate) struct Restarts {
    policy: RestartPolicy,
    rng: fastrand::Rng,
    /// Instants of the failures that were answered by a restart, oldest first; at most `budget`.
    recent: VecDeque<Mono>,
}

impl Restarts {
    pub(crate) fn new(policy: RestartPolicy, rng: fastrand::Rng) -> Self {
        Self { policy, rng, recent: VecDeque::new() }
    }

    /// Whether the policy has any.
    pub(crate) const fn are_allowed(&self) -> bool {
        self.policy.budget > 0
    }

    /// The service failed `now`.
    pub(crate) fn failed(&mut self, now: Mono) -> Verdict {
        let window = self.policy.window;
        while self.recent.front().is_some_and(|oldest| now.since(*oldest) >= window) {
            self.recent.pop_front();
        }
        let attempt = u32::try_from(self.recent.len()).unwrap_or(u32::MAX).saturating_add(1);
        if attempt > self.policy.budget {
            return Verdict::OverBudget;
        }
        self.recent.push_back(now);
        let steps = 2_u32.saturating_pow(attempt - 1);
        let delay = self.policy.min.saturating_mul(steps).min(self.policy.max);
        let kept = 1.0 - self.policy.jitter.clamp(0.0, 1.0) * self.rng.f64();
        Verdict::Retry { delay: delay.mul_f64(kept), attempt }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RestartPolicy {
        RestartPolicy {
            min: Duration::from_millis(100),
            max: Duration::from_secs(1),
            jitter: 0.0,
            budget: 6,
            window: Duration::from_secs(60),
        }
    }

    fn restarts(policy: RestartPolicy) -> Restarts {
        Restarts::new(policy, fastrand::Rng::with_seed(3))
    }

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    fn retry(millis: u64, attempt: u32) -> Verdict {
        Verdict::Retry { delay: Duration::from_millis(millis), attempt }
    }

    #[test]
    fn delays_double_up_to_the_longest_until_the_budget_is_spent() {
        let mut subject = restarts(policy());
        for (attempt, millis) in (1..).zip([100, 200, 400, 800, 1000, 1000]) {
            assert_eq!(subject.failed(at(u64::from(attempt))), retry(millis, attempt));
        }
        assert_eq!(subject.failed(at(7)), Verdict::OverBudget);
    }

    #[test]
    fn what_leaves_the_window_is_forgotten() {
        let mut subject = restarts(policy());
        for second in [0, 10, 20, 30, 40, 50] {
            assert_ne!(subject.failed(at(second)), Verdict::OverBudget);
        }
        assert_eq!(subject.failed(at(59)), Verdict::OverBudget);
        assert_eq!(subject.failed(at(60)), retry(1000, 6), "the first failure is forgotten");
        assert_eq!(subject.failed(at(200)), retry(100, 1), "all are");
    }

    #[test]
    fn jitter_shortens_within_its_part_and_varies() {
        let jitter = 0.25;
        let mut subject = restarts(RestartPolicy { jitter, budget: u32::MAX, ..policy() });
        let mut seen = std::collections::BTreeSet::new();
        for hour in 0..1000 {
            let Verdict::Retry { delay, attempt: 1 } = subject.failed(at(hour * 3600)) else {
                panic!("a restart a window is the first");
            };
            assert!((75..=100).contains(&delay.as_millis()), "{delay:?}");
            seen.insert(delay);
        }
        assert!(seen.len() > 500, "{}", seen.len());
        let spread = *seen.last().unwrap() - *seen.first().unwrap();
        assert!(spread > Duration::from_millis(20), "{spread:?}");
    }

    #[test]
    fn extremes_of_the_policy() {
        assert_eq!(restarts(RestartPolicy::never()).failed(at(0)), Verdict::OverBudget);
        let odd = RestartPolicy {
            min: Duration::MAX,
            max: Duration::MAX,
            jitter: f64::MAX,
            budget: u32::MAX,
            window: Duration::MAX,
        };
        let mut subject = restarts(odd);
        for _ in 0..100 {
            assert_ne!(subject.failed(at(1)), Verdict::OverBudget);
        }
    }
}
