//! The pools of the settings as one source: each a connection of its own, all behind a failover.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use sl_ports::{Clock, Randomness};
use sl_supervise::{Ctx, ServiceError, ServiceSpec, Supervisor};
use sl_units::Mono;
use sl_work::{SourceHandle, SourceId, SourceState, WorkSource};
use tokio::{
    sync::{Mutex, mpsc, watch},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    Endpoint, Failover, FailoverRules, FailoverStatus, Member, Pool, PoolStatus, Strategies,
    StrategyError, Upstream, Wanted,
};

mod entry;
mod nearest;

pub use entry::{FailoverSettings, PoolEntry, PoolEntryError, PoolPlan, RegionChoice, RegionWord};
pub use nearest::Nearest;
use nearest::{Prober, Round};

/// How often pools that change their connection are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// A connection that is to take over has so long to give work; then it does whatever it gives.
const TAKE_OVER: Duration = Duration::from_secs(30);
/// A connection that was left may still judge its last shares; longer than the group waits for them.
const LINGER: Duration = Duration::from_secs(12);
/// A pool without work for so long has its addresses measured anew…
const JOBLESS: Duration = Duration::from_secs(5);
/// …and again after so long, doubled each time up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest time between two rounds that are asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Rounds of measurements that nobody has taken up.
const ROUNDS: usize = 16;

/// The pools of a farm. [`PoolGroup::run`] is the service; [`PoolGroup::set`] says which pools there
/// are, at any time: what stays the same keeps its connection.
#[derive(Clone)]
pub struct PoolGroup {
    clock: Clock,
    randomness: Randomness,
    failover: Failover,
    wanted: Arc<watch::Sender<Plans>>,
    pools: watch::Sender<Vec<PoolFigures>>,
    inside: Arc<Mutex<Inside>>,
}

impl fmt::Debug for PoolGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolGroup").field("failover", &self.failover).finish_non_exhaustive()
    }
}

/// What a group of pools is to be.
#[derive(Clone, Debug)]
pub struct Plans {
    /// The pools, in the order of the settings.
    pub pools: Vec<PoolPlan>,
    /// How one of them is chosen and left.
    pub rules: FailoverRules,
    /// The strategy's name.
    pub strategy: String,
    /// How often distances are measured.
    pub measure_every: Duration,
}

impl Default for Plans {
    fn default() -> Self {
        let Wanted { rules, strategy, .. } = Wanted::default();
        Self { pools: Vec::new(), rules, strategy, measure_every: Duration::from_secs(600) }
    }
}

/// What is known of one pool of a group.
#[derive(Clone, Debug)]
pub struct PoolFigures {
    /// Its name.
    pub id: SourceId,
    /// The address in use.
    pub endpoint: Endpoint,
    /// All its addresses, with their distance where it is known.
    pub distances: Vec<(Endpoint, Option<Duration>)>,
    /// How its client fares.
    pub status: watch::Receiver<PoolStatus>,
}

/// How a group of pools fares.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// Who works, stands by, rests, and what became of the shares.
    pub failover: watch::Receiver<FailoverStatus>,
    /// Each pool's own.
    pub pools: watch::Receiver<Vec<PoolFigures>>,
}

impl PoolGroup {
    /// A group without pools.
    #[must_use]
    pub fn new(id: SourceId, strategies: Strategies, clock: Clock, randomness: Randomness) -> Self {
        let failover = Failover::new(id, strategies, clock, randomness.rng("failover"));
        let (pools, _) = watch::channel(Vec::new());
        let (rounds_in, rounds) = mpsc::channel(ROUNDS);
        let inside = Inside {
            slots: Vec::new(),
            old: Vec::new(),
            tasks: JoinSet::new(),
            rounds_in,
            rounds,
            made: 0,
        };
        let wanted = Arc::new(watch::Sender::new(Plans::default()));
        Self { clock, randomness, failover, wanted, pools, inside: Arc::new(Mutex::new(inside)) }
    }

    /// The source of work.
    #[must_use]
    pub fn source(&self) -> SourceHandle {
        self.failover.source()
    }

    /// How it fares.
    #[must_use]
    pub fn status(&self) -> GroupStatus {
        GroupStatus { failover: self.failover.status(), pools: self.pools.subscribe() }
    }

    /// Says which pools there are to be. Priorities, weights and order change nothing else; a pool
    /// that differs otherwise is connected to anew, and the old connection is left when the new one
    /// gives work.
    ///
    /// # Errors
    /// The strategy is unknown; then all stays as it is.
    pub fn set(&self, plans: Plans) -> Result<(), StrategyError> {
        self.failover.strategies().make(&plans.strategy, &plans.rules.strategy)?;
        self.wanted.send_replace(plans);
        Ok(())
    }

    /// Keeps all pools connected until told to stop.
    ///
    /// # Errors
    /// None that a restart would cure; the signature is the supervisor's.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        // The group outlives its pools by what their last verdicts take.
        let failover = AbortOnDropHandle::new(tokio::spawn(self.failover.clone().run(ctx.clone())));
        let mut inside = self.inside.clone().lock_owned().await;
        let mut wanted = self.wanted.subscribe();
        wanted.mark_changed();
        let mut look = tokio::time::interval(LOOK);
        while !ctx.is_stopping() {
            // Cancel-safe: a change, a receive, a tick, a token.
            tokio::select! {
                Ok(()) = wanted.changed() => {
                    let plans = wanted.borrow_and_update().clone();
                    inside.follow(&plans, &self);
                }
                Some(Round { of: (id, slot), distances }) = inside.rounds.recv() => {
                    inside.measured(&id, slot, &distances, &self);
                }
                _ = look.tick() => {}
                () = ctx.stopped() => break,
            }
            inside.look(&self);
            self.publish(&inside);
        }
        inside.stop().await;
        failover.await?
    }

    /// Tells the failover who is there, and everybody else how.
    fn publish(&self, inside: &Inside) {
        let plans = self.wanted.borrow().clone();
        let wanted = Wanted {
            members: inside.slots.iter().flat_map(Slot::members).collect(),
            rules: plans.rules,
            strategy: plans.strategy,
        };
        let keys = |members: &[Member]| -> Vec<(Arc<str>, u32, u32)> {
            members.iter().map(|it| (it.key.clone(), it.priority, it.weight)).collect()
        };
        if self.failover.is_other(&wanted, |ours, theirs| keys(ours) != keys(theirs)) {
            // The strategy was looked up when it was set.
            let _ = self.failover.set(wanted);
        }
        self.pools.send_replace(inside.slots.iter().filter_map(Slot::figures).collect());
    }
}

/// What the group's task has for itself.
struct Inside {
    slots: Vec<Slot>,
    /// Connections of pools that were taken out, until their last shares are judged.
    old: Vec<(Running, Mono)>,
    tasks: JoinSet<()>,
    rounds_in: mpsc::Sender<Round<(SourceId, u64)>>,
    rounds: mpsc::Receiver<Round<(SourceId, u64)>>,
    /// Connections and slots made so far, which number them.
    made: u64,
}

/// One pool.
struct Slot {
    plan: PoolPlan,
    number: u64,
    nearest: Nearest,
    /// Its connections; more than one while a later takes over from an earlier.
    running: VecDeque<Running>,
    asks: watch::Sender<u64>,
    asked_at: Option<Mono>,
    pause: Duration,
    _prober: AbortOnDropHandle<()>,
}

/// A connection with a pool, as a child of the group.
struct Running {
    key: Arc<str>,
    /// The slot that it was made for; another one where the settings have changed since.
    slot: u64,
    endpoint: Endpoint,
    source: SourceHandle,
    status: watch::Receiver<PoolStatus>,
    latency: watch::Sender<Option<Duration>>,
    since: Mono,
    stop: CancellationToken,
}

impl Running {
    fn works(&self) -> bool {
        matches!(self.source.status().borrow().state, SourceState::Working { .. })
    }
}

impl Slot {
    fn members(&self) -> impl Iterator<Item = Member> {
        self.running.iter().map(|running| Member {
            key: running.key.clone(),
            source: Arc::new(running.source.clone()),
            priority: self.plan.priority,
            weight: self.plan.weight,
            latency: running.latency.subscribe(),
        })
    }

    fn figures(&self) -> Option<PoolFigures> {
        let running = self.running.front()?;
        let distance =
            |(at, endpoint): (usize, &Endpoint)| (endpoint.clone(), self.nearest.latency(at));
        Some(PoolFigures {
            id: self.plan.id.clone(),
            endpoint: running.endpoint.clone(),
            distances: self.plan.endpoints.iter().enumerate().map(distance).collect(),
            status: running.status.clone(),
        })
    }
}

impl Inside {
    /// What differs between what is and what is wanted.
    fn follow(&mut self, plans: &Plans, group: &PoolGroup) {
        let mut before = std::mem::take(&mut self.slots);
        for plan in &plans.pools {
            let same_name = before.iter().position(|slot| slot.plan.id == plan.id);
            let earlier = same_name.map(|at| before.swap_remove(at));
            let slot = match earlier {
                Some(mut slot) if slot.plan.is_same_pool(plan) => {
                    slot.plan = plan.clone();
                    slot
                }
                earlier => {
                    let mut slot = self.slot(plan, plans.measure_every, group);
                    // The earlier connection works until the new one does.
                    slot.running = earlier.map(|slot| slot.running).unwrap_or_default();
                    if !plan.nearest {
                        self.connect(&mut slot, 0, group);
                    }
                    slot
                }
            };
            self.slots.push(slot);
        }
        for slot in before {
            tracing::info!(pool = %slot.plan.id, "the pool was taken out of the settings");
            self.retire(slot.running, group);
        }
    }

    fn slot(&mut self, plan: &PoolPlan, every: Duration, group: &PoolGroup) -> Slot {
        self.made += 1;
        let (asks, asked) = watch::channel(0);
        let prober = Prober {
            endpoints: plan.endpoints.clone(),
            every,
            clock: group.clock,
            rng: group.randomness.rng(&format!("measure {}", plan.id)),
            asked,
        };
        let task = prober.run((plan.id.clone(), self.made), self.rounds_in.clone());
        Slot {
            nearest: Nearest::new(plan.endpoints.len(), plan.nearest),
            plan: plan.clone(),
            number: self.made,
            running: VecDeque::new(),
            asks,
            asked_at: None,
            pause: FIRST_PAUSE,
            _prober: AbortOnDropHandle::new(tokio::spawn(task)),
        }
    }

    /// Connects to one of a pool's addresses.
    fn connect(&mut self, slot: &mut Slot, address: usize, group: &PoolGroup) {
        let Some(endpoint) = slot.plan.endpoints.get(address).cloned() else { return };
        self.made += 1;
        let PoolPlan { id, user, password, options, .. } = slot.plan.clone();
        let pool = Pool { id: id.clone(), endpoint: endpoint.clone(), user, password };
        let rng = group.randomness.rng(&format!("{id} {}", self.made));
        let upstream = Upstream::with_options(pool, options, group.clock, rng.clone());
        let (source, status) = (upstream.source(), upstream.status());
        let description = format!("work from {endpoint}");
        let spec =
            ServiceSpec::new(id.to_string(), description, move |ctx| upstream.clone().run(ctx));
        let stop = CancellationToken::new();
        let supervisor = Supervisor::new(vec![spec.optional()], rng);
        let supervisor = supervisor.expect("one service is after nobody");
        let token = stop.clone();
        self.tasks.spawn(async move {
            supervisor.run(token).await;
        });
        tracing::info!(pool = %id, %endpoint, "connecting");
        slot.running.push_back(Running {
            key: format!("{id}#{}", self.made).into(),
            slot: slot.number,
            endpoint,
            source,
            status,
            latency: watch::Sender::new(slot.nearest.latency(address)),
            since: group.clock.mono(),
            stop,
        });
    }

    /// The addresses of a pool were measured.
    fn measured(
        &mut self,
        id: &SourceId,
        number: u64,
        round: &[Option<Duration>],
        group: &PoolGroup,
    ) {
        let mine = |slot: &Slot| slot.plan.id == *id && slot.number == number;
        let Some(at) = self.slots.iter().position(mine) else { return };
        let mut slot = self.slots.remove(at);
        let works = slot.running.back().is_some_and(Running::works);
        // The first round says where to go; one that is under way is not called off by another.
        let settled = slot.running.len() <= 1;
        let chosen = if settled { slot.nearest.step(round, works) } else { None };
        let here = slot.running.back().map(|running| running.endpoint.clone());
        if let Some(to) = chosen
            && slot.plan.endpoints.get(to) != here.as_ref()
        {
            self.connect(&mut slot, to, group);
        }
        for running in &slot.running {
            let place = slot.plan.endpoints.iter().position(|it| *it == running.endpoint);
            let latency = place.and_then(|place| slot.nearest.latency(place));
            running.latency.send_if_modified(|known| std::mem::replace(known, latency) != latency);
        }
        self.slots.insert(at, slot);
    }

    /// Ends what was taken over, and asks for measurements where a pool gives no work.
    fn look(&mut self, group: &PoolGroup) {
        let now = group.clock.mono();
        let mut left = Vec::new();
        for slot in &mut self.slots {
            left.extend(slot.take_over(now));
            slot.ask(now);
        }
        self.retire(left, group);
        self.old.retain(|(running, until)| {
            let over = *until <= now;
            if over {
                running.stop.cancel();
            }
            !over
        });
        while self.tasks.try_join_next().is_some() {}
    }

    fn retire(&mut self, running: impl IntoIterator<Item = Running>, group: &PoolGroup) {
        let until = group.clock.mono() + LINGER;
        self.old.extend(running.into_iter().map(|running| (running, until)));
    }

    async fn stop(&mut self) {
        let running = self.slots.iter().flat_map(|slot| &slot.running);
        for running in running.chain(self.old.iter().map(|(running, _)| running)) {
            running.stop.cancel();
        }
        while self.tasks.join_next().await.is_some() {}
        self.slots.clear();
        self.old.clear();
    }
}

impl Slot {
    /// The connections that are done with: the earlier ones when the last gives work, or nobody does;
    /// the last when it gives none at another address, and an earlier one still does.
    fn take_over(&mut self, now: Mono) -> Vec<Running> {
        let Some(last) = self.running.back().filter(|_| self.running.len() > 1) else {
            return Vec::new();
        };
        let late = now.since(last.since) >= TAKE_OVER;
        let any = self.running.iter().any(Running::works);
        if last.works() || (late && !any) {
            let earlier = self.running.len() - 1;
            return self.running.drain(..earlier).collect();
        }
        if late && self.running.iter().all(|running| running.slot == self.number) {
            let back = self.running.front().map(|running| running.endpoint.clone());
            let place = self.plan.endpoints.iter().position(|it| Some(it) == back.as_ref());
            self.nearest.stay(place.unwrap_or(0));
            return self.running.drain(1..).collect();
        }
        Vec::new()
    }

    /// Has the addresses measured where the one in use has given no work for a while.
    fn ask(&mut self, now: Mono) {
        let Some(last) = self.running.back() else { return };
        if last.works() {
            self.pause = FIRST_PAUSE;
            return;
        }
        let since = self.asked_at.map_or(last.since + JOBLESS, |asked| asked + self.pause);
        let idle = match last.source.status().borrow().state {
            SourceState::Idle { since, .. } => now.since(since.max(last.since)) >= JOBLESS,
            SourceState::Working { .. } => false,
        };
        if self.plan.endpoints.len() > 1 && idle && now >= since {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            self.asked_at = Some(now);
            self.asks.send_modify(|asks| *asks += 1);
        }
    }
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pools = self.slots.iter().map(|slot| slot.plan.id.to_string());
        f.debug_list().entries(pools).finish()
    }
}
