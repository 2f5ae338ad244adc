use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sl_telemetry::{Histogram, HistogramSnapshot};
use sl_units::{Mono, ShareDifficulty};
use sl_work::Outcome;

use crate::desk::Settled;

/// How a pool fares.
#[derive(Clone, Debug)]
pub struct PoolStatus {
    /// Whether it is connected.
    pub state: PoolState,
    /// The same of each connection.
    pub links: Vec<PoolState>,
    /// The difficulty it asks for, the hardest of its connections; `None` before it said so.
    pub difficulty: Option<ShareDifficulty>,
    /// Its extranonce: bytes of its own, and bytes left to us; where they leave the fewest.
    pub extranonce: Option<(usize, usize)>,
    /// Jobs it has given.
    pub jobs: u64,
    /// When it gave the last.
    pub last_job: Option<Mono>,
    /// Shares that it took.
    pub accepted: u64,
    /// When it took the last.
    pub last_accepted: Option<Mono>,
    /// The difficulty of all that it took, as it credits them.
    pub accepted_difficulty: f64,
    /// Shares that it refused.
    pub rejected: u64,
    /// The same by the kind of refusal.
    pub rejected_by: BTreeMap<String, u64>,
    /// Shares that came too late for it.
    pub stale: u64,
    /// Shares that it never judged.
    pub lost: u64,
    /// The same by the reason.
    pub lost_by: BTreeMap<String, u64>,
    /// The difficulty of what was refused, stale or lost.
    pub missed_difficulty: f64,
    /// Shares sent again when a session was resumed.
    pub resubmitted: u64,
    /// Of those: shares that the pool had already; they count as accepted.
    pub already_known: u64,
    /// Shares that are held until the pool resumes its session.
    pub held: u64,
    /// Connections made since the start.
    pub connections: u64,
    /// Sessions that a later connection resumed.
    pub resumed: u64,
    /// Time with work, but for the present stretch; see [`PoolStatus::uptime`].
    pub worked: Duration,
    /// How long the last connection took to stand.
    pub connect: Option<Duration>,
    /// How long its TLS handshake took.
    pub tls: Option<Duration>,
    /// How long its subscription took.
    pub subscribe: Option<Duration>,
    /// From a share to its verdict.
    pub round_trip: HistogramSnapshot,
    /// Lines of the pool that were no message.
    pub malformed: u64,
    /// Moves to another operator's host, which were not followed.
    pub moves_refused: u64,
    /// The last text of the pool for people.
    pub notice: Option<Arc<str>>,
    /// What is withheld while the pool asks for too easy shares, where that costs the most.
    pub over: Option<OverDifficulty>,
    /// Machines whose own names the pool took, and did not take.
    pub names: (u64, u64),
    /// The last thing that went wrong.
    pub last_error: Option<Arc<str>>,
    /// What each connection says of itself.
    figures: Vec<LinkFigures>,
}

/// What one connection with a pool says of itself; [`PoolStatus`] has it of all together.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkFigures {
    pub(crate) difficulty: Option<ShareDifficulty>,
    pub(crate) extranonce: Option<(usize, usize)>,
    pub(crate) held: u64,
    pub(crate) names: (u64, u64),
    pub(crate) over: Option<OverDifficulty>,
    round_trip: Arc<Histogram>,
}

/// A pool floods us with too low a difficulty: fewer, harder shares are sent up, and the pool
/// credits each as one of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverDifficulty {
    /// What the pool asks for.
    pub asked: ShareDifficulty,
    /// What is sent.
    pub sent: ShareDifficulty,
    /// Since when.
    pub since: Mono,
    /// The part of this pool's pay that is given up meanwhile, 0 to 1.
    pub price: f64,
    /// Difficulty given up so far, expected from the shares that were taken.
    pub forgone: f64,
}

/// Whether a pool is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolState {
    /// On the way.
    Connecting {
        /// Since when.
        since: Mono,
    },
    /// Gives work.
    Working {
        /// Since when.
        since: Mono,
    },
    /// Waiting before the next try.
    Waiting {
        /// Until when.
        until: Mono,
    },
}

impl PoolStatus {
    /// Reasons that are counted apart; beyond, they are counted as `other`.
    const MOST_REASONS: usize = 24;

    /// How long it has given work since the start.
    #[must_use]
    pub fn uptime(&self, now: Mono) -> Duration {
        match self.state {
            PoolState::Working { since } => self.worked + now.since(since),
            _ => self.worked,
        }
    }

    /// The connection of this number stands so. The pool works while one of them does.
    pub(crate) fn set_link(&mut self, link: usize, state: PoolState, now: Mono) {
        while self.links.len() <= link {
            self.links.push(PoolState::Connecting { since: now });
        }
        if let Some(place) = self.links.get_mut(link) {
            *place = state;
        }
        let works = |state: &&PoolState| matches!(state, PoolState::Working { .. });
        let new = self.links.iter().find(works).or(self.links.first()).copied().unwrap_or(state);
        match (self.state, new) {
            // The stretch of work goes on, whichever connection it is.
            (PoolState::Working { .. }, PoolState::Working { .. }) => {}
            (PoolState::Working { since }, _) => {
                self.worked += now.since(since);
                self.state = new;
            }
            (_, PoolState::Working { .. }) => self.state = PoolState::Working { since: now },
            _ => self.state = new,
        }
    }

    /// A connection has something to say of itself.
    pub(crate) fn of_link(&mut self, link: usize, change: impl FnOnce(&mut LinkFigures)) {
        change(self.figures(link));
        let all = &self.figures;
        let harder = |a: ShareDifficulty, b: ShareDifficulty| if b > a { b } else { a };
        self.difficulty = all.iter().filter_map(|one| one.difficulty).reduce(harder);
        self.extranonce = all.iter().filter_map(|one| one.extranonce).min_by_key(|it| it.1);
        self.held = all.iter().map(|one| one.held).sum();
        self.names = all.iter().fold((0, 0), |sum, one| (sum.0 + one.names.0, sum.1 + one.names.1));
        let forgone = all.iter().filter_map(|one| one.over).map(|over| over.forgone).sum();
        let worst = all.iter().filter_map(|one| one.over);
        let worst = worst.max_by(|one, other| one.price.total_cmp(&other.price));
        self.over = worst.map(|worst| OverDifficulty { forgone, ..worst });
    }

    /// How long a connection's shares have waited for their verdicts.
    pub(crate) fn round_trips(&mut self, link: usize, round_trip: &Histogram) {
        self.figures(link).round_trip = Arc::new(round_trip.clone());
        let mut all = Histogram::default();
        self.figures.iter().for_each(|one| all.merge(&one.round_trip));
        self.round_trip = all.snapshot();
    }

    fn figures(&mut self, link: usize) -> &mut LinkFigures {
        if self.figures.len() <= link {
            self.figures.resize_with(link + 1, LinkFigures::default);
        }
        self.figures.get_mut(link).expect("it was made room for")
    }

    /// Counts a share of a connection that has its verdict.
    pub(crate) fn count(&mut self, link: usize, settled: &Settled, now: Mono) {
        if !matches!(settled.outcome, Outcome::Accepted { .. }) {
            self.missed_difficulty += settled.difficulty;
        }
        match &settled.outcome {
            Outcome::Accepted { .. } => {
                self.accepted += 1;
                self.already_known += u64::from(settled.known);
                self.accepted_difficulty += settled.difficulty;
                self.last_accepted = Some(now);
                if self.figures(link).over.is_some() {
                    self.of_link(link, |one| {
                        if let Some(over) = &mut one.over {
                            over.forgone += over.sent.get() - over.asked.get();
                        }
                    });
                }
            }
            Outcome::Stale { .. } => self.stale += 1,
            Outcome::Rejected { reason } => {
                self.rejected += 1;
                Self::reason(&mut self.rejected_by, reason);
            }
            Outcome::Lost { reason } => {
                self.lost += 1;
                Self::reason(&mut self.lost_by, reason);
            }
        }
    }

    /// Pools put figures into their reasons: what follows the first one is left away.
    fn reason(counts: &mut BTreeMap<String, u64>, reason: &str) {
        let end = reason.find(" of 0").or_else(|| reason.find(':')).unwrap_or(reason.len());
        let mut key: String = reason.get(..end).unwrap_or(reason).chars().take(120).collect();
        if !counts.contains_key(&key) && counts.len() >= Self::MOST_REASONS {
            key = "other".into();
        }
        *counts.entry(key).or_default() += 1;
    }
}

impl Default for PoolStatus {
    fn default() -> Self {
        Self {
            state: PoolState::Connecting { since: Mono::default() },
            links: Vec::new(),
            difficulty: None,
            extranonce: None,
            jobs: 0,
            last_job: None,
            accepted: 0,
            last_accepted: None,
            accepted_difficulty: 0.0,
            rejected: 0,
            rejected_by: BTreeMap::new(),
            stale: 0,
            lost: 0,
            lost_by: BTreeMap::new(),
            missed_difficulty: 0.0,
            resubmitted: 0,
            already_known: 0,
            held: 0,
            connections: 0,
            resumed: 0,
            worked: Duration::ZERO,
            connect: None,
            tls: None,
            subscribe: None,
            round_trip: HistogramSnapshot::default(),
            malformed: 0,
            moves_refused: 0,
            notice: None,
            over: None,
            names: (0, 0),
            last_error: None,
            figures: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difficulty(value: f64) -> ShareDifficulty {
        ShareDifficulty::new(value).expect("positive")
    }

    fn over(times: f64) -> Option<OverDifficulty> {
        let (asked, sent) = (difficulty(1.0), difficulty(times));
        let (since, price) = (Mono::default(), 1.0 - 1.0 / times);
        Some(OverDifficulty { asked, sent, since, price, forgone: 0.0 })
    }

    #[test]
    fn no_connection_hides_what_another_says() {
        let mut status = PoolStatus::default();
        let taken = Settled {
            outcome: Outcome::Accepted { credited: Vec::new(), missed: Vec::new() },
            difficulty: 1.0,
            took: None,
            known: false,
        };
        status.of_link(1, |one| {
            one.held = 4000;
            one.names = (3, 1);
            one.difficulty = Some(difficulty(8.0));
            one.extranonce = Some((4, 4));
            one.over = over(4.0);
        });
        status.count(1, &taken, Mono::default());
        status.of_link(0, |one| {
            one.held = 1;
            one.names = (1, 0);
            one.difficulty = Some(difficulty(2.0));
            one.extranonce = Some((2, 6));
            one.over = over(2.0);
        });
        status.count(0, &taken, Mono::default());
        let told = status.over.expect("it is told");
        assert_eq!((told.sent.get(), told.price, told.forgone), (4.0, 0.75, 4.0));
        status.of_link(0, |one| {
            one.held = 0;
            one.over = None;
        });
        status.count(0, &taken, Mono::default());
        assert_eq!(status.over.map(|over| over.forgone), Some(3.0), "its own shares alone");
        assert_eq!((status.held, status.names), (4000, (4, 1)));
        assert_eq!(status.difficulty, Some(difficulty(8.0)));
        assert_eq!(status.extranonce, Some((4, 4)));

        let mut trips = Histogram::default();
        trips.record(Duration::from_millis(10));
        status.round_trips(0, &trips);
        trips.record(Duration::from_millis(20));
        status.round_trips(1, &trips);
        assert_eq!(status.round_trip.count, 3);
    }
}
