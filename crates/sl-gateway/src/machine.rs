use std::{collections::VecDeque, future::pending, sync::Arc};

use bytes::Bytes;
use sl_stratum::{
    ErrorCode, Id, Refusal, Submit,
    server::{Input, Output, Session},
};
use sl_units::{Mono, ShareDifficulty, Target};
use sl_work::{Claim, Fault, Proven, WorkerName};
use tokio::sync::oneshot::error::RecvError;

use crate::{
    board::{Board, Issued},
    ledger::{Event, Judgement},
    slots::Taken,
    standing::{Repeated, ShareKey, Standing},
    vardiff::{Rules, Vardiff},
    verifier::{Answer, Busy, Room},
};

/// One machine: what it was told, what it sent, and its answers in the order they are due.
///
/// It owns no socket and no clock. Answers to shares leave in the order of the shares, and
/// everything else that answers waits behind them: some machines give all shares the same id.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Its number among the connections of this run.
    pub(crate) number: u64,
    pub(crate) session: Session,
    /// Its slot; `None` before it subscribes.
    pub(crate) taken: Option<Taken<Standing>>,
    pub(crate) user_agent: Option<Arc<str>>,
    pub(crate) vardiff: Vardiff,
    standing: Standing,
    rules: Rules,
    /// The epoch of the last job it was given.
    told_epoch: Option<u64>,
    workers: Vec<WorkerName>,
    due: VecDeque<Due>,
}

/// An answer that is due.
#[derive(Debug)]
enum Due {
    Line(Bytes),
    Share(Box<InFlight>),
}

/// A share that is being checked.
#[derive(Debug)]
struct InFlight {
    id: Id,
    worker: WorkerName,
    /// The first issue of its job.
    job: u64,
    key: ShareKey,
    difficulty: ShareDifficulty,
    stale: bool,
    answer: Answer,
}

/// Why a share is refused before it is hashed.
type Refused = (Refusal, Judgement);

impl Machine {
    pub(crate) fn new(number: u64, session: Session, rules: Rules, now: Mono) -> Self {
        Self {
            number,
            session,
            taken: None,
            user_agent: None,
            vardiff: Vardiff::new(rules, None, now),
            standing: Standing::default(),
            rules,
            told_epoch: None,
            workers: Vec::new(),
            due: VecDeque::new(),
        }
    }

    /// It has a slot, perhaps with what is remembered of it.
    pub(crate) fn take_slot(&mut self, mut taken: Taken<Standing>, now: Mono) {
        if let Some(standing) = taken.memory.take() {
            self.vardiff = Vardiff::new(self.rules, standing.difficulty(), now);
            self.standing = standing;
        }
        self.taken = Some(taken);
    }

    /// Its slot and what is to be remembered, at its end.
    pub(crate) fn leave(&mut self) -> Option<(u64, String, Standing)> {
        let taken = self.taken.take()?;
        Some((taken.slot, taken.session, std::mem::take(&mut self.standing)))
    }

    /// The lines that give it the board's job, the job, and its difficulty where that is new.
    pub(crate) fn job(
        &mut self,
        board: &Board,
        now: Mono,
    ) -> Option<(Vec<Bytes>, Arc<Issued>, Option<ShareDifficulty>)> {
        let issued = board.current()?;
        let epoch = issued.job.epoch;
        let clean = self.told_epoch.replace(epoch) != Some(epoch);
        let before = self.standing.difficulty();
        let difficulty = self.vardiff.for_job(issued.job.wanted, now);
        self.standing.set_difficulty(issued.sequence, difficulty);
        self.standing.prune(board.known().oldest, board.oldest_first());
        let lines = self.session.step(Input::Job { notify: issued.line(clean), difficulty });
        let lines = lines.into_iter().filter_map(|output| match output {
            Output::Send(line) => Some(line),
            _ => None,
        });
        Some((lines.collect(), issued.clone(), (before != Some(difficulty)).then_some(difficulty)))
    }

    /// The number of its slot; 0 before it subscribes.
    pub(crate) fn slot(&self) -> u64 {
        self.taken.as_ref().map_or(0, |taken| taken.slot)
    }

    /// A share: it is being checked, or refused at once, which is told.
    pub(crate) fn share(
        &mut self,
        board: &Board,
        room: Result<Room, Busy>,
        id: Id,
        submit: &Submit,
    ) -> Option<Event> {
        let worker = self.worker(&submit.user);
        match self.claim(board, room, submit) {
            Ok((job, key, difficulty, stale, answer)) => {
                let share = InFlight { id, worker, job, key, difficulty, stale, answer };
                self.due.push_back(Due::Share(Box::new(share)));
                None
            }
            Err((refusal, judgement)) => {
                let line = self.session.answer(id, Err(refusal));
                self.say(line);
                Some(Event::Judged { machine: self.number, worker, judgement })
            }
        }
    }

    /// Everything that is cheap to check comes first; then the claim goes to a verifier.
    fn claim(
        &mut self,
        board: &Board,
        room: Result<Room, Busy>,
        submit: &Submit,
    ) -> Result<(u64, ShareKey, ShareDifficulty, bool, Answer), Refused> {
        let unknown = || (ErrorCode::JobNotFound.into(), Judgement::UnknownJob);
        let taken = self.taken.as_ref().ok_or_else(unknown)?;
        let issued = board.find(&submit.job_id).ok_or_else(unknown)?;
        // A machine that was never given a job knows the id of one by chance only.
        let difficulty = self.standing.easiest_since(issued.sequence).ok_or_else(unknown)?;
        let job = &issued.job;
        let mask = self.session.version_mask() & job.header.roll_mask;
        let version = submit
            .version_bits
            .map_or(job.header.version, |bits| (job.header.version & !mask) | (bits & mask));
        let extranonce2 = submit.extranonce2.as_bytes();
        let key = ShareKey {
            extranonce2: extranonce2.iter().fold(0, |key, byte| (key << 8) | u32::from(*byte)),
            ntime: submit.ntime,
            nonce: submit.nonce,
            version,
        };
        self.standing.note(issued.first, key).map_err(|repeated| match repeated {
            Repeated::Duplicate => (ErrorCode::DuplicateShare.into(), Judgement::Duplicate),
            Repeated::TooMany => {
                let text = "too many shares of one job, raise the difficulty";
                (Refusal::new(ErrorCode::Other, text), Judgement::Busy)
            }
        })?;
        let extranonce = [taken.extranonce1.as_bytes(), extranonce2].concat();
        let target = Target::from(difficulty).easier(job.wanted);
        let checked = Claim::new(job.clone(), extranonce, version, submit.ntime, submit.nonce)
            .map_err(|fault| refused(&fault))
            .and_then(|claim| Ok(room.map_err(busy)?.check(claim, target)));
        match checked {
            Ok(answer) => Ok((issued.first, key, difficulty, !board.stands(job), answer)),
            Err(refused) => {
                self.standing.unnote(issued.first, &key);
                Err(refused)
            }
        }
    }

    /// Waits for the verdict on the share that is due; for ever when none is.
    ///
    /// Cancel-safe: the share stays due until [`settle`](Self::settle).
    pub(crate) async fn verdict(&mut self) -> Result<Result<Proven, Fault>, RecvError> {
        match self.due.front_mut() {
            Some(Due::Share(share)) => (&mut share.answer).await,
            _ => pending().await,
        }
    }

    /// Answers the share that is due.
    pub(crate) fn settle(
        &mut self,
        verdict: Result<Result<Proven, Fault>, RecvError>,
        at: Mono,
    ) -> Option<Event> {
        let share = match self.due.pop_front()? {
            Due::Share(share) => *share,
            line @ Due::Line(_) => {
                self.due.push_front(line);
                return None;
            }
        };
        let InFlight { id, worker, job, key, difficulty, stale, .. } = share;
        let (answer, judgement) = match verdict {
            Ok(Ok(proven)) => {
                self.vardiff.share();
                let answer = if stale {
                    Err(Refusal::new(ErrorCode::JobNotFound, "Stale share"))
                } else {
                    Ok(())
                };
                (answer, Judgement::Proven { share: Box::new(proven), difficulty, stale, at })
            }
            Ok(Err(fault)) => {
                self.standing.unnote(job, &key);
                let (refusal, judgement) = refused(&fault);
                (Err(refusal), judgement)
            }
            Err(_) => {
                let (refusal, judgement) = busy(Busy);
                (Err(refusal), judgement)
            }
        };
        let line = self.session.answer(id, answer);
        self.due.push_front(Due::Line(line));
        Some(Event::Judged { machine: self.number, worker, judgement })
    }

    /// An answer that is due after all that are due already.
    pub(crate) fn say(&mut self, line: Bytes) {
        self.due.push_back(Due::Line(line));
    }

    /// The next line that may leave.
    pub(crate) fn next_line(&mut self) -> Option<Bytes> {
        match self.due.pop_front()? {
            Due::Line(line) => Some(line),
            share @ Due::Share(_) => {
                self.due.push_front(share);
                None
            }
        }
    }

    /// Answers that are due.
    pub(crate) fn due(&self) -> usize {
        self.due.len()
    }

    /// The name, shared by all its shares.
    pub(crate) fn worker(&mut self, user: &str) -> WorkerName {
        if let Some(known) = self.workers.iter().find(|known| ***known == *user) {
            return known.clone();
        }
        let worker: WorkerName = user.into();
        self.workers.push(worker.clone());
        worker
    }
}

fn refused(fault: &Fault) -> Refused {
    match fault {
        Fault::LowDifficulty { .. } => (ErrorCode::LowDifficulty.into(), Judgement::LowDifficulty),
        Fault::Ntime { .. } => {
            (Refusal::new(ErrorCode::Other, &fault.to_string()), Judgement::Ntime)
        }
        _ => (Refusal::new(ErrorCode::Other, &fault.to_string()), Judgement::Malformed),
    }
}

fn busy(busy: Busy) -> Refused {
    (Refusal::new(ErrorCode::Other, &busy.to_string()), Judgement::Busy)
}
