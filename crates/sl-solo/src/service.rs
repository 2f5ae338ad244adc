use std::{sync::Arc, time::Duration};

use sl_noderpc::NodeClient;
use sl_ports::{Clock, HttpClient, Randomness};
use sl_supervise::{Ctx, ServiceError, ServiceSpec};
use sl_work::{SourceHandle, SourceId, source};
use tokio::{
    sync::{Mutex, Notify, mpsc, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep_until, timeout},
};

use crate::{
    nodes::{Backoff, Find, Report, Submitter, Watcher, watch_auxiliary, watch_parent},
    settings::{Checked, Member, SettingsErrors, SoloSettings},
    status::{BlockEvent, SoloStatus},
};

mod core;

use self::core::Core;

/// Reports of nodes that the source has not yet seen; watchers wait beyond.
const REPORTS: usize = 256;
/// Finds of one chain that wait for its submitter.
const FINDS: usize = 32;
/// How long finds under way may take after the service was told to stop.
const LAST_FINDS: Duration = Duration::from_millis(1500);

/// The outside world.
#[derive(Clone, Debug)]
pub struct SoloPorts {
    /// Tells the time.
    pub clock: Clock,
    /// Speaks with the nodes.
    pub http: HttpClient,
    /// For the jitter of retries.
    pub randomness: Randomness,
}

/// The source, built and not yet running.
#[derive(Debug)]
pub struct Solo {
    /// Leases are taken here, at any time.
    pub source: SourceHandle,
    /// How it fares.
    pub status: watch::Receiver<SoloStatus>,
    /// Takes changed settings while it runs: payout addresses, `tip_poll` and `refresh` hold from the
    /// next template on; all else waits for a restart.
    pub live: LiveSettings,
    /// The service `solo`, to be given to the supervisor. Leases outlive its restarts.
    pub service: ServiceSpec,
}

impl Solo {
    /// Builds the source. `events` takes what becomes of each block found; whoever reads it slowly
    /// delays the blocks behind, for 5 s each at most, and then loses the event, which is counted.
    ///
    /// # Errors
    /// All that is wrong with the settings.
    pub fn build(
        settings: SoloSettings,
        ports: SoloPorts,
        events: mpsc::Sender<BlockEvent>,
    ) -> Result<Self, SettingsErrors> {
        let checked = settings.check()?;
        let id = SourceId::new("solo");
        let (handle, end) = source(id.clone());
        let (status_in, status) = watch::channel(SoloStatus::default());
        let core = Core::new(id, &checked, end, ports.clock, status_in);
        // A run holds the lock for as long as it lives; there is never a second one to wait for it.
        let shared = Arc::new(Mutex::new(core));
        let (live, checked) = watch::channel(checked);
        let runner = Arc::new(Runner { checked, ports, events });
        let service = ServiceSpec::new(
            "solo",
            "work from own nodes: templates, merged mining, blocks handed in",
            move |ctx| {
                let (shared, runner) = (Arc::clone(&shared), Arc::clone(&runner));
                async move {
                    let mut core = shared.lock().await;
                    runner.run(&mut core, &ctx).await
                }
            },
        )
        .grace(Duration::from_secs(3));
        Ok(Self { source: handle, status, live: LiveSettings(Arc::new(live)), service })
    }
}

/// The door for settings that change while the source runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LiveSettings(Arc<watch::Sender<Checked>>);

impl LiveSettings {
    /// Takes the payout addresses and the intervals of `settings`; nodes are matched by coin.
    ///
    /// # Errors
    /// All that is wrong with the settings; then nothing changes.
    pub fn apply(&self, settings: SoloSettings) -> Result<(), SettingsErrors> {
        let new = settings.check()?;
        self.0.send_modify(|running| running.follow(&new));
        Ok(())
    }
}

struct Runner {
    checked: watch::Receiver<Checked>,
    ports: SoloPorts,
    events: mpsc::Sender<BlockEvent>,
}

/// The watchers of a run, and what makes them anew when settings change.
struct Watching {
    reports: mpsc::Sender<Report>,
    /// Each node's client and its bell, the parent first.
    nodes: Vec<(NodeClient, Arc<Notify>)>,
    tasks: JoinSet<()>,
}

impl Runner {
    async fn run(&self, core: &mut Core, ctx: &Ctx) -> Result<(), ServiceError> {
        let (reports_in, mut reports) = mpsc::channel(REPORTS);
        let checked = self.checked.borrow().clone();
        let mut submitters = JoinSet::new();
        let mut lanes = Vec::new();
        let mut nodes = Vec::new();
        for member in checked.members() {
            let poke = Arc::new(Notify::new());
            let endpoint = member.node.endpoint(checked.settings.timeouts);
            let client = NodeClient::new(endpoint, self.ports.http.clone());
            let (lane, finds) = mpsc::channel::<Find>(FINDS);
            lanes.push((member.row.ticker, lane));
            let submitter = Submitter {
                client: client.clone(),
                clock: self.ports.clock,
                reports: reports_in.clone(),
                events: self.events.clone(),
                poke: Arc::clone(&poke),
                backoff: self.backoff("submit", member),
            };
            submitters.spawn(submitter.run(finds));
            nodes.push((client, poke));
        }
        let mut watching = Watching { reports: reports_in, nodes, tasks: JoinSet::new() };
        self.watch(&mut watching, &checked);
        core.begin(lanes, ctx);
        let ended = self.serve(core, ctx, &mut reports, &mut watching, &mut submitters).await;

        // After a failure as after a stop: a block that is found is worth the wait.
        drop(watching);
        core.drain().await;
        core.close_lanes();
        // Finds under way get their chance; what they report is still counted.
        let last = async {
            while let Some(report) = reports.recv().await {
                core.report(report, ctx);
            }
        };
        if timeout(LAST_FINDS, last).await.is_err() {
            tracing::warn!("stopped while a node had not answered about a block");
        }
        core.publish();
        ended
    }

    /// The loop of the source, until it is told to stop.
    async fn serve(
        &self,
        core: &mut Core,
        ctx: &Ctx,
        reports: &mut mpsc::Receiver<Report>,
        watching: &mut Watching,
        submitters: &mut JoinSet<()>,
    ) -> Result<(), ServiceError> {
        let mut live = self.checked.clone();
        live.mark_unchanged();
        let mut housekeeping = interval(Duration::from_millis(200));
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = core.due().map(|at| self.ports.clock.instant_of(at));
            // Cancel safety: every branch is a channel, an interval or a sleep made anew.
            tokio::select! {
                biased;
                () = ctx.stopped() => return Ok(()),
                Some(ended) = watching.tasks.join_next() => {
                    return Err(format!("a node's watcher ended: {ended:?}").into());
                }
                Some(ended) = submitters.join_next() => {
                    return Err(format!("a node's submitter ended: {ended:?}").into());
                }
                Some(report) = reports.recv() => core.report(report, ctx),
                Ok(()) = live.changed() => {
                    let checked = live.borrow_and_update().clone();
                    core.pay_to(checked.parent.address.script_pubkey());
                    self.watch(watching, &checked);
                    tracing::info!("payout addresses and intervals as the settings have them now");
                }
                () = async {
                    match due {
                        Some(at) => sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                } => core.time_is_up(),
                _ = housekeeping.tick() => {
                    ctx.progress();
                    core.keep_house();
                }
                Some(leased) = core.end.leases.recv() => core.admit(leased),
                Some(pending) = core.end.intake.next() => core.judge(pending),
            }
        }
    }

    /// Watches every node by these settings, in place of the watchers before.
    fn watch(&self, watching: &mut Watching, checked: &Checked) {
        watching.tasks = JoinSet::new();
        for (at, (member, (client, poke))) in checked.members().zip(&watching.nodes).enumerate() {
            let watcher = self.watcher(&checked.settings, member, client, &watching.reports, poke);
            match at.checked_sub(1) {
                None => watching.tasks.spawn(watch_parent(watcher)),
                Some(seat) => watching.tasks.spawn(watch_auxiliary(seat, watcher)),
            };
        }
    }

    fn watcher(
        &self,
        settings: &SoloSettings,
        member: &Member,
        client: &NodeClient,
        reports: &mpsc::Sender<Report>,
        poke: &Arc<Notify>,
    ) -> Watcher {
        Watcher {
            member: member.clone(),
            client: client.clone(),
            clock: self.ports.clock,
            reports: reports.clone(),
            poke: Arc::clone(poke),
            refresh: settings.refresh.max(Duration::from_millis(50)),
            tip_poll: settings.tip_poll.max(Duration::from_millis(1)),
            backoff: self.backoff("watch", member),
        }
    }

    fn backoff(&self, what: &str, member: &Member) -> Backoff {
        Backoff::new(self.ports.randomness.rng(&format!("solo {what} {}", member.row.ticker)))
    }
}
