use std::sync::Arc;

use super::*;
use crate::{ALGORITHM, registry};

fn cpu() -> Cpu {
    Cpu { model: Some("Some CPU".into()), features: vec!["sse2", "avx2"], ..Cpu::default() }
}

fn scrypt() -> Arc<dyn Algorithm> {
    registry().resolve(ALGORITHM).expect("registered")
}

/// Every engine of this machine, the narrowest first.
fn choice() -> EngineChoice {
    let mut rows = scrypt().engines();
    rows.retain(|row| (row.available)());
    rows.sort_by_key(|row| row.lanes);
    let rate = |at: usize| (at < 2).then(|| HashRate::from_hs(1000.5 - at as f64));
    EngineChoice {
        engines: rows.iter().enumerate().map(|(at, row)| (row.name.to_owned(), rate(at))).collect(),
        measured: Wall::from_millis(1_795_000_000_123),
    }
}

/// A file that holds [`choice`], in a folder that is not there yet.
fn kept() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("state/silverlode").join(CHOICE_FILE);
    remember(&path, scrypt().as_ref(), &cpu(), &choice()).expect("written");
    (place, path)
}

#[test]
fn what_was_measured_is_remembered() {
    let (_place, path) = kept();
    assert_eq!(remembered(&path, scrypt().as_ref(), &cpu()).expect("it holds"), choice());
    let other = registry().resolve("scrypt-n:2048").expect("made");
    let missing = remembered(&path, other.as_ref(), &cpu());
    assert!(matches!(missing, Err(NoChoice::Missing)), "{missing:?}");
    remember(&path, other.as_ref(), &cpu(), &choice()).expect("written");
    assert_eq!(remembered(&path, scrypt().as_ref(), &cpu()).expect("it still holds"), choice());
    assert_eq!(remembered(&path, other.as_ref(), &cpu()).expect("it holds"), choice());
}

#[test]
fn another_host_or_program_measures_anew() {
    let (_place, path) = kept();
    let check = |cpu: &Cpu, expect: &str| {
        let why = remembered(&path, scrypt().as_ref(), cpu).expect_err("stale").to_string();
        assert_eq!(why, expect);
    };
    check(
        &Cpu { model: None, ..cpu() },
        "measured with another processor: found Some CPU, this is unknown",
    );
    check(
        &Cpu { features: vec!["sse2"], ..cpu() },
        "measured with another set of instructions: found sse2 avx2, this is sse2",
    );
    let text = fs::read_to_string(&path).expect("there");
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    fs::write(&path, text.replace(&version, "\"version\": \"0.0.9\"")).expect("written");
    let here = env!("CARGO_PKG_VERSION");
    check(&cpu(), &format!("measured with another version: found 0.0.9, this is {here}"));
    // What is stale makes room.
    remember(&path, scrypt().as_ref(), &cpu(), &choice()).expect("written");
    assert_eq!(remembered(&path, scrypt().as_ref(), &cpu()).expect("it holds"), choice());
}

#[test]
fn engines_that_came_or_went_are_measured_anew() {
    let (_place, path) = kept();
    let mut fewer = choice();
    fewer.engines.retain(|(name, _)| name != "sse2");
    let mut twice = choice();
    let again = twice.engines[0].clone();
    twice.engines.push(again);
    for wrong in [fewer, twice] {
        remember(&path, scrypt().as_ref(), &cpu(), &wrong).expect("written");
        let why = remembered(&path, scrypt().as_ref(), &cpu()).expect_err("stale");
        assert!(matches!(why, NoChoice::Other { what: "set of engines", .. }), "{why}");
    }
}

#[test]
fn a_damaged_file_is_told_and_replaced() {
    let (_place, path) = kept();
    let good = fs::read_to_string(&path).expect("there");
    for wrong in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "\u{0}\u{0}\u{0}".to_owned(),
        good[..good.len() / 2].to_owned(),
        good.replace("1000.5", "-3.0"),
        good.replace("1000.5", "null"),
        good.replace("1000.5", "1e999"),
        good.replace("\"format\": 1", "\"format\": 2"),
        good + &" ".repeat(70_000),
    ] {
        fs::write(&path, &wrong).expect("written");
        let why = remembered(&path, scrypt().as_ref(), &cpu()).expect_err("damaged");
        assert!(matches!(why, NoChoice::Damaged { .. }), "{why} for {wrong:.200}");
        assert!(why.to_string().contains(CHOICE_FILE), "{why}");
        remember(&path, scrypt().as_ref(), &cpu(), &choice()).expect("written");
        remembered(&path, scrypt().as_ref(), &cpu()).expect("it holds again");
    }
    let folder = path.parent().expect("a folder");
    let unreadable = remembered(folder, scrypt().as_ref(), &cpu());
    assert!(matches!(unreadable, Err(NoChoice::Unreadable { .. })), "{unreadable:?}");
}

#[test]
fn only_so_many_algorithms_are_kept_and_the_oldest_goes() {
    let (_place, path) = kept();
    for p in 1..40 {
        let other = registry().resolve(&format!("scrypt-n:2,1,{p}")).expect("made");
        let later = EngineChoice {
            measured: choice().measured + std::time::Duration::from_secs(p),
            ..choice()
        };
        remember(&path, other.as_ref(), &cpu(), &later).expect("written");
    }
    let file = File::read(&path).expect("whole");
    assert_eq!(file.algorithms.len(), MOST_ALGORITHMS);
    assert!(!file.algorithms.contains_key(ALGORITHM), "the oldest went");
}

#[test]
fn tuning_measures_once_and_then_remembers() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join(CHOICE_FILE);
    let mut first = registry();
    let tuned = tune(&mut first, ALGORITHM, &path, Clock::real()).expect("known");
    let Tuned::Measured { choice, because: NoChoice::Missing, unkept: None } = tuned else {
        panic!("{tuned:?}");
    };
    let best = |registry: &Registry| registry.best(ALGORITHM).expect("right").name();
    assert_eq!(Some(best(&first)), choice.first());

    let mut second = registry();
    let tuned = tune(&mut second, ALGORITHM, &path, Clock::real()).expect("known");
    let Tuned::Remembered(again) = tuned else { panic!("{tuned:?}") };
    assert_eq!(again.engines.len(), choice.engines.len());
    assert_eq!(best(&second), best(&first));

    // A file that somebody turned around is followed: the order is a preference, not a proof.
    let mut turned = choice;
    turned.engines = turned
        .engines
        .into_iter()
        .rev()
        .map(|(name, _)| (name, Some(HashRate::from_hs(1.0))))
        .collect();
    remember(&path, scrypt().as_ref(), &Cpu::look(), &turned).expect("written");
    let mut third = registry();
    tune(&mut third, ALGORITHM, &path, Clock::real()).expect("known");
    assert_eq!(Some(best(&third)), turned.first());

    let nowhere = place.path().join(CHOICE_FILE).join("below-a-file");
    let tuned = tune(&mut registry(), ALGORITHM, &nowhere, Clock::real()).expect("known");
    assert!(matches!(tuned, Tuned::Measured { unkept: Some(_), .. }), "{tuned:?}");
    assert!(tune(&mut registry(), "x11", &path, Clock::real()).is_err());
}
