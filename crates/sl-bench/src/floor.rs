//! What the machine itself asks for the work of a gateway: writes to as many sockets, reads and writes
//! of as many shares, hashes by the same engine, with nothing around them.
//!
//! ```text
//!  leader ─ starts ─▶ bare writer (core of the gateway) ◀── as many sockets ── processes of load
//!     ◀── its address, then what each round took ──┘
//! ```

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use sl_pow::Registry;
use sl_scrypt::Scrypt;

use crate::{
    BenchError,
    gateway::spawn_on,
    herd::Herd,
    instant::nanos,
    load::submit_line,
    premined,
    rig::Rig,
    scenarios::{CONNECTS, LOADS},
};

/// Between two rounds of a fan-out, so that all of the last one has been read.
const PAUSE: Duration = Duration::from_millis(300);
/// Rounds, of which the median counts.
const ROUNDS: u32 = 9;
/// Rounds of shares that are answered: each socket's.
const SHARES: u32 = 20;
/// Time of hashing.
const HASHING: u64 = 1_000_000_000;
/// The answer to a share.
const ANSWER: &[u8] = b"{\"id\":100,\"result\":true,\"error\":null}\n";

/// What a bare writer does.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bare {
    /// Writes a job's line to every socket, again and again
    Jobs,
    /// Reads a share's line from each socket and writes an answer
    Shares,
    /// Hashes as a gateway does that has enough to hash
    Hashes,
}

impl Bare {
    const fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Shares => "shares",
            Self::Hashes => "hashes",
        }
    }
}

/// What a round took, in nanoseconds.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
struct Round {
    /// By the clock.
    wall: u64,
    /// Of the CPU.
    cpu: u64,
}

/// What rounds of a bare writer took.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    rounds: Vec<Round>,
    /// Of each round: writes, or shares, or hashes.
    each: f64,
}

impl Floor {
    /// The median round by the clock, in seconds.
    pub(crate) fn median_s(&self) -> f64 {
        self.median(|round| round.wall)
    }

    /// The longest round by the clock, in seconds.
    pub(crate) fn worst_s(&self) -> f64 {
        self.rounds.iter().map(|round| round.wall).max().map_or(f64::NAN, |it| it as f64 / 1e9)
    }

    /// CPU time of each piece of a round, in microseconds.
    pub(crate) fn cpu_each_us(&self) -> f64 {
        self.median(|round| round.cpu) * 1e6 / self.each
    }

    fn median(&self, of: impl Fn(&Round) -> u64) -> f64 {
        let mut all: Vec<u64> = self.rounds.iter().map(of).collect();
        all.sort_unstable();
        all.get(all.len() / 2).map_or(f64::NAN, |it| *it as f64 / 1e9)
    }
}

/// Has it measured on the gateway's CPU, over so many sockets, while no gateway runs.
pub(crate) async fn of(rig: &Rig, bare: Bare, sockets: u32) -> Result<Floor, BenchError> {
    let mut command = Command::new(&rig.own_program);
    command.args(["bare", bare.name(), "--sockets", &sockets.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = Child(spawn_on(rig.gateway_cpu, command)?);
    let out = child.0.stdout.take();
    let out = out.ok_or_else(|| BenchError::Part("a bare writer says nothing".into()))?;
    let (lines, mut herd) = (BufReader::new(out), None);
    let lines = match bare {
        Bare::Hashes => lines,
        Bare::Jobs | Bare::Shares => {
            let (line, lines) = line_of(lines).await?;
            let address: SocketAddr = line.trim().parse().map_err(BenchError::part)?;
            let says = submit_line(100, "bench.m1000", "1000f", 77);
            let says = (bare == Bare::Shares).then_some(says);
            let mut peers = Herd::start(rig, LOADS, rig.load_cpu).await?;
            peers.peers(address, sockets, CONNECTS, says.as_deref()).await?;
            herd = Some(peers);
            lines
        }
    };
    let (line, _) = line_of(lines).await?;
    drop(herd);
    let rounds = serde_json::from_str(&line).map_err(BenchError::part)?;
    let each = if bare == Bare::Hashes { 1.0 } else { f64::from(sockets) };
    Ok(Floor { rounds, each })
}

/// The process; it is ended when it is dropped.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

type Lines = BufReader<std::process::ChildStdout>;

async fn line_of(mut lines: Lines) -> Result<(String, Lines), BenchError> {
    let read = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        lines.read_line(&mut line).map(|_| (line, lines))
    });
    read.await.map_err(BenchError::part)?.map_err(BenchError::io("hearing a bare writer"))
}

/// Is a bare writer: says where it listens, then what its rounds took.
pub(crate) fn run(bare: Bare, sockets: u32, say: &dyn Fn(&str)) -> Result<(), BenchError> {
    sl_ports::machine::limits::raise_open_files();
    let rounds = match bare {
        Bare::Hashes => hashes()?,
        Bare::Jobs | Bare::Shares => {
            let listener = TcpListener::bind("127.0.0.1:0");
            let listener = listener.map_err(BenchError::io("a bare writer listens"))?;
            let address = listener.local_addr().map_err(BenchError::io("listening"))?;
            say(&address.to_string());
            converse(bare, &listener, sockets).map_err(BenchError::io("writing"))?
        }
    };
    say(&serde_json::to_string(&rounds).map_err(BenchError::part)?);
    Ok(())
}

fn converse(bare: Bare, listener: &TcpListener, sockets: u32) -> io::Result<Vec<Round>> {
    let mut streams = Vec::new();
    for _ in 0..sockets {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let line = premined::notify("1000f".into(), true).to_line();
    let mut rounds = Vec::new();
    for _ in 0..if bare == Bare::Jobs { ROUNDS } else { SHARES } {
        if bare == Bare::Jobs {
            sleep(PAUSE);
        }
        let watch = Watch::start();
        for stream in &mut streams {
            match bare {
                Bare::Jobs => stream.write_all(&line)?,
                _ => answer(stream)?,
            }
        }
        rounds.push(watch.stop());
    }
    Ok(rounds)
}

fn answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut space = [0; 2048];
    let read = stream.read(&mut space)?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    stream.write_all(ANSWER)
}

fn hashes() -> Result<Vec<Round>, BenchError> {
    let mut registry = Registry::new();
    registry.register(Scrypt).map_err(BenchError::part)?;
    let mut prover = registry.best("scrypt").map_err(BenchError::part)?;
    let headers: Vec<_> = (0..prover.lanes() as u32)
        .map(|nonce| premined::template().header_bytes(&[0; 8], 0, premined::NTIME, nonce))
        .collect();
    let (mut rounds, mut hashed) = (Vec::new(), Vec::new());
    let end = nanos() + HASHING;
    while nanos() < end {
        hashed.clear();
        let watch = Watch::start();
        prover.batch_into(&headers, &mut hashed);
        let Round { wall, cpu } = watch.stop();
        let lanes = headers.len().max(1) as u64;
        rounds.push(Round { wall: wall / lanes, cpu: cpu / lanes });
    }
    Ok(rounds)
}

struct Watch(Round);

impl Watch {
    fn start() -> Self {
        Self(Round { wall: nanos(), cpu: cpu_nanos() })
    }

    fn stop(&self) -> Round {
        Round { wall: nanos() - self.0.wall, cpu: cpu_nanos() - self.0.cpu }
    }
}

/// CPU time of this thread.
fn cpu_nanos() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000) + u64::try_from(now.tv_nsec).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_round_counts() {
        let round = |wall, cpu| Round { wall, cpu };
        let rounds =
            vec![round(2_000_000, 1_000_000), round(9_000_000, 3_000_000), round(1_000_000, 2_000)];
        let floor = Floor { rounds, each: 100.0 };
        assert_eq!((floor.median_s(), floor.worst_s()), (0.002, 0.009));
        assert!((floor.cpu_each_us() - 10.0).abs() < 1e-9);
    }
}
