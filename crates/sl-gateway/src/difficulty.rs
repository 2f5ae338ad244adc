//! How a machine's difficulty is found: the rule as a trait, and the rules that come with it.

use std::{fmt, time::Duration};

use sl_units::{HashRate, ShareDifficulty, Target};

/// What a machine sent since its difficulty was set or its window begun anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareWindow {
    /// Shares that met the difficulty in force.
    pub accepted: u32,
    /// Shares that missed it, and cost a hash in vain.
    pub rejected: u32,
    /// How long the window is.
    pub length: Duration,
}

/// What follows from a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Adjustment {
    /// Nothing yet; the window goes on.
    Wait,
    /// The difficulty is right; a new window begins, so that it tells of the present.
    Keep,
    /// This difficulty is better; a new window begins. The gateway keeps it within the settings,
    /// the machine's floor and what the source wants.
    Move(ShareDifficulty),
}

/// Finds the difficulty of machines. It holds nothing of a machine, so that one serves all: the
/// gateway keeps each machine's difficulty and window, and asks.
///
/// ```
/// use std::time::Duration;
/// use sl_gateway::{Adjustment, DifficultyManager, Poisson, ShareWindow};
/// use sl_units::ShareDifficulty;
///
/// let rule = Poisson { shares_per_minute: 6.0 };
/// let now = ShareDifficulty::new(1000.0).expect("positive");
/// let silent = ShareWindow { accepted: 0, rejected: 0, length: Duration::from_secs(40) };
/// let Adjustment::Move(easier) = rule.adjust_difficulty(now, &silent) else { panic!("silence") };
/// assert_eq!(easier.get(), 250.0);
/// ```
pub trait DifficultyManager: fmt::Debug + Send + Sync {
    /// What follows from what a machine sent at this difficulty. Asked after
    /// [`look_after`](Self::look_after), after [`look_at`](Self::look_at) shares, and when a job
    /// goes out.
    fn adjust_difficulty(&self, difficulty: ShareDifficulty, seen: &ShareWindow) -> Adjustment;

    /// Where a machine of this hash rate starts.
    fn start(&self, rate: HashRate) -> ShareDifficulty;

    /// How long a window is left alone when few shares come.
    fn look_after(&self) -> Duration;

    /// So many shares are looked at without waiting.
    fn look_at(&self) -> u32;
}

/// Moves a machine when its count of shares contradicts the rate asked for.
///
/// Shares come as a Poisson process. The count of a window gives 95 % bounds of the mean; only
/// when the mean that was asked for lies outside is the difficulty moved, to where the count says
/// it should be. A window ends after 30 s, or at 24 shares, so that a machine far too fast is
/// caught within its first shares; a silent machine is stepped down by 4 as soon as silence is
/// significant (37 s at 6 shares a minute).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Poisson {
    /// The rate asked for.
    pub shares_per_minute: f64,
}

impl Poisson {
    /// So many shares are enough to judge a rate at once, without waiting for the window.
    const ENOUGH: u32 = 24;
    /// A window is judged when it is at least this long.
    const WINDOW: Duration = Duration::from_secs(30);
    /// A window without reason to change is begun anew after this.
    const LONGEST: Duration = Duration::from_secs(600);
}

impl DifficultyManager for Poisson {
    fn adjust_difficulty(&self, difficulty: ShareDifficulty, seen: &ShareWindow) -> Adjustment {
        if seen.length < Self::WINDOW && seen.accepted < Self::ENOUGH {
            return Adjustment::Wait;
        }
        let asked = self.shares_per_minute / 60.0 * seen.length.as_secs_f64();
        let (low, high) = bounds(f64::from(seen.accepted));
        let count = f64::from(seen.accepted);
        let factor = if asked < low {
            (count / asked.max(0.01)).min(4096.0)
        } else if asked > high {
            (count.max(0.5) / asked).max(0.25)
        } else if seen.length >= Self::LONGEST {
            return Adjustment::Keep;
        } else {
            return Adjustment::Wait;
        };
        moved(difficulty, factor)
    }

    fn start(&self, rate: HashRate) -> ShareDifficulty {
        difficulty_for(rate, self.shares_per_minute)
    }

    fn look_after(&self) -> Duration {
        // When nothing at all has become significant.
        let silence = bounds(0.0).1 / self.shares_per_minute.max(1e-3) * 60.0;
        Self::WINDOW.max(Duration::from_secs_f64(silence))
    }

    fn look_at(&self) -> u32 {
        Self::ENOUGH
    }
}

/// The rule of the older pools (NOMP and its kin): every window the rate is compared with the one
/// asked for, and outside a band around it the difficulty is set to what would have been right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Banded {
    /// The rate asked for.
    pub shares_per_minute: f64,
    /// How far off is left alone: 0.3 is ±30 %.
    pub band: f64,
    /// How long a window is.
    pub window: Duration,
}

impl Banded {
    /// The band and the window that NOMP has: ±30 % over 90 s.
    #[must_use]
    pub const fn like_nomp(shares_per_minute: f64) -> Self {
        Self { shares_per_minute, band: 0.3, window: Duration::from_secs(90) }
    }
}

impl DifficultyManager for Banded {
    fn adjust_difficulty(&self, difficulty: ShareDifficulty, seen: &ShareWindow) -> Adjustment {
        if seen.length < self.window && seen.accepted < self.look_at() {
            return Adjustment::Wait;
        }
        let asked = self.shares_per_minute / 60.0 * seen.length.as_secs_f64();
        let factor = f64::from(seen.accepted).max(0.5) / asked.max(0.01);
        if (factor - 1.0).abs() <= self.band {
            Adjustment::Keep
        } else {
            moved(difficulty, factor.clamp(0.25, 4096.0))
        }
    }

    fn start(&self, rate: HashRate) -> ShareDifficulty {
        difficulty_for(rate, self.shares_per_minute)
    }

    fn look_after(&self) -> Duration {
        self.window
    }

    fn look_at(&self) -> u32 {
        // Four times what a window should have, and never a handful.
        let asked = self.shares_per_minute / 60.0 * self.window.as_secs_f64();
        (asked * 4.0).clamp(16.0, 4096.0) as u32
    }
}

/// Leaves every machine at the difficulty that it starts with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fixed {
    /// The rate that a known machine's start is made for.
    pub shares_per_minute: f64,
}

impl DifficultyManager for Fixed {
    fn adjust_difficulty(&self, _: ShareDifficulty, _: &ShareWindow) -> Adjustment {
        Adjustment::Wait
    }

    fn start(&self, rate: HashRate) -> ShareDifficulty {
        difficulty_for(rate, self.shares_per_minute)
    }

    fn look_after(&self) -> Duration {
        Duration::from_secs(3600)
    }

    fn look_at(&self) -> u32 {
        u32::MAX
    }
}

/// The difficulty at which a machine of this rate sends so many shares a minute.
fn difficulty_for(rate: HashRate, shares_per_minute: f64) -> ShareDifficulty {
    let hashes = rate.hs() * 60.0 / shares_per_minute.max(1e-3);
    Target::from_expected_hashes(hashes).into()
}

fn moved(difficulty: ShareDifficulty, factor: f64) -> Adjustment {
    match ShareDifficulty::new(difficulty.get() * factor) {
        Ok(better) => Adjustment::Move(better),
        Err(_) => Adjustment::Keep,
    }
}

/// The 95 % bounds of a Poisson mean of which `count` was seen: the exact ones are quantiles of
/// chi-squared, here by Wilson and Hilferty's approximation, which is good to some per mille.
pub(crate) fn bounds(count: f64) -> (f64, f64) {
    /// Two-sided 95 % of a normal distribution.
    const Z: f64 = 1.96;
    let quantile = |n: f64, z: f64| n * (1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt())).powi(3);
    let low = if count <= 0.0 { 0.0 } else { quantile(count, -Z).max(0.0) };
    (low, quantile(count + 1.0, Z))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difficulty(value: f64) -> ShareDifficulty {
        ShareDifficulty::new(value).expect("positive")
    }

    fn check(rule: &dyn DifficultyManager, accepted: u32, seconds: u64, expect: Option<f64>) {
        let seen = ShareWindow { accepted, rejected: 3, length: Duration::from_secs(seconds) };
        let found = match rule.adjust_difficulty(difficulty(100.0), &seen) {
            Adjustment::Move(better) => Some(better.get()),
            Adjustment::Wait | Adjustment::Keep => None,
        };
        let close = match (found, expect) {
            (Some(found), Some(expect)) => (found - expect).abs() < 1e-6 * expect,
            (found, expect) => found == expect,
        };
        assert!(close, "{rule:?}, {accepted} in {seconds} s: {found:?}, expected {expect:?}");
    }

    #[test]
    fn each_rule_by_its_own_lights() {
        let poisson = Poisson { shares_per_minute: 6.0 };
        check(&poisson, 0, 30, None);
        check(&poisson, 0, 37, Some(25.0));
        check(&poisson, 6, 60, None);
        check(&poisson, 9, 60, None);
        check(&poisson, 24, 1, Some(24_000.0));
        check(&poisson, 24, 60, Some(400.0));
        let banded = Banded::like_nomp(6.0);
        check(&banded, 9, 90, None);
        check(&banded, 11, 90, None);
        check(&banded, 13, 90, Some(100.0 * 13.0 / 9.0));
        check(&banded, 0, 90, Some(25.0));
        check(&banded, 36, 9, Some(4000.0));
        check(&Fixed { shares_per_minute: 6.0 }, 10_000, 1, None);
    }

    #[test]
    fn a_known_rate_starts_where_it_belongs() {
        // An L7 at six shares a minute: 9.5e9 × 10 / 65536.
        let start = Poisson { shares_per_minute: 6.0 }.start(HashRate::from_hs(9.5e9)).get();
        assert!((start - 1_449_585.0).abs() < 50.0, "{start}");
    }

    #[test]
    fn poisson_bounds_are_those_of_tables() {
        // Exact 95 % intervals: 0: 0–3.689, 10: 4.795–18.390, 100: 81.364–121.627.
        for (count, low, high) in
            [(0.0, 0.0, 3.689), (10.0, 4.795, 18.390), (100.0, 81.364, 121.627)]
        {
            let found = bounds(count);
            assert!((found.0 - low).abs() < 0.05 && (found.1 - high).abs() < 0.05, "{found:?}");
        }
    }
}
