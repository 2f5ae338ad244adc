//! A pool that does what it should, in the words of the field.

use serde_json::json;
use sl_units::Target;
use sl_upstream::{DemandRules, PoolOptions, PoolState, PoolStatus};
use sl_work::{Ask, Outcome, Unfit, Work, WorkSource};

use crate::scripted::{ScriptedPool, job, newer_job, send, share, soon, start, start_with};

#[tokio::test]
async fn a_job_comes_down_and_a_share_goes_up() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("7f").await;
    let mut lease = running.lease().await;
    let mut other = running.lease().await;
    assert!(matches!(
        running.source.lease(Ask { free: 5, consumer: "test".into() }),
        Err(Unfit::TooNarrow { asked: 5, widest: 4 })
    ));
    let (first, second) = (job(&mut lease).await, job(&mut other).await);
    assert_eq!(&first.coinbase.prefix[..], hex::decode("aa01a1b2c3d40000").expect("hex"));
    assert_eq!(
        &second.coinbase.prefix[..],
        hex::decode("aa01a1b2c3d40001").expect("hex"),
        "leases never meet"
    );
    assert_eq!(&first.coinbase.suffix[..], [0xbb, 0x02]);
    let half = sl_units::ShareDifficulty::new(0.5).expect("positive");
    assert_eq!(first.wanted, Target::from(half));

    let ticket = other
        .submitter
        .submit(share(&second, [0xee, 0xff], 0x0102_0304), "rig".into())
        .expect("room");
    let submit = conversation.hear().await;
    assert_eq!(submit["params"], json!(["account.rig", "7f", "0001eeff", "5a72667b", "01020304"]));
    conversation.say(json!({"id": submit["id"], "result": true, "error": null})).await;
    let verdict = soon(other.verdicts.recv()).await.expect("a verdict");
    assert_eq!(verdict.ticket, ticket);
    assert_eq!(verdict.outcome, Outcome::Accepted { credited: vec![], missed: vec![] });

    for (error, expected) in [
        (json!([21, "Job not found", null]), "stale"),
        (json!([23, "Low difficulty share", null]), "rejected"),
    ] {
        let _ = lease.submitter.submit(share(&first, [0, 0], 1), "rig".into()).expect("room");
        let submit = conversation.hear().await;
        conversation.say(json!({"id": submit["id"], "result": null, "error": error})).await;
        let outcome = soon(lease.verdicts.recv()).await.expect("a verdict").outcome;
        let found = match outcome {
            Outcome::Stale { .. } => "stale",
            Outcome::Rejected { .. } => "rejected",
            _ => "another",
        };
        assert_eq!(found, expected);
    }
    let status = running.status.borrow().clone();
    assert_eq!((status.accepted, status.stale, status.rejected, status.lost), (1, 1, 1, 0));

    conversation.notify("80", false).await;
    let next =
        soon(lease.work.wait_for(|work| work.job().is_some_and(|next| next.id != first.id))).await;
    let next = next.expect("lives").job().cloned().expect("waited for");
    assert_eq!(next.epoch, first.epoch, "not clean: the earlier job stands");
    conversation.notify("81", true).await;
    soon(lease.work.wait_for(|work| work.job().is_some_and(|job| job.epoch > first.epoch)))
        .await
        .expect("lives");
    running.stop().await;
}

#[tokio::test]
async fn a_refused_account_is_named() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.accept().await;
    let subscribe = conversation.hear().await;
    conversation
        .say(json!({"id": subscribe["id"], "result": [null, "00", 4], "error": null}))
        .await;
    let authorize = conversation.hear().await;
    conversation
        .say(
            json!({"id": authorize["id"], "result": false, "error": [24, "no such account", null]}),
        )
        .await;
    let waiting = |status: &PoolStatus| matches!(status.state, PoolState::Waiting { .. });
    let status = soon(running.status.wait_for(waiting)).await.expect("lives").clone();
    let said = status.last_error.expect("a reason");
    assert!(said.contains("account.rig") && said.contains("no such account"), "{said}");
    running.stop().await;
}

#[tokio::test]
async fn a_pool_that_moves_to_another_port_is_followed_once() {
    let (pool, elsewhere) = (ScriptedPool::start().await, ScriptedPool::start().await);
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let first = job(&mut lease).await;
    let port = elsewhere.port();
    let there = json!(["127.0.0.1", port.to_string(), 0]);
    conversation.say(json!({"id": null, "method": "client.reconnect", "params": there})).await;

    let conversation = elsewhere.welcome("2").await;
    let newer = |work: &Work| work.job().is_some_and(|job| job.epoch > first.epoch);
    soon(lease.work.wait_for(newer)).await.expect("lives");
    drop(conversation);
    let _back = pool.welcome("3").await;
    running.stop().await;
}

#[tokio::test]
async fn work_waits_until_the_worker_is_let_in() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.accept().await;
    let subscribe = conversation.hear().await;
    conversation.say(json!({"id": subscribe["id"], "result": [null, "00", 4]})).await;
    let authorize = conversation.hear().await;
    conversation.notify("1", true).await;
    let mut lease = running.lease().await;
    conversation.say(json!({"id": authorize["id"], "result": true})).await;
    let first = job(&mut lease).await;
    assert_eq!(running.status.borrow().jobs, 1);
    let _ = lease.submitter.submit(share(&first, [0, 0], 7), "rig".into()).expect("room");
    assert_eq!(conversation.hear().await["params"][1], "1", "it can be sent at once");
    running.stop().await;
}

#[tokio::test]
async fn a_new_extranonce_holds_from_the_next_job_on() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let old = job(&mut lease).await;
    let new = json!(["0e0f", 6]);
    conversation.say(json!({"id": null, "method": "mining.set_extranonce", "params": new})).await;
    conversation.say(json!({"id": 7, "method": "mining.ping", "params": []})).await;
    assert_eq!(conversation.hear().await["result"], "pong", "it has read what came before");
    let _ = lease.submitter.submit(share(&old, [0, 0], 5), "rig".into()).expect("room");
    assert_eq!(conversation.hear().await["params"][1], "1", "the job before it still stands");

    conversation.notify("2", false).await;
    let newer = |work: &Work| work.job().is_some_and(|job| job.epoch > old.epoch);
    let work = soon(lease.work.wait_for(newer)).await.expect("lives").clone();
    let first = work.job().expect("waited for");
    let prefix = hex::encode(&first.coinbase.prefix);
    assert!(prefix.starts_with("aa010e0f"), "{prefix}");
    assert_eq!(first.coinbase.free, 2, "a lease keeps its width");
    running.stop().await;
}

#[tokio::test]
async fn while_shares_pile_up_only_harder_ones_go_up_and_it_is_told() {
    // Its blocks are harder than its shares.
    let pool = ScriptedPool { bits: "1b00ffff", ..ScriptedPool::start().await };
    let demand = DemandRules { most_shares_per_second: 1.0, ..DemandRules::default() };
    let options = PoolOptions { demand, ..PoolOptions::default() };
    let mut running = start_with(&pool, "account.rig", options);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let first = job(&mut lease).await;
    // The pool judges none of them: half of those that may wait for a verdict.
    let nonces: Vec<u32> = (0..2048).collect();
    send(&lease, &first, &nonces);
    let over = running.when(|status| status.over.is_some()).await.over.expect("waited for");
    assert!(over.asked.get() == 0.5 && over.sent.get() > 0.5 && over.price > 0.0, "{over:?}");
    let harder = newer_job(&mut lease, &first).await;
    assert_eq!((harder.wanted, harder.epoch), (Target::from(over.sent), first.epoch));
    conversation.submits(2048).await;
    let wish = conversation.hear().await;
    assert_eq!(wish["method"], "mining.suggest_difficulty");
    running.stop().await;
}
