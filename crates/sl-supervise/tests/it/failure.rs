use crate::stage::{Log, Stage, ms, steps};
use sl_supervise::{Cause, Class, Ctx, NotReady, RestartPolicy, ServiceSpec, State};
use std::time::Duration;
use tokio::time::Instant;

/// How a run of [`failing`] ends.
#[derive(Clone, Copy)]
enum End {
    Error,
    Panic,
    PanicInFactory,
    TooEarly,
    NeverReady,
}

/// Fails `times` times, each noted with its instant in ms, then is ready.
fn failing(log: &Log, id: &'static str, end: End, times: u32) -> ServiceSpec {
    let (log, began, mut run) = (log.clone(), Instant::now(), 0);
    ServiceSpec::new(id, "", move |ctx: Ctx| {
        run += 1;
        log.add(began.elapsed().as_millis().to_string());
        assert!(!(run <= times && matches!(end, End::PanicInFactory)), "in the factory");
        async move {
            if run > times {
                ctx.ready();
                ctx.stopped().await;
                return Ok(());
            }
            match end {
                End::Error => return Err(Box::new(Outer(Inner)).into()),
                End::Panic => panic!("run {run}"),
                End::TooEarly => ctx.ready(),
                End::NeverReady => ctx.stopped().await,
                End::PanicInFactory => {}
            }
            Ok(())
        }
    })
    .restart(steps(10))
    .start_deadline(ms(7000))
}

#[derive(Debug, thiserror::Error)]
#[error("no pool")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Inner;

#[tokio::test(start_paused = true)]
async fn every_failure_is_restarted_with_growing_delays() {
    for (end, error, instants) in [
        (End::Error, "no pool: refused", "0 100 300 700"),
        (End::Panic, "panicked: run 3", "0 100 300 700"),
        (End::PanicInFactory, "panicked: in the factory", "0 100 300 700"),
        (End::TooEarly, "ended although nobody told it to stop", "0 100 300 700"),
        (End::NeverReady, "not ready within 7s of its start", "0 7100 14300 21700"),
    ] {
        let log = Log::default();
        let mut stage = Stage::start(vec![failing(&log, "a", end, 3)]);
        stage.until("a", |row| row.restarts == 3 && row.state == State::Ready).await;
        let row = stage.health.get("a").unwrap();
        assert_eq!(row.last_error.as_deref(), Some(error));
        assert_eq!(log.text(), instants);
        assert_eq!(stage.stop().await.cause, Cause::Requested);
    }
}

#[tokio::test(start_paused = true)]
async fn backoff_tells_what_when_and_which() {
    let log = Log::default();
    let mut stage = Stage::start(vec![failing(&log, "a", End::Error, 2)]);
    stage.until("a", |row| matches!(row.state, State::Backoff { attempt: 2, .. })).await;
    let State::Backoff { error, until, .. } = stage.state("a") else { panic!("checked above") };
    assert_eq!(error, "no pool: refused");
    assert_eq!(until.since_start(), ms(300));
    let outcome = stage.stop().await;
    assert!(outcome.late.is_empty());
    assert_eq!(log.text(), "0 100", "the stop ends the wait");
}

#[tokio::test(start_paused = true)]
async fn a_critical_service_over_its_budget_stops_all_in_order() {
    let log = Log::default();
    let stage = Stage::start(vec![
        log.service("node"),
        failing(&log, "bad", End::Panic, u32::MAX).restart(steps(2)).after("node"),
        log.service("last").after("node"),
    ]);
    let health = stage.health.clone();
    let outcome = stage.end().await;
    let error = "panicked: run 3".to_owned();
    assert_eq!(outcome.cause, Cause::CriticalFailed { id: "bad".into(), error: error.clone() });
    let text = log.text().replace("+last 0", "0 +last");
    assert_eq!(text, "+node 0 +last 100 300 -last -node");
    assert_eq!(health.get("bad").unwrap().state, State::Failed { error }, "it stays to be seen");
    assert_eq!(health.get("bad").unwrap().restarts, 2);
}

#[tokio::test(start_paused = true)]
async fn an_optional_service_over_its_budget_stays_failed_and_the_rest_goes_on() {
    let log = Log::default();
    let mut stage = Stage::start(vec![
        failing(&log, "bad", End::Error, u32::MAX).restart(steps(2)).optional(),
        log.service("after bad").after("bad"),
        log.service("good"),
    ]);
    let not_ready = stage.health.wait_ready().await.unwrap_err();
    let error = "no pool: refused".to_owned();
    let (id, class) = ("bad".into(), Class::Optional);
    assert_eq!(not_ready, NotReady::Failed { id, class, error: error.clone() });
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(stage.state("bad"), State::Failed { error });
    assert_eq!(stage.state("after bad"), State::Waiting);
    assert_eq!(stage.state("good"), State::Ready);
    assert_eq!(log.text(), "0 +good 100 300");
    assert_eq!(stage.stop().await.cause, Cause::Requested);
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_never_fails_at_once() {
    let log = Log::default();
    let bad = failing(&log, "bad", End::Error, 1).restart(RestartPolicy::never());
    let outcome = Stage::start(vec![bad]).end().await;
    assert!(matches!(outcome.cause, Cause::CriticalFailed { .. }), "{outcome:?}");
    assert_eq!(log.text(), "0");
}

#[tokio::test(start_paused = true)]
async fn a_restart_waits_for_what_it_is_after_and_those_after_it_are_left_alone() {
    let log = Log::default();
    let (break_it, broken) = tokio::sync::watch::channel(0);
    let fragile = |id: &'static str, breaks_at: u32| {
        let (log, mut broken) = (log.clone(), broken.clone());
        ServiceSpec::new(id, "", move |ctx: Ctx| {
            let log = log.clone();
            broken.mark_unchanged();
            let mut broken = broken.clone();
            async move {
                log.add(format!("+{}", ctx.id()));
                ctx.ready();
                tokio::select! {
                    () = ctx.stopped() => Ok(()),
                    _ = broken.wait_for(|at| *at == breaks_at) => Err("broken".into()),
                }
            }
        })
        .restart(steps(5))
    };
    let mut stage = Stage::start(vec![fragile("under", 1), log.service("calm").after("under")]);
    stage.health.wait_ready().await.unwrap();
    break_it.send_replace(1);
    stage.until("under", |row| row.restarts == 0 && !row.is_up()).await;
    assert_eq!(stage.state("calm"), State::Ready);
    break_it.send_replace(0);
    stage.until("under", |row| row.restarts == 1 && row.is_up()).await;
    assert_eq!(log.text(), "+under +calm +under", "calm was left alone");
    stage.stop().await;

    let log2 = Log::default();
    let under = failing(&log2, "under", End::TooEarly, 1).restart(RestartPolicy {
        min: ms(5000),
        max: ms(5000),
        ..steps(5)
    });
    let over = failing(&log2, "over", End::Error, 1).after("under");
    let mut stage = Stage::start(vec![under, over]);
    stage.health.wait_ready().await.unwrap();
    assert_eq!(stage.began.elapsed(), ms(5100), "over waited for under to be up");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_children_of_a_failed_run_hear_that_it_is_over() {
    let (log, mut run) = (Log::default(), 0);
    let noted = log.clone();
    let spec = ServiceSpec::new("a", "", move |ctx: Ctx| {
        run += 1;
        let (run, noted, child) = (run, noted.clone(), ctx.stop_token());
        async move {
            tokio::spawn(async move {
                child.cancelled().await;
                noted.add(format!("child {run} ended"));
            });
            ctx.ready();
            assert!(run > 1, "the first run panics");
            ctx.stopped().await;
            Ok(())
        }
    });
    let mut stage = Stage::start(vec![spec.restart(steps(10))]);
    stage.until("a", |row| row.restarts == 1 && row.state == State::Ready).await;
    assert_eq!(log.text(), "child 1 ended");
    stage.stop().await;
}
