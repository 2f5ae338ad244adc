use std::collections::{HashSet, VecDeque};

use sl_units::ShareDifficulty;

/// Shares of one machine on all jobs known that are told apart; beyond, they are refused.
const MOST_SHARES: usize = 16_384;

/// What a machine has been told and has sent, kept for its slot: it survives a reconnection, so
/// that a share sent again is known, and judged as it would have been.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// From which issue of a job on which difficulty is in force.
    difficulties: VecDeque<(u64, ShareDifficulty)>,
    /// Shares with the first issue of their job: in one set, since most machines have few.
    seen: HashSet<(u64, ShareKey)>,
    /// Of jobs before this one nothing is kept any more.
    pruned: u64,
}

/// What a machine varies, which tells its shares of one job apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ShareKey {
    /// At most four bytes.
    pub(crate) extranonce2: u32,
    pub(crate) ntime: u32,
    pub(crate) nonce: u32,
    pub(crate) version: u32,
}

/// Why a share is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// It was sent before.
    Duplicate,
    /// Too many were sent for this job.
    TooMany,
}

impl Standing {
    /// Of a machine that an earlier run of the program knew.
    pub(crate) fn recalled(
        difficulty: Option<ShareDifficulty>,
        shares: impl IntoIterator<Item = (u64, ShareKey)>,
    ) -> Self {
        Self {
            difficulties: difficulty.map(|difficulty| (0, difficulty)).into_iter().collect(),
            seen: shares.into_iter().take(MOST_SHARES).collect(),
            pruned: 0,
        }
    }

    /// The difficulty in force now.
    pub(crate) fn difficulty(&self) -> Option<ShareDifficulty> {
        self.difficulties.back().map(|(_, difficulty)| *difficulty)
    }

    /// This difficulty is in force from this issue on.
    pub(crate) fn set_difficulty(&mut self, issue: u64, difficulty: ShareDifficulty) {
        if self.difficulty() != Some(difficulty) {
            self.difficulties.push_back((issue, difficulty));
        }
    }

    /// The easiest difficulty that was in force since a job was sent: some machines apply a new
    /// one to the work they have, most only to new work.
    pub(crate) fn easiest_since(&self, issue: u64) -> Option<ShareDifficulty> {
        let before = self.difficulties.iter().rposition(|(from, _)| *from <= issue).unwrap_or(0);
        let since = self.difficulties.iter().skip(before).map(|(_, difficulty)| *difficulty);
        since.reduce(|a, b| if b < a { b } else { a })
    }

    /// Notes a share of the job with this first issue.
    pub(crate) fn note(&mut self, job: u64, key: ShareKey) -> Result<(), Repeated> {
        if self.seen.contains(&(job, key)) {
            Err(Repeated::Duplicate)
        } else if self.seen.len() >= MOST_SHARES {
            Err(Repeated::TooMany)
        } else {
            self.seen.insert((job, key));
            Ok(())
        }
    }

    /// Forgets a share that proved nothing, so that only shares that cost work take room.
    pub(crate) fn unnote(&mut self, job: u64, key: ShareKey) {
        self.seen.remove(&(job, key));
    }

    /// Forgets what concerns jobs that are not known any more: those before this issue, whose job
    /// was first issued at `first`.
    pub(crate) fn prune(&mut self, oldest: u64, first: u64) {
        if first > self.pruned {
            self.pruned = first;
            self.seen.retain(|(job, _)| *job >= first);
            if self.seen.capacity() > 4 * self.seen.len() + 16 {
                self.seen.shrink_to_fit();
            }
        }
        while self.difficulties.get(1).is_some_and(|(from, _)| *from <= oldest) {
            self.difficulties.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn difficulty(value: f64) -> ShareDifficulty {
        ShareDifficulty::new(value).expect("positive")
    }

    #[test]
    fn a_share_is_judged_by_the_easiest_since_its_job() {
        let mut standing = Standing::default();
        assert_eq!(standing.easiest_since(1), None);
        for (issue, value) in [(5, 10.0), (7, 5.0), (9, 8.0)] {
            standing.set_difficulty(issue, difficulty(value));
        }
        for (issue, value) in [(4, 5.0), (5, 5.0), (7, 5.0), (8, 5.0), (9, 8.0), (20, 8.0)] {
            assert_eq!(standing.easiest_since(issue), Some(difficulty(value)), "{issue}");
        }
        standing.prune(9, 9);
        assert_eq!(standing.difficulties.len(), 1);
        assert_eq!(standing.easiest_since(9), Some(difficulty(8.0)));
    }

    #[test]
    fn a_share_is_known_until_its_job_is_forgotten() {
        let mut standing = Standing::default();
        let key = ShareKey { extranonce2: 1, ntime: 2, nonce: 3, version: 0 };
        assert_eq!(standing.note(1, key), Ok(()));
        assert_eq!(standing.note(1, key), Err(Repeated::Duplicate));
        assert_eq!(standing.note(2, key), Ok(()));
        assert_eq!(standing.note(1, ShareKey { nonce: 4, ..key }), Ok(()));
        standing.unnote(2, key);
        assert_eq!(standing.note(2, key), Ok(()));
        standing.prune(2, 2);
        assert_eq!(standing.seen.len(), 1);
    }

    #[test]
    fn shares_are_bounded() {
        let mut standing = Standing::default();
        let mut last = Ok(());
        for nonce in 0..=MOST_SHARES as u32 {
            last = standing.note(1, ShareKey { extranonce2: 0, ntime: 0, nonce, version: 0 });
        }
        assert_eq!(last, Err(Repeated::TooMany));
    }

    proptest! {
        #[test]
        fn pruning_changes_no_judgement(
            changes in prop::collection::vec((1u64..5, 1u32..100), 1..30), oldest in 0u64..60,
        ) {
            let mut standing = Standing::default();
            let mut issue = 0;
            for (step, value) in changes {
                issue += step;
                standing.set_difficulty(issue, difficulty(f64::from(value)));
            }
            let judged = |standing: &Standing| (oldest..oldest + 80).map(|issue| standing.easiest_since(issue)).collect::<Vec<_>>();
            let before = judged(&standing);
            standing.prune(oldest, oldest);
            prop_assert_eq!(judged(&standing), before);
        }
    }
}
