//! Who may connect: limits on connections before anything is read from them.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use sl_units::Mono;
use thiserror::Error;

use crate::{Buckets, Network, Rate};

/// How many may connect, and how fast.
#[derive(Clone, PartialEq, Debug)]
pub struct AdmissionLimits {
    /// Most connections at once.
    pub connections: u32,
    /// Most connections at once that have not authorised yet.
    pub unauthorized: u32,
    /// Most connections at once of one peer; none sets no limit, because whole farms stand behind
    /// one address.
    pub per_address: Option<u32>,
    /// Most connections at once of one subnet (/24, or /56 of IPv6).
    pub per_subnet: Option<u32>,
    /// Most connections at once of one peer that have not authorised yet.
    pub unauthorized_per_address: Option<u32>,
    /// New connections of one peer.
    pub connects_per_address: Rate,
    /// New connections of one subnet.
    pub connects_per_subnet: Rate,
    /// Peers that only the two limits on all connections hold for.
    pub spare: Vec<Network>,
    /// Peers, and subnets, whose rate of connecting is remembered.
    pub remembered: usize,
}

impl Default for AdmissionLimits {
    /// Fit for 10,000 machines behind one address that all come back within two minutes.
    fn default() -> Self {
        Self {
            connections: 10_000,
            unauthorized: 10_000,
            per_address: None,
            per_subnet: None,
            unauthorized_per_address: Some(2_000),
            connects_per_address: Rate::every(Duration::from_millis(10), 5_000),
            connects_per_subnet: Rate::every(Duration::from_micros(2_500), 20_000),
            spare: Network::loopback().to_vec(),
            remembered: 65_536,
        }
    }
}

/// Why a connection is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefuseWhy {
    /// The peer or its subnet is banned.
    Banned,
    /// All connections are in use.
    Full,
    /// Too many connections have not authorised yet.
    FullUnauthorized,
    /// Too many connections of this peer.
    Address,
    /// Too many connections of this subnet.
    Subnet,
    /// Too many connections of this peer have not authorised yet.
    AddressUnauthorized,
    /// This peer connects too often.
    AddressRate,
    /// This subnet connects too often.
    SubnetRate,
}

impl RefuseWhy {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 8] = [
        Self::Banned,
        Self::Full,
        Self::FullUnauthorized,
        Self::Address,
        Self::Subnet,
        Self::AddressUnauthorized,
        Self::AddressRate,
        Self::SubnetRate,
    ];

    /// The reason in one word for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::Full => "full",
            Self::FullUnauthorized => "full_unauthorized",
            Self::Address => "address",
            Self::Subnet => "subnet",
            Self::AddressUnauthorized => "address_unauthorized",
            Self::AddressRate => "address_rate",
            Self::SubnetRate => "subnet_rate",
        }
    }
}

/// A connection that is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("connection from {address} refused: {}", .why.label())]
pub struct Refused {
    /// Who wanted to connect.
    pub address: IpAddr,
    /// Why not.
    pub why: RefuseWhy,
    /// When it may come again, counted from now, where that is known.
    pub retry_after: Option<Duration>,
}

/// The place of one admitted connection. It is given back to [`Admission::leave`] when the
/// connection ends; a pass that is dropped keeps its place taken.
#[must_use = "a pass that is dropped keeps its place taken: give it to `leave`"]
#[derive(PartialEq, Eq, Debug)]
pub struct Pass {
    address: IpAddr,
    authorized: bool,
}

impl Pass {
    /// Whose connection it is.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether the connection has authorised.
    #[must_use]
    pub const fn is_authorized(&self) -> bool {
        self.authorized
    }
}

/// Connections of one peer or subnet.
#[derive(Clone, Copy, Default, Debug)]
struct Held {
    all: u32,
    unauthorized: u32,
}

/// Counts connections and admits new ones.
///
/// ```text
///             connect ── a limit ──▶ Refused
///                │
///                ▼
///          unauthorised ── authorized ──▶ authorised
///                │                            │
///                └───────── leave ────────────┘
/// ```
///
/// Memory: an entry for each peer that has a connection, and `remembered` buckets twice.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    all: Held,
    addresses: HashMap<Network, Held>,
    subnets: HashMap<Network, Held>,
    address_rates: Buckets<Network>,
    subnet_rates: Buckets<Network>,
}

impl Admission {
    /// Nobody is connected yet.
    #[must_use]
    pub fn new(limits: AdmissionLimits) -> Self {
        Self {
            all: Held::default(),
            addresses: HashMap::new(),
            subnets: HashMap::new(),
            address_rates: Buckets::new(limits.connects_per_address, limits.remembered),
            subnet_rates: Buckets::new(limits.connects_per_subnet, limits.remembered),
            limits,
        }
    }

    /// Other limits from now on. Who is connected stays, over a limit or not; `remembered` holds
    /// from the next start on.
    pub fn set_limits(&mut self, limits: AdmissionLimits) {
        self.address_rates.set_rate(limits.connects_per_address);
        self.subnet_rates.set_rate(limits.connects_per_subnet);
        self.limits = limits;
    }

    /// Admits a connection or refuses it. What a refused one tried counts towards its rate.
    ///
    /// # Errors
    /// A limit is reached; the first in the order of [`RefuseWhy`] is named.
    pub fn connect(&mut self, address: IpAddr, now: Mono) -> Result<Pass, Refused> {
        let (peer, subnet) = (Network::peer(address), Network::subnet(address));
        let refused = |why, retry_after| Err(Refused { address, why, retry_after });
        let spared = self.limits.spare.iter().any(|it| it.contains(address));
        if !spared {
            // Both are charged, so that one peer's tries are its subnet's as well.
            let by_address = self.address_rates.take(&peer, 1, now);
            let by_subnet = self.subnet_rates.take(&subnet, 1, now);
            if let Err(wait) = by_address {
                return refused(RefuseWhy::AddressRate, Some(wait));
            }
            if let Err(wait) = by_subnet {
                return refused(RefuseWhy::SubnetRate, Some(wait));
            }
        }
        if let Some(why) = self.reached(peer, subnet, spared) {
            return refused(why, None);
        }
        for held in self.held(peer, subnet) {
            held.all += 1;
            held.unauthorized += 1;
        }
        Ok(Pass { address, authorized: false })
    }

    fn reached(&self, peer: Network, subnet: Network, spared: bool) -> Option<RefuseWhy> {
        let limits = &self.limits;
        let over = |held: u32, limit: Option<u32>| limit.is_some_and(|limit| held >= limit);
        let address = self.addresses.get(&peer).copied().unwrap_or_default();
        let neighbours = self.subnets.get(&subnet).copied().unwrap_or_default();
        let waiting = address.unauthorized;
        let found = [
            (over(self.all.all, Some(limits.connections)), RefuseWhy::Full),
            (over(self.all.unauthorized, Some(limits.unauthorized)), RefuseWhy::FullUnauthorized),
            (!spared && over(address.all, limits.per_address), RefuseWhy::Address),
            (!spared && over(neighbours.all, limits.per_subnet), RefuseWhy::Subnet),
            (
                !spared && over(waiting, limits.unauthorized_per_address),
                RefuseWhy::AddressUnauthorized,
            ),
        ];
        found.into_iter().find_map(|(reached, why)| reached.then_some(why))
    }

    fn held(&mut self, peer: Network, subnet: Network) -> [&mut Held; 3] {
        [
            &mut self.all,
            self.addresses.entry(peer).or_default(),
            self.subnets.entry(subnet).or_default(),
        ]
    }

    /// The connection has authorised. Once is enough; again changes nothing.
    pub fn authorized(&mut self, pass: &mut Pass) {
        if !pass.authorized {
            pass.authorized = true;
            for held in self.held(Network::peer(pass.address), Network::subnet(pass.address)) {
                held.unauthorized = held.unauthorized.saturating_sub(1);
            }
        }
    }

    /// The connection has ended.
    #[expect(clippy::needless_pass_by_value, reason = "a pass is given back once")]
    pub fn leave(&mut self, pass: Pass) {
        let (peer, subnet) = (Network::peer(pass.address), Network::subnet(pass.address));
        for held in self.held(peer, subnet) {
            held.all = held.all.saturating_sub(1);
            held.unauthorized = held.unauthorized.saturating_sub(u32::from(!pass.authorized));
        }
        self.addresses.retain_if_held(peer);
        self.subnets.retain_if_held(subnet);
    }

    /// Whether more than half of a peer's connections have authorised.
    #[must_use]
    pub fn is_mostly_authorized(&self, address: IpAddr) -> bool {
        let held = self.addresses.get(&Network::peer(address)).copied().unwrap_or_default();
        held.unauthorized < held.all.div_ceil(2)
    }

    /// Connections now.
    #[must_use]
    pub const fn connections(&self) -> u32 {
        self.all.all
    }

    /// Connections now that have not authorised yet.
    #[must_use]
    pub const fn unauthorized(&self) -> u32 {
        self.all.unauthorized
    }

    /// Times that a peer or subnet found no room for a rate of its own and shared one.
    #[must_use]
    pub const fn shared(&self) -> u64 {
        self.address_rates.shared() + self.subnet_rates.shared()
    }
}

trait RetainIfHeld {
    fn retain_if_held(&mut self, key: Network);
}

impl RetainIfHeld for HashMap<Network, Held> {
    fn retain_if_held(&mut self, key: Network) {
        if self.get(&key).is_some_and(|held| held.all == 0) {
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> AdmissionLimits {
        AdmissionLimits { connections: 6, unauthorized: 5, ..AdmissionLimits::default() }
    }

    /// Connects one address after the other, all at one instant; a refusal is its word.
    fn check(limits: AdmissionLimits, addresses: &[&str], expect: &[&str]) {
        let mut admission = Admission::new(limits);
        let mut passes = Vec::new();
        let found: Vec<&str> = addresses
            .iter()
            .map(|text| {
                let address = text.parse().expect("an address");
                match admission.connect(address, Mono::default()) {
                    Ok(pass) => {
                        passes.push(pass);
                        "ok"
                    }
                    Err(refused) => refused.why.label(),
                }
            })
            .collect();
        assert_eq!(found, expect);
        assert_eq!(admission.connections() as usize, passes.len());
        for pass in passes {
            admission.leave(pass);
        }
        assert_eq!((admission.connections(), admission.unauthorized()), (0, 0));
        assert!(admission.addresses.is_empty() && admission.subnets.is_empty());
    }

    #[test]
    fn limits_hold_for_all_for_a_peer_and_for_a_subnet() {
        let (a, b, far) = ("10.0.0.1", "10.0.0.2", "10.0.1.1");
        check(limits(), &[a; 6], &["ok", "ok", "ok", "ok", "ok", "full_unauthorized"]);
        let one = AdmissionLimits { per_address: Some(1), ..limits() };
        check(one, &[a, a, b], &["ok", "address", "ok"]);
        let two = AdmissionLimits { per_subnet: Some(2), ..limits() };
        check(two, &[a, b, a, far], &["ok", "ok", "subnet", "ok"]);
        let rate = Rate::every(Duration::from_secs(1), 2);
        let seldom = AdmissionLimits { connects_per_address: rate, ..limits() };
        check(seldom, &[a, a, a, b], &["ok", "ok", "address_rate", "ok"]);
        let seldom = AdmissionLimits { connects_per_subnet: rate, ..limits() };
        check(seldom, &[a, b, a, far], &["ok", "ok", "subnet_rate", "ok"]);
        let waiting = AdmissionLimits { unauthorized_per_address: Some(1), ..limits() };
        check(waiting, &[a, a, b], &["ok", "address_unauthorized", "ok"]);
    }

    #[test]
    fn loopback_is_spared_but_by_the_limits_on_all() {
        let rate = Rate::every(Duration::from_secs(1), 1);
        let strict = AdmissionLimits {
            per_address: Some(1),
            per_subnet: Some(1),
            unauthorized_per_address: Some(1),
            connects_per_address: rate,
            connects_per_subnet: rate,
            ..limits()
        };
        let own = "127.0.0.1";
        check(strict, &[own; 6], &["ok", "ok", "ok", "ok", "ok", "full_unauthorized"]);
    }

    #[test]
    fn authorised_connections_free_their_place_before() {
        let mut admission = Admission::new(limits());
        let address = "10.0.0.1".parse().expect("an address");
        let mut passes = Vec::new();
        for _ in 0..6 {
            let mut pass = admission.connect(address, Mono::default()).expect("room");
            admission.authorized(&mut pass);
            admission.authorized(&mut pass);
            passes.push(pass);
        }
        assert_eq!((admission.connections(), admission.unauthorized()), (6, 0));
        let refused = admission.connect(address, Mono::default()).expect_err("full");
        assert_eq!(refused.to_string(), "connection from 10.0.0.1 refused: full");
        admission.leave(passes.remove(0));
        assert!(admission.connect(address, Mono::default()).is_ok());
    }
}
