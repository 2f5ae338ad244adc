//! The control door: HTTP on a Unix socket in the data folder, and on a loopback port if one is set.
//!
//! The folder is its owner's alone (mode 0700), so the socket needs no key; the port gives figures
//! only, and to loopback only.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use sl_ports::bind;
use sl_supervise::{Ctx, ServiceError};
use sl_view::State;
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};

use crate::view::View;

mod answer;
mod server;

/// The socket's name in the data folder.
const NAME: &str = "control.sock";
/// How long [`ask`] waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that [`ask`] reads.
const MOST: u64 = 4 * 1024 * 1024;

sl_config::settings! {
    /// The control door: health, services, metrics and the state, over HTTP.
    pub struct ControlSettings {
        /// Loopback address of the HTTP port, such as 127.0.0.1:8787; none opens only the socket in
        /// the data folder.
        restart listen: Option<SocketAddr>,
    }
}

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
    let exchange = || {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /state HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        Read::by_ref(&mut stream).take(MOST).read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok(serde_json::from_str(body)?)
    };
    let answered: Result<State, io::Error> = {
        let mut exchange = exchange;
        exchange()
    };
    answered.map_err(broken)
}

/// The service: answers until told to stop, then takes the socket away.
pub(crate) async fn serve(
    data: Option<PathBuf>,
    settings: ControlSettings,
    view: View,
    ctx: Ctx,
) -> Result<(), ServiceError> {
    let socket = data.as_deref().map(open).transpose()?;
    let port: Option<TcpListener> = match settings.listen {
        Some(address) => Some(bind::listen(address).await?),
        None => None,
    };
    ctx.ready();
    server::run(socket, port, view, ctx.stop_token()).await;
    if let Some(data) = data {
        std::fs::remove_file(door(&data))?;
    }
    Ok(())
}

fn open(data: &Path) -> io::Result<UnixListener> {
    let path = door(data);
    // The folder's lock is ours, so a socket that is there was left by a program that is gone.
    match std::fs::remove_file(&path) {
        Err(wrong) if wrong.kind() != io::ErrorKind::NotFound => return Err(wrong),
        _ => {}
    }
    UnixListener::bind(&path).map_err(|wrong| match wrong.kind() {
        io::ErrorKind::InvalidInput => {
            let found = path.as_os_str().len();
            let told = format!("the control door's path has {found} bytes, 107 are allowed: {}; hint: a shorter --data", path.display());
            io::Error::new(io::ErrorKind::InvalidInput, told)
        }
        _ => wrong,
    })
}
