//! One process of load, at the other end of its connection.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use crate::{
    BenchError, gateway,
    orders::{Hello, Order, Told},
    rig::Rig,
};

/// How long an order may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// A process of load has come up after so long.
const START: Duration = Duration::from_secs(30);

/// One process of load; it is ended when it is dropped.
pub(super) struct Load {
    child: Child,
    lines: Lines<BufReader<OwnedReadHalf>>,
    out: OwnedWriteHalf,
}

impl Load {
    /// Starts it on this CPU, and waits for its first word.
    pub(super) async fn start(rig: &Rig, cpu: Option<usize>) -> Result<Self, BenchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(BenchError::io("listening for a process of load"))?;
        let address = listener.local_addr().map_err(BenchError::io("listening"))?;
        let mut command = Command::new(&rig.own_program);
        command.args(["load", "--control", &address.to_string(), "--number", "0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = gateway::spawn_on(cpu, command)?;
        let accepted = timeout(START, listener.accept()).await;
        let late = |_| BenchError::Late {
            what: "a process of load".into(),
            seconds: START.as_secs(),
            log: String::new(),
        };
        let (stream, _) =
            accepted.map_err(late)?.map_err(BenchError::io("a process of load comes"))?;
        let mut load = Self::over(child, stream);
        let hello = load.line().await?;
        serde_json::from_str::<Hello>(&hello).map_err(BenchError::part)?;
        Ok(load)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    fn over(child: Child, stream: TcpStream) -> Self {
        let (read, out) = stream.into_split();
        Self { child, lines: BufReader::new(read).lines(), out }
    }

    pub(super) async fn send(&mut self, order: &Order) -> Result<(), BenchError> {
        let mut line = serde_json::to_vec(order).map_err(BenchError::part)?;
        line.push(b'\n');
        self.out.write_all(&line).await.map_err(BenchError::io("ordering a process of load"))
    }

    /// Its answer.
    pub(super) async fn told(&mut self) -> Result<Told, BenchError> {
        match serde_json::from_str(&self.line().await?).map_err(BenchError::part)? {
            Told::Failed(why) => Err(BenchError::Part(why)),
            told => Ok(told),
        }
    }

    /// Its answer, which is how many there are.
    pub(super) async fn count(&mut self) -> Result<u64, BenchError> {
        match self.told().await? {
            Told::Count(count) => Ok(count),
            other => Err(unexpected(&other, "how many there are")),
        }
    }

    async fn line(&mut self) -> Result<String, BenchError> {
        let heard = timeout(PATIENCE, self.lines.next_line()).await;
        let late = |_| BenchError::Late {
            what: "the answer of a process of load".into(),
            seconds: PATIENCE.as_secs(),
            log: String::new(),
        };
        let line = heard.map_err(late)?.map_err(BenchError::io("hearing a process of load"))?;
        line.ok_or_else(|| BenchError::Ended {
            program: "a process of load".into(),
            how: "its connection is gone".into(),
            log: String::new(),
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// It said something else than was asked.
pub(super) fn unexpected(told: &Told, expected: &'static str) -> BenchError {
    let found = format!("{told:?}").chars().take(80).collect();
    BenchError::Told { found, expected }
}
