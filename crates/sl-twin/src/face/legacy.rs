//! Bodies of the older calls on 4028: cgminer's, as the L7's and the L9's program prints them.

use super::Look;
use super::figures::{self, Scale};
use super::pages::alive;
use super::record::Record;
use super::rpc::Section;
use crate::readings::{BoardReading, PoolReading};

/// What stands in `Description`.
pub(super) const DESCRIPTION: &str = "jansson 2.12";

/// `version`.
pub(super) fn version(look: &Look) -> Section {
    let row = Record::new()
        .with("BMMiner", "2.12")
        .with("API", "3.1")
        .with("Miner", look.identity().miner_version)
        .with("CompileTime", look.compile_time())
        .with("Type", look.model.reported);
    Section::named("VERSION", vec![row])
}

/// `summary`.
pub(super) fn summary(look: &Look) -> Section {
    let it = &look.readings;
    let scale = look.scale();
    let pools = Totals::of(&it.pools);
    let minutes = figures::real(it.elapsed_s.max(1)) / 60.0;
    let worked = pools.difficulty_accepted + pools.difficulty_rejected + pools.difficulty_stale;
    let row = Record::new()
        .with("Elapsed", it.elapsed_s)
        .with("GHS 5s", scale.rate(it.rate_5s))
        .with("GHS av", scale.rate(it.rate_avg))
        .with("GHS 30m", scale.rate(it.rate_30m))
        .with("Found Blocks", 0)
        .with("Getwork", pools.getworks)
        .with("Accepted", pools.accepted)
        .with("Rejected", pools.rejected)
        .with("Hardware Errors", it.hw_errors)
        .with("Utility", figures::round(figures::real(pools.accepted) / minutes, 2))
        .with("Discarded", pools.discarded)
        .with("Stale", pools.stale)
        .with("Get Failures", 0)
        .with("Local Work", it.nonces)
        .with("Remote Failures", pools.remote_failures)
        .with("Network Blocks", 0)
        .with("Total MH", 0.0)
        // Recorded replies of an L9 and an L11 keep to this formula.
        .with("Work Utility", figures::round(worked / minutes, 4))
        .with("Difficulty Accepted", pools.difficulty_accepted)
        .with("Difficulty Rejected", pools.difficulty_rejected)
        .with("Difficulty Stale", pools.difficulty_stale)
        .with("Best Share", 0)
        .with("Device Hardware%", figures::round(it.hw_percent, 2))
        .with(
            "Device Rejected%",
            figures::round(figures::percent(pools.difficulty_rejected, worked), 2),
        )
        .with("Pool Rejected%", 0.0)
        .with("Pool Stale%", 0.0)
        .with("Last getwork", look.seconds())
        .with("RT HASHRATE", scale.text(it.rate_5s))
        .with("AV HASHRATE", scale.text(it.rate_avg))
        .with("THEORY HASHRATE", scale.text(it.rate_ideal));
    Section::named("SUMMARY", vec![row])
}

/// `pools`.
pub(super) fn pools(look: &Look) -> Section {
    let rows = look.readings.pools.iter().enumerate().map(|(place, pool)| {
        let counts = &pool.counts;
        // No source tells how the digits of the difficulty end.
        let diff = pool.difficulty.map_or_else(String::new, |it| format!("{it:.1}"));
        pool_head(place, pool, diff)
            .with("Difficulty Accepted", counts.difficulty_accepted)
            .with("Difficulty Rejected", counts.difficulty_rejected)
            .with("Difficulty Stale", counts.difficulty_stale)
            .with("Last Share Difficulty", counts.last_share_difficulty)
            .with("Has Stratum", !pool.url.is_empty())
            .with("Stratum Active", pool.active)
            .with("Stratum URL", stratum_host(pool))
            .with("Has GBT", false)
            .with("Best Share", counts.best_share)
            .with("Pool Rejected%", rejected_percent(pool))
            .with("Pool Stale%%", stale_percent(pool))
    });
    Section::rows("POOLS", rows.collect())
}

/// What a pool's row begins with in every program that descends from cgminer.
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

/// Rejected difficulty of all that was sent, percent.
pub(super) fn rejected_percent(pool: &PoolReading) -> f64 {
    let counts = &pool.counts;
    let sent = counts.difficulty_accepted + counts.difficulty_rejected + counts.difficulty_stale;
    figures::round(figures::percent(counts.difficulty_rejected, sent), 4)
}

/// Stale difficulty of all that was sent, percent.
pub(super) fn stale_percent(pool: &PoolReading) -> f64 {
    let counts = &pool.counts;
    let sent = counts.difficulty_accepted + counts.difficulty_rejected + counts.difficulty_stale;
    figures::round(figures::percent(counts.difficulty_stale, sent), 4)
}

/// The host in the address of a pool.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    rest.rsplit_once(':').map_or(rest, |(host, _)| host)
}

/// `stats`: who it is, then everything that it measures.
pub(super) fn stats(look: &Look) -> Section {
    let who = Record::new()
        .with("BMMiner", "2.12")
        .with("Miner", look.identity().miner_version)
        .with("CompileTime", look.compile_time())
        .with("Type", look.model.reported);
    Section::rows("STATS", vec![who, measured(look)])
}

fn measured(look: &Look) -> Record {
    let it = &look.readings;
    let identity = look.identity();
    let scale = look.scale();
    let mode = if it.conf.work_mode == 0 { identity.normal_mode } else { it.conf.work_mode };
    let slowest = it.boards.iter().map(|board| board.freq_mhz).min().unwrap_or(0);
    let mut row = Record::new()
        .with("STATS", 3)
        .with("ID", "BTM_SOC3")
        .with("Elapsed", it.elapsed_s)
        .with("GHS 5s", scale.rate(it.rate_5s))
        .with("GHS av", scale.rate(it.rate_avg))
        .with("rate_30m", scale.rate(it.rate_30m))
        .with("total_rateideal", scale.rate(it.rate_ideal))
        .with("Mode", u32::from(mode))
        .with("miner_count", it.boards.len())
        .with("frequency", slowest)
        .with("fan_num", it.fans_rpm.len());
    for (place, rpm) in it.fans_rpm.iter().enumerate() {
        row.push(format!("fan{}", place + 1), *rpm);
    }
    temperatures(&mut row, look);
    boards(&mut row, &it.boards, scale, look);
    row.with("miner_version", identity.miner_version)
}

fn temperatures(row: &mut Record, look: &Look) {
    let boards = &look.readings.boards;
    row.push("temp_num", boards.len() * 2);
    for board in boards {
        row.push(format!("temp{}", slot(board)), hottest(&board.temp_pcb_c));
        row.push(format!("temp2_{}", slot(board)), hottest(&board.temp_chip_c));
    }
    let outlet_of_chips = |board: &BoardReading| {
        if look.identity().outlet_twice {
            outlet(&board.temp_pcb_c)
        } else {
            outlet(&board.temp_chip_c)
        }
    };
    type Pick<'a> = &'a dyn Fn(&BoardReading) -> i32;
    let sensors: [(&str, Pick<'_>); 4] = [
        ("temp_in_pcb", &|board| inlet(&board.temp_pcb_c)),
        ("temp_out_pcb", &|board| outlet(&board.temp_pcb_c)),
        ("temp_in_chip", &|board| inlet(&board.temp_chip_c)),
        ("temp_out_chip", &outlet_of_chips),
    ];
    for (name, pick) in sensors {
        for board in boards {
            row.push(format!("{name}_{}", slot(board)), pick(board).to_string());
        }
    }
    row.push("temp_max", look.readings.temp_max_c());
}

fn boards(row: &mut Record, boards: &[BoardReading], scale: Scale, look: &Look) {
    for board in boards {
        row.push(format!("chain_acn{}", slot(board)), board.chips_found());
    }
    for board in boards {
        row.push(format!("chain_acs{}", slot(board)), figures::chips(board, look.identity().map));
    }
    for board in boards {
        row.push(format!("chain_hw{}", slot(board)), board.hw_errors);
    }
    row.push("no_matching_work", look.readings.hw_errors);
    for board in boards {
        row.push(format!("chain_rate{}", slot(board)), scale.exact(board.rate_real));
    }
    for board in boards {
        let average = figures::own_scale(board.rate_avg);
        row.push(format!("CHAIN AVG HASHRATE{}", slot(board)), average);
    }
    for board in boards {
        row.push(format!("freq{}", slot(board)), board.freq_mhz);
    }
}

/// The older calls count slots from one.
pub(super) const fn slot(board: &BoardReading) -> usize {
    board.index + 1
}

pub(super) fn hottest(sensors: &[i32; 4]) -> i32 {
    sensors.iter().copied().max().unwrap_or(0)
}

fn inlet(sensors: &[i32; 4]) -> i32 {
    let [first, second, ..] = *sensors;
    first.max(second)
}

fn outlet(sensors: &[i32; 4]) -> i32 {
    let [.., third, fourth] = *sensors;
    third.max(fourth)
}

/// Counters of all pools.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) getworks: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) discarded: u64,
    pub(super) stale: u64,
    pub(super) remote_failures: u64,
    pub(super) difficulty_accepted: f64,
    pub(super) difficulty_rejected: f64,
    pub(super) difficulty_stale: f64,
}

impl Totals {
    pub(super) fn of(pools: &[PoolReading]) -> Self {
        let mut sum = Self::default();
        for counts in pools.iter().map(|pool| &pool.counts) {
            sum.getworks = sum.getworks.saturating_add(counts.getworks);
            sum.accepted = sum.accepted.saturating_add(counts.accepted);
            sum.rejected = sum.rejected.saturating_add(counts.rejected);
            sum.discarded = sum.discarded.saturating_add(counts.discarded);
            sum.stale = sum.stale.saturating_add(counts.stale);
            sum.remote_failures = sum.remote_failures.saturating_add(counts.remote_failures);
            sum.difficulty_accepted += counts.difficulty_accepted;
            sum.difficulty_rejected += counts.difficulty_rejected;
            sum.difficulty_stale += counts.difficulty_stale;
        }
        sum
    }
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
