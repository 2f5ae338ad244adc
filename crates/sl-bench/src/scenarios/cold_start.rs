//! A farm comes to a gateway that knows nothing of it, at a difficulty far too easy: the shares of the
//! first minute are those of an hour.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{LOADS, ONE_OF, Stage, jobs, settled, spread, times, unharmed};
use crate::{
    BenchError, Bound, Figure,
    gateway::Gateway,
    herd::{Herd, Spread},
    orders::{Figures, Pace},
    pool::Pool,
    premined::EASIEST,
    rig::Rig,
};

/// How much too easy the first difficulty is for six shares a minute.
const TOO_EASY: f64 = 64.0;
/// Shares that each machine is to send a second.
const RATE: f64 = 0.1;
/// Near it: at most so many times as many.
const NEAR: f64 = 1.5;
/// For so many looks after one another.
const STAYS: usize = 5;
const LOOK: Duration = Duration::from_secs(1);
/// Often enough that no machine is without work: it has hashes for 20 s of each job.
const JOBS: Duration = Duration::from_secs(12);
/// It may take so many seconds.
const MOST: f64 = 120.0;

pub(super) async fn run(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let machines: u32 = rig.or(1000, 10_000);
    let patience = Duration::from_secs(rig.or(100, 270));
    let per_second = TOO_EASY * EASIEST * 65_536.0 * RATE;
    let pool = Pool::start(EASIEST * TOO_EASY * ONE_OF, true).await?;
    let open = format!("  start_difficulty: {EASIEST}\n  min_difficulty: {EASIEST}\n");
    let plan = rig.open_plan("cold-start", &[pool.address], &open)?;
    let gateway = Gateway::start(rig, &plan).await?;
    let mut herd = Herd::start(rig, LOADS, rig.load_cpu).await?;
    let _jobs = jobs(&pool, JOBS);
    let begin = Instant::now();
    let hashing = Spread { pace: Pace::Hashes { per_second }, ..spread(&plan, machines) };
    herd.machines(rig, &hashing).await?;
    let connected = begin.elapsed().as_secs_f64();
    let mut stage = Stage { plan, gateway, herd };

    let mut seen = stage.herd.figures().await?;
    let (mut highest, mut near, mut near_since) = (0f64, 0, None);
    let (mut looked, mut lately) = (Instant::now(), f64::NAN);
    while near < STAYS && begin.elapsed() < patience {
        sleep(LOOK).await;
        let new = stage.herd.figures().await?;
        let lasted = looked.elapsed().as_secs_f64();
        looked = Instant::now();
        lately = new.accepted as f64 / lasted;
        highest = highest.max(lately);
        let is_near =
            lately <= f64::from(machines) * RATE * NEAR && new.in_flight < machines.into();
        near = if is_near { near + 1 } else { 0 };
        if near == 1 {
            near_since = Some(begin.elapsed().as_secs_f64());
        }
        seen.add(Figures { ready: 0, in_flight: 0, ..new });
    }
    let took = near_since.filter(|_| near >= STAYS).unwrap_or(f64::NAN);
    stage.herd.pace(Pace::Quiet).await?;
    seen.add(settled(&mut stage.herd).await?);
    seen.latencies.sort_unstable();
    stage.clear(rig).await?;

    let each = |count: u64| count as f64 / f64::from(machines);
    let code = |code: i64| seen.refused.get(&code).copied().unwrap_or_default() as f64;
    let mut figures = vec![
        Figure::new("until the rate is near six a minute", took, "s").wanted(Bound::AtMost(MOST)),
        Figure::new("refused as stale (21), all jobs standing", code(21), "shares")
            .wanted(Bound::Is(0.0)),
        Figure::new("refused as sent before (22)", code(22), "shares").wanted(Bound::Is(0.0)),
        Figure::new("refused as too easy (23)", code(23), "shares").wanted(Bound::Is(0.0)),
    ];
    figures.extend(unharmed(&seen));
    figures.extend([
        Figure::new("until all had a job", connected, "s"),
        Figure::new("wanted at first", f64::from(machines) * per_second, "shares a second"),
        Figure::new("highest rate", highest, "shares a second"),
        Figure::new("last rate", lately, "shares a second"),
        Figure::new("accepted, each machine", each(seen.accepted), "shares"),
        Figure::new("found and not sent, each machine", each(seen.unsent), "shares"),
        Figure::new("other difficulties told, each machine", each(seen.retargets), "times"),
    ]);
    figures.extend(times("acknowledgement", &seen.latencies));
    Ok(figures)
}
