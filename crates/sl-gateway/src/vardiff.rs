use std::{sync::Arc, time::Duration};

use sl_units::{HashRate, Mono, ShareDifficulty, Target};

use crate::difficulty::{Adjustment, DifficultyManager, ShareWindow};

/// How the difficulties of machines are found; what the settings say at this instant.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) manager: Arc<dyn DifficultyManager>,
    /// `None`: a quarter of what the source wants.
    pub(crate) start: Option<ShareDifficulty>,
    pub(crate) min: ShareDifficulty,
    pub(crate) max: Option<ShareDifficulty>,
}

/// The difficulty of one machine, and the shares that it sent at it.
///
/// The rules' manager is asked when its window is over or full, and when a job goes out. A new
/// difficulty goes out with new work, since machines apply it to new work; it is never harder than
/// what the source wants.
///
/// ```text
/// start: the machine's wish ▷ its difficulty from before ▷ its rate from before, or its model's
///        ▷ the setting ▷ a quarter of what the source wants
/// ```
#[derive(Debug)]
pub(crate) struct Vardiff {
    /// What it should be, were there no limit by the source; `None` before the first job.
    difficulty: Option<f64>,
    /// What was in force last: shares were counted at this one. Zero before the first job.
    told: f64,
    /// What that was rounded from, and what it came to.
    told_for: (f64, Option<ShareDifficulty>),
    /// The machine's own wish.
    wish: Option<ShareDifficulty>,
    /// Promised to the machine as a floor.
    floor: Option<ShareDifficulty>,
    /// Its rate, as somebody knew it before the first job.
    rate: Option<HashRate>,
    window: Mono,
    /// When the window was looked at last.
    looked: Mono,
    accepted: u32,
    rejected: u32,
    /// Shares of an easier difficulty came since the window was looked at: where many wait, those at
    /// the one in force are behind them.
    late: bool,
}

impl Vardiff {
    /// A machine that has just come.
    pub(crate) const fn new(now: Mono) -> Self {
        Self {
            difficulty: None,
            told: 0.0,
            told_for: (0.0, None),
            wish: None,
            floor: None,
            rate: None,
            window: now,
            looked: now,
            accepted: 0,
            rejected: 0,
            late: false,
        }
    }

    /// It had this difficulty before. What it has wished for since it came goes first.
    pub(crate) const fn remembers(&mut self, difficulty: ShareDifficulty) {
        if self.wish.is_none() {
            self.difficulty = Some(difficulty.get());
        }
    }

    /// The machine would like this difficulty; counts from the next job on.
    pub(crate) fn suggest(&mut self, difficulty: ShareDifficulty, now: Mono) {
        self.wish = Some(difficulty);
        self.difficulty = None;
        self.restart(now);
    }

    /// The machine wants never less than this.
    pub(crate) const fn promise_floor(&mut self, difficulty: ShareDifficulty) {
        self.floor = Some(difficulty);
    }

    /// What somebody knows of its rate; of use only before the first job.
    pub(crate) const fn knows_rate(&mut self, rate: HashRate) {
        self.rate = Some(rate);
    }

    /// A share of it was proven that counts at this difficulty. Those of an easier one, from before
    /// a change, say nothing of the difficulty in force.
    pub(crate) fn accepted(&mut self, difficulty: ShareDifficulty) {
        if difficulty.get() >= self.told * 0.999 {
            self.accepted = self.accepted.saturating_add(1);
        } else {
            self.late = true;
        }
    }

    /// A share of it missed its target.
    pub(crate) const fn rejected(&mut self) {
        self.rejected = self.rejected.saturating_add(1);
    }

    /// Whether the window is full, so that it should be looked at before it is over.
    pub(crate) fn is_full(&self, rules: &Rules) -> bool {
        self.accepted >= rules.manager.look_at()
    }

    /// When the window is to be looked at, if it does not fill before.
    pub(crate) fn look_at(&self, rules: &Rules) -> Mono {
        let after = rules.manager.look_after();
        let first = self.window + after;
        if self.looked < first { first } else { self.looked + (after / 2).max(LEAST_LOOK) }
    }

    /// Looks at the window; whether the machine should get another difficulty at once, were a job
    /// of this target given now.
    pub(crate) fn consider(&mut self, rules: &Rules, wanted: Target, now: Mono) -> bool {
        self.adjust(rules, now);
        let ceiling = ShareDifficulty::from(wanted).get();
        self.difficulty.is_some_and(|difficulty| {
            let (within, _) = self.within(rules, difficulty, ceiling);
            rounded(within).get() != rounded(self.told.max(f64::MIN_POSITIVE)).get()
        })
    }

    /// The difficulty for a job of which the source wants this target.
    pub(crate) fn for_job(&mut self, rules: &Rules, wanted: Target, now: Mono) -> ShareDifficulty {
        let ceiling = ShareDifficulty::from(wanted).get();
        self.adjust(rules, now);
        let difficulty = match self.difficulty {
            Some(difficulty) => difficulty,
            None => {
                self.restart(now);
                self.start(rules).map_or(ceiling / 4.0, ShareDifficulty::get)
            }
        };
        let (difficulty, of_its_own) = self.within(rules, difficulty, ceiling);
        // What only this job's ceiling took away comes back with a job that wants more.
        self.difficulty = Some(of_its_own);
        let (exact, told) = &mut self.told_for;
        match told {
            // Most jobs change nothing, and rounding takes longer than all else here.
            Some(told) if *exact == difficulty => *told,
            _ => {
                let rounded = rounded(difficulty);
                (*exact, *told) = (difficulty, Some(rounded));
                self.told = rounded.get();
                rounded
            }
        }
    }

    fn start(&self, rules: &Rules) -> Option<ShareDifficulty> {
        let known =
            || self.rate.filter(|rate| rate.hs() > 0.0).map(|rate| rules.manager.start(rate));
        self.wish.or_else(known).or(rules.start)
    }

    fn adjust(&mut self, rules: &Rules, now: Mono) {
        self.looked = now;
        if self.difficulty.is_none() {
            return;
        }
        if std::mem::take(&mut self.late) && self.accepted == 0 {
            // That nothing has come at the difficulty in force is no silence.
            return self.restart(now);
        }
        let Ok(told) = ShareDifficulty::new(self.told) else { return };
        let (accepted, rejected) = (self.accepted, self.rejected);
        let seen = ShareWindow { accepted, rejected, length: now.since(self.window) };
        match rules.manager.adjust_difficulty(told, &seen) {
            Adjustment::Wait => {
                if seen.length >= rules.manager.look_after().saturating_mul(LONGEST_WINDOWS) {
                    self.restart(now);
                }
            }
            Adjustment::Keep => self.restart(now),
            Adjustment::Move(better) => {
                self.difficulty = Some(better.get());
                self.restart(now);
            }
        }
    }

    /// Within the rules and the ceiling; and what is kept for the next job: at most four times the
    /// ceiling, so that it does not run away where the ceiling holds it.
    fn within(&self, rules: &Rules, difficulty: f64, ceiling: f64) -> (f64, f64) {
        let least = self.floor.map_or(0.0, ShareDifficulty::get).max(rules.min.get());
        let most = rules.max.map_or(f64::MAX, ShareDifficulty::get);
        let kept = difficulty.max(least).min(most).min(ceiling * 4.0);
        (kept.min(ceiling), kept)
    }

    const fn restart(&mut self, now: Mono) {
        self.window = now;
        self.accepted = 0;
        self.rejected = 0;
        self.late = false;
    }
}

/// A manager that waits for ever gets a new window after so many times its own length: a count over
/// hours tells nothing of the present.
const LONGEST_WINDOWS: u32 = 60;

/// A machine is not looked at more often than this.
pub(crate) const LEAST_LOOK: Duration = Duration::from_secs(1);

/// Below this the part after the point is worth more than machines that cannot read it.
const WHOLE_FROM: f64 = 16.0;

/// To six digits, so that every machine reads the same number, and from 16 up to a whole one, since
/// some read nothing else; never above by more than rounding.
fn rounded(difficulty: f64) -> ShareDifficulty {
    let cut = |value: f64| format!("{value:.5e}").parse::<f64>().unwrap_or(value);
    let nearest = cut(difficulty);
    let chosen =
        if nearest <= difficulty * (1.0 + 1e-9) { nearest } else { cut(difficulty * (1.0 - 5e-6)) };
    let chosen = if chosen >= WHOLE_FROM { chosen.floor() } else { chosen };
    ShareDifficulty::new(chosen.clamp(f64::MIN_POSITIVE, f64::MAX))
        .expect("clamped to positive finite numbers")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::difficulty::{Banded, Poisson};

    fn difficulty(value: f64) -> ShareDifficulty {
        ShareDifficulty::new(value).expect("positive")
    }

    fn rules() -> Rules {
        let manager = Arc::new(Poisson { shares_per_minute: 6.0 });
        Rules { manager, start: None, min: difficulty(0.0001), max: None }
    }

    fn at(seconds: f64) -> Mono {
        Mono::from_start(Duration::from_secs_f64(seconds))
    }

    /// A machine of so many hashes a second for so long, jobs every 15 s: shares of the last
    /// third, and the last difficulty.
    fn simulate(rules: &Rules, hs: f64, wanted: Target, seconds: f64, seed: u64) -> (u32, f64) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut vardiff = Vardiff::new(at(0.0));
        let (mut now, mut next_job) = (0.0, 15.0);
        let mut told = vardiff.for_job(rules, wanted, at(0.0));
        let mut late = 0;
        loop {
            let wait = -(1.0 - rng.f64()).ln() * told.expected_hashes() / hs;
            now += wait;
            if now > next_job {
                // No share before the job: exponential waits have no memory.
                now = next_job;
                next_job += 15.0;
                told = vardiff.for_job(rules, wanted, at(now));
            } else {
                vardiff.accepted(told);
                late += u32::from(now > seconds * 2.0 / 3.0);
            }
            if now > seconds {
                return (late, told.get());
            }
        }
    }

    #[test]
    fn a_machine_of_any_size_comes_to_the_rate_asked_for() {
        let hard = Target::from(difficulty(1e9));
        let banded = Rules { manager: Arc::new(Banded::like_nomp(6.0)), ..rules() };
        for rules in [rules(), banded] {
            for (hs, seed) in [(9.5e9, 1), (1e6, 2), (2e4, 3)] {
                let (late, last) = simulate(&rules, hs, hard, 7200.0, seed);
                // 40 minutes at 6 a minute are 240; the difficulty may stand up to 1.5 off.
                assert!((150..=380).contains(&late), "{hs}: {late} shares, difficulty {last}");
            }
        }
    }

    #[test]
    fn what_the_source_wants_is_the_limit() {
        let (rules, wanted) = (rules(), Target::from(difficulty(512.0)));
        let (_, last) = simulate(&rules, 9.5e9, wanted, 600.0, 4);
        assert_eq!(last, 512.0);
        let mut vardiff = Vardiff::new(at(0.0));
        assert_eq!(vardiff.for_job(&rules, wanted, at(0.0)).get(), 128.0);
        // A job that wants less is obeyed at once, and forgotten with the next.
        let less = Target::from(difficulty(64.0));
        assert_eq!(vardiff.for_job(&rules, less, at(1.0)).get(), 64.0);
        assert_eq!(vardiff.for_job(&rules, wanted, at(2.0)).get(), 128.0);
    }

    #[test]
    fn difficulties_are_whole_from_sixteen_up() {
        for (value, expect) in [
            (28_228.83, 28_228.0),
            (76.8, 76.0),
            (16.99, 16.0),
            (15.5, 15.5),
            (0.123_456_7, 0.123_456),
            (1_234_567.8, 1_234_560.0),
            (65_536.0, 65_536.0),
            (65_536.0 * (1.0 - 1e-12), 65_536.0),
        ] {
            assert_eq!(rounded(value).get(), expect, "{value}");
        }
    }

    #[test]
    fn silence_steps_down_and_a_flood_is_caught_at_once() {
        let (rules, wanted) = (rules(), Target::from(difficulty(1000.0)));
        let mut vardiff = Vardiff::new(at(0.0));
        vardiff.remembers(difficulty(1000.0));
        assert_eq!(vardiff.for_job(&rules, wanted, at(0.0)).get(), 1000.0);
        assert!(!vardiff.consider(&rules, wanted, at(30.0)));
        let look = vardiff.look_at(&rules);
        assert!(look > at(36.0) && look < at(38.0), "{look:?}");
        assert!(vardiff.consider(&rules, wanted, look));
        assert_eq!(vardiff.for_job(&rules, wanted, look).get(), 250.0);
        assert!(!vardiff.consider(&rules, wanted, look), "told already");
        let mut vardiff = Vardiff::new(at(0.0));
        vardiff.remembers(difficulty(1.0));
        let told = vardiff.for_job(&rules, wanted, at(0.0));
        assert_eq!(told.get(), 1.0);
        for _ in 0..24 {
            assert!(!vardiff.is_full(&rules));
            vardiff.accepted(told);
        }
        assert!(vardiff.is_full(&rules) && vardiff.consider(&rules, wanted, at(1.0)));
        assert_eq!(vardiff.for_job(&rules, wanted, at(1.0)).get(), 240.0);
        // What was found at the old difficulty says nothing of the new one.
        for _ in 0..100 {
            vardiff.accepted(told);
        }
        assert!(!vardiff.is_full(&rules));
    }

    #[test]
    fn shares_that_waited_since_the_last_difficulty_are_no_silence() {
        let (rules, wanted) = (rules(), Target::from(difficulty(1000.0)));
        let mut vardiff = Vardiff::new(at(0.0));
        vardiff.remembers(difficulty(1.0));
        let easy = vardiff.for_job(&rules, wanted, at(0.0));
        (0..24).for_each(|_| vardiff.accepted(easy));
        assert_eq!(vardiff.for_job(&rules, wanted, at(4.0)).get(), 60.0);
        // A gateway that a whole farm has come to at once works off what it has sent for a minute.
        for second in 5..65 {
            vardiff.accepted(easy);
            assert!(!vardiff.consider(&rules, wanted, at(f64::from(second))), "{second} s");
        }
        assert!(!vardiff.consider(&rules, wanted, at(90.0)), "a machine's time without a share");
        assert!(vardiff.consider(&rules, wanted, at(102.0)), "now it is silent");
    }

    #[test]
    fn wishes_and_what_is_known_count_within_the_limits() {
        let (rules, wanted) = (rules(), Target::from(difficulty(1000.0)));
        let mut vardiff = Vardiff::new(at(0.0));
        vardiff.suggest(difficulty(16.0), at(0.0));
        assert_eq!(vardiff.for_job(&rules, wanted, at(0.0)).get(), 16.0);
        vardiff.suggest(difficulty(1e9), at(1.0));
        assert_eq!(vardiff.for_job(&rules, wanted, at(1.0)).get(), 1000.0);
        vardiff.promise_floor(difficulty(300.0));
        vardiff.suggest(difficulty(16.0), at(2.0));
        assert_eq!(vardiff.for_job(&rules, wanted, at(2.0)).get(), 300.0);
        let mut back = Vardiff::new(at(0.0));
        back.suggest(difficulty(16.0), at(0.0));
        back.promise_floor(difficulty(32.0));
        back.remembers(difficulty(500.0));
        assert_eq!(back.for_job(&rules, wanted, at(0.0)).get(), 32.0, "said before its slot came");
        let mut known = Vardiff::new(at(0.0));
        known.knows_rate(HashRate::from_hs(65_536.0));
        assert!((known.for_job(&rules, wanted, at(0.0)).get() - 10.0).abs() < 0.01);
        let set = Rules { start: Some(difficulty(7.0)), ..rules };
        let mut unknown = Vardiff::new(at(0.0));
        assert_eq!(unknown.for_job(&set, wanted, at(0.0)).get(), 7.0);
    }

    proptest! {
        #[test]
        fn never_harder_than_wanted(
            steps in prop::collection::vec((0f64..100.0, 0u32..50, -12f64..60.0), 1..60),
        ) {
            let (rules, mut vardiff) = (rules(), Vardiff::new(at(0.0)));
            let mut now = 0.0;
            for (pause, shares, exponent) in steps {
                now += pause;
                for _ in 0..shares {
                    vardiff.accepted(difficulty(1e12));
                }
                let wanted = Target::from(difficulty(2f64.powf(exponent)));
                vardiff.consider(&rules, wanted, at(now));
                let found = vardiff.for_job(&rules, wanted, at(now)).get();
                prop_assert!(found <= ShareDifficulty::from(wanted).get() * (1.0 + 1e-8));
                prop_assert!(found > 0.0);
            }
        }
    }
}
