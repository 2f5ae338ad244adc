//! The cores of an engine: its own and those with fewer lanes, for headers that do not fill it.

use crate::{
    engine::{Group, Kernel, Rows},
    kernels,
    lanes::{Line, MOST_LANES},
};

/// A kernel this CPU can run, behind one call a group.
pub(crate) struct Core {
    pub(crate) lanes: usize,
    /// What a group costs, however many of its lanes are used: see [`Kernel::COST`].
    cost: u32,
    hash: Box<Call<Group>>,
    mix_chacha: Box<Call<[Line; 32]>>,
}

/// A kernel's function with its proof of the CPU inside: the cost, V, what is hashed in place.
type Call<T> = dyn Fn(usize, &mut [Line], &mut T) + Send;

impl Core {
    /// `None` where this CPU cannot run it.
    fn of<K: Kernel>() -> Option<Self> {
        let cpu = K::detect()?;
        Some(Self {
            lanes: K::LANES,
            cost: K::COST,
            hash: Box::new(move |n, v, group| K::hash(cpu, n, v, group)),
            mix_chacha: Box::new(move |n, v, words| K::mix_chacha(cpu, n, v, words)),
        })
    }

    /// The lines of V that a group needs.
    pub(crate) const fn lines(&self, n: usize) -> usize {
        n * self.lanes * 2
    }

    /// Hashes the group's first `lanes` lanes by scrypt. `v` has [`lines`](Self::lines).
    pub(crate) fn hash(&self, n: usize, v: &mut [Line], group: &mut Group) {
        (self.hash)(n, v, group);
    }

    /// ROMix alone, by ChaCha20/8. `v` as before.
    pub(crate) fn mix_chacha(&self, n: usize, v: &mut [Line], words: &mut [Line; 32]) {
        (self.mix_chacha)(n, v, words);
    }
}

/// The wide core first, narrower ones behind it, and which of them takes how many headers.
pub(crate) struct Cores {
    cores: Vec<Core>,
    /// The core that takes the first of so many headers, fewer than the wide core has lanes.
    chosen: [u8; MOST_LANES],
}

impl Cores {
    /// `K` and all kernels with fewer lanes; `None` where this CPU cannot run `K`.
    pub(crate) fn of<K: Kernel>() -> Option<Self> {
        let mut cores: Vec<Core> = kernels::rows(&Available).into_iter().flatten().collect();
        cores.retain(|core| core.lanes < K::LANES);
        cores.sort_by_key(|core| std::cmp::Reverse(core.lanes));
        cores.insert(0, Core::of::<K>()?);
        let groups: Vec<_> = cores.iter().map(|core| (core.lanes, core.cost)).collect();
        Some(Self { cores, chosen: cheapest(&groups) })
    }

    /// The core with the most lanes.
    pub(crate) fn wide(&self) -> &Core {
        &self.cores[0]
    }

    /// With `count ≥ 1` headers left: the core for the next group, and how many it takes.
    pub(crate) fn next(&self, count: usize) -> (&Core, usize) {
        let chosen = self.chosen.get(count).map_or(0, |chosen| usize::from(*chosen));
        let core = if count >= self.wide().lanes { self.wide() } else { &self.cores[chosen] };
        (core, count.min(core.lanes))
    }

    /// As [`next`](Self::next), where the group's memory does not suffice for more lanes than
    /// these; one lane is always allowed.
    pub(crate) fn next_within(&self, count: usize, most_lanes: usize) -> (&Core, usize) {
        let (core, taken) = self.next(count);
        if core.lanes <= most_lanes {
            return (core, taken);
        }
        let fits = self.cores.iter().find(|core| core.lanes <= most_lanes);
        let core = fits.unwrap_or(&self.cores[self.cores.len() - 1]);
        (core, count.min(core.lanes))
    }
}

/// For each number of headers the group, of those with these lanes and costs, to begin with so
/// that all of them cost least; the first of equals.
fn cheapest(groups: &[(usize, u32)]) -> [u8; MOST_LANES] {
    let mut least = [0u32; MOST_LANES];
    let mut chosen = [0; MOST_LANES];
    for count in 1..MOST_LANES {
        let of = |(lanes, cost): (usize, u32)| cost + least[count.saturating_sub(lanes)];
        let best = (0..groups.len()).min_by_key(|i| of(groups[*i])).unwrap_or_default();
        least[count] = groups.get(best).map_or(0, |group| of(*group));
        chosen[count] = best as u8;
    }
    chosen
}

/// Makes a core of each kernel that this CPU can run.
struct Available;

impl Rows for Available {
    type Row = Option<Core>;

    fn row<K: Kernel>(&self) -> Option<Core> {
        Core::of::<K>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_groups() {
        // Sixteen lanes, six, and two of one lane: the groups that are taken for each count.
        let groups = [(16, 50), (6, 38), (1, 24), (1, 20)];
        let chosen = cheapest(&groups);
        let split = |mut count: usize| {
            let mut lanes = Vec::new();
            while count > 0 {
                let (wide, _) = groups[usize::from(chosen[count])];
                lanes.push(wide);
                count -= count.min(wide);
            }
            lanes
        };
        assert_eq!(usize::from(chosen[1]), 3, "the cheaper of two with one lane");
        assert_eq!(split(2), [6]);
        assert_eq!(split(6), [6]);
        assert_eq!(split(7), [16]);
        assert_eq!(split(15), [16]);
        assert_eq!(cheapest(&[(1, 20)]), [0; MOST_LANES]);
    }
}
