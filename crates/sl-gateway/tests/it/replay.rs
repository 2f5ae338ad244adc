//! What an independent miner said to this gateway, said again: cpuminer's `minerd -a scrypt`
//! (`testdata/stratum/sv1_recorded_minerd_vs_silverlode.json`, origin in `ORIGIN.md` there).

use std::{collections::HashMap, path::Path};

use bytes::Bytes;
use serde_json::{Value, json};
use sl_stratum::{ClientBound, Incoming, Notify};
use sl_units::Target;
use sl_work::{CoinbaseTemplate, HeaderTemplate, Job, JobId, NtimeRange, SourceId};

use crate::harness::{Farm, difficulty, settings};

/// The job of a recorded notify: what came down is what the source had given.
fn job(notify: Notify, sequence: u64, epoch: u64, farm: &Farm) -> Job {
    let start = notify.ntime;
    Job {
        id: JobId { source: SourceId::new("recorded"), sequence },
        epoch,
        born: farm.clock.mono(),
        header: HeaderTemplate {
            version: notify.version,
            roll_mask: 0,
            prev: notify.prev,
            bits: notify.bits,
            ntime: NtimeRange { earliest: start, start, latest: start + 7200 },
        },
        coinbase: CoinbaseTemplate {
            prefix: Bytes::clone(&notify.coinbase1),
            free: 8,
            suffix: notify.coinbase2,
        },
        branch: notify.branch,
        wanted: Target::from_expected_hashes(32_768.0),
        goals: Vec::new(),
    }
}

#[tokio::test]
async fn what_minerd_said_is_answered_as_it_was() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/stratum/sv1_recorded_minerd_vs_silverlode.json");
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let session: Value = serde_json::from_slice(&bytes).expect("recorded JSON");
    let told = difficulty(session["difficulty"].as_f64().expect("a number"));
    let messages: Vec<(bool, String)> = session["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|message| (message["dir"] == "c>s", message["line"].as_str().expect("a line").into()))
        .collect();
    let is_call = |line: &Value| line["method"].is_string();
    let parsed = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let answers = messages.iter().filter(|(by_client, _)| !by_client);
    let mut answers = answers.map(|(_, line)| parsed(line)).filter(|line| !is_call(line));

    let mut farm = Farm::start(
        settings(|settings| {
            (settings.min_difficulty, settings.max_difficulty) = (told, Some(told));
        }),
        "scrypt",
    );
    farm.widen(8).await;
    let mut machine = farm.connect().await;
    let (mut jobs, mut epoch, mut accepted) = (HashMap::new(), 0, 0);
    for (by_client, line) in &messages {
        let mut said = parsed(line);
        if !by_client {
            let Ok(Incoming::Call { call: ClientBound::Notify(notify), .. }) =
                ClientBound::parse(line.as_bytes())
            else {
                continue;
            };
            epoch += u64::from(notify.clean);
            let (id, clean) = (notify.job_id.clone(), notify.clean);
            farm.give(job(*notify, jobs.len() as u64 + 1, epoch, &farm));
            let heard = machine.notify().await;
            assert_eq!(heard[8], json!(clean));
            assert_eq!(
                heard.as_array().map(|all| &all[1..8]),
                said["params"].as_array().map(|all| &all[1..8])
            );
            jobs.insert(id, heard[0].clone());
            continue;
        }
        if said["method"] == "mining.submit" {
            let id = said["params"][1].as_str().expect("an id").to_owned();
            said["params"][1] = jobs.get(&id).expect("given before").clone();
        }
        machine.say(&format!("{said}\n")).await;
        let (found, recorded) = (machine.reply().await, answers.next().expect("each has one"));
        match said["method"].as_str() {
            // The slot is the same, the session's name is not.
            Some("mining.subscribe") => {
                assert_eq!(found.expect("subscribed")[1], recorded["result"][1]);
            }
            method => {
                accepted += u64::from(method == Some("mining.submit") && found.is_ok());
                let code = found.err().map_or(Value::Null, |(code, _)| code.into());
                assert_eq!(code, recorded["error"][0], "{line}");
            }
        }
    }
    // Shares that went up are not the matter here: they end without a verdict.
    let last = farm.stop().await;
    assert_eq!(last.shares.accepted, accepted);
    assert!(accepted > 50, "{accepted}");
    assert_eq!(last.shares.rejected(), 0);
}
