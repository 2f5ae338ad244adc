use crate::stage::{Stage, ms};
use sl_supervise::{Ctx, ServiceSpec, State};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::advance;

/// A service with a progress deadline of 10 s whose context the test holds.
async fn watched() -> (Stage, Ctx) {
    let (sender, mut receiver) = mpsc::channel(1);
    let spec = ServiceSpec::new("hasher", "", move |ctx: Ctx| {
        let sender = sender.clone();
        async move {
            sender.send(ctx.clone()).await?;
            ctx.stopped().await;
            Ok(())
        }
    })
    .progress_deadline(Duration::from_secs(10))
    .start_deadline(Duration::from_secs(1000));
    let stage = Stage::start(vec![spec]);
    (stage, receiver.recv().await.unwrap())
}

fn stalled(seconds: u64) -> State {
    State::Degraded { why: format!("no progress for {seconds} s") }
}

#[tokio::test(start_paused = true)]
async fn no_progress_is_shown_until_the_next_mark() {
    let (mut stage, ctx) = watched().await;
    // Before it is up, the start deadline watches, not this one.
    advance(Duration::from_secs(100)).await;
    assert_eq!(stage.state("hasher"), State::Starting);
    ctx.ready();
    stage.until("hasher", |row| row.state == State::Ready).await;
    let ready_at = stage.began.elapsed();

    stage.until("hasher", |row| row.state == stalled(10)).await;
    assert_eq!(stage.began.elapsed() - ready_at, ms(10_000));
    let since = stage.health.get("hasher").unwrap().since;
    stage.until("hasher", |row| row.state == stalled(20)).await;
    assert_eq!(stage.health.get("hasher").unwrap().since, since, "the same lasting trouble");
    assert!(stage.health.is_ready(), "up all the while");

    ctx.progress();
    stage.until("hasher", |row| row.state == State::Ready).await;
    stage.until("hasher", |row| row.state == stalled(10)).await;
    ctx.degraded("one thread is lost");
    let lost = State::Degraded { why: "one thread is lost".to_owned() };
    stage.until("hasher", |row| row.state == lost).await;
    stage.until("hasher", |row| row.state == stalled(10)).await;
    ctx.progress();
    stage.until("hasher", |row| row.state == lost).await;
    assert_eq!(stage.health.get("hasher").unwrap().restarts, 0);
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn marks_in_time_keep_it_ready() {
    let (mut stage, ctx) = watched().await;
    ctx.ready();
    stage.until("hasher", |row| row.state == State::Ready).await;
    let mut health = stage.health.clone();
    let marks = async {
        for _ in 0..100 {
            tokio::time::sleep(ms(9_000)).await;
            ctx.progress();
        }
    };
    tokio::select! {
        () = marks => {}
        _ = health.changed() => panic!("{:?}", stage.health.rows()),
    }
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_context_of_an_ended_run_is_not_heard() {
    let (sender, mut receiver) = mpsc::channel(2);
    let spec = ServiceSpec::new("a", "", move |ctx: Ctx| {
        let sender = sender.clone();
        async move {
            sender.send(ctx.clone()).await?;
            ctx.stopped().await;
            Ok(())
        }
    })
    .start_deadline(ms(1000));
    let mut stage = Stage::start(vec![spec]);
    let first = receiver.recv().await.unwrap();
    let second = receiver.recv().await.unwrap();
    assert!(first.is_stopping() && !second.is_stopping());
    first.ready();
    tokio::time::sleep(ms(10)).await;
    assert_eq!(stage.state("a"), State::Starting);
    second.ready();
    stage.health.wait_ready().await.unwrap();
    stage.stop().await;
}
