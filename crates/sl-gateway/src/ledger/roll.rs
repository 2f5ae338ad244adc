use std::{collections::BTreeMap, ops::Bound};

use sl_work::WorkerName;

use super::worker::Worker;

/// Workers with an account of their own; the shares of more are counted together.
const MOST: usize = 20_000;

/// The accounts of workers, by name. Each stays at its place, so that who knows the place need not
/// look for the name again.
#[derive(Debug, Default)]
pub(super) struct Roll {
    names: BTreeMap<WorkerName, Place>,
    accounts: Vec<Worker>,
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
        let name = if self.names.len() < MOST { worker.clone() } else { "(more workers)".into() };
        *self.names.entry(name).or_insert_with(|| {
            self.accounts.push(Worker::default());
            Place(self.accounts.len() - 1)
        })
    }

    /// The account at a place.
    pub(super) fn at(&mut self, Place(place): Place) -> &mut Worker {
        self.accounts.get_mut(place).expect("places are given out here, and accounts stay")
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
        self.accounts.iter_mut()
    }

    /// All accounts, by name.
    pub(super) fn by_name(&self) -> impl Iterator<Item = (&WorkerName, &Worker)> {
        self.names
            .iter()
            .filter_map(|(name, Place(place))| Some((name, self.accounts.get(*place)?)))
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
            if let Some(worker) = self.accounts.get_mut(*place) {
                each(name, worker);
            }
            last = Some(name);
        }
        last.cloned()
    }
}

#[cfg(test)]
mod tests {
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
            roll.place(&number.to_string().into());
        }
        let more = roll.place(&"one more".into());
        assert_eq!((roll.place(&"and another".into()), roll.len()), (more, MOST + 1));
        assert_ne!(roll.place(&"7".into()), more);
    }
}
