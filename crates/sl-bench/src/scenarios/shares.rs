//! What shares cost: at the rate that is asked of machines, and as fast as it goes.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::{ONE_OF, Stage, Watched, jobs, number, parts, settled, times, unharmed};
use crate::{
    BenchError, Bound, Figure,
    floor::{self, Bare},
    orders::{Figures, Pace},
    pool::Pool,
    premined::DIFFICULTY,
    rig::Rig,
};

const MACHINES: u32 = 10_000;
/// Each sends a share in so many seconds, in the mean.
const MEAN: f64 = 10.0;
/// Most of a core for them.
const MOST_OF_A_CORE: f64 = 0.5;
/// Most CPU of a share when the gateway has nothing to wait for, in microseconds.
const MOST_OF_A_SHARE: f64 = 75.0;

/// 10,000 machines at 6 shares a minute, journal on.
pub(super) async fn steady(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let (warm, time) = rig.or((5, 10), (15, 60));
    let pool = rig.pool(ONE_OF).await?;
    let mut stage = set(rig, "steady", &pool).await?;
    let _jobs = jobs(&pool, Duration::from_secs(25));
    stage.herd.pace(Pace::Mean { seconds: MEAN }).await?;
    sleep(Duration::from_secs(warm)).await;
    let watched = stage.watch(Duration::from_secs(time)).await?;
    let resident = stage.gateway.resident() as f64 / 1024.0 / 1024.0;
    let Watched { seen, used, lasted, .. } = watched;
    let rate = seen.accepted as f64 / lasted;
    let done = Done::come(stage, rig, seen).await?;
    let mut figures = vec![
        Figure::new("gateway", used.total_s() / lasted, "of a core")
            .wanted(Bound::AtMost(MOST_OF_A_CORE)),
    ];
    figures.extend(parts(&used, lasted, "of a core"));
    figures.push(Figure::new("shares a second", rate, ""));
    figures.extend(done.figures());
    let sent = number(&done.summary, "/gateway/forwarded/sent");
    figures.push(Figure::new("sent up", sent, "shares"));
    figures.push(Figure::new("resident memory", resident, "MiB"));
    Ok(figures)
}

/// Each of 10,000 machines sends its next share when the last one is answered.
pub(super) async fn saturation(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let pool = rig.pool(ONE_OF).await?;
    let mut stage = set(rig, "saturation", &pool).await?;
    let jobs = jobs(&pool, Duration::from_millis(2500));
    stage.herd.pace(Pace::Closed { in_flight: 1 }).await?;
    sleep(Duration::from_secs(4)).await;
    let watched = stage.watch(Duration::from_secs(rig.or(6, 15))).await?;
    let Watched { seen, used, lasted, load } = watched;
    let micros = (seen.accepted.max(1)) as f64 / 1e6;
    let rate = seen.accepted as f64 / lasted;
    let exhausted = seen.exhausted;
    let done = Done::come(stage, rig, seen).await?;
    drop(jobs);
    // Now nothing else runs: what the same hashes and sockets ask by themselves.
    let hash = floor::of(rig, Bare::Hashes, 0).await?.cpu_each_us();
    let sockets = floor::of(rig, Bare::Shares, MACHINES).await?.cpu_each_us();
    let each = used.total_s() / micros;
    let mut figures =
        vec![Figure::new("gateway, each share", each, "µs").wanted(Bound::AtMost(MOST_OF_A_SHARE))];
    figures.extend(parts(&used, micros, "µs"));
    figures.push(Figure::new("bare hash, by the same engine", hash, "µs"));
    figures.push(Figure::new("bare read and write on a socket", sockets, "µs"));
    figures.push(Figure::new("gateway, besides these two", each - hash - sockets, "µs"));
    figures.push(Figure::new("shares a second", rate, ""));
    figures.push(Figure::new("gateway", used.total_s() / lasted, "of a core"));
    figures.push(Figure::new("load", load, "of a core"));
    figures.push(Figure::new("machines that waited for a job", exhausted as f64, "times"));
    figures.extend(done.figures());
    Ok(figures)
}

/// Machines that claim what they make at six shares a minute.
async fn set(rig: &Rig, name: &str, pool: &Pool) -> Result<Stage, BenchError> {
    let claim = DIFFICULTY * 65_536.0 / MEAN;
    let more = format!("  claim: {claim:.3} H/s\n");
    Stage::set(rig, name, &[pool.address], MACHINES, &more).await
}

/// How it ended.
struct Done {
    seen: Figures,
    /// Workers whose claim is tested, of those that the gateway shows.
    tested: usize,
    summary: Value,
}

impl Done {
    /// Waits for the last answers, and ends all.
    async fn come(mut stage: Stage, rig: &Rig, mut seen: Figures) -> Result<Self, BenchError> {
        stage.herd.pace(Pace::Quiet).await?;
        seen.add(settled(&mut stage.herd).await?);
        seen.latencies.sort_unstable();
        let state = stage.gateway.state().await?;
        let workers = state.pointer("/summary/gateway/workers").and_then(Value::as_array);
        let claims = |worker: &&Value| !worker["work_done"].is_null();
        let tested = workers.into_iter().flatten().filter(claims).count();
        Ok(Self { seen, tested, summary: stage.clear(rig).await? })
    }

    fn figures(&self) -> Vec<Figure> {
        let count = |name: &str| number(&self.summary, name);
        let unwritten = count("/shares/accepted") - count("/journal/shares");
        let mut figures = times("acknowledgement", &self.seen.latencies);
        figures.extend(unharmed(&self.seen));
        figures.extend([
            Figure::new("accepted, not in the journal", unwritten.max(0.0), "shares")
                .wanted(Bound::Is(0.0)),
            Figure::new("claims tested, of the workers shown", self.tested as f64, "workers")
                .wanted(Bound::AtLeast(1.0)),
            Figure::new(
                "found to hash less than they claim",
                count("/gateway/shortfalls"),
                "times",
            )
            .wanted(Bound::Is(0.0)),
        ]);
        figures
    }
}
