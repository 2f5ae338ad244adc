use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{conf::Kept, kept::KeptError};

/// A folder in which machines keep what was written to them: one document each, by address.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    folder: PathBuf,
}

/// Why a document cannot be had.
#[derive(Debug, Error)]
pub(crate) enum NotKept {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    /// It holds something else.
    #[error("{} is no document of a machine: {cause}; remove it", path.display())]
    Form { path: PathBuf, cause: serde_json::Error },
    /// It misses something.
    #[error("{}: {wrong}", path.display())]
    Document { path: PathBuf, wrong: KeptError },
}

impl Keeper {
    /// In this folder, which is made when it is needed.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// What the machine at this address has kept, if it has.
    pub(crate) fn read(&self, ip: Ipv4Addr) -> Result<Option<Kept>, NotKept> {
        let path = self.path(ip);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(NotKept::File { path, cause }),
        };
        let document = serde_json::from_slice(&text);
        let document = document.map_err(|cause| NotKept::Form { path: path.clone(), cause })?;
        Kept::from_json(&document).map(Some).map_err(|wrong| NotKept::Document { path, wrong })
    }

    /// Keeps what was written to the machine at this address; the file is there whole or as it was.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, ip: Ipv4Addr, kept: &Kept) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let path = self.path(ip);
        let new = path.with_extension("new");
        // Logins of pools are nobody else's business.
        let mut file = OpenOptions::new();
        let mut file = file.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(kept.to_json().to_string().as_bytes())?;
        // Whole on the disk before it takes the other's name.
        file.sync_all()?;
        fs::rename(&new, &path)
    }

    fn path(&self, ip: Ipv4Addr) -> PathBuf {
        self.folder.join(format!("{ip}.json"))
    }
}

#[cfg(test)]
mod tests {
    use sl_units::Mono;

    use super::*;
    use crate::{Command, ConfChange, Machine, Model, Release, Spec};

    #[test]
    fn what_was_written_holds_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let keeper = Keeper::new(&folder.path().join("machines"));
        let model = Model::by_id("antminer-l7").expect("in the table");
        let ip = [127, 77, 2, 1].into();
        let made = || Machine::new(Spec::new(model, Release::R202405, 7, ip), Mono::default());
        assert!(keeper.read(ip).expect("nothing there").is_none());

        let mut machine = made();
        let change = ConfChange { freq_level: Some("90".into()), ..ConfChange::default() };
        machine.command(Command::SetConf(Box::new(change)), Mono::default());
        keeper.write(ip, &machine.kept()).expect("it is written");
        let mut again = made();
        again.restore(keeper.read(ip).expect("it is read").expect("it is there"));
        assert_eq!(again.kept(), machine.kept());
        assert_eq!(again.kept().conf.freq_level, "90");

        fs::write(keeper.path(ip), "{").expect("damaged");
        let wrong = keeper.read(ip).expect_err("no document").to_string();
        assert!(wrong.contains("127.77.2.1.json") && wrong.contains("remove it"), "{wrong}");
    }
}
