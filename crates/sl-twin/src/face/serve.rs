//! Connections: bytes between a stream and the pure parts, with a bound on every wait.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::http::{Reader, Refusal, Request};
use super::{Host, Want, cgi, digest, rpc, web};
use crate::readings::Manners;

/// How long and how often a connection may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a kept connection may be silent between requests.
    pub idle: Duration,
    /// How long a request may take to come, from its first byte; of a new connection, from the
    /// start.
    pub request: Duration,
    /// How long the other side may take for a reply.
    pub write: Duration,
    /// How long a connection to a machine that does not answer any more is held.
    pub silence: Duration,
    /// After so many requests a connection is closed.
    pub requests: u32,
    /// How long a request on 4028 may take to come.
    pub command: Duration,
    /// A text without an end on 4028 is taken as whole after so long a pause.
    pub pause: Duration,
}

impl Default for Limits {
    /// The web server's own figures for the first five; those of 4028 are ours: the original
    /// waits for ever.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(5),
            request: Duration::from_secs(60),
            write: Duration::from_secs(60),
            silence: Duration::from_secs(60),
            requests: 16,
            command: Duration::from_secs(5),
            pause: Duration::from_millis(300),
        }
    }
}

/// Most bytes that are read at once.
const PIECE: usize = 4096;
/// Most bytes of a refused request that are read away, so that the refusal is not lost with them.
const LEFTOVERS: usize = 256 << 10;
/// How long that may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves one connection to port 80 until it ends. `rng` makes the nonces of its challenges.
///
/// Dropping the future closes the connection and leaves the machine as it is.
///
/// # Errors
/// What the stream says when it breaks.
pub async fn serve_http<S, H>(
    mut stream: S,
    host: &H,
    limits: &Limits,
    mut rng: fastrand::Rng,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    H: Host,
{
    let mut reader = Reader::default();
    for served in 1..=limits.requests {
        let patience = if served == 1 { limits.request } else { limits.idle };
        let Some(received) = receive(&mut stream, &mut reader, patience, limits).await? else {
            return Ok(());
        };
        let Some(mut look) = host.look(Want::Figures).await else { return Ok(()) };
        let manners = look.readings.manners;
        if matches!(Presence::on_web(&manners), Presence::There) && !manners.web_delay.is_zero() {
            sleep(manners.web_delay).await;
            // What it shows, whom it lets in and whether it is still there is judged when the
            // reply is due.
            let Some(late) = host.look(Want::Figures).await else { return Ok(()) };
            look = late;
        }
        match Presence::on_web(&look.readings.manners) {
            Presence::There => {}
            Presence::Silent => return hold(&mut stream, limits.silence).await,
            Presence::Away => return Ok(()),
        }
        let request = match received {
            Ok(request) => request,
            Err(Refusal(status)) => {
                send(&mut stream, &web::refuse(status, look.now), limits.write).await?;
                return part(&mut stream).await;
            }
        };
        // What costs more is gathered for those alone who are let in.
        let want = cgi::want(&request.path);
        if want != Want::Figures && web::lets_in(&request, &look) {
            let Some(more) = host.look(want).await else { return Ok(()) };
            look = more;
        }
        let last = served == limits.requests;
        let response = web::respond(&request, &look, digest::nonce(&mut rng), last);
        if let Some(command) = response.command {
            host.tell(command).await;
        }
        sleep(response.takes).await;
        send(&mut stream, &response.bytes, limits.write).await?;
        if response.closes {
            return part(&mut stream).await;
        }
    }
    Ok(())
}

/// Serves one connection to port 4028: one request, one reply.
///
/// Dropping the future closes the connection and leaves the machine as it is.
///
/// # Errors
/// What the stream says when it breaks.
pub async fn serve_rpc<S, H>(mut stream: S, host: &H, limits: &Limits) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    H: Host,
{
    let mut request = Vec::new();
    let deadline = Instant::now() + limits.command;
    let mut piece = [0; PIECE];
    while !rpc::is_whole(&request) {
        // A text has no end of its own: a pause is taken for one.
        let is_text = !request.is_empty() && !request.trim_ascii_start().starts_with(b"{");
        let until = if is_text { deadline.min(Instant::now() + limits.pause) } else { deadline };
        match timeout_at(until, stream.read(&mut piece)).await {
            Ok(Ok(0)) | Err(_) => break,
            Ok(Ok(count)) => request.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Ok(Err(error)) => return Err(error),
        }
    }
    if request.trim_ascii().is_empty() {
        return Ok(());
    }
    let Some(look) = host.look(rpc::want(&request)).await else { return Ok(()) };
    match Presence::on_rpc(&look.readings.manners) {
        Presence::There => {}
        Presence::Silent => return hold(&mut stream, limits.silence).await,
        Presence::Away => return Ok(()),
    }
    let answer = rpc::answer(&request, &look);
    if let Some(command) = answer.command {
        host.tell(command).await;
    }
    send(&mut stream, &answer.bytes, limits.write).await?;
    part(&mut stream).await
}

/// The next request or its refusal; `None` when the other side has ended or waits too long.
async fn receive<S>(
    stream: &mut S,
    reader: &mut Reader,
    patience: Duration,
    limits: &Limits,
) -> io::Result<Option<Result<Request, Refusal>>>
where
    S: AsyncRead + Unpin,
{
    let mut until = Instant::now() + patience;
    let mut began = !reader.is_empty();
    if began {
        until = Instant::now() + limits.request;
    }
    let mut piece = [0; PIECE];
    loop {
        if let Some(received) = reader.take() {
            return Ok(Some(received));
        }
        let count = match timeout_at(until, stream.read(&mut piece)).await {
            Ok(Ok(0)) | Err(_) => return Ok(None),
            Ok(Ok(count)) => count,
            Ok(Err(error)) => return Err(error),
        };
        if !began {
            began = true;
            until = Instant::now() + limits.request;
        }
        reader.push(piece.get(..count).unwrap_or_default());
    }
}

async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
    patience: Duration,
) -> io::Result<()> {
    let sent = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    timeout(patience, sent).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Ends a connection so that what was sent last arrives: what still comes is read away first.
async fn part<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    stream.shutdown().await?;
    // Whether the other side ends or not is its own affair.
    let _ = timeout(LAST_WORDS, read_away(stream, LEFTOVERS)).await;
    Ok(())
}

/// Holds a connection without a word until the other side gives up.
async fn hold<S: AsyncRead + Unpin>(stream: &mut S, patience: Duration) -> io::Result<()> {
    let _ = timeout(patience, read_away(stream, usize::MAX)).await;
    Ok(())
}

async fn read_away<S: AsyncRead + Unpin>(stream: &mut S, most: usize) {
    let mut piece = [0; PIECE];
    let mut count = 0_usize;
    while count < most {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(more) => count = count.saturating_add(more),
        }
    }
}

/// Whether a machine is there for those who ask.
enum Presence {
    There,
    /// Nothing comes back.
    Silent,
    /// Nobody listens.
    Away,
}

impl Presence {
    const fn on_web(manners: &Manners) -> Self {
        match (manners.reachable && !manners.web_hangs, manners.web) {
            (false, _) => Self::Silent,
            (true, false) => Self::Away,
            (true, true) => Self::There,
        }
    }

    const fn on_rpc(manners: &Manners) -> Self {
        match (manners.reachable, manners.api) {
            (false, _) => Self::Silent,
            (true, false) => Self::Away,
            (true, true) => Self::There,
        }
    }
}
