//! A job to all machines.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{ONE_OF, Stage, number, times};
use crate::{
    BenchError, Bound, Figure,
    floor::{self, Bare},
    instant::micros,
    rig::Rig,
};

/// From the job to the last write that has returned, in milliseconds.
const MOST: f64 = 100.0;
const MACHINES: u32 = 10_000;
/// From one job to the next at least, so that nobody looks while the job is on its way.
const APART: Duration = Duration::from_millis(1500);
/// How often it is asked who still waits.
const LOOK: Duration = Duration::from_millis(100);
/// A machine that has no job after so long gets none.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn run(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let jobs: u64 = rig.or(4, 12);
    let pool = rig.pool(ONE_OF).await?;
    let mut stage = Stage::set(rig, "fanout", &[pool.address], MACHINES, "").await?;
    stage.herd.time_jobs().await?;
    let before = stage.gateway.cpu();
    for number in 1..=jobs {
        pool.job(true);
        // A machine that is still to get a job would be given the next one instead.
        let end = Instant::now() + PATIENCE;
        sleep(APART).await;
        while stage.herd.arrived().await? < u64::from(MACHINES) * number && Instant::now() < end {
            sleep(LOOK).await;
        }
    }
    let used = stage.gateway.cpu().since(&before);
    // The gateway tells of a job a second after it came.
    sleep(Duration::from_millis(1000)).await;
    let arrivals = stage.herd.arrivals().await?;
    let seen = stage.herd.figures().await?;
    let state = stage.gateway.state().await?;
    stage.clear(rig).await?;
    // The same writes with nothing around them, now that nothing else runs.
    let bare = floor::of(rig, Bare::Jobs, MACHINES).await?;
    let latency = |name: &str| number(&state, &format!("/summary/gateway/job_latency/{name}"));
    let (mut all, mut last) = (Vec::new(), Vec::new());
    let written = pool.written();
    for times in &arrivals {
        let first = times.first().copied().unwrap_or_default();
        let Some(sent) = written.iter().rev().find(|sent| **sent <= first) else { continue };
        all.extend(times.iter().map(|at| micros(*sent, *at)));
        last.extend(times.last().map(|at| micros(*sent, *at)));
    }
    let reached: usize = arrivals.iter().map(Vec::len).sum();
    all.sort_unstable();
    last.sort_unstable();
    let all_jobs = f64::from(MACHINES) * jobs as f64;
    let each = 1e6 / all_jobs;
    let mut figures = vec![
        Figure::new("last write returned, worst job", latency("max_ms"), "ms")
            .wanted(Bound::AtMost(MOST)),
        Figure::new("last write returned, median job", latency("p50_ms"), "ms"),
        Figure::new("bare fan-out to all, worst", bare.worst_s() * 1e3, "ms"),
        Figure::new("bare fan-out to all, median", bare.median_s() * 1e3, "ms"),
        Figure::new("gateway / bare, median", latency("p50_ms") / (bare.median_s() * 1e3), "times"),
        Figure::new("jobs", latency("count"), ""),
        Figure::new("gateway, each machine and job", used.total_s() * each, "µs"),
        Figure::new("in the kernel", used.kernel_s() * each, "µs"),
        Figure::new("bare write, each", bare.cpu_each_us(), "µs"),
    ];
    figures.extend(times("pool's write to a client's read", &all));
    figures.extend(times("pool's write to the last client's read", &last));
    figures.push(
        Figure::new("jobs that came", reached as f64, "to machines").wanted(Bound::Is(all_jobs)),
    );
    figures.push(
        Figure::new("disconnects", seen.disconnects as f64, "machines").wanted(Bound::Is(0.0)),
    );
    Ok(figures)
}
