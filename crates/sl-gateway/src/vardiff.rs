use std::time::Duration;

use sl_units::{Mono, ShareDifficulty, Target};

/// So many shares are enough to judge a rate at once, without waiting for the window.
const ENOUGH: u32 = 24;
/// A window is judged when it is at least this long.
const WINDOW: Duration = Duration::from_secs(30);
/// A window without reason to change is begun anew after this, so that it tells of the present.
const LONGEST_WINDOW: Duration = Duration::from_secs(600);
/// Two-sided 95 % of a normal distribution.
const Z: f64 = 1.96;

/// How a machine's difficulty is found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) shares_per_minute: f64,
    /// `None`: a quarter of what the source wants.
    pub(crate) start: Option<ShareDifficulty>,
    pub(crate) min: ShareDifficulty,
    pub(crate) max: Option<ShareDifficulty>,
}

/// The difficulty of one machine, moved so that it sends shares at the rate asked for.
///
/// Shares come as a Poisson process. The count of a window gives 95 % bounds of the mean; only
/// when the mean that was asked for lies outside is the difficulty moved, to where the count says
/// it should be. A window ends after 30 s, or at 24 shares, so that a machine far too fast is
/// caught within its first shares; a silent machine is stepped down by 4 as soon as silence is
/// significant (37 s at 6 shares a minute).
///
/// The result is looked at when a job goes out, since machines apply a difficulty to new work; it
/// is never harder than what the source wants.
#[derive(Debug)]
pub(crate) struct Vardiff {
    rules: Rules,
    /// What it should be, were there no limit by the source; `None` before the first job.
    difficulty: Option<f64>,
    /// What it was in force last: shares were counted at this one.
    told: f64,
    /// The machine's own wish for its start.
    suggested: Option<ShareDifficulty>,
    /// Promised to the machine as a floor.
    floor: Option<ShareDifficulty>,
    window: Mono,
    shares: u32,
}

impl Vardiff {
    /// A machine that has just come; `remembered` is its difficulty from before.
    pub(crate) fn new(rules: Rules, remembered: Option<ShareDifficulty>, now: Mono) -> Self {
        let difficulty = remembered.map(ShareDifficulty::get);
        Self { rules, difficulty, told: 0.0, suggested: None, floor: None, window: now, shares: 0 }
    }

    /// The machine would like this difficulty; counts from the next job on.
    pub(crate) fn suggest(&mut self, difficulty: ShareDifficulty, now: Mono) {
        self.suggested = Some(difficulty);
        self.difficulty = None;
        self.restart(now);
    }

    /// The machine wants never less than this.
    pub(crate) const fn promise_floor(&mut self, difficulty: ShareDifficulty) {
        self.floor = Some(difficulty);
    }

    /// A share of it was proven.
    pub(crate) const fn share(&mut self) {
        self.shares = self.shares.saturating_add(1);
    }

    /// The difficulty for a job of which the source wants this target.
    pub(crate) fn for_job(&mut self, wanted: Target, now: Mono) -> ShareDifficulty {
        let ceiling = ShareDifficulty::from(wanted).get();
        let start =
            || self.suggested.or(self.rules.start).map_or(ceiling / 4.0, |asked| asked.get());
        let mut difficulty = self.difficulty.unwrap_or_else(start);
        if self.difficulty.is_none() {
            self.restart(now);
        } else if self.told > 0.0
            && let Some(factor) = self.factor(now)
        {
            difficulty = self.told * factor;
            self.restart(now);
        }
        let (difficulty, of_its_own) = self.within(difficulty, ceiling);
        // What only this job's ceiling took away comes back with a job that wants more.
        self.difficulty = Some(of_its_own);
        self.told = difficulty;
        rounded(difficulty)
    }

    /// Within the rules and the ceiling; and what is kept for the next job: at most four times the
    /// ceiling, so that it does not run away where the ceiling holds it.
    fn within(&self, difficulty: f64, ceiling: f64) -> (f64, f64) {
        let least = self.floor.map_or(0.0, ShareDifficulty::get).max(self.rules.min.get());
        let most = self.rules.max.map_or(f64::MAX, ShareDifficulty::get);
        let kept = difficulty.max(least).min(most).min(ceiling * 4.0);
        (kept.min(ceiling), kept)
    }

    /// By how much to move, if the window says so.
    fn factor(&mut self, now: Mono) -> Option<f64> {
        let elapsed = now.since(self.window);
        if elapsed < WINDOW && self.shares < ENOUGH {
            return None;
        }
        let asked = self.rules.shares_per_minute / 60.0 * elapsed.as_secs_f64();
        let (low, high) = bounds(self.shares);
        let seen = f64::from(self.shares);
        if asked < low {
            Some((seen / asked.max(0.01)).min(4096.0))
        } else if asked > high {
            Some((seen.max(0.5) / asked).max(0.25))
        } else {
            if elapsed >= LONGEST_WINDOW {
                self.restart(now);
            }
            None
        }
    }

    const fn restart(&mut self, now: Mono) {
        self.window = now;
        self.shares = 0;
    }
}

/// The 95 % bounds of a Poisson mean of which `count` was seen: the exact ones are quantiles of
/// chi-squared, here by Wilson and Hilferty's approximation, which is good to some per mille.
fn bounds(count: u32) -> (f64, f64) {
    let quantile = |n: f64, z: f64| n * (1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt())).powi(3);
    let n = f64::from(count);
    let low = if count == 0 { 0.0 } else { quantile(n, -Z).max(0.0) };
    (low, quantile(n + 1.0, Z))
}

/// To six digits, so that every machine reads the same number; never above by more than rounding.
fn rounded(difficulty: f64) -> ShareDifficulty {
    let cut = |value: f64| format!("{value:.5e}").parse::<f64>().unwrap_or(value);
    let nearest = cut(difficulty);
    let chosen =
        if nearest <= difficulty * (1.0 + 1e-9) { nearest } else { cut(difficulty * (1.0 - 5e-6)) };
    ShareDifficulty::new(chosen.clamp(f64::MIN_POSITIVE, f64::MAX))
        .expect("clamped to positive finite numbers")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn difficulty(value: f64) -> ShareDifficulty {
        ShareDifficulty::new(value).expect("positive")
    }

    fn rules() -> Rules {
        Rules { shares_per_minute: 6.0, start: None, min: difficulty(0.0001), max: None }
    }

    fn at(seconds: f64) -> Mono {
        Mono::from_start(Duration::from_secs_f64(seconds))
    }

    /// A machine of so many hashes a second for so long, jobs every 15 s: shares of the last
    /// third, and the last difficulty.
    fn simulate(rules: Rules, hs: f64, wanted: Target, seconds: f64, seed: u64) -> (u32, f64) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut vardiff = Vardiff::new(rules, None, at(0.0));
        let (mut now, mut next_job) = (0.0, 15.0);
        let mut told = vardiff.for_job(wanted, at(0.0));
        let mut late = 0;
        loop {
            let wait = -(1.0 - rng.f64()).ln() * told.expected_hashes() / hs;
            now += wait;
            if now > next_job {
                // No share before the job: exponential waits have no memory.
                now = next_job;
                next_job += 15.0;
                told = vardiff.for_job(wanted, at(now));
            } else {
                vardiff.share();
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
        for (hs, seed) in [(9.5e9, 1), (1e6, 2), (2e4, 3)] {
            let (late, last) = simulate(rules(), hs, hard, 7200.0, seed);
            // 40 minutes at 6 a minute are 240; the difficulty may stand up to 1.5 off.
            assert!((150..=380).contains(&late), "{hs}: {late} shares, difficulty {last}");
        }
    }

    #[test]
    fn what_the_source_wants_is_the_limit() {
        let wanted = Target::from(difficulty(512.0));
        let (_, last) = simulate(rules(), 9.5e9, wanted, 600.0, 4);
        assert_eq!(last, 512.0);
        let mut vardiff = Vardiff::new(rules(), None, at(0.0));
        assert_eq!(vardiff.for_job(wanted, at(0.0)).get(), 128.0);
        // A job that wants less is obeyed at once, and forgotten with the next.
        assert_eq!(vardiff.for_job(Target::from(difficulty(64.0)), at(1.0)).get(), 64.0);
        assert_eq!(vardiff.for_job(wanted, at(2.0)).get(), 128.0);
    }

    #[test]
    fn silence_steps_down_and_a_flood_is_caught_at_once() {
        let wanted = Target::from(difficulty(1000.0));
        let mut vardiff = Vardiff::new(rules(), Some(difficulty(1000.0)), at(0.0));
        assert_eq!(vardiff.for_job(wanted, at(0.0)).get(), 1000.0);
        assert_eq!(vardiff.for_job(wanted, at(30.0)).get(), 1000.0);
        assert_eq!(vardiff.for_job(wanted, at(40.0)).get(), 250.0);
        let mut vardiff = Vardiff::new(rules(), Some(difficulty(1.0)), at(0.0));
        assert_eq!(vardiff.for_job(wanted, at(0.0)).get(), 1.0);
        for _ in 0..ENOUGH {
            vardiff.share();
        }
        assert_eq!(vardiff.for_job(wanted, at(1.0)).get(), 240.0);
    }

    #[test]
    fn wishes_count_within_the_limits() {
        let wanted = Target::from(difficulty(1000.0));
        let mut vardiff = Vardiff::new(rules(), None, at(0.0));
        vardiff.suggest(difficulty(16.0), at(0.0));
        assert_eq!(vardiff.for_job(wanted, at(0.0)).get(), 16.0);
        vardiff.suggest(difficulty(1e9), at(1.0));
        assert_eq!(vardiff.for_job(wanted, at(1.0)).get(), 1000.0);
        vardiff.promise_floor(difficulty(300.0));
        vardiff.suggest(difficulty(16.0), at(2.0));
        assert_eq!(vardiff.for_job(wanted, at(2.0)).get(), 300.0);
    }

    #[test]
    fn poisson_bounds_are_those_of_tables() {
        // Exact 95 % intervals: 0: 0–3.689, 10: 4.795–18.390, 100: 81.364–121.627.
        for (count, low, high) in [(0, 0.0, 3.689), (10, 4.795, 18.390), (100, 81.364, 121.627)] {
            let found = bounds(count);
            assert!((found.0 - low).abs() < 0.05 && (found.1 - high).abs() < 0.05, "{found:?}");
        }
    }

    proptest! {
        #[test]
        fn never_harder_than_wanted(
            steps in prop::collection::vec((0f64..100.0, 0u32..50, -12f64..60.0), 1..60),
        ) {
            let mut vardiff = Vardiff::new(rules(), None, at(0.0));
            let mut now = 0.0;
            for (pause, shares, exponent) in steps {
                now += pause;
                for _ in 0..shares {
                    vardiff.share();
                }
                let wanted = Target::from(difficulty(2f64.powf(exponent)));
                let found = vardiff.for_job(wanted, at(now)).get();
                prop_assert!(found <= ShareDifficulty::from(wanted).get() * (1.0 + 1e-8));
                prop_assert!(found > 0.0);
            }
        }
    }
}
