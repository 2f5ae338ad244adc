//! What shares cost: at the rate that is asked of machines, and as fast as it goes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{ONE_OF, Stage, jobs, number, parts, settled, times, unharmed};
use crate::{BenchError, Bound, Figure, orders::Pace, rig::Rig};

/// Most of a core for 10,000 machines at 6 shares a minute.
const MOST_OF_A_CORE: f64 = 0.5;
/// Most CPU of a share when the gateway has nothing to wait for, in microseconds.
const MOST_OF_A_SHARE: f64 = 75.0;

/// 10,000 machines at 6 shares a minute, journal on.
pub(super) async fn steady(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let (warm, time) = rig.or((5, 10), (15, 60));
    let pool = rig.pool(ONE_OF).await?;
    let mut stage = Stage::set(rig, "steady", &[pool.address], 10_000, "").await?;
    let _jobs = jobs(&pool, Duration::from_secs(25));
    stage.herd.pace(Pace::Mean { seconds: 10.0 }).await?;
    sleep(Duration::from_secs(warm)).await;
    stage.herd.figures().await?;
    let (before, begin) = (stage.gateway.cpu(), Instant::now());
    sleep(Duration::from_secs(time)).await;
    let used = stage.gateway.cpu().since(&before);
    let lasted = begin.elapsed().as_secs_f64();
    let resident = stage.gateway.resident() as f64 / 1024.0 / 1024.0;
    let mut seen = stage.herd.figures().await?;
    let rate = seen.accepted as f64 / lasted;
    stage.herd.pace(Pace::Quiet).await?;
    seen.add(settled(&mut stage.herd).await?);
    seen.latencies.sort_unstable();
    let summary = stage.clear(rig).await?;
    let unwritten = number(&summary, "/shares/accepted") - number(&summary, "/journal/shares");
    let mut figures = vec![
        Figure::new("gateway", used.total_s() / lasted, "of a core")
            .wanted(Bound::AtMost(MOST_OF_A_CORE)),
    ];
    figures.extend(parts(&used, lasted, "of a core"));
    figures.push(Figure::new("shares a second", rate, ""));
    figures.extend(times("acknowledgement", &seen.latencies));
    figures.extend(unharmed(&seen));
    figures.push(
        Figure::new("accepted, not in the journal", unwritten.max(0.0), "shares")
            .wanted(Bound::Is(0.0)),
    );
    figures.push(Figure::new("sent up", number(&summary, "/gateway/forwarded/sent"), "shares"));
    figures.push(Figure::new("resident memory", resident, "MiB"));
    Ok(figures)
}

/// Each of 10,000 machines sends its next share when the last one is answered.
pub(super) async fn saturation(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let time = rig.or(6, 15);
    let pool = rig.pool(ONE_OF).await?;
    let mut stage = Stage::set(rig, "saturation", &[pool.address], 10_000, "").await?;
    let _jobs = jobs(&pool, Duration::from_millis(2500));
    stage.herd.pace(Pace::Closed { in_flight: 1 }).await?;
    sleep(Duration::from_secs(4)).await;
    stage.herd.figures().await?;
    let (before, load, begin) = (stage.gateway.cpu(), stage.herd.cpu_s(), Instant::now());
    sleep(Duration::from_secs(time)).await;
    let mut seen = stage.herd.figures().await?;
    let used = stage.gateway.cpu().since(&before);
    let lasted = begin.elapsed().as_secs_f64();
    let load = (stage.herd.cpu_s() - load) / lasted;
    let micros = (seen.accepted.max(1)) as f64 / 1e6;
    let rate = seen.accepted as f64 / lasted;
    let exhausted = seen.exhausted;
    stage.herd.pace(Pace::Quiet).await?;
    seen.add(settled(&mut stage.herd).await?);
    seen.latencies.sort_unstable();
    let summary = stage.clear(rig).await?;
    let unwritten = number(&summary, "/shares/accepted") - number(&summary, "/journal/shares");
    let mut figures = vec![
        Figure::new("gateway, each share", used.total_s() / micros, "µs")
            .wanted(Bound::AtMost(MOST_OF_A_SHARE)),
    ];
    figures.extend(parts(&used, micros, "µs"));
    figures.push(Figure::new("shares a second", rate, ""));
    figures.push(Figure::new("gateway", used.total_s() / lasted, "of a core"));
    figures.push(Figure::new("load", load, "of a core"));
    figures.push(Figure::new("machines that waited for a job", exhausted as f64, "times"));
    figures.extend(times("acknowledgement", &seen.latencies));
    figures.extend(unharmed(&seen));
    figures.push(
        Figure::new("accepted, not in the journal", unwritten.max(0.0), "shares")
            .wanted(Bound::Is(0.0)),
    );
    Ok(figures)
}
