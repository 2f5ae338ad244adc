//! Jobs on their way to machines: clean or not, renewed, measured, past a source that changes.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use sl_work::Work;

use crate::harness::{Farm, job, settings};

#[tokio::test]
async fn a_change_of_the_source_is_one_clean_notify() {
    let mut farm = Farm::working().await;
    let (mut one, _, first) = farm.machine("rig.1").await;
    let (mut two, _, second) = farm.machine("rig.2").await;
    assert_eq!(first, second, "one line serves all");

    farm.give_work(Work::Idle { why: "the pool is gone".into(), since: farm.clock.mono() });
    let status = farm.status_when(|status| status.idle.is_some()).await;
    assert_eq!(status.idle.as_deref(), Some("the pool is gone"));
    // Late shares are still judged while there is no work.
    one.submit("rig.1", &first, 0, 1).await.expect("judged");

    farm.give(job(2, 2, &[], &farm.clock));
    for machine in [&mut one, &mut two] {
        let notify = machine.notify().await;
        assert_eq!((&notify[2], &notify[8]), (&json!(hex::encode("prefix 2 ")), &json!(true)));
    }
    let status = farm.status_when(|status| status.jobs == 2 && status.idle.is_none()).await;
    assert_eq!((status.connected, status.connections), (2, 2));
    farm.stop().await;
}

#[tokio::test]
async fn a_machine_without_work_waits_for_it() {
    let mut farm = Farm::start(settings(|_| ()), "tail");
    let mut machine = farm.connect().await;
    farm.widen(8).await;
    assert_eq!(machine.subscribe(None).await, 4);
    machine.ask("mining.authorize", json!(["rig.1", ""])).await.expect("authorised");
    farm.give(job(1, 1, &[], &farm.clock));
    assert_eq!(machine.hear().await["method"], "mining.set_difficulty");
    assert_eq!(machine.notify().await[8], json!(true));
    farm.stop().await;
}

#[tokio::test]
async fn a_quiet_job_is_sent_again_with_a_later_time() {
    let mut farm =
        Farm::working_with(|settings| settings.renew_jobs = Duration::from_secs(1)).await;
    let (mut machine, _, first) = farm.machine("rig.1").await;
    let again = machine.notify().await;
    assert_ne!(first[0], again[0], "an id of its own");
    assert_eq!(first.as_array().map(|all| &all[1..7]), again.as_array().map(|all| &all[1..7]));
    let ntime = |notify: &serde_json::Value| {
        u32::from_str_radix(notify[7].as_str().expect("hex"), 16).expect("hex")
    };
    assert!(ntime(&again) > ntime(&first) && again[8] == json!(false), "{again}");
    // The same work under both ids is one share.
    machine.submit("rig.1", &first, 0, 1).await.expect("accepted");
    let params = json!(["rig.1", again[0], "00000000", first[7], "00000001"]);
    assert_eq!(machine.ask("mining.submit", params).await.expect_err("twice").0, 22);
    farm.stop().await;
}

#[tokio::test]
async fn the_way_of_a_job_is_measured() {
    let mut farm = Farm::working().await;
    let (mut one, ..) = farm.machine("rig.1").await;
    let (mut two, ..) = farm.machine("rig.2").await;
    farm.give(job(2, 1, &[("LTC", 1), ("DOGE", 2)], &farm.clock));
    one.notify().await;
    two.notify().await;
    let status = farm.status_when(|status| status.sent.len() == 2).await;
    let (first, second) = (&status.sent[0], &status.sent[1]);
    assert_eq!((first.job.sequence, first.machines, first.last_write), (1, 0, None));
    assert_eq!((second.job.sequence, second.machines, second.tips.len()), (2, 2, 2));
    let times = [Some(second.born), Some(second.published), second.first_write, second.last_write];
    assert!(times.is_sorted(), "{second:?}");
    assert_eq!((status.job_latency.count, status.jobs), (1, 2));
    farm.stop().await;
}

#[tokio::test]
async fn a_slow_reader_holds_nobody_up_and_is_dropped() {
    let mut farm =
        Farm::working_with(|settings| settings.write_timeout = Duration::from_secs(1)).await;
    let (slow, ..) = farm.machine("slow").await;
    let (mut quick, ..) = farm.machine("quick").await;
    // More than the buffers of any socket hold.
    let mut sequence = 1;
    while farm.status.borrow().protection.slow == 0 {
        sequence += 1;
        let mut job = job(sequence, 1, &[], &farm.clock);
        job.coinbase.suffix = Bytes::from(vec![0; 200_000]);
        farm.give(job);
        assert_eq!(quick.notify().await[2], json!(hex::encode(format!("prefix {sequence} "))));
    }
    let status = farm.status_when(|status| status.machines.len() == 1).await;
    assert_eq!((&*status.machines[0].worker, status.protection.slow), ("quick", 1));
    drop(slow);
    farm.stop().await;
}

#[tokio::test]
async fn difficulty_follows_what_a_machine_asks_for() {
    let mut farm = Farm::working().await;
    let (mut machine, told, _) = farm.machine("rig.1").await;
    assert_eq!(told, 0.25);
    for (asked, expect) in [(0.5, 0.5), (64.0, 1.0)] {
        machine.ask("mining.suggest_difficulty", json!([asked])).await.expect("heard");
        let next = farm.status.borrow().jobs + 10;
        farm.give(job(next + (asked * 4.0) as u64, 1, &[], &farm.clock));
        let told = machine.hear().await;
        assert_eq!(told["params"][0].as_f64(), Some(expect), "never harder than the source wants");
        machine.notify().await;
    }
    farm.stop().await;
}
