use std::thread::JoinHandle;

use sl_pow::{Prover, Registry};
use sl_units::Target;
use sl_work::{Claim, Fault, Proven, verify};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::GatewayError;

/// Claims that wait for one thread; beyond, connections wait in the order they came, each with one
/// share, so that a flood from some delays the others but takes nothing from them.
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

/// A place for one claim at the thread of a slot.
#[derive(Debug)]
pub(crate) struct Room(mpsc::OwnedPermit<Check>);

impl Room {
    /// Hands the claim over.
    pub(crate) fn check(self, claim: Claim, target: Target) -> Answer {
        let (answer, verdict) = oneshot::channel();
        self.0.send(Check { claim, target, answer });
        verdict
    }
}

/// The thread that would check the claim is gone.
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

    /// Waits until the thread of this slot has a place for one more claim: at most as long as its
    /// queue takes. Who asked first comes first. Cancel-safe.
    pub(crate) async fn room(&self, slot: u64) -> Result<Room, Busy> {
        let count = u64::try_from(self.threads.len()).unwrap_or(1).max(1);
        let thread = usize::try_from(slot % count).ok().and_then(|index| self.threads.get(index));
        let place = thread.ok_or(Busy)?.clone().reserve_owned().await.map_err(|_| Busy)?;
        Ok(Room(place))
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

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    #[test]
    fn a_full_thread_makes_wait_in_turn_and_refuses_nobody() {
        let (send, checks) = mpsc::channel(1);
        let verifiers = Verifiers { threads: vec![send], engine: "none" };
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = pin!(verifiers.room(7));
        let Poll::Ready(Ok(place)) = first.as_mut().poll(&mut cx) else { panic!("room at first") };
        let mut second = pin!(verifiers.room(8));
        let mut third = pin!(verifiers.room(9));
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(third.as_mut().poll(&mut cx).is_pending());
        drop(place);
        assert!(third.as_mut().poll(&mut cx).is_pending(), "the second was there before");
        assert!(matches!(second.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));
        drop(checks);
        assert!(matches!(third.as_mut().poll(&mut cx), Poll::Ready(Err(Busy))));
    }
}
