//! CPUs, the cores they share and the memory they are near to, from `/sys/devices/system` (the
//! kernel's Documentation/admin-guide/cputopology.rst and .../mm/numaperf.rst).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
};

/// The highest number of a CPU or node that is believed.
const HIGHEST: usize = 65_535;

/// A logical CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogicalCpu {
    /// Its number, as the operating system counts; there may be holes.
    pub number: usize,
    /// The lowest number among the CPUs of its core: the name of the core.
    pub core: usize,
    /// The NUMA node whose memory is near.
    pub node: usize,
}

/// The CPUs that this process may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    cpus: Vec<LogicalCpu>,
}

impl Topology {
    /// Looks at this machine, as far as the calling thread may use it.
    #[must_use]
    pub fn look() -> Self {
        let system = Path::new("/sys/devices/system");
        let file = |path: &str| std::fs::read_to_string(system.join(path)).ok();
        Self::read(file, crate::affinity::allowed().as_deref())
    }

    /// Reads a tree such as `/sys/devices/system`, less the CPUs that are not `allowed`; `None`
    /// allows all. `file` gives the text of a file of the tree. Where the tree does not tell, a CPU
    /// is a core of its own on the one node.
    #[must_use]
    pub fn read(file: impl Fn(&str) -> Option<String>, allowed: Option<&[usize]>) -> Self {
        let list = |path: &str| file(path).map(|text| numbers(&text));
        let online = list("cpu/online");
        let present: BTreeSet<usize> = match (&online, allowed) {
            (Some(online), Some(allowed)) => {
                online.iter().filter(|cpu| allowed.contains(cpu)).copied().collect()
            }
            (Some(online), None) => online.clone(),
            (None, allowed) => allowed.unwrap_or_default().iter().copied().collect(),
        };
        let nodes = list("node/online").unwrap_or_default();
        let node_of: BTreeMap<usize, usize> = nodes
            .into_iter()
            .flat_map(|node| {
                let cpus = list(&format!("node/node{node}/cpulist")).unwrap_or_default();
                cpus.into_iter().map(move |cpu| (cpu, node))
            })
            .collect();
        let cpu = |number: usize| {
            let topology = |name: &str| list(&format!("cpu/cpu{number}/topology/{name}"));
            // The newer name first; both list the CPUs of one core.
            let siblings = topology("core_cpus_list").or_else(|| topology("thread_siblings_list"));
            let core = siblings.and_then(|siblings| siblings.first().copied()).unwrap_or(number);
            LogicalCpu { number, core, node: node_of.get(&number).copied().unwrap_or(0) }
        };
        Self { cpus: present.into_iter().map(cpu).collect() }
    }

    /// The CPUs by their numbers.
    #[must_use]
    pub fn cpus(&self) -> &[LogicalCpu] {
        &self.cpus
    }

    /// How many physical cores they make.
    #[must_use]
    pub fn cores(&self) -> usize {
        self.cpus.iter().map(|cpu| cpu.core).collect::<BTreeSet<_>>().len()
    }

    /// How many NUMA nodes they are on.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.cpus.iter().map(|cpu| cpu.node).collect::<BTreeSet<_>>().len()
    }

    /// The CPUs in the order in which busy threads should take them: first one of each physical
    /// core, then the second ones, and so on; among these the nodes in turn.
    #[must_use]
    pub fn order(&self) -> Vec<LogicalCpu> {
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        let mut rounds: BTreeMap<usize, BTreeMap<usize, VecDeque<LogicalCpu>>> = BTreeMap::new();
        for cpu in &self.cpus {
            let round = seen.entry(cpu.core).or_default();
            rounds.entry(*round).or_default().entry(cpu.node).or_default().push_back(*cpu);
            *round += 1;
        }
        let mut order = Vec::with_capacity(self.cpus.len());
        for mut nodes in rounds.into_values() {
            while nodes.values().any(|waiting| !waiting.is_empty()) {
                order.extend(nodes.values_mut().filter_map(VecDeque::pop_front));
            }
        }
        order
    }

    /// The numbers of the CPUs near to a node's memory.
    #[must_use]
    pub fn of_node(&self, node: usize) -> Vec<usize> {
        self.cpus.iter().filter(|cpu| cpu.node == node).map(|cpu| cpu.number).collect()
    }
}

/// A list such as `0-3,8,10-11`. What is no number is passed over.
fn numbers(list: &str) -> BTreeSet<usize> {
    let number = |text: &str| text.trim().parse().ok().filter(|number| *number <= HIGHEST);
    list.split(',')
        .filter_map(|piece| {
            let (from, to) = piece.split_once('-').unwrap_or((piece, piece));
            Some(number(from)?..=number(to)?)
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_the_kernel_writes_them() {
        let check = |list: &str, expect: &[usize]| {
            assert_eq!(numbers(list).into_iter().collect::<Vec<_>>(), expect, "{list:?}");
        };
        check("0-3,8,10-11\n", &[0, 1, 2, 3, 8, 10, 11]);
        check("\n", &[]);
        check("5-3,x,-1,2", &[2]);
        check("0-99999999999", &[]);
    }

    #[test]
    fn a_machine_that_tells_nothing_is_one_node_of_single_cores() {
        let topology = Topology::read(|_| None, Some(&[2, 5]));
        assert_eq!((topology.cpus().len(), topology.cores(), topology.nodes()), (2, 2, 1));
        assert_eq!(Topology::read(|_| None, None), Topology::default());
    }

    /// CPUs, cores and nodes of a recorded tree, and the order in which threads take its CPUs.
    fn check(recorded: &str, (cpus, cores, nodes): (usize, usize, usize), order: &[usize]) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/topology");
        let text = std::fs::read_to_string(root.join(recorded)).expect("it is recorded");
        let files: BTreeMap<&str, &str> =
            text.lines().map(|line| line.split_once(':').expect("a path")).collect();
        let allowed = files.get("Cpus_allowed_list").map(|list| numbers(list));
        let allowed: Option<Vec<usize>> = allowed.map(|allowed| allowed.into_iter().collect());
        let file = |path: &str| files.get(path).map(|text| format!("{text}\n"));
        let topology = Topology::read(file, allowed.as_deref());
        let found = (topology.cpus().len(), topology.cores(), topology.nodes());
        assert_eq!(found, (cpus, cores, nodes), "{recorded}");
        let found: Vec<usize> = topology.order().iter().map(|cpu| cpu.number).collect();
        assert_eq!(found, order, "{recorded}");
    }

    #[test]
    fn physical_cores_come_first_and_nodes_in_turn() {
        check("vm-16.txt", (16, 16, 1), &Vec::from_iter(0..16));
        check("smt.txt", (8, 4, 1), &[0, 1, 2, 3, 4, 5, 6, 7]);
        check("two-nodes.txt", (16, 8, 2), &[0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15]);
        check("holes.txt", (6, 4, 1), &[0, 4, 10, 12, 1, 5]);
        // Of five CPUs left, 2 and 10 share a core; 12 and 13 are on the other node.
        check("cpuset.txt", (5, 4, 2), &[2, 12, 3, 13, 10]);
    }
}
