use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use sl_ports::bind::{self, BindError};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::Subnet;

/// Up to so many machines have a socket of their own for each port.
const EACH: usize = 256;
/// Connections that the system keeps until they are taken.
const BACKLOG: u32 = 1024;
/// Connections taken that wait to be served.
const WAITING: usize = 256;
/// Wait after the system gave no descriptor.
const BREATH: Duration = Duration::from_millis(50);

/// Why machines cannot be listened for.
#[derive(Debug, Error)]
pub enum DoorError {
    /// A port below 1024 needs a right that this program has not.
    #[error(
        "cannot listen on port {port} of {net}: permission denied; use --ports 8080,4028 (setting \
         machines.ports), or allow it with: sysctl net.ipv4.ip_unprivileged_port_start=80"
    )]
    Denied {
        /// The port.
        port: u16,
        /// The net.
        net: Subnet,
    },
    /// This computer has not the address of a machine.
    #[error(
        "cannot listen at {address}: this computer has no such address; give it each machine's, as \
         in: ip addr add {address}/{} dev DEVICE, or use a net of 127.0.0.0/8",
        net.prefix()
    )]
    NoSuchAddress {
        /// The address.
        address: Ipv4Addr,
        /// The net.
        net: Subnet,
    },
    /// The address or the port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Anything else.
    #[error("cannot listen on port {port} of {net}: {cause}")]
    Io {
        /// The port.
        port: u16,
        /// The net.
        net: Subnet,
        /// What the system said.
        cause: io::Error,
    },
}

/// A connection, and the number of the machine that was called.
pub(crate) type Call = (usize, TcpStream);

/// One port of all machines of a net.
#[derive(Debug)]
pub(crate) struct Door {
    net: Subnet,
    count: usize,
    listeners: Vec<TcpListener>,
}

impl Door {
    /// Listens on `port` at the addresses of the first `count` machines.
    ///
    /// # Errors
    /// The first address that cannot be had, with the cure.
    pub(crate) async fn open(net: Subnet, count: usize, port: u16) -> Result<Self, DoorError> {
        if net.is_loopback() && count > EACH {
            match on_device(port) {
                Ok(listener) => return Ok(Self { net, count, listeners: vec![listener] }),
                Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(DoorError::Denied { port, net });
                }
                Err(wrong) => {
                    tracing::info!(port, %wrong, "each machine listens with a socket of its own");
                }
            }
        }
        let mut listeners = Vec::with_capacity(count);
        for ip in (0..count).map_while(|number| net.host(number)) {
            let listener = bind::listen(SocketAddr::new(IpAddr::V4(ip), port)).await;
            listeners.push(listener.map_err(|wrong| match wrong {
                BindError::Denied { .. } => DoorError::Denied { port, net },
                BindError::NoSuchAddress { .. } => DoorError::NoSuchAddress { address: ip, net },
                wrong => DoorError::Bind(wrong),
            })?);
        }
        Ok(Self { net, count, listeners })
    }

    /// Hands out connections with the number of the machine that was called, until told to stop.
    /// Calls to addresses without a machine are closed. When nobody takes them, callers wait in the
    /// system's queue.
    pub(crate) async fn run(self, calls: mpsc::Sender<Call>, stop: CancellationToken) {
        let (net, count) = (self.net, self.count);
        let mut tasks = JoinSet::new();
        for listener in self.listeners {
            let calls = calls.clone();
            tasks.spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => {
                            let called = machine(&stream, net).filter(|number| *number < count);
                            if let Some(number) = called
                                && calls.send((number, stream)).await.is_err()
                            {
                                return;
                            }
                        }
                        Err(wrong) => {
                            tracing::debug!(%wrong, "a call was lost");
                            tokio::time::sleep(BREATH).await;
                        }
                    }
                }
            });
        }
        stop.cancelled().await;
        tasks.shutdown().await;
    }
}

/// Where calls wait for who serves them.
pub(crate) fn calls() -> (mpsc::Sender<Call>, mpsc::Receiver<Call>) {
    mpsc::channel(WAITING)
}

fn machine(stream: &TcpStream, net: Subnet) -> Option<usize> {
    match stream.local_addr().ok()? {
        SocketAddr::V4(called) => net.number(*called.ip()),
        SocketAddr::V6(_) => None,
    }
}

/// One socket for all addresses of the loopback device.
fn on_device(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Before the address: at no instant is it open to other devices.
    socket.bind_device(Some(b"lo"))?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// A port that nobody has at the moment, found on an address of the net.
    async fn free_port(net: Subnet) -> u16 {
        let address = net.host(0).expect("a host");
        let probe = TcpListener::bind((address, 0)).await.expect("a free port");
        probe.local_addr().expect("bound").port()
    }

    async fn check(net: &str, count: usize, sockets: usize) {
        let net: Subnet = net.parse().expect("a net");
        // Another program may have the port elsewhere on loopback: then the next one.
        let mut ports = Vec::new();
        let (port, door) = loop {
            let port = free_port(net).await;
            let door = Door::open(net, count, port).await.expect("it opens");
            if door.listeners.len() == sockets {
                break (port, door);
            }
            ports.push(port);
            assert!(ports.len() < 20, "none of {ports:?} is free on the device");
        };
        let stop = CancellationToken::new();
        let (calls_in, mut calls) = calls();
        let running = tokio::spawn(door.run(calls_in, stop.clone()));
        for number in [0, count - 1, 1] {
            let address = net.host(number).expect("in the net");
            let caller = TcpStream::connect((address, port)).await.expect("somebody listens");
            let (called, _stream) = calls.recv().await.expect("a call");
            assert_eq!(called, number);
            drop(caller);
        }
        let stranger = net.host(count).expect("in the net");
        match TcpStream::connect((stranger, port)).await {
            Ok(mut nobody) => assert!(matches!(nobody.read(&mut [0]).await, Ok(0) | Err(_))),
            Err(refused) => assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused),
        }
        stop.cancel();
        running.await.expect("it ends");
    }

    #[tokio::test]
    async fn an_address_that_is_not_here_is_told_with_its_cure() {
        let net = "192.0.2.0/29".parse().expect("a net");
        let wrong = Door::open(net, 2, 8080).await.expect_err("kept for examples").to_string();
        assert!(wrong.contains("ip addr add 192.0.2.1/29 dev DEVICE"), "{wrong}");
    }

    #[tokio::test]
    async fn the_machine_is_the_one_that_was_called() {
        check("127.77.0.0/28", 5, 5).await;
        check("127.78.0.0/20", 1000, 1).await;
    }
}
