//! `kill -9` at any instant: what had its receipt is in the journal.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use sl_ledger::{Entry, Exported, Format};
use sl_ports::Randomness;
use sl_units::Wall;

use crate::{NOON, Run, share, shares, verify};

const FOLDER: &str = "SILVERLODE_TEST_JOURNAL_CHILD";
const BURSTS: u64 = 100;

#[tokio::test]
async fn what_was_acknowledged_survives_a_hundred_kills() {
    let place = tempfile::tempdir().unwrap();
    let mut rng = Randomness::seeded(11).rng("when to kill");
    let mut acknowledged: Vec<u64> = Vec::new();
    let mut begun = 0;
    for burst in 0..BURSTS {
        acknowledged.extend(burst_of(place.path(), begun, rng.usize(1..60)));
        begun += 1_000_000;
        if burst % 20 == 19 {
            check(place.path(), &acknowledged).await;
        }
    }
    assert!(acknowledged.len() > 1000, "{} receipts", acknowledged.len());
    // The next start brings the roll-ups to the last row.
    let run = Run::start(place.path(), NOON).await;
    run.stop().await;
    let told = verify(place.path()).await;
    assert_eq!((told.findings, told.set_aside), (vec![], vec![]));
    assert!(told.files.iter().all(|file| file.rows_to_roll_up == 0));
    assert!(told.shares.accepted >= acknowledged.len() as u64);
}

/// Runs a child that writes, kills it after so many receipts, and says which it had told.
fn burst_of(folder: &Path, first: u64, receipts: usize) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(FOLDER, format!("{first}:{}", folder.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut told = Vec::new();
    let mut line = String::new();
    while told.len() < receipts && output.read_line(&mut line).unwrap() > 0 {
        told.extend(number(&line));
        line.clear();
    }
    child.kill().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    // A line that was cut short by the kill has no end, and counts for nothing.
    told.extend(rest.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(number));
    let status = child.wait().unwrap();
    assert!(!status.success(), "the child was to be killed, and ended by itself");
    told
}

fn number(line: &str) -> Option<u64> {
    line.strip_prefix("receipt ")?.trim_end().parse().ok()
}

async fn check(folder: &Path, acknowledged: &[u64]) {
    let mut out = Vec::new();
    let all = Wall::from_millis(i64::MAX as u64);
    let zero = Wall::from_millis(0);
    sl_ledger::export(folder, Exported::Shares, zero, all, Format::JsonLines, &mut out)
        .await
        .unwrap();
    let job = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        row["job"].as_u64().unwrap()
    };
    let kept: std::collections::HashSet<u64> =
        String::from_utf8(out).unwrap().lines().map(job).collect();
    let missing: Vec<_> = acknowledged.iter().filter(|number| !kept.contains(number)).collect();
    assert!(missing.is_empty(), "acknowledged and not in the journal: {missing:?}");
}

/// Not a test by itself: the child of the one above.
#[tokio::test]
async fn child() {
    let Some(word) = std::env::var_os(FOLDER) else { return };
    let (first, folder) = word.to_str().unwrap().split_once(':').unwrap();
    let first: u64 = first.parse().unwrap();
    let run = Run::start(Path::new(folder), NOON).await;
    let mut out = std::io::stdout();
    let mut number = first;
    // Ends by being killed; the bound is for a parent that is killed itself.
    while number < first + 1_000_000 {
        let at = NOON + std::time::Duration::from_millis(number - first);
        let receipts: Vec<_> = (0..8)
            .map(|group| {
                let from = number + 4 * group;
                (from, run.append((from..from + 4).map(|it| Entry::Share(share(it, at))).collect()))
            })
            .collect();
        let unheard = run.append(shares(number + 32..number + 40, at));
        number += 40;
        for (from, receipt) in receipts {
            receipt.await.unwrap();
            for number in from..from + 4 {
                writeln!(out, "receipt {number}").unwrap();
            }
            out.flush().unwrap();
        }
        drop(unheard);
    }
}
