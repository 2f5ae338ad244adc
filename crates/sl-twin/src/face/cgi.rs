//! The pages under `/cgi-bin/`, by table. In the original they are shell scripts: what they print
//! is the body, blank lines and all.

mod conf;
mod forms;
mod writes;

use std::time::Duration;

use super::http::Request;
use super::identity::Dialect;
use super::record::{Form, Record};
use super::{Look, Want, pages};
use crate::conf::{Command, Network};
use crate::release::Release;

/// What a page answers and what the machine must do.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Answer {
    pub(super) body: String,
    pub(super) command: Option<Command>,
    /// How long the script takes after it has done its work.
    pub(super) takes: Duration,
}

impl Answer {
    /// Of a script that asks: it prints an empty line too many before its answer.
    fn query(body: &str) -> Self {
        Self::text(format!("\n{body}"))
    }

    /// Of any other script.
    fn text(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// It has done something.
    fn and(self, command: Command) -> Self {
        Self { command: Some(command), ..self }
    }
}

/// One script.
struct Script {
    name: &'static str,
    /// The first release that has it.
    since: Release,
    /// What must be looked at for it.
    want: Want,
    answer: fn(&Request, &Look) -> Answer,
}

type Reply = fn(&Request, &Look) -> Answer;

const fn script(name: &'static str, answer: Reply) -> Script {
    Script { name, since: Release::R202201, want: Want::Figures, answer }
}

const fn since(name: &'static str, since: Release, answer: Reply) -> Script {
    Script { name, since, want: Want::Figures, answer }
}

const fn wants(name: &'static str, want: Want, answer: Reply) -> Script {
    Script { name, since: Release::R202201, want, answer }
}

/// The L7's and the L9's.
static MODERN: [Script; 24] = [
    script("get_system_info", system_info),
    script("miner_type", miner_type),
    script("get_miner_conf", conf::modern),
    script("set_miner_conf", writes::set_miner_conf),
    script("summary", |_, look| new_api("summary", look)),
    script("stats", |_, look| new_api("stats", look)),
    script("pools", |_, look| new_api("pools", look)),
    wants("chart", Want::Chart, |_, look| new_api("rate", look)),
    // The page came before the program that answers it.
    since("warning", Release::R202405, |_, look| new_api("warning", look)),
    script("blink", writes::blink),
    script("get_blink_status", blink_status),
    script("reboot", |_, _| Answer::text("Status 200\n").and(Command::Reboot)),
    script("reset_conf", |_, _| Answer::text("Status 200\n").and(Command::ResetConf)),
    script("passwd", writes::passwd),
    script("get_network_info", network_info),
    script("set_network_conf", writes::set_network_conf),
    script("upgrade", writes::upgrade),
    script("upgrade_clear", writes::upgrade_clear),
    wants("log", Want::Log, log),
    wants("hlog", Want::Log, log),
    wants("dlog", Want::Log, log),
    Script { name: "create_log_backup", since: Release::R202211, want: Want::Log, answer: log },
    script("get_adjustment_params", adjustment),
    // What it prints is recorded nowhere.
    script("get_droa", |_, _| Answer::query("{}\n")),
];

/// The L3+'s.
static OLD: [Script; 9] = [
    script("get_system_info", forms::system_info),
    script("get_miner_conf", conf::old),
    script("set_miner_conf", forms::set_miner_conf),
    script("blink", forms::blink),
    script("reboot", |_, _| Answer::text("").and(Command::Reboot)),
    script("reset_conf", |_, _| Answer::text("").and(Command::ResetConf)),
    script("get_network_info", network_info),
    script("set_network_conf", forms::set_network_conf),
    wants("get_kernel_log", Want::Log, log),
];

/// What must be looked at to answer a path.
pub(super) fn want(path: &str) -> Want {
    let name = name_of(path);
    let known = MODERN.iter().chain(&OLD).find(|script| Some(script.name) == name);
    known.map_or(Want::Figures, |script| script.want)
}

/// The answer of the script at a path; `None` where there is none.
pub(super) fn answer(request: &Request, look: &Look) -> Option<Answer> {
    let scripts: &[Script] = match look.dialect() {
        Dialect::Modern => &MODERN,
        Dialect::Old => &OLD,
    };
    let name = name_of(&request.path)?;
    let script = scripts.iter().find(|script| script.name == name)?;
    (look.calls_of() >= script.since).then(|| (script.answer)(request, look))
}

/// Whether a page takes bodies of any size and looks at their beginning alone.
pub(super) fn takes_files(path: &str) -> bool {
    matches!(name_of(path), Some("upgrade" | "upgrade_clear"))
}

fn name_of(path: &str) -> Option<&str> {
    path.strip_prefix("/cgi-bin/")?.strip_suffix(".cgi")
}

fn new_api(command: &str, look: &Look) -> Answer {
    let body = pages::body(command, look).unwrap_or_else(|| pages::not_supported(command));
    Answer::query(&format!("{}\n", body.json(look.form())))
}

fn system_info(_: &Request, look: &Look) -> Answer {
    let mut record = who_and_where(look)
        .with("system_mode", "GNU/Linux")
        .with("system_kernel_version", look.identity().kernel)
        .with("system_filesystem_version", look.compile_time())
        .with("firmware_type", "Release")
        .with("Algorithm", "Scrypt");
    if look.is_newest() {
        record.push("serinum", "Unknown");
    }
    Answer::query(&record.json_lines())
}

/// What the system information of either dialect begins with.
fn who_and_where(look: &Look) -> Record {
    let network = &look.readings.network;
    Record::new()
        .with("minertype", look.model.reported)
        .with("nettype", net_type(network))
        .with("netdevice", "eth0")
        .with("macaddr", network.mac.as_str())
        .with("hostname", network.hostname.as_str())
        .with("ipaddress", network.ip.to_string())
        .with("netmask", network.netmask.to_string())
        .with("gateway", network.conf_gateway.as_str())
        .with("dnsservers", network.conf_dns.as_str())
}

/// `DHCP` or `Static`.
const fn net_type(network: &Network) -> &'static str {
    if network.dhcp { "DHCP" } else { "Static" }
}

fn miner_type(_: &Request, look: &Look) -> Answer {
    let mut record = Record::new()
        .with("miner_type", look.model.reported)
        .with("subtype", look.identity().subtype)
        .with("fw_version", look.compile_time());
    if look.is_newest() {
        record.push("product_type", "Scrypt");
    }
    Answer::query(&record.json_lines())
}

fn network_info(_: &Request, look: &Look) -> Answer {
    let network = &look.readings.network;
    let record = Record::new()
        .with("nettype", net_type(network))
        .with("netdevice", "eth0")
        .with("macaddr", network.mac.as_str())
        .with("ipaddress", network.ip.to_string())
        .with("netmask", network.netmask.to_string())
        .with("conf_nettype", net_type(network))
        .with("conf_hostname", network.hostname.as_str())
        .with("conf_ipaddress", network.conf_address.as_str())
        .with("conf_netmask", network.conf_netmask.as_str())
        .with("conf_gateway", network.conf_gateway.as_str())
        .with("conf_dnsservers", network.conf_dns.as_str());
    Answer::query(&record.json_lines())
}

fn blink_status(_: &Request, look: &Look) -> Answer {
    let record = Record::new().with("blink", look.readings.light);
    Answer::query(&format!("{}\n", record.json(Form::default())))
}

fn adjustment(_: &Request, _: &Look) -> Answer {
    let record =
        Record::new().with("hashrate_percent_min", "65").with("hashrate_percent_max", "100");
    Answer::query(&format!("{}\n", record.json(Form::default())))
}

fn log(_: &Request, look: &Look) -> Answer {
    let mut body = String::new();
    for line in &look.log {
        body.push_str(line);
        body.push('\n');
    }
    Answer::query(&body)
}
