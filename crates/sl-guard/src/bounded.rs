use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// How many of the oldest entries are looked at for room.
const LOOKED_AT: usize = 8;

/// A map that never holds more than its capacity.
///
/// The longest untouched entry that its holder can spare makes room for a new one. Where the oldest
/// few cannot be spared they are put behind the others and the new key gets no entry: the caller
/// decides what a stranger without an entry gets. Hashing is keyed (SipHash with random keys), so
/// chosen keys do not collide; each operation costs the logarithm of the capacity at most.
#[derive(Debug)]
pub struct Bounded<K, V> {
    capacity: usize,
    entries: HashMap<K, (u64, V)>,
    /// Keys by the turn of their last touch.
    order: BTreeMap<u64, K>,
    turn: u64,
    evicted: u64,
    full: u64,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    /// An empty map for at most so many entries; it takes no memory before they come.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: HashMap::new(),
            order: BTreeMap::new(),
            turn: 0,
            evicted: 0,
            full: 0,
        }
    }

    /// The value of a key, made fresh if there is none; it counts as touched. `None` when the map is
    /// full and `spare` gives none of the oldest entries up.
    pub fn touch(
        &mut self,
        key: &K,
        spare: impl Fn(&V) -> bool,
        fresh: impl FnOnce() -> V,
    ) -> Option<&mut V> {
        let known = self.entries.contains_key(key);
        if !known && self.entries.len() >= self.capacity && !self.make_room(spare) {
            self.full += 1;
            return None;
        }
        self.turn += 1;
        let (last, value) = self.entries.entry(key.clone()).or_insert_with(|| (0, fresh()));
        self.order.remove(last);
        *last = self.turn;
        self.order.insert(self.turn, key.clone());
        Some(value)
    }

    fn make_room(&mut self, spare: impl Fn(&V) -> bool) -> bool {
        for _ in 0..LOOKED_AT {
            let Some((_, key)) = self.order.pop_first() else { return false };
            match self.entries.get_mut(&key) {
                Some((last, value)) if !spare(value) => {
                    self.turn += 1;
                    *last = self.turn;
                    self.order.insert(self.turn, key);
                }
                _ => {
                    self.entries.remove(&key);
                    self.evicted += 1;
                    return true;
                }
            }
        }
        false
    }

    /// The value of a key, untouched.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of a key, to be changed; it does not count as touched.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (turn, value) = self.entries.remove(key)?;
        self.order.remove(&turn);
        Some(value)
    }

    /// All entries, longest untouched first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.order.values().filter_map(|key| self.get(key).map(|value| (key, value)))
    }

    /// Entries held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries that made room for others, since the start.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Times that a key found no room, since the start.
    #[must_use]
    pub const fn found_full(&self) -> u64 {
        self.full
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(map: &Bounded<u32, bool>) -> Vec<u32> {
        map.iter().map(|(key, _)| *key).collect()
    }

    #[test]
    fn the_longest_untouched_makes_room() {
        let mut map = Bounded::new(3);
        for key in [1, 2, 3, 1, 4] {
            assert!(map.touch(&key, |_| true, || true).is_some());
        }
        assert_eq!(keys(&map), [3, 1, 4]);
        assert_eq!((map.evicted(), map.found_full()), (1, 0));
    }

    #[test]
    fn what_cannot_be_spared_stays() {
        let mut map = Bounded::new(2);
        map.touch(&1, |free| *free, || false);
        map.touch(&2, |free| *free, || true);
        assert!(map.touch(&3, |free| *free, || false).is_some(), "2 could be spared");
        assert!(map.touch(&4, |free| *free, || false).is_none(), "none can be spared");
        assert_eq!(keys(&map).len(), 2);
        assert_eq!((map.evicted(), map.found_full()), (1, 1));
    }

    proptest! {
        #[test]
        fn it_never_outgrows_its_capacity(
            capacity in 0usize..12,
            steps in proptest::collection::vec((0u32..40, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut map = Bounded::new(capacity);
            for (key, free, remove) in steps {
                if remove {
                    map.remove(&key);
                } else if map.touch(&key, |free| *free, || free).is_some() {
                    let newest = keys(&map).pop();
                    prop_assert_eq!(newest, Some(key));
                }
                prop_assert!(map.len() <= capacity);
                prop_assert_eq!(keys(&map).len(), map.len());
            }
        }
    }
}
