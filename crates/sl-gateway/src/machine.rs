use std::{collections::VecDeque, future::pending, sync::Arc};

use bytes::Bytes;
use sl_stratum::{
    ErrorCode, Id, Refusal, Submit,
    server::{Input, Output, Session},
};
use sl_units::{Mono, ShareDifficulty, Target};
use sl_work::{Claim, WorkerName};
use tokio::sync::oneshot;

use crate::{
    board::{Board, Issued},
    outgoing::KEPT,
    share::{Answer, Filed, Reason, Told, Turned, refusal},
    slots::Taken,
    standing::{Repeated, ShareKey, Standing},
    vardiff::{Rules, Vardiff},
    verifier::{Busy, Room},
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
    /// The issue and the epoch of the last job it was given.
    told: Option<(u64, u64)>,
    workers: Vec<WorkerName>,
    due: VecDeque<Due>,
}

/// An answer that is due.
#[derive(Debug)]
enum Due {
    Line(Bytes),
    Share(Box<InFlight>),
}

/// A share that is being checked and recorded.
#[derive(Debug)]
struct InFlight {
    id: Id,
    /// The first issue of its job.
    job: u64,
    key: ShareKey,
    difficulty: ShareDifficulty,
    answer: Answer,
}

/// A job for a machine.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) lines: Vec<Bytes>,
    pub(crate) issued: Arc<Issued>,
    /// Its difficulty, where that is new.
    pub(crate) changed: Option<ShareDifficulty>,
}

/// A claim that may be hashed, and what is needed to answer for it.
struct Checked {
    claim: Claim,
    target: Target,
    job: u64,
    key: ShareKey,
    filed: Filed,
    answer: Answer,
}

/// Why a share is refused before it is hashed.
type Refused = (Refusal, Reason);

impl Machine {
    pub(crate) fn new(number: u64, session: Session, now: Mono) -> Self {
        Self {
            number,
            session,
            taken: None,
            user_agent: None,
            vardiff: Vardiff::new(now),
            standing: Standing::default(),
            told: None,
            workers: Vec::new(),
            due: VecDeque::new(),
        }
    }

    /// It has a slot, perhaps with what is remembered of it.
    pub(crate) fn take_slot(&mut self, mut taken: Taken<Standing>) {
        if let Some(standing) = taken.memory.take() {
            if let Some(difficulty) = standing.difficulty() {
                self.vardiff.remembers(difficulty);
            }
            self.standing = standing;
        }
        self.taken = Some(taken);
    }

    /// The difficulty that it had when it left; `None` for one that is new.
    pub(crate) fn remembered_difficulty(&self) -> Option<ShareDifficulty> {
        self.standing.difficulty()
    }

    /// Its slot, whether it had that before, and what is to be remembered, at its end.
    pub(crate) fn leave(&mut self) -> Option<(u64, bool, Standing)> {
        let taken = self.taken.take()?;
        Some((taken.slot, taken.resumed, std::mem::take(&mut self.standing)))
    }

    /// The lines that give it the board's job, and the job; `None` without one.
    pub(crate) fn job(&mut self, rules: &Rules, board: &Board, now: Mono) -> Option<Given> {
        let issued = board.current()?;
        let epoch = issued.job.epoch;
        let clean =
            self.told.replace((issued.sequence, epoch)).map(|(_, told)| told) != Some(epoch);
        let before = self.standing.difficulty();
        let difficulty = self.vardiff.for_job(rules, issued.job.wanted, now);
        self.standing.set_difficulty(issued.sequence, difficulty);
        self.standing.prune(board.known().oldest, board.oldest_first());
        let lines = self.session.step(Input::Job { notify: issued.line(clean), difficulty });
        let lines = lines.into_iter().filter_map(|output| match output {
            Output::Send(line) => Some(line),
            _ => None,
        });
        let changed = (before != Some(difficulty)).then_some(difficulty);
        Some(Given { lines: lines.collect(), issued: issued.clone(), changed })
    }

    /// Whether the board has an issue that it was not given: a later one of the same job at least.
    pub(crate) fn lacks(&self, board: &Board) -> bool {
        let told = self.told.map(|(sequence, _)| sequence);
        board.current().is_some_and(|issued| Some(issued.sequence) != told)
    }

    /// Looks at its difficulty; whether it should get another one at once.
    pub(crate) fn wants_another(&mut self, rules: &Rules, board: &Board, now: Mono) -> bool {
        let job = board.current().filter(|_| self.told.is_some());
        job.is_some_and(|issued| self.vardiff.consider(rules, issued.job.wanted, now))
    }

    /// A share: it is being checked, or refused at once, which is told.
    pub(crate) fn share(
        &mut self,
        board: &Board,
        room: Result<Room, Busy>,
        id: Id,
        submit: &Submit,
    ) -> Option<Box<Turned>> {
        let worker = self.worker(&submit.user);
        let checked = self.claim(board, submit, &worker);
        let (refusal, reason) = match (checked, room) {
            (Ok(checked), Ok(room)) => {
                let Checked { claim, target, job, key, filed, answer } = checked;
                let difficulty = filed.difficulty;
                room.check(claim, target, filed);
                let share = InFlight { id, job, key, difficulty, answer };
                self.due.push_back(Due::Share(Box::new(share)));
                return None;
            }
            (Ok(checked), Err(busy)) => {
                self.standing.unnote(checked.job, checked.key);
                (Refusal::new(ErrorCode::Other, &busy.to_string()), Reason::Busy)
            }
            (Err(refused), _) => refused,
        };
        let line = self.session.answer(id, Err(refusal));
        self.say(line);
        let (slot, difficulty) = (self.slot(), self.standing.difficulty());
        let job = board.find(&submit.job_id).map_or(0, |issued| issued.first);
        let turned = Turned { machine: self.number, slot, job, worker, difficulty, reason };
        Some(Box::new(turned))
    }

    fn slot(&self) -> u64 {
        self.taken.as_ref().map_or(0, |taken| taken.slot)
    }

    /// Everything that is cheap to check, in the order of its cost.
    fn claim(
        &mut self,
        board: &Board,
        submit: &Submit,
        worker: &WorkerName,
    ) -> Result<Checked, Refused> {
        let unknown = || (ErrorCode::JobNotFound.into(), Reason::UnknownJob);
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
        let extranonce = [taken.extranonce1.as_bytes(), extranonce2].concat();
        let claim = Claim::new(job.clone(), extranonce, version, submit.ntime, submit.nonce)
            .map_err(|fault| (refusal(&fault), Reason::of(&fault)))?;
        self.standing.note(issued.first, key).map_err(|repeated| match repeated {
            Repeated::Duplicate => (ErrorCode::DuplicateShare.into(), Reason::Duplicate),
            Repeated::TooMany => {
                let text = "too many shares of one job, raise the difficulty";
                (Refusal::new(ErrorCode::Other, text), Reason::Busy)
            }
        })?;
        let (told, answer) = oneshot::channel();
        let filed = Filed {
            machine: self.number,
            slot: taken.slot,
            worker: worker.clone(),
            job: issued.first,
            difficulty,
            stale: !board.stands(issued),
            missed: board.fallen(job),
            orphan: issued.orphan,
            answer: told,
        };
        let target = Target::from(difficulty).easier(job.wanted);
        Ok(Checked { claim, target, job: issued.first, key, filed, answer })
    }

    /// Waits for the verdict on the share that is due; for ever when none is. `None` when nobody
    /// is left who could tell it.
    ///
    /// Cancel-safe: the share stays due until [`settle`](Self::settle).
    pub(crate) async fn verdict(&mut self) -> Option<Told> {
        match self.due.front_mut() {
            Some(Due::Share(share)) => (&mut share.answer).await.ok(),
            _ => pending().await,
        }
    }

    /// Answers the share that is due.
    pub(crate) fn settle(&mut self, told: Option<&Told>) {
        let share = match self.due.pop_front() {
            Some(Due::Share(share)) => *share,
            Some(line) => return self.due.push_front(line),
            None => return,
        };
        let InFlight { id, job, key, difficulty, .. } = share;
        let answer = match told {
            Some(Told::Refused(fault)) => {
                self.standing.unnote(job, key);
                self.vardiff.rejected();
                Err(refusal(fault))
            }
            Some(told) => {
                self.vardiff.accepted(difficulty);
                told.answer()
            }
            None => {
                // It is asked to send it again, and then it is none that was sent before.
                self.standing.unnote(job, key);
                Err(Refusal::new(ErrorCode::Other, &Busy.to_string()))
            }
        };
        let line = self.session.answer(id, answer);
        self.due.push_front(Due::Line(line));
    }

    /// An answer that is due after all that are due already.
    pub(crate) fn say(&mut self, line: Bytes) {
        self.due.push_back(Due::Line(line));
    }

    /// The next line that may leave.
    pub(crate) fn next_line(&mut self) -> Option<Bytes> {
        match self.due.pop_front()? {
            Due::Line(line) => {
                if self.due.is_empty() && self.due.capacity() > KEPT {
                    // Nothing is due: an idle machine costs no queue worth the name.
                    self.due = VecDeque::new();
                }
                Some(line)
            }
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
