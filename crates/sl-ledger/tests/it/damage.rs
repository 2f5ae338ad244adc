//! Torn files, files of others, a full disk, and who changes what was written.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sl_ledger::{Options, Unwritten};

use crate::{DAY_MS, NOON, Run, shares, sql, tamper, verify};

async fn written(folder: &Path) -> PathBuf {
    let run = Run::start(folder, NOON).await;
    for at in 0..10 {
        run.write(shares(at * 100..at * 100 + 100, NOON)).await;
    }
    run.stop().await;
    folder.join("shares-2026-11-22.db")
}

#[tokio::test]
async fn a_torn_file_is_set_aside_and_a_new_one_begun() {
    for (from, to) in [(0, 100), (4096, 8192), (2000, 60_000)] {
        let place = tempfile::tempdir().unwrap();
        let file = written(place.path()).await;
        let mut bytes = std::fs::read(&file).unwrap();
        for byte in bytes.iter_mut().take(to).skip(from) {
            *byte = byte.wrapping_mul(31).wrapping_add(0x5a);
        }
        std::fs::write(&file, &bytes).unwrap();
        // Later: files of one day are told apart by the instant they were begun at.
        let later = NOON + Duration::from_secs(1);
        let run = Run::start(place.path(), later).await;
        run.write(shares(5000..5100, later)).await;
        assert_eq!(run.journal.status().borrow().set_aside, 1, "{from}..{to}");
        run.stop().await;
        assert_eq!(
            std::fs::read(place.path().join("shares-2026-11-22.db.damaged")).unwrap(),
            bytes
        );
        assert_eq!(sql(&file, "SELECT count(*) FROM shares").await, 100);
        // The roll-ups keep what the lost file had, and nobody calls that a fault of theirs.
        let total = "SELECT accepted FROM points WHERE period = 86400 AND series = 0";
        assert_eq!(sql(&place.path().join("rollup.db"), total).await, 1100);
        let told = verify(place.path()).await;
        assert_eq!(told.findings, []);
        assert_eq!(told.set_aside, ["shares-2026-11-22.db.damaged"]);
    }
}

#[tokio::test]
async fn lost_sums_are_made_again() {
    let place = tempfile::tempdir().unwrap();
    written(place.path()).await;
    std::fs::write(place.path().join("rollup.db"), b"no database at all, but long enough").unwrap();
    let told = verify(place.path()).await;
    assert_eq!(told.findings[0].kind, "damage");
    let run = Run::start(place.path(), NOON).await;
    assert_eq!(run.journal.status().borrow().set_aside, 1);
    run.stop().await;
    let told = verify(place.path()).await;
    assert_eq!((told.findings, told.files[0].rows_to_roll_up), (vec![], 0));
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let file = written(place.path()).await;
    let before = std::fs::read(&file).unwrap().len();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let mut connection =
        <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut connection).await.unwrap();
    drop(connection);
    let told = verify(place.path()).await;
    assert!(
        told.unread[0].contains("has schema 99, this program knows schemas up to 1"),
        "{told:?}"
    );
    let run = Run::unready(Options::new(place.path().into()), NOON);
    let receipt = run.append(shares(1..2, NOON));
    run.stop().await;
    assert_eq!(receipt.await, Err(Unwritten::Stopped));
    assert_eq!(std::fs::read(&file).unwrap().len(), before);
}

#[tokio::test]
async fn a_full_disk_fails_receipts_and_writing_resumes() {
    let place = tempfile::tempdir().unwrap();
    let options = Options { most_pages: Some(60), ..Options::new(place.path().into()) };
    let run = Run::with(options, NOON).await;
    let mut kept = 0;
    let why = loop {
        match run.append(shares(kept..kept + 200, NOON)).await {
            Ok(_) => kept += 200,
            Err(why) => break why.to_string(),
        }
    };
    assert!(kept > 0 && why.contains("no room to write"), "{kept} {why}");
    let status = run.until(|status| status.failing.is_some()).await;
    assert_eq!((status.shares, status.failed), (kept, 200));
    // It stays full, and says so each time.
    run.append(shares(kept..kept + 200, NOON)).await.unwrap_err();
    // The next day has room.
    let tomorrow = sl_units::Wall::from_millis(NOON.millis() + DAY_MS);
    run.write(shares(100_000..100_100, tomorrow)).await;
    run.until(|status| status.failing.is_none()).await;
    run.stop().await;

    // Somebody frees space: the same day goes on.
    let run = Run::start(place.path(), NOON).await;
    run.write(shares(kept..kept + 200, NOON)).await;
    run.stop().await;
    let told = verify(place.path()).await;
    assert_eq!(told.findings, []);
    assert_eq!(told.shares.accepted, kept + 300);
}

#[tokio::test]
async fn what_is_changed_afterwards_is_found() {
    for (statement, kind) in [
        ("UPDATE shares SET difficulty = difficulty * 2 WHERE row = 500", "chain"),
        ("UPDATE names SET name = 'mallory' WHERE row = 1", "chain"),
        ("UPDATE shares SET nonce = nonce + 1 WHERE row = 300", "chain"),
        ("DELETE FROM shares WHERE row = 400", "gap"),
        ("UPDATE file SET begun = begun + 1", "chain"),
        ("DELETE FROM commits WHERE row = (SELECT min(row) FROM commits)", "chain"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let file = written(place.path()).await;
        tamper(&file, statement).await;
        let told = verify(place.path()).await;
        assert!(!told.ok, "{statement}");
        let kinds: Vec<_> = told.findings.iter().map(|finding| finding.kind).collect();
        assert!(kinds.contains(&kind), "{statement}: {:?}", told.findings);
    }
    // The end is cut off, in order: the roll-ups know better.
    let place = tempfile::tempdir().unwrap();
    let file = written(place.path()).await;
    tamper(&file, "DELETE FROM shares WHERE row > (SELECT max(row) - 100 FROM commits); DELETE FROM commits WHERE row = (SELECT max(row) FROM commits)").await;
    let told = verify(place.path()).await;
    assert_eq!(told.findings[0].kind, "gap", "{:?}", told.findings);
    // The sums are changed.
    let place = tempfile::tempdir().unwrap();
    written(place.path()).await;
    let rollup = place.path().join("rollup.db");
    tamper(&rollup, "UPDATE points SET accepted = accepted + 1 WHERE period = 3600 AND series = 5")
        .await;
    let told = verify(place.path()).await;
    assert_eq!(told.findings.len(), 1);
    assert!(told.findings[0].text.contains("11 accepted"), "{}", told.findings[0].text);
    // The day before is replaced.
    let place = tempfile::tempdir().unwrap();
    let file = written(place.path()).await;
    let tomorrow = sl_units::Wall::from_millis(NOON.millis() + DAY_MS);
    let run = Run::start(place.path(), tomorrow).await;
    run.write(shares(1..10, tomorrow)).await;
    run.stop().await;
    assert_eq!(verify(place.path()).await.findings, []);
    std::fs::remove_file(&file).unwrap();
    written(place.path()).await;
    let kinds: Vec<_> = verify(place.path()).await.findings.iter().map(|it| it.kind).collect();
    assert!(kinds.contains(&"link"), "{kinds:?}");
}
