//! The machine behind its face: what goes wrong inside shows in every reply, and what is written is
//! read again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use sl_twin::face::{Host, Look, Want};
use sl_twin::{
    Command, Fault, Machine, Model, PoolConf, PoolEvent, Release, Sensor, Spec, State,
    model::MODELS,
};
use sl_units::{Mono, Wall};

use super::client::{ask, get, post};

/// A machine, its clock and a pool that answers. The clock is moved by hand.
struct Living(Mutex<(Machine, Mono)>);

impl Living {
    fn new(model: &'static Model, release: Release) -> Self {
        let pool = PoolConf {
            url: "stratum+tcp://pool.invalid:3333".to_owned(),
            user: "w.1".to_owned(),
            pass: "x".to_owned(),
        };
        let spec = Spec {
            pools: vec![pool],
            already_on: Duration::from_secs(900),
            ..Spec::new(model, release, 7, [127, 7, 0, 1].into())
        };
        let now = Mono::default();
        let living = Self(Mutex::new((Machine::new(spec, now), now)));
        living.pass(60);
        living
    }

    fn with<T>(&self, look: impl FnOnce(&mut Machine, &mut Mono) -> T) -> T {
        let (machine, now) = &mut *self.0.lock().expect("nobody panics with it");
        look(machine, now)
    }

    /// So many seconds pass, the pool answering.
    fn pass(&self, seconds: u64) {
        self.with(|machine, now| {
            for _ in 0..seconds {
                machine.pool(0, PoolEvent::Active, *now);
                *now = *now + Duration::from_secs(1);
                machine.step(*now);
            }
        });
    }

    fn suffer(&self, fault: Fault) {
        self.with(|machine, now| machine.suffer(fault, None, *now));
        self.pass(60);
    }
}

impl Host for Living {
    async fn look(&self, want: Want) -> Option<Look> {
        Some(self.with(|machine, now| {
            let readings = Arc::new(machine.readings(*now));
            Look::of(machine, want, readings, Wall::from_secs(1_795_353_259))
        }))
    }

    async fn tell(&self, command: Command) {
        self.with(|machine, now| machine.command(command, *now));
    }
}

async fn page(host: &Living, name: &str) -> Value {
    let reply = get(host, name).await;
    assert_eq!(reply.status, 200, "{name}");
    serde_json::from_str(&reply.body).unwrap_or_else(|wrong| panic!("{name}: {wrong}"))
}

async fn rpc(host: &Living, command: &str) -> Value {
    let reply = ask(host, &format!("{{\"command\":\"{command}\"}}")).await;
    // As fleet software mends the comma that an L3+ forgets.
    let reply = reply.replace("}{", "},{");
    serde_json::from_str(&reply).unwrap_or_else(|wrong| panic!("{command}: {wrong}"))
}

fn l7() -> Living {
    Living::new(Model::by_id("antminer-l7").expect("in the table"), Release::R202405)
}

#[tokio::test(start_paused = true)]
async fn a_fault_shows_in_every_reply_that_could_tell_it() {
    let l7 = l7();
    l7.suffer(Fault::DeadChip { board: 1, chip: 0 });
    let (stats, legacy) = (page(&l7, "stats").await, rpc(&l7, "stats").await);
    let newer = ask(&l7, r#"{"command":"stats","new_api":true}"#).await;
    let map = &stats["STATS"][0]["chain"][1]["asic"];
    assert!(map.as_str().is_some_and(|map| map.starts_with("xooooooo ")), "{map}");
    assert_eq!(map, &legacy["STATS"][1]["chain_acs2"]);
    assert_eq!(serde_json::from_str::<Value>(&newer).expect("JSON"), stats);
    assert_eq!(stats["STATS"][0]["chain"][1]["asic_num"], 120);

    l7.suffer(Fault::BoardLost { board: 2 });
    l7.pass(300);
    let (stats, legacy) = (page(&l7, "stats").await, rpc(&l7, "stats").await);
    let (short, old) = (page(&l7, "summary").await, rpc(&l7, "summary").await);
    assert_eq!(stats["STATS"][0]["chain"][2]["rate_real"], 0.0);
    assert_eq!(stats["STATS"][0]["chain"][2]["temp_chip"], serde_json::json!([0, 0, 0, 0]));
    assert_eq!(legacy["STATS"][1]["chain_rate3"], 0.0);
    assert_eq!(legacy["STATS"][1]["temp_out_chip_3"], "0");
    let rate = &short["SUMMARY"][0]["rate_5s"];
    assert!(rate.as_f64().is_some_and(|rate| (5_800.0..6_800.0).contains(&rate)), "{rate}");
    assert_eq!(rate, &old["SUMMARY"][0]["GHS 5s"]);
    assert_eq!(rate, &legacy["STATS"][1]["GHS 5s"]);
    assert_eq!(rate, &stats["STATS"][0]["rate_5s"]);
    assert_eq!(short["SUMMARY"][0]["status"][0]["msg"], "Rate is lower than ideal rate");

    l7.suffer(Fault::HijackedPool { url: "stratum+tcp://thief:1".into(), user: "thief".into() });
    assert_eq!(page(&l7, "pools").await["POOLS"][0]["user"], "thief");
    assert_eq!(page(&l7, "get_miner_conf").await["pools"][0]["user"], "thief");
    assert_eq!(rpc(&l7, "pools").await["POOLS"][0]["URL"], "stratum+tcp://thief:1");

    l7.suffer(Fault::SensorAbsurd { board: 0, sensor: Sensor::ChipOutlet, shows_c: 255 });
    let stats = page(&l7, "stats").await;
    assert_eq!(stats["STATS"][0]["chain"][0]["temp_chip"][3], 255);
    assert_eq!(rpc(&l7, "stats").await["STATS"][1]["temp_max"], 255);
    assert_eq!(page(&l7, "summary").await["SUMMARY"][0]["status"][3]["status"], "e");
    assert!(get(&l7, "log").await.body.contains("temperature sensor error"));
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_read_again_with_each_release() {
    for release in Release::ALL {
        let l7 = Living::new(Model::by_id("antminer-l7").expect("in the table"), release);
        let body = r#"{"pools":[{"url":"stratum+tcp://b:2","user":"u","pass":"p"}],"miner-mode":1,"bitmain-fan-ctrl":true,"bitmain-fan-pwm":"90","freq-level":"80"}"#;
        assert!(post(&l7, "set_miner_conf", body).await.body.contains("M000"), "{release}");
        let conf = page(&l7, "get_miner_conf").await;
        assert_eq!(conf["pools"][0]["url"], "stratum+tcp://b:2", "{release}");
        assert_eq!(conf["bitmain-fan-ctrl"], true, "{release}");
        assert_eq!(conf["bitmain-freq-level"], "80", "{release}");
        let number = matches!(release, Release::R202301 | Release::R202405);
        let mode = if number { Value::from(1) } else { Value::from("1") };
        assert_eq!(conf["bitmain-work-mode"], mode, "{release}");
        l7.pass(60);
        assert_eq!(l7.with(|machine, _| machine.state()), State::Asleep, "{release}");
        assert_eq!(page(&l7, "summary").await["SUMMARY"][0]["rate_5s"], 0.0, "{release}");

        assert!(post(&l7, "blink", r#"{"blink":true}"#).await.body.contains("B000"));
        assert_eq!(page(&l7, "get_blink_status").await["blink"], true);
        let network = r#"{"ipHost":"rack1","ipPro":"2","ipAddress":"10.0.0.9","ipSub":"255.0.0.0","ipGateway":"10.0.0.1","ipDns":"8.8.8.8"}"#;
        assert!(post(&l7, "set_network_conf", network).await.body.contains("N000"));
        let told = page(&l7, "get_network_info").await;
        assert_eq!(
            (&told["conf_ipaddress"], &told["conf_hostname"]),
            (&"10.0.0.9".into(), &"rack1".into())
        );
        assert_eq!(told["ipaddress"], "127.7.0.1", "it stays where its listener is");

        assert_eq!(post(&l7, "reset_conf", "").await.status, 200);
        l7.pass(60);
        assert_eq!(page(&l7, "get_system_info").await["hostname"], "Antminer");
        assert_eq!(page(&l7, "get_miner_conf").await["pools"][0]["url"], "");
    }
}

#[tokio::test(start_paused = true)]
async fn the_chart_names_boards_by_their_slots() {
    let l7 = l7();
    l7.suffer(Fault::DyingBoard { board: 0, every: Duration::from_secs(1) });
    l7.with(|machine, now| machine.command(Command::Reboot, *now));
    l7.pass(600);
    let (chart, stats) = (page(&l7, "chart").await, page(&l7, "stats").await);
    let (series, chains) = (&chart["RATE"][0]["series"], &stats["STATS"][0]["chain"]);
    let names = [0, 1].map(|at| series[at]["name"].as_str().expect("a name").to_owned());
    assert_eq!(names, ["chain1", "chain2"]);
    assert_eq!([0, 1].map(|at| chains[at]["index"].as_u64()), [Some(1), Some(2)]);
    assert_eq!(series.as_array().map(Vec::len), Some(2));
}

/// What two calls tell of one thing is the same.
#[tokio::test(start_paused = true)]
async fn figures_of_pools_agree_in_every_call() {
    let l7 = l7();
    assert_eq!(rpc(&l7, "summary").await["SUMMARY"][0]["Last getwork"], 0, "no job yet");
    l7.with(|machine, now| {
        for event in [
            PoolEvent::Job,
            PoolEvent::Found(81_234.0),
            PoolEvent::Accepted(60_000.0),
            PoolEvent::Rejected(30_000.0),
            PoolEvent::Stale(10_000.0),
        ] {
            machine.pool(0, event, *now);
        }
    });
    l7.pass(50);
    let (old, new) = (rpc(&l7, "summary").await, page(&l7, "summary").await);
    let (old, pools) = (&old["SUMMARY"][0], &rpc(&l7, "pools").await["POOLS"][0]);
    assert_eq!(old["Best Share"], 81_234);
    assert_eq!(old["Best Share"], new["SUMMARY"][0]["bestshare"]);
    assert_eq!((&old["Pool Rejected%"], &old["Pool Stale%"]), (&30.0.into(), &10.0.into()));
    assert_eq!(old["Pool Rejected%"], pools["Pool Rejected%"]);
    assert_eq!(old["Pool Stale%"], pools["Pool Stale%%"]);
    assert_eq!(old["Last getwork"], 1_795_353_259_u64 - 50);
}

/// Whatever has happened to it, each page of each machine is what fleet software can read.
#[tokio::test(start_paused = true)]
async fn every_model_in_every_state_answers_in_json() {
    for model in &MODELS {
        let machine = Living::new(model, Release::R202405);
        for fault in [
            Fault::NonceErrors { share: 0.1 },
            Fault::DyingBoard { board: 0, every: Duration::from_secs(1) },
            Fault::BoardLost { board: 0 },
            Fault::BoardLost { board: 1 },
            Fault::BoardLost { board: 2 },
            Fault::BoardLost { board: 3 },
            Fault::FanLost { fan: 0 },
        ] {
            machine.suffer(fault);
            for page_name in ["get_system_info", "get_miner_conf", "get_network_info"] {
                page(&machine, page_name).await;
            }
            for command in ["summary", "stats", "pools", "version"] {
                rpc(&machine, command).await;
            }
            if model.id != "antminer-l3plus" {
                for page_name in ["summary", "stats", "pools", "chart"] {
                    page(&machine, page_name).await;
                }
            }
        }
        // Without a board it does not start, and says so.
        machine.with(|machine, now| machine.command(Command::Reboot, *now));
        machine.pass(600);
        let stats = rpc(&machine, "stats").await;
        assert_eq!(stats["STATS"][1]["miner_count"], 0, "{}", model.id);
        assert!(matches!(machine.with(|machine, _| machine.state()), State::Stopped(_)));
    }
}
