//! Those who misbehave: each under an address of its own, and back at once when turned away.

use std::{cell::RefCell, io, net::Ipv4Addr, rc::Rc, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    task::{AbortHandle, spawn_local, yield_now},
    time::sleep,
};

use super::{
    dial::{dial_short, drain, proxy_header, write_all},
    machine::{job_of, submit_line},
};
use crate::{
    BenchError,
    orders::{Flood, FloodFigures},
    premined::Premined,
};

/// Malformed messages that are written at once.
const AT_ONCE: usize = 10;
/// Shares that prove nothing, sent at once.
const SHARES_AT_ONCE: usize = 8;
/// After a connection that could not be made.
const PAUSE: Duration = Duration::from_millis(5);
/// What cannot be understood, each in its own way.
const MALFORMED: [&str; 5] = [
    "this is not JSON at all, and goes on for a while to look like something\n",
    "{\"id\":1,\"method\":\n",
    "[1,2,3,{\"method\":\"mining.submit\"}]\n",
    "{\"id\":7,\"method\":\"mining.submit\",\"params\":[\"a\",\"1\",\"zz\",\"yy\",\"xx\"]}\n",
    "{\"id\":{},\"method\":[],\"params\":\"none\"}\n",
];

/// A flood at work.
pub(super) struct Flooding {
    figures: Rc<RefCell<FloodFigures>>,
    tasks: Vec<AbortHandle>,
}

impl Flooding {
    pub(super) fn start(flood: Flood) -> Result<Self, BenchError> {
        let figures = Rc::new(RefCell::new(FloodFigures::default()));
        let shares = Rc::new(Premined::load(&flood.shares)?);
        let flood = Rc::new(flood);
        let attacker = |number, kind| Attacker {
            flood: flood.clone(),
            figures: figures.clone(),
            shares: shares.clone(),
            kind,
            number,
        };
        let malformed = (0..flood.malformed).map(|number| attacker(number, Kind::Malformed));
        let slow = (0..flood.slow).map(|number| attacker(number, Kind::Slow));
        let invalid = (0..flood.invalid).map(|number| attacker(number, Kind::Invalid));
        let all = malformed.chain(slow).chain(invalid);
        let tasks = all.map(|attacker| spawn_local(attacker.attack()).abort_handle()).collect();
        Ok(Self { figures, tasks })
    }

    pub(super) fn so_far(&self) -> FloodFigures {
        *self.figures.borrow()
    }

    pub(super) fn end(self) -> FloodFigures {
        for task in &self.tasks {
            task.abort();
        }
        self.so_far()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Malformed,
    Slow,
    Invalid,
}

struct Attacker {
    flood: Rc<Flood>,
    figures: Rc<RefCell<FloodFigures>>,
    shares: Rc<Premined>,
    kind: Kind,
    number: u32,
}

impl Attacker {
    async fn attack(self) {
        loop {
            let Flood { gateway, source, .. } = *self.flood;
            let Ok(stream) = dial_short(gateway, source, self.number).await else {
                self.count(|figures| figures.refused += 1);
                sleep(PAUSE).await;
                continue;
            };
            // Every end is met by coming back.
            let _ = match self.kind {
                Kind::Malformed => self.malformed(&stream).await,
                Kind::Slow => self.slow(&stream).await,
                Kind::Invalid => self.invalid(stream).await,
            };
            yield_now().await;
        }
    }

    /// Its own address, in a subnet of its own.
    fn header(&self) -> String {
        let kind = match self.kind {
            Kind::Malformed => 0,
            Kind::Slow => 64,
            Kind::Invalid => 128,
        };
        let [_, _, high, low] = self.number.to_be_bytes();
        let second = kind + 4 * (self.flood.number % 16) + high % 4;
        proxy_header(Ipv4Addr::new(10, second, low, 1))
    }

    fn count(&self, count: impl FnOnce(&mut FloodFigures)) {
        count(&mut self.figures.borrow_mut());
    }

    async fn malformed(&self, stream: &TcpStream) -> io::Result<()> {
        self.count(|figures| figures.malformed_connections += 1);
        write_all(stream, self.header().as_bytes()).await?;
        let lines: String = MALFORMED.iter().cycle().take(AT_ONCE).copied().collect();
        loop {
            // Both branches are cancel-safe: the writing is done before anything is waited for.
            write_all(stream, lines.as_bytes()).await?;
            self.count(|figures| figures.malformed += AT_ONCE as u64);
            if !drain(stream, |_| {})? {
                return Ok(());
            }
            yield_now().await;
        }
    }

    async fn slow(&self, stream: &TcpStream) -> io::Result<()> {
        self.count(|figures| figures.slow_connections += 1);
        write_all(stream, self.header().as_bytes()).await?;
        loop {
            write_all(stream, b"{").await?;
            // Every branch is cancel-safe: a sleep, readiness.
            tokio::select! {
                () = sleep(Duration::from_secs(1)) => {}
                readable = stream.readable() => readable?,
            }
            if !drain(stream, |_| {})? {
                return Ok(());
            }
        }
    }

    async fn invalid(&self, stream: TcpStream) -> io::Result<()> {
        self.count(|figures| figures.invalid_connections += 1);
        let words = format!(
            "{}{{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cheat/1.0\"]}}\n\
             {{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"bench.cheat{}\",\"x\"]}}\n",
            self.header(),
            self.number
        );
        write_all(&stream, words.as_bytes()).await?;
        let (read, write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let (mut slot, mut job, mut sent) = (None, None, 0);
        let mut waits = 0usize;
        while let Some(line) = lines.next_line().await? {
            if line.contains("\"method\":\"mining.notify\"") {
                job = job_of(line.as_bytes()).map(str::to_owned);
            } else if let Ok(reply) = serde_json::from_str::<Value>(&line)
                && !reply["id"].is_null()
            {
                match reply["id"].as_u64() {
                    Some(1) => {
                        let told = reply["result"][1].as_str();
                        slot = told.and_then(|told| u32::from_str_radix(told, 16).ok());
                    }
                    Some(2) => {}
                    _ => waits = waits.saturating_sub(1),
                }
            }
            if let (Some(slot), Some(job), 0) = (slot, &job, waits) {
                let lines: String =
                    (0..SHARES_AT_ONCE).map(|at| self.failure(slot, job, sent + at)).collect();
                sent += SHARES_AT_ONCE;
                waits = SHARES_AT_ONCE;
                self.count(|figures| figures.invalid += SHARES_AT_ONCE as u64);
                write_all(write.as_ref(), lines.as_bytes()).await?;
            }
        }
        Ok(())
    }

    fn failure(&self, slot: u32, job: &str, number: usize) -> String {
        let nonce = self.shares.failure(slot, number).unwrap_or_default();
        submit_line(number as u64 + 3, &format!("bench.cheat{}", self.number), job, nonce)
    }
}
