use std::time::Duration;

use sl_units::{HashRate, Mono, Target};
use thiserror::Error;

use super::{Decision, Inputs, Outcome, Rule, gamma, run_length};

/// What a test must be able to do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Requirement {
    /// The part of the hashes whose absence it is made to find, as 0.05.
    pub missing: f64,
    /// The part that may be absent without that being a shortfall, as 0.01: what reconnections and
    /// the claim's own error cost. Each hundredth makes the test slower: see the page.
    pub tolerance: f64,
    /// Honest machines that are watched,
    pub machines: f64,
    /// and the time in which they give one false alarm together on average, at most.
    pub one_false_alarm_in: Duration,
    /// Shares a minute that vardiff asks of a machine.
    pub shares_per_minute: f64,
}

impl Default for Requirement {
    /// At most one false alarm per 10,000 machines and month, 5 % missing, 6 shares a minute.
    fn default() -> Self {
        Self {
            missing: 0.05,
            tolerance: 0.0,
            machines: 10_000.0,
            one_false_alarm_in: Duration::from_secs(30 * 86_400),
            shares_per_minute: 6.0,
        }
    }
}

/// Why nothing can be designed for a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum RequirementError {
    /// The missing part is out of range.
    #[error("missing {0}, allowed are 0.01 to 0.9")]
    Missing(f64),
    /// The tolerance is out of range.
    #[error("tolerance {found}, allowed are 0 to {most} (half of what is missing)")]
    Tolerance {
        /// What was found.
        found: f64,
        /// The greatest that is allowed.
        most: f64,
    },
    /// The other numbers are out of range.
    #[error("{0} expected shares in one false alarm's time, allowed are 1000 to 1000000000000000")]
    Run(f64),
}

/// The most that a single share may count: its difficulty over the one in force.
const HEAVIEST_SHARE: f64 = 16.0;
/// Arms of a test.
pub(super) const ARMS: usize = 3;
/// A claim that moves by less than this part moves without a pause.
const SMALL_CHANGE: f64 = 0.01;

/// One of the parallel tests: made for one part missing.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Arm {
    /// The part of the hashes for whose absence it is made.
    pub missing: f64,
    /// The statistic at which a machine is found short.
    pub threshold: f64,
    /// Expected shares until an honest machine (one that is short by the tolerance) is found short
    /// on average.
    pub false_alarm_after: f64,
}

/// A test's thresholds, computed once from a requirement and shared by all machines.
#[derive(Clone, PartialEq, Debug)]
pub struct ShortfallRules {
    requirement: Requirement,
    arms: [Arm; ARMS],
    /// After a claim has changed by more than a hundredth, so long nothing is held against the
    /// machine: it is being tuned. A tenth of the time is given at most.
    settle: Duration,
    /// The same after work has come back: it is warming up. A tenth of the time here too.
    warm_up: Duration,
}

impl ShortfallRules {
    /// Computes the thresholds: three arms, for the part that is asked for, three times and ten
    /// times it (at most 0.9), with 90 %, 5 % and 5 % of the false alarms. The first is the
    /// fastest test there is for its part (Lorden, Moustakides); the others find greater losses
    /// sooner.
    ///
    /// # Errors
    /// The requirement is out of range.
    pub fn design(requirement: Requirement) -> Result<Self, RequirementError> {
        let Requirement { missing, tolerance, machines, .. } = requirement;
        if !(0.01..=0.9).contains(&missing) {
            return Err(RequirementError::Missing(missing));
        }
        if !(0.0..=missing / 2.0).contains(&tolerance) {
            return Err(RequirementError::Tolerance { found: tolerance, most: missing / 2.0 });
        }
        let minutes = requirement.one_false_alarm_in.as_secs_f64() / 60.0;
        let run = machines * minutes * requirement.shares_per_minute;
        if !(1e3..=1e15).contains(&run) {
            return Err(RequirementError::Run(run));
        }
        let arm = |missing: f64, part_of_alarms: f64| {
            let false_alarm_after = run / part_of_alarms;
            let threshold = run_length::threshold(missing, 1.0 - tolerance, false_alarm_after);
            Arm { missing, threshold, false_alarm_after }
        };
        let arms = [
            arm(missing, 0.90),
            arm((missing * 3.0).min(0.9), 0.05),
            arm((missing * 10.0).min(0.9), 0.05),
        ];
        let (settle, warm_up) = (Duration::from_secs(600), Duration::from_secs(120));
        Ok(Self { requirement, arms, settle, warm_up })
    }

    /// The same with other times in which nothing is held against a machine: after its claim has
    /// moved (10 minutes by default), and after its work has come back (2 minutes).
    #[must_use]
    pub const fn settling_for(mut self, claim_moved: Duration, work_is_back: Duration) -> Self {
        self.settle = claim_moved;
        self.warm_up = work_is_back;
        self
    }

    /// What it was computed from.
    #[must_use]
    pub const fn requirement(&self) -> &Requirement {
        &self.requirement
    }

    /// The parallel tests.
    #[must_use]
    pub const fn arms(&self) -> &[Arm; ARMS] {
        &self.arms
    }

    /// How long it takes on average to find a machine of whose hashes this part is missing, at the
    /// requirement's pace: the quickest arm alone, from a statistic of zero. Exact for each arm;
    /// all arms together are no slower.
    #[must_use]
    pub fn mean_delay(&self, missing: f64) -> Duration {
        let rate = (1.0 - missing).clamp(0.0, 1.0);
        let runs =
            self.arms.iter().map(|arm| run_length::mean_run(arm.missing, rate, arm.threshold));
        let shares = runs.fold(f64::INFINITY, f64::min);
        let seconds = shares * 60.0 / self.requirement.shares_per_minute;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    fn rule(&self, arm: &Arm) -> Rule {
        let seconds = arm.false_alarm_after * 60.0 / self.requirement.shares_per_minute;
        Rule {
            missing: arm.missing,
            threshold: arm.threshold,
            false_alarm_after: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        }
    }
}

/// What a test is told.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Input {
    /// What the machine claims from now on; `None` when that is not known any more.
    Claim(Option<HashRate>),
    /// The target that the machine's shares are judged by from now on.
    Target(Target),
    /// Whether the machine is connected and has work.
    Working(bool),
    /// A share was proven that was judged by this target. Stale ones count, repeated ones do not.
    Share(Target),
    /// Time passed. To be told at least every minute or so, or a silent machine is found late.
    Tick,
    /// An operator starts the test anew.
    Restart,
}

/// How far one arm's evidence has come.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Suspicion {
    /// The part of the hashes for whose absence the arm is made.
    pub missing: f64,
    /// The statistic over its threshold: 0 none, 1 found short.
    pub part: f64,
    /// Since when the statistic has not been at zero.
    pub since: Mono,
}

/// The evidence of one arm since its statistic was last zero.
#[derive(Clone, Copy, Debug)]
struct Evidence {
    statistic: f64,
    since: Mono,
    working: f64,
    expected: f64,
    proven: f64,
}

impl Evidence {
    const fn none(now: Mono) -> Self {
        Self { statistic: 0.0, since: now, working: 0.0, expected: 0.0, proven: 0.0 }
    }
}

/// The sequential test of one machine's claim, in 300 bytes.
///
/// ```text
///            Working, Claim and Target known
///   paused ─────────────────────────────────▶ watching ── statistic ≥ threshold ──▶ Decision: Short
///     ▲  ▲                                      │  ▲                                   │
///     │  └───── Working(false), Claim(None) ────┘  └──────── anew from zero ───────────┘
///     │                                         │
///     └── settling for a while ◀── Claim moved ─┘      (also after Working(true);
///                                                       each at most a tenth of the time)
/// ```
///
/// The statistic is a cumulative sum of the likelihood ratio between "a part `δ` is missing" and "all
/// is there": it rises by `δ` for each share that the claim promises (claim × working time ÷ hashes
/// of a share) and falls by `−ln(1 − δ)` for each share that comes, never below zero. A share of
/// another target than the one in force counts by its hashes.
///
/// What is held against a machine stays through pauses and changed claims: a claim that jumps to and
/// fro does not wash it away. What would be unfair is not held against it in the first place: time
/// without work, without a known claim, and just after a claim has moved.
#[derive(Clone, Debug)]
pub struct ShortfallTest {
    claim: Option<(HashRate, Mono)>,
    /// Expected hashes of a share of the target in force.
    hashes: Option<f64>,
    working: bool,
    /// Up to when exposure has been counted.
    counted: Mono,
    /// Until when nothing is held against the machine.
    settled: Mono,
    /// From when it may warm up again, and settle again for a claim.
    warm_up_again: Mono,
    settle_again: Mono,
    last_share: Option<Mono>,
    arms: [Evidence; ARMS],
}

impl ShortfallTest {
    /// A test of a machine of which nothing is known.
    #[must_use]
    pub fn new(_rules: &ShortfallRules, now: Mono) -> Self {
        Self {
            claim: None,
            hashes: None,
            working: false,
            counted: now,
            settled: now,
            warm_up_again: now,
            settle_again: now,
            last_share: None,
            arms: [Evidence::none(now); ARMS],
        }
    }

    /// Takes in what happened. A decision comes when the machine is found short; the test then
    /// starts anew, so that a machine that stays short is found again.
    pub fn step(&mut self, rules: &ShortfallRules, input: Input, now: Mono) -> Option<Decision> {
        let found = self.expose(rules, now);
        match input {
            Input::Claim(claim) => self.claimed(rules, claim, now),
            Input::Target(target) => self.hashes = Some(target.expected_hashes()),
            Input::Working(working) => {
                if working && !self.working {
                    let until = settle(&mut self.warm_up_again, rules.warm_up, now);
                    self.settled = self.settled.max(until);
                }
                self.working = working;
            }
            Input::Share(target) => self.share(rules, target.expected_hashes(), now),
            Input::Tick => {}
            Input::Restart => self.arms = [Evidence::none(now); ARMS],
        }
        found
    }

    /// Counts the time since the last step, and decides: the statistics are at their highest now,
    /// because time raises them and only shares lower them.
    fn expose(&mut self, rules: &ShortfallRules, now: Mono) -> Option<Decision> {
        let settled = self.settled.max(self.counted);
        let seconds = now.since(settled).as_secs_f64();
        self.counted = self.counted.max(now);
        let (Some((claim, _)), Some(hashes), true) = (self.claim, self.hashes, self.working) else {
            return None;
        };
        let expected = claim.hs() * seconds / hashes;
        if expected <= 0.0 {
            return None;
        }
        for (evidence, arm) in self.arms.iter_mut().zip(&rules.arms) {
            if evidence.expected <= 0.0 {
                evidence.since = settled;
            }
            evidence.statistic += arm.missing * expected;
            evidence.expected += expected;
            evidence.working += seconds;
        }
        let short = |(evidence, arm): (&Evidence, &Arm)| evidence.statistic >= arm.threshold;
        if !self.arms.iter().zip(&rules.arms).any(short) {
            return None;
        }
        let decision = self.explain(rules, now);
        self.arms = [Evidence::none(now); ARMS];
        decision
    }

    fn share(&mut self, rules: &ShortfallRules, hashes: f64, now: Mono) {
        self.last_share = Some(now);
        let in_force = *self.hashes.get_or_insert(hashes);
        if !self.working || self.claim.is_none() || self.settles(now) {
            return;
        }
        let weight = (hashes / in_force).min(HEAVIEST_SHARE);
        for (evidence, arm) in self.arms.iter_mut().zip(&rules.arms) {
            evidence.statistic += (-arm.missing).ln_1p() * weight;
            evidence.proven += weight;
            if evidence.statistic <= 0.0 {
                *evidence = Evidence::none(now);
            }
        }
    }

    fn claimed(&mut self, rules: &ShortfallRules, claim: Option<HashRate>, now: Mono) {
        let claim = claim.filter(|rate| rate.hs() > 0.0);
        if let (Some((old, _)), Some(new)) = (self.claim, claim)
            && (new.hs() / old.hs() - 1.0).abs() > SMALL_CHANGE
        {
            let until = settle(&mut self.settle_again, rules.settle, now);
            self.settled = self.settled.max(until);
        }
        self.claim = claim.map(|rate| (rate, now));
    }

    fn settles(&self, now: Mono) -> bool {
        now < self.settled
    }

    /// Whether time is held against the machine now.
    #[must_use]
    pub fn is_watching(&self, now: Mono) -> bool {
        self.working && self.claim.is_some() && self.hashes.is_some() && !self.settles(now)
    }

    /// How far the evidence of each arm has come.
    pub fn suspicion<'a>(
        &'a self,
        rules: &'a ShortfallRules,
    ) -> impl Iterator<Item = Suspicion> + 'a {
        self.arms.iter().zip(&rules.arms).map(|(evidence, arm)| Suspicion {
            missing: arm.missing,
            part: evidence.statistic / arm.threshold,
            since: evidence.since,
        })
    }

    /// What the test says now and why, by the arm whose evidence is furthest; `None` while no claim
    /// is known.
    #[must_use]
    pub fn explain(&self, rules: &ShortfallRules, now: Mono) -> Option<Decision> {
        let (claimed, claimed_at) = self.claim?;
        let part = |(evidence, arm): &(&Evidence, &Arm)| evidence.statistic / arm.threshold;
        let furthest = self.arms.iter().zip(&rules.arms);
        let (evidence, arm) = furthest.max_by(|a, b| part(a).total_cmp(&part(b)))?;
        let Evidence { statistic, since, working, expected, proven } = *evidence;
        let of_expected = |shares: f64| if expected > 0.0 { shares / expected } else { 1.0 };
        let fall = -(-arm.missing).ln_1p();
        let holds = of_expected(proven) * fall / arm.missing;
        let short = statistic >= arm.threshold;
        Some(Decision {
            at: now,
            outcome: if short { Outcome::Short } else { Outcome::Undecided },
            inputs: Inputs {
                claimed,
                claim_age: now.since(claimed_at),
                since,
                working: Duration::try_from_secs_f64(working).unwrap_or(Duration::MAX),
                expected_shares: expected,
                proven_shares: proven,
                proven_part: of_expected(proven),
                proven_low: of_expected(gamma::lower(proven, 0.025)),
                proven_high: of_expected(gamma::upper(proven, 0.025)),
                last_share_age: self.last_share.map(|at| now.since(at)),
            },
            rule: rules.rule(arm),
            statistic,
            shares_lacking: statistic / fall,
            claim_that_holds: HashRate::from_hs(claimed.hs() * holds.min(1.0)),
        })
    }
}

/// Until when a machine may settle that asks now: for as long as it `lasts`, or not at all if it has
/// had its tenth of the time. From `again` on it may once more.
fn settle(again: &mut Mono, lasts: Duration, now: Mono) -> Mono {
    if now < *again {
        return now;
    }
    *again = now + lasts * 10;
    now + lasts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_farm_of_tests_is_small() {
        assert!(size_of::<ShortfallTest>() <= 304, "{}", size_of::<ShortfallTest>());
    }

    #[test]
    fn the_default_thresholds_stand() {
        let rules = ShortfallRules::design(Requirement::default()).expect("in range");
        let found = rules.arms().map(|arm| (arm.missing, (arm.threshold * 1e3).round() / 1e3));
        assert_eq!(found.map(|it| it.1), [15.113, 20.237, 22.797]);
        assert_eq!(found.map(|it| (it.0 * 100.0).round()), [5.0, 15.0, 50.0]);
    }
}
