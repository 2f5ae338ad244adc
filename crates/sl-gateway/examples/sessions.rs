//! What a session costs, without sockets: resident memory each, and how long a job takes to all.
//!
//! `cargo run --release -p sl-gateway --example sessions -- 50000`
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use sl_gateway::{Gateway, GatewaySettings, GatewayStatus};
use sl_ports::{Clock, Randomness, process::ProcessFigures};
use sl_pow::Registry;
use sl_supervise::{RestartPolicy, ServiceSpec, Supervisor};
use sl_testkit::toy::Tail;
use sl_units::{Bits, Hash256, ShareDifficulty, Target};
use sl_work::{CoinbaseTemplate, HeaderTemplate, Job, JobId, NtimeRange, SourceId, Work, source};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

const WORDS: &str = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cgminer/4.9.0\"]}\n\
                     {\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.rig\",\"x\"]}\n";

/// A machine that says its first words and then listens.
struct Listener {
    said: usize,
    heard: Arc<AtomicU64>,
}

impl AsyncRead for Listener {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = WORDS.as_bytes().get(self.said..).unwrap_or_default();
        if rest.is_empty() {
            return Poll::Pending;
        }
        into.put_slice(rest);
        self.said = WORDS.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Listener {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.heard.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions: u32 = std::env::args().nth(1).map_or(Ok(50_000), |count| count.parse())?;
    let (clock, randomness) = (Clock::real(), Randomness::seeded(1));
    let (handle, mut end) = source(SourceId::new("bench"));
    end.set_widest(8);
    let mut registry = Registry::new();
    registry.register(Tail)?;
    let settings = GatewaySettings {
        listen: "127.0.0.1:0".parse()?,
        max_connections: sessions,
        ..GatewaySettings::default()
    };
    let rng = randomness.rng("gateway");
    let gateway = Gateway::new(settings, Arc::new(handle), registry, "tail", clock, rng);
    let (mut status, side) = (gateway.status(), gateway.side_door());
    let spec = ServiceSpec::new("gateway", "measured", move |ctx| gateway.clone().run(ctx))
        .grace(Duration::from_secs(60))
        .restart(RestartPolicy::never());
    let stop = CancellationToken::new();
    let supervisor = Supervisor::new(vec![spec], randomness.rng("supervisor"))?;
    let running = tokio::spawn(supervisor.run(stop.clone()));
    let leased = end.leases.recv().await.ok_or("the gateway asks for a lease")?;
    leased.work.send_replace(Work::Job(Arc::new(job(1, &clock)?)));
    status.wait_for(|status| status.jobs == 1).await?;

    let resident = || ProcessFigures::now().rss_bytes.unwrap_or(0);
    let before = resident();
    let heard = Arc::new(AtomicU64::new(0));
    for number in 0..sessions {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)), 5000);
        side.enter(Listener { said: 0, heard: heard.clone() }, address).await?;
    }
    let all = u64::from(sessions);
    // All have their job when all have a slot and the accounts have heard of each.
    status.wait_for(|status| status.slots.in_use == all && status.connections == all).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let used = resident().saturating_sub(before);
    for sequence in 2..5 {
        leased.work.send_replace(Work::Job(Arc::new(job(sequence, &clock)?)));
        let reached = |status: &GatewayStatus| {
            status.sent.back().is_some_and(|sent| sent.job.sequence == sequence)
        };
        let status = status.wait_for(reached).await?.clone();
        let sent = status.sent.back().ok_or("waited for")?;
        let took = sent.last_write.map(|last| last.since(sent.published));
        println!(
            "{}",
            serde_json::json!({
                "sessions": sessions,
                "resident_bytes_each": used / all.max(1),
                "machines": sent.machines,
                "fan_out_ms": took.map(|took| took.as_secs_f64() * 1000.0),
                "heard_bytes": heard.load(Ordering::Relaxed),
            })
        );
    }
    stop.cancel();
    running.await?;
    Ok(())
}

fn job(sequence: u64, clock: &Clock) -> Result<Job, Box<dyn Error>> {
    Ok(Job {
        id: JobId { source: SourceId::new("bench"), sequence },
        epoch: sequence,
        born: clock.mono(),
        header: HeaderTemplate {
            version: 0x2000_0000,
            roll_mask: 0,
            prev: Hash256::from_bytes([u8::try_from(sequence)?; 32]),
            bits: Bits::from_u32(0x1e0f_fff0),
            ntime: NtimeRange { earliest: 1000, start: 1100, latest: 1200 },
        },
        coinbase: CoinbaseTemplate {
            prefix: Bytes::from(vec![1; 120]),
            free: 8,
            suffix: Bytes::from(vec![2; 180]),
        },
        branch: vec![Hash256::from_bytes([3; 32]); 10],
        wanted: Target::from(ShareDifficulty::new(65_536.0)?),
        goals: Vec::new(),
    })
}
