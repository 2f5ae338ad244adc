//! Simulated machines under the shortfall test: honest ones are left alone, short ones are found in
//! the time that is promised, and what changes around a machine is not held against it.

use std::time::Duration;

use sl_guard::proof::{Decision, Input, Outcome, Requirement, ShortfallRules, ShortfallTest};
use sl_units::{HashRate, Mono, Target};

const CLAIM: f64 = 9.5e9;
/// Expected hashes of a share at 6 a minute.
const SHARE: f64 = CLAIM * 10.0;

fn at(seconds: f64) -> Mono {
    Mono::from_start(Duration::from_secs_f64(seconds))
}

fn rules() -> ShortfallRules {
    ShortfallRules::design(Requirement::default()).expect("the default requirement")
}

/// One machine with its test.
struct Machine<'r> {
    rules: &'r ShortfallRules,
    test: ShortfallTest,
    random: fastrand::Rng,
    now: f64,
    /// Real hash rate.
    rate: f64,
    /// Expected hashes of a share.
    share: f64,
    found: Vec<Decision>,
}

impl<'r> Machine<'r> {
    /// At work since an hour, its statistics at zero.
    fn new(rules: &'r ShortfallRules, seed: u64, missing: f64) -> Self {
        let test = ShortfallTest::new(rules, at(0.0));
        let mut machine = Self {
            rules,
            test,
            random: fastrand::Rng::with_seed(seed),
            now: 0.0,
            rate: CLAIM * (1.0 - missing),
            share: SHARE,
            found: Vec::new(),
        };
        machine.tell(Input::Claim(Some(HashRate::from_hs(CLAIM))));
        machine.tell(Input::Target(Target::from_expected_hashes(SHARE)));
        machine.tell(Input::Working(true));
        machine.now = 3600.0;
        machine.tell(Input::Restart);
        machine.found.clear();
        machine
    }

    fn tell(&mut self, input: Input) {
        self.found.extend(self.test.step(self.rules, input, at(self.now)));
    }

    /// Works for so many hours, or until it is found short; says whether it was.
    fn work(&mut self, hours: f64) -> bool {
        let (end, target) = (self.now + hours * 3600.0, Target::from_expected_hashes(self.share));
        while self.found.is_empty() {
            let gap = -(1.0 - self.random.f64()).ln() * self.share / self.rate;
            // Ticks come each minute.
            let next = (self.now + gap.min(60.0)).min(end);
            self.now = next;
            self.tell(if gap <= 60.0 && next < end { Input::Share(target) } else { Input::Tick });
            if next >= end {
                break;
            }
        }
        !self.found.is_empty()
    }
}

/// Hours until found, of so many machines, in order.
fn hours_to_find(rules: &ShortfallRules, missing: f64, machines: u64) -> Vec<f64> {
    let mut hours: Vec<f64> = (0..machines)
        .map(|seed| {
            let mut machine = Machine::new(rules, seed, missing);
            assert!(machine.work(1000.0), "never found");
            (machine.now - 3600.0) / 3600.0
        })
        .collect();
    hours.sort_by(f64::total_cmp);
    hours
}

#[test]
fn half_of_those_with_five_percent_missing_are_found_within_thirty_hours() {
    let rules = rules();
    let hours = hours_to_find(&rules, 0.05, 200);
    let (median, mean) = (hours[100], hours.iter().sum::<f64>() / 200.0);
    // The standard error of the median is 1.1 h, that of the last figure 2.5 h.
    assert!(median < 30.0, "median {median:.1} h");
    assert!((44.0..60.0).contains(&hours[190]), "95 % within {:.1} h", hours[190]);
    let exact = rules.mean_delay(0.05).as_secs_f64() / 3600.0;
    // The standard error of the mean is 0.9 h.
    assert!((mean - exact).abs() < 3.0, "mean {mean:.1} h, computed {exact:.1} h");
}

#[test]
fn more_missing_is_found_sooner() {
    let rules = rules();
    for (missing, median, nearly_all) in
        [(0.1, 11.0, 18.0), (0.2, 4.5, 7.0), (0.5, 1.0, 2.0), (0.9, 0.5, 0.8), (1.0, 0.5, 0.5)]
    {
        let rate = if missing == 1.0 { 0.999_999_9 } else { missing };
        let hours = hours_to_find(&rules, rate, 100);
        assert!(hours[50] < median, "{missing}: median {:.2} h", hours[50]);
        assert!(hours[95] < nearly_all, "{missing}: 95 % {:.2} h", hours[95]);
    }
}

#[test]
fn honest_machines_are_left_alone() {
    let rules = rules();
    for seed in 0..10 {
        let mut machine = Machine::new(&rules, seed, 0.0);
        assert!(!machine.work(30.0 * 24.0), "{}", machine.found[0]);
    }
}

/// One false alarm per 10,000 machines and month cannot be waited for. By a change of measure the
/// chance that an excursion of an honest machine's statistic reaches the threshold is e⁻ʰ times the
/// chance of a machine short by the arm's part, and that one is found by trying. Wald's identity then
/// gives the mean run. Excursions of the test itself are looked at, so what is proven is the code.
#[test]
fn false_alarms_are_as_rare_as_required() {
    let rules = rules();
    let arm = rules.arms()[0];
    let excursions = |missing: f64, count: u32, seed: u64| {
        let mut machine = Machine::new(&rules, seed, missing);
        let target = Target::from_expected_hashes(SHARE);
        let (mut passed, mut length, mut gone) = (0, 0.0, 0);
        while gone < count {
            let gap = -(1.0 - machine.random.f64()).ln() * SHARE / machine.rate;
            machine.now += gap;
            length += gap / 10.0;
            machine.tell(Input::Share(target));
            let zero = machine.test.suspicion(&rules).next().is_some_and(|it| it.part <= 0.0);
            if !machine.found.is_empty() {
                passed += u32::from(machine.found[0].rule.missing == arm.missing);
                machine.found.clear();
                machine.tell(Input::Restart);
                gone += 1;
            } else if zero {
                gone += 1;
            }
        }
        (f64::from(passed) / f64::from(count), length / f64::from(count))
    };
    let (passes_when_short, _) = excursions(0.05, 10_000, 1);
    let (_, length_when_honest) = excursions(0.0, 200_000, 2);
    let run = length_when_honest / (passes_when_short * (-arm.threshold).exp());
    let required = 10_000.0 * 30.0 * 1440.0 * 6.0 / 0.9;
    assert!((run / required - 1.0).abs() < 0.2, "{run:e} of {required:e} expected shares");
    let alarms: f64 = rules.arms().iter().map(|arm| 2.592e9 / arm.false_alarm_after).sum();
    assert!((alarms - 1.0).abs() < 1e-9, "the arms share one false alarm: {alarms}");
}

#[test]
fn pauses_and_disconnections_are_not_held_against_a_machine() {
    let rules = rules();
    let mut honest = Machine::new(&rules, 3, 0.0);
    for round in 0..60 {
        assert!(!honest.work(2.0), "{}", honest.found[0]);
        if round % 2 == 0 {
            honest.tell(Input::Working(false));
            honest.now += 5.0 * 3600.0;
            honest.tell(Input::Working(true));
        } else {
            honest.tell(Input::Claim(None));
            honest.now += 3600.0;
            honest.tell(Input::Claim(Some(HashRate::from_hs(CLAIM))));
        }
    }
    // What was gathered before a pause counts after it: half of the hashes are missing, and it never
    // works for more than a quarter of an hour at a stretch.
    let mut short = Machine::new(&rules, 4, 0.5);
    let mut worked = 0.0;
    while !short.work(0.25) {
        worked += 0.25;
        assert!(worked < 3.0, "not found");
        short.tell(Input::Working(false));
        short.now += 3600.0;
        short.tell(Input::Working(true));
    }
}

#[test]
fn a_machine_that_is_tuned_down_and_says_so_is_honest() {
    let rules = rules();
    let mut machine = Machine::new(&rules, 5, 0.0);
    for day in 0..30 {
        let part = if day % 2 == 0 { 0.6 } else { 1.0 };
        machine.rate = CLAIM * part;
        // The claim is heard five minutes after the machine has changed.
        assert!(!machine.work(5.0 / 60.0), "{}", machine.found[0]);
        machine.tell(Input::Claim(Some(HashRate::from_hs(CLAIM * part))));
        assert!(!machine.work(24.0), "{}", machine.found[0]);
    }
}

#[test]
fn a_claim_that_jumps_does_not_wash_evidence_away() {
    let rules = rules();
    let mut machine = Machine::new(&rules, 6, 0.5);
    for jump in [0.98, 1.0].into_iter().cycle().take(80) {
        if machine.work(0.05) {
            return;
        }
        machine.tell(Input::Claim(Some(HashRate::from_hs(CLAIM * jump))));
    }
    panic!("not found within four hours");
}

#[test]
fn vardiff_changes_nothing() {
    let rules = rules();
    let mut honest = Machine::new(&rules, 7, 0.0);
    let mut short = Machine::new(&rules, 7, 0.5);
    let mut found = false;
    for round in 0..400 {
        let share = SHARE * [1.0, 0.25, 4.0, 2.0][round % 4];
        for machine in [&mut honest, &mut short] {
            // The new target is in force at once; the machine takes it up half a minute later.
            machine.tell(Input::Target(Target::from_expected_hashes(share)));
            machine.work(30.0 / 3600.0);
            machine.share = share;
        }
        assert!(!honest.work(0.5), "{}", honest.found[0]);
        found = found || short.work(0.5);
    }
    assert!(found);
}

#[test]
fn a_decision_says_what_it_rests_on_and_what_would_have_changed_it() {
    let rules = rules();
    let mut machine = Machine::new(&rules, 8, 0.2);
    assert!(machine.work(100.0));
    let decision = machine.found[0];
    let inputs = decision.inputs;
    assert_eq!(decision.outcome, Outcome::Short);
    assert!(decision.statistic >= decision.rule.threshold);
    assert!((inputs.proven_part - 0.8).abs() < 0.06, "{decision}");
    assert!(inputs.proven_low < 0.8 && inputs.proven_high < 0.95, "{decision}");
    assert_eq!(inputs.claim_age, at(machine.now).since(at(0.0)));
    assert!(inputs.since >= at(3600.0) && inputs.last_share_age.is_some());
    // With the claim that holds, the same shares leave the statistic at zero.
    let part = decision.claim_that_holds.hs() / CLAIM;
    let fall = -(-decision.rule.missing).ln_1p();
    let again = decision.rule.missing * inputs.expected_shares * part - inputs.proven_shares * fall;
    assert!(again.abs() < 1e-6, "{again}");
    let text = decision.to_string();
    assert!(text.starts_with("short of its claim: 9.50 GH/s claimed, "), "{text}");
    // It starts anew, and finds the same machine again.
    machine.found.clear();
    assert!(machine.work(100.0));
}

#[test]
fn nothing_known_is_nothing_held_against() {
    let rules = rules();
    let mut test = ShortfallTest::new(&rules, at(0.0));
    assert_eq!(test.explain(&rules, at(0.0)), None);
    test.step(&rules, Input::Working(true), at(0.0));
    test.step(&rules, Input::Claim(Some(HashRate::default())), at(0.0));
    assert_eq!(test.step(&rules, Input::Tick, at(1e6)), None);
    assert!(!test.is_watching(at(1e6)));
    assert_eq!(test.explain(&rules, at(1e6)), None);
}

#[test]
fn requirements_that_cannot_be_met_are_refused() {
    let refused = |change: fn(&mut Requirement)| {
        let mut requirement = Requirement::default();
        change(&mut requirement);
        ShortfallRules::design(requirement).expect_err("out of range").to_string()
    };
    assert!(refused(|it| it.missing = 0.0).contains("allowed are 0.01 to 0.9"));
    assert!(refused(|it| it.tolerance = 0.04).contains("allowed are 0 to 0.025"));
    assert!(refused(|it| it.machines = 0.0).contains("allowed are 1000"));
    assert!(refused(|it| it.shares_per_minute = f64::NAN).contains("NaN"));
}
