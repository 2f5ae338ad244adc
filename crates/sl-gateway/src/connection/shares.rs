//! A machine's shares: on their way to be checked, and answered.

use std::{future::pending, pin::Pin};

use sl_guard::Conduct;
use sl_stratum::{Id, Submit};

use super::Connection;
use crate::{
    ledger::Event,
    share::{Reason, Told},
    verifier::{Busy, Room},
};

/// A share for which there is no place yet, and what its machine said after it. Nothing more is read
/// meanwhile; jobs, answers and deadlines go on.
pub(super) struct Held {
    pub(super) id: Id,
    pub(super) submit: Submit,
    pub(super) rest: Vec<u8>,
    pub(super) room: Pin<Box<dyn Future<Output = Result<Room, Busy>> + Send>>,
}

/// Waits for a place; for ever where no share wants one. Cancel-safe: it keeps its turn.
pub(super) async fn room_for(held: &mut Option<Box<Held>>) -> Result<Room, Busy> {
    match held {
        Some(held) => held.room.as_mut().await,
        None => pending().await,
    }
}

impl Connection {
    /// A share: what is cheap is checked here, and the rest by the verifier.
    pub(super) async fn share(&mut self, id: Id, submit: Submit) {
        self.last_share = self.now();
        self.conduct(Conduct::on_share).await;
        match self.shared.verifier.room_now() {
            Some(room) => self.check(room, id, &submit).await,
            None => {
                let room = Box::pin(self.shared.verifier.room());
                self.held = Some(Box::new(Held { id, submit, rest: Vec::new(), room }));
            }
        }
    }

    pub(super) async fn check(&mut self, room: Result<Room, Busy>, id: Id, submit: &Submit) {
        let board = self.board.borrow().clone();
        if let Some(turned) = self.machine.share(&board, room, id, submit) {
            let reason = turned.reason;
            self.tell(Event::Refused(turned)).await;
            self.judged(Some(reason)).await;
        }
    }

    pub(super) async fn settled(&mut self, told: Option<Told>) {
        let reason = match &told {
            Some(Told::Refused(fault)) => Some(Reason::of(fault)),
            Some(Told::Accepted | Told::Unrecorded) => {
                self.credit().await;
                None
            }
            Some(Told::Stale) | None => Some(Reason::Busy),
        };
        self.machine.settle(told.as_ref());
        self.judged(reason).await;
    }
}
