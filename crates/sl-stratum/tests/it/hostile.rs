//! Any bytes, any split, any order: no panic, no growth, no share without its one answer.

use std::collections::HashMap;

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use sl_stratum::{
    ClientBound, Extranonce, Incoming, Line, LineSplitter, Password, Refusal, ServerBound, Submit,
    client, server,
    transcript::{self, Direction, Scrubber, Transcript},
};
use sl_units::ShareDifficulty;

const METHODS: [&str; 22] = [
    "mining.subscribe",
    "mining.authorize",
    "mining.submit",
    "mining.configure",
    "mining.extranonce.subscribe",
    "mining.suggest_difficulty",
    "mining.suggest_target",
    "client.get_version",
    "mining.ping",
    "mining.get_transactions",
    "mining.multi_version",
    "mining.notify",
    "mining.set_difficulty",
    "mining.set_extranonce",
    "mining.set_version_mask",
    "client.reconnect",
    "client.show_message",
    "mining.set_goal",
    "",
    "\u{0}\u{1b}[31m",
    "id",
    "null",
];

/// Values that some field somewhere takes for right, and others.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..9).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9a-f]{0,10}".prop_map(Value::from),
        "[0-9a-f]{8}".prop_map(Value::from),
        "[0-9a-f]{64}".prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("w")),
        Just(json!("mining.notify")),
        Just(json!("version-rolling")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((".{0,6}", inner), 0..3)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// A line: nonsense, a call, a reply, or a good line of each kind, whole or damaged.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let method = proptest::sample::select(&METHODS[..]);
    let call = (value(), method, vec(value(), 0..10))
        .prop_map(|(id, method, params)| json!({"id": id, "method": method, "params": params}));
    let reply = (0u64..40, value(), value())
        .prop_map(|(id, result, error)| json!({"id": id, "result": result, "error": error}));
    let zero = "00".repeat(32);
    let good = proptest::sample::select(vec![
        json!({"id": 1, "method": "mining.subscribe", "params": ["a/1", "5e"]}),
        json!({"id": 2, "method": "mining.authorize", "params": ["w", "d=1"]}),
        json!({"id": 4, "method": "mining.submit", "params": ["w", "j", "00000000", "5a72667b", "2bbb1bc7"]}),
        json!({"id": null, "method": "mining.notify", "params": ["j", zero, "01", "02", [zero], "00000002", "1b01784b", "5a72667b", true]}),
        json!({"id": null, "method": "mining.set_difficulty", "params": [0.5]}),
        json!({"id": 1, "result": [[["mining.notify", "5e"]], "0007", 4], "error": null}),
        json!({"id": 2, "result": true, "error": null}),
        json!({"id": null, "result": null, "error": [23, "low"]}),
    ]);
    let json =
        prop_oneof![call, reply, good.clone(), good].prop_map(|json| json.to_string().into_bytes());
    let damaged = (json.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(
        |(mut line, at, byte)| {
            let at = at.index(line.len());
            line[at] = byte;
            line
        },
    );
    prop_oneof![3 => json, 1 => damaged, 1 => vec(any::<u8>(), 0..60)]
}

fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(line(), 0..40)
}

/// The lines as they come down the wire.
fn stream(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.join(&b'\n').into_iter().chain([b'\n']).collect()
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn submit(nonce: u32) -> Submit {
    Submit {
        user: "w".into(),
        job_id: "j".into(),
        extranonce2: Extranonce::default(),
        ntime: 0,
        nonce,
        version_bits: None,
    }
}

proptest! {
    #[test]
    fn the_server_session_holds(
        lines in lines(),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
        grants in vec(any::<bool>(), 1..8),
        tame: bool,
    ) {
        let settings = server::Settings { max_users: 3, ..server::Settings::default() };
        let mut session = server::Session::new(settings.into());
        let mut splitter = LineSplitter::new(session.line_limit());
        let mut grants = grants.into_iter().cycle();
        let mut grant = move || {
            if grants.next() == Some(true) { Ok(()) } else { Err(Refusal::new(sl_stratum::ErrorCode::Other, "no")) }
        };
        let mut closed = false;
        let first = ["mining.subscribe", "mining.authorize"].map(|method| {
            json!({"id": 1, "method": method, "params": ["w"]}).to_string().into_bytes()
        });
        let first = if tame { &first[..] } else { &[] };
        let bytes = stream(&[first, &lines].concat());
        for mut input in pieces(&bytes, &cuts) {
            while let Some(line) = splitter.next_line(&mut input) {
                let mut out = session.step(server::Input::Line(line));
                while let Some(output) = (!out.is_empty()).then(|| out.remove(0)) {
                    prop_assert!(!closed, "{output:?} after the end");
                    let more = match output {
                        server::Output::Send(line) => {
                            prop_assert!(line.ends_with(b"\n") && line.len() < 4096);
                            prop_assert!(ClientBound::parse(&line).is_ok(), "{line:?}");
                            Vec::new()
                        }
                        server::Output::Subscribe(_) => session.step(server::Input::Welcome(grant().map(|()| server::Welcome {
                            session_id: "5e".into(),
                            extranonce1: Extranonce::default(),
                            extranonce2_len: 4,
                        }))),
                        server::Output::Authorize { id, user, .. } => {
                            session.step(server::Input::Authorized { id, user, verdict: grant() })
                        }
                        server::Output::Share { id, submit } => {
                            prop_assert_eq!(submit.extranonce2.len(), 4);
                            prop_assert!(session.users().any(|user| user == submit.user));
                            vec![server::Output::Send(session.answer(id, grant()))]
                        }
                        server::Output::Ready => {
                            let difficulty = ShareDifficulty::new(1.0).expect("positive");
                            session.step(server::Input::Job { notify: "{\"id\":null,\"method\":\"m\"}\n".into(), difficulty })
                        }
                        server::Output::Close(_) => {
                            closed = true;
                            Vec::new()
                        }
                        _ => Vec::new(),
                    };
                    out.splice(0..0, more);
                }
                prop_assert!(session.users().count() <= 3);
            }
            splitter.set_limit(session.line_limit());
        }
        let counters = session.counters();
        prop_assert!(closed || counters.lines as usize == bytes.iter().filter(|byte| **byte == b'\n').count());
        prop_assert!(counters.shares <= counters.lines && counters.malformed <= counters.lines);
    }

    #[test]
    fn the_client_session_holds(
        lines in lines(),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
        shares in vec(0usize..40, 0..60),
        tame: bool,
    ) {
        let mut session = client::Session::new(client::Settings {
            user: "w".into(),
            password: Password::new("p".into()),
            max_in_flight: 8,
            extranonce_subscribe: true,
            max_malformed: if tame { u32::MAX } else { 10 },
            ..client::Settings::default()
        });
        let mut fates: HashMap<u64, u32> = HashMap::new();
        let mut tickets = 0u64;
        let count = |out: Vec<client::Output>, fates: &mut HashMap<u64, u32>| {
            for output in out {
                match output {
                    client::Output::Verdict { ticket, .. } | client::Output::Lost { ticket, .. } => {
                        *fates.entry(ticket).or_default() += 1;
                    }
                    client::Output::Send(line) => assert!(ServerBound::parse(&line).is_ok()),
                    _ => {}
                }
            }
        };
        count(session.step(client::Input::Connected), &mut fates);
        if tame {
            for line in ["{\"id\":1,\"result\":[null,\"07\",4]}", "{\"id\":3,\"result\":true}"] {
                count(session.step(client::Input::Line(Line::Complete(line.as_bytes()))), &mut fates);
            }
            assert!(session.is_running());
        }
        let mut splitter = LineSplitter::new(2000);
        let bytes = stream(&lines);
        let mut seen = 0;
        for mut input in pieces(&bytes, &cuts) {
            while let Some(line) = splitter.next_line(&mut input) {
                for _ in shares.iter().filter(|at| **at == seen) {
                    let submit = submit(u32::try_from(tickets).expect("few"));
                    count(session.step(client::Input::Submit { ticket: tickets, submit }), &mut fates);
                    tickets += 1;
                }
                seen += 1;
                count(session.step(client::Input::Line(line)), &mut fates);
                prop_assert!(session.in_flight() <= 8);
            }
        }
        count(session.step(client::Input::Closed), &mut fates);
        prop_assert_eq!(fates.len() as u64, tickets);
        prop_assert!(fates.values().all(|times| *times == 1), "{fates:?}");
        prop_assert_eq!(session.in_flight(), 0);
    }

    #[test]
    fn what_is_recorded_is_read_again_and_can_be_said_again(
        lines in vec((any::<bool>(), line()), 0..30),
        secret in "[a-z]{4,8}",
    ) {
        let scrubber = Scrubber::new([secret]);
        let mut text = transcript::head("pool");
        for (ms, (up, line)) in (0..).zip(&lines) {
            let direction = if *up { Direction::Up } else { Direction::Down };
            text += &transcript::written(direction, ms, line, &scrubber);
        }
        let read: Transcript = text.parse().expect("our own text");
        prop_assert_eq!(read.entries.len(), lines.len());
        let password = |line: &[u8]| {
            matches!(ServerBound::parse(line), Ok(Incoming::Call { call: ServerBound::Authorize(call), .. })
                if !matches!(call.password.reveal(), "" | "***"))
        };
        prop_assert!(read.entries.iter().all(|entry| !password(&entry.line)), "{text}");
        let settings = client::Settings { user: "w".into(), max_malformed: u32::MAX, ..client::Settings::default() };
        let replay = transcript::replay(&read, client::Session::new(settings));
        let answers = replay.outputs.iter().filter(|output| {
            matches!(output, client::Output::Verdict { .. } | client::Output::Lost { .. })
        });
        prop_assert_eq!(answers.count() as u64, replay.shares, "one answer for each share");
    }

    #[test]
    fn what_is_read_is_written_and_read_again(line in line()) {
        if let Ok(Incoming::Call { id, call }) = ServerBound::parse(&line) {
            let again = ServerBound::parse(&call.to_line(&id)).expect("our own line");
            same(&again, &Incoming::Call { id, call });
        }
        if let Ok(Incoming::Call { id, call }) = ClientBound::parse(&line) {
            let again = ClientBound::parse(&call.to_line(&id)).expect("our own line");
            same(&again, &Incoming::Call { id, call });
        }
        if let Ok(Incoming::Reply(reply)) = ClientBound::parse(&line) {
            let Ok(Incoming::Reply(again)) = ClientBound::parse(&reply.to_line()) else { panic!("no reply") };
            prop_assert_eq!(again.id, reply.id);
            prop_assert_eq!(again.error, reply.error);
        }
    }
}

/// Equal, but for the last digit of a float.
fn same<C: std::fmt::Debug + PartialEq>(left: &Incoming<C>, right: &Incoming<C>) {
    let float = format!("{left:?}").contains("Difficulty");
    assert!(left == right || float, "{left:?} {right:?}");
}
