//! The repository on disk: its root, its files, and programs run in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// A file of the repository.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Path from the root, with `/` between its parts.
    pub(crate) path: String,
    /// Its text; `None` when it is not UTF-8.
    pub(crate) text: Option<String>,
}

/// The repository this program was built from.
#[derive(Debug)]
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The repository around this package: where cargo runs it from, else where it was built.
    pub(crate) fn here() -> Self {
        let package = environment("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .filter(|folder| folder.ends_with("xtask"))
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        Self { root: package.parent().map(Path::to_path_buf).unwrap_or_default() }
    }

    /// The root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A place named by the user, from the root. `Err` when it does not exist or lies outside.
    pub(crate) fn inside(&self, place: &str) -> Result<String, String> {
        let here = std::env::current_dir().unwrap_or_default();
        let found = [here.join(place), self.root.join(place)]
            .into_iter()
            .find_map(|path| path.canonicalize().ok())
            .ok_or_else(|| format!("no such folder: {place}"))?;
        let root = self.root.canonicalize().map_err(|e| format!("cannot resolve the root: {e}"))?;
        let inside =
            found.strip_prefix(&root).map_err(|_| format!("{place} is outside the repository"))?;
        Ok(inside.to_string_lossy().replace('\\', "/"))
    }

    /// Every file that git tracks or would track; without git, every file but hidden folders and build products.
    pub(crate) fn files(&self) -> Vec<File> {
        let mut paths = match self.run("git", &["ls-files", "-z", "-co", "--exclude-standard"]) {
            Ok(out) if out.status.success() => {
                String::from_utf8_lossy(&out.stdout).split('\0').map(str::to_owned).collect()
            }
            _ => self.walk(),
        };
        paths.sort_unstable();
        paths.dedup();
        paths
            .into_iter()
            .filter(|path| self.root.join(path).is_file())
            .map(|path| File { text: std::fs::read_to_string(self.root.join(&path)).ok(), path })
            .collect()
    }

    fn walk(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(self.root.join(&folder)) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let path = folder.join(&name);
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() && name != "target" && name != ".git" {
                    folders.push(path);
                } else if kind.is_file() {
                    found.push(path.to_string_lossy().replace('\\', "/"));
                }
            }
        }
        found
    }

    /// Runs a program in the root and keeps what it prints.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Result<Output, String> {
        Command::new(program)
            .args(args)
            .current_dir(&self.root)
            .output()
            .map_err(|e| format!("cannot run {program}: {e}"))
    }

    /// Runs cargo in the root with its output shown; whether it succeeded.
    pub(crate) fn cargo_shown(&self, args: &[&str]) -> Result<bool, String> {
        let program = cargo();
        Command::new(&program)
            .args(args)
            .current_dir(&self.root)
            .status()
            .map(|status| status.success())
            .map_err(|e| format!("cannot run {program}: {e}"))
    }

    /// Runs a program of the repository with its output shown; whether it succeeded.
    pub(crate) fn run_shown(&self, program: &str, args: &[&str]) -> Result<bool, String> {
        Command::new(self.root.join(program))
            .args(args)
            .current_dir(&self.root)
            .status()
            .map(|status| status.success())
            .map_err(|e| format!("cannot run {program}: {e}"))
    }
}

/// The cargo that runs us, else the one on the path.
pub(crate) fn cargo() -> String {
    environment("CARGO").map_or_else(|| "cargo".into(), |path| path.to_string_lossy().into_owned())
}

/// An environment variable, when it is set and not empty.
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A stop watch.
#[derive(Debug)]
pub(crate) struct Watch(Instant);

impl Watch {
    #[expect(
        clippy::disallowed_methods,
        reason = "a tool that reports how long its own steps take"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
