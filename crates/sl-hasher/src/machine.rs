use std::{fmt, sync::Arc};

use sl_ports::{
    machine::{
        load,
        power::{self, Power},
        topology::Topology,
    },
    process,
};

/// This machine as far as hashing cares: its CPUs, and what may make hashing rest. A test passes
/// another.
#[derive(Clone)]
pub struct Machine {
    topology: Arc<Topology>,
    /// How many threads can run at once, which a control group's quota may make less than the CPUs.
    at_once: usize,
    /// Cores, where the topology is not told.
    cores_told: Option<usize>,
    surroundings: Arc<dyn Fn() -> Surroundings + Send + Sync>,
}

/// What may make hashing rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surroundings {
    /// Whence the power comes.
    pub power: Power,
    /// The load average of the last minute, ours included; `None` where nobody tells.
    pub load: Option<f64>,
}

/// The CPUs that a thread keeps to; `None`: all that the process has.
pub(crate) type Place = Option<Vec<usize>>;

impl Machine {
    /// The one that this runs on.
    #[must_use]
    pub fn real() -> Self {
        let look = || Surroundings { power: power::look(), load: load::last_minute() };
        Self::new(Topology::look(), process::cpus()).with_surroundings(look)
    }

    /// One of a given form that can run `at_once` threads at once, on mains and at rest.
    #[must_use]
    pub fn new(topology: Topology, at_once: usize) -> Self {
        let at_rest = || Surroundings { power: Power::Mains, load: None };
        Self {
            topology: Arc::new(topology),
            at_once: at_once.max(1),
            cores_told: None,
            surroundings: Arc::new(at_rest),
        }
    }

    /// One with so many logical CPUs on so many cores, without a place for its threads.
    #[must_use]
    pub fn of(cpus: usize, cores: usize) -> Self {
        Self { cores_told: Some(cores), ..Self::new(Topology::default(), cpus) }
    }

    /// The same with other surroundings.
    #[must_use]
    pub fn with_surroundings(
        mut self,
        look: impl Fn() -> Surroundings + Send + Sync + 'static,
    ) -> Self {
        self.surroundings = Arc::new(look);
        self
    }

    /// How many threads it can run at once.
    #[must_use]
    pub const fn cpus(&self) -> usize {
        self.at_once
    }

    /// How many of them have a core of their own.
    #[must_use]
    pub fn cores(&self) -> usize {
        match self.topology.cores() {
            0 => self.cores_told.unwrap_or(self.at_once),
            cores => cores.min(self.at_once),
        }
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        (self.surroundings)()
    }

    /// Where the threads belong, the first first: each on a CPU of its own when they are to be
    /// pinned, else near to the memory of one NUMA node where there are several. Either way they
    /// are spread over the nodes in turn. Threads beyond the CPUs begin again at the first.
    pub(crate) fn place(&self, thread: usize, pin: bool) -> Place {
        let order = self.topology.order();
        let cpu = order.get(thread.checked_rem(order.len())?)?;
        match (pin, self.topology.nodes()) {
            (true, _) => Some(vec![cpu.number]),
            (false, 0 | 1) => None,
            (false, _) => Some(self.topology.of_node(cpu.node)),
        }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("at_once", &self.at_once)
            .field("cores", &self.cores())
            .field("nodes", &self.topology.nodes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two nodes of two cores of two threads each, of which CPU 7 may not be used.
    fn two_nodes() -> Topology {
        let file = |path: &str| {
            let text = match path {
                "cpu/online" => "0-7",
                "node/online" => "0-1",
                "node/node0/cpulist" => "0-1,4-5",
                "node/node1/cpulist" => "2-3,6-7",
                path => {
                    let cpu =
                        path.strip_prefix("cpu/cpu")?.strip_suffix("/topology/core_cpus_list")?;
                    let core = cpu.parse::<usize>().ok()? % 4;
                    return Some(format!("{core},{}", core + 4));
                }
            };
            Some(text.to_owned())
        };
        Topology::read(file, Some(&[0, 1, 2, 3, 4, 5, 6]))
    }

    fn check(machine: &Machine, pin: bool, expect: &[Option<&[usize]>]) {
        let places: Vec<Place> =
            (0..expect.len()).map(|thread| machine.place(thread, pin)).collect();
        let expect: Vec<Place> = expect.iter().map(|place| place.map(<[usize]>::to_vec)).collect();
        assert_eq!(places, expect);
    }

    #[test]
    fn threads_are_spread_over_the_nodes_and_stay_on_theirs() {
        let machine = Machine::new(two_nodes(), 7);
        assert_eq!((machine.cpus(), machine.cores()), (7, 4));
        let (near, far) = (Some(&[0, 1, 4, 5][..]), Some(&[2, 3, 6][..]));
        check(&machine, false, &[near, far, near, far, near, far, near, near]);
        let cpus = [0, 2, 1, 3, 4, 6, 5, 0].map(|cpu| [cpu]);
        let pinned: Vec<Option<&[usize]>> = cpus.iter().map(|cpu| Some(&cpu[..])).collect();
        check(&machine, true, &pinned);
    }

    #[test]
    fn a_quota_makes_the_machine_smaller_than_its_cpus() {
        let machine = Machine::new(two_nodes(), 2);
        assert_eq!((machine.cpus(), machine.cores()), (2, 2));
    }

    #[test]
    fn on_one_node_threads_go_where_the_system_puts_them() {
        let one = Machine::new(Topology::read(|_| None, Some(&[3, 5])), 2);
        check(&one, false, &[None, None]);
        check(&one, true, &[Some(&[3]), Some(&[5]), Some(&[3])]);
        check(&Machine::of(4, 2), true, &[None]);
    }
}
