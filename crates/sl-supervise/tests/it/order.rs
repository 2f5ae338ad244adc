use crate::stage::{Log, Stage, ms};
use sl_supervise::{Cause, Class, Ctx, PlanError, ServiceSpec, State, Supervisor};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::advance;

#[tokio::test(start_paused = true)]
async fn starts_in_order_and_stops_in_exactly_the_reverse() {
    let log = Log::default();
    let mut stage = Stage::start(vec![
        log.service("gateway").after_all(["solo", "hasher"]),
        log.service("node"),
        log.service("solo").after("node"),
        log.service("hasher").after("node").optional(),
    ]);
    stage.health.wait_ready().await.unwrap();
    let rows = stage.health.rows();
    let ids: Vec<&str> = rows.iter().map(|row| &*row.id).collect();
    assert_eq!(ids, ["node", "solo", "hasher", "gateway"]);
    assert_eq!(rows[2].class, Class::Optional);
    assert_eq!(rows[3].description, "the service gateway");
    assert_eq!(rows[3].after, ["solo".into(), "hasher".into()]);

    let health = stage.health.clone();
    let outcome = stage.stop().await;
    // Solo and hasher may start at the same time; the stop is one after the other.
    let text = log.text().replace("+hasher +solo", "+solo +hasher");
    assert_eq!(text, "+node +solo +hasher +gateway -gateway -hasher -solo -node");
    assert_eq!(outcome.cause, Cause::Requested);
    assert!(outcome.late.is_empty());
    assert_eq!(outcome.stopped_in, Duration::ZERO);
    assert!(health.rows().iter().all(|row| row.state == State::Stopped));
}

#[tokio::test(start_paused = true)]
async fn what_is_after_waits_until_it_is_up_and_degraded_is_up() {
    let log = Log::default();
    let (say, mut heard) = oneshot::channel();
    let mut say = Some(say);
    let slow = ServiceSpec::new("slow", "", move |ctx: Ctx| {
        let say = say.take();
        async move {
            say.unwrap().send(ctx.clone()).unwrap();
            ctx.stopped().await;
            Ok(())
        }
    })
    .start_deadline(Duration::from_secs(3600));
    let mut stage = Stage::start(vec![slow, log.service("next").after("slow")]);

    stage.until("slow", |row| row.state == State::Starting).await;
    let slow = (&mut heard).await.unwrap();
    advance(Duration::from_secs(1800)).await;
    assert_eq!(stage.state("next"), State::Waiting);
    assert!(!stage.health.is_ready());
    assert_eq!(log.text(), "");

    slow.degraded("no pool");
    stage.health.wait_ready().await.unwrap();
    assert_eq!(stage.state("slow"), State::Degraded { why: "no pool".to_owned() });
    assert_eq!(stage.health.get("slow").unwrap().since.since_start().as_secs(), 1800);
    assert_eq!(log.text(), "+next");
    slow.ready();
    stage.until("slow", |row| row.state == State::Ready).await;
    stage.stop().await;
}

#[test]
fn plans_that_cannot_be_are_refused_by_name() {
    let check = |specs: Vec<ServiceSpec>, expect: PlanError| {
        let rng = fastrand::Rng::with_seed(1);
        assert_eq!(Supervisor::new(specs, rng).unwrap_err(), expect);
    };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let log = Log::default();
        let twice = vec![log.service("a"), log.service("a")];
        check(twice, PlanError::Duplicate { id: "a".into() });
        let unknown = vec![log.service("a").after("z")];
        let known = vec!["a".to_owned()];
        check(unknown, PlanError::Unknown { id: "a".into(), after: "z".into(), known });
        let circle = vec![log.service("a").after("b"), log.service("b").after("a")];
        let path = ["a", "b", "a"].map(str::to_owned).to_vec();
        check(circle, PlanError::Cycle { path });
    });
}

#[tokio::test(start_paused = true)]
async fn a_oneshot_may_end_and_counts_as_up() {
    let log = Log::default();
    let done = ServiceSpec::new("migrate", "", |_| async { Ok(()) }).oneshot();
    let mut stage = Stage::start(vec![done, log.service("next").after("migrate")]);
    stage.health.wait_ready().await.unwrap();
    assert_eq!(stage.state("migrate"), State::Stopped);
    assert_eq!(log.text(), "+next");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn instants_are_counted_from_the_clock_of_the_program() {
    let log = Log::default();
    let origin = tokio::time::Instant::now();
    advance(ms(5000)).await;
    let mut stage = Stage::start_with(vec![log.service("a")], |it| it.counting_from(origin));
    stage.health.wait_ready().await.unwrap();
    assert_eq!(stage.health.get("a").unwrap().since.since_start(), ms(5000));
    stage.stop().await;
}
