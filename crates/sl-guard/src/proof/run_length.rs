//! How long a cumulative sum runs before it passes its threshold: exact.
//!
//! Count exposure in expected shares. The statistic rises by `δ` in each of them and falls by
//! `c = −ln(1 − δ)` at each share, never below zero; shares come at the rate `ρ` (1 for an honest
//! machine, `1 − m` when the part `m` of its hashes is missing). It passes a threshold `h` while
//! rising, so there is no overshoot, and theory gives the mean run exactly: such a process, reflected
//! at its minimum, takes `∫₀ʰ W(y) dy` expected shares, where the scale function `W` solves
//!
//! ```text
//!   δ W'(x) = ρ (W(x) − W(x − c)),   W(0) = 1/δ,   W(x) = 0 for x < 0.
//! ```
//!
//! The equation is integrated forward on a grid that divides `c`; the kinks of `W` at multiples of
//! `c` fall on grid points, between which it is smooth.
//!
//! Source: A. Kyprianou, *Fluctuations of Lévy Processes with Applications*, 2nd edition, theorem
//! 8.10 (i) and equation 8.8.

use std::collections::VecDeque;

/// Steps of the grid within one fall of the statistic.
const STEPS: usize = 64;
/// Beyond so many steps a threshold is not looked for: far above any sensible one.
const MOST_STEPS: usize = 20_000_000;

/// The scale function and its integral, one step of the grid after the other.
struct Scale {
    /// Rate of growth, `ρ/δ`.
    growth: f64,
    step: f64,
    /// The steps within the last `c`: `W` at their start, middle and end.
    past: VecDeque<[f64; 3]>,
    x: f64,
    value: f64,
    integral: f64,
}

impl Scale {
    fn new(missing: f64, rate: f64) -> Self {
        Self {
            growth: rate / missing,
            step: -(-missing).ln_1p() / STEPS as f64,
            past: VecDeque::with_capacity(STEPS + 1),
            x: 0.0,
            value: 1.0 / missing,
            integral: 0.0,
        }
    }

    /// Goes on by a step of at most the grid's width.
    fn advance(&mut self, step: f64) {
        let full = self.past.len() == STEPS;
        let before = if full { self.past.pop_front().unwrap_or_default() } else { [0.0; 3] };
        let slope = |value: f64, delayed: f64| self.growth * (value - delayed);
        let [from, middle, to] = before;
        let start = slope(self.value, from);
        let second = slope(self.value + step / 2.0 * start, middle);
        let third = slope(self.value + step / 2.0 * second, middle);
        let fourth = slope(self.value + step * third, to);
        let next = self.value + step / 6.0 * (start + 2.0 * second + 2.0 * third + fourth);
        let end = slope(next, to);
        let mid = (self.value + next) / 2.0 + step / 8.0 * (start - end);
        self.integral += step / 2.0 * (self.value + next) + step * step / 12.0 * (start - end);
        self.past.push_back([self.value, mid, next]);
        self.x += step;
        self.value = next;
    }
}

/// Mean exposure, in expected shares, from zero until the statistic made for `missing` passes
/// `threshold`, when shares come at `rate` times what is expected.
pub(super) fn mean_run(missing: f64, rate: f64, threshold: f64) -> f64 {
    let mut scale = Scale::new(missing, rate);
    for _ in 0..MOST_STEPS {
        let left = threshold - scale.x;
        if left <= 0.0 {
            break;
        }
        let step = scale.step.min(left);
        scale.advance(step);
    }
    scale.integral
}

/// The threshold at which the mean run reaches so many expected shares.
pub(super) fn threshold(missing: f64, rate: f64, mean_run: f64) -> f64 {
    let mut scale = Scale::new(missing, rate);
    for _ in 0..MOST_STEPS {
        let (x, integral) = (scale.x, scale.integral);
        let step = scale.step;
        scale.advance(step);
        if scale.integral >= mean_run {
            let part = (mean_run - integral) / (scale.integral - integral);
            return x + step * part.clamp(0.0, 1.0);
        }
    }
    scale.x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, expect: f64, relative: f64) {
        assert!((found / expect - 1.0).abs() < relative, "{found}, expected {expect}");
    }

    /// The scale function in closed form; its terms alternate, so it serves small arguments only.
    fn closed(missing: f64, rate: f64, x: f64) -> f64 {
        let (growth, fall) = (rate / missing, -(-missing).ln_1p());
        let mut sum = 0.0;
        for k in 0..=(x / fall) as u32 {
            let left = growth * (x - f64::from(k) * fall);
            let factorial: f64 = (1..=k).map(f64::from).product();
            sum += (-left).powi(k as i32) / factorial * left.exp();
        }
        sum / missing
    }

    #[test]
    fn the_scale_function_is_the_closed_form() {
        for (missing, rate) in [(0.05, 1.0), (0.05, 0.95), (0.5, 1.0), (0.15, 0.4)] {
            let mut scale = Scale::new(missing, rate);
            for _ in 0..6 * STEPS {
                let step = scale.step;
                scale.advance(step);
            }
            close(scale.value, closed(missing, rate, scale.x - 1e-12), 1e-6);
        }
    }

    #[test]
    fn a_dead_machine_is_found_when_the_threshold_is_walked() {
        close(mean_run(0.05, 0.0, 15.0), 15.0 / 0.05, 1e-9);
    }

    #[test]
    fn the_mean_run_grows_as_theory_says() {
        // Lorden, and Siegmund for small steps: (eʰ − h − 1) / I for honest, (h − 1 + e⁻ʰ) / I for
        // short machines, I = δ²/2 to first order; the steps of a share put h off by about c/3.
        let (missing, information) = (0.01, 0.00005);
        let honest = mean_run(missing, 1.0, 8.0);
        close(honest, (8f64.exp() - 9.0) / information, 0.02);
        let short = mean_run(missing, 0.99, 8.0);
        close(short, (7.0 + f64::exp(-8.0)) / information, 0.02);
    }

    #[test]
    fn thresholds_undo_mean_runs() {
        for (missing, run) in [(0.05, 2.592e9), (0.5, 1e11), (0.15, 1e6)] {
            let h = threshold(missing, 1.0, run);
            close(mean_run(missing, 1.0, h), run, 1e-3);
        }
    }

    /// An independent check by simulation: an honest machine passes a high threshold far too seldom
    /// to wait for, but the chance of one excursion to do so is e⁻ʰ times the chance that it does
    /// when the machine is short by `missing` (a change of measure; the ratio is exact because the
    /// threshold is met exactly). Wald's identity makes the mean run of it.
    #[test]
    fn the_mean_run_is_what_importance_sampling_finds() {
        for (missing, h) in [(0.05_f64, 15.0_f64), (0.5, 22.0)] {
            let fall = -(-missing).ln_1p();
            let excursion = |random: &mut fastrand::Rng, rate: f64| {
                let (mut statistic, mut length) = (0.0, 0.0);
                loop {
                    let gap = -(1.0 - random.f64()).ln() / rate;
                    if statistic + missing * gap >= h {
                        return (length + (h - statistic) / missing, true);
                    }
                    length += gap;
                    statistic += missing * gap - fall;
                    if statistic <= 0.0 {
                        return (length, false);
                    }
                }
            };
            let mut random = fastrand::Rng::with_seed(7);
            let runs = 20_000;
            let passed =
                (0..runs).filter(|_| excursion(&mut random, 1.0 - missing).1).count() as f64;
            let length: f64 = (0..200_000).map(|_| excursion(&mut random, 1.0).0).sum();
            let chance = (-h).exp() * passed / f64::from(runs);
            let found = length / 200_000.0 / chance;
            close(found, mean_run(missing, 1.0, h), 0.15);
        }
    }
}
