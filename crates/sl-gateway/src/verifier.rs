use std::{thread::JoinHandle, time::Duration};

use sl_ports::Clock;
use sl_pow::{Prover, Registry};
use sl_units::{Mono, Target};
use sl_work::{Claim, verify};
use thiserror::Error;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{
    GatewayError,
    share::{Filed, Judged},
};

/// Claims that wait for one thread: some passes of the widest engine. Beyond, connections wait in the
/// order they came, each with one share, so that a flood from some delays the others by one share
/// of each that floods, and takes nothing from them.
const QUEUE: usize = 64;

/// A claim that waits to be hashed.
#[derive(Debug)]
struct Check {
    claim: Claim,
    target: Target,
    filed: Filed,
}

/// A thread that checks shares, as the connections of its shard see it.
///
/// It takes what waits for it, at most one header for each lane of its engine. While shares come
/// often, it first waits for more to fill the lanes, at most the wait that the settings allow; a
/// lone share waits for nobody. The thread ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    checks: mpsc::Sender<Check>,
    engine: &'static str,
}

/// A place for one claim.
#[derive(Debug)]
pub(crate) struct Room(mpsc::OwnedPermit<Check>);

impl Room {
    /// Hands the claim over; its verdict goes to the accounts, and from there to who filed it.
    pub(crate) fn check(self, claim: Claim, target: Target, filed: Filed) {
        self.0.send(Check { claim, target, filed });
    }
}

/// The thread that would check the claim is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the gateway is busy, send the share again")]
pub(crate) struct Busy;

/// What a thread needs besides its engine.
#[derive(Clone, Debug)]
pub(crate) struct Workshop {
    /// Where verdicts go.
    pub(crate) judged: mpsc::Sender<Vec<Judged>>,
    pub(crate) clock: Clock,
    /// How long a share may wait for others, so that lanes are full.
    pub(crate) batch_wait: Duration,
}

impl Verifier {
    /// Starts a thread; takes some tens of milliseconds for the self-test of its engine.
    pub(crate) fn start(
        registry: &Registry,
        algorithm: &str,
        index: usize,
        workshop: Workshop,
    ) -> Result<(Self, JoinHandle<()>), GatewayError> {
        let prover = registry.best(algorithm)?;
        for failed in prover.passed_over() {
            tracing::warn!(%failed, "an engine failed its self-test and is not used");
        }
        let engine = prover.name();
        let (checks, waiting) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name(format!("verify-{index}"));
        let handle = thread.spawn(move || run(prover, waiting, &workshop))?;
        Ok((Self { checks, engine }, handle))
    }

    /// A place for one more claim, if there is one at this instant and nobody waits for it.
    pub(crate) fn room_now(&self) -> Option<Result<Room, Busy>> {
        match self.checks.clone().try_reserve_owned() {
            Ok(permit) => Some(Ok(Room(permit))),
            Err(TrySendError::Full(_)) => None,
            Err(TrySendError::Closed(_)) => Some(Err(Busy)),
        }
    }

    /// Waits until there is a place for one more claim: at most as long as the queue takes. Who
    /// asked first comes first, as long as this is not dropped. Cancel-safe.
    pub(crate) fn room(&self) -> impl Future<Output = Result<Room, Busy>> + Send + use<> {
        let checks = self.checks.clone();
        async move { checks.reserve_owned().await.map(Room).map_err(|_| Busy) }
    }

    /// Whether the thread has died.
    pub(crate) fn has_died(&self) -> bool {
        self.checks.is_closed()
    }

    /// The engine in use.
    pub(crate) const fn engine(&self) -> &'static str {
        self.engine
    }
}

fn run(mut prover: Prover, mut checks: mpsc::Receiver<Check>, workshop: &Workshop) {
    let lanes = prover.lanes().max(1);
    let mut pace = Pace::default();
    let mut batch = Vec::with_capacity(lanes);
    let mut headers = Vec::with_capacity(lanes);
    let mut hashed = Vec::with_capacity(lanes);
    while checks.blocking_recv_many(&mut batch, lanes) > 0 {
        if let Some(wait) = pace.wait(lanes - batch.len(), workshop.batch_wait) {
            std::thread::sleep(wait);
            while batch.len() < lanes
                && let Ok(check) = checks.try_recv()
            {
                batch.push(check);
            }
        }
        pace.took(batch.len(), workshop.clock.mono());
        headers.clear();
        headers.extend(batch.iter().map(|check| *check.claim.header()));
        hashed.clear();
        prover.batch_into(&headers, &mut hashed);
        let at = workshop.clock.mono();
        let judged = batch.drain(..).zip(&hashed).map(|(check, hashed)| {
            let Check { claim, target, filed } = check;
            Judged { filed, verdict: verify(claim, hashed, target), at }
        });
        if workshop.judged.blocking_send(judged.collect()).is_err() {
            return;
        }
    }
}

/// How often shares come, so that it is known whether waiting for more pays.
#[derive(Debug, Default)]
struct Pace {
    /// The mean time between shares, of late; `None` before two batches.
    gap: Option<Duration>,
    last: Option<Mono>,
}

impl Pace {
    /// How much of the past the mean holds: a quarter of it is the newest batch.
    const NEWEST: f64 = 0.25;

    /// How long to wait for so many further shares; `None` where another is not to be expected
    /// within what is allowed.
    fn wait(&self, free: usize, allowed: Duration) -> Option<Duration> {
        let gap = self.gap.filter(|gap| *gap * 2 < allowed)?;
        let fills = gap.saturating_mul(u32::try_from(free).unwrap_or(u32::MAX));
        (!fills.is_zero()).then_some(fills.min(allowed))
    }

    /// A batch of so many was taken at this instant.
    fn took(&mut self, shares: usize, now: Mono) {
        if let Some(last) = self.last.replace(now) {
            let each = now.since(last) / u32::try_from(shares.max(1)).unwrap_or(u32::MAX);
            self.gap = Some(self.gap.map_or(each, |gap| {
                gap.mul_f64(1.0 - Self::NEWEST)
                    + each.min(Duration::from_secs(1)).mul_f64(Self::NEWEST)
            }));
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
        let (checks, waiting) = mpsc::channel(1);
        let verifier = Verifier { checks, engine: "none" };
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = pin!(verifier.room());
        let Poll::Ready(Ok(place)) = first.as_mut().poll(&mut cx) else { panic!("room at first") };
        let mut second = pin!(verifier.room());
        let mut third = pin!(verifier.room());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(third.as_mut().poll(&mut cx).is_pending());
        assert!(verifier.room_now().is_none(), "nor now");
        drop(place);
        assert!(verifier.room_now().is_none(), "the second waits for it");
        assert!(third.as_mut().poll(&mut cx).is_pending(), "the second was there before");
        assert!(matches!(second.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));
        drop(waiting);
        assert!(matches!(third.as_mut().poll(&mut cx), Poll::Ready(Err(Busy))));
        assert!(matches!(verifier.room_now(), Some(Err(Busy))));
    }

    #[test]
    fn a_lone_share_waits_for_nobody_and_a_stream_fills_the_lanes() {
        let at = |micros| Mono::from_start(Duration::from_micros(micros));
        let allowed = Duration::from_millis(5);
        let mut pace = Pace::default();
        assert_eq!(pace.wait(7, allowed), None, "nothing is known");
        for second in 0..5 {
            pace.took(1, at(second * 1_000_000));
            assert_eq!(pace.wait(7, allowed), None, "one a second");
        }
        let mut now = 4_000_000;
        for _ in 0..60 {
            now += 1000;
            pace.took(1, at(now));
        }
        let wait = pace.wait(7, allowed).expect("a thousand a second");
        assert!(wait <= allowed && wait > Duration::from_millis(4), "{wait:?}");
        assert!(pace.wait(1, allowed).expect("one more") < Duration::from_micros(1100));
        assert_eq!(pace.wait(0, allowed), None, "the lanes are full");
        assert_eq!(pace.wait(7, Duration::ZERO), None, "not allowed");
    }
}
