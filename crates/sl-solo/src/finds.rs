//! Which find of a block is handed in. One block a tip is enough: a second one of ours would only
//! compete with the first. Pure.

use std::collections::{BTreeMap, VecDeque};

use sl_chain::coins::Ticker;
use sl_units::Hash256;

/// Spare finds kept for a tip; more would mean that a node refuses without end.
const SPARES: usize = 8;

/// The finds on each chain's tip.
///
/// ```text
///            found                      accepted
///  (none) ─────────▶ handed in ───────────────────────▶ done ── found ──▶ spare, counted
///                    │     ▲ found: kept as a spare
///                    │     │
///            refused │     │ a spare is left
///                    ▼     │
///                   next spare ── none left ──▶ (none)
/// ```
#[derive(Debug)]
pub(crate) struct Finds<T> {
    chains: BTreeMap<Ticker, OnTip<T>>,
}

#[derive(Debug)]
struct OnTip<T> {
    tip: Hash256,
    state: State,
    spares: VecDeque<T>,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum State {
    Free,
    HandedIn,
    Done,
}

impl<T> Default for Finds<T> {
    fn default() -> Self {
        Self { chains: BTreeMap::new() }
    }
}

impl<T> Finds<T> {
    /// A find on a tip that stands: given back when it is to be handed in now, kept otherwise.
    pub(crate) fn found(&mut self, chain: Ticker, tip: Hash256, find: T) -> Option<T> {
        let fresh = || OnTip { tip, state: State::Free, spares: VecDeque::new() };
        let on_tip = self.chains.entry(chain).or_insert_with(fresh);
        if on_tip.tip != tip {
            *on_tip = fresh();
        }
        match on_tip.state {
            State::Free => {
                on_tip.state = State::HandedIn;
                Some(find)
            }
            State::HandedIn => {
                if on_tip.spares.len() < SPARES {
                    on_tip.spares.push_back(find);
                }
                None
            }
            State::Done => None,
        }
    }

    /// The node took the find on this tip.
    pub(crate) fn accepted(&mut self, chain: Ticker, tip: Hash256) {
        if let Some(on_tip) = self.on(chain, tip) {
            on_tip.state = State::Done;
            on_tip.spares.clear();
        }
    }

    /// The node did not take it; the next one to be handed in, if there is one.
    pub(crate) fn failed(&mut self, chain: Ticker, tip: Hash256) -> Option<T> {
        let on_tip = self.on(chain, tip)?;
        let next = on_tip.spares.pop_front();
        on_tip.state = if next.is_some() { State::HandedIn } else { State::Free };
        next
    }

    fn on(&mut self, chain: Ticker, tip: Hash256) -> Option<&mut OnTip<T>> {
        self.chains.get_mut(&chain).filter(|on_tip| on_tip.tip == tip)
    }
}

#[cfg(test)]
mod tests {
    use sl_chain::coins::by_ticker;

    use super::*;

    #[test]
    fn one_find_a_tip_unless_it_is_refused() {
        let doge = by_ticker("DOGE").expect("in the table").ticker;
        let pep = by_ticker("PEP").expect("in the table").ticker;
        let (one, two) = (Hash256::from_bytes([1; 32]), Hash256::from_bytes([2; 32]));
        let mut finds = Finds::default();
        assert_eq!(finds.found(doge, one, "a"), Some("a"));
        assert_eq!(finds.found(pep, one, "p"), Some("p"), "another chain is on its own");
        assert_eq!(finds.found(doge, one, "b"), None);
        assert_eq!(finds.failed(doge, one), Some("b"), "a spare is released");
        assert_eq!(finds.failed(doge, one), None);
        assert_eq!(finds.found(doge, one, "c"), Some("c"), "nothing is handed in any more");
        finds.accepted(doge, one);
        assert_eq!(finds.found(doge, one, "d"), None);
        assert_eq!(finds.failed(doge, two), None, "an answer for a tip long gone");
        assert_eq!(finds.found(doge, two, "e"), Some("e"), "another tip");
        finds.accepted(doge, one);
        assert_eq!(finds.found(doge, two, "f"), None);
        for _ in 0..100 {
            assert_eq!(finds.found(doge, two, "x"), None);
        }
        let released = std::iter::from_fn(|| finds.failed(doge, two)).count();
        assert_eq!(released, SPARES);
    }
}
