//! Whether hashing rests, and why: a pure decision over what the machine tells.
//!
//! The operating system's load average counts our own threads too. What is compared is the load of
//! *others*: the average, less the one that our threads alone would make. [`OwnLoad`] follows that
//! one by the kernel's own rule, an exponential mean over a minute, fed with the time in which our
//! threads wanted a CPU; so a limit does not pause the program for its own work, and a minute after
//! hashing has begun or stopped the two still rise and fall together.

use std::{fmt, time::Duration};

use sl_ports::machine::power::Power;
use sl_units::Mono;

/// After each change by load, and after each pause by battery, nothing changes for so long: a loose
/// plug or a load around the limit does not make hashing flutter.
const DWELL: Duration = Duration::from_secs(15);
/// Hashing goes on when the load of others is below this part of the limit.
const GO_ON: f64 = 0.8;
/// The time over which the kernel's first load average fades by 1/e.
const MINUTE: f64 = 60.0;

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs {
    /// Whence the power comes.
    pub power: Power,
    /// The load average of others; `None` where nobody tells.
    pub load: Option<f64>,
    /// When that was so.
    pub at: Mono,
}

/// What the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Rules {
    /// Rest on battery.
    pub on_battery: bool,
    /// Rest above this load of others.
    pub above_load: Option<f64>,
}

/// Why hashing rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The machine runs on its battery.
    Battery,
    /// Others need the CPUs.
    Load,
}

/// What was decided last.
///
/// ```text
///             on battery ▶ at once          load of others > limit ▶ after the dwell
///   ┌───────────────────────────── hashing ─────────────────────────────┐
///   ▼                                 ▲ ▲                               ▼
/// paused: battery ── mains, dwell ────┘ └──── load < 0.8 × limit, ── paused: load
///        ▲                                    dwell                     │
///        └────────────────────────────── on battery ◀───────────────────┘
/// ```
/// A rule that is taken away holds nothing back, without a dwell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct State {
    /// Why it rests, if it does.
    pub paused: Option<Reason>,
    /// When that last changed; `None` if it never did.
    pub since: Option<Mono>,
}

/// A decision with all that it was made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Why hashing rests, if it does.
    pub paused: Option<Reason>,
    /// Whether it is another than before.
    pub changed: bool,
    /// What it was made of.
    pub inputs: Inputs,
    /// How old that was.
    pub age: Duration,
    /// The rules it was made by.
    pub rules: Rules,
}

/// Whether hashing rests.
#[must_use]
pub fn decide(inputs: &Inputs, state: &State, rules: &Rules, now: Mono) -> (State, Decision) {
    let on_battery = rules.on_battery && inputs.power == Power::Battery;
    let above = |part: f64| match (rules.above_load, inputs.load) {
        (Some(limit), Some(load)) => load > limit * part,
        _ => false,
    };
    let dwelt = state.since.is_none_or(|since| now.since(since) >= DWELL);
    let wanted = match state.paused {
        _ if on_battery => Some(Reason::Battery),
        None => above(1.0).then_some(Reason::Load),
        Some(Reason::Battery) => above(1.0).then_some(Reason::Load),
        Some(Reason::Load) => above(GO_ON).then_some(Reason::Load),
    };
    let rule_stands = match state.paused {
        None => true,
        Some(Reason::Battery) => rules.on_battery,
        Some(Reason::Load) => rules.above_load.is_some(),
    };
    let at_once = wanted == Some(Reason::Battery) || !rule_stands;
    let paused = if at_once || dwelt { wanted } else { state.paused };
    let changed = paused != state.paused;
    let since = if changed { Some(now) } else { state.since };
    let age = now.since(inputs.at);
    let decision = Decision { paused, changed, inputs: *inputs, age, rules: *rules };
    (State { paused, since }, decision)
}

impl Reason {
    /// The word for figures and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Battery => "battery",
            Self::Load => "load",
        }
    }
}

impl fmt::Display for Decision {
    /// What holds, and what would change it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = self.inputs.load.unwrap_or_default();
        let limit = self.rules.above_load.unwrap_or_default();
        match self.paused {
            None => f.write_str("hashing"),
            Some(Reason::Battery) => f.write_str(
                "paused: on battery (mine.pause_on_battery); goes on when mains power is back",
            ),
            Some(Reason::Load) => write!(
                f,
                "paused: the load of other programs is {load:.2} (mine.pause_above_load is {limit}); goes on \
                 below {:.2}",
                limit * GO_ON
            ),
        }
    }
}

/// The load average that our own threads make, by the kernel's rule.
#[derive(Debug, Default)]
pub(crate) struct OwnLoad {
    average: f64,
    last: Option<(Mono, Duration)>,
}

impl OwnLoad {
    /// Enters how long all our threads together have wanted a CPU since the beginning; the load
    /// average that is theirs.
    pub(crate) fn step(&mut self, now: Mono, awake: Duration) -> f64 {
        let (then, before) = self.last.replace((now, awake)).unwrap_or((now, awake));
        let passed = now.since(then).as_secs_f64();
        if passed > 0.0 {
            let active = awake.saturating_sub(before).as_secs_f64() / passed;
            self.average += (active - self.average) * (1.0 - (-passed / MINUTE).exp());
        }
        self.average
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATTERY: Rules = Rules { on_battery: true, above_load: None };
    const LOAD: Rules = Rules { on_battery: false, above_load: Some(2.0) };
    const BOTH: Rules = Rules { on_battery: true, above_load: Some(2.0) };
    const NONE: Rules = Rules { on_battery: false, above_load: None };

    /// Second, rules, power, load of others, and the reason for a pause that follows.
    type Turn = (u64, Rules, Power, Option<f64>, Option<Reason>);

    /// What is decided in turn.
    fn check(turns: &[Turn]) {
        let mut state = State::default();
        for (turn, (second, rules, power, load, expect)) in turns.iter().enumerate() {
            let now = Mono::from_start(Duration::from_secs(*second));
            let inputs = Inputs { power: *power, load: *load, at: now };
            let before = state;
            let decision;
            (state, decision) = decide(&inputs, &before, rules, now);
            assert_eq!(decision.paused, *expect, "turn {turn}");
            assert_eq!(state.paused, *expect, "turn {turn}");
            assert_eq!(decision.changed, before.paused != *expect, "turn {turn}");
        }
    }

    #[test]
    fn without_rules_nothing_rests() {
        check(&[(0, NONE, Power::Battery, Some(900.0), None)]);
    }

    #[test]
    fn a_battery_pauses_at_once_and_mains_only_when_it_stays() {
        let paused = Some(Reason::Battery);
        check(&[
            (0, BATTERY, Power::Mains, None, None),
            (1, BATTERY, Power::Battery, None, paused),
            (2, BATTERY, Power::Mains, None, paused),
            (15, BATTERY, Power::Mains, None, paused),
            (16, BATTERY, Power::Mains, None, None),
            // Back on battery within the dwell: that is no flutter, the battery counts.
            (17, BATTERY, Power::Battery, None, paused),
            (18, NONE, Power::Battery, None, None),
        ]);
    }

    #[test]
    fn load_has_two_limits_and_a_dwell() {
        let paused = Some(Reason::Load);
        let mains = Power::Mains;
        check(&[
            (0, LOAD, mains, Some(2.0), None),
            (1, LOAD, mains, Some(2.1), paused),
            (5, LOAD, mains, Some(0.1), paused),
            (17, LOAD, mains, Some(1.7), paused),
            (18, LOAD, mains, Some(1.5), None),
            (19, LOAD, mains, Some(9.0), None),
            (33, LOAD, mains, Some(9.0), paused),
            // Unknown is no reason to rest, but the dwell holds.
            (34, LOAD, mains, None, paused),
            (60, LOAD, mains, None, None),
            (90, LOAD, mains, Some(9.0), paused),
            (91, NONE, mains, Some(9.0), None),
        ]);
    }

    #[test]
    fn the_battery_goes_before_the_load() {
        let (mains, battery) = (Power::Mains, Power::Battery);
        check(&[
            (0, BOTH, mains, Some(3.0), Some(Reason::Load)),
            (1, BOTH, battery, Some(3.0), Some(Reason::Battery)),
            (20, BOTH, mains, Some(3.0), Some(Reason::Load)),
            (21, BATTERY, mains, Some(3.0), None),
        ]);
    }

    #[test]
    fn a_decision_says_what_would_change_it() {
        let now = Mono::from_start(Duration::from_secs(9));
        let at = Mono::from_start(Duration::from_secs(7));
        let inputs = Inputs { power: Power::Mains, load: Some(3.25), at };
        let (_, decision) = decide(&inputs, &State::default(), &LOAD, now);
        assert_eq!(decision.age, Duration::from_secs(2));
        assert_eq!(
            decision.to_string(),
            "paused: the load of other programs is 3.25 (mine.pause_above_load is 2); goes on below 1.60"
        );
    }

    /// The kernel adds to its averages every five seconds; ours follows from second to second.
    #[test]
    fn our_own_load_follows_the_kernels() {
        let mut own = OwnLoad::default();
        let mut kernel = 0.0;
        let mut awake = Duration::ZERO;
        for second in 0..=400u64 {
            // Four threads at 30 % for five minutes, then none.
            let active = if second < 300 { 1.2 } else { 0.0 };
            let ours = own.step(Mono::from_start(Duration::from_secs(second)), awake);
            awake += Duration::from_secs_f64(active);
            if second % 5 == 0 && second > 0 {
                let fade = (-5.0f64 / 60.0).exp();
                let sampled = if second <= 300 { 1.2 } else { 0.0 };
                kernel = kernel * fade + sampled * (1.0 - fade);
                assert!((ours - kernel).abs() < 0.12, "{ours} and {kernel} at {second}");
            }
        }
    }
}
