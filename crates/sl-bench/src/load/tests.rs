use std::{net::Ipv4Addr, rc::Rc, time::Duration};

use tokio::{
    task::{JoinHandle, LocalSet, spawn_local},
    time::timeout,
};

use super::{company::Company, machine};
use crate::{
    orders::{Figures, Machines, Pace},
    pool::Pool,
    premined::{HASHES, Premined},
};

const COUNT: u32 = 3;

/// Waits for what must come, under a guard that only a hanging test meets.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), what).await.expect("it comes")
}

async fn until(company: &Company, wanted: impl Fn(&Figures) -> bool) -> Figures {
    let mut all = Figures::default();
    soon(async {
        loop {
            all.add(company.take_figures());
            if wanted(&all) {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    all
}

/// Machines of a pool that serves them as a gateway would, all of them under one slot.
async fn set() -> (Pool, Rc<Company>) {
    let pool = Pool::start_as(crate::premined::DIFFICULTY, true, [0, 0, 0, 1]).await;
    let pool = pool.expect("a free port");
    let plan = Machines {
        gateway: pool.address,
        shares: "unused".into(),
        count: COUNT,
        first: 40,
        source: Ipv4Addr::new(127, 0, 1, 1),
        per_second: 1000,
        proxied: false,
        return_after_ms: None,
        pace: Pace::Quiet,
    };
    (pool, Rc::new(Company::with(plan, Premined::made_up())))
}

fn connect(of: &Rc<Company>) -> Vec<JoinHandle<()>> {
    (0..COUNT).map(|at| spawn_local(machine::live(of.clone(), at))).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn machines_work_off_their_shares_and_count_what_they_see() {
    let (pool, company) = set().await;
    company.time_jobs();
    company.keep_acknowledged();
    let of = company.clone();
    LocalSet::new()
        .run_until(async move {
            let tasks = connect(&of);
            soon(of.until_ready(|now| now == u64::from(COUNT))).await;
            of.set_pace(Pace::Closed { in_flight: 2 });
            let each = u64::from(HASHES);
            let all = u64::from(COUNT) * each;
            // One slot for all: the first to send a share has it, the others are told so.
            let seen = until(&of, |seen| seen.accepted + seen.refused() == all).await;
            assert_eq!((seen.accepted, seen.refused.get(&22)), (each, Some(&(all - each))));
            assert_eq!(seen.latencies.len() as u64, all);
            pool.job(true);
            let seen = until(&of, |seen| seen.accepted + seen.refused() == all).await;
            assert_eq!((seen.accepted, seen.sent, seen.retargets), (each, all, 0));
            assert_eq!(of.acknowledged().len() as u64, 2 * each);
            pool.kill();
            for task in tasks {
                soon(task).await.expect("it ends");
            }
        })
        .await;
    let seen = company.take_figures();
    assert_eq!((seen.ready, seen.disconnects, seen.in_flight), (0, COUNT.into(), 0));
    let arrivals = company.arrivals();
    assert_eq!(arrivals.values().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
}

#[tokio::test(flavor = "current_thread")]
async fn machines_that_vanish_leave_their_connections_open() {
    let (pool, company) = set().await;
    LocalSet::new()
        .run_until(async move {
            let tasks = connect(&company);
            soon(company.until_ready(|now| now == u64::from(COUNT))).await;
            company.vanish(2);
            let seen = until(&company, |seen| seen.vanished == 2).await;
            assert_eq!((seen.disconnects, company.ready_now(), company.buried()), (0, 1, 0));
            pool.kill();
            soon(async {
                while company.buried() < 2 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            for task in tasks {
                soon(task).await.expect("it ends");
            }
            assert_eq!(company.take_figures().disconnects, 1, "the one that did not vanish");
        })
        .await;
}

#[tokio::test(flavor = "current_thread")]
async fn machines_that_hash_work_off_a_job_and_go_on_with_the_next() {
    let (pool, company) = set().await;
    LocalSet::new()
        .run_until(async move {
            let tasks = connect(&company);
            soon(company.until_ready(|now| now == u64::from(COUNT))).await;
            company.set_pace(Pace::Hashes { per_second: 5000.0 });
            let all = u64::from(COUNT * HASHES);
            let done = |seen: &Figures| seen.accepted + seen.refused() + seen.unsent == all;
            let seen = until(&company, done).await;
            assert!(seen.accepted > 0 && seen.accepted <= u64::from(HASHES), "{seen:?}");
            pool.job(true);
            let seen = until(&company, done).await;
            assert!(seen.accepted > 0, "{seen:?}");
            pool.kill();
            for task in tasks {
                soon(task).await.expect("it ends");
            }
        })
        .await;
}
