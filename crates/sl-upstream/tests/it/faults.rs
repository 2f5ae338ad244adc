//! What goes wrong with pools, and what becomes of every share.

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use sl_ports::tls::{Fingerprint, Trust, server::Acceptor};
use sl_stratum::transcript::{Direction, Transcript};
use sl_units::{HashRate, ShareDifficulty, Target};
use sl_upstream::{DemandRules, Patience, PoolOptions, PoolState};
use sl_work::{Ask, Work, WorkSource};

use crate::scripted::{
    ScriptedPool, job, newer_job, nonces, send, share, soon, start, start_at, start_with, verdicts,
};

const MOMENT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn what_was_in_flight_at_a_cut_goes_up_again_when_the_session_is_resumed() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let old = job(&mut lease).await;
    let tickets = send(&lease, &old, &[1, 2, 3, 4]);
    let submits = conversation.submits(4).await;
    conversation.grant(&submits[0]).await;
    assert_eq!(verdicts(&mut lease, 1).await, [(tickets[0], "accepted")]);
    drop(conversation);
    soon(lease.work.wait_for(|work| matches!(work, Work::Idle { .. }))).await.expect("lives");
    // A machine that has not heard of it yet.
    let late = send(&lease, &old, &[5]);

    let (mut conversation, subscribe) = pool.let_in().await;
    assert_eq!(subscribe["params"][1], "s1", "it asks for its session");
    let again = conversation.submits(4).await;
    assert_eq!(nonces(&again), [2, 3, 4, 5], "exactly those without an answer, in order");
    assert!(again.iter().all(|submit| submit["params"][1] == "1"));
    conversation.grant(&again[0]).await;
    conversation.refuse(&again[1], json!([22, "Duplicate share", null])).await;
    conversation.refuse(&again[2], json!([21, "Job not found", null])).await;
    conversation.grant(&again[3]).await;
    assert_eq!(
        verdicts(&mut lease, 4).await,
        [
            (tickets[1], "accepted"),
            (tickets[2], "accepted"),
            (tickets[3], "stale"),
            (late[0], "accepted")
        ]
    );
    conversation.notify("2", false).await;
    let new = newer_job(&mut lease, &old).await;
    assert_eq!(new.epoch, old.epoch, "the session goes on: the job before stands");
    let status = running.when(|status| status.stale == 1).await;
    assert_eq!((status.accepted, status.resubmitted, status.already_known), (4, 4, 1));
    assert_eq!((status.lost, status.held, status.resumed, status.connections), (0, 0, 1, 2));
    running.stop().await;
}

#[tokio::test]
async fn without_its_session_exactly_what_was_in_flight_is_lost() {
    let mut pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let old = job(&mut lease).await;
    let tickets = send(&lease, &old, &[1, 2, 3]);
    let submits = conversation.submits(3).await;
    conversation.grant(&submits[1]).await;
    assert_eq!(verdicts(&mut lease, 1).await, [(tickets[1], "accepted")]);
    drop(conversation);

    pool.extranonce = ("0a0b0c0d", 4);
    let mut conversation = pool.welcome("1").await;
    assert_eq!(verdicts(&mut lease, 2).await, [(tickets[0], "lost"), (tickets[2], "lost")]);
    let new = newer_job(&mut lease, &old).await;
    assert!(new.epoch > old.epoch);
    let late = send(&lease, &old, &[4]);
    assert_eq!(verdicts(&mut lease, 1).await, [(late[0], "stale")]);
    send(&lease, &new, &[5]);
    assert_eq!(nonces(&conversation.submits(1).await), [5], "nothing is sent twice");
    let status = running.when(|status| status.stale == 1).await;
    let reasons: Vec<_> = status.lost_by.iter().collect();
    assert_eq!((status.lost, status.resubmitted), (2, 0));
    assert!(matches!(reasons.as_slice(), [(why, 2)] if why.contains("not resumed its session")));
    running.stop().await;
}

#[tokio::test]
async fn what_is_held_too_long_is_lost() {
    let pool = ScriptedPool::start().await;
    let options = PoolOptions { resume_within: MOMENT, ..PoolOptions::default() };
    let mut running = start_with(&pool, "account.rig", options);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let old = job(&mut lease).await;
    let tickets = send(&lease, &old, &[1, 2]);
    conversation.submits(2).await;
    drop(conversation);
    assert_eq!(verdicts(&mut lease, 2).await, [(tickets[0], "lost"), (tickets[1], "lost")]);
    // It comes back as if nothing had been.
    let mut conversation = pool.welcome("2").await;
    let new = newer_job(&mut lease, &old).await;
    send(&lease, &new, &[3]);
    assert_eq!(nonces(&conversation.submits(1).await), [3]);
    running.stop().await;
}

#[tokio::test]
async fn a_share_that_is_never_answered_is_sent_three_times() {
    let pool = ScriptedPool::start().await;
    let patience = Patience { answer: MOMENT, ..Patience::default() };
    let options = PoolOptions { patience, ..PoolOptions::default() };
    let mut running = start_with(&pool, "account.rig", options);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let work = job(&mut lease).await;
    let tickets = send(&lease, &work, &[7]);
    for _ in 0..2 {
        assert_eq!(nonces(&conversation.submits(1).await), [7]);
        conversation.ends().await;
        let why = running.waits().await.last_error.expect("a reason");
        assert!(why.contains("left a share without its verdict for 0.3 s"), "{why}");
        (conversation, _) = pool.let_in().await;
    }
    assert_eq!(nonces(&conversation.submits(1).await), [7]);
    assert_eq!(verdicts(&mut lease, 1).await, [(tickets[0], "lost")]);
    running.stop().await;
}

#[tokio::test]
async fn a_silent_pool_is_asked_and_then_left() {
    let pool = ScriptedPool::start().await;
    let patience =
        Patience { silence: Duration::from_secs(2), ping_after: MOMENT, ..Patience::default() };
    let options = PoolOptions { patience, ..PoolOptions::default() };
    let mut running = start_with(&pool, "account.rig", options);
    let mut conversation = pool.welcome("1").await;
    for _ in 0..3 {
        let ping = conversation.hear().await;
        assert_eq!(ping["method"], "mining.ping");
        // Whatever it says is a sign of life.
        conversation.refuse(&ping, json!([20, "unknown method", null])).await;
    }
    assert_eq!(conversation.hear().await["method"], "mining.ping");
    conversation.ends().await;
    let why = running.waits().await.last_error.expect("a reason");
    assert_eq!(why.as_ref(), "the pool was silent for 2 s");
    running.stop().await;
}

#[tokio::test]
async fn who_leaves_for_a_question_is_not_asked_again() {
    let pool = ScriptedPool::start().await;
    let patience =
        Patience { silence: Duration::from_secs(1), ping_after: MOMENT, ..Patience::default() };
    let options = PoolOptions { patience, ..PoolOptions::default() };
    let mut running = start_with(&pool, "account.rig", options);
    let mut conversation = pool.welcome("1").await;
    assert_eq!(conversation.hear().await["method"], "mining.ping");
    drop(conversation);
    let mut conversation = pool.welcome("1").await;
    conversation.ends().await;
    let silent = |why: &str| why.contains("silent");
    running.when(|status| status.last_error.as_deref().is_some_and(silent)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_pool_cannot_send_us_to_strangers() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let there = json!(["pool.thief.example", "3333", 0]);
    conversation.call("client.reconnect", there).await;
    let status = running.when(|status| status.moves_refused == 1).await;
    let said = status.last_error.expect("a reason");
    assert!(said.contains("pool.thief.example:3333") && said.contains("not followed"), "{said}");
    let work = job(&mut lease).await;
    send(&lease, &work, &[1]);
    assert_eq!(nonces(&conversation.submits(1).await), [1], "the work goes on");
    running.stop().await;
}

#[tokio::test]
async fn a_move_waits_for_verdicts_and_takes_the_rest_along() {
    let (pool, elsewhere) = (ScriptedPool::start().await, ScriptedPool::start().await);
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let work = job(&mut lease).await;
    let tickets = send(&lease, &work, &[1, 2]);
    let submits = conversation.submits(2).await;
    let there = json!(["127.0.0.1", elsewhere.port(), 0]);
    conversation.call("client.reconnect", there).await;
    conversation.grant(&submits[0]).await;
    assert_eq!(verdicts(&mut lease, 1).await, [(tickets[0], "accepted")], "after the word");
    conversation.ends().await;

    let (mut conversation, subscribe) = elsewhere.let_in().await;
    assert_eq!(subscribe["params"][1], "s1");
    let again = conversation.submits(1).await;
    assert_eq!(nonces(&again), [2]);
    conversation.grant(&again[0]).await;
    assert_eq!(verdicts(&mut lease, 1).await, [(tickets[1], "accepted")]);
    running.stop().await;
}

fn certificate() -> Acceptor {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["pool.example".into()]).expect("a name");
    let chain = params.self_signed(&key).expect("signed").pem();
    Acceptor::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).expect("a pair")
}

#[tokio::test]
async fn a_pool_over_tls_is_believed_by_its_pin() {
    let mut pool = ScriptedPool::start().await;
    let acceptor = certificate();
    let pin = acceptor.fingerprint();
    pool.tls = Some(acceptor);
    let pinned = |pin| PoolOptions { trust: Trust::Pinned(pin), ..PoolOptions::default() };
    let mut running = start_with(&pool, "account.rig", pinned(pin));
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let work = job(&mut lease).await;
    let tickets = send(&lease, &work, &[1]);
    let submits = conversation.submits(1).await;
    conversation.grant(&submits[0]).await;
    assert_eq!(verdicts(&mut lease, 1).await, [(tickets[0], "accepted")]);
    assert!(running.status.borrow().tls.is_some());
    running.stop().await;

    let other = Fingerprint::of(b"another");
    for (options, words) in [
        (pinned(other), vec![pin.to_string(), other.to_string()]),
        (PoolOptions::default(), vec!["no trusted authority".into(), pin.to_string()]),
    ] {
        let mut running = start_with(&pool, "account.rig", options);
        let (stream, _) = soon(pool.listener.accept()).await.expect("a connection");
        let tls = pool.tls.clone().expect("set above");
        assert!(soon(tls.accept(stream)).await.is_err());
        let why = running.waits().await.last_error.expect("a reason");
        assert!(words.iter().all(|word| why.contains(word)), "{why}");
        running.stop().await;
    }
}

#[tokio::test]
async fn a_plain_pool_is_told_from_a_silent_one() {
    let pool = ScriptedPool::start().await;
    let url = format!("stratum+ssl://127.0.0.1:{}", pool.port());
    let mut running = start_at(&url, "account.rig", PoolOptions::default());
    let mut conversation = pool.accept().await;
    conversation.say(json!({"id": null, "method": "client.show_message", "params": ["hi"]})).await;
    let why = running.waits().await.last_error.expect("a reason");
    assert!(why.contains("does not speak TLS") && why.contains("stratum+tcp://"), "{why}");
    running.stop().await;
}

#[tokio::test]
async fn machines_work_under_their_own_names_where_the_pool_lets_them() {
    let mut pool = ScriptedPool::start().await;
    pool.login = ["account.silverlode", "x"];
    let mut running = start_with(&pool, "account.{worker}", PoolOptions::default());
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let work = job(&mut lease).await;
    let submit = |nonce, name: &str| {
        lease.submitter.submit(share(&work, [0, 0], nonce), name.into()).expect("room")
    };
    submit(1, "rig7");
    let asked = conversation.hear().await;
    assert_eq!(
        (&asked["method"], &asked["params"][0]),
        (&json!("mining.authorize"), &json!("account.rig7"))
    );
    assert_eq!(conversation.hear().await["params"][0], "account.silverlode", "it does not wait");
    conversation.grant(&asked).await;
    running.when(|status| status.names == (1, 0)).await;
    submit(2, "rig7");
    assert_eq!(conversation.hear().await["params"][0], "account.rig7");
    submit(3, "thief");
    let asked = conversation.hear().await;
    conversation.hear().await;
    conversation.refuse(&asked, json!([24, "unknown worker", null])).await;
    running.when(|status| status.names == (1, 1)).await;
    submit(4, "thief");
    assert_eq!(conversation.hear().await["params"][0], "account.silverlode");
    running.stop().await;
}

#[tokio::test]
async fn another_connection_makes_room_and_width_that_returns_is_used() {
    let mut pool = ScriptedPool::start().await;
    pool.extranonce = ("a1", 2);
    let mut running = start(&pool);
    let first = pool.welcome("1").await;
    let (mut one, mut two) = (running.lease().await, running.lease().await);
    let a = job(&mut one).await;
    pool.extranonce = ("a2", 2);
    let second = pool.welcome("1").await;
    let b = job(&mut two).await;
    assert_ne!(a.coinbase.prefix, b.coinbase.prefix, "each has the whole of its connection");
    assert_eq!(running.when(|status| status.links.len() == 2).await.connections, 2);

    // The pool comes back too narrow, and later as it was.
    pool.extranonce = ("a3a4", 1);
    drop((first, second));
    let (first, _) = pool.let_in().await;
    let (second, _) = pool.let_in().await;
    let ask = Ask { free: 2, consumer: "test".into() };
    let mut widths = running.source.status();
    soon(widths.wait_for(|status| status.widest == 1)).await.expect("lives");
    assert!(running.source.lease(ask).is_err());
    assert!(matches!(&*one.work.borrow(), Work::Idle { .. }));
    pool.extranonce = ("a5", 2);
    drop((first, second));
    let _first = pool.welcome("9").await;
    pool.extranonce = ("a6", 2);
    let _second = pool.welcome("9").await;
    assert!(newer_job(&mut one, &a).await.epoch > a.epoch);
    assert!(newer_job(&mut two, &b).await.epoch > b.epoch);
    running.stop().await;
}

#[tokio::test]
async fn a_share_that_makes_a_block_is_wanted_whatever_the_pool_asks() {
    let mut pool = ScriptedPool::start().await;
    pool.difficulty = 1e6;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let work = job(&mut lease).await;
    let block = sl_units::Bits::from_u32(0x1e0f_fff0).target().expect("a target");
    assert_eq!(work.wanted, block, "LTC's easiest block is easier than this share");
    let asked = Target::from(ShareDifficulty::new(1e6).expect("positive"));
    assert!(asked < block);
    send(&lease, &work, &[1]);
    assert_eq!(nonces(&conversation.submits(1).await), [1]);
    running.stop().await;

    // Bits beyond every chain's limit are a toy's: every hash would be a block.
    pool.bits = "207fffff";
    let mut running = start(&pool);
    let _conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    assert_eq!(job(&mut lease).await.wanted, asked);
    running.stop().await;
}

#[tokio::test]
async fn a_farm_at_a_cold_pool_sends_less_and_says_what_it_costs() {
    let mut pool = ScriptedPool::start().await;
    pool.difficulty = 65_536.0;
    pool.bits = "1b00ffff";
    let demand = DemandRules {
        hashrate: Some(HashRate::from_hs(95e12)),
        shares_per_second: 1.0,
        most_shares_per_second: 100.0,
    };
    let options = PoolOptions { demand, ..PoolOptions::default() };
    let mut running = start_with(&pool, "account.rig", options);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let suggestion = conversation.hear().await;
    assert_eq!(suggestion["method"], "mining.suggest_difficulty");
    let wish = suggestion["params"][0].as_f64().expect("a number");
    assert!((wish / 1.4496e9 - 1.0).abs() < 1e-3, "one share a second: {wish}");

    let target =
        |difficulty: f64| Target::from(ShareDifficulty::new(difficulty).expect("positive"));
    let first = job(&mut lease).await;
    assert_eq!(first.wanted, target(65_536.0 * 256.0));
    let ticket = send(&lease, &first, &[1]);
    let submits = conversation.submits(1).await;
    conversation.grant(&submits[0]).await;
    assert_eq!(verdicts(&mut lease, 1).await, [(ticket[0], "accepted")]);
    let over = running.when(|status| status.accepted == 1).await.over.expect("told");
    assert_eq!((over.asked.get(), over.sent.get()), (65_536.0, 65_536.0 * 256.0));
    assert!((over.price - 255.0 / 256.0).abs() < 1e-9, "{over:?}");
    assert!((over.forgone - 65_536.0 * 255.0).abs() < 1.0, "{over:?}");

    conversation.difficulty(wish).await;
    conversation.notify("2", false).await;
    let wanted = |work: &Work| work.job().is_some_and(|job| job.wanted == target(wish));
    soon(lease.work.wait_for(wanted)).await.expect("lives");
    running.when(|status| status.over.is_none()).await;
    running.stop().await;
}

#[tokio::test]
async fn a_conversation_is_recorded_without_its_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let pool = ScriptedPool::start().await;
    let options = PoolOptions { record: Some(folder.path().to_owned()), ..PoolOptions::default() };
    let mut running = start_with(&pool, "account.rig", options);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let work = job(&mut lease).await;
    send(&lease, &work, &[1]);
    let submits = conversation.submits(1).await;
    conversation.grant(&submits[0]).await;
    verdicts(&mut lease, 1).await;
    running.stop().await;

    let files: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert_eq!(files.len(), 1);
    let name = files[0].file_name().into_string().expect("text");
    assert!(name.starts_with("pool.test-") && name.ends_with("-1.jsonl"), "{name}");
    // The writer ends with the connection, on a thread of its own.
    let whole = async {
        loop {
            let text = std::fs::read_to_string(files[0].path()).expect("a file");
            if text.lines().count() >= 9 {
                return text;
            }
            tokio::task::yield_now().await;
        }
    };
    let text = soon(whole).await;
    let transcript: Transcript = text.parse().expect("a transcript");
    let up = transcript.entries.iter().filter(|entry| entry.direction == Direction::Up);
    let up: Vec<_> = up.map(|entry| String::from_utf8_lossy(&entry.line).into_owned()).collect();
    assert_eq!((up.len(), transcript.entries.len()), (3, 8), "{text}");
    assert!(up[1].contains(r#"["account.rig","***"]"#), "{}", up[1]);
}

#[tokio::test]
async fn figures_of_a_pool() {
    let pool = ScriptedPool::start().await;
    let mut running = start(&pool);
    let mut conversation = pool.welcome("1").await;
    let mut lease = running.lease().await;
    let work = job(&mut lease).await;
    send(&lease, &work, &[1, 2, 3, 4]);
    let submits = conversation.submits(4).await;
    conversation.grant(&submits[0]).await;
    for (submit, of) in submits[1..3].iter().zip(["0.0002", "0.0003"]) {
        let text = format!("low difficulty share of {of}");
        conversation.refuse(submit, json!([23, text])).await;
    }
    conversation.refuse(&submits[3], json!("H-not-zero")).await;
    verdicts(&mut lease, 4).await;
    let status = running.when(|status| status.rejected == 3).await;
    let reasons: Vec<_> =
        status.rejected_by.iter().map(|(why, count)| (why.as_str(), *count)).collect();
    assert_eq!(reasons, [("H-not-zero (20)", 1), ("low difficulty share", 2)]);
    assert_eq!((status.accepted_difficulty, status.missed_difficulty), (0.5, 1.5));
    assert_eq!((status.extranonce, status.jobs), (Some((4, 4)), 1));
    assert_eq!(status.round_trip.count, 4);
    assert!(status.connect.is_some() && status.subscribe.is_some() && status.tls.is_none());
    assert!(matches!(status.state, PoolState::Working { .. }) && status.last_job.is_some());
    running.stop().await;
}
