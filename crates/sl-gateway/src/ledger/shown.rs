//! The counters as they are shown.

use std::time::Duration;

use sl_units::Mono;

use super::{Ledger, Machine};
use crate::{GatewayStatus, JobSent, MachineStatus};

/// Machines and workers shown.
const SHOWN: usize = 1000;
/// Jobs whose way is shown.
const MOST_SENT: usize = 64;

impl Ledger {
    /// Writes all counters into the status.
    pub(crate) fn show(&mut self, status: &mut GatewayStatus, now: Mono) {
        status.connections = self.connections;
        status.connected = self.connected;
        status.machines =
            self.machines.values_mut().take(SHOWN).map(|machine| machine.show(now)).collect();
        let workers = self.workers.by_name().take(SHOWN);
        status.workers = workers.map(|(name, worker)| worker.show(name)).collect();
        status.shortfalls = self.shortfalls;
        status.workers_known = self.workers.len() as u64;
        status.shares = self.shares;
        status.shares_per_s = self.shares_per_s(now);
        status.hashrate = self.work.rate(now, self.began.unwrap_or(now));
        status.forwarded = self.forwarded;
        status.chains = self.chains.clone();
        status.stale_by_coin = self.stale_by_coin.clone();
        status.best = self.best;
        status.first_accepted = self.first_accepted;
        status.protection = self.protection;
        status.protection.over_limit = self.door.guard.refused(sl_guard::RefuseWhy::Full);
        status.protection.no_socket = self.door.no_socket;
        status.protection.worker_full = self.door.worker_full;
        status.protection.accepts_paced = self.door.paced;
        status.guard = self.door.guard.clone();
        status.guard += &self.conduct;
        status.jobs = self.jobs;
        status.job_latency = self.latency.snapshot();
        status.sent = self.sent.clone();
    }

    /// Closes the books on jobs that came at least `age` ago: what is not written by then is slow.
    pub(crate) fn measure(&mut self, now: Mono, age: Duration) {
        while let Some(issued) = self.arriving.pop_front_if(|job| now.since(job.published) >= age) {
            let reach = issued.reach.so_far();
            if let Some((_, _, last)) = reach {
                self.latency.record(last.since(issued.job.born));
            }
            self.sent.push_back(JobSent {
                job: issued.job.id.clone(),
                epoch: issued.job.epoch,
                tips: issued.job.goals.iter().map(|goal| (goal.chain, goal.tip)).collect(),
                born: issued.job.born,
                published: issued.published,
                first_write: reach.map(|(_, first, _)| first),
                last_write: reach.map(|(_, _, last)| last),
                machines: reach.map_or(0, |(machines, _, _)| machines),
            });
            while self.sent.len() > MOST_SENT {
                self.sent.pop_front();
            }
        }
    }

    fn shares_per_s(&mut self, now: Mono) -> f64 {
        self.recent.push_back((now, self.proven));
        while self.recent.len() > 11 {
            self.recent.pop_front();
        }
        match self.recent.front() {
            Some((then, before)) if now > *then => {
                (self.proven - before) as f64 / now.since(*then).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

impl Machine {
    fn show(&mut self, now: Mono) -> MachineStatus {
        MachineStatus {
            worker: self.worker.clone(),
            address: self.arrival.address,
            user_agent: self.arrival.user_agent.clone(),
            slot: self.arrival.slot.clone(),
            difficulty: self.difficulty,
            accepted: self.accepted,
            rejected: self.rejected,
            stale: self.stale,
            hashrate: self.work.rate(now, self.arrival.since),
            since: self.arrival.since,
            last_share: self.last_share,
        }
    }
}
