use std::ops::AddAssign;

use crate::{CloseWhy, Offence, Pass, RefuseWhy, Refused, Step, proxy_protocol::ProxyWhy};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident: $name:literal,)*) => {
        /// How often each protection has acted, since the start. Shards count apart and are added up
        /// by `+=`.
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct GuardCounters {
            $($(#[doc = $help])+ pub $field: u64,)*
            refused: [u64; RefuseWhy::ALL.len()],
            closed: [u64; CloseWhy::ALL.len()],
            offences: [u64; Offence::ALL.len()],
            proxy: [u64; ProxyWhy::ALL.len()],
        }

        impl GuardCounters {
            fn plain(&self) -> Vec<CounterRow> {
                vec![$(CounterRow {
                    name: $name,
                    help: concat!($($help),+).trim_ascii(),
                    label: None,
                    value: self.$field,
                }),*]
            }
        }

        impl AddAssign<&Self> for GuardCounters {
            fn add_assign(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
                add(&mut self.refused, &other.refused);
                add(&mut self.closed, &other.closed);
                add(&mut self.offences, &other.offences);
                add(&mut self.proxy, &other.proxy);
            }
        }
    };
}

counters! {
    /// Connections admitted.
    admitted: "guard_admitted_total",
    /// Times that a connection was read slower because it sent too much.
    delayed: "guard_delayed_total",
    /// Bans imposed on a peer by its score.
    bans: "guard_bans_total",
    /// Bans of a whole subnet because many of its peers were banned.
    subnet_bans: "guard_subnet_bans_total",
    /// Bans imposed by an operator.
    bans_by_operator: "guard_operator_bans_total",
    /// Bans lifted by an operator.
    bans_lifted: "guard_bans_lifted_total",
    /// Bans for which there was no room.
    bans_without_room: "guard_bans_without_room_total",
    /// Scores forgotten because there were too many.
    scores_forgotten: "guard_scores_forgotten_total",
    /// Times that a peer found no room for a rate of its own and shared one.
    rates_shared: "guard_rates_shared_total",
    /// PROXY headers believed.
    proxy_headers: "guard_proxy_headers_total",
    /// Messages that a validator refused.
    messages_refused: "guard_messages_refused_total",
}

/// One counter as metrics show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CounterRow {
    /// The metric's name, without the program's prefix.
    pub name: &'static str,
    /// What is counted.
    pub help: &'static str,
    /// What tells it from others of the same name: a key and its value.
    pub label: Option<(&'static str, &'static str)>,
    /// The count.
    pub value: u64,
}

fn add<const N: usize>(sums: &mut [u64; N], others: &[u64; N]) {
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum += other;
    }
}

fn bump<const N: usize>(counts: &mut [u64; N], at: usize) {
    if let Some(count) = counts.get_mut(at) {
        *count += 1;
    }
}

impl GuardCounters {
    /// Counts what became of a connection.
    pub(crate) fn connected(&mut self, outcome: &Result<Pass, Refused>) {
        match outcome {
            Ok(_) => self.admitted += 1,
            Err(refused) => bump(&mut self.refused, refused.why as usize),
        }
    }

    /// Counts an offence.
    pub(crate) fn offended(&mut self, what: Offence) {
        bump(&mut self.offences, what as usize);
    }

    /// Counts a step of a connection's conduct and passes it on. A connection is counted as closed
    /// each time it is told so: stop stepping it then.
    pub fn observe(&mut self, step: Step) -> Step {
        match step {
            Step::Ok => {}
            Step::Delay(_) => self.delayed += 1,
            Step::Close(why) => bump(&mut self.closed, why as usize),
        }
        step
    }

    /// Counts a PROXY header that was refused.
    pub fn proxy_refused(&mut self, why: ProxyWhy) {
        bump(&mut self.proxy, why as usize);
    }

    /// Connections refused for a reason.
    #[must_use]
    pub fn refused(&self, why: RefuseWhy) -> u64 {
        self.refused.get(why as usize).copied().unwrap_or_default()
    }

    /// Connections ended for a reason.
    #[must_use]
    pub fn closed(&self, why: CloseWhy) -> u64 {
        self.closed.get(why as usize).copied().unwrap_or_default()
    }

    /// Offences of a kind.
    #[must_use]
    pub fn offences(&self, what: Offence) -> u64 {
        self.offences.get(what as usize).copied().unwrap_or_default()
    }

    /// All counters as metrics show them.
    #[must_use]
    pub fn rows(&self) -> Vec<CounterRow> {
        let mut rows = self.plain();
        let mut labelled = |name, help, key, value: &'static str, count| {
            rows.push(CounterRow { name, help, label: Some((key, value)), value: count });
        };
        for (why, count) in RefuseWhy::ALL.iter().zip(self.refused) {
            let help = "Connections refused, by reason.";
            labelled("guard_refused_total", help, "reason", why.label(), count);
        }
        for (why, count) in CloseWhy::ALL.iter().zip(self.closed) {
            let help = "Connections ended for their conduct, by reason.";
            labelled("guard_closed_total", help, "reason", why.label(), count);
        }
        for (what, count) in Offence::ALL.iter().zip(self.offences) {
            let help = "Offences, by kind.";
            labelled("guard_offences_total", help, "kind", what.label(), count);
        }
        for (why, count) in ProxyWhy::ALL.iter().zip(self.proxy) {
            let help = "Connections refused for their PROXY header, by reason.";
            labelled("guard_proxy_refused_total", help, "reason", why.label(), count);
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Duration};

    use super::*;

    #[test]
    fn counters_stand_under_their_own_reason() {
        for (at, why) in RefuseWhy::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at);
        }
        for (at, why) in CloseWhy::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at);
        }
        for (at, what) in Offence::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, at);
        }
        for (at, why) in ProxyWhy::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at);
        }
    }

    #[test]
    fn rows_are_fit_for_metrics_and_sums_are_sums() {
        let mut counters = GuardCounters::default();
        let _ = counters.observe(Step::Close(CloseWhy::TooSlow));
        let _ = counters.observe(Step::Delay(Duration::from_secs(1)));
        counters.proxy_refused(ProxyWhy::Untrusted);
        counters.offended(Offence::Flood);
        let mut sum = counters.clone();
        sum += &counters;
        let value = |rows: &[CounterRow], label| {
            rows.iter().filter(|row| row.label.is_some_and(|(_, it)| it == label)).count()
        };
        let rows = sum.rows();
        assert_eq!(value(&rows, "too_slow"), 1);
        assert_eq!(rows.iter().map(|row| row.value).sum::<u64>(), 8);
        assert_eq!(sum.closed(CloseWhy::TooSlow), 2);
        let fit = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(rows.iter().all(|row| fit(row.name) && row.name.ends_with("_total")));
        assert!(rows.iter().all(|row| row.help.ends_with('.')));
        let names: HashSet<_> = rows.iter().map(|row| (row.name, row.label)).collect();
        assert_eq!(names.len(), rows.len());
    }
}
