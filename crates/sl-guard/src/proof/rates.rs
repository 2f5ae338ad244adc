use std::time::Duration;

use sl_units::{HashRate, Mono, Target};

use super::gamma;

/// A span over which a rate is proven.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Window {
    /// Five minutes.
    FiveMinutes,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Window {
    /// All windows, shortest first.
    pub const ALL: [Self; 3] = [Self::FiveMinutes, Self::Hour, Self::Day];

    /// Its length.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::FiveMinutes => 300,
            Self::Hour => 3600,
            Self::Day => 86_400,
        })
    }

    /// Its length for screens and metrics: `5m`, `1h`, `24h`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::Hour => "1h",
            Self::Day => "24h",
        }
    }

    /// Slots that it is kept in. It reaches back over its length or up to one slot less.
    const fn slots(self) -> usize {
        match self {
            Self::FiveMinutes => 10,
            Self::Hour => 12,
            Self::Day => 24,
        }
    }
}

/// A rate that shares prove, with how sure it is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Proven {
    /// The most likely rate.
    pub rate: HashRate,
    /// Lower bound.
    pub low: HashRate,
    /// Upper bound.
    pub high: HashRate,
    /// The chance with which the true rate lies within the bounds, at least: 0.95.
    pub confidence: f64,
    /// Time in which the machine had work, within the window.
    pub working: Duration,
    /// Shares that it rests on; of unequal ones, how many equal ones would be as sure.
    pub shares: f64,
    /// When it was computed.
    pub as_of: Mono,
}

/// What one worker's shares prove over 5 minutes, an hour and a day, in constant memory (1.2 KiB).
///
/// Each share counts as the expected hashes of the target that it was judged by, not of the better
/// target that it may have met by luck. The rate is over the time in which the worker had work.
///
/// The interval: let `S` be the sum of the shares' hashes, `V` the sum of their squares, `w` the
/// heaviest. With equal shares `S / w` is a Poisson count and Garwood's interval holds exactly
/// (coverage at least the stated one). With unequal ones the interval of Fay and Feuer (1997) is
/// taken: gamma bounds with the sum's own mean and variance, the upper one as if one more share of
/// weight `w` had come. It is Garwood's where shares are equal, and keeps its coverage in all
/// simulations known; the test below finds at least 94.5 % with difficulty that changes by 16.
#[derive(Clone, Debug)]
pub struct ProvenRates {
    rings: [Ring; 3],
    /// Up to when work has been counted; `None` while there is no work.
    working_since: Option<Mono>,
    /// Expected hashes of a share of the target in force, or of the last share.
    in_force: f64,
}

/// A slot of a ring.
#[derive(Clone, Copy, Default, Debug)]
struct Slot {
    hashes: f64,
    squares: f64,
    heaviest: f32,
    /// Seconds with work.
    working: f32,
}

#[derive(Clone, Debug)]
struct Ring {
    /// Nanoseconds a slot spans.
    width: u64,
    /// The number of the current slot, counted from the clock's start.
    current: u64,
    slots: Box<[Slot]>,
}

impl Ring {
    fn new(window: Window) -> Self {
        let slots = window.slots();
        let width = nanos(window.length()) / slots as u64;
        Self { width, current: 0, slots: vec![Slot::default(); slots].into_boxed_slice() }
    }

    /// The slot of an instant; slots that have come round are emptied.
    fn slot(&mut self, at: u64) -> Option<&mut Slot> {
        let number = (at / self.width).max(self.current);
        let all = self.slots.len() as u64;
        for passed in (self.current + 1..=number).rev().take(self.slots.len()) {
            if let Some(slot) = self.slots.get_mut((passed % all) as usize) {
                *slot = Slot::default();
            }
        }
        self.current = number;
        self.slots.get_mut((number % all) as usize)
    }

    /// Adds working time, slot by slot; what lies before the window is left out.
    fn work(&mut self, from: u64, to: u64) {
        let kept = (self.slots.len() as u64).saturating_mul(self.width);
        let mut from = from.max(to.saturating_sub(kept));
        while from < to {
            let end = (from / self.width + 1).saturating_mul(self.width).min(to);
            if let Some(slot) = self.slot(from) {
                slot.working += ((end - from) as f64 / 1e9) as f32;
            }
            from = end;
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

impl Default for ProvenRates {
    fn default() -> Self {
        Self { rings: Window::ALL.map(Ring::new), working_since: None, in_force: 0.0 }
    }
}

impl ProvenRates {
    /// Nothing is known yet, and there is no work.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The worker has work from now on, or has none: it is disconnected, or there is no job.
    pub fn working(&mut self, works: bool, now: Mono) {
        self.count(now);
        self.working_since = works.then_some(now);
    }

    /// The target that shares are judged by from now on. A share of the heaviest one that was in
    /// force might have come: it bounds the rate from above, with shares in the window or without.
    pub fn target(&mut self, in_force: Target, now: Mono) {
        self.count(now);
        let before = std::mem::replace(&mut self.in_force, in_force.expected_hashes());
        let heaviest = before.max(self.in_force) as f32;
        for ring in &mut self.rings {
            if let Some(slot) = ring.slot(nanos(now.since_start())) {
                slot.heaviest = slot.heaviest.max(heaviest);
            }
        }
    }

    /// A share was proven that was judged by this target. Stale ones prove work as well; of the same
    /// share sent twice, the second proves nothing.
    pub fn share(&mut self, judged_by: Target, now: Mono) {
        self.count(now);
        let hashes = judged_by.expected_hashes();
        if self.in_force <= 0.0 {
            self.in_force = hashes;
        }
        for ring in &mut self.rings {
            if let Some(slot) = ring.slot(nanos(now.since_start())) {
                slot.hashes += hashes;
                slot.squares += hashes * hashes;
                slot.heaviest = slot.heaviest.max(hashes as f32);
            }
        }
    }

    fn count(&mut self, now: Mono) {
        let to = nanos(now.since_start());
        if let Some(since) = self.working_since {
            let from = nanos(since.since_start());
            for ring in &mut self.rings {
                ring.work(from, to);
            }
            self.working_since = Some(now);
        }
        for ring in &mut self.rings {
            ring.slot(to);
        }
    }

    /// The rate proven over a window, at 95 %; `None` when the worker had no work in it, or when
    /// neither a share nor a target is known.
    pub fn proven(&mut self, window: Window, now: Mono) -> Option<Proven> {
        self.proven_at(window, 0.95, now)
    }

    /// The same at another confidence, between 0 and 1.
    pub fn proven_at(&mut self, window: Window, confidence: f64, now: Mono) -> Option<Proven> {
        self.count(now);
        let ring = self.rings.get(window as usize)?;
        let mut sum = Slot::default();
        for slot in &ring.slots {
            sum.hashes += slot.hashes;
            sum.squares += slot.squares;
            sum.heaviest = sum.heaviest.max(slot.heaviest);
            sum.working += slot.working;
        }
        let heaviest = f64::from(sum.heaviest).max(self.in_force);
        (sum.working > 0.0 && heaviest > 0.0).then(|| {
            let tail = ((1.0 - confidence) / 2.0).clamp(1e-9, 0.5);
            let seconds = f64::from(sum.working);
            let rate = |hashes: f64| HashRate::from_hs(hashes / seconds);
            let (low, high) = bounds(sum.hashes, sum.squares, heaviest, tail);
            Proven {
                rate: rate(sum.hashes),
                low: rate(low),
                high: rate(high),
                confidence,
                working: Duration::from_secs_f64(seconds),
                shares: if sum.squares > 0.0 { sum.hashes.powi(2) / sum.squares } else { 0.0 },
                as_of: now,
            }
        })
    }
}

/// Fay and Feuer's interval of a sum of weighted Poisson counts: `sum` of weights, of their
/// `squares`, and the `heaviest` that may come.
fn bounds(sum: f64, squares: f64, heaviest: f64, tail: f64) -> (f64, f64) {
    let low = if sum > 0.0 && squares > 0.0 {
        gamma::lower(sum * sum / squares, tail) * squares / sum
    } else {
        0.0
    };
    let (more, wider) = (sum + heaviest, squares + heaviest * heaviest);
    let high = gamma::quantile(more * more / wider, 1.0 - tail) * wider / more;
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Mono {
        Mono::from_start(Duration::from_secs_f64(seconds))
    }

    /// How often the interval of the hour holds the true rate, of runs with a share in `gap`
    /// seconds on average at difficulty 1; the difficulty goes through `targets`, changing every
    /// minute.
    fn coverage(gap: f64, difficulties: &[f64], runs: u64) -> f64 {
        const HASHES: f64 = 65_536.0;
        let mut held = 0;
        for seed in 0..runs {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut rates = ProvenRates::new();
            rates.target(Target::from_expected_hashes(HASHES * difficulties[0]), at(0.0));
            rates.working(true, at(0.0));
            let mut now = 0.0;
            loop {
                let minute = (now / 60.0) as usize;
                let difficulty = difficulties[minute % difficulties.len()];
                let next = now - (1.0 - random.f64()).ln() * gap * difficulty;
                let end = 60.0 * (minute + 1) as f64;
                // The wait has no memory: at a change of difficulty it starts anew.
                now = next.min(end);
                if now >= 3300.0 {
                    break;
                }
                let target = |minute: usize| {
                    let difficulty = difficulties[minute % difficulties.len()];
                    Target::from_expected_hashes(HASHES * difficulty)
                };
                if next < end {
                    rates.share(target(minute), at(now));
                } else {
                    rates.target(target(minute + 1), at(now));
                }
            }
            let proven = rates.proven(Window::Hour, at(3300.0)).expect("work and shares");
            let truth = HashRate::from_hs(HASHES / gap);
            held += u64::from(proven.low <= truth && truth <= proven.high);
        }
        held as f64 / runs as f64
    }

    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        // 0.95 is promised; 2,000 runs show it to within 0.015 (three standard errors).
        for gap in [10.0, 100.0, 900.0] {
            let found = coverage(gap, &[1.0], 2000);
            assert!((0.94..=0.999).contains(&found), "gap {gap}: {found}");
        }
        for difficulties in [&[1.0, 2.0][..], &[1.0, 4.0, 16.0]] {
            let found = coverage(60.0, difficulties, 2000);
            assert!((0.94..=0.999).contains(&found), "{difficulties:?}: {found}");
        }
    }

    #[test]
    fn equal_shares_give_garwoods_interval() {
        let mut rates = ProvenRates::new();
        rates.working(true, at(0.0));
        for second in 0..10 {
            rates.share(Target::from_expected_hashes(1e6), at(f64::from(second)));
        }
        let proven = rates.proven(Window::FiveMinutes, at(100.0)).expect("work");
        assert!((proven.rate.hs() / 1e5 - 1.0).abs() < 1e-6);
        assert!((proven.low.hs() - 47_954.0).abs() < 1.0, "{}", proven.low.hs());
        assert!((proven.high.hs() - 183_904.0).abs() < 1.0, "{}", proven.high.hs());
        assert!((proven.shares - 10.0).abs() < 1e-6);
        assert_eq!(proven.working, Duration::from_secs(100));
    }

    #[test]
    fn no_work_is_unknown_and_no_share_is_bounded() {
        let mut rates = ProvenRates::new();
        assert_eq!(rates.proven(Window::Hour, at(10.0)), None);
        rates.working(true, at(10.0));
        assert_eq!(rates.proven(Window::Hour, at(20.0)), None, "no target is known");
        rates.target(Target::from_expected_hashes(1000.0), at(20.0));
        let proven = rates.proven(Window::Hour, at(20.0)).expect("work and a target");
        assert_eq!((proven.rate.hs(), proven.low.hs()), (0.0, 0.0));
        assert!((proven.high.hs() - 368.9).abs() < 0.1, "{}", proven.high.hs());
    }

    #[test]
    fn windows_forget_and_pauses_do_not_count() {
        let mut rates = ProvenRates::new();
        let target = Target::from_expected_hashes(1000.0);
        rates.working(true, at(0.0));
        for second in 0..100 {
            rates.share(target, at(f64::from(second)));
        }
        rates.working(false, at(100.0));
        let hour = rates.proven(Window::Hour, at(1000.0)).expect("within the hour");
        assert!((hour.rate.hs() - 1000.0).abs() < 1.0, "{}", hour.rate);
        assert_eq!(rates.proven(Window::FiveMinutes, at(1000.0)), None);
        assert!(rates.proven(Window::Day, at(80_000.0)).is_some());
        assert_eq!(rates.proven(Window::Day, at(200_000.0)), None);
    }

    #[test]
    fn a_long_silence_counts_as_work_without_shares() {
        let mut rates = ProvenRates::new();
        rates.working(true, at(0.0));
        rates.share(Target::from_expected_hashes(1000.0), at(1.0));
        let day = rates.proven(Window::Day, at(864_000.0)).expect("it has work");
        assert_eq!(day.rate.hs(), 0.0);
        let hours = day.working.as_secs_f64() / 3600.0;
        assert!((23.0..=24.0).contains(&hours), "{hours}");
    }
}
