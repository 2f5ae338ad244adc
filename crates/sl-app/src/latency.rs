//! How long it takes from a node's new tip until the last machine has the job that builds on it.
//!
//! Only where the nodes are in this process, so that both instants are read off one clock.

use std::collections::{HashMap, HashSet, VecDeque};

use sl_gateway::{GatewayStatus, JobSent};
use sl_simnode::NodeHandle;
use sl_supervise::{Ctx, ServiceError};
use sl_telemetry::{Histogram, HistogramSnapshot};
use sl_units::{Hash256, Mono};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// The figures so far.
pub(crate) type Latencies = HistogramSnapshot;

/// Tips remembered, of all chains together.
const KEPT: usize = 1024;

/// Joins new tips with the jobs that follow them. Knows no clock.
#[derive(Debug, Default)]
struct Join {
    tips: HashMap<Hash256, Mono>,
    order: VecDeque<Hash256>,
    measured: HashSet<Hash256>,
    /// Sequence of the last job seen.
    seen: u64,
    histogram: Histogram,
}

impl Join {
    fn tip(&mut self, tip: Hash256, since: Mono) {
        if self.tips.insert(tip, since).is_none() {
            self.order.push_back(tip);
        }
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.tips.remove(&oldest);
                self.measured.remove(&oldest);
            }
        }
    }

    /// Each job is seen once, and each tip counts once: for the first job that builds on it.
    fn sent(&mut self, sent: &JobSent) {
        if sent.job.sequence <= self.seen {
            return;
        }
        self.seen = sent.job.sequence;
        let Some(last_write) = sent.last_write else { return };
        for (_, tip) in &sent.tips {
            if let Some(since) = self.tips.get(tip)
                && self.measured.insert(*tip)
            {
                self.histogram.record(last_write.since(*since));
            }
        }
    }
}

/// The service: measures until told to stop.
pub(crate) async fn measure(
    nodes: Vec<NodeHandle>,
    mut gateway: watch::Receiver<GatewayStatus>,
    figures: watch::Sender<Latencies>,
    ctx: Ctx,
) -> Result<(), ServiceError> {
    let (tips_in, mut tips) = mpsc::channel(256);
    let mut followers = JoinSet::new();
    let mut join = Join::default();
    for node in nodes {
        // The tips of the start are older than any machine: only later ones are measured.
        let mut status = node.status();
        status.mark_unchanged();
        let tips = tips_in.clone();
        followers.spawn(async move {
            while status.changed().await.is_ok() {
                let (tip, since) = {
                    let status = status.borrow();
                    (status.tip, status.tip_since)
                };
                if tips.send((tip, since)).await.is_err() {
                    return;
                }
            }
        });
    }
    ctx.ready();
    loop {
        // Cancel-safe: a token, a receive, a change. Tips come first, or their jobs would miss them.
        tokio::select! {
            biased;
            () = ctx.stopped() => return Ok(()),
            Some((tip, since)) = tips.recv() => join.tip(tip, since),
            changed = gateway.changed() => match changed {
                Ok(()) => {
                    let jobs = gateway.borrow_and_update().sent.clone();
                    jobs.iter().for_each(|job| join.sent(job));
                    figures.send_replace(join.histogram.snapshot());
                }
                Err(_) => {
                    ctx.stopped().await;
                    return Ok(());
                }
            },
        }
    }
}
