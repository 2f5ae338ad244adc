//! What a share costs on the disk.

use sl_ledger::Entry;

use crate::{NOON, Run, share, verify};

/// 100,000 shares as they come at 1,000 a second: groups of four, 64 a commit, time going on, jobs
/// changing, every eighth one up. No more than 100 bytes each, indices and commits included.
#[tokio::test]
async fn a_share_takes_at_most_100_bytes() {
    const SHARES: u64 = 100_000;
    let place = tempfile::tempdir().unwrap();
    let run = Run::start(place.path(), NOON).await;
    let entry = |number: u64| {
        let at = NOON + std::time::Duration::from_millis(number);
        let mut share = share(number, at);
        share.job = 1_000_000 + number / 100;
        share.slot = number * 7919 % 10_000;
        share.worker = format!("account.rig{:05}", share.slot).into();
        Entry::Share(share)
    };
    let mut receipts = Vec::new();
    for number in 0..SHARES / 4 {
        receipts.push(run.append((4 * number..4 * number + 4).map(entry).collect()));
        if receipts.len() == 16 {
            for receipt in receipts.drain(..) {
                receipt.await.unwrap();
            }
        }
    }
    let commits = run.journal.status().borrow().commits;
    run.stop().await;
    let bytes = std::fs::metadata(place.path().join("shares-2026-11-22.db")).unwrap().len();
    let each = bytes as f64 / SHARES as f64;
    println!("{each:.1} bytes a share, {:.1} shares a commit", SHARES as f64 / commits as f64);
    assert!(each <= 100.0, "{each} bytes a share");
    assert_eq!(verify(place.path()).await.shares.accepted, SHARES);
}
