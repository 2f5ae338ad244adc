//! Faults as they come and go.

use std::time::Duration;

use sl_scenario::{Edge, Span, Timeline};
use sl_units::Mono;

use super::Machine;
use crate::conf::{Conf, PoolConf};
use crate::fault::{Effects, Fault, damage, gone};

impl Machine {
    /// A fault begins at `now`, besides those that the machine was made with, and lasts for so
    /// long; `None`: for ever. What is over as soon as it has begun lasts no time.
    pub fn suffer(&mut self, fault: Fault, lasts: Option<Duration>, now: Mono) {
        self.step(now);
        let at = Duration::from_secs(self.seconds.saturating_sub(self.lead));
        let lasts = if fault.is_instant() { Some(Duration::ZERO) } else { lasts };
        let lasting = |span: &&Span<Fault>| span.end.is_none_or(|end| end > at);
        let mut spans: Vec<_> = self.faults.spans().iter().filter(lasting).cloned().collect();
        // Just behind the second that has passed, so that the next one finds it.
        spans.push(Span::new(at + Duration::from_millis(1), lasts, 0, fault));
        self.faults = Timeline::new(spans);
        drop(self.faults.advance(at));
    }

    /// The faults that begin or end in this second.
    pub(super) fn pass_faults(&mut self) {
        let Some(at) = self.seconds.checked_sub(self.lead) else { return };
        let at = Duration::from_secs(at);
        if let Some(every) = self.effects.reboots
            && self.uptime() >= every.as_secs()
        {
            self.boot();
        }
        let edges = self.faults.next_edge().is_some_and(|edge| edge <= at);
        if !edges && self.gone == 0 {
            return;
        }
        let (mut hijacks, mut pressed) = (Vec::new(), false);
        for passed in self.faults.advance(at) {
            match &passed.span.effect {
                Fault::HijackedPool { url, user } => {
                    hijacks.push((passed.edge, url.clone(), user.clone()));
                }
                Fault::ReportPressed => pressed |= passed.edge == Edge::Start,
                _ => {}
            }
        }
        for (edge, url, user) in hijacks {
            self.hijack(edge, url, user);
        }
        if pressed {
            self.press_report();
        }
        let gone = self.faults.active().map(|span| match &span.effect {
            Fault::DyingBoard { every, .. } => gone(*every, at.saturating_sub(span.start)),
            _ => 0,
        });
        let gone = gone.fold(0, usize::saturating_add);
        if !edges && gone == self.gone {
            return;
        }
        self.gone = gone;
        self.effects = Effects::of(self.faults.active().map(|span| &span.effect));
        for (place, slot) in self.slots.iter_mut().enumerate() {
            slot.sensors.faults(place, self.faults.active());
            slot.board.change(|chips| {
                for chip in chips {
                    (chip.works, chip.answers) = (true, true);
                }
            });
            for span in self.faults.active() {
                let lasts = at.saturating_sub(span.start);
                damage(&span.effect, place, lasts, self.spec.seed, &mut slot.board);
            }
        }
    }

    fn hijack(&mut self, edge: Edge, url: String, user: String) {
        let old = self.kept.conf.pools.clone();
        let Some(first) = self.kept.conf.pools.first_mut() else { return };
        match edge {
            Edge::Start => {
                // What one thief has taken is not another one's to lose.
                if !is_a_thiefs(first, &self.faults) {
                    self.stolen = Some(first.clone());
                }
                (first.url, first.user) = (url, user);
            }
            // Whoever has written his own pools since has put it right himself.
            Edge::End if first.url == url && first.user == user => match self.stolen.take() {
                Some(owners) => *first = owners,
                None => return,
            },
            Edge::End => return,
        }
        self.reload(&old);
    }

    /// The owner's first pool, while a thief's stands in its place.
    pub(super) fn robbed(&self) -> Option<&PoolConf> {
        let [first, ..] = &self.kept.conf.pools;
        self.stolen.as_ref().filter(|_| is_a_thiefs(first, &self.faults))
    }

    /// A configuration that comes back while a thief's pool stands in the first place is robbed like
    /// the one before.
    pub(super) fn steal_from(&mut self, conf: &mut Conf) {
        if self.robbed().is_some() {
            let [thiefs, ..] = &self.kept.conf.pools;
            let [first, ..] = &mut conf.pools;
            let (url, user) = (thiefs.url.clone(), thiefs.user.clone());
            self.stolen = Some(first.clone());
            (first.url, first.user) = (url, user);
        }
    }
}

fn is_a_thiefs(pool: &PoolConf, faults: &Timeline<Fault>) -> bool {
    let thiefs = |span: &Span<Fault>| match &span.effect {
        Fault::HijackedPool { url, user } => (url, user) == (&pool.url, &pool.user),
        _ => false,
    };
    faults.spans().iter().any(thiefs)
}
