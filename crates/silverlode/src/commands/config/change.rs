//! Changing the file: whole or not at all, with the file before kept beside it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;
use sl_app::Settings;
use sl_config::{Change, Layer, Layers, Loaded, SCHEMA_HINT, diff, edit, load};
use sl_ports::folders::write_atomic;

use crate::{
    args::Global,
    commands::config::{cannot, compare, file_in_force},
    failure::Failure,
    layers::{self, Environment},
    output,
};

/// The exit status of a file that is written, and has mistakes.
const WITH_MISTAKES: u8 = 3;

pub(super) fn set(
    key: &str,
    value: &str,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    edited(key, global, environment, |text| edit::set::<Settings>(text, key, value))
}

pub(super) fn unset(
    key: &str,
    global: &Global,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    edited(key, global, environment, |text| edit::unset::<Settings>(text, key))
}

fn edited(
    key: &str,
    global: &Global,
    environment: &Environment,
    change: impl FnOnce(&str) -> Result<String, edit::EditError>,
) -> Result<ExitCode, Failure> {
    let file = file_in_force(global, environment);
    let old = text_of(&file)?;
    let start = format!("{SCHEMA_HINT}\nversion: {}\n", sl_config::VERSION);
    let new = change(old.as_deref().unwrap_or(&start)).map_err(refused)?;
    let changes = differences(old.as_deref().unwrap_or(""), &new)?;
    let same = old.as_deref() == Some(new.as_str());
    if !same && !global.dry_run {
        write(&file, old.as_deref(), &new)?;
    }
    let shown = file.display().to_string();
    // What holds now is for all layers to say.
    let read = match global.dry_run {
        true => None,
        false => Some(layers::read(global, environment, &[])),
    };
    let over = read.as_ref().and_then(|read| read.as_ref().ok()).map(|read| {
        let origin = read.loaded.origin_of(key);
        (origin.layer != Layer::Default && origin.name != shown).then(|| origin.to_string())
    });
    let over = over.flatten();
    let mistakes = match read {
        Some(Err(Failure::Settings(problems))) => Some(problems),
        Some(Err(other)) => return Err(other),
        _ => None,
    };
    if global.json {
        output::print_json(&json!({
            "file": shown,
            "changes": changes.iter().map(compare::as_json).collect::<Vec<_>>(),
            "overridden_by": over,
            "mistakes": mistakes.as_ref().map_or(0, |found| found.list().len() + found.untold()),
        }));
    } else if changes.is_empty() {
        let what = if same { "nothing to change" } else { "written; the value is the same" };
        output::print(&format!("{shown}: {what}\n"));
    } else {
        let lines = changes.iter().map(|change| format!("{}\n", told(change)));
        output::print(&format!("{shown}\n{}", lines.collect::<String>()));
    }
    if let Some(over) = over {
        output::tell(&format!("note: {key} is overridden by {over}\n"));
    }
    match mistakes {
        None => Ok(ExitCode::SUCCESS),
        Some(problems) => {
            output::tell(&format!("{problems}\nwritten, but these settings do not hold yet\n"));
            Ok(ExitCode::from(WITH_MISTAKES))
        }
    }
}

fn told(change: &Change) -> String {
    let when = match change.live {
        true => "live: a running silverlode follows within 2 s",
        false => "after a restart",
    };
    format!("  {}   ({when})", compare::line(change))
}

/// Brings the file to this version.
pub(super) fn migrate(global: &Global, environment: &Environment) -> Result<ExitCode, Failure> {
    let file = file_in_force(global, environment);
    let shown = file.display();
    let Some(old) = text_of(&file)? else {
        return Err(Failure::Usage(format!("{shown} is not there; nothing to migrate")));
    };
    let (new, notes) = sl_config::migrate(&old).map_err(refused)?;
    if !notes.is_empty() && !global.dry_run {
        write(&file, Some(&old), &new)?;
    }
    if global.json {
        output::print_json(&json!({
            "file": shown.to_string(), "version": sl_config::VERSION, "notes": notes,
        }));
    } else if notes.is_empty() {
        output::print(&format!("{shown}: of version {} already\n", sl_config::VERSION));
    } else {
        let notes: String = notes.iter().map(|note| format!("  {note}\n")).collect();
        output::print(&format!("{shown}\n{notes}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(wrong: edit::EditError) -> Failure {
    match wrong {
        edit::EditError::Text(problems) => Failure::Settings(problems),
        wrong => Failure::Usage(wrong.to_string()),
    }
}

/// What the change makes of this file alone.
fn differences(old: &str, new: &str) -> Result<Vec<Change>, Failure> {
    let loaded = |text: &str| -> Result<Loaded, Failure> {
        load(Layers::new().file("settings", text)).map_err(Failure::Settings)
    };
    Ok(diff::<Settings>(&loaded(old)?, &loaded(new)?))
}

/// The file's text; `None` when it is not there.
fn text_of(file: &Path) -> Result<Option<String>, Failure> {
    match layers::content(file) {
        Ok(content) => match String::from_utf8(content) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Failure::Usage(format!(
                "{} is not UTF-8; hint: silverlode config check names the byte",
                file.display()
            ))),
        },
        Err(wrong) if wrong.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cannot("read", file)(cause)),
    }
}

/// Writes the file with its mode as it was, and the text before beside it as `FILE.bak`.
fn write(file: &Path, old: Option<&str>, new: &str) -> Result<(), Failure> {
    // A link stays a link: what it leads to is written.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mode = fs::metadata(&file).ok().map(|found| found.permissions());
    if let Some(old) = old {
        let mut backup = file.clone().into_os_string();
        backup.push(".bak");
        let backup = PathBuf::from(backup);
        write_atomic(&backup, old.as_bytes()).map_err(cannot("write", &backup))?;
    }
    write_atomic(&file, new.as_bytes()).map_err(cannot("write", &file))?;
    mode.map_or(Ok(()), |mode| fs::set_permissions(&file, mode)).map_err(cannot("write", &file))
}
