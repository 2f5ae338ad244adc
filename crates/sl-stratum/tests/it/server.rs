//! The pool's end, word for word.

use sl_stratum::{
    ErrorCode, Extranonce, Id, Line, Reconnect, Refusal,
    server::{Close, Input, Output, Session, Settings, Welcome},
};
use sl_units::ShareDifficulty;

const SUBSCRIBE: &str = r#"{"id":1,"method":"mining.subscribe","params":["a/1"]}"#;
const AUTHORIZE: &str = r#"{"id":2,"method":"mining.authorize","params":["w","x"]}"#;
const SHARE: &str =
    r#"{"id":3,"method":"mining.submit","params":["w","j","00000001","5a72667b","2bbb1bc7"]}"#;

/// A machine at our end whose owner grants what is asked, and takes every share.
struct Machine(Session);

impl Machine {
    fn new(settings: Settings) -> Self {
        Self(Session::new(settings.into()))
    }

    fn ready() -> Self {
        let mut machine = Self::new(Settings::default());
        machine.says(SUBSCRIBE);
        machine.says(AUTHORIZE);
        machine
    }

    /// What it hears back, lines and events, one word each for the events.
    fn says(&mut self, line: &str) -> Vec<String> {
        let out = self.0.step(Input::Line(Line::Complete(line.as_bytes())));
        self.hears(out)
    }

    fn hears(&mut self, out: Vec<Output>) -> Vec<String> {
        let mut heard = Vec::new();
        for output in out {
            let more = match output {
                Output::Send(line) => {
                    let line = String::from_utf8(line.to_vec()).expect("JSON is UTF-8");
                    heard.push(line.strip_suffix('\n').expect("a line").to_owned());
                    continue;
                }
                Output::Subscribe(_) => self.0.step(Input::Welcome(Ok(welcome()))),
                Output::Authorize { id, user, .. } => {
                    self.0.step(Input::Authorized { id, user, verdict: Ok(()) })
                }
                Output::Share { id, .. } => vec![Output::Send(self.0.answer(id, Ok(())))],
                Output::Ready => {
                    heard.push("ready".into());
                    continue;
                }
                Output::Close(why) => {
                    heard.push(format!("close: {why}"));
                    continue;
                }
                other => {
                    heard.push(format!("{other:?}"));
                    continue;
                }
            };
            heard.extend(self.hears(more));
        }
        heard
    }
}

fn welcome() -> Welcome {
    Welcome {
        session_id: "5e".into(),
        extranonce1: Extranonce::new(&[0, 7]).expect("short"),
        extranonce2_len: 4,
    }
}

fn difficulty(number: f64) -> ShareDifficulty {
    ShareDifficulty::new(number).expect("positive")
}

/// What a subscribed and authorised machine hears after one line.
#[track_caller]
fn check(line: &str, expect: &[&str]) {
    assert_eq!(Machine::ready().says(line), expect);
}

#[test]
fn from_connection_to_share() {
    let mut machine = Machine::new(Settings::default());
    assert_eq!(machine.0.line_limit(), 4096);
    assert_eq!(
        machine.says(SUBSCRIBE),
        [
            r#"{"id":1,"result":[[["mining.set_difficulty","5e"],["mining.notify","5e"]],"0007",4],"error":null}"#
        ]
    );
    let job = |number| Input::Job { notify: "job\n".into(), difficulty: difficulty(number) };
    assert_eq!(machine.0.step(job(16.0)), []);
    assert_eq!(machine.says(AUTHORIZE), [r#"{"id":2,"result":true,"error":null}"#, "ready"]);
    assert_eq!(machine.0.line_limit(), 8192);
    let mut told = Vec::new();
    for number in [16.0, 16.0, 0.5] {
        let out = machine.0.step(job(number));
        told.push(machine.hears(out));
    }
    let set =
        |number| format!(r#"{{"id":null,"method":"mining.set_difficulty","params":[{number}]}}"#);
    assert_eq!(
        told,
        [vec![set("16"), "job".into()], vec!["job".into()], vec![set("0.5"), "job".into()]]
    );
    assert_eq!(machine.says(SHARE), [r#"{"id":3,"result":true,"error":null}"#]);
    assert_eq!(
        machine.0.answer(Id::from(9), Err(ErrorCode::LowDifficulty.into())),
        "{\"id\":9,\"result\":null,\"error\":[23,\"Low difficulty share\",null]}\n".as_bytes()
    );
    let counters = machine.0.counters();
    assert_eq!((counters.lines, counters.shares, counters.accepted), (3, 1, 1));
    assert_eq!(counters.refused, [0, 0, 0, 1, 0, 0]);
}

#[test]
fn authorisation_may_come_first() {
    let mut machine = Machine::new(Settings::default());
    assert_eq!(machine.says(AUTHORIZE), [r#"{"id":2,"result":true,"error":null}"#]);
    assert_eq!(
        machine.says(SHARE),
        [r#"{"id":3,"result":null,"error":[25,"Not subscribed",null]}"#]
    );
    assert_eq!(machine.says(SUBSCRIBE).last().map(String::as_str), Some("ready"));
    assert_eq!(machine.says(AUTHORIZE).len(), 1, "ready comes once");
    assert_eq!(machine.says(SUBSCRIBE).len(), 1, "subscribing again gets the same answer");
}

#[test]
fn several_workers_share_a_connection() {
    let mut machine = Machine::new(Settings { max_users: 2, ..Settings::default() });
    machine.says(SUBSCRIBE);
    assert_eq!(
        machine.says(SHARE),
        [r#"{"id":3,"result":null,"error":[24,"Unauthorized worker",null]}"#]
    );
    for user in ["v", "w", "v"] {
        let line = format!(r#"{{"id":5,"method":"mining.authorize","params":["{user}"]}}"#);
        assert_eq!(
            machine.says(&line).first().map(String::as_str),
            Some(r#"{"id":5,"result":true,"error":null}"#)
        );
    }
    assert_eq!(machine.0.users().collect::<Vec<_>>(), ["v", "w"]);
    assert_eq!(
        machine.says(r#"{"id":6,"method":"mining.authorize","params":["u"]}"#),
        [
            r#"{"id":6,"result":null,"error":[24,"2 workers are authorised here, no more are allowed",null]}"#
        ]
    );
    assert_eq!(machine.says(SHARE), [r#"{"id":3,"result":true,"error":null}"#]);
    let late = Input::Authorized { id: Id::from(6), user: "u".into(), verdict: Ok(()) };
    let out = machine.0.step(late);
    assert!(machine.hears(out)[0].contains("no more are allowed"));
    let (id, user) = (Id::from(7), "w".to_owned());
    let refusal = Refusal::new(ErrorCode::Unauthorized, "banned");
    let out = machine.0.step(Input::Authorized { id, user, verdict: Err(refusal) });
    assert_eq!(machine.hears(out), [r#"{"id":7,"result":null,"error":[24,"banned",null]}"#]);
    assert_eq!(
        machine.says(SHARE),
        [r#"{"id":3,"result":null,"error":[24,"Unauthorized worker",null]}"#]
    );
}

#[test]
fn wrong_shares_are_told_what_is_wrong() {
    for (params, text) in [
        (r#"["w","j","000001","5a72667b","2bbb1bc7"]"#, "extranonce2 has 3 bytes, 4 are allowed"),
        (r#"["w","j","00000001","5a72","2bbb1bc7"]"#, "ntime has 2 bytes, 4 are allowed"),
        (r#"["w","j","00000001","5a72667b","2bbb1bc700"]"#, "nonce has 5 bytes, 4 are allowed"),
    ] {
        let line = format!(r#"{{"id":"a","method":"mining.submit","params":{params}}}"#);
        check(&line, &[&format!(r#"{{"id":"a","result":null,"error":[20,"{text}",null]}}"#)]);
    }
    // A machine that was granted no bits may fill their field with anything.
    for bits in ["20000000", "0x20000000", ""] {
        let params = format!(r#"["w","j","00000001","5a72667b","2bbb1bc7","{bits}"]"#);
        let line = format!(r#"{{"id":"a","method":"mining.submit","params":{params}}}"#);
        check(&line, &[r#"{"id":"a","result":true,"error":null}"#]);
    }
    check(
        r#"{"id":3,"method":"mining.submit","params":["v","j","00000001","5a72667b","2bbb1bc7"]}"#,
        &[r#"{"id":3,"result":null,"error":[24,"Unauthorized worker",null]}"#],
    );
}

#[test]
fn questions_beside_the_work() {
    check(
        r#"{"id":5,"method":"mining.extranonce.subscribe","params":[]}"#,
        &[r#"{"id":5,"result":true,"error":null}"#],
    );
    check(
        r#"{"id":5,"method":"mining.suggest_difficulty","params":[512]}"#,
        &[r#"{"id":5,"result":true,"error":null}"#, "SuggestedDifficulty(ShareDifficulty(512.0))"],
    );
    check(
        r#"{"id":5,"method":"mining.suggest_difficulty","params":[0]}"#,
        &[r#"{"id":5,"result":true,"error":null}"#],
    );
    check(
        r#"{"id":5,"method":"client.get_version","params":[]}"#,
        &[r#"{"id":5,"result":"silverlode/0.1.0","error":null}"#],
    );
    check(
        r#"{"id":5,"method":"mining.ping","params":[]}"#,
        &[r#"{"id":5,"result":"pong","error":null}"#],
    );
    for method in ["mining.get_transactions", "mining.multi_version", "eth_login", ""] {
        check(
            &format!(r#"{{"id":5,"method":"{method}","params":[]}}"#),
            &[r#"{"id":5,"result":null,"error":[20,"unsupported method",null]}"#],
        );
    }
    check("", &[]);
    check(r#"{"id":77,"result":true,"error":null}"#, &[]);
}

#[test]
fn extensions_are_granted_one_by_one() {
    let ask = r#"{"id":5,"method":"mining.configure","params":[["version-rolling","minimum-difficulty","subscribe-extranonce","info"],{"version-rolling.mask":"00ffe000","version-rolling.min-bit-count":2,"minimum-difficulty.value":512}]}"#;
    check(
        ask,
        &[
            "MinimumDifficulty(ShareDifficulty(512.0))",
            r#"{"id":5,"result":{"info":false,"minimum-difficulty":true,"subscribe-extranonce":true,"version-rolling":false},"error":null}"#,
        ],
    );
    let mut machine = Machine::new(Settings { version_mask: 0x1fff_e000, ..Settings::default() });
    assert_eq!(
        machine.says(ask).last().map(String::as_str),
        Some(
            r#"{"id":5,"result":{"info":false,"minimum-difficulty":true,"subscribe-extranonce":true,"version-rolling":true,"version-rolling.mask":"00ffe000"},"error":null}"#
        )
    );
    assert_eq!(machine.0.version_mask(), 0x00ff_e000);
    machine.says(SUBSCRIBE);
    machine.says(AUTHORIZE);
    let share = |bits| SHARE.replace("\"]", &format!("\",\"{bits}\"]"));
    assert_eq!(machine.says(&share("00002000")), [r#"{"id":3,"result":true,"error":null}"#]);
    assert_eq!(
        machine.says(&share("10002000")),
        [
            r#"{"id":3,"result":null,"error":[20,"version bits are 10002000, only those of 00ffe000 are allowed",null]}"#
        ]
    );
    // What the recorded pool answers to the usual question.
    check(
        r#"{"id":55,"method":"mining.configure","params":[["version-rolling"],{}]}"#,
        &[r#"{"id":55,"result":{"version-rolling":false},"error":null}"#],
    );
}

#[test]
fn malformed_lines_close_in_the_end() {
    let mut machine = Machine::ready();
    for round in 1..=12 {
        let heard = machine.says("nonsense");
        let told = r#"{"id":null,"result":null,"error":[20,"the line is not a JSON object: it does not start with {",null]}"#;
        assert_eq!(heard.first().map(String::as_str), (round <= 10).then_some(told));
        assert_eq!(heard.len(), [1, 2, 0][usize::from(round >= 10) + usize::from(round > 10)]);
    }
    assert_eq!(machine.0.counters().malformed, 10);
    let mut machine = Machine::ready();
    for _ in 0..100 {
        for _ in 0..9 {
            assert_eq!(machine.says("nonsense").len(), 1);
        }
        assert_eq!(machine.says(SHARE).len(), 1);
    }
}

#[test]
fn an_oversized_line_closes_at_once() {
    let mut machine = Machine::ready();
    let out = machine.0.step(Input::Line(Line::Oversized { limit: 8192 }));
    assert_eq!(
        machine.hears(out),
        [
            r#"{"id":null,"result":null,"error":[20,"the line is longer than 8192 bytes",null]}"#,
            "close: a line was longer than 8192 bytes"
        ]
    );
    assert_eq!(machine.says(SHARE), [""; 0]);
}

#[test]
fn the_owner_may_refuse_a_subscription() {
    let mut session = Session::new(Settings::default().into());
    let out = session.step(Input::Line(Line::Complete(SUBSCRIBE.as_bytes())));
    assert!(matches!(out.as_slice(), [Output::Subscribe(_)]));
    let again = session.step(Input::Line(Line::Complete(SUBSCRIBE.as_bytes())));
    assert!(matches!(again.as_slice(), [Output::Send(_)]), "a second one waits for the first");
    let refusal = Refusal::new(ErrorCode::Other, "all slots are taken");
    let out = session.step(Input::Welcome(Err(refusal.clone())));
    assert!(
        matches!(out.as_slice(), [Output::Send(_), Output::Close(Close::Refused(why))] if *why == refusal)
    );
    assert_eq!(session.step(Input::Welcome(Ok(welcome()))), []);
    let mut fresh = Session::new(Settings::default().into());
    assert_eq!(fresh.step(Input::Welcome(Ok(welcome()))), [], "an answer to no question");
    assert_eq!(fresh.welcomed(), None);
}

#[test]
fn what_the_owner_asks_of_the_machine() {
    let mut machine = Machine::ready();
    for (input, line) in [
        (Input::AskVersion, r#"{"id":1,"method":"client.get_version","params":[]}"#),
        (Input::Ping, r#"{"id":2,"method":"mining.ping","params":[]}"#),
        (
            Input::ShowMessage("noon\u{7}".into()),
            r#"{"id":null,"method":"client.show_message","params":["noon"]}"#,
        ),
        (
            Input::Reconnect(Reconnect { port: Some(3334), ..Reconnect::default() }),
            r#"{"id":null,"method":"client.reconnect","params":["","3334",0]}"#,
        ),
    ] {
        let out = machine.0.step(input);
        assert_eq!(machine.hears(out), [line]);
    }
    check(r#"{"id":1,"result":"cgminer/4.9.0","error":null}"#, &["Version(\"cgminer/4.9.0\")"]);
    check(r#"{"id":2,"result":"pong","error":null}"#, &["Pong"]);
}
