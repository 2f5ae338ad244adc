//! When a connection is over, and when its difficulty is to be looked at.

use std::time::Duration;

use sl_guard::Conduct;
use sl_units::Mono;

use super::{Connection, Over};
use crate::ledger::Gone;

/// How long answers may take to leave when a connection ends.
const DRAIN: Duration = Duration::from_millis(700);

/// The connection ends when all is said, or at this instant.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    pub(super) until: Mono,
    pub(super) why: Option<Gone>,
}

impl Connection {
    /// Says what is due, then ends.
    pub(super) fn end(&mut self, why: Option<Gone>) {
        let until = self.now() + DRAIN;
        self.ending.get_or_insert(Ending { until, why });
    }

    /// Sets the timer, where it would ring too late. One that rings too early costs one look.
    pub(super) fn arm(&mut self) {
        let deadline = self.deadline();
        if deadline < self.armed {
            self.armed = deadline;
            self.timer.as_mut().reset(self.shared.clock.instant_of(deadline));
        }
    }

    /// The next instant at which something is overdue.
    fn deadline(&self) -> Mono {
        let live = self.shared.live.borrow();
        let settings = &live.settings;
        let mut deadline = match self.ending {
            Some(ending) => ending.until,
            None => self.last_share + settings.idle_timeout,
        };
        if let Some(stalled) = self.out.stalled_since() {
            deadline = deadline.min(stalled + settings.write_timeout);
        }
        if self.read_after > self.now() {
            deadline = deadline.min(self.read_after);
        }
        if self.ending.is_none() {
            deadline = self.conduct.deadline(&live.conduct).map_or(deadline, |at| deadline.min(at));
        }
        if self.ready && self.ending.is_none() {
            let look = self.machine.vardiff.look_at(&live.rules);
            deadline = deadline.min(self.renewal.unwrap_or(look));
        }
        deadline
    }

    /// Whether the difficulty is to be looked at now.
    pub(super) fn difficulty_is_due(&self) -> bool {
        let now = self.now();
        let look = || self.machine.vardiff.look_at(&self.shared.live.borrow().rules);
        self.ending.is_none() && now >= self.renewal.unwrap_or_else(look)
    }

    pub(super) async fn overdue(&mut self) -> Result<(), Over> {
        let now = self.now();
        if let Some(Ending { until, why }) = self.ending {
            return if now >= until { Err(Over(why)) } else { Ok(()) };
        }
        self.conduct(Conduct::on_time).await;
        let (write_timeout, idle_timeout) = {
            let live = self.shared.live.borrow();
            (live.settings.write_timeout, live.settings.idle_timeout)
        };
        if self.out.stalled_since().is_some_and(|since| now >= since + write_timeout) {
            return Err(Over(Some(Gone::Slow)));
        }
        if self.ready && now >= self.last_share + idle_timeout {
            // Without work nobody can send a share.
            if self.board.borrow().current().is_some() {
                return Err(Over(Some(Gone::Idle)));
            }
            self.last_share = now;
        }
        Ok(())
    }
}
