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
}

#[derive(Debug, Clone, Default)]
struct Place {
    alive: bool,
    active: bool,
    counts: PoolCounts,
    difficulty: Option<f64>,
    last_share: Option<Mono>,
}

impl Pools {
    /// The configuration is read again: what another pool has counted is not this one's.
    pub(super) fn reload(&mut self, old: &[PoolConf; POOLS], new: &[PoolConf; POOLS]) {
        for (place, (old, new)) in self.places.iter_mut().zip(old.iter().zip(new)) {
            if (&old.url, &old.user) != (&new.url, &new.user) {
                *place = Place::default();
            }
        }
    }

    /// Something happened with a pool.
    pub(super) fn event(&mut self, place: usize, event: PoolEvent, now: Mono) {
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
            PoolEvent::Job => counts.getworks = counts.getworks.saturating_add(1),
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
            PoolEvent::Discarded => counts.discarded = counts.discarded.saturating_add(1),
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
        };
        let mut readings: [PoolReading; POOLS] = Default::default();
        for (reading, found) in readings.iter_mut().zip(self.places.iter().zip(conf).map(one)) {
            *reading = found;
        }
        readings
    }
}

impl Place {
    /// The pool does not answer; that it still does not is no other failure.
    fn die(&mut self) {
        self.counts.remote_failures += u64::from(self.alive);
        (self.alive, self.active) = (false, false);
    }
}
