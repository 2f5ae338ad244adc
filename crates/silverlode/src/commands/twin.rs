//! `silverlode twin`

use std::{fs, io, path::Path, process::ExitCode};

use serde_json::json;
use sl_app::Ports;
use sl_twin::{
    MachinesSettings, ModelName,
    day::{Day, Event},
    plot,
    scenario::Scenario,
};

use crate::{
    args::{Global, Twin, TwinWord},
    commands::farm,
    failure::Failure,
    layers::{self, Environment, Flag},
    output,
};

pub(super) fn run(
    words: &Twin,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    match (&words.word, &words.scenario) {
        (Some(TwinWord::Plot { scenario, model, machine, out }), _) => {
            let model = <ModelName as sl_config::Setting>::parse(model).map_err(|_| {
                let allowed = <ModelName as sl_config::Setting>::allowed();
                Failure::Usage(format!("--model: found {model:?}, allowed: {allowed}"))
            })?;
            let settings = MachinesSettings { model, ..MachinesSettings::default() };
            plot(scenario, settings, *machine, out, global)
        }
        (None, Some(scenario)) if !words.live => {
            let mut settings =
                layers::read(global, environment, &flags_of(words))?.settings.machines;
            let read = read(scenario)?;
            if words.count.is_none() {
                settings.count = 1;
            }
            play(&read, settings, global, |event, settings| tell(event, settings, global.json));
            Ok(ExitCode::SUCCESS)
        }
        _ => farm::twin(&flags_of(words), global, environment),
    }
}

fn read(path: &Path) -> Result<Scenario, Failure> {
    let text = layers::content(path).map_err(|cause| Failure::File {
        path: path.to_owned(),
        doing: "read",
        cause,
    })?;
    let text = String::from_utf8_lossy(&text);
    Scenario::read(&path.display().to_string(), &text).map_err(Failure::Settings)
}

/// Plays a scenario at full speed. There are as many machines as it names at least.
fn play(
    scenario: &Scenario,
    mut settings: MachinesSettings,
    global: &Global,
    mut tell: impl FnMut(&Event, &MachinesSettings),
) -> Vec<plot::Trace> {
    let named = u16::try_from(scenario.machines()).unwrap_or(u16::MAX);
    settings.count = settings.count.max(named);
    let ports = Ports::real(Some(global.seed.unwrap_or(1)), Default::default(), None);
    let specs = settings.specs("", "");
    let day = Day::new(scenario, specs, ports.randomness.root());
    day.play(|event| tell(&event, &settings))
}

fn tell(event: &Event, settings: &MachinesSettings, json: bool) {
    if json {
        output::print_json(&json!({
            "at_s": event.at.as_secs(),
            "machine": event.machine,
            "address": settings.net.host(event.machine).map(|address| address.to_string()),
            "event": event.what.name(),
            "detail": event.what.detail(),
        }));
    } else {
        output::print(&format!("{event}\n"));
    }
}

fn plot(
    path: &Path,
    settings: MachinesSettings,
    machine: u16,
    out: &Path,
    global: &Global,
) -> Result<ExitCode, Failure> {
    let scenario = read(path)?;
    let count = machine.saturating_add(1);
    let settings = MachinesSettings { count, ..settings };
    let traces = play(&scenario, settings, global, |_, _| {});
    let Some(trace) = traces.get(usize::from(machine)) else {
        return Err(Failure::Usage(format!("--machine: {machine} is beyond the net")));
    };
    let picture = plot::svg(trace);
    if out == Path::new("-") {
        output::print(&picture);
    } else {
        let failed =
            |cause: io::Error| Failure::File { path: out.to_owned(), doing: "write", cause };
        fs::write(out, &picture).map_err(failed)?;
        output::tell(&format!("wrote {}\n", out.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The words as settings.
fn flags_of(words: &Twin) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    let mut set = |flag, key, value: Option<String>| {
        flags.extend(value.map(|text| (flag, key, text)));
    };
    let word = |given: bool, word: &str| given.then(|| word.to_owned());
    let file = words.scenario.as_ref().filter(|_| words.live);
    set("--count", "machines.count", words.count.clone());
    set("--net", "machines.net", words.net.clone());
    set("--model", "machines.model", words.model.clone());
    set("--firmware", "machines.firmware", words.firmware.clone());
    set("--pool", "machines.pool", words.pool.clone());
    set("--user", "machines.user", words.user.clone());
    set("--pass", "machines.password", words.pass.clone());
    set("--threads", "mine.threads", words.threads.clone());
    set("--ports", "machines.ports", words.ports.clone());
    set("--scale", "machines.scale", words.scale.clone());
    set("--cold", "machines.warm", word(words.cold, "false"));
    let keep = words.keep.as_ref().map(|path| path.display().to_string());
    set("--keep", "machines.keep", keep);
    set("--scenario", "machines.scenario", file.map(|path| path.display().to_string()));
    set("--allow-lan", "machines.allow_lan", word(words.allow_lan, "true"));
    flags
}
