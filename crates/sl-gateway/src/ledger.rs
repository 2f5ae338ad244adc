use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use sl_telemetry::Histogram;
use sl_units::{HashRate, Mono, ShareDifficulty, Target};
use sl_work::{Outcome, Proven, WorkerName};

use crate::{
    ChainShares, Forwarded, GatewayStatus, JobSent, MachineStatus, Protection, ShareCounts,
    WorkerStatus,
    board::Issued,
    forward::{Sent, Up},
};

/// Machines and workers shown.
const SHOWN: usize = 1000;
/// Workers with an account of their own; the shares of more are counted together.
const MOST_WORKERS: usize = 20_000;
/// Over how long the rate of proven work is taken, in steps.
const STEP: Duration = Duration::from_secs(10);
const STEPS: usize = 30;
/// Jobs whose way is shown.
const MOST_SENT: usize = 64;

/// What a connection tells of its machine. Everything is counted by one task.
#[derive(Debug)]
pub(crate) enum Event {
    /// A job was issued.
    Issued(Arc<Issued>),
    /// A connection was accepted.
    Connected,
    /// A connection was closed at the door: too many are open.
    OverLimit,
    /// The system gave no connection.
    AcceptFailed,
    /// A machine is subscribed and authorised.
    Ready(Box<Arrival>),
    /// A machine's difficulty from now on.
    Difficulty { machine: u64, difficulty: ShareDifficulty },
    /// A share was judged.
    Judged { machine: u64, worker: WorkerName, judgement: Judgement },
    /// What the session itself refused.
    Refused { machine: u64, lines: u64, codes: [u64; 6] },
    /// A machine's messages have to wait.
    Throttled,
    /// A connection has ended.
    Gone { machine: u64, why: Option<Gone> },
}

impl Event {
    /// Whether a machine made the gateway hash for nothing.
    pub(crate) const fn cost_a_hash_in_vain(&self) -> bool {
        matches!(self, Self::Judged { judgement: Judgement::LowDifficulty, .. })
    }
}

/// A machine that is ready for work.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) machine: u64,
    pub(crate) worker: WorkerName,
    pub(crate) address: SocketAddr,
    pub(crate) user_agent: Option<Arc<str>>,
    pub(crate) slot: Arc<str>,
    pub(crate) since: Mono,
}

/// Our verdict on a share.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// Proven at the difficulty that counts for it; late if no chain can take it.
    Proven {
        share: Box<Proven>,
        difficulty: ShareDifficulty,
        stale: bool,
        at: Mono,
    },
    UnknownJob,
    Duplicate,
    LowDifficulty,
    Ntime,
    Malformed,
    Busy,
}

/// Why the gateway closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    Unauthorized,
    Idle,
    Slow,
    Malformed,
}

/// All counters of the gateway, in memory.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    machines: BTreeMap<u64, Machine>,
    workers: BTreeMap<WorkerName, Worker>,
    connections: u64,
    connected: u64,
    shares: ShareCounts,
    work: WorkRate,
    recent: VecDeque<(Mono, u64)>,
    proven: u64,
    forwarded: Forwarded,
    chains: BTreeMap<sl_chain::coins::Ticker, ChainShares>,
    best: Option<ShareDifficulty>,
    first_accepted: Option<Mono>,
    protection: Protection,
    /// When the first machine came.
    began: Option<Mono>,
    jobs: u64,
    /// Jobs that may still be on their way to machines.
    arriving: VecDeque<Arc<Issued>>,
    latency: Histogram,
    sent: VecDeque<JobSent>,
}

#[derive(Debug)]
struct Machine {
    arrival: Arrival,
    difficulty: Option<ShareDifficulty>,
    accepted: u64,
    rejected: u64,
    stale: u64,
    work: WorkRate,
    last_share: Option<Mono>,
}

#[derive(Debug, Default)]
struct Worker {
    accepted: u64,
    stale: u64,
    work: f64,
    best: Option<ShareDifficulty>,
    last_share: Option<Mono>,
    forwarded: Forwarded,
    chains: BTreeMap<sl_chain::coins::Ticker, ChainShares>,
}

impl Ledger {
    /// Counts an event; a share that is wanted above comes out, to be sent there.
    pub(crate) fn take(&mut self, event: Event) -> Option<(Proven, Sent)> {
        match event {
            Event::Connected => {
                self.connections += 1;
                self.connected += 1;
            }
            Event::OverLimit => self.protection.over_limit += 1,
            Event::AcceptFailed => self.protection.accept_errors += 1,
            Event::Issued(issued) => {
                self.jobs += u64::from(issued.is_first());
                if issued.is_first() {
                    self.arriving.push_back(issued);
                }
            }
            Event::Ready(arrival) => {
                self.began.get_or_insert(arrival.since);
                self.machines.insert(arrival.machine, Machine::new(*arrival));
            }
            Event::Difficulty { machine, difficulty } => {
                if let Some(machine) = self.machines.get_mut(&machine) {
                    machine.difficulty = Some(difficulty);
                }
            }
            Event::Judged { machine, worker, judgement } => {
                return self.judged(machine, worker, judgement);
            }
            Event::Refused { machine, lines, codes } => self.refused(machine, lines, codes),
            Event::Throttled => self.protection.throttled += 1,
            Event::Gone { machine, why } => {
                self.connections = self.connections.saturating_sub(1);
                self.machines.remove(&machine);
                let protection = &mut self.protection;
                match why {
                    Some(Gone::Unauthorized) => protection.unauthorized_in_time += 1,
                    Some(Gone::Idle) => protection.idle += 1,
                    Some(Gone::Slow) => protection.slow += 1,
                    Some(Gone::Malformed) => protection.malformed += 1,
                    None => {}
                }
            }
        }
        None
    }

    /// A share that was to go up: what became of it at once.
    pub(crate) fn sent(&mut self, sent: &Sent, goal: bool, up: Up) {
        self.on_both(&sent.worker, |forwarded| match up {
            Up::Sent => {
                forwarded.sent += 1;
                forwarded.goals += u64::from(goal);
            }
            Up::NoRoom => forwarded.no_room += 1,
            Up::Lost => forwarded.lost += 1,
        });
    }

    /// The source's verdict; whether it differs from ours.
    pub(crate) fn settled(&mut self, sent: &Sent, outcome: &Outcome) -> bool {
        // Late for us and taken by the source is to the machine's good, and differs as well.
        let accepted = matches!(outcome, Outcome::Accepted { .. });
        let differs = accepted == sent.stale;
        self.on_both(&sent.worker, |forwarded| {
            forwarded.differing += u64::from(differs);
            match outcome {
                Outcome::Accepted { .. } => forwarded.accepted += 1,
                Outcome::Stale { .. } => forwarded.stale += 1,
                Outcome::Rejected { .. } => forwarded.rejected += 1,
                Outcome::Lost { .. } => forwarded.lost += 1,
            }
        });
        if let Outcome::Accepted { credited, missed } = outcome {
            let count = |chains: &mut BTreeMap<_, ChainShares>| {
                for chain in credited {
                    chains.entry(*chain).or_default().credited += 1;
                }
                for chain in missed {
                    chains.entry(*chain).or_default().missed += 1;
                }
            };
            count(&mut self.chains);
            count(&mut self.account(&sent.worker).chains);
        }
        differs
    }

    /// Writes all counters into the status.
    pub(crate) fn show(&mut self, status: &mut GatewayStatus, now: Mono) {
        status.connections = self.connections;
        status.connected = self.connected;
        status.machines =
            self.machines.values_mut().take(SHOWN).map(|machine| machine.show(now)).collect();
        status.workers =
            self.workers.iter().take(SHOWN).map(|(name, worker)| worker.show(name)).collect();
        status.shares = self.shares;
        status.shares_per_s = self.shares_per_s(now);
        status.hashrate = self.work.rate(now, self.began.unwrap_or(now));
        status.forwarded = self.forwarded;
        status.chains = self.chains.clone();
        status.best = self.best;
        status.first_accepted = self.first_accepted;
        status.protection = self.protection;
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

    /// Whether the first share was accepted.
    pub(crate) const fn has_accepted(&self) -> bool {
        self.first_accepted.is_some()
    }

    fn judged(
        &mut self,
        machine: u64,
        worker: WorkerName,
        judgement: Judgement,
    ) -> Option<(Proven, Sent)> {
        let counts = &mut self.shares;
        let (share, difficulty, stale, at) = match judgement {
            Judgement::Proven { share, difficulty, stale, at } => (share, difficulty, stale, at),
            refused => {
                *match refused {
                    Judgement::UnknownJob => &mut counts.unknown_job,
                    Judgement::Duplicate => &mut counts.duplicate,
                    Judgement::LowDifficulty => &mut counts.low_difficulty,
                    Judgement::Ntime => &mut counts.ntime,
                    Judgement::Busy => &mut counts.busy,
                    Judgement::Malformed | Judgement::Proven { .. } => &mut counts.malformed,
                } += 1;
                self.of_machine(machine, |machine| machine.rejected += 1);
                return None;
            }
        };
        let work = difficulty.expected_hashes();
        let reached = reached(&share);
        let best = |best: &mut Option<ShareDifficulty>| {
            if best.is_none_or(|best| best < reached) {
                *best = Some(reached);
            }
        };
        *(if stale { &mut counts.stale } else { &mut counts.accepted }) += 1;
        self.proven += 1;
        self.work.add(at, work);
        best(&mut self.best);
        if !stale {
            self.first_accepted.get_or_insert(at);
        }
        self.of_machine(machine, |machine| {
            *(if stale { &mut machine.stale } else { &mut machine.accepted }) += 1;
            machine.work.add(at, work);
            machine.last_share = Some(at);
            machine.arrival.worker = worker.clone();
        });
        let account = self.account(&worker);
        *(if stale { &mut account.stale } else { &mut account.accepted }) += 1;
        account.work += work;
        account.last_share = Some(at);
        best(&mut account.best);
        share.is_wanted().then_some((*share, Sent { worker, stale }))
    }

    fn refused(&mut self, machine: u64, lines: u64, codes: [u64; 6]) {
        let [other, _, _, _, unauthorized, not_subscribed] = codes;
        self.protection.malformed_lines += lines;
        self.shares.malformed += other;
        self.shares.unauthorized += unauthorized;
        self.shares.not_subscribed += not_subscribed;
        self.of_machine(machine, |machine| {
            machine.rejected += other + unauthorized + not_subscribed;
        });
    }

    fn of_machine(&mut self, machine: u64, change: impl FnOnce(&mut Machine)) {
        if let Some(machine) = self.machines.get_mut(&machine) {
            change(machine);
        }
    }

    fn on_both(&mut self, worker: &WorkerName, change: impl Fn(&mut Forwarded)) {
        change(&mut self.forwarded);
        change(&mut self.account(worker).forwarded);
    }

    fn account(&mut self, worker: &WorkerName) -> &mut Worker {
        let full = self.workers.len() >= MOST_WORKERS && !self.workers.contains_key(worker);
        let name = if full { "(more workers)".into() } else { worker.clone() };
        self.workers.entry(name).or_default()
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
    const fn new(arrival: Arrival) -> Self {
        Self {
            arrival,
            difficulty: None,
            accepted: 0,
            rejected: 0,
            stale: 0,
            work: WorkRate { steps: VecDeque::new() },
            last_share: None,
        }
    }

    fn show(&mut self, now: Mono) -> MachineStatus {
        MachineStatus {
            worker: self.arrival.worker.clone(),
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

impl Worker {
    fn show(&self, name: &WorkerName) -> WorkerStatus {
        WorkerStatus {
            worker: name.clone(),
            accepted: self.accepted,
            stale: self.stale,
            work: self.work,
            best: self.best,
            last_share: self.last_share,
            forwarded: self.forwarded,
            chains: self.chains.clone(),
        }
    }
}

/// The difficulty that a share's hash reaches.
fn reached(share: &Proven) -> ShareDifficulty {
    Target::from_le_bytes(*share.hash().as_bytes()).into()
}

/// Work proven over the last five minutes.
#[derive(Debug, Default)]
struct WorkRate {
    /// The beginning of each step, and the work in it.
    steps: VecDeque<(Mono, f64)>,
}

impl WorkRate {
    fn add(&mut self, at: Mono, work: f64) {
        match self.steps.back_mut() {
            Some((begun, sum)) if at.since(*begun) < STEP => *sum += work,
            _ => self.steps.push_back((at, work)),
        }
        while self.steps.len() > STEPS + 1 {
            self.steps.pop_front();
        }
    }

    fn rate(&mut self, now: Mono, since: Mono) -> HashRate {
        let span = STEP * STEPS as u32;
        while self.steps.front().is_some_and(|(begun, _)| now.since(*begun) > span) {
            self.steps.pop_front();
        }
        // Not `sum`: of nothing that is minus zero.
        let work = self.steps.iter().fold(0.0, |sum, (_, work)| sum + work);
        HashRate::from_work(work, now.since(since).min(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_five_minutes() {
        let at = |seconds| Mono::from_start(Duration::from_secs(seconds));
        let mut work = WorkRate::default();
        for second in 0..100 {
            work.add(at(second), 50.0);
        }
        assert_eq!(work.rate(at(100), at(0)), HashRate::from_hs(50.0));
        for second in 100..1000 {
            work.add(at(second), 80.0);
        }
        assert_eq!(work.rate(at(999), at(0)).hs().round(), 80.0);
        assert_eq!(work.rate(at(2000), at(0)).to_string(), "0.00 H/s");
        assert!(work.steps.is_empty());
    }
}
