use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sl_units::Mono;
use sl_work::{
    Job, Outcome, Pending, SourceId, SourceState, SourceStatus, Submitter, Ticket, Verdict, Work,
};

use super::{Breaker, BreakerState, Evidence, MemberNo, Tally, book::LeaseNo};

/// A member as the group's core knows it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) no: MemberNo,
    pub(crate) id: SourceId,
    pub(crate) priority: u32,
    pub(crate) weight: u32,
    pub(crate) breaker: Breaker,
    pub(crate) status: SourceStatus,
    pub(crate) latency: Option<Duration>,
    pub(crate) leases: BTreeMap<LeaseNo, Hold>,
    /// By lease, so that the first of each is its oldest; no lease is there without a share.
    pub(crate) in_flight: BTreeMap<LeaseNo, BTreeMap<Ticket, Sent>>,
    pub(crate) answers_in: Option<Duration>,
    /// Since when it can be used again; `None` where it has never failed.
    pub(crate) back_since: Option<Mono>,
    pub(crate) was_usable: bool,
    /// Since when it is on its way out.
    pub(crate) leaving: Option<Mono>,
    pub(crate) gone: bool,
}

/// What a member gives for one lease of the group.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    pub(crate) standing: Standing,
    pub(crate) submitter: Option<Submitter>,
}

/// How a member stands to one lease of the group.
#[derive(Debug, Default)]
pub(crate) enum Standing {
    /// It has not said anything yet.
    #[default]
    Untold,
    /// It is too narrow.
    Unfit { asked: usize, widest: usize },
    /// It has no work.
    Idle { why: Arc<str>, since: Mono },
    /// It has work.
    Job(Arc<Job>),
}

impl From<Work> for Standing {
    fn from(work: Work) -> Self {
        match work {
            Work::Idle { why, since } => Self::Idle { why, since },
            Work::Job(job) => Self::Job(job),
        }
    }
}

/// A share that waits for a member's verdict.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) pending: Pending,
    pub(crate) at: Mono,
    pub(crate) difficulty: f64,
}

impl State {
    /// Whether it has a job for whoever asks.
    pub(crate) fn has_job(&self) -> bool {
        if self.gone {
            return false;
        }
        if self.is_untold() {
            return matches!(self.status.state, SourceState::Working { .. });
        }
        self.leases.values().any(|hold| matches!(hold.standing, Standing::Job(_)))
    }

    /// Whether it was not asked for any lease, or has not said anything to one yet.
    pub(crate) fn is_untold(&self) -> bool {
        self.leases.values().all(|hold| matches!(hold.standing, Standing::Untold))
    }

    pub(crate) fn serves(&self, lease: LeaseNo) -> bool {
        self.job(lease).is_some()
    }

    pub(crate) fn job(&self, lease: LeaseNo) -> Option<&Arc<Job>> {
        match &self.leases.get(&lease)?.standing {
            Standing::Job(job) => Some(job),
            _ => None,
        }
    }

    /// Why it is too narrow, if so: for the lease with the most free bytes, or for any machine.
    pub(crate) fn unfit(&self, least: usize) -> Option<Arc<str>> {
        let promised = self.leases.values().find_map(|hold| match hold.standing {
            Standing::Unfit { asked, widest } => Some((widest, asked)),
            _ => None,
        });
        let narrow =
            (1..least).contains(&self.status.widest).then_some((self.status.widest, least));
        let (widest, needed) = promised.or(narrow)?;
        Some(format!("it gives {widest} bytes of extranonce, {needed} are needed").into())
    }

    /// Why it has no job.
    pub(crate) fn idle_why(&self) -> (Arc<str>, Option<Mono>) {
        if self.gone {
            return ("it has stopped".into(), None);
        }
        let idle = self.leases.values().find_map(|hold| match &hold.standing {
            Standing::Idle { why, since } => Some((why.clone(), Some(*since))),
            _ => None,
        });
        idle.unwrap_or_else(|| match &self.status.state {
            SourceState::Idle { why, since } => (why.clone(), Some(*since)),
            SourceState::Working { .. } => ("it has not given a job yet".into(), None),
        })
    }

    /// Tells the breaker what is seen, whether its state changed.
    pub(crate) fn look(&mut self, now: Mono) -> bool {
        let evidence = if self.has_job() { Evidence::Works } else { Evidence::Jobless };
        let mut changed = self.breaker.step(evidence, now);
        // Without a job it is the job that is missed; its client may hold shares for its return.
        if self.has_job()
            && let Some(sent) = self.waits_since()
        {
            changed |= self.breaker.step(Evidence::Waiting { sent }, now);
        }
        changed
    }

    /// Since when the oldest share waits for its verdict.
    pub(crate) fn waits_since(&self) -> Option<Mono> {
        let first = |shares: &BTreeMap<_, Sent>| Some(shares.first_key_value()?.1.at);
        self.in_flight.values().filter_map(first).min()
    }

    /// The difficulty of all that waits for its verdict.
    pub(crate) fn unjudged(&self) -> f64 {
        self.in_flight.values().flat_map(BTreeMap::values).map(|sent| sent.difficulty).sum()
    }

    /// Shares that wait for its verdict.
    pub(crate) fn waiting(&self) -> usize {
        self.in_flight.values().map(BTreeMap::len).sum()
    }

    /// A verdict for a share has come; whether the breaker changed. `None` for a share that nobody
    /// sent.
    pub(crate) fn verdict(
        &mut self,
        lease: LeaseNo,
        verdict: Verdict,
        tally: &mut Tally,
        now: Mono,
    ) -> Option<bool> {
        let Verdict { ticket, outcome, by } = verdict;
        let shares = self.in_flight.get_mut(&lease)?;
        let Sent { pending, at, difficulty } = shares.remove(&ticket)?;
        if shares.is_empty() {
            self.in_flight.remove(&lease);
        }
        let evidence = match &outcome {
            Outcome::Accepted { .. } => {
                tally.accepted += 1;
                tally.difficulty += difficulty;
                Some(Evidence::Accepted)
            }
            Outcome::Rejected { .. } => {
                tally.rejected += 1;
                Some(Evidence::Refused)
            }
            Outcome::Stale { .. } => {
                tally.stale += 1;
                None
            }
            Outcome::Lost { .. } => {
                tally.lost += 1;
                None
            }
        };
        if !matches!(outcome, Outcome::Lost { .. }) {
            let took = now.since(at);
            let smooth = |before: Duration| before.mul_f64(0.8) + took.mul_f64(0.2);
            self.answers_in = Some(self.answers_in.map_or(took, smooth));
        }
        // A group in the group has said which of its own it was.
        pending.settle_by(by.unwrap_or_else(|| self.id.clone()), outcome);
        Some(evidence.is_some_and(|evidence| self.breaker.step(evidence, now)))
    }

    /// It will give no verdict any more.
    pub(crate) fn lose_all(&mut self, why: &str, tally: &mut Tally) {
        for sent in
            std::mem::take(&mut self.in_flight).into_values().flat_map(BTreeMap::into_values)
        {
            tally.lost += 1;
            sent.pending.settle_by(self.id.clone(), Outcome::Lost { reason: why.into() });
        }
    }

    /// What opened its breaker.
    pub(crate) fn rests(&self) -> Option<Arc<str>> {
        match self.breaker.state() {
            BreakerState::Closed => None,
            BreakerState::Open { why, .. } | BreakerState::HalfOpen { why, .. } => {
                Some(why.clone())
            }
        }
    }
}
