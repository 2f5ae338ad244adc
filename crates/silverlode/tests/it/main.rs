//! The program as a user meets it: words in, text and exit status out.

mod auxpow;
mod bench;
mod doctor;
mod journal;
mod pool;
mod processes;
mod settings;
mod sync_first;
mod twin;
mod two_pools;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own for each test: settings, data, and no one else's environment.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("written");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_silverlode"));
        command
            .args(words)
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.0.path())
            .env("NO_COLOR", "1");
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).stdin(Stdio::null()).output().expect("it runs")
    }

    fn data(&self) -> &Path {
        self.0.path()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("it ends by itself")
}

#[test]
fn all_mistakes_are_told_at_once_with_their_place() {
    let home = Home::new();
    home.write(
        "bad.yaml",
        "mode: educatonal\ngateway:\n  listn: 127.0.0.1:3333\n  shares_per_minute: many\nmine:\n  threads: -1\nlog:\n  style: loud\n",
    );
    let output = home.run(&["config", "check", "bad.yaml"]);
    let told = text(&output.stderr);
    assert_eq!(status(&output), 2, "{told}");
    for part in [
        "bad.yaml:1:7",
        "bad.yaml:3:3",
        "did you mean \"listen\"",
        "bad.yaml:4:22",
        "bad.yaml:6:12",
        "bad.yaml:8:10",
        "5 mistakes",
    ] {
        assert!(told.contains(part), "{part} in:\n{told}");
    }
    let output = home.run(&["config", "check", "bad.yaml", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(
        (told["ok"].as_bool(), told["problems"].as_array().map(Vec::len)),
        (Some(false), Some(5))
    );
}

#[test]
fn a_file_to_start_from_is_right_and_is_not_overwritten() {
    let home = Home::new();
    let output = home.run(&["config", "init", "--dry-run"]);
    assert!(text(&output.stdout).contains("gateway:"), "what would be written");
    assert_eq!(status(&home.run(&["config", "init"])), 0, "and nothing was");
    assert_eq!(status(&home.run(&["config", "check"])), 0);
    let output = home.run(&["config", "init"]);
    assert_eq!(status(&output), 2);
    assert!(text(&output.stderr).contains("--force"));
    assert_eq!(status(&home.run(&["config", "init", "--force"])), 0);
}

#[test]
fn layers_win_in_their_order_and_say_so() {
    let home = Home::new();
    home.write(
        "silverlode.yaml",
        "mine:\n  threads: 1\ngateway:\n  shares_per_minute: 9\nlog:\n  level: warn\n",
    );
    home.write("silverlode.educational.yaml", "mine:\n  threads: 2\n");
    let output = home
        .command(&["config", "show", "--origin", "--mode", "educational", "--log", "json"])
        .env("SILVERLODE__GATEWAY__SHARES_PER_MINUTE", "12")
        .output()
        .expect("it runs");
    let shown = text(&output.stdout);
    for line in ["threads: 2", "shares_per_minute: 12", "level: warn", "style: json"] {
        assert!(shown.contains(line), "{line} in:\n{shown}");
    }
    assert!(
        shown.contains("silverlode.educational.yaml:2:12") && shown.contains("--log"),
        "{shown}"
    );
}

#[test]
fn nothing_runs_yet_but_the_graph_is_there() {
    let home = Home::new();
    let output = home.run(&["services", "--data", "data"]);
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    let graph = text(&output.stdout);
    let place =
        |id: &str| graph.find(&format!("○ {id} ")).unwrap_or_else(|| panic!("{id} in:\n{graph}"));
    assert!(
        place("node.ltc") < place("solo")
            && place("solo") < place("gateway")
            && place("gateway") < place("hasher")
    );
    let output = home.run(&["up", "--dry-run", "--json"]);
    let graph: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert!(graph.as_array().is_some_and(|rows| rows.len() > 12));
}

#[test]
fn every_engine_proves_itself() {
    let output = Home::new().run(&["bench", "--verify", "-t", "1", "--json"]);
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let engines = told["engines"].as_array().expect("a list");
    assert!(engines.iter().any(|engine| engine["verified"] == true));
    assert!(engines.iter().all(|engine| engine["verified"] != false), "{engines:#?}");
    let algorithms = told["algorithms"].as_array().expect("a list");
    assert_eq!(algorithms.len(), 3, "each family's example too: {algorithms:?}");
}

#[test]
fn an_algorithm_is_benched_by_its_name() {
    let home = Home::new();
    let run = |name: &str| home.run(&["bench", "--verify", "-t", "1", "-a", name]);
    let output = run("scrypt-n:N=64");
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("\nscrypt-n:N=64,r=1,p=1\n"));
    let output = run("scrypt-jan");
    assert_ne!(status(&output), 0);
    assert!(text(&output.stderr).contains("scrypt-jane?"), "{}", text(&output.stderr));
}

#[test]
fn wrong_words_are_usage() {
    let home = Home::new();
    for (words, part) in [
        (&["mine", "-u", "me"][..], "need -o"),
        (&["mine", "-o", "stratum+tcp://pool.example"][..], "no port"),
        (&["mine", "-t", "0"][..], "write auto"),
        (&["up", "--for", "soon"][..], "soon"),
        (&["dig"][..], "dig"),
        (&["up", "--mode", "production"][..], "somewhere to mine"),
        (&["up", "--config", "nowhere.yaml"][..], "nowhere.yaml"),
    ] {
        let output = home.run(words);
        assert_ne!(status(&output), 0, "{words:?}");
        assert!(text(&output.stderr).contains(part), "{part} in:\n{}", text(&output.stderr));
    }
}

/// Ports nobody else has, for a farm of two quick chains.
fn quick_farm(home: &Home) -> u16 {
    let free =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let rpc = 21_000 + (free % 3_000) * 10;
    home.write(
        "silverlode.yaml",
        &format!(
            "gateway:\n  listen: 127.0.0.1:{free}\nsimulation:\n  coins: [LTC, DOGE]\n  rpc_port: {rpc}\n  engine_rate: 500 H/s\n  min_hashes_per_block: 16\nmine:\n  threads: 1\n"
        ),
    );
    free
}

/// A farm that runs; it is ended with the test, whatever becomes of that.
struct Farm(Option<Child>);

impl Farm {
    fn start(home: &Home) -> Self {
        let mut command = home.command(&["up", "--data", "data", "--json", "--log", "json"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self(Some(child.expect("it starts")))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("only its end takes it")
    }

    fn wait(mut self) -> Output {
        self.0.take().expect("only its end takes it").wait_with_output().expect("it ends")
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

/// Reads the log until a block was accepted.
fn until_a_block(child: &mut Child) -> impl Iterator<Item = std::io::Result<String>> + use<> {
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let found = lines.by_ref().map_while(Result::ok).any(|line| {
        let parsed: Value =
            serde_json::from_str(&line).unwrap_or_else(|wrong| panic!("{line}: {wrong}"));
        parsed["message"].as_str().is_some_and(|message| message.starts_with("block accepted"))
    });
    assert!(found, "the log ended before a block was accepted");
    lines
}

#[test]
fn a_farm_runs_tells_its_state_and_stops_on_a_signal() {
    let home = Home::new();
    let port = quick_farm(&home);
    let mut farm = Farm::start(&home);
    let id = farm.child().id().to_string();
    let lines = until_a_block(farm.child());

    let output = home.run(&["services", "--data", "data"]);
    let graph = text(&output.stdout);
    assert!(graph.contains("● solo") && graph.contains("● gateway"), "{graph}");
    assert!(home.data().join("data/control.sock").exists());

    let second = home.run(&["up", "--data", "data"]);
    assert_eq!(status(&second), 1);
    let told = text(&second.stderr);
    assert!(told.contains(&id) && told.contains("--data"), "{told}");
    let taken = home.run(&["gateway", "--data", "other", "--for", "20s"]);
    let told = text(&taken.stderr);
    assert!(status(&taken) != 0 && told.contains(&port.to_string()), "{told}");

    let killed = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
    assert!(killed.success());
    // The pipe must be read, or the farm could wait to tell its last lines.
    lines.for_each(drop);
    let output = farm.wait();
    assert_eq!(status(&output), 0);
    let summary: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(summary["mode"], "educational");
    assert_eq!(summary["shares"]["rejected"], 0, "{summary:#}");
    assert!(
        summary["chains"]["DOGE"]["blocks_accepted"].as_u64() >= Some(1)
            || summary["chains"]["LTC"]["blocks_accepted"].as_u64() >= Some(1)
    );
    assert!(!home.data().join("data/control.sock").exists(), "nothing is left but the folder");
}
