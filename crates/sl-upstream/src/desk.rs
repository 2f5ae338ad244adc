use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use sl_stratum::{ErrorCode, Extranonce, Refusal, Submit};
use sl_units::{Mono, ShareDifficulty};
use sl_work::{Leased, Outcome, Pending, SourceId, WorkerName};

use self::work::{Held, PoolJob};
use crate::space::Space;

mod work;

/// The most connections with one pool; a job's number tells which one it is of.
pub(crate) const MOST_LINKS: u64 = 64;
/// Shares that wait for the pool's verdict.
const MAX_IN_FLIGHT: usize = 4096;
/// How often one share is sent, all connections together.
const MAX_SENDS: u8 = 3;

/// Which job of ours is which of the pool's, and which share of ours waits for which verdict, over
/// one connection and those that resume it. Knows no socket and no clock.
///
/// ```text
///           opened: other extranonce          authorised
///   ┌──────┐ (what was held is lost) ┌──────┐ ─────────▶ ┌──────┐
///   │ shut │ ──────────────────────▶ │ open │            │ live │ ◀─┐ shares go up
///   └──────┘ ─ same extranonce ────▶ └──────┘ ◀── cut ── └──────┘ ──┘
///      ▲       (what was held stays)     │
///      └────── cut: shares are held ─────┘   held too long: lost
/// ```
#[derive(Debug)]
pub(crate) struct Desk {
    source: SourceId,
    link: u64,
    numbers: Numbers,
    epoch: u64,
    difficulty: ShareDifficulty,
    /// Since when it is another than the newest job's.
    changed: Option<Mono>,
    /// How many times the pool's difficulty is sent up at least.
    over: f64,
    extranonce1: Extranonce,
    space: Space,
    leases: Vec<Held>,
    /// Leases that found no piece although the pool is wide enough.
    overflow: Vec<Leased>,
    jobs: VecDeque<PoolJob>,
    /// By ticket, so that the oldest is the first.
    in_flight: BTreeMap<u64, Sent>,
    next_ticket: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Shut { since: Mono },
    Open,
    Live,
}

/// Numbers that all connections with one pool share, so that none is used twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    sequence: Arc<AtomicU64>,
    epoch: Arc<AtomicU64>,
}

/// Which connection a job's number is of.
pub(crate) const fn link_of(sequence: u64) -> u64 {
    sequence % MOST_LINKS
}

/// A share that waits for the pool's verdict.
#[derive(Debug)]
struct Sent {
    pending: Pending,
    submit: Submit,
    /// What the pool credits for it.
    difficulty: f64,
    /// When it was sent over this connection; `None` while it is held.
    at: Option<Mono>,
    sends: u8,
}

/// What became of a share at the desk.
#[derive(Debug)]
pub(crate) enum Filed {
    /// To be sent under this ticket.
    Send(u64, Submit),
    /// Kept until the connection stands again.
    Held,
    /// Settled at once, without the pool.
    Settled(Settled),
}

/// A share that has its verdict.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settled {
    /// What it is.
    pub(crate) outcome: Outcome,
    /// What the pool credits for such a share.
    pub(crate) difficulty: f64,
    /// From the last sending to the verdict.
    pub(crate) took: Option<Duration>,
    /// The pool had it already: the answer to its first sending was lost, not the share.
    pub(crate) known: bool,
}

impl Desk {
    pub(crate) fn new(source: SourceId, link: u64, numbers: Numbers) -> Self {
        Self {
            source,
            link: link % MOST_LINKS,
            numbers,
            epoch: 0,
            // What pools mean before they say anything.
            difficulty: ShareDifficulty::new(1.0).expect("one is positive"),
            changed: None,
            over: 1.0,
            extranonce1: Extranonce::default(),
            space: Space::new(0),
            leases: Vec::new(),
            overflow: Vec::new(),
            jobs: VecDeque::new(),
            in_flight: BTreeMap::new(),
            next_ticket: 1,
            state: State::Shut { since: Mono::default() },
        }
    }

    /// A connection is subscribed. With the extranonce of the one before it is the same session:
    /// jobs stand, and shares wait to be sent again. Otherwise both are gone.
    pub(crate) fn opened(
        &mut self,
        extranonce1: Extranonce,
        extranonce2_len: usize,
    ) -> Vec<Settled> {
        self.state = State::Open;
        let same = self.extranonce1 == extranonce1 && self.space.len() == extranonce2_len;
        if same && !self.jobs.is_empty() {
            return Vec::new();
        }
        let lost = self.lose("the connection broke before the pool's verdict, and the pool has not resumed its session");
        self.extranonce(extranonce1, extranonce2_len);
        lost
    }

    /// The worker is let in: shares may go up. Those held are to be sent, oldest first.
    pub(crate) fn live(
        &mut self,
        user: impl Fn(&WorkerName) -> String,
        now: Mono,
    ) -> Vec<(u64, Submit)> {
        self.state = State::Live;
        let held = self.in_flight.iter_mut().filter(|(_, sent)| sent.at.is_none());
        held.map(|(ticket, sent)| {
            sent.at = Some(now);
            sent.sends = sent.sends.saturating_add(1);
            sent.submit.user = user(sent.pending.worker());
            (*ticket, sent.submit.clone())
        })
        .collect()
    }

    /// What comes from now on is held for the connection that follows.
    pub(crate) fn hold(&mut self) {
        self.state = State::Open;
    }

    /// Shares that are held.
    pub(crate) fn held(&self) -> u64 {
        self.in_flight.values().filter(|sent| sent.at.is_none()).count() as u64
    }

    /// Whether jobs of an earlier connection stand.
    pub(crate) fn stands(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// The connection is gone: there is no work for anybody, and what is in flight is held, but
    /// for what was sent too often already. `since` is when it gave the first sign of that.
    pub(crate) fn cut(&mut self, why: &str, since: Mono, now: Mono) -> Vec<Settled> {
        if !matches!(self.state, State::Shut { .. }) {
            self.state = State::Shut { since: now };
        }
        self.idle(why, since);
        let mut tired = Vec::new();
        for (ticket, sent) in &mut self.in_flight {
            sent.at = None;
            if sent.sends >= MAX_SENDS {
                tired.push(*ticket);
            }
        }
        let reason = format!(
            "sent {MAX_SENDS} times, and each time the connection broke before the pool's verdict"
        );
        tired.into_iter().filter_map(|ticket| self.lost(ticket, &reason)).collect()
    }

    /// When what is held is given up, if the pool does not come back.
    pub(crate) fn gives_up(&self, hold: Duration) -> Option<Mono> {
        let State::Shut { since } = self.state else { return None };
        (!self.in_flight.is_empty()).then(|| since + hold)
    }

    /// Everything that waits is lost.
    pub(crate) fn lose(&mut self, reason: &str) -> Vec<Settled> {
        let tickets: Vec<u64> = self.in_flight.keys().copied().collect();
        tickets.into_iter().filter_map(|ticket| self.lost(ticket, reason)).collect()
    }

    /// A share on its way up, to be sent under the name of `user`.
    pub(crate) fn file(&mut self, pending: Pending, user: String, now: Mono) -> Filed {
        let sequence = pending.share().job().id.sequence;
        let Some(job) = self.jobs.iter().find(|job| job.sequence == sequence) else {
            let reason = "the pool's connection that gave this job is gone".into();
            let difficulty = self.difficulty.get();
            return Filed::Settled(settle(pending, Outcome::Stale { reason }, difficulty));
        };
        let difficulty = job.least.get();
        if !job.counts(&pending.share().hash()) {
            let reason = "the pool has asked for harder shares since".into();
            return Filed::Settled(settle(pending, Outcome::Stale { reason }, difficulty));
        }
        let lose = |pending: Pending, reason: String| {
            Filed::Settled(settle(pending, Outcome::Lost { reason }, difficulty))
        };
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            let why = format!("{MAX_IN_FLIGHT} shares wait for the pool's verdict already");
            return lose(pending, why);
        }
        let share = pending.share();
        // The pool's extranonce2 is the lease's piece of it and the lease's free bytes.
        let prefix_len = self.space.len().saturating_sub(share.job().coinbase.free);
        let prefix = &share.job().coinbase.prefix;
        let own = prefix.get(prefix.len().saturating_sub(prefix_len)..).unwrap_or_default();
        let Ok(extranonce2) = Extranonce::new(&[own, share.extranonce()].concat()) else {
            return lose(pending, "the extranonce is longer than any pool's".into());
        };
        let submit = Submit {
            user,
            job_id: job.notify.job_id.clone(),
            extranonce2,
            ntime: share.ntime(),
            nonce: share.nonce(),
            version_bits: None,
        };
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let live = self.state == State::Live;
        let (at, sends) = if live { (Some(now), 1) } else { (None, 0) };
        let sent = Sent { pending, submit: submit.clone(), difficulty, at, sends };
        self.in_flight.insert(ticket, sent);
        if live { Filed::Send(ticket, submit) } else { Filed::Held }
    }

    /// The session could not send it now: it is held.
    pub(crate) fn unsent(&mut self, ticket: u64) {
        if let Some(sent) = self.in_flight.get_mut(&ticket) {
            sent.at = None;
        }
    }

    /// The pool has judged a share.
    pub(crate) fn verdict(
        &mut self,
        ticket: u64,
        verdict: Result<(), Refusal>,
        now: Mono,
    ) -> Option<Settled> {
        let Sent { pending, difficulty, at, sends, .. } = self.in_flight.remove(&ticket)?;
        let taken = Outcome::Accepted { credited: Vec::new(), missed: Vec::new() };
        let mut known = false;
        let outcome = match verdict {
            Ok(()) => taken,
            // The first time it arrived, and only the answer was lost.
            Err(refusal) if sends > 1 && refusal.kind() == ErrorCode::DuplicateShare => {
                known = true;
                taken
            }
            Err(refusal) if refusal.kind() == ErrorCode::JobNotFound => {
                Outcome::Stale { reason: refusal.to_string() }
            }
            // It was on its way while the pool asked for more: nobody's fault.
            Err(refusal)
                if refusal.kind() == ErrorCode::LowDifficulty
                    && difficulty < self.difficulty.get() =>
            {
                Outcome::Stale { reason: format!("{refusal}: the pool has asked for more since") }
            }
            Err(refusal) => Outcome::Rejected { reason: refusal.to_string() },
        };
        let took = at.map(|at| now.since(at));
        Some(Settled { took, known, ..settle(pending, outcome, difficulty) })
    }

    /// The name under which a share was sent.
    pub(crate) fn user(&self, ticket: u64) -> Option<&str> {
        self.in_flight.get(&ticket).map(|sent| sent.submit.user.as_str())
    }

    /// A share will get no verdict.
    pub(crate) fn lost(&mut self, ticket: u64, why: &str) -> Option<Settled> {
        let Sent { pending, difficulty, .. } = self.in_flight.remove(&ticket)?;
        Some(settle(pending, Outcome::Lost { reason: why.into() }, difficulty))
    }

    /// Since when the oldest share that was sent waits for its verdict.
    pub(crate) fn waits_since(&self) -> Option<Mono> {
        self.in_flight.values().find_map(|sent| sent.at)
    }

    /// Whether shares pile up at the pool: half of those that may wait for its verdict do.
    pub(crate) fn is_crowded(&self) -> bool {
        self.is_live() && self.in_flight.len() >= MAX_IN_FLIGHT / 2
    }

    /// Whether shares go up.
    pub(crate) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// Shares that were sent and wait for their verdict.
    pub(crate) fn sent(&self) -> usize {
        self.in_flight.values().filter(|sent| sent.at.is_some()).count()
    }

    /// What the pool asks for now.
    pub(crate) const fn difficulty(&self) -> ShareDifficulty {
        self.difficulty
    }
}

fn settle(pending: Pending, outcome: Outcome, difficulty: f64) -> Settled {
    pending.settle(outcome.clone());
    Settled { outcome, difficulty, took: None, known: false }
}

#[cfg(test)]
mod tests;
