//! A machine under bad input, and its neighbour.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{conf::Command, farm::tests::farm, net::Subnet};

/// For what never comes.
const GUARD: Duration = Duration::from_secs(120);
/// Half requests held open at one machine: several times what it bears.
const FLOOD: usize = 4 * MOST_EACH;

/// Two machines that answer.
struct Hall {
    net: Subnet,
    web: u16,
    program: u16,
    machines: Arc<[MachineHandle]>,
    _running: JoinSet<()>,
}

impl Hall {
    async fn open(net: &str) -> Self {
        Self::with(net, 2, MOST).await
    }

    /// So many machines, and so many places for their callers.
    async fn with(net: &str, machines: usize, most: usize) -> Self {
        let net: Subnet = net.parse().expect("a net");
        let (farm, ends) = farm((0..machines).filter_map(|number| net.host(number)));
        let (mut running, stop) = (JoinSet::new(), CancellationToken::new());
        running.spawn(farm.run(stop.clone()));
        let handles: Arc<[MachineHandle]> = ends.handles.into();
        let (clock, randomness) = (Clock::real(), Randomness::seeded(7));
        let mut ports = [0; 2];
        for (at, port) in ports.iter_mut().zip([Port::Web, Port::Program]) {
            let door;
            (*at, door) = open_door(net, machines).await;
            let reception = Reception { port, machines: handles.clone(), clock, randomness };
            running.spawn(reception.run_within(most, door, stop.clone()));
        }
        let [web, program] = ports;
        Self { net, web, program, machines: handles, _running: running }
    }

    fn ip(&self, number: usize) -> Ipv4Addr {
        self.net.host(number).expect("in the net")
    }

    /// Whether a machine's pages answer: they ask for a login.
    async fn web_answers(&self, ip: Ipv4Addr) -> bool {
        let request = b"GET /cgi-bin/summary.cgi HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let reply = ask(ip, self.web, request).await.unwrap_or_default();
        reply.starts_with("HTTP/1.1 401 ")
    }

    async fn program_answers(&self, ip: Ipv4Addr) -> bool {
        let reply = ask(ip, self.program, b"{\"command\":\"version\"}").await.unwrap_or_default();
        reply.contains("\"Miner\"") && reply.ends_with('\0')
    }
}

async fn open_door(net: Subnet, machines: usize) -> (u16, Door) {
    loop {
        let probe = tokio::net::TcpListener::bind((net.host(0).expect("a host"), 0)).await;
        let port = probe.and_then(|probe| probe.local_addr()).expect("a free port").port();
        // Another program may have it at the neighbour's address, or take it now.
        if let Ok(door) = Door::open(net, machines, port).await {
            return (port, door);
        }
    }
}

/// All that comes back until the connection is closed.
async fn ask(ip: Ipv4Addr, port: u16, request: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect((ip, port)).await?;
    let (mut reads, mut writes) = stream.split();
    let mut reply = Vec::new();
    // Who has enough closes before it has heard all.
    let (_, read) = tokio::join!(writes.write_all(request), reads.read_to_end(&mut reply));
    read.map(|_| String::from_utf8_lossy(&reply).into_owned())
}

/// Holds half a request open; whether the machine let go of it first.
async fn hold(ip: Ipv4Addr, port: u16, release: CancellationToken) -> bool {
    let half = async {
        let mut stream = TcpStream::connect((ip, port)).await?;
        stream.write_all(b"POST /cgi-bin/set_miner_conf.cgi HTTP/1.1\r\nContent-Le").await?;
        stream.read_u8().await
    };
    release.run_until_cancelled(half).await.is_some()
}

async fn flooded() {
    let hall = Hall::open("127.77.4.0/29").await;
    let (flooded, neighbour) = (hall.ip(0), hall.ip(1));
    let huge = "x".repeat(200_000);
    let body = format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{huge}");
    for _ in 0..20 {
        let _closed_in_its_own_way = ask(flooded, hall.web, body.as_bytes()).await;
        let _closed_in_its_own_way = ask(flooded, hall.program, huge.as_bytes()).await;
        let _closed_in_its_own_way = ask(flooded, hall.program, &[0, 255, b'{', 7]).await;
    }
    let release = CancellationToken::new();
    let mut held = JoinSet::new();
    for _ in 0..FLOOD {
        held.spawn(hold(flooded, hall.web, release.clone()));
    }
    for _ in MOST_EACH..FLOOD {
        assert_eq!(held.join_next().await.map(Result::ok), Some(Some(true)), "beyond the bound");
    }
    assert!(hall.web_answers(neighbour).await && hall.program_answers(neighbour).await);
    assert!(hall.program_answers(flooded).await, "its other port is another matter");
    assert!(!hall.web_answers(flooded).await, "it has no place for one more");
    release.cancel();
    while held.join_next().await.is_some() {}
    while !hall.web_answers(flooded).await {}
    assert!(hall.web_answers(neighbour).await);
}

#[tokio::test]
async fn a_flooded_machine_keeps_its_bound_and_its_neighbour_goes_on() {
    tokio::time::timeout(GUARD, flooded()).await.expect("nothing hangs");
}

/// Four machines are crowded with half requests, more than there are places for; the fifth answers.
async fn crowded() {
    const CROWDED: usize = 4;
    let hall = Hall::with("127.77.5.0/28", CROWDED + 1, 40).await;
    let release = CancellationToken::new();
    let mut held = JoinSet::new();
    for _ in 0..20 {
        for number in 0..CROWDED {
            held.spawn(hold(hall.ip(number), hall.web, release.clone()));
        }
    }
    // 80 callers and 40 places: half of them at least are let go of.
    for _ in 0..40 {
        assert_eq!(held.join_next().await.map(Result::ok), Some(Some(true)), "beyond its share");
    }
    for _ in 0..3 {
        assert!(hall.web_answers(hall.ip(CROWDED)).await, "the fifth has nothing to do with it");
    }
    assert!(hall.program_answers(hall.ip(0)).await);
    release.cancel();
    while held.join_next().await.is_some() {}
    while !hall.web_answers(hall.ip(0)).await {}
}

#[tokio::test]
async fn crowds_at_some_machines_leave_a_place_for_the_others() {
    tokio::time::timeout(GUARD, crowded()).await.expect("nothing hangs");
}

/// A machine whose control board starts has no network yet.
async fn unheard() {
    let hall = Hall::with("127.77.6.0/29", 2, MOST).await;
    let (away, neighbour) = (hall.ip(0), hall.ip(1));
    assert!(hall.web_answers(away).await);
    let rebooted = hall.machines[0].command(Command::Reboot).await;
    assert_eq!(rebooted, Ok(crate::Applied::Rebooting));
    for port in [hall.web, hall.program] {
        // Nothing is asked: who only listens learns it too.
        let cut = match TcpStream::connect((away, port)).await {
            Ok(mut caller) => caller.read_u8().await.expect_err("nothing comes"),
            Err(cut) => cut,
        };
        assert_eq!(cut.kind(), io::ErrorKind::ConnectionReset);
    }
    assert!(hall.web_answers(neighbour).await && hall.program_answers(neighbour).await);
}

#[tokio::test]
async fn who_calls_a_machine_without_a_network_is_cut_off() {
    tokio::time::timeout(GUARD, unheard()).await.expect("nothing hangs");
}
