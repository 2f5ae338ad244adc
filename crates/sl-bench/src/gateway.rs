//! The program to be measured, run as an operator would, on a CPU of its own.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, sleep},
};

use crate::{BenchError, rig::Rig};

/// It ends by itself after so long, whatever became of the leader.
const LONGEST: &str = "15m";
/// How often its state is asked for.
const LOOK: Duration = Duration::from_millis(20);
/// How long it may take to end when it is told to.
const END: Duration = Duration::from_secs(20);
/// Lines of its log that an error shows.
const LOG_LINES: usize = 8;

/// A gateway that runs; it is killed when it is dropped.
pub(crate) struct Gateway {
    child: Child,
    data: PathBuf,
}

/// What a gateway is run with.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Its data folder.
    pub(crate) data: PathBuf,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its settings as a file has them.
    pub(crate) settings: String,
}

impl Gateway {
    /// Starts it, and waits until it serves machines.
    pub(crate) async fn start(rig: &Rig, plan: &Plan) -> Result<Self, BenchError> {
        let gateway = Self::spawn(rig, plan)?;
        gateway
            .until("the gateway to serve machines", Duration::from_secs(30), |state| {
                state.pointer("/summary/services/gateway").is_some_and(|it| it == "ready")
            })
            .await?;
        Ok(gateway)
    }

    /// Starts it.
    pub(crate) fn spawn(rig: &Rig, plan: &Plan) -> Result<Self, BenchError> {
        let data = plan.data.clone();
        let wrong = || BenchError::io(format!("preparing {}", data.display()));
        fs::create_dir_all(&data).map_err(wrong())?;
        let config = data.join("bench.yaml");
        fs::write(&config, &plan.settings).map_err(wrong())?;
        let summary = File::create(data.join("summary.json")).map_err(wrong())?;
        let log = File::options().create(true).append(true).open(data.join("bench.log"));
        let log = log.map_err(wrong())?;
        let mut command = Command::new(&rig.program);
        command.args(["gateway", "--json", "--log", "json", "--for", LONGEST, "--config"]);
        command.arg(&config).arg("--data").arg(&data);
        command.stdin(Stdio::null()).stdout(summary).stderr(log);
        let child = spawn_on(rig.gateway_cpu, command)?;
        Ok(Self { child, data })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its state tree, by the control door.
    pub(crate) async fn state(&self) -> Result<Value, BenchError> {
        let wrong = || BenchError::io("asking the gateway for its state");
        let mut stream =
            UnixStream::connect(self.data.join("control.sock")).await.map_err(wrong())?;
        let words = "GET /state HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(words.as_bytes()).await.map_err(wrong())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map_err(wrong())?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).map_err(BenchError::part)
    }

    /// Looks until its state is as wanted.
    pub(crate) async fn until(
        &self,
        what: &str,
        patience: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, BenchError> {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if let Ok(state) = self.state().await
                && wanted(&state)
            {
                return Ok(state);
            }
            sleep(LOOK).await;
        }
        let (what, seconds) = (what.to_owned(), patience.as_secs());
        Err(BenchError::Late { what, seconds, log: log_of(&self.data) })
    }

    /// CPU time of its threads so far.
    pub(crate) fn cpu(&self) -> Cpu {
        Cpu::of(self.id())
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let row = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = row.and_then(|row| row.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or_default() * 1024
    }

    /// Ends it at this instant, as a power cut would.
    pub(crate) fn kill(mut self) -> Result<(), BenchError> {
        self.child.kill().map_err(BenchError::io("killing the gateway"))?;
        self.child.wait().map_err(BenchError::io("killing the gateway"))?;
        Ok(())
    }

    /// Ends it in order: its summary.
    pub(crate) async fn stop(mut self) -> Result<Value, BenchError> {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| BenchError::Part("the gateway has no process id".into()))?;
        kill_process(id, Signal::TERM)
            .map_err(|wrong| BenchError::io("ending the gateway")(wrong.into()))?;
        let end = Instant::now() + END;
        loop {
            match self.child.try_wait().map_err(BenchError::io("ending the gateway"))? {
                Some(status) if status.success() => break,
                Some(status) => {
                    let (program, how) = ("the gateway".into(), status.to_string());
                    return Err(BenchError::Ended { program, how, log: log_of(&self.data) });
                }
                None if Instant::now() > end => {
                    let (what, seconds) = ("the gateway to end".into(), END.as_secs());
                    return Err(BenchError::Late { what, seconds, log: log_of(&self.data) });
                }
                None => sleep(LOOK).await,
            }
        }
        let summary = fs::read(self.data.join("summary.json"));
        let summary = summary.map_err(BenchError::io("reading the gateway's summary"))?;
        serde_json::from_slice(&summary).map_err(BenchError::part)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(data: &Path) -> String {
    let log = fs::read_to_string(data.join("bench.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
    if last.is_empty() { String::new() } else { format!("\n{}", last.join("\n")) }
}

/// Starts a program on this CPU, which it inherits from the thread that starts it.
pub(crate) fn spawn_on(cpu: Option<usize>, mut command: Command) -> Result<Child, BenchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start = move || {
        if let Some(cpu) = cpu {
            sl_ports::affinity::keep_this_thread_to(&[cpu])?;
        }
        command.spawn()
    };
    let started = std::thread::spawn(start).join();
    let started = started.map_err(|_| BenchError::Part("a thread that starts died".into()))?;
    started.map_err(BenchError::io(format!("starting {program}")))
}

/// CPU time of a process by its threads' names, in seconds. Its grain is a hundredth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpu(BTreeMap<String, Used>);

/// CPU time of a thread, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Used {
    /// In the program and in the kernel.
    all: f64,
    /// In the kernel alone: reading, writing, waking.
    kernel: f64,
}

impl Cpu {
    /// Ticks a second in `/proc`, the same on every Linux (proc(5), `USER_HZ`).
    pub(crate) const TICKS: f64 = 100.0;

    pub(crate) fn of(process: u32) -> Self {
        let mut by_name = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            if let Some((name, user, kernel)) = read_stat(&stat) {
                let used: &mut Used = by_name.entry(name).or_default();
                used.all += (user + kernel) as f64 / Self::TICKS;
                used.kernel += kernel as f64 / Self::TICKS;
            }
        }
        Self(by_name)
    }

    pub(crate) fn total_s(&self) -> f64 {
        self.0.values().map(|used| used.all).sum()
    }

    /// In the kernel, of all threads.
    pub(crate) fn kernel_s(&self) -> f64 {
        self.0.values().map(|used| used.kernel).sum()
    }

    /// Of threads whose names begin so.
    pub(crate) fn of_threads(&self, begin: &str) -> f64 {
        self.0.iter().filter(|(name, _)| name.starts_with(begin)).map(|(_, used)| used.all).sum()
    }

    /// What was used since an earlier look.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let used = self.0.iter().map(|(name, now)| {
            let before = before.0.get(name).copied().unwrap_or_default();
            let since = Used { all: now.all - before.all, kernel: now.kernel - before.kernel };
            (name.clone(), since)
        });
        Self(used.collect())
    }
}

/// Name and CPU ticks of a thread, in the program and in the kernel, from its line in `/proc`
/// (proc(5)).
fn read_stat(stat: &str) -> Option<(String, u64, u64)> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut words = rest.split_whitespace().skip(11);
    let mut ticks = || words.next()?.parse::<u64>().ok();
    Some((name.to_owned(), ticks()?, ticks()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threads_line_is_read_whatever_its_name_is() {
        let line = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        assert_eq!(read_stat(line), Some(("a) b".to_owned(), 250, 50)));
        assert_eq!(read_stat("12 (short) S 1"), None);
        let cpu = |all, kernel| Cpu(BTreeMap::from([("verify-0".into(), Used { all, kernel })]));
        let used = cpu(3.5, 0.5).since(&cpu(1.0, 0.25));
        assert_eq!((used.total_s(), used.kernel_s()), (2.5, 0.25));
        assert_eq!((used.of_threads("verify"), used.of_threads("x")), (2.5, 0.0));
    }
}
