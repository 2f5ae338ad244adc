use std::{io, net::Ipv4Addr};

use tokio::net::UdpSocket;

use crate::{face::announcement, readings::Readings};

/// Says what the report button says, from the machine's address to all of its net: on loopback to
/// 127.255.255.255.
///
/// # Errors
/// What the system says.
pub(crate) async fn report(readings: &Readings, port: u16) -> io::Result<()> {
    let ip = readings.network.ip;
    let socket = UdpSocket::bind((ip, 0)).await?;
    socket.set_broadcast(true)?;
    let all =
        if ip.is_loopback() { Ipv4Addr::new(127, 255, 255, 255) } else { Ipv4Addr::BROADCAST };
    socket.send_to(&announcement(readings), (all, port)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sl_units::Mono;

    use super::*;
    use crate::{Machine, Model, Release, Spec};

    #[tokio::test]
    async fn who_listens_hears_the_button() {
        let hall = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("a free port");
        let port = hall.local_addr().expect("bound").port();
        let model = Model::by_id("antminer-l7").expect("in the table");
        let spec = Spec::new(model, Release::R202405, 7, [127, 77, 1, 1].into());
        let readings = Machine::new(spec, Mono::default()).readings(Mono::default());
        report(&readings, port).await.expect("it is sent");
        let mut buffer = [0; 128];
        let (count, from) = hall.recv_from(&mut buffer).await.expect("it arrives");
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        assert_eq!(text, format!("127.77.1.1,{}", readings.network.mac));
        assert_eq!(from.ip(), Ipv4Addr::new(127, 77, 1, 1));
    }
}
