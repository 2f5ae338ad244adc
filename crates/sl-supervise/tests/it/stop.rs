use crate::stage::{Log, Stage, ms};
use sl_supervise::{Ctx, NotReady, ServiceId, ServiceSpec, State};
use std::time::Duration;
use tokio::time::sleep;

/// Takes so long to stop; says so when it is dropped before.
fn stubborn(log: &Log, id: &'static str, takes: Duration, grace: Duration) -> ServiceSpec {
    let log = log.clone();
    ServiceSpec::new(id, "", move |ctx: Ctx| {
        let log = log.clone();
        async move {
            let dropped = Dropped(log.clone(), ctx.id().to_owned());
            ctx.ready();
            ctx.stopped().await;
            log.add(format!("?{}", ctx.id()));
            sleep(takes).await;
            log.add(format!("-{}", ctx.id()));
            std::mem::forget(dropped);
            Ok(())
        }
    })
    .grace(grace)
}

struct Dropped(Log, String);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add(format!("!{}", self.1));
    }
}

fn ids<const N: usize>(ids: [&str; N]) -> Vec<ServiceId> {
    ids.map(ServiceId::from).to_vec()
}

#[tokio::test(start_paused = true)]
async fn the_late_are_named_and_aborted_after_their_grace() {
    let log = Log::default();
    let mut stage = Stage::start(vec![
        log.service("first"),
        stubborn(&log, "late", ms(10_000), ms(700)).after("first"),
        stubborn(&log, "in time", ms(600), ms(700)).after("late"),
    ]);
    stage.health.wait_ready().await.unwrap();
    let outcome = stage.stop().await;
    assert_eq!(outcome.late, ids(["late"]));
    assert_eq!(outcome.stopped_in, ms(1300));
    tokio::task::yield_now().await;
    assert_eq!(log.text(), "+first ?in time -in time ?late !late -first");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_above_all_cuts_the_graces_and_every_one_is_told_first() {
    let log = Log::default();
    let hour = Duration::from_secs(3600);
    let mut stage = Stage::start_with(
        vec![
            stubborn(&log, "quick", ms(100), hour),
            stubborn(&log, "slow too", hour, hour),
            stubborn(&log, "slow", hour, hour),
        ],
        |supervisor| supervisor.stop_deadline(ms(5000)),
    );
    stage.health.wait_ready().await.unwrap();
    let outcome = stage.stop().await;
    assert_eq!(outcome.late, ids(["slow", "slow too"]));
    assert_eq!(outcome.stopped_in, ms(5000));
    tokio::task::yield_now().await;
    let text = log.text();
    assert!(text.starts_with("?slow "), "{text}");
    assert!(text.contains("-quick") && !text.contains("!quick"), "told and given time: {text}");
    assert!(text.contains("?slow too") && text.contains("!slow too"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_start_is_over() {
    let log = Log::default();
    let never = ServiceSpec::new("never", "", |ctx: Ctx| async move {
        ctx.stopped().await;
        Ok(())
    });
    let mut stage = Stage::start(vec![never, log.service("next").after("never")]);
    stage.until("never", |row| row.state == State::Starting).await;
    let mut health = stage.health.clone();
    let outcome = stage.stop().await;
    assert!(outcome.late.is_empty(), "{outcome:?}");
    assert_eq!(log.text(), "", "next never ran");
    assert_eq!(health.wait_ready().await, Err(NotReady::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_stopping_is_kept_to_be_seen() {
    let bad = ServiceSpec::new("bad", "", |ctx: Ctx| async move {
        ctx.ready();
        ctx.stopped().await;
        Err("the journal is full".into())
    });
    let mut stage = Stage::start(vec![bad]);
    stage.health.wait_ready().await.unwrap();
    let health = stage.health.clone();
    let outcome = stage.stop().await;
    assert!(outcome.late.is_empty());
    let row = health.get("bad").unwrap();
    assert_eq!(row.state, State::Stopped);
    assert_eq!(row.last_error.as_deref(), Some("the journal is full"));
}

#[tokio::test(start_paused = true)]
async fn nothing_to_run_waits_for_the_order_to_stop() {
    let mut stage = Stage::start(vec![]);
    stage.health.wait_ready().await.unwrap();
    assert_eq!(stage.stop().await.stopped_in, Duration::ZERO);
}

/// A supervisor that is dropped leaves nothing running.
#[tokio::test(start_paused = true)]
async fn a_dropped_supervisor_aborts_all() {
    let log = Log::default();
    let spec = stubborn(&log, "a", ms(1), ms(1));
    let supervisor =
        sl_supervise::Supervisor::new(vec![spec], fastrand::Rng::with_seed(1)).unwrap();
    let mut health = supervisor.health();
    let running = tokio::spawn(supervisor.run(tokio_util::sync::CancellationToken::new()));
    health.wait_ready().await.unwrap();
    running.abort();
    while health.changed().await {}
    tokio::time::timeout(Duration::from_secs(60), async {
        while log.text() != "!a" {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}
