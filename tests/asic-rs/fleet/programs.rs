//! The programs under trial: gateways and machines, ended with the value that stands for them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::kinds::Kind;

/// The binary, and a folder for settings, data and logs that goes when this ends.
pub(crate) struct Folder {
    binary: PathBuf,
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(binary: String) -> anyhow::Result<Self> {
        let binary = fs::canonicalize(&binary).with_context(|| format!("{binary} is not there"))?;
        let path = std::env::temp_dir().join(format!("silverlode-asic-rs-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self { binary, path })
    }

    fn start(&self, name: &str, words: &[&str], settings: &str) -> anyhow::Result<Program> {
        let home = self.path.join(name);
        fs::create_dir_all(&home)?;
        fs::write(home.join("silverlode.yaml"), settings)?;
        let child = Command::new(&self.binary)
            .args(words)
            .args(["--config", "silverlode.yaml", "--data", "data"])
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(home.join("log"))?)
            .spawn()
            .with_context(|| format!("{} does not start", self.binary.display()))?;
        Ok(Program { child, log: home.join("log"), name: name.to_owned() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays lies in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A silverlode that runs.
struct Program {
    child: Child,
    log: PathBuf,
    name: String,
}

impl Program {
    /// Asks it to stop and waits ten seconds; `None` when it had to be killed.
    fn stop(&mut self) -> std::io::Result<Option<bool>> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        for _ in 0..500 {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status.success()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(None)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let ended = self.stop();
        if !matches!(ended, Ok(Some(true))) {
            eprintln!("{} ended with {ended:?}:", self.name);
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// A gateway on simulated chains.
pub(crate) struct Gateway {
    _program: Program,
    port: u16,
}

impl Gateway {
    /// It listens at `port`, tells its state at the next one, and its nodes stand on those after.
    pub(crate) fn start(
        folder: &Folder,
        name: &str,
        port: u16,
        shares_per_minute: u32,
    ) -> anyhow::Result<Self> {
        let settings = format!(
            "gateway:\n  listen: 127.0.0.1:{port}\n  shares_per_minute: {shares_per_minute}\n\
             control:\n  listen: 127.0.0.1:{}\n\
             simulation:\n  coins: [LTC, DOGE]\n  rpc_port: {}\n",
            port + 1,
            port + 2,
        );
        Ok(Self { _program: folder.start(name, &["gateway"], &settings)?, port })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Accepted shares of each worker, as the gateway counts them.
    pub(crate) async fn shares(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let asked = self.get("/state/summary/gateway/workers");
        let reply = timeout(Duration::from_secs(5), asked).await??;
        let (_, body) = reply.split_once("\r\n\r\n").context("the state has no body")?;
        let rows: Vec<Value> = serde_json::from_str(body.trim())?;
        let row =
            |row: &Value| Some((row["worker"].as_str()?.to_owned(), row["accepted"].as_u64()?));
        Ok(rows.iter().filter_map(row).collect())
    }

    async fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port + 1)).await?;
        let request =
            format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        Ok(reply)
    }
}

/// Machines of one kind on a net of their own.
pub(crate) struct Twins {
    _program: Program,
    net: usize,
    pub(crate) count: usize,
}

impl Twins {
    /// `count` of them from 127.7.`net`.1 on; each presses its report button once.
    pub(crate) fn start(
        folder: &Folder,
        kind: &Kind,
        net: usize,
        count: usize,
        pool: &Gateway,
    ) -> anyhow::Result<Self> {
        let (count_word, subnet) = (count.to_string(), subnet(net, count));
        let pool = format!("stratum+tcp://127.0.0.1:{}", pool.port());
        let user = format!("farm.{net}-{{machine}}");
        let mut words = vec![
            "twin",
            "--count",
            &count_word,
            "--net",
            &subnet,
            "--model",
            kind.model,
            "--pool",
            &pool,
            "--user",
            &user,
            "--threads",
            "1",
            "--report",
        ];
        if let Some(release) = kind.release() {
            words.extend(["--firmware", release]);
        }
        let program = folder.start(&format!("{net}"), &words, "")?;
        Ok(Self { _program: program, net, count })
    }

    /// Where they are, and where asic-rs looks for them.
    pub(crate) fn subnet(&self) -> String {
        subnet(self.net, self.count)
    }

    /// The address of the machine of a number from 1.
    pub(crate) fn address(&self, number: usize) -> Ipv4Addr {
        let [net, rest] = [self.net + number / 256, number % 256].map(|octet| octet as u8);
        Ipv4Addr::new(127, 7, net, rest)
    }

    /// Its login at the pool.
    pub(crate) fn worker(&self, number: usize) -> String {
        format!("farm.{}-{}x{number}", self.net, self.net)
    }

    /// Whether a login is one of these machines'.
    pub(crate) fn owns(&self, worker: &str) -> bool {
        worker.starts_with(&format!("farm.{}-", self.net))
    }
}

/// A net with room for some machines, and addresses at which nobody is.
fn subnet(net: usize, count: usize) -> String {
    let bits = if count < 7 { 29 } else { 23 };
    format!("127.7.{net}.0/{bits}")
}
