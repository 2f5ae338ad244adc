//! Machines at a gateway: many Stratum clients that really hash and send what they find. Written
//! apart from the program's own client and server, so that no mistake agrees with itself.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use sl_chain::sha256d;
use sl_pow::{HEADER_LEN, Prover};
use sl_units::{ShareDifficulty, Target};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

/// Who lost the connection comes back after this.
const AGAIN: Duration = Duration::from_millis(200);
/// How often some of the machines hash.
const TICK: Duration = Duration::from_millis(10);
/// Shares of a machine that wait to be sent; more are left out.
const WAITING: usize = 64;
/// The ids of the first two calls; those of shares follow.
const SUBSCRIBE: u64 = 1;
const AUTHORIZE: u64 = 2;

/// What has happened to all machines together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineCounts {
    /// Machines that are let in at this moment.
    pub working: u64,
    /// Connections that ended.
    pub disconnects: u64,
    /// Jobs that were heard.
    pub jobs: u64,
    /// Shares that were sent.
    pub submitted: u64,
    /// Shares that were acknowledged.
    pub accepted: u64,
    /// Shares that were refused, by the code of the answer.
    pub refused: BTreeMap<i64, u64>,
    /// Shares whose answer never came, because the connection ended.
    pub unanswered: u64,
}

impl MachineCounts {
    /// Shares whose answer may still come.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.submitted - self.accepted - self.refused.values().sum::<u64>() - self.unanswered
    }
}

/// Many machines; they end when this is dropped.
#[derive(Debug)]
pub struct Machines {
    counts: watch::Sender<MachineCounts>,
    hashing: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Machines {
    /// So many machines at a gateway, `WORKER.0001` and on; all of them together make so many
    /// hashes a second, or what this computer can.
    #[must_use]
    pub fn start(
        address: SocketAddr,
        worker: &str,
        count: usize,
        hashes_per_second: u32,
        prover: Prover,
    ) -> Self {
        let (counts, hashing) = (watch::Sender::default(), watch::Sender::new(true));
        let mut tasks = JoinSet::new();
        let mut boards = Vec::new();
        for number in 1..=count {
            let (found, shares) = mpsc::channel(WAITING);
            let machine = Machine {
                address,
                worker: format!("{worker}.{number:04}"),
                work: watch::Sender::default(),
                session: 0,
                resume: None,
                counts: counts.clone(),
            };
            boards.push(Board::new(machine.work.subscribe(), found));
            tasks.spawn(machine.live(shares));
        }
        tasks.spawn(hash(boards, hashes_per_second, prover, hashing.subscribe()));
        Self { counts, hashing, _tasks: tasks }
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> MachineCounts {
        self.counts.borrow().clone()
    }

    /// Waits until the counts are as wanted.
    ///
    /// # Panics
    /// Never: the counts live as long as this.
    pub async fn until(&self, wanted: impl FnMut(&MachineCounts) -> bool) -> MachineCounts {
        let mut counts = self.counts.subscribe();
        counts.wait_for(wanted).await.expect("the sender is ours").clone()
    }

    /// They hash no further, stay connected, and take the answers that are due.
    pub fn rest(&self) {
        self.hashing.send_replace(false);
    }
}

/// What a machine hashes.
#[derive(Clone, Debug)]
struct Work {
    session: u64,
    job: Arc<Job>,
    extranonce1: Arc<[u8]>,
    extranonce2_len: usize,
    target: Target,
}

/// A job as `mining.notify` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Job {
    id: String,
    prev: [u8; 32],
    head: Vec<u8>,
    tail: Vec<u8>,
    branch: Vec<[u8; 32]>,
    version: u32,
    bits: u32,
    time: u32,
}

impl Job {
    fn heard(params: &Value) -> Option<Self> {
        let text = |at: usize| params.get(at)?.as_str();
        let bytes = |at: usize| hex::decode(text(at)?).ok();
        let number = |at: usize| u32::from_str_radix(text(at)?, 16).ok();
        let hash = |text: &str| <[u8; 32]>::try_from(hex::decode(text).ok()?).ok();
        // The previous hash comes in words of four bytes, each turned around.
        let mut prev = hash(text(1)?)?;
        prev.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        let branch = params.get(4)?.as_array()?.iter().map(|leaf| hash(leaf.as_str()?));
        Some(Self {
            id: text(0)?.to_owned(),
            prev,
            head: bytes(2)?,
            tail: bytes(3)?,
            branch: branch.collect::<Option<_>>()?,
            version: number(5)?,
            bits: number(6)?,
            time: number(7)?,
        })
    }

    /// The header with nonce 0.
    fn header(&self, extranonce1: &[u8], extranonce2: &[u8]) -> [u8; HEADER_LEN] {
        let coinbase = [&self.head, extranonce1, extranonce2, &self.tail].concat();
        let root = self.branch.iter().fold(*sha256d(&coinbase).as_bytes(), |root, leaf| {
            *sha256d(&[root, *leaf].concat()).as_bytes()
        });
        let words = [self.time, self.bits, 0].map(u32::to_le_bytes).concat();
        let header = [&self.version.to_le_bytes()[..], &self.prev, &root, &words].concat();
        header.try_into().expect("4 + 32 + 32 + 12 bytes")
    }
}

/// A share as it is sent.
#[derive(Debug)]
struct Share {
    session: u64,
    job: String,
    extranonce2: String,
    time: u32,
    nonce: u32,
}

/// The network side of a machine.
struct Machine {
    address: SocketAddr,
    worker: String,
    work: watch::Sender<Option<Work>>,
    /// Counts its connections: a share of an earlier one is not sent.
    session: u64,
    /// The session id of the last connection.
    resume: Option<String>,
    counts: watch::Sender<MachineCounts>,
}

impl Machine {
    async fn live(mut self, mut shares: mpsc::Receiver<Share>) {
        loop {
            if let Ok(stream) = TcpStream::connect(self.address).await {
                self.session += 1;
                let mut talk = Talk::default();
                let _ended = self.serve(stream, &mut talk, &mut shares).await;
                self.work.send_replace(None);
                self.resume = talk.resume.take().or_else(|| self.resume.take());
                self.counts.send_modify(|counts| {
                    counts.disconnects += 1;
                    counts.working -= u64::from(talk.is_let_in);
                    counts.unanswered += talk.waiting.len() as u64;
                });
            }
            sleep(AGAIN).await;
        }
    }

    async fn serve(
        &self,
        stream: TcpStream,
        talk: &mut Talk,
        shares: &mut mpsc::Receiver<Share>,
    ) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut subscribe = vec!["testkit/1.0"];
        subscribe.extend(self.resume.as_deref());
        let hello = [
            json!({"id": SUBSCRIBE, "method": "mining.subscribe", "params": subscribe}),
            json!({"id": AUTHORIZE, "method": "mining.authorize", "params": [self.worker, "x"]}),
        ];
        for call in hello {
            write.write_all(format!("{call}\n").as_bytes()).await?;
        }
        let mut id = AUTHORIZE;
        loop {
            // `next_line` and `recv` are cancel-safe.
            tokio::select! {
                line = lines.next_line() => match line? {
                    Some(line) => self.hear(&line, talk),
                    None => return Ok(()),
                },
                Some(share) = shares.recv() => {
                    if share.session != self.session {
                        continue;
                    }
                    id += 1;
                    talk.waiting.insert(id);
                    self.counts.send_modify(|counts| counts.submitted += 1);
                    let (time, nonce) =
                        (format!("{:08x}", share.time), format!("{:08x}", share.nonce));
                    let params =
                        json!([self.worker, share.job, share.extranonce2, time, nonce]);
                    let call = json!({"id": id, "method": "mining.submit", "params": params});
                    write.write_all(format!("{call}\n").as_bytes()).await?;
                }
            }
        }
    }

    fn hear(&self, line: &str, talk: &mut Talk) {
        let Ok(said) = serde_json::from_str::<Value>(line) else { return };
        let params = &said["params"];
        match (said["method"].as_str(), said["id"].as_u64()) {
            (Some("mining.set_difficulty"), _) => {
                let asked = params[0].as_f64().and_then(|it| ShareDifficulty::new(it).ok());
                talk.target = asked.map(Target::from);
            }
            (Some("mining.notify"), _) => {
                self.counts.send_modify(|counts| counts.jobs += 1);
                talk.job = Job::heard(params).map(Arc::new);
                // A new difficulty holds from the next job on.
                self.show(talk);
            }
            (None, Some(SUBSCRIBE)) => {
                let first = said["result"][1].as_str().and_then(|text| hex::decode(text).ok());
                talk.extranonce1 = first.map(Into::into);
                talk.extranonce2_len = said["result"][2].as_u64().unwrap_or(0) as usize;
                let topics = said["result"][0].as_array().into_iter().flatten();
                let mut topics = topics.filter(|topic| topic[0] == "mining.notify");
                talk.resume = topics.next().and_then(|topic| Some(topic[1].as_str()?.to_owned()));
                self.show(talk);
            }
            (None, Some(AUTHORIZE)) => {
                talk.is_let_in = said["result"] == true;
                self.counts.send_modify(|counts| counts.working += u64::from(talk.is_let_in));
            }
            (None, Some(id)) if talk.waiting.remove(&id) => {
                self.counts.send_modify(|counts| match said["result"] == true {
                    true => counts.accepted += 1,
                    false => {
                        let code = said["error"][0].as_i64().unwrap_or(-1);
                        *counts.refused.entry(code).or_default() += 1;
                    }
                });
            }
            _ => {}
        }
    }

    fn show(&self, talk: &Talk) {
        if let (Some(job), Some(first), Some(target)) = (&talk.job, &talk.extranonce1, talk.target)
        {
            self.work.send_replace(Some(Work {
                session: self.session,
                job: job.clone(),
                extranonce1: first.clone(),
                extranonce2_len: talk.extranonce2_len,
                target,
            }));
        }
    }
}

/// What one connection has told.
#[derive(Debug, Default)]
struct Talk {
    job: Option<Arc<Job>>,
    extranonce1: Option<Arc<[u8]>>,
    extranonce2_len: usize,
    target: Option<Target>,
    is_let_in: bool,
    resume: Option<String>,
    waiting: HashSet<u64>,
}

/// The hashing side of a machine.
struct Board {
    look: watch::Receiver<Option<Work>>,
    found: mpsc::Sender<Share>,
    work: Option<Work>,
    header: [u8; HEADER_LEN],
    /// Counts its jobs, so that none is hashed the same way twice.
    extranonce2: u64,
    nonce: u32,
}

impl Board {
    fn new(look: watch::Receiver<Option<Work>>, found: mpsc::Sender<Share>) -> Self {
        Self { look, found, work: None, header: [0; HEADER_LEN], extranonce2: 0, nonce: 0 }
    }

    /// Its turn: so many nonces.
    fn hash(&mut self, prover: &mut Prover, count: u32) {
        if self.look.has_changed().unwrap_or(false) {
            self.work = self.look.borrow_and_update().clone();
            self.nonce = 0;
            self.extranonce2 += 1;
            if let Some(work) = &self.work {
                let second = self.second(work.extranonce2_len);
                self.header = work.job.header(&work.extranonce1, &second);
            }
        }
        let Some(work) = &self.work else { return };
        for hit in prover.scan(&self.header, self.nonce, count, work.target) {
            let _left_out = self.found.try_send(Share {
                session: work.session,
                job: work.job.id.clone(),
                extranonce2: hex::encode(self.second(work.extranonce2_len)),
                time: work.job.time,
                nonce: hit.nonce(),
            });
        }
        self.nonce = self.nonce.wrapping_add(count);
    }

    fn second(&self, len: usize) -> Vec<u8> {
        let bytes = self.extranonce2.to_be_bytes();
        let mut second = vec![0; len.saturating_sub(bytes.len())];
        second.extend_from_slice(&bytes[bytes.len().saturating_sub(len)..]);
        second
    }
}

/// Gives every machine its turn.
async fn hash(
    mut boards: Vec<Board>,
    hashes_per_second: u32,
    mut prover: Prover,
    hashing: watch::Receiver<bool>,
) {
    let turn = u32::try_from(prover.lanes()).map_or(8, |lanes| lanes.max(8));
    let each_tick = f64::from(hashes_per_second) * TICK.as_secs_f64();
    let mut tick = interval(TICK);
    // A slow computer hashes less; it does not catch up.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut owed, mut at) = (0.0, 0);
    loop {
        tick.tick().await;
        if !*hashing.borrow() {
            continue;
        }
        owed += each_tick;
        while owed >= f64::from(turn) {
            owed -= f64::from(turn);
            let count = boards.len().max(1);
            if let Some(board) = boards.get_mut(at % count) {
                board.hash(&mut prover, turn);
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_a_recorded_session() {
        let text = crate::recorded("stratum/sv1_recorded_minerd_vs_foundation.json");
        let session: Value = serde_json::from_str(&text).expect("JSON");
        let messages = session["messages"].as_array().expect("a list");
        let said = |method: &str| {
            let mut all = messages.iter().map(|message| &message["json"]);
            all.find(|said| said["method"] == method).expect("it is there")["params"].clone()
        };
        let first = messages[1]["json"]["result"][1].as_str().expect("an extranonce");
        let first = hex::decode(first).expect("hex");
        let job = Job::heard(&said("mining.notify")).expect("a job");
        let shares = session["shares"].as_array().expect("a list");
        assert!(shares.len() > 50);
        for share in shares {
            let second = hex::decode(share["extranonce2"].as_str().expect("text")).expect("hex");
            let nonce = share["nonce"].as_str().expect("text");
            let nonce = u32::from_str_radix(nonce, 16).expect("hex");
            let header = sl_pow::with_nonce(&job.header(&first, &second), nonce);
            assert_eq!(hex::encode(header), share["header_hex"].as_str().expect("text"));
        }
    }
}
