//! What a TCP connection is told beyond connecting.

use std::{io, os::fd::AsFd, time::Duration};

use rustix::net::sockopt;

/// Lets the system ask an idle peer for a sign of life, and drop a connection whose bytes nobody
/// takes: after `idle` without traffic a probe, then one each `every`, and three without an answer
/// end the connection. A peer that vanished without a word (power, cable) is found this way.
///
/// # Errors
/// The system refuses one of the options; the connection works without.
pub fn keep_alive(socket: &impl AsFd, idle: Duration, every: Duration) -> io::Result<()> {
    /// Probes without an answer.
    const PROBES: u32 = 3;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, idle.max(Duration::from_secs(1)))?;
    sockopt::set_tcp_keepintvl(socket, every.max(Duration::from_secs(1)))?;
    sockopt::set_tcp_keepcnt(socket, PROBES)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_system_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (idle, every) = (Duration::from_secs(15), Duration::from_secs(5));
        keep_alive(&stream, idle, every).expect("Linux knows them all");
        assert_eq!(sockopt::socket_keepalive(&stream), Ok(true));
        assert_eq!(sockopt::tcp_keepidle(&stream), Ok(idle));
        assert_eq!(sockopt::tcp_keepintvl(&stream), Ok(every));
    }
}
