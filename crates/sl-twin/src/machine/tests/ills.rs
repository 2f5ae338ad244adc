//! What goes wrong, and how it shows.

use super::*;
use crate::fault::Sensor;
use crate::readings::{ChipMark, Stop};

/// A fault from the tenth second on, and what shows so many seconds later.
#[track_caller]
fn check(fault: Fault, after: u64, expect: impl FnOnce(&Readings, &Bench) -> bool) {
    let name = fault.to_string();
    let faults = vec![Span::new(Duration::from_secs(10), None, 0, fault)];
    let mut bench = Bench::warm(l7(), Release::R202405, faults);
    bench.run(10 + after);
    let shown = bench.readings();
    assert!(expect(&shown, &bench), "{name}: {shown:?}");
}

#[test]
fn each_fault_shows_in_all_that_is_told() {
    let rate = |shown: &Readings| shown.rate_5s.hs() / 9.5e9;
    check(Fault::DeadChip { board: 1, chip: 7 }, 60, |shown, _| {
        shown.boards[1].chips[7] == ChipMark::Bad && shown.boards[1].chips_found() == 120
    });
    check(Fault::DyingBoard { board: 2, every: Duration::from_secs(10) }, 600, |shown, _| {
        let marks = &shown.boards[2].chips;
        let gone = marks.iter().filter(|mark| **mark == ChipMark::Bad).count();
        gone == 61 && (0.75..0.9).contains(&rate(shown)) && bad(shown.status.rate)
    });
    check(Fault::BoardLost { board: 0 }, 300, |shown, bench| {
        shown.boards[0].rate_real.hs() == 0.0
            && shown.boards[0].temp_chip_c == [0; 4]
            && (0.6..0.72).contains(&rate(shown))
            && bad(shown.status.rate)
            && bench.watts() < 2500.0
    });
    let sensor = Sensor::ChipOutlet;
    check(Fault::SensorAbsurd { board: 0, sensor, shows_c: 255 }, 5, |shown, _| {
        shown.boards[0].temp_chip_c[2..] == [255, 255] && shown.state == State::Mining
    });
    check(Fault::SensorAbsurd { board: 0, sensor, shows_c: 255 }, 20, |shown, bench| {
        shown.state == State::Stopped(Stop::Sensor)
            && bad(shown.status.temp)
            && bench.watts() < 500.0
    });
    check(Fault::FanLost { fan: 2 }, 10, |shown, _| {
        shown.fans_rpm[2] < 300 && bad(shown.status.fans) && shown.state == State::Mining
    });
    check(Fault::FanLost { fan: 2 }, 90, |shown, _| shown.state == State::Stopped(Stop::Fan));
    check(Fault::FanSlow { fan: 1, share: 0.8 }, 300, |shown, _| {
        let others = f64::from(shown.fans_rpm[0]);
        near(f64::from(shown.fans_rpm[1]), 0.8 * others, 0.05);
        shown.state == State::Mining && others > 4200.0
    });
    check(Fault::PowerSag { share: 0.88 }, 60, |shown, _| {
        shown.hw_percent > 0.1 && shown.boards[0].voltage_v < 13.0 && rate(shown) < 0.97
    });
    check(Fault::PowerSag { share: 0.7 }, 60, |shown, _| {
        shown.state == State::Stopped(Stop::Power)
    });
    check(Fault::HotRoom { rise_k: 10.0 }, 1200, |shown, _| {
        shown.state == State::Mining
            && shown.fans_rpm[0] > 4500
            && shown.boards[0].temp_pcb_c[0] > 46
    });
    check(Fault::HotRoom { rise_k: 50.0 }, 1200, |shown, _| {
        shown.state == State::Stopped(Stop::OverTemperature) && bad(shown.status.temp)
    });
    check(Fault::NonceErrors { share: 0.2 }, 300, |shown, bench| {
        let output = bench.machine.output();
        near(output.bad_nonces, 0.2, 0.01);
        near(output.hash_rate.hs(), 0.8 * 9.5e9, 0.01);
        (0.75..0.85).contains(&rate(shown)) && shown.hw_percent > 3.0
    });
    check(Fault::BadShares { share: 0.3 }, 60, |shown, bench| {
        // Its own check finds nothing: only the pool knows.
        near(rate(shown), 1.0, 0.02);
        bench.machine.output().bad_shares == 0.3 && shown.hw_percent < 0.1
    });
    check(Fault::ReportPressed, 0, |_, bench| bench.machine.output().reports == 1);
    check(Fault::ReportPressed, 60, |_, bench| bench.machine.output().reports == 1);
    check(Fault::NetworkLost, 1, |shown, _| !shown.manners.reachable && !shown.manners.api);
    check(Fault::SlowWeb { delay: Duration::from_secs(3) }, 1, |shown, _| {
        shown.manners.web_delay == Duration::from_secs(3)
    });
    check(Fault::WebHangs, 1, |shown, _| shown.manners.web_hangs);
    check(Fault::WrongPassword, 1, |shown, _| shown.manners.login_refused);
    check(Fault::DamagedJson, 1, |shown, _| shown.manners.damaged_json);
    let every = Duration::from_secs(90);
    check(Fault::RebootLoop { every }, 900, |shown, _| {
        shown.uptime_s <= 90 && shown.rate_avg.hs() == 0.0
    });
    let (url, user) = ("stratum+tcp://thief:1".to_owned(), "thief".to_owned());
    check(Fault::HijackedPool { url, user }, 1, |shown, _| {
        shown.pools[0].user == "thief" && shown.conf.pools[0].url == "stratum+tcp://thief:1"
    });
}

#[test]
fn a_stuck_sensor_tells_what_it_told() {
    let sensor = Sensor::PcbOutlet;
    let faults = vec![
        Span::new(Duration::from_secs(5), None, 0, Fault::SensorStuck { board: 1, sensor }),
        Span::new(Duration::from_secs(10), None, 0, Fault::HotRoom { rise_k: 12.0 }),
    ];
    let mut bench = Bench::warm(l7(), Release::R202405, faults);
    let before = bench.run(6).readings();
    let after = bench.run(1200).readings();
    assert_eq!(before.boards[1].temp_pcb_c[2..], after.boards[1].temp_pcb_c[2..]);
    assert!(before.boards[0].temp_pcb_c[0] < after.boards[0].temp_pcb_c[0]);
}

#[test]
fn it_stops_on_the_third_reading_of_eighty_degrees() {
    let sensor = Sensor::PcbOutlet;
    let hot = Fault::SensorAbsurd { board: 0, sensor, shows_c: 80 };
    let lasts = |seconds| Some(Duration::from_secs(seconds));
    // Readings come every two seconds by now.
    for (seconds, stops) in [(3, false), (7, true)] {
        let faults = vec![Span::new(Duration::from_secs(10), lasts(seconds), 0, hot.clone())];
        let mut bench = Bench::warm(l7(), Release::R202405, faults);
        let stopped = bench.run(60).state() == State::Stopped(Stop::OverTemperature);
        assert_eq!(stopped, stops, "after {seconds} s");
    }
}

#[test]
fn it_stops_on_the_third_reading_below_what_it_bears() {
    let shows = |shows_c| {
        let sensor = Sensor::PcbOutlet;
        let fault = Fault::SensorAbsurd { board: 0, sensor, shows_c };
        let faults = vec![Span::new(Duration::from_secs(10), None, 0, fault)];
        let mut bench = Bench::warm(l7(), Release::R202405, faults);
        bench.run(60);
        (bench.state(), bench.readings().status.temp)
    };
    let low = |light| matches!(light, Light::Bad { message: "Temp is too low", .. });
    assert_eq!(shows(-20), (State::Mining, Light::Good));
    let (state, light) = shows(-21);
    assert!(state == State::Stopped(Stop::UnderTemperature) && low(light), "{state:?} {light:?}");
    let (state, light) = shows(-76);
    assert!(state == State::Stopped(Stop::Sensor) && low(light), "{state:?} {light:?}");
    let (state, light) = shows(255);
    assert!(state == State::Stopped(Stop::Sensor) && bad(light) && !low(light), "{light:?}");
}

#[test]
fn a_board_that_lost_chips_is_not_used_after_a_restart() {
    for (id, boards) in [("antminer-l7", 2), ("antminer-l9", 3)] {
        let model = Model::by_id(id).expect("in the table");
        let every = Duration::from_secs(60);
        let fault = Fault::DyingBoard { board: 1, every };
        let faults = vec![Span::new(Duration::from_secs(1), None, 0, fault)];
        let mut bench = Bench::warm(model, Release::R202405, faults);
        bench.run(20 * MINUTE).tell(Command::Reboot);
        let shown = bench.run(10 * MINUTE).readings();
        assert_eq!((shown.state, shown.boards.len()), (State::Mining, boards), "{id}");
        assert_eq!(bad(shown.status.rate), boards == 2, "thirty chips are less than a tenth");
        if boards == 3 {
            assert!(shown.boards[1].chips_found() < model.chips);
            assert!(shown.boards[1].rate_ideal.hs() < shown.boards[0].rate_ideal.hs());
        }
    }
}

#[test]
fn what_ends_is_as_before() {
    let mut faults = Vec::new();
    let (from, lasts) = (Duration::from_secs(10), Some(Duration::from_secs(60)));
    for fault in [
        Fault::DeadChip { board: 0, chip: 0 },
        Fault::DyingBoard { board: 1, every: Duration::from_secs(5) },
        Fault::BoardLost { board: 2 },
        Fault::NonceErrors { share: 0.5 },
        Fault::HijackedPool { url: "a".to_owned(), user: "b".to_owned() },
    ] {
        faults.push(Span::new(from, lasts, 0, fault));
    }
    let mut bench = Bench::warm(l7(), Release::R202405, faults);
    let before = bench.readings();
    assert!(bench.run(40).readings().rate_5s.hs() < 4e9);
    let after = bench.run(10 * MINUTE).readings();
    assert_eq!(before.conf, after.conf);
    let marks = |shown: &Readings| shown.boards.iter().map(|b| b.chips.clone()).collect::<Vec<_>>();
    assert_eq!(marks(&before), marks(&after));
    near(after.rate_5s.hs(), 9.5e9, 0.05);
    assert_eq!(after.status, crate::readings::Status::default());
}

#[test]
fn a_fault_may_come_at_any_time() {
    let (url, user) = ("stratum+tcp://thief:1".to_owned(), "thief".to_owned());
    let hijack = Fault::HijackedPool { url, user };
    let faults = vec![Span::new(Duration::from_secs(10), None, 0, hijack)];
    let mut bench = Bench::warm(l7(), Release::R202405, faults);
    bench.run(20);
    let mut change = ConfChange::default();
    change.pools[0].user = Some("owner".to_owned());
    bench.tell(Command::SetConf(Box::new(change)));
    let now = bench.now();
    bench.machine.suffer(Fault::NetworkLost, Some(Duration::from_secs(30)), now);
    bench.machine.suffer(Fault::DeadChip { board: 0, chip: 3 }, None, now);
    let shown = bench.run(5).readings();
    assert!(!shown.manners.reachable && shown.boards[0].chips[3] == ChipMark::Bad);
    assert_eq!(shown.conf.pools[0].user, "owner", "what was before does not come twice");
    assert!(bench.run(30).readings().manners.reachable);
}

#[test]
fn what_two_thieves_took_comes_back() {
    let thief = |at, lasts, user: &str| {
        let hijack = Fault::HijackedPool { url: "t:1".to_owned(), user: user.to_owned() };
        Span::new(Duration::from_secs(at), Some(Duration::from_secs(lasts)), 0, hijack)
    };
    for (first, second) in [((10, 30), (20, 60)), ((10, 80), (20, 30))] {
        let faults = vec![thief(first.0, first.1, "one"), thief(second.0, second.1, "two")];
        let mut bench = Bench::warm(l7(), Release::R202405, faults);
        let owners = bench.readings().conf.pools;
        assert_eq!(bench.run(25).readings().conf.pools[0].user, "two");
        assert_eq!(bench.run(100).readings().conf.pools, owners);
    }
}

#[test]
fn what_is_kept_while_a_thief_mines_is_the_owners() {
    let (url, user) = ("t:1".to_owned(), "thief".to_owned());
    let lasts = Some(Duration::from_secs(600));
    let thief = Fault::HijackedPool { url, user };
    let robbed = |from| vec![Span::new(from, lasts, 0, thief.clone())];
    let mut bench = Bench::warm(l7(), Release::R202405, robbed(Duration::from_secs(10)));
    let owners = bench.readings().conf.pools;
    bench.run(20).tell(Command::Blink(true));
    let kept = bench.machine.kept();
    assert_eq!(bench.readings().conf.pools[0].user, "thief");
    assert_eq!(kept.conf.pools, owners);

    // It comes back to a machine that is being robbed again.
    let mut next = Bench::warm(l7(), Release::R202405, robbed(Duration::ZERO));
    next.run(1).machine.restore(kept);
    assert_eq!(next.readings().conf.pools[0].user, "thief");
    assert_eq!(next.machine.kept().conf.pools, owners);
    assert_eq!(next.run(700).readings().conf.pools, owners);
}

#[test]
fn faults_that_are_over_leave_nothing_behind() {
    let mut bench = Bench::l7();
    for _ in 0..50 {
        let now = bench.now();
        bench.machine.suffer(Fault::ReportPressed, None, now);
        bench.machine.suffer(Fault::WebHangs, Some(Duration::from_secs(1)), now);
        bench.run(5);
    }
    assert_eq!(bench.machine.output().reports, 50);
    assert!(bench.machine.faults.spans().len() <= 2);
}
