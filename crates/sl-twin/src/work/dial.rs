use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sl_ports::tcp;
use sl_upstream::Endpoint;
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    sync::Semaphore,
    time::timeout,
};

/// The pool's address as the firmware reads it: with its scheme or without.
pub(crate) fn plain(url: &str) -> Option<Endpoint> {
    url.trim().parse::<Endpoint>().ok().filter(|endpoint| !endpoint.tls())
}

/// Connects from the machine's own address where the pool can be reached from it. So many names are
/// looked up at once as `lookups` allows.
pub(crate) async fn dial(
    endpoint: Endpoint,
    from: Ipv4Addr,
    within: Duration,
    lookups: Arc<Semaphore>,
) -> io::Result<TcpStream> {
    let connect = async {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let addresses: Vec<SocketAddr> = {
            let _turn = lookups.acquire().await;
            lookup_host((endpoint.host(), endpoint.port())).await?.collect()
        };
        for address in addresses {
            match connect(address, from).await {
                Ok(stream) => return Ok(stream),
                Err(wrong) => last = wrong,
            }
        }
        Err(last)
    };
    timeout(within, connect).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn connect(address: SocketAddr, from: Ipv4Addr) -> io::Result<TcpStream> {
    /// How often an idle connection is proved by the system.
    const IDLE: Duration = Duration::from_secs(30);
    let stream = match address {
        SocketAddr::V4(there) if there.ip().is_loopback() == from.is_loopback() => {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
            socket.connect(address).await?
        }
        _ => TcpStream::connect(address).await?,
    };
    stream.set_nodelay(true)?;
    if let Err(wrong) = tcp::keep_alive(&stream, IDLE, IDLE) {
        tracing::debug!(%wrong, "the socket keeps its defaults");
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_the_firmware_reads_them() {
        let check = |url: &str, expect: Option<&str>| {
            let found = plain(url).map(|endpoint| endpoint.to_string());
            assert_eq!(found.as_deref(), expect, "{url}");
        };
        check("stratum+tcp://127.0.0.1:3333", Some("stratum+tcp://127.0.0.1:3333"));
        check(" ltc.example:3333 ", Some("stratum+tcp://ltc.example:3333"));
        check("stratum+ssl://ltc.example:3333", None);
        check("http://ltc.example", None);
        check("", None);
    }
}
