//! Bodies of the older calls on 4028: cgminer's, as the L7's and the L9's program prints them.

use super::Look;
use super::figures;
use super::lineage::{
    self, Program, chips, fans, hottest, last_getwork, minutes, pool_head, rejected_percent, slot,
    stale_percent, stratum_host, total, who, worked,
};
use super::record::Record;
use super::section::Section;
use crate::readings::BoardReading;

/// What stands in `Description`.
pub(super) const DESCRIPTION: &str = "jansson 2.12";
const PROGRAM: Program = ("BMMiner", "2.12");

/// `version`.
pub(super) fn version(look: &Look) -> Section {
    lineage::version(look, PROGRAM)
}

/// `summary`.
pub(super) fn summary(look: &Look) -> Section {
    let it = &look.readings;
    let scale = look.scale();
    let pools = total(&it.pools);
    let minutes = minutes(look);
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
        .with("Work Utility", figures::round(worked(&pools) / minutes, 4))
        .with("Difficulty Accepted", pools.difficulty_accepted)
        .with("Difficulty Rejected", pools.difficulty_rejected)
        .with("Difficulty Stale", pools.difficulty_stale)
        .with("Best Share", figures::whole(it.best_share))
        .with("Device Hardware%", figures::round(it.hw_percent, 2))
        .with("Device Rejected%", figures::round(rejected_percent(&pools), 2))
        .with("Pool Rejected%", figures::round(rejected_percent(&pools), 4))
        .with("Pool Stale%", figures::round(stale_percent(&pools), 4))
        .with("Last getwork", last_getwork(look))
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
            .with("Pool Rejected%", figures::round(rejected_percent(counts), 4))
            .with("Pool Stale%%", figures::round(stale_percent(counts), 4))
    });
    Section::rows("POOLS", rows.collect())
}

/// `stats`: who it is, then everything that it measures.
pub(super) fn stats(look: &Look) -> Section {
    Section::rows("STATS", vec![who(look, PROGRAM), measured(look)])
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
        .with("frequency", slowest);
    fans(&mut row, look);
    temperatures(&mut row, look);
    chips(&mut row, look);
    rates(&mut row, look);
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

fn rates(row: &mut Record, look: &Look) {
    let (boards, scale) = (&look.readings.boards, look.scale());
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

fn inlet(sensors: &[i32; 4]) -> i32 {
    let [first, second, ..] = *sensors;
    first.max(second)
}

fn outlet(sensors: &[i32; 4]) -> i32 {
    let [.., third, fourth] = *sensors;
    third.max(fourth)
}
