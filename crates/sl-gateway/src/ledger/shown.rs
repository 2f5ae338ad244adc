//! The counters as they are shown.

use std::time::Duration;

use sl_units::Mono;

use super::{Ledger, Machine, Standards};
use crate::{GatewayStatus, JobSent, MachineStatus};

/// Machines and workers shown.
const SHOWN: usize = 1000;
/// Who misses so many shares in a row, at the pace that is asked for, is silent: of honest machines
/// that befalls one in 10⁸ or so.
const MISSED: f64 = 20.0;
/// But nobody is silent who was heard so shortly ago.
const HEARD: Duration = Duration::from_secs(60);
/// Who is gone for longer needs no look any more.
const GONE: Duration = Duration::from_secs(86_400);
/// One refused or stale share in so many is worth a look.
const ONE_IN: u64 = 50;
/// Jobs whose way is shown.
const MOST_SENT: usize = 64;

impl Ledger {
    /// Writes all counters into the status.
    pub(crate) fn show(&mut self, standards: &Standards, status: &mut GatewayStatus, now: Mono) {
        status.connections = self.connections;
        status.connected = self.connected;
        self.show_those_in_need(standards, status, now);
        status.shortfalls = self.shortfalls;
        status.workers_known = self.workers.len() as u64;
        status.shares = self.shares;
        status.shares_per_s = self.shares_per_s(now);
        status.hashrate = self.work.rate(now, self.began.unwrap_or(now));
        status.forwarded = self.forwarded;
        status.chains = self.chains.clone();
        status.stale_by_coin = self.stale_by_coin.clone();
        status.best = self.best;
        status.first_accepted = self.first_accepted;
        status.protection = self.protection;
        status.protection.over_limit = self.door.guard.refused(sl_guard::RefuseWhy::Full);
        status.protection.no_socket = self.door.no_socket;
        status.protection.worker_full = self.door.worker_full;
        status.protection.accepts_paced = self.door.paced;
        status.guard = self.door.guard.clone();
        status.guard += &self.conduct;
        status.jobs = self.jobs;
        status.job_latency = self.latency.snapshot();
        status.sent = self.sent.clone();
    }

    /// Of too many machines and workers those that need a look are shown before the others.
    fn show_those_in_need(&mut self, standards: &Standards, status: &mut GatewayStatus, now: Mono) {
        let pace = standards.live.borrow().settings.shares_per_minute;
        let silence = HEARD.max(Duration::from_secs_f64(MISSED * 60.0 / pace));
        // Without work all are silent.
        let silence = if self.works { silence } else { Duration::MAX };
        let workers = &mut self.workers;
        let needs = self.machines.values().map(|machine| {
            let short = workers.at(machine.account).diligence.is_short();
            let heard = machine.last_share.unwrap_or(machine.arrival.since);
            let Machine { accepted, stale, rejected, .. } = *machine;
            Need::of(short, now.since(heard) >= silence, (accepted, stale, rejected))
        });
        let mut chosen = chosen(needs).into_iter().peekable();
        let machines = self.machines.values_mut().zip(0..);
        let shown = machines.filter(|(_, place)| chosen.next_if_eq(place).is_some());
        status.machines = shown.map(|(machine, _)| machine.show(now)).collect();

        let needs = self.workers.by_name().map(|(_, worker)| worker.need(silence, now));
        let mut chosen = self::chosen(needs).into_iter().peekable();
        let workers = self.workers.by_name().zip(0..);
        let shown = workers.filter(|(_, place)| chosen.next_if_eq(place).is_some());
        status.workers = shown.map(|((name, worker), _)| worker.show(name)).collect();
    }

    /// Closes the books on jobs that came at least `age` ago: what is not written by then is slow.
    pub(crate) fn measure(&mut self, now: Mono, age: Duration) {
        while let Some(issued) = self.arriving.pop_front_if(|job| now.since(job.published) >= age) {
            let reach = issued.reach.so_far();
            if let Some((_, _, last)) = reach {
                self.latency.record(last.since(issued.job.born));
            }
            self.sent.push_back(JobSent {
                job: issued.job.id.clone(),
                epoch: issued.job.epoch,
                tips: issued.job.goals.iter().map(|goal| (goal.chain, goal.tip)).collect(),
                born: issued.job.born,
                published: issued.published,
                first_write: reach.map(|(_, first, _)| first),
                last_write: reach.map(|(_, _, last)| last),
                machines: reach.map_or(0, |(machines, _, _)| machines),
            });
            while self.sent.len() > MOST_SENT {
                self.sent.pop_front();
            }
        }
    }

    fn shares_per_s(&mut self, now: Mono) -> f64 {
        self.recent.push_back((now, self.proven));
        while self.recent.len() > 11 {
            self.recent.pop_front();
        }
        match self.recent.front() {
            Some((then, before)) if now > *then => {
                (self.proven - before) as f64 / now.since(*then).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

/// Why somebody looks at a machine or a worker, the weightiest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// It hashes less than it claims.
    Short,
    /// It has work and sends no shares.
    Silent,
    /// Shares of it are refused.
    Refused,
    /// Shares of it are late.
    Stale,
    /// All is well.
    None,
}

impl Need {
    pub(super) const fn of(
        short: bool,
        silent: bool,
        (accepted, stale, rejected): (u64, u64, u64),
    ) -> Self {
        let many = accepted + stale + rejected;
        match (short, silent) {
            (true, _) => Self::Short,
            (_, true) => Self::Silent,
            _ if rejected * ONE_IN > many => Self::Refused,
            _ if stale * ONE_IN > many => Self::Stale,
            _ => Self::None,
        }
    }

    /// Whether it is silent who was heard so long ago.
    pub(super) fn is_silent(ago: Duration, here: bool, silence: Duration) -> bool {
        ago >= silence && (here || ago < GONE)
    }
}

/// The places of those that are shown, in order: of all, or of those that need a look and of the
/// first others.
fn chosen(needs: impl Iterator<Item = Need>) -> Vec<usize> {
    let mut order: Vec<(Need, usize)> = needs.zip(0..).collect();
    if order.len() > SHOWN {
        order.select_nth_unstable(SHOWN);
        order.truncate(SHOWN);
        order.sort_unstable_by_key(|(_, place)| *place);
    }
    order.into_iter().map(|(_, place)| place).collect()
}

impl Machine {
    fn show(&mut self, now: Mono) -> MachineStatus {
        MachineStatus {
            worker: self.worker.clone(),
            address: self.arrival.address,
            user_agent: self.arrival.user_agent.clone(),
            slot: self.arrival.slot.clone(),
            difficulty: self.difficulty,
            accepted: self.accepted,
            rejected: self.rejected,
            stale: self.stale,
            hashrate: self.work.rate(now, self.arrival.since),
            since: self.arrival.since,
            last_share: self.last_share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::tests::standards, share::Reason};

    #[test]
    fn of_many_those_are_shown_that_need_a_look_and_then_the_first_by_name() {
        let (mut ledger, mut status) = (Ledger::default(), GatewayStatus::default());
        let name = |number: usize| format!("rig.{number:05}");
        for number in 0..10_000 {
            ledger.workers.of(&name(number).into());
        }
        for number in [9_999, 5_000, 3] {
            ledger.workers.of(&name(number).into()).refused(Reason::LowDifficulty);
        }
        let now = Mono::from_start(Duration::from_secs(100));
        ledger.show(&standards(), &mut status, now);
        let shown: Vec<&str> = status.workers.iter().map(|status| &*status.worker).collect();
        let expect: Vec<String> = (0..998).chain([5_000, 9_999]).map(name).collect();
        assert_eq!(
            (shown, status.workers_known),
            (expect.iter().map(|it| &**it).collect(), 10_000)
        );
    }

    #[test]
    fn the_weightiest_need_comes_first() {
        let (fine, late, wrong) = ((100, 2, 2), (100, 3, 0), (100, 3, 3));
        for (short, silent, shares, expect) in [
            (true, true, wrong, Need::Short),
            (false, true, wrong, Need::Silent),
            (false, false, wrong, Need::Refused),
            (false, false, late, Need::Stale),
            (false, false, fine, Need::None),
            (false, false, (0, 0, 0), Need::None),
        ] {
            assert_eq!(Need::of(short, silent, shares), expect);
        }
        let order = [Need::Short, Need::Silent, Need::Refused, Need::Stale, Need::None];
        assert!(order.is_sorted());
        let many = (0..SHOWN).map(|_| Need::Stale).chain([Need::None, Need::Short]);
        let places = chosen(many);
        assert_eq!((places.len(), places.last()), (SHOWN, Some(&(SHOWN + 1))));
        assert_eq!(places.get(SHOWN - 2), Some(&(SHOWN - 2)), "the last of the late makes room");
    }

    #[test]
    fn who_is_gone_for_a_day_is_not_silent_any_more() {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        for (ago, here, expect) in [
            (minute / 2, true, false),
            (minute, true, true),
            (hour, false, true),
            (GONE, false, false),
            (GONE, true, true),
        ] {
            assert_eq!(Need::is_silent(ago, here, minute), expect, "{ago:?}");
        }
    }
}
