//! Scripts of the L3+: bodies are forms, answers are short. Keys of its system information as
//! recorded in testdata/asic-api/antminer-l3plus; `ok` and what is kept of a network that makes no
//! sense are from scripts of that age. What the light answers is assumed from what asks it.

use std::time::Duration;

use super::writes::{is_hostname, looks_like_ip};
use super::{Answer, who_and_where};
use crate::conf::{Command, ConfChange, NetworkChange, PoolChange};
use crate::face::http::Request;
use crate::face::record::{Form as Style, Record};
use crate::face::{Look, old};

/// `get_system_info.cgi`.
pub(super) fn system_info(_: &Request, look: &Look) -> Answer {
    let minutes = look.readings.uptime_s / 60;
    let clock = look.seconds() % 86_400;
    let record = who_and_where(look)
        .with("curtime", format!("{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60))
        .with("uptime", minutes.to_string())
        .with("loadaverage", "0.79, 0.21, 0.07")
        .with("mem_total", "251180")
        .with("mem_used", "48104")
        .with("mem_free", "203076")
        .with("mem_buffers", "0")
        .with("mem_cached", "0")
        .with("system_mode", "GNU/Linux")
        .with("ant_hwv", look.identity().miner_version)
        .with("system_kernel_version", look.identity().kernel)
        .with("system_filesystem_version", look.compile_time())
        .with("cgminer_version", old::PROGRAM.1);
    Answer::query(&record.json_lines())
}

/// `set_miner_conf.cgi`.
pub(super) fn set_miner_conf(request: &Request, _: &Look) -> Answer {
    let form = Form::read(&request.body);
    let pool = |place: usize| PoolChange {
        url: form.get(&format!("_ant_pool{}url", place + 1)),
        user: form.get(&format!("_ant_pool{}user", place + 1)),
        pass: form.get(&format!("_ant_pool{}pw", place + 1)),
    };
    let change = ConfChange {
        pools: std::array::from_fn(pool),
        fan_fixed: form.get("_ant_fan_customize_switch").map(|switch| switch == "true"),
        fan_pwm: form.get("_ant_fan_customize_value"),
        ..ConfChange::default()
    };
    Answer::text("ok\n").and(Command::SetConf(Box::new(change)))
}

/// `blink.cgi`: `action` starts, stops or asks.
pub(super) fn blink(request: &Request, look: &Look) -> Answer {
    let action = Form::read(&request.body).get("action");
    let (on, command) = match action.as_deref() {
        Some("startBlink") => (true, Some(Command::Blink(true))),
        Some("stopBlink") => (false, Some(Command::Blink(false))),
        _ => (look.readings.light, None),
    };
    let body = Record::new().with("isBlinking", on).json(Style::default());
    Answer { command, ..Answer::text(format!("{body}\n")) }
}

/// `set_network_conf.cgi`: what makes no sense keeps its value. It waits for the network.
pub(super) fn set_network_conf(request: &Request, _: &Look) -> Answer {
    let form = Form::read(&request.body);
    let dhcp = form.get("_ant_conf_nettype").is_some_and(|kind| kind == "DHCP");
    let address = |name: &str| {
        if dhcp { Some(String::new()) } else { form.get(name).filter(|it| looks_like_ip(it)) }
    };
    let change = NetworkChange {
        hostname: form.get("_ant_conf_hostname").filter(|name| is_hostname(name)),
        dhcp: Some(dhcp),
        address: address("_ant_conf_ipaddress"),
        netmask: address("_ant_conf_netmask"),
        gateway: address("_ant_conf_gateway"),
        dns: address("_ant_conf_dnsservers"),
    };
    let answer = Answer::text("ok\n").and(Command::SetNetwork(Box::new(change)));
    Answer { takes: Duration::from_secs(10), ..answer }
}

/// Names and values of a form.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(body: &[u8]) -> Self {
        let pairs = body.split(|byte| *byte == b'&').map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || decoded(halves.next().unwrap_or_default());
            (half(), half())
        });
        Self(pairs.collect())
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// Percent signs and plus signs taken back; what is no hexadecimal number stays.
fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digit = |place: usize| after.get(place).and_then(|it| char::from(*it).to_digit(16));
        rest = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                after.get(2..).unwrap_or_default()
            }
            (b'+', ..) => {
                bytes.push(b' ');
                after
            }
            (byte, ..) => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_taken_apart() {
        let form = Form::read(b"_ant_pool1url=stratum%2Btcp%3A%2F%2Fa%3A1&u=a+b&x&%zz=%4");
        assert_eq!(form.get("_ant_pool1url"), Some("stratum+tcp://a:1".to_owned()));
        assert_eq!(form.get("u"), Some("a b".to_owned()));
        assert_eq!(form.get("x"), Some(String::new()));
        assert_eq!(form.get("%zz"), Some("%4".to_owned()));
        assert_eq!(form.get("y"), None);
    }
}
