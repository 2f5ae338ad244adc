//! What is counted, and what is kept.

use super::*;

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
fn a_verdict_of_an_earlier_life_is_not_counted_in_this_one() {
    let mut bench = Bench::l7();
    let now = bench.run(1).now();
    let before = bench.machine.output().generation;
    bench.machine.pool(0, PoolEvent::Accepted(1.0), now);
    // The same pool read again: its counters go on, whoever brings the verdict.
    bench.tell(Command::Reload);
    bench.machine.pool_of(before, 0, PoolEvent::Stale(1.0), now);
    let counts = |bench: &Bench| {
        let pool = bench.readings().pools[0].counts;
        (pool.accepted, pool.rejected, pool.stale)
    };
    assert_eq!(counts(&bench), (1, 0, 1));

    bench.mode(1);
    for event in [PoolEvent::Accepted(1.0), PoolEvent::Rejected(1.0), PoolEvent::Stale(1.0)] {
        bench.machine.pool_of(before, 0, event, now);
    }
    assert_eq!(counts(&bench), (0, 0, 0), "another life");
    assert_eq!(bench.machine.tally(), Tally { accepted: 2, rejected: 1, stale: 2 });
}

#[test]
fn the_report_button_does_nothing_while_the_board_starts() {
    let mut bench = Bench::l7();
    assert_eq!(bench.tell(Command::PressReport), Applied::Report);
    bench.tell(Command::Reboot);
    assert_eq!(bench.tell(Command::PressReport), Applied::Kept);
    assert_eq!(bench.machine.output().reports, 1);
    bench.run(MINUTE).tell(Command::PressReport);
    assert_eq!(bench.machine.output().reports, 2);
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
fn the_clock_in_the_configuration_is_the_one_that_runs() {
    for variant in 0..3 {
        let spec = Spec::new(l7(), Release::R202405, 7, [127, 7, 0, 1].into());
        let on = Duration::from_secs(15 * MINUTE);
        let mut bench = Bench::cold(Spec { variant, already_on: on, ..spec });
        for _ in 0..2 {
            let shown = bench.run(10 * MINUTE).readings();
            assert_eq!(shown.conf.freq, shown.boards[0].freq_mhz.to_string());
            bench.tell(Command::ResetConf);
        }
    }
}

#[test]
fn what_another_model_has_kept_brings_no_clock() {
    let l9 = Model::by_id("antminer-l9").expect("in the table");
    let mut kept = Bench::warm(l9, Release::R202405, Vec::new()).machine.kept();
    kept.conf.pools[0].user = "owner".to_owned();
    let mut bench = Bench::l7();
    let made = bench.readings().conf;
    bench.machine.restore(kept);
    let conf = bench.readings().conf;
    assert_eq!((&conf.freq, &conf.voltage), (&made.freq, &made.voltage));
    assert_eq!(conf.pools[0].user, "owner");
}
