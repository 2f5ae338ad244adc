use std::{net::IpAddr, sync::Arc, time::Duration};

use sl_guard::{Network, Offence};
use sl_ports::{Clock, tls::server::Acceptor};
use sl_stratum::server;
use sl_units::Mono;
use sl_work::WorkerName;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinSet,
};

use crate::{
    admission::Admission,
    board::Board,
    connection,
    ledger::Event,
    live::Live,
    slots::{Layout, SlotCall},
    transport::Arrived,
    vardiff::Rules,
    verifier::Verifier,
};

/// What all connections of a shard have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What the settings say at this instant.
    pub(crate) live: watch::Receiver<Arc<Live>>,
    pub(crate) session: Arc<server::Settings>,
    pub(crate) admission: Admission,
    /// For machines that come by the TLS port.
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) layout: Layout,
    pub(crate) clock: Clock,
    pub(crate) board: watch::Receiver<Arc<Board>>,
    pub(crate) verifier: Verifier,
    pub(crate) slots: mpsc::Sender<SlotCall>,
    pub(crate) events: mpsc::Sender<Event>,
    /// What the door must be told.
    pub(crate) reports: mpsc::Sender<Report>,
    /// Who is kept out since a moment ago.
    pub(crate) banned: watch::Receiver<Arc<Vec<Network>>>,
    /// Asks the door for the job again, for a machine whose difficulty has changed.
    pub(crate) renew: Arc<Notify>,
}

impl Shared {
    pub(crate) fn rules(&self) -> Rules {
        self.live.borrow().rules.clone()
    }

    pub(crate) fn authorize_within(&self) -> Duration {
        self.live.borrow().settings.authorize_within
    }
}

/// What a connection tells the door.
#[derive(Debug)]
pub(crate) enum Report {
    /// It comes from elsewhere than it seemed: a balancer said so. May it stay?
    From { number: u64, address: IpAddr, answer: oneshot::Sender<bool> },
    /// Its machine wants to authorise for a worker; the limit where too many have already.
    Worker { number: u64, worker: WorkerName, answer: oneshot::Sender<Result<(), u32>> },
    /// Its machine has authorised.
    Authorized(u64),
    /// Its machine did what is not done; `valid` shares have come from it since the last report.
    Offence { address: IpAddr, what: Offence, valid: u32 },
    /// So many valid shares have come from its machine since the last report.
    Valid { address: IpAddr, valid: u32 },
    /// It has ended.
    Left(u64),
}

/// A task group that owns the connections given to it, one task each, and one verifier thread for
/// their shares. Shards share nothing that changes but the board.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) shared: Arc<Shared>,
    pub(crate) arrivals: mpsc::Receiver<Admitted>,
}

/// A machine that the door let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) arrived: Arrived,
    /// Its number among the connections of this run.
    pub(crate) number: u64,
    pub(crate) since: Mono,
}

impl Shard {
    /// Serves until the door gives no more and every connection has ended.
    pub(crate) async fn run(mut self) {
        let mut machines = JoinSet::new();
        loop {
            // Cancel-safe: a receive, a join.
            tokio::select! {
                admitted = self.arrivals.recv() => match admitted {
                    Some(admitted) => {
                        machines.spawn(connection::serve(self.shared.clone(), admitted));
                    }
                    None => break,
                },
                Some(left) = machines.join_next() => tell(&left),
            }
        }
        drop(self.shared);
        while let Some(left) = machines.join_next().await {
            tell(&left);
        }
    }
}

fn tell(left: &Result<(), tokio::task::JoinError>) {
    if left.is_err() {
        tracing::error!("a connection's task died");
    }
}
