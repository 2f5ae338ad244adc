use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;
use sl_app::{Ports, Settings};

use crate::{
    args::{Config, Global},
    failure::Failure,
    layers::{self, Environment},
    output,
};

mod change;
mod compare;
mod init;

pub(super) fn run(
    config: Config,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    match config {
        Config::Init { template, .. } if global.dry_run => {
            output::print(&init::text_of(template).0);
            Ok(ExitCode::SUCCESS)
        }
        Config::Init { template, file, force } => {
            init::run(template, &file.unwrap_or_else(|| PathBuf::from("silverlode.yaml")), force)
        }
        Config::Check { file } => {
            let global =
                Global { config: file.or_else(|| global.config.clone()), ..global.clone() };
            check(&global, environment)
        }
        Config::Show { origin } => {
            let read = layers::read(global, environment, &[])?;
            if global.json {
                output::print_json(&json!({"settings": read.loaded.show::<Settings>(origin)}));
            } else {
                output::print(&read.loaded.show::<Settings>(origin));
            }
            Ok(ExitCode::SUCCESS)
        }
        Config::Set { key, value } => change::set(&key, &value, global, environment),
        Config::Unset { key } => change::unset(&key, global, environment),
        Config::Diff { file, other } => {
            compare::run(file.as_deref(), other.as_deref(), global, environment)
        }
        Config::Schema { write } => init::schema(write, &file_in_force(global, environment)),
        Config::Migrate => change::migrate(global, environment),
    }
}

/// The file that a change goes to: the one in force, or the usual one here.
fn file_in_force(global: &Global, environment: &Environment) -> PathBuf {
    layers::settings_file(global, environment).unwrap_or_else(|| PathBuf::from("silverlode.yaml"))
}

fn cannot(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.to_owned();
    move |cause| Failure::File { path, doing, cause }
}

fn check(global: &Global, environment: &Environment) -> Result<ExitCode, Failure> {
    match layers::read(global, environment, &[]) {
        Ok(read) => {
            let files: Vec<String> =
                read.files.iter().map(|file| file.display().to_string()).collect();
            // A file may be checked where it will not run: what is not here is no mistake.
            let notes = Ports::real(None, environment.all(), None).missing(&read.settings);
            for note in &notes {
                output::tell(&format!("not here: {note}\n"));
            }
            if global.json {
                let told = json!({"ok": true, "files": files, "problems": [], "notes": notes});
                output::print_json(&told);
            } else if files.is_empty() {
                output::print("no settings file: the defaults hold\n");
            } else {
                output::print(&format!("ok: {}\n", files.join(", ")));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(Failure::Settings(problems)) if global.json => {
            let told: Vec<_> = problems
                .list()
                .iter()
                .map(|problem| {
                    json!({
                        "source": problem.source_name(), "line": problem.line, "column": problem.column,
                        "key": problem.key, "message": problem.message, "allowed": problem.allowed,
                        "hint": problem.hint,
                    })
                })
                .collect();
            output::print_json(&json!({"ok": false, "problems": told}));
            Ok(ExitCode::from(2))
        }
        Err(failure) => Err(failure),
    }
}
