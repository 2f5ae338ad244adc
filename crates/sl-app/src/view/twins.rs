//! What the virtual machines tell.

use sl_twin::FarmStatus;
use sl_view::{Summary, Twins};

pub(super) fn twins(model: &str, net: &str, status: &FarmStatus) -> Twins {
    let FarmStatus { engine, .. } = status;
    Twins {
        model: model.to_owned(),
        net: net.to_owned(),
        total: status.total as u64,
        online: status.online as u64,
        mining: status.mining as u64,
        waiting: status.waiting as u64,
        asleep: status.asleep as u64,
        stopped: status.stopped as u64,
        connected: status.connected as u64,
        hashrate_shown_hs: status.shown.hs(),
        accepted: status.accepted,
        rejected: status.rejected,
        stale: status.stale,
        hw_errors: status.hw_errors,
        hash_scale: status.scale,
        engine_threads: engine.threads as u64,
        hashes: engine.hashes,
        hashrate_hs: engine.hashrate.hs(),
        hashrate_wanted_hs: engine.wanted.hs(),
        hashes_missed: engine.missed,
    }
}

/// What virtual machines are in the summary. Where no gateway counts machines, they are all there
/// are, and their shares are those told; beside a gateway, those that are not connected to it are
/// known and not online.
pub(super) fn count(summary: &mut Summary, twins: &Twins) {
    let machines = &mut summary.machines;
    if summary.gateway.is_some() {
        machines.total += twins.total.saturating_sub(twins.connected);
        return;
    }
    (machines.online, machines.total) = (twins.online, twins.total);
    summary.shares.accepted += twins.accepted;
    summary.shares.rejected += twins.rejected;
    summary.shares.stale += twins.stale;
    summary.engine_threads = Some(twins.engine_threads);
    summary.hashes = Some(twins.hashes);
    summary.hashrate_hs = (twins.hashes > 0).then_some(twins.hashrate_hs);
}
