//! `silverlode twin`

use std::{ffi::OsStr, fs, io, path::Path, process::ExitCode};

use serde_json::json;
use sl_app::{AssembleError, Ports};
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
            plot(scenario, &settings, *machine, out, global)
        }
        (None, Some(scenario)) if !words.live => {
            let mut settings =
                layers::read(global, environment, &flags_of(words))?.settings.machines;
            let read = read(scenario)?;
            match words.count {
                None => settings.count = 1,
                Some(_) if settings.count == 0 => return Err(AssembleError::NoMachines.into()),
                Some(_) => {}
            }
            play(&read, settings, global);
            Ok(ExitCode::SUCCESS)
        }
        (None, scenario) => {
            // Its mistakes are told with their places; the settings would tell their text.
            scenario.as_deref().map(read).transpose()?;
            farm::twin(&flags_of(words), global, environment)
        }
    }
}

fn read(path: &Path) -> Result<Scenario, Failure> {
    let text = layers::content(path).map_err(|cause| Failure::File {
        path: path.to_owned(),
        doing: "read",
        cause,
    })?;
    let text = String::from_utf8_lossy(&text);
    Scenario::read(&path.display().to_string(), &text).map_err(Failure::Scenario)
}

/// Plays a scenario at full speed and tells its events. There are as many machines as it names at
/// least.
fn play(scenario: &Scenario, mut settings: MachinesSettings, global: &Global) {
    let named = u16::try_from(scenario.machines()).unwrap_or(u16::MAX);
    settings.count = settings.count.max(named);
    let day = Day::new(scenario, settings.specs("", ""), seed(global));
    let mut quiet = true;
    day.play(|event| {
        quiet = false;
        tell(&event, &settings, global.json);
    });
    if quiet {
        let hours = (scenario.length().as_secs_f64() / 3.6).round() / 1000.0;
        output::tell(&format!("nothing goes wrong in {hours} h\n"));
    }
}

/// What chance in a scenario derives from; the same at each run, unless told otherwise.
fn seed(global: &Global) -> u64 {
    Ports::real(Some(global.seed.unwrap_or(1)), Default::default(), None).randomness.root()
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
    settings: &MachinesSettings,
    machine: u16,
    out: &Path,
    global: &Global,
) -> Result<ExitCode, Failure> {
    let is_svg = |ending: &OsStr| ending.eq_ignore_ascii_case("svg");
    if !out.extension().is_none_or(is_svg) {
        let found = out.display();
        let wrong = format!("--out: found {found}, allowed: a name that ends in .svg, or -");
        return Err(Failure::Usage(wrong));
    }
    let (scenario, machine) = (read(path)?, usize::from(machine));
    // One that names no machine is everybody's.
    let named = scenario.machines();
    if named > 0 && machine >= named {
        let (path, last) = (path.display(), named - 1);
        let wrong =
            format!("--machine: found {machine}, allowed: 0 to {last}, as {path} names them");
        return Err(Failure::Usage(wrong));
    }
    let beyond = || Failure::Usage(format!("--machine: {machine} is beyond {}", settings.net));
    let spec = settings.spec(machine, "", "").ok_or_else(beyond)?;
    let traces = Day::alone(&scenario, machine, spec, seed(global)).play(|_| {});
    let picture = traces.first().map(plot::svg).unwrap_or_default();
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
    set("--nameplate", "machines.nameplate", words.nameplate.clone());
    set("--inlet", "machines.inlet", words.inlet.clone());
    set("--altitude", "machines.altitude", words.altitude.clone());
    set("--report", "machines.report", word(words.report, "true"));
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
