//! Files of every schema that was ever released are brought up to date and go on.

use std::path::Path;

use crate::{NOON, Run, shares, sql, verify};

#[tokio::test]
async fn every_committed_schema_goes_on() {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/journal");
    let mut seen = 0;
    for folder in std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.is_dir() {
            continue;
        }
        seen += 1;
        let place = tempfile::tempdir().unwrap();
        for file in ["shares-2026-11-22.db", "rollup.db"] {
            std::fs::copy(folder.join(file), place.path().join(file)).unwrap();
        }
        let run = Run::start(place.path(), NOON).await;
        let recalled = run.journal.recall(NOON).await.unwrap();
        let slots: Vec<_> = recalled.slots.iter().map(|slot| slot.slot).collect();
        assert_eq!(slots, [1], "{}", folder.display());
        assert_eq!((recalled.last_job, recalled.last_ticket), (1, 56));
        run.write(shares(1000..1010, NOON)).await;
        run.stop().await;
        let told = verify(place.path()).await;
        assert_eq!(told.findings, []);
        let counted = (told.shares.accepted, told.shares.stale, told.shares.rejected);
        assert_eq!(counted, (45 + 10, 5, 10));
        let total = "SELECT up_accepted FROM points WHERE period = 86400 AND series = 0";
        assert_eq!(sql(&place.path().join("rollup.db"), total).await, 7);
    }
    assert!(seen > 0);
}
