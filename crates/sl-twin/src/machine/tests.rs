use proptest::prelude::*;

use super::*;
use crate::conf::{Command, ConfChange};
use crate::fault::Sensor;
use crate::readings::{ChipMark, Light, Readings, Stop};

const MINUTE: u64 = 60;

fn l7() -> &'static Model {
    Model::by_id("antminer-l7").expect("in the table")
}

/// A machine with a pool that answers as long as it is told.
struct Bench {
    machine: Machine,
    second: u64,
    pool: bool,
}

impl Bench {
    fn cold(spec: Spec) -> Self {
        Self { machine: Machine::new(spec, Mono::default()), second: 0, pool: true }
    }

    /// One that has been hashing for a quarter of an hour.
    fn warm(model: &'static Model, release: Release, faults: Vec<Span<Fault>>) -> Self {
        let spec = Spec::new(model, release, 7, [127, 7, 0, 1].into());
        Self::cold(Spec { already_on: Duration::from_secs(15 * MINUTE), faults, ..spec })
    }

    fn l7() -> Self {
        Self::warm(l7(), Release::R202405, Vec::new())
    }

    fn now(&self) -> Mono {
        Mono::from_start(Duration::from_secs(self.second))
    }

    fn run(&mut self, seconds: u64) -> &mut Self {
        for _ in 0..seconds {
            self.second += 1;
            let event = if self.pool { PoolEvent::Active } else { PoolEvent::Dead };
            self.machine.pool(0, event, self.now());
            self.machine.step(self.now());
        }
        self
    }

    fn tell(&mut self, command: Command) -> Applied {
        self.machine.command(command, self.now())
    }

    fn mode(&mut self, mode: u8) -> Applied {
        let change = ConfChange { work_mode: Some(mode), ..ConfChange::default() };
        self.tell(Command::SetConf(Box::new(change)))
    }

    fn readings(&self) -> Readings {
        self.machine.readings(self.now())
    }

    fn state(&self) -> State {
        self.machine.state()
    }

    fn watts(&self) -> f64 {
        self.machine.truth().power_w
    }
}

#[track_caller]
fn near(found: f64, wanted: f64, share: f64) {
    assert!((found / wanted - 1.0).abs() <= share, "found {found}, wanted {wanted}");
}

fn bad(light: Light) -> bool {
    light != Light::Good
}

#[test]
fn every_model_shows_its_nominal_point() {
    for model in &crate::model::MODELS {
        let mut bench = Bench::warm(model, Release::R202405, Vec::new());
        let shown = bench.run(30 * MINUTE).readings();
        let plate = model.row().and_then(|row| row.nominal()).expect("a nameplate");
        near(shown.rate_30m.hs(), plate.hash_rate().hs(), 0.005);
        near(shown.rate_5s.hs(), plate.hash_rate().hs(), 0.05);
        near(shown.rate_ideal.hs(), plate.hash_rate().hs(), 1e-9);
        near(bench.watts(), plate.power_w.expect("a power"), 0.02);
        assert_eq!(shown.state, State::Mining);
        assert_eq!(shown.status, crate::readings::Status::default());
        assert_eq!(shown.boards.len(), model.boards);
        for board in &shown.boards {
            assert_eq!(board.chips_found(), model.chips);
            assert!(board.chips.iter().all(|mark| *mark == ChipMark::Good));
            let shown = [
                board.temp_pcb_c[0],
                board.temp_pcb_c[2],
                board.temp_chip_c[0],
                board.temp_chip_c[2],
            ];
            for (shown, wanted) in shown.iter().zip(model.temps_c) {
                assert!((f64::from(*shown) - wanted).abs() <= 4.0, "{shown} {wanted} {}", model.id);
            }
        }
        for rpm in &shown.fans_rpm {
            near(f64::from(*rpm), model.fan_rpm, 0.12);
        }
        assert!(shown.hw_errors > 0 && shown.hw_percent < 0.1, "{}", shown.hw_percent);
    }
}

#[test]
fn each_nameplate_is_a_machine_of_its_own() {
    for (variant, mhs, watts) in [(0, 9500.0, 3420.0), (1, 9050.0, 3260.0), (2, 9500.0, 3425.0)] {
        let spec = Spec {
            variant,
            already_on: Duration::from_secs(15 * MINUTE),
            ..Spec::new(l7(), Release::R202405, 7, [127, 7, 0, 1].into())
        };
        let mut bench = Bench::cold(spec);
        let shown = bench.run(30 * MINUTE).readings();
        near(shown.rate_30m.hs(), mhs * 1e6, 0.005);
        near(bench.watts(), watts, 0.01);
        near(bench.watts() / (shown.rate_30m.hs() / 1e6), 0.36, 0.01);
    }
}

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
fn the_frequency_level_counts_from_the_next_start() {
    let mut bench = Bench::l7();
    let change = ConfChange { freq_level: Some("80".to_owned()), ..ConfChange::default() };
    assert_eq!(bench.tell(Command::SetConf(Box::new(change))), Applied::Reloaded);
    near(bench.run(MINUTE).readings().rate_5s.hs(), 9.5e9, 0.05);
    assert_eq!(bench.tell(Command::Reboot), Applied::Rebooting);
    let shown = bench.run(10 * MINUTE).readings();
    near(shown.rate_5s.hs(), 0.8 * 9.5e9, 0.05);
    assert_eq!(shown.boards[0].freq_mhz, 1480);
    assert!(shown.uptime_s == 10 * MINUTE && !bad(shown.status.rate));
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
fn fans_obey_when_they_are_told_a_speed() {
    let mut bench = Bench::l7();
    let change = ConfChange {
        fan_fixed: Some(true),
        fan_pwm: Some("95".to_owned()),
        ..ConfChange::default()
    };
    bench.tell(Command::SetConf(Box::new(change)));
    let before = bench.readings().temp_max_c();
    let shown = bench.run(5 * MINUTE).readings();
    assert_eq!(shown.fan_pwm_percent, 95);
    near(f64::from(shown.fans_rpm[0]), 0.95 * 6150.0, 0.05);
    assert!(shown.temp_max_c() < before - 5);
}

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
fn pools_are_counted_and_another_pool_begins_anew() {
    let mut bench = Bench::l7();
    let now = bench.run(1).now();
    for event in [
        PoolEvent::Job,
        PoolEvent::Difficulty(65_536.0),
        PoolEvent::Found(80_000.0),
        PoolEvent::Accepted(65_536.0),
        PoolEvent::Accepted(65_536.0),
        PoolEvent::Rejected(65_536.0),
    ] {
        bench.machine.pool(0, event, now);
    }
    bench.machine.pool(9, PoolEvent::Job, now);
    let [pool, ..] = bench.run(10).readings().pools;
    assert_eq!((pool.counts.accepted, pool.counts.rejected, pool.counts.getworks), (2, 1, 1));
    assert!(pool.alive && pool.active);
    assert_eq!(pool.last_share_ago, Some(Duration::from_secs(10)));
    assert_eq!(bench.readings().best_share, 80_000.0);

    let generation = bench.machine.output().generation;
    let mut change = ConfChange::default();
    change.pools[0].url = Some("stratum+tcp://other:3333".to_owned());
    assert_eq!(bench.tell(Command::SetConf(Box::new(change))), Applied::Reloaded);
    let [pool, ..] = bench.readings().pools;
    assert_eq!((pool.counts.accepted, pool.url.as_str()), (0, "stratum+tcp://other:3333"));
    assert!(bench.machine.output().generation > generation);
}

#[test]
fn what_is_kept_comes_back() {
    let mut bench = Bench::l7();
    bench.mode(1);
    bench.tell(Command::Blink(true));
    bench.tell(Command::Passwd("secret".to_owned()));
    let kept = bench.machine.kept();
    let mut other = Bench::l7();
    other.machine.restore(kept.clone());
    assert_eq!(other.machine.kept(), kept);
    assert_eq!(other.machine.login(), Some("secret"));
    assert_eq!(other.run(MINUTE).state(), State::Asleep);
    let mut older = Bench::warm(l7(), Release::R202201, Vec::new());
    older.machine.restore(Kept { conf: Conf { work_mode: 3, ..kept.conf }, ..kept });
    assert_eq!(older.machine.kept().conf.work_mode, 0, "a mode that came later");
    other.tell(Command::ResetConf);
    let shown = other.run(10 * MINUTE).readings();
    assert_eq!((shown.conf.work_mode, shown.light, shown.state), (0, false, State::Mining));
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
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However often it is stepped, the same comes of it; and nothing is ever out of its mind.
    #[test]
    fn the_size_of_steps_changes_nothing(
        seed in any::<u64>(),
        steps in prop::collection::vec(1u64..90_000, 1..60),
        per_day in 0.0f64..800.0,
        inlet_c in -15.0f64..45.0,
    ) {
        let day = crate::scenario::Scenario::random(Duration::from_secs(1800), per_day);
        let spec = Spec {
            already_on: Duration::from_secs(300),
            faults: day.timeline(l7(), 1, seed).spans().to_vec(),
            place: Environment { inlet_c, altitude_m: 300.0 },
            ..Spec::new(l7(), Release::R202301, seed, [127, 7, 0, 1].into())
        };
        let (mut one, mut many) = (Bench::cold(spec.clone()).machine, Bench::cold(spec).machine);
        let mut millis = 0;
        for step in steps {
            millis += step;
            many.step(Mono::from_start(Duration::from_millis(millis)));
            let truth = many.truth();
            for number in [truth.power_w, truth.chip_c, truth.board_c, truth.inlet_c, truth.fan_rpm] {
                prop_assert!(number.is_finite());
            }
            prop_assert!((0.0..5000.0).contains(&truth.power_w), "{truth:?}");
            prop_assert!(truth.chip_c < 150.0, "{truth:?}");
        }
        let now = Mono::from_start(Duration::from_millis(millis));
        one.step(now);
        prop_assert_eq!(one.readings(now), many.readings(now));
        prop_assert_eq!(one.truth(), many.truth());
    }
}

/// Any fault with any figures in it.
fn any_fault() -> impl Strategy<Value = Fault> {
    let place = prop_oneof![0usize..6, any::<usize>()];
    let number = prop_oneof![0.0f64..2.0, any::<f64>()];
    let lasts = any::<u32>().prop_map(|millis| Duration::from_millis(millis.into()));
    let sensor = (0usize..6).prop_map(|at| Sensor::ALL[at]);
    (0u8..17, place.clone(), place, number, lasts, sensor, any::<i32>()).prop_map(
        |(kind, board, other, share, every, sensor, shows_c)| match kind {
            0 => Fault::DeadChip { board, chip: other },
            1 => Fault::DyingBoard { board, every },
            2 => Fault::BoardLost { board },
            3 => Fault::SensorStuck { board, sensor },
            4 => Fault::SensorAbsurd { board, sensor, shows_c },
            5 => Fault::FanSlow { fan: board, share },
            6 => Fault::FanLost { fan: board },
            7 => Fault::PowerSag { share },
            8 => Fault::HotRoom { rise_k: share * 100.0 },
            9 => Fault::NonceErrors { share },
            10 => Fault::NetworkLost,
            11 => Fault::SlowWeb { delay: every },
            12 => Fault::WebHangs,
            13 => Fault::RebootLoop { every },
            14 => Fault::WrongPassword,
            15 => Fault::HijackedPool { url: other.to_string(), user: String::new() },
            _ => Fault::DamagedJson,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever goes wrong, all that is shown is of this world, and afterwards it mines again.
    #[test]
    fn no_fault_drives_it_out_of_its_mind(
        faults in prop::collection::vec((0u64..200, prop::option::of(0u64..300), any_fault()), 1..8),
    ) {
        let seconds = Duration::from_secs;
        let faults = faults
            .into_iter()
            .map(|(at, lasts, fault)| Span::new(seconds(at), Some(seconds(lasts.unwrap_or(0))), 0, fault));
        let mut bench = Bench::warm(l7(), Release::R202405, faults.collect());
        for _ in 0..20 {
            let shown = bench.run(30).readings();
            let truth = bench.machine.truth();
            let figures = [
                truth.power_w, truth.chip_c, truth.board_c, truth.inlet_c, truth.fan_rpm,
                shown.hw_percent, shown.rate_5s.hs(), shown.rate_30m.hs(), shown.rate_avg.hs(),
            ];
            prop_assert!(figures.iter().all(|figure| figure.is_finite()), "{figures:?}");
            prop_assert!((0.0..5000.0).contains(&truth.power_w) && truth.chip_c < 200.0, "{truth:?}");
            prop_assert!((0.0..=1.0).contains(&bench.machine.output().bad_nonces));
            prop_assert!((0.0..=100.0).contains(&shown.hw_percent));
            prop_assert!(shown.fans_rpm.iter().all(|rpm| *rpm < 7000));
        }
        bench.tell(Command::Reboot);
        let shown = bench.run(15 * MINUTE).readings();
        prop_assert_eq!(shown.state, State::Mining);
        prop_assert!((shown.rate_5s.hs() / 9.5e9 - 1.0).abs() < 0.06);
    }
}
