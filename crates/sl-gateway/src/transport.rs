use std::{
    fmt, io,
    mem::MaybeUninit,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
};

/// Bytes taken from a machine at once.
const CHUNK: usize = 4096;

/// What a machine's bytes come and go by: a socket, TLS over one, a pipe in memory.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// A machine's transport, of any kind.
pub(crate) type Wire = Box<dyn Transport>;

/// A machine that has come and is to be served.
pub(crate) struct Arrived {
    pub(crate) wire: Wire,
    /// Whether it came by the TLS port.
    pub(crate) tls: bool,
    pub(crate) address: SocketAddr,
}

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrived").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A way in for machines that come by no socket: those of this process, and tests' own.
#[derive(Clone, Debug)]
pub struct SideDoor(pub(crate) mpsc::Sender<Arrived>);

/// The gateway is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the gateway serves no machines any more")]
pub struct Closed;

impl SideDoor {
    /// Hands a machine over; `address` is where it is said to come from. Waits while others do.
    ///
    /// # Errors
    /// The gateway is gone.
    pub async fn enter(&self, wire: impl Transport, address: SocketAddr) -> Result<(), Closed> {
        let arrived = Arrived { wire: Box::new(wire), tls: false, address };
        self.0.send(arrived).await.map_err(|_| Closed)
    }
}

/// What the wire has, at most one chunk; empty at its end. The buffer lives only here, so that a
/// silent machine costs none.
pub(crate) fn poll_chunk(wire: &mut Wire, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
    let mut space = [const { MaybeUninit::uninit() }; CHUNK];
    let mut buffer = ReadBuf::uninit(&mut space);
    Pin::new(wire).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().to_vec())
}
