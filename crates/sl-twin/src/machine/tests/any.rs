//! Whatever comes, and however time passes.

use proptest::prelude::*;

use super::*;
use crate::fault::Sensor;

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
    (0u8..19, place.clone(), place, number, lasts, sensor, any::<i32>()).prop_map(
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
            16 => Fault::BadShares { share },
            17 => Fault::ReportPressed,
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
