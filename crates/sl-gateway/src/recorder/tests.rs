use sl_ledger::Options;
use sl_ports::Randomness;
use sl_supervise::{ServiceSpec, Supervisor};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{board::Board, slots::Origin};

fn freed(slot: u64) -> Freed {
    let origin = Origin { address: [10, 0, 0, 1].into(), user_agent: None };
    Freed { slot, session: "s".into(), origin, worker: "rig.1".into() }
}

#[tokio::test]
async fn what_finds_no_room_is_kept_in_bounds_and_written_when_there_is_some() {
    let place = tempfile::tempdir().expect("a place");
    let clock = Clock::real();
    let (journal, writer) = Journal::new(Options::new(place.path().into()), clock);
    let source = SourceId::new("test");
    let mut recorder = Recorder::new(Some(journal.clone()), clock, source.clone(), 0);
    // The disk stands still.
    let lost = UpstreamEntry { at: clock.wall(), source, event: "lost".into(), why: "".into() };
    let many = vec![Entry::Upstream(lost); journal.room() - 10];
    let before = journal.append(many).expect("there is room");
    let (answer, mut told) = oneshot::channel();
    recorder.answer((answer, Told::Accepted));
    for _ in 0..20 {
        recorder.source("working", &"".into());
    }
    assert_eq!((recorder.flush(), recorder.is_behind(), recorder.has_room()), (0, true, false));
    for slot in 0..(MOST_SLOTS as u64) + 5 {
        recorder.freed(&freed(slot));
    }
    while recorder.group.len() < MOST_KEPT {
        recorder.source("working", &"".into());
    }
    recorder.source("one too many", &"".into());
    assert_eq!((recorder.flush(), recorder.is_behind()), (0, true));
    // The twenty before have a place among the slots'.
    let unkept = Unkept { slots: 25, sources: 1, ..Unkept::default() };
    assert_eq!(recorder.take_unkept(), unkept);
    assert!(told.try_recv().is_err(), "it is not on the disk");

    let spec = ServiceSpec::new("journal", "under test", move |ctx| writer.clone().run(ctx));
    let rng = Randomness::seeded(1).rng("supervisor");
    let stop = CancellationToken::new();
    let running = Supervisor::new(vec![spec], rng).expect("one").run(stop.clone());
    let running = tokio::spawn(running);
    before.await.expect("written");
    assert_eq!((recorder.flush(), recorder.is_behind(), recorder.has_room()), (0, false, true));
    let synced = recorder.sync().await;
    assert_eq!(recorder.synced(&synced), 0);
    assert_eq!(told.await, Ok(Told::Accepted));
    let recalled = journal.recall(sl_units::Wall::default()).await.expect("readable");
    assert!(recalled.slots.is_empty());
    stop.cancel();
    running.await.expect("in order");
}

#[tokio::test]
async fn a_job_is_written_once_and_before_its_first_share() {
    let place = tempfile::tempdir().expect("a place");
    let clock = Clock::real();
    let (journal, _writer) = Journal::new(Options::new(place.path().into()), clock);
    let mut recorder = Recorder::new(Some(journal), clock, SourceId::new("test"), 0);
    let share = crate::forward::tests::share(false);
    let filed = |job| Filed {
        machine: 1,
        slot: 1,
        worker: "rig.1".into(),
        job,
        difficulty: ShareDifficulty::new(1.0).expect("positive"),
        stale: false,
        missed: Vec::new(),
        orphan: job < 7,
        answer: oneshot::channel().0,
    };
    // The word of the job is still on its way; another is of an earlier run.
    recorder.proven(&filed(7), &share, None);
    recorder.proven(&filed(3), &share, None);
    let board = Board::default().issue(share.job().clone(), 7, clock.mono());
    recorder.job(board.current().expect("issued"));
    let next = board.issue(share.job().clone(), 7, clock.mono());
    recorder.job(next.current().expect("issued"));
    recorder.proven(&filed(8), &share, None);
    let written = recorder.group.iter().map(|entry| match entry {
        Entry::Job(job) => ("job", job.number),
        Entry::Share(share) => ("share", share.job),
        other => panic!("{other:?}"),
    });
    let written: Vec<_> = written.collect();
    assert_eq!(written, [("job", 7), ("share", 7), ("share", 3), ("job", 8), ("share", 8)]);
}

#[tokio::test]
async fn where_nobody_writes_nothing_is_kept_and_each_kind_is_counted() {
    let place = tempfile::tempdir().expect("a place");
    let (journal, writer) = Journal::new(Options::new(place.path().into()), Clock::real());
    drop(writer);
    let source = SourceId::new("test");
    let mut recorder = Recorder::new(Some(journal), Clock::real(), source, 0);
    let (answer, told) = oneshot::channel();
    recorder.answer((answer, Told::Accepted));
    recorder.source("working", &"".into());
    recorder.freed(&freed(1));
    assert_eq!((recorder.flush(), recorder.is_behind(), recorder.has_room()), (1, false, true));
    assert_eq!(recorder.take_unkept(), Unkept { slots: 1, sources: 1, ..Unkept::default() });
    assert_eq!(told.await, Ok(Told::Unrecorded));
}
