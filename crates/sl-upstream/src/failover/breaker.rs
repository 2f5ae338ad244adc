use std::{collections::VecDeque, sync::Arc, time::Duration};

use fastrand::Rng;
use sl_units::Mono;

/// When a breaker opens, and how long it stays so.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerRules {
    /// A pool is left when more than this part of its recent verdicts are refusals, 0 to 1.
    /// Stale shares do not count: they are nobody's fault.
    pub refused_share: f64,
    /// How many verdicts there must be before that is judged; twice as many are remembered.
    pub least_verdicts: usize,
    /// A share may wait so long for its verdict.
    pub answer: Duration,
    /// A pool may be without a job so long.
    pub jobless: Duration,
    /// A pool may lose its job this often…
    pub losses: usize,
    /// …within this time; beyond, it flaps.
    pub within: Duration,
    /// The first wait of an open breaker, doubled at each failed trial, jittered by a half.
    pub first_wait: Duration,
    /// The longest.
    pub longest_wait: Duration,
    /// How long a pool that had no job must hold one again.
    pub settle: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            refused_share: 0.5,
            least_verdicts: 10,
            answer: Duration::from_secs(10),
            jobless: Duration::from_secs(10),
            losses: 3,
            within: Duration::from_secs(600),
            first_wait: Duration::from_secs(10),
            longest_wait: Duration::from_secs(600),
            settle: Duration::from_secs(5),
        }
    }
}

/// Where a breaker stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// The pool is trusted.
    Closed,
    /// It is not used.
    Open {
        /// What opened it, for people.
        why: Arc<str>,
        /// When it is tried again.
        until: Mono,
    },
    /// It is on trial.
    HalfOpen {
        /// What opened it, for people.
        why: Arc<str>,
        /// Since when.
        since: Mono,
    },
}

impl BreakerState {
    /// The state in one word: `closed`, `open`, `half_open`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
        }
    }
}

/// What a breaker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The pool has a job.
    Works,
    /// It has none, or lost it.
    Jobless,
    /// It took a share.
    Accepted,
    /// It refused a share, for another reason than that it was stale.
    Refused,
    /// The oldest share that waits for its verdict was sent then.
    Waiting {
        /// When it was sent.
        sent: Mono,
    },
    /// Time has passed.
    Tick,
}

/// The circuit breaker of one pool: keeps work away from a pool that does not count it, and tries it
/// again with care. Pure: no clock, no socket; its jitter comes from a seed.
///
/// ```text
///                 no job for `jobless`; job lost more than `losses` times `within`;
///                 refusals over `refused_share`; a share without verdict for `answer`
///     ┌────────┐ ───────────────────────────────────────────────────────▶ ┌──────┐
///     │ closed │                                                          │ open │ ◀─┐
///     └────────┘ ◀──────────────────────────┐                             └──────┘   │
///                                           │               `first_wait`,    │       │ failed: a
///        opened for want of a job:          │               jittered, each   │       │ refusal, no
///          a job held for `settle`          │               time doubled     ▼       │ verdict, the
///        opened for its verdicts:           │                        ┌───────────┐   │ job lost
///          a share accepted                 └─────────────────────── │ half-open │ ──┘
///                                                                    └───────────┘
/// ```
///
/// An open breaker is no closed connection: the pool's own client goes on trying, so that the trial
/// finds a job at once. A pool that is on trial for its verdicts may be chosen; only work can prove
/// it. A pool that is on trial for want of a job is not chosen until it is closed.
///
/// ```
/// use std::time::Duration;
/// use sl_units::Mono;
/// use sl_upstream::{Breaker, BreakerRules, BreakerState, Evidence};
///
/// let mut breaker = Breaker::new(BreakerRules::default(), fastrand::Rng::with_seed(7));
/// let at = |seconds| Mono::from_start(Duration::from_secs(seconds));
/// breaker.step(Evidence::Waiting { sent: at(0) }, at(9));
/// assert_eq!(breaker.state(), &BreakerState::Closed);
/// breaker.step(Evidence::Waiting { sent: at(0) }, at(10));
/// assert_eq!(breaker.state().word(), "open");
/// ```
#[derive(Clone, Debug)]
pub struct Breaker {
    rules: BreakerRules,
    rng: Rng,
    state: BreakerState,
    /// Whether its verdicts opened it, so that only a verdict closes it.
    by_verdicts: bool,
    /// Trials that failed in a row.
    failed: u32,
    /// Since when there is a job, or none.
    job: Option<Mono>,
    jobless: Option<Mono>,
    losses: VecDeque<Mono>,
    /// The latest verdicts; true is a refusal.
    verdicts: VecDeque<bool>,
    opened: Option<Mono>,
    closed: Mono,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(rules: BreakerRules, rng: Rng) -> Self {
        Self {
            rules,
            rng,
            state: BreakerState::Closed,
            by_verdicts: false,
            failed: 0,
            job: None,
            jobless: None,
            losses: VecDeque::new(),
            verdicts: VecDeque::new(),
            opened: None,
            closed: Mono::default(),
        }
    }

    /// Other rules from now on.
    pub fn set_rules(&mut self, rules: BreakerRules) {
        self.rules = rules;
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> &BreakerState {
        &self.state
    }

    /// Whether work may go there: it is closed, or only work can close it.
    #[must_use]
    pub const fn lets_pass(&self) -> bool {
        match self.state {
            BreakerState::Closed => true,
            BreakerState::Open { .. } => false,
            BreakerState::HalfOpen { .. } => self.by_verdicts,
        }
    }

    /// Takes what has been seen; whether the state changed.
    pub fn step(&mut self, evidence: Evidence, now: Mono) -> bool {
        let before = self.state.word();
        self.remember(evidence, now);
        match self.state {
            BreakerState::Closed => self.while_closed(evidence, now),
            BreakerState::Open { ref why, until } if until <= now => {
                self.state = BreakerState::HalfOpen { why: why.clone(), since: now };
            }
            BreakerState::Open { .. } => {}
            BreakerState::HalfOpen { since, .. } => self.while_half_open(evidence, since, now),
        }
        self.state.word() != before
    }

    /// When it wants to be told of the time.
    #[must_use]
    pub fn next_look(&self) -> Option<Mono> {
        match self.state {
            BreakerState::Closed => self.jobless.map(|since| since + self.rules.jobless),
            BreakerState::Open { until, .. } => Some(until),
            BreakerState::HalfOpen { since, .. } => match (self.job, self.jobless) {
                (Some(job), _) if !self.by_verdicts => Some(job.max(since) + self.rules.settle),
                (None, Some(jobless)) => Some(jobless.max(since) + self.rules.jobless),
                _ => None,
            },
        }
    }

    fn remember(&mut self, evidence: Evidence, now: Mono) {
        match evidence {
            Evidence::Works => {
                self.jobless = None;
                self.job.get_or_insert(now);
            }
            Evidence::Jobless => {
                self.jobless.get_or_insert(now);
                if self.job.take().is_some() {
                    self.losses.push_back(now);
                }
                while self.losses.len() > self.rules.losses + 1 {
                    self.losses.pop_front();
                }
            }
            Evidence::Accepted | Evidence::Refused => {
                self.verdicts.push_back(evidence == Evidence::Refused);
                while self.verdicts.len() > self.rules.least_verdicts * 2 {
                    self.verdicts.pop_front();
                }
            }
            Evidence::Waiting { .. } | Evidence::Tick => {}
        }
    }

    fn while_closed(&mut self, evidence: Evidence, now: Mono) {
        let rules = &self.rules;
        let refused = self.verdicts.iter().filter(|refused| **refused).count();
        let judged = self.verdicts.len();
        let lost = self.losses.iter().filter(|at| now.since(**at) <= rules.within).count();
        if judged >= rules.least_verdicts.max(1)
            && refused as f64 > rules.refused_share * judged as f64
        {
            let why = format!("it refused {refused} of the last {judged} shares");
            self.open(&why, true, now);
        } else if let Some(waits) = self.unanswered(evidence, now) {
            self.open(&waits, true, now);
        } else if lost > rules.losses {
            let why = format!("it lost its job {lost} times in {} s", rules.within.as_secs());
            self.open(&why, false, now);
        } else if self.jobless.is_some_and(|since| now.since(since) >= rules.jobless) {
            let why = format!("it has had no job for {} s", rules.jobless.as_secs());
            self.open(&why, false, now);
        } else if self.failed > 0 && now.since(self.closed) >= rules.within {
            self.failed = 0;
        }
    }

    fn while_half_open(&mut self, evidence: Evidence, since: Mono, now: Mono) {
        let waits = self.unanswered(evidence, now);
        let held = self.job.map(|job| now.since(job.max(since)));
        match (evidence, waits, held) {
            (Evidence::Refused, ..) => self.open("it refused a share on trial", true, now),
            (_, Some(waits), _) => self.open(&waits, true, now),
            (Evidence::Accepted, ..) => self.close(now),
            (Evidence::Jobless, ..) if self.losses.back() == Some(&now) => {
                self.open("it lost its job on trial", self.by_verdicts, now);
            }
            (.., Some(held)) if !self.by_verdicts && held >= self.rules.settle => self.close(now),
            (.., None)
                if self
                    .jobless
                    .is_some_and(|jobless| now.since(jobless.max(since)) >= self.rules.jobless) =>
            {
                self.open("it has no job yet", self.by_verdicts, now);
            }
            _ => {}
        }
    }

    /// Whether a share that was sent since the breaker opened last waits too long.
    fn unanswered(&self, evidence: Evidence, now: Mono) -> Option<String> {
        let Evidence::Waiting { sent } = evidence else { return None };
        let counts = self.opened.is_none_or(|opened| sent > opened);
        let waits = now.since(sent);
        (counts && waits >= self.rules.answer)
            .then(|| format!("it left a share without its verdict for {} s", waits.as_secs()))
    }

    fn open(&mut self, why: &str, by_verdicts: bool, now: Mono) {
        let doubled = self.rules.first_wait.saturating_mul(1 << self.failed.min(16));
        let wait = doubled.min(self.rules.longest_wait).mul_f64(0.75 + self.rng.f64() / 2.0);
        self.failed = self.failed.saturating_add(1);
        self.by_verdicts = by_verdicts;
        self.opened = Some(now);
        self.verdicts.clear();
        self.state = BreakerState::Open { why: why.into(), until: now + wait };
    }

    fn close(&mut self, now: Mono) {
        self.state = BreakerState::Closed;
        self.closed = now;
        self.losses.clear();
        self.verdicts.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Evidence::{Accepted, Jobless, Refused, Tick, Waiting, Works};

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    fn new() -> Breaker {
        Breaker::new(BreakerRules::default(), fastrand::Rng::with_seed(7))
    }

    /// Each line: a second, what is seen, the state after it.
    fn check(story: &[(u64, Evidence, &str)]) -> Breaker {
        let mut breaker = new();
        for (second, evidence, state) in story {
            breaker.step(*evidence, at(*second));
            assert_eq!(breaker.state().word(), *state, "{evidence:?} at {second}: {breaker:?}");
        }
        breaker
    }

    #[test]
    fn want_of_a_job_opens_and_a_job_held_closes() {
        check(&[
            (0, Works, "closed"),
            (1, Jobless, "closed"),
            (10, Tick, "closed"),
            (11, Tick, "open"),
            (12, Works, "open"),
            (30, Tick, "half_open"),
            (34, Tick, "half_open"),
            (35, Tick, "closed"),
        ]);
    }

    #[test]
    fn a_pool_that_flaps_is_left_for_longer_each_time() {
        let mut breaker = new();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..400 {
            now += 1;
            breaker.step(if now % 2 == 0 { Works } else { Jobless }, at(now));
            if let BreakerState::Open { until, .. } = *breaker.state()
                && waits.last() != Some(&until)
            {
                waits.push(until);
            }
        }
        assert!(waits.len() >= 3 && waits.len() <= 6, "{waits:?}");
    }

    #[test]
    fn refusals_open_and_only_an_accepted_share_closes() {
        let mut story = vec![(0, Works, "closed")];
        story.extend((1..=4).map(|second| (second, Accepted, "closed")));
        story.extend((5..=9).map(|second| (second, Refused, "closed")));
        story.extend([
            (10, Refused, "open"),
            (11, Accepted, "open"),
            (40, Tick, "half_open"),
            (60, Tick, "half_open"),
            (61, Refused, "open"),
            (100, Tick, "half_open"),
            (101, Accepted, "closed"),
        ]);
        let breaker = check(&story);
        assert!(breaker.lets_pass());
    }

    #[test]
    fn a_share_without_verdict_opens_once() {
        let breaker = check(&[
            (0, Works, "closed"),
            (11, Waiting { sent: at(2) }, "closed"),
            (12, Waiting { sent: at(2) }, "open"),
            (30, Tick, "half_open"),
            (31, Waiting { sent: at(2) }, "half_open"),
            (45, Waiting { sent: at(33) }, "open"),
        ]);
        let BreakerState::Open { why, .. } = breaker.state() else { panic!("open") };
        assert_eq!(&**why, "it left a share without its verdict for 12 s");
    }

    proptest! {
        #[test]
        fn whatever_happens_it_opens_again_and_waits_in_bounds(
            steps in prop::collection::vec((0u8..6, 0u64..40), 1..300)
        ) {
            let mut breaker = new();
            let rules = BreakerRules::default();
            let mut now = 0;
            for (what, pause) in steps {
                now += pause;
                let evidence = match what {
                    0 => Works,
                    1 => Jobless,
                    2 => Accepted,
                    3 => Refused,
                    4 => Waiting { sent: at(now.saturating_sub(15)) },
                    _ => Tick,
                };
                breaker.step(evidence, at(now));
                if let BreakerState::Open { until, .. } = breaker.state() {
                    prop_assert!(until.since(at(now)) <= rules.longest_wait.mul_f64(1.25));
                }
            }
            if let BreakerState::Open { until, .. } = *breaker.state() {
                breaker.step(Tick, until);
            }
            prop_assert!(breaker.state().word() != "open");
        }
    }
}
