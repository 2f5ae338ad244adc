//! Gateways as processes, and machines that work at them.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::Duration,
};

use serde_json::Value;
use sl_testkit::machines::{MachineCounts, Machines};
use sl_view::Summary;
use tokio::runtime::Runtime;

use crate::{Home, status, text};

/// How often a state is looked at, and how often at most.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 4800;

/// `silverlode gateway` in a home of its own; it is killed with the test, whatever becomes of that.
pub(super) struct Gateway {
    home: Home,
    child: Child,
}

impl Gateway {
    pub(super) fn start(settings: &str) -> Self {
        Self::start_below(&[], settings)
    }

    /// The same below another program, such as a tracer.
    pub(super) fn start_below(tracer: &[String], settings: &str) -> Self {
        let home = Home::new();
        home.write("silverlode.yaml", settings);
        Self::run(home, tracer)
    }

    fn run(home: Home, tracer: &[String]) -> Self {
        let words = ["gateway", "--data", "data", "--json", "--log", "json"];
        let mut command = home.command(&words);
        if let [tracer, rest @ ..] = tracer {
            let mut below = Command::new(tracer);
            below.args(rest).arg(command.get_program()).args(command.get_args());
            below.current_dir(home.data()).env_clear().env("HOME", home.data());
            command = below;
        }
        let log = File::options().create(true).append(true).open(home.data().join("log.jsonl"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.expect("a file"));
        Self { child: command.spawn().expect("it starts"), home }
    }

    /// Kills it, as a power cut would.
    pub(super) fn kill(mut self) -> Home {
        self.child.kill().and_then(|()| self.child.wait()).expect("it was running");
        let place = tempfile::tempdir().expect("a folder");
        std::mem::replace(&mut self.home, Home(place))
    }

    /// Starts it again where it was.
    pub(super) fn again(home: Home) -> Self {
        Self::run(home, &[])
    }

    pub(super) const fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn data(&self) -> PathBuf {
        self.home.data().join("data")
    }

    /// Looks until its state is as wanted; only a hanging test meets the end of patience.
    pub(super) fn until(&self, what: &str, wanted: impl Fn(&Summary) -> bool) -> Summary {
        for _ in 0..LOOKS {
            if let Ok(state) = sl_app::ask(&self.data())
                && wanted(&state.summary)
            {
                return state.summary;
            }
            thread::sleep(LOOK);
        }
        panic!("{what}: it never came to that\n{}", self.log());
    }

    pub(super) fn is_ready(&self) {
        self.until("a gateway", |summary| {
            summary.services.get("gateway").is_some_and(|state| state == "ready")
        });
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.home.data().join("log.jsonl")).expect("a file")
    }

    /// Stops it in order; its summary and its home.
    pub(super) fn stop(mut self) -> (Value, Home) {
        let id = sl_app::ask(&self.data()).expect("it runs").pid.to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
        assert!(killed.success());
        let mut out = self.child.stdout.take().expect("piped");
        let summary = serde_json::from_reader(&mut out).expect("one document");
        assert!(self.child.wait().expect("it ends").success(), "{}", self.log());
        let place = tempfile::tempdir().expect("a folder");
        (summary, std::mem::replace(&mut self.home, Home(place)))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Below a tracer the program is another process, and outlives it.
        if let Ok(state) = sl_app::ask(&self.data()) {
            let _ = Command::new("kill").args(["-KILL", &state.pid.to_string()]).status();
        }
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Home {
    /// What a command of the journal in `data` answers as JSON, one document a line.
    pub(super) fn journal(&self, words: &[&str]) -> Vec<Value> {
        let output = self.run(&[&["journal", "--data", "data", "--json"], words].concat());
        assert_eq!(status(&output), 0, "{words:?}: {}", text(&output.stdout));
        let lines = text(&output.stdout);
        let parse = |line| serde_json::from_str(line).expect("JSON");
        match serde_json::from_str(&lines) {
            Ok(one) => vec![one],
            Err(_) => lines.lines().map(parse).collect(),
        }
    }
}

/// Machines on threads of their own, for a test that has none.
pub(super) struct Farm {
    runtime: Runtime,
    machines: Machines,
}

impl Farm {
    pub(super) fn start(gateway: u16, count: usize, hashes_per_second: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let machines = runtime.block_on(async {
            let prover = sl_app::registry().best(sl_app::ALGORITHM).expect("a right engine");
            let at = SocketAddr::from(([127, 0, 0, 1], gateway));
            Machines::start(at, "rig", count, hashes_per_second, prover)
        });
        Self { runtime, machines }
    }

    pub(super) fn counts(&self) -> MachineCounts {
        self.machines.counts()
    }

    pub(super) fn until(
        &self,
        what: &str,
        wanted: impl FnMut(&MachineCounts) -> bool,
    ) -> MachineCounts {
        let guard = LOOK * LOOKS;
        let found = async { tokio::time::timeout(guard, self.machines.until(wanted)).await };
        match self.runtime.block_on(found) {
            Ok(counts) => counts,
            Err(_) => panic!("{what}: it never came to that: {:?}", self.counts()),
        }
    }

    /// They hash no further, and have all answers.
    pub(super) fn rest(&self) -> MachineCounts {
        self.machines.rest();
        self.until("all answers", |counts| counts.in_flight() == 0)
    }
}

/// So many free ports, each another one.
pub(super) fn ports<const N: usize>() -> [u16; N] {
    [(); N].map(|()| in_a_row(1))
}

/// The first of so many free ports in a row; below those that the system gives to connections, so
/// that a gateway finds its own again when it comes back.
fn in_a_row(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = (std::process::id() % 100) as u16 * 100;
    let next = || 22_000 + (begin + NEXT.fetch_add(count, Ordering::Relaxed)) % 10_000;
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    std::iter::repeat_with(next)
        .take(5000)
        .find(|first| (*first..first + count).all(is_free))
        .expect("some ports are free")
}

/// Two quick chains for a pool.
pub(super) fn chains() -> String {
    let rpc = in_a_row(2);
    format!(
        "simulation:\n  coins: [LTC, DOGE]\n  rpc_port: {rpc}\n  engine_rate: 1 kH/s\n  \
         min_hashes_per_block: 64\n"
    )
}
