use std::{collections::BTreeMap, ops::Bound};

use sl_work::WorkerName;

use super::worker::Worker;

/// Workers with an account of their own; the shares of more are counted together.
const MOST: usize = 20_000;

/// Accounts that are looked at for one that can be spared, each time that one is wanted.
const LOOKED_AT: usize = 2000;

/// The accounts of workers, by name. One that has proven work, or has machines, stays at its place,
/// so that who knows the place need not look for the name again. When there are as many as there may
/// be, those that never proved anything give their places to others.
#[derive(Debug, Default)]
pub(super) struct Roll {
    names: BTreeMap<WorkerName, Place>,
    accounts: Vec<(WorkerName, Worker)>,
    /// Where the next is looked for that can be spared.
    hand: usize,
}

/// Where the account of a worker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place(usize);

impl Roll {
    /// The place of a worker's account, a new one if it has none.
    pub(super) fn place(&mut self, worker: &WorkerName) -> Place {
        if let Some(place) = self.names.get(worker) {
            return *place;
        }
        let full = self.accounts.len() >= MOST;
        if full && let Some(spare) = self.spare() {
            let account = (worker.clone(), Worker::default());
            if let Some(place) = self.accounts.get_mut(spare.0) {
                let (before, _) = std::mem::replace(place, account);
                self.names.remove(&before);
            }
            self.names.insert(worker.clone(), spare);
            return spare;
        }
        let name: WorkerName = if full { "(more workers)".into() } else { worker.clone() };
        *self.names.entry(name.clone()).or_insert_with(|| {
            self.accounts.push((name, Worker::default()));
            Place(self.accounts.len() - 1)
        })
    }

    /// The place of an account that can be given to another; never the one that many share.
    fn spare(&mut self) -> Option<Place> {
        for _ in 0..LOOKED_AT {
            let place = self.hand;
            self.hand = (place + 1) % MOST;
            if self.accounts.get(place).is_some_and(|(_, worker)| worker.is_spare()) {
                return Some(Place(place));
            }
        }
        None
    }

    /// The account at a place.
    pub(super) fn at(&mut self, Place(place): Place) -> &mut Worker {
        let found = self.accounts.get_mut(place);
        &mut found.expect("places are given out here, and none is taken away").1
    }

    /// The account of a worker.
    pub(super) fn of(&mut self, worker: &WorkerName) -> &mut Worker {
        let place = self.place(worker);
        self.at(place)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// All accounts, in no order.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.accounts.iter_mut().map(|(_, worker)| worker)
    }

    /// All accounts, by name.
    pub(super) fn by_name(&self) -> impl Iterator<Item = (&WorkerName, &Worker)> {
        self.names
            .iter()
            .filter_map(|(name, Place(place))| Some((name, &self.accounts.get(*place)?.1)))
    }

    /// Does something with each of the next workers after this one; the last of them, `None` at
    /// the end.
    pub(super) fn each_after(
        &mut self,
        after: Option<&WorkerName>,
        count: usize,
        mut each: impl FnMut(&WorkerName, &mut Worker),
    ) -> Option<WorkerName> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        for (name, Place(place)) in
            self.names.range::<WorkerName, _>((from, Bound::Unbounded)).take(count)
        {
            if let Some((_, worker)) = self.accounts.get_mut(*place) {
                each(name, worker);
            }
            last = Some(name);
        }
        last.cloned()
    }
}

#[cfg(test)]
mod tests {
    use sl_units::HashRate;

    use super::*;

    #[test]
    fn accounts_keep_their_places_and_are_told_by_name() {
        let mut roll = Roll::default();
        let names = ["c", "a", "b"].map(WorkerName::from);
        let places = names.clone().map(|name| roll.place(&name));
        for (name, place) in names.iter().zip(places) {
            assert_eq!(roll.place(name), place);
            roll.of(name).machines += 1;
        }
        assert_eq!(roll.by_name().map(|(name, _)| &**name).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(roll.all().all(|worker| worker.machines == 1));
        let mut seen = String::new();
        let mut after = None;
        for _ in 0..4 {
            after = roll.each_after(after.as_ref(), 2, |name, _| seen += name);
            seen += "|";
        }
        assert_eq!(seen, "ab|c||ab|");
    }

    #[test]
    fn too_many_share_one() {
        let mut roll = Roll::default();
        for number in 0..MOST {
            roll.of(&number.to_string().into()).machines = 1;
        }
        let more = roll.place(&"one more".into());
        assert_eq!((roll.place(&"and another".into()), roll.len()), (more, MOST + 1));
        assert_ne!(roll.place(&"7".into()), more);
    }

    #[test]
    fn names_that_prove_nothing_make_room() {
        let mut roll = Roll::default();
        for number in 0..MOST {
            roll.place(&format!("visitor.{number}").into());
        }
        let honest = |number: usize| WorkerName::from(format!("rig.{number}"));
        for number in 0..1000 {
            roll.of(&honest(number)).machines = 1;
        }
        roll.at(roll.names["visitor.1000"]).remember(HashRate::default());
        // All the others come again, and as many more.
        for number in 0..2 * MOST {
            roll.place(&format!("visitor.{number}").into());
        }
        assert_eq!((roll.len(), roll.accounts.len()), (MOST, MOST));
        assert!((0..1000).all(|number| roll.of(&honest(number)).machines == 1));
        assert!(roll.names.contains_key("visitor.1000"), "it proved work in an earlier run");
        assert!(roll.by_name().all(|(name, _)| &**name != "(more workers)"));
    }
}
