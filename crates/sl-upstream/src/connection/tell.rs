//! What a connection tells: of itself to whoever looks at the pool, of its work to the router.

use sl_stratum::client::{Input, Output};
use sl_units::Mono;

use super::Connection;
use crate::{
    OverDifficulty, PoolState, demand::Advice, desk::Settled, link::Event, status::LinkFigures,
};

impl Connection<'_> {
    /// Tells what is withheld because it would flood the pool, and asks for another difficulty.
    pub(super) fn advised(&mut self, advice: Advice, now: Mono) -> Vec<Output> {
        match advice.over {
            Some(over) if over > 1.0 => {
                let difficulty = self.link.desk.difficulty().get();
                tracing::warn!(pool = %self.endpoint, difficulty, over, price = 1.0 - 1.0 / over,
                    "the pool asks for too easy shares: harder ones are sent until it asks for them");
            }
            Some(_) => {
                tracing::info!(pool = %self.endpoint, "the pool asks for shares that it can take: all are sent");
            }
            None => {}
        }
        self.tell_over(now);
        advice.suggest.map_or_else(Vec::new, |wish| self.session.step(Input::Suggest(wish)))
    }

    pub(super) fn tell_over(&self, now: Mono) {
        let (asked, over) = (self.link.desk.difficulty(), self.link.demand.over());
        let sent = sl_units::ShareDifficulty::new(asked.get() * over).unwrap_or(asked);
        let link = self.link.number;
        self.shared.status.send_if_modified(|status| {
            let mut changed = false;
            status.of_link(link, |one| {
                let before = one.over;
                one.over = (over > 1.0).then(|| OverDifficulty {
                    asked,
                    sent,
                    since: before.map_or(now, |before| before.since),
                    price: 1.0 - 1.0 / over,
                    forgone: before.map_or(0.0, |before| before.forgone),
                });
                changed = one.over != before;
            });
            changed
        });
    }

    /// The pool's word on a machine's name, be it with a share's verdict.
    pub(super) fn named(&mut self, user: &str, granted: bool) {
        if self.names.answered(user, granted) {
            let names = self.names.counts();
            self.says(|one| one.names = names);
        }
    }

    pub(super) async fn working(&mut self, now: Mono) {
        let link = self.link.number;
        self.link.jobs += 1;
        self.shared.status.send_modify(|status| {
            status.jobs += 1;
            status.last_job = Some(now);
            // What is refused while it works stays told until it breaks.
            if !matches!(status.state, PoolState::Working { .. }) {
                status.last_error = None;
            }
            status.set_link(link, PoolState::Working { since: now }, now);
        });
        self.link.tell(Event::Working(now)).await;
    }

    pub(super) async fn width(&mut self, own: usize, len: usize) {
        self.says(|one| one.extranonce = Some((own, len)));
        self.overflow().await;
        self.link.tell(Event::Width(len)).await;
    }

    pub(super) fn count(&self, settled: &[Settled], now: Mono) {
        self.link.count(self.shared, settled, now);
    }

    /// Says something of this connection alone.
    pub(super) fn says(&self, change: impl FnOnce(&mut LinkFigures)) {
        self.link.says(self.shared, change);
    }

    pub(super) fn tell(&mut self, now: Mono) {
        self.told = now;
        let link = &self.link;
        self.shared.status.send_modify(|status| status.round_trips(link.number, &link.round_trip));
    }
}
