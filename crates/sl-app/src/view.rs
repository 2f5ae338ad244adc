//! The state tree, filled from what each service tells of itself.

use std::{collections::BTreeMap, time::Duration};

use sl_gateway::GatewayStatus;
use sl_hasher::{HasherStatus, Reasons};
use sl_ledger::JournalStatus;
use sl_ports::{Clock, process::ProcessFigures};
use sl_simnode::{NodeHandle, NodeStatus};
use sl_solo::SoloStatus;
use sl_supervise::{Class, HealthTable};
use sl_telemetry::HistogramSnapshot;
use sl_twin::FarmStatus;
use sl_units::Mono;
use sl_upstream::{GroupStatus, PoolState, PoolStatus};
use sl_view::{
    Chain, Latency, Machines, Mode, Pool, Process, Service, Shares, State, Summary, World,
};
use sl_work::{SourceHandle, WorkSource};
use tokio::sync::watch;

use crate::{blocks::Tallies, latency::Latencies};

mod gateway;
mod twins;
mod upstream;

/// Tells the state at any instant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    pub(crate) clock: Clock,
    pub(crate) mode: Mode,
    pub(crate) world: Option<World>,
    pub(crate) health: HealthTable,
    /// The simulated nodes of this process.
    pub(crate) nodes: Vec<NodeHandle>,
    pub(crate) solo: Option<watch::Receiver<SoloStatus>>,
    pub(crate) tallies: Option<watch::Receiver<Tallies>>,
    pub(crate) gateway: Option<watch::Receiver<GatewayStatus>>,
    pub(crate) journal: Option<watch::Receiver<JournalStatus>>,
    pub(crate) latencies: Option<watch::Receiver<Latencies>>,
    pub(crate) pool: Option<(String, watch::Receiver<PoolStatus>)>,
    /// Several pools as one, with the source that says how wide they are.
    pub(crate) upstream: Option<(GroupStatus, SourceHandle)>,
    pub(crate) hasher: Option<watch::Receiver<HasherStatus>>,
    /// Virtual machines: their model, their net, how they fare.
    pub(crate) twins: Option<(&'static str, String, watch::Receiver<FarmStatus>)>,
}

impl View {
    /// All figures of this instant.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::empty(self.mode);
        let now = self.clock.mono();
        summary.uptime_s = now.since_start().as_secs_f64();
        summary.world.clone_from(&self.world);
        let scale = self.world.as_ref().map_or(1.0, |world| world.hash_scale);
        if let Some(hasher) = &self.hasher {
            let hasher = hasher.borrow();
            summary.hashrate_hs = (hasher.hashes > 0).then(|| hasher.hashrate.hs() * scale);
            summary.engine = (!hasher.engine.is_empty()).then(|| hasher.engine.to_owned());
            summary.engine_threads = Some(hasher.threads as u64);
            summary.hashes = Some(hasher.hashes);
            let hashing = hasher.hashing.as_secs_f64();
            summary.hashing_s = (hashing > 0.0).then_some(hashing);
            summary.paused = hasher.paused.map(|reason| reason.word().to_owned());
            summary.shares = own_shares(&hasher);
        }
        if let Some(gateway) = &self.gateway {
            let gateway = gateway.borrow();
            summary.shares = gateway::shares(&gateway);
            summary.machines = Machines { online: gateway.connections, total: gateway.connections };
            let tips = self.latencies.as_ref().map(|latencies| as_latency(&latencies.borrow()));
            summary.gateway = Some(gateway::gateway(&gateway, tips, now, scale));
        }
        if let Some((model, net, twins)) = &self.twins {
            let twins = twins::twins(model, net, &twins.borrow());
            twins::count(&mut summary, &twins);
            summary.twins = Some(twins);
        }
        if let Some((url, pool)) = &self.pool {
            summary.pool = Some(as_pool(url, &pool.borrow(), now));
        }
        if let Some((group, source)) = &self.upstream {
            let widest = source.status().borrow().widest;
            let (upstream, pool) = upstream::upstream(group, widest, now);
            (summary.upstream, summary.pool) = (Some(upstream), pool);
        }
        summary.journal = self.journal.as_ref().map(|journal| gateway::journal(&journal.borrow()));
        summary.chains = match &self.solo {
            Some(solo) => self.chains(&solo.borrow(), scale),
            None => self.nodes.iter().map(|node| of_node(&node.status().borrow(), scale)).collect(),
        };
        let rows = self.health.rows();
        summary.services =
            rows.iter().map(|row| (row.id.to_string(), row.state.word().to_owned())).collect();
        let ProcessFigures { rss_bytes, cpu_time_s, open_files, .. } = ProcessFigures::now();
        summary.process = Process {
            memory_bytes: rss_bytes,
            cpu_s: cpu_time_s,
            open_files: open_files.map(u64::from),
        };
        summary
    }

    /// The figures and the graph of services.
    #[must_use]
    pub fn state(&self) -> State {
        State {
            pid: std::process::id(),
            summary: self.summary(),
            services: services(&self.health, self.clock.mono()),
        }
    }

    fn chains(&self, solo: &SoloStatus, scale: f64) -> BTreeMap<String, Chain> {
        let tallies =
            self.tallies.as_ref().map(|tallies| tallies.borrow().clone()).unwrap_or_default();
        let chain = |chain: &sl_solo::ChainStatus| {
            let tally = tallies.get(&chain.chain).copied().unwrap_or_default();
            let node = match &chain.node {
                sl_solo::NodeState::Ok => "ok".to_owned(),
                sl_solo::NodeState::Connecting => "connecting".to_owned(),
                fault => fault.fault().map_or_else(String::new, ToString::to_string),
            };
            let told = Chain {
                height: chain.height,
                difficulty: chain.difficulty.map(|difficulty| difficulty.get() * scale),
                node,
                blocks_found: chain.blocks_found,
                blocks_accepted: chain.blocks_accepted,
                blocks_rejected: chain.blocks_rejected,
                blocks_unreachable: chain.blocks_unreachable,
                blocks_spare: chain.spare,
                blocks_late: chain.late,
                blocks_below_parent: tally.below_parent,
                coins: tally.coins.as_coins(),
                last_error: chain.last_error.as_ref().map(ToString::to_string),
            };
            (chain.chain.to_string(), told)
        };
        solo.chains.iter().map(chain).collect()
    }
}

/// A simulated chain on which nobody here mines, as its node tells it.
fn of_node(node: &NodeStatus, scale: f64) -> (String, Chain) {
    let chain = Chain {
        height: Some(node.height),
        difficulty: Some(node.difficulty.get() * scale),
        node: if node.listen.is_some() { "ok".into() } else { "not listening".into() },
        blocks_accepted: node.blocks_accepted,
        blocks_rejected: node.blocks_rejected.values().sum(),
        ..Chain::default()
    };
    (node.ticker.to_string(), chain)
}

/// The rows of the table of health.
pub(crate) fn services(health: &HealthTable, now: Mono) -> Vec<Service> {
    let row = |row: sl_supervise::ServiceHealth| Service {
        id: row.id.to_string(),
        description: row.description,
        class: match row.class {
            Class::Critical => "critical".into(),
            Class::Optional => "optional".into(),
        },
        after: row.after.iter().map(ToString::to_string).collect(),
        state: Some(row.state.word().to_owned()),
        detail: row.state.detail().map(ToOwned::to_owned),
        restarts: row.restarts,
        for_s: Some(now.since(row.since).as_secs_f64()),
    };
    health.rows().into_iter().map(row).collect()
}

fn own_shares(hasher: &HasherStatus) -> Shares {
    let mut shares = Shares::default();
    for lease in &hasher.leases {
        shares.accepted += lease.accepted;
        shares.stale += lease.stale;
        shares.rejected += lease.rejected;
        shares.lost += lease.lost;
        add(&mut shares.rejected_by_reason, &lease.rejected_by_reason);
        add(&mut shares.lost_by_reason, &lease.lost_by_reason);
        let first = lease.first_accepted.map(|first| first.since_start().as_secs_f64());
        shares.first_accepted_s = match (shares.first_accepted_s, first) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    shares
}

fn add(counts: &mut BTreeMap<String, u64>, reasons: &Reasons) {
    for (reason, count) in reasons.iter() {
        *counts.entry(reason.to_owned()).or_default() += count;
    }
}

fn as_pool(url: &str, status: &PoolStatus, now: Mono) -> Pool {
    let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1000.0);
    let works = |state: &&PoolState| matches!(state, PoolState::Working { .. });
    Pool {
        url: url.to_owned(),
        connected: matches!(status.state, PoolState::Working { .. }),
        difficulty: status.difficulty.map(sl_units::ShareDifficulty::get),
        accepted: status.accepted,
        rejected: status.rejected,
        stale: status.stale,
        lost: status.lost,
        rejected_by_reason: status.rejected_by.clone(),
        lost_by_reason: status.lost_by.clone(),
        resubmitted: status.resubmitted,
        held: status.held,
        accepted_difficulty: status.accepted_difficulty,
        missed_difficulty: status.missed_difficulty,
        connections: status.links.iter().filter(works).count() as u64,
        connections_total: status.connections,
        working_s: status.uptime(now).as_secs_f64(),
        last_job_age_s: status.last_job.map(|at| now.since(at).as_secs_f64()),
        connect_ms: ms(status.connect),
        tls_ms: ms(status.tls),
        subscribe_ms: ms(status.subscribe),
        round_trip: as_latency(&status.round_trip),
        extranonce1_bytes: status.extranonce.map(|(own, _)| own as u64),
        extranonce2_bytes: status.extranonce.map(|(_, ours)| ours as u64),
        over_difficulty: status.over.map(|over| sl_view::OverDifficulty {
            asked: over.asked.get(),
            sent: over.sent.get(),
            price: over.price,
            forgone_difficulty: over.forgone,
            for_s: now.since(over.since).as_secs_f64(),
        }),
        last_error: status.last_error.as_ref().map(ToString::to_string),
    }
}

fn as_latency(figures: &HistogramSnapshot) -> Latency {
    let HistogramSnapshot { count, p50_ms, p99_ms, max_ms, .. } = *figures;
    Latency { count, p50_ms, p99_ms, max_ms }
}
