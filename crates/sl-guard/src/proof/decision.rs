use std::{fmt, time::Duration};

use sl_units::{HashRate, Mono};

/// What a test found, what it looked at, by which rule, and what would have changed it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Decision {
    /// When it was made.
    pub at: Mono,
    /// What was found.
    pub outcome: Outcome,
    /// What it rests on.
    pub inputs: Inputs,
    /// The rule that found it.
    pub rule: Rule,
    /// How far the rule's statistic stood, in natural units of the likelihood ratio; found short at
    /// `rule.threshold`.
    pub statistic: f64,
    /// So many more shares in the same time, and the statistic would have been zero.
    pub shares_lacking: f64,
    /// Had the claim been this rate, the same shares would have left the statistic at zero.
    pub claim_that_holds: HashRate,
}

/// What a test says of a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing speaks against the claim so far.
    Undecided,
    /// The machine's shares prove less than it claims.
    Short,
}

/// What a decision rests on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Inputs {
    /// The claim at the time of the decision.
    pub claimed: HashRate,
    /// How old that claim was.
    pub claim_age: Duration,
    /// When the shortfall most likely began: since then the statistic has not been at zero.
    pub since: Mono,
    /// Time since then in which the machine had work and a claim.
    pub working: Duration,
    /// Shares that the claim promises for that time.
    pub expected_shares: f64,
    /// Shares that were proven, each counted as its difficulty over the one in force.
    pub proven_shares: f64,
    /// The part of the claim that is proven: `proven_shares / expected_shares`.
    pub proven_part: f64,
    /// Lower bound of that part, at 95 %.
    pub proven_low: f64,
    /// Upper bound of that part, at 95 %. The start of the span was chosen by the test, so that the
    /// interval is somewhat too low.
    pub proven_high: f64,
    /// Age of the last share; `None` if there has been none.
    pub last_share_age: Option<Duration>,
}

/// One rule of a test.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rule {
    /// The part of the hashes for whose absence it is made, as 0.05.
    pub missing: f64,
    /// The statistic at which a machine is found short.
    pub threshold: f64,
    /// How long an honest machine runs on average before it is found short by this rule.
    pub false_alarm_after: Duration,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inputs { claimed, expected_shares, proven_shares, proven_part, .. } = self.inputs;
        let percent = 100.0 * proven_part;
        let (low, high) = (100.0 * self.inputs.proven_low, 100.0 * self.inputs.proven_high);
        let hours = self.inputs.working.as_secs_f64() / 3600.0;
        let verdict = match self.outcome {
            Outcome::Short => "short of its claim",
            Outcome::Undecided => "undecided",
        };
        write!(
            f,
            "{verdict}: {claimed} claimed, {percent:.1} % of it proven ({low:.1} to {high:.1}), \
             {proven_shares:.0} of {expected_shares:.0} shares in {hours:.1} h of work; \
             statistic {:.2} of {:.2} for {:.0} % missing; a claim of {} would hold",
            self.statistic,
            self.rule.threshold,
            100.0 * self.rule.missing,
            self.claim_that_holds,
        )
    }
}
