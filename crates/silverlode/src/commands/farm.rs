//! The commands that run services.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use sl_app::{Applier, Builder, CHOICE_FILE, Composition, LogStyle, Plan, Ports, Settings};
use sl_ports::{DataFolder, folders};
use sl_telemetry::Guard;

use crate::{
    args::{Global, Mine},
    console,
    drive::drive,
    failure::Failure,
    follow::Followed,
    layers::{self, Environment, Flag, Read},
    output,
};

/// `silverlode up`
pub(super) fn up(global: &Global, environment: &Environment) -> Result<ExitCode, Failure> {
    start(Composition::Up, &[], global, environment)
}

/// `silverlode gateway`
pub(super) fn gateway(global: &Global, environment: &Environment) -> Result<ExitCode, Failure> {
    start(Composition::Gateway, &[], global, environment)
}

/// `silverlode node`
pub(super) fn node(global: &Global, environment: &Environment) -> Result<ExitCode, Failure> {
    start(Composition::Node, &[], global, environment)
}

/// `silverlode twin`
pub(super) fn twin(
    flags: &[Flag],
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    start(Composition::Twin, flags, global, environment)
}

/// `silverlode mine`
pub(super) fn mine(
    mine: &Mine,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    start(Composition::Mine, &flags_of(mine)?, global, environment)
}

/// The words of other miners as settings: a pool, or a node to mine solo on.
fn flags_of(mine: &Mine) -> Result<Vec<Flag>, Failure> {
    let mut flags: Vec<Flag> = Vec::new();
    let mut set = |flag, key, value: &Option<String>| {
        if let Some(text) = value {
            flags.push((flag, key, text.clone()));
        }
    };
    match &mine.url {
        Some(url) if url.starts_with("http://") => {
            set("-o", "solo.parent.url", &mine.url);
            set("-u", "solo.parent.user", &mine.user);
            set("-p", "solo.parent.password", &mine.pass);
            set("--coinbase-addr", "solo.parent.address", &mine.address);
            set("-o", "solo.parent.coin", &Some("LTC".into()));
        }
        Some(_) if mine.address.is_some() => {
            return Err(Failure::Usage(
                "--coinbase-addr is for own nodes (-o http://HOST:PORT); a pool pays to the account in -u".into(),
            ));
        }
        Some(_) => {
            set("-o", "pool.url", &mine.url);
            set("-u", "pool.user", &mine.user);
            set("-p", "pool.password", &mine.pass);
        }
        None if mine.user.is_some() || mine.pass.is_some() || mine.address.is_some() => {
            return Err(Failure::Usage(
                "-u, -p and --coinbase-addr need -o: a pool or an own node".into(),
            ));
        }
        None => {}
    }
    let yes = |given: bool| given.then(|| "true".to_owned());
    set("-t", "mine.threads", &mine.threads);
    set("--pin", "mine.pin", &yes(mine.pin));
    set("--priority", "mine.priority", &mine.priority);
    set("--cpu-limit", "mine.cpu_limit", &mine.cpu_limit);
    set("--pause-on-battery", "mine.pause_on_battery", &yes(mine.pause_on_battery));
    set("--pause-above-load", "mine.pause_above_load", &mine.pause_above_load);
    Ok(flags)
}

fn start(
    composition: Composition,
    flags: &[Flag],
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let read = layers::read(global, environment, flags)?;
    if global.dry_run {
        // What would keep its data there is told; nothing is made.
        let data = match composition {
            Composition::Mine | Composition::Twin => None,
            _ => data_folder(global, environment).ok(),
        };
        let ports = Ports::real(global.seed, environment.all(), data);
        let builder = Builder::new(read.settings.clone(), ports.clone());
        if composition == Composition::Gateway
            && let Some(plan) = builder.farm_plan(composition)?
        {
            match global.json {
                true => output::print_json(&plan),
                false => output::print(&console::farm_plan(&plan)),
            }
            return Ok(ExitCode::SUCCESS);
        }
        let services = assemble(&read, composition, ports)?.services();
        if global.json {
            output::print_json(&services);
        } else {
            output::print(&console::services(&services));
        }
        return Ok(ExitCode::SUCCESS);
    }
    // Several miners may run beside a farm; what keeps data, or owns ports, has the folder alone.
    let folder = match composition {
        Composition::Mine | Composition::Twin => None,
        _ => Some(DataFolder::open(&data_folder(global, environment)?)?),
    };
    let data = folder.as_ref().map(|folder| folder.path().to_owned());
    // Which engine is the fastest is a fact of the host: the file needs no lock.
    let choices = data_folder(global, environment).map(|folder| folder.join(CHOICE_FILE));
    let ports = Ports::real(global.seed, environment.all(), data);
    let logs = logs(&read.settings, &ports, environment)?;
    let followed = Followed {
        global: global.clone(),
        environment: environment.clone(),
        flags: flags.to_vec(),
        files: read.files,
    };
    let builder = Builder::new(read.settings, ports).following(
        Arc::new(followed),
        read.loaded,
        vec![follow_level(&logs)],
    );
    let builder = match choices {
        Ok(file) => builder.choosing_engines_by(file),
        Err(_) => builder,
    };
    drive(|| Ok(builder.assemble(composition)?), global, &logs)
}

/// Builds the services of a composition.
pub(super) fn assemble(
    read: &Read,
    composition: Composition,
    ports: Ports,
) -> Result<Plan, Failure> {
    Ok(Builder::new(read.settings.clone(), ports).assemble(composition)?)
}

/// The folder named, or the usual one.
pub(super) fn data_folder(global: &Global, environment: &Environment) -> Result<PathBuf, Failure> {
    if let Some(named) = &global.data {
        return Ok(named.clone());
    }
    let variable = |name| environment.get(name).map(std::ffi::OsStr::new);
    Ok(folders::default_path(variable("XDG_STATE_HOME"), variable("HOME"))?)
}

/// The log follows its level while all runs.
fn follow_level(logs: &Guard) -> Applier {
    let filter = logs.filter();
    Applier::new("log.level", move |settings| {
        filter.set(&settings.log.level).map_err(|wrong| wrong.to_string())
    })
}

fn logs(settings: &Settings, ports: &Ports, environment: &Environment) -> Result<Guard, Failure> {
    let clock = ports.clock;
    sl_telemetry::init(sl_telemetry::Settings {
        style: match settings.log.style {
            LogStyle::Pretty => sl_telemetry::LogStyle::Pretty,
            LogStyle::Json => sl_telemetry::LogStyle::Json,
        },
        filter: settings.log.level.clone(),
        terminal: false,
        colour: output::colour_on_stderr(environment),
        masker: ports.masker.clone(),
        now: Arc::new(move || clock.wall()),
    })
    .map_err(|wrong| Failure::Usage(wrong.to_string()))
}
