//! Who is kept out, for how long, and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use sl_units::Mono;

use crate::{Bounded, Network};

/// What a peer did wrong. A stale share is no offence, so it is not among these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Offence {
    /// A message that cannot be read, or that a validator refused.
    Malformed,
    /// A line over the limit.
    Oversized,
    /// More messages than are taken before authorisation.
    Flood,
    /// A line that did not come to its end.
    Stalled,
    /// No authorisation in time.
    Unauthorized,
    /// A wrong password, or a name that is not taken.
    WrongCredentials,
    /// A share that does not meet its target.
    LowDifficulty,
    /// A share that was sent before.
    Duplicate,
    /// A share of the wrong shape: lengths, time, version, a job that never was.
    BadShare,
    /// Half of its last shares or more were invalid: its connection ends, and most of a ban.
    MostlyInvalid,
}

impl Offence {
    /// All offences, in the order of their counters.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::Oversized,
        Self::Flood,
        Self::Stalled,
        Self::Unauthorized,
        Self::WrongCredentials,
        Self::LowDifficulty,
        Self::Duplicate,
        Self::BadShare,
        Self::MostlyInvalid,
    ];

    /// The offence in one word for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::Flood => "flood",
            Self::Stalled => "stalled",
            Self::Unauthorized => "unauthorized",
            Self::WrongCredentials => "wrong_credentials",
            Self::LowDifficulty => "low_difficulty",
            Self::Duplicate => "duplicate",
            Self::BadShare => "bad_share",
            Self::MostlyInvalid => "mostly_invalid",
        }
    }

    /// What it adds to the score; [`BanRules::threshold`] is 100 by default.
    #[must_use]
    pub const fn points(self) -> f64 {
        match self {
            Self::LowDifficulty | Self::Duplicate => 1.0,
            // Little, because a whole farm that comes back at once may be slow behind one address.
            Self::BadShare | Self::Unauthorized => 2.0,
            Self::Malformed => 5.0,
            Self::Oversized | Self::Flood | Self::Stalled | Self::WrongCredentials => 10.0,
            // Not a ban alone, since a farm may stand behind the address of one broken machine; a
            // ban together with the fifty shares of one that proves nothing at all.
            Self::MostlyInvalid => 60.0,
        }
    }
}

/// When somebody is banned, and for how long.
#[derive(Clone, PartialEq, Debug)]
pub struct BanRules {
    /// Score at which a peer is banned.
    pub threshold: f64,
    /// Time in which a score halves.
    pub half_life: Duration,
    /// How long the first ban lasts, the second, and so on; the last holds for all further ones.
    pub ladder: Vec<Duration>,
    /// Good conduct of this length after a ban takes one step off the ladder. So long a peer is also
    /// known to have proven work, after its last valid share.
    pub forgive_after: Duration,
    /// This many banned peers of one subnet (/24, or /56 of IPv6) at once that have proven no work,
    /// and all peers of the subnet are banned that have proven none; none never does.
    pub subnet_after: Option<u32>,
    /// Who is never banned but by an operator.
    pub spare: Vec<Network>,
    /// Scores, and bans, that are held at once.
    pub remembered: usize,
}

impl Default for BanRules {
    fn default() -> Self {
        Self {
            threshold: 100.0,
            half_life: Duration::from_secs(300),
            ladder: [60, 600, 3600].map(Duration::from_secs).to_vec(),
            forgive_after: Duration::from_secs(3600),
            subnet_after: Some(16),
            spare: Network::loopback().to_vec(),
            remembered: 65_536,
        }
    }
}

/// Why a ban was imposed, with what would have been needed for none.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum BanWhy {
    /// The score reached the threshold.
    Score {
        /// The last offence.
        last: Offence,
        /// The score with it.
        score: f64,
        /// The threshold; one point less would have been no ban.
        threshold: f64,
    },
    /// Too many peers of the subnet are banned.
    Neighbours {
        /// Banned peers.
        banned: u32,
        /// How many it takes.
        allowed: u32,
    },
    /// An operator said so.
    Operator,
}

/// One ban.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ban {
    /// Who is kept out.
    pub network: Network,
    /// When it began.
    pub since: Mono,
    /// When it ends.
    pub until: Mono,
    /// How often its holder has been banned, this time included, less what was forgiven.
    pub times: u32,
    /// Why.
    pub why: BanWhy,
}

/// What an offence led to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Judged {
    /// The peer is never banned.
    Spared,
    /// The score stands at this now.
    Scored(f64),
    /// The peer is banned: end those of its connections that have proven no work.
    Banned(Ban),
    /// The peer should be banned, and there are as many bans as can be held: end this connection.
    NoRoom,
}

#[derive(Clone, Copy, Default, Debug)]
struct Score {
    points: f64,
    at: Mono,
    /// When valid shares of it were last reported.
    proven: Option<Mono>,
}

impl Score {
    fn now(self, half_life: Duration, now: Mono) -> f64 {
        let halvings = now.since(self.at).as_secs_f64() / half_life.as_secs_f64().max(1e-3);
        self.points * (-halvings).exp2()
    }
}

/// Scores of peers, and who is banned.
///
/// ```text
///   unknown ── offence ──▶ scored ── threshold ──▶ banned ── time, or lifted ──▶ remembered
///      ▲                     │ ▲                     ▲                               │
///      └──── decay ──────────┘ └── valid shares      └── threshold: one step up ─────┤
///      └──────────────────────────── forgiven step by step ──────────────────────────┘
/// ```
///
/// A valid share takes a point off the score, never below zero. So an address behind which a whole
/// farm stands is banned by the share of what is wrong, not by its number. One that has proven work
/// lately is never kept out for longer than the first step of the ladder, nor for its neighbours.
///
/// Memory: `remembered` scores and as many bans, of 48 and 120 bytes or so. A full table of scores forgets
/// the longest untouched. A running ban is never forgotten for another: at the bound the ban that
/// ran out first goes, and if all are running, a new offender is [`Judged::NoRoom`], counted.
#[derive(Debug)]
pub struct Bans {
    rules: BanRules,
    scores: Bounded<Network, Score>,
    /// In the order of addresses, so that a subnet's are side by side.
    bans: BTreeMap<Network, Ban>,
    ends: BTreeSet<(Mono, Network)>,
    no_room: u64,
}

impl Bans {
    /// Nobody is banned yet.
    #[must_use]
    pub fn new(rules: BanRules) -> Self {
        Self {
            scores: Bounded::new(rules.remembered),
            bans: BTreeMap::new(),
            ends: BTreeSet::new(),
            no_room: 0,
            rules,
        }
    }

    /// Other rules from now on; bans that run go on. `remembered` holds for bans at once, for
    /// scores from the next start on.
    pub fn set_rules(&mut self, rules: BanRules) {
        self.rules = rules;
    }

    /// The ban that keeps this address out now; of several the one that lasts longest.
    #[must_use]
    pub fn check(&self, address: IpAddr, now: Mono) -> Option<Ban> {
        let mut found = self.running(Network::peer(address), now);
        for network in [Network::subnet(address), Network::exact(address)] {
            let mut other = self.running(network, now);
            let by_neighbours = |ban: &Ban| matches!(ban.why, BanWhy::Neighbours { .. });
            if other.as_ref().is_some_and(by_neighbours) && self.has_proven(address, now) {
                other = None;
            }
            if other.map(|ban| ban.until) > found.map(|ban| ban.until) {
                found = other;
            }
        }
        found
    }

    /// Whether the subnet of this address is banned as a whole now.
    #[must_use]
    pub fn check_subnet(&self, address: IpAddr, now: Mono) -> bool {
        self.running(Network::subnet(address), now).is_some()
    }

    /// Whether a peer has proven work lately.
    fn has_proven(&self, address: IpAddr, now: Mono) -> bool {
        let proven = self.scores.get(&Network::peer(address)).and_then(|score| score.proven);
        proven.is_some_and(|at| now.since(at) < self.rules.forgive_after)
    }

    fn running(&self, network: Network, now: Mono) -> Option<Ban> {
        self.bans.get(&network).copied().filter(|ban| ban.until > now)
    }

    /// Charges a peer with an offence. `valid` is how many valid shares its connection has sent
    /// since it was last reported; they are credited first.
    pub fn offence(&mut self, address: IpAddr, what: Offence, valid: u32, now: Mono) -> Judged {
        if self.rules.spare.iter().any(|it| it.contains(address)) {
            return Judged::Spared;
        }
        let peer = Network::peer(address);
        if let Some(ban) = self.running(peer, now) {
            return Judged::Banned(ban);
        }
        let threshold = self.rules.threshold;
        let Some(held) = self.credited(peer, valid, now) else { return Judged::NoRoom };
        held.points += what.points();
        let score = held.points;
        if score < threshold {
            return Judged::Scored(score);
        }
        held.points = 0.0;
        if held.proven.is_none() {
            self.scores.remove(&peer);
        }
        let why = BanWhy::Score { last: what, score, threshold };
        match self.climb(peer, why, now) {
            Some(ban) => {
                self.escalate(address, now);
                Judged::Banned(ban)
            }
            None => Judged::NoRoom,
        }
    }

    /// So many valid shares came from a peer: each takes a point off its score, never below zero.
    pub fn credit(&mut self, address: IpAddr, valid: u32, now: Mono) {
        if !self.rules.spare.iter().any(|it| it.contains(address)) {
            self.credited(Network::peer(address), valid, now);
        }
    }

    /// The score of a peer at this instant, less its valid shares; none where there is no room.
    fn credited(&mut self, peer: Network, valid: u32, now: Mono) -> Option<&mut Score> {
        let half_life = self.rules.half_life;
        let held = self.scores.touch(&peer, |_| true, Score::default)?;
        held.points = (held.now(half_life, now) - f64::from(valid)).max(0.0);
        held.at = now;
        if valid > 0 {
            held.proven = Some(now);
        }
        Some(held)
    }

    /// Bans for as long as the ladder says: for its first step whoever has proven work.
    fn climb(&mut self, network: Network, why: BanWhy, now: Mono) -> Option<Ban> {
        let before = self.bans.get(&network).map_or(0, |ban| {
            if self.has_proven(network.base(), now) {
                return 0;
            }
            let good = now.since(ban.until).as_secs_f64();
            let forgiven = good / self.rules.forgive_after.as_secs_f64().max(1e-3);
            ban.times.saturating_sub(forgiven as u32)
        });
        let ladder = &self.rules.ladder;
        let step = ladder.get(before as usize).or(ladder.last()).copied().unwrap_or_default();
        let ban = Ban { network, since: now, until: now + step, times: before + 1, why };
        self.enter(ban, now).then_some(ban)
    }

    fn enter(&mut self, ban: Ban, now: Mono) -> bool {
        let known = self.bans.contains_key(&ban.network);
        while !known && self.bans.len() >= self.rules.remembered {
            match self.ends.first().copied() {
                Some((until, network)) if until <= now => self.forget(network),
                _ => {
                    self.no_room += 1;
                    return false;
                }
            }
        }
        self.forget(ban.network);
        self.ends.insert((ban.until, ban.network));
        self.bans.insert(ban.network, ban);
        true
    }

    fn forget(&mut self, network: Network) {
        if let Some(ban) = self.bans.remove(&network) {
            self.ends.remove(&(ban.until, network));
        }
    }

    /// Bans the subnet of a newly banned peer when too many of its peers are banned that have proven
    /// nothing.
    fn escalate(&mut self, address: IpAddr, now: Mono) {
        let subnet = Network::subnet(address);
        let Some(allowed) = self.rules.subnet_after else { return };
        if self.running(subnet, now).is_some() {
            return;
        }
        if self.has_proven(address, now) {
            return;
        }
        let own = Network::peer(address).prefix();
        let banned = self
            .bans
            .range(subnet..)
            .take_while(|(it, _)| subnet.contains(it.base()))
            .filter(|(it, ban)| it.prefix() == own && ban.until > now)
            .filter(|(it, _)| !self.has_proven(it.base(), now))
            .count();
        let banned = u32::try_from(banned).unwrap_or(u32::MAX);
        if banned >= allowed.max(1) {
            self.climb(subnet, BanWhy::Neighbours { banned, allowed }, now);
        }
    }

    /// An operator bans a network: one peer ([`Network::peer`]), one subnet ([`Network::subnet`])
    /// or one exact address; others would never be found, and are refused with `false`, as is one
    /// for which there is no room.
    pub fn impose(&mut self, network: Network, lasts: Duration, now: Mono) -> bool {
        let base = network.base();
        let kinds = [Network::peer(base), Network::subnet(base), Network::exact(base)];
        let times = self.bans.get(&network).map_or(0, |ban| ban.times);
        let until = now + lasts;
        let ban = Ban { network, since: now, until, times, why: BanWhy::Operator };
        kinds.contains(&network) && self.enter(ban, now)
    }

    /// An operator lifts a ban, and forgets the steps of the ladder and the score with it. Says
    /// whether there was one.
    pub fn lift(&mut self, network: Network, now: Mono) -> bool {
        let ran = self.running(network, now).is_some();
        self.forget(network);
        self.scores.remove(&network);
        ran
    }

    /// The bans that run, those that end first before the others.
    pub fn list(&self, now: Mono) -> impl Iterator<Item = Ban> {
        let running = self.ends.iter().skip_while(move |(until, _)| *until <= now);
        running.filter_map(|(_, network)| self.bans.get(network).copied())
    }

    /// A peer's score now; zero for one of whom nothing is held.
    #[must_use]
    pub fn score(&self, address: IpAddr, now: Mono) -> f64 {
        let held = self.scores.get(&Network::peer(address)).copied().unwrap_or_default();
        held.now(self.rules.half_life, now)
    }

    /// Scores that made room for others, since the start.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.scores.evicted()
    }

    /// Bans for which there was no room, since the start.
    #[must_use]
    pub const fn no_room(&self) -> u64 {
        self.no_room
    }
}

#[cfg(test)]
mod tests;
