//! `silverlode pool`

use std::{collections::HashSet, process::ExitCode, time::Duration};

use serde_json::{Value, json};
use sl_app::{
    Ports,
    pools::{self, Endpoint, Fingerprint, Knock, Password, Probe, Reached, Region, Trust},
};
use sl_ports::Clock;

use crate::{
    args::{Global, Pool},
    console::{self, paint::Paint},
    failure::Failure,
    layers::{self, Environment},
    output,
};

/// Some endpoints are well, others not.
const SOME_FAILED: u8 = 3;
/// Who knocks when nobody is named: a name that no pool knows.
const NOBODY: &str = "silverlode.probe";
/// The shortest and the longest time for one endpoint.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(120);

pub(super) fn run(
    words: &Pool,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let paint = Paint::new(output::colour_on_stdout(environment));
    match words {
        Pool::List { pools, region } => list(pools, region.as_deref(), global, paint),
        Pool::Probe { what, user, pass, region, fingerprint, within } => {
            let region = region.as_deref().map(region_of).transpose()?;
            let mut doors = match what.as_slice() {
                [] => of_settings(region, global, environment)?,
                what => named(what, region)?,
            };
            let wrong =
                |wrong: pools::FingerprintError| Failure::Usage(format!("--fingerprint: {wrong}"));
            let pin = fingerprint.as_deref().map(str::parse::<Fingerprint>).transpose();
            let pin = pin.map_err(wrong)?;
            for door in &mut doors {
                door.knock.within = (*within).clamp(SHORTEST, LONGEST);
                if let Some(user) = user {
                    door.knock.user.clone_from(user);
                    door.knock.password = Password::new(pass.clone());
                    door.known = true;
                }
                if let Some(pin) = pin {
                    door.knock.trust = Trust::Pinned(pin);
                }
            }
            probe(&doors, global, paint)
        }
    }
}

fn region_of(text: &str) -> Result<Region, Failure> {
    text.parse().map_err(|wrong| Failure::Usage(format!("--region: {wrong}")))
}

fn list(
    names: &[String],
    region: Option<&str>,
    global: &Global,
    paint: Paint,
) -> Result<ExitCode, Failure> {
    let region = region.map(region_of).transpose()?;
    let named = names.iter().map(|name| row_of(name)).collect::<Result<Vec<_>, _>>()?;
    let rows = if named.is_empty() { pools::all().iter().collect() } else { named };
    if global.json {
        let told: Vec<Value> = rows.iter().map(|row| row_json(row, region)).collect();
        output::print_json(&told);
    } else {
        output::print(&console::pool::catalogue(&rows, region, paint));
    }
    Ok(ExitCode::SUCCESS)
}

fn row_of(name: &str) -> Result<&'static pools::CataloguePool, Failure> {
    pools::by_id(name).ok_or_else(|| {
        let known: Vec<&str> = pools::all().iter().map(|row| row.id).collect();
        Failure::Usage(format!("there is no pool {name:?}, allowed are {}", known.join(", ")))
    })
}

fn row_json(row: &pools::CataloguePool, region: Option<Region>) -> Value {
    let wanted = |place: Region| region.is_none_or(|region| region == place);
    let endpoints: Vec<Value> = row
        .endpoints
        .iter()
        .filter(|endpoint| wanted(endpoint.region))
        .map(|endpoint| {
            json!({
                "url": endpoint.to_string(), "region": endpoint.region.as_str(), "tls": endpoint.tls,
                "source": endpoint.source,
            })
        })
        .collect();
    let paid = row.listings.last().map(
        |list| json!({"coins": list.coins, "as_of": list.as_of.to_string(), "source": list.source}),
    );
    json!({
        "id": row.id, "name": row.name, "endpoints": endpoints, "user": row.user_template,
        "password": row.password_template, "scheme": row.scheme, "pays": paid,
        "worker_longest": row.worker_names.map(|rule| rule.longest),
        "as_of": row.as_of.to_string(), "source": row.source,
    })
}

/// An endpoint, and how to knock there.
struct Door {
    endpoint: Endpoint,
    knock: Knock,
    /// Somebody said who works there, so that being let in is expected.
    known: bool,
}

impl Door {
    fn of_nobody(endpoint: Endpoint) -> Self {
        let knock = Knock {
            trust: Trust::Public,
            user: NOBODY.into(),
            password: Password::new("x".into()),
            within: SHORTEST,
        };
        Self { endpoint, knock, known: false }
    }
}

/// The endpoints of a row of the catalogue.
fn of_row(row: &pools::CataloguePool, region: Option<Region>) -> Vec<Door> {
    let wanted = |place: Region| region.is_none_or(|region| region == place);
    let rows = row.endpoints.iter().filter(|endpoint| wanted(endpoint.region));
    rows.filter_map(|endpoint| endpoint.to_string().parse().ok()).map(Door::of_nobody).collect()
}

/// Pools of the catalogue, and addresses.
fn named(what: &[String], region: Option<Region>) -> Result<Vec<Door>, Failure> {
    let mut doors = Vec::new();
    for word in what {
        if word.contains(':') {
            let endpoint = word.parse().map_err(|wrong| {
                Failure::Usage(format!(
                    "{word}: {wrong}, allowed is stratum+tcp://HOST:PORT or stratum+ssl://HOST:PORT"
                ))
            })?;
            doors.push(Door::of_nobody(endpoint));
        } else {
            doors.extend(of_row(row_of(word)?, region));
        }
    }
    distinct(doors)
}

/// The pools of the settings as they are to be reached; the whole catalogue where there are none.
fn of_settings(
    region: Option<Region>,
    global: &Global,
    environment: &Environment,
) -> Result<Vec<Door>, Failure> {
    let settings = layers::read(global, environment, &[])?.settings;
    let ports = Ports::real(global.seed, environment.all(), None);
    let usage = |wrong: &dyn std::fmt::Display| Failure::Usage(wrong.to_string());
    let mut plans = Vec::new();
    for entry in settings.pool.iter() {
        let plain = ports.resolve(&entry.password).map_err(|wrong| usage(&wrong))?;
        let options = entry.options().map_err(|wrong| usage(&wrong))?;
        let user = entry.login().map_err(|wrong| usage(&wrong))?.main();
        plans.push((vec![entry.url.clone()], user, plain, options.trust));
    }
    for entry in &settings.pools {
        let plain = ports.resolve(&entry.password).map_err(|wrong| usage(&wrong))?;
        let plan = entry.plan(plain.expose()).map_err(|wrong| usage(&wrong))?;
        plans.push((plan.endpoints, plan.user.to_string(), plain, plan.options.trust));
    }
    let doors = plans.into_iter().flat_map(|(endpoints, user, plain, trust)| {
        let password = Password::new(plain.expose().to_owned());
        let knock = Knock { trust, user, password, within: SHORTEST };
        endpoints.into_iter().map(move |endpoint| Door {
            endpoint,
            knock: knock.clone(),
            known: true,
        })
    });
    let mut doors: Vec<Door> = doors.collect();
    if doors.is_empty() || region.is_some() {
        doors = pools::all().iter().flat_map(|row| of_row(row, region)).collect();
    }
    distinct(doors)
}

/// Each endpoint once; at least one.
fn distinct(mut doors: Vec<Door>) -> Result<Vec<Door>, Failure> {
    let mut seen = HashSet::new();
    doors.retain(|door| seen.insert(door.endpoint.clone()));
    if doors.is_empty() {
        let nothing =
            "no source states an endpoint of that: give its URL, as in stratum+tcp://HOST:PORT";
        return Err(Failure::Usage(nothing.into()));
    }
    Ok(doors)
}

fn probe(doors: &[Door], global: &Global, paint: Paint) -> Result<ExitCode, Failure> {
    let system = |wrong: &dyn std::fmt::Display| Failure::System(format!("cannot probe: {wrong}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|wrong| system(&wrong))?;
    let asked = doors.iter().map(|door| (door.endpoint.clone(), door.knock.clone())).collect();
    let probes = runtime.block_on(pools::probe_all(asked, Clock::real()));
    // A look-up that hangs in the system's resolver must not hold us.
    runtime.shutdown_background();
    let probes = probes.map_err(|wrong| system(&wrong))?;
    let judged: Vec<(Probe, bool)> = probes
        .into_iter()
        .zip(doors)
        .map(|(probe, door)| {
            let well = is_well(&probe, door.known);
            (probe, well)
        })
        .collect();
    let well = judged.iter().filter(|(_, well)| *well).count();
    if global.json {
        let told: Vec<Value> =
            judged.iter().map(|(probe, well)| probe_json(probe, *well)).collect();
        output::print_json(&json!({"endpoints": told, "well": well}));
    } else {
        output::print(&console::pool::probes(&judged, paint));
    }
    Ok(match well {
        0 => ExitCode::FAILURE,
        well if well == judged.len() => ExitCode::SUCCESS,
        _ => ExitCode::from(SOME_FAILED),
    })
}

/// A pool that refuses a name that nobody has, or gives it no job, is well.
fn is_well(probe: &Probe, known: bool) -> bool {
    if known {
        probe.reached == Reached::Job && matches!(probe.authorized, Some(Ok(())))
    } else {
        probe.reached >= Reached::Handshake
    }
}

fn probe_json(probe: &Probe, well: bool) -> Value {
    let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1000.0);
    json!({
        "url": probe.endpoint.to_string(),
        "well": well,
        "reached": match probe.reached {
            Reached::Nothing => "nothing",
            Reached::Connection => "connection",
            Reached::Handshake => "handshake",
            Reached::Job => "job",
        },
        "address": probe.address.map(|address| address.to_string()),
        "tls": probe.endpoint.tls(),
        "connect_ms": ms(probe.connect),
        "tls_ms": ms(probe.tls),
        "subscribe_ms": ms(probe.subscribe),
        "job_ms": ms(probe.job),
        "authorized": probe.authorized.as_ref().map(Result::is_ok),
        "difficulty": probe.difficulty.map(sl_units::ShareDifficulty::get),
        "extranonce1_bytes": probe.extranonce.map(|(own, _)| own),
        "extranonce2_bytes": probe.extranonce.map(|(_, ours)| ours),
        "resumable": probe.extranonce.map(|_| probe.resumable),
        "coinbase_bytes": probe.coinbase.map(|(bytes, _)| bytes),
        "branch": probe.coinbase.map(|(_, branch)| branch),
        "error": probe.wrong,
    })
}
