//! What is known of one worker.

use std::{collections::BTreeMap, time::Duration};

use sl_chain::coins::Ticker;
use sl_guard::proof::{Proven, ShortfallRules};
use sl_units::{HashRate, Mono, ShareDifficulty};
use sl_work::WorkerName;

use super::{diligence::Diligence, shown::Need};
use crate::{
    ChainShares, Forwarded, ShareCounts, WorkDone, WorkerStatus,
    share::{Filed, Reason},
};

/// How long the most machines at once are remembered.
const HOUR: Duration = Duration::from_secs(3600);

/// The account of a worker, over all its connections.
#[derive(Debug, Default)]
pub(super) struct Worker {
    accepted: u64,
    stale: u64,
    rejected: ShareCounts,
    work: f64,
    best: Option<ShareDifficulty>,
    last_share: Option<Mono>,
    /// When its first machine came.
    began: Option<Mono>,
    /// Machines that are here.
    pub(super) machines: u32,
    /// The most of them at once in the last hour, about, and since when that holds.
    most: (u32, Mono),
    pub(super) diligence: Diligence,
    /// As shown: made anew from time to time, since the intervals take some time to compute.
    proven: [Option<Proven>; 3],
    work_done: Option<WorkDone>,
    pub(super) forwarded: Forwarded,
    pub(super) chains: BTreeMap<Ticker, ChainShares>,
    stale_by_coin: BTreeMap<Ticker, u64>,
    /// What an earlier run proved of each of its machines.
    remembered: Option<HashRate>,
}

impl Worker {
    pub(super) fn proven(
        &mut self,
        rules: &ShortfallRules,
        filed: &Filed,
        reached: ShareDifficulty,
        at: Mono,
    ) {
        let stale = filed.stale;
        for chain in &filed.missed {
            *self.stale_by_coin.entry(*chain).or_default() += 1;
        }
        *(if stale { &mut self.stale } else { &mut self.accepted }) += 1;
        self.work += filed.difficulty.expected_hashes();
        if self.best.is_none_or(|best| best < reached) {
            self.best = Some(reached);
        }
        self.last_share = Some(at);
        self.diligence.share(rules, filed.difficulty, at);
    }

    pub(super) const fn refused(&mut self, reason: Reason) {
        *self.rejected.of(reason) += 1;
    }

    pub(super) const fn remember(&mut self, rate: HashRate) {
        self.remembered = Some(rate);
    }

    /// Whether nothing would be missed without it: it proved nothing, in this run or before, and no
    /// machine of it is here.
    pub(super) const fn is_spare(&self) -> bool {
        self.machines == 0 && self.accepted == 0 && self.stale == 0 && self.remembered.is_none()
    }

    /// A machine of it has come.
    pub(super) fn came(&mut self, now: Mono) {
        self.machines += 1;
        self.began.get_or_insert(now);
        let (most, since) = self.most;
        if self.machines >= most || now.since(since) >= HOUR {
            self.most = (self.machines, now);
        }
    }

    /// What its shares of an hour prove of each of its machines, if that is enough to start from, or
    /// what an earlier run of the program proved. Whole farms use one name.
    pub(super) fn known_rate(&mut self, now: Mono) -> Option<HashRate> {
        let machines = f64::from(self.most.0.max(1));
        let proven = self.diligence.hour(now).filter(|proven| proven.shares >= 10.0);
        let each = proven.map(|proven| HashRate::from_hs(proven.rate.hs() / machines));
        each.or(self.remembered)
    }

    /// Makes anew what takes some time.
    pub(super) fn look(&mut self, rules: &ShortfallRules, now: Mono) {
        self.proven = self.diligence.proven(now);
        self.work_done = self.diligence.verdict(rules, now);
    }

    /// Whether it needs a look; `silence` is for how long nobody is silent by chance.
    pub(super) fn need(&self, silence: Duration, now: Mono) -> Need {
        let heard = self.last_share.or(self.began).map(|at| now.since(at));
        let silent = heard.is_some_and(|ago| Need::is_silent(ago, self.machines > 0, silence));
        let shares = (self.accepted, self.stale, self.rejected.rejected());
        Need::of(self.diligence.is_short(), silent, shares)
    }

    pub(super) fn show(&self, name: &WorkerName) -> WorkerStatus {
        WorkerStatus {
            worker: name.clone(),
            accepted: self.accepted,
            stale: self.stale,
            rejected: self.rejected,
            work: self.work,
            proven: self.proven,
            work_done: self.work_done.clone(),
            machines: self.machines,
            best: self.best,
            last_share: self.last_share,
            forwarded: self.forwarded,
            chains: self.chains.clone(),
            stale_by_coin: self.stale_by_coin.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sl_guard::proof::Requirement;

    use super::*;

    #[test]
    fn who_sends_nothing_needs_a_look_while_it_is_here_and_for_a_day() {
        let at = |seconds| Mono::from_start(Duration::from_secs(seconds));
        let silence = Duration::from_secs(200);
        let mut worker = Worker::default();
        assert_eq!(worker.need(silence, at(1000)), Need::None, "no machine of it ever came");
        worker.came(at(1000));
        assert_eq!(worker.need(silence, at(1199)), Need::None);
        assert_eq!(worker.need(silence, at(1200)), Need::Silent);
        worker.last_share = Some(at(1200));
        worker.machines = 0;
        assert_eq!(worker.need(silence, at(1399)), Need::None);
        assert_eq!(worker.need(silence, at(1400)), Need::Silent, "it is gone");
        assert_eq!(worker.need(silence, at(90_000)), Need::None, "for good");
        worker.refused(Reason::Duplicate);
        assert_eq!(worker.need(silence, at(90_000)), Need::Refused);
    }

    #[test]
    fn what_a_whole_farm_proves_is_divided_among_its_machines() {
        let rules = ShortfallRules::design(Requirement::default()).expect("in range");
        let difficulty = ShareDifficulty::new(1000.0).expect("positive");
        let at = |seconds| Mono::from_start(Duration::from_secs(seconds));
        let mut worker = Worker::default();
        worker.remember(HashRate::from_hs(7.0));
        for _ in 0..4 {
            worker.came(at(0));
        }
        assert_eq!(worker.known_rate(at(0)), Some(HashRate::from_hs(7.0)), "of an earlier run");
        worker.diligence.works(&rules, true, at(0));
        for second in 1..=600 {
            worker.diligence.share(&rules, difficulty, at(second));
        }
        let each = |worker: &mut Worker, seconds| {
            let rate = worker.known_rate(at(seconds)).expect("many shares").hs();
            rate / difficulty.expected_hashes()
        };
        assert!((each(&mut worker, 600) - 0.25).abs() < 0.01);
        // All leave and come back one by one: the first of them is not all of them.
        worker.machines = 0;
        worker.came(at(600));
        assert!((each(&mut worker, 600) - 0.25).abs() < 0.01);
        worker.machines = 0;
        worker.came(at(3600));
        assert_eq!(worker.most, (1, at(3600)), "for an hour no more than one");
    }
}
