//! Who is connected to a node, and who must go when there are too many.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

/// One connection, as the door sees it. What it says is advice for choosing: the relaxed order of
/// its parts can at worst choose another guest.
#[derive(Debug)]
pub(crate) struct Guest {
    /// Counts the requests of all: the lower, the longer ago this guest was served or came.
    turn: AtomicU64,
    /// It gave the right password once.
    known: AtomicBool,
    /// It has said all it has to and waits for the node, not the node for it.
    waits: AtomicBool,
    /// Cancelled when it must go.
    pub(crate) out: CancellationToken,
}

impl Guest {
    /// It gave the right password.
    pub(crate) fn is_known(&self) {
        self.known.store(true, Ordering::Relaxed);
    }
}

/// The connections of a node, at most `most`.
///
/// Who is silent, sends byte by byte or does not read its answer costs a place only while nobody
/// else wants it: a new connection at the bound takes the place of the one that has been silent
/// longest, those without the password first. Who waits for the node (a long poll) keeps its place.
#[derive(Debug)]
pub(crate) struct Crowd {
    most: usize,
    turns: Arc<AtomicU64>,
    guests: HashMap<u64, Arc<Guest>>,
}

impl Crowd {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, turns: Arc::default(), guests: HashMap::new() }
    }

    /// A place, with its number; `None` when all others wait for the node.
    pub(crate) fn enter(&mut self) -> Option<(u64, Arc<Guest>)> {
        if self.guests.len() >= self.most {
            let silent =
                self.guests.iter().filter(|(_, guest)| !guest.waits.load(Ordering::Relaxed));
            let longest = silent.min_by_key(|(_, guest)| {
                (guest.known.load(Ordering::Relaxed), guest.turn.load(Ordering::Relaxed))
            });
            let place = *longest?.0;
            if let Some(gone) = self.guests.remove(&place) {
                gone.out.cancel();
            }
        }
        let place = self.turns.fetch_add(1, Ordering::Relaxed);
        let guest = Arc::new(Guest {
            turn: AtomicU64::new(place),
            known: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            out: CancellationToken::new(),
        });
        self.guests.insert(place, Arc::clone(&guest));
        Some((place, guest))
    }

    /// The guest of a place is gone.
    pub(crate) fn leave(&mut self, place: u64) {
        self.guests.remove(&place);
    }

    /// The counter by which guests are served.
    pub(crate) fn turns(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.turns)
    }
}

/// While this lives, its guest waits for the node.
#[derive(Debug)]
pub(crate) struct Served<'a>(&'a Guest);

impl<'a> Served<'a> {
    pub(crate) fn new(guest: &'a Guest, turns: &AtomicU64) -> Self {
        guest.turn.store(turns.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        guest.waits.store(true, Ordering::Relaxed);
        Self(guest)
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.0.waits.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silent_stranger_makes_room_and_who_waits_stays() {
        let mut crowd = Crowd::new(3);
        let turns = crowd.turns();
        let (_, waiting) = crowd.enter().expect("room");
        let (_, known) = crowd.enter().expect("room");
        let (_, stranger) = crowd.enter().expect("room");
        waiting.is_known();
        known.is_known();
        let served = Served::new(&waiting, &turns);
        drop(Served::new(&stranger, &turns));
        // The stranger was served last, but strangers go first.
        let (place, fresh) = crowd.enter().expect("the stranger's place");
        assert!(stranger.out.is_cancelled() && !known.out.is_cancelled());
        let busy = Served::new(&fresh, &turns);
        crowd.enter().expect("the known one's place");
        assert!(known.out.is_cancelled());
        let (_, last) = crowd.enter().expect("the place of the one before");
        let all = Served::new(&last, &turns);
        assert!(crowd.enter().is_none(), "all wait for the node");
        drop((served, busy, all));
        crowd.leave(place);
        crowd.enter().expect("a place is free");
        assert!(!waiting.out.is_cancelled());
    }
}
