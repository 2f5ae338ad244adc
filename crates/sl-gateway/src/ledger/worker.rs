//! What is known of one worker.

use std::{collections::BTreeMap, time::Duration};

use sl_chain::coins::Ticker;
use sl_units::{HashRate, Mono, ShareDifficulty};
use sl_work::WorkerName;

use super::rates::Window;
use crate::{
    ChainShares, Forwarded, ShareCounts, WorkerStatus,
    share::{Filed, Reason},
};

/// The account of a worker, over all its connections.
#[derive(Debug)]
pub(super) struct Worker {
    accepted: u64,
    stale: u64,
    rejected: ShareCounts,
    work: f64,
    best: Option<ShareDifficulty>,
    first_share: Option<Mono>,
    last_share: Option<Mono>,
    /// 5 minutes, an hour, a day.
    windows: [Window; 3],
    pub(super) forwarded: Forwarded,
    pub(super) chains: BTreeMap<Ticker, ChainShares>,
    stale_by_coin: BTreeMap<Ticker, u64>,
    /// What an earlier run proved of it.
    remembered: Option<HashRate>,
}

impl Default for Worker {
    fn default() -> Self {
        let window = |seconds, steps| Window::new(Duration::from_secs(seconds), steps);
        Self {
            accepted: 0,
            stale: 0,
            rejected: ShareCounts::default(),
            work: 0.0,
            best: None,
            first_share: None,
            last_share: None,
            windows: [window(20, 15), window(120, 30), window(1800, 48)],
            forwarded: Forwarded::default(),
            chains: BTreeMap::new(),
            stale_by_coin: BTreeMap::new(),
            remembered: None,
        }
    }
}

impl Worker {
    pub(super) fn proven(&mut self, filed: &Filed, work: f64, reached: ShareDifficulty, at: Mono) {
        let stale = filed.stale;
        for chain in &filed.missed {
            *self.stale_by_coin.entry(*chain).or_default() += 1;
        }
        *(if stale { &mut self.stale } else { &mut self.accepted }) += 1;
        self.work += work;
        if self.best.is_none_or(|best| best < reached) {
            self.best = Some(reached);
        }
        self.first_share.get_or_insert(at);
        self.last_share = Some(at);
        for window in &mut self.windows {
            window.add(at, work);
        }
    }

    pub(super) fn refused(&mut self, reason: Reason) {
        *match reason {
            Reason::UnknownJob => &mut self.rejected.unknown_job,
            Reason::Duplicate => &mut self.rejected.duplicate,
            Reason::LowDifficulty => &mut self.rejected.low_difficulty,
            Reason::Ntime => &mut self.rejected.ntime,
            Reason::Busy => &mut self.rejected.busy,
            Reason::Malformed => &mut self.rejected.malformed,
        } += 1;
    }

    pub(super) const fn remember(&mut self, rate: HashRate) {
        self.remembered = Some(rate);
    }

    /// What its shares of the last hour with shares prove, if that is enough to start from.
    pub(super) fn known_rate(&mut self) -> Option<HashRate> {
        let (first, last) = (self.first_share?, self.last_share?);
        let [_, hour, _] = &mut self.windows;
        let proven = hour.rate(last, first);
        if proven.shares >= 10.0 { Some(proven.rate) } else { self.remembered }
    }

    pub(super) fn show(&mut self, name: &WorkerName, now: Mono) -> WorkerStatus {
        let since = self.first_share.unwrap_or(now);
        WorkerStatus {
            worker: name.clone(),
            accepted: self.accepted,
            stale: self.stale,
            rejected: self.rejected,
            work: self.work,
            proven: self.windows.each_mut().map(|window| window.rate(now, since)),
            best: self.best,
            last_share: self.last_share,
            forwarded: self.forwarded,
            chains: self.chains.clone(),
            stale_by_coin: self.stale_by_coin.clone(),
        }
    }
}
