//! The fans and the loop that rules them.
//!
//! A controller in velocity form looks at the hottest chip sensor, after each of the first twenty
//! steps for a second, then for two. In its form nothing winds up at the ends.

use crate::fault::MOST_FANS;
use crate::model::Model;
use crate::physics::normal;

/// The slowest command that turns a fan, percent; and of the loop while the boards have power, so
/// that a start does not find them asleep. Assumed.
const SLOWEST: f64 = 10.0;
const SLOWEST_POWERED: f64 = 30.0;
/// The fastest change of the command in a step, percent.
const MOST_CHANGE: f64 = 10.0;
/// Gains, for a plant that answers a percent of command with about -0.6 K within a minute: percent
/// for each kelvin, for each kelvin and second, for each kelvin a second.
const GAINS: (f64, f64, f64) = (2.5, 0.05, 2.0);
/// Steps of one second after a start; later ones take two.
const SHORT_STEPS: u32 = 20;
/// A fan comes to its speed with this time constant, seconds.
const INERTIA_S: f64 = 2.5;
/// The counter of revolutions has steps of this size.
const TACHO_RPM: f64 = 30.0;

/// The fans of a machine.
#[derive(Debug, Clone)]
pub(super) struct Fans {
    count: usize,
    /// True speeds, revolutions per minute.
    rpm: [f64; MOST_FANS],
    /// Full speed of each.
    full: [f64; MOST_FANS],
    /// Command, percent.
    pwm: f64,
    /// The last two errors of the loop, K.
    errors: Option<(f64, f64)>,
    steps: u32,
    /// Seconds to the next step of the loop.
    wait: u32,
}

impl Fans {
    /// Fans that stand still, each of its own make.
    pub(super) fn new(model: &Model, rng: &mut fastrand::Rng) -> Self {
        Self {
            count: model.fans.min(MOST_FANS),
            rpm: [0.0; MOST_FANS],
            full: std::array::from_fn(|_| model.fan_full_rpm * (1.0 + 0.008 * normal(rng))),
            pwm: SLOWEST,
            errors: None,
            steps: 0,
            wait: 0,
        }
    }

    /// The mining program starts: the loop begins anew.
    pub(super) fn begin(&mut self) {
        (self.errors, self.steps, self.wait) = (None, 0, 0);
    }

    /// Whether the loop looks at the sensors in this second.
    pub(super) fn due(&mut self) -> bool {
        if self.wait > 0 {
            self.wait -= 1;
            return false;
        }
        self.wait = u32::from(self.steps >= SHORT_STEPS);
        self.steps = self.steps.saturating_add(1);
        true
    }

    /// A step of the loop: the hottest chip against what it should be.
    pub(super) fn control(&mut self, hottest_c: f64, target_c: f64, powered: bool) {
        let (kp, ki, kd) = GAINS;
        let period = f64::from(self.wait + 1);
        let error = hottest_c - target_c;
        let (last, before) = self.errors.unwrap_or((error, error));
        let change =
            kp * (error - last) + ki * error * period + kd * (error - 2.0 * last + before) / period;
        self.errors = Some((error, last));
        let least = if powered { SLOWEST_POWERED } else { SLOWEST };
        self.command((self.pwm + change.clamp(-MOST_CHANGE, MOST_CHANGE)).max(least));
    }

    /// The command is set from outside of the loop, percent.
    pub(super) fn command(&mut self, percent: f64) {
        self.pwm = if percent.is_nan() { 100.0 } else { percent.clamp(SLOWEST, 100.0) };
    }

    /// A second passes; each fan makes its share of what it is told.
    pub(super) fn turn(&mut self, shares: &[f64; MOST_FANS]) {
        let gain = -(-1.0 / INERTIA_S).exp_m1();
        for ((rpm, full), share) in self.rpm.iter_mut().zip(&self.full).zip(shares) {
            *rpm += (full * self.pwm / 100.0 * share - *rpm) * gain;
        }
    }

    /// True speeds.
    pub(super) fn rpm(&self) -> &[f64] {
        &self.rpm[..self.count]
    }

    /// The command, percent.
    pub(super) const fn percent(&self) -> f64 {
        self.pwm
    }

    /// Speeds as counted.
    pub(super) fn shown(&self) -> impl Iterator<Item = u32> {
        self.rpm().iter().map(|rpm| ((rpm / TACHO_RPM).round() * TACHO_RPM) as u32)
    }

    /// Fans that turn far slower than they are told: below 60 % of it. What the firmware asks is
    /// not published.
    pub(super) fn wrong(&self) -> usize {
        let at = |(rpm, full): (&f64, &f64)| *rpm < 0.6 * full * self.pwm / 100.0;
        self.rpm().iter().zip(&self.full).filter(|pair| at(*pair)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_steps_take_a_second_and_later_ones_two() {
        let model = Model::by_id("antminer-l7").expect("in the table");
        let mut fans = Fans::new(model, &mut fastrand::Rng::with_seed(1));
        for _ in 0..2 {
            fans.begin();
            let due: Vec<bool> = (0..30).map(|_| fans.due()).collect();
            assert!(due[..21].iter().all(|due| *due), "{due:?}");
            let later: Vec<bool> = due[21..].to_vec();
            assert_eq!(later, [false, true, false, true, false, true, false, true, false]);
        }
    }

    #[test]
    fn the_loop_does_not_leave_its_bounds() {
        let model = Model::by_id("antminer-l7").expect("in the table");
        let mut fans = Fans::new(model, &mut fastrand::Rng::with_seed(1));
        for hottest in [-300.0, 1e9, f64::NAN, f64::INFINITY, -1.0, 76.0] {
            for _ in 0..50 {
                fans.control(hottest, 76.0, true);
                fans.turn(&[1.0; MOST_FANS]);
                assert!((SLOWEST_POWERED..=100.0).contains(&fans.percent()), "{hottest}");
                assert!(fans.rpm().iter().all(|rpm| (0.0..7000.0).contains(rpm)));
            }
        }
    }
}
