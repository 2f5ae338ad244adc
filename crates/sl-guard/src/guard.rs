use std::{net::IpAddr, time::Duration};

use sl_units::Mono;

use crate::{
    Admission, AdmissionLimits, Ban, BanRules, Bans, GuardCounters, Judged, Network, Offence, Pass,
    RefuseWhy, Refused,
};

/// Limits and rules of the one door.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct GuardLimits {
    /// Who may connect.
    pub admission: AdmissionLimits,
    /// Who is kept out.
    pub bans: BanRules,
}

/// Admission and bans behind one door, with their counters. It belongs to the task that accepts
/// connections; connections report to it by message.
#[derive(Debug)]
pub struct Guard {
    admission: Admission,
    bans: Bans,
    counters: GuardCounters,
}

impl Guard {
    /// Nobody is connected, nobody is banned.
    #[must_use]
    pub fn new(limits: GuardLimits) -> Self {
        Self {
            admission: Admission::new(limits.admission),
            bans: Bans::new(limits.bans),
            counters: GuardCounters::default(),
        }
    }

    /// Other limits from now on. No connection is ended for them.
    pub fn set_limits(&mut self, limits: GuardLimits) {
        self.admission.set_limits(limits.admission);
        self.bans.set_rules(limits.bans);
    }

    /// Admits a connection, or says why not. Behind a balancer the address is the one of the PROXY
    /// header.
    ///
    /// # Errors
    /// The peer is banned, or a limit is reached.
    pub fn connect(&mut self, address: IpAddr, now: Mono) -> Result<Pass, Refused> {
        let admitted = match self.bans.check(address, now) {
            Some(ban) => {
                let retry_after = Some(ban.until.since(now));
                Err(Refused { address, why: RefuseWhy::Banned, retry_after })
            }
            None => self.admission.connect(address, now),
        };
        self.counters.connected(&admitted);
        admitted
    }

    /// The connection has authorised.
    pub fn authorized(&mut self, pass: &mut Pass) {
        self.admission.authorized(pass);
    }

    /// The connection has ended.
    pub fn leave(&mut self, pass: Pass, _now: Mono) {
        self.admission.leave(pass);
    }

    /// Charges a peer with an offence; `valid` is how many valid shares its connection has sent
    /// since it was last reported. On [`Judged::Banned`] those of the peer's connections are to be ended
    /// that have proven no work.
    ///
    /// A peer most of whose connections have authorised is not charged for those that did not in
    /// time: some of a farm that comes back at once are always late.
    pub fn offence(&mut self, address: IpAddr, what: Offence, valid: u32, now: Mono) -> Judged {
        if what == Offence::Unauthorized && self.admission.is_mostly_authorized(address) {
            self.counters.offended(what);
            return Judged::Scored(self.bans.score(address, now));
        }
        let subnet_before = self.bans.check_subnet(address, now);
        let already = self.bans.check(address, now).is_some();
        let judged = self.bans.offence(address, what, valid, now);
        self.counters.offended(what);
        if let (Judged::Banned(_), false) = (judged, already) {
            self.counters.bans += 1;
            let escalated = !subnet_before && self.bans.check_subnet(address, now);
            self.counters.subnet_bans += u64::from(escalated);
        }
        judged
    }

    /// So many valid shares came from a peer since it was last reported, with no offence between:
    /// they are set off against its score, and the peer has proven work.
    pub fn credit(&mut self, address: IpAddr, valid: u32, now: Mono) {
        self.bans.credit(address, valid, now);
    }

    /// The ban that keeps this address out now.
    #[must_use]
    pub fn banned(&self, address: IpAddr, now: Mono) -> Option<Ban> {
        self.bans.check(address, now)
    }

    /// An operator bans a peer, a subnet or one address; see [`Bans::impose`].
    pub fn impose(&mut self, network: Network, lasts: Duration, now: Mono) -> bool {
        let imposed = self.bans.impose(network, lasts, now);
        self.counters.bans_by_operator += u64::from(imposed);
        imposed
    }

    /// An operator lifts a ban; says whether there was one.
    pub fn lift(&mut self, network: Network, now: Mono) -> bool {
        let lifted = self.bans.lift(network, now);
        self.counters.bans_lifted += u64::from(lifted);
        lifted
    }

    /// The bans that run, those that end first before the others.
    pub fn list(&self, now: Mono) -> impl Iterator<Item = Ban> {
        self.bans.list(now)
    }

    /// Connections now, and how many of them have not authorised yet.
    #[must_use]
    pub const fn connections(&self) -> (u32, u32) {
        (self.admission.connections(), self.admission.unauthorized())
    }

    /// What has been counted at this door. What connections count themselves is added to it by
    /// `+=`.
    #[must_use]
    pub fn counters(&self) -> GuardCounters {
        let mut counters = self.counters.clone();
        counters.rates_shared = self.admission.shared();
        counters.scores_forgotten = self.bans.forgotten();
        counters.bans_without_room = self.bans.no_room();
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn those_of_a_farm_that_are_late_are_no_offence_of_it() {
        let mut guard = Guard::new(GuardLimits::default());
        let (farm, silent): (IpAddr, IpAddr) = ([198, 51, 100, 1].into(), [203, 0, 113, 1].into());
        for number in 0..400 {
            let mut pass = guard.connect(farm, at(0)).expect("room");
            if number % 3 > 0 {
                guard.authorized(&mut pass);
            }
            let _ = guard.connect(silent, at(0)).expect("room");
        }
        for _ in 0..134 {
            assert_eq!(guard.offence(farm, Offence::Unauthorized, 0, at(15)), Judged::Scored(0.0));
            guard.offence(silent, Offence::Unauthorized, 0, at(15));
        }
        assert!(guard.banned(farm, at(16)).is_none() && guard.banned(silent, at(16)).is_some());
        assert_eq!(guard.counters().offences(Offence::Unauthorized), 268);
    }

    #[test]
    fn every_refusal_and_offence_is_counted() {
        let mut guard = Guard::new(GuardLimits {
            admission: AdmissionLimits { connections: 1, ..AdmissionLimits::default() },
            ..GuardLimits::default()
        });
        let (good, bad): (IpAddr, IpAddr) = ([198, 51, 100, 1].into(), [203, 0, 113, 1].into());
        let mut pass = guard.connect(good, at(0)).expect("room");
        guard.authorized(&mut pass);
        assert_eq!(guard.connections(), (1, 0));
        assert_eq!(guard.connect(bad, at(0)).map_err(|it| it.why), Err(RefuseWhy::Full));
        for _ in 0..12 {
            guard.offence(bad, Offence::Flood, 0, at(0));
        }
        guard.leave(pass, at(1));
        assert_eq!(guard.connect(bad, at(1)).map_err(|it| it.why), Err(RefuseWhy::Banned));
        assert!(guard.banned(bad, at(1)).is_some());
        assert!(guard.lift(Network::peer(bad), at(1)));
        assert!(guard.impose(Network::subnet(bad), Duration::from_secs(5), at(1)));
        let counters = guard.counters();
        assert_eq!((counters.admitted, counters.refused(RefuseWhy::Full)), (1, 1));
        assert_eq!(counters.refused(RefuseWhy::Banned), 1);
        assert_eq!((counters.offences(Offence::Flood), counters.bans), (12, 1));
        assert_eq!((counters.bans_lifted, counters.bans_by_operator), (1, 1));
    }
}
