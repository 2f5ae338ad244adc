//! Several sources of work as one: the best that works, with the next one ready.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use fastrand::Rng;
use sl_ports::Clock;
use sl_supervise::{Ctx, ServiceError};
use sl_units::Mono;
use sl_work::{Ask, SourceEnd, SourceHandle, SourceId, WorkSource, source};
use tokio::{
    sync::{Mutex, mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

use self::{book::LeaseNo, core::Core, feed::News};

mod book;
mod breaker;
mod core;
mod feed;
mod member;
mod status;
mod strategy;

pub use breaker::{Breaker, BreakerRules, BreakerState, Evidence};
pub use status::{Change, FailoverStatus, MemberStanding, MemberStatus, Tally};
pub use strategy::{
    ByLatency, ByPriority, Candidate, Choice, Strategies, Strategy, StrategyError, StrategyRules,
};

/// A member's number within its group, never used again.
pub(crate) type MemberNo = u64;

/// News that wait for the group; beyond, those who bring them wait.
const NEWS: usize = 1024;
/// How long the last verdicts are waited for when stopping.
const DRAIN: Duration = Duration::from_millis(1200);
/// Figures of shares are told at most this often.
const TELL: Duration = Duration::from_millis(250);

/// A group of sources as one source.
///
/// It leases from every member whatever is leased from it, so that a standby holds a job before it
/// is needed. When the running member fails, the machines have the next one's job within the same
/// step, in a new epoch. A late share goes up to the source of its job, as long as that lives; each
/// ticket gets one verdict, from there. A member that is too narrow for what was promised is left
/// alone and named. Why a member runs, rests or waits is in [`FailoverStatus`].
///
/// [`Failover::run`] is the service; the members are run by whoever made them.
///
/// ```
/// use sl_ports::{Clock, Randomness};
/// use sl_upstream::{Failover, Member, Strategies, Wanted};
/// use sl_work::{SourceId, source};
///
/// let (first, _first_end) = source(SourceId::new("pool.first"));
/// let (second, _second_end) = source(SourceId::new("pool.second"));
/// let rng = Randomness::seeded(7).rng("pools");
/// let group = Failover::new(SourceId::new("pools"), Strategies::default(), Clock::real(), rng);
/// group.set(Wanted {
///     members: vec![Member::new(first, 0, 100), Member::new(second, 1, 100)],
///     ..Wanted::default()
/// })?;
/// # Ok::<(), sl_upstream::StrategyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Failover {
    clock: Clock,
    strategies: Strategies,
    handle: SourceHandle,
    wanted: Arc<watch::Sender<Wanted>>,
    status: watch::Sender<FailoverStatus>,
    /// They live here between runs of the service: leases stay, and no job's number is used again.
    ends: Arc<Mutex<Ends>>,
}

/// What a group is to be; [`Failover::set`] may say so at any time.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its members, the more important first among equals.
    pub members: Vec<Member>,
    /// How it decides.
    pub rules: FailoverRules,
    /// The strategy's name.
    pub strategy: String,
}

impl Default for Wanted {
    fn default() -> Self {
        let (rules, strategy) = (FailoverRules::default(), "priority".into());
        Self { members: Vec::new(), rules, strategy }
    }
}

/// How a group decides.
#[derive(Clone, Debug, PartialEq)]
pub struct FailoverRules {
    /// A member that gives fewer free bytes is of no use to the consumers, and left alone.
    pub least_width: usize,
    /// Of the strategy.
    pub strategy: StrategyRules,
    /// Of each member's breaker.
    pub breaker: BreakerRules,
}

impl Default for FailoverRules {
    fn default() -> Self {
        let (strategy, breaker) = (StrategyRules::default(), BreakerRules::default());
        Self { least_width: 2, strategy, breaker }
    }
}

/// A source in a group.
#[derive(Clone)]
pub struct Member {
    /// Tells it from the others, and from an earlier one of the same name. A member whose key stays
    /// keeps its leases and its connection, whatever else of it changes.
    pub key: Arc<str>,
    /// Where its work comes from.
    pub source: Arc<dyn WorkSource>,
    /// The lower, the sooner.
    pub priority: u32,
    /// Its part of the work among members of one priority; 0 has none unless nobody else can.
    pub weight: u32,
    /// How far away it is, from whoever measures that.
    pub latency: watch::Receiver<Option<Duration>>,
}

impl Member {
    /// A source by its own name, with nobody who measures its distance.
    #[must_use]
    pub fn new(source: impl WorkSource + 'static, priority: u32, weight: u32) -> Self {
        let key = source.id().to_string().into();
        let (_, latency) = watch::channel(None);
        Self { key, source: Arc::new(source), priority, weight, latency }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("key", &self.key)
            .field("source", &self.source.id())
            .field("priority", &self.priority)
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}

impl Failover {
    /// A group without members.
    ///
    /// # Panics
    /// Never: the strategies that this crate registers are there.
    #[must_use]
    pub fn new(id: SourceId, strategies: Strategies, clock: Clock, rng: Rng) -> Self {
        let (handle, end) = source(id.clone());
        let (status, _) = watch::channel(FailoverStatus::default());
        let wanted = Wanted::default();
        let strategy = Box::new(ByPriority::new(wanted.rules.strategy.clone()));
        let core = Core::new(id, wanted.rules.clone(), strategy, rng);
        let (news_in, news) = mpsc::channel(NEWS);
        let ends = Ends {
            end,
            core,
            news,
            feeds: Feeds { news: news_in, tasks: JoinSet::new(), handles: BTreeMap::new() },
            members: BTreeMap::new(),
            asks: BTreeMap::new(),
            ruled: (wanted.rules.clone(), wanted.strategy.clone()),
        };
        let wanted = Arc::new(watch::Sender::new(wanted));
        Self { clock, strategies, handle, wanted, status, ends: Arc::new(Mutex::new(ends)) }
    }

    /// The source of work.
    #[must_use]
    pub fn source(&self) -> SourceHandle {
        self.handle.clone()
    }

    /// How it fares.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<FailoverStatus> {
        self.status.subscribe()
    }

    /// The strategies that it knows.
    #[must_use]
    pub const fn strategies(&self) -> &Strategies {
        &self.strategies
    }

    /// Says what it is to be from now on. Members that stay, by their key, are not touched.
    ///
    /// # Errors
    /// The strategy is unknown; then all stays as it is.
    pub fn set(&self, wanted: Wanted) -> Result<(), StrategyError> {
        self.strategies.make(&wanted.strategy, &wanted.rules.strategy)?;
        self.wanted.send_replace(wanted);
        Ok(())
    }

    /// Whether what is wanted differs from what was set last: in rules, strategy, or its members.
    pub(crate) fn is_other(
        &self,
        wanted: &Wanted,
        members: impl FnOnce(&[Member], &[Member]) -> bool,
    ) -> bool {
        let known = self.wanted.borrow();
        wanted.rules != known.rules
            || wanted.strategy != known.strategy
            || members(&wanted.members, &known.members)
    }

    /// Keeps the group until told to stop; then shares in flight get their verdict for a second.
    /// Degraded while no member gives work, and while the running one is not the only one in order.
    ///
    /// # Errors
    /// None that a restart would cure; the signature is the supervisor's.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        let mut ends = self.ends.clone().lock_owned().await;
        let mut wanted = self.wanted.subscribe();
        wanted.mark_changed();
        let mut stopping: Option<Instant> = None;
        let mut told = Told::default();
        loop {
            let now = self.clock.mono();
            let next = ends.core.next_tick(now);
            let next = if told.stale { next.min(told.at + TELL) } else { next };
            let deadline = stopping.unwrap_or_else(|| self.clock.instant_of(next));
            if stopping.is_some() && ends.core.in_flight() == 0 {
                break;
            }
            let Ends { end, news, .. } = &mut *ends;
            // Cancel-safe: receives, a change, a token, a sleep.
            let heard = tokio::select! {
                Some(news) = news.recv() => Heard::News(news),
                Some(leased) = end.leases.recv() => Heard::Leased(leased),
                Some(pending) = end.intake.next(), if stopping.is_none() => Heard::Share(pending),
                Ok(()) = wanted.changed() => Heard::Wanted,
                () = ctx.stopped(), if stopping.is_none() => {
                    stopping = Some(Instant::now() + DRAIN);
                    continue;
                }
                () = sleep_until(deadline) => {
                    if stopping.is_some() {
                        break;
                    }
                    Heard::Time
                }
            };
            let now = self.clock.mono();
            let small = matches!(heard, Heard::Share(_) | Heard::News(News::Verdict(..)));
            match heard {
                Heard::Wanted => {
                    let wanted = wanted.borrow_and_update().clone();
                    ends.follow(&wanted, &self.strategies, now);
                }
                heard => ends.take(heard, now),
            }
            told.stale = true;
            if !small || now.since(told.at) >= TELL {
                self.tell(&ends, &ctx, &mut told, now);
            }
        }
        let now = self.clock.mono();
        ends.core.stop(now);
        self.tell(&ends, &ctx, &mut told, now);
        Ok(())
    }

    fn tell(&self, ends: &Ends, ctx: &Ctx, told: &mut Told, now: Mono) {
        (told.at, told.stale) = (now, false);
        ends.end.set_widest(ends.core.widest(now));
        let status = ends.core.status(now);
        let state = match (&status.current, ends.core.is_working()) {
            (Some(current), true) => {
                ends.end.set_working(now);
                running(&status, current)
            }
            _ => {
                let why = ends.core.idle_why();
                ends.end.set_idle(&why, now);
                Some(why.to_string())
            }
        };
        if told.state.as_ref() != Some(&state) {
            match &state {
                None => ctx.ready(),
                Some(why) => ctx.degraded(why.as_str()),
            }
            told.state = Some(state);
        }
        self.status.send_replace(status);
    }
}

/// What there is to say while somebody runs: who of those that could stand by does not.
fn running(status: &FailoverStatus, current: &SourceId) -> Option<String> {
    let amiss = |member: &&MemberStatus| {
        !matches!(
            member.standing,
            MemberStanding::Active | MemberStanding::Standby | MemberStanding::Leaving
        )
    };
    let amiss: Vec<String> = status
        .members
        .iter()
        .filter(amiss)
        .map(|member| {
            let why = member.standing.detail().unwrap_or_default();
            format!("{} is {} ({why})", member.id, member.standing.word())
        })
        .collect();
    (!amiss.is_empty()).then(|| format!("work from {current}; {}", amiss.join("; ")))
}

/// What was told last.
#[derive(Default)]
struct Told {
    at: Mono,
    stale: bool,
    #[expect(clippy::option_option, reason = "nothing told yet, and told that all is well")]
    state: Option<Option<String>>,
}

/// What the group's task has for itself.
#[derive(Debug)]
struct Ends {
    end: SourceEnd,
    core: Core,
    news: mpsc::Receiver<News>,
    feeds: Feeds,
    /// The members by their keys.
    members: BTreeMap<Arc<str>, (MemberNo, Member)>,
    asks: BTreeMap<LeaseNo, Ask>,
    ruled: (FailoverRules, String),
}

/// The tasks that bring news of members.
#[derive(Debug)]
struct Feeds {
    news: mpsc::Sender<News>,
    tasks: JoinSet<()>,
    handles: BTreeMap<(MemberNo, Option<LeaseNo>), AbortHandle>,
}

impl Feeds {
    fn member(&mut self, no: MemberNo, member: &Member) {
        let task =
            feed::status(no, member.source.clone(), member.latency.clone(), self.news.clone());
        self.handles.insert((no, None), self.tasks.spawn(task));
    }

    fn lease(&mut self, at: (MemberNo, LeaseNo), source: &Arc<dyn WorkSource>, ask: &Ask) {
        let task = feed::lease(at, source.clone(), ask.clone(), self.news.clone());
        self.handles.insert((at.0, Some(at.1)), self.tasks.spawn(task));
    }

    /// Ends the tasks of members or leases that are over, and forgets those that ended.
    fn end(&mut self, over: impl Fn(MemberNo, Option<LeaseNo>) -> bool) {
        self.handles.retain(|(member, lease), handle| {
            let over = over(*member, *lease);
            if over {
                handle.abort();
            }
            !over
        });
        while self.tasks.try_join_next().is_some() {}
    }
}

enum Heard {
    News(News),
    Leased(sl_work::Leased),
    Share(sl_work::Pending),
    Wanted,
    Time,
}

impl Ends {
    fn take(&mut self, heard: Heard, now: Mono) {
        let Self { core, feeds, members, asks, .. } = self;
        match heard {
            Heard::News(News::Status(no, status)) => core.status_of(no, status, now),
            Heard::News(News::Latency(no, latency)) => core.latency_of(no, latency),
            Heard::News(News::Leased(no, lease, submitter)) => core.leased(no, lease, submitter),
            Heard::News(News::Stands(no, lease, standing)) => core.stands(no, lease, standing, now),
            Heard::News(News::Verdict(no, lease, verdict)) => core.verdict(no, lease, verdict, now),
            Heard::News(News::Gone(no)) => core.gone(no, now),
            Heard::Share(pending) => core.share(pending, now),
            Heard::Leased(leased) => {
                let ask = Ask { free: leased.free, consumer: leased.consumer.clone() };
                let lease = core.lease(leased);
                for (no, member) in members.values() {
                    feeds.lease((*no, lease), &member.source, &ask);
                }
                asks.insert(lease, ask);
            }
            Heard::Wanted | Heard::Time => {
                let (left, closed) = core.tick(now);
                if !left.is_empty() || !closed.is_empty() {
                    asks.retain(|lease, _| !closed.contains(lease));
                    feeds.end(|member, lease| {
                        left.contains(&member) || lease.is_some_and(|it| closed.contains(&it))
                    });
                }
            }
        }
    }

    /// What differs between what is and what is wanted.
    fn follow(&mut self, wanted: &Wanted, strategies: &Strategies, now: Mono) {
        let Wanted { members, rules, strategy } = wanted;
        let ruled = (rules.clone(), strategy.clone());
        if ruled != self.ruled
            && let Ok(made) = strategies.make(strategy, &rules.strategy)
        {
            self.ruled = ruled;
            self.core.rule(rules.clone(), made, now);
        }
        for member in members {
            if self.members.contains_key(&member.key) {
                continue;
            }
            let no = self.core.join(member.source.id(), member.priority, member.weight);
            self.feeds.member(no, member);
            for (lease, ask) in &self.asks {
                self.feeds.lease((no, *lease), &member.source, ask);
            }
            self.members.insert(member.key.clone(), (no, member.clone()));
        }
        let place = |key: &Arc<str>| members.iter().find(|member| member.key == *key);
        let gone: Vec<Arc<str>> =
            self.members.keys().filter(|key| place(key).is_none()).cloned().collect();
        let rank = |member: &Member| {
            let (no, _) = self.members.get(&member.key)?;
            Some((*no, member.priority, member.weight))
        };
        let ranks: Vec<_> = members.iter().filter_map(rank).collect();
        self.core.rank(&ranks, now);
        for key in gone {
            if let Some((no, _)) = self.members.remove(&key) {
                self.core.leave(no, now);
            }
        }
        tracing::debug!(members = members.len(), "the group follows");
    }
}
