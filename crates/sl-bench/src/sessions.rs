//! What a session costs without a socket: a gateway in this process, machines that only listen.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use sl_gateway::{Gateway, GatewaySettings, GatewayStatus};
use sl_ports::{Clock, Randomness, process::ProcessFigures};
use sl_pow::Registry;
use sl_scrypt::Scrypt;
use sl_supervise::{RestartPolicy, ServiceSpec, Supervisor};
use sl_work::{JobId, SourceId, Work, source};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::{BenchError, premined};

/// What a machine says before it only listens.
const WORDS: &[u8] = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cgminer/4.9.0\"]}\n\
      {\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.rig\",\"x\"]}\n";
/// What is freed after the rush has its time to be.
const REST: Duration = Duration::from_secs(3);
/// Jobs that all of them are given.
const JOBS: u64 = 4;

/// Measures so many sessions in this process.
pub(crate) fn run(count: u32) -> Result<serde_json::Value, BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(BenchError::io("starting a runtime"))?;
    runtime.block_on(measure(count))
}

async fn measure(count: u32) -> Result<serde_json::Value, BenchError> {
    let gone = |_| BenchError::Part("the gateway is gone".into());
    let (clock, randomness) = (Clock::real(), Randomness::seeded(1));
    let (handle, mut end) = source(SourceId::new("bench"));
    end.set_widest(premined::EXTRANONCE2_LEN);
    let mut registry = Registry::new();
    registry.register(Scrypt).map_err(BenchError::part)?;
    let settings = GatewaySettings {
        listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        max_connections: count,
        ..GatewaySettings::default()
    };
    let rng = randomness.rng("gateway");
    let gateway = Gateway::new(settings, Arc::new(handle), registry, "scrypt", clock, rng);
    let (mut status, side) = (gateway.status(), gateway.side_door());
    let spec = ServiceSpec::new("gateway", "measured", move |ctx| gateway.clone().run(ctx))
        .grace(Duration::from_secs(60))
        .restart(RestartPolicy::never());
    let stop = CancellationToken::new();
    let supervisor =
        Supervisor::new(vec![spec], randomness.rng("supervisor")).map_err(BenchError::part)?;
    let running = tokio::spawn(supervisor.run(stop.clone()));
    let leased = end.leases.recv().await;
    let leased = leased.ok_or_else(|| BenchError::Part("no lease is asked for".into()))?;
    let job = |sequence| {
        let id = JobId { source: SourceId::new("bench"), sequence };
        let job = sl_work::Job { id, epoch: sequence, born: clock.mono(), ..premined::template() };
        leased.work.send_replace(Work::Job(Arc::new(job)));
    };
    job(1);
    status.wait_for(|status| status.jobs == 1).await.map_err(gone)?;

    let resident = || ProcessFigures::now().rss_bytes.unwrap_or(0);
    let before = resident();
    for number in 0..count {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)), 5000);
        side.enter(Listener { said: 0 }, address).await.map_err(BenchError::part)?;
    }
    let all = u64::from(count);
    let there = |status: &GatewayStatus| status.slots.in_use == all && status.connections == all;
    status.wait_for(there).await.map_err(gone)?;
    let (mut slowest, mut machines) = (Duration::ZERO, count);
    for sequence in 2..2 + JOBS {
        job(sequence);
        let told = status.wait_for(|status| {
            status.sent.back().is_some_and(|sent| sent.job.sequence == sequence)
        });
        let status = told.await.map_err(gone)?.clone();
        if let Some(sent) = status.sent.back() {
            machines = machines.min(sent.machines);
            slowest =
                slowest.max(sent.last_write.map_or(Duration::ZERO, |it| it.since(sent.published)));
        }
    }
    tokio::time::sleep(REST).await;
    let used = resident().saturating_sub(before);
    stop.cancel();
    running.await.map_err(BenchError::part)?;
    Ok(serde_json::json!({
        "sessions": count,
        "resident_bytes_each": used / all.max(1),
        "machines": machines,
        "fan_out_ms": slowest.as_secs_f64() * 1e3,
    }))
}

/// A machine that says its first words and then listens.
struct Listener {
    said: usize,
}

impl AsyncRead for Listener {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = WORDS.get(self.said..).unwrap_or_default();
        if rest.is_empty() {
            return Poll::Pending;
        }
        let fits = rest.len().min(into.remaining());
        into.put_slice(rest.get(..fits).unwrap_or_default());
        self.said += fits;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Listener {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
