//! `silverlode doctor`, the completions, the manual, and the generated pages of the book.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::Path,
    process::{Child, Output, Stdio},
};

use serde_json::Value;

use crate::{Home, quick_farm, status, text, until_a_block};

/// Ports of a test of its own, and no chains but two.
fn settings(home: &Home, more: &str) -> u16 {
    let free =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let rpc = 25_000 + (free % 3_000) * 10;
    home.write(
        "silverlode.yaml",
        &format!(
            "gateway:\n  listen: 127.0.0.1:{free}\n  max_connections: 20\nsimulation:\n  coins: [LTC, DOGE]\n  rpc_port: {rpc}\n  engine_rate: 500 H/s\n{more}"
        ),
    );
    free
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|wrong| {
        panic!("{wrong}: {} {}", text(&output.stdout), text(&output.stderr))
    })
}

/// The row of a check.
fn row<'a>(told: &'a Value, id: &str) -> &'a Value {
    let rows = told["checks"].as_array().expect("a list");
    rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id} in {told:#}"))
}

#[test]
fn a_port_in_use_is_told_with_its_cure_and_is_cured_by_it() {
    let home = Home::new();
    let port = settings(&home, "");
    let taken = TcpListener::bind(("127.0.0.1", port)).expect("free a moment ago");
    let output = home.run(&["doctor", "--data", "data", "--json"]);
    let told = document(&output);
    assert_eq!(status(&output), 3, "{told:#}");
    assert_eq!(told["verdict"], "bad");
    let bad = row(&told, &format!("port.{port}"));
    let cure = bad["cure"].as_str().expect("a cure");
    assert!(cure.contains("SILVERLODE__GATEWAY__LISTEN="), "{cure}");
    assert!(bad["found"].as_str().is_some_and(|found| found.contains("in use by")), "{bad}");
    assert_eq!(row(&told, "engines")["verdict"], "ok");
    for row in told["checks"].as_array().expect("a list") {
        assert!(
            ["ok", "unknown", "warn", "bad"].contains(&row["verdict"].as_str().expect("a word"))
                && row["found"].is_string()
                && (row["cure"].is_string() || row["cure"].is_null()),
            "{row}"
        );
    }
    assert!(!home.data().join("data").exists(), "looking makes nothing");

    drop(taken);
    let output = home.run(&["doctor", "--data", "data"]);
    let told = text(&output.stdout);
    let free = told.lines().find(|line| line.contains("free: ")).unwrap_or_default();
    assert!(free.contains(&format!("127.0.0.1:{port}")), "{told}");
    assert_eq!(status(&output), 0, "{told}");
}

#[test]
fn wrong_settings_are_one_check_among_the_others() {
    let home = Home::new();
    home.write("silverlode.yaml", "gateway:\n  listn: 127.0.0.1:3333\nmine:\n  threads: -1\n");
    let output = home.run(&["doctor", "--data", "data", "--json"]);
    let told = document(&output);
    assert_eq!(status(&output), 3);
    let found = row(&told, "settings");
    assert_eq!(found["cure"], "silverlode config check");
    let found = found["found"].as_str().expect("words");
    assert!(found.starts_with("2 mistakes, the first: silverlode.yaml:2:3"), "{found}");
    row(&told, "engines");
}

#[test]
fn a_node_and_a_pool_that_are_away_are_bad_and_have_a_cure() {
    let home = Home::new();
    let away = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("bound")
    };
    let (node, pool) = (away(), away());
    let address = "LXax1PfJC8gUSRcPTAAXaakLwEfkHGjVXh";
    settings(
        &home,
        &format!(
            "pool:\n  url: stratum+tcp://{pool}\n  user: me\nsolo:\n  parent:\n    coin: LTC\n    url: http://{node}\n    user: rpc\n    password: env:LTC_RPC\n    address: {address}\n"
        ),
    );
    let output = home
        .command(&["doctor", "--data", "data", "--json"])
        .env("LTC_RPC", "unimportant")
        .output()
        .expect("it runs");
    let told = document(&output);
    assert_eq!(status(&output), 3, "{told:#}");
    for id in ["node.ltc", "pool"] {
        let row = row(&told, id);
        assert_eq!(row["verdict"], "bad", "{row}");
        assert!(row["cure"].is_string(), "{row}");
    }
}

#[test]
fn the_bundle_holds_no_secret() {
    let home = Home::new();
    home.write("secret.txt", "swordfish-file\n");
    let file = home.data().join("secret.txt");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&file, private).expect("set");
    settings(
        &home,
        &format!(
            "pool:\n  url: stratum+tcp://127.0.0.1:9\n  user: me\n  password: swordfish-inline\nsolo:\n  parent:\n    coin: LTC\n    url: http://127.0.0.1:9\n    user: rpc\n    password: env:LTC_RPC\n    address: LXax1PfJC8gUSRcPTAAXaakLwEfkHGjVXh\n  auxiliaries:\n    - coin: DOGE\n      url: http://127.0.0.1:9\n      user: rpc\n      password: file:{}\n      address: DHW6HSJ7QtLhid6q1cAnrKrBcA2mWnnfB9\n",
            file.display()
        ),
    );
    let with_secrets = |words: &[&str]| {
        let mut command = home.command(words);
        command.env("LTC_RPC", "swordfish-env").env("OTHER_TOKEN", "swordfish-token");
        command.output().expect("it runs")
    };
    let output = with_secrets(&["doctor", "--data", "data", "--bundle", "report.json"]);
    assert_eq!(status(&output), 3, "nobody is there: {}", text(&output.stderr));
    let bundle = fs::read_to_string(home.data().join("report.json")).expect("written");
    assert!(!bundle.contains("swordfish"), "{bundle}");
    let told: Value = serde_json::from_str(&bundle).expect("a document");
    assert!(told["doctor"]["checks"].is_array() && told["silverlode"].is_string());
    let shown = told["settings"]["shown"].as_array().expect("lines");
    assert!(
        shown.iter().any(|line| line.as_str().is_some_and(|line| line.contains("env:LTC_RPC")))
    );
    assert!(told["state"]["none"].is_string(), "nothing runs");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(home.data().join("report.json")).expect("there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);

    // Settings that cannot be read show no secret either.
    let pool = "pool:\n  url: stratum+tcp://127.0.0.1:9\n  user: me\n";
    let solo = "solo:\n  parent:\n    coin: LTC\n    user: rpc\n    password: env:LTC_RPC\n    address: LXax1PfJC8gUSRcPTAAXaakLwEfkHGjVXh\n";
    for broken in [
        format!("{pool}  pasword: swordfish-wrong\n  password: [swordfish-list]\n"),
        format!("{pool}  password: \"swordfish-open\n"),
        format!("{pool}  password: {{swordfish: swordfish}}\n"),
        format!("{solo}    url: http://me:swordfish-url@127.0.0.1:9\n"),
        format!("{solo}    url: ftp://me:swordfish-url@127.0.0.1:9\n"),
        "mode: production\ngateway:\n  password: swordfish-inline\n".to_owned(),
    ] {
        home.write("silverlode.yaml", &broken);
        let output = with_secrets(&["doctor", "--data", "data", "--bundle", "report.json"]);
        let told = text(&output.stdout);
        assert_eq!(status(&output), 3, "{broken}: {told}");
        let bundle = fs::read_to_string(home.data().join("report.json")).expect("written");
        assert!(!bundle.contains("swordfish"), "{broken}: {bundle}");
        assert!(!told.contains("swordfish"), "{broken}: {told}");
    }
}

/// A program that is ended with the test, whatever becomes of that.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn what_the_running_farm_has_is_in_order_and_its_state_is_in_the_bundle() {
    let home = Home::new();
    let port = quick_farm(&home);
    let child = home
        .command(&["up", "--data", "data", "--log", "json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut farm = Ended(child.expect("it starts"));
    let _lines = until_a_block(&mut farm.0);
    let output = home.run(&["doctor", "--data", "data", "--json", "--bundle", "report.json"]);
    let told = document(&output);
    assert_eq!(status(&output), 0, "{told:#}");
    let found = |id: &str| row(&told, id)["found"].as_str().expect("words");
    let pid = farm.0.id();
    assert!(found("data-folder").contains(&format!("running silverlode (process {pid})")));
    assert!(found("ports").contains(&format!("127.0.0.1:{port}")), "{told:#}");
    assert!(!found("ports").contains("free"), "{told:#}");
    assert!(found("open-files").contains("of the running silverlode"), "{told:#}");
    let bundle = fs::read_to_string(home.data().join("report.json")).expect("written");
    let bundle: Value = serde_json::from_str(&bundle).expect("a document");
    assert_eq!(bundle["state"]["pid"], pid);
    assert!(bundle["state"]["summary"]["chains"]["DOGE"].is_object());
}

/// The commands that people see, from the program itself.
fn commands(home: &Home) -> Vec<String> {
    let help = text(&home.run(&["--help"]).stdout);
    let list = help.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next());
    let lines = list.expect("a list").lines();
    // Of a command that takes several lines, only the first begins so.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned).collect()
}

#[test]
fn every_command_is_completed_and_has_a_page() {
    let home = Home::new();
    let commands = commands(&home);
    assert!(commands.len() > 8 && commands.contains(&"doctor".to_owned()), "{commands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = home.run(&["completions", shell]);
        assert_eq!(status(&output), 0);
        let told = text(&output.stdout);
        for command in &commands {
            assert!(told.contains(command.as_str()), "{command} for {shell}");
        }
    }
    assert_eq!(status(&home.run(&["completions", "tcsh"])), 2);

    let page = text(&home.run(&["man"]).stdout);
    assert!(page.contains(".TH silverlode 1"), "{page}");
    assert_eq!(status(&home.run(&["man", "--dir", "man"])), 0);
    for command in commands.iter().filter(|command| *command != "help") {
        let page = home.data().join(format!("man/silverlode-{command}.1"));
        assert!(fs::metadata(&page).is_ok_and(|told| told.len() > 0), "{}", page.display());
    }
    assert!(home.data().join("man/silverlode-config-check.1").exists());
    assert!(!home.data().join("man/silverlode-docs.1").exists(), "hidden");
}

#[test]
fn the_generated_pages_of_the_book_are_current() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let docs = docs.to_str().expect("text");
    let output = Home::new().run(&["docs", "--check", docs]);
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
}

#[test]
fn a_stale_page_is_named_with_the_command_that_rewrites_it() {
    let home = Home::new();
    fs::create_dir_all(home.data().join("docs/adr")).expect("made");
    home.write("docs/adr/0001-x.md", "# 0001: x\n");
    assert_eq!(status(&home.run(&["docs", "--check", "docs"])), 1, "nothing is there yet");
    assert_eq!(status(&home.run(&["docs", "--write", "docs"])), 0);
    assert_eq!(status(&home.run(&["docs", "--check", "docs"])), 0);
    let page = home.data().join("docs/book/src/settings.md");
    let mut page = fs::OpenOptions::new().append(true).open(page).expect("there");
    page.write_all(b"more\n").expect("written");
    home.write("docs/book/src/decisions/0002-gone.md", "gone\n");
    let output = home.run(&["docs", "--check", "docs"]);
    let told = text(&output.stderr);
    assert_eq!(status(&output), 1, "{told}");
    for part in ["settings.md", "0002-gone.md", "docs --write docs"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!told.contains("commands.md"), "{told}");
}
