//! `silverlode doctor`

mod bundle;

use std::{ffi::OsStr, fmt::Write as _, process::ExitCode};

use serde_json::{Value, json};
use sl_app::{
    Ports, Settings,
    doctor::{Check, Examined, SettingsFound, Verdict, judge, observe},
};
use sl_config::Problems;

use crate::{
    args::{Doctor, Global},
    commands::farm,
    failure::Failure,
    layers::{self, Environment, Read},
    output,
};

/// Some of what was looked at is bad.
const SOME_FAILED: u8 = 3;

/// Looks, judges, tells; and writes the report to pass on.
pub(super) fn run(
    doctor: &Doctor,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let folder = farm::data_folder(global, environment)?;
    let read = layers::read(global, environment, &[]);
    let found = settings_found(&read, global);
    let settings = read.as_ref().map_or_else(|_| Settings::default(), |read| read.settings.clone());
    let ports = Ports::real(global.seed, environment.all(), None);
    bundle::learn_secrets(&settings, &ports);
    let system = |wrong: std::io::Error| Failure::System(format!("cannot start: {wrong}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    let seen = runtime.block_on(observe(Examined {
        settings: &settings,
        found,
        ports: &ports,
        folder: folder.clone(),
        path: environment.get("PATH").map(OsStr::new),
    }));
    let mut checks = judge(&seen);
    for check in &mut checks {
        check.found = ports.masker.mask(&check.found).into_owned();
        check.cure = check.cure.take().map(|cure| ports.masker.mask(&cure).into_owned());
    }
    let worst = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    let told = as_json(&checks, worst);
    if let Some(file) = &doctor.bundle {
        bundle::write(file, &told, &read, &folder, &ports)?;
        output::tell(&format!(
            "wrote {}: secrets are removed; addresses, accounts and paths are in it, so read it before you pass it on\n",
            file.display()
        ));
    }
    if global.json {
        output::print_json(&told);
    } else {
        output::print(&as_text(&checks));
    }
    Ok(if worst == Verdict::Bad { ExitCode::from(SOME_FAILED) } else { ExitCode::SUCCESS })
}

fn settings_found(read: &Result<Read, Failure>, global: &Global) -> SettingsFound {
    let check = match &global.config {
        Some(file) => format!("silverlode config check {}", file.display()),
        None => "silverlode config check".to_owned(),
    };
    match read {
        Ok(read) => SettingsFound { files: read.files.clone(), check, ..SettingsFound::default() },
        Err(Failure::Settings(problems)) => SettingsFound {
            mistakes: count(problems),
            first: problems.list().first().map(|problem| {
                let place = match problem.line {
                    0 => problem.source_name().to_owned(),
                    line => format!("{}:{line}:{}", problem.source_name(), problem.column),
                };
                format!("{place}: {}", problem.title())
            }),
            check,
            ..SettingsFound::default()
        },
        Err(other) => {
            SettingsFound { first: Some(other.to_string()), check, ..SettingsFound::default() }
        }
    }
}

fn count(problems: &Problems) -> usize {
    problems.list().len() + problems.untold()
}

fn as_json(checks: &[Check], worst: Verdict) -> Value {
    let rows = checks.iter().map(|check| {
        json!({
            "id": check.id, "verdict": check.verdict.word(), "found": check.found,
            "cure": check.cure,
        })
    });
    json!({
        "version": env!("CARGO_PKG_VERSION"), "verdict": worst.word(),
        "checks": rows.collect::<Vec<_>>(),
    })
}

fn as_text(checks: &[Check]) -> String {
    let wide = checks.iter().map(|check| check.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{:<7}  {:<wide$}  {}", check.verdict.word(), check.id, check.found);
        if let Some(cure) = &check.cure {
            let _ = writeln!(text, "{:<7}  {:<wide$}  cure: {cure}", "", "");
        }
    }
    let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let all = [Verdict::Ok, Verdict::Unknown, Verdict::Warn, Verdict::Bad];
    let counts = all.map(|verdict| format!("{} {}", of(verdict), verdict.word()));
    text + &counts.join(", ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cure_stands_below_what_it_cures() {
        let check = |id: &str, verdict, cure: Option<&str>| Check {
            id: id.into(),
            verdict,
            found: "this".into(),
            cure: cure.map(Into::into),
        };
        let checks = [check("a", Verdict::Ok, None), check("bcd", Verdict::Bad, Some("do that"))];
        assert_eq!(
            as_text(&checks),
            "ok       a    this\nbad      bcd  this\n              cure: do that\n1 ok, 0 unknown, 0 warn, 1 bad\n"
        );
    }
}
