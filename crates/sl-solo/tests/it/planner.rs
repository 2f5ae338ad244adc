use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use sl_noderpc::BlockTemplate;
use sl_solo::{
    assemble::{AuxWork, ParentWork},
    planner::{Action, Event, Planner},
};
use sl_testkit::recorded;
use sl_units::{Bits, Hash256, Mono};

use crate::{aux_work, coins, row};

const COINS: [&str; 4] = ["DOGE", "PEP", "DINGO", "TRMP"];
const DOGE: usize = 0;
const PEP: usize = 1;
const DINGO: usize = 2;

struct Bench {
    planner: Planner,
    now: Mono,
}

impl Bench {
    fn new() -> Self {
        let rows = COINS.map(row);
        let planner = Planner::new(row("LTC"), &rows, Duration::from_millis(500));
        Self { planner, now: Mono::default() }
    }

    /// What follows from an event, as a line: `e2 [DOGE PEP]`, `idle …`, `DINGO out: …`.
    fn step(&mut self, event: Event) -> String {
        let actions = self.planner.step(event, self.now, self.now);
        let line = |action: &Action| match action {
            Action::Idle(why) => format!("idle {why}"),
            Action::Issue(plan) => {
                let names: Vec<_> =
                    plan.auxiliaries.iter().map(|work| work.row.ticker.as_str()).collect();
                format!("e{} [{}]", plan.epoch, names.join(" "))
            }
            Action::LeftOut { seat, why } => format!("{} out: {why}", COINS[*seat]),
            Action::TakenIn { seat } => format!("{} in", COINS[*seat]),
        };
        actions.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    fn parent(&mut self, tip: u8) -> String {
        self.parent_with(tip, |_| {})
    }

    fn parent_with(&mut self, tip: u8, change: impl Fn(&mut BlockTemplate)) -> String {
        let text = recorded("litecoin/regtest-e2e/gbt_433.json");
        let mut template = BlockTemplate::from_json(&text).expect("as recorded");
        template.prev = Hash256::from_bytes([tip; 32]);
        change(&mut template);
        self.step(Event::Parent(Arc::new(ParentWork::new(template))))
    }

    fn aux(&mut self, seat: usize, tip: u8) -> String {
        self.aux_with(seat, aux_work(COINS[seat], tip, tip))
    }

    fn aux_with(&mut self, seat: usize, work: AuxWork) -> String {
        self.step(Event::Auxiliary { seat, work })
    }

    fn after(&mut self, millis: u64) -> String {
        self.now = self.now + Duration::from_millis(millis);
        self.step(Event::Due)
    }
}

#[test]
fn what_goes_at_once_and_what_waits() {
    let mut bench = Bench::new();
    assert_eq!(bench.aux(DOGE, 1), "", "no parent, no job");
    assert_eq!(bench.parent(1), "e1 [DOGE]");
    assert_eq!(bench.parent(1), "", "nothing new");
    assert_eq!(bench.aux(DOGE, 1), "", "nothing new");

    assert_eq!(bench.aux(PEP, 1), "", "dust joins later");
    assert_eq!(bench.after(400), "");
    assert_eq!(bench.aux(DINGO, 1), "", "with the dust before it");
    assert_eq!(bench.after(99), "");
    assert_eq!(bench.after(1), "e1 [DOGE PEP DINGO]");
    assert_eq!(bench.planner.due(), None);

    assert_eq!(bench.aux(DOGE, 2), "e2 [DOGE PEP DINGO]", "most of the value: at once, new epoch");
    assert_eq!(bench.aux(PEP, 2), "", "dust");
    assert_eq!(bench.aux(DOGE, 3), "e3 [DOGE PEP DINGO]", "and the dust goes with it");
    assert_eq!(bench.planner.due(), None);
    assert_eq!(bench.after(1000), "");

    assert_eq!(bench.parent(2), "e4 [DOGE PEP DINGO]");
    let more_fees = |template: &mut BlockTemplate| template.coinbase_value = coins(13);
    assert_eq!(bench.parent_with(2, more_fees), "", "same tip, more fees: waits");
    assert_eq!(bench.after(500), "e4 [DOGE PEP DINGO]");
    let later = |template: &mut BlockTemplate| {
        more_fees(template);
        template.current_time += 30;
    };
    assert_eq!(bench.parent_with(2, later), "");
    assert_eq!(bench.after(500), "e4 [DOGE PEP DINGO]", "the clock moved");
}

#[test]
fn nodes_come_and_go() {
    let mut bench = Bench::new();
    bench.parent(1);
    assert_eq!(bench.aux(DOGE, 1), "e1 [DOGE]", "value joins at once, and makes nothing stale");
    assert_eq!(bench.step(Event::AuxiliaryOut { seat: DOGE, foreign: false }), "");
    assert_eq!(bench.after(500), "e1 []");
    let doge = row("DOGE").ticker;
    assert!(bench.planner.tip(doge).is_some(), "shares still count on its last tip");
    assert_eq!(bench.aux(DOGE, 1), "e1 [DOGE]");
    bench.step(Event::AuxiliaryOut { seat: DOGE, foreign: true });
    assert_eq!(bench.planner.tip(doge), None, "another chain's tip says nothing");

    assert_eq!(bench.step(Event::ParentDown("no answer".into())), "idle no answer");
    assert_eq!(bench.after(500), "", "nothing waits any more");
    assert_eq!(bench.aux(PEP, 1), "");
    assert_eq!(bench.parent(1), "e1 [PEP]", "back on the same tip: nothing became stale");
}

#[test]
fn chains_that_cannot_go_together_are_left_out_by_name() {
    let mut bench = Bench::new();
    bench.parent(1);
    bench.aux(DOGE, 1);
    let mut dingo = aux_work("DINGO", 1, 1);
    dingo.template.chain_id = 98;
    assert_eq!(
        bench.aux_with(DINGO, dingo.clone()),
        "DINGO out: its chain id 98 is also that of DOGE, and no tree holds both; leave one of \
         the two out"
    );
    dingo.template.hash = Hash256::from_bytes([7; 32]);
    assert_eq!(bench.aux_with(DINGO, dingo), "", "said once");
    assert_eq!(bench.aux(DOGE, 2), "e2 [DOGE]");
    bench.step(Event::AuxiliaryOut { seat: DOGE, foreign: false });
    assert_eq!(bench.after(500), "e2 [DINGO]", "its place is free");

    let mut odd = aux_work("PEP", 1, 1);
    odd.template.chain_id = 98 ^ 0x8000;
    assert!(bench.aux_with(PEP, odd.clone()).contains("would need a tree of 2^16 slots"));
    odd.template.chain_id = 1 << 20;
    odd.template.hash = Hash256::from_bytes([8; 32]);
    assert!(bench.aux_with(PEP, odd).contains("allowed are 0 to 65535"));

    // A parent that signals bit 21 or so reads as a chain id.
    let mut bench = Bench::new();
    bench.aux(PEP, 1);
    let out = bench.parent_with(1, |template| template.version = 0x003f_0000);
    assert!(
        out.starts_with("PEP out: its nodes would read their own chain id 63 in the LTC"),
        "{out}"
    );
    assert!(out.ends_with("e1 []"), "{out}");
    assert_eq!(bench.parent(2), "PEP in; e2 [PEP]");
}

#[test]
fn a_valuable_parent_makes_doge_dust() {
    let mut bench = Bench::new();
    let mut hard = aux_work("DOGE", 1, 1);
    hard.template.bits = Bits::from_u32(0x1d00_ffff);
    hard.template.target = hard.template.bits.target().expect("valid");
    assert_eq!(bench.parent(1), "e1 []");
    assert_eq!(bench.aux_with(DOGE, hard.clone()), "", "next to nothing a hash");
    hard.template.prev = Hash256::from_bytes([5; 32]);
    hard.template.hash = Hash256::from_bytes([5; 32]);
    assert_eq!(bench.aux_with(DOGE, hard), "");
    assert_eq!(bench.after(500), "e1 [DOGE]");
}

proptest! {
    /// Whatever happens in whatever order: epochs never go back, a job never misses its parent,
    /// ids in it are distinct, and nothing waits longer than the dust delay.
    #[test]
    fn any_order_of_events(events in prop::collection::vec((0u8..8, 0usize..4, 0u8..4, 0u64..300), 1..80)) {
        let mut bench = Bench::new();
        let mut epoch = 0;
        for (kind, seat, tip, wait) in events {
            let event = match kind {
                0 => Event::ParentDown("down".into()),
                1 => Event::AuxiliaryOut { seat, foreign: tip == 0 },
                2 | 3 => {
                    let text = recorded("litecoin/regtest-e2e/gbt_433.json");
                    let mut template = BlockTemplate::from_json(&text).expect("as recorded");
                    template.prev = Hash256::from_bytes([tip; 32]);
                    Event::Parent(Arc::new(ParentWork::new(template)))
                }
                4 => Event::Due,
                _ => Event::Auxiliary { seat, work: aux_work(COINS[seat], tip, tip) },
            };
            let actions = bench.planner.step(event, bench.now, bench.now);
            for action in actions {
                if let Action::Issue(plan) = action {
                    prop_assert!(plan.epoch >= epoch);
                    epoch = plan.epoch;
                    let mut ids: Vec<_> =
                        plan.auxiliaries.iter().map(|work| work.template.chain_id).collect();
                    ids.sort_unstable();
                    ids.dedup();
                    prop_assert_eq!(ids.len(), plan.auxiliaries.len());
                }
            }
            if let Some(due) = bench.planner.due() {
                prop_assert!(due.since(bench.now) <= Duration::from_millis(500));
            }
            bench.now = bench.now + Duration::from_millis(wait);
        }
    }
}
