//! What is asked for and what comes: commands of 4028, pages by release, the login.

use std::time::Duration;

use sl_twin::face::{Want, announcement};
use sl_twin::{Command, Release};
use tokio::time::Instant;

use super::booth::Booth;
use super::client::{ask, between, call, get, login, parse, port_80, post, request};
use super::sample;

#[tokio::test(start_paused = true)]
async fn an_array_asks_several_things_at_once_and_a_plus_does_not() {
    let l7 = Booth::new(sample::l7());
    let all = ask(&l7, r#"{"command":["summary","nonsense","summary","pools"]}"#).await;
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all["summary"][0]["SUMMARY"][0]["Elapsed"], 105_715);
    assert_eq!(all["nonsense"][0]["STATUS"][0]["Code"], 14);
    assert_eq!(all["pools"][0]["STATUS"][0]["Msg"], "3 Pool(s)");
    assert!(ask(&l7, r#"{"command":"summary+pools"}"#).await.contains("\"Code\":14"));
    let many: Vec<String> = (0..20).map(|it| format!("c{it}")).collect();
    let many = serde_json::json!({ "command": many }).to_string();
    let many: serde_json::Value = serde_json::from_str(&ask(&l7, &many).await).unwrap();
    assert_eq!(many.as_object().map(|it| it.len()), Some(11 + 1));
    // The old program is the other way round.
    let l3 = Booth::new(sample::l3plus());
    let both = ask(&l3, r#"{"command":"version+pools"}"#).await;
    let both: serde_json::Value = serde_json::from_str(&both).unwrap();
    assert_eq!(both["version"][0]["VERSION"][0]["Type"], "Antminer L3+");
    assert_eq!(both["pools"][0]["POOLS"][0]["POOL"], 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_command_gets_its_code() {
    let l7 = Booth::new(sample::l7());
    for (request, code) in [
        (r#"{"command":"devs"}"#, 14),
        (r#"{"command":"summarysummarysummary"}"#, 14),
        (r#"{"commands":"summary"}"#, 24),
        (r#"{"command":5}"#, 24),
        (r#"{"command":[]}"#, 24),
        (r"{summary}", 23),
    ] {
        let ours: serde_json::Value = serde_json::from_str(&ask(&l7, request).await).unwrap();
        assert_eq!(ours["STATUS"][0]["Code"], code, "{request}");
        assert_eq!(ours["STATUS"][0]["STATUS"], "E", "{request}");
        assert_eq!(ours["id"], 1, "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_release_alone_has_a_heartbeat() {
    for release in Release::ALL {
        let l7 = Booth::new(sample::l7_of(release));
        let ours = ask(&l7, r#"{"command":"heartbeat"}"#).await;
        let code = if release == Release::R202405 { "\"Code\":76" } else { "\"Code\":14" };
        assert!(ours.contains(code), "{release}: {ours}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_newer_calls_are_the_pages_without_their_blank_line() {
    let l7 = Booth::new(sample::l7());
    for (command, page) in
        [("summary", "summary"), ("stats", "stats"), ("pools", "pools"), ("rate", "chart")]
    {
        let ours = ask(&l7, &format!("{{\"command\":\"{command}\",\"new_api\":true}}")).await;
        assert_eq!(ours, get(&l7, page).await.body.trim(), "{command}");
    }
    let unknown = ask(&l7, r#"{"command":"warning","new_api":true}"#).await;
    assert_eq!(unknown, r#"{"error_message":"not support (warning)"}"#);
    assert!(l7.told().is_empty());
    ask(&l7, r#"{"command":"reload","new_api":true}"#).await;
    assert_eq!(l7.told(), [Command::Reload]);
}

#[tokio::test(start_paused = true)]
async fn plain_text_gets_the_classic_form() {
    let l7 = Booth::new(sample::l7());
    assert_eq!(
        ask(&l7, "version\n").await,
        "STATUS=S,When=1795353259,Code=22,Msg=CGMiner versions,Description=jansson 2.12|VERSION,\
         BMMiner=2.12,API=3.1,Miner=81.0-1.0.0,CompileTime=Tue May 14 14:13:55 CST 2024,\
         Type=Antminer L7|"
    );
    let pools = ask(&l7, "pools").await;
    assert!(pools.contains("|POOL=0,URL=stratum+tcp://pool.invalid:3333,Status=Alive,"), "{pools}");
    assert_eq!(
        ask(&l7, "GET / HTTP/1.1\r\n\r\n").await,
        "STATUS=E,When=1795353259,Code=14,Msg=Invalid command,Description=jansson 2.12|"
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_is_missing_where_the_release_lacks_it() {
    let cases = [
        ("warning", Release::R202405),
        ("create_log_backup", Release::R202211),
        ("summary", Release::R202201),
    ];
    for release in Release::ALL {
        let l7 = Booth::new(sample::l7_of(release));
        for (page, since) in cases {
            let status = if release >= since { 200 } else { 404 };
            assert_eq!(get(&l7, page).await.status, status, "{page} {release}");
        }
        let newest = release == Release::R202405;
        assert_eq!(get(&l7, "get_system_info").await.body.contains("serinum"), newest);
        assert_eq!(get(&l7, "miner_type").await.body.contains("product_type"), newest);
    }
    let l7 = Booth::new(sample::l7());
    let warning = get(&l7, "warning").await.body;
    assert_eq!(warning.trim(), r#"{"error_message":"not support (warning)"}"#);
    for page in ["/nothing", "/cgi-bin/summary", "/cgi-bin/nothing.cgi", "/cgi-bin/"] {
        assert_eq!(get(&l7, page).await.status, 404, "{page}");
    }
    let l3 = Booth::new(sample::l3plus());
    assert_eq!(get(&l3, "summary").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_written_mode_is_a_number_from_2023_on() {
    for release in Release::ALL {
        let l7 = Booth::new(sample::written(sample::l7_of(release), 1));
        let body = get(&l7, "get_miner_conf").await.body;
        let conf: serde_json::Value = serde_json::from_str(&body).unwrap();
        let mode = &conf["bitmain-work-mode"];
        match release {
            Release::R202201 | Release::R202211 => assert_eq!(mode, "1", "{release}"),
            Release::R202301 | Release::R202405 => assert_eq!(mode, 1, "{release}"),
        }
        assert_eq!(conf["pools"][0]["user"], "a.\"b\"");
    }
}

#[tokio::test(start_paused = true)]
async fn logs_are_texts() {
    let l7 = Booth::new(sample::l7());
    let log = get(&l7, "log").await.body;
    assert_eq!(log, "\n[0.000] start\n[2.500] chain 0: 120 chips\n");
}

#[tokio::test(start_paused = true)]
async fn the_login_is_asked_for_as_the_server_does() {
    let l7 = Booth::new(sample::l7());
    let reply = parse(&port_80(&l7, &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]).await);
    let nonce = between(&reply.head, "nonce=\"", "\"");
    assert_eq!(nonce.len(), 32);
    assert_eq!(
        reply.head,
        format!(
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"antMiner \
             Configuration\", nonce=\"{nonce}\", qop=\"auth\"\r\nContent-Type: text/html\r\n\
             Content-Length: 351\r\nDate: Sun, 22 Nov 2026 13:14:19 GMT\r\n\
             Server: lighttpd/1.4.32"
        )
    );
    assert_eq!(call(&l7, "GET", "summary", "", "wrong").await.status, 401);
    l7.change(|readings| readings.manners.login_refused = true);
    assert_eq!(get(&l7, "summary").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_nonce_never_expires_and_may_be_made_up() {
    let l7 = Booth::new(sample::l7());
    let target = "/cgi-bin/get_blink_status.cgi";
    let text = request("GET", target, &login("GET", target, "0123", "root"), "");
    for _ in 0..2 {
        assert_eq!(parse(&port_80(&l7, &[text.as_bytes()]).await).status, 200);
    }
    // But it belongs to one address.
    let other = text.replacen(target, "/cgi-bin/reboot.cgi", 1);
    assert_eq!(parse(&port_80(&l7, &[other.as_bytes()]).await).status, 400);
    assert!(l7.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_sixteen_requests() {
    let l7 = Booth::new(sample::l7());
    let one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let replies = port_80(&l7, &[one.repeat(40).as_bytes()]).await;
    assert_eq!(replies.matches("401 Unauthorized\r\n").count(), 16);
    assert_eq!(replies.matches("Connection: close").count(), 1);
    let closing = "GET / HTTP/1.0\r\n\r\n";
    let replies = port_80(&l7, &[closing.repeat(3).as_bytes()]).await;
    assert_eq!(replies.matches("HTTP/1.0 401").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn methods_besides_the_usual_two_are_answered() {
    let l7 = Booth::new(sample::l7());
    let target = "/cgi-bin/stats.cgi";
    let head = request("HEAD", target, &login("HEAD", target, "1", "root"), "");
    let reply = port_80(&l7, &[head.as_bytes()]).await;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with("\r\n\r\n"), "{reply}");
    let options = request("OPTIONS", "*", &login("OPTIONS", "*", "1", "root"), "");
    let reply = parse(&port_80(&l7, &[options.as_bytes()]).await);
    assert!(reply.head.contains("Allow: OPTIONS, GET, HEAD, POST"), "{reply:?}");
    let older = format!("GET {target} HTTP/1.0\r\n{}\r\n", login("GET", target, "1", "root"));
    let reply = port_80(&l7, &[older.as_bytes()]).await;
    assert!(reply.starts_with("HTTP/1.0 200 OK\r\nConnection: close\r\n"), "{reply}");
    assert!(reply.ends_with("}\n"), "{reply}");
    assert_eq!(get(&l7, "/").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn manners_show_on_both_ports() {
    let l7 = Booth::new(sample::l7());
    l7.change(|readings| readings.manners.web_delay = Duration::from_secs(3));
    let began = Instant::now();
    assert_eq!(get(&l7, "summary").await.status, 200);
    assert_eq!(began.elapsed(), Duration::from_secs(6));
    l7.change(|readings| readings.manners.web_delay = Duration::ZERO);
    l7.change(|readings| readings.manners.damaged_json = true);
    let stats = get(&l7, "stats").await.body;
    assert!(stats.contains("}{") && !stats.contains("},{"), "{stats}");
    assert!(ask(&l7, r#"{"command":"stats"}"#).await.contains("}{"));
    l7.change(|readings| readings.manners.web_hangs = true);
    assert_eq!(port_80(&l7, &[b"GET / HTTP/1.0\r\n\r\n"]).await, "");
    l7.change(|readings| readings.manners.api = false);
    assert_eq!(ask(&l7, "version\n").await, "");
    l7.change(|readings| readings.manners.reachable = false);
    assert_eq!(ask(&l7, "version\n").await, "");
}

/// A page that is held back tells what is so when it comes, and obeys nobody by then unknown.
#[tokio::test(start_paused = true)]
async fn a_slow_page_is_of_the_instant_at_which_it_comes() {
    let secret = "0".repeat(32);
    let l7 = Booth::new(sample::l7());
    l7.change(|readings| readings.manners.web_delay = Duration::from_secs(30));
    let target = "/cgi-bin/reboot.cgi";
    let text = request("GET", target, &login("GET", target, "0123", "root"), "");
    let meanwhile = async |change: &dyn Fn()| {
        let later = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            change();
        };
        let pieces = [text.as_bytes()];
        tokio::join!(port_80(&l7, &pieces), later).0
    };
    assert!(meanwhile(&|| {}).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(l7.told(), [Command::Reboot]);
    let gone = meanwhile(&|| l7.change(|readings| readings.manners.reachable = false)).await;
    assert_eq!(gone, "");
    l7.change(|readings| readings.manners.reachable = true);
    let refused = meanwhile(&|| l7.lock(secret.clone())).await;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(l7.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_log_is_gathered_for_those_alone_who_are_let_in() {
    let l7 = Booth::new(sample::l7());
    assert_eq!(call(&l7, "GET", "log", "", "wrong").await.status, 401);
    assert!(l7.wanted().iter().all(|want| *want == Want::Figures));
    assert_eq!(get(&l7, "log").await.status, 200);
    assert_eq!(l7.wanted().last(), Some(&Want::Log));
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_told_and_still_answered() {
    let l7 = Booth::new(sample::l7());
    for method in ["GET", "POST"] {
        let reply = call(&l7, method, "reboot", "", "root").await;
        assert_eq!((reply.status, reply.body.trim()), (200, "Status 200"));
        assert_eq!(l7.told(), [Command::Reboot]);
    }
    assert_eq!(post(&l7, "reset_conf", "").await.body.trim(), "Status 200");
    assert_eq!(l7.told(), [Command::ResetConf]);
}

#[test]
fn the_report_tells_both_addresses() {
    assert_eq!(announcement(&sample::l7().readings), b"10.0.0.7,02:11:22:33:44:55");
}
