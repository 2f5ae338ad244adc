//! What plugs in, and limits by worker.

use std::sync::{Arc, Mutex};

use serde_json::json;
use sl_gateway::{Fixed, GatewayStatus, ValidatorName};
use sl_guard::validate::{Complaint, Message, MessageValidator, Verdict};
use sl_units::Mono;

use crate::harness::{Farm, job, settings};

/// Takes a connection's first so many lines, and no worker called "nobody".
#[derive(Debug)]
struct Patience {
    left: u32,
    seen: Arc<Mutex<Vec<bool>>>,
}

impl MessageValidator for Patience {
    fn name(&self) -> &'static str {
        "patience"
    }

    fn check(&mut self, message: &Message<'_>, _: Mono) -> Verdict {
        let fits = match message.worker {
            Some(worker) => worker != "nobody",
            None => {
                self.seen.lock().expect("whole").push(message.authorized);
                self.left = self.left.saturating_sub(1);
                self.left > 0
            }
        };
        let text = || "had enough".to_owned();
        if fits {
            Verdict::Pass
        } else {
            Verdict::Refuse(Complaint { validator: self.name(), text: text() })
        }
    }
}

#[tokio::test]
async fn a_validator_of_ones_own_sees_lines_and_names_of_each_connection() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let mut farm = Farm::start_with(settings(|_| ()), "tail", |gateway| {
        gateway.with_validator(move || Box::new(Patience { left: 5, seen: told.clone() }))
    });
    farm.widen(8).await;
    farm.give(job(1, 1, &[], &farm.clock));
    let mut machine = farm.connect().await;
    machine.subscribe(None).await;
    let refused = machine.ask("mining.authorize", json!(["nobody", "x"])).await;
    assert_eq!(refused, Err((24, "patience: had enough".to_owned())));
    machine.ask("mining.authorize", json!(["rig.1", "x"])).await.expect("another name");
    let notify = machine.notify().await;
    machine.submit("rig.1", &notify, 0, 1).await.expect("the fourth line");
    let refused = machine.submit("rig.1", &notify, 0, 2).await.expect_err("the fifth");
    assert_eq!(refused, (20, "patience: had enough".to_owned()));
    assert_eq!(*seen.lock().expect("whole"), [false, false, false, true, true]);
    let (mut other, _, notify) = farm.machine("rig.2").await;
    other.submit("rig.2", &notify, 0, 1).await.expect("it counts by itself");
    let counted = |status: &GatewayStatus| {
        status.guard.messages_refused == 1
            && status.guard.offences(sl_guard::Offence::WrongCredentials) == 1
    };
    farm.status_when(counted).await;
    farm.stop().await;
}

#[tokio::test]
async fn json_out_of_shape_is_not_parsed() {
    let mut farm = Farm::working().await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    let deep = format!("{{\"id\":7,\"method\":\"mining.ping\",\"params\":{}\n", "[".repeat(40));
    for _ in 0..9 {
        machine.say(&deep).await;
        let heard = machine.hear().await;
        let (id, code) = (heard["id"].as_u64(), heard["error"][0].as_i64());
        assert_eq!((id, code), (Some(7), Some(20)), "it is answered by its id");
        let text = heard["error"][1].as_str().expect("a text");
        assert!(text.starts_with("json_shape: nested 33 deep"), "{text}");
    }
    // One that is fit, and the count begins anew.
    machine.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    machine.say(&deep.repeat(10)).await;
    machine.closed().await;
    let counted = |status: &GatewayStatus| {
        status.guard.messages_refused == 19 && status.protection.malformed == 1
    };
    farm.status_when(counted).await;
    farm.stop().await;
}

#[tokio::test]
async fn which_validators_look_is_a_setting_that_follows() {
    let mut farm = Farm::working().await;
    farm.machine("Jürgens Keller 🦀").await;
    farm.live
        .apply(settings(|settings| settings.validators = vec![ValidatorName::WorkerNames]))
        .expect("applied");
    let mut machine = farm.connect().await;
    machine.subscribe(None).await;
    let refused = machine.ask("mining.authorize", json!(["Jürgens Keller 🦀", "x"])).await;
    let (code, text) = refused.expect_err("letters and digits only");
    assert_eq!((code, text.starts_with("worker_names: ")), (24, true), "{text}");
    machine.ask("mining.authorize", json!(["juergen.keller", "x"])).await.expect("fit");
    farm.stop().await;
}

#[tokio::test]
async fn a_difficulty_manager_of_ones_own_rules() {
    let settings = settings(|settings| settings.start_difficulty = None);
    let mut farm = Farm::start_with(settings, "tail", |gateway| {
        gateway.with_difficulty_manager(Arc::new(Fixed { shares_per_minute: 6.0 }))
    });
    farm.widen(8).await;
    farm.give(job(1, 1, &[], &farm.clock));
    let (mut machine, told, notify) = farm.machine("rig.1").await;
    for nonce in 0..60 {
        machine.submit("rig.1", &notify, 0, nonce).await.expect("accepted");
    }
    farm.give(job(2, 1, &[], &farm.clock));
    assert_eq!(machine.hear().await["method"], "mining.notify", "still {told}");
    farm.stop().await;
}

#[tokio::test]
async fn a_worker_may_have_so_many_connections_and_no_more() {
    let mut farm = Farm::working_with(|settings| settings.connections_per_worker = Some(1)).await;
    let (mut first, _, notify) = farm.machine("rig.1").await;
    first.ask("mining.authorize", json!(["rig.1", "again"])).await.expect("it has it already");
    let mut second = farm.connect().await;
    second.subscribe(None).await;
    let refused = second.ask("mining.authorize", json!(["rig.1", "x"])).await;
    let (code, text) = refused.expect_err("one is the limit");
    assert_eq!(code, 24);
    assert!(text.starts_with("1 connections are authorised for this worker"), "{text}");
    second.ask("mining.authorize", json!(["rig.2", "x"])).await.expect("another worker");
    first.submit("rig.1", &notify, 0, 1).await.expect("accepted");
    drop(first);
    farm.status_when(|status| status.connections == 1 && status.protection.worker_full == 1).await;
    farm.machine("rig.1").await;
    farm.stop().await;
}
