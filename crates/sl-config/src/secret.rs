//! Secrets by reference, so that a settings file can be shown to anybody.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::kinds::{Kind, Setting};
use crate::problem::Wrong;

/// Where a secret is kept.
///
/// `Debug` and `Display` never show an inline secret.
///
/// ```
/// use sl_config::{Secret, Setting};
///
/// let secret = Secret::parse("env:POOL_PASSWORD").expect("a reference");
/// let plain = secret.resolve(
///     &|name| (name == "POOL_PASSWORD").then(|| "x,d=1024".to_owned()),
///     &|_| Err(std::io::ErrorKind::NotFound.into()),
/// );
/// assert_eq!(plain.expect("set").expose(), "x,d=1024");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// `env:NAME`: an environment variable.
    Env(String),
    /// `file:/path`: a file, which should be readable by its owner only.
    File(PathBuf),
    /// `credential:NAME`: a systemd credential, a file in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// The secret itself; for educational mode only.
    Inline(Plain),
}

/// A secret in the clear. `Debug` does not show it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Plain(String);

impl Plain {
    /// The secret, for its one use.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a reference leads to no secret.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("environment variable {0} is not set, hint: set it, or change the reference env:{0}")]
    NoVariable(String),
    /// No credentials were handed over by systemd.
    #[error(
        "credential {0}: $CREDENTIALS_DIRECTORY is not set, hint: run under systemd with \
         LoadCredential={0}:/path, or use file:/path"
    )]
    NoCredentials(String),
    /// The file cannot be read.
    #[error("secret file {path} cannot be read: {cause}, allowed is a readable file of mode 0600")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// There is nothing in it.
    #[error("the secret {0} is empty, hint: write the secret where the reference points")]
    Empty(Secret),
}

impl Secret {
    /// Whether the secret stands in the settings themselves; production mode refuses that.
    pub fn is_inline(&self) -> bool {
        matches!(self, Self::Inline(_))
    }

    /// The secret in the clear, without the line end that editors leave. `variable` looks up an
    /// environment variable; `read` reads a file and is the place to insist on its mode.
    ///
    /// # Errors
    /// [`SecretError`], which names the reference and never the secret.
    pub fn resolve(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&Path) -> io::Result<String>,
    ) -> Result<Plain, SecretError> {
        let from_file = |path: &Path| {
            read(path).map_err(|cause| SecretError::File { path: path.to_owned(), cause })
        };
        let text = match self {
            Self::Inline(plain) => return Ok(plain.clone()),
            Self::Env(name) => {
                variable(name).ok_or_else(|| SecretError::NoVariable(name.clone()))?
            }
            Self::File(path) => from_file(path)?,
            Self::Credential(name) => {
                let folder = variable("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| SecretError::NoCredentials(name.clone()))?;
                from_file(&Path::new(&folder).join(name))?
            }
        };
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(SecretError::Empty(self.clone())),
            text => Ok(Plain(text.to_owned())),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
            Self::Inline(_) => f.write_str("***"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

impl Setting for Secret {
    type Value = Self;
    const KIND: Kind = Kind::Secret;

    fn allowed() -> Cow<'static, str> {
        "a reference to a secret: env:NAME, file:/path or credential:NAME".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if let Some(name) = text.strip_prefix("env:") {
            let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            return match !name.is_empty() && name.chars().all(fits) {
                true => Ok(Self::Env(name.to_owned())),
                false => Err(Wrong::value("env: wants the name of a variable")),
            };
        }
        if let Some(path) = text.strip_prefix("file:") {
            return match path.starts_with('/') {
                true => Ok(Self::File(path.into())),
                false => Err(Wrong::value("file: wants a path from / on")),
            };
        }
        if let Some(name) = text.strip_prefix("credential:") {
            // The name becomes part of a path, so it must not climb out of the folder.
            let fits = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
            return match fits {
                true => Ok(Self::Credential(name.to_owned())),
                false => Err(Wrong::value("credential: wants the name of a credential")),
            };
        }
        match text {
            "" => Err(Wrong::value("no secret")),
            text => Ok(Self::Inline(Plain(text.to_owned()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::tests::check;

    #[test]
    fn references() {
        check::<Secret>("env:A_B1", "Secret(env:A_B1)");
        check::<Secret>("env:", "env: wants the name of a variable");
        check::<Secret>("env:$(x)", "env: wants the name of a variable");
        check::<Secret>("file:/run/key", "Secret(file:/run/key)");
        check::<Secret>("file:key", "file: wants a path from / on");
        check::<Secret>("credential:pool", "Secret(credential:pool)");
        check::<Secret>("credential:../pool", "credential: wants the name of a credential");
        check::<Secret>("hunter2", "Secret(***)");
        check::<Secret>("", "no secret");
    }

    #[test]
    fn resolving() {
        let resolve = |text: &str| {
            let variable = |name: &str| match name {
                "SET" => Some("from env\n".to_owned()),
                "EMPTY" => Some(String::new()),
                "CREDENTIALS_DIRECTORY" => Some("/run/credentials".to_owned()),
                _ => None,
            };
            let read = |path: &Path| match path.to_str() {
                Some("/run/credentials/pool" | "/key") => Ok(format!("in {}\r\n", path.display())),
                _ => Err(io::Error::from(io::ErrorKind::NotFound)),
            };
            match Secret::parse(text).expect("a secret").resolve(&variable, &read) {
                Ok(plain) => plain.expose().to_owned(),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(resolve("env:SET"), "from env");
        assert_eq!(resolve("file:/key"), "in /key");
        assert_eq!(resolve("credential:pool"), "in /run/credentials/pool");
        assert_eq!(resolve("as it is"), "as it is");
        assert_eq!(
            resolve("env:NOT"),
            "environment variable NOT is not set, hint: set it, or change the reference env:NOT"
        );
        assert_eq!(
            resolve("file:/no"),
            "secret file /no cannot be read: entity not found, allowed is a readable file of mode 0600"
        );
        assert_eq!(
            resolve("env:EMPTY"),
            "the secret env:EMPTY is empty, hint: write the secret where the reference points"
        );
    }
}
