use std::{io, time::Duration};

use sl_ports::{
    Clock, tcp,
    tls::{TlsError, client::Connector},
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use crate::Endpoint;

/// A stream with a pool, plain or encrypted.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// A connection that stands.
pub(crate) struct Dialled {
    pub(crate) wire: Box<dyn Wire>,
    /// Address that answered.
    pub(crate) address: Option<std::net::SocketAddr>,
    /// How long it took to connect, the name's look-up included.
    pub(crate) connect: Duration,
    /// How long the TLS handshake took.
    pub(crate) tls: Option<Duration>,
}

/// Why a pool cannot be reached.
#[derive(Debug, Error)]
pub enum DialError {
    /// The system says no.
    #[error("cannot reach {endpoint}: {cause}")]
    Unreachable {
        /// The pool.
        endpoint: Endpoint,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Nobody answers.
    #[error("{endpoint} does not answer within {} s", .within.as_secs_f64())]
    Slow {
        /// The pool.
        endpoint: Endpoint,
        /// How long it had.
        within: Duration,
    },
    /// The TLS handshake failed.
    #[error("{0}{hint}", hint = plain_hint(.0))]
    Tls(#[from] TlsError),
    /// Whoever answers says nothing of TLS.
    #[error(
        "{endpoint} does not finish the TLS handshake within {} s; if it speaks plain text, use stratum+tcp://", .within.as_secs_f64()
    )]
    TlsSlow {
        /// The pool.
        endpoint: Endpoint,
        /// How long it had.
        within: Duration,
    },
}

fn plain_hint(wrong: &TlsError) -> &'static str {
    if matches!(wrong, TlsError::Plain { .. }) { "; use stratum+tcp://" } else { "" }
}

/// Connects, encrypted where the address says so. Cancel-safe: a connection that is not handed out
/// is closed.
pub(crate) async fn dial(
    endpoint: &Endpoint,
    connector: &Connector,
    within: Duration,
    clock: &Clock,
) -> Result<Dialled, DialError> {
    /// How often an idle connection is proved by the system.
    const IDLE: Duration = Duration::from_secs(15);
    const EVERY: Duration = Duration::from_secs(5);
    let began = clock.mono();
    let connect = TcpStream::connect((endpoint.host(), endpoint.port()));
    let stream = match timeout(within, connect).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(cause)) => {
            return Err(DialError::Unreachable { endpoint: endpoint.clone(), cause });
        }
        Err(_) => return Err(DialError::Slow { endpoint: endpoint.clone(), within }),
    };
    let options = stream.set_nodelay(true).and_then(|()| tcp::keep_alive(&stream, IDLE, EVERY));
    if let Err(wrong) = options {
        tracing::debug!(%wrong, "the socket keeps its defaults");
    }
    let connected = clock.mono();
    let address = stream.peer_addr().ok();
    let connect = connected.since(began);
    if !endpoint.tls() {
        return Ok(Dialled { wire: Box::new(stream), address, connect, tls: None });
    }
    let handshake = timeout(within, connector.connect(endpoint.host(), stream)).await;
    let stream =
        handshake.map_err(|_| DialError::TlsSlow { endpoint: endpoint.clone(), within })??;
    let tls = Some(clock.mono().since(connected));
    Ok(Dialled { wire: Box::new(stream), address, connect, tls })
}
