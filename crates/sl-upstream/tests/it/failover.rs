//! A group over scripted sources: who works, what a change means, where each share ends.

use std::{sync::Arc, time::Duration};

use sl_ports::{Clock, Randomness};
use sl_pow::{Prover, ScalarEngine};
use sl_supervise::ServiceSpec;
use sl_testkit::{
    contract,
    scripted::{Scripted, refused, share, taken},
    toy::Zero,
};
use sl_units::Mono;
use sl_upstream::{
    Failover, FailoverRules, FailoverStatus, Member, MemberStanding, Strategies, StrategyRules,
    Wanted,
};
use sl_work::{Ask, Job, Lease, Outcome, SourceHandle, SourceId, Unfit, Verdict, Work, WorkSource};
use tokio::sync::watch;

use crate::{Supervised, soon};

/// A group under test, on a paused clock.
struct Group {
    clock: Clock,
    failover: Failover,
    source: SourceHandle,
    status: watch::Receiver<FailoverStatus>,
    service: Supervised,
}

impl Group {
    fn over(members: Vec<Member>) -> Self {
        let clock = Clock::real();
        let randomness = Randomness::seeded(7);
        let id = SourceId::new("pools");
        let failover = Failover::new(id, Strategies::default(), clock, randomness.rng("pools"));
        failover.set(Wanted { members, ..Wanted::default() }).expect("a known strategy");
        let (source, status) = (failover.source(), failover.status());
        let service = failover.clone();
        let spec = ServiceSpec::new("pools", "a group", move |ctx| service.clone().run(ctx));
        let service = Supervised::start(spec, &randomness);
        Self { clock, failover, source, status, service }
    }

    fn now(&self) -> Mono {
        self.clock.mono()
    }

    async fn lease(&self, members: &mut [&mut Scripted]) -> Lease {
        let mut status = self.source.status();
        soon(status.wait_for(|status| status.widest >= 2)).await.expect("it lives");
        let lease = self.source.lease(Ask { free: 2, consumer: "test".into() });
        let lease = lease.expect("wide enough");
        settle(members).await;
        lease
    }

    async fn until(&mut self, wanted: impl FnMut(&FailoverStatus) -> bool) -> FailoverStatus {
        soon(self.status.wait_for(wanted)).await.expect("it lives").clone()
    }

    fn current(&self) -> String {
        self.status.borrow().current.as_ref().map_or("nobody".into(), ToString::to_string)
    }

    fn set(&self, members: Vec<Member>, rules: FailoverRules) {
        let wanted = Wanted { members, rules, strategy: "priority".into() };
        self.failover.set(wanted).expect("a known strategy");
    }

    async fn stop(self) {
        self.service.stop().await;
    }
}

/// Lets every task do what it can; the members take the leases that are asked for.
async fn settle(members: &mut [&mut Scripted]) {
    for _ in 0..100 {
        tokio::task::yield_now().await;
        for member in &mut *members {
            member.turn();
        }
    }
}

async fn pass(duration: Duration, members: &mut [&mut Scripted]) {
    let steps = (duration.as_millis() / 100).max(1);
    for _ in 0..steps {
        tokio::time::advance(Duration::from_millis(100)).await;
        settle(members).await;
    }
}

fn job(lease: &mut Lease) -> Arc<Job> {
    lease.work.borrow_and_update().job().cloned().expect("there is work")
}

async fn verdict(lease: &mut Lease) -> Verdict {
    soon(lease.verdicts.recv()).await.expect("each ticket has one")
}

fn pair() -> (Scripted, Scripted) {
    (Scripted::new("a", 4), Scripted::new("b", 4))
}

fn members(a: &Scripted, b: &Scripted) -> Vec<Member> {
    vec![Member::new(a.source(), 0, 100), Member::new(b.source(), 1, 100)]
}

/// Two pools with a job each, a group that works for the first, and a lease of it.
async fn both_work() -> (Scripted, Scripted, Group, Lease) {
    let (mut a, mut b) = pair();
    let group = Group::over(members(&a, &b));
    let lease = group.lease(&mut [&mut a, &mut b]).await;
    b.job(1, true, group.now());
    a.job(1, true, group.now());
    settle(&mut [&mut a, &mut b]).await;
    (a, b, group, lease)
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_one_new_epoch_with_the_standbys_job() {
    let (mut a, mut b, mut group, mut lease) = both_work().await;
    assert_eq!(group.current(), "a", "the first choice needs no dwell");
    assert_eq!((a.leased(), b.leased()), (1, 1), "the standby holds a lease and a job");
    let first = job(&mut lease);
    assert_eq!(first.id.source, SourceId::new("pools"));

    let in_flight = lease.submitter.submit(share(&first, 1), "rig".into()).expect("room");
    let pending = soon(a.share()).await;
    assert_eq!(pending.share().job().id.source, SourceId::new("a"), "as a share of its own job");
    assert_eq!(&**pending.worker(), "rig");

    let failed_at = group.now();
    a.idle("the connection broke", failed_at);
    settle(&mut [&mut a, &mut b]).await;
    assert_eq!(group.now(), failed_at, "no time has passed");
    let second = job(&mut lease);
    assert!(second.epoch > first.epoch && second.id.sequence > first.id.sequence);
    let status = group.until(|status| !status.failovers.is_empty()).await;
    let change = status.failovers.back().expect("one");
    assert_eq!(
        (change.from.clone(), change.to.clone()),
        (Some(SourceId::new("a")), SourceId::new("b"))
    );
    assert_eq!(&*change.why, "the connection broke");
    assert_eq!((change.detected, change.switched), (Some(Duration::ZERO), Duration::ZERO));

    // The share in flight returns to its own pool, which may still say something.
    pending.settle(taken());
    let judged = verdict(&mut lease).await;
    assert_eq!((judged.ticket, judged.outcome), (in_flight, taken()));
    // So does a late one.
    let late = lease.submitter.submit(share(&first, 2), "rig".into()).expect("room");
    drop(soon(a.share()).await);
    let judged = verdict(&mut lease).await;
    assert_eq!(judged.ticket, late);
    assert!(matches!(judged.outcome, Outcome::Lost { .. }), "{:?}", judged.outcome);
    let of_b = lease.submitter.submit(share(&second, 3), "rig".into()).expect("room");
    soon(b.share()).await.settle(taken());
    assert_eq!(verdict(&mut lease).await.ticket, of_b);
    let status = group.until(|status| status.members[1].tally.accepted == 1).await;
    assert_eq!((status.members[0].tally.accepted, status.members[0].tally.lost), (1, 1));
    group.stop().await;
}

/// All members are asked for the first lease at once: that the standby says a word sooner is no
/// reason to leave the first choice.
#[tokio::test(start_paused = true)]
async fn the_first_lease_is_no_race() {
    let (mut a, mut b) = pair();
    let mut group = Group::over(members(&a, &b));
    a.job(1, true, group.now());
    b.job(1, true, group.now());
    group.until(|status| status.current == Some(SourceId::new("a"))).await;
    let mut lease = group.lease(&mut [&mut b]).await;
    assert_eq!((group.current().as_str(), b.leased(), a.leased()), ("a", 1, 0));
    settle(&mut [&mut a, &mut b]).await;
    let first = job(&mut lease);
    let _ = lease.submitter.submit(share(&first, 1), "rig".into()).expect("room");
    soon(a.share()).await.settle(taken());
    assert_eq!(verdict(&mut lease).await.outcome, taken());
    assert!(group.status.borrow().failovers.is_empty());
    group.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_after_the_dwell_and_not_before() {
    let (mut a, mut b, group, mut lease) = both_work().await;
    a.idle("gone", group.now());
    settle(&mut [&mut a, &mut b]).await;
    assert_eq!(group.current(), "b");
    pass(Duration::from_secs(2), &mut [&mut a, &mut b]).await;
    a.job(1, true, group.now());
    pass(Duration::from_secs(58), &mut [&mut a, &mut b]).await;
    assert_eq!(group.current(), "b", "58 s are no minute");
    let before = job(&mut lease);
    pass(Duration::from_secs(4), &mut [&mut a, &mut b]).await;
    assert_eq!(group.current(), "a");
    let after = job(&mut lease);
    assert_ne!(after.id, before.id);
    // `a` called its job clean, and nobody was told of that yet.
    assert!(after.epoch >= before.epoch);
    let late = lease.submitter.submit(share(&before, 1), "rig".into()).expect("room");
    soon(b.share()).await.settle(taken());
    assert_eq!(verdict(&mut lease).await.ticket, late, "work done for b is credited by b");
    assert_eq!(group.status.borrow().failovers.len(), 2);
    group.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_flapping_pool_is_left_alone() {
    let (mut a, mut b) = pair();
    let group = Group::over(members(&a, &b));
    let _lease = group.lease(&mut [&mut a, &mut b]).await;
    b.job(1, true, group.now());
    for _ in 0..40 {
        a.job(1, true, group.now());
        pass(Duration::from_secs(3), &mut [&mut a, &mut b]).await;
        a.idle("flaps", group.now());
        pass(Duration::from_secs(1), &mut [&mut a, &mut b]).await;
    }
    let status = group.status.borrow().clone();
    assert_eq!(group.current(), "b");
    assert!(status.changes <= 4, "{} changes in 160 s", status.changes);
    group.stop().await;
}

#[tokio::test(start_paused = true)]
async fn both_down_then_one_up() {
    let (mut a, mut b, mut group, mut lease) = both_work().await;
    let before = job(&mut lease);
    b.idle("b is gone", group.now());
    a.idle("a is gone", group.now());
    settle(&mut [&mut a, &mut b]).await;
    let Work::Idle { why, .. } = lease.work.borrow_and_update().clone() else { panic!("idle") };
    assert_eq!(&*why, "a: a is gone; b: b is gone", "each pool's reason is told");
    pass(Duration::from_secs(7), &mut [&mut a, &mut b]).await;
    b.job(2, true, group.now());
    settle(&mut [&mut a, &mut b]).await;
    let after = job(&mut lease);
    assert!(after.epoch > before.epoch);
    let status = group.until(|status| !status.failovers.is_empty()).await;
    let change = status.failovers.back().expect("one");
    assert!(change.switched >= Duration::from_secs(7), "{:?}", change.switched);
    group.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_narrow_standby_is_named_and_left_alone() {
    let (mut a, mut b) = (Scripted::new("a", 4), Scripted::new("b", 0));
    let mut group = Group::over(members(&a, &b));
    a.job(1, true, group.now());
    let mut status = group.source.status();
    assert_eq!(status.borrow().widest, 0, "the other's width is waited for");
    let waited = soon(status.wait_for(|status| status.widest == 4)).await.is_ok();
    assert!(waited && group.now().since_start() >= Duration::from_secs(3));
    let lease = group.source.lease(Ask { free: 4, consumer: "test".into() }).expect("all of it");
    settle(&mut [&mut a, &mut b]).await;
    b.widest(3);
    b.job(1, true, group.now());
    settle(&mut [&mut a, &mut b]).await;
    let unfit = |status: &FailoverStatus| matches!(&status.members[1].standing, MemberStanding::Unfit { why } if &**why == "it gives 3 bytes of extranonce, 4 are needed");
    group.until(unfit).await;
    a.idle("gone", group.now());
    settle(&mut [&mut a, &mut b]).await;
    assert!(lease.work.borrow().job().is_none(), "too narrow is too narrow");
    // Narrower than any machine can use: it does not make the group narrow.
    b.widest(1);
    pass(Duration::from_secs(2), &mut [&mut a, &mut b]).await;
    assert_eq!(group.source.status().borrow().widest, 4);
    let asked = group.source.lease(Ask { free: 5, consumer: "test".into() }).err();
    assert_eq!(asked, Some(Unfit::TooNarrow { asked: 5, widest: 4 }));
    group.stop().await;
}

#[tokio::test(start_paused = true)]
async fn refusals_and_silence_open_the_breaker() {
    for silent in [false, true] {
        let (mut a, mut b, mut group, mut lease) = both_work().await;
        let first = job(&mut lease);
        for nonce in 0..12 {
            if group.current() != "a" {
                break;
            }
            let _ = lease.submitter.submit(share(&first, nonce), "rig".into()).expect("room");
            let pending = soon(a.share()).await;
            if silent {
                // It is never judged, and the connection stands.
                std::mem::forget(pending);
                pass(Duration::from_millis(10_100), &mut [&mut a, &mut b]).await;
            } else {
                pending.settle(refused());
                let _ = verdict(&mut lease).await;
                pass(Duration::from_millis(300), &mut [&mut a, &mut b]).await;
            }
        }
        assert_eq!(group.current(), "b", "silent: {silent}");
        let status = group.until(|status| status.failovers.len() == 1).await;
        let change = status.failovers.back().expect("one");
        if silent {
            assert!(change.why.contains("without its verdict for 10 s"), "{}", change.why);
            let detected = change.detected.expect("it failed");
            assert!((Duration::from_secs(10)..Duration::from_secs(11)).contains(&detected));
        } else {
            assert_eq!(&*change.why, "it refused 10 of the last 10 shares");
        }
        assert_eq!(status.members[0].breaker.word(), "open");
        group.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn weights_share_the_work_without_making_it_stale() {
    let (mut a, mut b) = pair();
    let group = Group::over(vec![Member::new(a.source(), 0, 70), Member::new(b.source(), 0, 30)]);
    let mut lease = group.lease(&mut [&mut a, &mut b]).await;
    a.job(1, true, group.now());
    b.job(1, true, group.now());
    settle(&mut [&mut a, &mut b]).await;
    let first = job(&mut lease);
    // Four shares a second for twenty minutes; each pool has a new job every 30 s.
    for quarter in 0..4800u32 {
        tokio::time::advance(Duration::from_millis(250)).await;
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        if quarter % 120 == 0 {
            a.job(1, false, group.now());
            b.job(1, false, group.now());
        }
        let now = job(&mut lease);
        let _ = lease.submitter.submit(share(&now, quarter), "rig".into()).expect("room");
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        a.judge_all(&taken());
        b.judge_all(&taken());
        while lease.verdicts.try_recv().is_ok() {}
    }
    settle(&mut [&mut a, &mut b]).await;
    pass(Duration::from_secs(1), &mut [&mut a, &mut b]).await;
    let status = group.status.borrow().clone();
    let part = status.members[0].part.expect("work was done");
    assert!((part - 0.7).abs() <= 0.02, "{part}");
    assert_eq!(status.members[0].part_wanted, Some(0.7));
    let total = status.members[0].tally.accepted + status.members[1].tally.accepted;
    assert_eq!(total, 4800, "every share was judged, by the pool of its job");
    assert!(status.changes > 10 && status.changes < 120, "{} changes", status.changes);
    assert_eq!(job(&mut lease).epoch, first.epoch, "nothing became stale by sharing");
    group.stop().await;
}

#[tokio::test(start_paused = true)]
async fn members_come_and_go_while_it_runs() {
    let (mut a, mut b) = pair();
    let mut group = Group::over(vec![Member::new(a.source(), 0, 100)]);
    let mut lease = group.lease(&mut [&mut a]).await;
    a.job(1, true, group.now());
    settle(&mut [&mut a]).await;
    let first = job(&mut lease);
    let rules = FailoverRules {
        strategy: StrategyRules { dwell: Duration::from_secs(1), ..StrategyRules::default() },
        ..FailoverRules::default()
    };
    // Added behind: nothing changes for the machines.
    group.set(members(&a, &b), rules.clone());
    settle(&mut [&mut a, &mut b]).await;
    b.job(1, true, group.now());
    settle(&mut [&mut a, &mut b]).await;
    assert_eq!(job(&mut lease).id, first.id);
    // The order turned over: a change by choice, on the same block, makes nothing stale.
    let turned = vec![Member::new(b.source(), 0, 100), Member::new(a.source(), 1, 100)];
    group.set(turned, rules.clone());
    group.until(|status| status.current == Some(SourceId::new("b"))).await;
    let second = job(&mut lease);
    assert_eq!((second.epoch, a.leased()), (first.epoch, 1), "its lease is the one it had");
    // Removed: its last share is still judged.
    let _ = lease.submitter.submit(share(&first, 1), "rig".into()).expect("room");
    let pending = soon(a.share()).await;
    group.set(vec![Member::new(b.source(), 0, 100)], rules);
    group
        .until(|status| status.members.iter().any(|it| it.standing == MemberStanding::Leaving))
        .await;
    pending.settle(taken());
    assert_eq!(verdict(&mut lease).await.outcome, taken());
    pass(Duration::from_secs(5), &mut [&mut a, &mut b]).await;
    assert_eq!(group.status.borrow().members.len(), 1);
    assert_eq!(a.leased(), 0, "its lease is given back");
    assert_eq!(job(&mut lease).id, second.id);
    group.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_stop_settles_what_waits() {
    let (mut a, mut b) = pair();
    let group = Group::over(members(&a, &b));
    let mut lease = group.lease(&mut [&mut a, &mut b]).await;
    a.job(1, true, group.now());
    settle(&mut [&mut a, &mut b]).await;
    let first = job(&mut lease);
    let ticket = lease.submitter.submit(share(&first, 1), "rig".into()).expect("room");
    let _never = soon(a.share()).await;
    group.stop().await;
    let judged = verdict(&mut lease).await;
    assert_eq!(judged.ticket, ticket);
    assert!(matches!(judged.outcome, Outcome::Lost { .. }));
}

/// Members that answer every share, until a test takes their work away.
fn serve(mut source: Scripted, clock: Clock) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let (works, mut told) = watch::channel(true);
    let task = tokio::spawn(async move {
        source.job(1, true, clock.mono());
        loop {
            tokio::select! {
                pending = source.share() => match *told.borrow() {
                    true => pending.settle(taken()),
                    // In flight, and lost with the connection.
                    false => drop(pending),
                },
                changed = told.changed() => match changed {
                    Ok(()) if *told.borrow_and_update() => {
                        source.job(1, true, clock.mono());
                    }
                    Ok(()) => source.idle("cut", clock.mono()),
                    Err(_) => return,
                },
            }
        }
    });
    (works, task)
}

#[tokio::test]
async fn a_group_keeps_the_contract() {
    let (a, b) = pair();
    let group = Group::over(members(&a, &b));
    let mut prover = Prover::new(Box::new(ScalarEngine::new(Zero)), &Zero).expect("right");
    let (a_works, _a) = serve(a, group.clock);
    let (_b_works, _b) = serve(b, group.clock);
    contract::keeps(&group.source, &mut prover).await;
    let cut = async || {
        a_works.send_replace(false);
    };
    contract::keeps_through_a_cut(&group.source, &mut prover, 5, cut).await;
    group.stop().await;
}

#[tokio::test]
async fn a_group_of_one_keeps_the_contract_through_a_cut() {
    let a = Scripted::new("a", 4);
    let group = Group::over(vec![Member::new(a.source(), 0, 100)]);
    let mut prover = Prover::new(Box::new(ScalarEngine::new(Zero)), &Zero).expect("right");
    let (works, _task) = serve(a, group.clock);
    let mut status = group.status.clone();
    let cut = async || {
        works.send_replace(false);
        soon(status.wait_for(|status| status.current.is_none())).await.expect("it lives");
        works.send_replace(true);
    };
    contract::keeps_through_a_cut(&group.source, &mut prover, 5, cut).await;
    group.stop().await;
}
