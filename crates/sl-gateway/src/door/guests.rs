use std::collections::HashMap;

use sl_guard::Pass;
use sl_work::WorkerName;

/// Who is in, by the numbers of their connections.
#[derive(Debug)]
pub(crate) struct Guests {
    inside: HashMap<u64, Guest>,
    /// How many connections are authorised for a worker.
    named: HashMap<WorkerName, u32>,
    sockets: usize,
    most_sockets: usize,
}

#[derive(Debug)]
struct Guest {
    pass: Pass,
    socket: bool,
    workers: Vec<WorkerName>,
}

impl Guests {
    /// Nobody yet. More sockets than `most_sockets` the system has not to give.
    pub(crate) fn new(most_sockets: usize) -> Self {
        Self { inside: HashMap::new(), named: HashMap::new(), sockets: 0, most_sockets }
    }

    /// Whether the system has a socket more for machines; else how many they have.
    pub(crate) const fn room_for_socket(&self) -> Result<(), usize> {
        if self.sockets < self.most_sockets { Ok(()) } else { Err(self.sockets) }
    }

    /// A machine comes in; `socket`: it takes one.
    pub(crate) fn enter(&mut self, number: u64, pass: Pass, socket: bool) {
        self.sockets += usize::from(socket);
        self.inside.insert(number, Guest { pass, socket, workers: Vec::new() });
    }

    /// The pass of a machine.
    pub(crate) fn pass_mut(&mut self, number: u64) -> Option<&mut Pass> {
        self.inside.get_mut(&number).map(|guest| &mut guest.pass)
    }

    /// A machine wants to authorise for a worker; false when `most` others have already.
    pub(crate) fn name(&mut self, number: u64, worker: WorkerName, most: Option<u32>) -> bool {
        let Some(guest) = self.inside.get_mut(&number) else { return false };
        if guest.workers.contains(&worker) {
            return true;
        }
        let named = self.named.entry(worker.clone()).or_default();
        if most.is_some_and(|most| *named >= most) {
            return false;
        }
        *named += 1;
        guest.workers.push(worker);
        true
    }

    /// A machine has left: its pass, and whether it had a socket.
    pub(crate) fn leave(&mut self, number: u64) -> Option<(Pass, bool)> {
        let Guest { pass, socket, workers } = self.inside.remove(&number)?;
        self.sockets -= usize::from(socket);
        for worker in workers {
            if let Some(named) = self.named.get_mut(&worker) {
                *named -= 1;
                if *named == 0 {
                    self.named.remove(&worker);
                }
            }
        }
        Some((pass, socket))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use sl_guard::{Guard, GuardLimits};
    use sl_units::Mono;

    use super::*;

    #[test]
    fn workers_and_sockets_are_counted_and_given_back() {
        let mut guard = Guard::new(GuardLimits::default());
        let mut guests = Guests::new(2);
        let mut enter = |guests: &mut Guests, number, socket| {
            let pass = guard.connect(IpAddr::V4(Ipv4Addr::LOCALHOST), Mono::default());
            guests.enter(number, pass.expect("room"), socket);
        };
        for (number, socket) in [(1, true), (2, false), (3, true)] {
            assert_eq!(guests.room_for_socket(), Ok(()), "{number}");
            enter(&mut guests, number, socket);
        }
        assert_eq!(guests.room_for_socket(), Err(2));
        let rig = || WorkerName::from("rig");
        for (number, fits) in [(1, true), (1, true), (2, true), (3, false), (9, false)] {
            assert_eq!(guests.name(number, rig(), Some(2)), fits, "{number}");
        }
        assert!(guests.name(3, rig(), None), "no limit any more");
        assert!(guests.leave(1).is_some_and(|(_, socket)| socket) && guests.leave(1).is_none());
        assert_eq!(guests.room_for_socket(), Ok(()));
        for number in [2, 3] {
            assert!(guests.leave(number).is_some());
        }
        assert!(guests.named.is_empty() && guests.inside.is_empty() && guests.sockets == 0);
    }
}
