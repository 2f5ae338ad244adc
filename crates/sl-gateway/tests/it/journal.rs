//! The journal: nothing is acknowledged that is not on the disk, and a restart knows all.

use std::{path::Path, sync::Arc, time::Duration};

use sl_gateway::{GatewaySettings, GatewayStatus};
use sl_ledger::{Journal, Options};
use sl_ports::Clock;
use sl_supervise::ServiceSpec;
use sl_units::{Hash256, Wall};
use sl_work::{Job, Outcome, Work};

use crate::harness::{Farm, job, settings, soon};

/// A gateway with a journal in this folder, and its first job.
async fn farm(folder: &Path) -> (Farm, Journal) {
    farm_with(folder, |_| ()).await
}

async fn farm_with(folder: &Path, change: impl FnOnce(&mut GatewaySettings)) -> (Farm, Journal) {
    let (journal, writer) = Journal::new(Options::new(folder.into()), Clock::real());
    let spec = ServiceSpec::new("journal", "under test", move |ctx| writer.clone().run(ctx));
    let with = journal.clone();
    let mut farm = Farm::start_after(vec![spec], settings(change), "tail", |gateway| {
        gateway.with_journal(with)
    });
    farm.widen(8).await;
    farm.give(job(1, 1, &[("LTC", 1), ("DOGE", 1)], &farm.clock));
    (farm, journal)
}

#[tokio::test]
async fn what_is_acknowledged_is_on_the_disk() {
    let place = tempfile::tempdir().expect("a place");
    let (mut farm, journal) = farm(place.path()).await;
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    for nonce in 1..=20 {
        machine.submit("rig.1", &notify, 0, nonce).await.expect("accepted");
        // Read by another handle, from the files alone.
        let recalled = soon(journal.recall(Wall::default())).await.expect("readable");
        let found = recalled.shares.iter().filter(|share| share.solution.nonce == nonce);
        assert_eq!(found.count(), 1, "share {nonce} was acknowledged");
    }
    for _ in 0..20 {
        let pending = farm.share().await;
        pending.settle(Outcome::Accepted { credited: vec![], missed: vec![] });
    }
    let settled = |status: &GatewayStatus| status.forwarded.accepted == 20;
    farm.status_when(settled).await;
    assert_eq!(farm.stop().await.shares.unrecorded, 0);
}

#[tokio::test]
async fn a_restart_knows_slots_jobs_shares_and_difficulties() {
    let place = tempfile::tempdir().expect("a place");
    let (mut first, _) = farm(place.path()).await;
    let (mut machine, _, before) = first.machine("rig.1").await;
    machine.ask("mining.suggest_difficulty", serde_json::json!([0.5])).await.expect("heard");
    first.give(job(2, 1, &[("LTC", 1), ("DOGE", 2)], &first.clock));
    let told = machine.hear().await["params"][0].as_f64().expect("a number");
    assert_eq!(told, 0.5);
    let latest = machine.notify().await;
    machine.submit("rig.1", &before, 0, 1).await.expect("accepted");
    machine.submit("rig.1", &latest, 0, 1).await.expect("accepted");
    let (slot, session) = (machine.slot.clone(), machine.session.clone());
    drop(machine);
    first.stop().await;

    let (mut second, _) = farm(place.path()).await;
    let slots = second.status_when(|status| status.slots.away == 1).await.slots;
    assert_eq!((slots.in_use, slots.away), (0, 1));
    // Somebody else does not get its slot, though it comes first.
    let mut other = second.connect_from("203.0.113.7").await;
    other.introduce("other", None).await;
    assert_ne!(other.slot, slot);
    let (mut machine, told, now) = second.machine_again("rig.1", Some(&session)).await;
    assert_eq!((&machine.slot, &machine.session, told), (&slot, &session, 0.5));
    assert_ne!(now[0], latest[0], "no number comes twice");
    assert_eq!(machine.submit("rig.1", &latest, 0, 1).await.expect_err("sent before").0, 22);
    assert_eq!(machine.submit("rig.1", &before, 0, 1).await.expect_err("sent before").0, 22);
    machine.submit("rig.1", &latest, 0, 2).await.expect("of a job from before");
    machine.submit("rig.1", &now, 0, 2).await.expect("of today's");
    let pending = second.share().await;
    assert_eq!(pending.share().nonce(), 2, "only what the source knows goes up");
    pending.settle(Outcome::Accepted { credited: vec![], missed: vec![] });
    let settled = |status: &GatewayStatus| status.forwarded.accepted == 1;
    let status = second.status_when(settled).await;
    assert_eq!((status.shares.accepted, status.shares.duplicate), (2, 2));
    assert_eq!((status.forwarded.lost, status.forwarded.lost_by_restart), (1, 1));
    second.stop().await;
}

#[tokio::test]
async fn a_slot_that_is_free_again_does_not_come_back_after_a_restart() {
    let place = tempfile::tempdir().expect("a place");
    let at_once = |settings: &mut GatewaySettings| settings.resume_within = Duration::ZERO;
    let (mut first, journal) = farm_with(place.path(), at_once).await;
    let (gone, ..) = first.machine("rig.1").await;
    let session = gone.session.clone();
    drop(gone);
    first.status_when(|status| status.slots.away == 1).await;
    // Not before the jobs are forgotten that were out with it.
    let mut other = first.connect_from("203.0.113.7").await;
    other.introduce("other", None).await;
    for sequence in 2..520 {
        first.give(job(sequence, 1, &[], &first.clock));
        other.notify().await;
    }
    let mut third = first.connect_from("203.0.113.8").await;
    third.introduce("third", None).await;
    first.status_when(|status| (status.slots.in_use, status.slots.away) == (2, 0)).await;
    first.stop().await;
    let recalled = soon(journal.recall(Wall::default())).await.expect("readable");
    let held: Vec<_> = recalled.slots.iter().map(|slot| (&*slot.worker, slot.slot)).collect();
    assert_eq!(held, [("third", 0), ("other", 1)]);
    assert!(recalled.slots.iter().all(|slot| *slot.session != *session));
}

#[tokio::test]
async fn a_job_from_before_is_stale_when_nothing_of_it_stands() {
    let place = tempfile::tempdir().expect("a place");
    let (mut first, _) = farm(place.path()).await;
    let (mut machine, _, before) = first.machine("rig.1").await;
    machine.submit("rig.1", &before, 0, 1).await.expect("accepted");
    let session = machine.session.clone();
    drop(machine);
    first.stop().await;

    let (mut second, _) = farm(place.path()).await;
    second.status_when(|status| status.jobs == 1).await;
    let mut fallen = Job::clone(&job(9, 9, &[("LTC", 9), ("DOGE", 9)], &second.clock));
    fallen.header.prev = Hash256::from_bytes([9; 32]);
    second.give_work(Work::Job(Arc::new(fallen)));
    second.status_when(|status| status.jobs == 2).await;
    let (mut machine, ..) = second.machine_again("rig.1", Some(&session)).await;
    let late = machine.submit("rig.1", &before, 0, 2).await.expect_err("nothing stands");
    assert_eq!(late, (21, "Stale share".to_owned()));
    let status = second.status_when(|status| status.shares.stale == 1).await;
    let by_coin: Vec<_> =
        status.stale_by_coin.iter().map(|(coin, n)| (coin.as_str(), *n)).collect();
    assert_eq!(by_coin, [("DOGE", 1), ("LTC", 1)]);
    second.stop().await;
}

#[tokio::test]
async fn what_the_journal_does_not_take_is_not_acknowledged_and_goes_up_all_the_same() {
    let place = tempfile::tempdir().expect("a place");
    let (journal, writer) = Journal::new(Options::new(place.path().into()), Clock::real());
    // Nobody writes: the lane is closed.
    drop(writer);
    let mut farm =
        Farm::start_with(settings(|_| ()), "tail", |gateway| gateway.with_journal(journal));
    farm.widen(8).await;
    farm.give(job(1, 1, &[], &farm.clock));
    let (mut machine, _, notify) = farm.machine("rig.1").await;
    let refused = machine.submit("rig.1", &notify, 0, 1).await.expect_err("not on the disk");
    assert_eq!(refused, (20, "the share is counted, but the journal failed".to_owned()));
    let pending = farm.share().await;
    pending.settle(Outcome::Accepted { credited: vec![], missed: vec![] });
    let settled = |status: &GatewayStatus| status.forwarded.accepted == 1;
    let status = farm.status_when(settled).await;
    assert_eq!((status.shares.accepted, status.shares.unrecorded), (1, 1));
    // Sent again it is known: it is at the source already.
    assert_eq!(machine.submit("rig.1", &notify, 0, 1).await.expect_err("sent before").0, 22);
    farm.stop().await;
}
