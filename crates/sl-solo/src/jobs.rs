//! The jobs that shares may still come for.

use std::{collections::BTreeMap, sync::Arc};

use sl_chain::coins::Ticker;
use sl_units::{Hash256, Mono};
use sl_work::{Goal, Outcome};

use crate::assemble::Blueprint;

/// Jobs kept at least, whatever they weigh.
pub(crate) const LEAST: usize = 64;
/// Jobs kept at most.
const MOST: usize = 512;
/// Transactions kept beyond [`LEAST`] jobs, in bytes.
const BUDGET: usize = 64 << 20;

/// A job as it was given out.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) number: u64,
    pub(crate) blueprint: Blueprint,
    pub(crate) epoch: u64,
    pub(crate) born: Mono,
}

/// The latest jobs, bounded by count and by the bytes of their transactions, which jobs on one
/// template share.
#[derive(Debug, Default)]
pub(crate) struct JobStore {
    jobs: BTreeMap<u64, Arc<Issued>>,
}

impl JobStore {
    pub(crate) fn insert(&mut self, issued: Arc<Issued>) {
        self.jobs.insert(issued.number, issued);
        while self.jobs.len() > MOST || (self.jobs.len() > LEAST && self.bytes() > BUDGET) {
            self.jobs.pop_first();
        }
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Arc<Issued>> {
        self.jobs.get(&number)
    }

    fn bytes(&self) -> usize {
        // Jobs on one template stand next to each other.
        let mut last = None;
        self.jobs
            .values()
            .map(|job| {
                let parent = job.blueprint.parent();
                let shared = last.replace(Arc::as_ptr(parent)) == Some(Arc::as_ptr(parent));
                if shared { 0 } else { parent.bytes() }
            })
            .sum()
    }
}

/// What a share of a job is worth now: it counts on every chain whose tip still stands.
pub(crate) fn judge(goals: &[Goal], tip: impl Fn(Ticker) -> Option<Hash256>) -> Outcome {
    let (credited, missed): (Vec<&Goal>, Vec<&Goal>) =
        goals.iter().partition(|goal| tip(goal.chain) == Some(goal.tip));
    if credited.is_empty() {
        return Outcome::Stale { reason: "every chain of the job has another tip by now".into() };
    }
    let names = |goals: Vec<&Goal>| goals.into_iter().map(|goal| goal.chain).collect();
    Outcome::Accepted { credited: names(credited), missed: names(missed) }
}

#[cfg(test)]
mod tests {
    use sl_chain::coins::by_ticker;
    use sl_noderpc::BlockTemplate;
    use sl_units::{CoinAmount, Target};

    use super::*;
    use crate::assemble::{ParentWork, Payout};

    /// A job on a template whose one transaction has so many bytes.
    fn issued(number: u64, parent: &Arc<ParentWork>) -> Arc<Issued> {
        let payout = Payout { script: vec![0x51], tag: vec![], free: 8, roll_mask: 0 };
        let row = by_ticker("LTC").expect("in the table");
        let blueprint = Blueprint::assemble(row, Arc::clone(parent), vec![], &payout);
        let blueprint = blueprint.expect("fits");
        Arc::new(Issued { number, blueprint, epoch: 1, born: Mono::default() })
    }

    fn template(bytes: usize) -> Arc<ParentWork> {
        let path = "/../../testdata/litecoin/regtest-e2e/gbt_433.json";
        let text = std::fs::read_to_string(format!("{}{path}", env!("CARGO_MANIFEST_DIR")));
        let mut template = BlockTemplate::from_json(&text.expect("testdata")).expect("as recorded");
        template.transactions[0].data = vec![0; bytes].into();
        Arc::new(ParentWork::new(template))
    }

    #[test]
    fn jobs_are_kept_by_count_and_by_weight() {
        let light = template(100);
        let mut store = JobStore::default();
        (0..2000).for_each(|number| store.insert(issued(number, &light)));
        assert_eq!(store.jobs.len(), MOST);
        assert!(store.get(1999).is_some() && store.get(2000 - MOST as u64 - 1).is_none());

        // Four-megabyte templates, each of its own: the budget holds sixteen, 64 jobs stay.
        let mut store = JobStore::default();
        let heavy: Vec<_> = (0..4).map(|_| template(4 << 20)).collect();
        (0..200).for_each(|number| store.insert(issued(number, &heavy[number as usize % 4])));
        assert_eq!(store.jobs.len(), LEAST);

        // On one heavy template many jobs weigh as much as one.
        let mut store = JobStore::default();
        (0..200).for_each(|number| store.insert(issued(number, &heavy[0])));
        assert_eq!(store.jobs.len(), 200);
    }

    fn ticker(name: &str) -> Ticker {
        by_ticker(name).expect("in the table").ticker
    }

    #[test]
    fn a_share_counts_where_the_tip_stands() {
        let goal = |name: &str, tip: u8| Goal {
            chain: ticker(name),
            height: 1,
            tip: Hash256::from_bytes([tip; 32]),
            target: Target::MAX,
            reward: CoinAmount::default(),
            weight: None,
        };
        let goals = [goal("LTC", 1), goal("DOGE", 2), goal("PEP", 3)];
        let check = |tips: [Option<u8>; 3], expect: Option<(&[&str], &[&str])>| {
            let tip = |chain: Ticker| {
                let at = goals.iter().position(|goal| goal.chain == chain)?;
                tips[at].map(|byte| Hash256::from_bytes([byte; 32]))
            };
            let names = |names: &[&str]| names.iter().map(|name| ticker(name)).collect();
            let expect = expect.map(|(credited, missed)| Outcome::Accepted {
                credited: names(credited),
                missed: names(missed),
            });
            match (judge(&goals, tip), expect) {
                (Outcome::Stale { .. }, None) => {}
                (found, expect) => assert_eq!(Some(found), expect),
            }
        };
        check([Some(1), Some(2), Some(3)], Some((&["LTC", "DOGE", "PEP"], &[])));
        check([Some(9), Some(2), Some(3)], Some((&["DOGE", "PEP"], &["LTC"])));
        check([Some(1), Some(9), None], Some((&["LTC"], &["DOGE", "PEP"])));
        check([Some(9), None, Some(9)], None);
    }
}
