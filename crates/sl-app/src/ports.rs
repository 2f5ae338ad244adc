use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use sl_config::{Plain, Secret, SecretError};
use sl_ports::{
    Clock, Randomness,
    http::{HttpClient, HttpLimits},
};
use sl_telemetry::Masker;

use crate::settings::{Settings, secrets};

/// The outside world as this program sees it; a test passes another.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub randomness: Randomness,
    /// HTTP.
    pub http: HttpClient,
    /// Variables that secrets may refer to.
    pub environment: BTreeMap<String, String>,
    /// What must not be seen in logs: every secret that is resolved here.
    pub masker: Masker,
    /// Where data is kept; `None` keeps none and opens no control door.
    pub data: Option<PathBuf>,
    /// Whether all is for a plan that is shown and not run: then secrets need not be there.
    pub plan_only: bool,
}

impl Ports {
    /// The real world, with chance from the operating system or from a seed.
    #[must_use]
    pub fn real(
        seed: Option<u64>,
        environment: BTreeMap<String, String>,
        data: Option<PathBuf>,
    ) -> Self {
        let randomness = seed.map_or_else(Randomness::from_os, Randomness::seeded);
        Self {
            clock: Clock::real(),
            randomness,
            http: HttpClient::new(HttpLimits::default()),
            environment,
            masker: Masker::default(),
            data,
            plan_only: false,
        }
    }

    /// A secret in the clear.
    ///
    /// # Errors
    /// A reference that leads nowhere, or to a file that others may read.
    pub fn resolve(&self, secret: &Secret) -> Result<Plain, SecretError> {
        match self.find(secret) {
            Err(_) if self.plan_only => Ok(Plain::default()),
            found => found,
        }
    }

    /// The references of the settings' secrets that lead nowhere here and now, with their keys: what
    /// a start would refuse.
    #[must_use]
    pub fn missing(&self, settings: &Settings) -> Vec<String> {
        let missing = |(key, secret)| Some(format!("{key}: {}", self.find(secret).err()?));
        secrets(settings).filter_map(missing).collect()
    }

    /// The same, whatever it is for.
    pub(crate) fn find(&self, secret: &Secret) -> Result<Plain, SecretError> {
        let plain = secret.resolve(&|name| self.variable(name), &|path| self.read_secret(path))?;
        self.masker.register(plain.expose());
        Ok(plain)
    }

    /// A variable that a secret refers to.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    /// A file that a secret refers to; only its owner may read it.
    pub(crate) fn read_secret(&self, path: &Path) -> io::Result<String> {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let cure =
                format!("others may read it (mode {mode:04o}), hint: chmod 600 {}", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, cure));
        }
        std::fs::read_to_string(path)
    }
}
