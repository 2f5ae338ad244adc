//! What to mine, when a new job is due, and which jobs it makes stale. Pure.

use std::{sync::Arc, time::Duration};

use sl_chain::{
    auxpow::least_height,
    coins::{CoinRow, Ticker},
};
use sl_units::{Hash256, Mono};

use crate::{
    assemble::{AuxWork, ParentWork},
    value::{Stake, is_valuable, weights},
};

/// Highest merged-mining tree that is built: 1,024 slots. The coins of the table need 5; a node
/// with an odd chain id must not cost a gigabyte.
const MAX_TREE: u32 = 10;

/// Decides. What comes in and what follows:
///
/// ```text
/// event                                   follows               epoch
/// ──────────────────────────────────────  ────────────────────  ─────
/// parent: another tip                     a job at once         + 1
/// parent: same tip, other transactions    a job, dust delay     same
/// parent down                             idle, with the why    same
/// parent back on the same tip             a job at once         same
/// auxiliary of > 1/5 weight: another tip  a job at once         + 1
/// auxiliary of > 1/5 weight: joins        a job at once         same
/// any other news of an auxiliary          a job, dust delay     same
/// dust delay over                         a job                 same
/// ```
///
/// The dust delay runs from the first piece of news that waits, so none waits longer.
#[derive(Debug)]
pub struct Planner {
    parent_row: &'static CoinRow,
    parent: Option<Arc<ParentWork>>,
    parent_tip: Option<Hash256>,
    seats: Vec<Seat>,
    dust_delay: Duration,
    epoch: u64,
    /// When the waiting news goes out, and when the first of it was learned.
    due: Option<(Mono, Mono)>,
}

/// An auxiliary chain's place.
#[derive(Debug)]
struct Seat {
    row: &'static CoinRow,
    work: Option<AuxWork>,
    tip: Option<Hash256>,
    /// Why it cannot be mined with the others, though its node works.
    left_out: Option<Arc<str>>,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The parent's node has a template.
    Parent(Arc<ParentWork>),
    /// The parent's node gives none.
    ParentDown(Arc<str>),
    /// An auxiliary's node has a block to be won.
    Auxiliary {
        /// Its place in the settings, from 0.
        seat: usize,
        /// The block.
        work: AuxWork,
    },
    /// An auxiliary's node gives none.
    AuxiliaryOut {
        /// Its place in the settings.
        seat: usize,
        /// Whether its last tip says nothing any more: it is another chain's node.
        foreign: bool,
    },
    /// Time has passed: [`Planner::due`].
    Due,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// There is no work.
    Idle(Arc<str>),
    /// A new job.
    Issue(Plan),
    /// A chain cannot be mined with the others.
    LeftOut {
        /// Its place in the settings.
        seat: usize,
        /// Why.
        why: Arc<str>,
    },
    /// Now it can.
    TakenIn {
        /// Its place in the settings.
        seat: usize,
    },
}

/// What a job is made of.
#[derive(Debug)]
pub struct Plan {
    /// The parent's block.
    pub parent: Arc<ParentWork>,
    /// The auxiliary blocks.
    pub auxiliaries: Vec<AuxWork>,
    /// Jobs of earlier epochs are stale.
    pub epoch: u64,
    /// When the source learned what made this job.
    pub born: Mono,
}

impl Planner {
    /// A planner without work.
    #[must_use]
    pub fn new(
        parent_row: &'static CoinRow,
        rows: &[&'static CoinRow],
        dust_delay: Duration,
    ) -> Self {
        let seat = |row: &&'static CoinRow| Seat { row, work: None, tip: None, left_out: None };
        Self {
            parent_row,
            parent: None,
            parent_tip: None,
            seats: rows.iter().map(seat).collect(),
            dust_delay,
            epoch: 0,
            due: None,
        }
    }

    /// When [`Event::Due`] is wanted.
    #[must_use]
    pub fn due(&self) -> Option<Mono> {
        self.due.map(|(at, _)| at)
    }

    /// The tip that a chain was last seen to have.
    #[must_use]
    pub fn tip(&self, chain: Ticker) -> Option<Hash256> {
        if chain == self.parent_row.ticker {
            return self.parent_tip;
        }
        self.seats.iter().find(|seat| seat.row.ticker == chain)?.tip
    }

    /// Takes in what was learned at `learned`.
    pub fn step(&mut self, event: Event, learned: Mono, now: Mono) -> Vec<Action> {
        match event {
            Event::Parent(work) => self.parent(work, learned, now),
            Event::ParentDown(why) => {
                self.due = None;
                self.parent = None;
                vec![Action::Idle(why)]
            }
            Event::Auxiliary { seat, work } => self.auxiliary(seat, work, learned, now),
            Event::AuxiliaryOut { seat, foreign } => self.out(seat, foreign, learned, now),
            Event::Due => match self.due {
                Some((at, born)) if at <= now => self.issue(born),
                _ => Vec::new(),
            },
        }
    }

    fn parent(&mut self, work: Arc<ParentWork>, learned: Mono, now: Mono) -> Vec<Action> {
        let tip = work.template().prev;
        let was_down = self.parent.is_none();
        let moved = self.parent_tip.replace(tip) != Some(tip);
        if !moved && self.parent.as_ref().is_some_and(|old| old.is_as_good_as(&work)) {
            return Vec::new();
        }
        self.parent = Some(work);
        if moved {
            self.epoch += 1;
        }
        if moved || was_down {
            return self.issue(learned);
        }
        self.wait(learned, now);
        Vec::new()
    }

    fn auxiliary(&mut self, at: usize, work: AuxWork, learned: Mono, now: Mono) -> Vec<Action> {
        let Some(seat) = self.seats.get_mut(at) else { return Vec::new() };
        if seat.work.as_ref().is_some_and(|old| old.template == work.template) {
            return Vec::new();
        }
        let before = seat.tip.replace(work.template.prev);
        let moved = before.is_some_and(|before| before != work.template.prev);
        let joins = seat.work.is_none();
        seat.work = Some(work);
        let (chosen, mut actions) = self.choose();
        if self.parent.is_none() || !chosen.contains(&at) {
            // The next job must not leave machines on work for a tip that fell meanwhile.
            self.epoch += u64::from(moved);
            return actions;
        }
        if (moved || joins) && self.is_valuable(at, &chosen) {
            if moved {
                self.epoch += 1;
            }
            actions.extend(self.issue(learned));
        } else {
            self.wait(learned, now);
        }
        actions
    }

    fn out(&mut self, at: usize, foreign: bool, learned: Mono, now: Mono) -> Vec<Action> {
        let Some(seat) = self.seats.get_mut(at) else { return Vec::new() };
        let was_in = seat.work.take().is_some();
        if foreign {
            seat.tip = None;
        }
        let (_, actions) = self.choose();
        if was_in && self.parent.is_some() {
            self.wait(learned, now);
        }
        actions
    }

    fn wait(&mut self, learned: Mono, now: Mono) {
        self.due.get_or_insert((now + self.dust_delay, learned));
    }

    fn issue(&mut self, born: Mono) -> Vec<Action> {
        self.due = None;
        let (chosen, mut actions) = self.choose();
        let Some(parent) = self.parent.clone() else { return actions };
        let auxiliaries = chosen
            .iter()
            .filter_map(|&at| self.seats.get(at).and_then(|seat| seat.work.clone()))
            .collect();
        actions.push(Action::Issue(Plan { parent, auxiliaries, epoch: self.epoch, born }));
        actions
    }

    /// The chains that can be mined together, the earlier first, and what changed about it.
    fn choose(&mut self) -> (Vec<usize>, Vec<Action>) {
        let version = self.parent.as_ref().map_or(0, |parent| parent.template().version);
        let mut chosen = Vec::new();
        let mut actions = Vec::new();
        let mut taken: Vec<(u32, Ticker)> = Vec::new();
        for (at, seat) in self.seats.iter_mut().enumerate() {
            let Some(work) = &seat.work else {
                // Its node's state says all there is to say.
                seat.left_out = None;
                continue;
            };
            let id = work.template.chain_id;
            match obstacle(seat.row, id, version, self.parent_row.ticker, &taken) {
                None => {
                    taken.push((id, seat.row.ticker));
                    chosen.push(at);
                    if seat.left_out.take().is_some() {
                        actions.push(Action::TakenIn { seat: at });
                    }
                }
                Some(why) => {
                    if seat.left_out.as_deref() != Some(why.as_str()) {
                        let why: Arc<str> = why.into();
                        seat.left_out = Some(Arc::clone(&why));
                        actions.push(Action::LeftOut { seat: at, why });
                    }
                }
            }
        }
        (chosen, actions)
    }

    fn is_valuable(&self, at: usize, chosen: &[usize]) -> bool {
        let parent = self.parent.as_ref().map(|work| Stake {
            row: self.parent_row,
            reward: work.template().coinbase_value,
            target: work.template().target,
        });
        let works = chosen.iter().filter_map(|&at| Some((at, self.seats.get(at)?.work.as_ref()?)));
        let mut place = None;
        let mut stakes: Vec<Stake> = parent.into_iter().collect();
        for (seat, work) in works {
            if seat == at {
                place = Some(stakes.len());
            }
            stakes.push(Stake {
                row: work.row,
                reward: work.template.coinbase_value,
                target: work.template.target,
            });
        }
        let weights = weights(&stakes);
        place.and_then(|place| weights.get(place).copied()).is_some_and(is_valuable)
    }
}

/// Why a chain cannot join those taken, if so.
fn obstacle(
    row: &CoinRow,
    id: u32,
    parent_version: u32,
    parent: Ticker,
    taken: &[(u32, Ticker)],
) -> Option<String> {
    if id > 0xffff {
        return Some(format!("its node gives the chain id {id}, allowed are 0 to 65535"));
    }
    if row.strict_chain_id && row.chain_id_of(parent_version).is_some_and(|read| read.get() == id) {
        return Some(format!(
            "its nodes would read their own chain id {id} in the {parent} version \
             {parent_version:08x} and refuse every block; wait for another version of {parent}"
        ));
    }
    if let Some((_, holder)) = taken.iter().find(|(other, _)| *other == id) {
        return Some(format!(
            "its chain id {id} is also that of {holder}, and no tree holds both; leave one of the \
             two out"
        ));
    }
    let ids: Vec<u32> = taken.iter().map(|(other, _)| *other).chain([id]).collect();
    match least_height(&ids) {
        Ok(height) if height <= MAX_TREE => None,
        Ok(height) => Some(format!(
            "its chain id {id} would need a tree of 2^{height} slots, at most 2^{MAX_TREE} are built"
        )),
        Err(error) => Some(error.to_string()),
    }
}
