use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

use sl_chain::coins::Ticker;
use sl_guard::{
    GuardCounters,
    proof::{Decision, Proven},
};
use sl_units::{Hash256, HashRate, Mono, ShareDifficulty};
use sl_work::{JobId, WorkerName};

use sl_telemetry::HistogramSnapshot;

use crate::share::Reason;

/// How the gateway fares; made anew at most once a second, and at the stop.
#[derive(Clone, Debug, Default)]
pub struct GatewayStatus {
    /// The address it listens on, with the port that it really has; `None` before it listens.
    pub listen: Option<SocketAddr>,
    /// The address for machines that speak TLS; `None` where there is none.
    pub tls_listen: Option<SocketAddr>,
    /// The engine that checks shares; empty before the start.
    pub engine: &'static str,
    /// Why there is no work, while there is none.
    pub idle: Option<Arc<str>>,
    /// Machines connected now.
    pub connections: u64,
    /// Machines connected since the start.
    pub connected: u64,
    /// Machines that are subscribed and authorised, longest connected first, at most 1000. Of more
    /// those come first that need a look: they hash less than they claim, are silent, have shares
    /// refused, or late.
    pub machines: Vec<MachineStatus>,
    /// Workers, by name, at most 1000; of more, chosen like the machines.
    pub workers: Vec<WorkerStatus>,
    /// Workers that have an account here.
    pub workers_known: u64,
    /// Times that a worker was found to hash less than it claims.
    pub shortfalls: u64,
    /// Our verdicts on shares.
    pub shares: ShareCounts,
    /// Proven shares a second, over the last ten seconds.
    pub shares_per_s: f64,
    /// Work proven by all machines, over the last five minutes.
    pub hashrate: HashRate,
    /// Shares sent up, and what the source said of them.
    pub forwarded: Forwarded,
    /// What the source said of shares, by chain.
    pub chains: BTreeMap<Ticker, ChainShares>,
    /// Proven shares whose job's tip on a chain had fallen when they came, by our own board.
    pub stale_by_coin: BTreeMap<Ticker, u64>,
    /// The best share so far.
    pub best: Option<ShareDifficulty>,
    /// When the first share was accepted.
    pub first_accepted: Option<Mono>,
    /// Jobs that the source has given; renewals are not counted.
    pub jobs: u64,
    /// From a job's birth at its source to the last write to a machine that waited for it.
    pub job_latency: HistogramSnapshot,
    /// The last 64 jobs, oldest first, each a second after it came.
    pub sent: VecDeque<JobSent>,
    /// The slots.
    pub slots: SlotCounts,
    /// What each protection did.
    pub protection: Protection,
    /// What the guard did: admission, conduct, bans.
    pub guard: GuardCounters,
}

/// Our verdicts on shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShareCounts {
    /// Proven, on a job that can still count.
    pub accepted: u64,
    /// Proven, on a job that cannot count any more (21).
    pub stale: u64,
    /// For a job that was never given, or is long forgotten (21).
    pub unknown_job: u64,
    /// Sent before (22).
    pub duplicate: u64,
    /// Above the machine's target (23).
    pub low_difficulty: u64,
    /// By a user that is not authorised (24).
    pub unauthorized: u64,
    /// Before subscribing (25).
    pub not_subscribed: u64,
    /// With a time out of range (20).
    pub ntime: u64,
    /// With a field that is missing, wrong or of another length (20).
    pub malformed: u64,
    /// Too many wait to be checked (20).
    pub busy: u64,
    /// Proven and counted among the accepted or stale ones, and not taken by the journal, so that
    /// they were not acknowledged (20).
    pub unrecorded: u64,
}

impl ShareCounts {
    /// Refused for any reason but being late.
    #[must_use]
    pub const fn rejected(&self) -> u64 {
        self.duplicate
            + self.low_difficulty
            + self.unauthorized
            + self.not_subscribed
            + self.ntime
            + self.malformed
            + self.busy
            + self.unknown_job
    }

    /// The count of a reason for which a share is refused.
    pub(crate) const fn of(&mut self, reason: Reason) -> &mut u64 {
        match reason {
            Reason::UnknownJob => &mut self.unknown_job,
            Reason::Duplicate => &mut self.duplicate,
            Reason::LowDifficulty => &mut self.low_difficulty,
            Reason::Ntime => &mut self.ntime,
            Reason::Busy => &mut self.busy,
            Reason::Malformed => &mut self.malformed,
        }
    }
}

/// Shares sent up, and what the source said of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Sent up: they met what the source wanted.
    pub sent: u64,
    /// Of these, met the target of at least one chain.
    pub goals: u64,
    /// Taken by the source.
    pub accepted: u64,
    /// Too late for the source.
    pub stale: u64,
    /// Refused by the source.
    pub rejected: u64,
    /// Without a verdict, for ever.
    pub lost: u64,
    /// Of these, because their job was given out before the program was started again: no source
    /// knows it any more.
    pub lost_by_restart: u64,
    /// Not sent up, because the source had no room and they met no chain's target.
    pub no_room: u64,
    /// On which the source said another thing than we did.
    pub differing: u64,
    /// Waiting for the source's verdict, or for room, now.
    pub waiting: u64,
}

/// What the source said of shares on one chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainShares {
    /// Shares that count on it.
    pub credited: u64,
    /// Shares that came after its tip had fallen.
    pub missed: u64,
}

/// A machine that is connected.
#[derive(Clone, Debug)]
pub struct MachineStatus {
    /// The worker of its last share, or the first that it authorised.
    pub worker: WorkerName,
    /// Where it connects from.
    pub address: SocketAddr,
    /// Its program, as it calls itself.
    pub user_agent: Option<Arc<str>>,
    /// Its slot: the extranonce1 in hexadecimal.
    pub slot: Arc<str>,
    /// Its difficulty; `None` before its first job.
    pub difficulty: Option<ShareDifficulty>,
    /// Shares accepted.
    pub accepted: u64,
    /// Shares refused for any reason but being late.
    pub rejected: u64,
    /// Shares that were late.
    pub stale: u64,
    /// Work proven over the last five minutes, or since it connected.
    pub hashrate: HashRate,
    /// When it connected.
    pub since: Mono,
    /// When its last share was proven.
    pub last_share: Option<Mono>,
}

/// A worker's account since the start, over all its connections.
#[derive(Clone, Debug)]
pub struct WorkerStatus {
    /// Its name.
    pub worker: WorkerName,
    /// Shares accepted by us.
    pub accepted: u64,
    /// Proven shares that were late.
    pub stale: u64,
    /// Refused shares, by reason.
    pub rejected: ShareCounts,
    /// Work proven, in expected hashes.
    pub work: f64,
    /// Its rate as its shares prove it, over the last 5 minutes, hour and day, some seconds old;
    /// `None` where nothing is known.
    pub proven: [Option<Proven>; 3],
    /// What it claims against what it proves; `None` where nothing is claimed.
    pub work_done: Option<WorkDone>,
    /// Its machines that are connected.
    pub machines: u32,
    /// Its best share.
    pub best: Option<ShareDifficulty>,
    /// When its last share was proven.
    pub last_share: Option<Mono>,
    /// Shares sent up, and what the source said of them.
    pub forwarded: Forwarded,
    /// What the source said, by chain.
    pub chains: BTreeMap<Ticker, ChainShares>,
    /// Proven shares whose job's tip on a chain had fallen when they came, by our own board.
    pub stale_by_coin: BTreeMap<Ticker, u64>,
}

/// A worker's claim against what its shares prove, by a sequential test.
#[derive(Clone, Debug)]
pub struct WorkDone {
    /// What its machines claim together.
    pub claimed: HashRate,
    /// The part of the claim that is proven since evidence began to gather.
    pub proven_part: f64,
    /// How far the evidence against it has come: 0 none, 1 found short.
    pub suspicion: f64,
    /// Whether it was found short.
    pub short: bool,
    /// How often.
    pub shortfalls: u64,
    /// The last decision, with what it rests on and what would have changed it.
    pub last: Option<Arc<Decision>>,
}

/// The slots of the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotCounts {
    /// Held by machines that are connected.
    pub in_use: u64,
    /// Kept for machines that are away, or while jobs live that were out with them.
    pub away: u64,
    /// Altogether.
    pub capacity: u64,
    /// Machines that were refused because no slot was left.
    pub refused: u64,
}

/// What each protection did, in events since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Connections closed at once, because there were too many.
    pub over_limit: u64,
    /// Connections closed because no worker was authorised in time.
    pub unauthorized_in_time: u64,
    /// Connections closed because no share came for long.
    pub idle: u64,
    /// Connections closed because the machine took no bytes.
    pub slow: u64,
    /// Connections closed because their address is kept out.
    pub banned: u64,
    /// Connections closed because of malformed or overlong lines.
    pub malformed: u64,
    /// Connections closed because machines have all the sockets that the system gives.
    pub no_socket: u64,
    /// Authorisations refused because too many connections have that worker already.
    pub worker_full: u64,
    /// Times that the next connection had to wait because too many came.
    pub accepts_paced: u64,
    /// Refused shares that the journal had no room for, so that they are only counted.
    pub refusals_unwritten: u64,
    /// Verdicts of the source that the journal had no room for.
    pub verdicts_unwritten: u64,
    /// Jobs that the journal had no room for: shares of them are unknown after a restart.
    pub jobs_unwritten: u64,
    /// Blocks found that the journal had no room for.
    pub blocks_unwritten: u64,
    /// Changes of the source that the journal had no room for.
    pub sources_unwritten: u64,
    /// Slots given out, changed or freed that the journal had no room for.
    pub slots_unwritten: u64,
    /// Lines that could not be understood.
    pub malformed_lines: u64,
    /// Times that a machine's messages had to wait.
    pub throttled: u64,
    /// Connections by the TLS port that made no handshake.
    pub tls_failed: u64,
    /// Times that the system gave no connection (out of file descriptors).
    pub accept_errors: u64,
}

/// A job on its way to the machines, to be held beside the instants of the nodes' tips.
#[derive(Clone, Debug)]
pub struct JobSent {
    /// The job.
    pub job: JobId,
    /// Its epoch.
    pub epoch: u64,
    /// The chains that it can win, each with the tip it builds on.
    pub tips: Vec<(Ticker, Hash256)>,
    /// When its source learned what made it.
    pub born: Mono,
    /// When it came to the gateway.
    pub published: Mono,
    /// When it was written to the first machine that waited for it; `None` where none did.
    pub first_write: Option<Mono>,
    /// When it was written to the last one.
    pub last_write: Option<Mono>,
    /// To how many it was written within a second.
    pub machines: u32,
}
