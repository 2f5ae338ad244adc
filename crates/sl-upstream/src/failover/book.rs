use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use sl_units::Mono;
use sl_work::{Fault, Job, JobId, Leased, Proven, SourceId, Work};

use super::MemberNo;

/// Jobs of a lease whose shares still find their source.
const KEPT_JOBS: usize = 256;

/// A lease's number within a group.
pub(crate) type LeaseNo = u64;

/// The leases of a group's consumers: which job of the group is which job of which member. A job is
/// given on with an identity and an epoch of the group's own.
///
/// The epoch rises, and earlier jobs are stale, when the member says so of its own jobs, when a
/// member was left because it failed, when the new member builds on another block, and after an
/// idle time. A change by choice between members on the same block keeps it: the jobs of both stand,
/// and the share of each returns to its own.
#[derive(Debug)]
pub(crate) struct Book {
    id: SourceId,
    sequence: u64,
    next_lease: LeaseNo,
    leases: BTreeMap<LeaseNo, Open>,
}

/// A consumer's lease.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) leased: Leased,
    epoch: u64,
    /// What it holds: the member and its job.
    shown: Option<(MemberNo, Arc<Job>)>,
    /// The highest epoch of each member that was given on.
    seen: BTreeMap<MemberNo, u64>,
    /// By sequence, the newest at the back.
    routes: VecDeque<Route>,
}

#[derive(Debug)]
struct Route {
    sequence: u64,
    member: MemberNo,
    job: Arc<Job>,
}

/// Where a share belongs.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) lease: LeaseNo,
    pub(crate) member: MemberNo,
    /// The share as one of the member's own job.
    pub(crate) share: Proven,
}

impl Book {
    pub(crate) const fn new(id: SourceId) -> Self {
        Self { id, sequence: 0, next_lease: 0, leases: BTreeMap::new() }
    }

    pub(crate) fn open(&mut self, leased: Leased) -> LeaseNo {
        self.next_lease += 1;
        let open =
            Open { leased, epoch: 0, shown: None, seen: BTreeMap::new(), routes: VecDeque::new() };
        self.leases.insert(self.next_lease, open);
        self.next_lease
    }

    /// The leases that their consumers have dropped; they are forgotten.
    pub(crate) fn drop_closed(&mut self) -> Vec<LeaseNo> {
        let closed =
            |(lease, open): (&LeaseNo, &Open)| open.leased.work.is_closed().then_some(*lease);
        let gone: Vec<LeaseNo> = self.leases.iter().filter_map(closed).collect();
        for lease in &gone {
            self.leases.remove(lease);
        }
        gone
    }

    pub(crate) fn leases(&self) -> impl Iterator<Item = (LeaseNo, &Open)> {
        self.leases.iter().map(|(lease, open)| (*lease, open))
    }

    /// Gives a member's job to a lease; `failed` where the member before was left because it failed.
    pub(crate) fn show(
        &mut self,
        lease: LeaseNo,
        member: MemberNo,
        job: &Arc<Job>,
        failed: bool,
        now: Mono,
    ) {
        let Some(open) = self.leases.get_mut(&lease) else { return };
        let same_member = match &open.shown {
            Some((shown, before)) if *shown == member && Arc::ptr_eq(before, job) => return,
            Some((shown, _)) => *shown == member,
            None => false,
        };
        let other_block =
            open.shown.as_ref().is_none_or(|(_, before)| before.header.prev != job.header.prev);
        let seen = open.seen.get(&member).copied();
        let cleared = seen.is_some_and(|seen| job.epoch > seen);
        if failed || cleared || (!same_member && other_block) {
            open.epoch += 1;
        }
        open.seen.insert(member, seen.unwrap_or(0).max(job.epoch));
        self.sequence += 1;
        let given = Job {
            id: JobId { source: self.id.clone(), sequence: self.sequence },
            epoch: open.epoch,
            // A standby's job is old; to the machines it is born at the change.
            born: if same_member { job.born } else { now },
            ..Job::clone(job)
        };
        open.routes.push_back(Route { sequence: self.sequence, member, job: job.clone() });
        while open.routes.len() > KEPT_JOBS {
            open.routes.pop_front();
        }
        open.shown = Some((member, job.clone()));
        open.leased.work.send_replace(Work::Job(Arc::new(given)));
    }

    /// There is no work for a lease.
    pub(crate) fn idle(&mut self, lease: LeaseNo, why: &Arc<str>, now: Mono) {
        let Some(open) = self.leases.get_mut(&lease) else { return };
        open.shown = None;
        open.leased.work.send_if_modified(|work| match work {
            Work::Idle { why: known, since } if *since > Mono::default() => {
                let told = known != why;
                *known = why.clone();
                told
            }
            _ => {
                *work = Work::Idle { why: why.clone(), since: now };
                true
            }
        });
    }

    /// Where a share belongs; `None` when its job is too old, or of nobody here.
    pub(crate) fn origin(&self, share: &Proven) -> Result<Option<Origin>, Fault> {
        let sequence = share.job().id.sequence;
        for (lease, open) in &self.leases {
            let Ok(at) = open.routes.binary_search_by_key(&sequence, |route| route.sequence) else {
                continue;
            };
            let Some(route) = open.routes.get(at) else { continue };
            let share = share.renamed(&route.job)?;
            return Ok(Some(Origin { lease: *lease, member: route.member, share }));
        }
        Ok(None)
    }

    /// A member is gone for good.
    pub(crate) fn forget(&mut self, member: MemberNo) {
        for open in self.leases.values_mut() {
            open.seen.remove(&member);
            open.routes.retain(|route| route.member != member);
        }
    }
}
