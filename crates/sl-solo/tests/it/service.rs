use std::collections::BTreeMap;

use sl_chain::coins::Ticker;
use sl_solo::{BlockOutcome, NodeState};
use sl_units::Bits;
use sl_work::{Ask, Outcome, SourceState, Unfit, WorkSource};

use crate::{
    chains::Chain,
    engine,
    farm::{Farm, chain, node, settings},
    mine, row,
};

fn tickers(names: &[&str]) -> Vec<Ticker> {
    names.iter().map(|name| row(name).ticker).collect()
}

#[tokio::test]
async fn one_share_wins_blocks_on_every_chain() {
    let [ltc, doge, pep] = ["LTC", "DOGE", "PEP"].map(Chain::new);
    let (ltc_node, doge_node, pep_node) = (ltc.serve(), doge.serve(), pep.serve());
    // PEP's node is an old one: no createauxblock, no waitfornewblock.
    pep.state().has_create = false;
    pep.state().can_wait = false;
    let mut farm = Farm::start(settings(
        node("LTC", ltc_node.url()),
        vec![node("DOGE", doge_node.url()), node("PEP", pep_node.url())],
    ));
    let job = farm.job("a job for three chains", |job| job.goals.len() == 3).await;
    assert_eq!(
        job.goals.iter().map(|goal| goal.chain).collect::<Vec<_>>(),
        tickers(&["LTC", "DOGE", "PEP"])
    );
    assert_eq!(job.goals[0].height, 501);
    let share = mine(&job, &[1; 4], |hash| job.wanted.is_met_by(hash));
    let outcome = farm.submit(share).await;
    assert_eq!(
        outcome,
        Outcome::Accepted { credited: tickers(&["LTC", "DOGE", "PEP"]), missed: vec![] }
    );

    let mut found = BTreeMap::new();
    for _ in 0..3 {
        let event = farm.event().await;
        assert_eq!(event.outcome, BlockOutcome::Accepted, "{event:?}");
        assert_eq!((event.height, &*event.worker), (501, "rig1"));
        assert!(!event.missed_parent_target);
        assert_eq!(event.job, job.id);
        found.insert(event.chain.as_str(), event.hash);
    }
    for (coin, at) in [("LTC", &ltc), ("DOGE", &doge), ("PEP", &pep)] {
        assert_eq!(at.state().taken, [found[coin]], "{coin}");
    }

    // New tips on all three, learned without waiting for a timer: a later epoch, and the old job
    // is worth nothing any more.
    let tips = [&ltc, &doge, &pep].map(|chain| chain.state().tip);
    let next = farm
        .job("a job on the new tips", |job| job.goals.iter().map(|goal| goal.tip).eq(tips))
        .await;
    assert!(next.epoch > job.epoch && next.id.sequence > job.id.sequence);
    let late = mine(&job, &[2; 4], |hash| job.wanted.is_met_by(hash));
    assert!(matches!(farm.submit(late).await, Outcome::Stale { .. }));
    let status = farm.until("counters", |status| status.shares_stale == 1).await;
    for coin in ["LTC", "DOGE", "PEP"] {
        let chain = chain(&status, coin);
        assert_eq!(chain.node, NodeState::Ok);
        assert_eq!((chain.blocks_found, chain.blocks_accepted, chain.blocks_rejected), (1, 1, 0));
        assert_eq!((chain.shares_credited, chain.shares_missed, chain.late), (1, 1, 1));
        assert_eq!(chain.height, Some(501));
    }
    assert_eq!(status.shares_accepted, 1);
    farm.stop().await;
}

#[tokio::test]
async fn an_old_job_counts_where_its_tip_stands() {
    let [ltc, doge, pep] = ["LTC", "DOGE", "PEP"].map(Chain::new);
    for chain in [&ltc, &doge, &pep] {
        chain.state().bits = Bits::from_u32(0x1d00_ffff);
    }
    let (ltc_node, doge_node, pep_node) = (ltc.serve(), doge.serve(), pep.serve());
    let mut farm = Farm::start(settings(
        node("LTC", ltc_node.url()),
        vec![node("DOGE", doge_node.url()), node("PEP", pep_node.url())],
    ));
    let old = farm.job("a job for three chains", |job| job.goals.len() == 3).await;
    // A dust tip: a new job of the same epoch, and the old one still counts elsewhere.
    pep.move_on();
    let tip = pep.state().tip;
    let new = farm.job("a job on PEP's tip", |job| job.goals[2].tip == tip).await;
    assert_eq!(new.epoch, old.epoch);
    assert_ne!(new.id, old.id);
    let credited = |credited: &[&str], missed: &[&str]| Outcome::Accepted {
        credited: tickers(credited),
        missed: tickers(missed),
    };
    let share = mine(&old, &[1; 4], |_| true);
    assert_eq!(farm.submit(share).await, credited(&["LTC", "DOGE"], &["PEP"]));
    // The tip of most of the value: a new epoch.
    doge.move_on();
    let tip = doge.state().tip;
    let newer = farm.job("a job on DOGE's tip", |job| job.goals[1].tip == tip).await;
    assert!(newer.epoch > new.epoch);
    let share = mine(&old, &[2; 4], |_| true);
    assert_eq!(farm.submit(share).await, credited(&["LTC"], &["DOGE", "PEP"]));
    ltc.move_on();
    let tip = ltc.state().tip;
    farm.job("a job on LTC's tip", |job| job.header.prev == tip).await;
    let share = mine(&old, &[3; 4], |_| true);
    assert!(matches!(farm.submit(share).await, Outcome::Stale { .. }));
    let share = mine(&newer, &[3; 4], |_| true);
    assert_eq!(farm.submit(share).await, credited(&["DOGE", "PEP"], &["LTC"]));
    farm.stop().await;
}

#[tokio::test]
async fn an_auxiliary_block_without_a_parents_and_a_refused_one() {
    let [ltc, doge] = ["LTC", "DOGE"].map(Chain::new);
    ltc.state().bits = Bits::from_u32(0x1d00_ffff);
    doge.state().refuse = Some("no reason".into());
    let (ltc_node, doge_node) = (ltc.serve(), doge.serve());
    let mut farm =
        Farm::start(settings(node("LTC", ltc_node.url()), vec![node("DOGE", doge_node.url())]));
    let job = farm.job("a job", |job| job.goals.len() == 2).await;
    let share = mine(&job, &[1; 4], |hash| job.wanted.is_met_by(hash));
    farm.submit(share).await;
    let event = farm.event().await;
    assert!(event.missed_parent_target);
    assert!(
        matches!(&event.outcome, BlockOutcome::Refused(why) if why.contains("debug.log")),
        "{event:?}"
    );
    // The tip still stands: the next find is handed in.
    let share = mine(&job, &[2; 4], |hash| job.wanted.is_met_by(hash));
    farm.submit(share).await;
    let event = farm.event().await;
    assert_eq!((event.outcome, event.chain.as_str()), (BlockOutcome::Accepted, "DOGE"));
    let status =
        farm.until("both counted", |status| chain(status, "DOGE").blocks_accepted == 1).await;
    assert_eq!(chain(&status, "DOGE").blocks_rejected, 1);
    assert!(chain(&status, "DOGE").last_error.is_some());
    assert_eq!(chain(&status, "LTC").blocks_found, 0);
    farm.stop().await;
}

#[tokio::test]
async fn it_keeps_the_contract_of_sources() {
    let [ltc, doge, pep] = ["LTC", "DOGE", "PEP"].map(Chain::new);
    let (ltc_node, doge_node, pep_node) = (ltc.serve(), doge.serve(), pep.serve());
    let farm = Farm::start(settings(
        node("LTC", ltc_node.url()),
        vec![node("DOGE", doge_node.url()), node("PEP", pep_node.url())],
    ));
    sl_testkit::contract::keeps(&farm.source, &mut engine()).await;
    farm.stop().await;
}

#[tokio::test]
async fn leases_differ_and_end_when_dropped() {
    let ltc = Chain::new("LTC");
    let ltc_node = ltc.serve();
    let mut farm = Farm::start(settings(node("LTC", ltc_node.url()), vec![]));
    let first = farm.job("a job", |_| true).await;
    let wide = Ask { free: 8, consumer: "wide".into() };
    let mut other = farm.source.lease(wide).expect("8 bytes are free");
    let work = other.work.wait_for(|work| work.job().is_some()).await.expect("it lives").clone();
    let second = work.job().expect("waited for").clone();
    assert_ne!(first.id, second.id);
    assert_ne!(first.coinbase.prefix, second.coinbase.prefix);
    assert_eq!(second.coinbase.free, 8);
    farm.until("two leases", |status| status.leases == 2).await;
    drop((other, work));
    farm.until("one lease", |status| status.leases == 1).await;
    let refused = farm.source.lease(Ask { free: 9, consumer: "x".into() });
    assert_eq!(refused.err(), Some(Unfit::TooNarrow { asked: 9, widest: 8 }));
    assert!(matches!(farm.source.status().borrow().state, SourceState::Working { .. }));
    farm.stop().await;
}
