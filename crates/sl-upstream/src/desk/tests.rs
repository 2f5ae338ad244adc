//! Whatever a pool does, in whatever order: one verdict for each share, and nothing is sent that
//! has one.

use std::collections::{HashMap, HashSet};

use proptest::{collection::vec, prelude::*};
use sl_pow::{Prover, ScalarEngine};
use sl_stratum::Notify;
use sl_testkit::toy::Zero;
use sl_work::{Ask, Claim, Job, Lease, SourceEnd, SourceHandle, WorkSource, source, verify};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Job { clean: bool },
    Share { back: usize },
    Answer { at: prop::sample::Index, how: u8 },
    Unsent { at: prop::sample::Index },
    Cut,
    Open { same: bool },
    Live,
    Extranonce,
    Hold,
    Over(u8),
    Difficulty(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        3 => any::<bool>().prop_map(|clean| Step::Job { clean }),
        8 => (0usize..4).prop_map(|back| Step::Share { back }),
        6 => (at(), 0u8..4).prop_map(|(at, how)| Step::Answer { at, how }),
        1 => at().prop_map(|at| Step::Unsent { at }),
        2 => Just(Step::Cut),
        3 => any::<bool>().prop_map(|same| Step::Open { same }),
        4 => Just(Step::Live),
        1 => Just(Step::Extranonce),
        1 => Just(Step::Hold),
        1 => (0u8..4).prop_map(Step::Over),
        2 => (0u8..4).prop_map(Step::Difficulty),
    ]
}

fn extranonce(byte: u8) -> Extranonce {
    Extranonce::new(&[byte; 4]).expect("short")
}

fn notify(number: usize, clean: bool) -> Box<Notify> {
    let line = format!(
        r#"{{"id":null,"method":"mining.notify","params":["{number}","{}","aa","bb",[],"20000000","1b00ffff","5a72667b",{clean}]}}"#,
        "00".repeat(32)
    );
    match sl_stratum::ClientBound::parse(line.as_bytes()) {
        Ok(sl_stratum::Incoming::Call {
            call: sl_stratum::ClientBound::Notify(notify), ..
        }) => notify,
        other => panic!("{other:?}"),
    }
}

/// A desk with one lease, and a prover for its jobs.
struct Bench {
    desk: Desk,
    lease: Lease,
    end: SourceEnd,
    _handle: SourceHandle,
    prover: Prover,
    runtime: tokio::runtime::Runtime,
    jobs: Vec<Arc<Job>>,
    now: Mono,
}

impl Bench {
    fn new() -> Self {
        let (handle, mut end) = source(SourceId::new("pool.test"));
        end.set_widest(2);
        let lease = handle.lease(Ask { free: 2, consumer: "test".into() }).expect("wide enough");
        let mut desk = Desk::new(SourceId::new("pool.test"), 3, Numbers::default());
        desk.lease(end.leases.try_recv().expect("asked for"), true);
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O");
        let prover = Prover::new(Box::new(ScalarEngine::new(Zero)), &Zero).expect("its reference");
        let now = Mono::default();
        Self { desk, lease, end, _handle: handle, prover, runtime, jobs: Vec::new(), now }
    }

    fn share(&mut self, back: usize, nonce: u32) -> Option<Pending> {
        let job = self.jobs.iter().rev().nth(back)?.clone();
        let ntime = job.header.ntime.start;
        let claim = Claim::new(job.clone(), vec![0; 2], job.header.version, ntime, nonce);
        let claim = claim.expect("a good shape");
        let hashed = self.prover.hash(claim.header());
        let share = verify(claim, &hashed, job.wanted).expect("zero meets every target");
        let _ = self.lease.submitter.submit(share, "rig".into()).expect("room");
        self.runtime.block_on(self.end.intake.next())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_verdict_for_each_share(steps in vec(step(), 1..120)) {
        let mut bench = Bench::new();
        let mut open = 0usize;
        let mut answered: HashSet<u64> = HashSet::new();
        let mut settled = 0usize;
        let mut submitted = 0usize;
        // Tickets that the pool has heard of on this connection.
        let mut heard: Vec<u64> = Vec::new();
        let mut known: HashMap<u64, Submit> = HashMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            bench.now = bench.now + Duration::from_millis(10);
            let now = bench.now;
            match step {
                Step::Job { clean } => {
                    bench.desk.job(notify(number, clean), now);
                    bench.jobs.extend(bench.lease.work.borrow().job().cloned());
                    if let Some(job) = bench.jobs.last() {
                        prop_assert_eq!(link_of(job.id.sequence), 3);
                    }
                }
                Step::Share { back } => {
                    let nonce = u32::try_from(number).expect("few");
                    if let Some(pending) = bench.share(back, nonce) {
                        submitted += 1;
                        match bench.desk.file(pending, "u".into(), now) {
                            Filed::Send(ticket, submit) => {
                                heard.push(ticket);
                                known.insert(ticket, submit);
                            }
                            Filed::Held => {}
                            Filed::Settled(_) => settled += 1,
                        }
                    }
                }
                Step::Answer { at, how } if !heard.is_empty() => {
                    let ticket = heard[at.index(heard.len())];
                    let verdict = match how {
                        0 | 1 => Ok(()),
                        2 => Err(ErrorCode::DuplicateShare.into()),
                        _ => Err(ErrorCode::JobNotFound.into()),
                    };
                    let first = answered.insert(ticket);
                    let told = bench.desk.verdict(ticket, verdict, now);
                    prop_assert!(told.is_none() || first, "a second verdict");
                    settled += usize::from(told.is_some());
                }
                Step::Unsent { at } if !heard.is_empty() => {
                    let ticket = heard[at.index(heard.len())];
                    if !answered.contains(&ticket) {
                        bench.desk.unsent(ticket);
                    }
                }
                Step::Cut => {
                    settled += bench.desk.cut("gone", now, now).len();
                    heard.clear();
                    prop_assert_eq!(bench.desk.sent(), 0);
                }
                Step::Open { same } => {
                    open += usize::from(!same);
                    let own = extranonce(u8::try_from(open % 200).expect("small"));
                    settled += bench.desk.cut("gone", now, now).len();
                    heard.clear();
                    settled += bench.desk.opened(own, 4).len();
                }
                Step::Live => {
                    let again = bench.desk.live(|_| "u".into(), now);
                    let tickets: Vec<u64> = again.iter().map(|(ticket, _)| *ticket).collect();
                    prop_assert!(tickets.is_sorted(), "the oldest first");
                    for (ticket, submit) in again {
                        prop_assert!(!answered.contains(&ticket), "sent although it has its verdict");
                        if let Some(before) = known.get(&ticket) {
                            prop_assert_eq!(before, &submit, "the same share, byte for byte");
                        }
                        known.insert(ticket, submit);
                        heard.push(ticket);
                    }
                    prop_assert_eq!(bench.desk.held(), 0);
                }
                Step::Extranonce => bench.desk.extranonce(extranonce(250), 6),
                Step::Hold => bench.desk.hold(),
                Step::Over(power) => bench.desk.set_over(f64::from(power).exp2(), now),
                Step::Difficulty(power) => {
                    let asked = ShareDifficulty::new(f64::from(power).exp2()).expect("positive");
                    bench.desk.set_difficulty(asked, now);
                    let newest = |bench: &Bench| bench.lease.work.borrow().job().cloned();
                    let before = newest(&bench);
                    bench.desk.renew(now);
                    bench.desk.renew(now + Duration::from_secs(1));
                    prop_assert!(bench.desk.renews().is_none(), "it is taken up");
                    if let (Some(before), Some(job)) = (before, newest(&bench))
                        && before.id != job.id
                    {
                        prop_assert_eq!(before.epoch, job.epoch);
                        bench.jobs.push(job);
                    }
                }
                Step::Answer { .. } | Step::Unsent { .. } => {}
            }
        }
        settled += bench.desk.lose("the end").len();
        prop_assert_eq!(settled, submitted);
        let mut verdicts = HashSet::new();
        while let Ok(verdict) = bench.lease.verdicts.try_recv() {
            prop_assert!(verdicts.insert(verdict.ticket), "a second verdict for {}", verdict.ticket);
        }
        prop_assert_eq!(verdicts.len(), submitted);
    }
}
