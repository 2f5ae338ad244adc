//! The way of a share: judged here, sent up, the source's word reconciled.

use serde_json::{Value, json};
use sl_chain::{merkle, sha256d};
use sl_gateway::ShareCounts;
use sl_pow::Registry;
use sl_scrypt::Scrypt;
use sl_units::{Hash256, Target};
use sl_work::Outcome;

use crate::harness::{Farm, difficulty, job, settings};

#[tokio::test]
async fn a_share_goes_up_and_the_verdict_comes_down() {
    let mut farm = Farm::working().await;
    let (mut machine, told, notify) = farm.machine("rig.1").await;
    assert_eq!(told, 0.25);

    // Difficulty 1.6: above the machine's and what the source wants, below every goal.
    machine.submit("rig.1", &notify, 7, 40_000).await.expect("accepted");
    let pending = farm.share().await;
    assert_eq!(&**pending.worker(), "rig.1");
    let free = [hex::decode(&machine.slot).expect("hex"), vec![0, 0, 0, 7]].concat();
    assert_eq!(pending.share().extranonce(), free);
    assert_eq!(pending.share().goals_met().count(), 0);
    let chain = |name: &str| name.parse().expect("of the table");
    let (credited, missed) = (vec![chain("LTC")], vec![chain("DOGE")]);
    pending.settle(Outcome::Accepted { credited, missed });

    // Difficulty 0.5: for the machine's account only.
    machine.submit("rig.1", &notify, 8, 130_000).await.expect("accepted");
    // Difficulty 32: a block.
    machine.submit("rig.1", &notify, 9, 2000).await.expect("accepted");
    let pending = farm.share().await;
    assert_eq!(pending.share().goals_met().count(), 2);
    pending.settle(Outcome::Rejected { reason: "for the test".into() });

    let status = farm.status_when(|status| status.forwarded.rejected == 1).await;
    assert_eq!(status.shares, ShareCounts { accepted: 3, ..ShareCounts::default() });
    let up = status.forwarded;
    assert_eq!((up.sent, up.goals, up.accepted, up.rejected, up.differing), (2, 1, 1, 1, 1));
    let (ltc, doge) = (status.chains[&chain("LTC")], status.chains[&chain("DOGE")]);
    assert_eq!((ltc.credited, ltc.missed, doge.credited, doge.missed), (1, 0, 0, 1));
    let [machine] = status.machines.as_slice() else { panic!("{:?}", status.machines) };
    assert_eq!((&*machine.worker, machine.accepted, machine.rejected), ("rig.1", 3, 0));
    assert_eq!(machine.user_agent.as_deref(), Some("test/1"));
    assert_eq!(machine.difficulty, Some(difficulty(0.25)));
    assert!(machine.hashrate.hs() > 0.0 && status.shares_per_s >= 0.0);
    let [worker] = status.workers.as_slice() else { panic!("{:?}", status.workers) };
    assert_eq!((worker.accepted, worker.forwarded.accepted, worker.chains.len()), (3, 1, 2));
    let best = worker.best.expect("a share").get();
    assert!((32.0..33.0).contains(&best), "{best}");
    let last = farm.stop().await;
    assert_eq!((last.connections, last.forwarded.lost), (0, 0));
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    let mut farm = Farm::working().await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    let submit = |change: &dyn Fn(&mut Value)| {
        let mut params = json!(["rig.1", notify[0], "00000000", notify[7], "00000001"]);
        change(&mut params);
        params
    };
    machine.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    for (change, code, text) in [
        (&(|_: &mut Value| ()) as &dyn Fn(&mut Value), 22, "Duplicate share"),
        (&|params: &mut Value| params[1] = json!("1"), 21, "Job not found"),
        (&|params| params[1] = json!("no such job"), 21, "Job not found"),
        (&|params| params[4] = json!("00050000"), 23, "Low difficulty share"),
        (&|params| params[0] = json!("stranger"), 24, "Unauthorized worker"),
        (&|params| params[2] = json!("0000"), 20, "extranonce2 has 2 bytes, 4 are allowed"),
        (&|params| params[2] = json!("xx"), 20, "extranonce2 is \"xx\""),
        (&|params| params[3] = json!("000003e7"), 20, "ntime 999 is outside 1000 to 1200"),
        (&|params| params[3] = json!("000004b1"), 20, "ntime 1201 is outside 1000 to 1200"),
        (&|params| params[4] = json!(7), 20, "nonce is 7"),
        (&|params| *params = json!(["rig.1"]), 20, "job id is missing"),
    ] {
        let (found, words) = machine.ask("mining.submit", submit(change)).await.expect_err(text);
        assert_eq!(found, code, "{words}");
        assert!(words.starts_with(text), "{words}");
    }
    // A share that proved nothing takes no room among those already sent.
    let low = submit(&|params| params[4] = json!("00050000"));
    assert_eq!(machine.ask("mining.submit", low).await.expect_err("low").0, 23);

    let mut early = farm.connect().await;
    let refused = early.ask("mining.submit", submit(&|_| ())).await.expect_err("not subscribed");
    assert_eq!(refused.0, 25);
    early.subscribe(None).await;
    let refused = early.ask("mining.submit", submit(&|_| ())).await.expect_err("not authorised");
    assert_eq!(refused.0, 24);

    let status = farm.status_when(|status| status.shares.unauthorized == 2).await;
    let expect = ShareCounts {
        accepted: 1,
        stale: 0,
        unknown_job: 2,
        duplicate: 1,
        low_difficulty: 2,
        unauthorized: 2,
        not_subscribed: 1,
        ntime: 2,
        malformed: 4,
        busy: 0,
        unrecorded: 0,
    };
    assert_eq!(status.shares, expect);
    assert_eq!(status.shares.rejected(), 14);
    farm.stop().await;
}

#[tokio::test]
async fn a_late_share_counts_where_a_tip_still_stands() {
    let mut farm = Farm::working().await;
    let (mut machine, _, first) = farm.machine("rig.1").await;
    assert_eq!(first[8], json!(true), "the first job is clean");
    farm.give(job(2, 1, &[("LTC", 1), ("DOGE", 2)], &farm.clock));
    let second = machine.notify().await;
    assert_eq!(second[8], json!(false), "the same epoch");
    machine.submit("rig.1", &first, 0, 1).await.expect("not late");

    // Litecoin's tip falls, Dogecoin's stands: the share can still win Dogecoin.
    farm.give(job(3, 2, &[("LTC", 2), ("DOGE", 2)], &farm.clock));
    assert_eq!(machine.notify().await[8], json!(true));
    machine.submit("rig.1", &second, 0, 2).await.expect("Dogecoin's tip stands");
    let late = machine.submit("rig.1", &first, 0, 3).await.expect_err("nothing stands");
    assert_eq!(late, (21, "Stale share".to_owned()));

    // It went up all the same: what is late is for the source to say.
    for expect in [1, 2, 3] {
        let pending = farm.share().await;
        assert_eq!(pending.share().nonce(), expect);
        let outcome = match expect {
            3 => Outcome::Stale { reason: "late".into() },
            _ => Outcome::Accepted { credited: vec![], missed: vec![] },
        };
        pending.settle(outcome);
    }
    let status = farm.status_when(|status| status.forwarded.stale == 1).await;
    assert_eq!((status.shares.accepted, status.shares.stale), (2, 1));
    assert_eq!(status.forwarded.differing, 0);
    farm.stop().await;
}

#[tokio::test]
async fn verdicts_leave_in_the_order_of_the_shares() {
    let mut farm = Farm::working().await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    let mut lines = String::new();
    let mut expect = Vec::new();
    for index in 0..200u32 {
        // Good, unknown job, by a stranger, malformed: checked at four different places.
        let (user, id, nonce) = match index % 4 {
            0 => ("rig.1", notify[0].clone(), json!(format!("{index:08x}"))),
            1 => ("rig.1", json!("1"), json!("00000000")),
            2 => ("stranger", notify[0].clone(), json!("00000000")),
            _ => ("rig.1", notify[0].clone(), json!([])),
        };
        let params = json!([user, id, "00000000", notify[7], nonce]);
        lines += &format!("{}\n", json!({"id": 4, "method": "mining.submit", "params": params}));
        expect.push([0, 21, 24, 20][(index % 4) as usize]);
    }
    machine.say(&lines).await;
    for code in expect {
        let found = machine.reply().await.err().map_or(0, |(code, _)| code);
        assert_eq!(found, code);
    }
    farm.stop().await;
}

#[tokio::test]
async fn a_share_in_flight_gets_its_verdict_when_the_machine_leaves_or_the_gateway_stops() {
    let mut farm = Farm::working().await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    let params = json!(["rig.1", notify[0], "00000000", notify[7], "00000001"]);
    let line = json!({"id": 4, "method": "mining.submit", "params": params});
    machine.say(&format!("{line}\n")).await;
    drop(machine);
    let pending = farm.share().await;
    let last = tokio::spawn(farm.stop());
    // The gateway is stopping, or has not heard of it yet; either way it waits for this.
    pending.settle(Outcome::Accepted { credited: vec![], missed: vec![] });
    let last = last.await.expect("stopped");
    assert_eq!((last.shares.accepted, last.forwarded.accepted, last.forwarded.lost), (1, 1, 0));
}

/// What a miner makes of the lines, by its own code: the header without its nonce's bytes.
fn header(slot: &str, notify: &Value) -> [u8; 80] {
    let bytes = |value: &Value| hex::decode(value.as_str().expect("hex")).expect("hex");
    let reversed = |value: &Value| bytes(value).into_iter().rev().collect::<Vec<u8>>();
    let coinbase =
        [bytes(&notify[2]), hex::decode(slot).expect("hex"), vec![0; 4], bytes(&notify[3])]
            .concat();
    let branch: Vec<Hash256> = notify[4]
        .as_array()
        .expect("a list")
        .iter()
        .map(|hash| Hash256::from_bytes(bytes(hash).try_into().expect("32 bytes")))
        .collect();
    let root = merkle::fold(sha256d(&coinbase), &branch, 0);
    let prev: Vec<u8> = bytes(&notify[1])
        .chunks(4)
        .flat_map(|word| word.iter().rev().copied().collect::<Vec<_>>())
        .collect();
    let parts = [
        reversed(&notify[5]),
        prev,
        root.as_bytes().to_vec(),
        reversed(&notify[7]),
        reversed(&notify[6]),
        vec![0; 4],
    ];
    parts.concat().try_into().expect("80 bytes")
}

#[tokio::test]
async fn real_scrypt_is_mined_and_proven() {
    let mut farm = Farm::start(settings(|_| ()), "scrypt");
    farm.widen(8).await;
    let mut work = job(1, 1, &[("LTC", 1)], &farm.clock);
    work.wanted = Target::from_expected_hashes(64.0);
    farm.give(work);
    let (mut machine, told, notify) = farm.machine("cpu").await;
    let target = Target::from(difficulty(told));
    assert!((target.expected_hashes() - 16.0).abs() < 0.01, "a quarter of what is wanted");
    let mut registry = Registry::new();
    registry.register(Scrypt).expect("a new name");
    let mut prover = registry.best("scrypt").expect("an engine");
    let header = header(&machine.slot, &notify);
    let found = prover.scan(&header, 0, 1024, target);
    assert!(!found.is_empty(), "64 are to be expected");
    for share in &found {
        machine.submit("cpu", &notify, 0, share.nonce()).await.expect("accepted");
    }
    let wanted = found.iter().filter(|share| share.meets(Target::from_expected_hashes(64.0)));
    for _ in wanted {
        let pending = farm.share().await;
        assert!(pending.share().is_wanted());
        pending.settle(Outcome::Accepted { credited: vec![], missed: vec![] });
    }
    let last = farm.stop().await;
    assert_eq!(last.shares.accepted, found.len() as u64);
    assert_eq!(last.forwarded.sent, last.forwarded.accepted);
}

#[tokio::test]
async fn what_a_worker_proves_is_told_from_its_first_share_on() {
    let mut farm = Farm::working().await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    for nonce in 1..=20 {
        machine.submit("rig.1", &notify, 0, nonce).await.expect("accepted");
    }
    let proves = |status: &sl_gateway::GatewayStatus| {
        let worker = status.workers.first();
        worker.and_then(|worker| worker.proven[0]).is_some_and(|proven| proven.shares > 19.0)
    };
    let status = farm.status_when(proves).await;
    let proven = status.workers[0].proven[0].expect("waited for");
    assert!(proven.low < proven.rate && proven.rate < proven.high, "{proven:?}");
    farm.stop().await;
}

#[tokio::test]
async fn more_shares_than_there_is_room_for_are_answered_in_their_order() {
    let mut farm = Farm::working().await;
    let mut machines = Vec::new();
    for number in 0..8 {
        let user = format!("rig.{number}");
        let (mut machine, _, notify) = farm.machine(&user).await;
        let mut lines = String::new();
        for share in 0..100 {
            let extranonce2 = format!("{share:08x}");
            let params = json!([user, notify[0], extranonce2, notify[7], "00000001"]);
            let submit = json!({"id": 100 + share, "method": "mining.submit", "params": params});
            let ping = json!({"id": 500 + share, "method": "mining.ping", "params": []});
            lines += &format!("{submit}\n{ping}\n");
        }
        machine.say(&lines).await;
        machines.push(machine);
    }
    for machine in &mut machines {
        for id in (0..100).flat_map(|share| [100 + share, 500 + share]) {
            let mut heard = machine.hear().await;
            while heard["method"].is_string() {
                heard = machine.hear().await;
            }
            assert_eq!((&heard["id"], &heard["error"]), (&json!(id), &json!(null)), "{heard}");
        }
    }
    let status = farm.status_when(|status| status.shares.accepted == 800).await;
    assert_eq!(status.shares.rejected(), 0);
    farm.stop().await;
}
