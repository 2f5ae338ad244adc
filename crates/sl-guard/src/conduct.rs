//! How a connection must behave: what it may send before and after it has authorised.

use std::time::Duration;

use sl_units::Mono;

use crate::{Bucket, Offence, Rate};

/// What a connection may do. One value serves all connections.
#[derive(Clone, PartialEq, Debug)]
pub struct ConductLimits {
    /// Time to authorise, counted from the connection.
    pub authorize_within: Duration,
    /// Messages before it has authorised.
    pub messages_before: u32,
    /// Messages; who sends more is read slower.
    pub messages: Rate,
    /// Bytes; who sends more is read slower.
    pub bytes: Rate,
    /// Shares to be hashed; who sends more is read slower.
    pub shares: Rate,
    /// Time from a line's first byte to its end.
    pub line_within: Duration,
    /// After a fifth of `line_within`, an unfinished line must have come in at this many bytes a
    /// second on average; 0 asks for none.
    pub least_bytes_per_second: u32,
    /// Invalid shares in a hundred of the last ones that end the connection.
    pub invalid_percent: u32,
    /// Shares that are needed before `invalid_percent` holds; it looks at the last 500 at most.
    pub invalid_after: u32,
}

impl Default for ConductLimits {
    fn default() -> Self {
        Self {
            authorize_within: Duration::from_secs(15),
            messages_before: 20,
            messages: Rate::every(Duration::from_millis(5), 400),
            bytes: Rate::every(Duration::from_micros(15), 262_144),
            shares: Rate::every(Duration::from_millis(10), 1_000),
            line_within: Duration::from_secs(10),
            least_bytes_per_second: 16,
            invalid_percent: 50,
            invalid_after: 50,
        }
    }
}

/// What to do with the connection.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Go on.
    Ok,
    /// Go on, and read nothing for so long.
    Delay(Duration),
    /// End it.
    Close(CloseWhy),
}

/// Why a connection is ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseWhy {
    /// It did not authorise in time.
    AuthorizeTimeout,
    /// It sent too many messages without having authorised.
    TooManyBefore,
    /// A line did not end in time.
    LineTimeout,
    /// A line came in slower than allowed.
    TooSlow,
    /// Too many of its last shares were invalid.
    MostlyInvalid,
}

impl CloseWhy {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 5] = [
        Self::AuthorizeTimeout,
        Self::TooManyBefore,
        Self::LineTimeout,
        Self::TooSlow,
        Self::MostlyInvalid,
    ];

    /// The reason in one word for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::AuthorizeTimeout => "authorize_timeout",
            Self::TooManyBefore => "too_many_before",
            Self::LineTimeout => "line_timeout",
            Self::TooSlow => "too_slow",
            Self::MostlyInvalid => "mostly_invalid",
        }
    }

    /// What the peer's account with the bans is charged with.
    #[must_use]
    pub const fn offence(self) -> Offence {
        match self {
            Self::AuthorizeTimeout => Offence::Unauthorized,
            Self::TooManyBefore => Offence::Flood,
            Self::LineTimeout | Self::TooSlow => Offence::Stalled,
            Self::MostlyInvalid => Offence::MostlyInvalid,
        }
    }
}

/// What became of a share, as far as conduct goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShareOutcome {
    /// It proves work.
    Valid,
    /// It came too late. That is the network's doing and never counts.
    Stale,
    /// It proves nothing: too easy, sent before, of the wrong shape.
    Invalid,
}

/// The conduct of one connection, in 160 bytes.
///
/// ```text
///   new ─▶ before ── authorized ──▶ after
///            │                        │
///            │ authorize_within       │ line_within, least_bytes_per_second,
///            │ messages_before        │ mostly invalid shares
///            │ and those of `after`   │
///            └──────▶ closed ◀────────┘        a closed one stays closed, for its first reason
/// ```
///
/// The caller steps it with what happens and with the time at [`deadline`](Self::deadline).
#[derive(Clone, Debug)]
pub struct Conduct {
    born: Mono,
    authorized: bool,
    closed: Option<CloseWhy>,
    messages_before: u32,
    /// When the first byte of the unfinished line came, and how many have come since.
    line: Option<(Mono, u32)>,
    messages: Bucket,
    bytes: Bucket,
    shares: Bucket,
    recent: Recent,
}

impl Conduct {
    /// A connection that was made just now.
    #[must_use]
    pub fn new(now: Mono) -> Self {
        Self {
            born: now,
            authorized: false,
            closed: None,
            messages_before: 0,
            line: None,
            messages: Bucket::default(),
            bytes: Bucket::default(),
            shares: Bucket::default(),
            recent: Recent::default(),
        }
    }

    /// So many bytes came in. Each whole line among them is told by [`on_line`](Self::on_line)
    /// afterwards, and then, if bytes of an unfinished line remain, [`on_rest`](Self::on_rest).
    pub fn on_bytes(&mut self, limits: &ConductLimits, bytes: usize, now: Mono) -> Step {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let (_, held) = self.line.get_or_insert((now, 0));
        *held = held.saturating_add(bytes);
        let wait = self.bytes.spend(limits.bytes, bytes, now);
        self.step(limits, wait, now)
    }

    /// A line is complete, whatever it says.
    pub fn on_line(&mut self, limits: &ConductLimits, now: Mono) -> Step {
        self.line = None;
        if !self.authorized {
            self.messages_before = self.messages_before.saturating_add(1);
            if self.messages_before > limits.messages_before {
                return self.close(CloseWhy::TooManyBefore);
            }
        }
        let wait = self.messages.spend(limits.messages, 1, now);
        self.step(limits, wait, now)
    }

    /// After the last whole line, so many bytes of the next one are there.
    pub fn on_rest(&mut self, limits: &ConductLimits, bytes: usize, now: Mono) -> Step {
        if bytes == 0 {
            self.line = None;
        } else if self.line.is_none() {
            self.line = Some((now, u32::try_from(bytes).unwrap_or(u32::MAX)));
        }
        self.step(limits, Duration::ZERO, now)
    }

    /// The connection has authorised.
    pub fn authorized(&mut self) {
        self.authorized = true;
    }

    /// A share is about to be hashed. This is asked before, because hashing is what a flood costs.
    pub fn on_share(&mut self, limits: &ConductLimits, now: Mono) -> Step {
        let wait = self.shares.spend(limits.shares, 1, now);
        self.step(limits, wait, now)
    }

    /// What became of a share.
    pub fn on_verdict(&mut self, limits: &ConductLimits, outcome: ShareOutcome, now: Mono) -> Step {
        match outcome {
            ShareOutcome::Stale => {}
            ShareOutcome::Valid => self.recent.push(false),
            ShareOutcome::Invalid => self.recent.push(true),
        }
        let (invalid, all) = (u32::from(self.recent.invalid), u32::from(self.recent.len));
        if all >= limits.invalid_after.clamp(1, u32::from(Recent::MOST))
            && invalid * 100 >= limits.invalid_percent.saturating_mul(all)
        {
            return self.close(CloseWhy::MostlyInvalid);
        }
        self.step(limits, Duration::ZERO, now)
    }

    /// Time passed.
    pub fn on_time(&mut self, limits: &ConductLimits, now: Mono) -> Step {
        self.step(limits, Duration::ZERO, now)
    }

    /// When to call [`on_time`](Self::on_time) next if nothing else happens; `None` when time alone
    /// changes nothing.
    #[must_use]
    pub fn deadline(&self, limits: &ConductLimits) -> Option<Mono> {
        let authorize = (!self.authorized).then(|| self.born + limits.authorize_within);
        let line = self.line.map(|(since, bytes)| self.line_deadline(limits, since, bytes));
        authorize.into_iter().chain(line).min()
    }

    /// When an unfinished line is too slow or too late.
    fn line_deadline(&self, limits: &ConductLimits, since: Mono, bytes: u32) -> Mono {
        let late = since + limits.line_within;
        if limits.least_bytes_per_second == 0 {
            return late;
        }
        let paid = f64::from(bytes) / f64::from(limits.least_bytes_per_second);
        let slow = since + Duration::from_secs_f64(paid).max(limits.line_within / 5);
        late.min(slow)
    }

    /// Invalid shares and all shares among the last ones that conduct looks at.
    #[must_use]
    pub fn recent_shares(&self) -> (u16, u16) {
        (self.recent.invalid, self.recent.len)
    }

    fn step(&mut self, limits: &ConductLimits, wait: Duration, now: Mono) -> Step {
        if let Some(why) = self.closed {
            return Step::Close(why);
        }
        if !self.authorized && now.since(self.born) >= limits.authorize_within {
            return self.close(CloseWhy::AuthorizeTimeout);
        }
        if let Some((since, bytes)) = self.line {
            if now.since(since) >= limits.line_within {
                return self.close(CloseWhy::LineTimeout);
            }
            if now >= self.line_deadline(limits, since, bytes) && now > since {
                return self.close(CloseWhy::TooSlow);
            }
        }
        if wait.is_zero() {
            return Step::Ok;
        }
        if let Some((since, _)) = &mut self.line {
            // While nothing is read, the rest of the line cannot come.
            *since = (*since).max(now + wait);
        }
        Step::Delay(wait)
    }

    fn close(&mut self, why: CloseWhy) -> Step {
        Step::Close(*self.closed.get_or_insert(why))
    }
}

/// Which of the last 500 shares were invalid: a ring of bits.
#[derive(Clone, Debug, Default)]
struct Recent {
    bits: [u64; 8],
    next: u16,
    len: u16,
    invalid: u16,
}

impl Recent {
    const MOST: u16 = 500;

    fn push(&mut self, invalid: bool) {
        let bit = 1u64 << (self.next % 64);
        if let Some(word) = self.bits.get_mut(usize::from(self.next / 64)) {
            if self.len == Self::MOST {
                self.invalid -= u16::from(*word & bit != 0);
            } else {
                self.len += 1;
            }
            *word = if invalid { *word | bit } else { *word & !bit };
            self.invalid += u16::from(invalid);
        }
        self.next = (self.next + 1) % Self::MOST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Mono {
        Mono::from_start(Duration::from_secs_f64(seconds))
    }

    fn limits() -> ConductLimits {
        ConductLimits::default()
    }

    /// A connection that has authorised at second 0.
    fn machine() -> Conduct {
        let mut conduct = Conduct::new(at(0.0));
        conduct.authorized();
        conduct
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Conduct>() <= 160, "{}", size_of::<Conduct>());
    }

    #[test]
    fn authorising_has_its_time_and_its_messages() {
        let mut silent = Conduct::new(at(1.0));
        assert_eq!(silent.deadline(&limits()), Some(at(16.0)));
        assert_eq!(silent.on_time(&limits(), at(15.9)), Step::Ok);
        let late = Step::Close(CloseWhy::AuthorizeTimeout);
        assert_eq!(silent.on_time(&limits(), at(16.0)), late);
        silent.authorized();
        assert_eq!(silent.on_line(&limits(), at(16.0)), late, "closed stays closed");

        let mut chatty = Conduct::new(at(0.0));
        for _ in 0..20 {
            assert_eq!(chatty.on_line(&limits(), at(1.0)), Step::Ok);
        }
        let mut good = chatty.clone();
        assert_eq!(chatty.on_line(&limits(), at(1.0)), Step::Close(CloseWhy::TooManyBefore));
        good.authorized();
        assert_eq!(good.on_line(&limits(), at(1.0)), Step::Ok);
        assert_eq!(good.deadline(&limits()), None);
        assert_eq!(good.on_time(&limits(), at(1e6)), Step::Ok);
    }

    #[test]
    fn a_line_that_drips_ends_the_connection() {
        let mut slow = machine();
        assert_eq!(slow.on_bytes(&limits(), 1, at(100.0)), Step::Ok);
        assert_eq!(slow.deadline(&limits()), Some(at(102.0)));
        assert_eq!(slow.on_bytes(&limits(), 10, at(101.0)), Step::Ok);
        assert_eq!(slow.on_time(&limits(), at(102.0)), Step::Close(CloseWhy::TooSlow));

        let mut endless = machine();
        for second in 0..10 {
            assert_eq!(endless.on_bytes(&limits(), 17, at(second.into())), Step::Ok);
        }
        let late = endless.on_bytes(&limits(), 17, at(10.0));
        assert_eq!(late, Step::Close(CloseWhy::LineTimeout));
    }

    #[test]
    fn a_line_starts_anew_after_each_end() {
        let mut busy = machine();
        for second in 0..100 {
            let now = at(second.into());
            assert_eq!(busy.on_bytes(&limits(), 150, now), Step::Ok);
            assert_eq!(busy.on_line(&limits(), now), Step::Ok);
            assert_eq!(busy.on_rest(&limits(), 20, now), Step::Ok);
        }
        assert_eq!(busy.on_line(&limits(), at(99.5)), Step::Ok);
        assert_eq!(busy.on_rest(&limits(), 0, at(99.5)), Step::Ok);
        assert_eq!(busy.on_time(&limits(), at(1000.0)), Step::Ok);
    }

    #[test]
    fn floods_are_read_slower_and_not_closed() {
        let mut flood = machine();
        let limits = ConductLimits {
            messages: Rate::every(Duration::from_millis(5), 3),
            shares: Rate::every(Duration::from_millis(50), 2),
            bytes: Rate::every(Duration::from_millis(1), 1000),
            ..limits()
        };
        let steps: Vec<Step> = (0..4).map(|_| flood.on_line(&limits, at(0.0))).collect();
        assert_eq!(steps.last(), Some(&Step::Delay(Duration::from_millis(5))));
        assert!(steps.iter().take(3).all(|step| *step == Step::Ok));
        let steps: Vec<Step> = (0..3).map(|_| flood.on_share(&limits, at(0.0))).collect();
        assert_eq!(steps, [Step::Ok, Step::Ok, Step::Delay(Duration::from_millis(50))]);
        let delay = flood.on_bytes(&limits, 1200, at(0.0));
        assert_eq!(delay, Step::Delay(Duration::from_millis(200)));
    }

    #[test]
    fn time_in_which_nothing_is_read_is_not_the_peers() {
        let mut eager = machine();
        let limits = ConductLimits { shares: Rate::every(Duration::from_secs(1), 20), ..limits() };
        for _ in 0..20 {
            assert_eq!(eager.on_share(&limits, at(0.0)), Step::Ok);
        }
        assert_eq!(eager.on_rest(&limits, 5, at(0.0)), Step::Ok);
        let mut delay = Step::Ok;
        for _ in 0..15 {
            delay = eager.on_share(&limits, at(0.0));
        }
        assert_eq!(delay, Step::Delay(Duration::from_secs(15)));
        assert_eq!(eager.on_bytes(&limits, 40, at(15.0)), Step::Ok);
        assert_eq!(eager.deadline(&limits), Some(at(15.0 + 45.0 / 16.0)));
        assert_eq!(eager.on_time(&limits, at(18.0)), Step::Close(CloseWhy::TooSlow));
    }

    #[test]
    fn half_of_the_shares_invalid_ends_it_and_stale_never_counts() {
        let check = |shares: &[(ShareOutcome, u32)], expect: Step| {
            let mut it = machine();
            let mut step = Step::Ok;
            for (outcome, count) in shares {
                for _ in 0..*count {
                    step = it.on_verdict(&limits(), *outcome, at(1.0));
                }
            }
            assert_eq!(step, expect, "{shares:?} {:?}", it.recent_shares());
        };
        let closed = Step::Close(CloseWhy::MostlyInvalid);
        use ShareOutcome::{Invalid, Stale, Valid};
        check(&[(Invalid, 49)], Step::Ok);
        check(&[(Invalid, 50)], closed);
        check(&[(Valid, 26), (Invalid, 25)], Step::Ok);
        check(&[(Valid, 25), (Invalid, 25)], closed);
        check(&[(Stale, 1000)], Step::Ok);
        check(&[(Valid, 30), (Stale, 1000), (Invalid, 29)], Step::Ok);
        check(&[(Valid, 9000), (Invalid, 249)], Step::Ok);
        check(&[(Valid, 9000), (Invalid, 250)], closed);
        check(&[(Valid, 400), (Invalid, 150), (Valid, 500), (Invalid, 249)], Step::Ok);
    }
}
