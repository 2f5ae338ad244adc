//! The nominal point, and what moves it.

use super::*;
use crate::readings::ChipMark;

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
