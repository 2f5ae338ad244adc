use super::*;

const A: &str = "203.0.113.7";

fn at(seconds: u64) -> Mono {
    Mono::from_start(Duration::from_secs(seconds))
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn bans() -> Bans {
    Bans::new(BanRules::default())
}

/// Offends until banned, at one instant; how often that took, and the ban.
fn provoke(bans: &mut Bans, who: &str, what: Offence, now: Mono) -> (u32, Option<Ban>) {
    for times in 1..=1000 {
        if let Judged::Banned(ban) = bans.offence(address(who), what, 0, now) {
            return (times, Some(ban));
        }
    }
    (1000, None)
}

#[test]
fn each_offence_has_its_weight() {
    for (what, expect) in [
        (Offence::Malformed, 20),
        (Offence::WrongCredentials, 10),
        (Offence::Stalled, 10),
        (Offence::LowDifficulty, 100),
        (Offence::Duplicate, 100),
        (Offence::BadShare, 50),
        (Offence::MostlyInvalid, 2),
    ] {
        let (times, ban) = provoke(&mut bans(), A, what, at(5));
        assert_eq!(times, expect, "{what:?}");
        assert_eq!(ban.map(|ban| (ban.since, ban.until)), Some((at(5), at(65))));
    }
}

#[test]
fn a_ban_keeps_out_one_peer_and_ends() {
    let mut bans = bans();
    provoke(&mut bans, A, Offence::Malformed, at(0));
    assert!(bans.check(address(A), at(59)).is_some());
    assert!(bans.check(address("::ffff:203.0.113.7"), at(59)).is_some());
    assert!(bans.check(address("203.0.113.8"), at(59)).is_none());
    assert!(bans.check(address(A), at(60)).is_none());
    assert_eq!(bans.score(address(A), at(60)), 0.0, "a served ban leaves no score");
}

#[test]
fn the_ladder_goes_up_and_is_forgiven() {
    let mut bans = bans();
    let mut next = |now| {
        let (_, ban) = provoke(&mut bans, A, Offence::Flood, at(now));
        ban.map(|ban| ban.until.since(ban.since).as_secs())
    };
    assert_eq!(next(0), Some(60));
    assert_eq!(next(60), Some(600));
    assert_eq!(next(700), Some(3600));
    assert_eq!(next(4300), Some(3600));
    // That one ends at 7900; two hours of good conduct take two steps off.
    assert_eq!(next(7900 + 7200), Some(3600));
    assert_eq!(next(7900 + 7200 + 3600 + 2 * 3600), Some(600));
    assert_eq!(next(1_000_000), Some(60));
}

#[test]
fn scores_decay_and_valid_shares_pay_them_off() {
    let mut bans = bans();
    for _ in 0..50 {
        bans.offence(address(A), Offence::Duplicate, 0, at(0));
    }
    assert!((bans.score(address(A), at(300)) - 25.0).abs() < 1e-9);
    assert_eq!(bans.offence(address(A), Offence::Duplicate, 7, at(300)), Judged::Scored(19.0));
    bans.credit(address(A), 15, at(300));
    assert_eq!(bans.score(address(A), at(300)), 4.0);
    // A farm behind one address: one share in a hundred is bad, for days.
    for minute in 0..10_000 {
        let judged = bans.offence(address(A), Offence::LowDifficulty, 99, at(300 + minute));
        assert_eq!(judged, Judged::Scored(1.0));
    }
}

#[test]
fn loopback_is_spared_and_can_be_not() {
    let own = "127.0.0.1";
    assert_eq!(provoke(&mut bans(), own, Offence::MostlyInvalid, at(0)).1, None);
    let mut strict = Bans::new(BanRules { spare: Vec::new(), ..BanRules::default() });
    assert!(provoke(&mut strict, own, Offence::MostlyInvalid, at(0)).1.is_some());
}

#[test]
fn many_banned_neighbours_ban_the_subnet() {
    let mut bans = bans();
    for host in 0..16 {
        assert!(bans.check(address("203.0.113.99"), at(0)).is_none());
        provoke(&mut bans, &format!("203.0.113.{host}"), Offence::Flood, at(0));
    }
    let ban = bans.check(address("203.0.113.99"), at(1)).expect("the subnet is banned");
    assert_eq!(ban.network.to_string(), "203.0.113.0/24");
    assert_eq!(ban.why, BanWhy::Neighbours { banned: 16, allowed: 16 });
    assert!(bans.check(address("203.0.114.99"), at(1)).is_none());
    assert_eq!(bans.list(at(1)).count(), 17);
    assert!(bans.lift(ban.network, at(1)));
    assert!(bans.check(address("203.0.113.99"), at(1)).is_none());
    assert!(bans.check(address("203.0.113.3"), at(1)).is_some());
}

#[test]
fn a_machine_with_a_wrong_password_keeps_no_farm_out() {
    let mut bans = bans();
    // A hundred honest machines at six shares a minute, and one that tries again each 30 s, for two
    // hours; their connections report each sixteenth share.
    for second in 0..7200 {
        if second % 16 == 0 {
            (0..10).for_each(|_| bans.credit(address(A), 16, at(second)));
        }
        if second % 30 == 0 {
            let judged = bans.offence(address(A), Offence::WrongCredentials, 0, at(second));
            assert!(matches!(judged, Judged::Scored(score) if score < 50.0), "{judged:?}");
        }
    }
    // Where more is wrong than one machine makes good, a ban is short however often it comes.
    for round in 2..8 {
        let now = at(7200 + round * 70);
        bans.credit(address(A), 1, now);
        let (_, ban) = provoke(&mut bans, A, Offence::WrongCredentials, now);
        assert_eq!(ban.map(|ban| ban.until), Some(now + Duration::from_secs(60)));
    }
}

#[test]
fn bans_of_neighbours_keep_nobody_out_who_has_proven_work() {
    let (mut bans, good) = (bans(), "203.0.113.200");
    for host in 0..16 {
        bans.credit(address(&format!("203.0.113.{host}")), 1, at(0));
        provoke(&mut bans, &format!("203.0.113.{host}"), Offence::Flood, at(1));
    }
    assert!(bans.check(address(good), at(1)).is_none(), "machines at work that are out of order");
    bans.credit(address(good), 1, at(1));
    for host in 16..32 {
        provoke(&mut bans, &format!("203.0.113.{host}"), Offence::Flood, at(2));
    }
    assert!(bans.check(address("203.0.113.99"), at(2)).is_some());
    assert!(bans.check(address(good), at(2)).is_none(), "a machine at work beside them");
    assert!(bans.impose(Network::subnet(address(good)), Duration::from_secs(60), at(3)));
    assert!(bans.check(address(good), at(3)).is_some(), "but an operator's holds for it");
}

#[test]
fn an_operator_bans_lists_and_lifts() {
    let mut bans = bans();
    let hour = Duration::from_secs(3600);
    let one: Network = "2001:db8::7".parse().expect("an address");
    assert!(bans.impose(one, hour, at(0)));
    assert!(bans.impose(Network::subnet(address(A)), hour * 2, at(0)));
    assert!(!bans.impose("10.0.0.0/8".parse().expect("a network"), hour, at(0)));
    assert!(bans.check(address("2001:db8::7"), at(1)).is_some());
    assert!(bans.check(address("2001:db8::8"), at(1)).is_none());
    assert!(bans.check(address(A), at(3601)).is_some());
    let listed: Vec<String> = bans.list(at(1)).map(|ban| ban.network.to_string()).collect();
    assert_eq!(listed, ["2001:db8::7/128", "203.0.113.0/24"]);
    assert!(bans.lift(one, at(1)) && !bans.lift(one, at(1)));
    assert_eq!(bans.list(at(7200)).count(), 0);
}

#[test]
fn a_running_ban_is_never_pushed_out() {
    let rules = BanRules { remembered: 4, subnet_after: None, ..BanRules::default() };
    let mut bans = Bans::new(rules);
    for host in 0..4 {
        provoke(&mut bans, &format!("10.{host}.0.1"), Offence::MostlyInvalid, at(0));
    }
    bans.offence(address("10.9.0.1"), Offence::MostlyInvalid, 0, at(1));
    let judged = bans.offence(address("10.9.0.1"), Offence::MostlyInvalid, 0, at(1));
    assert_eq!((judged, bans.no_room()), (Judged::NoRoom, 1));
    for host in 0..4 {
        assert!(bans.check(address(&format!("10.{host}.0.1")), at(1)).is_some());
    }
    let (_, ban) = provoke(&mut bans, "10.9.0.1", Offence::MostlyInvalid, at(60));
    assert!(ban.is_some(), "one that had ended made room");
    assert_eq!(bans.bans.len(), 4);
    assert_eq!(bans.ends.len(), 4);
}
