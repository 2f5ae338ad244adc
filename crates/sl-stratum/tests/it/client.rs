//! The machine's end, word for word.

use std::time::Duration;

use sl_stratum::{
    Authorize, Extranonce, Line, Password, Reconnect, Submit,
    client::{Input, Lost, Output, Session, Settings},
};

const SUBSCRIBED: &str = r#"{"id":1,"result":[null,"0007",4],"error":null}"#;
const GRANTED: &str = r#"{"id":2,"result":true,"error":null}"#;

fn settings() -> Settings {
    Settings {
        user_agent: "s/1".into(),
        user: "u".into(),
        password: Password::new("p".into()),
        ..Settings::default()
    }
}

/// What came out: lines as they are, events in short.
fn words(out: Vec<Output>) -> Vec<String> {
    out.into_iter()
        .map(|output| match output {
            Output::Send(line) => String::from_utf8_lossy(&line).trim_end().to_owned(),
            Output::Subscribed(s) => format!("subscribed {} {}", s.extranonce1, s.extranonce2_len),
            Output::Authorized { user, verdict } => {
                format!("authorized {user} {}", verdict.is_ok())
            }
            Output::Verdict { ticket, verdict: Ok(()) } => format!("{ticket} accepted"),
            Output::Verdict { ticket, verdict: Err(refusal) } => format!("{ticket} {refusal}"),
            Output::Job(job) => format!("job {}", job.job_id),
            Output::Protocol(error) => format!("protocol: {error}"),
            Output::Close(why) => format!("close: {why}"),
            other => format!("{other:?}"),
        })
        .collect()
}

fn hear(session: &mut Session, line: &str) -> Vec<String> {
    words(session.step(Input::Line(Line::Complete(line.as_bytes()))))
}

fn running() -> Session {
    let mut session = Session::new(settings());
    assert_eq!(session.step(Input::Connected).len(), 1);
    hear(&mut session, SUBSCRIBED);
    hear(&mut session, GRANTED);
    assert!(session.is_running());
    session
}

fn submit(session: &mut Session, ticket: u64) -> Vec<String> {
    let submit = Submit {
        user: "u".into(),
        job_id: "j".into(),
        extranonce2: Extranonce::new(&[0, 0, 0, 1]).expect("short"),
        ntime: 0x5a72_667b,
        nonce: 0x2bbb_1bc7,
        version_bits: None,
    };
    words(session.step(Input::Submit { ticket, submit }))
}

#[test]
fn from_connection_to_verdict() {
    let suggest = sl_units::ShareDifficulty::new(512.0).expect("positive");
    let mut session = Session::new(Settings {
        extranonce_subscribe: true,
        suggest: Some(suggest),
        version_mask: Some(0x1fff_e000),
        ..settings()
    });
    assert_eq!(
        words(session.step(Input::Connected)),
        [
            r#"{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}"#,
            r#"{"id":2,"method":"mining.subscribe","params":["s/1"]}"#,
        ]
    );
    assert_eq!(
        hear(&mut session, r#"{"id":1,"result":{"version-rolling":false},"error":null}"#),
        ["VersionMask(0)"]
    );
    assert_eq!(submit(&mut session, 1), ["Lost { ticket: 1, why: NotReady }"]);
    assert_eq!(
        hear(&mut session, r#"{"id":2,"result":[[],"0007",4],"error":null}"#),
        [
            "subscribed 0007 4",
            r#"{"id":3,"method":"mining.extranonce.subscribe","params":[]}"#,
            r#"{"id":4,"method":"mining.authorize","params":["u","p"]}"#,
        ]
    );
    // The recorded pool's way to say no.
    assert_eq!(
        hear(&mut session, r#"{"id":3,"result":false,"error":[20,"Not supported.",null]}"#),
        [""; 0]
    );
    assert!(!session.takes_new_extranonce());
    assert_eq!(
        hear(&mut session, r#"{"id":4,"result":true,"error":null}"#),
        ["authorized u true", r#"{"id":5,"method":"mining.suggest_difficulty","params":[512]}"#]
    );
    assert_eq!(
        submit(&mut session, 2),
        [
            r#"{"id":6,"method":"mining.submit","params":["u","j","00000001","5a72667b","2bbb1bc7"]}"#
        ]
    );
    assert_eq!(hear(&mut session, r#"{"id":6,"result":true,"error":null}"#), ["2 accepted"]);
}

#[test]
fn replies_find_their_shares() {
    let mut session = running();
    for ticket in 10..16 {
        submit(&mut session, ticket);
    }
    // Ids 3 to 8 wait: without an id, out of order, as text, and refused in three shapes.
    for (line, expect) in [
        (r#"{"id":null,"result":false,"error":"high-hash"}"#, "10 high-hash (20)"),
        (r#"{"id":99,"result":true,"error":null}"#, "11 accepted"),
        (r#"{"id":6,"result":true,"error":null}"#, "13 accepted"),
        (r#"{"id":"5","result":null,"error":[21,"job not found"]}"#, "12 job not found (21)"),
        (
            r#"{"id":null,"result":null,"error":[20,"You are being rate limited"]}"#,
            "protocol: id is null, allowed: the id of a request without an answer",
        ),
        (
            r#"{"id":99,"result":true,"error":null}"#,
            "protocol: id is 99, allowed: the id of a request without an answer",
        ),
        (
            r#"{"id":3,"result":true,"error":null}"#,
            "protocol: id is 3, allowed: the id of a request without an answer",
        ),
        (r#"{"id":7,"result":null,"error":null}"#, "14 Other/Unknown (20)"),
    ] {
        assert_eq!(hear(&mut session, line), [expect]);
    }
    assert_eq!(session.in_flight(), 1);
    assert_eq!(session.step(Input::Closed), [Output::Lost { ticket: 15, why: Lost::Closed }]);
    assert_eq!(session.step(Input::Closed), []);
    assert_eq!(submit(&mut session, 16), ["Lost { ticket: 16, why: NotReady }"]);
}

#[test]
fn a_pool_that_gives_one_id_for_all_is_followed_in_order() {
    let mut session = running();
    for ticket in 0..3 {
        submit(&mut session, ticket);
    }
    for ticket in 0..3 {
        assert_eq!(
            hear(&mut session, r#"{"id":1,"result":true,"error":null}"#),
            [format!("{ticket} accepted")]
        );
    }
}

#[test]
fn a_grumble_to_nobody_shuts_no_worker_out() {
    let grumble = r#"{"id":null,"result":null,"error":[20,"You are being rate limited"]}"#;
    let mut session = Session::new(settings());
    assert_eq!(session.step(Input::Connected).len(), 1);
    hear(&mut session, SUBSCRIBED);
    assert!(hear(&mut session, grumble)[0].starts_with("protocol: id is null"));
    assert_eq!(hear(&mut session, GRANTED), ["authorized u true"]);
    // A further worker takes no share's verdict, and none but its own refusal.
    let other = Authorize { user: "v".into(), password: Password::default() };
    assert_eq!(session.step(Input::Authorize(other)).len(), 1);
    submit(&mut session, 1);
    assert_eq!(hear(&mut session, r#"{"id":null,"result":true}"#), ["1 accepted"]);
    assert!(hear(&mut session, grumble)[0].starts_with("protocol: id is null"));
    assert_eq!(hear(&mut session, r#"{"id":3,"result":true}"#), ["authorized v true"]);
    // Who gives no id back is followed in order, in what it refuses, too.
    let mut session = Session::new(settings());
    assert_eq!(session.step(Input::Connected).len(), 1);
    let nameless = r#"{"id":null,"result":[null,"0007",4],"error":null}"#;
    assert_eq!(hear(&mut session, nameless).len(), 2);
    assert_eq!(hear(&mut session, grumble), ["authorized u false"]);
}

#[test]
fn unanswered_wishes_take_no_verdict() {
    let mut session = running();
    for _ in 0..1000 {
        let _sent = session.step(Input::Ping);
    }
    submit(&mut session, 5);
    assert_eq!(hear(&mut session, r#"{"id":null,"result":true,"error":null}"#), ["5 accepted"]);
}

#[test]
fn shares_in_flight_are_bounded() {
    let mut session = Session::new(Settings { max_in_flight: 2, ..settings() });
    assert_eq!(session.step(Input::Connected).len(), 1);
    hear(&mut session, SUBSCRIBED);
    hear(&mut session, GRANTED);
    for ticket in 0..2 {
        assert!(submit(&mut session, ticket)[0].starts_with('{'));
    }
    assert_eq!(submit(&mut session, 2), ["Lost { ticket: 2, why: TooManyInFlight }"]);
    hear(&mut session, r#"{"id":3,"result":true,"error":null}"#);
    assert!(submit(&mut session, 3)[0].starts_with('{'));
}

#[test]
fn subscription_is_tried_with_less_each_time() {
    let mut session = Session::new(Settings { session: Some("5e".into()), ..settings() });
    assert_eq!(
        words(session.step(Input::Connected)),
        [r#"{"id":1,"method":"mining.subscribe","params":["s/1","5e"]}"#]
    );
    for (line, expect) in [
        (
            r#"{"id":1,"result":null,"error":[20,"no",null]}"#,
            r#"{"id":2,"method":"mining.subscribe","params":["s/1"]}"#,
        ),
        (
            r#"{"id":2,"result":null,"error":[20,"no",null]}"#,
            r#"{"id":3,"method":"mining.subscribe","params":[]}"#,
        ),
        (
            r#"{"id":3,"result":null,"error":[20,"no",null]}"#,
            "close: the pool refused the subscription: no (20)",
        ),
    ] {
        assert_eq!(hear(&mut session, line), [expect]);
    }
    // A no without a word is a no.
    let mut session = Session::new(Settings { session: Some("5e".into()), ..settings() });
    assert_eq!(session.step(Input::Connected).len(), 1);
    for (line, expect) in [
        (
            r#"{"id":1,"result":null,"error":null}"#,
            r#"{"id":2,"method":"mining.subscribe","params":["s/1"]}"#,
        ),
        (
            r#"{"id":2,"result":false,"error":null}"#,
            r#"{"id":3,"method":"mining.subscribe","params":[]}"#,
        ),
    ] {
        assert_eq!(hear(&mut session, line), [expect]);
    }
    assert_eq!(hear(&mut session, r#"{"id":3,"result":[null,"0007",4]}"#)[0], "subscribed 0007 4");
    let mut session = Session::new(settings());
    assert_eq!(session.step(Input::Connected).len(), 1);
    assert_eq!(
        hear(&mut session, r#"{"id":1,"result":[null,"zz",4],"error":null}"#),
        [
            "close: the pool's subscription cannot be used: extranonce1 is \"zz\", allowed: an even number of hexadecimal digits"
        ]
    );
}

#[test]
fn what_pools_say_unasked() {
    let mut session = running();
    for (line, expect) in [
        (
            r#"{"id":null,"method":"mining.set_extranonce","params":["08",2]}"#,
            "ExtranonceChanged { extranonce1: Extranonce(08), extranonce2_len: 2 }",
        ),
        (
            r#"{"id":null,"method":"mining.set_version_mask","params":["1fffe000"]}"#,
            "VersionMask(536862720)",
        ),
        (
            r#"{"id":null,"method":"client.show_message","params":["hello\u001b[2J"]}"#,
            "ShowMessage(\"hello[2J\")",
        ),
        (
            r#"{"id":8,"method":"client.get_version","params":[]}"#,
            r#"{"id":8,"result":"s/1","error":null}"#,
        ),
        (
            r#"{"id":9,"method":"mining.ping","params":[]}"#,
            r#"{"id":9,"result":"pong","error":null}"#,
        ),
        (
            r#"{"id":9,"method":"mining.dance","params":[]}"#,
            r#"{"id":9,"result":null,"error":[20,"unsupported method",null]}"#,
        ),
    ] {
        assert_eq!(hear(&mut session, line), [expect]);
    }
    assert_eq!(hear(&mut session, r#"{"id":null,"method":"mining.dance","params":[]}"#), [""; 0]);
    assert_eq!(
        session.step(Input::Line(Line::Complete(
            br#"{"method":"client.reconnect","params":["h",3333,"9"]}"#
        ))),
        [Output::Reconnect(Reconnect {
            host: Some("h".into()),
            port: Some(3333),
            wait: Duration::from_secs(9)
        })]
    );
    let here = br#"{"method":"client.reconnect","params":["","",7]}"#;
    assert_eq!(
        session.step(Input::Line(Line::Complete(here))),
        [Output::Reconnect(Reconnect { wait: Duration::from_secs(7), ..Reconnect::default() })]
    );
}

fn notify(job: &str) -> String {
    let zero = "00".repeat(32);
    format!(
        r#"{{"id":null,"method":"mining.notify","params":["{job}","{zero}","","",[],"00000002","1b01784b","5a72667b",true]}}"#
    )
}

fn difficulty(value: u32) -> String {
    format!(r#"{{"id":null,"method":"mining.set_difficulty","params":[{value}]}}"#)
}

#[test]
fn work_waits_for_a_worker() {
    let mut session = Session::new(settings());
    assert_eq!(session.step(Input::Connected).len(), 1);
    for early in [notify("i"), difficulty(1), difficulty(2), notify("j")] {
        assert_eq!(hear(&mut session, &early), [""; 0]);
    }
    assert_eq!(
        hear(&mut session, SUBSCRIBED),
        ["subscribed 0007 4", r#"{"id":2,"method":"mining.authorize","params":["u","p"]}"#]
    );
    for early in [notify("k"), difficulty(3), difficulty(4)] {
        assert_eq!(hear(&mut session, &early), [""; 0]);
    }
    let (before, after) = ("Difficulty(ShareDifficulty(2.0))", "Difficulty(ShareDifficulty(4.0))");
    let granted = hear(&mut session, GRANTED);
    assert_eq!(granted, ["authorized u true", before, "job k", after], "each job with its own");
    assert_eq!(hear(&mut session, &notify("l")), ["job l"]);
}

#[test]
fn a_waiting_job_ends_with_its_extranonce() {
    let mut session = Session::new(settings());
    assert_eq!(session.step(Input::Connected).len(), 1);
    hear(&mut session, SUBSCRIBED);
    hear(&mut session, &difficulty(1));
    hear(&mut session, &notify("j"));
    hear(&mut session, r#"{"id":null,"method":"mining.set_extranonce","params":["08",2]}"#);
    let granted = hear(&mut session, GRANTED);
    assert_eq!(granted, ["authorized u true", "Difficulty(ShareDifficulty(1.0))"]);
}

#[test]
fn a_refused_worker_is_the_owners_to_replace() {
    let mut session = Session::new(settings());
    assert_eq!(session.step(Input::Connected).len(), 1);
    hear(&mut session, SUBSCRIBED);
    assert_eq!(
        hear(&mut session, r#"{"id":2,"result":false,"error":null}"#),
        ["authorized u false"]
    );
    assert!(!session.is_running());
    let other = Authorize { user: "v".into(), password: Password::default() };
    assert_eq!(session.step(Input::Authorize(other)).len(), 1);
    assert_eq!(hear(&mut session, r#"{"id":3,"result":true,"error":null}"#), ["authorized v true"]);
    assert!(session.is_running());
}

#[test]
fn malformed_lines_close_in_the_end() {
    let mut session = running();
    submit(&mut session, 1);
    for _ in 1..10 {
        assert_eq!(hear(&mut session, "{").len(), 1);
    }
    let heard = hear(&mut session, "{");
    assert_eq!(heard.len(), 2);
    assert!(heard[1].starts_with("close: the pool sent 10 malformed lines in a row"));
    assert_eq!(session.step(Input::Closed), [Output::Lost { ticket: 1, why: Lost::Closed }]);
}

#[test]
fn lines_over_the_limit_are_survived_and_counted() {
    let mut session = running();
    let oversized = || Input::Line(Line::Oversized { limit: 9 });
    for _ in 0..9 {
        assert_eq!(words(session.step(oversized())), ["protocol: the line is longer than 9 bytes"]);
    }
    assert_eq!(hear(&mut session, &notify("j")), ["job j"]);
    assert_eq!(hear(&mut session, r#"{"id":77,"result":true}"#).len(), 1);
    let counters = session.counters();
    assert_eq!((counters.lines, counters.malformed, counters.unmatched), (13, 9, 1));
    for _ in 0..9 {
        assert_eq!(session.step(oversized()).len(), 1);
    }
    assert_eq!(
        words(session.step(oversized()))[1],
        "close: the pool sent 10 malformed lines in a row, the last: the line is longer than 9 bytes"
    );
}

#[test]
fn a_suggestion_is_worded_twice() {
    let mut session = running();
    let half = sl_units::ShareDifficulty::new(0.5).expect("positive");
    assert_eq!(
        words(session.step(Input::Suggest(half))),
        [r#"{"id":3,"method":"mining.suggest_difficulty","params":[0.5]}"#]
    );
    let target = sl_units::Target::from(half);
    assert_eq!(
        hear(&mut session, r#"{"id":3,"result":null,"error":[20,"unknown method",null]}"#),
        [format!(r#"{{"id":4,"method":"mining.suggest_target","params":["{target}"]}}"#)]
    );
    assert_eq!(hear(&mut session, r#"{"id":4,"result":null,"error":[20,"no",null]}"#), [""; 0]);
}

#[test]
fn who_comes_back_to_the_same_operator() {
    let stays = |here: &str, there: &str| {
        Reconnect { host: Some(there.into()), ..Reconnect::default() }.stays_with(here)
    };
    for (here, there) in [
        ("ltc.f2pool.com", "ltc-euro.f2pool.com"),
        ("ltc.f2pool.com", "f2pool.com"),
        ("f2pool.com", "a.b.F2POOL.com."),
        ("eu.pool.co.uk", "us.pool.co.uk"),
        ("10.0.0.1", "10.0.0.1"),
        ("localhost", "localhost"),
    ] {
        assert!(stays(here, there), "{here} {there}");
        assert!(stays(there, here), "{there} {here}");
    }
    for (here, there) in [
        ("ltc.f2pool.com", "f2pool.com.thief.example"),
        ("ltc.f2pool.com", "xf2pool.com"),
        ("pool.co.uk", "thief.co.uk"),
        ("mine.duckdns.org", "thief.duckdns.org"),
        ("10.0.0.1", "10.0.0.2"),
        ("localhost", "otherhost"),
        ("a.com", "com"),
    ] {
        assert!(!stays(here, there), "{here} {there}");
        assert!(!stays(there, here), "{there} {here}");
    }
    assert!(Reconnect::default().stays_with("10.0.0.1"));
}
