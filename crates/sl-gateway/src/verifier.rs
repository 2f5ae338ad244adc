use std::thread::JoinHandle;

use sl_pow::{Prover, Registry};
use sl_units::Target;
use sl_work::{Claim, Fault, Proven, verify};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::GatewayError;

/// Claims that wait for one thread; beyond, machines are told that the gateway is busy.
const QUEUE: usize = 1024;

/// What a connection will hear of its claim.
pub(crate) type Answer = oneshot::Receiver<Result<Proven, Fault>>;

/// A claim that waits to be hashed.
#[derive(Debug)]
struct Check {
    claim: Claim,
    target: Target,
    answer: oneshot::Sender<Result<Proven, Fault>>,
}

/// The threads that check shares, as connections see them.
///
/// Each thread takes what waits for it, at most one header for each lane of its engine, and
/// hashes it at once: under load the lanes are full, and a lone share waits for nobody. The
/// threads end when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Verifiers {
    threads: Vec<mpsc::Sender<Check>>,
    engine: &'static str,
}

/// Too many claims wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the gateway is busy, send the share again")]
pub(crate) struct Busy;

impl Verifiers {
    /// Starts the threads; takes some tens of milliseconds for the self-test of each engine.
    pub(crate) fn start(
        registry: &Registry,
        algorithm: &str,
        threads: u16,
    ) -> Result<(Self, Vec<JoinHandle<()>>), GatewayError> {
        let mut verifiers = Self { threads: Vec::new(), engine: "" };
        let mut handles = Vec::new();
        for index in 0..threads.max(1) {
            let prover = registry.best(algorithm)?;
            for failed in prover.passed_over() {
                tracing::warn!(%failed, "an engine failed its self-test and is not used");
            }
            verifiers.engine = prover.name();
            let (send, checks) = mpsc::channel(QUEUE);
            let thread = std::thread::Builder::new().name(format!("verify-{index}"));
            handles.push(thread.spawn(move || run(prover, checks))?);
            verifiers.threads.push(send);
        }
        Ok((verifiers, handles))
    }

    /// Hands a claim to the thread of this slot.
    pub(crate) fn check(&self, slot: u64, claim: Claim, target: Target) -> Result<Answer, Busy> {
        let count = u64::try_from(self.threads.len()).unwrap_or(1).max(1);
        let thread = usize::try_from(slot % count).ok().and_then(|index| self.threads.get(index));
        let (answer, verdict) = oneshot::channel();
        thread.ok_or(Busy)?.try_send(Check { claim, target, answer }).map_err(|_| Busy)?;
        Ok(verdict)
    }

    /// Whether a thread has died.
    pub(crate) fn any_died(&self) -> bool {
        self.threads.iter().any(mpsc::Sender::is_closed)
    }

    /// The engine in use.
    pub(crate) const fn engine(&self) -> &'static str {
        self.engine
    }
}

fn run(mut prover: Prover, mut checks: mpsc::Receiver<Check>) {
    let lanes = prover.lanes().max(1);
    let mut batch = Vec::with_capacity(lanes);
    let mut headers = Vec::with_capacity(lanes);
    let mut hashed = Vec::with_capacity(lanes);
    while checks.blocking_recv_many(&mut batch, lanes) > 0 {
        headers.clear();
        headers.extend(batch.iter().map(|check| *check.claim.header()));
        hashed.clear();
        prover.batch_into(&headers, &mut hashed);
        for (check, hashed) in batch.drain(..).zip(&hashed) {
            // A connection that has gone meanwhile wants no answer.
            let _ = check.answer.send(verify(check.claim, hashed, check.target));
        }
    }
}
