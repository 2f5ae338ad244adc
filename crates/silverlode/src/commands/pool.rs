//! `silverlode pool`

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};
use sl_app::pools::{self, Endpoint, Fingerprint, Knock, Password, Probe, Reached, Region, Trust};
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
/// The longest time for one endpoint.
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
            let mut asked = Asked::new(what, region, global, environment)?;
            if let Some(user) = user {
                asked.user = Some(user.clone());
            }
            if let Some(pin) = fingerprint {
                let wrong = |wrong: pools::FingerprintError| {
                    Failure::Usage(format!("--fingerprint: {wrong}"))
                };
                asked.trust = Trust::Pinned(pin.parse::<Fingerprint>().map_err(wrong)?);
            }
            let knock = Knock {
                trust: asked.trust,
                user: asked.user.clone().unwrap_or_else(|| NOBODY.into()),
                password: Password::new(pass.clone()),
                within: (*within).clamp(Duration::from_millis(100), LONGEST),
            };
            probe(&asked.endpoints, &knock, asked.user.is_some(), global, paint)
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

/// What is to be probed.
struct Asked {
    endpoints: Vec<Endpoint>,
    user: Option<String>,
    trust: Trust,
}

impl Asked {
    fn new(
        what: &[String],
        region: Option<Region>,
        global: &Global,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let mut asked = Self { endpoints: Vec::new(), user: None, trust: Trust::Public };
        let wanted = |place: Region| region.is_none_or(|region| region == place);
        let of_row = |row: &pools::CataloguePool| {
            let rows = row.endpoints.iter().filter(|endpoint| wanted(endpoint.region));
            rows.filter_map(|endpoint| endpoint.to_string().parse().ok()).collect::<Vec<_>>()
        };
        for word in what {
            if let Some(row) = pools::by_id(word) {
                asked.endpoints.extend(of_row(row));
            } else if word.contains(':') {
                let wrong = |wrong| {
                    Failure::Usage(format!(
                        "{word}: {wrong}, allowed is stratum+tcp://HOST:PORT or stratum+ssl://HOST:PORT"
                    ))
                };
                asked.endpoints.push(word.parse().map_err(wrong)?);
            } else {
                row_of(word)?;
            }
        }
        if what.is_empty() {
            let settings = layers::read(global, environment, &[])?.settings;
            match settings.pool.as_ref().filter(|_| region.is_none()) {
                Some(pool) => {
                    let wrong =
                        |wrong: &dyn std::fmt::Display| Failure::Usage(format!("pool: {wrong}"));
                    asked.endpoints.push(pool.url.clone());
                    asked.user = Some(pool.login().map_err(|error| wrong(&error))?.main());
                    asked.trust = pool.options().map_err(|error| wrong(&error))?.trust;
                }
                None => asked.endpoints.extend(pools::all().iter().flat_map(of_row)),
            }
        }
        let mut seen = std::collections::HashSet::new();
        asked.endpoints.retain(|endpoint| seen.insert(endpoint.clone()));
        if asked.endpoints.is_empty() {
            let nothing =
                "no source states an endpoint of that: give its URL, as in stratum+tcp://HOST:PORT";
            return Err(Failure::Usage(nothing.into()));
        }
        Ok(asked)
    }
}

fn probe(
    endpoints: &[Endpoint],
    knock: &Knock,
    known: bool,
    global: &Global,
    paint: Paint,
) -> Result<ExitCode, Failure> {
    let system = |wrong: &dyn std::fmt::Display| Failure::System(format!("cannot probe: {wrong}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|wrong| system(&wrong))?;
    let clock = Clock::real();
    let probes = runtime.block_on(pools::probe_all(endpoints, knock, &clock));
    // A look-up that hangs in the system's resolver must not hold us.
    runtime.shutdown_background();
    let probes = probes.map_err(|wrong| system(&wrong))?;
    let well = probes.iter().filter(|probe| is_well(probe, known)).count();
    if global.json {
        let told: Vec<Value> = probes.iter().map(|probe| probe_json(probe, known)).collect();
        output::print_json(&json!({
            "endpoints": told, "well": well, "within_s": knock.within.as_secs_f64(),
        }));
    } else {
        output::print(&console::pool::probes(&probes, &|probe| is_well(probe, known), paint));
    }
    Ok(match well {
        0 => ExitCode::FAILURE,
        well if well == probes.len() => ExitCode::SUCCESS,
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

fn probe_json(probe: &Probe, known: bool) -> Value {
    let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1000.0);
    json!({
        "url": probe.endpoint.to_string(),
        "well": is_well(probe, known),
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
