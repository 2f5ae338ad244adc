//! The old dialect: cgminer 4.9.0 on an L3+. Rows as recorded in testdata/asic-api/antminer-l3plus;
//! the summary was not, it has the keys of the same program on other machines.

use super::Look;
use super::figures;
use super::lineage::{
    self, Program, chips, fans, hottest, last_getwork, minutes, pool_head, rejected_percent, slot,
    stale_percent, stratum_host, total, who, worked,
};
use super::record::{Record, Value};
use super::section::Section;
use crate::readings::Readings;

/// What stands in `Description`.
pub(super) const DESCRIPTION: &str = "cgminer 4.9.0";
pub(super) const PROGRAM: Program = ("CGMiner", "4.9.0");
/// Places for boards that the program counts, present or not.
const SLOTS: usize = 4;

/// `version`.
pub(super) fn version(look: &Look) -> Section {
    lineage::version(look, PROGRAM)
}

/// `summary`.
pub(super) fn summary(look: &Look) -> Section {
    let it = &look.readings;
    let pools = total(&it.pools);
    let minutes = minutes(look);
    let row = Record::new()
        .with("Elapsed", it.elapsed_s)
        .with("GHS 5s", rate(it.rate_5s, look))
        .with("GHS av", Value::Fixed(look.scale().rate(it.rate_avg), 2))
        .with("Found Blocks", 0)
        .with("Getworks", pools.getworks)
        .with("Accepted", pools.accepted)
        .with("Rejected", pools.rejected)
        .with("Hardware Errors", it.hw_errors)
        .with("Utility", Value::Fixed(figures::real(pools.accepted) / minutes, 2))
        .with("Discarded", pools.discarded)
        .with("Stale", pools.stale)
        .with("Get Failures", 0)
        .with("Local Work", it.nonces)
        .with("Remote Failures", pools.remote_failures)
        .with("Network Blocks", 0)
        .with("Total MH", Value::Fixed(0.0, 4))
        .with("Work Utility", Value::Fixed(worked(&pools) / minutes, 2))
        .with("Difficulty Accepted", Value::Fixed(pools.difficulty_accepted, 8))
        .with("Difficulty Rejected", Value::Fixed(pools.difficulty_rejected, 8))
        .with("Difficulty Stale", Value::Fixed(pools.difficulty_stale, 8))
        .with("Best Share", figures::whole(it.best_share))
        .with("Device Hardware%", Value::Fixed(it.hw_percent, 4))
        .with("Device Rejected%", Value::Fixed(rejected_percent(&pools), 4))
        .with("Pool Rejected%", Value::Fixed(rejected_percent(&pools), 4))
        .with("Pool Stale%", Value::Fixed(stale_percent(&pools), 4))
        .with("Last getwork", last_getwork(look));
    Section::named("SUMMARY", vec![row])
}

/// A rate as a text, as this program has some of its rates.
fn rate(rate: sl_units::HashRate, look: &Look) -> String {
    format!("{:.2}", look.scale().rate(rate))
}

/// `pools`.
pub(super) fn pools(look: &Look) -> Section {
    let rows = look.readings.pools.iter().enumerate().map(|(place, pool)| {
        let counts = &pool.counts;
        let diff = pool.difficulty.map_or_else(String::new, figures::suffixed);
        pool_head(place, pool, diff)
            .with("Difficulty Accepted", Value::Fixed(counts.difficulty_accepted, 8))
            .with("Difficulty Rejected", Value::Fixed(counts.difficulty_rejected, 8))
            .with("Difficulty Stale", Value::Fixed(counts.difficulty_stale, 8))
            .with("Last Share Difficulty", Value::Fixed(counts.last_share_difficulty, 8))
            .with("Has Stratum", !pool.url.is_empty())
            .with("Stratum Active", pool.active)
            .with("Stratum URL", stratum_host(pool))
            .with("Has GBT", false)
            .with("Best Share", figures::whole(counts.best_share))
            .with("Pool Rejected%", Value::Fixed(rejected_percent(counts), 4))
            .with("Pool Stale%", Value::Fixed(stale_percent(counts), 4))
    });
    Section::rows("POOLS", rows.collect())
}

/// `stats`: between its two records the program forgets the comma.
pub(super) fn stats(look: &Look) -> Section {
    Section::rows("STATS", vec![who(look, PROGRAM), measured(look)])
}

fn measured(look: &Look) -> Record {
    let it = &look.readings;
    let mut row = Record::new()
        .with("STATS", 0)
        .with("ID", "L30")
        .with("Elapsed", it.elapsed_s)
        .with("Calls", 0)
        .with("Wait", Value::Fixed(0.0, 6))
        .with("Max", Value::Fixed(0.0, 6))
        .with("Min", Value::Fixed(99_999_999.0, 6))
        .with("GHS 5s", rate(it.rate_5s, look))
        .with("GHS av", Value::Fixed(look.scale().rate(it.rate_avg), 2))
        .with("miner_count", it.boards.len())
        .with("frequency", frequency(it));
    fans(&mut row, look);
    row.push("temp_num", it.boards.len());
    for board in &it.boards {
        row.push(format!("temp{}", slot(board)), hottest(&board.temp_pcb_c));
    }
    for board in &it.boards {
        row.push(format!("temp2_{}", slot(board)), hottest(&board.temp_chip_c));
    }
    for place in 1..=SLOTS {
        row.push(format!("temp3{place}"), 0);
    }
    for place in 1..=SLOTS {
        row.push(format!("temp4_{place}"), 0);
    }
    let hottest = it.boards.iter().map(|board| hottest(&board.temp_pcb_c)).max().unwrap_or(0);
    row.push("temp_max", hottest);
    row.push("Device Hardware%", Value::Fixed(it.hw_percent, 4));
    row.push("no_matching_work", it.hw_errors);
    chips(&mut row, look);
    for board in &it.boards {
        row.push(format!("chain_rate{}", slot(board)), rate(board.rate_real, look));
    }
    row
}

/// The clock of the boards, as a text; what is configured where there is no board.
pub(super) fn frequency(readings: &Readings) -> String {
    let slowest = readings.boards.iter().map(|board| board.freq_mhz).min();
    slowest.map_or_else(|| readings.conf.freq.clone(), |mhz| mhz.to_string())
}
