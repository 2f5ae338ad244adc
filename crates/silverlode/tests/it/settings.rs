//! Settings that change: one value at a time, and under a running farm.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use serde_json::Value;

use crate::{Farm, Home, quick_farm, status, text, until_a_block};

impl Home {
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.data().join(name)).expect("it is there")
    }

    /// Runs a command that must succeed; what it printed.
    fn good(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(status(&output), 0, "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

#[test]
fn set_keeps_every_comment_and_the_file_before() {
    let home = Home::new();
    let before =
        "# my mine\nmine:   # the desk\n    threads: 1      # quiet\nlog: {level: 'warn'}\n";
    home.write("silverlode.yaml", before);
    let path = home.data().join("silverlode.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
    let told = home.good(&["config", "set", "mine.threads", "3"]);
    assert!(told.contains("mine.threads: 1 → 3") && told.contains("live"), "{told}");
    assert_eq!(home.read("silverlode.yaml"), before.replace("threads: 1", "threads: 3"));
    assert_eq!(home.read("silverlode.yaml.bak"), before);
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o640);

    let told = home.good(&["config", "set", "gateway.shares_per_minute", "9", "--json"]);
    let told: Value = serde_json::from_str(&told).expect("one document");
    assert_eq!(told["changes"][0]["key"], "gateway.shares_per_minute");
    assert_eq!((&told["changes"][0]["live"], &told["mistakes"]), (&true.into(), &0.into()));
    assert!(
        home.read("silverlode.yaml")
            .ends_with("gateway:\n    shares_per_minute: 9\nlog: {level: 'warn'}\n")
            || home.read("silverlode.yaml").contains("gateway:\n    shares_per_minute: 9\n")
    );

    let told = home.good(&["config", "unset", "mine.threads"]);
    assert!(told.contains("mine.threads: 3 → auto"), "{told}");
    assert!(home.good(&["config", "set", "log.level", "warn"]).contains("nothing to change"));
    let output = home
        .command(&["config", "set", "log.level", "debug"])
        .env("SILVERLODE__LOG__LEVEL", "error")
        .output()
        .expect("it runs");
    assert!(
        text(&output.stderr).contains("overridden by environment variable SILVERLODE__LOG__LEVEL")
    );
}

#[test]
fn set_refuses_before_it_writes_and_creates_what_is_missing() {
    let home = Home::new();
    for (key, value, part) in [
        ("mine.treads", "1", "did you mean \"mine.threads\"?"),
        ("mine.threads", "-1", "from 1 to 1024"),
        ("mine.threads", "many", "a whole number"),
        ("simulation.rpc_password", "env:", "a secret"),
        ("version", "9", "use that one"),
    ] {
        let output = home.run(&["config", "set", key, value]);
        assert_eq!(status(&output), 2, "{key} {value}");
        assert!(text(&output.stderr).contains(part), "{part} in:\n{}", text(&output.stderr));
        assert!(!home.data().join("silverlode.yaml").exists());
    }
    home.good(&["config", "set", "mine.threads", "2"]);
    assert_eq!(
        home.read("silverlode.yaml"),
        "# yaml-language-server: $schema=./silverlode.schema.json\nversion: 2\nmine:\n  threads: 2\n"
    );
    // Right by itself, and not yet with the rest.
    let output = home.run(&["config", "set", "mode", "production"]);
    assert_eq!(status(&output), 3);
    assert!(text(&output.stderr).contains("somewhere to mine"), "{}", text(&output.stderr));
}

#[test]
fn templates_schema_diff_and_migration() {
    let home = Home::new();
    for name in ["minimal", "home", "farm", "full"] {
        let file = format!("{name}.yaml");
        home.good(&["config", "init", name, &file]);
        home.good(&["config", "check", &file]);
        let text = home.read(&file);
        assert!(text.starts_with("# yaml-language-server: $schema="), "{text}");
        assert!(text.contains("\nversion: 2\n"), "{text}");
    }
    home.good(&["config", "schema", "--write"]);
    let schema: Value = serde_json::from_str(&home.read("silverlode.schema.json")).expect("JSON");
    assert_eq!(schema["properties"]["mine"]["properties"]["threads"]["default"], "auto");
    assert_eq!(home.good(&["config", "schema"]), home.read("silverlode.schema.json"));

    assert_eq!(home.good(&["config", "diff", "full.yaml"]), "no difference\n");
    let told = home.good(&["config", "diff", "minimal.yaml", "farm.yaml"]);
    assert!(told.contains("restart mode: educational → production\n"), "{told}");
    assert!(told.contains("restart pool.password: (not there) → env:SILVERLODE_POOL_PASSWORD"));

    let old = "# mine\n\n# quiet\nlog:\n  level: warn # please\n";
    home.write("silverlode.yaml", old);
    assert!(home.good(&["config", "diff"]).contains("live    log.level: info → warn\n"));
    home.good(&["config", "migrate"]);
    assert_eq!(home.read("silverlode.yaml"), old.replace("\n\n", "\n\nversion: 2\n"));
    assert_eq!(home.read("silverlode.yaml.bak"), old);
    assert!(home.good(&["config", "migrate"]).contains("already"));
    home.write("silverlode.yaml", "version: 3\nnew_thing: 1\n");
    let output = home.run(&["config", "check"]);
    let told = text(&output.stderr);
    assert_eq!(status(&output), 2);
    assert!(told.contains("reads up to 2") && told.contains("1 mistake"), "{told}");
}

#[test]
fn a_secret_that_is_not_here_is_told_and_is_no_mistake() {
    let home = Home::new();
    home.write("silverlode.yaml", "gateway:\n  password: env:NOT_SET_ANYWHERE\n");
    let output = home.run(&["config", "check"]);
    assert_eq!((status(&output), text(&output.stdout).as_str()), (0, "ok: silverlode.yaml\n"));
    let told = text(&output.stderr);
    assert!(told.contains("gateway.password") && told.contains("NOT_SET_ANYWHERE"), "{told}");
    let told: Value =
        serde_json::from_str(&home.good(&["config", "check", "--json"])).expect("one");
    assert_eq!(told["notes"].as_array().map(Vec::len), Some(1), "{told}");
    let output = home.command(&["config", "check"]).env("NOT_SET_ANYWHERE", "x").output();
    assert_eq!(text(&output.expect("it runs").stderr), "");
}

#[test]
fn a_file_of_an_older_version_says_how_it_is_mended() {
    let home = Home::new();
    home.write("silverlode.yaml", "version: 1\nmine:\n  threads: 0\n  idle_priority: false\n");
    let output = home.run(&["config", "check"]);
    let told = text(&output.stderr);
    assert_eq!(status(&output), 2);
    assert!(told.contains("it is mine.priority; silverlode config migrate"), "{told}");
    home.good(&["config", "migrate"]);
    let now = "version: 2\nmine:\n  threads: auto\n  priority: normal\n";
    assert_eq!(home.read("silverlode.yaml"), now);
    home.good(&["config", "check"]);
}

#[test]
fn a_running_farm_follows_its_file() {
    let home = Home::new();
    quick_farm(&home);
    let mut farm = Farm::start(&home);
    let id = farm.child().id().to_string();
    let mut lines = until_a_block(farm.child());
    let mut until = |what: &str, fits: &dyn Fn(&Value, &str) -> bool| {
        let found = lines.by_ref().map_while(Result::ok).any(|line| {
            let parsed: Value = serde_json::from_str(&line).expect("a log line");
            let message = parsed["message"].as_str().unwrap_or_default().to_owned();
            fits(&parsed, &message)
        });
        assert!(found, "the log ended before: {what}");
    };

    home.good(&["config", "set", "mine.threads", "2"]);
    until("two threads", &|_, message| message == "hashing threads");
    home.good(&["config", "set", "mine.threads", "1"]);
    until("one thread", &|_, message| message == "hashing threads");
    home.good(&["config", "set", "mine.threads", "2"]);
    until("two threads", &|_, message| message == "hashing threads");
    home.good(&["config", "set", "log.level", "debug"]);
    until("a line of the new level", &|line, _| {
        line["level"].as_str().is_some_and(|level| level.eq_ignore_ascii_case("debug"))
    });
    home.good(&["config", "set", "log.level", "info"]);

    let good = home.read("silverlode.yaml");
    home.write("silverlode.yaml", &format!("{good}minee: 1\nmode: loud\n"));
    until("a refusal", &|_, message| {
        message.starts_with("the changed file has 2 mistakes; the running settings stay")
            && message.contains("did you mean \"mine\"?")
    });
    let graph = home.good(&["services", "--data", "data"]);
    assert!(
        graph.contains("the changed file has 2 mistakes; the running settings stay"),
        "{graph}"
    );
    home.write("silverlode.yaml", &good);
    let told = home.good(&["config", "set", "gateway.batch_wait", "4ms"]);
    assert!(told.contains("after a restart"), "{told}");
    until("what waits", &|_, message| {
        message == "changed, and waiting for a restart: gateway.batch_wait"
    });

    let killed = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
    assert!(killed.success());
    lines.for_each(drop);
    let output = farm.wait();
    assert_eq!(status(&output), 0);
    let summary: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(summary["engine_threads"], 2, "{summary:#}");
    let gateway = &summary["gateway"];
    assert_eq!(gateway["connections"], gateway["connections_total"], "no machine was dropped");
    assert_eq!(gateway["disconnects"], 0, "{gateway:#}");
    assert_eq!(summary["shares"]["rejected"], 0, "{summary:#}");
}
