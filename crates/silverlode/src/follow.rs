//! The settings' files as the running program sees them.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use sl_app::{Reading, SettingsSource, Stamp, Stamps, Unreadable};
use sl_config::overlay_path;

use crate::{
    args::{Global, ModeArg},
    failure::Failure,
    layers::{self, Environment, Flag},
};

/// All layers of this run, to be read again.
pub(crate) struct Followed {
    pub(crate) global: Global,
    pub(crate) environment: Environment,
    pub(crate) flags: Vec<Flag>,
    /// The files that were read at the start.
    pub(crate) files: Vec<PathBuf>,
}

impl SettingsSource for Followed {
    fn stamps(&self) -> Stamps {
        let files = layers::usual_files(&self.global, &self.environment);
        let overlays = |file: &PathBuf| {
            [ModeArg::Educational, ModeArg::Production].map(|mode| overlay_path(file, mode.word()))
        };
        let overlays: Vec<PathBuf> = files.iter().flat_map(overlays).collect();
        files.into_iter().chain(overlays).map(|path| (path.clone(), stamp(&path))).collect()
    }

    fn read(&self) -> Result<Reading, Unreadable> {
        // A file that went away says nothing of what is wanted; all defaults it is not.
        if let Some(gone) = self.files.iter().find(|file| !file.exists()) {
            let told = format!("{} is gone; put it back, or restart without it", gone.display());
            return Err(Unreadable { mistakes: 1, told });
        }
        match layers::read(&self.global, &self.environment, &self.flags) {
            Ok(read) => Ok(Reading { settings: read.settings, loaded: read.loaded }),
            Err(Failure::Settings(problems)) => Err(Unreadable {
                mistakes: problems.list().len() + problems.untold(),
                told: problems.to_string(),
            }),
            Err(failure) => Err(Unreadable { mistakes: 1, told: failure.to_string() }),
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some(Stamp { modified: found.modified().ok(), size: found.len(), inode: found.ino() })
}
