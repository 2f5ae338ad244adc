use std::{io, net::SocketAddr, time::Duration};

use sl_ports::{
    Clock, tcp,
    tls::{TlsError, client::Connector},
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};

use crate::Endpoint;

/// A stream with a pool, plain or encrypted.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// A connection that stands.
pub(crate) struct Dialled {
    pub(crate) wire: Box<dyn Wire>,
    /// Address that answered.
    pub(crate) address: Option<SocketAddr>,
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
    let unreachable = |cause| DialError::Unreachable { endpoint: endpoint.clone(), cause };
    let slow = || DialError::Slow { endpoint: endpoint.clone(), within };
    let until = Instant::now() + within;
    let names = timeout_at(until, lookup_host((endpoint.host(), endpoint.port())));
    let addresses = names.await.map_err(|_| slow())?.map_err(unreachable)?.collect();
    let stream = first_of(addresses, until, TcpStream::connect).await;
    let stream = stream.map_err(unreachable)?.ok_or_else(slow)?;
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

/// Connects to the first address that answers. Each has its part of the time, so that one that
/// says nothing hides none behind it. `None` where the last of them says nothing.
async fn first_of<S>(
    addresses: Vec<SocketAddr>,
    until: Instant,
    mut connect: impl AsyncFnMut(SocketAddr) -> io::Result<S>,
) -> io::Result<Option<S>> {
    /// Within it a far pool answers over a bad line.
    const LEAST: Duration = Duration::from_secs(2);
    let mut last = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let part = until.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        last = match timeout(part.max(LEAST), connect(address)).await {
            Ok(Ok(stream)) => return Ok(Some(stream)),
            Ok(Err(wrong)) => Err(wrong),
            Err(_) => Ok(None),
        };
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of addresses that are silent, refuse or answer.
    async fn check(answers: &[&str], expect: Result<Option<usize>, io::ErrorKind>) -> Duration {
        let addresses = (0..answers.len()).map(|at| SocketAddr::from(([10, 0, 0, 1], at as u16)));
        let began = Instant::now();
        let connected = first_of(
            addresses.collect(),
            began + Duration::from_secs(10),
            async |at| match answers[usize::from(at.port())] {
                "silent" => std::future::pending().await,
                "refuses" => Err(io::ErrorKind::ConnectionRefused.into()),
                _ => Ok(usize::from(at.port())),
            },
        );
        assert_eq!(connected.await.map_err(|wrong| wrong.kind()), expect);
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_silent_hides_no_other() {
        let seconds = |took: Duration| took.as_secs();
        assert_eq!(seconds(check(&["answers"], Ok(Some(0))).await), 0);
        assert_eq!(seconds(check(&["silent", "answers"], Ok(Some(1))).await), 5);
        assert_eq!(
            seconds(check(&["refuses", "silent", "refuses", "answers"], Ok(Some(3))).await),
            3
        );
        assert_eq!(seconds(check(&["silent", "silent"], Ok(None)).await), 10);
        let refused = Err(io::ErrorKind::ConnectionRefused);
        assert_eq!(seconds(check(&["silent", "refuses"], refused).await), 5);
        check(&[], Err(io::ErrorKind::NotFound)).await;
    }
}
