//! A machine's way through a job: which of its hashes are shares, and when they are made.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use crate::{
    orders::Pace,
    premined::{HASHES, Premined},
};

/// What a machine works on.
pub(super) struct Job {
    pub(super) id: String,
    difficulty: f64,
    /// The nonce that it began with; after the last that was hashed before comes the first.
    start: u32,
    /// Hashes made of it.
    pub(super) made: u32,
    /// When the next one was begun.
    pub(super) since: Instant,
}

/// A share that a machine finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) nonce: u32,
    /// Hashes made of the job when it is found.
    pub(super) made: u32,
}

impl Job {
    /// A new one, begun at a nonce and in a moment of its own.
    pub(super) fn new(id: &str, difficulty: f64, pace: Pace, now: Instant, rng: &mut Rng) -> Self {
        let (start, phase) = (rng.u32(0..HASHES), rng.f64());
        let since = match pace {
            Pace::Hashes { per_second } => now + Duration::from_secs_f64(phase / per_second),
            _ => now,
        };
        Self { id: id.to_owned(), difficulty, start, made: 0, since }
    }

    /// The same work under another name, at another difficulty.
    pub(super) fn again(self, id: &str, difficulty: f64) -> Self {
        Self { id: id.to_owned(), difficulty, ..self }
    }

    /// The next share that a machine with this slot finds; `None`: no more of this job.
    pub(super) fn next_share(&self, shares: &Premined, slot: u32) -> Option<Found> {
        // From where it is to the last nonce, and from the first to where it began.
        let place = self.start + self.made;
        let late = (place < HASHES).then(|| shares.share(slot, place, self.difficulty)).flatten();
        if let Some(nonce) = late {
            return Some(Found { nonce, made: nonce + 1 - self.start });
        }
        let nonce = shares.share(slot, place.saturating_sub(HASHES), self.difficulty)?;
        (nonce < self.start).then(|| Found { nonce, made: HASHES - self.start + nonce + 1 })
    }

    /// When so many hashes of it are made.
    pub(super) fn when_made(&self, made: u32, per_second: f64) -> Instant {
        let more = made.saturating_sub(self.made);
        self.since + Duration::from_secs_f64(f64::from(more) / per_second)
    }

    /// As it stands at this instant: hashes that were no shares were made, too.
    pub(super) fn at(mut self, pace: Pace, now: Instant) -> Self {
        if let Pace::Hashes { per_second } = pace {
            let more = now.saturating_duration_since(self.since).as_secs_f64() * per_second;
            let made = self.made + (more as u32).min(HASHES - self.made);
            self.since = self.when_made(made, per_second);
            self.made = made;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_nonce_is_hashed_once_from_wherever_it_begins() {
        let (shares, mut rng) = (Premined::made_up(), Rng::with_seed(1));
        for _ in 0..20 {
            let mut job = Job::new("1", 1.0, Pace::Quiet, Instant::now(), &mut rng);
            let mut nonces = Vec::new();
            while let Some(found) = job.next_share(&shares, 3) {
                assert_eq!(found.made, job.made + 1);
                job.made = found.made;
                nonces.push(found.nonce);
            }
            assert_eq!(nonces.first(), Some(&job.start));
            nonces.sort_unstable();
            assert_eq!(nonces, (0..HASHES).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_job_given_again_goes_on_where_it_was() {
        let (pace, now) = (Pace::Hashes { per_second: 10.0 }, Instant::now());
        let job = Job { id: "1".into(), difficulty: 1.0, start: 5, made: 3, since: now };
        let later = job.at(pace, now + Duration::from_millis(1250));
        assert_eq!((later.made, later.since), (15, now + Duration::from_millis(1200)));
        let end = later.at(pace, now + Duration::from_secs(1000));
        assert_eq!((end.made, end.next_share(&Premined::made_up(), 0)), (HASHES, None));
    }
}
