use sl_telemetry::{LogStyle, Logs, Masker, Settings, TelemetryError, memory_sink};
use sl_units::Wall;
use std::sync::Arc;

fn settings(style: LogStyle) -> Settings {
    let masker = Masker::default();
    masker.register("hunter2");
    masker.register("pa\"ss/wörd");
    masker.register("31415926");
    Settings {
        style,
        filter: String::new(),
        terminal: false,
        colour: false,
        masker,
        now: Arc::new(|| Wall::from_millis(1_700_000_000_123)),
    }
}

/// What is written while `code` runs.
fn lines_with(settings: &Settings, code: impl FnOnce()) -> String {
    let (sink, written) = memory_sink();
    let logs = Logs::new(settings, sink).unwrap();
    tracing::subscriber::with_default(logs.subscriber, code);
    String::from_utf8(written.take()).unwrap()
}

fn pretty(code: impl FnOnce()) -> String {
    lines_with(&settings(LogStyle::Pretty), code)
}

fn json(code: impl FnOnce()) -> serde_json::Value {
    let text = lines_with(&settings(LogStyle::Json), code);
    assert!(text.starts_with("{\"ts\":") && text.ends_with("}\n"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_line_for_people() {
    let check = |code: &dyn Fn(), expect: &str| assert_eq!(pretty(code), expect);
    check(
        &|| tracing::info!(target: "sl_gateway::session", port = 3333, ok = true, "listening"),
        "22:13:20 INFO  gateway::session: listening port=3333 ok=true\n",
    );
    check(
        &|| tracing::warn!(target: "other", why = "two words", empty = "", load = 0.5, "x {}", 1),
        "22:13:20 WARN  other: x 1 why=\"two words\" empty=\"\" load=0.5\n",
    );
    check(
        &|| {
            let span =
                tracing::info_span!("service", id = "hasher", threads = tracing::field::Empty);
            span.record("threads", 2);
            span.in_scope(|| tracing::error!(target: "sl_hasher", "stopped"));
        },
        "22:13:20 ERROR hasher: stopped [service id=hasher threads=2]\n",
    );
    check(&|| tracing::debug!("below the filter"), "");
    check(&|| tracing::info!(target: "hyper::proto", "chatter"), "");
}

#[test]
fn a_line_for_machines() {
    let line = json(|| {
        tracing::info_span!("service", id = "hasher").in_scope(|| {
            let error = std::io::Error::other("broken \"pipe\"\n");
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(target: "sl_hasher", rate = 5.5, big = u64::MAX, nan = f64::NAN, error,
                some = ?Some(1), "slow\nengine");
        });
    });
    let expect = serde_json::json!({
        "ts": "2023-11-14T22:13:20.123Z",
        "level": "WARN",
        "target": "sl_hasher",
        "message": "slow\nengine",
        "fields": {
            "rate": 5.5, "big": u64::MAX, "nan": "NaN", "error": "broken \"pipe\"\n",
            "some": "Some(1)",
        },
        "spans": [{"span": "service", "id": "hasher"}],
    });
    assert_eq!(line, expect);
}

/// Everything in which a secret can come in; its forms must not come out.
fn indiscretions() {
    let url = "http://u:pa%22ss%2Fw%C3%B6rd@node/?token=abcdefgh";
    let span = tracing::info_span!("login", with = "hunter2");
    span.in_scope(|| {
        tracing::info!(
            password = "short",
            rpc_token = 77_001,
            pin = 31_415_926,
            url,
            debug = ?Some("pa\"ss/wörd"),
            json = r#"{"pass":"pa\"ss/wörd"}"#,
            "hunter2 and pa\"ss/wörd"
        );
    });
}

#[test]
fn secrets_are_masked_in_both_styles() {
    for style in [LogStyle::Pretty, LogStyle::Json] {
        let text = lines_with(&settings(style), indiscretions);
        for secret in ["hunter2", "short", "77001", "31415926", "ss/w", "ss%2F", "abcdefgh"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(text.matches("****").count() >= 8, "{text}");
        assert!(text.contains("http://u:****@node/?token=****"), "{text}");
    }
    let line = json(indiscretions);
    assert_eq!(line["message"], "**** and ****");
    assert_eq!(line["fields"]["pin"], "****");
}

#[test]
fn what_strangers_send_stays_in_its_line() {
    let worker = "x\r\n22:13:20 INFO  gateway: faked\x1b[2J\u{202e}";
    let text = pretty(|| tracing::info!(target: "sl_gateway", worker, "{worker}"));
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(text.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text:?}");

    let long = "ü".repeat(100_000);
    let text = pretty(|| tracing::info!(target: "sl_gateway", long, "{long}"));
    assert!(text.len() < 10_000 && text.contains('…'), "{}", text.len());
}

#[test]
fn colours_on_a_terminal_only_and_never_in_json() {
    let event = || tracing::warn!(target: "sl_x", "hot");
    let with = |style, terminal, colour| {
        lines_with(&Settings { terminal, colour, ..settings(style) }, event)
    };
    let plain = "22:13:20 WARN  x: hot\n";
    assert_eq!(with(LogStyle::Pretty, true, false), plain);
    assert_eq!(with(LogStyle::Pretty, false, true), plain);
    let coloured = with(LogStyle::Pretty, true, true);
    assert!(coloured.contains("\x1b[33mWARN "), "{coloured:?}");
    assert!(!with(LogStyle::Json, true, true).contains('\x1b'));
}

#[test]
fn filters() {
    let told = |filter: &str| {
        let filter = filter.to_owned();
        lines_with(&Settings { filter, ..settings(LogStyle::Pretty) }, || {
            tracing::debug!(target: "sl_gateway", "ours");
            tracing::debug!(target: "hyper::client", "theirs");
        })
        .lines()
        .count()
    };
    assert_eq!(told("debug"), 1, "others stay at warn");
    assert_eq!(told("debug,hyper=debug"), 2, "unless they are named");
    assert_eq!(told("info,sl_gateway=debug"), 1);
    assert_eq!(told("warn"), 0);

    let bad = Settings { filter: "info,sl_x=loud".to_owned(), ..settings(LogStyle::Json) };
    let error = Logs::new(&bad, memory_sink().0).unwrap_err();
    assert!(matches!(error, TelemetryError::Filter { .. }));
    assert!(error.to_string().contains("info,sl_gateway=debug"), "{error}");
    assert_eq!("json".parse(), Ok(LogStyle::Json));
    let error = "xml".parse::<LogStyle>().unwrap_err();
    assert_eq!(error.to_string(), "\"xml\" is no style of log; there are: pretty, json");
}

#[test]
fn the_status_line_comes_back_beneath_a_line() {
    let (sink, written) = memory_sink();
    let settings = Settings { terminal: true, ..settings(LogStyle::Pretty) };
    let logs = Logs::new(&settings, sink).unwrap();
    logs.status.set("5 kH/s");
    let _drawn = written.take();
    tracing::subscriber::with_default(logs.subscriber, || {
        tracing::info!(target: "sl_x", "block");
    });
    let text = String::from_utf8(written.take()).unwrap();
    assert_eq!(text, "\r\x1b[2K22:13:20 INFO  x: block\n\x1b[?7l5 kH/s\x1b[?7h");
}
