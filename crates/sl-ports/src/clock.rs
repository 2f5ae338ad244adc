//! The clock: one object for elapsed time and for time of day.

use sl_units::{Mono, Wall};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Tells the time. Cheap to copy; every copy counts from the same start.
///
/// Elapsed time comes from tokio's clock, so that a test on a paused runtime moves it at will;
/// threads outside the runtime see real time. The wall clock of [`Clock::real`] is the system's
/// own and follows its corrections, so it may step back; that of [`Clock::simulated`] is its start
/// plus the elapsed time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// `None`: ask the operating system.
    wall_start: Option<Wall>,
}

impl Clock {
    /// The real clock, with elapsed time counted from now. A program makes one, at its start.
    #[must_use]
    pub fn real() -> Self {
        Self { start: Instant::now(), wall_start: None }
    }

    /// A clock whose time of day is `wall_start` now and goes with the elapsed time: in a test on
    /// a paused runtime it moves only when the test says so.
    #[must_use]
    pub fn simulated(wall_start: Wall) -> Self {
        Self { start: Instant::now(), wall_start: Some(wall_start) }
    }

    /// Time since this clock was made; never goes back.
    #[must_use]
    pub fn mono(&self) -> Mono {
        Mono::from_start(self.start.elapsed())
    }

    /// The time of day.
    #[must_use]
    pub fn wall(&self) -> Wall {
        match self.wall_start {
            Some(start) => start + self.start.elapsed(),
            None => system_wall(),
        }
    }

    /// The instant of tokio's clock that `at` is, to sleep until it; at most a century away.
    #[must_use]
    pub fn instant_of(&self, at: Mono) -> Instant {
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
        self.start + at.since_start().min(CENTURY)
    }
}

fn system_wall() -> Wall {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    let now = SystemTime::now();
    // A clock before 1970 is a machine without a battery: 1970 is as good an answer as any.
    Wall::from_millis(0) + now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_paused_runtime_moves_both_clocks() {
        let clock = Clock::simulated(Wall::from_secs(1_700_000_000));
        let copy = clock;
        assert_eq!(clock.mono(), Mono::from_start(Duration::ZERO));
        tokio::time::advance(Duration::from_millis(90_061_001)).await;
        assert_eq!(copy.mono().since_start(), Duration::from_millis(90_061_001));
        assert_eq!(copy.wall(), Wall::from_millis(1_700_090_061_001));

        tokio::time::sleep_until(clock.instant_of(Mono::from_start(Duration::from_secs(90_100))))
            .await;
        assert_eq!(clock.mono().since_start().as_secs(), 90_100);
    }

    #[test]
    fn the_real_clock_is_of_this_age() {
        let clock = Clock::real();
        assert!(clock.wall() > Wall::from_secs(1_700_000_000), "{:?}", clock.wall());
        assert!(clock.mono().since_start() < Duration::from_secs(3600));
    }
}
