//! What the gateway and the journal tell.

use std::collections::BTreeMap;

use sl_chain::coins::Ticker;
use sl_gateway::{GatewayStatus, ShareCounts, WorkerStatus};
use sl_guard::proof::{Proven, Window};
use sl_ledger::JournalStatus;
use sl_units::Mono;
use sl_view::{Credited, Gateway, Journal, Latency, ProvenRate, Shares, Slots, WorkDone, Worker};

use super::as_latency;

pub(super) fn gateway(
    gateway: &GatewayStatus,
    tip_latency: Option<Latency>,
    now: Mono,
    scale: f64,
) -> Gateway {
    Gateway {
        listen: gateway.listen.map(|listen| listen.to_string()),
        tls_listen: gateway.tls_listen.map(|listen| listen.to_string()),
        connections: gateway.connections,
        connections_total: gateway.connected,
        disconnects: gateway.connected.saturating_sub(gateway.connections),
        shares_per_s: gateway.shares_per_s,
        shares_unrecorded: gateway.shares.unrecorded,
        stale_by_coin: by_coin(&gateway.stale_by_coin),
        slots: Slots {
            in_use: gateway.slots.in_use,
            away: gateway.slots.away,
            capacity: gateway.slots.capacity,
            refused: gateway.slots.refused,
        },
        protections: protections(gateway),
        workers: gateway.workers.iter().map(|status| worker(status, now, scale)).collect(),
        workers_total: gateway.workers_known,
        shortfalls: gateway.shortfalls,
        forwarded: forwarded(&gateway.forwarded),
        job_latency: as_latency(&gateway.job_latency),
        tip_latency,
    }
}

fn forwarded(counts: &sl_gateway::Forwarded) -> sl_view::Forwarded {
    sl_view::Forwarded {
        sent: counts.sent,
        accepted: counts.accepted,
        rejected: counts.rejected,
        stale: counts.stale,
        lost: counts.lost,
        no_room: counts.no_room,
        differing: counts.differing,
    }
}

/// Every counter of a protection under one name each.
fn protections(gateway: &GatewayStatus) -> BTreeMap<String, u64> {
    let own = &gateway.protection;
    let named = [
        ("closed_idle", own.idle),
        ("closed_slow_reader", own.slow),
        ("closed_malformed", own.malformed),
        ("closed_banned", own.banned),
        ("malformed_lines", own.malformed_lines),
        ("tls_failed", own.tls_failed),
        ("accept_errors", own.accept_errors),
        ("no_socket_left", own.no_socket),
        ("worker_full", own.worker_full),
        ("accepts_paced", own.accepts_paced),
        ("refusals_unwritten", own.refusals_unwritten),
        ("verdicts_unwritten", own.verdicts_unwritten),
        ("jobs_unwritten", own.jobs_unwritten),
        ("blocks_unwritten", own.blocks_unwritten),
        ("sources_unwritten", own.sources_unwritten),
        ("slots_unwritten", own.slots_unwritten),
        ("slots_refused", gateway.slots.refused),
    ];
    let guard = gateway.guard.rows().into_iter().map(|row| {
        let name = row.name.trim_start_matches("guard_").trim_end_matches("_total");
        let label = row.label.map_or(String::new(), |(_, label)| format!("_{label}"));
        (format!("{name}{label}"), row.value)
    });
    named.into_iter().map(|(name, count)| (name.to_owned(), count)).chain(guard).collect()
}

fn worker(status: &WorkerStatus, now: Mono, scale: f64) -> Worker {
    let windows = Window::ALL.iter().zip(&status.proven);
    Worker {
        worker: status.worker.to_string(),
        machines: status.machines.into(),
        accepted: status.accepted,
        stale: status.stale,
        rejected: status.rejected.rejected(),
        rejected_by_reason: reasons(&status.rejected),
        stale_by_coin: by_coin(&status.stale_by_coin),
        best_difficulty: status.best.map(sl_units::ShareDifficulty::get),
        last_share_age_s: status.last_share.map(|at| now.since(at).as_secs_f64()),
        proven: windows
            .filter_map(|(window, found)| {
                Some((window.label().to_owned(), proven(found.as_ref()?, now, scale)))
            })
            .collect(),
        work_done: status.work_done.as_ref().map(|done| WorkDone {
            claimed_hs: done.claimed.hs() * scale,
            proven_ratio: done.proven_part,
            suspicion: done.suspicion,
            short: done.short,
            shortfalls: done.shortfalls,
            last_decision: done.last.as_ref().map(ToString::to_string),
        }),
        forwarded: forwarded(&status.forwarded),
        credited_by_coin: status
            .chains
            .iter()
            .map(|(coin, shares)| {
                let credited = Credited { credited: shares.credited, missed: shares.missed };
                (coin.to_string(), credited)
            })
            .collect(),
    }
}

fn proven(found: &Proven, now: Mono, scale: f64) -> ProvenRate {
    ProvenRate {
        hashrate_hs: found.rate.hs() * scale,
        low_hs: found.low.hs() * scale,
        high_hs: found.high.hs() * scale,
        shares: found.shares,
        working_s: found.working.as_secs_f64(),
        age_s: now.since(found.as_of).as_secs_f64(),
    }
}

fn by_coin(counts: &BTreeMap<Ticker, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(coin, count)| (coin.to_string(), *count)).collect()
}

fn reasons(counts: &ShareCounts) -> BTreeMap<String, u64> {
    let by_reason = [
        ("unknown job", counts.unknown_job),
        ("duplicate", counts.duplicate),
        ("low difficulty", counts.low_difficulty),
        ("unauthorised worker", counts.unauthorized),
        ("not subscribed", counts.not_subscribed),
        ("ntime out of range", counts.ntime),
        ("malformed", counts.malformed),
        ("busy", counts.busy),
    ];
    let counted = by_reason.into_iter().filter(|(_, count)| *count > 0);
    counted.map(|(reason, count)| (reason.to_owned(), count)).collect()
}

pub(super) fn shares(gateway: &GatewayStatus) -> Shares {
    let counts = &gateway.shares;
    Shares {
        accepted: counts.accepted,
        rejected: counts.rejected(),
        stale: counts.stale,
        rejected_by_reason: reasons(counts),
        first_accepted_s: gateway.first_accepted.map(|first| first.since_start().as_secs_f64()),
        ..Shares::default()
    }
}

pub(super) fn journal(status: &JournalStatus) -> Journal {
    Journal {
        writing: status.writing,
        failing: status.failing.as_deref().map(ToOwned::to_owned),
        commits: status.commits,
        entries: status.entries,
        shares: status.shares,
        failed: status.failed,
        size_bytes: status.bytes,
        days: status.days.into(),
        over_budget: status.over_budget,
    }
}
