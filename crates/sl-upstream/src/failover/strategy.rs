use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use sl_units::Mono;
use sl_work::SourceId;
use thiserror::Error;

/// Chooses for which member of a group the machines work. It is asked when something changed and
/// when it asked to be asked; it is pure, and sees usable members only. A member that fails is left
/// whatever a strategy says.
pub trait Strategy: Send + fmt::Debug {
    /// Chooses one of the candidates, of which there is at least one; they stand in the order of the
    /// settings.
    fn choose(&mut self, candidates: &[Candidate], now: Mono) -> Choice;
}

/// A member that holds a job and may be used.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name.
    pub id: SourceId,
    /// The lower, the sooner.
    pub priority: u32,
    /// Its part among members of one priority.
    pub weight: u32,
    /// Whether the machines work for it now.
    pub current: bool,
    /// Since when it can be used without a break; `None` where it has never failed.
    pub back_since: Option<Mono>,
    /// How far away it is, where somebody measured that.
    pub latency: Option<Duration>,
    /// Difficulty of its accepted shares since the start, and of those that wait for their verdict.
    pub credited: f64,
}

/// What a strategy chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The place among the candidates.
    pub at: usize,
    /// When to ask again although nothing changed.
    pub again: Option<Mono>,
}

/// What strategies are told of the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyRules {
    /// How long a member that failed must be back before it is preferred again.
    pub dwell: Duration,
    /// The least time for one member while several share the work by weight.
    pub slice: Duration,
}

impl Default for StrategyRules {
    fn default() -> Self {
        Self { dwell: Duration::from_secs(60), slice: Duration::from_secs(15) }
    }
}

/// The member of the highest priority; among several, each its part of the work by weight.
///
/// All machines see one job, so the work is shared in time. Who is farthest behind its part of the
/// difficulty credited so far has the next slice (deficit round robin); what a share happens to be
/// worth, and what a pool refuses, corrects itself. The count starts anew when the members that
/// share change, so that a member that was away is not owed the time of its absence.
#[derive(Debug)]
pub struct ByPriority {
    rules: StrategyRules,
    /// Who shares, with weights, and what each was credited with when the count began.
    began: BTreeMap<SourceId, (u32, f64)>,
    /// The end of the running slice.
    slice_ends: Mono,
}

impl ByPriority {
    /// With these rules.
    #[must_use]
    pub const fn new(rules: StrategyRules) -> Self {
        Self { rules, began: BTreeMap::new(), slice_ends: Mono::from_start(Duration::ZERO) }
    }

    /// Who is farthest behind, among those at these places.
    fn farthest_behind(&self, places: &[usize], candidates: &[Candidate]) -> Option<usize> {
        let weights: f64 = self.began.values().map(|(weight, _)| f64::from(*weight)).sum();
        let got = |candidate: &Candidate| {
            let (weight, before) = self.began.get(&candidate.id).copied().unwrap_or((1, 0.0));
            (f64::from(weight), candidate.credited - before)
        };
        let members = || places.iter().filter_map(|at| Some((*at, candidates.get(*at)?)));
        let total: f64 = members().map(|(_, candidate)| got(candidate).1).sum();
        let deficit = |candidate: &Candidate| {
            let (weight, credited) = got(candidate);
            // Before anything is credited the heavier is first.
            weight / weights.max(1.0) * total.max(1e-9) - credited
        };
        // The first of equals: the order of the settings.
        members()
            .map(|(at, candidate)| (at, deficit(candidate)))
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
            .map(|(at, _)| at)
    }
}

impl Strategy for ByPriority {
    fn choose(&mut self, candidates: &[Candidate], now: Mono) -> Choice {
        let current = candidates.iter().position(|candidate| candidate.current);
        let running = current.and_then(|at| candidates.get(at));
        // One that failed is not preferred to the running one before it has stayed for a while.
        let welcome = |candidate: &Candidate| {
            let preferred = running.is_some_and(|running| candidate.priority < running.priority);
            !preferred || is_steady(candidate, self.rules.dwell, now)
        };
        let least = candidates.iter().filter(|it| welcome(it)).map(|it| it.priority).min();
        let places: Vec<usize> = (0..candidates.len())
            .filter(|at| {
                candidates.get(*at).is_some_and(|it| Some(it.priority) == least && welcome(it))
            })
            .collect();
        let waits = candidates
            .iter()
            .filter_map(|candidate| candidate.back_since)
            .map(|back| back + self.rules.dwell)
            .filter(|end| *end > now)
            .min();
        let sharing = |at: &usize| candidates.get(*at).filter(|it| it.weight > 0);
        let sharers: Vec<&Candidate> = places.iter().filter_map(sharing).collect();
        if sharers.len() < 2 {
            self.began.clear();
            let at = places.iter().find(|at| sharing(at).is_some()).or(places.first());
            return Choice { at: at.copied().unwrap_or(0), again: waits };
        }
        let weights = |(id, (weight, _)): (&SourceId, &(u32, f64))| (id.clone(), *weight);
        let known: BTreeSet<_> = self.began.iter().map(weights).collect();
        let now_there: BTreeSet<_> = sharers.iter().map(|it| (it.id.clone(), it.weight)).collect();
        if known != now_there {
            self.began =
                sharers.iter().map(|it| (it.id.clone(), (it.weight, it.credited))).collect();
            self.slice_ends = now;
        }
        let held = current.filter(|at| places.contains(at) && now < self.slice_ends);
        let at = held
            .or_else(|| self.farthest_behind(&places, candidates))
            .unwrap_or_else(|| places.first().copied().unwrap_or(0));
        if Some(at) != current {
            self.slice_ends = now + self.rules.slice;
        }
        // Behind the end of a slice each credited share can change who is farthest behind.
        let look = self.slice_ends.max(now + self.rules.slice.min(Duration::from_secs(1)));
        Choice { at, again: Some(waits.map_or(look, |waits| waits.min(look))) }
    }
}

/// The nearest member, whatever its priority: another must be nearer by a fifth and 5 ms. Where
/// nothing is measured, or all are as near, the order is that of priority.
#[derive(Debug)]
pub struct ByLatency {
    rules: StrategyRules,
}

impl ByLatency {
    /// With these rules.
    #[must_use]
    pub const fn new(rules: StrategyRules) -> Self {
        Self { rules }
    }
}

impl Strategy for ByLatency {
    fn choose(&mut self, candidates: &[Candidate], now: Mono) -> Choice {
        let rank = |candidate: &Candidate| {
            (candidate.latency.unwrap_or(Duration::MAX), candidate.priority)
        };
        let members = || candidates.iter().enumerate();
        let current = members().find(|(_, candidate)| candidate.current);
        let welcome = |candidate: &Candidate| {
            candidate.current
                || current.is_none_or(|(_, running)| {
                    is_steady(candidate, self.rules.dwell, now) && is_nearer(candidate, running)
                })
        };
        let best = members().filter(|(_, it)| welcome(it)).min_by_key(|(_, it)| rank(it));
        let at = best.or(current).map_or(0, |(at, _)| at);
        Choice { at, again: Some(now + self.rules.dwell.min(Duration::from_secs(10))) }
    }
}

fn is_nearer(candidate: &Candidate, running: &Candidate) -> bool {
    match (candidate.latency, running.latency) {
        (Some(near), Some(far)) => {
            near.mul_f64(1.25) < far && far.saturating_sub(near) >= Duration::from_millis(5)
        }
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => candidate.priority < running.priority,
    }
}

fn is_steady(candidate: &Candidate, dwell: Duration, now: Mono) -> bool {
    candidate.back_since.is_none_or(|back| now.since(back) >= dwell)
}

type Maker = Arc<dyn Fn(&StrategyRules) -> Box<dyn Strategy> + Send + Sync>;

/// The strategies by name: this crate's own, and those that somebody registers.
#[derive(Clone)]
pub struct Strategies {
    makers: BTreeMap<String, Maker>,
}

/// Why a strategy cannot be had or registered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StrategyError {
    /// Its name is taken.
    #[error("strategy {0} is registered already")]
    NameTaken(String),
    /// Nobody registered it.
    #[error("found strategy {found:?}, allowed are {allowed}")]
    Unknown {
        /// The name that was found, cut to 80 characters.
        found: String,
        /// The names that are known.
        allowed: String,
    },
}

impl Default for Strategies {
    /// `priority` ([`ByPriority`]) and `latency` ([`ByLatency`]).
    fn default() -> Self {
        let mut makers: BTreeMap<String, Maker> = BTreeMap::new();
        makers
            .insert("priority".into(), Arc::new(|rules| Box::new(ByPriority::new(rules.clone()))));
        makers.insert("latency".into(), Arc::new(|rules| Box::new(ByLatency::new(rules.clone()))));
        Self { makers }
    }
}

impl fmt::Debug for Strategies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.makers.keys()).finish()
    }
}

impl Strategies {
    /// Adds one under a name for the settings. It is made anew when the rules change.
    ///
    /// # Errors
    /// The name is taken.
    pub fn register(
        &mut self,
        name: &str,
        make: impl Fn(&StrategyRules) -> Box<dyn Strategy> + Send + Sync + 'static,
    ) -> Result<(), StrategyError> {
        if self.makers.contains_key(name) {
            return Err(StrategyError::NameTaken(name.to_owned()));
        }
        self.makers.insert(name.to_owned(), Arc::new(make));
        Ok(())
    }

    /// The names in use, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.makers.keys().map(String::as_str)
    }

    /// The strategy of this name.
    ///
    /// # Errors
    /// Nobody registered it.
    pub fn make(
        &self,
        name: &str,
        rules: &StrategyRules,
    ) -> Result<Box<dyn Strategy>, StrategyError> {
        let unknown = || StrategyError::Unknown {
            found: name.chars().take(80).collect(),
            allowed: self.names().collect::<Vec<_>>().join(", "),
        };
        self.makers.get(name).map(|make| make(rules)).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Mono {
        Mono::from_start(Duration::from_secs_f64(seconds))
    }

    fn member(id: &str, priority: u32, weight: u32) -> Candidate {
        Candidate {
            id: SourceId::new(id),
            priority,
            weight,
            current: false,
            back_since: None,
            latency: None,
            credited: 0.0,
        }
    }

    /// Runs a strategy against a clock: shares come by chance, at a rate that does not depend on
    /// who is chosen; some are refused. What each member was credited with, how often it changed.
    fn simulate(
        strategy: &mut dyn Strategy,
        members: &mut [Candidate],
        seconds: f64,
        shares_per_minute: f64,
        difficulty: impl Fn(usize) -> f64,
        refused: impl Fn(usize) -> f64,
    ) -> (Vec<f64>, usize) {
        let mut rng = fastrand::Rng::with_seed(11);
        let mut changes = 0;
        let (step, mut now) = (0.02, 0.0);
        let mut current = usize::MAX;
        let mut again = at(0.0);
        while now < seconds {
            let mut changed = false;
            if current != usize::MAX
                && {
                    // Harder shares come more seldom, for the same work.
                    let rate = shares_per_minute / 60.0 / difficulty(current);
                    rng.f64() < rate * step
                }
                && rng.f64() >= refused(current)
            {
                members[current].credited += difficulty(current);
                changed = true;
            }
            if changed || again <= at(now) {
                let choice = strategy.choose(members, at(now));
                again = choice.again.unwrap_or(at(f64::from(u32::MAX)));
                if choice.at != current {
                    current = choice.at;
                    changes += 1;
                    for (place, member) in members.iter_mut().enumerate() {
                        member.current = place == current;
                    }
                }
            }
            now += step;
        }
        (members.iter().map(|member| member.credited).collect(), changes)
    }

    #[test]
    fn seventy_to_thirty_within_two_percent_over_twenty_minutes() {
        for (name, difficulty, refused, shares_per_minute) in [
            ("equal", [1.0, 1.0], [0.0, 0.0], 1200.0),
            ("one asks for more", [1.0, 8.0], [0.0, 0.0], 1200.0),
            ("one refuses a tenth", [1.0, 1.0], [0.0, 0.1], 1200.0),
            ("few shares", [1.0, 1.0], [0.0, 0.0], 300.0),
        ] {
            let mut members = [member("a", 0, 70), member("b", 0, 30)];
            let mut strategy = ByPriority::new(StrategyRules::default());
            let (credited, changes) = simulate(
                &mut strategy,
                &mut members,
                1200.0,
                shares_per_minute,
                |at| difficulty[at],
                |at| refused[at],
            );
            let part = credited[0] / (credited[0] + credited[1]);
            assert!((part - 0.7).abs() <= 0.02, "{name}: {part:.3}, {changes} changes");
            assert!(changes <= 70, "{name}: {changes} changes of pool in twenty minutes");
        }
    }

    #[test]
    fn three_share_and_the_reserve_gets_nothing() {
        let mut members =
            [member("a", 0, 50), member("b", 0, 30), member("c", 0, 20), member("reserve", 1, 100)];
        let mut strategy = ByPriority::new(StrategyRules::default());
        let (credited, _) = simulate(&mut strategy, &mut members, 1200.0, 1200.0, |_| 1.0, |_| 0.0);
        let total: f64 = credited.iter().sum();
        for (part, wanted) in credited.iter().zip([0.5, 0.3, 0.2, 0.0]) {
            assert!((part / total - wanted).abs() <= 0.02, "{credited:?}");
        }
        assert!(credited[3].abs() < f64::EPSILON);
    }

    #[test]
    fn who_was_away_is_owed_nothing() {
        let mut strategy = ByPriority::new(StrategyRules::default());
        let mut alone = [member("a", 0, 50)];
        let _ = simulate(&mut strategy, &mut alone, 3600.0, 1200.0, |_| 1.0, |_| 0.0);
        let mut both = [alone[0].clone(), member("b", 0, 50)];
        let before = both[0].credited;
        let (credited, _) = simulate(&mut strategy, &mut both, 1200.0, 1200.0, |_| 1.0, |_| 0.0);
        let part = (credited[0] - before) / (credited[0] - before + credited[1]);
        assert!((part - 0.5).abs() <= 0.02, "{part}");
    }

    #[test]
    fn one_that_failed_is_preferred_again_after_its_dwell() {
        let mut strategy = ByPriority::new(StrategyRules::default());
        let mut members = [member("first", 0, 1), member("second", 1, 1)];
        members[1].current = true;
        members[0].back_since = Some(at(100.0));
        let choice = strategy.choose(&members, at(159.0));
        assert_eq!((choice.at, choice.again), (1, Some(at(160.0))), "not yet");
        assert_eq!(strategy.choose(&members, at(160.0)).at, 0);
        // Where nothing better runs, there is nothing to wait for.
        members[1].current = false;
        assert_eq!(strategy.choose(&members, at(101.0)).at, 0);
        // One that never failed is preferred at once: the start of a program has no dwell.
        members[1].current = true;
        members[0].back_since = None;
        assert_eq!(strategy.choose(&members, at(1.0)).at, 0);
    }

    #[test]
    fn the_nearest_is_taken_and_kept() {
        let mut strategy = ByLatency::new(StrategyRules::default());
        let near = |id, millis| Candidate {
            latency: Some(Duration::from_millis(millis)),
            ..member(id, 0, 1)
        };
        let mut members = [member("unknown", 0, 1), near("far", 90), near("near", 30)];
        assert_eq!(strategy.choose(&members, at(0.0)).at, 2);
        members[2].current = true;
        members[1].latency = Some(Duration::from_millis(28));
        assert_eq!(strategy.choose(&members, at(1.0)).at, 2, "2 ms are no reason");
        members[1].latency = Some(Duration::from_millis(10));
        assert_eq!(strategy.choose(&members, at(2.0)).at, 1);
        members[1].back_since = Some(at(0.0));
        assert_eq!(strategy.choose(&members, at(2.0)).at, 2, "it has just failed");
    }

    #[test]
    fn strategies_go_by_name() {
        let mut strategies = Strategies::default();
        assert!(strategies.make("priority", &StrategyRules::default()).is_ok());
        let wrong = strategies.make("luck", &StrategyRules::default()).expect_err("nobody's");
        assert_eq!(wrong.to_string(), "found strategy \"luck\", allowed are latency, priority");
        let make = |rules: &StrategyRules| -> Box<dyn Strategy> {
            Box::new(ByLatency::new(rules.clone()))
        };
        assert!(strategies.register("priority", make).is_err());
        assert_eq!(strategies.register("luck", make), Ok(()));
        assert!(strategies.make("luck", &StrategyRules::default()).is_ok());
    }
}
