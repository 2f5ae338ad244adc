use std::time::Duration;

use sl_units::Mono;

use crate::CpuShare;

/// In about so long a limited thread works once and rests once, so that the rest is spread evenly
/// and a new job is heard.
const PERIOD: Duration = Duration::from_millis(50);
/// How long a slice of work should take at most: short against a job's life, long against the cost
/// of a slice.
const SLICE: Duration = Duration::from_millis(15);
/// A shorter rest is not taken but left to the next one: falling asleep and waking costs CPU time
/// too, and a thread with a small share that did so for each microsecond would do nothing else.
const SHORT: Duration = Duration::from_millis(2);
/// What a thread that slept too long, or had no work, may make up for: so much of its time.
const CREDIT: Duration = Duration::from_millis(100);

/// How long a slice of work should take at a share of time.
pub(crate) fn slice(share: CpuShare) -> Duration {
    PERIOD.mul_f64(share.fraction()).min(SLICE)
}

/// One thread's account of CPU time: a share of each second is paid in, what it works is taken out,
/// and below zero it rests. Since CPU time is measured, and not counted in slices, whatever a slice
/// or a sleep takes longer than it should is made up for.
///
/// ```text
///            balance ≥ 0                    balance < 0
///   ┌──────▶ work a slice ──── take out ───▶ rest, −balance / share long ──┐
///   └────────────────────────── pay in share × time ◀──────────────────────┘
/// ```
#[derive(Debug)]
pub(crate) struct Ration {
    /// In seconds of CPU time.
    balance: f64,
    /// The instant, and the CPU time worked until then, of the last entry.
    last: Option<(Mono, Duration)>,
}

impl Ration {
    /// That of thread number `thread`: each begins with another part of a rest, so that they do not
    /// work and rest all at once.
    pub(crate) fn of_thread(thread: usize, share: CpuShare) -> Self {
        // The golden section spreads any number of threads.
        let phase = (thread as f64 * 0.618_033_988_749_895).fract();
        let rest = PERIOD.as_secs_f64() * (1.0 - share.fraction());
        Self { balance: -phase * rest * share.fraction(), last: None }
    }

    /// Enters the time and the CPU time worked so far, both since some beginning that stays the
    /// same; how long to rest now, zero for not at all.
    pub(crate) fn rest(&mut self, share: CpuShare, now: Mono, worked: Duration) -> Duration {
        let (then, before) = self.last.replace((now, worked)).unwrap_or((now, worked));
        if share.is_whole() {
            self.balance = 0.0;
            return Duration::ZERO;
        }
        let share = share.fraction();
        let paid = share * now.since(then).as_secs_f64();
        let spent = worked.saturating_sub(before).as_secs_f64();
        self.balance = (self.balance + paid - spent).min(share * CREDIT.as_secs_f64());
        let rest = Duration::try_from_secs_f64(-self.balance / share).unwrap_or(Duration::ZERO);
        if rest < SHORT { Duration::ZERO } else { rest }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sl_config::Setting;

    use super::*;

    /// CPU time of a sleep.
    const WAKING: Duration = Duration::from_micros(20);

    fn share(text: &str) -> CpuShare {
        CpuShare::parse(text).expect("a share")
    }

    /// A thread in simulated time.
    struct Simulated {
        ration: Ration,
        now: Duration,
        worked: Duration,
        /// Of this, what fell asleep and woke.
        wasted: Duration,
        /// The longest time without a rest, and the longest rest.
        longest: (Duration, Duration),
        run: Duration,
    }

    impl Simulated {
        fn new(thread: usize, of: CpuShare) -> Self {
            let none = Duration::ZERO;
            let ration = Ration::of_thread(thread, of);
            Self { ration, now: none, worked: none, wasted: none, longest: (none, none), run: none }
        }

        /// Works and rests until `end`. A slice takes `stretch` times what it should, in steps of
        /// `group`; a sleep is late by `late`.
        fn until(
            &mut self,
            end: Duration,
            of: CpuShare,
            group: Duration,
            stretch: f64,
            late: Duration,
        ) {
            while self.now < end {
                let rest = self.ration.rest(of, Mono::from_start(self.now), self.worked);
                if rest.is_zero() {
                    let took = slice(of).mul_f64(stretch).max(group);
                    (self.now, self.worked, self.run) =
                        (self.now + took, self.worked + took, self.run + took);
                    self.longest.0 = self.longest.0.max(self.run);
                } else {
                    self.run = Duration::ZERO;
                    self.longest.1 = self.longest.1.max(rest);
                    // As the threads do: no sleep is longer than their ears are deaf.
                    let nap = rest.min(Duration::from_millis(40)) + late;
                    (self.now, self.worked, self.wasted) =
                        (self.now + nap + WAKING, self.worked + WAKING, self.wasted + WAKING);
                }
            }
        }
    }

    proptest! {
        /// Whatever slices and sleeps really take, the share holds within a point over three
        /// seconds, and work and rest stay short.
        #[test]
        fn the_share_holds(
            percent in 1u32..100,
            thread in 0usize..64,
            group_us in 400u64..600,
            stretch in 0.3f64..2.0,
            late_us in 0u64..4000,
        ) {
            let of = share(&format!("{percent}%"));
            let group = Duration::from_micros(group_us);
            let mut thread = Simulated::new(thread, of);
            let end = Duration::from_secs(3);
            thread.until(end, of, group, stretch, Duration::from_micros(late_us));
            let had = 100.0 * thread.worked.as_secs_f64() / thread.now.as_secs_f64();
            prop_assert!((had - f64::from(percent)).abs() < 1.0, "{had} of {percent}");
            if percent <= 90 {
                prop_assert!(thread.longest.0 < Duration::from_millis(150), "{:?}", thread.longest);
            }
            prop_assert!(thread.wasted < thread.worked.mul_f64(0.1), "{:?}", thread.wasted);
            prop_assert!(thread.longest.1 < Duration::from_millis(110), "{:?}", thread.longest);
        }
    }

    #[test]
    fn a_limit_changes_while_it_runs() {
        let none = Duration::ZERO;
        let mut thread = Simulated::new(0, CpuShare::WHOLE);
        let mut before = none;
        for (second, text, expect) in
            [(2, "100%", 2.0), (4, "25%", 0.5), (6, "80%", 1.6), (8, "1%", 0.02), (10, "100%", 2.0)]
        {
            let end = Duration::from_secs(second);
            thread.until(end, share(text), Duration::from_micros(400), 1.0, none);
            let had = (thread.worked - before).as_secs_f64();
            assert!((had - expect).abs() < 0.04, "{had} of {expect} at {text}");
            before = thread.worked;
        }
    }

    #[test]
    fn idle_time_is_not_made_up_for() {
        let of = share("50%");
        let mut ration = Ration::of_thread(0, of);
        let at = |seconds| Mono::from_start(Duration::from_secs(seconds));
        assert_eq!(ration.rest(of, at(0), Duration::ZERO), Duration::ZERO);
        // A minute without work, then 200 ms of it: the credit was 50 ms.
        assert_eq!(ration.rest(of, at(60), Duration::ZERO), Duration::ZERO);
        let rest = ration.rest(of, at(60), Duration::from_millis(200));
        assert_eq!(rest.as_millis(), 300);
    }

    #[test]
    fn threads_begin_apart() {
        let of = share("30%");
        let firsts: Vec<u128> = (0..4)
            .map(|thread| {
                let mut ration = Ration::of_thread(thread, of);
                ration.rest(of, Mono::default(), Duration::ZERO).as_millis()
            })
            .collect();
        assert_eq!(firsts, [0, 21, 8, 29]);
    }
}
