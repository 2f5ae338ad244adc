//! Ten thousand L7 at a pool that opens at 65,536: 22,000 shares a second, under a simulated clock.

use std::collections::VecDeque;

use sl_pow::{Prover, ScalarEngine};
use sl_stratum::{ClientBound, Extranonce, Incoming};
use sl_testkit::toy::Zero;
use sl_units::ShareDifficulty;
use sl_work::{
    Ask, Claim, Job, Lease, Outcome, RefusedWhy, SourceEnd, SourceId, WorkSource, source, verify,
};
use tokio::runtime::Runtime;

use super::*;
use crate::{DemandRules, desk::Numbers};

/// How often the farm and the pool move.
const TICK: Duration = Duration::from_millis(10);
/// Work of the farm in difficulty a second: 95 TH/s.
const FARM: f64 = 95e12 / 65_536.0;
/// How long a new job takes to all machines.
const HANDED_OUT: Duration = Duration::from_secs(1);
/// How long a share and its verdict are on their way.
const ROUND_TRIP: Duration = Duration::from_millis(150);

struct Farm {
    link: Link,
    lease: Lease,
    end: SourceEnd,
    prover: Prover,
    runtime: Runtime,
    now: Mono,
    /// The job of the machines, and those on their way to them.
    job: Arc<Job>,
    coming: VecDeque<(Mono, Arc<Job>)>,
    /// Shares found so far, the last of them in part, and those of this tick that are late.
    found: f64,
    submitted: u64,
    /// What the pool has not judged, by when it has it.
    judging: VecDeque<(Mono, u64)>,
    /// Shares that it judges a second, and what it may do of them now.
    judges: f64,
    may_judge: f64,
    accepted: u64,
    lost: u64,
    /// When more than nothing was withheld for the first time.
    withheld: Option<Mono>,
}

impl Farm {
    fn at_a_pool_that_judges(judges: f64, rules: DemandRules) -> Self {
        let (handle, mut end) = source(SourceId::new("pool.test"));
        end.set_widest(4);
        let lease = handle.lease(Ask { free: 4, consumer: "farm".into() }).expect("wide enough");
        let desk = Desk::new(SourceId::new("pool.test"), 0, Numbers::default());
        let mut link = Link::new(0, desk, Demand::new(rules));
        let now = Mono::from_start(Duration::from_secs(100));
        link.desk.lease(end.leases.try_recv().expect("asked for"), true);
        assert!(link.desk.opened(Extranonce::new(&[7; 4]).expect("short"), 4).is_empty());
        assert!(link.desk.live(|_| "w".into(), now).is_empty());
        link.desk.set_difficulty(ShareDifficulty::new(65_536.0).expect("positive"), now);
        link.desk.job(notify(), now);
        let job = lease.work.borrow().job().cloned().expect("it was given");
        Self {
            link,
            lease,
            end,
            prover: Prover::new(Box::new(ScalarEngine::new(Zero)), &Zero).expect("its reference"),
            runtime: tokio::runtime::Builder::new_current_thread().build().expect("a runtime"),
            now,
            job,
            coming: VecDeque::new(),
            found: 0.0,
            submitted: 0,
            judging: VecDeque::new(),
            judges,
            may_judge: 0.0,
            accepted: 0,
            lost: 0,
            withheld: None,
        }
    }

    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end {
            self.now = self.now + TICK;
            self.hash();
            self.judge();
            if self.now.since_start().as_millis().is_multiple_of(Demand::LOOK.as_millis()) {
                let _ = self.link.look(self.now);
            }
            if self.link.demand.over() > 1.0 {
                self.withheld.get_or_insert(self.now);
            }
            let newest = self.lease.work.borrow().job().cloned().expect("it works");
            let last = self.coming.back().map_or(&self.job, |(_, job)| job);
            if newest.id != last.id {
                self.coming.push_back((self.now + HANDED_OUT, newest));
            }
            while let Some((_, job)) = self.coming.pop_front_if(|(at, _)| *at <= self.now) {
                self.job = job;
            }
        }
    }

    fn hash(&mut self) {
        let difficulty = self.job.wanted.expected_hashes() / 65_536.0;
        self.found += FARM / difficulty * TICK.as_secs_f64();
        while self.found >= 1.0 {
            self.found -= 1.0;
            self.submitted += 1;
            let nonce = u32::try_from(self.submitted).expect("few");
            let (version, ntime) = (self.job.header.version, self.job.header.ntime.start);
            let claim = Claim::new(self.job.clone(), vec![0; 4], version, ntime, nonce);
            let claim = claim.expect("a good shape");
            let hashed = self.prover.hash(claim.header());
            let share = verify(claim, &hashed, self.job.wanted).expect("zero meets every target");
            if let Err(refused) = self.lease.submitter.submit(share, "rig".into()) {
                // As many wait for their verdict as a lease may have: the consumer has it back.
                assert!(matches!(refused.why, RefusedWhy::Full), "{refused:?}");
                self.lost += 1;
                continue;
            }
            let pending = self.runtime.block_on(self.end.intake.next()).expect("it was submitted");
            match self.link.file(pending, "w".into(), self.now).0 {
                Filed::Send(ticket, _) => self.judging.push_back((self.now + ROUND_TRIP, ticket)),
                other => panic!("{other:?}"),
            }
        }
    }

    fn judge(&mut self) {
        self.may_judge = (self.may_judge + self.judges * TICK.as_secs_f64()).min(self.judges);
        while self.may_judge >= 1.0
            && let Some((_, ticket)) = self.judging.pop_front_if(|(at, _)| *at <= self.now)
        {
            self.may_judge -= 1.0;
            let settled = self.link.desk.verdict(ticket, Ok(()), self.now).expect("the first");
            assert!(matches!(settled.outcome, Outcome::Accepted { .. }));
            self.accepted += 1;
        }
        while self.lease.verdicts.try_recv().is_ok() {}
    }
}

fn notify() -> Box<sl_stratum::Notify> {
    let line = format!(
        r#"{{"id":null,"method":"mining.notify","params":["1","{}","aa","bb",[],"20000000","1b00ffff","5a72667b",true]}}"#,
        "00".repeat(32)
    );
    match ClientBound::parse(line.as_bytes()) {
        Ok(Incoming::Call { call: ClientBound::Notify(notify), .. }) => notify,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fast_pool_that_opens_too_easy_loses_nothing() {
    let mut farm = Farm::at_a_pool_that_judges(f64::INFINITY, DemandRules::default());
    let began = farm.now;
    farm.run(6);
    let withheld = farm.withheld.expect("too many").since(began);
    assert!(withheld < Duration::from_millis(250), "{withheld:?}");
    // 22,000 are more than 3,000 by seven and a bit: by quarters of an octave, eight.
    assert_eq!((farm.link.demand.over(), farm.lost), (8.0, 0));
    // It moves: everything is sent again, at once.
    let wish = ShareDifficulty::new(FARM.round()).expect("positive");
    farm.link.desk.set_difficulty(wish, farm.now);
    assert_eq!(farm.link.look(farm.now).over, Some(1.0));
}

#[test]
fn a_slow_pool_loses_no_more_than_what_is_on_its_way_already() {
    // The old way waited five seconds: this pool would have lost 12,000 shares in each.
    let mut farm = Farm::at_a_pool_that_judges(10_000.0, DemandRules::default());
    farm.run(8);
    assert_eq!(farm.link.demand.over(), 8.0);
    let in_flight = farm.link.desk.sent() as u64;
    assert_eq!(farm.accepted + farm.lost + in_flight, farm.submitted);
    let most = 12_200.0 * (HANDED_OUT.as_secs_f64() + 0.3);
    assert!(farm.lost > 0 && (farm.lost as f64) < most, "{} lost", farm.lost);
    // Then all that are sent have their verdict in one round trip.
    let lost = farm.lost;
    farm.run(3);
    assert_eq!(farm.lost, lost);
    assert!(farm.link.desk.sent() < 500, "{} in flight", farm.link.desk.sent());
}

#[test]
fn a_pool_that_takes_little_does_not_hide_what_there_is() {
    // It judges less than what may be sent, so that no more than that is seen.
    let mut farm = Farm::at_a_pool_that_judges(1_000.0, DemandRules::default());
    farm.run(12);
    assert_eq!(farm.link.demand.over(), 8.0);
}
