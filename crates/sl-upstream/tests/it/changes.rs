//! What a pool changes while it works: its difficulty, its mind about a name, its memory of us.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use sl_pow::{Prover, ScalarEngine};
use sl_testkit::toy::Tail;
use sl_units::{ShareDifficulty, Target};
use sl_upstream::{PoolOptions, PoolState};
use sl_work::{Claim, Job, Lease, Proven, Ticket, verify};

use crate::scripted::{ScriptedPool, job, newer_job, nonces, start, start_with, verdicts};

fn target(difficulty: f64) -> Target {
    Target::from(ShareDifficulty::new(difficulty).expect("positive"))
}

/// A share of difficulty 65,535 / `nonce`.
fn share(job: &Arc<Job>, nonce: u32) -> Proven {
    let (version, ntime) = (job.header.version, job.header.ntime.start);
    let claim = Claim::new(job.clone(), vec![0, 0], version, ntime, nonce).expect("a good shape");
    let hashed = Prover::new(Box::new(ScalarEngine::new(Tail)), &Tail)
        .expect("its own reference")
        .hash(claim.header());
    verify(claim, &hashed, job.wanted).expect("good enough for its job")
}

fn send(lease: &Lease, job: &Arc<Job>, nonce: u32) -> Ticket {
    lease.submitter.submit(share(job, nonce), "rig".into()).expect("room")
}

#[tokio::test]
async fn a_difficulty_without_a_job_holds_for_the_job_of_before() {
    // Its blocks are harder than its shares.
    let pool = ScriptedPool { bits: "1b00ffff", ..ScriptedPool::start().await };
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let first = job(&mut lease).await;
    assert_eq!(first.wanted, target(0.5));
    // On its way while the pool asks for four times as much.
    let early = send(&lease, &first, 100_000);
    let submits = conversation.submits(1).await;
    conversation.difficulty(2.0).await;
    let harder = newer_job(&mut lease, &first).await;
    assert_eq!((harder.wanted, harder.epoch), (target(2.0), first.epoch), "the job of before");
    assert!(harder.header.ntime.start > first.header.ntime.start, "no header is hashed again");
    conversation.refuse(&submits[0], json!([26, "Low difficulty share", null])).await;
    assert_eq!(verdicts(&mut lease, 1).await, [(early, "stale")], "nobody's fault");

    let weak = send(&lease, &first, 90_000);
    assert_eq!(verdicts(&mut lease, 1).await, [(weak, "stale")], "it stays here");
    let good = send(&lease, &first, 20_000);
    let submits = conversation.submits(1).await;
    assert_eq!(nonces(&submits), [20_000], "worth what is asked for now");
    conversation.grant(&submits[0]).await;
    assert_eq!(verdicts(&mut lease, 1).await, [(good, "accepted")]);
    assert_eq!(running.status.borrow().rejected, 0);

    // Downwards, too, once it is clear that no job follows.
    conversation.difficulty(0.25).await;
    let easier = newer_job(&mut lease, &harder).await;
    assert_eq!((easier.wanted, easier.epoch), (target(0.25), first.epoch));
    // What the pool really does wrong is told.
    let honest = send(&lease, &easier, 200_000);
    let submits = conversation.submits(1).await;
    assert_eq!(submits[0]["params"][1], "1");
    conversation.refuse(&submits[0], json!([26, "Low difficulty share", null])).await;
    assert_eq!(verdicts(&mut lease, 1).await, [(honest, "rejected")]);
    running.stop().await;
}

#[tokio::test]
async fn a_job_before_the_first_difficulty_is_given_again_with_it() {
    let pool = ScriptedPool { bits: "1b00ffff", ..ScriptedPool::start().await };
    let mut running = start(&pool);
    let (mut conversation, _) = pool.let_in().await;
    conversation.notify("1", true).await;
    let mut lease = running.lease().await;
    let first = job(&mut lease).await;
    assert_eq!(first.wanted, target(1.0), "what pools mean before they say anything");
    conversation.difficulty(4096.0).await;
    let second = newer_job(&mut lease, &first).await;
    assert_eq!((second.wanted, second.epoch), (target(4096.0), first.epoch));
    // With its job a difficulty is that job's, and the one before keeps its own.
    conversation.difficulty(8192.0).await;
    conversation.notify("2", false).await;
    let mut third = newer_job(&mut lease, &second).await;
    while third.wanted == second.wanted {
        third = newer_job(&mut lease, &third).await;
    }
    assert_eq!(third.wanted, target(8192.0));
    running.stop().await;
}

#[tokio::test]
async fn a_pool_that_hangs_up_at_a_session_is_asked_without() {
    let pool = ScriptedPool::start().await;
    let running = start(&pool);
    let (conversation, first) = pool.let_in().await;
    assert_eq!(first["params"].as_array().map(Vec::len), Some(1));
    drop(conversation);
    let mut conversation = pool.accept().await;
    assert_eq!(conversation.hear().await["params"][1], "s1");
    drop(conversation);
    let (conversation, subscribe) = pool.let_in().await;
    assert_eq!(subscribe["params"].as_array().map(Vec::len), Some(1));
    drop(conversation);
    let (_conversation, subscribe) = pool.let_in().await;
    assert_eq!(subscribe["params"][1], "s1", "it was heard: its name is used again");
    running.stop().await;
}

#[tokio::test]
async fn a_name_whose_shares_are_refused_is_not_used_again() {
    let mut pool = ScriptedPool::start().await;
    pool.login = ["account.silverlode", "x"];
    let mut running = start_with(&pool, "account.{worker}", PoolOptions::default());
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let work = job(&mut lease).await;
    send(&lease, &work, 1);
    let asked = conversation.hear().await;
    assert_eq!(asked["params"][0], "account.rig");
    conversation.submits(1).await;
    conversation.grant(&asked).await;
    running.when(|status| status.names == (1, 0)).await;
    send(&lease, &work, 2);
    let submit = conversation.hear().await;
    assert_eq!(submit["params"][0], "account.rig");
    conversation.refuse(&submit, json!([20, "Worker mismatch", null])).await;
    running.when(|status| status.names == (0, 1)).await;
    send(&lease, &work, 3);
    assert_eq!(conversation.hear().await["params"][0], "account.silverlode");
    running.stop().await;
}

#[tokio::test]
async fn a_pool_cannot_send_us_away_for_an_hour() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let since = running.when(|status| status.last_job.is_some()).await.last_job.expect("it has");
    conversation.call("client.reconnect", json!(["", "", 3600])).await;
    conversation.ends().await;
    let PoolState::Waiting { until } = running.waits().await.state else { panic!("waits") };
    assert!(until.since(since) >= Duration::from_secs(60), "what is meant is heard");
    assert!(until.since(since) < Duration::from_secs(600), "in bounds");
    running.stop().await;
}
