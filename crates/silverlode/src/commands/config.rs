use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;
use sl_app::Settings;
use sl_config::{TemplateKind, template};

use crate::{
    args::{Config, Global},
    failure::Failure,
    layers::{self, Environment},
    output,
};

pub(super) fn run(
    config: Config,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    match config {
        Config::Init { file, force } => {
            init(&file.unwrap_or_else(|| PathBuf::from("silverlode.yaml")), force)
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
    }
}

fn init(file: &Path, force: bool) -> Result<ExitCode, Failure> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options
        .open(file)
        .and_then(|mut out| out.write_all(template::<Settings>(TemplateKind::Full).as_bytes()));
    match written {
        Ok(()) => {
            output::tell(&format!(
                "wrote {}: every setting with its default, commented out\nhint: silverlode config check {}\n",
                file.display(),
                file.display()
            ));
            Ok(ExitCode::SUCCESS)
        }
        Err(wrong) if wrong.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::Usage(format!(
                "{} is there already; give another name, or --force to overwrite it",
                file.display()
            )))
        }
        Err(cause) => Err(Failure::File { path: file.to_owned(), doing: "write", cause }),
    }
}

fn check(global: &Global, environment: &Environment) -> Result<ExitCode, Failure> {
    match layers::read(global, environment, &[]) {
        Ok(read) => {
            let files: Vec<String> =
                read.files.iter().map(|file| file.display().to_string()).collect();
            if global.json {
                output::print_json(&json!({"ok": true, "files": files, "problems": []}));
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
