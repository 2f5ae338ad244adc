//! The control door: a Unix socket in the data folder that tells the state to whoever may open it.
//!
//! One connection, one answer: a JSON document of [`sl_view::State`], then the end. The folder is
//! its owner's alone (mode 0700), so the door needs no key.

use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use sl_supervise::{Ctx, ServiceError};
use sl_view::State;
use thiserror::Error;
use tokio::{io::AsyncWriteExt, net::UnixListener, time::timeout};

use crate::view::View;

/// The socket's name in the data folder.
const NAME: &str = "control.sock";
/// A visitor who takes no bytes for so long is left.
const PATIENCE: Duration = Duration::from_secs(2);
/// The largest answer that [`ask`] reads.
const MOST: u64 = 4 * 1024 * 1024;

/// Where the door of a data folder is.
#[must_use]
pub fn door(data: &Path) -> PathBuf {
    data.join(NAME)
}

/// Why the door gave no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nothing runs in this folder.
    #[error("no silverlode runs in {}", .0.display())]
    NobodyThere(PathBuf),
    /// The door is there, its answer is not.
    #[error("the silverlode in {} does not answer: {cause}", folder.display())]
    Broken {
        /// The data folder.
        folder: PathBuf,
        /// What went wrong.
        cause: io::Error,
    },
}

/// Asks the running program of a data folder for its state. Blocks for seconds at most.
///
/// # Errors
/// Nothing runs there, or it does not answer.
pub fn ask(data: &Path) -> Result<State, AskError> {
    let broken = |cause| AskError::Broken { folder: data.to_owned(), cause };
    let mut stream = match UnixStream::connect(door(data)) {
        Ok(stream) => stream,
        Err(wrong)
            if matches!(
                wrong.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Err(AskError::NobodyThere(data.to_owned()));
        }
        Err(wrong) => return Err(broken(wrong)),
    };
    stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
    let mut text = String::new();
    Read::by_ref(&mut stream).take(MOST).read_to_string(&mut text).map_err(broken)?;
    serde_json::from_str(&text).map_err(|wrong| broken(wrong.into()))
}

/// The service: answers until told to stop, then takes the socket away.
pub(crate) async fn serve(data: PathBuf, view: View, ctx: Ctx) -> Result<(), ServiceError> {
    let path = door(&data);
    // The folder's lock is ours, so a socket that is there was left by a program that is gone.
    match std::fs::remove_file(&path) {
        Err(wrong) if wrong.kind() != io::ErrorKind::NotFound => return Err(wrong.into()),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    ctx.ready();
    loop {
        // Cancel-safe: a token, an accept.
        tokio::select! {
            () = ctx.stopped() => break,
            accepted = listener.accept() => match accepted {
                Ok((mut visitor, _)) => {
                    let answer = serde_json::to_vec(&view.state())?;
                    let told = timeout(PATIENCE, visitor.write_all(&answer)).await;
                    tracing::debug!(?told, "asked for the state");
                }
                Err(wrong) => {
                    tracing::warn!(%wrong, "the control door cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    std::fs::remove_file(&path)?;
    Ok(())
}
