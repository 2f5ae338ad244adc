//! What differs between settings.

use std::{path::Path, process::ExitCode};

use serde_json::{Value, json};
use sl_app::Settings;
use sl_config::{Change, Layers, Loaded, diff, load};

use crate::{
    args::Global,
    commands::config::cannot,
    failure::Failure,
    layers::{self, Environment},
    output,
};

/// The defaults against the settings in force or against a file; or a file against another.
pub(super) fn run(
    file: Option<&Path>,
    other: Option<&Path>,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let defaults = || load(Layers::new()).map_err(Failure::Settings);
    let (from, to) = match (file, other) {
        (None, _) => (defaults()?, layers::read(global, environment, &[])?.loaded),
        (Some(file), None) => (defaults()?, of_file(file)?),
        (Some(file), Some(other)) => (of_file(file)?, of_file(other)?),
    };
    let changes = diff::<Settings>(&from, &to);
    if global.json {
        output::print_json(&json!({
            "changes": changes.iter().map(as_json).collect::<Vec<_>>(),
        }));
    } else if changes.is_empty() {
        output::print("no difference\n");
    } else {
        let when = |change: &Change| if change.live { "live" } else { "restart" };
        let lines = changes.iter().map(|change| format!("{:<8}{}\n", when(change), line(change)));
        output::print(&lines.collect::<String>());
    }
    Ok(ExitCode::SUCCESS)
}

fn of_file(file: &Path) -> Result<Loaded, Failure> {
    let content = layers::content(file).map_err(cannot("read", file))?;
    let loaded =
        load(Layers::new().file(file.display().to_string(), content)).map_err(Failure::Settings)?;
    // Keys that nobody has would go unseen.
    loaded.read::<Settings>().map_err(Failure::Settings)?;
    Ok(loaded)
}

/// `mine.threads: 0 → 2`
pub(super) fn line(change: &Change) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not there)".to_owned());
    format!("{}: {} → {}", change.key, text(&change.from), text(&change.to))
}

pub(super) fn as_json(change: &Change) -> Value {
    let Change { key, from, to, live } = change;
    json!({"key": key, "from": from, "to": to, "live": live})
}
