//! Floods against the one door: who floods is kept out, who is honest is not, and memory is bounded.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use sl_guard::{
    AdmissionLimits, BanRules, CloseWhy, Conduct, ConductLimits, Guard, GuardCounters, GuardLimits,
    Judged, Offence, RefuseWhy, ShareOutcome, Step,
};
use sl_units::Mono;

fn at(seconds: f64) -> Mono {
    Mono::from_start(Duration::from_secs_f64(seconds))
}

fn honest(machine: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + machine))
}

fn attacker(number: u32) -> IpAddr {
    // Each in a subnet of its own, so that no escalation helps the defence.
    IpAddr::V4(Ipv4Addr::from_bits(0xcb00_0001 + number * 256))
}

/// A thousand honest machines at work, each with a share now and then.
fn farm(guard: &mut Guard) -> Vec<sl_guard::Pass> {
    (0..1000)
        .map(|machine| {
            let mut pass = guard.connect(honest(machine), at(0.0)).expect("an honest machine");
            guard.authorized(&mut pass);
            pass
        })
        .collect()
}

#[test]
fn malformed_messages_and_reconnections_end_at_the_door() {
    let mut guard = Guard::new(GuardLimits::default());
    let passes = farm(&mut guard);
    let (mut sent, mut heard, mut tries) = (0_u32, 0_u32, 0_u32);
    // 200 attackers, each back at once whenever it is thrown out, for ten minutes.
    for tick in 0..6000 {
        let now = at(f64::from(tick) / 10.0);
        for number in 0..200 {
            tries += 1;
            let Ok(pass) = guard.connect(attacker(number), now) else { continue };
            for _ in 0..50 {
                sent += 1;
                let judged = guard.offence(attacker(number), Offence::Malformed, 0, now);
                if matches!(judged, Judged::Banned(_)) {
                    break;
                }
                heard += 1;
            }
            guard.leave(pass, now);
        }
    }
    let counters = guard.counters();
    assert_eq!(tries, 1_200_000);
    // Two bans each in ten minutes, of 60 and of 600 seconds; 20 messages for each.
    assert_eq!((counters.bans, sent, heard), (400, 8000, 7600));
    assert_eq!(counters.refused(RefuseWhy::Banned), u64::from(tries) - 400);
    assert_eq!(counters.offences(Offence::Malformed), u64::from(sent));
    assert_eq!(guard.connections(), (1000, 0), "the honest ones are still there");
    for machine in 0..1000 {
        assert!(guard.banned(honest(machine), at(600.0)).is_none());
        assert!(guard.connect(honest(machine), at(600.0)).is_ok(), "and may come again");
    }
    assert_eq!(passes.len(), 1000);
}

#[test]
fn a_slow_loris_holds_a_thousand_connections_for_fifteen_seconds_at_most() {
    let mut counters = GuardCounters::default();
    let limits = ConductLimits::default();
    let mut conducts: Vec<Conduct> = (0..1000).map(|_| Conduct::new(at(0.0))).collect();
    // One byte a second each, never a line's end.
    for second in 0..16 {
        let now = at(f64::from(second));
        conducts.retain_mut(|conduct| {
            let closed =
                matches!(counters.observe(conduct.on_bytes(&limits, 1, now)), Step::Close(_));
            !closed
        });
    }
    assert!(conducts.is_empty());
    assert_eq!(counters.closed(CloseWhy::TooSlow), 1000);

    // Those who send whole lines and never authorise last as long as they may.
    let mut patient = Conduct::new(at(0.0));
    let mut closed = None;
    for second in 0..20 {
        let now = at(f64::from(second));
        let _ = patient.on_bytes(&limits, 40, now);
        if let Step::Close(why) = patient.on_line(&limits, now) {
            closed = closed.or(Some((second, why)));
        }
    }
    assert_eq!(closed, Some((15, CloseWhy::AuthorizeTimeout)));
}

#[test]
fn invalid_shares_end_in_a_ban_and_an_honest_farm_behind_one_address_does_not() {
    let limits = ConductLimits::default();
    let mut guard = Guard::new(GuardLimits::default());
    let (bad, farm) = (attacker(1), attacker(2));
    // A flood of shares that prove nothing.
    let mut conduct = Conduct::new(at(0.0));
    conduct.authorized();
    let mut shares = 0;
    let why = loop {
        shares += 1;
        let now = at(f64::from(shares));
        let step = conduct.on_verdict(&limits, ShareOutcome::Invalid, now);
        guard.offence(bad, Offence::LowDifficulty, 0, now);
        if let Step::Close(why) = step {
            break why;
        }
    };
    assert_eq!((shares, why), (50, CloseWhy::MostlyInvalid));
    assert!(matches!(guard.offence(bad, why.offence(), 0, at(50.0)), Judged::Banned(_)));
    // 5,000 machines behind one address, one share in fifty invalid, 500 shares a second, an hour.
    for second in 0..3600 {
        for _ in 0..10 {
            let judged = guard.offence(farm, Offence::LowDifficulty, 49, at(f64::from(second)));
            assert!(matches!(judged, Judged::Scored(score) if score <= 2.0), "{judged:?}");
        }
    }
    assert!(guard.connect(farm, at(3600.0)).is_ok());
}

#[test]
fn a_crowd_of_addresses_does_not_wash_a_ban_away_nor_grow_memory() {
    let limits = GuardLimits {
        admission: AdmissionLimits { remembered: 1000, ..AdmissionLimits::default() },
        bans: BanRules { remembered: 1000, ..BanRules::default() },
    };
    let mut guard = Guard::new(limits);
    let banned = attacker(7);
    for _ in 0..2 {
        guard.offence(banned, Offence::MostlyInvalid, 0, at(0.0));
    }
    // 100,000 networks of IPv6, far apart, each with an offence of its own.
    for number in 0..100_000_u128 {
        let address = IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | number << 72));
        let what = if number % 3 == 0 { Offence::MostlyInvalid } else { Offence::Malformed };
        for _ in 0..2 {
            guard.offence(address, what, 0, at(1.0));
        }
        if let Ok(pass) = guard.connect(address, at(1.0)) {
            guard.leave(pass, at(1.0));
        }
    }
    assert!(guard.banned(banned, at(59.0)).is_some(), "the ban stands");
    assert_eq!(guard.list(at(1.0)).count(), 1000, "no more bans than are allowed");
    let counters = guard.counters();
    assert!(counters.bans_without_room > 30_000 && counters.scores_forgotten > 60_000);
    assert!(counters.rates_shared > 0);
    assert_eq!(guard.connections(), (0, 0));
}
