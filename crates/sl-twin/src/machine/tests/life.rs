//! Starting, sleeping, waiting: what the machine goes through.

use super::*;

#[test]
fn a_start_takes_its_minutes() {
    let spec = Spec::new(l7(), Release::R202405, 1, [127, 7, 0, 1].into());
    let mut bench = Bench::cold(spec);
    let mut seen = vec![(0, bench.state())];
    for second in 1..600 {
        bench.run(1);
        if seen.last().is_some_and(|(_, state)| *state != bench.state()) {
            seen.push((second, bench.state()));
        }
        let shown = bench.readings();
        assert_eq!(shown.manners.reachable, shown.state != State::Booting);
        assert!(shown.state == State::Mining || shown.rate_5s.hs() == 0.0);
        assert!(bench.watts() < 4000.0);
        assert!(shown.temp_max_c() < 90, "{second}: {}", shown.temp_max_c());
    }
    let starts = 25 + u64::from(l7().start_s);
    assert_eq!(seen, [(0, State::Booting), (25, State::Starting), (starts, State::Mining)]);
    assert!(!bad(bench.readings().status.rate));
    assert!(bench.machine.log().any(|(_, line)| line.contains("found 120 of 120 asic")));
}

#[test]
fn sleep_takes_the_power_and_waking_the_minutes() {
    let mut bench = Bench::l7();
    assert_eq!(bench.mode(1), Applied::Restarting);
    let shown = bench.run(MINUTE).readings();
    assert_eq!(shown.state, State::Asleep);
    assert_eq!((shown.rate_5s.hs(), shown.conf.work_mode), (0.0, 1));
    assert!(shown.manners.api && !bad(shown.status.rate));
    assert_eq!(shown.boards.len(), 3, "boards are there, without power");
    assert!(bench.watts() < 60.0, "{}", bench.watts());
    assert!(!bench.machine.step(bench.now()).wants_pool);

    bench.mode(0);
    assert_eq!(bench.run(MINUTE).state(), State::Starting);
    let shown = bench.run(10 * MINUTE).readings();
    assert_eq!(shown.state, State::Mining);
    near(shown.rate_5s.hs(), 9.5e9, 0.05);
}

#[test]
fn each_release_knows_its_modes() {
    for release in Release::ALL {
        let mut bench = Bench::warm(l7(), release, Vec::new());
        let low = release >= Release::R202301;
        assert_eq!(bench.mode(3) == Applied::Restarting, low);
        let shown = bench.run(20 * MINUTE).readings();
        assert_eq!(shown.conf.work_mode, if low { 3 } else { 0 });
        assert!(shown.conf.written);
        if low {
            near(shown.rate_5s.hs(), 0.85 * 9.5e9, 0.05);
            let efficiency = bench.watts() / (shown.rate_5s.hs() / 1e6);
            assert!((0.28..0.36).contains(&efficiency), "less of both, better: {efficiency}");
        }
        assert_eq!(bench.mode(2), Applied::Reloaded, "no release knows it");
    }
}

#[test]
fn twenty_minutes_without_a_pool_are_too_long() {
    let mut bench = Bench::l7();
    bench.run(5).pool = false;
    let shown = bench.run(2 * MINUTE).readings();
    assert!(bad(shown.status.network) && shown.rate_5s.hs() == 0.0, "no work, no hashes");
    assert!(bench.watts() < 1500.0);
    assert_eq!(bench.run(17 * MINUTE).state(), State::Mining);
    assert_eq!(bench.run(2 * MINUTE).state(), State::WaitsForPool);
    assert!(bench.run(MINUTE).watts() < 100.0);
    bench.pool = true;
    assert_eq!(bench.run(2).state(), State::Starting);
    assert_eq!(bench.run(10 * MINUTE).state(), State::Mining);
}

#[test]
fn a_pool_that_answers_and_gives_no_work_is_none() {
    let mut bench = Bench::l7();
    bench.run(5).pool = false;
    let mut run = |minutes| {
        for _ in 0..minutes {
            bench.run(MINUTE);
            bench.machine.pool(1, PoolEvent::Alive, bench.now());
        }
        bench.readings()
    };
    let shown = run(3);
    assert!(shown.pools[1].alive && !bad(shown.status.network), "it does answer");
    assert_eq!((shown.state, shown.rate_5s.hs()), (State::Mining, 0.0));
    assert_eq!(run(19).state, State::WaitsForPool);
}

#[test]
fn the_end_of_the_work_is_the_end_of_the_hashes() {
    for end in [PoolEvent::Left, PoolEvent::Dead] {
        let mut bench = Bench::l7();
        let now = bench.run(5).now();
        bench.machine.pool(0, end, now);
        let mut rate = |seconds| bench.machine.step(now + Duration::from_secs(seconds)).hash_rate;
        assert!(rate(1).hs() > 9e9, "one that connects anew has no gap");
        assert_eq!(rate(2).hs(), 0.0);
        for event in [PoolEvent::Alive, PoolEvent::Difficulty(1.0)] {
            bench.machine.pool(0, event, now);
        }
        let mut rate = |seconds| bench.machine.step(now + Duration::from_secs(seconds)).hash_rate;
        assert_eq!(rate(4).hs(), 0.0, "a pool that has taken it on has no job yet");
        bench.machine.pool(0, PoolEvent::Active, now);
        assert!(bench.machine.step(now + Duration::from_secs(5)).hash_rate.hs() > 9e9);
    }
}

#[test]
fn a_mode_that_is_set_while_the_board_starts_waits_for_it() {
    let mut bench = Bench::l7();
    bench.tell(Command::Reboot);
    assert_eq!(bench.mode(1), Applied::Restarting);
    assert_eq!(bench.run(24).state(), State::Booting, "the board starts no faster for it");
    assert_eq!(bench.run(1).state(), State::Starting);
    assert_eq!(bench.run(MINUTE).state(), State::Asleep);
}

#[test]
fn off_the_network_no_pool_lives_for_long() {
    let mut bench = Bench::l7();
    let now = bench.run(5).now();
    bench.machine.suffer(Fault::NetworkLost, Some(Duration::from_secs(40 * MINUTE)), now);
    // Nobody tells it anything: its pool connection rests until the network is back.
    let mut look = |minutes: u64| {
        let at = now + Duration::from_secs(minutes * MINUTE);
        bench.machine.step(at);
        bench.machine.readings(at)
    };
    assert!(look(0).pools[0].alive);
    let shown = look(3);
    assert!(!shown.pools[0].alive && bad(shown.status.network) && shown.rate_5s.hs() == 0.0);
    assert_eq!(shown.pools[0].counts.remote_failures, 1);
    let shown = look(25);
    assert_eq!(shown.state, State::WaitsForPool);
    assert!(bad(shown.status.rate) && bad(shown.status.network));
    assert!(look(41).manners.reachable);
    bench.second += 41 * MINUTE;
    assert_eq!(bench.run(2).state(), State::Starting);
}

#[test]
fn a_long_pause_is_bounded() {
    let mut bench = Bench::l7();
    let month = Mono::from_start(Duration::from_secs(30 * 86_400));
    bench.machine.step(month);
    assert!(bench.machine.uptime() <= 86_400 + 15 * MINUTE);
    let uptime = bench.machine.uptime();
    bench.machine.step(month + Duration::from_secs(3));
    assert_eq!(bench.machine.uptime(), uptime + 3);

    let later = month + Duration::from_secs(86_400);
    bench.machine.leave_out(120, later);
    bench.machine.step(later);
    assert_eq!(bench.machine.uptime(), uptime + 3 + 120, "who must be back soon leaves out more");
    bench.machine.leave_out(120, later + Duration::from_secs(60));
    bench.machine.step(later + Duration::from_secs(60));
    assert_eq!(bench.machine.uptime(), uptime + 3 + 180);
}
