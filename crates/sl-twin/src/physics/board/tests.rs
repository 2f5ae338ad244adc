use proptest::prelude::*;

use super::*;
use crate::Model;
use crate::model::MODELS;
use crate::physics::{Air, Environment};

/// A machine of mean chips, all boards alike, so that one stands for all.
fn mean(model: &'static Model) -> (Plant, Board) {
    let plate = model.row().and_then(|row| row.nominal()).expect("a nameplate");
    let plant = Plant::new(model, plate.hash_rate().hs(), plate.power_w.expect("a power"));
    let board = Board::new(vec![Chip::mean(); model.chips].into(), 25.0);
    (plant, board)
}

struct Steady {
    wall_w: f64,
    outcome: Outcome,
    temperatures: [Temperatures; 2],
}

/// Where a machine of mean chips comes to rest.
fn steady(model: &'static Model, drive: Drive, rpm: f64, place: Environment) -> Steady {
    let (plant, mut board) = mean(model);
    let air = Air::new(&plant, &vec![rpm; model.fans], place);
    let mut outcome = Outcome::default();
    for _ in 0..400 {
        outcome = board.step(&plant, &air.flow, drive, place.inlet_c, 10.0);
    }
    let boards_w = outcome.power_w * model.boards as f64;
    let wall_w = plant.wall_w(boards_w, air.fans_w);
    Steady { wall_w, outcome, temperatures: *board.temperatures() }
}

fn l7() -> &'static Model {
    Model::by_id("antminer-l7").expect("in the table")
}

#[track_caller]
fn near(found: f64, wanted: f64, share: f64) {
    assert!((found / wanted - 1.0).abs() <= share, "found {found}, wanted {wanted}");
}

#[test]
fn every_model_rests_at_its_nominal_point() {
    for model in &MODELS {
        let plate = model.row().and_then(|row| row.nominal()).expect("a nameplate");
        let rest = steady(model, Drive::NOMINAL, model.fan_rpm, Environment::default());
        near(rest.wall_w, plate.power_w.expect("a power"), 0.001);
        let rate = rest.outcome.good_hs * model.boards as f64;
        near(rate, plate.hash_rate().hs(), 0.001);
        let [inlet, outlet] = rest.temperatures;
        let found = [inlet.board, outlet.board, inlet.chip, outlet.chip];
        for (found, wanted) in found.iter().zip(model.temps_c) {
            assert!((found - wanted).abs() < 0.5, "{}: {found} °C, wanted {wanted}", model.id);
        }
    }
}

#[test]
fn the_l7_reproduces_its_nameplates() {
    for (mhs, watts) in [(9500.0, 3425.0), (9500.0, 3420.0), (9050.0, 3260.0)] {
        let plant = Plant::new(l7(), mhs * 1e6, watts);
        let mut board = Board::new(vec![Chip::mean(); 120].into(), 25.0);
        let air = Air::new(&plant, &[plant.fan_rpm; 4], Environment::default());
        let mut outcome = Outcome::default();
        for _ in 0..600 {
            outcome = board.step(&plant, &air.flow, Drive::NOMINAL, 25.0, 5.0);
        }
        near(3.0 * outcome.good_hs, mhs * 1e6, 0.001);
        near(plant.wall_w(3.0 * outcome.power_w, air.fans_w), watts, 0.001);
        near(plant.wall_w(3.0 * outcome.power_w, air.fans_w) / mhs, 0.36, 0.005);
    }
}

/// The network solved by hand: no step of time in it.
#[test]
fn the_steady_state_is_the_closed_form() {
    for (clock, rpm, inlet_c) in [(1.0, 4200.0, 25.0), (0.8, 3000.0, 10.0), (1.1, 6150.0, 38.0)] {
        let place = Environment { inlet_c, altitude_m: 500.0 };
        let drive = Drive { clock, ..Drive::NOMINAL };
        let (plant, board) = mean(l7());
        let rest = steady(l7(), drive, rpm, place);
        let flow = Air::new(&plant, &[rpm; 4], place).flow;
        let mut air = inlet_c;
        let mut power = 0.0;
        for at in 0..2 {
            let (now, segment) = (rest.temperatures[at], plant.segments[at]);
            let sums = board.sums[at];
            let watts = sums.switching * plant.switching_w(clock, 1.0, true)
                + sums.leakage * plant.leak_w(1.0, now.chip);
            // From the chips two ways into the air, each two conductances in a row; on the one over
            // the board a part of the heat comes in half way.
            let (pc, pa) = (segment.board_chip, flow.board[at]);
            let (cs, sa) = (segment.chip_sink, flow.sink[at]);
            let over_board = pc * pa / (pc + pa);
            let over_sink = cs * sa / (cs + sa);
            let to_chips = (1.0 - BOARD_SHARE) * watts + BOARD_SHARE * watts * pc / (pc + pa);
            let chip = air + to_chips / (over_board + over_sink);
            assert!((chip - now.chip).abs() < 1e-6, "{chip} {}", now.chip);
            let board = (pc * chip + pa * air + BOARD_SHARE * watts) / (pc + pa);
            assert!((board - now.board).abs() < 1e-6, "{board} {}", now.board);
            air += watts / flow.carries;
            power += watts;
        }
        assert!((power - rest.outcome.power_w).abs() < 1e-6);
        assert!((rest.outcome.heat_w - power).abs() < 1e-6, "what goes in comes out");
    }
}

#[test]
fn heat_takes_its_time() {
    let (plant, mut board) = mean(l7());
    let air = Air::new(&plant, &[4200.0; 4], Environment::default());
    let mut chips = Vec::new();
    for _ in 0..600 {
        board.step(&plant, &air.flow, Drive::NOMINAL, 25.0, 1.0);
        chips.push(board.temperatures()[1].chip);
    }
    assert!(chips.is_sorted());
    let risen = |at: usize| (chips[at] - 25.0) / 51.0;
    assert!(risen(2) < 0.3, "seconds are too short: {}", risen(2));
    assert!((0.5..0.95).contains(&risen(60)), "a minute is most of it: {}", risen(60));
    assert!(risen(599) > 0.99, "ten are enough: {}", risen(599));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is done to it, what went in is what is stored and what left, at any step.
    #[test]
    fn energy_is_kept(
        seed in any::<u64>(),
        steps in prop::collection::vec(
            (0.01f64..60.0, 0.0f64..1.3, 0.0f64..1.2, -20.0f64..60.0, 0.0f64..6500.0, any::<bool>()),
            1..40,
        ),
    ) {
        let (plant, _) = mean(l7());
        let mut board = Board::new(Chip::lot(120, seed), 20.0);
        for (dt, clock, volts, inlet_c, rpm, works) in steps {
            let place = Environment { inlet_c, altitude_m: 100.0 };
            let air = Air::new(&plant, &[rpm; 4], place);
            let before = board.stored_j(&plant);
            let drive = Drive { clock, volts, works, bad_share: 0.0 };
            let outcome = board.step(&plant, &air.flow, drive, inlet_c, dt);
            let stored = board.stored_j(&plant) - before;
            let (brought, left) = (outcome.power_w * dt, outcome.heat_w * dt);
            let scale = brought.abs() + left.abs() + stored.abs() + 1.0;
            prop_assert!((brought - left - stored).abs() < 1e-9 * scale + 1e-6);
        }
    }

    #[test]
    fn nothing_is_ever_not_a_number(
        clock in any::<f64>(), volts in any::<f64>(), bad_share in any::<f64>(),
        inlet_c in any::<f64>(), altitude_m in any::<f64>(), rpm in any::<f64>(),
        dts in prop::collection::vec(any::<f64>(), 1..6),
    ) {
        let (plant, _) = mean(l7());
        let mut board = Board::new(Chip::lot(120, 1), 20.0);
        let place = Environment { inlet_c, altitude_m }.sane();
        let air = Air::new(&plant, &[rpm, 4200.0, f64::NAN, -1.0], place);
        prop_assert!(air.fans_w.is_finite() && air.fans_w >= 0.0);
        for dt in dts {
            let drive = Drive { clock, volts, works: true, bad_share };
            let outcome = board.step(&plant, &air.flow, drive, inlet_c, dt);
            let watts = plant.wall_w(outcome.power_w, air.fans_w);
            for number in [outcome.power_w, outcome.heat_w, outcome.good_hs, outcome.bad_hs, watts] {
                prop_assert!(number.is_finite(), "{outcome:?}");
            }
            prop_assert!(outcome.good_hs >= 0.0 && outcome.bad_hs >= 0.0 && outcome.power_w >= 0.0);
            for at in board.temperatures() {
                prop_assert!([at.board, at.chip, at.sink].iter().all(|c| (-60.0..1e5).contains(c)), "{at:?}");
            }
        }
    }

    /// Each lever moves what it must, and the right way.
    #[test]
    fn answers_are_monotone(
        clock in 0.6f64..1.0, volts in 0.85f64..1.0, inlet_c in -10.0f64..35.0,
        rpm in 2500.0f64..5500.0, altitude_m in 0.0f64..3000.0, more in 0.01f64..0.15,
    ) {
        let place = Environment { inlet_c, altitude_m };
        let drive = Drive { clock, volts, ..Drive::NOMINAL };
        let base = steady(l7(), drive, rpm, place);
        let hot = |rest: &Steady| rest.temperatures[1].chip;

        let faster = steady(l7(), Drive { clock: clock + more, ..drive }, rpm, place);
        prop_assert!(faster.wall_w > base.wall_w && hot(&faster) > hot(&base));
        prop_assert!(faster.outcome.bad_hs > base.outcome.bad_hs);
        let stronger = steady(l7(), Drive { volts: volts + more, ..drive }, rpm, place);
        prop_assert!(stronger.wall_w > base.wall_w && hot(&stronger) > hot(&base));
        let warmer = steady(l7(), drive, rpm, Environment { inlet_c: inlet_c + 100.0 * more, ..place });
        prop_assert!(warmer.wall_w > base.wall_w, "leakage grows with heat");
        prop_assert!(hot(&warmer) > hot(&base));
        let windier = steady(l7(), drive, rpm * (1.0 + more), place);
        prop_assert!(hot(&windier) < hot(&base));
        let higher = steady(l7(), drive, rpm, Environment { altitude_m: altitude_m + 3e4 * more, ..place });
        prop_assert!(hot(&higher) > hot(&base), "thin air carries less");
    }

    /// One step of a minute or six thousand of ten milliseconds come to the same place.
    #[test]
    fn any_step_comes_to_the_same_rest(dt in 0.01f64..60.0) {
        let (plant, mut board) = mean(l7());
        let air = Air::new(&plant, &[4200.0; 4], Environment::default());
        let steps = (1500.0 / dt).ceil() as u32;
        for _ in 0..steps {
            board.step(&plant, &air.flow, Drive::NOMINAL, 25.0, dt);
        }
        prop_assert!((board.temperatures()[1].chip - 76.0).abs() < 0.5);
    }
}
