//! The pool dies, and the next one has the machines.

use std::time::Duration;

use tokio::time::sleep;

use super::{ONE_OF, Stage, jobs, number, settled, unharmed};
use crate::{
    BenchError, Bound, Figure,
    instant::{micros, nanos},
    orders::Pace,
    rig::Rig,
};

const MACHINES: u32 = 10_000;
/// From the detection to the new pool's first job, in milliseconds.
const MOST: f64 = 200.0;
/// A reset has to be noticed within so many milliseconds.
const DETECTED: f64 = 100.0;

pub(super) async fn run(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let first = rig.pool(ONE_OF).await?;
    let second = rig.pool(ONE_OF).await?;
    let pools = [first.address, second.address];
    let mut stage = Stage::set(rig, "failover", &pools, MACHINES, "").await?;
    let stands_by = |state: &serde_json::Value| {
        let state_of = |at: usize| state.pointer(&format!("/summary/upstream/pools/{at}/state"));
        state_of(0).is_some_and(|it| it == "active")
            && state_of(1).is_some_and(|it| it == "standby")
    };
    stage.gateway.until("the second pool to stand by", Duration::from_secs(30), stands_by).await?;
    let _jobs = (jobs(&first, Duration::from_secs(20)), jobs(&second, Duration::from_secs(20)));
    stage.herd.pace(Pace::Mean { seconds: 10.0 }).await?;
    sleep(Duration::from_secs(rig.or(3, 10))).await;
    stage.herd.figures().await?;
    stage.herd.time_jobs().await?;
    let killed = nanos();
    first.kill();
    sleep(Duration::from_secs(rig.or(4, 10))).await;
    let arrivals = stage.herd.arrivals().await?;
    let mut seen = stage.herd.figures().await?;
    stage.herd.pace(Pace::Quiet).await?;
    seen.add(settled(&mut stage.herd).await?);
    let state = stage.gateway.state().await?;
    stage.clear(rig).await?;

    let event = |name: &str| {
        let seconds = state.pointer(&format!("/summary/upstream/failovers/0/{name}"));
        seconds.and_then(serde_json::Value::as_f64).map_or(f64::NAN, |seconds| seconds * 1e3)
    };
    let times = arrivals.first().cloned().unwrap_or_default();
    let after = |at: Option<&u64>| at.map_or(f64::NAN, |at| f64::from(micros(killed, *at)) / 1e3);
    let lost: f64 =
        (0..2).map(|at| number(&state, &format!("/summary/upstream/pools/{at}/lost"))).sum();
    let mut figures = vec![
        Figure::new("from detection to the new pool's job given", event("switched_s"), "ms")
            .wanted(Bound::AtMost(MOST)),
        Figure::new("detection", event("detected_s"), "ms").wanted(Bound::AtMost(DETECTED)),
        Figure::new("from the pool's death to the first client", after(times.first()), "ms")
            .wanted(Bound::AtMost(MOST)),
        Figure::new("from the pool's death to the last client", after(times.last()), "ms"),
        Figure::new("machines with the new job", times.len() as f64, "machines")
            .wanted(Bound::Is(MACHINES.into())),
        Figure::new("shares of the first pool, lost and named", lost, "shares"),
        Figure::new("shares that came late (21)", stale(&seen), "shares"),
    ];
    // Late for the pool that is gone is no fault of anybody.
    seen.refused.remove(&21);
    figures.extend(unharmed(&seen));
    Ok(figures)
}

fn stale(seen: &crate::orders::Figures) -> f64 {
    seen.refused.get(&21).map_or(0.0, |count| *count as f64)
}
