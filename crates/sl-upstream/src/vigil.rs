use std::time::Duration;

use sl_units::Mono;

/// How long a pool may take for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// To subscribe and authorise; cgminer waits as long.
    pub handshake: Duration,
    /// Between two words of it.
    pub silence: Duration,
    /// For the verdict of a share.
    pub answer: Duration,
    /// A pool silent for so long is asked for a sign of life; zero never asks.
    pub ping_after: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(60),
            silence: Duration::from_secs(60),
            answer: Duration::from_secs(10),
            ping_after: Duration::from_secs(30),
        }
    }
}

/// Watches whether a pool still lives. Knows no clock.
///
/// ```text
///  connected ── handshake ──▶ gone        silent ── ping_after ──▶ asked ── silence ──▶ gone
///  a share sent ── answer ──▶ gone        every word heard begins anew
/// ```
#[derive(Debug)]
pub(crate) struct Vigil {
    patience: Patience,
    began: Mono,
    heard: Mono,
    asked: Option<Mono>,
    may_ask: bool,
}

/// What the watch says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// All is well.
    Well,
    /// Ask for a sign of life.
    Ask,
    /// The pool is gone: why, and since when what should have come did not.
    Gone { why: String, since: Mono },
}

/// What the watch goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Shares can be sent.
    pub(crate) running: bool,
    /// Since when the oldest share waits for its verdict.
    pub(crate) waits_since: Option<Mono>,
}

impl Vigil {
    /// A connection closed so soon after a question was closed for it.
    const BLAMED: Duration = Duration::from_secs(3);

    pub(crate) fn new(patience: Patience, may_ask: bool, now: Mono) -> Self {
        Self { patience, began: now, heard: now, asked: None, may_ask }
    }

    /// The pool said something.
    pub(crate) fn heard(&mut self, now: Mono) {
        self.heard = now;
        self.asked = None;
    }

    /// When to look again at the latest.
    pub(crate) fn due(&self, seen: Seen) -> Mono {
        let answer = seen.waits_since.map(|since| since + self.patience.answer);
        let word = match (seen.running, self.asks()) {
            (false, _) => self.began + self.patience.handshake,
            (true, true) if self.asked.is_none() => self.heard + self.patience.ping_after,
            (true, _) => self.heard + self.patience.silence,
        };
        answer.map_or(word, |answer| answer.min(word))
    }

    /// Looks.
    pub(crate) fn look(&mut self, seen: Seen, now: Mono) -> Watched {
        let Patience { handshake, silence, answer, ping_after } = self.patience;
        let seconds = |time: Duration| time.as_secs_f64();
        if let Some(since) = seen.waits_since.filter(|since| now.since(*since) >= answer) {
            let took = seconds(answer);
            let why = format!("the pool left a share without its verdict for {took} s");
            return Watched::Gone { why, since };
        }
        if !seen.running {
            let over = now.since(self.began) >= handshake;
            let took = seconds(handshake);
            let why = || format!("the pool has not authorised the worker within {took} s");
            let gone = || Watched::Gone { why: why(), since: self.began };
            return if over { gone() } else { Watched::Well };
        }
        let silent = now.since(self.heard);
        if silent >= silence {
            let why = format!("the pool was silent for {} s", seconds(silence));
            return Watched::Gone { why, since: self.heard };
        }
        if self.asks() && self.asked.is_none() && silent >= ping_after {
            self.asked = Some(now);
            return Watched::Ask;
        }
        Watched::Well
    }

    /// Whether the connection that closed now was closed for the question: some pools drop who says
    /// what they do not know.
    pub(crate) fn was_blamed(&self, now: Mono) -> bool {
        self.asked.is_some_and(|asked| now.since(asked) < Self::BLAMED)
    }

    fn asks(&self) -> bool {
        let Patience { silence, ping_after, .. } = self.patience;
        self.may_ask && !ping_after.is_zero() && ping_after < silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn each_patience_ends() {
        let gone = |watched: Watched, from: Mono| matches!(watched, Watched::Gone { since, .. } if since == from);
        let mut vigil = Vigil::new(Patience::default(), true, at(0));
        let shy = Seen { running: false, waits_since: None };
        assert_eq!((vigil.due(shy), vigil.look(shy, at(59))), (at(60), Watched::Well));
        assert!(gone(vigil.look(shy, at(60)), at(0)));

        let running = Seen { running: true, waits_since: None };
        vigil.heard(at(70));
        assert_eq!((vigil.due(running), vigil.look(running, at(99))), (at(100), Watched::Well));
        assert_eq!(vigil.look(running, at(100)), Watched::Ask);
        assert_eq!((vigil.due(running), vigil.look(running, at(129))), (at(130), Watched::Well));
        assert!(vigil.was_blamed(at(101)) && !vigil.was_blamed(at(110)));
        assert!(gone(vigil.look(running, at(130)), at(70)));
        vigil.heard(at(130));
        assert_eq!(vigil.look(running, at(159)), Watched::Well);

        let waiting = Seen { running: true, waits_since: Some(at(140)) };
        assert_eq!((vigil.due(waiting), vigil.look(waiting, at(149))), (at(150), Watched::Well));
        let why = "the pool left a share without its verdict for 10 s".into();
        assert_eq!(vigil.look(waiting, at(150)), Watched::Gone { why, since: at(140) });
    }

    #[test]
    fn who_drops_for_a_question_is_not_asked_again() {
        let mut vigil = Vigil::new(Patience::default(), false, at(0));
        let running = Seen { running: true, waits_since: None };
        assert_eq!((vigil.due(running), vigil.look(running, at(59))), (at(60), Watched::Well));
    }
}
