//! Midnight, what is kept and what goes.

use std::time::Duration;

use sl_ledger::{Entry, Options, ShareEntry, SlotEvent};
use sl_units::Wall;

use crate::{
    DAY_MS, NOON, Run,
    kept::{job, slot},
    share, shares, sql, verify,
};

#[tokio::test]
async fn each_share_is_in_the_file_of_its_day() {
    let place = tempfile::tempdir().unwrap();
    let run = Run::start(place.path(), NOON).await;
    let midnight = Wall::from_millis(NOON.millis() + DAY_MS / 2);
    let before = |millis: u64| Wall::from_millis(midnight.millis() - millis);
    let after = |millis: u64| midnight + Duration::from_millis(millis);
    run.write(vec![slot(1, before(9000), SlotEvent::Held), slot(2, before(9000), SlotEvent::Held)])
        .await;
    run.write(vec![job(1, before(3_600_000)), job(2, before(5000))]).await;
    // One group over midnight, and one that comes late.
    let of = |number, at| Entry::Share(ShareEntry { ..share(number, at) });
    run.write(vec![of(1, before(1)), of(2, midnight), of(3, before(2)), of(4, after(1))]).await;
    run.write(vec![of(5, before(1)), slot(2, after(5), SlotEvent::Released)]).await;
    run.write(shares(6..9, after(1000))).await;
    run.stop().await;

    let (old, new) = ("shares-2026-11-22.db", "shares-2026-11-23.db");
    let count = async |file| sql(&place.path().join(file), "SELECT count(*) FROM shares").await;
    assert_eq!((count(old).await, count(new).await), (3, 5));
    // The new file begins with what lived at midnight.
    let count = async |table: &'static str| sql(&place.path().join(new), table).await;
    assert_eq!(count("SELECT count(*) FROM slots").await, 3);
    assert_eq!(count("SELECT count(*) FROM jobs").await, 1);
    let told = verify(place.path()).await;
    assert_eq!(told.findings, []);
    assert_eq!(told.shares.accepted, 8);

    let run = Run::start(place.path(), after(60_000)).await;
    let recalled = run.journal.recall(before(10_000)).await.unwrap();
    let slots: Vec<_> = recalled.slots.iter().map(|slot| slot.slot).collect();
    let jobs: Vec<_> = recalled.jobs.iter().map(|job| job.0.number).collect();
    assert_eq!((slots, jobs), (vec![1], vec![2]));
    run.stop().await;
}

#[tokio::test]
async fn old_days_go_and_their_sums_stay() {
    let place = tempfile::tempdir().unwrap();
    let day = |day: u64| Wall::from_millis(NOON.millis() + day * DAY_MS);
    for number in 0..4 {
        let run = Run::start(place.path(), day(number)).await;
        run.write(shares(number * 1000..number * 1000 + 500, day(number))).await;
        run.stop().await;
    }
    let files = || {
        let names = std::fs::read_dir(place.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("shares") && name.ends_with(".db"));
        names.sort();
        names
    };
    assert_eq!(files().len(), 4);
    let options = |keep_raw, disk_budget| Options {
        keep_raw,
        disk_budget,
        ..Options::new(place.path().into())
    };
    let run = Run::with(options(3, None), day(3)).await;
    assert_eq!(run.journal.status().borrow().removed_by_age, 1);
    run.stop().await;
    assert_eq!(files(), ["shares-2026-11-23.db", "shares-2026-11-24.db", "shares-2026-11-25.db"]);
    // With the raw rows the minutes of single workers go: 100 workers shared 500 shares each day.
    let points = "SELECT count(*) FROM points WHERE period = 60 AND series != 0";
    assert_eq!(sql(&place.path().join("rollup.db"), points).await, 3 * 100);
    let hours = "SELECT count(*) FROM points WHERE period = 3600 AND series != 0";
    assert_eq!(sql(&place.path().join("rollup.db"), hours).await, 4 * 100);

    // A budget that nothing but today's file and the sums fit in, and then not even those.
    let run = Run::with(options(3, Some(1)), day(3)).await;
    let status = run.journal.status().borrow().clone();
    assert_eq!((status.removed_by_age, status.removed_by_budget), (0, 2));
    assert!(status.over_budget);
    run.write(shares(9000..9100, day(3))).await;
    run.stop().await;
    assert_eq!(files(), ["shares-2026-11-25.db"]);
    let told = verify(place.path()).await;
    assert_eq!(told.findings, []);
    let rollup = place.path().join("rollup.db");
    let total = "SELECT sum(accepted) FROM points WHERE period = 86400 AND series = 0";
    assert_eq!(sql(&rollup, total).await, 4 * 500 + 100);
}

#[tokio::test]
async fn a_clock_that_is_set_back_goes_on_in_the_earlier_file() {
    let place = tempfile::tempdir().unwrap();
    let tomorrow = Wall::from_millis(NOON.millis() + DAY_MS);
    for (at, numbers) in [(NOON, 0..10), (tomorrow, 10..20), (NOON, 20..30), (tomorrow, 30..40)] {
        let run = Run::start(place.path(), at).await;
        run.write(shares(numbers, at)).await;
        run.stop().await;
    }
    let told = verify(place.path()).await;
    assert_eq!(told.findings, []);
    let days: Vec<_> = told.files.iter().map(|file| file.shares.accepted).collect();
    assert_eq!(days, [20, 20]);
}
