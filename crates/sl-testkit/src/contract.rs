//! The contract that every source of work keeps, as one suite: whoever writes a source runs it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sl_pow::Prover;
use sl_work::{Ask, Claim, Job, Lease, Outcome, Proven, Unfit, Work, WorkSource, verify};
use tokio::time::timeout;

/// Only a source that hangs meets this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Shares that are sent up.
const SHARES: usize = 5;

/// Runs the contract against a source that works and whose `wanted` target is easy (some thousand
/// hashes at most).
///
/// * A lease wider than the source is refused, and says how wide it is.
/// * Two leases never make the same coinbase, whatever they put into their free bytes.
/// * A job's identity is the source's and is never used again; its epoch never falls.
/// * A job's coinbase is a transaction, and merged work rolls no version bit from 16 on.
/// * Each ticket gets exactly one verdict, and a proven share that is wanted is not refused.
/// * A dropped lease hurts nobody.
///
/// # Panics
/// The source breaks the contract.
pub async fn keeps(source: &dyn WorkSource, prover: &mut Prover) {
    let mut status = source.status();
    let widest =
        soon(status.wait_for(|status| status.widest >= 2)).await.expect("the source lives").widest;
    let ask = |free| Ask { free, consumer: Arc::from("contract") };
    assert_eq!(
        source.lease(ask(widest + 1)).err(),
        Some(Unfit::TooNarrow { asked: widest + 1, widest }),
        "a source that is too narrow says so"
    );
    let free = widest.min(2);
    // A source that gives all it has can give one lease only.
    let mut leases = vec![source.lease(ask(free)).expect("as wide as it said")];
    if free < widest {
        leases.push(source.lease(ask(free)).expect("there is room for a second"));
        drop(source.lease(ask(free)).expect("and a third, which nobody keeps"));
    }
    let mut prefixes = HashSet::new();
    for lease in &mut leases {
        let job = job(lease).await;
        shape(source, lease, &job);
        assert!(prefixes.insert(job.coinbase.prefix.clone()), "two leases have the same coinbase");
    }
    for lease in &mut leases {
        shares(lease, prover).await;
    }
}

/// Runs the part of the contract that is about failure. `cut` takes the source's work away while
/// `in_flight` shares wait for their verdict (the caller sees to it that they wait), and brings work
/// back, of the source itself or of another member of a group; how many tickets were lost.
///
/// * Each ticket gets exactly one verdict, cut or not, and `Lost` says why.
/// * The work that follows has an identity of its own, and an epoch that has not fallen.
/// * A share of a job from before the cut gets its one verdict too.
///
/// # Panics
/// The source breaks the contract.
pub async fn keeps_through_a_cut(
    source: &dyn WorkSource,
    prover: &mut Prover,
    in_flight: u8,
    cut: impl AsyncFnOnce(),
) -> usize {
    let mut status = source.status();
    soon(status.wait_for(|status| status.widest >= 2)).await.expect("the source lives");
    let mut lease = source.lease(Ask { free: 2, consumer: Arc::from("contract") }).expect("wide");
    let before = job(&mut lease).await;
    let mut waiting = HashSet::new();
    for extranonce in 0..in_flight {
        let share = mine(&before, extranonce, prover);
        waiting.insert(lease.submitter.submit(share, "contract".into()).expect("there is room"));
    }
    soon(cut()).await;
    let mut lost = 0;
    while !waiting.is_empty() {
        let verdict = soon(lease.verdicts.recv()).await.expect("every ticket has a verdict");
        assert!(waiting.remove(&verdict.ticket), "a second verdict for {}", verdict.ticket);
        if let Outcome::Lost { reason } = verdict.outcome {
            assert!(!reason.is_empty(), "what is lost says why");
            lost += 1;
        }
    }
    let other = |work: &Work| work.job().is_some_and(|job| job.id != before.id);
    let after = soon(lease.work.wait_for(other)).await.expect("the source lives").clone();
    let after = after.job().cloned().expect("waited for");
    assert_eq!(after.id.source, source.id(), "a job bears its source's name");
    assert!(
        after.id.sequence > before.id.sequence && after.epoch >= before.epoch,
        "sequence and epoch never fall"
    );
    let late = mine(&before, in_flight, prover);
    if let Ok(ticket) = lease.submitter.submit(late, "contract".into()) {
        let verdict = soon(lease.verdicts.recv()).await.expect("a late share has a verdict");
        assert_eq!(verdict.ticket, ticket);
    }
    let share = mine(&after, 0, prover);
    let ticket = lease.submitter.submit(share, "contract".into()).expect("there is room");
    let verdict = soon(lease.verdicts.recv()).await.expect("work goes on");
    assert_eq!(verdict.ticket, ticket, "a ticket got a second verdict");
    lost
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("the source hangs")
}

async fn job(lease: &mut Lease) -> Arc<Job> {
    let work =
        soon(lease.work.wait_for(|work| work.job().is_some())).await.expect("the source lives");
    work.job().cloned().expect("waited for")
}

fn shape(source: &dyn WorkSource, lease: &Lease, job: &Job) {
    assert_eq!(job.id.source, source.id(), "a job bears its source's name");
    assert_eq!(job.coinbase.free, lease.free, "a lease is never resized");
    let coinbase = job.coinbase_bytes(&vec![0; lease.free]);
    let coinbase = sl_chain::Transaction::decode(&coinbase).expect("a coinbase is a transaction");
    assert!(
        coinbase.is_coinbase() && coinbase.inputs.iter().all(|input| input.script.len() <= 100)
    );
    if job.goals.len() > 1 {
        assert_eq!(
            job.header.roll_mask & 0xffff_0000,
            0,
            "auxiliary nodes read these bits as a chain id"
        );
    }
    let range = job.header.ntime;
    assert!(range.earliest <= range.start && range.start <= range.latest);
    assert!(
        job.goals.iter().all(|goal| goal.target <= job.wanted),
        "every goal is worth sending up"
    );
}

/// Mines and sends some shares, each on the job of its moment.
async fn shares(lease: &mut Lease, prover: &mut Prover) {
    let mut last: Option<(u64, u64)> = None;
    for extranonce in 0..SHARES {
        let job = job(lease).await;
        if let Some((sequence, epoch)) = last {
            assert!(
                job.id.sequence >= sequence && job.epoch >= epoch,
                "sequence and epoch never fall"
            );
        }
        last = Some((job.id.sequence, job.epoch));
        let share = mine(&job, extranonce as u8, prover);
        assert!(share.is_wanted());
        let ticket = lease.submitter.submit(share, "contract".into()).expect("there is room");
        let verdict = soon(lease.verdicts.recv()).await.expect("every ticket has a verdict");
        assert_eq!(verdict.ticket, ticket, "the verdict is of this share");
        assert!(
            matches!(verdict.outcome, Outcome::Accepted { .. } | Outcome::Stale { .. }),
            "a proven share that is wanted was refused: {:?}",
            verdict.outcome
        );
    }
    assert!(lease.verdicts.try_recv().is_err(), "a ticket got a second verdict");
    assert!(matches!(&*lease.work.borrow(), Work::Job(_)), "work goes on");
}

fn mine(job: &Arc<Job>, extranonce: u8, prover: &mut Prover) -> Proven {
    let mut free = vec![0; job.coinbase.free];
    if let Some(first) = free.first_mut() {
        *first = extranonce;
    }
    let ntime = job.header.ntime.start;
    let header = job.header_bytes(&free, job.header.version, ntime, 0);
    let lanes = prover.lanes() as u32 * 64;
    let hit = (0..u32::MAX / lanes)
        .find_map(|round| prover.scan(&header, round * lanes, lanes, job.wanted).into_iter().next())
        .expect("an easy target is met within 2³² hashes");
    let claim = Claim::new(job.clone(), free, job.header.version, ntime, hit.nonce())
        .expect("its own shape");
    verify(claim, &hit, job.wanted).expect("the scan met it")
}
