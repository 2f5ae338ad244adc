//! What the mining program has counted of its pools.

use sl_units::Mono;

use super::PoolEvent;
use crate::conf::{POOLS, PoolConf};
use crate::readings::{PoolCounts, PoolReading};

/// The three pools of the configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Pools {
    places: [Place; POOLS],
    best_share: f64,
    tally: Tally,
}

/// Verdicts on shares since the machine was made, whatever restarts in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Taken.
    pub(crate) accepted: u64,
    /// Refused.
    pub(crate) rejected: u64,
    /// Too late to be sent, or without a verdict.
    pub(crate) stale: u64,
}

#[derive(Debug, Clone, Default)]
struct Place {
    /// The generation in which its counters began.
    since: u64,
    alive: bool,
    active: bool,
    counts: PoolCounts,
    difficulty: Option<f64>,
    last_share: Option<Mono>,
    last_job: Option<Mono>,
}

impl Pools {
    /// The mining program begins, and counts anew.
    pub(super) fn begin(&mut self, generation: u64) {
        let places = std::array::from_fn(|_| Place::new(generation));
        *self = Self { places, best_share: 0.0, tally: self.tally };
    }

    /// The configuration is read again: what another pool has counted is not this one's.
    pub(super) fn reload(
        &mut self,
        old: &[PoolConf; POOLS],
        new: &[PoolConf; POOLS],
        generation: u64,
    ) {
        for (place, (old, new)) in self.places.iter_mut().zip(old.iter().zip(new)) {
            if (&old.url, &old.user) != (&new.url, &new.user) {
                *place = Place::new(generation);
            }
        }
    }

    /// Something happened with a pool, heard by a connection of a generation. What is heard of an
    /// earlier pool at this place, or by an earlier mining program, goes into the tally alone.
    pub(super) fn event(&mut self, generation: u64, place: usize, event: PoolEvent, now: Mono) {
        self.tally.count(event);
        if self.places.get(place).is_none_or(|place| generation < place.since) {
            return;
        }
        if let PoolEvent::Active = event {
            for (at, other) in self.places.iter_mut().enumerate() {
                other.active = at == place;
            }
        }
        let Some(place) = self.places.get_mut(place) else { return };
        let counts = &mut place.counts;
        match event {
            PoolEvent::Alive => place.alive = true,
            PoolEvent::Dead => place.die(),
            PoolEvent::Active => place.alive = true,
            PoolEvent::Left => place.active = false,
            PoolEvent::Job => {
                counts.getworks = counts.getworks.saturating_add(1);
                place.last_job = Some(now);
            }
            PoolEvent::Difficulty(difficulty) => place.difficulty = Some(difficulty),
            PoolEvent::Accepted(difficulty) => {
                counts.accepted = counts.accepted.saturating_add(1);
                counts.difficulty_accepted += difficulty;
                counts.last_share_difficulty = difficulty;
                place.last_share = Some(now);
            }
            PoolEvent::Rejected(difficulty) => {
                counts.rejected = counts.rejected.saturating_add(1);
                counts.difficulty_rejected += difficulty;
            }
            PoolEvent::Stale(difficulty) => {
                counts.stale = counts.stale.saturating_add(1);
                counts.difficulty_stale += difficulty;
            }
            PoolEvent::Found(difficulty) => {
                counts.best_share = counts.best_share.max(difficulty);
                self.best_share = self.best_share.max(difficulty);
            }
        }
    }

    /// None can be reached any more.
    pub(super) fn lose_all(&mut self) {
        self.places.iter_mut().for_each(Place::die);
    }

    /// Whether any pool answers.
    pub(super) fn any_alive(&self) -> bool {
        self.places.iter().any(|place| place.alive)
    }

    /// Whether any gives work.
    pub(super) fn any_active(&self) -> bool {
        self.places.iter().any(|place| place.active)
    }

    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) const fn best_share(&self) -> f64 {
        self.best_share
    }

    /// What is shown of the pools.
    pub(super) fn readings(&self, conf: &[PoolConf; POOLS], now: Mono) -> [PoolReading; POOLS] {
        let one = |(place, conf): (&Place, &PoolConf)| PoolReading {
            url: conf.url.clone(),
            user: conf.user.clone(),
            alive: place.alive,
            active: place.active,
            counts: place.counts,
            difficulty: place.difficulty,
            last_share_ago: place.last_share.map(|at| now.since(at)),
            last_job_ago: place.last_job.map(|at| now.since(at)),
        };
        let mut readings: [PoolReading; POOLS] = Default::default();
        for (reading, found) in readings.iter_mut().zip(self.places.iter().zip(conf).map(one)) {
            *reading = found;
        }
        readings
    }
}

impl Tally {
    fn count(&mut self, event: PoolEvent) {
        match event {
            PoolEvent::Accepted(_) => self.accepted += 1,
            PoolEvent::Rejected(_) => self.rejected += 1,
            PoolEvent::Stale(_) => self.stale += 1,
            _ => {}
        }
    }
}

impl Place {
    fn new(since: u64) -> Self {
        Self { since, ..Self::default() }
    }

    /// The pool does not answer; that it still does not is no other failure.
    fn die(&mut self) {
        self.counts.remote_failures += u64::from(self.alive);
        (self.alive, self.active) = (false, false);
    }
}
