//! A proxy that stands between a client and a server of lines, and does to the network what a test
//! wants: cut, delay, half-open, throttle, bit flips. Each fault counts what it did, so that a test
//! can assert that it happened.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

/// Bytes that are read at once.
const CHUNK: usize = 4096;

/// What is done to the bytes of every connection, one way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Every byte arrives so much later.
    pub delay: Duration,
    /// At most so many bytes a second; `None`: as many as there are.
    pub bytes_per_second: Option<u32>,
    /// Nothing arrives, and the connection stays up: a half-open one.
    pub hold: bool,
    /// One bit in the first byte of every n-th piece is turned over; 0: never.
    pub flip_every: u32,
}

/// What has been done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that came.
    pub connections: u64,
    /// Connections that were cut.
    pub cut: u64,
    /// Connections that were refused.
    pub refused: u64,
    /// Pieces that were held back by a delay.
    pub delayed: u64,
    /// Pieces that were swallowed.
    pub swallowed: u64,
    /// Bits that were turned over.
    pub flipped: u64,
    /// Pieces that had to wait for the rate.
    pub throttled: u64,
    /// Shares that came from clients (lines with the method `mining.submit`).
    pub submitted: u64,
    /// Replies to them that were given to the client.
    pub answered: u64,
}

impl Counts {
    /// Shares that a client sent, and whose verdict has not been given to it.
    #[must_use]
    pub const fn in_flight(&self) -> u64 {
        self.submitted - self.answered
    }
}

/// The proxy; it stops when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    up: watch::Sender<Faults>,
    down: watch::Sender<Faults>,
    /// Counts up at each cut; connections of an earlier number end.
    cuts: watch::Sender<u64>,
    refusing: watch::Sender<bool>,
    counts: watch::Sender<Counts>,
}

impl Proxy {
    /// A proxy on a free port of 127.0.0.1 before the server at `target`.
    ///
    /// # Panics
    /// There is no free port.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            up: watch::Sender::default(),
            down: watch::Sender::default(),
            cuts: watch::Sender::default(),
            refusing: watch::Sender::default(),
            counts: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, shared.clone()));
        Self { address, shared, _tasks: tasks }
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is done to the bytes on their way to the server, from now on.
    pub fn to_server(&self, faults: Faults) {
        self.shared.up.send_replace(faults);
    }

    /// What is done to the bytes on their way to the clients, from now on.
    pub fn to_client(&self, faults: Faults) {
        self.shared.down.send_replace(faults);
    }

    /// Both ends of every connection are closed at this instant; what is on its way is gone.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Whether new connections are closed as soon as they come.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refusing.send_replace(refuse);
    }

    /// What has been done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts.borrow().clone()
    }

    /// Waits until the counts are as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.shared.counts.subscribe();
        let counts = counts.wait_for(wanted).await.expect("the proxy keeps the other end");
        counts.clone()
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        shared.counts.send_modify(|counts| counts.connections += 1);
        if *shared.refusing.borrow() {
            shared.counts.send_modify(|counts| counts.refused += 1);
            continue;
        }
        connections.spawn(carry(client, target, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(client: TcpStream, target: SocketAddr, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let shares = Arc::new(Shares::default());
    let up = Way { shared: shared.clone(), shares: shares.clone(), is_up: true };
    let down = Way { shared: shared.clone(), shares, is_up: false };
    // Dropping the halves closes both connections.
    tokio::select! {
        _ = cuts.changed() => shared.counts.send_modify(|counts| counts.cut += 1),
        () = up.pump(from_client, to_server) => {}
        () = down.pump(from_server, to_client) => {}
    }
}

/// The shares of one connection that wait for a reply, by the id of their line.
#[derive(Debug, Default)]
struct Shares(Mutex<HashMap<String, u64>>);

impl Shares {
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One direction of a connection.
struct Way {
    shared: Arc<Shared>,
    shares: Arc<Shares>,
    is_up: bool,
}

impl Way {
    /// Carries bytes until one end closes.
    async fn pump(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut faults =
            if self.is_up { self.shared.up.subscribe() } else { self.shared.down.subscribe() };
        let mut buffer = vec![0; CHUNK];
        let mut queue: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        let (mut lines, mut pieces) = (Vec::new(), 0u32);
        let mut free_at = Instant::now();
        let mut open = true;
        loop {
            let due = queue.front().map(|(due, _)| (*due).max(free_at));
            tokio::select! {
                read = from.read(&mut buffer), if open => match read {
                    Ok(count) if count > 0 => {
                        let mut piece = buffer[..count].to_vec();
                        pieces += 1;
                        let now = faults.borrow().clone();
                        if self.is_up {
                            self.look(&piece, &mut lines);
                        }
                        if now.flip_every > 0 && pieces % now.flip_every == 0 {
                            piece[0] ^= 1;
                            self.count(|counts| counts.flipped += 1);
                        }
                        if now.hold {
                            self.count(|counts| counts.swallowed += 1);
                            continue;
                        }
                        if !now.delay.is_zero() {
                            self.count(|counts| counts.delayed += 1);
                        }
                        queue.push_back((Instant::now() + now.delay, piece));
                    }
                    // The rest is carried first.
                    _ => open = false,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let Some((_, piece)) = queue.pop_front() else { continue };
                    let rate = faults.borrow_and_update().bytes_per_second;
                    if to.write_all(&piece).await.is_err() {
                        return;
                    }
                    if !self.is_up {
                        self.look(&piece, &mut lines);
                    }
                    if let Some(rate) = rate {
                        let takes = piece.len() as f64 / f64::from(rate.max(1));
                        free_at = Instant::now() + Duration::from_secs_f64(takes);
                        self.count(|counts| counts.throttled += 1);
                    }
                }
                // Nothing to carry and one end closed: over.
                () = sleep(Duration::ZERO), if !open && queue.is_empty() => return,
            }
        }
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        self.shared.counts.send_modify(count);
    }

    /// Counts the shares and the replies among the lines that a piece completes.
    fn look(&self, piece: &[u8], rest: &mut Vec<u8>) {
        rest.extend_from_slice(piece);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let Ok(value) = serde_json::from_slice::<Value>(&line) else { continue };
            let id = value["id"].to_string();
            if self.is_up && value["method"] == "mining.submit" {
                *self.shares.waiting().entry(id).or_default() += 1;
                self.count(|counts| counts.submitted += 1);
            } else if !self.is_up && value["method"].is_null() {
                let mut waiting = self.shares.waiting();
                let Some(left) = waiting.get_mut(&id).filter(|left| **left > 0) else { continue };
                *left -= 1;
                drop(waiting);
                self.count(|counts| counts.answered += 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::*;

    /// A server that answers each line with `{"id":N,"result":true}`, N counted up from 1.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (read, mut write) = stream.into_split();
                    let mut lines = BufReader::new(read).lines();
                    while let Ok(Some(line)) = lines.next_line().await {
                        let id = serde_json::from_str::<Value>(&line).map(|it| it["id"].clone());
                        let answer =
                            format!("{{\"id\":{},\"result\":true}}\n", id.unwrap_or_default());
                        if write.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    async fn connect(proxy: &Proxy) -> BufReader<TcpStream> {
        BufReader::new(TcpStream::connect(proxy.address()).await.expect("it listens"))
    }

    async fn submit(client: &mut BufReader<TcpStream>, id: u64) {
        let line = format!("{{\"id\":{id},\"method\":\"mining.submit\",\"params\":[]}}\n");
        client.write_all(line.as_bytes()).await.expect("written");
    }

    async fn soon<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), what).await.expect("it comes")
    }

    #[tokio::test]
    async fn faults_happen_and_are_counted() {
        let proxy = Proxy::start(echo().await).await;
        let mut client = connect(&proxy).await;
        let mut line = String::new();
        submit(&mut client, 1).await;
        soon(client.read_line(&mut line)).await.expect("an answer");
        assert_eq!(line, "{\"id\":1,\"result\":true}\n");
        let counts = soon(proxy.until(|counts| counts.answered == 1)).await;
        assert_eq!((counts.connections, counts.submitted, counts.in_flight()), (1, 1, 0));

        proxy.to_client(Faults { hold: true, ..Faults::default() });
        submit(&mut client, 2).await;
        let counts = soon(proxy.until(|counts| counts.swallowed == 1)).await;
        assert_eq!(counts.in_flight(), 1, "half-open: the answer is nowhere");

        proxy.to_client(Faults { flip_every: 1, ..Faults::default() });
        submit(&mut client, 3).await;
        line.clear();
        soon(client.read_line(&mut line)).await.expect("an answer");
        assert_eq!(line, "z\"id\":3,\"result\":true}\n", "one bit is turned over");

        let rate = Some(1_000_000);
        proxy.to_client(Faults {
            delay: Duration::from_millis(5),
            bytes_per_second: rate,
            ..Faults::default()
        });
        submit(&mut client, 4).await;
        line.clear();
        soon(client.read_line(&mut line)).await.expect("an answer");
        let counts = soon(proxy.until(|counts| counts.throttled > 0)).await;
        assert_eq!((counts.delayed, counts.flipped), (1, 1));

        proxy.to_server(Faults { hold: true, ..Faults::default() });
        submit(&mut client, 5).await;
        soon(proxy.until(|counts| counts.submitted == 5)).await;
        proxy.refuse(true);
        proxy.cut();
        line.clear();
        assert_eq!(soon(client.read_line(&mut line)).await.unwrap_or(0), 0, "closed: {line}");
        soon(proxy.until(|counts| counts.cut == 1)).await;
        let mut refused = connect(&proxy).await;
        assert_eq!(soon(refused.read_line(&mut line)).await.unwrap_or(0), 0);
        assert_eq!(soon(proxy.until(|counts| counts.refused == 1)).await.in_flight(), 3);
    }
}
