//! Those who misbehave beside those who do not.

use std::{net::Ipv4Addr, time::Duration};

use tokio::time::{Instant, sleep};

use super::{LOADS, ONE_OF, Stage, jobs, settled, times, unharmed};
use crate::{
    BenchError, Bound, Figure,
    gateway::Gateway,
    herd::{Herd, Spread},
    instant::quantile,
    orders::{Figures, Flood, Pace},
    rig::Rig,
};

const HONEST: u32 = 1000;
/// Each honest machine sends a share in so many seconds, in the mean.
const MEAN: f64 = 2.0;
/// How much slower an acknowledgement may be than beside an equal burner.
const MOST: f64 = 2.0;
/// All that come from here name their client by a PROXY header.
const BALANCERS: &str = "  proxy_from: ['127.0.10.0/24', '127.0.11.0/24', '127.0.12.0/24', '127.0.13.0/24', '127.0.20.0/24']\n";
const FLOOD_FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 20, 1);

pub(super) async fn run(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let time = Duration::from_secs(rig.or(5, 20));
    let messages = rig.or(100_000, 1_000_000);
    let pool = rig.pool(ONE_OF).await?;
    let more = format!("  shares_per_minute: 30\n{BALANCERS}");
    let plan = rig.plan("flood", &[pool.address], &more)?;
    let gateway = Gateway::start(rig, &plan).await?;
    let mut herd = Herd::start(rig, LOADS, rig.load_cpu).await?;
    herd.machines(rig, &Spread { proxied: true, ..super::spread(&plan, HONEST) }).await?;
    let mut stage = Stage { plan, gateway, herd };
    let mut burner = Herd::start(rig, 1, rig.gateway_cpu).await?;
    let mut flood = Herd::start(rig, 1, rig.load_cpu).await?;
    let _jobs = jobs(&pool, Duration::from_secs(4));
    stage.herd.pace(Pace::Mean { seconds: MEAN }).await?;
    sleep(Duration::from_secs(2)).await;

    let mut all = Figures::default();
    let quiet = watch(&mut stage, time, &mut all).await?;

    flood
        .flood(Flood {
            gateway: stage.plan.address,
            shares: rig.shares(),
            source: FLOOD_FROM,
            malformed: 200,
            slow: 1000,
            invalid: 50,
        })
        .await?;
    sleep(Duration::from_secs(1)).await;
    let load = flood.cpu_s();
    let flooded = watch(&mut stage, time, &mut all).await?;
    let load = (flood.cpu_s() - load) / flooded.lasted;
    let end = Instant::now() + Duration::from_secs(60);
    while flood.flood_so_far().await?.malformed < messages && Instant::now() < end {
        sleep(Duration::from_millis(200)).await;
    }
    let done = flood.end_flood().await?;
    sleep(Duration::from_secs(1)).await;

    // The same CPU time is taken from both sides by somebody who only burns it.
    let burnt = (flooded.cpu - quiet.cpu).clamp(0.0, 1.0);
    burner.burn(burnt, time + Duration::from_secs(1)).await?;
    flood.burn(load, time + Duration::from_secs(1)).await?;
    let beside = watch(&mut stage, time, &mut all).await?;
    burner.burnt().await?;
    flood.burnt().await?;

    stage.herd.pace(Pace::Quiet).await?;
    all.add(settled(&mut stage.herd).await?);
    let state = stage.gateway.state().await?;
    stage.clear(rig).await?;
    let ratio = |part| {
        let of = |phase: &Phase| quantile(&phase.latencies, part).map_or(f64::NAN, f64::from);
        of(&flooded) / of(&beside)
    };
    let mut figures = vec![
        Figure::new("acknowledgement against an equal burner, p99", ratio(0.99), "times")
            .wanted(Bound::AtMost(MOST)),
        Figure::new("acknowledgement against an equal burner, median", ratio(0.5), "times")
            .wanted(Bound::AtMost(MOST)),
    ];
    figures.extend(unharmed(&all));
    figures.push(Figure::new("honest shares", all.sent as f64, "shares"));
    figures.extend(times("acknowledgement without a flood", &quiet.latencies));
    figures.extend(times("acknowledgement in the flood", &flooded.latencies));
    figures.extend(times("acknowledgement beside a burner", &beside.latencies));
    figures.push(Figure::new("gateway without a flood", quiet.cpu, "of a core"));
    figures.push(Figure::new("gateway in the flood", flooded.cpu, "of a core"));
    figures.push(Figure::new("flood's own processes", load, "of a core"));
    let count = |name: &str, count: u64, unit: &str| Figure::new(name, count as f64, unit);
    figures.push(
        count("malformed messages", done.malformed, "messages")
            .wanted(Bound::AtLeast(messages as f64)),
    );
    figures.push(count("connections that sent them", done.malformed_connections, "connections"));
    figures.push(count("connections that sent slowly", done.slow_connections, "connections"));
    figures.push(count("shares that prove nothing", done.invalid, "shares"));
    figures.push(count("connections that sent them", done.invalid_connections, "connections"));
    let acted = state.pointer("/summary/gateway/protections").and_then(|it| it.as_object());
    for (name, value) in acted.into_iter().flatten() {
        if let Some(times) = value.as_f64().filter(|times| *times > 0.0) {
            figures.push(Figure::new(&format!("protection {name}"), times, "times"));
        }
    }
    Ok(figures)
}

/// A time that was watched.
struct Phase {
    latencies: Vec<u32>,
    /// Of the gateway, as a part of a core.
    cpu: f64,
    lasted: f64,
}

async fn watch(stage: &mut Stage, time: Duration, all: &mut Figures) -> Result<Phase, BenchError> {
    let mut before = stage.herd.figures().await?;
    before.latencies.clear();
    all.add(before);
    let (cpu, begin) = (stage.gateway.cpu(), Instant::now());
    sleep(time).await;
    let lasted = begin.elapsed().as_secs_f64();
    let cpu = stage.gateway.cpu().since(&cpu).total_s() / lasted;
    let mut seen = stage.herd.figures().await?;
    let latencies = std::mem::take(&mut seen.latencies);
    all.add(seen);
    Ok(Phase { latencies, cpu, lasted })
}
