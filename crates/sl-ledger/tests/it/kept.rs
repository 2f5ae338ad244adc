//! What is appended is kept, counted and recalled.

use std::num::NonZeroU64;

use sl_chain::coins::Ticker;
use sl_ledger::{
    BlockEntry, BlockEvent, BlockJob, Entry, JobEntry, Judged, Reason, ShareEntry, SlotEntry,
    SlotEvent, UpstreamEntry, VerdictEntry,
};
use sl_units::{Hash256, ShareDifficulty, Wall};
use sl_work::{JobId, Outcome, SourceId};

use crate::{DAY_MS, NOON, Run, share, shares, sql, text, verify};

pub(crate) fn slot(slot: u64, at: Wall, event: SlotEvent) -> Entry {
    Entry::Slot(SlotEntry {
        at,
        slot,
        event,
        session: format!("session{slot}").into(),
        worker: format!("account.rig{slot:02}").into(),
        address: text("10.0.0.7"),
        user_agent: Some(text("bmminer/2.0")),
        difficulty: ShareDifficulty::new(65_536.0).ok(),
    })
}

pub(crate) fn job(number: u64, at: Wall) -> Entry {
    Entry::Job(JobEntry {
        at,
        number,
        source: SourceId::new("pool.example"),
        sequence: number * 10,
        epoch: number / 2,
        blob: vec![7; 300].into(),
    })
}

fn coin(ticker: &str) -> Ticker {
    ticker.parse().unwrap()
}

#[tokio::test]
async fn everything_is_counted_to_the_share() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("journal");
    let run = Run::start(&folder, NOON).await;
    run.write(shares(1..101, NOON)).await;
    let judged = |number, judged, missed: &[&str]| {
        let missed = missed.iter().map(|it| coin(it)).collect();
        Entry::Share(ShareEntry { judged, missed, ..share(number, NOON) })
    };
    run.write(vec![
        judged(101, Judged::Stale, &["LTC", "DOGE"]),
        judged(102, Judged::Accepted, &["DOGE"]),
        judged(103, Judged::Rejected(Reason::Duplicate), &[]),
        judged(104, Judged::Rejected(Reason::Duplicate), &[]),
        judged(105, Judged::Rejected(Reason::LowDifficulty), &[]),
    ])
    .await;
    let verdict = |ticket, outcome| {
        Entry::Verdict(VerdictEntry {
            at: NOON,
            ticket: NonZeroU64::new(ticket).unwrap(),
            worker: text("account.rig08"),
            source: SourceId::new("pool.example"),
            outcome,
        })
    };
    let credited = vec![coin("LTC")];
    run.write(vec![
        verdict(8, Outcome::Accepted { credited, missed: vec![coin("DOGE")] }),
        verdict(16, Outcome::Rejected { reason: "ж".repeat(300) }),
        verdict(24, Outcome::Lost { reason: "the pool is gone".into() }),
        Entry::Upstream(UpstreamEntry {
            at: NOON,
            source: SourceId::new("pool.example"),
            event: text("lost"),
            why: text("connection reset"),
        }),
        Entry::Block(BlockEntry {
            at: NOON,
            chain: coin("DOGE"),
            height: 6_000_000,
            hash: Hash256::from_bytes([3; 32]),
            worker: text("account.rig08"),
            job: BlockJob::Number(8),
            event: BlockEvent::Found,
        }),
    ])
    .await;
    let status = run.journal.status().borrow().clone();
    assert_eq!((status.entries, status.shares, status.failed), (110, 105, 0));
    run.stop().await;

    let told = verify(&folder).await;
    assert_eq!(told.findings, []);
    let counted = (told.shares.accepted, told.shares.stale, told.shares.rejected);
    assert_eq!(counted, (101, 1, 3));
    assert_eq!(told.files[0].rows_to_roll_up, 0);
    assert!(told.rollup_points > 200, "{told:?}");

    // As a stranger reads it with sqlite3.
    let rollup = folder.join("rollup.db");
    let day = folder.join("shares-2026-11-22.db");
    let check = async |file, statement, expect| assert_eq!(sql(file, statement).await, expect);
    check(&day, "SELECT count(*) FROM shares", 105).await;
    check(&day, "SELECT count(*) FROM readable WHERE outcome = 'accepted'", 101).await;
    check(&day, "SELECT count(*) FROM readable WHERE reason = 'duplicate'", 2).await;
    let total = "SELECT accepted FROM points WHERE period = 86400 AND series = 0";
    check(&rollup, total, 101).await;
    for period in ["60", "3600", "86400"] {
        let statement =
            format!("SELECT sum(rejected) FROM points WHERE period = {period} AND series != 0");
        check(&rollup, statement.leak(), 3).await;
    }
    let cause = "SELECT count FROM causes JOIN names ON id = cause WHERE period = 86400 AND series = 0 AND name = ";
    for (name, expect) in [
        ("rejected.duplicate", 2),
        ("rejected.low_difficulty", 1),
        ("stale.DOGE", 2),
        ("stale.LTC", 1),
        ("block.DOGE.found", 1),
    ] {
        check(&rollup, format!("{cause}'{name}'").leak(), expect).await;
    }
    let up = "SELECT up_accepted * 100 + up_rejected * 10 + up_lost FROM points JOIN names ON id = series WHERE period = 3600 AND name = 'account.rig08'";
    check(&rollup, up, 111).await;
}

#[tokio::test]
async fn a_block_says_the_number_of_its_job_by_whatever_name_that_came() {
    let place = tempfile::tempdir().unwrap();
    let run = Run::start(place.path(), NOON).await;
    let id = |sequence| BlockJob::Id(JobId { source: SourceId::new("pool.example"), sequence });
    let block = |height, job| {
        let (chain, worker, event) = (coin("LTC"), text("account.rig08"), BlockEvent::Accepted);
        let hash = Hash256::from_bytes([3; 32]);
        Entry::Block(BlockEntry { at: NOON, chain, height, hash, worker, job, event })
    };
    run.write(vec![job(1, NOON), job(2, NOON)]).await;
    // A source may count anew after a restart: the last job of that name is meant.
    let Entry::Job(again) = job(1, NOON) else { panic!("a job") };
    let again = Entry::Job(JobEntry { number: 7, ..again });
    let named = [(1, id(20), 2), (2, id(30), 3), (3, id(10), 7), (4, id(99), 0)];
    let mut entries = vec![again, job(3, NOON), block(5, BlockJob::Number(1))];
    entries.extend(named.iter().map(|(height, job, _)| block(*height, job.clone())));
    run.write(entries).await;
    run.stop().await;
    let day = place.path().join("shares-2026-11-22.db");
    for (height, _, number) in named.into_iter().chain([(5, id(0), 1)]) {
        let statement = format!("SELECT job FROM blocks WHERE height = {height}");
        assert_eq!(sql(&day, statement.leak()).await, number, "{height}");
    }
}

#[tokio::test]
async fn a_restart_recalls_slots_jobs_and_shares() {
    let place = tempfile::tempdir().unwrap();
    let at = |minutes: u64| NOON + std::time::Duration::from_secs(60 * minutes);
    let run = Run::start(place.path(), NOON).await;
    let empty = run.journal.recall(NOON).await.unwrap();
    assert_eq!(empty, sl_ledger::Recalled::default());
    run.write((1..=5).map(|number| slot(number, NOON, SlotEvent::Held)).collect()).await;
    run.write(vec![slot(2, at(1), SlotEvent::Released), slot(5, at(1), SlotEvent::Released)]).await;
    run.write(vec![slot(5, at(2), SlotEvent::Held)]).await;
    run.write((1..=9).map(|number| job(number, at(number))).collect()).await;
    run.write(shares(1..33, at(9))).await;
    let duplicate = Judged::Rejected(Reason::Duplicate);
    run.write(vec![Entry::Share(ShareEntry { judged: duplicate, ..share(8, at(9)) })]).await;
    run.stop().await;

    let run = Run::start(place.path(), at(10)).await;
    let recalled = run.journal.recall(at(7)).await.unwrap();
    let slots: Vec<_> = recalled.slots.iter().map(|slot| slot.slot).collect();
    assert_eq!(slots, [1, 3, 4, 5]);
    assert_eq!(Entry::Slot(recalled.slots[0].clone()).at(), NOON);
    let Entry::Slot(first) = slot(1, NOON, SlotEvent::Held) else { unreachable!() };
    assert_eq!(recalled.slots[0], first);
    let jobs: Vec<_> = recalled.jobs.iter().map(|job| job.0.number).collect();
    assert_eq!(jobs, [7, 8, 9]);
    let last = &recalled.jobs[2].0;
    assert_eq!((last.sequence, last.epoch, last.at, last.blob.len()), (90, 4, at(9), 300));
    assert_eq!((recalled.last_job, recalled.last_ticket), (9, 32));
    let mut shares: Vec<_> = recalled.shares.iter().map(|share| share.job).collect();
    shares.sort_unstable();
    assert_eq!(shares, [7, 8, 9]);
    let eighth = recalled.shares.iter().find(|share| share.job == 8).unwrap();
    assert_eq!(Some(&eighth.solution), share(8, at(9)).solution.as_ref());
    let rig = recalled.workers.iter().find(|worker| &*worker.worker == "account.rig08").unwrap();
    assert_eq!(rig.difficulty, ShareDifficulty::new(65_536.0).ok());
    // Two were sent, one of them a duplicate, in one minute.
    let expected = 65_536.0 * 65_536.0 / 60.0;
    assert!((rig.rate.hs() / expected - 1.0).abs() < 1e-3, "{}", rig.rate);
    run.stop().await;
}

#[tokio::test]
async fn numbers_go_on_after_days_without_shares() {
    let place = tempfile::tempdir().unwrap();
    let day = |day: u64| Wall::from_millis(NOON.millis() + day * DAY_MS);
    let run = Run::start(place.path(), day(0)).await;
    run.write(shares(1..17, day(0))).await;
    run.write(vec![job(12, day(0))]).await;
    run.stop().await;
    // Jobs alone, then nothing but a pool that is away.
    for number in 1..=4 {
        let run = Run::start(place.path(), day(number)).await;
        let away = Entry::Upstream(UpstreamEntry {
            at: day(number),
            source: SourceId::new("pool.example"),
            event: text("lost"),
            why: text("no route to host"),
        });
        run.write(vec![away]).await;
        if number == 1 {
            run.write(vec![job(13, day(number))]).await;
        }
        let recalled = run.journal.recall(day(number)).await.unwrap();
        assert_eq!((recalled.last_job, recalled.last_ticket), (13, 16), "day {number}");
        run.stop().await;
    }
}

#[tokio::test]
async fn the_sync_comes_before_the_receipt() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .finish();
    // The test's runtime has one thread, so the writer's task logs here as well.
    let _guard = tracing::subscriber::set_default(subscriber);
    let run = Run::start(place.path(), NOON).await;
    for number in 1..20 {
        run.write(shares(number..number + 1, NOON)).await;
        let text = log.0.lock().unwrap().clone();
        let synced = String::from_utf8_lossy(&text).matches("journal.synced").count();
        assert_eq!(synced as u64, number);
    }
    run.stop().await;
}

#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_journal_that_is_off_says_yes_at_once() {
    let journal = sl_ledger::Journal::off();
    assert_eq!(journal.append(shares(1..9, NOON)).unwrap().await, Ok(0));
    assert_eq!(journal.recall(NOON).await.unwrap(), sl_ledger::Recalled::default());
}
