//! Export, verification, proofs and backup, beside a running writer.

use std::path::Path;

use bytes::Bytes;
use sl_ledger::{
    Entry, Exported, Format, JobEntry, Judged, Reason, ShareEntry, decode_job, encode_job,
};
use sl_units::{Bits, CoinAmount, Hash256, Mono, ShareDifficulty, Target, Wall};
use sl_work::{CoinbaseTemplate, Goal, HeaderTemplate, Job, JobId, NtimeRange, SourceId};

use crate::{NOON, Run, share, shares, verify};

fn job() -> Job {
    Job {
        id: JobId { source: SourceId::new("solo"), sequence: 9 },
        epoch: 4,
        born: Mono::default(),
        header: HeaderTemplate {
            version: 0x2000_0000,
            roll_mask: 0xe000,
            prev: Hash256::from_bytes([1; 32]),
            bits: Bits::from_u32(0x1e0f_fff0),
            ntime: NtimeRange { earliest: 1, start: 2, latest: u32::MAX },
        },
        coinbase: CoinbaseTemplate {
            prefix: Bytes::from_static(b"before"),
            free: 8,
            suffix: Bytes::from_static(b"after"),
        },
        branch: vec![Hash256::from_bytes([2; 32]), Hash256::from_bytes([3; 32])],
        wanted: Target::from(ShareDifficulty::new(512.0).unwrap()),
        goals: vec![Goal {
            chain: "DOGE".parse().unwrap(),
            height: 6_000_000,
            tip: Hash256::from_bytes([4; 32]),
            target: Target::from(ShareDifficulty::new(1e9).unwrap()),
            reward: CoinAmount::from_coins(10_000),
            weight: Some(0.7),
        }],
    }
}

#[test]
fn a_job_comes_back_from_its_bytes() {
    let job = job();
    let bytes = encode_job(&job);
    let again = decode_job(&bytes, job.id.clone(), job.epoch, job.born).unwrap();
    assert_eq!(format!("{again:?}"), format!("{job:?}"));
    for length in 0..bytes.len() {
        assert!(decode_job(&bytes[..length], job.id.clone(), 0, job.born).is_none(), "{length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(decode_job(&longer, job.id.clone(), 0, job.born).is_none());
}

/// Stands for proof of work: only that the same header gives the same hash matters here.
fn hash(header: &[u8; 80]) -> Hash256 {
    let mut hash = *sl_chain::sha256d(header).as_bytes();
    // Most difficulties are below 1 otherwise, which is allowed, but unlike the field.
    hash[28..].fill(0);
    Hash256::from_bytes(hash)
}

fn proven(number: u64) -> Entry {
    let mut share = share(number, NOON);
    share.job = 1;
    let solution = share.solution.as_ref().unwrap();
    let header =
        job().header_bytes(&solution.extranonce, solution.version, solution.ntime, solution.nonce);
    let reached = ShareDifficulty::from(Target::from_le_bytes(*hash(&header).as_bytes()));
    share.achieved = Some(reached);
    share.difficulty = ShareDifficulty::new(reached.get() / 2.0).unwrap();
    Entry::Share(share)
}

#[tokio::test]
async fn proofs_are_made_again() {
    let place = tempfile::tempdir().unwrap();
    let run = Run::start(place.path(), NOON).await;
    let blob = encode_job(&job());
    let source = SourceId::new("solo");
    run.write(vec![Entry::Job(JobEntry {
        at: NOON,
        number: 1,
        source,
        sequence: 9,
        epoch: 4,
        blob,
    })])
    .await;
    run.write((0..1000).map(proven).collect()).await;
    let look = async |sample| {
        sl_ledger::verify(place.path(), sample, &mut |header| hash(header)).await.unwrap()
    };
    let told = look(100).await;
    assert_eq!((told.findings, told.proofs.right, told.proofs.wrong), (vec![], 100, 0));

    // A share that says more than its hash, one that counts for more, and one without a job.
    let Entry::Share(honest) = proven(2000) else { unreachable!() };
    let more = ShareDifficulty::new(honest.difficulty.get() * 4.0).unwrap();
    run.write(vec![
        Entry::Share(ShareEntry { achieved: Some(more), ..honest.clone() }),
        Entry::Share(ShareEntry { difficulty: more, ..honest.clone() }),
        Entry::Share(ShareEntry { job: 77, ..honest }),
    ])
    .await;
    let told = look(u64::MAX).await;
    assert_eq!((told.proofs.right, told.proofs.wrong, told.proofs.without_job), (1000, 2, 1));
    assert!(told.findings.iter().all(|finding| finding.kind == "proof"), "{:?}", told.findings);
    run.stop().await;
}

async fn lines(folder: &Path, what: Exported, format: Format, from: Wall, to: Wall) -> Vec<String> {
    let mut out = Vec::new();
    let count = sl_ledger::export(folder, what, from, to, format, &mut out).await.unwrap();
    let lines: Vec<_> = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len() as u64, count + u64::from(format == Format::Csv));
    lines
}

#[tokio::test]
async fn exports_are_as_they_were_written() {
    let place = tempfile::tempdir().unwrap();
    let run = Run::start(place.path(), NOON).await;
    let worker = "a,\"b\"".into();
    let judged = Judged::Rejected(Reason::Duplicate);
    let missed = vec!["LTC".parse().unwrap(), "DOGE".parse().unwrap()];
    let strange = ShareEntry { worker, judged, missed, achieved: None, ..share(8, NOON) };
    run.write(vec![Entry::Share(strange)]).await;
    run.write(shares(0..20_000, NOON + std::time::Duration::from_secs(60))).await;
    let late = Wall::from_millis(u64::MAX);
    let csv = lines(place.path(), Exported::Shares, Format::Csv, NOON, late).await;
    assert_eq!(csv.len(), 20_002);
    assert_eq!(
        csv[0],
        "day,row,at,worker,slot,job,difficulty,achieved,outcome,reason,missed,ticket,extranonce,\
         version,ntime,nonce"
    );
    assert_eq!(
        csv[1],
        "2026-11-22,4,2026-11-22T12:00:00.000Z,\"a,\"\"b\"\"\",8,8,65536.0,,rejected,duplicate,\
         LTC+DOGE,8,a8e053facbcdbbf1,536870912,1795348800,3873832233"
    );
    let after = NOON + std::time::Duration::from_millis(1);
    let json = lines(place.path(), Exported::Shares, Format::JsonLines, NOON, after).await;
    let row: serde_json::Value = serde_json::from_str(&json[0]).unwrap();
    assert_eq!(row["missed"], serde_json::json!(["LTC", "DOGE"]));
    assert_eq!((json.len(), &row["achieved"]), (1, &serde_json::Value::Null));
    for (_, what) in Exported::ALL {
        lines(place.path(), *what, Format::JsonLines, NOON, late).await;
    }
    run.stop().await;
}

#[tokio::test]
async fn readers_do_not_disturb_the_writer_nor_he_them() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("journal");
    let run = Run::start(&folder, NOON).await;
    run.write(shares(0..5000, NOON)).await;
    let late = Wall::from_millis(u64::MAX);
    for round in 0..5 {
        let from = 10_000 * (round + 1);
        let receipts: Vec<_> = (0..100)
            .map(|group| run.append(shares(from + 20 * group..from + 20 * group + 20, NOON)))
            .collect();
        let told = verify(&folder).await;
        assert_eq!(told.findings, []);
        assert!(told.shares.accepted >= 5000);
        lines(&folder, Exported::Shares, Format::Csv, NOON, late).await;
        let copy = place.path().join(format!("copy{round}"));
        let copied = sl_ledger::backup(&folder, &copy).await.unwrap();
        assert_eq!(copied.failed, [""; 0]);
        assert_eq!(copied.files, ["rollup.db", "shares-2026-11-22.db"]);
        for receipt in receipts {
            receipt.await.unwrap();
        }
        // The copy is a journal of its own, and goes on.
        let told = verify(&copy).await;
        assert_eq!(told.findings, []);
        let before = told.shares.accepted;
        let other = Run::start(&copy, NOON).await;
        other.write(shares(0..10, NOON)).await;
        other.stop().await;
        assert_eq!(verify(&copy).await.shares.accepted, before + 10);
    }
    let taken = sl_ledger::backup(&folder, &place.path().join("copy0")).await.unwrap_err();
    assert!(taken.to_string().contains("not empty"), "{taken}");
    run.stop().await;
    assert_eq!(verify(&folder).await.shares.accepted, 15_000);
}

#[tokio::test]
async fn no_journal_is_said_so() {
    let place = tempfile::tempdir().unwrap();
    let nothing = place.path().join("nothing");
    let mut hash = |_: &[u8; 80]| Hash256::from_bytes([0; 32]);
    let error = sl_ledger::verify(&nothing, 0, &mut hash).await.unwrap_err();
    assert!(error.to_string().starts_with("there is no journal in"), "{error}");
}
