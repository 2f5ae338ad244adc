use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use sl_chain::coins::Ticker;
use sl_guard::{CloseWhy, GuardCounters, Step, proof::ShortfallRules, proxy_protocol::ProxyError};
use sl_telemetry::Histogram;
use sl_units::{HashRate, Mono, ShareDifficulty};
use sl_work::{Outcome, Proven, WorkerName};
use tokio::sync::{oneshot, watch};

use crate::{
    ChainShares, Forwarded, JobSent, Protection, ShareCounts,
    board::Issued,
    door::DoorCounts,
    forward::{Sent, Up},
    live::Live,
    recorder::Unkept,
    share::{Filed, Reason, Turned, reached},
    slots::Freed,
};

mod diligence;
mod rates;
mod roll;
mod shown;
mod worker;

pub(crate) use diligence::of_model;
use rates::WorkRate;
pub(crate) use roll::Place;
use roll::Roll;

/// Each worker is tested once in so many seconds, beside each share: some of them each second.
const TICK: usize = 30;
/// Workers whose figures are made anew at a time: all of a farm of 1000 in 20 s.
const LOOKED_AT: usize = 50;

/// What a connection tells of its machine. Everything is counted by one task.
#[derive(Debug)]
pub(crate) enum Event {
    /// A job was issued.
    Issued(Arc<Issued>),
    /// A connection was accepted.
    Connected,
    /// The system gave no connection.
    AcceptFailed,
    /// A machine is subscribed and authorised.
    Ready(Box<Arrival>),
    /// A machine's difficulty from now on.
    Difficulty { machine: u64, difficulty: ShareDifficulty },
    /// A share was refused before it was hashed.
    Refused(Box<Turned>),
    /// A slot is nobody's any more.
    Freed(Box<Freed>),
    /// The source changed its state.
    Source { event: &'static str, why: Arc<str> },
    /// What the session itself refused.
    Lines { machine: u64, lines: u64, codes: [u64; 6] },
    /// A balancer's header was believed, or was not.
    Proxy(Result<(), ProxyError>),
    /// A machine came by the TLS port and made no handshake.
    TlsFailed,
    /// A machine's messages have to wait.
    Throttled,
    /// What the door has counted.
    Door(Box<DoorCounts>),
    /// A validator refused a message.
    Unfit,
    /// A connection has ended.
    Gone { machine: u64, why: Option<Gone> },
}

/// A machine that is ready for work.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) machine: u64,
    pub(crate) worker: WorkerName,
    pub(crate) address: SocketAddr,
    pub(crate) user_agent: Option<Arc<str>>,
    /// Its slot, as the extranonce1 in hexadecimal and as a number, with its session.
    pub(crate) slot: Arc<str>,
    pub(crate) number: u64,
    pub(crate) session: Arc<str>,
    /// The difficulty that it had before; `None` for one that is new.
    pub(crate) difficulty: Option<ShareDifficulty>,
    pub(crate) since: Mono,
    /// Hears the machine's rate, where it is known from before.
    pub(crate) known: oneshot::Sender<Option<HashRate>>,
}

/// Why the gateway closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It sent no share for long.
    Idle,
    /// It took no bytes.
    Slow,
    /// Its lines could not be understood.
    Malformed,
    /// The guard says so.
    Conduct(CloseWhy),
    /// Its address is kept out.
    Banned,
}

/// By what the ledger judges; settings may change.
#[derive(Debug)]
pub(crate) struct Standards {
    pub(crate) live: watch::Receiver<Arc<Live>>,
    pub(crate) shortfall: ShortfallRules,
}

/// All counters of the gateway, in memory.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    machines: BTreeMap<u64, Machine>,
    workers: Roll,
    connections: u64,
    connected: u64,
    shares: ShareCounts,
    work: WorkRate,
    recent: VecDeque<(Mono, u64)>,
    proven: u64,
    /// Whether the source has work: without, nobody can prove any.
    works: bool,
    shortfalls: u64,
    /// The worker whose figures were made anew last, and the one that was tested last.
    looked: Option<WorkerName>,
    tested: Option<WorkerName>,
    forwarded: Forwarded,
    chains: BTreeMap<Ticker, ChainShares>,
    stale_by_coin: BTreeMap<Ticker, u64>,
    best: Option<ShareDifficulty>,
    first_accepted: Option<Mono>,
    protection: Protection,
    /// What connections' conduct made the guard do.
    conduct: GuardCounters,
    /// What the door has counted.
    door: DoorCounts,
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
    /// What it claims to hash; zero where nobody says.
    claimed: HashRate,
    /// The account that it came to, which has it among its machines.
    home: Place,
    /// Of its last share.
    worker: WorkerName,
    account: Place,
    difficulty: Option<ShareDifficulty>,
    accepted: u64,
    rejected: u64,
    stale: u64,
    work: WorkRate,
    last_share: Option<Mono>,
}

impl Ledger {
    /// Counts an event.
    pub(crate) fn take(&mut self, standards: &Standards, event: Event, now: Mono) {
        match event {
            Event::Connected => {
                self.connections += 1;
                self.connected += 1;
            }
            Event::AcceptFailed => self.protection.accept_errors += 1,
            // Only the journal wants to know.
            Event::Freed(_) => {}
            Event::Issued(issued) => {
                self.jobs += u64::from(issued.is_first());
                if issued.is_first() {
                    self.arriving.push_back(issued);
                }
            }
            Event::Ready(arrival) => self.arrived(standards, *arrival, now),
            Event::Difficulty { machine, difficulty } => {
                let Some(machine) = self.machines.get_mut(&machine) else { return };
                let before = machine.difficulty.replace(difficulty);
                let diligence = &mut self.workers.at(machine.home).diligence;
                diligence.difficulty(&standards.shortfall, before, Some(difficulty), now);
            }
            Event::Refused(turned) => {
                self.refused(turned.machine, &turned.worker, turned.reason);
            }
            Event::Lines { machine, lines, codes } => self.lines(machine, lines, codes),
            Event::Throttled => {
                self.protection.throttled += 1;
                let _ = self.conduct.observe(Step::Delay(Duration::ZERO));
            }
            Event::Proxy(Ok(())) => self.conduct.proxy_headers += 1,
            Event::Proxy(Err(wrong)) => self.conduct.proxy_refused(wrong.why()),
            Event::TlsFailed => self.protection.tls_failed += 1,
            Event::Door(door) => self.door = *door,
            Event::Unfit => self.conduct.messages_refused += 1,
            Event::Gone { machine, why } => self.gone(standards, machine, why, now),
            Event::Source { event, .. } => {
                self.works = event == "working";
                let works = self.works;
                for worker in self.workers.all() {
                    let works = works && worker.machines > 0;
                    worker.diligence.works(&standards.shortfall, works, now);
                }
            }
        }
    }

    fn arrived(&mut self, standards: &Standards, mut arrival: Arrival, now: Mono) {
        self.began.get_or_insert(arrival.since);
        let (nobody, _) = oneshot::channel();
        let known = std::mem::replace(&mut arrival.known, nobody);
        let user_agent = arrival.user_agent.as_deref();
        let settings = &standards.live.borrow().settings;
        let claimed = diligence::claim(settings, &arrival.worker, user_agent);
        let (works, rules) = (self.works, &standards.shortfall);
        let account = self.workers.place(&arrival.worker);
        let worker = self.workers.at(account);
        let rate = worker.known_rate(now).or_else(|| user_agent.and_then(of_model));
        let _ = known.send(rate);
        worker.came(now);
        worker.diligence.works(rules, works, now);
        worker.diligence.claims(rules, claimed.unwrap_or_default(), HashRate::default(), now);
        worker.diligence.difficulty(rules, None, arrival.difficulty, now);
        let machine = Machine::new(arrival, account, claimed.unwrap_or_default());
        self.machines.insert(machine.arrival.machine, machine);
    }

    fn gone(&mut self, standards: &Standards, machine: u64, why: Option<Gone>, now: Mono) {
        self.connections = self.connections.saturating_sub(1);
        if let Some(Machine { home, claimed, difficulty, .. }) = self.machines.remove(&machine) {
            let (works, rules) = (self.works, &standards.shortfall);
            let worker = self.workers.at(home);
            worker.machines = worker.machines.saturating_sub(1);
            worker.diligence.works(rules, works && worker.machines > 0, now);
            worker.diligence.claims(rules, HashRate::default(), claimed, now);
            worker.diligence.difficulty(rules, difficulty, None, now);
        }
        let protection = &mut self.protection;
        match why {
            Some(Gone::Idle) => protection.idle += 1,
            Some(Gone::Slow) => protection.slow += 1,
            Some(Gone::Malformed) => protection.malformed += 1,
            Some(Gone::Banned) => protection.banned += 1,
            Some(Gone::Conduct(why)) => {
                protection.unauthorized_in_time += u64::from(why == CloseWhy::AuthorizeTimeout);
                let _ = self.conduct.observe(Step::Close(why));
            }
            None => {}
        }
    }

    /// No machine is connected: for the start of a run after one that died.
    pub(crate) fn all_left(&mut self, rules: &ShortfallRules, now: Mono) {
        self.machines.clear();
        self.connections = 0;
        self.works = false;
        for worker in self.workers.all() {
            worker.machines = 0;
            worker.diligence.all_left(rules, now);
        }
    }

    /// Time passed: workers' figures are made anew, some at a time, and each is tested.
    pub(crate) fn look(&mut self, standards: &Standards, now: Mono) {
        let rules = &standards.shortfall;
        let some = self.workers.len().div_ceil(TICK);
        let from = self.tested.take();
        self.tested = self.workers.each_after(from.as_ref(), some, |name, worker| {
            if let Some(found) = worker.diligence.tick(rules, now) {
                self.shortfalls += 1;
                tracing::warn!(worker = %name, %found, "a worker hashes less than it claims");
            }
        });
        let from = self.looked.take();
        self.looked = self.workers.each_after(from.as_ref(), LOOKED_AT, |_, worker| {
            worker.look(rules, now);
        });
    }

    /// A share that was to go up: what became of it at once.
    pub(crate) fn sent(&mut self, sent: &Sent, goal: bool, up: Up) {
        self.on_both(sent.account, |forwarded| match up {
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
        self.on_both(sent.account, |forwarded| {
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
            count(&mut self.workers.at(sent.account).chains);
        }
        differs
    }

    /// What is known of a machine that is here.
    pub(crate) fn machine(&self, machine: u64) -> Option<&Arrival> {
        self.machines.get(&machine).map(|machine| &machine.arrival)
    }

    /// What the journal had no room for.
    pub(crate) const fn unwritten(&mut self, unkept: Unkept) {
        let Unkept { refusals, verdicts, jobs, blocks, sources, slots } = unkept;
        self.protection.refusals_unwritten += refusals;
        self.protection.verdicts_unwritten += verdicts;
        self.protection.jobs_unwritten += jobs;
        self.protection.blocks_unwritten += blocks;
        self.protection.sources_unwritten += sources;
        self.protection.slots_unwritten += slots;
    }

    /// An earlier run of the program proved this rate of each machine of a worker.
    pub(crate) fn remember(&mut self, worker: &WorkerName, rate: HashRate) {
        self.workers.of(worker).remember(rate);
    }

    /// Proven shares that the journal did not take.
    pub(crate) const fn unrecorded(&mut self, shares: u64) {
        self.shares.unrecorded += shares;
    }

    /// A share of an earlier run's job was wanted above, where nobody knows that job any more.
    pub(crate) fn orphaned(&mut self, account: Place) {
        self.on_both(account, |forwarded| {
            forwarded.lost += 1;
            forwarded.lost_by_restart += 1;
        });
    }

    /// Whether the first share was accepted.
    pub(crate) const fn has_accepted(&self) -> bool {
        self.first_accepted.is_some()
    }

    /// A share proves nothing.
    pub(crate) fn refused(&mut self, machine: u64, worker: &WorkerName, reason: Reason) {
        *self.shares.of(reason) += 1;
        self.of_machine(machine, |machine| machine.rejected += 1);
        self.workers.of(worker).refused(reason);
    }

    /// A share is proven; whose account has it.
    pub(crate) fn proven(
        &mut self,
        standards: &Standards,
        filed: &Filed,
        share: &Proven,
        at: Mono,
    ) -> Place {
        let Filed { machine, worker, difficulty, stale, .. } = filed;
        let work = difficulty.expected_hashes();
        let reached = reached(share.hash());
        if self.best.is_none_or(|best| best < reached) {
            self.best = Some(reached);
        }
        *(if *stale { &mut self.shares.stale } else { &mut self.shares.accepted }) += 1;
        self.proven += 1;
        self.work.add(at, work);
        if !stale {
            self.first_accepted.get_or_insert(at);
        }
        let account = match self.machines.get_mut(machine) {
            Some(machine) => {
                *(if *stale { &mut machine.stale } else { &mut machine.accepted }) += 1;
                machine.work.add(at, work);
                machine.last_share = Some(at);
                // Nearly always the same as before, and then nothing is looked for.
                if !Arc::ptr_eq(&machine.worker, worker) {
                    machine.account = self.workers.place(worker);
                    machine.worker = worker.clone();
                }
                machine.account
            }
            None => self.workers.place(worker),
        };
        for chain in &filed.missed {
            *self.stale_by_coin.entry(*chain).or_default() += 1;
        }
        self.workers.at(account).proven(&standards.shortfall, filed, reached, at);
        account
    }

    fn lines(&mut self, machine: u64, lines: u64, codes: [u64; 6]) {
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

    fn on_both(&mut self, account: Place, change: impl Fn(&mut Forwarded)) {
        change(&mut self.forwarded);
        change(&mut self.workers.at(account).forwarded);
    }
}

impl Machine {
    fn new(arrival: Arrival, account: Place, claimed: HashRate) -> Self {
        Self {
            claimed,
            home: account,
            account,
            worker: arrival.worker.clone(),
            difficulty: arrival.difficulty,
            arrival,
            accepted: 0,
            rejected: 0,
            stale: 0,
            work: WorkRate::default(),
            last_share: None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use sl_guard::proof::Requirement;

    use super::*;
    use crate::{GatewaySettings, own::Own};

    /// By which a gateway judges where nothing else is said.
    pub(crate) fn standards() -> Standards {
        let live = Live::new(GatewaySettings::default(), Own::default());
        let live = watch::Sender::new(Arc::new(live)).subscribe();
        let shortfall = ShortfallRules::design(Requirement::default()).expect("in range");
        Standards { live, shortfall }
    }
}
