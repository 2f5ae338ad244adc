//! What every program that descends from cgminer tells on 4028 in the same words, whatever its
//! dialect: who it is, what it has counted of its pools, its fans and its chips.

use super::Look;
use super::figures;
use super::pages::alive;
use super::record::Record;
use super::section::Section;
use crate::readings::{BoardReading, PoolCounts, PoolReading};

/// A program's own name and version, the first key of much that it says.
pub(super) type Program = (&'static str, &'static str);

/// `version`.
pub(super) fn version(look: &Look, (name, version): Program) -> Section {
    let row = Record::new().with(name, version).with("API", "3.1");
    Section::named("VERSION", vec![machine(look, row)])
}

/// What `stats` begins with: who it is.
pub(super) fn who(look: &Look, (name, version): Program) -> Record {
    machine(look, Record::new().with(name, version))
}

fn machine(look: &Look, row: Record) -> Record {
    row.with("Miner", look.identity().miner_version)
        .with("CompileTime", look.compile_time())
        .with("Type", look.model.reported)
}

/// What a pool's row begins with.
pub(super) fn pool_head(place: usize, pool: &PoolReading, diff: String) -> Record {
    let counts = &pool.counts;
    Record::new()
        .with("POOL", place)
        .with("URL", pool.url.as_str())
        .with("Status", alive(pool))
        .with("Priority", place)
        .with("Quota", 1)
        .with("Long Poll", "N")
        .with("Getworks", counts.getworks)
        .with("Accepted", counts.accepted)
        .with("Rejected", counts.rejected)
        .with("Discarded", counts.discarded)
        .with("Stale", counts.stale)
        .with("Get Failures", 0)
        .with("Remote Failures", counts.remote_failures)
        .with("User", pool.user.as_str())
        .with("Last Share Time", figures::ago(pool.last_share_ago))
        .with("Diff", diff)
        .with("Diff1 Shares", 0)
        .with("Proxy Type", "")
        .with("Proxy", "")
}

/// The host of the pool that gives work; empty for the others.
pub(super) fn stratum_host(pool: &PoolReading) -> &str {
    if pool.active { host(&pool.url) } else { "" }
}

/// The host in the address of a pool.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    rest.rsplit_once(':').map_or(rest, |(host, _)| host)
}

/// Counters of all pools. What is no sum is left out.
pub(super) fn total(pools: &[PoolReading]) -> PoolCounts {
    let add = |sum: PoolCounts, pool: &PoolReading| {
        let counts = &pool.counts;
        PoolCounts {
            getworks: sum.getworks.saturating_add(counts.getworks),
            accepted: sum.accepted.saturating_add(counts.accepted),
            rejected: sum.rejected.saturating_add(counts.rejected),
            discarded: sum.discarded.saturating_add(counts.discarded),
            stale: sum.stale.saturating_add(counts.stale),
            remote_failures: sum.remote_failures.saturating_add(counts.remote_failures),
            difficulty_accepted: sum.difficulty_accepted + counts.difficulty_accepted,
            difficulty_rejected: sum.difficulty_rejected + counts.difficulty_rejected,
            difficulty_stale: sum.difficulty_stale + counts.difficulty_stale,
            ..sum
        }
    };
    pools.iter().fold(PoolCounts::default(), add)
}

/// When the last job came, as a time of day; 0 before the first.
pub(super) fn last_getwork(look: &Look) -> u64 {
    let ago = look.readings.pools.iter().filter_map(|pool| pool.last_job_ago).min();
    ago.map_or(0, |ago| look.seconds().saturating_sub(ago.as_secs()))
}

/// Difficulty of all shares that were found, whatever became of them.
pub(super) fn worked(counts: &PoolCounts) -> f64 {
    counts.difficulty_accepted + counts.difficulty_rejected + counts.difficulty_stale
}

/// Rejected difficulty of all that was found, percent.
pub(super) fn rejected_percent(counts: &PoolCounts) -> f64 {
    figures::percent(counts.difficulty_rejected, worked(counts))
}

/// Stale difficulty of all that was found, percent.
pub(super) fn stale_percent(counts: &PoolCounts) -> f64 {
    figures::percent(counts.difficulty_stale, worked(counts))
}

/// Minutes that the program runs, for rates: a second at least.
pub(super) fn minutes(look: &Look) -> f64 {
    figures::real(look.readings.elapsed_s.max(1)) / 60.0
}

/// How many fans, and how fast each is.
pub(super) fn fans(row: &mut Record, look: &Look) {
    let fans = &look.readings.fans_rpm;
    row.push("fan_num", fans.len());
    for (place, rpm) in fans.iter().enumerate() {
        row.push(format!("fan{}", place + 1), *rpm);
    }
}

/// Of each board: how many chips, how they are, how many of their nonces were bad.
pub(super) fn chips(row: &mut Record, look: &Look) {
    let boards = &look.readings.boards;
    for board in boards {
        row.push(format!("chain_acn{}", slot(board)), board.chips_found());
    }
    for board in boards {
        row.push(format!("chain_acs{}", slot(board)), figures::chips(board, look.identity().map));
    }
    for board in boards {
        row.push(format!("chain_hw{}", slot(board)), board.hw_errors);
    }
}

/// These programs count slots from one.
pub(super) const fn slot(board: &BoardReading) -> usize {
    board.index + 1
}

/// The hottest of four sensors.
pub(super) fn hottest(sensors: &[i32; 4]) -> i32 {
    sensors.iter().copied().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_pool_is_found_in_any_address() {
        for (url, expect) in [
            ("stratum+tcp://pool.invalid:3333", "pool.invalid"),
            ("pool.invalid:3333", "pool.invalid"),
            ("stratum+ssl://[::1]:3333/x", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(host(url), expect);
        }
    }
}
