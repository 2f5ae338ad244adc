//! The source under its supervisor, with a lease to mine on.

use std::{sync::Arc, time::Duration};

use sl_chain::address::Address;
use sl_ports::{Clock, HttpClient, Randomness};
use sl_solo::{BlockEvent, ChainStatus, NodeSettings, Solo, SoloPorts, SoloSettings, SoloStatus};
use sl_supervise::Supervisor;
use sl_work::{Ask, Job, Lease, Outcome, Proven, SourceHandle, Verdict, Work, WorkSource};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::row;

/// Only a broken test waits so long.
pub(crate) const GUARD: Duration = Duration::from_secs(60);

pub(crate) struct Farm {
    pub(crate) source: SourceHandle,
    pub(crate) status: watch::Receiver<SoloStatus>,
    pub(crate) events: mpsc::Receiver<BlockEvent>,
    pub(crate) lease: Lease,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

pub(crate) fn node(coin: &str, url: String) -> NodeSettings {
    let row = row(coin);
    NodeSettings {
        coin: row.ticker,
        url,
        user: "farm".into(),
        password: "hush".into(),
        address: Address::example(row).to_string(),
    }
}

pub(crate) fn settings(parent: NodeSettings, auxiliaries: Vec<NodeSettings>) -> SoloSettings {
    let mut settings = SoloSettings::new(parent, auxiliaries);
    settings.dust_delay = Duration::from_millis(20);
    settings.tip_poll = Duration::from_millis(10);
    settings
}

impl Farm {
    pub(crate) fn start(settings: SoloSettings) -> Self {
        let ports = SoloPorts {
            clock: Clock::real(),
            http: HttpClient::default(),
            randomness: Randomness::seeded(1),
        };
        let (events_in, events) = mpsc::channel(64);
        let solo = Solo::build(settings, ports, events_in).expect("good settings");
        let stop = CancellationToken::new();
        let rng = fastrand::Rng::with_seed(1);
        let supervisor = Supervisor::new(vec![solo.service], rng).expect("a plan");
        let run = supervisor.run(stop.clone());
        let running = tokio::spawn(async move {
            run.await;
        });
        let ask = Ask { free: 4, consumer: "test".into() };
        let lease = solo.source.lease(ask).expect("wide enough");
        Self { source: solo.source, status: solo.status, events, lease, stop, running }
    }

    /// Waits for a status.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        holds: impl Fn(&SoloStatus) -> bool,
    ) -> SoloStatus {
        let mut watched = self.status.clone();
        let found = timeout(GUARD, watched.wait_for(|status| holds(status))).await;
        match found {
            Ok(status) => status.expect("the source lives").clone(),
            Err(_) => panic!("{what} never came: {:#?}", self.status.borrow()),
        }
    }

    /// Waits for a job.
    pub(crate) async fn job(&mut self, what: &str, holds: impl Fn(&Job) -> bool) -> Arc<Job> {
        let work = &mut self.lease.work;
        let found = timeout(GUARD, work.wait_for(|work| work.job().is_some_and(|job| holds(job))));
        match found.await {
            Ok(work) => Arc::clone(work.expect("the source lives").job().expect("it is one")),
            Err(_) => panic!("{what} never came: {:#?}", self.status.borrow()),
        }
    }

    /// Waits until there is no work, and gives the reason.
    pub(crate) async fn idle(&mut self, part: &str) -> String {
        let holds = |work: &Work| matches!(work, Work::Idle { why, .. } if why.contains(part));
        let found = timeout(GUARD, self.lease.work.wait_for(holds)).await;
        match found.expect("idle in time").expect("the source lives").clone() {
            Work::Idle { why, .. } => why.to_string(),
            Work::Job(_) => unreachable!("it is idle"),
        }
    }

    /// Submits a share and waits for its verdict.
    pub(crate) async fn submit(&mut self, share: Proven) -> Outcome {
        let ticket = self.lease.submitter.submit(share, "rig1".into()).expect("room");
        let verdict: Verdict = timeout(GUARD, self.lease.verdicts.recv())
            .await
            .expect("a verdict in time")
            .expect("the source lives");
        assert_eq!(verdict.ticket, ticket);
        verdict.outcome
    }

    /// The next block event.
    pub(crate) async fn event(&mut self) -> BlockEvent {
        timeout(GUARD, self.events.recv()).await.expect("an event in time").expect("it lives")
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        timeout(GUARD, self.running).await.expect("it stops").expect("no panic");
    }
}

/// How a chain fares.
pub(crate) fn chain<'a>(status: &'a SoloStatus, coin: &str) -> &'a ChainStatus {
    status.chains.iter().find(|chain| chain.chain.as_str() == coin).expect("it is mined")
}
