//! What a machine must not do, and what follows.

use sl_guard::{Conduct, ConductLimits, Offence, ShareOutcome, Step, validate::Complaint};
use sl_stratum::{ErrorCode, Id, Refusal, Reply};
use sl_units::Mono;

use super::Connection;
use crate::{
    ledger::{Event, Gone},
    shard::Report,
    share::Reason,
};

/// Valid shares that are told to the door at once.
const REPORTED_AT: u32 = 16;

impl Connection {
    /// Tells its conduct what happened, and does what follows: reads slower, or ends it.
    pub(super) async fn conduct(
        &mut self,
        happened: impl FnOnce(&mut Conduct, &ConductLimits, Mono) -> Step,
    ) {
        let now = self.now();
        let step = happened(&mut self.conduct, &self.shared.live.borrow().conduct, now);
        match step {
            Step::Ok => {}
            Step::Delay(wait) => {
                if self.read_after <= now {
                    // Lost when the accounts are busy: it counts nothing of value.
                    let _ = self.shared.events.try_send(Event::Throttled);
                }
                self.read_after = self.read_after.max(now + wait);
            }
            Step::Close(why) if self.ending.is_none() => {
                self.charge(why.offence()).await;
                self.end(Some(Gone::Conduct(why)));
            }
            Step::Close(_) => {}
        }
    }

    /// A message that a validator refused: it is answered and counted, and not read.
    pub(super) async fn unfit(&mut self, id: Id, complaint: &Complaint) {
        tracing::debug!(address = %self.arrived.address, %complaint, "a message is not read");
        self.conduct(Conduct::on_line).await;
        let refusal = Refusal::new(ErrorCode::Other, &complaint.to_string());
        self.machine.say(Reply::refused(id, refusal).to_line());
        self.tell(Event::Unfit).await;
        self.charge(Offence::Malformed).await;
        self.unfit += 1;
        if self.unfit >= self.shared.session.max_malformed {
            self.end(Some(Gone::Malformed));
        }
    }

    /// A share was judged; `reason` is why it does not count, if it does not.
    pub(super) async fn judged(&mut self, reason: Option<Reason>) {
        let (outcome, offence) = match reason {
            None => (ShareOutcome::Valid, None),
            // A machine may come from another gateway with its jobs: that is no fault of its own.
            Some(Reason::UnknownJob | Reason::Busy) => (ShareOutcome::Stale, None),
            Some(Reason::Duplicate) => (ShareOutcome::Invalid, Some(Offence::Duplicate)),
            Some(Reason::LowDifficulty) => (ShareOutcome::Invalid, Some(Offence::LowDifficulty)),
            Some(Reason::Ntime | Reason::Malformed) => {
                (ShareOutcome::Invalid, Some(Offence::BadShare))
            }
        };
        if let Some(offence) = offence {
            self.charge(offence).await;
        }
        self.conduct(|conduct, limits, now| conduct.on_verdict(limits, outcome, now)).await;
    }

    /// A share of it proves work: its address is credited with the first, and then with each
    /// sixteenth.
    pub(super) async fn credit(&mut self) {
        self.valid = self.valid.saturating_add(1);
        self.unreported += 1;
        if !std::mem::replace(&mut self.has_proven, true) || self.unreported >= REPORTED_AT {
            let (address, valid) =
                (self.arrived.address.ip(), std::mem::take(&mut self.unreported));
            self.report(Report::Valid { address, valid }).await;
        }
    }

    /// Its address answers for what it did.
    pub(super) async fn charge(&mut self, what: Offence) {
        self.valid = 0;
        let valid = std::mem::take(&mut self.unreported);
        let address = self.arrived.address.ip();
        self.report(Report::Offence { address, what, valid }).await;
    }

    /// Whether its address is kept out since it connected.
    pub(super) fn is_banned(&mut self) -> bool {
        let address = self.arrived.address.ip();
        self.banned.has_changed().unwrap_or(false)
            && self.banned.borrow_and_update().iter().any(|network| network.contains(address))
    }
}
