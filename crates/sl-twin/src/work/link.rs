use std::{collections::VecDeque, io, sync::Arc};

use sl_stratum::{
    Extranonce, LineSplitter, Password, Reconnect, Submit,
    client::{Input, Output, Session, Settings},
};
use sl_units::ShareDifficulty;
use tokio::net::TcpStream;

use super::{engine::Found, habits, job::Work};
use crate::{conf::PoolConf, machine::PoolEvent};

/// Shares of one machine that may wait for their verdict; a real one stops long before.
const IN_FLIGHT: usize = 64;

/// One connection of one machine with a pool, as a state machine: bytes in, bytes and events out.
/// It holds no buffer between lines.
#[derive(Debug)]
pub(crate) struct Link {
    session: Session,
    lines: LineSplitter,
    /// Its number; no other connection of this machine has it.
    number: u64,
    user: String,
    extranonce: Option<(Extranonce, usize)>,
    /// Holds from the next job on.
    coming: Option<(Extranonce, usize)>,
    difficulty: Option<ShareDifficulty>,
    tickets: u64,
    /// Shares without a verdict, oldest first: ticket and difficulty.
    sent: VecDeque<(u64, f64)>,
}

/// What comes of a step.
#[derive(Debug)]
pub(crate) enum Step {
    /// Bytes for the pool.
    Send(bytes::Bytes),
    /// The pool has taken the machine on, under this session.
    Session(Option<String>),
    /// Something for the counters.
    Tell(PoolEvent),
    /// A job to hash.
    Work(Arc<Work>),
    /// The pool wants the machine elsewhere.
    Move(Reconnect),
    /// The connection is of no use any more.
    End(String),
}

impl Link {
    pub(crate) fn new(number: u64, pool: &PoolConf, session: Option<String>) -> Self {
        let settings = Settings {
            user_agent: habits::USER_AGENT.into(),
            user: pool.user.clone(),
            password: Password::new(pool.pass.clone()),
            session,
            max_in_flight: IN_FLIGHT,
            ..Settings::default()
        };
        Self {
            session: Session::new(settings),
            lines: LineSplitter::new(Session::LINE_LIMIT),
            number,
            user: pool.user.clone(),
            extranonce: None,
            coming: None,
            difficulty: None,
            tickets: 0,
            sent: VecDeque::new(),
        }
    }

    pub(crate) fn connected(&mut self) -> Vec<Step> {
        let outputs = self.session.step(Input::Connected);
        self.steps(outputs)
    }

    /// Whether the machine is let in.
    pub(crate) fn is_running(&self) -> bool {
        self.session.is_running()
    }

    /// Shares without a verdict.
    pub(crate) fn in_flight(&self) -> usize {
        self.sent.len()
    }

    /// Takes what has arrived, without waiting. The buffer is on the stack, so that a silent
    /// connection holds none.
    ///
    /// # Errors
    /// The connection is closed or broken.
    pub(crate) fn read(&mut self, stream: &TcpStream) -> io::Result<Vec<Step>> {
        let mut buffer = [0; 8 * 1024];
        let mut steps = Vec::new();
        match stream.try_read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                let mut bytes = buffer.get(..count).unwrap_or_default();
                self.bytes(&mut bytes, &mut steps);
            }
            Err(wrong) if wrong.kind() == io::ErrorKind::WouldBlock => {}
            Err(wrong) => return Err(wrong),
        }
        Ok(steps)
    }

    fn bytes(&mut self, bytes: &mut &[u8], steps: &mut Vec<Step>) {
        // The splitter is set aside while its lines are used.
        let mut lines = std::mem::replace(&mut self.lines, LineSplitter::new(0));
        while let Some(line) = lines.next_line(bytes) {
            let outputs = self.session.step(Input::Line(line));
            steps.extend(self.steps(outputs));
        }
        self.lines = lines;
    }

    /// A share that the engine found. A bad one is sent with another nonce, which was not tried and
    /// misses the target but for a chance of one in its difficulty.
    pub(crate) fn found(&mut self, found: &Found, scale: f64, bad: bool) -> Vec<Step> {
        /// Nonces are tried in their order from 0; the engine does not come so far with any job.
        const FAR: u32 = 0x8000_0000;
        let difficulty = found.work.difficulty().get() * scale;
        if found.work.link != self.number {
            return vec![Step::Tell(PoolEvent::Stale(difficulty))];
        }
        self.tickets += 1;
        self.sent.push_back((self.tickets, difficulty));
        let submit = Submit {
            user: self.user.clone(),
            job_id: found.work.job_id().to_owned(),
            extranonce2: found.work.extranonce2(found.extranonce2),
            ntime: found.work.ntime(),
            nonce: if bad { found.nonce ^ FAR } else { found.nonce },
            version_bits: None,
        };
        let outputs = self.session.step(Input::Submit { ticket: self.tickets, submit });
        let best = (!bad).then(|| Step::Tell(PoolEvent::Found(found.difficulty() * scale)));
        best.into_iter().chain(self.steps(outputs)).collect()
    }

    /// The connection is gone: what waited for a verdict counts as stale.
    pub(crate) fn closed(&mut self) -> Vec<Step> {
        let outputs = self.session.step(Input::Closed);
        self.steps(outputs)
    }

    fn steps(&mut self, outputs: Vec<Output>) -> Vec<Step> {
        outputs.into_iter().filter_map(|output| self.step(output)).collect()
    }

    fn step(&mut self, output: Output) -> Option<Step> {
        match output {
            Output::Send(line) => Some(Step::Send(line)),
            Output::Subscribed(subscription) => {
                self.extranonce = Some((subscription.extranonce1, subscription.extranonce2_len));
                Some(Step::Session(subscription.session))
            }
            Output::Authorized { user, verdict: Err(refusal) } => {
                Some(Step::End(format!("the pool refuses worker {user}: {refusal}")))
            }
            Output::Difficulty(difficulty) => {
                self.difficulty = Some(difficulty);
                Some(Step::Tell(PoolEvent::Difficulty(difficulty.get())))
            }
            Output::Job(notify) => {
                self.extranonce = self.coming.take().or(self.extranonce);
                let (extranonce1, len) = self.extranonce?;
                let one = ShareDifficulty::new(1.0).ok()?;
                let difficulty = self.difficulty.unwrap_or(one);
                let work = Work::new(self.number, notify, extranonce1, len, difficulty);
                Some(Step::Work(Arc::new(work)))
            }
            Output::ExtranonceChanged { extranonce1, extranonce2_len } => {
                self.coming = Some((extranonce1, extranonce2_len));
                None
            }
            Output::Verdict { ticket, verdict } => {
                let difficulty = self.settle(ticket)?;
                Some(Step::Tell(match verdict {
                    Ok(()) => PoolEvent::Accepted(difficulty),
                    Err(_) => PoolEvent::Rejected(difficulty),
                }))
            }
            Output::Lost { ticket, .. } => Some(Step::Tell(PoolEvent::Stale(self.settle(ticket)?))),
            Output::Reconnect(reconnect) => Some(Step::Move(reconnect)),
            Output::Close(why) => Some(Step::End(why.to_string())),
            // Who is let in has no work yet.
            Output::Authorized { verdict: Ok(()), .. }
            | Output::VersionMask(_)
            | Output::Pong
            | Output::ShowMessage(_)
            | Output::Protocol(_) => None,
        }
    }

    fn settle(&mut self, ticket: u64) -> Option<f64> {
        let at = self.sent.iter().position(|(sent, _)| *sent == ticket)?;
        self.sent.remove(at).map(|(_, difficulty)| difficulty)
    }
}

#[cfg(test)]
mod tests {
    use sl_units::Hash256;

    use super::*;

    fn link() -> Link {
        let pool = PoolConf { url: String::new(), user: "w.1".into(), pass: "x".into() };
        Link::new(7, &pool, None)
    }

    fn say(link: &mut Link, lines: &str) -> Vec<Step> {
        let mut steps = Vec::new();
        link.bytes(&mut lines.as_bytes(), &mut steps);
        steps
    }

    fn sent(steps: &[Step]) -> String {
        let lines = steps.iter().filter_map(|step| match step {
            Step::Send(line) => Some(String::from_utf8_lossy(line).into_owned()),
            _ => None,
        });
        lines.collect()
    }

    fn told(steps: &[Step]) -> Vec<PoolEvent> {
        let events = steps.iter().filter_map(|step| match step {
            Step::Tell(event) => Some(*event),
            _ => None,
        });
        events.collect()
    }

    const WELCOME: &str =
        "{\"id\":1,\"result\":[[[\"mining.notify\",\"s7\"]],\"0a0b0c0d\",4],\"error\":null}\n";
    const LET_IN: &str = "{\"id\":2,\"result\":true,\"error\":null}\n\
        {\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[0.5]}\n";

    fn notify() -> String {
        let hash = "00".repeat(32);
        format!(
            "{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"j1\",\"{hash}\",\"01\",\"02\",\
             [],\"20000000\",\"207fffff\",\"6b02ea76\",true]}}\n"
        )
    }

    #[test]
    fn from_the_first_word_to_the_verdict() {
        let mut link = link();
        let first = sent(&link.connected());
        assert!(first.contains("mining.subscribe") && first.contains("cgminer/4.9.0"), "{first}");
        let steps = say(&mut link, WELCOME);
        assert!(matches!(&steps[0], Step::Session(Some(session)) if session == "s7"));
        assert!(sent(&steps).contains("\"w.1\""));
        let steps = say(&mut link, LET_IN);
        assert_eq!(told(&steps), [PoolEvent::Difficulty(0.5)]);
        let steps = say(&mut link, &notify());
        let [Step::Work(work)] = steps.as_slice() else { panic!("{steps:?}") };
        assert_eq!((work.job_id(), work.difficulty().get(), work.link), ("j1", 0.5, 7));
        let found =
            Found { work: work.clone(), extranonce2: 1, nonce: 0x1234, hash: Hash256::ZERO };
        let line = sent(&link.found(&found, 100.0, false));
        assert!(line.contains("[\"w.1\",\"j1\",\"01000000\",\"6b02ea76\",\"00001234\"]"), "{line}");
        assert_eq!(link.in_flight(), 1);
        let steps = say(&mut link, "{\"id\":3,\"result\":true,\"error\":null}\n");
        assert_eq!(told(&steps), [PoolEvent::Accepted(50.0)], "the scale is in what is told");

        let steps = link.found(&found, 100.0, true);
        assert!(sent(&steps).contains("\"80001234\""), "a nonce that was not tried");
        assert_eq!(told(&steps), [], "no best share");
        let steps = say(&mut link, "{\"id\":4,\"result\":null,\"error\":[23,\"low\",null]}\n");
        assert_eq!(told(&steps), [PoolEvent::Rejected(50.0)]);
    }

    #[test]
    fn shares_that_nobody_judges_are_stale() {
        let mut link = link();
        let _words = link.connected();
        say(&mut link, WELCOME);
        say(&mut link, LET_IN);
        let steps = say(&mut link, &notify());
        let [Step::Work(work)] = steps.as_slice() else { panic!("{steps:?}") };
        let found = Found { work: work.clone(), extranonce2: 0, nonce: 1, hash: Hash256::ZERO };
        link.found(&found, 1.0, false);
        assert_eq!(told(&link.closed()), [PoolEvent::Stale(0.5)]);
        let mut next = Link::new(8, &PoolConf::default(), None);
        assert_eq!(
            told(&next.found(&found, 1.0, false)),
            [PoolEvent::Stale(0.5)],
            "of another connection"
        );
    }
}
