use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU64,
};

use sl_work::{Proven, Refused, RefusedWhy, Submitter, Ticket, Verdict, WorkerName};

use crate::ledger::Place;

/// Shares that meet a goal and wait for room at the source; each cost a block's work.
const MOST_WAITING: usize = 1024;

/// The way up: who sent which ticket, and shares too good to be dropped that found no room.
#[derive(Debug)]
pub(crate) struct Forward {
    submitter: Submitter,
    tickets: HashMap<Ticket, Sent>,
    waiting: VecDeque<(Proven, Sent)>,
}

/// A share on its way up.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) worker: WorkerName,
    /// Where the worker's account is.
    pub(crate) account: Place,
    /// Whether we told the machine that it was late.
    pub(crate) stale: bool,
    /// Its number in the journal, where one is kept.
    pub(crate) ticket: Option<NonZeroU64>,
}

/// What became of a share at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Up {
    /// It has a ticket, or waits for room.
    Sent,
    /// The source has no room, and it meets no goal.
    NoRoom,
    /// The source is gone, or more wait than are ever found.
    Lost,
}

impl Forward {
    pub(crate) fn new(submitter: Submitter) -> Self {
        Self { submitter, tickets: HashMap::new(), waiting: VecDeque::new() }
    }

    /// Sends a share up.
    pub(crate) fn send(&mut self, share: Proven, sent: Sent) -> Up {
        match self.submitter.submit(share, sent.worker.clone()) {
            Ok(ticket) => {
                self.tickets.insert(ticket, sent);
                Up::Sent
            }
            Err(refused) => {
                let Refused { share, why } = *refused;
                match why {
                    RefusedWhy::Gone => Up::Lost,
                    RefusedWhy::Full if share.goals_met().next().is_none() => Up::NoRoom,
                    RefusedWhy::Full if self.waiting.len() >= MOST_WAITING => Up::Lost,
                    RefusedWhy::Full => {
                        self.waiting.push_back((share, sent));
                        Up::Sent
                    }
                }
            }
        }
    }

    /// Tries again what waits for room; what is lost by it.
    pub(crate) fn retry(&mut self) -> Vec<Sent> {
        let mut lost = Vec::new();
        for (share, sent) in std::mem::take(&mut self.waiting) {
            let worker = sent.clone();
            if self.send(share, sent) != Up::Sent {
                lost.push(worker);
            }
        }
        lost
    }

    /// Whose share a verdict is about.
    pub(crate) fn settle(&mut self, verdict: &Verdict) -> Option<Sent> {
        self.tickets.remove(&verdict.ticket)
    }

    /// Whether shares wait for room.
    pub(crate) fn wants_retry(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Shares without a verdict.
    pub(crate) fn open(&self) -> usize {
        self.tickets.len() + self.waiting.len()
    }

    /// Gives up what has no verdict: nobody will hear one.
    pub(crate) fn abandon(&mut self) -> Vec<Sent> {
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(_, sent)| sent);
        self.tickets.drain().map(|(_, sent)| sent).chain(waiting).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use sl_pow::{Prover, ScalarEngine};
    use sl_testkit::toy::Zero;
    use sl_units::{Bits, CoinAmount, Hash256, Mono, Target};
    use sl_work::{
        Ask, Claim, CoinbaseTemplate, Goal, HeaderTemplate, Job, JobId, NtimeRange, Outcome,
        SourceId, WorkSource, source, verify,
    };

    use super::*;

    /// A share that meets whatever is wanted, and a chain's target if it is to.
    pub(crate) fn share(goal: bool) -> Proven {
        let goal = goal.then(|| Goal {
            chain: "LTC".parse().expect("of the table"),
            height: 1,
            tip: Hash256::ZERO,
            target: Target::MAX,
            reward: CoinAmount::default(),
            weight: None,
        });
        let job = Arc::new(Job {
            id: JobId { source: SourceId::new("test"), sequence: 1 },
            epoch: 1,
            born: Mono::default(),
            header: HeaderTemplate {
                version: 1,
                roll_mask: 0,
                prev: Hash256::ZERO,
                bits: Bits::from_u32(0x207f_ffff),
                ntime: NtimeRange { earliest: 0, start: 0, latest: 0 },
            },
            coinbase: CoinbaseTemplate { prefix: Bytes::new(), free: 0, suffix: Bytes::new() },
            branch: Vec::new(),
            wanted: Target::MAX,
            goals: goal.into_iter().collect(),
        });
        let claim = Claim::new(job, Vec::new(), 1, 0, 0).expect("well-formed");
        let mut prover = Prover::new(Box::new(ScalarEngine::new(Zero)), &Zero).expect("right");
        let hashed = prover.hash(claim.header());
        verify(claim, &hashed, Target::MAX).expect("zero meets it")
    }

    #[tokio::test]
    async fn a_block_waits_for_room_and_an_ordinary_share_does_not() {
        let (handle, mut end) = source(SourceId::new("test"));
        end.set_widest(8);
        let mut lease = handle.lease(Ask { free: 8, consumer: "test".into() }).expect("wide");
        let mut forward = Forward::new(lease.submitter.clone());
        let sent =
            || Sent { worker: "rig".into(), account: Place::default(), stale: false, ticket: None };
        let (ordinary, block) = (share(false), share(true));
        let mut up = 0;
        while forward.send(ordinary.clone(), sent()) == Up::Sent {
            up += 1;
        }
        assert_eq!(forward.send(ordinary, sent()), Up::NoRoom);
        assert_eq!(forward.send(block.clone(), sent()), Up::Sent);
        assert!(forward.wants_retry() && forward.retry().is_empty() && forward.wants_retry());
        assert_eq!(forward.open(), up + 1);

        // One verdict makes room for one share.
        let pending = end.intake.next().await.expect("the first");
        pending.settle(Outcome::Accepted { credited: Vec::new(), missed: Vec::new() });
        let verdict = lease.verdicts.recv().await.expect("its verdict");
        assert!(forward.settle(&verdict).is_some() && forward.settle(&verdict).is_none());
        assert!(forward.retry().is_empty() && !forward.wants_retry());
        let pending = end.intake.next().await.expect("the block, before all others");
        assert_eq!(pending.share().goals_met().count(), 1);

        // A source that is gone loses what waits, by name.
        assert_eq!(forward.send(block.clone(), sent()), Up::Sent);
        drop((pending, end));
        while let Ok(verdict) = lease.verdicts.try_recv() {
            assert!(matches!(verdict.outcome, Outcome::Lost { .. }));
            assert!(forward.settle(&verdict).is_some());
        }
        assert_eq!((forward.retry().len(), forward.open()), (1, 0));
        assert_eq!(forward.send(block, sent()), Up::Lost);
        assert!(forward.abandon().is_empty());
    }
}
