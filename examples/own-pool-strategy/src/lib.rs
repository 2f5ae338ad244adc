//! A strategy of one's own: every pool gets its turn, for a quarter of an hour each.
//!
//! For: showing what a strategy is told and what it answers. It is asked when a pool comes or goes,
//! and when it asked to be asked; it sees the pools that can be worked for, and nothing else. A pool
//! that fails is left whatever it says, so it has no failure to handle.
//!
//! Not for: mining well. [`sl_upstream::ByPriority`] shares by accepted difficulty; turns of fixed
//! length do not know what a share was worth.
//!
//! ```
//! use own_pool_strategy::Turns;
//! use sl_upstream::{Strategies, StrategyRules};
//!
//! let mut strategies = Strategies::default();
//! strategies.register("turns", |_| Box::new(Turns::default()))?;
//! assert!(strategies.make("turns", &StrategyRules::default()).is_ok());
//! # Ok::<(), sl_upstream::StrategyError>(())
//! ```
#![forbid(unsafe_code)]

use std::time::Duration;

use sl_units::Mono;
use sl_upstream::{Candidate, Choice, Strategy};

/// How long a turn is.
pub const TURN: Duration = Duration::from_secs(15 * 60);

/// Every pool in its turn, in the order of the settings.
#[derive(Debug, Default)]
pub struct Turns {
    /// When the running turn ends; `None` before the first.
    ends: Option<Mono>,
}

impl Strategy for Turns {
    fn choose(&mut self, candidates: &[Candidate], now: Mono) -> Choice {
        let current = candidates.iter().position(|candidate| candidate.current);
        let at = match (current, self.ends) {
            (Some(at), Some(ends)) if now < ends => return Choice { at, again: Some(ends) },
            // There is at least one candidate.
            (Some(at), _) => (at + 1) % candidates.len().max(1),
            (None, _) => 0,
        };
        self.ends = Some(now + TURN);
        Choice { at, again: self.ends }
    }
}

#[cfg(test)]
mod tests {
    use sl_work::SourceId;

    use super::*;

    fn candidates(current: Option<usize>, count: usize) -> Vec<Candidate> {
        let one = |at: usize| Candidate {
            id: SourceId::new(&format!("pool.{at}")),
            priority: 0,
            weight: 100,
            current: current == Some(at),
            back_since: None,
            latency: None,
            credited: 0.0,
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn each_has_its_turn() {
        let mut turns = Turns::default();
        let at = |minutes: u64| Mono::from_start(Duration::from_secs(minutes * 60));
        let first = turns.choose(&candidates(None, 3), at(0));
        assert_eq!(first, Choice { at: 0, again: Some(at(15)) });
        assert_eq!(turns.choose(&candidates(Some(0), 3), at(14)).at, 0, "its turn is not over");
        assert_eq!(turns.choose(&candidates(Some(0), 3), at(15)).at, 1);
        assert_eq!(turns.choose(&candidates(Some(1), 3), at(30)).at, 2);
        assert_eq!(turns.choose(&candidates(Some(2), 3), at(45)).at, 0);
        // The running one failed: whoever is first has a turn.
        assert_eq!(turns.choose(&candidates(None, 2), at(46)).at, 0);
    }
}
