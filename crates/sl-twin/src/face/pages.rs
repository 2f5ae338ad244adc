//! Bodies of the newer calls: what `summary.cgi`, `stats.cgi`, `pools.cgi` and `chart.cgi` print,
//! and 4028 with `new_api`.

use sl_units::HashRate;

use super::Look;
use super::figures::{self, Scale};
use super::record::{Record, Value};
use crate::readings::{BoardReading, Light, PoolReading};

/// The body that a newer call answers; `None` for a call that does not exist.
pub(super) fn body(command: &str, look: &Look) -> Option<Record> {
    let (section, rows) = match command {
        "summary" => ("SUMMARY", vec![summary(look)]),
        "stats" => ("STATS", vec![stats(look)]),
        "pools" => ("POOLS", look.readings.pools.iter().enumerate().map(pool).collect()),
        "rate" => ("RATE", vec![rate(look)]),
        // What it answers is recorded nowhere; nobody reads it.
        "reload" => return Some(envelope(command, look)),
        _ => return None,
    };
    Some(envelope(command, look).with(section, rows))
}

/// What the newer API says to a call that it does not know.
pub(super) fn not_supported(command: &str) -> Record {
    Record::new().with("error_message", format!("not support ({command})"))
}

fn envelope(command: &str, look: &Look) -> Record {
    let identity = look.identity();
    let status = Record::new()
        .with("STATUS", "S")
        .with("when", look.seconds())
        .with("Msg", command)
        .with("api_version", "1.0.0");
    let info = Record::new()
        .with("miner_version", identity.miner_version)
        .with("CompileTime", look.compile_time())
        .with("type", look.model.reported);
    Record::new().with("STATUS", status).with("INFO", info)
}

/// The five rates with which two bodies begin.
fn rates(look: &Look) -> Record {
    let it = &look.readings;
    let scale = look.scale();
    Record::new()
        .with("elapsed", it.elapsed_s)
        .with("rate_5s", scale.rate(it.rate_5s))
        .with("rate_30m", scale.rate(it.rate_30m))
        .with("rate_avg", scale.rate(it.rate_avg))
        .with("rate_ideal", scale.rate(it.rate_ideal))
        .with("rate_unit", scale.unit())
}

fn summary(look: &Look) -> Record {
    let status = &look.readings.status;
    let lights = [
        ("rate", status.rate),
        ("network", status.network),
        ("fans", status.fans),
        ("temp", status.temp),
    ];
    rates(look)
        .with("hw_all", look.readings.hw_errors)
        .with("bestshare", figures::whole(look.readings.best_share))
        .with("status", lights.map(light).to_vec())
}

fn light((kind, light): (&'static str, Light)) -> Record {
    let (status, code, message) = match light {
        Light::Good => ("s", 0, ""),
        Light::Bad { code, message } => ("e", code, message),
    };
    Record::new().with("type", kind).with("status", status).with("code", code).with("msg", message)
}

fn stats(look: &Look) -> Record {
    let it = &look.readings;
    rates(look)
        .with("chain_num", it.boards.len())
        .with("fan_num", it.fans_rpm.len())
        .with("fan", it.fans_rpm.clone())
        .with("hwp_total", figures::round(it.hw_percent, 2))
        .with("chain", it.boards.iter().map(|board| chain(board, look)).collect::<Vec<_>>())
}

fn chain(board: &BoardReading, look: &Look) -> Record {
    let scale = look.scale();
    Record::new()
        .with("index", board.index)
        .with("freq_avg", board.freq_mhz)
        .with("rate_ideal", scale.rate(board.rate_ideal))
        .with("rate_real", scale.rate(board.rate_real))
        .with("asic_num", board.chips_found())
        .with("asic", figures::chips(board, look.identity().map))
        .with("temp_pic", board.temp_pic_c.to_vec())
        .with("temp_pcb", board.temp_pcb_c.to_vec())
        .with("temp_chip", board.temp_chip_c.to_vec())
        .with("hw", board.hw_errors)
        .with("eeprom_loaded", board.eeprom_loaded)
        .with("sn", board.serial.as_str())
}

fn pool((place, pool): (usize, &PoolReading)) -> Record {
    let counts = &pool.counts;
    let diff = pool.difficulty.map_or_else(String::new, figures::seven);
    Record::new()
        .with("index", place)
        .with("url", pool.url.as_str())
        .with("user", pool.user.as_str())
        .with("status", alive(pool))
        .with("priority", place)
        .with("getworks", counts.getworks)
        .with("accepted", counts.accepted)
        .with("rejected", counts.rejected)
        .with("discarded", counts.discarded)
        .with("stale", counts.stale)
        .with("diff", diff)
        .with("diff1", 0)
        .with("diffa", figures::whole(counts.difficulty_accepted))
        .with("diffr", figures::whole(counts.difficulty_rejected))
        .with("diffs", figures::whole(counts.difficulty_stale))
        .with("lsdiff", figures::whole(counts.last_share_difficulty))
        .with("lstime", figures::ago(pool.last_share_ago))
}

/// `Alive` or `Dead`.
pub(super) const fn alive(pool: &PoolReading) -> &'static str {
    if pool.alive { "Alive" } else { "Dead" }
}

/// The chart: the rate of each board a minute apart, the newest last.
fn rate(look: &Look) -> Record {
    let minutes = look.chart.iter().map(|(_, rates)| rates.len()).max().unwrap_or(0);
    let axis: Vec<Value> = (0..minutes).map(|minute| format!("{minute}min").into()).collect();
    let series: Vec<Record> = look.chart.iter().map(|line| series(line, look.scale())).collect();
    Record::new()
        .with("unit", look.scale().unit())
        .with("xAxis", Value::List(axis))
        .with("series", series)
}

/// A board by its slot, as the `index` of `stats` counts them.
fn series((slot, rates): &(usize, Vec<HashRate>), scale: Scale) -> Record {
    Record::new()
        .with("name", format!("chain{slot}"))
        .with("data", rates.iter().map(|rate| scale.rate(*rate)).collect::<Vec<_>>())
}
