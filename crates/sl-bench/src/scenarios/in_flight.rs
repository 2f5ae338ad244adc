//! A pool far away, and its connection cut: what becomes of the shares on their way.

use std::time::Duration;

use sl_testkit::proxy::{Faults, Proxy};
use tokio::time::sleep;

use super::{Stage, jobs, number, settled};
use crate::{BenchError, Bound, Figure, orders::Pace, pool::Pool, premined::DIFFICULTY, rig::Rig};

const MACHINES: u32 = 200;
/// Before the pool.
const DELAY: Duration = Duration::from_millis(500);

pub(super) async fn run(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let mut figures = once(rig, true).await?;
    figures.extend(once(rig, false).await?);
    Ok(figures)
}

/// The cut, before a pool that resumes its session or does not.
async fn once(rig: &Rig, resumes: bool) -> Result<Vec<Figure>, BenchError> {
    let pool = Pool::start(DIFFICULTY, resumes).await?;
    let proxy = Proxy::start(pool.address).await;
    let mut stage = Stage::set(rig, "in-flight", &[proxy.address()], MACHINES, "").await?;
    let jobs = jobs(&pool, Duration::from_millis(500));
    proxy.to_server(Faults { delay: DELAY, ..Faults::default() });
    stage.herd.pace(Pace::Mean { seconds: 0.2 }).await?;
    sleep(Duration::from_secs(rig.or(2, 4))).await;
    // What is on its way between gateway and proxy comes to one side or the other.
    stage.herd.pace(Pace::Quiet).await?;
    settled(&mut stage.herd).await?;
    drop(jobs);
    sleep(Duration::from_millis(100)).await;
    proxy.cut();
    // Answers pass until it happens; what comes again does so much later.
    let in_flight = proxy.until(|counts| counts.cut > 0).await.in_flight() as f64;
    let accounted = |state: &serde_json::Value| {
        number(state, "/summary/pool/lost") + number(state, "/summary/pool/resubmitted")
    };
    let named = |state: &serde_json::Value| accounted(state) >= in_flight;
    let patience = Duration::from_secs(60);
    stage.gateway.until("every share in flight to be accounted for", patience, named).await?;
    // Whatever would be too many has its time to come.
    sleep(Duration::from_secs(2)).await;
    let state = stage.gateway.state().await?;
    stage.clear(rig).await?;
    let (lost, again) =
        (number(&state, "/summary/pool/lost"), number(&state, "/summary/pool/resubmitted"));
    let way = if resumes { "session resumed" } else { "session gone" };
    let name = |what: &str| format!("{way}: {what}");
    let (wanted_lost, wanted_again) = if resumes { (0.0, in_flight) } else { (in_flight, 0.0) };
    Ok(vec![
        Figure::new(&name("in flight at the cut, by the proxy"), in_flight, "shares")
            .wanted(Bound::AtLeast(1.0)),
        Figure::new(&name("sent again"), again, "shares").wanted(Bound::Is(wanted_again)),
        Figure::new(&name("lost and named"), lost, "shares").wanted(Bound::Is(wanted_lost)),
        Figure::new(&name("came to the pool twice"), pool.duplicates() as f64, "shares"),
        Figure::new(&name("different shares at the pool"), pool.shares() as f64, "shares"),
        Figure::new(&name("sent up, without a verdict or a reason"), unaccounted(&state), "shares")
            .wanted(Bound::Is(0.0)),
    ])
}

fn unaccounted(state: &serde_json::Value) -> f64 {
    let of = |name: &str| number(state, &format!("/summary/gateway/forwarded/{name}"));
    of("sent") - of("accepted") - of("rejected") - of("stale") - of("lost")
}
