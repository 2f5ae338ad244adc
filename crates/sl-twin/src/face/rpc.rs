//! TCP 4028: one request, one reply, closed. What is asked and what is answered, without a socket.

use serde_json::Value;

use super::identity::Dialect;
use super::record::{Form, Record};
use super::section::Section;
use super::{Look, Want, legacy, old, pages};
use crate::conf::Command;

/// Most bytes of a request, as the firmware's buffer holds.
pub(super) const MAX_REQUEST: usize = 8191;
/// Most commands of an array that are answered.
const MAX_COMMANDS: usize = 11;

/// What a request leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// The reply, with the zero byte at its end.
    pub(super) bytes: Vec<u8>,
    /// What the machine must do.
    pub(super) command: Option<Command>,
}

/// One command of the older kind.
struct Call {
    name: &'static str,
    code: u32,
    message: &'static str,
    body: Option<fn(&Look) -> Section>,
}

/// The table of the L7's program. The codes are known, the bodies from `reject` on are not: they
/// answer their status alone.
static MODERN: [Call; 10] = [
    Call::new("summary", 11, "Summary", Some(legacy::summary)),
    Call::new("pools", 7, "3 Pool(s)", Some(legacy::pools)),
    Call::new("stats", 70, "CGMiner stats", Some(legacy::stats)),
    Call::new("version", 22, "CGMiner versions", Some(legacy::version)),
    Call::new("reject", 71, "CGMiner reject", None),
    Call::new("timeout", 72, "CGMiner timeout", None),
    Call::new("noncenum", 73, "CGMiner noncenum", None),
    Call::new("getchipreg", 74, "CGMiner getchipreg", None),
    Call::new("getcorereg", 75, "CGMiner getcorereg", None),
    // The newest release alone.
    Call::new("heartbeat", 76, "CGMiner heartbeat", None),
];

/// What a fleet asks of cgminer 4.9.0 on an L3+.
static OLD: [Call; 4] = [
    Call::new("summary", 11, "Summary", Some(old::summary)),
    Call::new("pools", 7, "3 Pool(s)", Some(old::pools)),
    Call::new("stats", 70, "CGMiner stats", Some(old::stats)),
    Call::new("version", 22, "CGMiner versions", Some(old::version)),
];

/// Whether a request is whole. The firmware takes what the first packet brings; here the pieces of
/// one that was split are waited for.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    if bytes.len() >= MAX_REQUEST || bytes.contains(&0) {
        return true;
    }
    if text.starts_with(b"{") {
        return text.ends_with(b"}") && !matches!(first_value(text), First::Unfinished);
    }
    let command = text.split(|byte| *byte == b'|').next().unwrap_or_default();
    let is_known = || MODERN.iter().any(|call| call.name.as_bytes() == command);
    !text.is_empty() && (bytes.contains(&b'\n') || is_known())
}

/// What must be looked at to answer.
pub(super) fn want(request: &[u8]) -> Want {
    const CHART: &[u8] = b"\"rate\"";
    let asks = request.windows(CHART.len()).any(|it| it == CHART);
    if asks { Want::Chart } else { Want::Figures }
}

/// The answer to whatever was sent.
pub(super) fn answer(request: &[u8], look: &Look) -> Answer {
    let request = request.split(|byte| *byte == 0).next().unwrap_or_default().trim_ascii();
    let (text, command) = if request.starts_with(b"{") {
        match first_value(request) {
            First::Value(value) => json(&value, look),
            First::Unfinished | First::Broken => {
                (Reply::error(23, "Invalid JSON", look).json(look), None)
            }
        }
    } else {
        (classic(request, look), None)
    };
    let mut bytes = text.into_bytes();
    bytes.push(0);
    Answer { bytes, command }
}

enum First {
    Value(Value),
    Unfinished,
    Broken,
}

/// The first JSON value; what follows it is not looked at.
fn first_value(bytes: &[u8]) -> First {
    match serde_json::Deserializer::from_slice(bytes).into_iter().next() {
        Some(Ok(value)) => First::Value(value),
        Some(Err(error)) if !error.is_eof() => First::Broken,
        _ => First::Unfinished,
    }
}

fn json(request: &Value, look: &Look) -> (String, Option<Command>) {
    let command = request.get("command");
    let newer = request.get("new_api") == Some(&Value::Bool(true));
    match command {
        Some(Value::String(name)) if newer && look.dialect() == Dialect::Modern => {
            let body = pages::body(name, look).unwrap_or_else(|| pages::not_supported(name));
            (body.json(look.form()), (name == "reload").then_some(Command::Reload))
        }
        Some(Value::String(names)) if look.dialect() == Dialect::Old && names.contains('+') => {
            (several(names.split('+'), look), None)
        }
        Some(Value::String(name)) => (reply(name, look).json(look), None),
        Some(Value::Array(names)) if look.dialect() == Dialect::Modern && !names.is_empty() => {
            (several(names.iter().map(|name| name.as_str().unwrap_or_default()), look), None)
        }
        _ => (Reply::error(24, "Missing JSON 'command'", look).json(look), None),
    }
}

/// Several commands: their replies under their names.
fn several<'a>(names: impl Iterator<Item = &'a str>, look: &Look) -> String {
    let mut whole = Record::new();
    for name in names.take(MAX_COMMANDS) {
        if !whole.contains(name) {
            whole.push(name.to_owned(), vec![reply(name, look).record()]);
        }
    }
    whole.with("id", 1).json(look.form())
}

fn classic(request: &[u8], look: &Look) -> String {
    let command = request.split(|byte| *byte == b'|').next().unwrap_or_default();
    std::str::from_utf8(command)
        .map_or_else(|_| Reply::error(14, INVALID, look), |name| reply(name.trim(), look))
        .classic()
}

const INVALID: &str = "Invalid command";

fn table(dialect: Dialect) -> &'static [Call] {
    match dialect {
        Dialect::Modern => &MODERN,
        Dialect::Old => &OLD,
    }
}

fn reply(name: &str, look: &Look) -> Reply {
    let lacks = name == "heartbeat" && !look.is_newest();
    let call = table(look.dialect()).iter().find(|call| call.name == name && !lacks);
    call.map_or_else(
        || Reply::error(14, INVALID, look),
        |call| Reply {
            status: status("S", call.code, call.message, look),
            section: call.body.map(|body| body(look)),
        },
    )
}

fn status(letter: &'static str, code: u32, message: &'static str, look: &Look) -> Record {
    let description = match look.dialect() {
        Dialect::Modern => legacy::DESCRIPTION,
        Dialect::Old => old::DESCRIPTION,
    };
    Record::new()
        .with("STATUS", letter)
        .with("When", look.seconds())
        .with("Code", code)
        .with("Msg", message)
        .with("Description", description)
}

struct Reply {
    status: Record,
    section: Option<Section>,
}

impl Reply {
    fn error(code: u32, message: &'static str, look: &Look) -> Self {
        Self { status: status("E", code, message, look), section: None }
    }

    fn json(self, look: &Look) -> String {
        let stats = self.section.as_ref().is_some_and(|section| section.name == "STATS");
        // The program of the L3+ forgets this one comma; recorded in 2018.
        let forgets = stats && look.dialect() == Dialect::Old;
        let form = Form { lost_commas: forgets || look.form().lost_commas };
        self.record().json(form)
    }

    fn record(self) -> Record {
        let mut whole = Record::new().with("STATUS", vec![self.status]);
        if let Some(section) = self.section {
            whole.push(section.name, section.rows);
        }
        whole.with("id", 1)
    }

    fn classic(self) -> String {
        let mut text = format!("{}|", self.status.classic());
        let section = self.section.into_iter();
        for (row, name) in section.flat_map(|it| {
            let name = if it.named { Some(it.name) } else { None };
            it.rows.into_iter().map(move |row| (row, name))
        }) {
            if let Some(name) = name {
                text.push_str(name);
                text.push(',');
            }
            text.push_str(&row.classic());
            text.push('|');
        }
        text
    }
}

impl Call {
    const fn new(
        name: &'static str,
        code: u32,
        message: &'static str,
        body: Option<fn(&Look) -> Section>,
    ) -> Self {
        Self { name, code, message, body }
    }
}
