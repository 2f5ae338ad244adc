//! `get_miner_conf.cgi` prints the configuration file as it lies on the disk.

use std::fmt::Write as _;

use super::Answer;
use crate::conf::{Conf, PoolConf};
use crate::face::Look;
use crate::face::http::Request;
use crate::face::record::{Form, Record};

/// Of an L7 or L9.
pub(super) fn modern(_: &Request, look: &Look) -> Answer {
    let conf = &look.readings.conf;
    let mut file = pools(conf);
    // The factory's file holds the mode as a text; what the newer scripts write holds a number.
    let mode = if conf.written && look.calls_of().writes_mode_as_integer() {
        conf.work_mode.to_string()
    } else {
        format!("\"{}\"", conf.work_mode)
    };
    let lines = [
        ("algo", quoted(&conf.algo)),
        ("bitmain-fan-ctrl", conf.fan_fixed.to_string()),
        ("bitmain-fan-pwm", quoted(&conf.fan_pwm)),
        ("bitmain-freq", quoted(&conf.freq)),
        ("bitmain-voltage", quoted(&conf.voltage)),
        ("bitmain-work-mode", mode),
        ("bitmain-freq-level", quoted(&conf.freq_level)),
    ];
    let tab = if conf.written { "" } else { "\t" };
    end(&mut file, &lines, tab);
    Answer::query(&file)
}

/// Of an L3+: keys and order as in the replies that `delawr0190/foreman-apps` recorded. Those of
/// the fans stand there only when somebody has set them.
pub(super) fn old(_: &Request, look: &Look) -> Answer {
    let conf = &look.readings.conf;
    let mut file = pools(&Conf { written: true, ..conf.clone() });
    let mut lines = vec![
        ("api-listen", "true".to_owned()),
        ("api-network", "true".to_owned()),
        ("api-groups", quoted("A:stats:pools:devs:summary:version")),
        ("api-allow", quoted("A:0/0,W:*")),
    ];
    if conf.fan_fixed {
        lines.push(("bitmain-fan-ctrl", "true".to_owned()));
        lines.push(("bitmain-fan-pwm", quoted(&conf.fan_pwm)));
        lines.push(("bitmain-use-vil", "true".to_owned()));
    }
    lines.push(("bitmain-freq", quoted(&conf.freq)));
    end(&mut file, &lines, "");
    Answer::query(&file)
}

/// Everything up to the pools' end. The factory's file is indented, a written one is not.
fn pools(conf: &Conf) -> String {
    let (deep, tab) = if conf.written { ("", "") } else { ("        ", "\t") };
    let mut file = format!("{{\n{deep}\"pools\" : [\n");
    for (place, pool) in conf.pools.iter().enumerate() {
        let PoolConf { url, user, pass } = pool;
        let comma = if place + 1 < conf.pools.len() { "," } else { "" };
        line(&mut file, &format!("{deep}{{"));
        line(&mut file, &format!("{tab}\"url\" : {},", quoted(url)));
        line(&mut file, &format!("{tab}\"user\" : {},", quoted(user)));
        line(&mut file, &format!("{tab}\"pass\" : {}", quoted(pass)));
        line(&mut file, &format!("{deep}}}{comma}"));
    }
    file.push_str(if conf.written { "]\n,\n" } else { "        ],\n\n" });
    file
}

fn end(file: &mut String, lines: &[(&str, String)], tab: &str) {
    for (place, (key, value)) in lines.iter().enumerate() {
        let comma = if place + 1 < lines.len() { "," } else { "" };
        line(file, &format!("{tab}\"{key}\" : {value}{comma}"));
    }
    file.push_str("}\n");
}

fn line(file: &mut String, text: &str) {
    // Writing to a text does not fail.
    let _ = writeln!(file, "{text}");
}

/// A text between quotes. The original does not escape; here the file stays JSON.
fn quoted(text: &str) -> String {
    let whole = Record::new().with("", text).json(Form::default());
    whole.strip_prefix("{\"\":").and_then(|it| it.strip_suffix('}')).unwrap_or("\"\"").to_owned()
}
