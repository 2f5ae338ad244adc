//! The recorded sessions of `testdata/stratum` (origin: `ORIGIN.md` there), heard by both ends.

use std::path::Path;

use serde_json::Value;
use sl_stratum::{
    ClientBound, ErrorCode, Extranonce, Id, Incoming, Line, Notify, Password, Reply, ServerBound,
    Submit, client, server,
};
use sl_units::ShareDifficulty;

fn recorded(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stratum").join(file);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("recorded JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().expect("a list")
}

/// The recorded messages of one direction, as they stood on the wire but for white space.
fn messages(session: &Value, direction: &str) -> Vec<String> {
    let of_direction = list(session, "messages").iter().filter(|m| m["dir"] == direction);
    of_direction.map(|message| message["json"].to_string()).collect()
}

fn extranonce(hex: &str) -> Extranonce {
    Extranonce::new(&hex::decode(hex).expect("hex")).expect("short")
}

/// The answer on a line of ours.
fn answer(output: &server::Output) -> Reply {
    let server::Output::Send(line) = output else { panic!("{output:?} is no line") };
    match ClientBound::parse(line).expect("our own line") {
        Incoming::Reply(reply) => reply,
        call => panic!("{call:?} is no reply"),
    }
}

/// What our server session makes of a recorded machine: its name, its user and its shares.
fn serve(lines: &[String], extranonce1: &str) -> (String, String, Vec<Submit>) {
    let mut session = server::Session::new(server::Settings::default().into());
    let (mut name, mut users, mut shares) = (String::new(), Vec::new(), Vec::new());
    for line in lines {
        let mut out = session.step(server::Input::Line(Line::Complete(line.as_bytes())));
        assert_eq!(out.len(), 1, "{line}");
        match out.remove(0) {
            server::Output::Subscribe(subscribe) => {
                name = subscribe.user_agent.expect("a user agent");
                let welcome = server::Welcome {
                    session_id: "5e".into(),
                    extranonce1: extranonce(extranonce1),
                    extranonce2_len: 4,
                };
                let out = session.step(server::Input::Welcome(Ok(welcome)));
                let result = answer(&out[0]).result;
                assert_eq!((&result[1], &result[2]), (&extranonce1.into(), &4.into()));
            }
            server::Output::Authorize { id, user, .. } => {
                users.push(user.clone());
                let out = session.step(server::Input::Authorized { id, user, verdict: Ok(()) });
                assert_eq!(answer(&out[0]).verdict(), Ok(()));
                assert_eq!(out.get(1), Some(&server::Output::Ready));
            }
            server::Output::Share { id, submit } => {
                assert_eq!(
                    session.answer(id, Ok(())),
                    "{\"id\":4,\"result\":true,\"error\":null}\n".as_bytes()
                );
                shares.push(submit);
            }
            other => panic!("{line}: {other:?}"),
        }
    }
    assert_eq!(session.counters().malformed, 0);
    assert_eq!(session.counters().accepted, shares.len() as u64);
    (name, users.join(" "), shares)
}

/// A client session that is subscribed and authorised by recorded lines; what came out of it.
fn join(lines: &[String], user: &str) -> (client::Session, Vec<client::Output>) {
    let settings = client::Settings {
        user: user.into(),
        password: Password::new("x".into()),
        ..client::Settings::default()
    };
    let mut session = client::Session::new(settings);
    let mut out = session.step(client::Input::Connected);
    for line in lines {
        out.extend(session.step(client::Input::Line(Line::Complete(line.as_bytes()))));
    }
    out.retain(|output| !matches!(output, client::Output::Send(_)));
    (session, out)
}

#[test]
fn minerd_is_understood() {
    let session = recorded("sv1_recorded_minerd_vs_foundation.json");
    let (name, user, shares) = serve(&messages(&session, "c>s"), "964597eb");
    assert_eq!((name.as_str(), user.as_str()), ("cpuminer/2.5.1", "LtestAddr.w1"));
    let expected = list(&session, "shares");
    assert_eq!((shares.len(), expected.len()), (65, 65));
    for (share, expect) in shares.iter().zip(expected) {
        assert_eq!(share.job_id, expect["job"].as_str().expect("text"));
        assert_eq!(share.extranonce2.to_string(), expect["extranonce2"].as_str().expect("text"));
        // The header holds both numbers with their bytes reversed.
        let header = hex::decode(expect["header_hex"].as_str().expect("text")).expect("hex");
        assert_eq!(share.ntime.to_le_bytes(), header[68..72]);
        assert_eq!(share.nonce.to_le_bytes(), header[76..80]);
    }
}

#[test]
fn foundation_is_understood() {
    let session = recorded("sv1_recorded_minerd_vs_foundation.json");
    let lines = messages(&session, "s>c");
    // minerd's first two ids are ours, too: the pool's own words, in its own order.
    let (mut ours, out) = join(&lines[..4], "LtestAddr.w1");
    let [
        client::Output::Subscribed(subscription),
        client::Output::Authorized { user, verdict: Ok(()) },
        client::Output::Difficulty(difficulty),
        client::Output::Job(job),
    ] = out.as_slice()
    else {
        panic!("{out:?}")
    };
    assert_eq!(subscription.session.as_deref(), Some("deadbeefcafebabe0100000000000000"));
    assert_eq!(subscription.extranonce1, extranonce("964597eb"));
    assert_eq!(subscription.extranonce2_len, 4);
    assert_eq!(difficulty.get(), 0.02);
    assert_eq!(user, "LtestAddr.w1");
    let header =
        hex::decode(session["shares"][0]["header_hex"].as_str().expect("text")).expect("hex");
    assert_eq!(job.version.to_le_bytes(), header[..4]);
    assert_eq!(job.prev.as_bytes()[..], header[4..36]);
    assert_eq!(job.ntime.to_le_bytes(), header[68..72]);
    assert_eq!(job.bits.to_u32().to_le_bytes(), header[72..76]);
    assert!(job.clean);

    // minerd has sent every share under id 4; our ids go up, and the pool gives back what it got.
    let mut accepted = 0;
    for (ticket, line) in (100..).zip(&lines[4..]) {
        let submitted = ours.step(submit(ticket));
        let id = sent_id(&submitted[0]);
        let line = line.replace("\"id\":4", &format!("\"id\":{id}"));
        let out = ours.step(client::Input::Line(Line::Complete(line.as_bytes())));
        assert_eq!(out, [client::Output::Verdict { ticket, verdict: Ok(()) }]);
        accepted += 1;
    }
    assert_eq!((accepted, ours.in_flight()), (65, 0));
}

#[test]
fn verdicts_without_ids_come_in_order() {
    let session = recorded("sv1_recorded_minerd_vs_foundation.json");
    let lines = messages(&session, "s>c");
    let (mut ours, _) = join(&lines[..4], "LtestAddr.w1");
    for ticket in 0..65 {
        assert_eq!(ours.step(submit(ticket)).len(), 1);
    }
    for (ticket, line) in (0..).zip(&lines[4..]) {
        let line = line.replace("\"id\":4", "\"id\":null");
        let out = ours.step(client::Input::Line(Line::Complete(line.as_bytes())));
        assert_eq!(out, [client::Output::Verdict { ticket, verdict: Ok(()) }]);
    }
}

#[test]
fn foundations_refusals_are_understood() {
    let session = recorded("sv1_recorded_minerd_vs_foundation.json");
    let replies = list(&session, "error_replies");
    assert_eq!(replies.len(), 6);
    let lines = messages(&session, "s>c");
    for (reply, expect) in replies.iter().zip([
        Some((ErrorCode::LowDifficulty, "low difficulty share of 0.00019272802389075293")),
        Some((ErrorCode::JobNotFound, "job not found")),
        Some((ErrorCode::Other, "incorrect size of extranonce2")),
        Some((ErrorCode::Other, "ntime out of range")),
        Some((ErrorCode::Other, "Not supported.")),
        None,
    ]) {
        let (mut ours, _) = join(&lines[..4], "LtestAddr.w1");
        let id = sent_id(&ours.step(submit(7))[0]);
        let line =
            reply.to_string().replace(&format!("\"id\":{}", reply["id"]), &format!("\"id\":{id}"));
        let out = ours.step(client::Input::Line(Line::Complete(line.as_bytes())));
        let [client::Output::Verdict { ticket: 7, verdict }] = out.as_slice() else {
            panic!("{out:?}")
        };
        let found = verdict.as_ref().err().map(|refusal| (refusal.kind(), &*refusal.text));
        assert_eq!(found, expect, "{line}");
    }
}

#[test]
fn the_live_session_of_2018_is_understood() {
    let session = recorded("sv1_real_scrypt_session_2018.json");
    let (name, user, shares) = serve(&messages(&session, "c>s"), "f8006343");
    assert_eq!((name.as_str(), user.as_str()), ("mineon 1.0.0", "lzgm.2"));
    let header = session["expected"]["header_hex"].as_str().expect("text");
    let header = hex::decode(header).expect("hex");
    assert_eq!(shares.len(), 1);
    assert_eq!(shares[0].ntime.to_le_bytes(), header[68..72]);
    assert_eq!(shares[0].nonce.to_le_bytes(), header[76..80]);

    // The recording lacks the pool's answer to `mining.authorize`, which the work waits for.
    let mut lines = messages(&session, "s>c");
    lines.push(r#"{"id":2,"result":true,"error":null}"#.into());
    let (_, out) = join(&lines, "lzgm.2");
    let [
        client::Output::Subscribed(subscription),
        client::Output::Authorized { verdict: Ok(()), .. },
        client::Output::Difficulty(difficulty),
        client::Output::Job(job),
    ] = out.as_slice()
    else {
        panic!("{out:?}")
    };
    assert_eq!(subscription.session.as_deref(), Some("ae6812eb4cd7735a302a8a9dd95cf71f"));
    assert_eq!(*difficulty, ShareDifficulty::new(2048.0).expect("positive"));
    assert_eq!(job.prev.as_bytes()[..], header[4..36]);
    let coinbase = [
        &job.coinbase1[..],
        subscription.extranonce1.as_bytes(),
        shares[0].extranonce2.as_bytes(),
        &job.coinbase2[..],
    ];
    let expect = session["expected"]["coinbase_hex"].as_str().expect("text");
    assert_eq!(hex::encode(coinbase.concat()), expect);
}

#[test]
fn real_proofs_of_litecoin_survive_the_wire() {
    let proofs = recorded("ltc_parent_pow_from_doge_auxpow.json");
    let mut checked = 0;
    for proof in list(&proofs, "entries") {
        let derived = &proof["derived_sv1"];
        if derived.is_null() {
            continue;
        }
        let notify = parse_notify(&derived["notify"]);
        let written: Value = serde_json::from_slice(&notify.to_line()).expect("our own line");
        assert_eq!(written["params"], derived["notify"]);
        assert_eq!(parse_notify(&written["params"]), notify);

        let header = hex::decode(proof["ltc_header"].as_str().expect("text")).expect("hex");
        assert_eq!(notify.version.to_le_bytes(), header[..4]);
        assert_eq!(notify.prev.as_bytes()[..], header[4..36]);
        assert_eq!(notify.bits.to_u32().to_le_bytes(), header[72..76]);
        let line =
            serde_json::json!({"id": 9, "method": "mining.submit", "params": derived["submit"]});
        let call = match ServerBound::parse(line.to_string().as_bytes()) {
            Ok(Incoming::Call { call: ServerBound::Submit(submit), .. }) => submit,
            other => panic!("{other:?}"),
        };
        assert_eq!(call.ntime.to_le_bytes(), header[68..72]);
        assert_eq!(call.nonce.to_le_bytes(), header[76..80]);
        let written = ServerBound::Submit(call).to_line(&Id::from(9));
        assert_eq!(serde_json::from_slice::<Value>(&written).expect("our own line"), line);
        checked += 1;
    }
    assert_eq!(checked, 48);
}

fn parse_notify(params: &Value) -> Notify {
    let line = serde_json::json!({"id": null, "method": "mining.notify", "params": params});
    match ClientBound::parse(line.to_string().as_bytes()) {
        Ok(Incoming::Call { call: ClientBound::Notify(notify), .. }) => *notify,
        other => panic!("{other:?}"),
    }
}

fn submit(ticket: u64) -> client::Input<'static> {
    let submit = Submit {
        user: "LtestAddr.w1".into(),
        job_id: "1".into(),
        extranonce2: extranonce("00000000"),
        ntime: 0x6b02_ea76,
        nonce: u32::try_from(ticket).expect("small"),
        version_bits: None,
    };
    client::Input::Submit { ticket, submit }
}

/// The id under which our client has sent a request.
fn sent_id(output: &client::Output) -> u64 {
    let client::Output::Send(line) = output else { panic!("{output:?} is no line") };
    let Ok(Incoming::Call { id, .. }) = ServerBound::parse(line) else { panic!("no call") };
    id.as_u64().expect("a number")
}
