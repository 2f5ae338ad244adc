//! Where settings come from on this machine: files, environment, flags.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use sl_app::{Settings, check, check_plan};
use sl_config::{Layers, Loaded, MAX_BYTES, Value, load, overlay_path};

use crate::{args::Global, failure::Failure};

/// The settings of this run, and the layers they were read from.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) settings: Settings,
    pub(crate) loaded: Loaded,
    /// The files that were read.
    pub(crate) files: Vec<PathBuf>,
}

/// A flag that is a setting: its name, the setting, the text given.
pub(crate) type Flag = (&'static str, &'static str, String);

/// Every variable that the program reads by name, and what for.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("HOME", "where the settings file and the data folder are looked for"),
    ("XDG_CONFIG_HOME", "the folder of silverlode/silverlode.yaml in place of ~/.config"),
    ("XDG_STATE_HOME", "the folder of the data folder in place of ~/.local/state"),
    ("NO_COLOR", "not empty: no colour anywhere"),
    ("PATH", "where silverlode doctor looks for daemons"),
    ("CREDENTIALS_DIRECTORY", "the folder of secrets given as credential:NAME; systemd sets it"),
];

/// The environment, read once.
#[derive(Debug, Clone)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process; those that are no text are left out.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(VARIABLES.iter().any(|(told, _)| *told == name), "{name} is in no table");
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All variables.
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        self.0.clone()
    }

    fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.0.clone().into_iter()
    }
}

/// Reads the settings of all layers.
///
/// # Errors
/// A file that cannot be read, or all that is wrong in the settings.
pub(crate) fn read(
    global: &Global,
    environment: &Environment,
    flags: &[Flag],
) -> Result<Read, Failure> {
    let mut files: Vec<PathBuf> = settings_file(global, environment).into_iter().collect();
    let flags = global_flags(global).into_iter().chain(flags.iter().cloned()).collect::<Vec<_>>();
    let loaded = load(layers(&files, environment, &flags)?).map_err(Failure::Settings)?;
    let loaded = match overlay(&files, &loaded) {
        None => loaded,
        Some(overlay) => {
            files.push(overlay);
            load(layers(&files, environment, &flags)?).map_err(Failure::Settings)?
        }
    };
    // What is shown and not run may have the example's addresses.
    let check = if global.dry_run { check_plan } else { check };
    let settings = loaded.read_with(check).map_err(Failure::Settings)?;
    Ok(Read { settings, loaded, files })
}

/// The file named, or the first of the usual places that is there.
pub(crate) fn settings_file(global: &Global, environment: &Environment) -> Option<PathBuf> {
    let named = global.config.is_some();
    usual_files(global, environment).into_iter().find(|path| named || path.exists())
}

/// The file named, or the usual places, the one that counts first.
pub(crate) fn usual_files(global: &Global, environment: &Environment) -> Vec<PathBuf> {
    if let Some(named) = &global.config {
        return vec![named.clone()];
    }
    let home = || environment.get("HOME").map(|home| Path::new(home).join(".config"));
    let folder = environment.get("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    let usual = folder.map(|folder| folder.join("silverlode/silverlode.yaml"));
    [Some(PathBuf::from("silverlode.yaml")), usual].into_iter().flatten().collect()
}

/// The overlay of the mode that the layers so far choose, if it is there.
fn overlay(files: &[PathBuf], loaded: &Loaded) -> Option<PathBuf> {
    let mode = match loaded.tree().at("mode").map(|node| &node.value) {
        Some(Value::Scalar(scalar)) => scalar.text.clone(),
        _ => Settings::default().mode.to_string(),
    };
    let plain = !mode.is_empty() && mode.chars().all(|c| c.is_ascii_alphanumeric());
    let overlay = overlay_path(files.first()?, &mode);
    (plain && overlay.exists()).then_some(overlay)
}

fn layers(files: &[PathBuf], environment: &Environment, flags: &[Flag]) -> Result<Layers, Failure> {
    let mut layers = Layers::new().environment(environment.pairs());
    for path in files {
        let content = content(path).map_err(|cause| Failure::File {
            path: path.clone(),
            doing: "read",
            cause,
        })?;
        layers = layers.file(path.display().to_string(), content);
    }
    for (name, key, text) in flags {
        layers = layers.flag(*name, *key, text);
    }
    Ok(layers)
}

/// A file as far as the reader of settings wants it.
pub(crate) fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

fn global_flags(global: &Global) -> Vec<Flag> {
    let mode = global.mode.map(|mode| ("--mode", "mode", mode.word().to_owned()));
    let log = global.log.map(|style| ("--log", "log.style", style.word().to_owned()));
    mode.into_iter().chain(log).collect()
}
