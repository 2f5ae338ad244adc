//! Listening on a port, with an error that says who has it and what to do.

mod holder;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// The process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// The name of its command, as the kernel keeps it (15 bytes at most).
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == std::process::id() {
            write!(f, "this very process")
        } else {
            write!(f, "{} (process {})", self.command, self.pid)
        }
    }
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody listens there already.
    #[error(
        "cannot listen on {addr}: port {} is in use by {}; {}choose another port",
        addr.port(),
        holder.as_ref().map_or_else(|| "another program".to_owned(), Holder::to_string),
        holder.as_ref().filter(|holder| holder.pid != std::process::id()).map_or_else(
            String::new,
            |holder| format!("stop it (kill {}), or ", holder.pid)
        )
    )]
    InUse {
        /// The address.
        addr: SocketAddr,
        /// Who listens there, when it can be found out (Linux, processes of this user).
        holder: Option<Holder>,
    },
    /// The port needs rights that this process has not.
    #[error(
        "cannot listen on {addr}: permission denied; choose a port from 1024 up, or grant \
         CAP_NET_BIND_SERVICE"
    )]
    Denied {
        /// The address.
        addr: SocketAddr,
    },
    /// This machine has no such address.
    #[error(
        "cannot listen on {addr}: this machine has no address {}; use 127.0.0.1 for this machine \
         alone, or 0.0.0.0 for all its addresses",
        addr.ip()
    )]
    NoSuchAddress {
        /// The address.
        addr: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {addr}: {source}")]
    Io {
        /// The address.
        addr: SocketAddr,
        /// What the operating system answered.
        source: io::Error,
    },
}

impl BindError {
    fn of(addr: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { addr },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { addr },
            _ => Self::Io { addr, source },
        }
    }
}

/// Connections that wait to be accepted, as far as the system lets them (`somaxconn`): after a
/// restart ten thousand machines come back at once, and one that finds no place tries again only
/// after a second or three.
const WAITING: u32 = 4096;

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(addr)?;
    socket.listen(WAITING)
}

/// Listens on `addr` (port 0 lets the operating system choose). On Unix the address can be taken
/// again at once after a stop (`SO_REUSEADDR`).
///
/// # Errors
/// [`BindError`], which names the address, on Linux the process that has it, and the cure.
pub async fn listen(addr: SocketAddr) -> Result<TcpListener, BindError> {
    match bind(addr) {
        Ok(listener) => Ok(listener),
        Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
            // Reading /proc is disk-like work; a search that dies only costs the name.
            let search = tokio::task::spawn_blocking(move || holder::find(addr));
            Err(BindError::InUse { addr, holder: search.await.ok().flatten() })
        }
        Err(source) => Err(BindError::of(addr, source)),
    }
}

/// The same for who cannot wait; the search for who has the port takes some milliseconds. Call it
/// from within a Tokio runtime.
///
/// # Errors
/// As [`listen`].
pub fn listen_now(addr: SocketAddr) -> Result<TcpListener, BindError> {
    bind(addr).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { addr, holder: holder::find(addr) },
        _ => BindError::of(addr, source),
    })
}
