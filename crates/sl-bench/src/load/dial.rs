use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// A connection that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes that wait to be sent on a short way.
const SHORT: u32 = 8 * 1024;
/// Addresses of the loopback network that connections come from, so that ports suffice.
const SOURCES: u32 = 32;

/// Connects from one of the addresses from `source` on.
pub(super) async fn dial(
    gateway: SocketAddr,
    source: Ipv4Addr,
    number: u32,
) -> io::Result<TcpStream> {
    connect(TcpSocket::new_v4()?, gateway, source, number).await
}

/// The same with a short way out: what the other side does not read is soon not written.
pub(super) async fn dial_short(
    gateway: SocketAddr,
    source: Ipv4Addr,
    number: u32,
) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(SHORT)?;
    connect(socket, gateway, source, number).await
}

async fn connect(
    socket: TcpSocket,
    gateway: SocketAddr,
    source: Ipv4Addr,
    number: u32,
) -> io::Result<TcpStream> {
    let from = Ipv4Addr::from(u32::from(source) + number % SOURCES);
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddrV4::new(from, 0).into())?;
    let stream = timeout(PATIENCE, socket.connect(gateway)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A PROXY header of version 1 that names this client.
pub(super) fn proxy_header(client: Ipv4Addr) -> String {
    format!("PROXY TCP4 {client} 127.0.0.1 40000 3333\r\n")
}

/// Writes all of it.
pub(super) async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(wrong) if wrong.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(wrong) => return Err(wrong),
        }
    }
    Ok(())
}

/// What has come, by pieces, until nothing more is there; false at the end of the connection.
pub(super) fn drain(stream: &TcpStream, mut hear: impl FnMut(&[u8])) -> io::Result<bool> {
    let mut space = [0; 16 * 1024];
    loop {
        match stream.try_read(&mut space) {
            Ok(0) => return Ok(false),
            Ok(read) => hear(space.get(..read).unwrap_or_default()),
            Err(wrong) if wrong.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(wrong) => return Err(wrong),
        }
    }
}
