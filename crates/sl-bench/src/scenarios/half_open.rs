//! Machines vanish without a word, as by a power cut, and come back while the gateway still takes them
//! for connected.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{LOADS, ONE_OF, Stage, jobs, number, settled, spread, unharmed};
use crate::{
    BenchError, Bound, Figure,
    gateway::Gateway,
    herd::{Herd, Spread},
    orders::{Figures, Pace},
    rig::Rig,
};

/// Each sends a share in so many seconds, in the mean.
const MEAN: f64 = 10.0;
/// So long after it has fallen silent a machine is back, in the mean.
const AWAY: u64 = 1000;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);
const MIB: f64 = 1024.0 * 1024.0;

pub(super) async fn run(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let (machines, vanishing) = rig.or((2000, 200), (10_000, 1000));
    let pool = rig.pool(ONE_OF).await?;
    let plan = rig.plan("half-open", &[pool.address], "")?;
    let gateway = Gateway::start(rig, &plan).await?;
    let mut herd = Herd::start(rig, LOADS, rig.load_cpu).await?;
    let returning = Spread { return_after_ms: Some(AWAY), ..spread(&plan, machines) };
    herd.machines(rig, &returning).await?;
    let mut stage = Stage { plan, gateway, herd };
    let _jobs = jobs(&pool, Duration::from_secs(25));
    stage.herd.pace(Pace::Mean { seconds: MEAN }).await?;
    sleep(Duration::from_secs(5)).await;
    let mut seen = stage.herd.figures().await?;
    let before = stage.gateway.resident() as f64;

    let begin = Instant::now();
    stage.herd.vanish(vanishing).await?;
    let is_back =
        |seen: &Figures| seen.vanished == u64::from(vanishing) && seen.ready == u64::from(machines);
    while !is_back(&seen) && begin.elapsed() < PATIENCE {
        sleep(LOOK).await;
        let ready = stage.herd.figures().await?;
        seen.ready = 0;
        seen.add(ready);
    }
    let took = begin.elapsed().as_secs_f64();
    let back = if is_back(&seen) { took } else { f64::NAN };
    let all = u64::from(vanishing);
    let mut buried = stage.herd.buried().await?;
    while buried < all && begin.elapsed() < PATIENCE {
        sleep(LOOK).await;
        buried = stage.herd.buried().await?;
    }
    let ended = begin.elapsed().as_secs_f64();
    // What is freed has its time to be, and the summary its to be made anew.
    sleep(Duration::from_secs(3)).await;
    let after = stage.gateway.resident() as f64;
    let state = stage.gateway.state().await?;

    stage.herd.pace(Pace::Quiet).await?;
    seen.add(settled(&mut stage.herd).await?);
    stage.clear(rig).await?;
    let count = |name: &str, value: f64, unit: &str, wanted: u32| {
        Figure::new(name, value, unit).wanted(Bound::Is(wanted.into()))
    };
    let of = |name: &str| number(&state, &format!("/summary/gateway/{name}"));
    let mut figures = vec![
        count("fell silent", seen.vanished as f64, "machines", vanishing),
        count("that got another slot", seen.strangers as f64, "machines", 0),
        Figure::new("until all had a job again", back, "s").wanted(Bound::AtMost(60.0)),
        count("silent connections that were ended", buried as f64, "connections", vanishing),
        Figure::new("until they were", if buried == all { ended } else { f64::NAN }, "s"),
        count("connections afterwards", of("connections"), "connections", machines),
        count("slots in use afterwards", of("slots/in_use"), "slots", machines),
        Figure::new("slots away afterwards", of("slots/away"), "slots"),
        Figure::new("resident memory before", before / MIB, "MiB"),
        Figure::new("resident memory afterwards", after / MIB, "MiB"),
    ];
    figures.extend(unharmed(&seen));
    Ok(figures)
}
