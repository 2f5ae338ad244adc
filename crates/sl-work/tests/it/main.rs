//! The waist's promises: claims are checked, only proof makes a share, each ticket gets one verdict.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use sl_chain::coins::by_ticker;
use sl_pow::{Prover, ScalarEngine};
use sl_testkit::toy::Tail;
use sl_units::{Bits, CoinAmount, Hash256, Mono, Target};
use sl_work::{
    Ask, Claim, CoinbaseTemplate, Fault, Goal, HeaderTemplate, Job, JobId, NtimeRange, Outcome,
    Proven, RefusedWhy, SourceId, SourceState, Unfit, Work, WorkSource, source, verify,
};

fn prover() -> Prover {
    Prover::new(Box::new(ScalarEngine::new(Tail)), &Tail).expect("it is its own reference")
}

fn job(wanted: Target, goal: Target) -> Arc<Job> {
    let chain = by_ticker("LTC").expect("in the table").ticker;
    Arc::new(Job {
        id: JobId { source: SourceId::new("test"), sequence: 1 },
        epoch: 1,
        born: Mono::default(),
        header: HeaderTemplate {
            version: 0x2000_0000,
            roll_mask: 0x0000_e000,
            prev: Hash256::ZERO,
            bits: Bits::from_u32(0x1e0f_fff0),
            ntime: NtimeRange { earliest: 100, start: 150, latest: 200 },
        },
        coinbase: CoinbaseTemplate {
            prefix: Bytes::from_static(b"pre"),
            free: 4,
            suffix: Bytes::from_static(b"suf"),
        },
        branch: vec![Hash256::ZERO],
        wanted,
        goals: vec![Goal {
            chain,
            height: 7,
            tip: Hash256::ZERO,
            target: goal,
            reward: CoinAmount::from_coins(1),
            weight: None,
        }],
    })
}

fn claim(job: &Arc<Job>, nonce: u32) -> Claim {
    Claim::new(job.clone(), vec![0; 4], 0x2000_0000, 150, nonce).expect("a good shape")
}

fn proven(goal: Target) -> Proven {
    let claim = claim(&job(Target::MAX, goal), 9);
    let hashed = prover().hash(claim.header());
    verify(claim, &hashed, Target::MAX).expect("every hash meets the largest target")
}

#[test]
fn a_claim_outside_its_job_is_refused() {
    let job = job(Target::MAX, Target::MAX);
    let check = |extranonce: usize, version, ntime| {
        Claim::new(job.clone(), vec![0; extranonce], version, ntime, 0)
            .map(|_| ())
            .map_err(|fault| fault.to_string())
    };
    assert_eq!(check(4, 0x2000_0000, 150), Ok(()));
    assert_eq!(check(4, 0x2000_e000, 200), Ok(()), "bits inside the mask may roll");
    assert_eq!(check(3, 0x2000_0000, 150), Err("the extranonce has 3 bytes, 4 are allowed".into()));
    assert_eq!(check(4, 0x2000_0000, 99), Err("ntime 99 is outside 100 to 200".into()));
    assert_eq!(
        check(4, 0x2062_0000, 150),
        Err("version 20620000 changes bits outside the mask 0000e000 of 20000000".into())
    );
}

#[test]
fn only_its_own_hash_proves_a_claim() {
    let job = job(Target::MAX, Target::MAX);
    let mut prover = prover();
    let hashed = prover.hash(claim(&job, 1).header());
    assert!(verify(claim(&job, 1), &hashed, Target::MAX).is_ok());
    assert_eq!(verify(claim(&job, 2), &hashed, Target::MAX).err(), Some(Fault::OtherHeader));
    let nothing = Target::from_le_bytes([0; 32]);
    assert!(matches!(verify(claim(&job, 1), &hashed, nothing), Err(Fault::LowDifficulty { .. })));
}

#[tokio::test]
async fn each_ticket_gets_exactly_one_verdict() {
    let (handle, mut end) = source(SourceId::new("test"));
    end.set_widest(4);
    let mut lease = handle.lease(Ask { free: 4, consumer: "test".into() }).expect("wide enough");
    let first = lease.submitter.submit(proven(Target::MAX), "rig".into()).expect("room");
    let second = lease.submitter.submit(proven(Target::MAX), "rig".into()).expect("room");
    end.intake.next().await.expect("the first").settle(Outcome::Stale { reason: "late".into() });
    drop(end.intake.next().await.expect("the second"));
    let verdict = lease.verdicts.recv().await.expect("of the first");
    assert_eq!(
        (verdict.ticket, verdict.outcome),
        (first, Outcome::Stale { reason: "late".into() })
    );
    let verdict = lease.verdicts.recv().await.expect("of the second");
    assert_eq!(verdict.ticket, second);
    assert!(
        matches!(verdict.outcome, Outcome::Lost { .. }),
        "a share dropped unsettled is lost and says so"
    );
    assert!(lease.verdicts.try_recv().is_err(), "and that is all");
}

#[tokio::test]
async fn a_share_that_wins_a_chain_overtakes() {
    let (handle, mut end) = source(SourceId::new("test"));
    end.set_widest(4);
    let lease = handle.lease(Ask { free: 4, consumer: "test".into() }).expect("wide enough");
    let nothing = Target::from_le_bytes([0; 32]);
    let plain = lease.submitter.submit(proven(nothing), "rig".into()).expect("room");
    let winner = lease.submitter.submit(proven(Target::MAX), "rig".into()).expect("room");
    assert_eq!(end.intake.next().await.expect("one").ticket(), winner);
    assert_eq!(end.intake.next().await.expect("another").ticket(), plain);
}

#[tokio::test]
async fn a_full_lane_gives_the_share_back() {
    let (handle, end) = source(SourceId::new("test"));
    end.set_widest(4);
    let mut lease = handle.lease(Ask { free: 4, consumer: "test".into() }).expect("wide enough");
    let share = proven(Target::MAX);
    let mut taken = 0u64;
    let refused = loop {
        match lease.submitter.submit(share.clone(), "rig".into()) {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.why, RefusedWhy::Full);
    assert_eq!(refused.share.hash(), share.hash());
    drop(end);
    for _ in 0..taken {
        let verdict = lease.verdicts.recv().await.expect("every ticket has one");
        assert!(matches!(verdict.outcome, Outcome::Lost { .. }));
    }
    let gone = lease.submitter.submit(share, "rig".into()).expect_err("nobody is there");
    assert_eq!(gone.why, RefusedWhy::Gone);
}

#[tokio::test]
async fn a_lease_is_as_wide_as_asked_or_not_at_all() {
    let (handle, mut end) = source(SourceId::new("test"));
    let ask = |free| handle.lease(Ask { free, consumer: "test".into() });
    assert_eq!(ask(1).err(), Some(Unfit::TooNarrow { asked: 1, widest: 0 }));
    end.set_widest(8);
    let lease = ask(4).expect("fits");
    assert!(matches!(&*lease.work.borrow(), Work::Idle { .. }));
    let leased = end.leases.recv().await.expect("asked for");
    assert_eq!(leased.free, 4);
    leased.work.send(Work::Job(job(Target::MAX, Target::MAX))).expect("held");
    assert!(lease.work.borrow().job().is_some());
    drop(lease);
    leased.work.closed().await;
    end.set_working(Mono::default());
    assert_eq!(handle.status().borrow().state, SourceState::Working { since: Mono::default() });
    drop(end);
    assert_eq!(ask(4).err(), Some(Unfit::Gone));
}

proptest! {
    #[test]
    fn any_choice_has_a_header_that_differs(a: [u8; 4], b: [u8; 4], nonce: u32) {
        let job = job(Target::MAX, Target::MAX);
        let header = |extranonce: &[u8]| job.header_bytes(extranonce, 0x2000_0000, 150, nonce);
        prop_assert_eq!(header(&a) == header(&b), a == b);
    }
}
